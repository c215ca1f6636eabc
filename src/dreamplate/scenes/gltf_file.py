"""glTF 2.0 files as far as cameras need them: the document, its numbers, and node transforms over time."""

from __future__ import annotations

import base64
import binascii
import json
import struct
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from dreamplate.errors import SceneError
from dreamplate.files import raise_os_error
from dreamplate.scenes.rotations import matrix_of

__all__ = ["CAPTURE_NODE", "Curves", "Gltf", "capture_node", "pack_gltf", "read_gltf_file", "turn_to_y"]

Doubles = npt.NDArray[np.float64]
Curves = dict[tuple[int, str], tuple[Doubles, Doubles, str]]
_TYPES = {5120: "i1", 5121: "u1", 5122: "<i2", 5123: "<u2", 5125: "<u4", 5126: "<f4"}
_WIDTH = {"SCALAR": 1, "VEC2": 2, "VEC3": 3, "VEC4": 4, "MAT4": 16}
_JSON, _BIN = 0x4E4F534A, 0x004E4942


@dataclass(frozen=True, eq=False)
class Gltf:
    """A document and the buffers that it names."""

    path: Path
    json: dict[str, Any]
    buffers: list[bytes]

    def accessor(self, index: int) -> Doubles:
        """Return the numbers of an accessor, ``(count, width)``; normalised integers as shares of 1.

        Raises:
            SceneError: It reaches outside its buffer, or is sparse.
        """
        about = self.json["accessors"][index]
        if "sparse" in about or "bufferView" not in about:
            raise SceneError(f"{self.path}: accessor {index} is sparse, which is not known here")
        view = self.json["bufferViews"][about["bufferView"]]
        kind, width = np.dtype(_TYPES[about["componentType"]]), _WIDTH[about["type"]]
        start = int(view.get("byteOffset", 0)) + int(about.get("byteOffset", 0))
        step, count = int(view.get("byteStride", kind.itemsize * width)), int(about["count"])
        data = self.buffers[view["buffer"]]
        if (
            start < 0
            or step < 0
            or count < 0
            or start + step * (count - 1) + kind.itemsize * width > len(data)
        ):
            raise SceneError(f"{self.path}: accessor {index} reaches outside its buffer; export it again")
        table = np.ndarray((count, width), kind, data, start, (step, kind.itemsize)).astype(np.float64)
        if about.get("normalized") and kind.kind in "iu":
            table = np.maximum(table / np.iinfo(kind).max, -1)
        return table

    def curves(self) -> Curves:
        """Return, by node and path, every animated transform: times in seconds, values, interpolation."""
        found: Curves = {}
        for animation in self.json.get("animations", []):
            for channel in animation["channels"]:
                target = channel["target"]
                if "node" not in target or target["path"] not in ("translation", "rotation", "scale"):
                    continue
                sampler = animation["samplers"][channel["sampler"]]
                times = self.accessor(sampler["input"])[:, 0]
                values = self.accessor(sampler["output"])
                found[target["node"], target["path"]] = times, values, sampler.get("interpolation", "LINEAR")
        return found

    def parents(self) -> dict[int, int]:
        """Return the parent of each node that has one."""
        nodes = enumerate(self.json.get("nodes", []))
        return {child: number for number, node in nodes for child in node.get("children", [])}

    def local(self, index: int, time: float, curves: Curves) -> Doubles:
        """Return a node's own ``(4, 4)`` transform at a time in seconds."""
        node = self.json["nodes"][index]
        if "matrix" in node:
            return np.array(node["matrix"], np.float64).reshape(4, 4).T
        usual = {"translation": [0.0] * 3, "rotation": [0.0, 0.0, 0.0, 1.0], "scale": [1.0] * 3}
        part = {}
        for path, value in usual.items():
            curve = curves.get((index, path))
            still = np.array(node.get(path, value), np.float64)
            part[path] = still if curve is None else _sample(curve, time, path == "rotation")
        x, y, z, w = part["rotation"]
        found = np.eye(4)
        found[:3, :3] = matrix_of([w, x, y, z]) * part["scale"]
        found[:3, 3] = part["translation"]
        return found


def _sample(curve: tuple[Doubles, Doubles, str], time: float, turning: bool) -> Doubles:
    times, values, kind = curve
    nearest = float(times[np.abs(times - time).argmin()])
    if abs(nearest - time) <= 2.4e-7 * abs(time):  # keys are 32-bit numbers
        time = nearest
    if kind == "CUBICSPLINE":
        leaves, arrives = values[2::3], values[0::3]
        values = values[1::3]
    if time <= times[0] or len(times) == 1:
        return np.asarray(values[0])
    if time >= times[-1]:
        return np.asarray(values[-1])
    after = int(np.searchsorted(times, time, "left"))
    start, stop = values[after - 1], values[after]
    gap = times[after] - times[after - 1]
    share = float((time - times[after - 1]) / gap)
    if kind == "STEP":
        return np.asarray(stop if share >= 1 else start)
    if kind == "CUBICSPLINE":
        rise = share * share * (3 - 2 * share)
        leave, arrive = leaves[after - 1] * gap, arrives[after] * gap
        bend = share * (1 - share) ** 2 * leave - share * share * (1 - share) * arrive
        return np.asarray((1 - rise) * start + rise * stop + bend)
    if turning:
        cosine = float(start @ stop)
        stop = -stop if cosine < 0 else stop
        angle = np.arccos(min(1.0, abs(cosine)))
        if angle > 1e-6:
            return np.asarray(np.sin((1 - share) * angle) * start + np.sin(share * angle) * stop)
    return np.asarray((1 - share) * start + share * stop)


def read_gltf_file(path: Path) -> Gltf:
    """Read a ``.gltf`` (with the buffers beside it or inside) or a ``.glb``.

    Raises:
        SceneError: It is damaged, or a buffer is missing.
    """
    try:
        data = path.read_bytes()
    except OSError as error:
        raise_os_error(error, path, SceneError, "read")
    inside = b""
    try:
        if data[:4] == b"glTF":
            chunks, at = {}, 12
            while at + 8 <= len(data):
                size, kind = struct.unpack_from("<II", data, at)
                chunks[kind] = data[at + 8 : at + 8 + size]
                at += 8 + size
            data, inside = chunks[_JSON], chunks.get(_BIN, b"")
        document = json.loads(data.decode())
        if str(document["asset"]["version"])[:2] != "2.":
            raise SceneError(f"{path}: is glTF {document['asset']['version']}; only 2.0 is known here")
        buffers = [_buffer(each, path, inside) for each in document.get("buffers", [])]
    except (ValueError, KeyError, TypeError, struct.error, RecursionError) as error:
        raise SceneError(f"{path}: is no glTF 2.0 file ({error!r:.100}); export it again") from error
    return Gltf(path, document, buffers)


def _buffer(about: dict[str, Any], path: Path, inside: bytes) -> bytes:
    if "uri" not in about:
        return inside
    uri = str(about["uri"])
    if uri.startswith("data:"):
        try:
            return base64.b64decode(uri.partition(",")[2], validate=True)
        except binascii.Error as error:
            raise SceneError(f"{path}: the buffer inside it is damaged; export it again") from error
    place = (path.parent / uri).resolve()
    if path.parent.resolve() not in place.parents:
        raise SceneError(f"{path}: its buffer {uri[:60]!r} is outside its folder; copy it there")
    try:
        return place.read_bytes()
    except OSError as error:
        raise_os_error(error, place, SceneError, "read")


def pack_gltf(document: dict[str, Any], buffer: bytes, binary: bool) -> bytes:
    """Return the bytes of a ``.glb``, or of a ``.gltf`` with the buffer inside."""
    buffer += b"\0" * (-len(buffer) % 4)
    if buffer:
        document = {**document, "buffers": [{"byteLength": len(buffer)}]}
    if not binary:
        if buffer:
            text = base64.b64encode(buffer).decode()
            document["buffers"][0]["uri"] = f"data:application/octet-stream;base64,{text}"
        return (json.dumps(document, indent=1) + "\n").encode()
    head = json.dumps(document).encode()
    head += b" " * (-len(head) % 4)
    chunks = struct.pack("<II", len(head), _JSON) + head
    if buffer:
        chunks += struct.pack("<II", len(buffer), _BIN) + buffer
    return struct.pack("<4sII", b"glTF", 2, 12 + len(chunks)) + chunks


CAPTURE_NODE = "capture_to_gltf"
"""Name of the node whose children have the numbers of the capture's world."""


def capture_node(up: Sequence[float], metres_per_unit: float, children: Sequence[int]) -> dict[str, Any]:
    """Return the node above all that a capture has: it turns its up to +Y and makes metres of its unit.

    Args:
        up: Direction of the capture's world that points up.
        metres_per_unit: Length of its unit.
        children: Numbers of the nodes below.
    """
    return {
        "name": CAPTURE_NODE,
        "rotation": turn_to_y(up),
        "scale": [metres_per_unit] * 3,
        "children": list(children),
    }


def turn_to_y(up: Sequence[float]) -> list[float]:
    """Return the shortest turn from a direction to +Y, as the quaternion (x, y, z, w) of a glTF node."""
    x, y, z = np.asarray(up, float) / np.linalg.norm(up)
    if y < -1 + 1e-12:
        return [1.0, 0.0, 0.0, 0.0]
    turn = np.array([-z, 0.0, x, 1 + y])
    return [float(value) for value in turn / np.linalg.norm(turn)]
