"""Cameras: projecting and casting rays are inverse; cropping, resizing and moving keep what they should."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dreamplate.errors import MediaError
from dreamplate.plate import Box, Camera, Lens, interpolate_poses, look_at

POSE = look_at((3.0, -2.0, 1.5), (0.2, 0.1, 0.0))
CAMERAS = [
    Camera(640, 480, 500.0, 510.0, 315.0, 250.0, POSE),
    Camera(640, 480, 500.0, 510.0, 315.0, 250.0, POSE, lens=Lens("perspective", {"k1": 0.1, "p1": 0.002})),
    Camera(640, 480, 220.0, 221.0, 315.0, 250.0, POSE, lens=Lens("fisheye", {"k1": 0.03, "k2": -0.004})),
    Camera(640, 480, 250.0, 250.0, 320.0, 240.0, POSE, lens=Lens("fov", {"omega": 0.9})),
    Camera(640, 320, 640 / math.tau, 320 / math.pi, 320, 160, POSE, lens=Lens("equirectangular")),
]


def kind(camera: Camera) -> str:
    return f"{camera.lens.kind}-{len(camera.lens.coefficients)}"


def pixels(camera: Camera, count: int = 300) -> np.ndarray:
    return np.random.default_rng(2).uniform(0.05, 0.95, (count, 2)) * [camera.width, camera.height]


@pytest.mark.parametrize("camera", CAMERAS, ids=kind)
def test_rays_undo_projecting(camera: Camera) -> None:
    wanted = pixels(camera)
    origins, directions = camera.rays(wanted)
    far = np.linspace(0.1, 50, len(wanted))[:, None]
    found, depth = camera.project(origins + far * directions)
    np.testing.assert_allclose(found, wanted, atol=1e-6)
    np.testing.assert_allclose(np.linalg.norm(directions, axis=1), 1)
    np.testing.assert_allclose(depth, far[:, 0] * (directions @ camera.forward), atol=1e-12)


def test_pixels_are_counted_from_the_corner() -> None:
    camera = Camera.from_fov(4, 2, 90.0, np.eye(4))
    assert camera.fx == pytest.approx(2.0)
    # With 90 degrees the right edge is 45 degrees off: x = 4, not 3.5. Up in the world is up in the picture.
    found, depth = camera.project([[1.0, 0.5, -1.0], [0.0, 0.0, -3.0]])
    np.testing.assert_allclose(found, [[4, 0], [2, 1]], atol=1e-12)
    np.testing.assert_allclose(depth, [1, 3])
    centres = camera.pixel_centres()
    np.testing.assert_allclose(centres[[0, 1, 3, 4]], [[0.5, 0.5], [1.5, 0.5], [3.5, 0.5], [0.5, 1.5]])
    assert camera.horizontal_fov == pytest.approx(90)


def test_behind_is_negative_and_unseen() -> None:
    found, depth = Camera.from_fov(4, 4, 60, np.eye(4)).project([[0.1, 0.2, 5.0]])
    assert np.isnan(found).all()
    assert depth[0] == -5


@pytest.mark.parametrize("camera", CAMERAS, ids=kind)
def test_cropping_moves_pixels_and_nothing_else(camera: Camera) -> None:
    window = Box(-20, 30, 300, 200)
    wanted = pixels(camera)
    part = camera.cropped(window)
    assert (part.width, part.height) == (300, 200)
    np.testing.assert_allclose(part.rays(wanted - [-20, 30])[1], camera.rays(wanted)[1], atol=1e-12)


@pytest.mark.parametrize("camera", CAMERAS, ids=kind)
def test_resizing_scales_pixels_and_nothing_else(camera: Camera) -> None:
    wanted = pixels(camera)
    small = camera.resized(camera.width // 4, camera.height // 2)
    np.testing.assert_allclose(small.rays(wanted / [4, 2])[1], camera.rays(wanted)[1], atol=1e-9)
    back = small.resized(camera.width, camera.height)
    assert (back.fx, back.cy) == pytest.approx((camera.fx, camera.cy))


def test_film_width_scales_the_focal_length() -> None:
    camera = Camera.from_fov(1920, 1080, 54.43, np.eye(4))
    assert camera.focal_mm == pytest.approx(35.0, abs=0.01)
    assert camera.with_(film_width=18.0).focal_mm == pytest.approx(camera.focal_mm / 2)


coordinate = st.floats(-10, 10)
point = st.tuples(coordinate, coordinate, coordinate)


@given(point, point, point)
def test_look_at_looks_there_and_keeps_up_up(position: tuple, target: tuple, up: tuple) -> None:
    if np.linalg.norm(np.subtract(position, target)) < 1e-3 or np.linalg.norm(up) < 1e-3:
        return
    matrix = look_at(position, target, up)
    turn = matrix[:3, :3]
    np.testing.assert_allclose(turn.T @ turn, np.eye(3), atol=1e-9)
    assert np.linalg.det(turn) == pytest.approx(1)
    found, depth = Camera.from_fov(100, 100, 60, matrix).project([target])
    np.testing.assert_allclose(found, [[50, 50]], atol=1e-6)
    assert depth[0] == pytest.approx(np.linalg.norm(np.subtract(position, target)))
    assert turn[:, 1] @ np.asarray(up) >= -1e-6 * np.linalg.norm(up)


def test_look_at_straight_up_and_at_nothing() -> None:
    assert np.isfinite(look_at((0, 0, 0), (0, 0, 5))).all()
    with pytest.raises(MediaError, match="position and target are both"):
        look_at((1, 2, 3), (1, 2, 3))


def rotation(seed: int) -> np.ndarray:
    found = np.linalg.qr(np.random.default_rng(seed).normal(size=(3, 3)))[0]
    return found * np.sign(np.linalg.det(found))


@pytest.mark.parametrize("seed", range(5))
def test_poses_are_interpolated_on_the_shortest_way(seed: int) -> None:
    first, second = np.eye(4), np.eye(4)
    first[:3, :3], second[:3, :3] = rotation(seed), rotation(seed + 50)
    first[:3, 3], second[:3, 3] = (1, 2, 3), (-4, 0, 9)
    np.testing.assert_allclose(interpolate_poses(first, second, 0.0), first, atol=1e-12)
    np.testing.assert_allclose(interpolate_poses(first, second, 1.0), second, atol=1e-9)

    def angle(a: np.ndarray, b: np.ndarray) -> float:
        return math.acos(np.clip((np.trace(a[:3, :3].T @ b[:3, :3]) - 1) / 2, -1, 1))

    whole = angle(first, second)
    for share in (0.2, 0.5, 0.9):
        between = interpolate_poses(first, second, share)
        np.testing.assert_allclose(between[:3, :3].T @ between[:3, :3], np.eye(3), atol=1e-12)
        assert angle(first, between) == pytest.approx(share * whole, abs=1e-7)
        assert angle(between, second) == pytest.approx((1 - share) * whole, abs=1e-7)
        np.testing.assert_allclose(between[:3, 3], (1 - share) * first[:3, 3] + share * second[:3, 3])


@pytest.mark.parametrize("angle", [1e-9, 1e-6, 1e-3, math.pi - 1e-3, math.pi - 1e-7])
def test_small_turns_and_nearly_half_turns_are_exact(angle: float) -> None:
    def about_z(by: float) -> np.ndarray:
        found = np.eye(4)
        found[:2, :2] = [[math.cos(by), -math.sin(by)], [math.sin(by), math.cos(by)]]
        return found

    between = interpolate_poses(np.eye(4), about_z(angle), 0.5)
    np.testing.assert_allclose(between, about_z(angle / 2), rtol=0, atol=1e-9 * max(angle, 1e-3))


def test_half_a_turn_and_no_turn() -> None:
    turned = np.diag([-1.0, 1.0, -1.0, 1.0])
    half = interpolate_poses(np.eye(4), turned, 0.5)
    np.testing.assert_allclose(np.abs(half[[0, 2], [2, 0]]), [1, 1], atol=1e-9)
    np.testing.assert_allclose(interpolate_poses(turned, turned, 0.3), turned, atol=1e-12)


def test_the_shutter_moves_the_camera() -> None:
    end = POSE.copy()
    end[:3, 3] += [1, 0, 0]
    camera = CAMERAS[0].placed(POSE, end)
    np.testing.assert_allclose(camera.at(0.25).position, POSE[:3, 3] + [0.25, 0, 0])
    assert camera.at(0.25).end is None
    assert CAMERAS[0].at(0.5) is CAMERAS[0]


def broken(change: object) -> np.ndarray:
    matrix = np.eye(4)
    matrix[:3, :3] = change @ np.eye(3)  # type: ignore[operator]
    return matrix


def test_poses_that_are_no_rigid_motion_are_refused() -> None:
    for matrix, said in (
        (np.full((4, 4), np.nan), "NaN or infinity"),
        (broken(np.eye(3) * 2), "scaled, sheared or mirrored"),
        (broken(np.diag([1.0, 1.0, -1.0])), "scaled, sheared or mirrored"),
        (broken(np.array([[1, 0.1, 0], [0, 1, 0], [0, 0, 1]])), "scaled, sheared or mirrored"),
        (np.eye(3), "found shape"),
        (POSE.T, "last row is .*transpose it"),
    ):
        with pytest.raises(MediaError, match=said):
            Camera.from_fov(4, 4, 60, matrix)
        with pytest.raises(MediaError, match="'shot': end"):
            Camera.from_fov(4, 4, 60, np.eye(4), end=matrix, name="shot")


def test_numbers_that_are_no_camera_are_refused() -> None:
    good = {"width": 4, "height": 4, "fx": 5.0, "fy": 5.0, "cx": 2.0, "cy": 2.0, "camera_to_world": np.eye(4)}
    for changes, said in (
        ({"width": 0}, "size is 0 x 4"),
        ({"fx": 0.0}, "fx is 0.0"),
        ({"fy": math.inf}, "fy is inf"),
        ({"cx": math.nan}, "cx is nan"),
        ({"film_width": -1.0}, "film_width is -1.0"),
        ({"time": math.nan}, "time is nan"),
    ):
        with pytest.raises(MediaError, match=said):
            Camera(**{**good, **changes})


def test_a_3_by_4_pose_is_completed_and_cannot_be_changed() -> None:
    camera = Camera.from_fov(4, 4, 60, np.eye(4)[:3])
    assert camera.camera_to_world.shape == (4, 4)
    with pytest.raises(ValueError, match="read-only"):
        camera.camera_to_world[0, 0] = 2
