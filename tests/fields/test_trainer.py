"""What a fit can be asked for besides the scene does what it says, on the ball with the fast field."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from toy_scene import RADIUS, ball, ring

from dreamplate.fields.compositing import composite
from dreamplate.fields.config import FitConfig
from dreamplate.fields.data import RayBatches
from dreamplate.fields.fast import FastMethod
from dreamplate.fields.fast_config import FastConfig
from dreamplate.fields.limits import limited, ray_limits
from dreamplate.fields.losses import distortion, opacity_entropy
from dreamplate.fields.photographs import Photographs
from dreamplate.fields.rays import camera_rays
from dreamplate.fields.refine import rotations
from dreamplate.fields.spaces import Extent
from dreamplate.fields.trainer import Trainer
from dreamplate.plate import Camera

SIZE = (24, 24)
EXTENT = Extent("box", np.array([[-1.2] * 3, [1.2] * 3]), 0.5, 6.0, np.eye(4))
FAST = FastConfig(
    resolutions=(24,),
    starts=(0.0,),
    steps=(1.0,),
    samples=(4096,),
    rays=(256, 256),
    samples_per_vertex=0.0,
    diffuse_stages=1,
    width=16,
    precision="float32",
)


def photographs(pictures: list[np.ndarray], cameras: list[Camera], **more: Any) -> Photographs:
    """Return photographs held in memory; display-encoded unless ``encoding`` says otherwise."""
    offsets = np.arange(len(cameras) + 1, dtype=np.int64) * SIZE[0] * SIZE[1]
    dtype = np.float32 if more.get("encoding") == "scene_linear" else np.float16
    pixels = np.concatenate([picture.reshape(-1, picture.shape[2]) for picture in pictures]).astype(dtype)
    names = tuple(f"v{number}" for number in range(len(cameras)))
    return Photographs(names, tuple(cameras), offsets, pixels, **{"encoding": "srgb_display", **more})


def learn(
    shown: Photographs, steps: int, fast: FastConfig = FAST, background: float = 0.0, **options: Any
) -> tuple[FastMethod, Trainer]:
    """Teach a fast field; returns it and its trainer."""
    linear = shown.encoding == "scene_linear"
    method = FastMethod(fast, EXTENT, steps, torch.Generator().manual_seed(1), linear=linear)
    draws = torch.Generator().manual_seed(2)
    batches = RayBatches(shown, lambda o, d: ray_limits(EXTENT, o, d), draws=draws)
    trainer = Trainer(
        method,
        FitConfig(Path(), fast=fast, **options),
        torch.full((3,), background),
        torch.Generator().manual_seed(3),
        len(shown),
        EXTENT,
    )
    for step in range(steps):
        trainer.learn(batches.draw(method.rays_per_step(step / steps)), step / steps)
    return method, trainer


@torch.no_grad()
def seen(method: FastMethod, camera: Camera, view: int | None = None) -> Any:
    """Return what a camera sees: composite, samples."""
    rays = limited(camera_rays(camera), EXTENT)
    if view is not None:
        rays = rays.with_(views=torch.full((len(rays),), view))
    samples = method.trace(rays).samples
    return composite(samples), samples


def colours(method: FastMethod, camera: Camera, view: int | None = None) -> np.ndarray:
    return seen(method, camera, view)[0].colour.numpy().reshape(*SIZE[::-1], 3)


def test_exposures_are_found() -> None:
    cameras = ring(8, SIZE)
    stops = np.array([0.2, -0.2] * 4)
    pictures = [ball(camera) for camera in cameras]
    for picture, stop in zip(pictures, stops, strict=True):
        picture[:, :, :3] *= 2.0**stop
    shown = photographs(pictures, cameras, encoding="scene_linear")
    _, trainer = learn(shown, 250, exposure=True)
    gains = trainer.refinement.gains.detach().mean(1).numpy()
    found = gains - gains.mean()
    assert np.array_equal(np.sign(found), np.sign(stops))
    assert np.abs(found - stops).mean() < 0.1
    assert trainer.refinement.figures()["exposure_stops"] == pytest.approx(0.2, abs=0.1)


def test_moved_cameras_are_brought_back() -> None:
    truth = ring(10, SIZE)
    draws = torch.Generator().manual_seed(5)
    turns = rotations(0.04 * torch.randn(3, 3, generator=draws).double()).numpy()
    given = list(truth)
    for place, turn in zip((1, 4, 7), turns, strict=True):
        pose = truth[place].camera_to_world.copy()
        pose[:3, :3] = turn @ pose[:3, :3]
        given[place] = truth[place].placed(pose)
    shown = photographs([ball(camera) for camera in truth], given)
    _, trainer = learn(shown, 300, refine_poses=True)
    corrected = trainer.refinement.corrected(tuple(given))
    middle = np.zeros((1, 3))

    def error(cameras: Any) -> float:
        """Return how far from its place the middle of the ball is seen, in pixels."""
        pairs = ((cameras[at], truth[at]) for at in (1, 4, 7))
        return float(np.mean([np.linalg.norm(a.project(middle)[0] - b.project(middle)[0]) for a, b in pairs]))

    assert error(given) > 0.8
    assert error(corrected) < 0.5 * error(given)


def test_what_is_ignored_teaches_nothing_and_what_is_clear_does() -> None:
    cameras = ring(4, SIZE)
    pictures = [ball(camera) for camera in cameras]
    known = np.ones((4, *SIZE[::-1]), np.float16)
    known[:, :, :10] = 0
    spoilt = [picture.copy() for picture in pictures]
    for picture in spoilt:
        picture[:, :10] = 0.7
    fields = [
        learn(photographs(each, cameras, weights=known.reshape(-1)), 12)[0].grid.raw
        for each in (pictures, spoilt)
    ]
    assert torch.equal(*fields)
    # Alpha 0 says that nothing is there, whatever the background is.
    for picture in spoilt:
        picture[:] = 0
    method, _ = learn(photographs(spoilt, cameras), 60, background=1.0)
    assert seen(method, cameras[0])[0].opacity.max() < 0.05


def test_measured_depth_is_learnt() -> None:
    cameras = ring(3, SIZE)
    pictures = [np.full((*SIZE[::-1], 3), 0.5, np.float32) for _ in cameras]  # flat grey tells no depth
    depths = []
    for camera in cameras:
        origins, directions = camera.rays(camera.pixel_centres())
        b = (origins * directions).sum(1)
        inside = b**2 - ((origins**2).sum(1) - RADIUS**2)
        depths.append(np.where(inside > 0, -b - np.sqrt(np.maximum(inside, 0)), np.nan))
    shown = photographs(pictures, cameras, depths=np.concatenate(depths).astype(np.float32))

    def error(weight: float) -> float:
        method, _ = learn(shown, 120, depth_weight=weight)
        found = seen(method, cameras[0])[0]
        hit = np.isfinite(depths[0])
        depth = (found.depth / found.opacity.clamp_min(1e-3)).numpy()
        return float(np.abs(depth - depths[0])[hit].mean())

    without, learnt = error(0.0), error(100.0)
    assert learnt < 0.12 and learnt < 0.5 * without


@pytest.mark.parametrize(("option", "weight"), [("distortion_weight", 1.0), ("opacity_weight", 0.1)])
def test_rays_end_in_one_place_or_see_nothing(option: str, weight: float) -> None:
    cameras = ring(4, SIZE)
    shown = photographs([ball(camera)[:, :, :3] for camera in cameras], cameras)  # black behind: no alpha

    def measure(given: float) -> float:
        method, _ = learn(shown, 120, **{option: given})
        found, samples = seen(method, ring(1, SIZE, 0.4)[0])
        if option == "opacity_weight":
            return float(opacity_entropy(found.opacity).mean())
        return float(distortion(found.weights, samples.starts, samples.ends, samples.offsets).mean())

    assert measure(weight) < 0.7 * measure(0.0)


def test_light_above_one_is_learnt() -> None:
    cameras = ring(8, SIZE)
    pictures = [ball(camera) for camera in cameras]
    for picture in pictures:
        picture[:, :, :3] *= 12
    shown = photographs(pictures, cameras, encoding="scene_linear")
    method, _ = learn(shown, 250, loss="log")
    truth = pictures[0][:, :, :3]
    inside = truth.min(2) > 1.5
    assert truth.max() > 8
    apart = np.abs(colours(method, cameras[0]) / np.where(inside[:, :, None], truth, 1) - 1)[inside]
    assert np.median(apart) < 0.12


def test_looks_explain_photographs_that_differ() -> None:
    cameras = [camera for camera in ring(4, SIZE) for _ in range(2)]  # directions cannot explain the tints
    tints = np.array([[1.1, 0.9, 0.7], [0.7, 1.0, 1.1]])
    pictures = [ball(camera) for camera in cameras]
    for number, picture in enumerate(pictures):
        picture[:, :, :3] *= tints[number % 2]
    shown = photographs(pictures, cameras)

    def error(numbers: int) -> float:
        method, _ = learn(shown, 200, replace(FAST, appearance=numbers, diffuse_stages=0, network_rate=0.02))
        apart = [colours(method, cameras[view], view) - pictures[view][:, :, :3] for view in (0, 1)]
        return float(np.square(apart).mean())

    assert error(4) < 0.6 * error(0)
