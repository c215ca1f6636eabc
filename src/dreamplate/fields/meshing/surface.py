"""The surface of constant density in a volume: which level, and marching cubes.

**The level.** A field has no surface; it has density, and a picture shows where the light stops. For a layer
of density d and thickness t, the share exp(-d t) of the light gets through. ``auto`` takes the density at
which a layer of a hundredth of the longest side of the box stops half the light, ``ln 2 / (side / 100)``. The
rule scales with the world, does not depend on the resolution (a finer lattice refines the same surface), and
holds off the haze that fits leave in empty space, which is thin but often wide.
"""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt

from dreamplate.errors import ConfigError, SceneError
from dreamplate.fields.meshing.mesh import Array, Mesh, vertex_normals
from dreamplate.fields.meshing.packages import package
from dreamplate.fields.meshing.volume import Volume

__all__ = ["automatic_level", "extract", "parse_level"]

_SHARE = 100


def parse_level(text: str) -> float | None:
    """Return a level in density per world unit, or None for ``auto``.

    Raises:
        ConfigError: It is neither.
    """
    if text.strip() == "auto":
        return None
    try:
        level = float(text)
    except ValueError:
        level = math.nan
    if not (math.isfinite(level) and level > 0):
        raise ConfigError(f"level is {text!r}: write auto, or a density above 0 per world unit")
    return level


def automatic_level(box: Array) -> float:
    """Return the level that ``auto`` means for a box ``(2, 3)``, in density per world unit."""
    return math.log(2) * _SHARE / float((box[1] - box[0]).max())


def extract(volume: Volume, level: float, *, close: bool = False) -> Mesh:
    """Return the surface where a volume crosses a level, by marching cubes.

    Lewiner et al. 2003 (topologically sound cubes), through scikit-image. Vertices lie where the level is
    on the edges of the lattice, by linear interpolation.

    Args:
        volume: Density, high inside.
        level: In the units of the volume.
        close: Cap the surface where the lattice ends; otherwise it stays open there.

    Raises:
        SceneError: The volume does not cross the level; the message says which levels it has.
    """
    values = volume.values
    low, high = float(values.min()), float(values.max())
    if not low < level < high and not (close and level < high):
        raise SceneError(_no_surface(values, level, low, high))
    origin = np.array(volume.lattice.origin)
    cubes = None if volume.known is None else _whole_cubes(volume.known)
    if close:
        cubes = None if cubes is None else np.pad(cubes, 1, mode="edge")
        values = np.pad(values, 1, constant_values=min(low, 0.0, level - 1))
        origin = origin - volume.lattice.spacing
    vertices, faces, _, _ = package("skimage.measure").marching_cubes(
        values, level, gradient_direction="ascent", allow_degenerate=False, mask=cubes
    )
    vertices = vertices.astype(np.float64) * volume.lattice.spacing + origin
    faces = faces.astype(np.int64)
    return Mesh(vertices, faces, vertex_normals(vertices, faces))


def _whole_cubes(known: npt.NDArray[np.bool_]) -> npt.NDArray[np.bool_]:
    """Return which cubes have eight known corners, each at its highest corner, where scikit-image looks."""
    whole = np.zeros_like(known)
    lower = known[:-1] & known[1:]
    lower = lower[:, :-1] & lower[:, 1:]
    whole[1:, 1:, 1:] = lower[:, :, :-1] & lower[:, :, 1:]
    return whole


def _no_surface(values: npt.NDArray[np.float32], level: float, low: float, high: float) -> str:
    found = f"level is {level:.4g}: the density in the box runs from {low:.4g} to {high:.4g}"
    if not high > max(low, 0):
        return f"{found}, so nothing is there; choose another box"
    inside = values[values > max(low, high * 1e-3)]
    guess = float(np.median(inside)) if len(inside) else (low + high) / 2
    guess = guess if low < guess < high else (low + high) / 2
    return f"{found}; try --level {guess:.3g}"
