"""The video codecs, and FFmpeg's manners contained."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from dreamplate.errors import MediaError
from dreamplate.files import raise_os_error
from dreamplate.plate.libraries import guarded, one_line

BT709 = 1  # the same number names the primaries, the transfer and the matrix
STUDIO_RANGE = 1


@dataclass(frozen=True)
class Codec:
    """How one kind of video is encoded.

    Attributes:
        encoder: FFmpeg's name.
        formats: Bits and alpha (``8 8a 16 16a``) → pixel format; the first is the default.
        containers: Extensions that may hold it; the first is the usual one.
        even: Whether width and height must be even.
        options: Encoder options.
    """

    encoder: str
    formats: Mapping[str, str]
    containers: tuple[str, ...]
    even: bool = False
    options: Mapping[str, str] = field(default_factory=dict)


CODECS: dict[str, Codec] = {
    "h264": Codec(
        "libx264",
        {"8": "yuv420p"},
        (".mp4", ".m4v", ".mov", ".mkv"),
        even=True,
        # Without the second, one file in some two thousand had other bytes for the same frames.
        options={"preset": "medium", "x264-params": "cpu-independent=1"},
    ),
    "prores": Codec(
        "prores_ks", {"16": "yuv422p10le"}, (".mov", ".mkv"), even=True, options={"profile": "3"}
    ),
    "prores4444": Codec(
        "prores_ks", {"16": "yuv444p10le", "16a": "yuva444p10le"}, (".mov", ".mkv"), options={"profile": "4"}
    ),
    "ffv1": Codec(
        "ffv1",
        {"8": "bgr0", "8a": "bgra", "16": "gbrp16le", "16a": "gbrap16le"},
        (".mkv",),
        options={"level": "3", "slicecrc": "1"},
    ),
}
USUAL_CODEC = {".mp4": "h264", ".m4v": "h264", ".mov": "prores", ".mkv": "ffv1"}


@contextmanager
def quiet_av(path: Path, doing: str) -> Iterator[Any]:
    """Yield PyAV with FFmpeg's messages off, and its errors as ours."""
    import av
    from av import error as av_error
    from av import logging as av_logging

    av_logging.set_level(None)
    with guarded(path, doing):
        try:
            yield av
        except av_error.FFmpegError as error:
            if isinstance(error, OSError) and type(error).__name__ in ("OSError", "PermissionError"):
                raise_os_error(OSError(error.errno, error.strerror), path, MediaError, doing)
            remedy = "copy or render it again" if doing == "read" else "check size, codec and disk"
            raise MediaError(
                f"{path}: cannot {doing} it ({one_line(error.strerror or type(error).__name__)}); {remedy}"
            ) from error


def best_scaling() -> Any:
    """Return the scaler flags that keep colour in place when its resolution changes.

    FFmpeg's usual ones are about five times further off.
    """
    from av.video.reformatter import Interpolation

    flags = Interpolation.BICUBIC | Interpolation.ACCURATE_RND
    return flags | Interpolation.FULL_CHR_H_INT | Interpolation.FULL_CHR_H_INP
