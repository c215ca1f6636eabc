"""The `biggan` generator: BigSleep's losses, batches, tiling, masks, evolution, joined starts."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file
from torch import Tensor

from dreamplate.dream.biggan import BigganPainting
from dreamplate.dream.biggan_latents import (
    average,
    class_logits,
    class_loss,
    class_weights,
    latent_loss,
    mixture,
    soft_top_k,
)
from dreamplate.dream.native import frame_of, from_frame, native_grid, to_frame
from dreamplate.dream.options import BigganConfig
from dreamplate.dream.painting import Genes
from dreamplate.errors import ConfigError, ModelError
from dreamplate.models import save_state
from dreamplate.nets.biggan import Biggan, BigganShape, Norm

SHAPE = BigganShape(
    z_dim=16, embed_dim=5, classes=9, width=8, channels=(64, 64, 32, 32, 16, 16, 8), attention=4, stats=3
)


def seeded(number: int) -> torch.Generator:
    return torch.Generator().manual_seed(number)


@pytest.fixture(autouse=True)
def one_thread() -> Iterator[None]:
    """The network is small: one thread is faster than several that wait for each other."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture(scope="module")
def net() -> Biggan:
    made = Biggan(SHAPE, seeded(0))
    with torch.no_grad():
        made.conv_to_rgb.weight.mul_(3)
    return made


def painting(
    net: Biggan,
    seeds: Sequence[int] = (0,),
    size: tuple[int, int] = (48, 48),
    wrap: tuple[bool, bool] = (False, False),
    **options: Any,
) -> BigganPainting:
    return BigganPainting(BigganConfig(**options), size, wrap, [seeded(seed) for seed in seeds], net=net)


# BigSleep's numbers.


def test_parity_big_sleep_latents(shared_dir: Path) -> None:
    folder = shared_dir / "parity" / "big_sleep_latents"
    about = json.loads((folder / "about.json").read_text(encoding="utf-8"))
    io, how, limit = (
        load_file(folder / "io.safetensors"),
        about["constructor_arguments"],
        about["tolerance"],
    )

    def close(found: Tensor, name: str) -> None:
        torch.testing.assert_close(
            found, io[name], atol=limit["max_abs_error"], rtol=limit["relative_error"], msg=name
        )

    cap, warmth, decay = how["max_classes"] or 0, how["class_temperature"], how["ema_decay"]
    classes = class_weights(io["in.cls"], cap, warmth)
    close(classes, "out.classes_train")
    close(latent_loss(io["in.normu"]), "out.latent_loss_train")
    close(class_loss(classes), "out.class_loss_train")
    averages = {}
    for name in ("normu", "cls"):
        biased, left = torch.zeros_like(io[f"in.{name}"]), 1.0
        for value in (io[f"in.{name}_before"], io[f"in.{name}"]):
            biased, left, averages[name] = average(biased, left, value, decay)
    close(averages["normu"], "out.ema_normu")
    shown = class_weights(averages["cls"], cap, warmth)
    close(shown, "out.classes_eval")
    close(latent_loss(averages["normu"]), "out.latent_loss_eval")
    close(class_loss(shown), "out.class_loss_eval")
    close(soft_top_k(io["in.topk_x"], 1, 2.0), "out.topk_k1")
    close(soft_top_k(io["in.topk_x"], 3, 2.0), "out.topk_k3")
    close(soft_top_k(io["in.topk_x"], 3, 0.5), "out.topk_k3_t05")
    # The words' part, as a dream's losses are: signed cosines, averaged over cuts, summed over texts.
    unit = torch.nn.functional.normalize(io["in.image_embeds"], dim=-1)
    words = [(io["in.text_embed_1"], 1), (io["in.text_embed_2"], 1), (io["in.text_embed_min"], -1)]
    cosines = [sign * (unit @ torch.nn.functional.normalize(text, dim=-1).T).mean() for text, sign in words]
    similar = -how["loss_coef"] * torch.stack(cosines).sum()
    close(similar, "out.sim_loss_train")
    close(similar + latent_loss(io["in.normu"]) + class_loss(classes), "out.total_loss_train")


def test_losses_of_a_batch_are_those_of_its_pictures() -> None:
    z, classes = torch.randn(3, 5, 16, generator=seeded(0)), torch.rand(3, 5, 9, generator=seeded(1))
    torch.testing.assert_close(latent_loss(z), torch.stack([latent_loss(row) for row in z]))
    torch.testing.assert_close(class_loss(classes), torch.stack([class_loss(row) for row in classes]))
    torch.testing.assert_close(class_loss(torch.eye(9)), torch.tensor(0.0))  # one class costs nothing


def test_soft_choice_of_classes() -> None:
    logits = torch.randn(4, 9, generator=seeded(0))
    for k in (1, 3, 9, 50):
        chosen = soft_top_k(logits, k, 0.7)
        assert ((chosen > 0).sum(1) == min(k, 9)).all()
        first = logits.argmax(1, keepdim=True)
        torch.testing.assert_close(chosen.gather(1, first), (logits / 0.7).softmax(1).gather(1, first))
    bits = torch.zeros(3, 9, dtype=torch.long)
    bits[1, 4] = bits[2, 0] = bits[2, 8] = 1
    wanted = mixture(bits)
    assert torch.allclose(wanted.sum(1), torch.ones(3))
    assert torch.allclose(wanted[0], torch.full((9,), 1 / 9))
    torch.testing.assert_close(class_weights(class_logits(wanted, 0, 2.0), 0, 2.0), wanted, atol=2e-4, rtol=0)
    one = class_weights(class_logits(wanted[1:2], 1, 2.0), 1, 2.0)
    torch.testing.assert_close(one, wanted[1:2], atol=2e-3, rtol=0)


# Frames.


@pytest.mark.parametrize("size", [(64, 64), (128, 72), (50, 200), (33, 31)])
@pytest.mark.parametrize("wrap", [(False, False), (True, False), (True, True)])
def test_any_size(net: Biggan, size: tuple[int, int], wrap: tuple[bool, bool]) -> None:
    made = painting(net, size=size, wrap=wrap)
    image = made(*size)
    assert image.shape == (1, 3, size[1], size[0])
    assert image.min() >= 0 and image.max() <= 1
    assert made(17, 9).shape == (1, 3, 9, 17)


def test_an_open_frame_is_cut_and_not_stretched() -> None:
    grid = native_grid((128, 72), (False, False))
    native = (grid[0] * 8, grid[1] * 8)
    height, width = frame_of(native, (128, 72), (False, False))
    assert (height, width) == (32, 57)  # of 64
    assert width / height == pytest.approx(128 / 72, rel=0.01)
    ramp = torch.linspace(0, 1, 64).view(1, 1, 1, 64).expand(1, 3, 32, 64)
    assert torch.equal(to_frame(ramp, (128, 72), (False, False), 57, 32), ramp[..., 3:60])
    mask = torch.zeros(1, 1, 72, 128)
    mask[..., 64:] = 1
    native_mask = from_frame(mask, native, (128, 72), (False, False))
    assert native_mask.shape == (1, 1, 32, 64)
    assert native_mask[..., :30].max() == 0
    assert native_mask[..., 34:].min() == 1
    with pytest.raises(ConfigError, match="at most 32 to 1"):
        native_grid((4096, 64), (False, False))


@pytest.mark.parametrize(("width", "by"), [(48, 12), (96, 24), (20, 5), (36, 9)])
def test_a_tiled_picture_resizes_without_a_seam(width: int, by: int) -> None:
    image = torch.rand(1, 3, 32, 32, generator=seeded(0))
    plain = to_frame(image, (64, 64), (True, False), width, width)
    moved = to_frame(torch.roll(image, 8, 3), (64, 64), (True, False), width, width)
    torch.testing.assert_close(moved, torch.roll(plain, by, 3), atol=1e-5, rtol=0)


def test_the_seam_is_no_worse_than_the_inside(net: Biggan) -> None:
    seeds = tuple(range(6))
    with torch.no_grad():
        tiled = painting(net, seeds, size=(96, 64), wrap=(True, True))(96, 64)
        opened = painting(net, seeds, size=(96, 64))(96, 64)

    def steps(image: Tensor) -> Tensor:
        """Mean difference of each column from the one before it; the seam's comes first."""
        return (image - image.roll(1, 3)).abs().mean((0, 1, 2))

    assert steps(tiled)[0] <= steps(tiled)[1:].max()
    assert steps(opened)[0] > steps(opened)[1:].max()


# Pictures.


@pytest.mark.parametrize("options", [{}, {"rows": "one", "one_class": True}, {"basis": 3}, {"classes": 2}])
def test_a_batch_makes_what_single_pictures_would(net: Biggan, options: dict[str, Any]) -> None:
    together = painting(net, (3, 4), **options)
    image = together(48, 48)
    for index, seed in enumerate((3, 4)):
        alone = painting(net, (seed,), **options)
        torch.testing.assert_close(alone(48, 48)[0], image[index], atol=1e-5, rtol=0)
        for name, value in alone.named_parameters():
            assert torch.equal(dict(together.named_parameters())[name][index], value[0])
    prior = together.prior()
    assert prior is not None and prior.shape == (2,)
    torch.autograd.backward(image.mean() + prior.sum())
    assert all(p.grad is not None and p.grad.abs().sum() > 0 for p in together.parameters())
    assert all(p.grad is None for p in net.parameters())


def test_checkpoints_hold_no_weights(net: Biggan) -> None:
    made = painting(net, (1, 2), canvas=True)
    assert set(made.state_dict()) == {"z", "logits", "canvas"}
    other = painting(net, (5, 6), canvas=True)
    other.load_state_dict(made.state_dict())
    assert torch.equal(other(48, 48), made(48, 48))
    assert not any(p.requires_grad for p in net.parameters())


def test_starts(net: Biggan) -> None:
    made = painting(net, range(40))
    assert made.z.shape == (40, SHAPE.rows, 16)
    assert made.z.mean().item() == pytest.approx(0, abs=0.05)
    assert made.logits.mean().item() == pytest.approx(-3.9, abs=0.02)
    assert made.logits.std().item() == pytest.approx(0.3, abs=0.02)
    for options in ({"one_class": True}, {"one_class": True, "classes": 3}):
        classes = painting(net, range(40), **options).latents()[1]
        assert (classes.max(-1).values > 0.8).all()
        assert (classes.topk(2).values[..., 1] < 0.3).all()
    assert len(set(painting(net, range(40), one_class=True).logits[:, 0].argmax(-1).tolist())) > 4
    quiet = painting(net, range(40), truncation=0.5)
    torch.testing.assert_close(quiet.z, made.z * 0.5)
    assert painting(net, prior=0.0).prior() is None


def test_the_quirk_of_truncation_is_a_switch(net: Biggan) -> None:
    with torch.no_grad():
        for part in net.modules():
            if isinstance(part, Norm):
                part.running_means[1] += 0.2
    plain, quirk = (painting(net, truncation=0.7, swapped_truncation=on)(48, 48) for on in (False, True))
    assert (plain - quirk).abs().max() > 1e-3
    ends = [painting(net, truncation=1.0, swapped_truncation=on)(48, 48) for on in (False, True)]
    torch.testing.assert_close(ends[0], ends[1])


def test_a_join_of_starts(net: Biggan) -> None:
    made = painting(net, (0, 1), basis=3)
    made.join([seeded(seed) for seed in (10, 11, 12, 20, 21, 22)])
    single = painting(net, (11,), rows="one", basis=0)
    assert torch.equal(made.z[0, 1], single.z[0, 0])
    assert torch.equal(made.logits[0, 1], single.logits[0, 0])
    with torch.no_grad():
        made.shares[0, :, 1] = 40.0  # all of the second start
        torch.testing.assert_close(made(48, 48)[:1], single(48, 48), atol=1e-4, rtol=0)
    # However it is shared out, what comes out is as large as a latent.
    many = painting(net, range(60), basis=4)
    assert many.latents()[0].std().item() == pytest.approx(1, abs=0.05)
    with pytest.raises(ConfigError, match=r"2 starts for 2 pictures of biggan\.basis 3"):
        made.join([seeded(0), seeded(1)])


def test_fitting_a_picture(net: Biggan) -> None:
    target = painting(net, (7,), rows="one", one_class=True)(48, 48).detach()
    made = painting(net, (8,), canvas=True)
    before = (made(48, 48) - target).square().mean()
    made.paint(target)
    assert (made(48, 48) - target).square().mean() < 0.3 * before


# Masks.


def test_outside_the_mask_nothing_changes(net: Biggan) -> None:
    made = painting(net, (1, 2), size=(64, 64), canvas=True)
    with torch.no_grad():
        made.canvas.add_(torch.randn(made.canvas.shape, generator=seeded(3)) / 4)
    before = made(32, 32).detach()
    mask = torch.zeros(1, 1, 64, 64)
    mask[..., 16:48, 8:40] = 1
    made.confine(mask)
    torch.testing.assert_close(made(32, 32), before, atol=1e-6, rtol=0)
    with torch.no_grad():
        for parameter in made.parameters():
            parameter.add_(torch.randn(parameter.shape, generator=seeded(4)) / 2)
    after = made(32, 32)
    inside = torch.nn.functional.interpolate(mask, (32, 32), mode="area") > 0
    change = (after - before).abs()
    assert change[:, :, ~inside[0, 0]].max() < 1e-6
    assert change[:, :, inside[0, 0]].mean() > 0.02
    torch.autograd.backward(after.sum())
    assert made.canvas.grad is not None and made.canvas.grad.abs().sum() > 0
    # More pictures than were confined keep the same surroundings, and a saved state brings them back.
    bits = torch.zeros(5, 9, dtype=torch.long)
    other = painting(net, (7, 8), size=(64, 64), canvas=True)
    other.confine(mask)
    other(32, 32)
    other.load_state_dict(made.state_dict())
    assert torch.equal(other(32, 32), made(32, 32))
    made.adopt(Genes(torch.randn(5, 16, generator=seeded(5)), bits, torch.zeros(5, 0, dtype=torch.long)))
    evolved = made(32, 32)
    assert (evolved[4] - before[0]).abs()[:, ~inside[0, 0]].max() < 1e-6


def test_painting_while_confined_moves_what_is_kept(net: Biggan) -> None:
    made = painting(net, (1,), size=(32, 32))
    mask = torch.zeros(1, 1, 32, 32)
    mask[..., 16:] = 1
    made.confine(mask)
    target = painting(net, (2,), rows="one")(32, 32).detach()
    made.paint(target)
    fitted = made(32, 32).detach()
    assert (fitted - target).square().mean() < 0.02
    with torch.no_grad():
        made.z.add_(1.0)
    torch.testing.assert_close(made(32, 32)[..., :16], fitted[..., :16], atol=1e-6, rtol=0)


# Evolution.


def test_genes(net: Biggan) -> None:
    made = painting(net, (1,), canvas=True, prior=0.0)
    genome = made.genome()
    assert (genome.reals, genome.bits, genome.bound, genome.spread) == (16, 9, 2.0, 1.0)
    assert BigganShape().classes == 1000
    reals = torch.randn(3, 16, generator=seeded(0))
    bits = torch.zeros(3, 9, dtype=torch.long)
    bits[0, 2] = bits[1, 3] = bits[1, 4] = 1
    genes = Genes(reals, bits, torch.zeros(3, 0, dtype=torch.long))
    made.adopt(genes)
    assert (made.count, made(48, 48).shape[0]) == (3, 3)
    z, classes = made.latents()
    assert torch.equal(z[:, 0], reals) and torch.equal(z[:, -1], reals)
    torch.testing.assert_close(classes[1, 0, 3:5], torch.tensor([0.5, 0.5]), atol=1e-3, rtol=0)
    direct = net(net.condition(reals, mixture(bits)))
    torch.testing.assert_close(made(32, 32), (direct + 1) / 2, atol=5e-3, rtol=0)
    joined = painting(net, (1, 2), basis=3)
    joined.adopt(genes)
    assert {name for name, _ in joined.named_parameters()} == {"z", "logits"}
    assert torch.equal(joined(48, 48), made(48, 48))


# Weights.


def test_weights_by_file(net: Biggan, tmp_path: Path) -> None:
    path = tmp_path / "small.safetensors"
    save_state(path, dict(net.state_dict()))
    options = BigganConfig(weights=str(path))
    made = BigganPainting(options, (48, 48), (False, False), [seeded(3)])
    torch.testing.assert_close(made(48, 48), painting(net, (3,))(48, 48), atol=1e-6, rtol=0)
    with pytest.raises(ModelError, match="no-such-model"):
        BigganPainting(
            dataclasses.replace(options, weights="no-such-model"), (48, 48), (False, False), [seeded(3)]
        )
