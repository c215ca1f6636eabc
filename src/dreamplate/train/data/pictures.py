"""Reading one part of an example: a file, a member of a shard, one half, or some layers of it."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from dreamplate.errors import MediaError
from dreamplate.files import raise_os_error
from dreamplate.plate.io import read
from dreamplate.plate.label_files import LabelMap, read_label_map
from dreamplate.plate.libraries import guarded, one_line, openimageio
from dreamplate.plate.plate import Plate
from dreamplate.plate.reader import PlateReader
from dreamplate.train.data.listing import Ref

__all__ = ["read_map", "read_picture", "resolve_layers", "sample_type"]


def read_picture(ref: Ref) -> tuple[Plate, str]:
    """Return the picture, cut or padded to its display window, and the sample type of its file.

    Raises:
        MediaError: It cannot be read, or lacks a layer.
    """
    with _on_disk(ref) as path:
        if ref.suffix == ".webp":
            plate, kind = _read_webp(path), "uint8"
        else:
            with PlateReader(path) as reader:
                kind = reader.parts[0].types[0]
                names = resolve_layers(ref.layers, reader.parts[0].channels, str(ref)) or None
            plate = read(path, channels=names)
    if plate.display != plate.data:
        plate = plate.to_display()
    return (_half(plate, ref), kind) if ref.half else (plate, kind)


def read_map(ref: Ref) -> LabelMap:
    """Return a label map, exactly as it is stored.

    Raises:
        MediaError: It cannot be read; see ``plate.label_files``.
    """
    with _on_disk(ref) as path:
        stored = read_label_map(path, ref.layers[0] if ref.layers else "")
    if not ref.half:
        return stored
    width = stored.values.shape[1]
    if width % 2:
        raise MediaError(f"{ref}: is {width} pixels wide; two pictures side by side need an even width")
    sides = slice(0, width // 2) if ref.half == 1 else slice(width // 2, width)
    return replace(stored, values=stored.values[:, sides])


def sample_type(ref: Ref) -> tuple[str, tuple[str, ...], bool]:
    """Return the sample type of a file, its channels, and whether it is an indexed PNG.

    Raises:
        MediaError: Its header cannot be read.
    """
    with _on_disk(ref) as path:
        if ref.suffix == ".webp":
            return "uint8", ("R", "G", "B"), False
        with PlateReader(path) as reader:
            part = reader.parts[0]
        indexed = False
        if ref.suffix == ".png":
            with path.open("rb") as file:
                indexed = file.read(26)[25:] == b"\x03"
        return part.types[0], part.channels, indexed


def resolve_layers(layers: tuple[str, ...], channels: tuple[str, ...], name: str) -> tuple[str, ...]:
    """Return the channels that layer names mean: ``rgb``, ``rgba``, a layer ``N``, a channel ``Z``.

    Raises:
        MediaError: There is no such layer or channel; lists what there is.
    """
    probe = Plate(np.zeros((1, 1, len(channels)), np.float32), channels)
    found: list[str] = []
    for layer in layers:
        if layer.lower() in ("rgb", "rgba"):
            wanted = list(layer.upper())
        elif layer in channels:
            wanted = [layer]
        else:
            order = {suffix: rank for rank, suffix in enumerate("RGBAxyzw")}
            wanted = [c for c in probe.channels if c.rpartition(".")[0] == layer]
            wanted.sort(key=lambda c: order.get(c.rpartition(".")[2], len(order)))
        missing = [c for c in wanted if c not in channels] or ([] if wanted else [layer])
        if missing:
            raise MediaError(f"{name}: has no layer or channel {missing[0]!r}; it has {' '.join(channels)}")
        found += [c for c in wanted if c not in found]
    return tuple(found)


def _half(plate: Plate, ref: Ref) -> Plate:
    if plate.width % 2:
        raise MediaError(f"{ref}: is {plate.width} pixels wide; two pictures side by side need an even width")
    middle = plate.width // 2
    sides = slice(0, middle) if ref.half == 1 else slice(middle, plate.width)
    return plate.with_(pixels=plate.pixels[:, sides])


@contextmanager
def _on_disk(ref: Ref) -> Iterator[Path]:
    """Yield a file that decoders can open; that of a shard's member lives while it is read."""
    if not ref.member:
        yield ref.path
        return
    try:
        with ref.path.open("rb") as shard:
            shard.seek(ref.start)
            data = shard.read(ref.size)
    except OSError as error:
        raise_os_error(error, ref.path, MediaError, "read")
    if len(data) < ref.size:
        raise MediaError(f"{ref}: the shard is cut short; copy it again")
    with tempfile.TemporaryDirectory(prefix="dreamplate-") as folder:
        place = Path(folder) / f"member{ref.suffix}"
        try:
            place.write_bytes(data)
        except OSError as error:
            raise_os_error(error, place, MediaError)
        try:
            yield place
        except MediaError as error:
            raise MediaError(str(error).replace(str(place), str(ref))) from error


def _read_webp(path: Path) -> Plate:
    """Read an 8-bit WebP, which plates otherwise leave to others: photographs often come in it."""
    oiio: Any = openimageio()
    with guarded(path):
        source = oiio.ImageInput.open(str(path))
        if source is None:
            raise MediaError(f"{path}: cannot be read ({one_line(oiio.geterror())}); copy it again")
        try:
            if source.format_name() != "webp":
                raise MediaError(f"{path}: holds {source.format_name()}, its name says otherwise; rename it")
            pixels = source.read_image(0, 0, 0, min(3, source.spec().nchannels), oiio.UINT8)
            if pixels is None:
                raise MediaError(f"{path}: cannot be read ({one_line(source.geterror())}); copy it again")
        finally:
            source.close()
    return Plate.from_rgb(np.asarray(pixels), "srgb_display")
