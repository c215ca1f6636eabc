"""Point clouds and first splats."""

from __future__ import annotations

import numpy as np
import pytest
import trimesh

from dreamplate.errors import SceneError
from dreamplate.fields.meshing.mesh import PointCloud
from dreamplate.fields.meshing.ply import write_points
from dreamplate.fields.meshing.points import scatter, write_splats


def gradient(points, normals):
    return (0.5 + 0.3 * points).astype(np.float32)


def splats(path) -> dict[str, np.ndarray]:
    head, _, body = path.read_bytes().partition(b"end_header\n")
    lines = head.decode().splitlines()
    names = [line.split()[2] for line in lines if line.startswith("property")]
    assert all(line.split()[1] == "float" for line in lines if line.startswith("property"))
    return dict(zip(names, np.frombuffer(body, "<f4").reshape(-1, len(names)).T, strict=True))


def test_points_are_spread_evenly_over_the_surface(sphere) -> None:
    cloud = scatter(sphere, 20_000, gradient)
    radii = np.linalg.norm(cloud.positions, axis=1)
    assert radii.min() > 0.98 and radii.max() < 1.01
    for axis in range(3):  # on a sphere every coordinate is uniform (Archimedes)
        counts, _ = np.histogram(cloud.positions[:, axis], 10, (-1, 1))
        assert np.abs(counts / 2000 - 1).max() < 0.08
    assert (cloud.normals * cloud.positions).sum(1).min() > 0.95
    assert np.array_equal(cloud.colours, gradient(cloud.positions, None))
    again = scatter(sphere, 20_000, gradient)
    assert np.array_equal(again.positions, cloud.positions)


def test_point_cloud_comes_back(sphere, tmp_path) -> None:
    cloud = scatter(sphere, 500, gradient)
    write_points(cloud, tmp_path / "p.ply")
    back = trimesh.load(tmp_path / "p.ply")
    assert np.abs(back.vertices - cloud.positions).max() < 1e-6
    assert np.array_equal(back.colors[:, :3], np.rint(cloud.colours * 255))


def test_splats_lie_on_the_surface_and_cover_it(sphere, tmp_path) -> None:
    cloud = scatter(sphere, 2000, gradient)
    write_splats(cloud, 4 * np.pi, tmp_path / "s.ply")
    held = splats(tmp_path / "s.ply")
    assert np.abs(np.stack([held[name] for name in "xyz"], 1) - cloud.positions).max() < 1e-6
    colours = np.stack([held[f"f_dc_{part}"] for part in range(3)], 1) * 0.28209479177387814 + 0.5
    assert np.abs(colours - cloud.colours).max() <= 0.5 / 255 + 1e-6
    assert 1 / (1 + np.exp(-held["opacity"])) == pytest.approx(0.95)
    widths = np.exp([held[f"scale_{axis}"][0] for axis in range(3)])
    assert 2000 * np.pi * widths[0] * widths[1] == pytest.approx(4 * np.pi, rel=1e-5)
    assert widths[2] == pytest.approx(0.1 * widths[0])
    w, x, y, z = (held[f"rot_{part}"] for part in range(4))
    assert w**2 + x**2 + y**2 + z**2 == pytest.approx(1, abs=1e-5)
    axis = np.stack([2 * (x * z + w * y), 2 * (y * z - w * x), 1 - 2 * (x * x + y * y)], 1)
    assert axis == pytest.approx(cloud.normals, abs=1e-5)


def test_a_splat_may_look_straight_down(tmp_path) -> None:
    normals = np.array([[0.0, 0, -1], [0, 0, 1]])
    write_splats(PointCloud(normals, normals, np.zeros((2, 3), np.float32)), 1.0, tmp_path / "s.ply")
    held = splats(tmp_path / "s.ply")
    assert held["rot_1"].tolist() == [1, 0] and held["rot_0"].tolist() == [0, 1]


def test_no_points_no_splats(sphere, tmp_path) -> None:
    empty = PointCloud(np.zeros((0, 3)), np.zeros((0, 3)), np.zeros((0, 3), np.float32))
    with pytest.raises(SceneError, match="no points"):
        write_splats(empty, 1.0, tmp_path / "s.ply")
    with pytest.raises(SceneError, match="no area"):
        scatter(sphere.with_(faces=sphere.faces[:0]), 5, gradient)
