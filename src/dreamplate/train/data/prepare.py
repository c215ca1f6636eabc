"""An example as it is kept between steps: encoded, scaled, and as small as it goes without visible loss."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
import torch
from torch import Tensor

from dreamplate.errors import MediaError
from dreamplate.plate.label_files import LabelMap, map_labels
from dreamplate.plate.plate import Plate
from dreamplate.train.data.geometry import scale_ids, scale_picture
from dreamplate.train.data.raw import RawExample
from dreamplate.train.plates import encode_plate, hold_data
from dreamplate.train.port import Port

__all__ = ["Prepared", "check_sizes", "pack", "prepare", "unpack"]

_HALF_MAX = 60_000


@dataclass(frozen=True, eq=False)
class Prepared:
    """One example in the types of the cache; `unpack` makes numbers of it.

    Attributes:
        images: Each ``(c, h, w)``.
        condition: ``(c, h, w)``.
        labels: ``(h, w)``.
        instances: ``(h, w)``.
        weight: ``(1, h, w)``.
        texts: What is said of it.
        facts: What is known of it.
    """

    images: tuple[Tensor, ...]
    condition: Tensor | None = None
    labels: Tensor | None = None
    instances: Tensor | None = None
    weight: Tensor | None = None
    texts: tuple[str, ...] = ()
    facts: Mapping[str, str] = field(default_factory=dict)

    @property
    def bytes(self) -> int:
        """Memory it takes."""
        parts = (*self.images, self.condition, self.labels, self.instances, self.weight)
        return sum(part.numel() * part.element_size() for part in parts if part is not None)

    @property
    def size(self) -> tuple[int, int]:
        """Height and width."""
        part = next(p for p in (*self.images, self.condition, self.labels) if p is not None)
        return int(part.shape[-2]), int(part.shape[-1])


def check_sizes(raw: RawExample) -> tuple[int, int]:
    """Return height and width, the same for all parts.

    Raises:
        MediaError: Two differ; names both files and their sizes.
    """
    sizes: list[tuple[str, tuple[int, int]]] = [
        (raw.files.get("image", "image"), plate.pixels.shape[:2]) for plate in raw.image
    ]
    if isinstance(raw.condition, Plate):
        sizes.append((raw.files.get("condition", "condition"), raw.condition.pixels.shape[:2]))
    elif raw.condition is not None:
        sizes.append((raw.files.get("condition", "label map"), raw.condition.values.shape[:2]))
    for name, array in (("instances", raw.instances), ("weight", raw.weight)):
        if array is not None:
            sizes.append((raw.files.get(name, name), array.shape[:2]))
    first, size = sizes[0]
    for name, other in sizes[1:]:
        if other != size:
            raise MediaError(
                f"{name}: is {other[1]}x{other[0]}, its partner {first} is {size[1]}x{size[0]}; make them of "
                "one size"
            )
    return size


def prepare(raw: RawExample, given: Port | None, made: Port, size: tuple[int, int]) -> Prepared:
    """Encode an example for its ports and scale it.

    Args:
        raw: As it is stored.
        given: Port of the condition.
        made: Port of the image.
        size: Height and width wanted.

    Raises:
        MediaError: A part does not fit its port: channels, values, labels outside the palette.
    """
    check_sizes(raw)
    images = tuple(pack(_picture(plate, made, raw, "image", size)) for plate in raw.image)
    condition = labels = instances = weight = None
    if isinstance(raw.condition, LabelMap):
        assert given is not None and given.palette is not None
        name = raw.files.get("condition", "label map")
        indices = torch.from_numpy(map_labels(raw.condition, given.palette, name))
        labels = scale_ids(indices, size).to(torch.uint8 if len(given.palette) < 256 else torch.int16)
    elif raw.condition is not None and given is not None:
        condition = pack(_picture(raw.condition, given, raw, "condition", size))
    if raw.instances is not None and given is not None and given.instances:
        instances = scale_ids(torch.from_numpy(raw.instances), size).to(torch.int32)
    if raw.weight is not None:
        mask = torch.from_numpy(np.clip(raw.weight, 0, 1).astype(np.float32))[None]
        weight = scale_picture(mask, size).half()
    return Prepared(images, condition, labels, instances, weight, raw.texts, raw.facts)


def pack(picture: Tensor) -> Tensor:
    """Return a picture of -1 to 1 in one byte a value where that is exact, else in half precision.

    Half precision is within 2^-12 of values up to 1: a sixteenth of the step of an 8-bit picture.
    """
    levels = (picture + 1) * 127.5
    whole = levels.round()
    if bool((picture.abs() <= 1).all()) and bool(((levels - whole).abs() < 1e-3).all()):
        return whole.to(torch.uint8)
    return picture.half() if float(picture.abs().max()) < _HALF_MAX else picture


def unpack(picture: Tensor) -> Tensor:
    """Return float32, -1 to 1, of what `pack` returned."""
    return picture.float() / 127.5 - 1 if picture.dtype == torch.uint8 else picture.float()


def _picture(plate: Plate, port: Port, raw: RawExample, role: str, size: tuple[int, int]) -> Tensor:
    name = raw.files.get(role, role)
    if set("RGB") <= set(port.channels) and "R" not in plate.channels and "Y" in plate.channels:
        if raw.types.get(role) == "uint16":
            raise MediaError(
                f"{name}: is 16-bit grey where RGB is expected (a depth map among photographs?); remove it, "
                "or convert it"
            )
        rest = [c for c in plate.channels if c != "Y"]
        pixels = np.concatenate([plate.rgb(), plate.select(*rest).pixels], axis=2) if rest else plate.rgb()
        plate = plate.with_(pixels=pixels, channels=("R", "G", "B", *rest))
    return scale_picture(encode_plate(port, hold_data(plate, port), name)[0], size)
