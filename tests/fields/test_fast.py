"""The fast field as a whole: it learns a known scene, and goes on exactly where it stopped."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from toy_scene import RADIUS, ball, ring, write_toy

from dreamplate.fields.brick_space import grid_space
from dreamplate.fields.compositing import composite
from dreamplate.fields.config import FitConfig
from dreamplate.fields.data import RayBatches
from dreamplate.fields.fast import FastMethod
from dreamplate.fields.fast_config import FastConfig
from dreamplate.fields.hull import visual_hull
from dreamplate.fields.limits import limited, ray_limits
from dreamplate.fields.photographs import Photographs, load_photographs
from dreamplate.fields.rays import camera_rays
from dreamplate.fields.spaces import Extent, extent_of
from dreamplate.fields.trainer import Trainer
from dreamplate.plate import Lens
from dreamplate.scenes.read import read_scene

CONFIG = FastConfig(
    resolutions=(32, 48),
    starts=(0.0, 0.5),
    steps=(1.0, 0.5),
    samples=(8192, 8192),
    rays=(256, 512),
    samples_per_vertex=0.0,
    diffuse_stages=1,
    width=16,
    precision="float32",
)


@pytest.fixture(scope="module")
def photographs(tmp_path_factory: pytest.TempPathFactory) -> Photographs:
    scene = read_scene(write_toy(tmp_path_factory.mktemp("toy"), train=16, size=(32, 32)))
    return load_photographs(scene.split("train"), "srgb_display")


@pytest.fixture(scope="module")
def extent(tmp_path_factory: pytest.TempPathFactory) -> Extent:
    return extent_of(read_scene(write_toy(tmp_path_factory.mktemp("toy"), size=(32, 32))), clear=True)


class Lesson:
    """A method with everything that teaches it."""

    def __init__(self, photographs: Photographs, extent: Extent, config: FastConfig = CONFIG) -> None:
        self.method = FastMethod(config, extent, 0, torch.Generator().manual_seed(1))
        self.batches = RayBatches(
            photographs,
            lambda o, d: ray_limits(extent, o, d),
            draws=torch.Generator().manual_seed(2),
        )
        fit = FitConfig(Path(), fast=config)
        self.trainer = Trainer(
            self.method, fit, None, torch.Generator().manual_seed(3), len(photographs), extent
        )

    def learn(self, first: int, last: int, of: int) -> None:
        for step in range(first, last):
            progress = step / of
            self.trainer.learn(self.batches.draw(self.method.rays_per_step(progress)), progress)


def psnr(method: FastMethod, extent: Extent) -> float:
    errors = []
    for camera in ring(3, (32, 32), turn=0.3):
        seen = composite(method.trace(limited(camera_rays(camera), extent)).samples)
        truth = torch.from_numpy(ball(camera)).view(-1, 4)
        errors.append((seen.over(torch.ones(3)) - truth[:, :3] - 1 + truth[:, 3:]).square().mean())
    return float(-10 * torch.stack(errors).mean().log10())


def test_it_learns_a_ball(photographs: Photographs, extent: Extent) -> None:
    lesson = Lesson(photographs, extent)
    lesson.method.prepare(photographs)
    before = psnr(lesson.method, extent)
    lesson.learn(0, 400, 400)
    assert lesson.method.stage == 1
    after = psnr(lesson.method, extent)
    assert after > 26 and after > before + 8
    # Density stands where the ball is, in the world's own units.
    inside = torch.tensor([[0.0, 0.0, RADIUS * 0.93], [RADIUS * 0.93, 0.0, 0.0]])
    outside = torch.tensor([[0.0, 0.0, RADIUS * 1.3], [RADIUS * 1.3, 0.0, 0.0], [50.0, 0.0, 0.0]])
    assert lesson.method.density(inside).min() > 1.5 > 0.5 > lesson.method.density(outside).max()
    box = lesson.method.box()
    assert (box[0] < -RADIUS * 0.95).all() and (box[1] > RADIUS * 0.95).all()
    # Colour at the surface is what it was made of.
    up = torch.tensor([[0.0, 0.0, RADIUS]])
    seen = lesson.method.colour(up, -up / RADIUS)
    assert (seen - torch.tensor([0.5, 0.5, 0.9])).abs().max() < 0.15


def test_what_was_stopped_goes_on_to_the_same_bits(photographs: Photographs, extent: Extent) -> None:
    whole = Lesson(photographs, extent)
    whole.learn(0, 300, 300)
    first = Lesson(photographs, extent)
    first.learn(0, 180, 300)  # beyond the first stage
    assert first.method.stage == 1
    second = Lesson(photographs, extent)
    second.method.load_state_dict(first.method.state_dict())
    second.trainer.load_state_dict(first.trainer.state_dict())
    second.batches.load_state_dict(first.batches.state_dict())
    second.learn(180, 300, 300)
    assert torch.equal(whole.method.grid.raw, second.method.grid.raw)
    assert torch.equal(whole.method.grid.table, second.method.grid.table)
    assert all(
        torch.equal(one, two)
        for one, two in zip(whole.method.net.parameters(), second.method.net.parameters(), strict=True)
    )


def test_a_look_belongs_to_its_photograph(photographs: Photographs, extent: Extent) -> None:
    config = replace(CONFIG, appearance=4, diffuse_stages=0)
    lesson = Lesson(photographs, extent, config)
    lesson.learn(0, 20, 20)
    looks = lesson.method.net.looks
    assert looks.met[: len(photographs)].all() and not looks.met[len(photographs) :].any()
    assert looks.table[: len(photographs)].abs().max() > 0
    assert looks.table[len(photographs) :].abs().max() == 0
    psnr(lesson.method, extent)  # rays of no photograph have the mean look


def test_gradients_reach_the_cameras(photographs: Photographs, extent: Extent) -> None:
    lesson = Lesson(photographs, extent)
    lesson.learn(0, 60, 60)
    batch = lesson.batches.draw(256)
    origins = batch.rays.origins.clone().requires_grad_()
    draws = torch.Generator().manual_seed(9)
    config_grid = lesson.method.grid

    def loss(at: torch.Tensor) -> torch.Tensor:
        draws.manual_seed(9)
        traced = lesson.method.trace(batch.rays.with_(origins=at), training=True, draws=draws)
        return (composite(traced.samples).colour - batch.colours).square().mean()

    loss(origins).backward()
    lesson.method.pending = []
    assert origins.grad is not None and config_grid is lesson.method.grid
    move = torch.randn(3, generator=torch.Generator().manual_seed(4))
    move = move / move.norm() * 1e-3
    ends = [loss(batch.rays.origins + side * move).detach() for side in (1, -1)]
    change = float(ends[0] - ends[1]) / 2
    lesson.method.pending = []
    assert change == pytest.approx(float((origins.grad @ move).sum()), rel=0.25, abs=2e-8)


def test_the_hull_holds_the_ball_and_not_the_corners(photographs: Photographs, extent: Extent) -> None:
    space = grid_space(extent, 64, 0.5)
    hull = visual_hull(photographs, space)
    axes = [torch.from_numpy(space.low[a] + space.cell[a] * np.arange(space.shape[a])) for a in range(3)]
    x, y, z = torch.meshgrid(*axes, indexing="ij")
    distance = (x**2 + y**2 + z**2).sqrt()
    assert hull[distance <= RADIUS].all()
    assert hull.float().mean() < 0.75
    assert not hull[(x**2 + y**2).sqrt() > RADIUS + 4 * float(space.cell[0])].all()


def test_a_bent_lens_carves_what_a_straight_one_does(photographs: Photographs, extent: Extent) -> None:
    space = grid_space(extent, 48, 0.5)
    straight = visual_hull(photographs, space)
    # A lens that bends next to nothing takes the other way through the code.
    lens = Lens("perspective", {"k1": 1e-9})
    bent = replace(photographs, cameras=tuple(camera.with_(lens=lens) for camera in photographs.cameras))
    assert (visual_hull(bent, space) == straight).float().mean() > 0.9999
    # One that folds back far outside the picture takes nothing of the ball.
    lens = Lens("perspective", {"k1": -0.9})
    folded = replace(photographs, cameras=tuple(camera.with_(lens=lens) for camera in photographs.cameras))
    axes = [torch.from_numpy(space.low[a] + space.cell[a] * np.arange(space.shape[a])) for a in range(3)]
    x, y, z = torch.meshgrid(*axes, indexing="ij")
    inside = (x**2 + y**2 + z**2).sqrt() < 0.8 * RADIUS
    assert visual_hull(folded, space)[inside].all()


def test_nothing_is_seen_behind_a_stop(photographs: Photographs, extent: Extent) -> None:
    lesson = Lesson(photographs, extent)
    lesson.learn(0, 100, 100)
    rays = limited(camera_rays(ring(3, (32, 32))[0]), extent)
    stop = torch.full((len(rays),), 2.6)
    samples = lesson.method.trace(rays, stop=stop).samples
    assert len(samples.starts) and float(((samples.starts + samples.ends) / 2).max()) < 2.6
    free = lesson.method.trace(rays).samples
    assert len(free.starts) > len(samples.starts)


def test_a_finer_grid_is_drawn_close_around_the_content(extent: Extent) -> None:
    method = FastMethod(CONFIG, extent, 0, torch.Generator().manual_seed(1))
    grid = method.grid
    number = int(grid.index[4, 4, 4])
    grid.raw.fill_(0.0)
    grid.raw_second.fill_(0.0)  # untouched: nothing is known to be there
    grid.raw[number], grid.raw_second[number] = 9.0, 1.0
    middle = method.space.low + method.space.cell * 17.5
    density = method.density(torch.from_numpy(middle[None]).float())
    old, least = method.space, float(method.space.cell[0])
    method.grow()
    box = method.box().double().numpy()
    assert (box[0] < old.low + 16 * least).all() and (box[1] > old.low + 19 * least).all()
    assert (box[1] - box[0]).max() < 9 * least
    torch.testing.assert_close(
        method.density(torch.from_numpy(middle[None]).float()), density, rtol=1e-3, atol=1e-3
    )
