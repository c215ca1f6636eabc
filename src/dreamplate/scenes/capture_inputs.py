"""What structure from motion sees: upright 8-bit display copies of photographs, grouped by lens, with masks.

The photographs themselves are kept for training as they are. Only what the feature finder cannot take (linear
light, more than 8 bits, alpha, pixels that lie on their side) is shown to it as a copy.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from dreamplate.errors import MediaError, SceneError
from dreamplate.plate.colour import convert
from dreamplate.plate.io import read, write
from dreamplate.plate.plate import Pixels, Plate
from dreamplate.scenes.capture_config import CaptureConfig
from dreamplate.scenes.photographs import Header, find_picture, picture_header, pictures_in

__all__ = ["Photograph", "display_copy", "find_photographs", "lens_groups", "prepare"]

Say = Callable[[str], None]
GREY = 0.18
"""Linear value that the mean of the logarithms of a linear photograph's light is brought to."""
_LINEAR = ("scene_linear", "acescg", "aces2065_1")


@dataclass(frozen=True)
class Photograph:
    """One photograph of a capture.

    Attributes:
        name: Path below the folder of photographs, with ``/``; unique.
        original: The file as it was given.
        header: What its header says.
        mask: Its mask as it was given, or None.
    """

    name: str
    original: Path
    header: Header
    mask: Path | None = None

    @property
    def shown(self) -> str:
        """Name of what the feature finder sees: its own, or that of a copy."""
        return self.name if plain(self.header) else f"{self.name}.png"


def find_photographs(folder: Path, masks: Path | None) -> tuple[tuple[Photograph, ...], list[str]]:
    """Return the photographs of a folder, in the order of their names, and what was left out and why.

    Raises:
        SceneError: There are fewer than two, masks are not there, or one is of another size.
    """
    if masks is not None and not masks.is_dir():
        raise SceneError(f"{masks}: is no folder; name the folder of the masks")
    found, left_out = [], []
    inside = masks is not None and masks.resolve().is_relative_to(folder.resolve())
    for path in pictures_in(folder):
        if inside and masks is not None and path.resolve().is_relative_to(masks.resolve()):
            continue
        name = path.relative_to(folder).as_posix()
        try:
            header = picture_header(path)
        except MediaError as error:
            left_out.append(str(error))
            continue
        found.append(Photograph(name, path, header, _mask_for(name, header, masks)))
    if len(found) < 2:
        some = f"one photograph ({found[0].name})" if found else "no photographs"
        damaged = f", and {len(left_out)} that cannot be read ({left_out[0]})" if left_out else ""
        raise SceneError(
            f"{folder}: holds {some}{damaged}; structure from motion compares photographs, give two or more"
        )
    if masks is not None and not any(photograph.mask for photograph in found):
        raise SceneError(f"{masks}: holds no mask named as a photograph, such as {found[0].name}.png")
    return tuple(found), left_out


def lens_groups(photographs: Sequence[Photograph], config: CaptureConfig) -> list[list[Photograph]]:
    """Return which photographs share a lens, first comes first.

    Raises:
        SceneError: They are to share one and differ in size.
    """
    groups: dict[object, list[Photograph]] = {}
    for photograph in photographs:
        header = photograph.header
        key: object = (header.width, header.height)
        if config.cameras == "each":
            key = photograph.name
        elif config.cameras == "auto":
            key = (header.width, header.height, header.device, header.focal and round(header.focal))
        groups.setdefault(key, []).append(photograph)
    if config.cameras == "one" and len(groups) > 1:
        firsts = [group[0].header for group in list(groups.values())[:4]]
        sizes = ", ".join(f"{header.width} x {header.height}" for header in firsts)
        raise SceneError(f"cameras is one: the photographs are of several sizes ({sizes}); choose auto")
    return list(groups.values())


def prepare(
    photographs: Sequence[Photograph], pictures: Path, masks: Path, marks: str, say: Say
) -> tuple[bool, list[str]]:
    """Fill the folders that the feature finder reads.

    Args:
        photographs: All of them.
        pictures: Where upright 8-bit pictures go, links where the photographs are such themselves.
        masks: Where masks go, in COLMAP's way: ``NAME.png``, black where no features are wanted.
        marks: Which pixels of given masks are to be left out, ``dark`` or ``light``.
        say: Told how far it is.

    Returns:
        Whether there are masks, and notices about what was changed.

    Raises:
        MediaError: A photograph is damaged.
        ResourceError: The disk is full.
    """
    masked: set[str] = set()
    turned = linear = 0
    notices: list[str] = []
    for number, photograph in enumerate(photographs, 1):
        say(f"photograph {number} of {len(photographs)}")
        place = pictures / photograph.shown
        place.parent.mkdir(parents=True, exist_ok=True)
        keep: Pixels | None = None
        if place.name == photograph.original.name:
            _link(photograph.original, place)
        else:
            plate = read(photograph.original).to_display()
            if bad := plate.bad_pixels():
                notices.append(f"{photograph.name}: {bad} pixels are NaN or infinite; they show no features")
            shown, keep = display_copy(plate)
            turned += photograph.header.orientation != 1
            linear += plate.colourspace in _LINEAR
            write(shown, place)
        if photograph.mask is not None:
            values = read(photograph.mask).to_display()
            light = values.rgb().mean(axis=2) >= 0.5
            wanted = light if marks == "dark" else ~light
            keep = wanted.astype(np.float32) if keep is None else keep * wanted
        if keep is not None and not (keep > 0).all():
            masked.add(photograph.shown)
            _write_mask(masks, photograph, keep)
    if masked:  # the finder passes over photographs without a mask when others have one
        for photograph in photographs:
            if photograph.shown not in masked:
                _write_mask(masks, photograph, np.ones((1, 1), np.float32))
    if turned:
        notices.append(f"{turned} photographs were turned upright as their Exif orientation says")
    if linear:
        notices.append(f"{linear} linear photographs were shown as 8-bit copies, each at its own exposure")
    return bool(masked), notices


def plain(header: Header) -> bool:
    """Return whether the feature finder can read a photograph as it is."""
    return (
        header.orientation == 1
        and set(header.types) == {"uint8"}
        and header.channels in (("R", "G", "B"), ("Y",))
        and header.colourspace == "srgb_display"
    )


def display_copy(plate: Plate) -> tuple[Plate, Pixels | None]:
    """Return a plate as an 8-bit monitor shows it, and which pixels mean something.

    Linear light is exposed so that the mean of its logarithms is middle grey. Clear pixels become grey.

    Args:
        plate: Any plate with colour.

    Returns:
        An opaque ``srgb_display`` plate within 0 to 1, and ``(height, width)`` 1 where the photograph says
        something, 0 where it is clear, NaN or infinite; None where it does everywhere.
    """
    alpha = plate.alpha()
    light = plate.rgb()
    sound = np.isfinite(light).all(axis=2) & np.isfinite(alpha)
    known = sound & (alpha > 0.5)
    light = np.where(sound[:, :, None], light, 0)
    straight = np.where(known[:, :, None], light / np.where(known, alpha, 1)[:, :, None], 0)
    colour = Plate.from_rgb(straight.astype(np.float32), plate.colourspace)
    if plate.colourspace not in ("srgb_display", "raw"):
        linear = convert(colour, "scene_linear").pixels
        bright = linear.mean(axis=2)
        lit = bright[known & (bright > 1e-8)]
        gain = GREY / float(np.exp(np.log(lit).mean())) if lit.size else 1.0
        colour = convert(
            Plate.from_rgb(np.minimum(linear * np.float32(gain), 64), "scene_linear"), "srgb_display"
        )
    shown = np.where(known[:, :, None], np.clip(colour.pixels, 0, 1), 0.5).astype(np.float32)
    return Plate.from_rgb(shown, "srgb_display"), None if known.all() else known.astype(np.float32)


def _write_mask(masks: Path, photograph: Photograph, keep: Pixels) -> None:
    """Write a mask for the feature finder; one pixel of white stands for all of them."""
    header = photograph.header
    values = np.broadcast_to(keep > 0, (header.height, header.width)).astype(np.float32)
    path = masks / f"{photograph.shown}.png"
    path.parent.mkdir(parents=True, exist_ok=True)
    write(Plate.from_rgb(values, "raw"), path)


def _mask_for(name: str, header: Header, masks: Path | None) -> Path | None:
    if masks is None:
        return None
    path = find_picture(masks / f"{name}.png") or find_picture((masks / name).with_suffix(""))
    if path is None:
        return None
    own = picture_header(path)
    if (own.width, own.height) != (header.width, header.height):
        raise SceneError(
            f"{path}: this mask is {own.width} x {own.height}, its photograph {name} is "
            f"{header.width} x {header.height}; make the mask at the photograph's size"
        )
    return path


def _link(source: Path, target: Path) -> None:
    """Make a file be there twice without its bytes being there twice, where the disk can do that."""
    try:
        target.symlink_to(source.resolve())
    except OSError:
        shutil.copyfile(source, target)
