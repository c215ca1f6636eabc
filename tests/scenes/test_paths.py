"""Camera paths: each does what its name says."""

from __future__ import annotations

import numpy as np
import pytest
from tracks import plain

from dreamplate.errors import SceneError
from dreamplate.plate import Camera, Lens, look_at
from dreamplate.scenes import dolly, hold, orbit, spline, stereo

FRAMES = range(1001, 1041)


def keys(count: int = 5, seed: int = 7) -> list[Camera]:
    generator = np.random.default_rng(seed)
    return [
        plain()
        .placed(look_at(generator.normal(size=3) * 4, generator.normal(size=3) * 0.3))
        .with_(fx=500.0 + 40 * number, fy=510.0 + 40 * number)
        for number in range(count)
    ]


def positions(track: object) -> np.ndarray:
    return np.array([camera.position for camera in track.cameras.values()])  # type: ignore[attr-defined]


@pytest.mark.parametrize("elevation", [0.0, 35.0, -80.0, 90.0])
@pytest.mark.parametrize("up", [(0, 0, 1), (0, 2, 0), (1, 1, 1)])
def test_an_orbit_keeps_its_radius_and_looks_at_the_centre(elevation: float, up: tuple) -> None:
    track = orbit(plain(), FRAMES, centre=(1, 2, 3), up=up, radius=5.0, elevation=elevation)
    axis = np.asarray(up) / np.linalg.norm(up)
    for camera in track.cameras.values():
        away = camera.position - [1, 2, 3]
        assert np.linalg.norm(away) == pytest.approx(5)
        assert away @ axis == pytest.approx(5 * np.sin(np.radians(elevation)), abs=1e-9)
        np.testing.assert_allclose(camera.project([[1.0, 2.0, 3.0]])[0], [[320, 240]], atol=1e-6)
        assert camera.camera_to_world[:3, 1] @ axis >= -1e-9
    assert track.frames == tuple(FRAMES)


def test_whole_turns_close() -> None:
    track = orbit(plain(), FRAMES, radius=2.0, turns=1.0)
    steps = np.linalg.norm(np.diff(positions(track), axis=0, append=positions(track)[:1]), axis=1)
    np.testing.assert_allclose(steps, steps[0])
    back = orbit(plain(), FRAMES, radius=2.0, turns=-1.0)
    np.testing.assert_allclose(positions(back)[1:], positions(track)[:0:-1], atol=1e-12)


def test_a_dolly_goes_straight_and_does_not_turn() -> None:
    camera = plain()
    track = dolly(camera, FRAMES, distance=2.5)
    np.testing.assert_allclose(track.at(1001).position, camera.position)
    np.testing.assert_allclose(track.at(1040).position, camera.position + 2.5 * camera.forward)
    np.testing.assert_allclose(np.diff(positions(track), n=2, axis=0), 0, atol=1e-12)
    for each in track.cameras.values():
        np.testing.assert_array_equal(each.camera_to_world[:3, :3], camera.camera_to_world[:3, :3])
    goal = np.array([5.0, 5.0, 0.0])
    aimed = dolly(camera, FRAMES, distance=1.0, target=goal).at(1040)
    way = goal - camera.position
    np.testing.assert_allclose(aimed.position, camera.position + way / np.linalg.norm(way))


def test_a_dolly_zoom_keeps_sizes_at_its_depth() -> None:
    camera = plain()
    subject = camera.position + 4 * camera.forward + np.array([[0.3], [-0.2]]) * camera.camera_to_world[:3, 0]
    track = dolly(camera, FRAMES, distance=-3.0, keep=4.0)
    wanted = camera.project(subject)[0]
    for each in track.cameras.values():
        np.testing.assert_allclose(each.project(subject)[0], wanted, atol=1e-9)
    assert track.at(1040).fx > camera.fx
    with pytest.raises(SceneError, match="cannot keep its size"):
        dolly(camera, FRAMES, distance=4.0, keep=4.0)


@pytest.mark.parametrize("closed", [False, True])
@pytest.mark.parametrize("count", [2, 3, 6])
def test_a_spline_passes_through_its_keys(count: int, closed: bool) -> None:
    chosen = keys(count)
    segments = count if closed else count - 1
    track = spline(chosen, range(segments * 10 + (not closed)), closed=closed)
    for number, key in enumerate(chosen):
        camera = track.at(number * 10)
        np.testing.assert_allclose(camera.camera_to_world, key.camera_to_world, atol=1e-9)
        assert (camera.fx, camera.fy) == pytest.approx((key.fx, key.fy))
    for camera in track.cameras.values():
        turn = camera.camera_to_world[:3, :3]
        np.testing.assert_allclose(turn.T @ turn, np.eye(3), atol=1e-9)


@pytest.mark.parametrize("closed", [False, True])
def test_a_spline_has_no_jerks(closed: bool) -> None:
    chosen, fine = keys(5), 150
    segments = 5 if closed else 4
    track = spline(chosen, range(segments * fine + (not closed)), closed=closed)
    place = positions(track)
    turn = np.array([camera.camera_to_world[:3, :3].ravel() for camera in track.cameras.values()])
    for path in (place, turn):
        speed = np.diff(path, axis=0) * fine
        jump = np.linalg.norm(np.diff(speed, axis=0), axis=1)
        # A corner at a key would be a jump of the order of the speed itself, however fine the steps.
        assert jump.max() < 0.2 * np.linalg.norm(speed, axis=1).max()


def test_two_keys_make_a_straight_line() -> None:
    first, second = keys(2)
    track = spline([first, second], range(11))
    np.testing.assert_allclose(track.at(5).position, (first.position + second.position) / 2)
    np.testing.assert_allclose(np.diff(positions(track), n=2, axis=0), 0, atol=1e-12)


@pytest.mark.parametrize("closed", [False, True])
def test_constant_speed(closed: bool) -> None:
    angles = [0.0, 0.4, 1.7, 2.2, 3.9, 4.5]
    chosen = [
        plain().placed(look_at((4 * np.cos(a), 4 * np.sin(a), np.sin(2 * a)), (0, 0, 0))) for a in angles
    ]
    even = spline(chosen, range(200), closed=closed, constant_speed=True)
    steps = np.linalg.norm(np.diff(positions(even), axis=0), axis=1)
    assert np.ptp(steps) / steps.mean() < 0.01
    by_keys = np.linalg.norm(np.diff(positions(spline(chosen, range(200), closed=closed)), axis=0), axis=1)
    assert np.ptp(by_keys) / by_keys.mean() > 0.5
    np.testing.assert_allclose(even.at(0).position, chosen[0].position)
    if not closed:
        np.testing.assert_allclose(even.at(199).position, chosen[-1].position, atol=1e-9)


def test_keys_in_one_place_are_a_pan() -> None:
    place = (1.0, 2.0, 3.0)
    chosen = [plain().placed(look_at(place, goal)) for goal in ((5, 2, 3), (1, 9, 3), (-5, 2, 3))]
    track = spline(chosen, range(21))
    np.testing.assert_allclose(positions(track), np.tile(place, (21, 1)))
    with pytest.raises(SceneError, match="all cameras stand in one place"):
        spline(chosen, range(21), constant_speed=True)


def test_splines_that_cannot_be() -> None:
    first, second = keys(2)
    with pytest.raises(SceneError, match="needs 2 cameras or more"):
        spline([first], range(5))
    with pytest.raises(SceneError, match="camera 2 has another size or lens"):
        spline([first, second.resized(320, 240)], range(5))
    with pytest.raises(SceneError, match="camera 2 has another size or lens"):
        spline([first, second.with_(lens=Lens("fisheye"))], range(5))
    with pytest.raises(SceneError, match="need a radius above 0"):
        orbit(first, range(5), radius=0.0)


def test_holding_is_the_same_camera() -> None:
    camera = plain()
    assert set(map(id, hold(camera, FRAMES).cameras.values())) == {id(camera)}


def test_the_convergence_plane_has_no_parallax() -> None:
    camera = plain()
    left, right = stereo(camera, 0.065, 3.0)
    own = camera.camera_to_world
    grid = np.array([[x, y, -3.0, 1.0] for x in (-1, 0, 1) for y in (-1, 0, 1)]) @ own.T
    middle = camera.project(grid[:, :3])[0]
    np.testing.assert_allclose(left.project(grid[:, :3])[0], middle, atol=1e-9)
    np.testing.assert_allclose(right.project(grid[:, :3])[0], middle, atol=1e-9)
    np.testing.assert_allclose(np.linalg.norm(right.position - left.position), 0.065)
    np.testing.assert_array_equal(left.forward, right.forward)
    for depth, sign in ((1.5, 1), (9.0, -1)):  # nearer: the left eye sees it further right
        point = (own @ [0.2, 0.1, -depth, 1])[None, :3]
        a, b = left.project(point)[0][0], right.project(point)[0][0]
        assert a[1] == pytest.approx(b[1])
        assert np.sign(a[0] - b[0]) == sign
    with pytest.raises(SceneError, match="need a distance above 0"):
        stereo(camera, 0.065, 0.0)
    with pytest.raises(SceneError, match="fisheye lens has no plane"):
        stereo(camera.with_(lens=Lens("fisheye")), 0.065, 3.0)
