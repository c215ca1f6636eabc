"""Writing video files: all of it or nothing."""

from __future__ import annotations

import math
import os
from collections.abc import Mapping
from contextlib import ExitStack
from fractions import Fraction
from pathlib import Path
from types import TracebackType
from typing import Any

import numpy as np

from dreamplate.errors import ConfigError, MediaError
from dreamplate.files import atomic_path
from dreamplate.plate.codecs import BT709, CODECS, STUDIO_RANGE, USUAL_CODEC, best_scaling, quiet_av
from dreamplate.plate.formats import VIDEO_EXTENSIONS
from dreamplate.plate.plate import Plate
from dreamplate.plate.raster import quantise, straighten


class VideoWriter:
    """Write plates as the frames of a video; the file appears whole when the ``with`` block ends well.

    Plates are converted to ``srgb_display``, clipped to 0-1, and tagged BT.709. Codecs without alpha get
    the plate over black. H.264 and ProRes HQ need even sizes: an odd picture gets one more row or
    column, a copy of the last. FFV1 is lossless, of 8 or 16 bits.

    Example:
        >>> with VideoWriter("out.mp4", fps=24) as video:  # doctest: +SKIP
        ...     video.write(plate)
    """

    def __init__(
        self,
        path: str | os.PathLike[str],
        *,
        fps: float | Fraction = 24,
        codec: str | None = None,
        depth: str | None = None,
        alpha: bool = False,
        crf: int = 16,
        metadata: Mapping[str, str] | None = None,
    ) -> None:
        """Describe the video; nothing is opened before the ``with`` block.

        Args:
            path: File; the extension chooses the container.
            fps: Frames per second.
            codec: ``h264``, ``prores`` (422 HQ), ``prores4444`` or ``ffv1``; by extension when None.
            depth: Bits per channel handed to the codec, ``8`` or ``16``; the codec's first when None.
            alpha: Store alpha (``prores4444``, ``ffv1``), straight.
            crf: Quality of H.264: 0 is lossless, 16 looks it, 23 is small, 51 is worst.
            metadata: Text entries of the file, ``dreamplate`` for the provenance.

        Raises:
            ConfigError: An option does not fit.
            MediaError: The extension is no video container.
        """
        self.path = Path(path)
        suffix = self.path.suffix.lower()
        if suffix not in USUAL_CODEC:
            raise MediaError(
                f"{self.path}: cannot write video {suffix!r}; use one of {' '.join(USUAL_CODEC)}"
            )
        name = codec or USUAL_CODEC[suffix]
        if name not in CODECS:
            raise ConfigError(f"codec: no {name!r}; use one of {', '.join(CODECS)}")
        self.codec = CODECS[name]
        if suffix not in self.codec.containers:
            raise ConfigError(
                f"codec: {name} does not go into {suffix}; use {' or '.join(self.codec.containers)}"
            )
        kind = (depth or next(iter(self.codec.formats))) + ("a" if alpha else "")
        if kind not in self.codec.formats:
            known = ", ".join(k.replace("a", " with alpha") for k in self.codec.formats)
            raise ConfigError(
                f"depth: {name} has {known}, not {kind.replace('a', ' with alpha')}; choose one of these"
            )
        if not (math.isfinite(fps) and 0 < fps <= 1000):
            raise ConfigError(f"fps: need more than 0 and at most 1000, found {fps}")
        if not 0 <= crf <= 51:
            raise ConfigError(f"crf: need 0 to 51, found {crf}")
        self.fps = Fraction(fps).limit_denominator(1001)
        self.alpha = alpha
        self.frames = 0
        self._bits = int(kind.rstrip("a"))
        self._pixels = self.codec.formats[kind]
        self._options = {**self.codec.options, **({"crf": str(crf)} if name == "h264" else {})}
        self._metadata = dict(metadata or {})
        self._stack: ExitStack | None = None
        self._size: tuple[int, int] | None = None
        self._container: Any = None
        self._stream: Any = None
        self._temporary: Path | None = None

    def __enter__(self) -> VideoWriter:
        self._stack = ExitStack()
        suffix = self.path.suffix.lower()
        self._temporary = self._stack.enter_context(atomic_path(self.path, suffix=suffix))
        return self

    def write(self, plate: Plate) -> None:
        """Append one frame.

        Raises:
            MediaError: The size differs from the first frame's, a pixel is not finite, or encoding fails.
            ConfigError: The plate's colour space is unknown.
            ResourceError: The disk is full.
        """
        if self._stack is None:
            raise MediaError(f"{self.path}: is not open; write frames inside the with block")
        frame = self._picture(plate)
        with quiet_av(self.path, "write") as av:
            if self._container is None:
                self._open(av, plate)
            elif (plate.width, plate.height) != self._size:
                found = f"frame {self.frames} is {plate.width}x{plate.height}"
                raise MediaError(f"{self.path}: {found}, the first was another size; make all one size")
            for packet in self._stream.encode(self._encodable(av, frame)):
                self._container.mux(packet)
        self.frames += 1

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        stack, self._stack = self._stack, None
        assert stack is not None
        try:
            if kind is None:
                self._finish()
            elif self._container is not None:
                with quiet_av(self.path, "write"):
                    self._container.close()
        except BaseException as caught:
            # The temporary file goes; whatever ended the block first is what the user hears of.
            stack.__exit__(type(caught), caught, caught.__traceback__)
            if kind is None:
                raise
        else:
            stack.__exit__(kind, error, trace)

    def _finish(self) -> None:
        if self._container is None:
            raise MediaError(f"{self.path}: has no frames; write at least one")
        with quiet_av(self.path, "write"):
            try:
                for packet in self._stream.encode():
                    self._container.mux(packet)
            finally:
                self._container.close()

    def _open(self, av: Any, plate: Plate) -> None:
        suffix = self.path.suffix.lower()
        options = {"fflags": "+bitexact"}  # otherwise Matroska draws random identifiers
        if VIDEO_EXTENSIONS[suffix] in ("mp4", "mov"):
            options["movflags"] = "+faststart+use_metadata_tags"
        self._size = (plate.width, plate.height)
        self._container = av.open(str(self._temporary), "w", format=VIDEO_EXTENSIONS[suffix], options=options)
        self._container.metadata.update(self._metadata)
        stream = self._container.add_stream(self.codec.encoder, rate=self.fps, options=self._options)
        even = 2 if self.codec.even else 1
        stream.width, stream.height = (-(-size // even) * even for size in self._size)
        stream.pix_fmt = self._pixels
        context = stream.codec_context
        # x264 on several threads now and then writes other bytes for the same frames.
        context.thread_count = 1
        context.color_primaries = context.color_trc = BT709
        if self._pixels.startswith("yuv"):
            context.colorspace, context.color_range = BT709, STUDIO_RANGE
        self._stream = stream

    def _picture(self, plate: Plate) -> np.ndarray[Any, Any]:
        """Return a plate as whole numbers, ``(height, width, 3 or 4)``, padded to what the codec needs."""
        from dreamplate.plate.colour import convert

        shown = convert(plate, "srgb_display").check_finite(f"{self.path} frame {self.frames}")
        if self.alpha:
            pixels = straighten(np.concatenate([shown.rgb(), shown.alpha()[:, :, None]], axis=2))
        else:
            pixels = shown.rgb()
        data = quantise(pixels, self._bits)
        if self.codec.even and (plate.width % 2 or plate.height % 2):
            data = np.pad(data, ((0, plate.height % 2), (0, plate.width % 2), (0, 0)), mode="edge")
        return np.ascontiguousarray(data)

    def _encodable(self, av: Any, data: np.ndarray[Any, Any]) -> Any:
        from av.video.reformatter import ColorRange, Colorspace

        layout = {(8, 3): "rgb24", (8, 4): "rgba", (16, 3): "rgb48le", (16, 4): "rgba64le"}[
            self._bits, data.shape[2]
        ]
        if self._pixels.startswith("gbr"):
            layout = self._pixels  # handed over as it is: no conversion, no rounding
        frame = av.VideoFrame.from_ndarray(data, format=layout)
        if self._pixels.startswith("yuv"):
            frame = frame.reformat(
                format=self._pixels,
                dst_colorspace=Colorspace.ITU709,
                dst_color_range=ColorRange.MPEG,
                interpolation=best_scaling(),
            )
            frame.colorspace, frame.color_range = BT709, STUDIO_RANGE
        frame.pts = self.frames
        frame.time_base = 1 / self.fps
        return frame
