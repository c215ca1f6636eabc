"""The colour of a field at a surface: what a short ray across the surface sees.

A level set lies somewhere in the soft edge of a field, and the colour right there belongs to the air in front
as much as to the thing behind. So colour is looked up at several points along a short ray from outside to
inside and composited as a picture would be. It is divided by the opacity found: surfaces are opaque.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import torch

from dreamplate.fields.meshing.mesh import Array, Colours, Mesh
from dreamplate.fields.meshing.volume import Progress, points_at_once
from dreamplate.fields.method import Method

__all__ = ["Shader", "shade_vertices", "surface_colours"]

Shader = Callable[[Array, Array], Colours]
"""Takes points ``(n, 3)`` and outward unit normals ``(n, 3)``, returns straight colours ``(n, 3)``."""

SAMPLES = 8
_CLEAR = 1e-4


def surface_colours(
    method: Method,
    points: Array,
    directions: Array,
    reach: float,
    memory: int,
    device: str = "cpu",
    progress: Progress = lambda name, done, total: None,
) -> Colours:
    """Return the colours of a field at points of a surface, ``(n, 3)`` straight, in the encoding of the fit.

    Args:
        method: The field.
        points: ``(n, 3)`` in world units.
        directions: ``(n, 3)`` unit vectors along which each point is seen.
        reach: How far before and behind each point to look, in world units: an error of the surface's place
            up to this is forgiven.
        memory: Bytes that looking up may take.
        device: Where the method is.
        progress: Told how far it is.
    """
    found = np.empty((len(points), 3), np.float32)
    step = max(1, points_at_once(memory) // SAMPLES)
    along = (torch.arange(SAMPLES, device=device) + 0.5) / SAMPLES * 2 * reach - reach
    for first in range(0, len(points), step):
        chosen = slice(first, min(first + step, len(points)))
        at = torch.from_numpy(np.ascontiguousarray(points[chosen])).float().to(device)
        way = torch.from_numpy(np.ascontiguousarray(directions[chosen])).float().to(device)
        places = (at[:, None] + along[None, :, None] * way[:, None]).reshape(-1, 3)
        ways = way[:, None].expand(-1, SAMPLES, -1).reshape(-1, 3)
        density = method.density(places).detach().float().reshape(-1, SAMPLES)
        colour = method.colour(places, ways).detach().float().reshape(-1, SAMPLES, 3)
        depth = torch.cumsum(density * (2 * reach / SAMPLES), 1)
        through = torch.exp(-torch.cat([torch.zeros_like(depth[:, :1]), depth], 1))
        weights = through[:, :-1] - through[:, 1:]
        # Where nothing is dense, the middle of the ray speaks for it.
        middle = (along.abs() < reach / SAMPLES * 1.5).float()
        weights = weights + _CLEAR * middle
        mixed = (weights[..., None] * colour).sum(1) / weights.sum(1, keepdim=True)
        found[chosen] = mixed.cpu().numpy()
        progress("colour", chosen.stop, len(points))
    return found


def shade_vertices(mesh: Mesh, shader: Shader) -> Mesh:
    """Return a mesh whose vertices have the colours that a shader gives them."""
    assert mesh.normals is not None
    return mesh.with_(colours=shader(mesh.vertices, mesh.normals))
