"""The learnt sky: behind everything, of the direction alone, and left out of what is rendered."""

from __future__ import annotations

import torch
from toy_scene import ToyMethod

from dreamplate.fields.compositing import composite
from dreamplate.fields.rays import Rays, Samples
from dreamplate.fields.sky import WithSky, behind_all

DRAWS = torch.Generator().manual_seed(4)


def rays(count: int = 40) -> Rays:
    directions = torch.randn(count, 3, generator=DRAWS)
    directions = directions / directions.norm(dim=1, keepdim=True)
    ones = torch.ones(count)
    return Rays(-3 * directions, directions, 0 * ones, 9 * ones, ones)


def test_the_sky_fills_what_light_is_left() -> None:
    counts = torch.tensor([3, 0, 1, 4])
    offsets = torch.cat([torch.zeros(1, dtype=torch.int64), counts.cumsum(0)])
    total = int(offsets[-1])
    starts = torch.arange(total).float()
    alphas, colours = torch.rand(total, generator=DRAWS), torch.rand(total, 3, generator=DRAWS)
    samples = Samples(offsets, starts, starts + 1, alphas, colours)
    sky = torch.rand(4, 3, generator=DRAWS)
    with_sky = behind_all(samples, sky)
    before, after = composite(samples), composite(with_sky)
    torch.testing.assert_close(after.opacity, torch.ones(4))
    torch.testing.assert_close(after.colour, before.colour + (1 - before.opacity)[:, None] * sky)
    inside = with_sky.ray_indices[1:] == with_sky.ray_indices[:-1]
    assert (with_sky.starts[1:][inside] >= with_sky.ends[:-1][inside]).all()


def test_a_stopped_ray_sees_no_sky() -> None:
    method = WithSky(ToyMethod())
    some = rays()
    free = composite(method.trace(some).samples)
    torch.testing.assert_close(free.opacity, torch.ones(len(some)))
    stopped = composite(method.trace(some, stop=torch.full((len(some),), 9.0)).samples)
    assert (stopped.opacity < 1).all()


def test_a_sky_is_learnt_and_comes_back() -> None:
    def truth(directions: torch.Tensor) -> torch.Tensor:
        return 0.5 + 0.3 * directions[:, 2:] * torch.tensor([1.0, 0.5, -1.0])

    method = WithSky(ToyMethod(rate=0.0))
    for step in range(150):
        some = rays(64)
        found = composite(method.trace(some, training=True, draws=DRAWS).samples).colour
        (found - truth(some.directions)).square().mean().backward()
        method.update(step / 150)
    some = rays(200)
    assert (method.colours(some.directions) - truth(some.directions)).abs().mean() < 0.06
    again = WithSky(ToyMethod())
    again.load_state_dict(method.state_dict())
    assert torch.equal(again.colours(some.directions), method.colours(some.directions))
