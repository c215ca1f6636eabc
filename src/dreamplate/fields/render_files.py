"""Where the frames of a render go, and what their headers say besides pixels.

Standard OpenEXR attributes, as other programs read them (OpenEXR, "Standard Attributes"): points are row
vectors; ``worldToCamera`` goes to axes x right, y up, z **forward**; ``worldToNDC`` to (0, 0) at the top left
and (1, 1) at the bottom right of the display window, after division by w. Beside them ``dreamplate:camera``
holds the camera exactly, lens included, as in ``cameras.json``.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path

import numpy as np

from dreamplate.errors import MediaError
from dreamplate.fields.deep_exr import Deep, write_deep
from dreamplate.fields.pass_sheet import pass_sheet
from dreamplate.fields.passes import CHANNELS
from dreamplate.fields.render_config import RenderConfig
from dreamplate.fields.render_frame import Rendered
from dreamplate.fields.shot import Shot
from dreamplate.files import raise_os_error
from dreamplate.plate.box import MetaValue
from dreamplate.plate.colour import convert
from dreamplate.plate.io import write, write_parts
from dreamplate.plate.plate import Plate
from dreamplate.plate.sequence import Sequence
from dreamplate.plate.summary import info
from dreamplate.scenes.camera_json import camera_to_json
from dreamplate.take.provenance import KEY

__all__ = ["BESIDE", "FIELD_KEY", "camera_attributes", "frame_files", "is_done", "write_frame"]

FIELD_KEY = "dreamplate:field"
"""Header entry: SHA-256 of the learnt state that was rendered."""
BESIDE = (".deep", ".png", ".sheet")
"""What the files beside a flat EXR are called among the files of a frame."""
_HALF = ("beauty", "normal")
_SIDES = {"": "", "left": "_L", "right": "_R"}


def frame_files(config: RenderConfig, frame: int) -> dict[str, Path]:
    """Return the files of a frame by what they hold: ``EYE``, ``EYE.deep``, ``EYE.png``; EYE may be empty.

    Raises:
        ConfigError: The pattern has no place for the frame number.
    """
    stereo = config.stereo.interaxial > 0
    eyes = ("left", "right") if stereo and config.stereo.layout == "files" else ("",)
    files = {eye: _file(config.out, _SIDES[eye], frame) for eye in eyes}
    each = ("left", "right") if stereo else ("",)
    if config.deep:
        files |= {f"{eye}.deep": _file(config.out, f"_deep{_SIDES[eye]}", frame) for eye in each}
    if config.png:
        files |= {f"{eye}.png": _file(config.out, _SIDES[eye], frame).with_suffix(".png") for eye in each}
    if config.sheet:
        sheets = {eye: _file(config.out, f"_sheet{_SIDES[eye]}", frame).with_suffix(".png") for eye in each}
        files |= {f"{eye}.sheet": path for eye, path in sheets.items()}
    return files


def is_done(files: Mapping[str, Path], header: Mapping[str, MetaValue]) -> bool:
    """Return whether all files of a frame are there and were made by this very render of this very field."""
    if not all(path.is_file() for path in files.values()):
        return False
    made = [path for name, path in files.items() if not name.endswith(BESIDE)]
    try:
        found = [info(path).metadata for path in made]
    except MediaError:
        return False
    return all(entry.get(key) == header[key] for entry in found for key in (KEY, FIELD_KEY))


def write_frame(
    rendered: Mapping[str, tuple[Shot, Rendered]],
    files: Mapping[str, Path],
    config: RenderConfig,
    header: Mapping[str, MetaValue],
) -> None:
    """Write the files of a frame, each whole or not at all; the flat EXR last: it vouches for the rest.

    Args:
        rendered: By eye; ``""`` without stereo.
        files: As ``frame_files`` gives them.
        config: Of the render.
        header: Entries for every header.

    Raises:
        MediaError: A file cannot be written.
        ResourceError: The disk is full; files of other frames stay as they are.
    """
    plates = {
        eye: made.plate.with_(metadata={**camera_attributes(shot), **header})
        for eye, (shot, made) in rendered.items()
    }
    for path in files.values():
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise_os_error(error, path.parent, MediaError)
    for eye, (shot, made) in rendered.items():
        if f"{eye}.deep" in files:
            assert made.deep is not None
            _write_deep(made.deep, files[f"{eye}.deep"], shot, header)
        if f"{eye}.png" in files:
            write(display_of(plates[eye]).with_(metadata=dict(header)), files[f"{eye}.png"])
        if f"{eye}.sheet" in files:
            sheet = pass_sheet(plates[eye], config.passes)
            write(sheet.with_(metadata=dict(header)), files[f"{eye}.sheet"])
    depth = {
        channel: config.precision if name in _HALF else "float"
        for name in config.passes
        for channel in CHANNELS[name]
    }
    if "" in files and len(plates) > 1:
        write_parts(plates, files[""], depth=depth)
        return
    for eye, plate in plates.items():
        write(plate, files[eye], depth=depth)


def display_of(plate: Plate) -> Plate:
    """Return what a monitor shows: the display window, colour and alpha, or the first channel in grey."""
    beauty = set("RGBA") <= set(plate.channels)
    shown = plate.select(*"RGBA") if beauty else plate.select(plate.channels[0]).with_(channels=("Y",))
    shown = shown.to_display()
    shown = shown.with_(pixels=np.ascontiguousarray(shown.pixels), metadata={})
    return convert(shown, "srgb_display") if beauty else shown


def camera_attributes(shot: Shot) -> dict[str, MetaValue]:
    """Return what the header of a frame says about its camera."""
    camera = shot.camera
    view = np.diag([1.0, 1.0, -1.0, 1.0]) @ np.linalg.inv(camera.camera_to_world)
    width, height = camera.width, camera.height
    onto = np.array(
        [
            [camera.fx / width, 0, camera.cx / width, 0],
            [0, -camera.fy / height, camera.cy / height, 0],
            [0, 0, 0, 1],
            [0, 0, 1, 0],
        ]
    )
    millimetres = camera.film_width / width
    return {
        "worldToCamera": _single(view.T),
        "worldToNDC": _single((onto @ view).T),
        "pinholeFocalLength": float(np.float32(camera.focal_mm)),
        "sensorOverallDimensions": _single([camera.film_width, millimetres * height]),
        "dreamplate:camera": json.dumps(camera_to_json(camera), separators=(",", ":")),
        "frame": shot.frame,
    }


def _write_deep(deep: Deep, path: Path, shot: Shot, header: Mapping[str, MetaValue]) -> None:
    entries: dict[str, object] = {**camera_attributes(shot), **header}
    for name in ("worldToCamera", "worldToNDC"):
        entries[name] = np.asarray(entries[name], np.float32).reshape(4, 4)
    write_deep(deep, path, entries)


def _single(values: np.ndarray | list[float]) -> tuple[float, ...]:
    """Return numbers as a header keeps them, in single precision."""
    return tuple(float(value) for value in np.asarray(values, np.float32).ravel())


def _file(pattern: Path, mark: str, frame: int) -> Path:
    """Return the file of a frame; a mark goes before the digits: ``r.####.exr`` → ``r_L.1001.exr``."""
    plain = Sequence.parse(pattern, (frame,))
    if not mark:
        return plain.path(frame)
    stem = plain.prefix.rstrip("._-")
    marked = f"{stem}{mark}{plain.prefix[len(stem) :] or '.'}"
    return Sequence(plain.folder, marked, plain.padding, plain.suffix, (frame,)).path(frame)
