"""Deep OpenEXR files: writing, reading and flattening. Depth is planar; colour is premultiplied, in light."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from dreamplate.errors import MediaError
from dreamplate.files import atomic_write
from dreamplate.plate.box import Box
from dreamplate.plate.libraries import guarded
from dreamplate.plate.limits import Limits

__all__ = ["Deep", "flatten", "read_deep", "write_deep"]

CHANNELS = ("R", "G", "B", "A", "Z", "ZBack")
_LINEAR_REC709 = (0.64, 0.33, 0.30, 0.60, 0.15, 0.06, 0.3127, 0.3290)


@dataclass(frozen=True, eq=False)
class Deep:
    """A deep picture: samples of pixel i, row by row, at ``offsets[i] : offsets[i + 1]``, near to far.

    Attributes:
        offsets: ``(height * width + 1,)`` int64.
        values: ``(k, 6)`` float32: R G B A, premultiplied by the sample's own alpha, Z, ZBack.
        data: Where the pixels lie.
        display: The frame.
    """

    offsets: npt.NDArray[np.int64]
    values: npt.NDArray[np.float32]
    data: Box
    display: Box

    def depth_of_cover(self, cover: float) -> npt.NDArray[np.float64]:
        """Return the depth ``(height, width)`` at which opacity reaches ``cover``; else infinity."""
        found = np.full(self.data.width * self.data.height, np.inf)
        clear = np.ones(len(found))
        for rank in range(int(np.diff(self.offsets).max(initial=0))):
            which = np.flatnonzero(np.diff(self.offsets) > rank)
            sample = self.values[self.offsets[which] + rank]
            clear[which] *= 1 - sample[:, 3]
            reached = (clear[which] <= 1 - cover) & np.isinf(found[which])
            found[which[reached]] = sample[reached, 4]
        return found.reshape(self.data.height, self.data.width)


def flatten(deep: Deep) -> npt.NDArray[np.float32]:
    """Return R G B A ``(height, width, 4)``: samples composited near to far."""
    made = np.zeros((deep.data.width * deep.data.height, 4))
    count = np.diff(deep.offsets)
    for rank in range(int(count.max(initial=0))):
        which = np.flatnonzero(count > rank)
        sample = deep.values[deep.offsets[which] + rank, :4]
        made[which] += (1 - made[which, 3:]) * sample
    return made.reshape(deep.data.height, deep.data.width, 4).astype(np.float32)


def write_deep(deep: Deep, path: Path, attributes: Mapping[str, Any] | None = None) -> None:
    """Write a deep scan-line file; it appears whole or not at all.

    Args:
        deep: What to write.
        path: Where; an existing file is replaced.
        attributes: More header entries, as OpenEXR takes them.

    Raises:
        MediaError: It cannot be written.
        ResourceError: The disk is full; an existing file is untouched.
    """
    import OpenEXR as openexr  # noqa: N813

    data, display = deep.data, deep.display
    header = {
        "type": openexr.deepscanline,
        "compression": openexr.ZIPS_COMPRESSION,
        "dataWindow": ((data.x, data.y), (data.right - 1, data.bottom - 1)),
        "displayWindow": ((display.x, display.y), (display.right - 1, display.bottom - 1)),
        "chromaticities": _LINEAR_REC709,
        **(attributes or {}),
    }
    with atomic_write(path) as file, guarded(path, "write"):
        channels = {
            name: _pixels(np.ascontiguousarray(deep.values[:, place]), deep.offsets, data)
            for place, name in enumerate(CHANNELS)
        }
        openexr.File(header, channels).write(file)


def read_deep(path: Path, *, limits: Limits | None = None) -> Deep:
    """Read a deep file with channels A and Z; colour that is not there is black, ZBack is Z.

    Raises:
        MediaError: It is missing, damaged, not deep, or lacks A or Z.
        MediaLimitError: It claims more than the limits allow.
    """
    import OpenEXR as openexr  # noqa: N813

    if not path.is_file():
        raise MediaError(f"{path}: no such file; check the path")
    with guarded(path):
        header = openexr.File(str(path), header_only=True).header()
        data, display = _box(header["dataWindow"]), _box(header["displayWindow"])
        if header["type"] != openexr.deepscanline:
            raise MediaError(f"{path}: is not deep; use holdout.kind z or range")
        (limits or Limits.default()).check(str(path), data.width, data.height, len(header["channels"]))
        channels = openexr.File(str(path), separate_channels=True).channels()
    missing = [name for name in ("A", "Z") if name not in channels]
    if missing:
        raise MediaError(f"{path}: deep, but has no channel {missing[0]}; it has {' '.join(channels)}")
    flat = {name: list(channel.pixels.ravel()) for name, channel in channels.items()}
    count = [0 if values is None else len(values) for values in flat["Z"]]
    offsets = np.concatenate([[0], np.cumsum(count, dtype=np.int64)])
    values = np.zeros((int(offsets[-1]), len(CHANNELS)), np.float32)
    for place, name in enumerate(CHANNELS):
        given = flat.get(name, flat["Z"] if name == "ZBack" else None)
        if given is not None and len(values):
            values[:, place] = np.concatenate([v for v in given if v is not None and len(v)])
    return Deep(offsets, values, data, display)


def _pixels(values: npt.NDArray[np.float32], offsets: npt.NDArray[np.int64], data: Box) -> Any:
    table = np.empty(data.height * data.width, object)
    counts = np.diff(offsets)
    for place in np.flatnonzero(counts):
        table[place] = values[offsets[place] : offsets[place + 1]]
    return table.reshape(data.height, data.width)


def _box(window: Any) -> Box:
    (x, y), (right, bottom) = window
    return Box(int(x), int(y), int(right - x + 1), int(bottom - y + 1))
