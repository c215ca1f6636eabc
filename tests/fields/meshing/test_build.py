"""The whole way from a field to a finished mesh."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from dreamplate.errors import ConfigError
from dreamplate.fields.meshing.build import coloured, make_surface, shader_of
from dreamplate.fields.meshing.config import MeshConfig
from dreamplate.fields.meshing.preview import camera_around, draw_mesh, preview
from dreamplate.plate.camera import Camera, look_at


def cameras() -> list[Camera]:
    places = [(3.5, 0, 0.5), (-3.5, 0, 0.5), (0, 3.5, 0.5), (0, -3.5, 0.5), (0.1, 0, 3.5), (0.1, 0, -3.5)]
    return [Camera.from_fov(80, 60, 50, look_at(place, (0, 0, 0))) for place in places]


def config(**changes: object) -> MeshConfig:
    return MeshConfig(Path("take"), resolution=32, view_side=48, memory="256MiB", **changes)


def test_density_becomes_a_coloured_mesh(soft) -> None:
    field, asked = soft(), config(level="50", faces=1500)
    found = make_surface(field, [], asked)
    assert (found.level, found.open_edges, found.dropped.pieces) == (50, 0, 0)
    assert len(found.mesh.faces) <= 1500
    made = coloured(found, asked, shader_of(field, [], asked, found))
    assert np.abs(made.colours - (0.5 + 0.3 * made.vertices)).max() < 0.05


def test_automatic_level_and_automatic_box(soft) -> None:
    found = make_surface(soft(scale=20.0), [], config())
    assert found.level == pytest.approx(np.log(2) / (52 / 100))
    assert np.abs(found.mesh.bounds - [[-20] * 3, [20] * 3]).max() < 20 * 3 * 0.05


def test_depth_becomes_a_mesh(soft) -> None:
    found = make_surface(soft(width=0.01), cameras(), config(route="depth"))
    assert found.level is None
    radii = np.linalg.norm(found.mesh.vertices, axis=1)
    assert np.abs(radii - 1).mean() < 0.4 * found.lattice.spacing


def test_a_texture_is_baked_from_where_cameras_look(soft) -> None:
    class Sheen(soft):
        """Colour that tells along which direction it was asked for."""

        def colour(self, points, directions):
            return directions / 2 + 0.5

    field, asked = Sheen(), config(level="50", texture=64, faces=600)
    eye = Camera.from_fov(80, 60, 50, look_at((3.5, 0, 0), (0, 0, 0)))
    found = make_surface(field, [eye], asked)
    made = coloured(found, asked, shader_of(field, [eye], asked, found))
    assert made.texture.pixels.shape == (64, 64, 3) and made.colours is None
    head = coloured(found, config(shade="normals"), shader_of(field, [eye], config(shade="normals"), found))
    assert np.abs(head.colours - (0.5 - head.normals / 2)).max() < 1e-4
    seen = coloured(found, config(), shader_of(field, [eye], config(), found))
    nearest = np.argmax(found.mesh.vertices @ [1, 0.5, 0])
    along = found.mesh.vertices[nearest] - eye.position
    assert seen.colours[nearest] == pytest.approx(along / np.linalg.norm(along) / 2 + 0.5, abs=1e-4)


def test_floaters_go_and_a_box_chooses(soft, distances) -> None:
    def crowd(points):
        offset = points - torch.tensor([1.15, 1.15, 1.15])
        return torch.minimum(distances["ball"](points), offset.norm(dim=1) - 0.1)

    found = make_surface(soft(crowd, width=0.02), [], config(level="50", keep=0.05))
    assert (found.dropped.kept, found.dropped.pieces) == (1, 1)
    alone = make_surface(soft(crowd, width=0.02), [], config(level="50", box=(1.0, 1, 1, 1.3, 1.3, 1.3)))
    assert np.abs(alone.mesh.bounds - [[1.05] * 3, [1.25] * 3]).max() < 0.01


def test_smoothing_flattens_bumps(soft, distances) -> None:
    def bumpy(points):
        return distances["ball"](points) + 0.04 * torch.sin(40 * points).prod(1)

    def roughness(smooth: float) -> float:
        mesh = make_surface(soft(bumpy), [], config(level="50", smooth=smooth)).mesh
        return float(np.linalg.norm(mesh.vertices, axis=1).std())

    assert roughness(1.5) < 0.5 * roughness(0)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"points": 5, "splats": 5, "out": Path("a.ply")}, "points and splats are both set"),
        ({"points": 5}, "out is model.glb: points are written as .ply"),
        ({"splats": 5, "out": Path("a.obj")}, "splats are written as .ply"),
        ({"points": 5, "texture": 64, "out": Path("a.ply")}, "points have no texture"),
        ({"route": "depth", "level": "5"}, "fused depth has no level"),
        ({"route": "depth", "smooth": 1.0}, "it blurs density"),
        ({"memory": "much"}, "write a size such as"),
    ],
)
def test_options_that_contradict_say_so(changes, message) -> None:
    with pytest.raises(ConfigError, match=message):
        MeshConfig(Path("take"), **changes)


def test_a_preview_holds_the_whole_mesh(sphere) -> None:
    camera = camera_around(sphere, (0, 0, 1), 64)
    pixels, _ = camera.project(sphere.vertices)
    assert pixels.min() > 0 and pixels.max() < 64
    picture = preview(sphere, camera)
    assert (picture.width, picture.height, picture.colourspace) == (128, 64, "srgb_display")
    plain = draw_mesh(sphere, camera)
    middle = camera.position / np.linalg.norm(camera.position)
    assert plain[32, 32] == pytest.approx(0.5 + 0.3 * middle, abs=0.02)
    assert np.ptp(plain[0]) < 1e-6 and np.ptp(draw_mesh(sphere, camera, clay=True)[20:44, 32]) > 0.05
