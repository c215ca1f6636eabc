"""Our own scene: ``scene.json`` beside ``points.ply``. Exact: every number comes back as it was.

Pictures are named relative to the file, so that a scene can be moved with them. The PLY holds the points for
other programs too: double ``x y z``, ``red green blue``, double ``error`` and int ``track``, little-endian.
"""

from __future__ import annotations

import json
import math
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from dreamplate.errors import DreamplateError, SceneError
from dreamplate.files import raise_os_error, write_bytes_atomic
from dreamplate.scenes.camera_json import camera_from_json, camera_to_json
from dreamplate.scenes.scene import Mask, Points, Scene, View
from dreamplate.scenes.views import Listed, gather

__all__ = ["read_scene_file", "write_scene"]

FORMAT = "dreamplate scene"
VERSION = 1
POINTS = "points.ply"

_POINT = np.dtype(
    {
        "names": ["x", "y", "z", "red", "green", "blue", "error", "track"],
        "formats": ["<f8", "<f8", "<f8", "u1", "u1", "u1", "<f8", "<i4"],
    }
)
_PLY_TYPES = {"<f8": "double", "|u1": "uchar", "<i4": "int"}


def write_scene(scene: Scene, folder: str | os.PathLike[str]) -> Path:
    """Write ``scene.json``, and ``points.ply`` where there are points; pictures stay where they are.

    Args:
        scene: What to write.
        folder: Where; it is made when absent.

    Returns:
        The path of ``scene.json``.

    Raises:
        SceneError: The folder cannot be written.
        ResourceError: The disk is full.
    """
    root = Path(folder)
    try:
        root.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise_os_error(error, root, SceneError)
    data: dict[str, Any] = {
        "format": FORMAT,
        "version": VERSION,
        "kind": scene.kind,
        "up": list(scene.up),
        "box": None if scene.box is None else np.asarray(scene.box, float).tolist(),
        "near_far": scene.near_far and list(scene.near_far),
        "forward_facing": scene.forward_facing,
        "background": scene.background and list(scene.background),
        "missing": list(scene.missing),
        "notes": dict(scene.notes),
        "points": POINTS if scene.points is not None else None,
        "views": [_view_entry(view, root) for view in scene.views],
    }
    if scene.points is not None:
        write_bytes_atomic(root / POINTS, _ply(scene.points), family=SceneError)
    place = root / "scene.json"
    text = json.dumps(data, indent=1, ensure_ascii=False, allow_nan=False) + "\n"
    write_bytes_atomic(place, text.encode(), family=SceneError)
    return place


def read_scene_file(path: Path, holdout: int = 0, images: str = "") -> Scene:
    """Read ``scene.json``.

    Views whose photographs are no longer there are left out and named in ``missing``. The file says which
    views are for testing and where the photographs are, so ``holdout`` and ``images`` are not used.

    Raises:
        SceneError: It is damaged, of a newer version, or none of its views can be used.
    """
    try:
        data = json.loads(path.read_bytes())
    except OSError as error:
        raise_os_error(error, path, SceneError, "read")
    except (ValueError, RecursionError) as error:
        raise SceneError(
            f"{path}: is damaged ({' '.join(str(error).split())[:120]}); copy it again"
        ) from error
    if not isinstance(data, dict) or data.get("format") != FORMAT:
        raise SceneError(f"{path}: is no {FORMAT} (its format entry says otherwise); give another file")
    if data.get("version") != VERSION:
        raise SceneError(
            f"{path}: is of version {data.get('version')!r}, this program reads {VERSION}; update Dreamplate"
        )
    try:
        listed = [_listed(entry, path.parent) for entry in data["views"]]
        found = gather(path, listed)
        box, near_far, background = data["box"], data["near_far"], data["background"]
        return Scene(
            path,
            str(data["kind"]),
            tuple(found.views),
            points=None if data["points"] is None else _read_ply(path.parent / str(data["points"])),
            up=_numbers(data["up"], 3),
            box=None if box is None else np.array([_numbers(corner, 3) for corner in box]).reshape(2, 3),
            near_far=None if near_far is None else _numbers(near_far, 2),
            forward_facing=bool(data["forward_facing"]),
            background=None if background is None else _numbers(background, 3),
            missing=(*map(str, data["missing"]), *found.missing),
            notes={**{str(k): str(v) for k, v in data["notes"].items()}, **found.notes},
        )
    except DreamplateError:
        raise
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise SceneError(
            f"{path}: an entry is missing or of another type ({error!r}); copy it again"
        ) from error


def _view_entry(view: View, root: Path) -> dict[str, Any]:
    mask = view.mask
    return {
        "name": view.name,
        "image": _relative(view.image, root),
        "split": view.split,
        "mask": mask and {"path": _relative(mask.path, root), "marks": mask.marks, "meaning": mask.meaning},
        "depth": view.depth and _relative(view.depth, root),
        "depth_scale": view.depth_scale,
        "depth_kind": view.depth_kind,
        "exposure": view.exposure,
        "camera": camera_to_json(view.camera),
    }


def _listed(entry: Mapping[str, Any], root: Path) -> Listed:
    mask, depth = entry["mask"], entry["depth"]
    if entry["split"] not in ("train", "val", "test") or entry["depth_kind"] not in ("z", "range"):
        raise ValueError(f"split {entry['split']!r} or depth_kind {entry['depth_kind']!r} is unknown")
    if mask is not None and (
        mask["marks"] not in ("dark", "light", "nonzero") or mask["meaning"] not in ("ignore", "transparent")
    ):
        raise ValueError(f"mask {mask!r} is unknown")
    return Listed(
        str(entry["name"]),
        root / str(entry["image"]),
        lambda width, height: camera_from_json(entry["camera"], str(entry["name"])),
        split=entry["split"],
        mask=None if mask is None else Mask(root / str(mask["path"]), mask["marks"], mask["meaning"]),
        depth=None if depth is None else root / str(depth),
        depth_scale=float(entry["depth_scale"]),
        depth_kind=entry["depth_kind"],
        exposure=entry["exposure"],
    )


def _numbers(values: Any, count: int) -> Any:
    found = tuple(float(value) for value in values)
    if len(found) != count or not all(map(math.isfinite, found)):
        raise ValueError(f"need {count} finite numbers, found {values!r}")
    return found


def _relative(path: Path, root: Path) -> str:
    try:
        return Path(os.path.relpath(path.absolute(), root.absolute())).as_posix()
    except ValueError:  # on another drive
        return str(path.absolute())


def _header(count: int) -> bytes:
    properties = "".join(f"property {_PLY_TYPES[_POINT[name].str]} {name}\n" for name in _POINT.names or ())
    return f"ply\nformat binary_little_endian 1.0\nelement vertex {count}\n{properties}end_header\n".encode()


def _ply(points: Points) -> bytes:
    table = np.zeros(len(points.positions), _POINT)
    for axis, name in enumerate("xyz"):
        table[name] = points.positions[:, axis]
    for channel, name in enumerate(("red", "green", "blue")):
        table[name] = points.colours[:, channel]
    table["error"], table["track"] = points.errors, points.tracks
    return _header(len(table)) + table.tobytes()


def _read_ply(path: Path) -> Points:
    try:
        data = path.read_bytes()
    except OSError as error:
        raise_os_error(error, path, SceneError, "read")
    head, mark, body = data.partition(b"end_header\n")
    count = len(body) // _POINT.itemsize
    if head + mark != _header(count) or len(body) != count * _POINT.itemsize:
        raise SceneError(f"{path}: is damaged or was changed by another program; capture again")
    table = np.frombuffer(body, _POINT)
    return Points(
        np.stack([table[name] for name in "xyz"], axis=1),
        np.stack([table[name] for name in ("red", "green", "blue")], axis=1),
        table["error"].astype(np.float64),
        table["track"].astype(np.int64),
    )
