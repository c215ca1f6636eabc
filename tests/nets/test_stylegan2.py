"""StyleGAN2: reference numbers, short ways against the general ones, tiling, training."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from safetensors.torch import load_file
from torch import Tensor

from dreamplate.errors import ConfigError, ModelError
from dreamplate.models.find import find_weights
from dreamplate.nets.anchor import Anchor
from dreamplate.nets.stylegan2 import Stylegan2, Stylegan2Shape
from dreamplate.nets.stylegan2_discriminator import DiscriminatorShape, Stylegan2Discriminator, group_spread
from dreamplate.nets.stylegan2_synthesis import Styled, double_conv
from dreamplate.nets.upfirdn import TAPS, double, fir, halve, smooth, upfirdn


def seeded(number: int) -> torch.Generator:
    return torch.Generator().manual_seed(number)


def fixture(folder: Path) -> tuple[dict[str, Any], dict[str, Tensor]]:
    about = json.loads((folder / "about.json").read_text(encoding="utf-8"))
    return about, load_file(folder / "io.safetensors")


def close(found: Tensor, wanted: Tensor, about: dict[str, Any]) -> None:
    limit = about["tolerance"]
    torch.testing.assert_close(
        found, wanted, atol=limit["max_abs_error"], rtol=limit["relative_error"], check_dtype=False
    )


@torch.no_grad()
def test_parity_stylegan2_generator(shared_dir: Path) -> None:
    folder = shared_dir / "parity" / "stylegan2_generator"
    about, io = fixture(folder)
    net = Stylegan2.from_state(*find_weights(str(folder / "weights.safetensors"), "stylegan2"))
    assert net.shape.resolution == about["constructor_arguments"]["img_resolution"]
    z = io["in.z"]
    close(net.styles(z), io["out.ws"], about)
    close(net.styles(z, psi=0.7), io["out.ws_psi"], about)
    close(net.styles(z, psi=0.7, cutoff=3), io["out.ws_psi_cutoff"], about)
    ws = io["out.ws_psi"]
    close(net.synthesis(ws), io["out.image_const"], about)
    close(net.synthesis(ws, noise="none"), io["out.image_none"], about)
    close(net(z, psi=0.7), io["out.image_const"], about)
    full = io["out.ws"]
    mixed = torch.cat([full[:, :3], full.flip(0)[:, 3:]], dim=1)
    close(net.synthesis(mixed, noise="none"), io["out.image_mixed_none"], about)
    for number in range(len(z)):  # one picture alone scales weights where several scale activations
        close(net.synthesis(ws[number : number + 1]), io["out.image_const"][number : number + 1], about)
    close(net.synthesis(ws[:1]), io["out.image_const_unfused"], about)
    net.mapping.track(net.mapping(z), 0.995)
    close(net.mapping.w_avg, io["out.w_avg_after_one_training_call"], about)


def test_parity_stylegan2_discriminator(shared_dir: Path) -> None:
    folder = shared_dir / "parity" / "stylegan2_discriminator"
    about, io = fixture(folder)
    found = find_weights(str(folder / "weights.safetensors"), "stylegan2-discriminator")
    net = Stylegan2Discriminator.from_state(*found)
    image = io["in.image"].clone().requires_grad_()
    logits = net(image)
    close(logits, io["out.logits"], about)
    (gradient,) = torch.autograd.grad(logits.sum(), image)
    penalty = gradient.square().sum((1, 2, 3))
    limit = about["tolerance"]["r1_relative_error"]
    torch.testing.assert_close(penalty, io["out.r1_per_sample"], rtol=limit, atol=0)


def test_parity_stylegan2_upfirdn(shared_dir: Path) -> None:
    about, io = fixture(shared_dir / "parity" / "stylegan2_upfirdn")
    x, kernel = io["in.x"], fir(about["constructor_arguments"]["taps"])
    close(kernel, io["out.filter"], about)
    skew = fir((1, 2, 5, 3))
    close(skew, io["out.filter_asym"], about)
    close(upfirdn(x, kernel, up=(2, 2), padding=(2, 1, 2, 1), gain=4), io["out.up2"], about)
    close(double(x), io["out.up2"], about)
    close(upfirdn(x, kernel, down=(2, 2), padding=(1, 1, 1, 1)), io["out.down2"], about)
    close(halve(x), io["out.down2"], about)
    close(upfirdn(x, kernel, padding=(2, 1, 2, 1)), io["out.filter2d"], about)
    how = {"up": (2, 3), "down": (3, 1), "padding": (1, 2, -1, 4), "gain": 1.7}
    close(upfirdn(x, skew, **how), io["out.general"], about)
    close(upfirdn(x, skew, **how, flip=True), io["out.general_flipped"], about)


# Short ways.


def test_short_filters_are_the_general_one() -> None:
    x = torch.randn(2, 3, 6, 9, generator=seeded(0))
    kernel = fir(TAPS)
    torch.testing.assert_close(double(x), upfirdn(x, kernel, up=(2, 2), padding=(2, 1, 2, 1), gain=4))
    torch.testing.assert_close(halve(x), upfirdn(x, kernel, down=(2, 2), padding=(1, 1, 1, 1)))
    torch.testing.assert_close(smooth(x, 3.0, 2), upfirdn(x, kernel, padding=(2, 2, 2, 2), gain=3.0))


def test_the_doubling_convolution_is_filter_then_convolution() -> None:
    x = torch.randn(2, 3, 5, 6, generator=seeded(0))
    weight = torch.randn(4, 3, 3, 3, generator=seeded(1))
    up = upfirdn(x, fir(TAPS), up=(2, 2), padding=(3, 2, 3, 2), gain=4)  # one more for the convolution
    naive = F.conv2d(up, weight.flip((2, 3)))
    torch.testing.assert_close(double_conv(x, weight), naive, atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize("wrap", [(True, False), (False, True), (True, True)])
def test_resampling_tiles(wrap: tuple[bool, bool]) -> None:
    x = torch.randn(1, 2, 6, 8, generator=seeded(0))
    weight = torch.randn(3, 2, 3, 3, generator=seeded(1))
    by = (2 * wrap[1], 2 * wrap[0])
    moved = torch.roll(x, by, (2, 3))
    twice = (by[0] * 2, by[1] * 2)
    torch.testing.assert_close(double(moved, wrap), torch.roll(double(x, wrap), twice, (2, 3)))
    torch.testing.assert_close(
        double_conv(moved, weight, wrap), torch.roll(double_conv(x, weight, wrap), twice, (2, 3))
    )
    half = (by[0] // 2, by[1] // 2)
    torch.testing.assert_close(halve(moved, wrap), torch.roll(halve(x, wrap), half, (2, 3)))


def test_modulation_is_its_equation() -> None:
    layer = Styled(5, 6, 4, 40, up=False)
    with torch.no_grad():
        for parameter in layer.parameters():
            parameter.copy_(torch.randn(parameter.shape, generator=seeded(parameter.numel())))
    w = torch.randn(2, 4, generator=seeded(1))
    x = torch.randn(2, 5, 40, 40, generator=seeded(2))
    style = layer.affine(w)
    rows = []
    for number in range(2):
        weight = layer.weight * style[number].view(1, -1, 1, 1)
        weight = weight / (weight.square().sum((1, 2, 3), keepdim=True) + 1e-8).sqrt()
        rows.append(F.conv2d(x[number : number + 1], weight, padding=1) + layer.bias.view(1, -1, 1, 1))
    naive = F.leaky_relu(torch.cat(rows), 0.2) * 2**0.5
    torch.testing.assert_close(layer(x, w, "none", (False, False)), naive, atol=1e-5, rtol=1e-5)
    alone = torch.cat([layer(x[i : i + 1], w[i : i + 1], "none", (False, False)) for i in range(2)])
    torch.testing.assert_close(alone, naive, atol=1e-5, rtol=1e-5)


def test_the_spread_of_a_group() -> None:
    x = torch.randn(8, 3, 2, 2, generator=seeded(0))
    found = group_spread(x, 4)[:, 3]
    for first in range(2):  # members are strided through the batch
        level = (x[first::2].var(0, correction=0) + 1e-8).sqrt().mean()
        torch.testing.assert_close(found[first::2], level.expand(4, 2, 2))
    assert group_spread(x[:6], 4).shape == (6, 4, 2, 2)


# Whole networks.

SHAPE = Stylegan2Shape(z_dim=8, w_dim=10, mapping=2, channels=(12, 12, 10, 8))


def network(shape: Stylegan2Shape = SHAPE) -> Stylegan2:
    net = Stylegan2(shape, seeded(0))
    with torch.no_grad():
        for name, tensor in net.named_parameters():
            if name.endswith("noise_strength"):
                tensor.fill_(0.3)
    return net


def test_a_tiled_picture_rolls_with_its_constant() -> None:
    net = network().requires_grad_(False)
    ws = net.styles(torch.randn(1, 8, generator=seeded(1)))
    plain = net.synthesis(ws, noise="none", wrap=(True, False))
    opened = net.synthesis(ws, noise="none")
    net.synthesis.b4.const.copy_(torch.roll(net.synthesis.b4.const, 1, 2))
    moved = net.synthesis(ws, noise="none", wrap=(True, False))
    torch.testing.assert_close(moved, torch.roll(plain, SHAPE.resolution // 4, 3), atol=1e-5, rtol=0)
    assert (net.synthesis(ws, noise="none") - torch.roll(opened, SHAPE.resolution // 4, 3)).abs().max() > 1e-3


@pytest.mark.parametrize("grid", [(4, 4), (4, 9), (6, 4)])
def test_any_grid_and_noise(grid: tuple[int, int]) -> None:
    net = network().requires_grad_(False)
    ws = net.styles(torch.randn(2, 8, generator=seeded(1)))
    shape = (2, 3, grid[0] * 8, grid[1] * 8)
    assert net.synthesis(ws, grid=grid).shape == shape
    maps = [torch.zeros(1, 1, *size) for size in net.synthesis.noise_sizes(grid)]
    quiet = net.synthesis(ws, grid=grid, noise="none")
    torch.testing.assert_close(net.synthesis(ws, grid=grid, noise=maps), quiet)
    assert not torch.allclose(net.synthesis(ws, grid=grid), quiet)


def test_an_anchor_keeps_what_is_outside_its_mask() -> None:
    net = network().requires_grad_(False)
    before, after = net.styles(torch.randn(2, 8, generator=seeded(1)))[:, None].unbind(0)
    anchor = Anchor()
    kept = net.synthesis(before, anchor=anchor)
    mask = torch.zeros(1, 1, *kept.shape[2:])
    mask[..., 5:20, 3:12] = 1
    anchor.hold(mask)
    changed = net.synthesis(after, anchor=anchor)
    outside = (mask == 0).expand_as(kept)
    assert torch.equal(changed[outside], kept[outside])
    assert (changed - kept).abs().max() > 0.01
    anchor.hold(torch.ones_like(mask))
    torch.testing.assert_close(net.synthesis(after, anchor=anchor), net.synthesis(after), atol=1e-5, rtol=0)


def test_starting_weights_follow_the_seed() -> None:
    state = torch.get_rng_state()
    first, second, other = (Stylegan2(SHAPE, seeded(n)).state_dict() for n in (5, 5, 6))
    assert all(torch.equal(first[name], second[name]) for name in first)
    assert not torch.equal(first["mapping.fc0.weight"], other["mapping.fc0.weight"])
    assert torch.equal(torch.get_rng_state(), state)
    assert first["mapping.fc0.weight"].std() > 50  # divided by the learning-rate factor
    image = Stylegan2(SHAPE, seeded(5))(torch.randn(4, 8, generator=seeded(1)))
    assert 0.3 < image.std() < 30


def test_a_labelled_pair_trains() -> None:
    shape = Stylegan2Shape(z_dim=8, c_dim=3, w_dim=10, mapping=2, channels=(12, 12, 8))
    generator = Stylegan2(shape, seeded(0))
    judge = Stylegan2Discriminator(
        DiscriminatorShape(c_dim=3, channels=(12, 12, 8), mapping=2, map_dim=10), seeded(1)
    )
    z, labels = torch.randn(4, 8, generator=seeded(2)), torch.eye(3)[[0, 1, 2, 0]]
    real = torch.rand(4, 3, 16, 16, generator=seeded(3)).mul(2).sub(1).requires_grad_()
    # R1: the gradient of a gradient reaches every weight.
    scores = judge(real, labels)
    (slope,) = torch.autograd.grad(scores.sum(), real, create_graph=True)
    torch.autograd.backward(slope.square().sum() + F.softplus(-scores).mean())
    assert all(p.grad is not None and p.grad.isfinite().all() for p in judge.parameters())
    fake = generator(z, labels)
    torch.autograd.backward(F.softplus(-judge(fake, labels)).mean())
    assert all(p.grad is not None and p.grad.isfinite().all() for p in generator.parameters())
    for start in (0.0, 5.0):
        generator.mapping.w_avg.fill_(start)
        w = generator.mapping(z, labels)
        generator.mapping.track(w, 0.0)
        torch.testing.assert_close(generator.mapping.w_avg, w.detach().mean(0))
    torch.testing.assert_close(generator.mapping.truncate(w, 0.0), generator.mapping.w_avg.expand_as(w))
    assert not torch.allclose(judge(fake, labels), judge(fake, labels[[1, 2, 0, 1]]))


def test_bad_input() -> None:
    net = network()
    with pytest.raises(ConfigError, match="latents are of length 5: this network needs length 8"):
        net(torch.zeros(1, 5))
    labelled = Stylegan2(Stylegan2Shape(z_dim=4, c_dim=3, w_dim=4, mapping=1, channels=(4, 4)), seeded(0))
    with pytest.raises(ConfigError, match="labels are missing"):
        labelled(torch.zeros(1, 4))
    judge = Stylegan2Discriminator(DiscriminatorShape(channels=(4, 4)), seeded(0))
    with pytest.raises(ConfigError, match=r"\(3, 16, 16\): this discriminator needs \(3, 8, 8\)"):
        judge(torch.zeros(1, 3, 16, 16))
    with pytest.raises(ModelError, match="channels"):
        Stylegan2Shape.from_settings({"z_dim": 3})
    with pytest.raises(ModelError, match=r"mapping\.w_avg"):
        Stylegan2.from_state(
            {k: v for k, v in net.state_dict().items() if "w_avg" not in k}, SHAPE.settings()
        )
    with pytest.raises(ConfigError, match="power of two"):
        Stylegan2Shape.of(48)
    assert Stylegan2Shape.of(256).channels == (512, 512, 512, 512, 512, 256, 128)
    assert DiscriminatorShape.of(64).resolution == 64
