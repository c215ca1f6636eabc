"""BigGAN-deep: reference numbers, tiling, truncation, training."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from safetensors.torch import load_file
from torch import Tensor, nn

from dreamplate.errors import ConfigError, ModelError
from dreamplate.models import get_importer, import_state
from dreamplate.nets.anchor import Anchor
from dreamplate.nets.biggan import Biggan, BigganShape, Norm
from dreamplate.nets.biggan_layers import at_truncation
from dreamplate.nets.biggan_training import add_spectral_norm, collect_statistics, fold_spectral_norm
from dreamplate.nets.wrapping import conv_same, linear_matrix, resize_map, wrap_pad


def seeded(number: int) -> torch.Generator:
    return torch.Generator().manual_seed(number)


def fixture(folder: Path) -> tuple[dict[str, Any], dict[str, Tensor], Biggan]:
    about = json.loads((folder / "about.json").read_text(encoding="utf-8"))
    state, report = import_state(
        get_importer("biggan-port"), load_file(folder / "weights.safetensors"), folder / "weights.safetensors"
    )
    assert report.complete and not report.unexpected
    return about, load_file(folder / "io.safetensors"), Biggan.from_state(state, report.settings)


def close(found: Tensor, wanted: Tensor, about: dict[str, Any]) -> None:
    limit = about["tolerance"]
    torch.testing.assert_close(
        found, wanted, atol=limit["max_abs_error"], rtol=limit["relative_error"], check_dtype=False
    )


def mean_std(image: Tensor) -> Tensor:
    return torch.stack([image.mean((2, 3)), image.std((2, 3))], dim=-1)


def strided(image: Tensor, wanted: Tensor) -> Tensor:
    step = image.shape[-1] // wanted.shape[-1]
    return image[: wanted.shape[0], :, ::step, ::step]


TRUNCATIONS = {"t037": 0.37, "t1": 1.0, "t0375": 0.375, "t058": 0.58}


@torch.no_grad()
def test_parity_biggan_deep(shared_dir: Path) -> None:
    about, io, net = fixture(shared_dir / "parity" / "biggan_deep")
    layers = about["constructor_arguments"]["layers"]
    assert [bool(number % 2) for number in range(net.shape.blocks)] == [up for up, _, _ in layers]
    condition = net.condition(io["in.z"], io["in.class_vector"])
    for name, truncation in TRUNCATIONS.items():
        image = net(condition, truncation, swapped=True)
        close(strided(image, io[f"out.image_{name}_strided"]), io[f"out.image_{name}_strided"], about)
        if f"out.mean_std_{name}" in io:
            close(mean_std(image), io[f"out.mean_std_{name}"], about)
    close(net(condition, 0.37, swapped=True)[:, :, 32:80, 40:88], io["out.image_t037_crop"], about)


@torch.no_grad()
def test_parity_big_sleep_biggan(shared_dir: Path) -> None:
    about, io, net = fixture(shared_dir / "parity" / "big_sleep_biggan")
    rows = net.condition(io["in.z"], io["in.class_vector"])[None]
    assert rows.shape[1] == net.shape.rows
    for name in ("t1", "t0375"):
        image = net(rows, TRUNCATIONS[name], swapped=True)
        close(strided(image, io[f"out.image_{name}_strided"]), io[f"out.image_{name}_strided"], about)
    image = net(rows, 1.0, swapped=True)
    close(image[:, :, 40:104, 40:104], io["out.image_t1_crop"], about)
    close(mean_std(image), io["out.mean_std_t1"], about)


# Truncation.


def test_rows_between_truncations() -> None:
    table = torch.arange(51.0)[:, None].repeat(1, 2)
    for truncation in torch.linspace(0, 1, 101).tolist():
        # Statistics that grow evenly are met at their own place, not mirrored between two rows.
        assert at_truncation(table, truncation)[0].item() == pytest.approx(50 * truncation, abs=1e-4)
    assert at_truncation(table, 0.375, swapped=True)[0].item() == pytest.approx(18.25, abs=1e-4)
    assert at_truncation(table, 0.375)[0].item() == pytest.approx(18.75, abs=1e-4)
    # What the notes of the reference list: these fall on the row below.
    for truncation, row in ((0.14, 8), (0.28, 15), (0.56, 29), (0.58, 28), (0.94, 46)):
        found = at_truncation(table, truncation, swapped=True)[0].item()
        assert abs(found - 50 * truncation) > 0.99 or round(found) == row
    single = torch.tensor([[3.0, 4.0]])
    assert torch.equal(at_truncation(single, 0.3), single[0])
    assert torch.equal(at_truncation(single, 0.3, swapped=True), single[0])


# Shapes, tiling, anchors.

SMALL = BigganShape(
    z_dim=6, embed_dim=5, classes=7, width=8, channels=(64, 64, 32, 32, 16, 16, 8), attention=4, stats=3
)


@pytest.fixture(scope="module")
def small() -> Biggan:
    net = Biggan(SMALL, seeded(0))
    with torch.no_grad():
        for part in net.modules():
            if isinstance(part, Norm):
                part.running_means.copy_(torch.randn(part.running_means.shape, generator=seeded(1)) / 5)
                part.running_vars.copy_(torch.rand(part.running_vars.shape, generator=seeded(2)) + 0.5)
        attention = net.layers[SMALL.attention]
        attention.gamma.fill_(0.7)
    return net.requires_grad_(False).eval()


def conditions(net: Biggan, count: int, rows: int | None = None) -> Tensor:
    shape = (count,) if rows is None else (count, rows)
    z = torch.randn(*shape, net.shape.z_dim, generator=seeded(3))
    classes = torch.rand(*shape, net.shape.classes, generator=seeded(4))
    return net.condition(z, classes)


def test_public_shapes() -> None:
    for side, rows in ((128, 11), (256, 13), (512, 15)):
        shape = BigganShape.of(side)
        assert (shape.resolution, shape.rows) == (side, rows)
        assert BigganShape.from_settings(shape.settings()) == shape
    with torch.device("meta"):
        counted = sum(p.numel() for p in Biggan(BigganShape.of(128)).parameters())
    assert counted == pytest.approx(50.4e6, rel=0.01)  # as published
    with pytest.raises(ConfigError, match="128, 256 or 512"):
        BigganShape.of(100)


def test_rows_all_alike_are_one_row(small: Biggan) -> None:
    one = conditions(small, 2)
    many = one[:, None].expand(-1, SMALL.rows, -1)
    assert torch.equal(small(one), small(many))


def test_pictures_do_not_see_each_other(small: Biggan) -> None:
    rows = conditions(small, 3, SMALL.rows)
    torch.testing.assert_close(small(rows)[1:2], small(rows[1:2]), atol=1e-5, rtol=0)


@pytest.mark.parametrize("grid", [(4, 4), (4, 7), (9, 4)])
def test_any_grid(small: Biggan, grid: tuple[int, int]) -> None:
    scale = SMALL.resolution // 4
    assert small(conditions(small, 1), grid=grid).shape == (1, 3, grid[0] * scale, grid[1] * scale)


@pytest.mark.parametrize(("wrap", "cells"), [((True, False), (0, 1)), ((False, True), (3, 0))])
def test_a_tiled_picture_rolls_with_its_first_map(
    small: Biggan, wrap: tuple[bool, bool], cells: tuple[int, int]
) -> None:
    condition = conditions(small, 1)
    plain, opened = small(condition, wrap=wrap), small(condition)
    scale = SMALL.resolution // 4
    by = (cells[0] * scale, cells[1] * scale)

    def turn(_module: nn.Module, _inputs: object, maps: Tensor) -> Tensor:
        return torch.roll(maps.unflatten(1, (4, 4, -1)), cells, (1, 2)).flatten(1)

    hook = small.gen_z.register_forward_hook(turn)
    try:
        moved, broken = small(condition, wrap=wrap), small(condition)
    finally:
        hook.remove()
    torch.testing.assert_close(moved, torch.roll(plain, by, (2, 3)), atol=1e-5, rtol=0)
    # Without tiling it does not, or this test could not fail.
    assert (broken - torch.roll(opened, by, (2, 3))).abs().max() > 1e-3


def test_canvas_is_added_where_it_says(small: Biggan) -> None:
    condition = conditions(small, 2)
    canvas = torch.zeros(2, *small.canvas_shape((4, 6)))
    plain = small(condition, grid=(4, 6))
    assert torch.equal(small(condition, grid=(4, 6), canvas=canvas), plain)
    canvas[1, :, 2, 3] = 1.0
    changed = small(condition, grid=(4, 6), canvas=canvas)
    assert torch.equal(changed[0], plain[0])
    assert not torch.allclose(changed[1], plain[1])


def test_an_anchor_keeps_what_is_outside_its_mask(small: Biggan) -> None:
    before, after = conditions(small, 1), conditions(small, 2)[1:]
    anchor = Anchor()
    kept = small(before, anchor=anchor)
    mask = torch.zeros(1, 1, *kept.shape[2:])
    mask[..., 10:20, 4:30] = 1
    anchor.hold(mask)
    changed = small(after, anchor=anchor)
    outside = (mask == 0).expand_as(kept)
    assert torch.equal(changed[outside], kept[outside])
    assert (changed - kept).abs().max() > 0.01
    # All of it free is a picture of its own; none of it, the old one.
    anchor.hold(torch.ones_like(mask))
    torch.testing.assert_close(small(after, anchor=anchor), small(after), atol=1e-6, rtol=0)
    anchor.hold(torch.zeros_like(mask))
    assert torch.equal(small(after, anchor=anchor), kept)


def test_bad_input(small: Biggan) -> None:
    with pytest.raises(ConfigError, match="class vectors have length 6: this network needs 7"):
        small.condition(torch.zeros(1, 6), torch.zeros(1, 6))
    with pytest.raises(ConfigError, match="latents have length 5"):
        small.condition(torch.zeros(1, 5), torch.zeros(1, 7))
    state = dict(small.state_dict())
    state.pop("gen_z.bias")
    with pytest.raises(ModelError, match=r"gen_z\.bias") as caught:
        Biggan.from_state(state, SMALL.settings())
    assert "\n" not in str(caught.value)
    with pytest.raises(ModelError, match="attention"):
        BigganShape.from_settings({k: v for k, v in SMALL.settings().items() if k != "attention"})


# Training.


def test_starting_weights_follow_the_seed() -> None:
    state = torch.get_rng_state()
    first, second, other = (Biggan(SMALL, seeded(n)).state_dict() for n in (5, 5, 6))
    assert all(torch.equal(first[name], second[name]) for name in first)
    assert not torch.equal(first["gen_z.weight"], other["gen_z.weight"])
    assert torch.equal(torch.get_rng_state(), state)


def test_training_normalises_over_the_batch_and_remembers() -> None:
    net = Biggan(SMALL, seeded(0)).train()
    optimiser = torch.optim.Adam(net.parameters(), lr=2e-3, betas=(0.0, 0.99))
    z = torch.randn(6, SMALL.z_dim, generator=seeded(1))
    classes = F.one_hot(torch.arange(6) % SMALL.classes, SMALL.classes).float()
    losses = []
    for _ in range(6):
        optimiser.zero_grad()
        loss = (net(net.condition(z, classes)) - 0.5).square().mean()
        torch.autograd.backward(loss)
        losses.append(loss.item())
        optimiser.step()
    assert losses[-1] < 0.8 * losses[0]
    assert all(p.grad is not None for p in net.parameters())
    # Standing statistics of the same batch give in eval mode what the batch gave in training.
    collect_statistics(net, {1.0: [net.condition(z, classes).detach()]})
    net.train()
    trained = net(net.condition(z, classes))
    net.eval()
    torch.testing.assert_close(net(net.condition(z, classes), 0.3), trained, atol=1e-4, rtol=0)


def test_spectral_norms_fold_away() -> None:
    net = add_spectral_norm(Biggan(SMALL, seeded(0)))
    assert isinstance(net, Biggan)
    with torch.no_grad():
        for part in net.modules():
            if isinstance(part, nn.Conv2d):
                part.parametrizations.weight.original.mul_(3)  # type: ignore[union-attr]
    net.eval()
    before = net(conditions(net, 1))
    fold_spectral_norm(net)
    assert torch.equal(net(conditions(net, 1)), before)
    assert set(net.state_dict()) == set(Biggan(SMALL, seeded(0)).state_dict())
    top = torch.linalg.matrix_norm(net.gen_z.weight, 2).item()
    assert top == pytest.approx(1, abs=0.2)


# Maps that tile.


def test_wrapping() -> None:
    x = torch.randn(1, 2, 5, 6, generator=seeded(0))
    torch.testing.assert_close(wrap_pad(x, 2, (True, True)), F.pad(x, (2, 2, 2, 2), mode="circular"))
    wide = wrap_pad(x, 13, (True, False))
    assert torch.equal(wide, torch.roll(x.repeat(1, 1, 1, 6), 1, 3)[..., : 6 + 26])
    weight = torch.randn(3, 2, 3, 3, generator=seeded(1))
    turned = conv_same(torch.roll(x, 2, 3), weight, None, (True, False))
    torch.testing.assert_close(turned, torch.roll(conv_same(x, weight, None, (True, False)), 2, 3))
    torch.testing.assert_close(conv_same(x, weight), F.conv2d(x, weight, padding=1))
    open_size = F.interpolate(x, (7, 9), mode="bilinear", align_corners=False)
    torch.testing.assert_close(resize_map(x, (7, 9)), open_size)
    torch.testing.assert_close(linear_matrix(4, 9, True).sum(1), torch.ones(9))
    doubled = resize_map(x, (5, 12), (True, False))
    torch.testing.assert_close(
        resize_map(torch.roll(x, 1, 3), (5, 12), (True, False)), torch.roll(doubled, 2, 3)
    )
