"""Files of pictures of worlds: a folder with a sub-folder for each pass, or tar shards.

A folder ``DIR`` holds, for every picture NAME:

    rgb/NAME.png       what a display shows       camera/NAME.json   the camera, exact
    caption/NAME.txt   captions, one a line       spec/NAME.yaml     the world
    facts/NAME.json    facts                      label/NAME.png     class ids, 8 bits grey
    instance/NAME.png  ids, 16 bits grey          line/NAME.png      contour drawing
    layers/NAME.exr    every pass that was asked for, scene-linear, in one file

and ``palette.json`` names the classes. A shard holds ``NAME.png NAME.txt NAME.json`` and, of the passes asked
for, ``NAME_label.png`` and so on.
"""

from __future__ import annotations

import io
import json
import tarfile
import tempfile
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from dreamplate.errors import MediaError
from dreamplate.files import atomic_path, raise_os_error, write_bytes_atomic
from dreamplate.plate.io import read, write
from dreamplate.plate.plate import MetaValue, Plate
from dreamplate.scenes.camera_json import camera_to_json
from dreamplate.scenes.world.classes import PALETTE
from dreamplate.scenes.world.passes import CHANNELS, Frame
from dreamplate.take.config import to_yaml
from dreamplate.take.sheet import contact_sheet

if TYPE_CHECKING:
    from dreamplate.scenes.world.source import Seen

__all__ = [
    "FLAT",
    "HALF",
    "frame_plate",
    "pass_files",
    "write_palette",
    "write_seen",
    "write_shard",
    "write_sheet",
]

FLAT = ("rgb", "label", "instance", "line")
"""Passes that PNG files hold exactly, or as a display shows them."""
HALF = ("rgb", "normal", "albedo", "label", "line")
"""Passes that OpenEXR keeps as half floats; ids of classes are small enough to be exact."""
_BITS = {"instance": "16"}


def pass_files(passes: Sequence[str], layers: str) -> tuple[tuple[str, ...], tuple[tuple[str, ...], ...]]:
    """Return which passes become PNG files, and which groups of passes OpenEXR files.

    Args:
        passes: Asked for.
        layers: ``auto``: one OpenEXR file of everything where a pass needs it; ``one``: always; ``separate``:
            a file for each pass that PNG cannot hold; ``none``: PNG files alone.

    Raises:
        MediaError: PNG files alone cannot hold a pass.
    """
    deep = tuple(name for name in passes if name not in FLAT)
    if layers == "none" and deep:
        raise MediaError(f"passes: PNG cannot hold {' '.join(deep)}; choose --layers one or separate")
    flat = tuple(name for name in passes if name in FLAT)
    if layers == "separate":
        return flat, tuple((name,) for name in deep)
    return flat, (tuple(passes),) if deep or layers == "one" else ()


def frame_plate(
    frame: Frame, passes: Sequence[str], metadata: Mapping[str, MetaValue]
) -> tuple[Plate, dict[str, str]]:
    """Return some passes of a frame as one plate, and the sample type of each channel."""
    own = Frame({name: frame[name] for name in passes}, frame.camera, frame.time)
    depth = {channel: "half" if name in HALF else "float" for name in passes for channel in CHANNELS[name]}
    return own.plate().with_metadata(**metadata), depth


def write_seen(
    seen: Seen, folder: Path, name: str, passes: Sequence[str], layers: str, recipe: Mapping[str, MetaValue]
) -> None:
    """Write one picture with all that belongs to it; each file appears whole or not at all, rgb last.

    Args:
        seen: The picture.
        folder: Of the set.
        name: Of the picture.
        passes: Asked for.
        layers: As in `pass_files`.
        recipe: Metadata of every picture file.

    Raises:
        MediaError: A file cannot be written.
        ResourceError: The disk is full.
    """
    flat, deep = pass_files(passes, layers)
    files: dict[Path, bytes] = {
        folder / "caption" / f"{name}.txt": "\n".join((*seen.captions, "")).encode(),
        folder / "facts" / f"{name}.json": _json(dict(seen.facts)),
        folder / "camera" / f"{name}.json": _json(camera_to_json(seen.frame.camera)),
        folder / "spec" / f"{name}.yaml": to_yaml(seen.world.spec).encode(),
    }
    groups = {("layers" if len(group) > 1 or layers == "one" else group[0]): group for group in deep}
    places = {path.parent for path in files}
    places |= {(folder / each / name).parent for each in (*flat, *groups)}
    for place in places:
        try:
            place.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise_os_error(error, place, MediaError)
    for path, data in files.items():
        write_bytes_atomic(path, data)
    for part, group in groups.items():
        plate, depth = frame_plate(seen.frame, group, recipe)
        write(plate, folder / part / f"{name}.exr", depth=depth)
    for each in sorted(flat, key=lambda part: part == "rgb"):
        _write_flat(seen, each, folder / each / f"{name}.png", recipe)


def write_shard(
    members: Iterable[tuple[str, Seen]], path: Path, passes: Sequence[str], recipe: Mapping[str, MetaValue]
) -> None:
    """Write a tar shard of pictures; it appears whole or not at all, and is the same bytes every time.

    Args:
        members: Names and pictures, one after the other.
        path: The file.
        passes: Of `FLAT`.
        recipe: Metadata of every picture file.

    Raises:
        MediaError: The file cannot be written.
        ResourceError: The disk is full.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise_os_error(error, path.parent, MediaError)
    with (
        tempfile.TemporaryDirectory(prefix="dreamplate-") as scratch,
        atomic_path(path) as temporary,
        tarfile.open(temporary, "w:") as archive,
    ):
        for name, seen in members:
            for each in passes:
                place = Path(scratch) / "picture.png"
                _write_flat(seen, each, place, recipe)
                _add(archive, f"{name}.png" if each == "rgb" else f"{name}_{each}.png", place.read_bytes())
            _add(archive, f"{name}.txt", "\n".join((*seen.captions, "")).encode())
            _add(archive, f"{name}.json", _json(dict(seen.facts)))


def write_palette(folder: Path) -> None:
    """Write ``palette.json``, by which a folder of label maps is read.

    Raises:
        MediaError: It cannot be written.
    """
    write_bytes_atomic(folder / "palette.json", _json(PALETTE.to_json()))


def write_sheet(folder: Path, count: int, file: Path, recipe: Mapping[str, MetaValue]) -> None:
    """Write the first pictures of a folder side by side.

    Args:
        folder: Of PNG files of one size.
        count: How many of them.
        file: To write.
        recipe: Its metadata.

    Raises:
        MediaError: A picture cannot be read, or the sheet not be written.
    """
    pictures = [read(path) for path in sorted(folder.glob("*.png"))[:count]]
    sheet = contact_sheet(pictures)
    assert sheet is not None  # they are of one size
    write(sheet.with_metadata(**recipe), file)


def _write_flat(seen: Seen, name: str, path: Path, recipe: Mapping[str, MetaValue]) -> None:
    from dreamplate.scenes.world.source import shown

    plate = shown(name, seen.frame[name])
    if name in ("label", "instance"):
        most = 65535 if name in _BITS else 255
        if plate.pixels.max() > most:
            raise MediaError(
                f"{path}: has ids up to {int(plate.pixels.max())}; a PNG holds {most}; use layers"
            )
        plate = plate.with_(pixels=plate.pixels / np.float32(most), colourspace="raw")
    write(plate.with_metadata(**recipe), path, depth=_BITS.get(name, "8"))


def _add(archive: tarfile.TarFile, name: str, data: bytes) -> None:
    info = tarfile.TarInfo(name)
    info.size = len(data)
    archive.addfile(info, io.BytesIO(data))


def _json(data: Any) -> bytes:
    return (json.dumps(data, indent=1, ensure_ascii=False) + "\n").encode()
