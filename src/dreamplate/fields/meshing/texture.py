"""A texture for a mesh: cut open and laid flat by xatlas, then coloured texel by texel from the field."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from dreamplate.errors import ConfigError, SceneError
from dreamplate.fields.meshing.mesh import Colours, Mesh
from dreamplate.fields.meshing.packages import package
from dreamplate.fields.meshing.raster import draw_atlas
from dreamplate.fields.meshing.shading import Shader
from dreamplate.plate.plate import Plate

__all__ = ["bake", "fill_gaps", "unwrap"]

_MARGIN = 2.0
_PADDING = 4
_TEXEL_BYTES = 96
_TEXELS = 1 << 18


def unwrap(mesh: Mesh, size: int) -> Mesh:
    """Return a mesh with places in a texture; vertices along the cuts are doubled.

    Args:
        mesh: With normals.
        size: Side of the texture in texels; charts keep four texels between them.

    Raises:
        SceneError: The mesh has no faces, or cannot be laid flat in a texture of this size.
    """
    if not len(mesh.faces):
        raise SceneError("mesh: has no faces to unwrap")
    xatlas = package("xatlas")
    atlas = xatlas.Atlas()
    low, high = mesh.bounds
    unit = (mesh.vertices - low) / (float((high - low).max()) or 1.0)
    atlas.add_mesh(unit.astype(np.float32), mesh.faces.astype(np.uint32))
    packing = xatlas.PackOptions()
    packing.resolution, packing.padding, packing.bilinear = size, _PADDING, True
    atlas.generate(pack_options=packing)
    if atlas.atlas_count != 1:
        raise SceneError(
            f"texture is {size}: the mesh needs {atlas.atlas_count} textures of this size; choose fewer faces"
            " or a larger texture"
        )
    origin, faces, uvs = atlas.get_mesh(0)
    origin = origin.astype(np.int64)
    # xatlas scales each axis by the size it needed, which may be less or more than what was asked for.
    side = np.array([atlas.width, atlas.height]) / max(atlas.width, atlas.height)
    return mesh.with_(
        vertices=mesh.vertices[origin],
        faces=faces.astype(np.int64),
        normals=None if mesh.normals is None else mesh.normals[origin],
        colours=None if mesh.colours is None else mesh.colours[origin],
        uvs=uvs.astype(np.float64) * side,
    )


def bake(mesh: Mesh, size: int, shader: Shader, memory: int = 2 << 30) -> Mesh:
    """Return a mesh with a texture that holds what a shader sees on it.

    Args:
        mesh: Unwrapped, with normals.
        size: Side of the texture in texels.
        shader: Called with the place and the normal of each texel that a face covers.
        memory: Bytes that this may take.

    Raises:
        ConfigError: The texture needs more memory.
    """
    assert mesh.uvs is not None and mesh.normals is not None
    if size * size * _TEXEL_BYTES > memory:
        fits = int((memory / _TEXEL_BYTES) ** 0.5)
        raise ConfigError(
            f"texture is {size}: needs {size * size * _TEXEL_BYTES / 2**30:.1f} GiB, memory is"
            f" {memory / 2**30:.1f} GiB; choose {fits} or less, or raise memory"
        )
    owner, weights = draw_atlas(mesh.uvs, mesh.faces, size, size, _MARGIN)
    covered = owner >= 0
    owners, shares = owner[covered], weights[covered]
    del owner, weights
    colours = np.empty((len(owners), 3), np.float32)
    for first in range(0, len(owners), _TEXELS):
        part = slice(first, first + _TEXELS)
        corners, share = mesh.faces[owners[part]], shares[part][:, :, None].astype(np.float64)
        normals = (mesh.normals[corners] * share).sum(1)
        length = np.linalg.norm(normals, axis=1, keepdims=True)
        normals = normals / np.where(length > 0, length, 1)
        colours[part] = shader((mesh.vertices[corners] * share).sum(1), normals)
    pixels = np.zeros((size, size, 3), np.float32)
    pixels[covered] = colours
    return mesh.with_(texture=Plate(fill_gaps(pixels, covered), colourspace=mesh.encoding))


def fill_gaps(pixels: Colours, known: npt.NDArray[np.bool_]) -> Colours:
    """Return a picture whose unknown pixels take means of ever coarser surroundings (pull-push).

    So that smaller copies of a texture (mip levels) do not mix in a colour that is nowhere on the surface.
    """
    if known.all() or not known.any():
        return pixels
    height, width = known.shape
    even = np.zeros((height + height % 2, width + width % 2, 4), np.float32)
    even[:height, :width, :3] = pixels * known[..., None]
    even[:height, :width, 3] = known
    total = even.reshape(even.shape[0] // 2, 2, even.shape[1] // 2, 2, 4).sum((1, 3))
    there = total[..., 3] > 0
    coarse = total[..., :3] / np.where(there, total[..., 3], 1)[..., None]
    coarse = fill_gaps(coarse, there)
    spread = coarse.repeat(2, 0).repeat(2, 1)[:height, :width]
    return np.where(known[..., None], pixels, spread).astype(np.float32)
