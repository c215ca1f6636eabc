"""From a field to a finished mesh: the steps in order, and what they found."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from dreamplate.errors import SceneError
from dreamplate.fields.meshing.clean import Dropped, decimate, drop_small
from dreamplate.fields.meshing.config import MeshConfig
from dreamplate.fields.meshing.depth import RaysOf, pinhole, render_range
from dreamplate.fields.meshing.fusion import fuse, spread_cameras
from dreamplate.fields.meshing.mesh import Array, Colours, Encoding, Mesh, boundary_edges
from dreamplate.fields.meshing.packages import package
from dreamplate.fields.meshing.shading import Shader, shade_vertices, surface_colours
from dreamplate.fields.meshing.surface import automatic_level, extract, parse_level
from dreamplate.fields.meshing.texture import bake, unwrap
from dreamplate.fields.meshing.viewing import Directions, head_on, seen_from
from dreamplate.fields.meshing.volume import Lattice, Progress, Volume, lattice_of, sample_density
from dreamplate.fields.method import Method
from dreamplate.plate.camera import Camera
from dreamplate.take.machine import parse_memory

__all__ = ["Found", "coloured", "make_surface", "shader_of"]

_REACH = 2.0
_SLACK = 3.0


@dataclass(frozen=True)
class Found:
    """A surface and how it came about.

    Attributes:
        mesh: Without colours.
        lattice: That it was cut out of.
        level: Density of the surface, or None where depth was fused.
        dropped: What cleaning took away.
        open_edges: How many edges bound a hole; 0 for a watertight mesh.
    """

    mesh: Mesh
    lattice: Lattice
    level: float | None
    dropped: Dropped
    open_edges: int


def make_surface(
    method: Method,
    cameras: Sequence[Camera],
    config: MeshConfig,
    encoding: Encoding = "srgb_display",
    rays_of: RaysOf | None = None,
    progress: Progress = lambda name, done, total: None,
) -> Found:
    """Return the clean surface of a field.

    Args:
        method: The field, on the config's device.
        cameras: Training cameras, for the route by depth.
        config: Options.
        encoding: Of the field's colours.
        rays_of: Makes the rays of a camera; from 0 to infinity when None.
        progress: Told how far it is.

    Raises:
        ConfigError: An option does not fit, such as a resolution beyond the memory.
        SceneError: There is no surface; the message says what to try.
    """
    memory = parse_memory(config.memory)
    level = parse_level(config.level)
    box = np.asarray(method.box().cpu() if config.box is None else config.box, float).reshape(2, 3)
    lattice = lattice_of(box, config.resolution, memory)
    if config.route == "depth":
        eyes = [pinhole(camera, config.view_side) for camera in spread_cameras(cameras, config.views)]

        def see(eye: Camera) -> npt.NDArray[np.float32]:
            return render_range(method, eye, memory, config.device, rays_of)

        volume = fuse(eyes, see, lattice, progress)
        mesh = extract(volume, 0.0, close=config.close)
    else:
        level = automatic_level(box) if level is None else level
        volume = _smoothed(sample_density(method, lattice, memory, config.device, progress), config.smooth)
        mesh = extract(volume, level, close=config.close)
    if not len(mesh.faces):
        raise SceneError(
            "no surface was found where cameras see one; raise the resolution or choose another box"
        )
    mesh, dropped = drop_small(mesh.with_(encoding=encoding), config.keep)
    if config.faces is not None:
        mesh = decimate(mesh, config.faces)
    found = None if config.route == "depth" else level
    return Found(mesh, lattice, found, dropped, boundary_edges(mesh.vertices, mesh.faces))


def shader_of(
    method: Method,
    cameras: Sequence[Camera],
    config: MeshConfig,
    found: Found,
    progress: Progress = lambda name, done, total: None,
) -> Shader:
    """Return what gives the points of a surface their colours, by the config."""
    memory, spacing = parse_memory(config.memory), found.lattice.spacing
    look: Directions = head_on
    if config.shade == "views" and cameras:
        eyes = [pinhole(camera, config.view_side) for camera in spread_cameras(cameras, config.views)]
        look = seen_from(found.mesh, eyes, _SLACK * spacing)

    def shader(points: Array, normals: Array) -> Colours:
        along = look(points, normals)
        return surface_colours(method, points, along, _REACH * spacing, memory, config.device, progress)

    return shader


def coloured(found: Found, config: MeshConfig, shader: Shader) -> Mesh:
    """Return the surface with colours at its vertices, or with a texture when the config asks for one."""
    if config.texture is None:
        return shade_vertices(found.mesh, shader)
    return bake(unwrap(found.mesh, config.texture), config.texture, shader, parse_memory(config.memory))


def _smoothed(volume: Volume, voxels: float) -> Volume:
    if not voxels:
        return volume
    blurred = package("scipy.ndimage").gaussian_filter(volume.values, voxels, mode="nearest")
    return Volume(volume.lattice, blurred)
