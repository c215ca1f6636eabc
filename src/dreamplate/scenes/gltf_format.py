"""Cameras in glTF 2.0 (``.gltf``, ``.glb``): a perspective camera on an animated node.

Nodes look along -Z with +Y up, as ours. Positions and rotations are animated as 32-bit numbers. As in a mesh
of the capture, one node above (``capture_node``) turns its world to +Y up and metres, so that both line up
wherever they are opened; what is read is brought back to the capture's world through that node. A camera
there has one vertical field of view, an aspect ratio and no more; size, principal point, focal lengths over
time and lens stand in its ``extras.dreamplate``, which other programs skip. Animations run in seconds: a
frame is time times the rate.
"""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from dreamplate.errors import DreamplateError, SceneError
from dreamplate.files import write_bytes_atomic
from dreamplate.plate.camera import Camera
from dreamplate.scenes.camera_json import camera_from_json, camera_to_json, track_from_json, track_to_json
from dreamplate.scenes.camera_track import CameraTrack
from dreamplate.scenes.gltf_file import CAPTURE_NODE, Curves, Gltf, capture_node, pack_gltf, read_gltf_file
from dreamplate.scenes.rotations import quaternion_of

__all__ = ["read_gltf", "write_gltf"]

_RATES = (24.0, 25.0, 30.0, 48.0, 50.0, 60.0, 24000 / 1001, 30000 / 1001, 60000 / 1001)


def read_gltf(
    path: str | Path, *, size: tuple[int, int] | None = None, camera: str | None = None
) -> CameraTrack:
    """Read a camera from a glTF file, with every transform above it.

    Args:
        path: ``.gltf`` or ``.glb``.
        size: Width and height of the pictures, needed where the file is not ours.
        camera: Name of the camera's node, where the file has several.

    Raises:
        SceneError: It cannot be used, the size is not known, or its keys lie on no usual frame rate.
    """
    place = Path(path)
    file = read_gltf_file(place)
    try:
        return _read(file, size, camera)
    except (KeyError, TypeError, IndexError, ValueError) as error:
        raise SceneError(f"{place}: is damaged ({error!r:.100}); export it again") from error


def _read(file: Gltf, size: tuple[int, int] | None, wanted: str | None) -> CameraTrack:
    place = file.path
    nodes = file.json.get("nodes", [])
    named = {str(n.get("name", f"node {i}")): i for i, n in enumerate(nodes) if "camera" in n}
    if not named:
        raise SceneError(f"{place}: has no camera; export one")
    if len(named) > 1 if wanted is None else wanted not in named:
        said = "several cameras" if wanted is None else f"no camera {wanted!r}"
        raise SceneError(f"{place}: has {said}; choose --camera among {', '.join(named)}")
    name = wanted or next(iter(named))
    node = named[name]
    seen = file.json["cameras"][nodes[node]["camera"]]
    where = f"{place}: {name}"
    extras = seen.get("extras")
    own = extras.get("dreamplate") if isinstance(extras, dict) else None
    own = own if isinstance(own, dict) else {}
    parents, curves = file.parents(), file.curves()
    chain = _chain(node, parents, where)
    roots = [number for number, each in enumerate(nodes) if each.get("name") == CAPTURE_NODE]
    above = _chain(roots[0], parents, where) if len(roots) == 1 else []
    times = sorted({float(t) for (n, _), (keys, _, _) in curves.items() if n in chain for t in keys})
    rate = float(own["rate"]) if "rate" in own else _rate(times, where)
    first, last = (round(t * rate) for t in (times[0], times[-1])) if times else (0, 0)
    if "frame" in own and not times:
        first = last = int(own["frame"])
    listed = own.get("cameras", [])
    cameras = {}
    for frame in range(first, last + 1):
        pose, world = (_placed(file, nodes, frame / rate, curves) for nodes in (chain, above))
        pose = np.asarray(np.linalg.solve(world, pose), np.float64) if above else pose
        stretch = np.linalg.norm(pose[:3, :3], axis=0)
        if np.ptp(stretch) < 1e-4 * stretch.max():
            pose[:3, :3] /= stretch
        entry = next((each for each in reversed(listed) if int(each["frame"]) <= frame), None)
        try:
            cameras[frame] = _camera(seen, entry, pose, size, where)
        except DreamplateError as error:
            raise error if isinstance(error, SceneError) else SceneError(f"{where}: {error}") from error
    return track_from_json({"name": name, **own}, cameras, str(place))


def _chain(node: int, parents: dict[int, int], where: str) -> list[int]:
    """Return a node and all above it."""
    chain = [node]
    while chain[-1] in parents:
        if parents[chain[-1]] in chain:
            raise SceneError(f"{where}: a node is its own parent; export it again")
        chain.append(parents[chain[-1]])
    return chain


def _placed(file: Gltf, chain: list[int], time: float, curves: Curves) -> npt.NDArray[np.float64]:
    pose = np.eye(4)
    for each in chain:
        pose = file.local(each, time, curves) @ pose
    return pose


def _rate(times: list[float], where: str) -> float:
    for rate in _RATES:
        if all(abs(time * rate - round(time * rate)) < 1e-3 for time in times):
            return rate
    raise SceneError(f"{where}: its keys lie on no frames of a usual rate; bake it at 24 frames a second")


def _camera(seen: dict[str, Any], entry: Any, pose: Any, size: tuple[int, int] | None, where: str) -> Camera:
    if entry is not None:
        return camera_from_json({**entry, "camera_to_world": np.eye(4)}, where).placed(pose)
    if seen.get("type") != "perspective":
        raise SceneError(f"{where}: is {seen.get('type')}; only perspective cameras are known here")
    if size is None:
        raise SceneError(f"{where}: glTF cameras state no picture size; give --size WIDTH HEIGHT")
    about = seen["perspective"]
    width, height = size
    fy = height / 2 / math.tan(float(about["yfov"]) / 2)
    aspect = float(about.get("aspectRatio", width / height))
    return Camera(width, height, fy * width / height / aspect, fy, width / 2, height / 2, pose)


def write_gltf(track: CameraTrack, path: str | Path) -> None:
    """Write a glTF file with one camera.

    Raises:
        SceneError: The file cannot be written, or a frame is below 0, which glTF has no time for.
    """
    place = Path(path)
    if track.frames[0] < 0:
        raise SceneError(f"{place}: frame {track.frames[0]}: glTF has no time below 0; shift the frames")
    rate = track.fps or 24.0
    first = next(iter(track.cameras.values()))
    lens: dict[str, Any] = {
        "yfov": 2 * math.atan(first.height / 2 / first.fy),
        "aspectRatio": first.width / first.fx / (first.height / first.fy),
        "znear": 0.01,
    }
    metres = track.metres_per_unit or 1.0
    if track.near_far is not None:
        lens |= {"znear": track.near_far[0] * metres, "zfar": track.near_far[1] * metres}
    entries: list[dict[str, Any]] = []
    for frame, camera in track.cameras.items():
        entry = camera_to_json(camera.with_(end=None))
        del entry["camera_to_world"]
        if not entries or entry != {key: value for key, value in entries[-1].items() if key != "frame"}:
            entries.append({"frame": frame, **entry})
    own = {**track_to_json(track), "rate": rate, "frame": track.frames[0], "cameras": entries}
    name = track.name or "camera"
    turns = [quaternion_of(camera.camera_to_world[:3, :3]) for camera in track.cameras.values()]
    for number in range(1, len(turns)):
        if turns[number] @ turns[number - 1] < 0:
            turns[number] = -turns[number]
    places = [camera.position for camera in track.cameras.values()]
    node: dict[str, Any] = {
        "name": name,
        "camera": 0,
        "translation": places[0].tolist(),
        "rotation": np.roll(turns[0], -1).tolist(),
    }
    document: dict[str, Any] = {
        "asset": {"version": "2.0", "generator": "Dreamplate"},
        "scene": 0,
        "scenes": [{"nodes": [0]}],
        "nodes": [capture_node((0, 1, 0) if track.up == "y" else (0, 0, 1), metres, [1]), node],
        "cameras": [
            {"name": name, "type": "perspective", "perspective": lens, "extras": {"dreamplate": own}}
        ],
    }
    buffer = b""
    if len(track) > 1:
        tables = (
            ("SCALAR", np.array(track.frames)[:, None] / rate),
            ("VEC3", np.array(places)),
            ("VEC4", np.roll(np.array(turns), -1, axis=1)),
        )
        document |= {"accessors": [], "bufferViews": []}
        for number, (kind, table) in enumerate(tables):
            data = table.astype("<f4")
            about = {"bufferView": number, "componentType": 5126, "count": len(data), "type": kind}
            if kind == "SCALAR":
                about |= {"min": [float(data.min())], "max": [float(data.max())]}
            document["accessors"].append(about)
            document["bufferViews"].append(
                {"buffer": 0, "byteOffset": len(buffer), "byteLength": data.nbytes}
            )
            buffer += data.tobytes()
        channels = [
            {"sampler": number, "target": {"node": 1, "path": part}}
            for number, part in enumerate(("translation", "rotation"))
        ]
        samplers = [{"input": 0, "output": output, "interpolation": "LINEAR"} for output in (1, 2)]
        document["animations"] = [{"name": name, "channels": channels, "samplers": samplers}]
    write_bytes_atomic(place, pack_gltf(document, buffer, place.suffix.lower() == ".glb"), family=SceneError)
