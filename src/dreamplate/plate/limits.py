"""How large a picture may claim to be before any memory is set aside for it."""

from __future__ import annotations

import os
from dataclasses import dataclass

from dreamplate.errors import ConfigError, MediaLimitError

_VARIABLE = "DREAMPLATE_MAX_PIXELS"


@dataclass(frozen=True)
class Limits:
    """Largest picture that is read; a header that claims more is refused before anything is allocated.

    Attributes:
        pixels: Width times height of one picture or frame (2**28 is 16,384 x 16,384).
        channels: Channels of one picture.
        bytes: Memory that the decoded float32 picture may take.
        parts: Parts of one file.
        frames: Frames of a sequence or a video.
        metadata: Bytes of one metadata entry.
    """

    pixels: int = 1 << 28
    channels: int = 1024
    bytes: int = 1 << 33
    parts: int = 1024
    frames: int = 1_000_000
    metadata: int = 1 << 24

    @classmethod
    def default(cls) -> Limits:
        """Return the usual limits; the environment variable ``DREAMPLATE_MAX_PIXELS`` raises or lowers one.

        Raises:
            ConfigError: The variable is not a positive whole number.
        """
        text = os.environ.get(_VARIABLE, "")
        if not text:
            return cls()
        if not (text.isascii() and text.isdigit()) or int(text) < 1:
            raise ConfigError(f"{_VARIABLE}: need a positive whole number, found {text!r}")
        pixels = int(text)
        return cls(pixels=pixels, bytes=max(cls.bytes, pixels * 16))

    def check(self, name: str, width: int, height: int, channels: int) -> None:
        """Refuse a picture that claims too much.

        Raises:
            MediaLimitError: It has more pixels, channels or bytes than allowed.
        """
        if width * height > self.pixels:
            raise MediaLimitError(
                f"{name}: claims {width}x{height}, more than {self.pixels} pixels; "
                f"if you trust it, set {_VARIABLE}={width * height}"
            )
        if channels > self.channels:
            raise MediaLimitError(
                f"{name}: claims {channels} channels, more than {self.channels}; use Limits(channels=…)"
            )
        need = width * height * channels * 4
        if need > self.bytes:
            raise MediaLimitError(
                f"{name}: needs {need / 2**30:.1f} GiB, more than {self.bytes / 2**30:.1f} GiB; "
                "read fewer channels or rows, or use a larger Limits(bytes=…)"
            )
