"""Loose pieces and the number of triangles."""

from __future__ import annotations

import math

import numpy as np
import pytest

from dreamplate.errors import ConfigError, SceneError
from dreamplate.fields.meshing.clean import components, decimate, drop_small
from dreamplate.fields.meshing.mesh import Mesh, boundary_edges, face_areas, vertex_normals, volume_of


def joined(*meshes: Mesh) -> Mesh:
    start = np.cumsum([0, *(len(mesh.vertices) for mesh in meshes)])
    faces = [mesh.faces + first for mesh, first in zip(meshes, start, strict=False)]
    vertices = np.concatenate([mesh.vertices for mesh in meshes])
    return Mesh(vertices, np.concatenate(faces), np.concatenate([mesh.normals for mesh in meshes]))


def test_small_pieces_go_and_are_counted(sphere) -> None:
    dust = sphere.with_(vertices=sphere.vertices * 0.05 + 3)
    scene = joined(sphere, dust, dust.with_(vertices=dust.vertices + 1))
    assert np.bincount(components(scene)).tolist() == [len(sphere.faces)] * 3
    clean, dropped = drop_small(scene, 0.01)
    assert np.array_equal(clean.vertices, sphere.vertices) and np.array_equal(clean.faces, sphere.faces)
    assert (dropped.kept, dropped.pieces, dropped.faces) == (1, 2, 2 * len(sphere.faces))
    assert dropped.area == pytest.approx(2 * 0.05**2 / (1 + 2 * 0.05**2))


def test_share_decides_what_stays(sphere) -> None:
    scene = joined(sphere, sphere.with_(vertices=sphere.vertices * 0.5 + 3))
    assert drop_small(scene, 0.24)[1].kept == 2
    assert drop_small(scene, 0.26)[1].kept == 1
    assert drop_small(scene, 0)[0] is scene


def test_fewer_faces_keep_the_shape(sphere) -> None:
    less = decimate(sphere, 1000)
    assert 900 < len(less.faces) <= 1000
    assert boundary_edges(less.vertices, less.faces) == 0
    assert np.abs(np.linalg.norm(less.vertices, axis=1) - 1).max() < 0.03
    assert volume_of(less.vertices, less.faces) == pytest.approx(4 / 3 * math.pi, rel=0.03)
    assert np.abs(np.linalg.norm(less.normals, axis=1) - 1).max() < 1e-9


def test_decimation_works_far_from_the_origin(sphere) -> None:
    far = sphere.with_(vertices=sphere.vertices + np.array([500_000.0, 4_000_000.0, 100.0]))
    less = decimate(far, 1000)
    radii = np.linalg.norm(less.vertices - [500_000.0, 4_000_000.0, 100.0], axis=1)
    assert np.abs(radii - 1).max() < 0.03


def test_a_mesh_that_is_small_enough_is_left_alone(sphere) -> None:
    assert decimate(sphere, len(sphere.faces)) is sphere
    with pytest.raises(ConfigError, match="at least 4"):
        decimate(sphere, 3)


def test_areas_and_normals_of_a_cube() -> None:
    corners = np.array([[x, y, z] for x in (0, 2) for y in (0, 2) for z in (0, 2)], float)
    quads = [(0, 1, 3, 2), (4, 6, 7, 5), (0, 4, 5, 1), (2, 3, 7, 6), (0, 2, 6, 4), (1, 5, 7, 3)]
    faces = np.array([t for a, b, c, d in quads for t in ((a, b, c), (a, c, d))])
    assert face_areas(corners, faces).sum() == pytest.approx(24)
    assert volume_of(corners, faces) == pytest.approx(8)
    # Angle weights: the diagonal of a side does not turn the normal of its corners.
    assert vertex_normals(corners, faces) == pytest.approx((corners - 1) / math.sqrt(3))


def test_parts_that_do_not_fit_say_so(sphere) -> None:
    with pytest.raises(SceneError, match="normals has shape"):
        sphere.with_(normals=sphere.normals[:-1])
    with pytest.raises(SceneError, match="beyond"):
        sphere.with_(faces=sphere.faces + 1)
