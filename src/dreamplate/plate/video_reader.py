"""Reading video files, frame by frame and frame-accurately."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import ExitStack
from fractions import Fraction
from pathlib import Path
from types import TracebackType
from typing import Any

import numpy as np

from dreamplate.errors import MediaError, MediaLimitError
from dreamplate.files import raise_os_error
from dreamplate.plate.codecs import best_scaling, quiet_av
from dreamplate.plate.formats import VIDEO_EXTENSIONS
from dreamplate.plate.limits import Limits
from dreamplate.plate.mp4 import check_mp4
from dreamplate.plate.plate import Plate


class VideoReader:
    """Read the frames of a video, in order or by number. Frames are numbered from 0.

    Plates are ``srgb_display``; alpha, where stored, is premultiplied on the way in. Frames come upright: a
    file may say that they are to be turned, as those of telephones do.

    Attributes:
        path: The file.
        fps: Frames per second.
        width: Columns, once upright.
        height: Rows, once upright.
        codec: Codec name.
        pixel_format: FFmpeg's name of the stored format.
        metadata: Text entries of the file.
    """

    def __init__(self, path: str | os.PathLike[str], *, limits: Limits | None = None) -> None:
        """Open a video and read its header.

        Raises:
            MediaError: It is missing, damaged, or no video.
            MediaLimitError: It claims more pixels than the limits allow.
        """
        self.path = Path(path)
        self.limits = Limits.default() if limits is None else limits
        self._stack = ExitStack()
        self._pts: list[int] | None = None
        self._next = 0
        self._decoder: Iterator[Any] | None = None
        try:
            self._open()
        except BaseException:
            self._stack.close()
            raise

    def _open(self) -> None:
        container = VIDEO_EXTENSIONS.get(self.path.suffix.lower())
        if container is None:
            raise MediaError(f"{self.path}: is no video; use one of {' '.join(sorted(VIDEO_EXTENSIONS))}")
        try:
            if self.path.exists() and not self.path.is_file():
                raise MediaError(f"{self.path}: is not a regular file; name a video file")
            file = self._stack.enter_context(self.path.open("rb"))
            if not file.read(1):
                raise MediaError(f"{self.path}: is empty (0 bytes); write or copy it again")
            turned = container == "matroska"  # which has no word for it in its header
            if container in ("mp4", "mov"):
                turned = check_mp4(file, self.path, self.limits.frames)
            file.seek(0)
        except OSError as error:
            raise_os_error(error, self.path, MediaError, "read")
        except ValueError as error:
            raise MediaError(f"{str(self.path)!r}: is no file name; check the path") from error
        with quiet_av(self.path, "read") as av:
            # The container is named and only this one open file is given: a playlist or a reference to
            # another file or address inside it cannot be followed.
            self._container = self._stack.enter_context(
                av.open(
                    file,
                    "r",
                    format=container,
                    metadata_errors="replace",
                    options={"protocol_whitelist": "", "enable_drefs": "0", "analyzeduration": "2000000"},
                )
            )
            if not self._container.streams.video:
                raise MediaError(f"{self.path}: has no picture; it may be sound only")
            self._stream = self._container.streams.video[0]
            context = self._stream.codec_context
            if context is None:
                raise MediaError(f"{self.path}: is in an unknown codec; convert it to ProRes or H.264")
            self.width, self.height = int(context.width), int(context.height)
            self.limits.check(str(self.path), self.width, self.height, 4)
            if self.width < 1 or self.height < 1:
                raise MediaError(f"{self.path}: states no picture size; it is damaged, copy it again")
            context.options = {"max_pixels": str(self.limits.pixels)}
            rate = self._stream.average_rate or self._stream.guessed_rate
            self.fps = Fraction(rate) if rate else Fraction(24)
            self.codec, self.pixel_format = str(context.name), str(context.pix_fmt)
            self.duration = (
                float(self._container.duration / av.time_base) if self._container.duration else 0.0
            )
            if turned and self._first_turns() % 2:
                self.width, self.height = self.height, self.width
            found = self._container.metadata.items()
            # Matroska stores the names of entries in capitals.
            lower = container == "matroska"
            self.metadata = {str(k).lower() if lower else str(k): str(v) for k, v in found}

    def _first_turns(self) -> int:
        """Return the quarter turns of the first frame; only decoding tells. 0 where it is damaged."""
        try:
            self._decoder = self._container.decode(self._stream)
            picture = self._picture()
            return 0 if picture is None else quarter_turns(picture.rotation)
        except MediaError:
            return 0
        finally:
            self._decoder = None

    @property
    def stated_frames(self) -> int:
        """How many frames the header claims; counted where it says nothing."""
        return int(self._stream.frames) or len(self)

    def __enter__(self) -> VideoReader:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close the file."""
        self._decoder = None
        self._stack.close()

    def __len__(self) -> int:
        """Return the number of frames, counted without decoding them."""
        return len(self._index())

    @property
    def frames(self) -> range:
        """Frame numbers."""
        return range(len(self))

    def __iter__(self) -> Iterator[tuple[int, Plate]]:
        """Yield frame number and plate, from the first to the last."""
        self._rewind()
        number = 0
        while (plate := self._decode_next()) is not None:
            if number >= self.limits.frames:
                raise MediaLimitError(
                    f"{self.path}: has more than {self.limits.frames} frames; use Limits(frames=…)"
                )
            yield number, plate
            number += 1

    def read(self, frame: int) -> Plate:
        """Decode one frame.

        Raises:
            MediaError: There is no such frame, or it is damaged.
        """
        index = self._index()
        if not 0 <= frame < len(index):
            raise MediaError(f"{self.path}: has no frame {frame}; it has {len(index)}, counted from 0")
        if self._decoder is None or frame != self._next:
            with quiet_av(self.path, "read"):
                self._container.seek(index[frame], stream=self._stream, backward=True, any_frame=False)
            self._decoder = self._container.decode(self._stream)
        while (picture := self._picture()) is not None:
            if picture.pts is None or picture.pts >= index[frame]:
                self._next = frame + 1
                return self._plate(picture)
        raise MediaError(f"{self.path}: frame {frame} is damaged or cut off; copy or render it again")

    def _rewind(self) -> None:
        with quiet_av(self.path, "read"):
            self._container.seek(0, backward=True, any_frame=False)
        self._decoder = self._container.decode(self._stream)
        self._next = 0

    def _picture(self) -> Any:
        with quiet_av(self.path, "read"):
            picture = next(self._decoder, None) if self._decoder is not None else None
            if picture is not None:
                self.limits.check(str(self.path), picture.width, picture.height, 4)
            return picture

    def _decode_next(self) -> Plate | None:
        picture = self._picture()
        if picture is None:
            self._decoder = None
            return None
        self._next += 1
        return self._plate(picture)

    def _index(self) -> list[int]:
        """Return the time stamp of every frame, in order of showing."""
        if self._pts is None:
            found: list[int] = []
            with quiet_av(self.path, "read"):
                self._container.seek(0, backward=True, any_frame=False)
                for packet in self._container.demux(self._stream):
                    stamp = packet.pts if packet.pts is not None else packet.dts
                    if stamp is not None and packet.size:
                        found.append(stamp)
                    if len(found) > self.limits.frames:
                        raise MediaLimitError(
                            f"{self.path}: has more than {self.limits.frames} frames; use Limits(frames=…)"
                        )
            self._decoder = None
            self._pts = sorted(found)
        return self._pts

    def _plate(self, picture: Any) -> Plate:
        from av.video.reformatter import ColorRange, Colorspace

        with quiet_av(self.path, "read"):
            name = picture.format.name
            deep = max((c.bits for c in picture.format.components), default=8) > 8
            alpha = any(c.is_alpha for c in picture.format.components)
            yuv = not picture.format.is_rgb
            target = {
                (False, False): "rgb48le" if yuv else "rgb24",
                (False, True): "rgba64le" if yuv else "rgba",
                (True, False): "rgb48le",
                (True, True): "rgba64le",
            }[deep, alpha]
            if name in ("gbrp16le", "gbrap16le"):
                data = picture.to_ndarray()
            elif yuv:
                known = picture.colorspace in (1, 4, 5, 6, 7, 9)
                matrix = None
                if not known:
                    # Untagged video follows the old rule: small pictures are BT.601, large ones BT.709.
                    matrix = Colorspace.ITU709 if picture.height >= 720 else Colorspace.ITU601
                full = picture.color_range == 2 or name.startswith("yuvj")
                data = picture.reformat(
                    format=target,
                    src_colorspace=matrix,
                    src_color_range=ColorRange.JPEG if full else ColorRange.MPEG,
                    interpolation=best_scaling(),
                ).to_ndarray()
            else:
                data = picture.reformat(format=target).to_ndarray()
            plate = Plate.from_rgb(data, "srgb_display")
        if alpha:
            pixels = plate.pixels.copy()
            pixels[:, :, :3] *= pixels[:, :, 3:]
            plate = plate.with_(pixels=pixels)
        if turns := quarter_turns(picture.rotation):
            upright = np.ascontiguousarray(np.rot90(plate.pixels, turns))
            plate = Plate(upright, plate.channels, plate.colourspace)
        return plate


def quarter_turns(degrees: float) -> int:
    """Return how many quarter turns, counter-clockwise, make a frame upright; 0 for an angle that is none.

    Args:
        degrees: What the display matrix turns by, counter-clockwise.
    """
    turns = round(degrees / 90)
    return turns % 4 if abs(degrees - 90 * turns) < 1 else 0
