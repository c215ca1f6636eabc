"""The photographs of a fit: each decoded once, brought to one encoding and size, and kept for drawing rays.

All pixels of all views lie in one flat array, view after view and row by row, so that pictures may differ in
size and a pixel is one number. The array is held in memory, or in a temporary file mapped into memory where
it is larger than the memory setting; the file has no name once it is open, so nothing is left behind.

Three things that are often mixed up are kept apart: a pixel of which *nothing is known* (an ``ignore`` mask,
or NaN and infinity in the file) has weight 0; where *nothing is* (a ``transparent`` mask) alpha is 0; and
alpha inside a photograph is what it says.
"""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from dreamplate.errors import ResourceError, SceneError
from dreamplate.fields.area import area_resize, fitted_size
from dreamplate.plate import convert, open_plate, read
from dreamplate.plate.camera import Camera
from dreamplate.plate.plate import Plate
from dreamplate.scenes.scene import Mask, View
from dreamplate.take.machine import parse_memory

__all__ = ["Encoding", "Photographs", "choose_encoding", "load_photographs"]

Encoding = Literal["srgb_display", "scene_linear"]
"""What the values of a fit mean; a key of ``plate.ENCODINGS``."""

_FLOATS = ("half", "float")
_WHOLE = {"uint8": 255.0, "uint16": 65535.0}


@dataclass(frozen=True, eq=False)
class Photographs:
    """Decoded photographs.

    Attributes:
        names: Name of each view.
        cameras: Camera of each view, at the size kept.
        offsets: ``(views + 1,)`` int64; the pixels of view i are ``offsets[i] : offsets[i + 1]``, row by row.
        pixels: ``(pixels, 3 or 4)``: colour premultiplied by alpha *in the encoding*, and alpha where any
            photograph has it. float16 when display-encoded, float32 when scene-linear.
        encoding: What the colours mean.
        weights: ``(pixels,)`` float16, the share of each pixel of which something is known, or None.
        depths: ``(pixels,)`` float32 range in world units, NaN where unknown, or None.
        exposures: Exposure value of each view from its metadata, in stops, or None.
        notices: What the user should know about the files, one line each.
    """

    names: tuple[str, ...]
    cameras: tuple[Camera, ...]
    offsets: npt.NDArray[np.int64]
    pixels: npt.NDArray[np.floating]
    encoding: Encoding
    weights: npt.NDArray[np.float16] | None = None
    depths: npt.NDArray[np.float32] | None = None
    exposures: tuple[float | None, ...] = ()
    notices: tuple[str, ...] = ()

    def __len__(self) -> int:
        return len(self.cameras)

    @property
    def has_alpha(self) -> bool:
        """Whether any photograph has alpha."""
        return bool(self.pixels.shape[1] == 4)

    def picture(self, view: int) -> npt.NDArray[np.float32]:
        """Return one photograph, ``(height, width, 4)`` float32, premultiplied; alpha 1 where it has none."""
        camera = self.cameras[view]
        found = np.ones((camera.height, camera.width, 4), np.float32)
        part = self.pixels[self.offsets[view] : self.offsets[view + 1]]
        found[:, :, : part.shape[1]] = part.reshape(camera.height, camera.width, -1)
        return found

    def known(self, view: int) -> npt.NDArray[np.float32]:
        """Return what share of each pixel of a photograph is known, ``(height, width)``."""
        camera = self.cameras[view]
        if self.weights is None:
            return np.ones((camera.height, camera.width), np.float32)
        part = self.weights[self.offsets[view] : self.offsets[view + 1]]
        return part.reshape(camera.height, camera.width).astype(np.float32)


def choose_encoding(views: Sequence[View]) -> Encoding:
    """Return the encoding that suits photographs: scene-linear where any file holds floats, else display."""
    for view in views:
        with open_plate(view.image) as reader:
            if any(kind in _FLOATS for kind in reader.parts[0].types):
                return "scene_linear"
    return "srgb_display"


def load_photographs(
    views: Sequence[View],
    encoding: Encoding,
    *,
    scale: float = 1.0,
    longest: int | None = None,
    memory: str = "4GiB",
) -> Photographs:
    """Decode photographs.

    Args:
        views: Which ones; sizes may differ.
        encoding: What to bring their colours to.
        scale: Factor on width and height, at most 1; pixels are averaged.
        longest: Longest side kept, in pixels.
        memory: How much may be held in memory; more goes into a temporary file.

    Raises:
        SceneError: There are no views, or a picture does not have its camera's size.
        MediaError: A file cannot be read.
        ResourceError: The disk has no room for the temporary file.
    """
    if not views:
        raise SceneError("the scene has no photographs to learn from: check its splits and missing files")
    cameras = tuple(_fitted(view.camera, scale, longest) for view in views)
    offsets = np.concatenate([[0], np.cumsum([c.width * c.height for c in cameras])]).astype(np.int64)
    count = int(offsets[-1])
    channels = 4 if any(_has_alpha(view) for view in views) else 3
    with_depth = any(view.depth is not None for view in views)
    dtype: type[np.floating] = np.float16 if encoding == "srgb_display" else np.float32
    budget = parse_memory(memory)
    pixels = _room((count, channels), dtype, budget)
    depths: npt.NDArray[np.float32] | None = None
    if with_depth:
        depths = _room((count,), np.float32, budget - count * channels * np.dtype(dtype).itemsize)
        depths[:] = np.nan
    weights: npt.NDArray[np.float16] | None = None
    spoilt: list[tuple[Path, int]] = []
    for number, (view, camera) in enumerate(zip(views, cameras, strict=True)):
        place = slice(int(offsets[number]), int(offsets[number + 1]))
        rgba, known, bad = _decode(view, encoding, camera)
        pixels[place] = rgba.reshape(-1, 4)[:, :channels]
        if bad:
            spoilt.append((view.image, bad))
        if known is not None:
            weights = np.ones(count, np.float16) if weights is None else weights
            weights[place] = known.ravel()
        if depths is not None and view.depth is not None:
            depths[place] = _depth(view, camera).ravel()
    notices = [_spoilt_notice(spoilt)] if spoilt else []
    if any(view.camera.end is not None for view in views):
        notices.append("the scene has moving shutters; each photograph is taken as made at the opening")
    return Photographs(
        tuple(view.name for view in views),
        cameras,
        offsets,
        pixels,
        encoding,
        weights,
        depths,
        tuple(view.exposure for view in views),
        tuple(notices),
    )


def _fitted(camera: Camera, scale: float, longest: int | None) -> Camera:
    size = fitted_size(camera.width, camera.height, scale, longest)
    return camera if size == (camera.width, camera.height) else camera.resized(*size)


def _has_alpha(view: View) -> bool:
    if view.mask is not None and view.mask.meaning == "transparent":
        return True
    with open_plate(view.image) as reader:
        return "A" in reader.parts[0].channels


def _decode(
    view: View, encoding: Encoding, camera: Camera
) -> tuple[npt.NDArray[np.float32], npt.NDArray[np.float32] | None, int]:
    """Return RGBA, what share of each pixel is known (None: all), and how many were not finite."""
    plate = read(view.image).to_display()
    _check_size(plate, view, "photograph", view.image)
    wanted = plate.select(
        *([*"RGB"] if "R" in plate.channels else ["Y"]), *(["A"] if plate.has_alpha else [])
    )
    finite = np.asarray(np.isfinite(wanted.pixels).all(axis=2))
    bad = int(finite.size - np.count_nonzero(finite))
    if bad:
        wanted = wanted.with_(pixels=np.where(finite[:, :, None], wanted.pixels, np.float32(0)))
    wanted = convert(wanted, encoding)
    rgba = np.concatenate([wanted.rgb(), wanted.alpha()[:, :, None]], axis=2, dtype=np.float32)
    known: npt.NDArray[np.bool_] | None = finite if bad else None
    if view.mask is not None:
        marked = _marked(view, view.mask)
        if view.mask.meaning == "transparent":
            rgba *= ~marked[:, :, None]
        else:
            known = ~marked if known is None else np.asarray(known & ~marked)
    if known is None:
        return area_resize(rgba, camera.width, camera.height), None, bad
    # Of a pixel that is known in part, the known part alone gives the colour.
    share = area_resize(known.astype(np.float32), camera.width, camera.height)
    summed = area_resize(np.where(known[:, :, None], rgba, np.float32(0)), camera.width, camera.height)
    colour = np.asarray(summed / np.maximum(share, 1e-6)[:, :, None], np.float32)
    return colour, share, bad


def _marked(view: View, mask: Mask) -> npt.NDArray[np.bool_]:
    plate = read(mask.path).to_display()
    _check_size(plate, view, "mask", mask.path)
    values = plate.rgb()[:, :, 0]
    if mask.marks == "nonzero":
        return np.asarray(values > 0)
    return np.asarray(values < 0.5 if mask.marks == "dark" else values >= 0.5)


def _depth(view: View, camera: Camera) -> npt.NDArray[np.float32]:
    """Return the range at each pixel, read at its centre: the mean of two depths is neither of them."""
    assert view.depth is not None
    with open_plate(view.depth) as reader:
        stored = reader.parts[0].types[0]
    plate = read(view.depth).to_display()
    _check_size(plate, view, "depth picture", view.depth)
    name = next((name for name in ("Z", "Y", "R") if name in plate.channels), plate.channels[0])
    values = np.asarray(plate.channel(name), np.float64) * _WHOLE.get(stored, 1.0) * view.depth_scale
    rows = ((np.arange(camera.height) + 0.5) * (values.shape[0] / camera.height)).astype(np.int64)
    columns = ((np.arange(camera.width) + 0.5) * (values.shape[1] / camera.width)).astype(np.int64)
    found = values[rows[:, None], columns]
    if view.depth_kind == "z":
        cosines = -camera.directions(camera.pixel_centres())[:, 2]
        found = found / cosines.reshape(found.shape)
    return np.where(np.isfinite(found) & (found > 0), found, np.nan).astype(np.float32)


def _check_size(plate: Plate, view: View, what: str, path: Path) -> None:
    if (plate.width, plate.height) != (view.camera.width, view.camera.height):
        raise SceneError(
            f"{path}: this {what} is {plate.width} x {plate.height}, but the camera of view {view.name!r} is"
            f" for {view.camera.width} x {view.camera.height}; give a {what} of that size"
        )


def _room(shape: tuple[int, ...], dtype: type[np.floating], budget: int) -> npt.NDArray[Any]:
    """Return an array in memory, or in a temporary file where it is larger than the budget."""
    size = int(np.prod(shape)) * np.dtype(dtype).itemsize
    if size <= budget:
        return np.empty(shape, dtype)
    try:
        # A temporary file has no name where the system allows it, so it goes with the process.
        with tempfile.TemporaryFile(prefix="dreamplate-") as file:
            file.truncate(size)
            return np.memmap(file, dtype, "r+", shape=shape)
    except OSError as error:
        raise ResourceError(
            f"{tempfile.gettempdir()}: no room for {size >> 20} MiB of photographs; free some, set TMPDIR, or"
            " give a smaller --image-scale"
        ) from error


def _spoilt_notice(spoilt: Sequence[tuple[Path, int]]) -> str:
    first, count = spoilt[0]
    text = f"{first}: {count} pixels are NaN or infinite and teach nothing"
    more = sum(number for _, number in spoilt[1:])
    return text + (f" (nor do {more} in {len(spoilt) - 1} more files)" if more else "")
