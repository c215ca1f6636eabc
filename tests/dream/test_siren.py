"""Laws of the `siren` generator: agreement with Deep Daze, pictures independent of each other, any size."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch
import torch.nn.functional as F
from safetensors.torch import load_file

from dreamplate.dream.losses import agreement, want
from dreamplate.dream.options import SirenConfig
from dreamplate.dream.siren import Siren, coordinates


def make(
    seeds: list[int] = [0],  # noqa: B006  # never changed
    size: tuple[int, int] = (40, 32),
    wrap: tuple[bool, bool] = (False, False),
    **options: object,
) -> Siren:
    config = SirenConfig(**{"hidden": 24, "layers": 3, "gain": 4.0, **options})  # type: ignore[arg-type]
    return Siren(config, size, wrap, [torch.Generator().manual_seed(seed) for seed in seeds])


@pytest.fixture
def fixture(shared_dir: Path):
    folder = shared_dir / "parity" / "siren"
    about = json.loads((folder / "about.json").read_text())
    weights, io = load_file(folder / "weights.safetensors"), load_file(folder / "io.safetensors")
    arguments = about["constructor_arguments"]
    side = arguments["image_width"]
    theta = {"w0_first": arguments["theta_initial"] or 30.0, "w0": arguments["theta_hidden"] or 30.0}
    siren = make(
        size=(side, side),
        colour="rgb",
        hidden=arguments["hidden_size"],
        layers=arguments["num_layers"],
        **theta,
    )
    names = [f"layers.{index}" for index in range(arguments["num_layers"])] + ["last_layer"]
    with torch.no_grad():
        for weight, offset, name in zip(siren.weights, siren.offsets, names, strict=True):
            weight.copy_(weights[f"model.net.{name}.weight"][None])
            offset.copy_(weights[f"model.net.{name}.bias"][None])
    rule = about["tolerance"]
    return siren, weights, io, about, {"atol": rule["max_abs_error"], "rtol": rule["relative_error"]}


def test_parity_grid(fixture) -> None:
    siren, weights, _, _, tolerance = fixture
    width, height = siren.size
    y, x = (coordinates(side, 1.0, False, ends=True) for side in (height, width))
    grid = torch.cat([y[:, None].expand(-1, width, -1), x[None].expand(height, -1, -1)], -1).reshape(-1, 2)
    torch.testing.assert_close(grid, weights["model.grid"], **tolerance)


@torch.no_grad()
def test_parity_raw_and_image(fixture) -> None:
    siren, _, io, _, tolerance = fixture
    torch.testing.assert_close(siren.raw(*siren.size), io["out.raw"], **tolerance)
    torch.testing.assert_close(siren(*siren.size), io["out.image"], **tolerance)
    error = (siren.raw(*siren.size) - io["in.target"]).square().mean()
    torch.testing.assert_close(error, io["out.mse_to_target"], **tolerance)


def test_parity_loss(fixture) -> None:
    """The reference's loss is this agreement of each view and of their mean, with these two shares."""
    _, _, io, about, tolerance = fixture
    coef, share = (about["constructor_arguments"][key] for key in ("loss_coef", "averaging_weight"))
    wanted = want(F.normalize(io["in.text_embed"], dim=-1), [1.0], [False])
    views = agreement(F.normalize(io["in.image_embeds"], dim=-1), wanted).mean()
    mean = agreement(F.normalize(io["in.image_embeds"].mean(0, keepdim=True), dim=-1), wanted)[0]
    torch.testing.assert_close(-coef * ((1 - share) * views + share * mean), io["out.loss"], **tolerance)


@torch.no_grad()
@pytest.mark.parametrize("colour", ["decorrelated", "rgb"])
@pytest.mark.parametrize("wrap", [(False, False), (True, False)])
def test_each_picture_of_a_batch_is_the_picture_of_its_seed(colour: str, wrap: tuple[bool, bool]) -> None:
    batch = make([3, 4, 5], wrap=wrap, colour=colour)(40, 32)
    for index, seed in enumerate([3, 4, 5]):
        torch.testing.assert_close(batch[index : index + 1], make([seed], wrap=wrap, colour=colour)(40, 32))
    assert (batch[0] - batch[1]).abs().mean() > 1e-3


def test_learning_keeps_pictures_apart() -> None:
    """A step of Adam on several pictures is the same step on each of them alone."""
    goal = torch.rand((3, 3, 32, 40), generator=torch.Generator().manual_seed(1))
    learnt = {}
    for seeds in ([3, 4, 5], [4]):
        siren = make(seeds)
        optimiser = torch.optim.Adam(siren.parameters(), lr=1e-3)
        for _ in range(3):
            optimiser.zero_grad()
            wanted = goal if len(seeds) > 1 else goal[1:2]
            torch.autograd.backward((siren(40, 32) - wanted).square().mean((1, 2, 3)).sum())
            optimiser.step()
        learnt[len(seeds)] = siren(40, 32).detach()
    torch.testing.assert_close(learnt[3][1:2], learnt[1], atol=2e-4, rtol=1e-3)


@torch.no_grad()
def test_blocks_do_not_show(monkeypatch: pytest.MonkeyPatch) -> None:
    whole = make([1, 2])(40, 32)
    monkeypatch.setattr("dreamplate.dream.siren.BLOCK", 101)
    torch.testing.assert_close(make([1, 2])(40, 32), whole)


@torch.no_grad()
@pytest.mark.parametrize("wrap", [(True, False), (False, True), (True, True)])
def test_wrapped_axes_meet(wrap: tuple[bool, bool]) -> None:
    siren = make([2], (48, 48), wrap, gain=1.0)
    image = siren(96, 96)
    for axis, wraps in zip((-1, -2), wrap, strict=True):
        steps = (image - image.roll(1, axis)).abs().mean([0, 1, -2 if axis == -1 else -1])
        # Where an axis does not tile, the seam is a jump.
        assert (steps[0] < 1.5 * steps[1:].max()) == wraps


@torch.no_grad()
def test_small_and_large_show_the_same() -> None:
    siren = make([0], (64, 64), w0_first=4.0, gain=1.0)
    shrunk = F.avg_pool2d(siren(128, 128), 4)
    assert (shrunk - siren(32, 32)).abs().mean() < 0.01


@torch.no_grad()
def test_rgb_starts_with_the_bounds_of_deep_daze() -> None:
    siren = make([7], colour="rgb", hidden=256, layers=2)
    bounds = [1 / 2, (6 / 256) ** 0.5 / 30, (6 / 256) ** 0.5 / 30]
    for weight, offset, bound in zip(siren.weights, siren.offsets, bounds, strict=True):
        assert 0.95 * bound < weight.abs().max() <= bound
        assert offset.abs().max() <= bound


@pytest.mark.parametrize("colour", ["decorrelated", "rgb"])
def test_painting_takes_over_each_picture(colour: str) -> None:
    goals = torch.rand((2, 3, 4, 4), generator=torch.Generator().manual_seed(1))
    goals = F.interpolate(goals, (32, 40), mode="bicubic", align_corners=False).clamp(0.05, 0.95)
    siren = make([0, 1], colour=colour, hidden=48)
    siren.paint(goals)
    with torch.no_grad():
        error = (siren(40, 32) - goals).abs().mean((1, 2, 3))
    assert (error < 0.07).all()
