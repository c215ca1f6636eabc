"""Reading picture files: the header first, then as few rows and channels as are asked for."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Any

import numpy as np

from dreamplate.errors import MediaError, MediaLimitError
from dreamplate.plate.attributes import clean_metadata, file_colourspace
from dreamplate.plate.bands import Run, bands, runs
from dreamplate.plate.formats import FORMATS, Format, sniff
from dreamplate.plate.libraries import guarded, hushed, one_line, openimageio
from dreamplate.plate.limits import Limits
from dreamplate.plate.note import NOTE_KEY, Note, read_note
from dreamplate.plate.plate import Box, MetaValue, Pixels, Plate
from dreamplate.plate.trailer import check_jpeg_end, check_jpeg_size, read_trailer


@dataclass(frozen=True)
class PartInfo:
    """What the header says about one picture of a file.

    Attributes:
        name: Part name (OpenEXR multi-part), else ``""``.
        channels: Channel names.
        types: Sample type of each channel as stored: ``half float uint uint8 uint16 …``.
        data_window: Where the pixels lie.
        display_window: The frame.
        colourspace: Canonical or OpenColorIO name.
        compression: As stored.
        tile: Tile width and height, or None for rows.
        deep: Whether it holds deep samples (these are not read).
        straight: Whether alpha is straight in the file (plates are premultiplied).
        metadata: Free entries, ``dreamplate`` (the provenance) among them.
    """

    name: str
    channels: tuple[str, ...]
    types: tuple[str, ...]
    data_window: Box
    display_window: Box
    colourspace: str
    compression: str
    tile: tuple[int, int] | None = None
    deep: bool = False
    straight: bool = False
    metadata: Mapping[str, MetaValue] = field(default_factory=dict)


class PlateReader:
    """An open picture file. Its header is read and checked; pixels are decoded on request.

    Use it in a ``with`` block, or call ``close``.

    Attributes:
        path: The file.
        format: Its format.
        parts: What the header says about each picture in it.
    """

    def __init__(self, path: str | os.PathLike[str], *, limits: Limits | None = None) -> None:
        """Open a file and read its header.

        Args:
            path: The file; its extension and contents must agree.
            limits: Largest claims to accept; ``Limits.default()`` when None.

        Raises:
            MediaError: It is missing, damaged, or of an unknown format.
            MediaLimitError: It claims more than the limits allow.
        """
        self.path = Path(path)
        self.limits = Limits.default() if limits is None else limits
        self.format: Format = sniff(self.path)
        self._input: Any = None
        oiio = openimageio()
        try:
            with guarded(self.path), self._hush():
                if self.format is FORMATS["jpeg"]:
                    check_jpeg_end(self.path)
                setup = oiio.ImageSpec()
                # Otherwise 8-bit samples are premultiplied in 8 bits, and cannot be brought back.
                setup.attribute("oiio:UnassociatedAlpha", 1)
                self._input = oiio.ImageInput.open(str(self.path), setup)
                if self._input is None or self._input.format_name() != self.format.name:
                    raise MediaError(self._message(oiio.geterror()))
                self.parts = self._read_headers()
        except BaseException:
            self.close()
            raise

    def __enter__(self) -> PlateReader:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close the file; reading afterwards is an error."""
        if self._input is not None:
            self._input.close()
        self._input = None

    def read(
        self,
        part: int | str = 0,
        *,
        rows: tuple[int, int] | None = None,
        channels: tuple[str, ...] | None = None,
    ) -> Plate:
        """Decode one part, or some of its rows and channels.

        Args:
            part: Number or name of the part.
            rows: First row and the row after the last, counted from the top of the data window.
            channels: Names wanted, in the order wanted; all when None.

        Returns:
            A plate whose data window covers the rows read.

        Raises:
            MediaError: The file is damaged, deep, or has no such part, rows or channels.
            MediaLimitError: What is asked for would take more than the limits allow.
        """
        if self._input is None:
            raise MediaError(f"{self.path}: is closed; open it again")
        index = self._part_index(part)
        found = self.parts[index]
        if found.deep:
            raise MediaError(f"{self.path}: part {index} holds deep samples; flatten it first")
        window = found.data_window
        first, last = (0, window.height) if rows is None else rows
        if not 0 <= first < last <= window.height:
            raise MediaError(
                f"{self.path}: rows {first}-{last} are not in it; stay within 0 and {window.height}"
            )
        names = found.channels if channels is None else tuple(channels)
        for name in names:
            if name not in found.channels:
                raise MediaError(f"{self.path}: has no channel {name!r}; it has {' '.join(found.channels)}")
        self.limits.check(str(self.path), window.width, last - first, len(names))
        with guarded(self.path), self._hush():
            pixels = self._decode(index, found, first, last, names)
        if found.straight and "A" in names:
            _premultiply(pixels, names)
        data = Box(window.x, window.y + first, window.width, last - first)
        try:
            return Plate(pixels, names, found.colourspace, data, found.display_window, found.metadata)
        except MediaError as error:
            raise MediaError(f"{self.path}: its header is damaged: {error}") from error

    def _hush(self) -> AbstractContextManager[None]:
        return hushed() if self.format is FORMATS["png"] else nullcontext()

    def _part_index(self, part: int | str) -> int:
        if isinstance(part, str):
            for index, candidate in enumerate(self.parts):
                if candidate.name == part:
                    return index
            known = " ".join(repr(p.name) for p in self.parts)
            raise MediaError(f"{self.path}: has no part {part!r}; it has {known}")
        if not 0 <= part < len(self.parts):
            raise MediaError(f"{self.path}: has no part {part}; it has {len(self.parts)}, counted from 0")
        return part

    def _message(self, text: str) -> str:
        reason = one_line(text)
        return f"{self.path}: cannot read it ({reason}); it is damaged or cut short, copy or render it again"

    def _read_headers(self) -> tuple[PartInfo, ...]:
        parts: list[PartInfo] = []
        # TIFF pages and the thumbnails of other formats are not parts of a plate; only OpenEXR has those.
        while self._input.seek_subimage(len(parts), 0):
            parts.append(self._describe(self._input.spec()))
            if len(parts) > self.limits.parts:
                raise MediaLimitError(
                    f"{self.path}: has more than {self.limits.parts} parts; use Limits(parts=…)"
                )
            if self.format is not FORMATS["openexr"]:
                break
        if not parts:
            raise MediaError(self._message(self._input.geterror()))
        self._input.geterror()
        return tuple(parts)

    def _describe(self, spec: Any) -> PartInfo:
        self.limits.check(str(self.path), spec.width, spec.height, 1)
        if spec.nchannels > self.limits.channels:
            self.limits.check(str(self.path), 1, 1, spec.nchannels)
        if spec.depth > 1:
            raise MediaError(f"{self.path}: is a volume of {spec.depth} slices; only flat pictures are read")
        if self.format is FORMATS["jpeg"]:
            check_jpeg_size(self.path, spec.width, spec.height)
        raw = {item.name: item.value for item in spec.extra_attribs}
        note = self._note(raw, spec.width, spec.height)
        metadata = clean_metadata(self.format.name, raw) | dict(note.metadata)
        types = [str(t) for t in spec.channelformats] or [str(spec.format)] * spec.nchannels
        return PartInfo(
            name=str(raw.get("name", "")) if self.format is FORMATS["openexr"] else "",
            channels=tuple(spec.channelnames),
            types=tuple(types),
            data_window=note.data_window or Box(spec.x, spec.y, spec.width, spec.height),
            display_window=note.display_window
            or Box(spec.full_x, spec.full_y, spec.full_width, spec.full_height),
            colourspace=note.colourspace or file_colourspace(self.format.name, raw, types[0]),
            compression=str(raw.get("compression", self.format.compressions[0])),
            tile=(spec.tile_width, spec.tile_height) if spec.tile_width else None,
            deep=bool(spec.deep),
            straight=bool(raw.get("oiio:UnassociatedAlpha", 0)),
            metadata=metadata,
        )

    def _note(self, raw: dict[str, Any], width: int, height: int) -> Note:
        """Find the note; takes it out of ``raw``."""
        text = raw.pop(NOTE_KEY, None)
        if self.format.trailer:
            text = read_trailer(self.path, self.limits.metadata)
        return read_note(text if isinstance(text, str) else None, width, height)

    def _decode(self, index: int, part: PartInfo, first: int, last: int, names: tuple[str, ...]) -> Pixels:
        """Decode rows band by band into a fresh array."""
        width = part.data_window.width
        out = np.empty((last - first, width, len(names)), np.float32)
        whole = self.format is FORMATS["openexr"]
        groups = list(runs(part.channels, part.types, names, whole_numbers=whole))
        for top, bottom in bands(first, last, width * len(part.channels) * 4, part.tile):
            rows = slice(max(first, top) - first, min(last, bottom) - first)
            for run in groups:
                band = self._read_band(index, part.tile, (top, bottom), run)
                keep = band[max(first, top) - top : min(last, bottom) - top]
                for place, source in run.places:
                    out[rows, :, place] = keep[:, :, source]
        return out

    def _read_band(
        self, index: int, tile: tuple[int, int] | None, rows: tuple[int, int], run: Run
    ) -> np.ndarray[Any, Any]:
        """Return some rows (cut at the last of the picture) of some channels."""
        # Where the decoder thinks the pixels are; the note of a format without windows may say otherwise.
        spec = self._input.spec_dimensions(index, 0)
        x, top, bottom = spec.x, spec.y + rows[0], spec.y + min(rows[1], spec.height)
        if tile is None:
            band = self._input.read_scanlines(index, 0, top, bottom, 0, run.begin, run.end, run.sample)
        else:
            right = x + spec.width
            band = self._input.read_tiles(
                index, 0, x, right, top, bottom, 0, 1, run.begin, run.end, run.sample
            )
        if band is None:
            raise MediaError(self._message(self._input.geterror()))
        return np.asarray(band).reshape(bottom - top, spec.width, run.end - run.begin)


@contextmanager
def open_plate(path: str | os.PathLike[str], *, limits: Limits | None = None) -> Iterator[PlateReader]:
    """Open a picture file for reading some of its rows or channels; closes it at the end of the block.

    Raises:
        MediaError: It is missing, damaged, or of an unknown format.
        MediaLimitError: It claims more than the limits allow.
    """
    with PlateReader(path, limits=limits) as reader:
        yield reader


def _premultiply(pixels: Pixels, names: tuple[str, ...]) -> None:
    alpha = pixels[:, :, names.index("A")]
    for place, name in enumerate(names):
        if name in ("R", "G", "B", "Y"):
            pixels[:, :, place] *= alpha
