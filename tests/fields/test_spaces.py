"""Extents: they hold what the cameras see, follow the world they are in, and come back from plain data."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from dreamplate.errors import SceneError
from dreamplate.fields.spaces import Extent, extent_of, focus_point
from dreamplate.plate.camera import Camera, look_at
from dreamplate.scenes.scene import Points, Scene, View


def scene(cameras: list[Camera], **more: object) -> Scene:
    views = tuple(View(str(n), camera, Path(f"{n}.png")) for n, camera in enumerate(cameras))
    return Scene(Path("scene"), "test", views, **more)  # type: ignore[arg-type]


def ring(centre: tuple[float, float, float] = (1.0, -2.0, 0.5), radius: float = 3.0) -> list[Camera]:
    angles = np.linspace(0, 2 * np.pi, 9)[:-1]
    places = [np.array(centre) + radius * np.array([np.cos(a), np.sin(a), 0.3]) for a in angles]
    return [Camera.from_fov(40, 30, 50, look_at(place, centre)) for place in places]


def row() -> list[Camera]:
    return [
        Camera.from_fov(40, 30, 60, look_at((x, y, 0.0), (x, y, -5.0), (0, 1, 0)))
        for x in (-0.5, 0.0, 0.5)
        for y in (-0.2, 0.2)
    ]


def test_the_focus_is_where_the_axes_meet() -> None:
    np.testing.assert_allclose(focus_point(ring()), (1, -2, 0.5), atol=1e-9)


def test_a_box_is_seen_whole_by_every_camera() -> None:
    cameras = ring()
    extent = extent_of(scene(cameras), clear=True)
    assert extent.kind == "box"
    middle, radius = extent.box.mean(0), (extent.box[1] - extent.box[0]).min() / 2
    ball = np.random.default_rng(1).normal(size=(200, 3))
    ball = middle + ball / np.linalg.norm(ball, axis=1, keepdims=True) * radius * 0.999
    for camera in cameras:
        pixels, depth = camera.project(ball)
        assert (depth > extent.near).all()
        assert (pixels >= 0).all() and (pixels <= [camera.width, camera.height]).all()


def test_a_box_holds_the_points_that_close_cameras_do_not_see_whole() -> None:
    places = np.random.default_rng(2).uniform(-1, 1, (400, 3)) * [2.5, 2.5, 0.1] + np.array([1.0, -2.0, 0.5])
    points = Points(places, np.zeros((400, 3), np.uint8), np.zeros(400), np.full(400, 3))
    plain, wide = (extent_of(scene(ring(), points=which), clear=True) for which in (None, points))
    inside = ((places >= wide.box[0]) & (places <= wide.box[1])).all(1)
    assert inside.mean() > 0.95
    assert (wide.box[0] <= plain.box[0]).all() and (wide.box[1] >= plain.box[1]).all()
    # Without alpha points may lie anywhere, and a box that is asked for stays around what all cameras see.
    assert np.array_equal(extent_of(scene(ring(), points=points), kind="box").box, plain.box)


@pytest.mark.parametrize("kind", ["box", "open"])
def test_extents_follow_the_world(kind: str) -> None:
    one = extent_of(scene(ring()), clear=kind == "box")
    shifted = [c.placed(_scaled(c.camera_to_world, 2.5, (7, 8, 9))) for c in ring()]
    two = extent_of(scene(shifted), clear=kind == "box")
    np.testing.assert_allclose(two.box, one.box * 2.5 + np.array([7, 8, 9]), rtol=1e-9)
    assert two.near == pytest.approx(one.near * 2.5)


def test_a_frustum_holds_every_picture() -> None:
    cameras = row()
    extent = extent_of(scene(cameras, forward_facing=True, near_far=(2.0, 40.0)))
    assert extent.kind == "forward"
    x0, x1, y0, y1 = extent.slopes
    for camera in cameras:
        origins, directions = camera.rays(np.random.default_rng(2).uniform(0, [40, 30], (50, 2)))
        for distance in (extent.near, extent.far):
            own = (origins - extent.reference[:3, 3]) @ extent.reference[:3, :3]
            along = directions @ extent.reference[:3, :3]
            hit = own + along * ((-distance - own[:, 2:]) / along[:, 2:])
            slopes = hit[:, :2] / distance
            assert (slopes >= np.array([x0, y0]) - 1e-9).all() and (slopes <= np.array([x1, y1]) + 1e-9).all()


def test_a_stated_bound_does_not_close_an_open_scene() -> None:
    stated = scene(ring(), box=np.array([[-6.0] * 3, [6.0] * 3]))
    assert extent_of(stated).kind == "open"
    assert extent_of(stated, kind="box").box.tolist() == [[-6.0] * 3, [6.0] * 3]


def test_extents_come_back_from_plain_data() -> None:
    for made in (
        extent_of(scene(ring())),
        extent_of(scene(ring()), clear=True),
        extent_of(scene(row(), forward_facing=True, near_far=(2.0, 40.0))),
    ):
        again = Extent.from_dict(made.to_dict())
        assert again.to_dict() == made.to_dict()


def test_a_camera_that_looks_elsewhere_is_named() -> None:
    cameras = row()
    cameras.append(replace(cameras[0].placed(look_at((0, 0, 0), (5, 0, 0), (0, 1, 0))), name="odd"))
    with pytest.raises(SceneError, match="odd"):
        extent_of(scene(cameras, forward_facing=True, near_far=(2.0, 40.0)))
    with pytest.raises(SceneError, match="no views"):
        extent_of(scene([]))


def _scaled(pose: np.ndarray, scale: float, shift: tuple[float, float, float]) -> np.ndarray:
    moved = pose.copy()
    moved[:3, 3] = moved[:3, 3] * scale + np.array(shift)
    return moved
