"""Nuke's Camera nodes (``.nk``): baked curves to and from cameras.

A Nuke camera puts a point at ``focal / haperture * x / z - win_translate``, in units of half the picture's
*width* for both axes, then divides by ``win_scale``; ``vaperture`` says nothing. So an off-centre principal
point is ``win_translate``, and focal lengths that differ are ``win_scale``. Nuke counts pixels from the
bottom. The picture size is not in the node; files written here say it in a comment.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np

from dreamplate.errors import DreamplateError, SceneError
from dreamplate.files import raise_os_error, write_bytes_atomic
from dreamplate.plate.camera import Camera
from dreamplate.scenes.camera_json import track_from_json, track_to_json
from dreamplate.scenes.camera_track import CameraTrack
from dreamplate.scenes.nuke_script import Curve, NukeNode, numbers_or_curves, parse_script
from dreamplate.scenes.rotations import angles_zxy, matrix_of_angles

__all__ = ["read_nuke", "write_nuke"]

_HEAD = "# dreamplate "
_KINDS = ("Camera", "Camera2", "Camera3", "Camera4")
_KNOBS = {
    "translate": (3, "0"),
    "rotate": (3, "0"),
    "focal": (1, "50"),
    "haperture": (1, "24.576"),
    "win_translate": (2, "0"),
    "win_scale": (2, "1"),
    "winroll": (1, "0"),
    "scaling": (3, "1"),
    "uniform_scale": (1, "1"),
    "skew": (3, "0"),
    "pivot": (3, "0"),
}
"""Knob → how many numbers, and what a node that does not mention it has."""


def read_nuke(
    path: str | Path, *, size: tuple[int, int] | None = None, camera: str | None = None
) -> CameraTrack:
    """Read a Camera node from a Nuke script.

    Args:
        path: The script.
        size: Width and height of the pictures, needed where the script does not say.
        camera: Name of the node, where the script has several.

    Raises:
        SceneError: It cannot be used; curves with expressions or gaps must be baked in Nuke.
    """
    place = Path(path)
    try:
        text = place.read_text(encoding="utf-8")
    except OSError as error:
        raise_os_error(error, place, SceneError, "read")
    except UnicodeDecodeError as error:
        raise SceneError(f"{place}: is no text; need a Nuke script") from error
    nodes = parse_script(text, str(place))
    node = _choose([each for each in nodes if each.kind in _KINDS], camera, place)
    head = _head(text, place)
    about = head.get(node.knobs.get("name", ""), {})
    size = tuple(about["size"]) if "size" in about else _root_size(nodes) or size
    if size is None:
        raise SceneError(f"{place}: Camera nodes state no picture size; give --size WIDTH HEIGHT")
    name = node.knobs.get("name", "camera")
    parented = node.knobs.get("inputs", "1").split()[0] != "0"
    if parented and any(each.kind.startswith("Axis") for each in nodes):
        raise SceneError(f"{place}: {name} hangs on another node; bake it to world coordinates in Nuke")
    if node.knobs.get("read_from_file") == "true":
        raise SceneError(f"{place}: {name} reads another file; convert that file, or bake the camera in Nuke")
    where = f"{place}: {name}"
    knobs = {
        knob: numbers_or_curves(node.knobs.get(knob, usual), count, f"{where}.{knob}")
        for knob, (count, usual) in _KNOBS.items()
    }
    if node.knobs.get("useMatrix") == "true":
        knobs["matrix"] = numbers_or_curves(_flat(node.knobs.get("matrix", "")), 16, f"{where}.matrix")
    keys = [key for knob in knobs.values() for each in knob if isinstance(each, Curve) for key in each.frames]
    frames = range(round(min(keys)), round(max(keys)) + 1) if keys else [int(about.get("frame", 1))]
    order = node.knobs.get("rot_order", "ZXY")
    if sorted(order) != ["X", "Y", "Z"]:
        raise SceneError(f"{where}: rot_order is {order}; need one such as ZXY")
    cameras = {}
    for frame in frames:
        at = {
            knob: [each.at(frame, f"{where}.{knob}") if isinstance(each, Curve) else each for each in values]
            for knob, values in knobs.items()
        }
        try:
            cameras[frame] = _camera(at, size, order, where)
        except DreamplateError as error:
            raise error if isinstance(error, SceneError) else SceneError(f"{where}: {error}") from error
    return track_from_json({"name": name, **about}, cameras, str(place))


def _choose(cameras: list[NukeNode], name: str | None, place: Path) -> NukeNode:
    named = {each.knobs.get("name", each.kind): each for each in cameras}
    if not named:
        raise SceneError(f"{place}: has no Camera node; need one of {', '.join(_KINDS)}")
    if name is None and len(named) == 1:
        return next(iter(named.values()))
    if name not in named:
        said = "several cameras" if name is None else f"no camera {name!r}"
        raise SceneError(f"{place}: has {said}; choose --camera among {', '.join(named)}")
    return named[name]


def _head(text: str, place: Path) -> dict[str, Any]:
    for line in text.splitlines():
        if line.startswith(_HEAD):
            try:
                found = json.loads(line[len(_HEAD) :])
                return found if isinstance(found, dict) else {}
            except ValueError as error:
                raise SceneError(
                    f"{place}: its comment is damaged ({error}); write the file again"
                ) from error
    return {}


def _root_size(nodes: list[NukeNode]) -> tuple[int, int] | None:
    """Return the size of the script's format: ``"1920 1080 0 0 1920 1080 1 HD_1080"``."""
    for node in nodes:
        words = node.knobs.get("format", "").split()
        if node.kind == "Root" and len(words) > 6 and words[0].isdigit() and words[1].isdigit():
            if float(words[6]) != 1:
                return None
            return int(words[0]), int(words[1])
    return None


def _flat(matrix: str) -> str:
    """Return a matrix's numbers in one list: its rows are lists of their own."""
    depth, flat = 0, []
    for sign in matrix:
        depth += (sign == "{") - (sign == "}")
        flat.append(" " if (sign == "{" and depth == 1) or (sign == "}" and depth == 0) else sign)
    return "".join(flat)


def _camera(at: dict[str, list[float]], size: tuple[int, int], order: str, where: str) -> Camera:
    for knob in ("winroll", "scaling", "uniform_scale", "skew", "pivot"):
        if any(abs(value - float(_KNOBS[knob][1])) > 1e-9 for value in at[knob]):
            raise SceneError(f"{where}: {knob} is {at[knob]}, which is not known here; set it back and bake")
    pose = np.eye(4)
    pose[:3, :3], pose[:3, 3] = matrix_of_angles(at["rotate"], order), at["translate"]
    if "matrix" in at:
        pose = np.array(at["matrix"]).reshape(4, 4)
    width, height = size
    focal = at["focal"][0] / at["haperture"][0] * width if at["haperture"][0] else 0.0
    (u, v), (wide, high) = at["win_translate"], at["win_scale"]
    if not wide or not high:
        raise SceneError(f"{where}: win_scale is {wide} {high}; need numbers above 0")
    return Camera(
        width,
        height,
        focal / wide,
        focal / high,
        width / 2 * (1 - u / wide),
        height / 2 + v / high * width / 2,
        pose,
        film_width=at["haperture"][0],
    )


def write_nuke(track: CameraTrack, path: str | Path) -> None:
    """Write a script with one Camera2 node; paste it, or insert it into a script. Lenses are not in it.

    Raises:
        SceneError: The file cannot be written.
    """
    rows = []
    angles = None
    for camera in track.cameras.values():
        angles = angles_zxy(camera.camera_to_world[:3, :3], angles)
        high = camera.fx / camera.fy
        across = 2 / camera.width
        shift = ((camera.width / 2 - camera.cx) * across, (camera.cy - camera.height / 2) * across * high)
        film = camera.film_width
        tall = film * high * camera.height / camera.width
        rows.append([*camera.position, *angles, camera.focal_mm, film, tall, *shift, 1.0, high])
    table = np.array(rows, dtype=np.float64)
    frames = track.frames

    linear = " L" if frames[-1] - frames[0] >= len(frames) else ""

    def knob(*columns: int) -> str:
        if np.ptp(table[:, list(columns)], axis=0).max() == 0:
            return "{" + " ".join(repr(float(table[0, column])) for column in columns) + "}"
        curves = []
        for column in columns:
            keys = ""
            for number, (frame, value) in enumerate(zip(frames, table[:, column], strict=True)):
                # Without a frame the step before is repeated, so a gap must be closed by two of them.
                recent = frames[max(0, number - 2) : number + 1]
                new = number == 0 or recent != tuple(range(frame + 1 - len(recent), frame + 1))
                keys += (f"{linear} x{frame} " if new or linear else " ") + repr(float(value))
            curves.append("{curve" + keys + "}")
        return "{" + " ".join(curves) + "}"

    name = "".join(c if c.isalnum() or c == "_" else "_" for c in track.name) or "Camera1"
    name = name if name[0].isalpha() else f"Camera_{name}"
    first = next(iter(track.cameras.values()))
    head = {name: {"size": [first.width, first.height], "frame": frames[0], **track_to_json(track)}}
    lines = [
        _HEAD + json.dumps(head),
        "# Pixels of the size above; rotation order ZXY; win_translate in halves of the width.",
        "Camera2 {",
        " inputs 0",
        " rot_order ZXY",
        f" translate {knob(0, 1, 2)}",
        f" rotate {knob(3, 4, 5)}",
        f" focal {knob(6)}",
        f" haperture {knob(7)}",
        f" vaperture {knob(8)}",
        f" win_translate {knob(9, 10)}",
        f" win_scale {knob(11, 12)}",
        f" name {name}",
        "}",
    ]
    if track.near_far is not None:
        lines[-2:-2] = [f" near {track.near_far[0]!r}", f" far {track.near_far[1]!r}"]
    write_bytes_atomic(path, ("\n".join(lines) + "\n").encode(), family=SceneError)
