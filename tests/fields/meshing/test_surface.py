"""Surfaces cut out of density, against solids known exactly."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch

from dreamplate.errors import ConfigError, SceneError
from dreamplate.fields.meshing.mesh import boundary_edges, volume_of
from dreamplate.fields.meshing.surface import automatic_level, extract, parse_level
from dreamplate.fields.meshing.volume import Lattice, Volume, lattice_of, sample_density


@pytest.mark.parametrize("shape", ["ball", "torus"])
def test_vertices_lie_on_the_solid_to_second_order(make, soft, distances, shape) -> None:
    field = soft(distances[shape], width=0.1)
    errors = []
    for resolution in (24, 48, 96):
        mesh = make(field, resolution)
        off = distances[shape](torch.from_numpy(mesh.vertices)).abs()
        assert off.max() < 0.25 * 2.6 / resolution
        errors.append(float(off.mean()))
    assert errors[0] / errors[1] > 3 and errors[1] / errors[2] > 3


@pytest.mark.parametrize("shape", ["ball", "torus"])
def test_it_is_watertight_with_the_outside_outside(make, soft, distances, shape) -> None:
    mesh = make(soft(distances[shape]), 48)
    assert boundary_edges(mesh.vertices, mesh.faces) == 0
    exact = 4 / 3 * math.pi if shape == "ball" else 2 * math.pi**2 * 0.8 * 0.3**2
    assert volume_of(mesh.vertices, mesh.faces) == pytest.approx(exact, rel=0.02)
    euler = len(mesh.vertices) - len(mesh.faces) // 2
    assert euler == (2 if shape == "ball" else 0)


def test_normals_point_outside(make, soft) -> None:
    mesh = make(soft(), 48)
    radial = mesh.vertices / np.linalg.norm(mesh.vertices, axis=1, keepdims=True)
    assert (mesh.normals * radial).sum(1).min() > 0.999


def test_a_moved_and_scaled_field_gives_the_moved_and_scaled_mesh(make, soft, distances) -> None:
    here = make(soft(distances["torus"]), 32)
    moved = soft(distances["torus"], centre=(7.0, -3.0, 40.0), scale=3.0)
    there = make(moved, 32, level=50.0 / 3)
    assert np.array_equal(here.faces, there.faces)
    assert np.abs(here.vertices * 3 + [7, -3, 40] - there.vertices).max() < 1e-4


def test_axes_are_those_of_the_world(soft) -> None:
    lattice = lattice_of([[0, 0, 0], [1, 2, 3]], 12, 1 << 26)
    assert lattice.counts == (5, 9, 13) and lattice.spacing == 0.25
    points = lattice.points(0, 5 * 9 * 13)
    assert np.array_equal(points[[0, -1]], [[0, 0, 0], [1, 2, 3]])
    inside = np.linalg.norm(points - [0.5, 0.5, 2.25], axis=1)
    volume = Volume(lattice, (0.4 - inside).astype(np.float32).reshape(lattice.counts))
    mesh = extract(volume, 0.0)
    assert np.abs(mesh.vertices.mean(0) - [0.5, 0.5, 2.25]).max() < 0.02


def test_a_lattice_covers_sides_that_are_no_multiple_of_the_voxel() -> None:
    lattice = lattice_of([[0, 0, 0], [1, 0.33, 0.5]], 10, 1 << 26)
    assert lattice.counts == (11, 5, 6)
    ends = lattice.points(0, 11 * 5 * 6)[[0, -1]]
    assert (ends[0] <= 1e-9).all() and (ends[1] >= np.array([1, 0.33, 0.5]) - 1e-9).all()
    assert np.allclose(ends.mean(0), [0.5, 0.165, 0.25])


def test_density_does_not_depend_on_the_chunks(soft) -> None:
    lattice = lattice_of([[-1] * 3, [1] * 3], 24, 1 << 26)
    whole = sample_density(soft(), lattice, 1 << 34).values
    parts = sample_density(soft(largest=1024), lattice, 1 << 20).values
    assert np.allclose(whole, parts, atol=1e-5)


def test_where_the_box_cuts_it_stays_open_unless_closed(make, soft) -> None:
    cut = soft(half=0.9)
    opened, closed = make(cut, 24), make(cut, 24, close=True)
    assert boundary_edges(opened.vertices, opened.faces) > 0
    assert boundary_edges(closed.vertices, closed.faces) == 0
    assert np.abs(opened.vertices).max() <= 0.9 + 1e-6


def test_faces_are_made_of_known_corners_only() -> None:
    lattice = Lattice((0.0, 0.0, 0.0), 1.0, (12, 12, 12))
    x = np.arange(12, dtype=np.float32)[:, None, None]
    known = np.ones((12, 12, 12), bool)
    known[:, :, 8:] = False
    mesh = extract(Volume(lattice, np.broadcast_to(5.5 - x, (12, 12, 12)).copy(), known), 0.0)
    assert mesh.vertices.max(0).tolist() == [5.5, 11, 7]


def test_automatic_level_scales_with_the_world_and_gives_the_solid(make, soft) -> None:
    small, large = soft(), soft(scale=50.0)
    boxes = [field.box().numpy() for field in (small, large)]
    assert automatic_level(boxes[0]) == pytest.approx(50 * automatic_level(boxes[1]))
    layer = 2.6 / 100
    assert math.exp(-automatic_level(boxes[0]) * layer) == pytest.approx(0.5)
    radii = np.linalg.norm(make(small, 64, level=automatic_level(boxes[0])).vertices, axis=1)
    assert abs(radii.mean() - 1) < 2 * small.width


@pytest.mark.parametrize("level", [1e4, 1e-20])
def test_a_level_out_of_range_names_one_that_works(make, soft, level) -> None:
    with pytest.raises(SceneError, match=r"runs from .* to .*; try --level ") as caught:
        make(soft(), 24, level=level)
    hint = float(str(caught.value).split("--level ")[1])
    assert len(make(soft(), 24, level=hint).faces) > 100


def test_an_empty_field_says_so(make, soft) -> None:
    with pytest.raises(SceneError, match="nothing is there; choose another box"):
        make(soft(lambda points: points[:, 0] * 0 + 1e9), 16)


def test_a_broken_field_says_so(make, soft) -> None:
    with pytest.raises(SceneError, match="NaN or infinite at 4913 of 4913 points"):
        make(soft(lambda points: points[:, 0] * torch.nan), 16)


def test_too_fine_a_lattice_names_one_that_fits() -> None:
    box = [[-1] * 3, [1] * 3]
    with pytest.raises(
        ConfigError, match=r"resolution is 2048: needs .* GiB; choose (\d+) or less"
    ) as caught:
        lattice_of(box, 2048, 1 << 30)
    lattice_of(box, int(str(caught.value).split("choose ")[1].split()[0]), 1 << 30)


@pytest.mark.parametrize("box", [[[0, 0, 0], [1, 0, 1]], [[0, 0, 0], [1, 1, np.inf]], [[1, 1, 1], [0, 0, 0]]])
def test_a_bad_box_says_so(box) -> None:
    with pytest.raises(SceneError, match="need a finite lowest and a higher highest corner"):
        lattice_of(box, 16, 1 << 30)


def test_levels_as_written() -> None:
    assert parse_level("auto") is None and parse_level("2.5e1") == 25
    for text in ("nan", "-1", "0", "some"):
        with pytest.raises(ConfigError, match="write auto, or a density above 0"):
            parse_level(text)
