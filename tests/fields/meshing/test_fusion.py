"""Surfaces from what cameras see."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from dreamplate.errors import SceneError
from dreamplate.fields.meshing.depth import median_range, pinhole, render_range
from dreamplate.fields.meshing.fusion import fuse, spread_cameras
from dreamplate.fields.meshing.mesh import boundary_edges
from dreamplate.fields.meshing.surface import extract
from dreamplate.fields.meshing.viewing import depth_of, head_on, seen_from
from dreamplate.fields.meshing.volume import lattice_of
from dreamplate.fields.rays import Samples
from dreamplate.plate.camera import Camera, look_at
from dreamplate.plate.lens import Lens

BOX = [[-1.3] * 3, [1.3] * 3]


def ring(count: int, distance: float = 3.5, side: int = 96) -> list[Camera]:
    """Cameras all over a sphere, looking inwards."""
    number = np.arange(count) + 0.5
    height, turn = 1 - 2 * number / count, np.pi * (1 + 5**0.5) * number
    flat = np.sqrt(1 - height**2)
    places = distance * np.stack([np.cos(turn) * flat, np.sin(turn) * flat, height], 1)
    return [Camera.from_fov(side, side, 45, look_at(place, (0, 0, 0))) for place in places]


def exact_range(camera: Camera) -> np.ndarray:
    origins, along = camera.rays(camera.pixel_centres())
    b = (origins * along).sum(1)
    root = b * b - (origins**2).sum(1) + 1
    away = np.where(root >= 0, -b - np.sqrt(np.maximum(root, 0)), np.inf)
    return away.reshape(camera.height, camera.width).astype(np.float32)


def test_exact_depth_fuses_to_the_solid() -> None:
    lattice = lattice_of(BOX, 40, 1 << 28)
    mesh = extract(fuse(ring(24), exact_range, lattice), 0.0)
    radii = np.linalg.norm(mesh.vertices, axis=1)
    assert np.abs(radii - 1).max() < 0.5 * lattice.spacing
    assert np.abs(radii - 1).mean() < 0.15 * lattice.spacing
    assert boundary_edges(mesh.vertices, mesh.faces) == 0


def test_what_no_camera_sees_makes_no_faces() -> None:
    front = [camera for camera in ring(24) if camera.position[2] > 1.5]
    mesh = extract(fuse(front, exact_range, lattice_of(BOX, 40, 1 << 28)), 0.0)
    assert boundary_edges(mesh.vertices, mesh.faces) > 0
    assert mesh.vertices[:, 2].min() > -0.85
    assert np.abs(np.linalg.norm(mesh.vertices, axis=1) - 1).max() < 0.07


def test_a_rendered_field_fuses_to_where_its_light_stops(soft) -> None:
    field = soft(width=0.01)
    lattice = lattice_of(BOX, 40, 1 << 28)
    mesh = extract(fuse(ring(14, side=48), lambda eye: render_range(field, eye, 1 << 27), lattice), 0.0)
    assert np.abs(np.linalg.norm(mesh.vertices, axis=1) - 1).mean() < 0.25 * lattice.spacing


def test_no_cameras_and_nothing_to_see_say_so() -> None:
    lattice = lattice_of(BOX, 16, 1 << 28)
    with pytest.raises(SceneError, match="needs cameras"):
        fuse([], exact_range, lattice)
    with pytest.raises(SceneError, match="use --from density"):
        fuse(ring(2), lambda eye: np.full((96, 96), np.inf, np.float32), lattice)


def test_median_is_where_half_the_light_stops() -> None:
    offsets = torch.tensor([0, 2, 2, 4, 5])
    starts = torch.tensor([1.0, 2.0, 1.0, 3.0, 1.0])
    alphas = torch.tensor([0.25, 0.5, 0.1, 0.2, 1.0])
    samples = Samples(offsets, starts, starts + 1, alphas, torch.zeros(5, 3))
    # First ray: 0.25 stop in the first interval, another 0.375 in the second: two thirds of the way.
    assert median_range(samples).tolist() == pytest.approx([2 + 2 / 3, np.inf, np.inf, 1.5])
    empty = Samples(torch.zeros(3, dtype=torch.int64), *[torch.zeros(0)] * 3, torch.zeros(0, 3))
    assert median_range(empty).tolist() == [np.inf, np.inf]


def test_ideal_cameras_keep_place_and_view() -> None:
    lens = Lens("perspective", {"k1": 0.1})
    camera = Camera.from_fov(640, 480, 50, look_at((1, 2, 3), (0, 0, 0)), lens=lens, time=1.0)
    small = pinhole(camera, 160)
    assert (small.width, small.height) == (160, 120) and small.horizontal_fov == pytest.approx(50)
    assert np.array_equal(small.camera_to_world, camera.camera_to_world)
    assert small.lens == Lens() and pinhole(camera, 9999).width == 640


def test_chosen_cameras_stand_far_apart() -> None:
    cameras = ring(60)
    few = spread_cameras(cameras, 8)
    places = np.array([camera.position for camera in few])
    gaps = np.linalg.norm(places[:, None] - places, axis=2)[~np.eye(8, dtype=bool)]
    assert len(few) == 8 and gaps.min() > 2.5
    assert spread_cameras(cameras, 60) == cameras


def test_a_drawn_mesh_has_the_depth_of_the_solid(make, soft) -> None:
    mesh, camera = make(soft(), 64), ring(5)[1]
    drawn, exact = depth_of(mesh, camera), exact_range(camera).ravel()
    planar = exact * -camera.directions(camera.pixel_centres())[:, 2]
    both = np.isfinite(drawn.ravel()) & np.isfinite(exact) & (planar < 2.9)
    assert both.sum() > 1000
    assert np.abs(drawn.ravel()[both] - planar[both]).max() < 0.01
    assert (np.isfinite(drawn.ravel()) != np.isfinite(exact)).mean() < 0.01


def test_surfaces_are_looked_at_from_where_they_were_seen(make, soft) -> None:
    mesh = make(soft(), 48)
    camera = Camera.from_fov(128, 128, 45, look_at((3.5, 0, 0), (0, 0, 0)))
    look = seen_from(mesh, [camera], 0.1)
    points = np.array([[1.0, 0, 0], [0.6, 0.8, 0], [-1.0, 0, 0]])
    found = look(points, points)
    assert found[0] == pytest.approx([-1, 0, 0], abs=1e-9)
    slanted = points[1] - camera.position
    assert found[1] == pytest.approx(slanted / np.linalg.norm(slanted))
    assert found[2] == pytest.approx(head_on(points, points)[2])  # behind: nobody sees it
    assert look(points[:0], points[:0]).shape == (0, 3)
