"""What a file is, from its header alone."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from dreamplate.errors import MediaError
from dreamplate.files import raise_os_error
from dreamplate.plate.box import MetaValue
from dreamplate.plate.formats import is_video
from dreamplate.plate.limits import Limits
from dreamplate.plate.reader import PartInfo, PlateReader
from dreamplate.plate.video_reader import VideoReader

__all__ = ["Info", "PartInfo", "VideoInfo", "info"]

PROVENANCE = "dreamplate"
"""Metadata entry that holds how a picture was made, as JSON."""


@dataclass(frozen=True)
class VideoInfo:
    """What the header of a video says.

    Attributes:
        codec: Codec name.
        pixel_format: FFmpeg's name of the stored format.
        fps: Frames per second.
        frames: How many, as the header says or else counted without decoding.
        duration: Seconds.
    """

    codec: str
    pixel_format: str
    fps: float
    frames: int
    duration: float


@dataclass(frozen=True)
class Info:
    """A file in short.

    Attributes:
        path: The file.
        format: ``openexr png tiff jpeg dpx hdr`` or ``video``.
        size: Bytes on disk.
        width: Columns of the first part's data window.
        height: Rows of it.
        parts: Each picture in the file (empty for a video).
        video: Set for a video.
        metadata: Free entries of the first part or of the video.
    """

    path: Path
    format: str
    size: int
    width: int
    height: int
    parts: tuple[PartInfo, ...] = ()
    video: VideoInfo | None = None
    metadata: Mapping[str, MetaValue] = field(default_factory=dict)

    @property
    def provenance(self) -> str | None:
        """The JSON text that says how the picture was made, or None."""
        found = self.metadata.get(PROVENANCE)
        return found if isinstance(found, str) else None


def info(path: str | os.PathLike[str], *, limits: Limits | None = None) -> Info:
    """Return what a picture or video file is; pixels are not decoded.

    Raises:
        MediaError: It is missing, damaged, or of an unknown format.
        MediaLimitError: Its header claims more than the limits allow.
    """
    place = Path(path)
    if is_video(place):
        with VideoReader(place, limits=limits) as video:
            about = VideoInfo(
                video.codec, video.pixel_format, float(video.fps), video.stated_frames, video.duration
            )
            return Info(
                place,
                "video",
                _size(place),
                video.width,
                video.height,
                video=about,
                metadata=dict(video.metadata),
            )
    with PlateReader(place, limits=limits) as reader:
        first = reader.parts[0]
        window = first.data_window
        return Info(
            place,
            reader.format.name,
            _size(place),
            window.width,
            window.height,
            reader.parts,
            metadata=first.metadata,
        )


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except OSError as error:
        raise_os_error(error, path, MediaError, "read")
