"""Colours at vertices and in textures, against colours known everywhere."""

from __future__ import annotations

import numpy as np
import pytest

from dreamplate.errors import ConfigError
from dreamplate.fields.meshing.clean import decimate
from dreamplate.fields.meshing.mesh import Mesh, boundary_edges
from dreamplate.fields.meshing.raster import draw_atlas
from dreamplate.fields.meshing.shading import shade_vertices, surface_colours
from dreamplate.fields.meshing.texture import bake, fill_gaps, unwrap


def gradient(points, normals):
    return (0.5 + 0.3 * points).astype(np.float32)


def looked_up(mesh: Mesh, uvs: np.ndarray) -> np.ndarray:
    """Bilinear, as a renderer would."""
    pixels = np.pad(mesh.texture.pixels, ((1, 1), (1, 1), (0, 0)), mode="edge")
    height, width = mesh.texture.pixels.shape[:2]
    x, y = uvs[:, 0] * width + 0.5, (1 - uvs[:, 1]) * height + 0.5
    left, top = np.floor(x).astype(int), np.floor(y).astype(int)
    u, v = (x - left)[:, None], (y - top)[:, None]
    upper = pixels[top, left] * (1 - u) + pixels[top, left + 1] * u
    lower = pixels[top + 1, left] * (1 - u) + pixels[top + 1, left + 1] * u
    return upper * (1 - v) + lower * v


def test_a_baked_gradient_is_the_gradient_everywhere_on_the_surface(sphere) -> None:
    baked = bake(unwrap(decimate(sphere, 1500), 512), 512, gradient)
    draws = np.random.default_rng(0)
    corners = baked.faces[draws.integers(len(baked.faces), size=20_000)]
    share = draws.dirichlet([0.5, 0.5, 0.5], 20_000)[:, :, None]  # near edges more often: seams too
    places, points = ((part[corners] * share).sum(1) for part in (baked.uvs, baked.vertices))
    off = np.abs(looked_up(baked, places) - gradient(points, None))
    assert off.max() < 0.01 and off.mean() < 0.001


def test_unwrapping_moves_nothing_and_overlaps_nothing(sphere) -> None:
    flat = unwrap(sphere, 256)
    assert len(flat.faces) == len(sphere.faces)
    assert boundary_edges(flat.vertices, flat.faces) == 0
    assert flat.uvs.min() >= 0 and flat.uvs.max() <= 1
    a, b, c = (flat.uvs[flat.faces[:, corner]] for corner in range(3))
    area = np.abs((b - a)[:, 0] * (c - a)[:, 1] - (b - a)[:, 1] * (c - a)[:, 0]).sum() / 2
    owner, _ = draw_atlas(flat.uvs, flat.faces, 1024, 1024, 0.0)
    assert (owner >= 0).mean() == pytest.approx(area, rel=0.02)


def test_texels_know_where_they_are() -> None:
    uvs = np.array([[0.0, 0.0], [1.0, 0.0], [0.0, 1.0]])
    owner, weights = draw_atlas(uvs, np.array([[0, 1, 2]]), 8, 8, 0.0)
    assert owner[7, 0] == 0 and owner[0, 7] == -1  # row 7 is the lowest: v near 0
    held = owner >= 0
    rows, columns = np.nonzero(held)
    middle = np.stack([(columns + 0.5) / 8, 1 - (rows + 0.5) / 8], 1)
    assert weights[held] @ uvs == pytest.approx(middle, abs=1e-6)
    grown, weights = draw_atlas(uvs, np.array([[0, 1, 2]]), 8, 8, 2.0)
    assert (grown >= 0).sum() > held.sum() and weights.min() >= 0


def test_gaps_take_colours_from_around_and_known_pixels_stay() -> None:
    draws = np.random.default_rng(1)
    pixels = draws.random((37, 50, 3)).astype(np.float32)
    known = draws.random((37, 50)) < 0.05
    full = fill_gaps(np.where(known[..., None], pixels, 99), known)
    assert np.array_equal(full[known], pixels[known])
    assert full.min() >= pixels[known].min() - 1e-6 and full.max() <= pixels[known].max() + 1e-6
    flat = fill_gaps(np.where(known[..., None], 0.25, 99).astype(np.float32), known)
    assert np.abs(flat - 0.25).max() < 1e-6


def test_vertex_colours_are_those_of_the_field(make, soft) -> None:
    field = soft(width=0.01)
    mesh = make(field, 40)
    shaded = shade_vertices(
        mesh, lambda points, normals: surface_colours(field, points, -normals, 0.1, 1 << 26)
    )
    assert np.abs(shaded.colours - (0.5 + 0.3 * mesh.vertices)).max() < 0.01


def test_colour_comes_from_the_thing_not_from_the_air(soft) -> None:
    class Painted(soft):
        def colour(self, points, directions):
            return (points.norm(dim=1, keepdim=True) < 1.001).float().expand(-1, 3)

    points = np.array([[1.05, 0.0, 0.0], [0.0, -0.97, 0.0]])  # beside the surface, on both sides
    way = -points / np.linalg.norm(points, axis=1, keepdims=True)
    assert surface_colours(Painted(width=0.002), points, way, 0.15, 1 << 26).min() > 0.95


def test_nothing_dense_still_gives_a_colour(soft) -> None:
    empty = soft(lambda points: points[:, 0] * 0 + 1e9)
    point = np.array([[0.5, 0.5, 0.5]])
    found = surface_colours(empty, point, np.array([[0.0, 0.0, -1.0]]), 0.1, 1 << 26)
    assert found == pytest.approx(np.array([[0.65, 0.65, 0.65]]), abs=1e-5)


def test_chunks_give_the_same_colours(soft) -> None:
    draws = np.random.default_rng(2)
    points = draws.normal(size=(3000, 3))
    way = -points / np.linalg.norm(points, axis=1, keepdims=True)
    few, many = (surface_colours(soft(), points, way, 0.1, memory) for memory in (1 << 20, 1 << 33))
    assert np.allclose(few, many, atol=1e-6)


def test_too_large_a_texture_names_one_that_fits(sphere) -> None:
    with pytest.raises(ConfigError, match=r"texture is 4096: needs 1.5 GiB.* choose \d+ or less"):
        bake(unwrap(sphere, 64), 4096, gradient, 1 << 28)
