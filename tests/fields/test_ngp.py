"""NGP as a method: it learns a coloured ball, keeps its state, and its parts do what they say."""

from __future__ import annotations

import copy
import math

import numpy as np
import pytest
import torch
from torch import Tensor

from dreamplate.errors import ConfigError
from dreamplate.fields.compositing import composite
from dreamplate.fields.ngp import NgpMethod
from dreamplate.fields.ngp_config import NgpConfig
from dreamplate.fields.rays import Rays, camera_rays
from dreamplate.fields.spaces import Extent
from dreamplate.plate.camera import Camera, look_at

FOV = 50
TINY = NgpConfig(
    levels=6,
    log2_size=13,
    finest=96,
    width=32,
    cells=16,
    march_steps=96,
    samples_per_step=2**13,
    rays=(128, 2048),
    warm_up=48,
    look_every=8,
    decay=0.6,
)
BALL = Extent("box", np.array([[-1.0, -1, -1], [1, 1, 1]]), 0.05, 10.0, np.eye(4))


def draws(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def view(turn: float, height: float = 0.6, side: int = 32) -> Rays:
    place = (2.6 * math.cos(turn), 2.6 * math.sin(turn), height)
    camera = Camera.from_fov(side, side, FOV, look_at(place, (0, 0, 0)))
    return camera_rays(camera)


def ball(rays: Rays) -> tuple[Tensor, Tensor]:
    """Return colour (premultiplied) and alpha of a ball of radius 0.7, coloured by its normal."""
    middle = -(rays.origins * rays.directions).sum(1)
    apart = rays.origins.square().sum(1) - middle**2
    hit = apart < 0.49
    t = middle - (0.49 - apart).clamp_min(0).sqrt()
    normal = (rays.origins + t[:, None] * rays.directions) / 0.7
    return (0.5 + 0.4 * normal) * hit[:, None], hit.float()


def teach(method: NgpMethod, steps: int, start: int = 0, total: int = 200) -> None:
    rays = [
        view(turn, height) for turn, height in zip(np.arange(12) * 0.55, [0.2, 1.0, -0.8] * 4, strict=True)
    ]
    all_rays = Rays(
        *(
            torch.cat([getattr(one, name) for one in rays])
            for name in ("origins", "directions", "near", "far", "cosines")
        )
    )
    target, alpha = ball(all_rays)
    for step in range(start, start + steps):
        random = draws(step)
        which = torch.randint(len(all_rays), (method.rays_per_step(step / total),), generator=random)
        behind = torch.rand((len(which), 3), generator=random)
        picture = composite(method.trace(all_rays[which], training=True, draws=random).samples).over(behind)
        wanted = target[which] + (1 - alpha[which])[:, None] * behind
        (picture - wanted).square().mean().backward()
        method.update(step / total)


def psnr(method: NgpMethod, rays: Rays) -> float:
    target, alpha = ball(rays)
    picture = composite(method.trace(rays).samples).over(torch.ones(3))
    return -10 * math.log10(float((picture - target - (1 - alpha)[:, None]).square().mean()))


@pytest.fixture(scope="module")
def taught() -> NgpMethod:
    method = NgpMethod(TINY, BALL, 200, draws())
    teach(method, 200)
    return method


def test_it_learns_a_ball(taught: NgpMethod) -> None:
    assert psnr(taught, view(0.3, 0.5)) > 22
    assert taught.occupancy.filled < 0.5


def test_density_is_that_of_the_ball(taught: NgpMethod) -> None:
    outside = torch.tensor([[0.95, 0.95, 0.95], [-0.9, 0.9, 0.0]])
    surface = torch.nn.functional.normalize(torch.randn((50, 3), generator=draws()), dim=1) * 0.67
    assert taught.density(surface).median() > 5 > 10 * taught.density(outside).max()
    assert taught.box().tolist() == [[-1, -1, -1], [1, 1, 1]]


@pytest.mark.parametrize("kind", ["box", "open"])
def test_density_and_colour_of_points_are_those_of_samples(taught: NgpMethod, kind: str) -> None:
    wide = Extent("open", 2 * BALL.box, 0.05, math.inf, np.eye(4))
    method = taught if kind == "box" else NgpMethod(TINY, wide, 1, draws())
    rays = view(0.3, side=8)
    samples = method.trace(rays).samples
    which, mids = samples.ray_indices, (samples.starts + samples.ends) / 2
    points = rays.origins[which] + mids[:, None] * rays.directions[which]
    alphas = 1 - torch.exp(-method.density(points) * (samples.ends - samples.starts))
    near = (alphas - samples.alphas).abs() < 1e-3  # a cell's edge may fall on the other side
    assert len(points) > 50 and near.float().mean() > 0.98
    colours = method.colour(points, rays.directions[which])
    torch.testing.assert_close(colours, samples.colours, atol=2e-3, rtol=1e-3)


def test_a_stop_hides_what_is_behind_it(taught: NgpMethod) -> None:
    rays = view(0.3)
    stopped = taught.trace(rays, stop=torch.full((len(rays),), 1.0)).samples
    assert float(composite(stopped).opacity.max()) < 0.05
    assert float(taught.trace(rays, stop=torch.full((len(rays),), 2.2)).samples.ends.max()) <= 2.2 + 1e-5


def test_samples_are_sorted_and_in_the_box(taught: NgpMethod) -> None:
    samples = taught.trace(view(1.0)).samples
    assert bool((samples.ends > samples.starts).all())
    assert bool((samples.alphas >= 0).all()) and bool((samples.alphas <= 1).all())
    inner = samples.ray_indices[1:] == samples.ray_indices[:-1]
    assert bool((samples.starts[1:] >= samples.ends[:-1] - 1e-5)[inner].all())


def test_a_restored_state_goes_on_to_the_same_bits() -> None:
    whole = NgpMethod(TINY, BALL, 40, draws(3))
    teach(whole, 20)
    state = copy.deepcopy(whole.state_dict())
    teach(whole, 20, 20)
    other = NgpMethod(TINY, BALL, 40, draws(4))
    other.load_state_dict(state)
    teach(other, 20, 20)
    for mine, theirs in zip(whole.net.state_dict().values(), other.net.state_dict().values(), strict=True):
        assert torch.equal(mine, theirs)
    assert torch.equal(whole.occupancy.bits, other.occupancy.bits)
    assert whole.rays_per_step(1.0) == other.rays_per_step(1.0)


FORWARD = Extent(
    "forward", np.array([[-4.0, -4, -8], [4, 4, -1]]), 1.0, 8.0, np.eye(4), (-0.5, 0.5, -0.5, 0.5)
)
OPEN = Extent("open", np.array([[-1.0, -1, -1], [1, 1, 1]]), 0.05, math.inf, np.eye(4))


@pytest.mark.parametrize("extent", [FORWARD, OPEN], ids=["forward", "open"])
@pytest.mark.parametrize("linear", [False, True])
def test_other_extents_are_traced_and_learnt_in(extent: Extent, linear: bool) -> None:
    config = NgpConfig(
        levels=4,
        log2_size=10,
        cells=8,
        march_steps=96,
        cascades=4,
        appearance=3,
        precision="bfloat16",
        look_every=1,
    )
    method = NgpMethod(config, extent, 10, draws(), linear=linear)
    camera = Camera.from_fov(6, 6, FOV, np.eye(4))
    rays = camera_rays(camera).with_(views=torch.arange(36) % 5)
    rays = rays.with_(origins=rays.origins.clone().requires_grad_())
    traced = method.trace(rays, training=True, draws=draws()).samples
    assert len(traced.starts) > 36
    assert bool(torch.isfinite(traced.ends).all())
    composite(traced).colour.sum().backward()
    assert rays.origins.grad is not None and bool(torch.isfinite(rays.origins.grad).all())
    method.update(0.5)
    assert int(method.net.looks.met.sum()) == 5
    with torch.no_grad():
        again = method.trace(rays.with_(views=None)).samples
    assert len(again) == 36
    points = torch.tensor([[0.0, 0, -2.0], [0.1, 0.2, -3.0]])
    assert method.density(points).shape == (2,)
    assert method.colour(points, torch.tensor([[0.0, 0, -1.0]] * 2)).shape == (2, 3)


def test_hidden_light_is_left_out() -> None:
    rays = view(0.3)
    seen, all_of_it = (
        NgpMethod(NgpConfig(**{**vars(TINY), "clear": clear}), BALL, 1, draws()) for clear in (0.5, 0.0)
    )
    for method in (seen, all_of_it):
        method.net.density_layers[-1].weight.data.fill_(300.0)
        method.net.grid.table.data.fill_(0.01)
    few, many = (composite(method.trace(rays).samples).opacity for method in (seen, all_of_it))
    assert len(seen.trace(rays).samples.starts) < len(all_of_it.trace(rays).samples.starts)
    assert bool((few[many > 0.6] >= 0.5 - 1e-4).all())


def test_options_that_do_not_fit_are_refused() -> None:
    with pytest.raises(ConfigError, match="cells is 100: choose a power of two"):
        NgpConfig(cells=100)
    with pytest.raises(ConfigError, match="below base"):
        NgpConfig(base=64, finest=32)
    with pytest.raises(ConfigError, match="fewest first"):
        NgpConfig(rays=(64, 32))
