"""Sequences: plates on disk, numbered by a pattern in their names."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from dreamplate.errors import ConfigError, MediaError
from dreamplate.files import raise_os_error
from dreamplate.plate.formats import is_video
from dreamplate.plate.frames import format_frames, parse_frames
from dreamplate.plate.io import read, write
from dreamplate.plate.plate import Plate
from dreamplate.plate.video_reader import VideoReader

_TOKEN = re.compile(r"(#+|@+|%(?:0(\d+))?d)")
# "shot.####.exr 1001-1100x2": the frames are the last word, and a file name may hold spaces.
_WITH_FRAMES = re.compile(r"(.*\S)\s+(-?\d[-\dx,]*)")
MISSING = ("error", "hold", "black")
"""What to do about a frame that is not on disk: stop, repeat the one before, or show black."""


@dataclass(frozen=True)
class Sequence:
    """Numbered picture files.

    Attributes:
        folder: Where they are.
        prefix: Name before the number.
        padding: Least digits of the number, filled with zeros; the sign is not counted.
        suffix: Name after the number, with the extension.
        frames: Frame numbers, in playing order.
        offset: Added to a frame number to get the number in the file name.
        missing: ``error``, ``hold`` or ``black``.
    """

    folder: Path
    prefix: str
    padding: int
    suffix: str
    frames: tuple[int, ...]
    offset: int = 0
    missing: str = "error"

    @classmethod
    def parse(
        cls,
        pattern: str | os.PathLike[str],
        frames: str | tuple[int, ...] | range | None = None,
        *,
        offset: int = 0,
        missing: str = "error",
    ) -> Sequence:
        """Read a pattern.

        Args:
            pattern: ``shot.####.exr``, ``shot.@@@.exr`` (as many digits as signs), ``shot.%04d.exr``,
                ``shot.%d.exr``; or with the frames in one text, ``"shot.####.exr 1001-1100x2"``.
            frames: As in ``parse_frames``, or numbers; None finds the files on disk.
            offset: Added to a frame number to get the number in the file name.
            missing: What reading an absent frame does: ``error``, ``hold`` (the last frame before it that
                exists), ``black`` (of the size of the first that exists).

        Raises:
            ConfigError: The pattern or the range cannot be read.
            MediaError: No file on disk matches (only when ``frames`` is None).
        """
        text = os.fspath(pattern)
        if frames is None and (match := _WITH_FRAMES.fullmatch(text)):
            text, frames = match[1], match[2]
        folder, name = Path(text).parent, Path(text).name
        tokens = list(_TOKEN.finditer(name))
        if len(tokens) != 1:
            found = f"{len(tokens)} places" if tokens else "no place"
            raise ConfigError(
                f"sequence: {text!r} has {found} for the frame number; write it once, as #### or %04d"
            )
        if missing not in MISSING:
            raise ConfigError(f"missing: no {missing!r}; use one of {', '.join(MISSING)}")
        token = tokens[0]
        padding = int(token[2] or 1) if token[0].startswith("%") else len(token[0])
        if padding > 20:
            raise ConfigError(f"sequence: {text!r} asks for {padding} digits; use at most 20")
        made = cls(folder, name[: token.start()], padding, name[token.end() :], (), offset, missing)
        if frames is None:
            numbers = made.discover()
            if not numbers:
                raise MediaError(
                    f"{text}: no such files; check the folder, or give frames, as in '{text} 1-100'"
                )
        else:
            numbers = parse_frames(frames) if isinstance(frames, str) else tuple(dict.fromkeys(frames))
        return cls(folder, made.prefix, padding, made.suffix, numbers, offset, missing)

    @property
    def pattern(self) -> str:
        """The pattern, with ``#`` for the digits."""
        return str(self.folder / f"{self.prefix}{'#' * self.padding}{self.suffix}")

    def __str__(self) -> str:
        return f"{self.pattern} {format_frames(self.frames)}"

    def __len__(self) -> int:
        return len(self.frames)

    def __iter__(self) -> Iterator[tuple[int, Plate]]:
        """Yield frame number and plate, in order.

        Raises:
            MediaError: A frame is missing (with ``missing="error"``) or damaged.
        """
        for rank in range(len(self.frames)):
            yield self.frames[rank], self._read(rank)

    def path(self, frame: int) -> Path:
        """Return the file of a frame, whether it exists or not."""
        number = frame + self.offset
        digits = f"{abs(number):0{self.padding}d}"
        return self.folder / f"{self.prefix}{'-' if number < 0 else ''}{digits}{self.suffix}"

    def discover(self) -> tuple[int, ...]:
        """Return the frames that exist on disk, in ascending order.

        Raises:
            MediaError: The folder cannot be read.
        """
        shape = re.compile(re.escape(self.prefix) + r"(-?)(\d+)" + re.escape(self.suffix))
        found = []
        try:
            for entry in os.scandir(self.folder):
                match = shape.fullmatch(entry.name)
                if match and len(match[2]) <= 20:
                    number = int(match[1] + match[2])
                    # Only names that this pattern would write: shot.7.exr is no frame of shot.####.exr.
                    if self.path(number - self.offset).name == entry.name:
                        found.append(number - self.offset)
        except OSError as error:
            raise_os_error(error, self.folder, MediaError, "read")
        return tuple(sorted(found))

    def absent(self) -> tuple[int, ...]:
        """Return the frames of the range that are not on disk, in playing order."""
        return tuple(frame for frame in self.frames if not _exists(self.path(frame)))

    def read(self, frame: int, **options: Any) -> Plate:
        """Read one frame.

        Args:
            frame: Its number, one of ``frames``.
            **options: As in ``read``.

        Raises:
            MediaError: It is not in the range, missing (with ``missing="error"``), or damaged.
        """
        if frame not in self.frames:
            raise MediaError(f"{self.pattern}: frame {frame} is not in {format_frames(self.frames)[:200]}")
        return self._read(self.frames.index(frame), **options)

    def _read(self, rank: int, **options: Any) -> Plate:
        place = self.path(self.frames[rank])
        if _exists(place):
            return read(place, **options)
        if self.missing == "hold":
            for before in reversed(self.frames[:rank]):
                if _exists(self.path(before)):
                    return read(self.path(before), **options)
        elif self.missing == "black":
            for other in self.frames:
                if _exists(self.path(other)):
                    like = read(self.path(other), **options)
                    return like.with_(pixels=np.zeros_like(like.pixels), metadata={})
        raise MediaError(
            f"{place}: frame {self.frames[rank]} of {self.pattern} is missing; render it, shorten the range, "
            f"or use missing='hold'"
        )

    def write(self, frame: int, plate: Plate, **options: Any) -> Path:
        """Write one frame (its number need not be in ``frames``); makes the folder; returns the path.

        Raises:
            MediaError: The plate or the file does not fit.
            ResourceError: The disk is full.
        """
        place = self.path(frame)
        try:
            place.parent.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise_os_error(error, place.parent, MediaError)
        write(plate, place, **options)
        return place


def _exists(path: Path) -> bool:
    try:
        return path.exists()
    except (OSError, ValueError):  # a name no file can have
        return False


def open_sequence(
    pattern: str | os.PathLike[str], frames: str | None = None, *, missing: str = "error"
) -> Sequence | VideoReader:
    """Return a sequence of picture files or a video; both have ``frames``, ``read(frame)`` and iteration.

    Raises:
        ConfigError: The pattern cannot be read, or frames are given for a video.
        MediaError: There are no such files.
    """
    text = os.fspath(pattern)
    if is_video(text):
        if frames is not None:
            raise ConfigError(f"frames: {text} is a video and has its own; leave the range out")
        return VideoReader(text)
    return Sequence.parse(text, frames, missing=missing)
