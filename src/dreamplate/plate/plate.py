"""The plate: one picture as an effects pipeline means it."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from types import MappingProxyType
from typing import Any

import numpy as np
import numpy.typing as npt

from dreamplate.errors import MediaError
from dreamplate.plate.box import WINDOW_LIMIT, Box, MetaValue, check_channels, meta_value

__all__ = ["Box", "MetaValue", "Pixels", "Plate"]

Pixels = npt.NDArray[np.float32]
"""float32 array ``(height, width, channels)``, or ``(height, width)`` for one channel."""

_DEFAULT_NAMES = {1: ("Y",), 2: ("Y", "A"), 3: ("R", "G", "B"), 4: ("R", "G", "B", "A")}
# Channels of a layer come back in this order; any other suffix follows, in the order of the plate.
_ORDER = {suffix: rank for rank, suffix in enumerate(["R", "G", "B", "A", "x", "y", "z", "w", "u", "v"])}


@dataclass(frozen=True, eq=False)
class Plate:
    """One picture.

    Alpha is premultiplied (associated), as in OpenEXR: ``R``, ``G``, ``B`` already hold colour times
    ``A``, in the plate's own colour space. Formats that store straight alpha are converted at the edge.
    Values are not limited to 0-1. The pixel array is not copied: do not write into it afterwards.

    Attributes:
        pixels: float32 ``(height, width, channels)``; row 0 is the top of the data window.
        channels: One name per channel, in OpenEXR style: ``R G B A Z``, ``N.x``, ``diffuse.R``.
        colourspace: Name of the colour space of the colour channels: ``scene_linear`` (linear,
            Rec. 709 primaries), ``srgb_display``, ``acescg``, ``raw``, or any OpenColorIO name.
        data_window: Where the pixels lie; defaults to the origin.
        display_window: The frame the artist sees; defaults to the data window.
        metadata: Free entries: text, whole numbers, real numbers, tuples of real numbers.
            ``PixelAspectRatio`` (width of a pixel over its height) lives here.

    Raises:
        MediaError: The parts do not fit together.
    """

    pixels: Pixels
    channels: tuple[str, ...] = ()
    colourspace: str = "scene_linear"
    data_window: Box | None = None
    display_window: Box | None = None
    metadata: Mapping[str, MetaValue] = field(default_factory=dict)

    def __post_init__(self) -> None:
        pixels = np.asarray(self.pixels)
        if pixels.ndim != 3 or 0 in pixels.shape:
            raise MediaError(
                f"pixels: need (height, width, channels), all at least 1, found shape {pixels.shape}"
            )
        if pixels.dtype != np.float32:
            raise MediaError(f"pixels: need float32, found {pixels.dtype}; use .astype(np.float32)")
        height, width, count = pixels.shape
        names = tuple(self.channels) or _DEFAULT_NAMES.get(count, ())
        check_channels(names, count)
        if not isinstance(self.colourspace, str) or not self.colourspace.strip():
            raise MediaError(f"colourspace: need a name, found {self.colourspace!r}")
        data = Box(0, 0, width, height) if self.data_window is None else Box(*map(int, self.data_window))
        display = data if self.display_window is None else Box(*map(int, self.display_window))
        if (data.width, data.height) != (width, height):
            raise MediaError(f"data_window: {data} does not fit pixels of {width}x{height}")
        for name, box in (("data_window", data), ("display_window", display)):
            if not box.sound():
                raise MediaError(f"{name}: {box} is empty or too far out; stay within {WINDOW_LIMIT} pixels")
        metadata = {key: meta_value(key, value) for key, value in self.metadata.items()}
        aspect = metadata.get("PixelAspectRatio", 1.0)
        if not isinstance(aspect, int | float) or not (0 < aspect < math.inf):
            raise MediaError(f"metadata PixelAspectRatio: need a positive number, found {aspect!r}")
        fields: dict[str, Any] = {"pixels": pixels, "channels": names, "data_window": data}
        fields |= {"display_window": display, "metadata": MappingProxyType(metadata)}
        for name, value in fields.items():
            object.__setattr__(self, name, value)

    @classmethod
    def from_rgb(
        cls,
        array: npt.ArrayLike,
        colourspace: str = "scene_linear",
        *,
        metadata: Mapping[str, MetaValue] | None = None,
    ) -> Plate:
        """Make a plate from an array.

        Args:
            array: ``(height, width)`` grey, or ``(height, width, 1 to 4)``: Y, YA, RGB or premultiplied
                RGBA. Whole-number types of 8 and 16 bits are scaled to 0-1; other types are taken as is.
            colourspace: The space the values are in.
            metadata: Free entries.

        Raises:
            MediaError: The shape or the type does not fit.
        """
        given = np.asarray(array)
        if given.ndim == 2:
            given = given[:, :, None]
        if given.ndim != 3 or given.shape[2] not in _DEFAULT_NAMES:
            raise MediaError(f"array: need (height, width) or (height, width, 1 to 4), found {given.shape}")
        if given.dtype in (np.uint8, np.uint16):
            pixels = given.astype(np.float32) / np.float32(np.iinfo(given.dtype).max)
        elif given.dtype.kind in "fiub":
            pixels = np.ascontiguousarray(given, np.float32)
        else:
            raise MediaError(f"array: cannot make a picture of {given.dtype}; use float32 or uint8")
        return cls(pixels, colourspace=colourspace, metadata=metadata or {})

    @property
    def height(self) -> int:
        """Rows of the data window."""
        return int(self.pixels.shape[0])

    @property
    def width(self) -> int:
        """Columns of the data window."""
        return int(self.pixels.shape[1])

    @property
    def data(self) -> Box:
        """The data window (never None)."""
        assert self.data_window is not None
        return self.data_window

    @property
    def display(self) -> Box:
        """The display window (never None)."""
        assert self.display_window is not None
        return self.display_window

    @property
    def pixel_aspect(self) -> float:
        """Width of a pixel over its height."""
        return float(self.metadata.get("PixelAspectRatio", 1.0))  # type: ignore[arg-type]

    @property
    def has_alpha(self) -> bool:
        """Whether there is a channel ``A``."""
        return "A" in self.channels

    @property
    def layers(self) -> tuple[str, ...]:
        """Names of the layers, in order of appearance; the main layer (``R G B A Z``) is ``""``."""
        return tuple(dict.fromkeys(name.rpartition(".")[0] for name in self.channels))

    def channel(self, name: str) -> Pixels:
        """Return one channel, ``(height, width)``.

        Raises:
            MediaError: There is no such channel.
        """
        if name not in self.channels:
            raise MediaError(f"channel {name!r}: not in this plate, which has {' '.join(self.channels)}")
        return self.pixels[:, :, self.channels.index(name)]

    def layer(self, name: str) -> Pixels:
        """Return the channels of a layer, ``(height, width, n)``, in the order R G B A, x y z w, u v.

        Args:
            name: ``"N"`` for ``N.x N.y N.z``; ``""`` for the main layer; the name of a single channel
                (``"Z"``) gives that channel alone.

        Raises:
            MediaError: There is no such layer.
        """
        found = [c for c in self.channels if c.rpartition(".")[0] == name]
        if not found and name in self.channels:
            found = [name]
        if not found:
            known = " ".join(repr(layer) for layer in self.layers)
            raise MediaError(f"layer {name!r}: not in this plate, which has {known}")
        found.sort(key=lambda c: _ORDER.get(c.rpartition(".")[2], len(_ORDER)))
        return self.pixels[:, :, [self.channels.index(c) for c in found]]

    def rgb(self) -> Pixels:
        """Return the main colour, ``(height, width, 3)``, premultiplied; grey (``Y``) is repeated.

        Raises:
            MediaError: The plate has neither R G B nor Y.
        """
        if all(name in self.channels for name in "RGB"):
            return self.pixels[:, :, [self.channels.index(name) for name in "RGB"]]
        if "Y" in self.channels:
            return np.repeat(self.channel("Y")[:, :, None], 3, axis=2)
        raise MediaError(f"channels: need R G B or Y for a colour picture, found {' '.join(self.channels)}")

    def alpha(self) -> Pixels:
        """Return alpha, ``(height, width)``; ones where the plate has no channel ``A``."""
        return self.channel("A") if self.has_alpha else np.ones(self.pixels.shape[:2], np.float32)

    def with_(self, **changes: Any) -> Plate:
        """Return a copy with some attributes replaced; windows follow new pixels of another size."""
        pixels = changes.get("pixels")
        if (
            pixels is not None
            and "data_window" not in changes
            and np.shape(pixels)[:2] != self.pixels.shape[:2]
        ):
            changes |= {"data_window": None, "display_window": changes.get("display_window")}
        return replace(self, **changes)

    def with_metadata(self, **entries: MetaValue) -> Plate:
        """Return a copy with metadata entries added or replaced."""
        return replace(self, metadata={**self.metadata, **entries})

    def select(self, *names: str) -> Plate:
        """Return a plate of these channels only, in this order.

        Raises:
            MediaError: A channel is missing.
        """
        for name in names:
            self.channel(name)
        return replace(
            self, pixels=self.pixels[:, :, [self.channels.index(n) for n in names]], channels=names
        )

    def reframe(self, window: Box, fill: float = 0.0) -> Plate:
        """Return the plate with its data window cut or grown to ``window``; new pixels hold ``fill``."""
        shared = self.data.intersect(window)
        if shared == window:
            top, left = window.y - self.data.y, window.x - self.data.x
            pixels = self.pixels[top : top + window.height, left : left + window.width]
        else:
            pixels = np.full((window.height, window.width, len(self.channels)), fill, np.float32)
            if shared.width and shared.height:
                rows = slice(shared.y - window.y, shared.bottom - window.y)
                columns = slice(shared.x - window.x, shared.right - window.x)
                top, left = shared.y - self.data.y, shared.x - self.data.x
                pixels[rows, columns] = self.pixels[top : top + shared.height, left : left + shared.width]
        return replace(self, pixels=pixels, data_window=window)

    def to_display(self) -> Plate:
        """Return what the artist sees: the data window cut or padded with black to the display window."""
        return self.reframe(self.display)

    def flatten(self, background: tuple[float, float, float] = (0.0, 0.0, 0.0)) -> Plate:
        """Return an opaque ``R G B`` plate: this one over a plain background in the same colour space."""
        rgb = self.rgb()
        if self.has_alpha and any(background):
            rgb = rgb + (1 - self.alpha()[:, :, None]) * np.asarray(background, np.float32)
        return replace(self, pixels=np.ascontiguousarray(rgb, np.float32), channels=("R", "G", "B"))

    def over(self, below: Plate) -> Plate:
        """Return this plate over another of the same size and colour space, as ``R G B A``.

        Raises:
            MediaError: Data windows or colour spaces differ.
        """
        if self.data != below.data:
            raise MediaError(f"over: data windows differ, {self.data} and {below.data}; reframe one of them")
        if self.colourspace != below.colourspace:
            raise MediaError(
                f"over: colour spaces differ, {self.colourspace} and {below.colourspace}; convert one"
            )
        layers = [np.concatenate([p.rgb(), p.alpha()[:, :, None]], axis=2) for p in (self, below)]
        pixels = layers[0] + (1 - layers[0][:, :, 3:]) * layers[1]
        return replace(self, pixels=pixels, channels=("R", "G", "B", "A"))

    def bad_pixels(self) -> int:
        """Return how many pixels hold a NaN or an infinity in any channel."""
        return int(np.count_nonzero(~np.isfinite(self.pixels).all(axis=2)))

    def check_finite(self, name: str = "plate") -> Plate:
        """Return the plate itself when every value is finite.

        Raises:
            MediaError: Some are NaN or infinite; says how many, and where the first is.
        """
        finite = np.isfinite(self.pixels)
        if not finite.all():
            row, column, channel = (int(i[0]) for i in np.nonzero(~finite))
            value, where = self.pixels[row, column, channel], self.channels[channel]
            raise MediaError(
                f"{name}: {self.bad_pixels()} pixels are NaN or infinite, the first ({where} = {value}) at "
                f"column {column + self.data.x}, row {row + self.data.y}; repair them or use Plate.finite()"
            )
        return self

    def finite(self, fill: float = 0.0) -> Plate:
        """Return the plate with ``fill`` in place of every NaN and infinity."""
        return replace(self, pixels=np.where(np.isfinite(self.pixels), self.pixels, np.float32(fill)))
