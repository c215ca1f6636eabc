"""Binary glTF 2.0: the mesh in one file, with vertex colours or an embedded PNG.

glTF is Y-up and in metres; a capture is neither by nature. The numbers of the mesh stay the capture's, and
one node above it turns the capture's up to +Y and scales its unit to metres. Importers that follow the format
apply it; who reads the bare mesh sees the world of the capture.
"""

from __future__ import annotations

import os
from typing import Any

import numpy as np
import numpy.typing as npt

from dreamplate.errors import SceneError
from dreamplate.fields.meshing.encoding import linear, needs_offset, png_bytes
from dreamplate.fields.meshing.mesh import Array, Mesh
from dreamplate.files import write_bytes_atomic
from dreamplate.scenes.gltf_file import capture_node, pack_gltf

__all__ = ["write_glb"]

_FLOAT, _UINT = 5126, 5125
_ARRAY, _ELEMENTS = 34962, 34963


def write_glb(
    mesh: Mesh,
    path: str | os.PathLike[str],
    up: tuple[float, float, float] = (0.0, 0.0, 1.0),
    metres_per_unit: float = 1.0,
) -> None:
    """Write a mesh as one ``.glb``.

    The material is unlit (``KHR_materials_unlit``) because the capture's light is in the colours. Vertex
    colours are float and linear, as the format wants them. A texture is 8-bit sRGB, the only kind the format
    knows: light above 1 is clipped there. Places in the texture count from its upper left corner in glTF.

    Args:
        mesh: Any.
        path: Where.
        up: Direction of the capture's world that points up.
        metres_per_unit: Length of the capture's unit.

    Raises:
        SceneError: The file cannot be written.
    """
    buffer = _Buffer()
    # Far from the origin float32 is coarse: the mesh is stored around its middle, and a node puts it back.
    middle = mesh.bounds.mean(0) if needs_offset(mesh.vertices) else np.zeros(3)
    attributes = {"POSITION": buffer.vectors(mesh.vertices - middle, bounds=True)}
    material: dict[str, Any] = {
        "pbrMetallicRoughness": {"metallicFactor": 0.0, "roughnessFactor": 1.0},
        "extensions": {"KHR_materials_unlit": {}},
    }
    document: dict[str, Any] = {
        "asset": {"version": "2.0", "generator": "Dreamplate"},
        "extensionsUsed": ["KHR_materials_unlit"],
        "scene": 0,
        "scenes": [{"nodes": [0]}],
        "nodes": [
            capture_node(up, metres_per_unit, [1]),
            {"name": "field", "mesh": 0, "translation": middle.tolist()},
        ],
    }
    if mesh.normals is not None:
        attributes["NORMAL"] = buffer.vectors(mesh.normals)
    if mesh.uvs is not None:
        attributes["TEXCOORD_0"] = buffer.vectors(mesh.uvs * [1, -1] + [0, 1])
    if mesh.texture is not None:
        material["pbrMetallicRoughness"]["baseColorTexture"] = {"index": 0}
        view = buffer.add(png_bytes(mesh.texture))
        document |= {
            "images": [{"bufferView": view, "mimeType": "image/png"}],
            "samplers": [{"magFilter": 9729, "minFilter": 9987, "wrapS": 33071, "wrapT": 33071}],
            "textures": [{"source": 0, "sampler": 0}],
        }
    elif mesh.colours is not None:
        attributes["COLOR_0"] = buffer.vectors(linear(mesh.colours, mesh.encoding))
    faces = np.ascontiguousarray(mesh.faces, "<u4")
    view = buffer.add(faces.tobytes(), _ELEMENTS)
    indices = buffer.accessor(view, _UINT, faces.size, "SCALAR")
    document["meshes"] = [
        {"name": "field", "primitives": [{"attributes": attributes, "indices": indices, "material": 0}]}
    ]
    document["materials"] = [material]
    write_bytes_atomic(path, buffer.file(document), family=SceneError)


class _Buffer:
    """The binary part of a file while it is put together."""

    def __init__(self) -> None:
        self._data = bytearray()
        self._views: list[dict[str, Any]] = []
        self._accessors: list[dict[str, Any]] = []

    def add(self, data: bytes, target: int | None = None) -> int:
        """Append bytes as a view of their own; returns its number."""
        view: dict[str, Any] = {"buffer": 0, "byteOffset": len(self._data), "byteLength": len(data)}
        self._views.append(view | ({} if target is None else {"target": target}))
        self._data += data + b"\0" * (-len(data) % 4)
        return len(self._views) - 1

    def accessor(self, view: int, component: int, count: int, kind: str, **more: Any) -> int:
        """Describe a view as numbers; returns the number of the description."""
        self._accessors.append(
            {"bufferView": view, "componentType": component, "count": count, "type": kind, **more}
        )
        return len(self._accessors) - 1

    def vectors(self, values: Array | npt.NDArray[np.float32], *, bounds: bool = False) -> int:
        """Append ``(n, 2)`` or ``(n, 3)`` numbers as float32; returns the number of their description."""
        stored = np.ascontiguousarray(values, "<f4")
        more = {"min": stored.min(0).tolist(), "max": stored.max(0).tolist()} if bounds else {}
        view = self.add(stored.tobytes(), _ARRAY)
        return self.accessor(view, _FLOAT, len(stored), f"VEC{stored.shape[1]}", **more)

    def file(self, document: dict[str, Any]) -> bytes:
        """Return the whole file."""
        full = document | {"bufferViews": self._views, "accessors": self._accessors}
        return pack_gltf(full, bytes(self._data), binary=True)
