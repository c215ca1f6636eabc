"""Passes of a scene that is known exactly."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from analytic import THINGS, Ball, first_hit, path, space

from dreamplate.fields.compositing import composite
from dreamplate.fields.passes import FAINT, NOTHING, decode, surface_of
from dreamplate.fields.rays import Rays, Samples
from dreamplate.fields.render_config import RenderConfig
from dreamplate.fields.render_frame import render_shot
from dreamplate.fields.shot import shot_of
from dreamplate.plate.camera import Camera, look_at
from dreamplate.plate.lens import Lens
from dreamplate.scenes.camera_track import CameraTrack

FISHEYE = Lens("fisheye", {"k1": 0.05})


@pytest.mark.parametrize("lens", [Lens(), FISHEYE], ids=["perspective", "fisheye"])
def test_passes_are_those_of_geometry(lens: Lens) -> None:
    cameras, config = path(lens=lens), RenderConfig()
    shot = shot_of(cameras, 1002, config)
    plate = render_shot(space(), shot, config).plate
    camera = cameras.at(1002)
    origins, directions = camera.rays(camera.pixel_centres())
    distance, normals = first_hit(THINGS, origins, directions)
    hit = np.isfinite(distance)
    assert 0.5 < hit.mean() < 1
    flat = plate.pixels.reshape(-1, len(plate.channels))

    def channel(*names: str) -> np.ndarray:
        return flat[:, [plate.channels.index(name) for name in names]]

    points = origins + directions * np.where(hit, distance, 0)[:, None]
    planar = (points - camera.position) @ camera.forward
    assert np.abs(channel("depth.range")[hit, 0] - distance[hit]).max() < 2e-4
    assert np.abs(channel("Z")[hit, 0] - planar[hit]).max() < 2e-4
    assert np.abs(channel("depth.median")[hit, 0] - planar[hit]).max() < 2e-4
    assert np.abs(channel("P.x", "P.y", "P.z")[hit] - points[hit]).max() < 2e-4
    assert channel("depth.variance")[hit].max() < 1e-6
    assert channel("uncertainty").max() < 1e-3
    # Where two things meet the density has an edge, which differences smooth over.
    cosine = (channel("N.x", "N.y", "N.z")[hit] * normals[hit]).sum(1)
    assert np.degrees(np.arccos(np.clip(np.quantile(cosine, 0.03), -1, 1))) < 1
    for name, there in (("forward", 1003), ("backward", 1001)):
        moved = cameras.at(there).project(points[hit])[0] - camera.pixel_centres()[hit]
        found = channel(f"motion.{name}.u", f"motion.{name}.v")[hit]
        assert np.abs(found - moved).max() < 2e-2
        assert np.abs(moved).max() > 1
    empty = flat[~hit]
    for name, value in (("Z", NOTHING), ("depth.range", NOTHING), ("depth.median", NOTHING), ("A", 0)):
        assert (empty[:, plate.channels.index(name)] == np.float32(value)).all()
    for name in ("P.x", "N.z", "motion.forward.u", "acc", "R", "depth.variance"):
        assert (empty[:, plate.channels.index(name)] == 0).all()


def test_motion_forward_then_backward_returns() -> None:
    """A point that moves forward by v from frame f is, at frame f + 1, moved backward by -v."""
    cameras, config = path(), RenderConfig(passes=("position", "forward", "backward"))
    now, then = (
        render_shot(space(), shot_of(cameras, frame, config), config).plate for frame in (1001, 1002)
    )
    forward = now.layer("motion.forward")
    rows, columns = np.mgrid[:30, :40]
    target = np.stack([columns + 0.5, rows + 0.5], axis=2) + forward
    column, row = np.floor(target).astype(int).transpose(2, 0, 1)
    inside = (column >= 0) & (column < 40) & (row >= 0) & (row < 30) & (now.channel("P.x") != 0)
    back = then.layer("motion.backward")[row[inside], column[inside]]
    same = np.linalg.norm(then.layer("P")[row[inside], column[inside]] - now.layer("P")[inside], axis=1) < 0.1
    assert same.mean() > 0.6
    assert np.median(np.abs(back + forward[inside])[same]) < 0.1


def test_a_camera_at_rest_moves_nothing() -> None:
    camera = path().at(1001)
    config = RenderConfig(passes=("forward", "backward"))
    for cameras in (CameraTrack({1: camera}), CameraTrack(dict.fromkeys(range(1, 5), camera))):
        plate = render_shot(space(), shot_of(cameras, 1, config), config).plate
        assert not plate.pixels.any()


def test_motion_goes_on_at_the_ends_of_a_path() -> None:
    step = np.eye(4)
    poses = []
    for number in range(4):
        step[0, 3] = 0.05 * number
        poses.append(look_at((0, -3, 0), (0, 0, 0)) @ step)
    cameras = CameraTrack.of([Camera.from_fov(24, 18, 50, pose) for pose in poses], 1)
    config = RenderConfig(passes=("forward", "backward"))
    last = render_shot(space(), shot_of(cameras, 4, config), config).plate
    assert np.abs(last.layer("motion.forward") + last.layer("motion.backward"))[6:12].max() < 0.1
    assert np.abs(last.layer("motion.forward")).max() > 0.1


def test_median_and_mean_of_two_veils() -> None:
    """Opacity 0.4 at 2 and 0.36 behind it at 4: half of 0.76 lies in the first."""
    rays = Rays(torch.zeros(1, 3), torch.tensor([[0.0, 0, -1]]), torch.zeros(1), torch.ones(1), torch.ones(1))
    samples = Samples(
        torch.tensor([0, 2]),
        torch.tensor([2.0, 4.0]),
        torch.tensor([2.2, 4.0]),
        torch.tensor([0.4, 0.6]),
        torch.ones(2, 3),
    )
    met = surface_of(rays, samples, composite(samples))
    mean = (0.4 * 2.1 + 0.36 * 4) / 0.76
    assert met.opacity.item() == pytest.approx(0.76)
    assert met.distance.item() == pytest.approx(mean)
    assert met.median.item() == pytest.approx(2 + 0.2 * 0.38 / 0.4, rel=1e-5)
    assert met.variance.item() == pytest.approx(
        (0.4 * (2.1 - mean) ** 2 + 0.36 * (4 - mean) ** 2) / 0.76, rel=1e-5
    )


def test_faint_rays_meet_nothing_and_empty_ones_neither() -> None:
    rays = Rays(*(torch.ones(3, 3) for _ in range(2)), torch.zeros(3), torch.ones(3), torch.ones(3))
    samples = Samples(
        torch.tensor([0, 0, 1, 2]),
        torch.tensor([2.0, 2.0]),
        torch.tensor([2.0, 2.0]),
        torch.tensor([FAINT / 2, FAINT * 2]),
        torch.ones(2, 3),
    )
    met = surface_of(rays, samples, composite(samples))
    assert met.met.tolist() == [False, False, True]
    assert met.distance.tolist() == [NOTHING, NOTHING, pytest.approx(2.0)]
    nothing = Samples(
        torch.zeros(4, dtype=torch.long), *(torch.zeros(0) for _ in range(3)), torch.zeros(0, 3)
    )
    assert surface_of(rays, nothing, composite(nothing)).median.tolist() == [NOTHING] * 3


def test_colour_is_decoded_from_the_encoding_of_the_fit() -> None:
    from dreamplate.plate import Plate, convert

    shown = np.array([[[0.8, 0.3, 0.02]]], np.float32)
    light = convert(Plate(shown, colourspace="srgb_display"), "scene_linear").pixels
    assert np.abs(decode(torch.from_numpy(shown), "srgb_display").numpy() - light).max() < 1e-5
    ball = Ball((0, 0, 0), 0.7, (0.8, 0.3, 0.02), alpha=0.5)
    cameras, config = path(), RenderConfig(passes=("beauty",))
    for encoding, want in (("srgb_display", light), ("scene_linear", shown)):
        plate = render_shot(space(ball, encoding=encoding), shot_of(cameras, 1001, config), config).plate
        assert np.abs(plate.pixels[15, 20] - np.append(want[0, 0] * 0.5, 0.5)).max() < 1e-5
