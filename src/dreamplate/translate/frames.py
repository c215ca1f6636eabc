"""Where the frames of a translation come from and where they go."""

from __future__ import annotations

import weakref
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from dreamplate.errors import ConfigError, MediaError
from dreamplate.files import raise_os_error, sha256
from dreamplate.plate.colour import convert
from dreamplate.plate.formats import FORMATS, format_for, is_video
from dreamplate.plate.frames import format_frames, parse_frames
from dreamplate.plate.io import read_parts, write, write_parts
from dreamplate.plate.label_files import LabelMap, map_labels, read_label_map, read_labels
from dreamplate.plate.labels import Palette
from dreamplate.plate.plate import Plate
from dreamplate.plate.sequence import Sequence
from dreamplate.plate.summary import info
from dreamplate.plate.video_reader import VideoReader
from dreamplate.translate.translate_config import TranslateConfig, is_pattern

__all__ = ["Digests", "Frame", "Source", "Target", "beside", "pattern_file"]

_LINEAR = ("openexr", "hdr")
_DISPLAY = ("png", "jpeg", "dpx")


@dataclass(frozen=True, eq=False)
class Frame:
    """One frame as it was found.

    Attributes:
        name: For messages: its file, or the video with the frame number.
        parts: Plates by part name; the first is worked on, others are carried.
        types: Sample type of each channel as stored, over all parts; empty for video.
        format: Name of its format; ``video``.
    """

    name: str
    parts: Mapping[str, Plate]
    types: Mapping[str, str] = field(default_factory=dict)
    format: str = "video"

    @property
    def plate(self) -> Plate:
        """The plate that is worked on."""
        return next(iter(self.parts.values()))


class Source:
    """A picture, a sequence or a video, and which of its frames are wanted.

    Attributes:
        frames: Numbers, in playing order.
        still: Whether all are one picture.
        fps: Frames a second.

    Raises:
        ConfigError: Source, target and frames do not fit each other.
        MediaError: There are no such files; names the missing ones.
    """

    def __init__(self, config: TranslateConfig) -> None:
        text = str(config.source)
        self.path, self.fps = config.source, 24.0
        self.sequence: Sequence | None = None
        self.video: VideoReader | None = None
        asked = parse_frames(config.frames) if config.frames else ()
        if is_video(text):
            self.video = VideoReader(text)
            weakref.finalize(self, self.video.close)
            self.fps = float(self.video.fps)
            self.frames = asked or tuple(self.video.frames)
            beyond = [frame for frame in self.frames if frame not in self.video.frames]
            if beyond:
                raise MediaError(
                    f"{text}: has no frame {beyond[0]}; it has {len(self.video)}, counted from 0"
                )
        elif is_pattern(text):
            pattern, _, own = text.rpartition(" ")
            if not pattern or not is_pattern(pattern):
                pattern, own = text, ""
            self.sequence = Sequence.parse(pattern.rstrip(), config.frames or own or None)
            self.frames = self.sequence.frames
            if missing := self.sequence.absent():
                raise MediaError(
                    f"{self.sequence.pattern}: {len(missing)} of {len(self.frames)} frames are missing"
                    f" ({format_frames(missing)[:100]}); render them or shorten the range (--frames)"
                )
        else:
            self.frames = asked or (0,)
        if not self.frames:
            raise MediaError(f"{text}: has no frames")
        self.still = self.sequence is None and self.video is None

    def file(self, frame: int) -> Path:
        """Return the file that holds a frame."""
        return self.path if self.sequence is None else self.sequence.path(frame)

    def name(self, frame: int) -> str:
        """Return what a frame is called in messages."""
        return f"{self.path} frame {frame}" if self.video is not None else str(self.file(frame))

    def channels(self, frame: int) -> tuple[str, ...]:
        """Return the channels of a frame, from its header alone."""
        return ("R", "G", "B") if self.video is not None else info(self.file(frame)).parts[0].channels

    def read(self, frame: int) -> Frame:
        """Read a frame with all its parts.

        Raises:
            MediaError: It is damaged.
        """
        if self.video is not None:
            return Frame(self.name(frame), {"": self.video.read(frame)})
        about = info(self.file(frame))
        types: dict[str, str] = {}
        for part in about.parts:
            for channel, kind in zip(part.channels, part.types, strict=True):
                # Where parts disagree over a channel's type, the wider keeps both.
                types[channel] = kind if types.get(channel, kind) == kind else "float"
        return Frame(self.name(frame), read_parts(self.file(frame)), types, about.format)

    def labels(self, frame: int, palette: Palette, channel: str) -> np.ndarray[Any, np.dtype[np.int64]]:
        """Return a frame as class indices ``(height, width)``.

        Args:
            frame: Its number.
            palette: The classes.
            channel: That holds ids, in OpenEXR.

        Raises:
            MediaError: Values are outside the palette: says which, how often and where.
        """
        if self.video is not None:
            values = np.rint(self.video.read(frame).rgb() * 255).astype(np.int64)
            return map_labels(LabelMap(values), palette, self.name(frame))
        file = self.file(frame)
        exr = file.suffix.lower() == ".exr" and channel in self.channels(frame)
        return read_labels(file, palette, channel if exr else "")


class Target:
    """Where frames go, and how they are written.

    Attributes:
        video: Where the frames become a video in the end.

    Raises:
        ConfigError: The target does not fit the source, or is the source.
    """

    def __init__(self, config: TranslateConfig, source: Source) -> None:
        self.config = config
        text = config.target
        if not text:
            raise ConfigError("target is empty: name a picture, a frame pattern (out.####.exr) or a video")
        self.video = Path(text) if is_video(text) else None
        if self.video is not None:
            if len(source.frames) < 2 and source.still:
                raise ConfigError(f"target is {text}: the source is one picture; name one picture")
            digits = max(4, len(str(max(source.frames))))
            pattern = self.video.with_suffix(".frames") / f"{self.video.stem}.{'#' * digits}.png"
            self.sequence: Sequence | None = Sequence.parse(pattern, source.frames)
        elif is_pattern(text):
            if source.still and not config.frames:
                raise ConfigError(
                    f"target is {text}: the source is one picture; name one picture, or --frames"
                )
            self.sequence = Sequence.parse(text, source.frames)
        elif not source.still or len(source.frames) > 1:
            raise ConfigError(
                f"target is {text}: there are {len(source.frames)} frames; give a frame pattern such as"
                " out.####.exr, or a video"
            )
        else:
            self.sequence = None
        self.format = format_for(self.path(source.frames[0]))
        for frame in source.frames:
            if source.file(frame).resolve() == self.path(frame).resolve():
                raise ConfigError(f"target is {text}: that is the source; name another")

    def path(self, frame: int) -> Path:
        """Return the file of a frame."""
        return Path(self.config.target) if self.sequence is None else self.sequence.path(frame)

    def space(self, frame: Frame) -> str:
        """Return the colour space in which a frame is written."""
        here = frame.plate.colourspace
        if self.config.colourspace:
            return self.config.colourspace
        if self.format.name in _LINEAR and frame.format not in _LINEAR:
            return "scene_linear"
        return "srgb_display" if self.format.name in _DISPLAY and frame.format in _LINEAR else here

    def write(
        self, frame: Frame, number: int, made: Plate, changed: tuple[str, ...], recipe: Mapping[str, str]
    ) -> None:
        """Write a frame, whole or not at all, with what was carried as it was stored.

        Args:
            frame: As it was read.
            number: Of the frame.
            made: The plate that takes the place of its first part.
            changed: Channels that were made.
            recipe: Entries for the header.

        Raises:
            MediaError: The file cannot hold it.
            ResourceError: The disk is full.
        """
        path, space = self.path(number), self.space(frame)
        _make_folder(path)
        made = made if made.colourspace == space else convert(made, space)
        made = made.with_metadata(**recipe)
        if self.format is not FORMATS["openexr"]:
            write(self._fitting(made), path, depth=self.config.depth or self._depth(frame))
            return
        depth = {name: kind for name, kind in frame.types.items() if kind in ("half", "float", "uint")}
        for name in changed:
            depth.pop(name, None)  # half, or float where a value is beyond half
            if self.config.depth or frame.types.get(name) == "float":
                depth[name] = self.config.depth or "float"
        names = list(frame.parts)
        parts = {names[0]: made} | {name: frame.parts[name] for name in names[1:]}
        if len(parts) == 1:
            parts = {"": made}
        write_parts(parts, path, depth=depth)

    def write_ids(self, number: int, made: Plate, recipe: Mapping[str, str]) -> None:
        """Write a label map: whole numbers in ``Y``, in OpenEXR as they are, in PNG and TIFF as grey levels.

        Raises:
            ConfigError: The format would change them.
        """
        path, most = self.path(number), float(made.pixels.max())
        if self.format.name not in ("openexr", "png", "tiff") or self.video is not None:
            raise ConfigError(f"target is {path}: label maps need .png, .tif or .exr")
        _make_folder(path)
        made = made.with_metadata(**recipe)
        if self.format.name == "openexr":
            write(made, path, depth="float")
            return
        depth = "8" if most < 256 else "16"
        scale = np.float32(255 if depth == "8" else 65535)
        write(made.with_(pixels=made.pixels / scale, colourspace="srgb_display"), path, depth=depth)

    def _fitting(self, made: Plate) -> Plate:
        """Return what a format with few channels can hold: colour and alpha; more is refused by ``write``."""
        if self.video is None:
            return made
        colour = made.select(*[name for name in ("R", "G", "B", "Y") if name in made.channels])
        return colour.with_(pixels=np.ascontiguousarray(colour.pixels))

    def _depth(self, frame: Frame) -> str | None:
        kinds = set(frame.types.values())
        if self.video is not None or (kinds == {"uint16"} and "16" in self.format.depths):
            return "16"
        if frame.format == self.format.name == "tiff":
            found = next((kind for kind in ("float", "half") if kind in kinds), None)
            return found or ("8" if kinds == {"uint8"} else None)
        return None


def _make_folder(path: Path) -> None:
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise_os_error(error, path.parent, MediaError)


def pattern_file(text: str, frame: int) -> Path:
    """Return the file for a frame of what may be a pattern or one picture for all."""
    return Sequence.parse(text, (frame,)).path(frame) if is_pattern(text) else Path(text)


def beside(target: str) -> Path:
    """Return the folder for the record of a translation: ``shots/out.####.exr`` → ``shots/out.take``."""
    if is_pattern(target):
        pattern = Sequence.parse(target, ())
        return pattern.folder / f"{pattern.prefix.rstrip('._-') or 'translate'}.take"
    return Path(target).with_suffix(".take")


def read_ids(path: Path) -> np.ndarray[Any, np.dtype[np.int64]]:
    """Return an instance map, ``(height, width)``: ids, or colours as numbers.

    Raises:
        MediaError: It cannot be read.
    """
    values = read_label_map(path).values
    return values if values.ndim == 2 else (values[:, :, 0] << 16) | (values[:, :, 1] << 8) | values[:, :, 2]


class Digests:
    """SHA-256 of files, each computed once while it is not changed."""

    def __init__(self) -> None:
        self.known: dict[tuple[str, int, int], str] = {}

    def of(self, path: Path) -> str:
        """Return the hash of a file.

        Raises:
            MediaError: It cannot be read.
        """
        try:
            about = path.stat()
        except OSError as error:
            raise_os_error(error, path, MediaError, "read")
        key = (str(path), about.st_size, about.st_mtime_ns)
        if key not in self.known:
            self.known[key] = sha256(path)
        return self.known[key]
