"""Masks: where a dream may change, and the joining of what is dreamt with what is kept."""

from __future__ import annotations

from collections.abc import Sequence
from os import PathLike

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from dreamplate.dream.pictures import Reference, is_linear, resize
from dreamplate.errors import ConfigError, MediaError
from dreamplate.plate import Plate, convert, read
from dreamplate.plate.plate import Pixels

LUMA = (0.2126, 0.7152, 0.0722)
"""Rec. 709 weights."""
SLACK = 0.05
"""How far a mask may pass 0 and 1 (resampling overshoots a little) before it counts as no mask."""
SHARED = 0.001
"""Largest share of the frame that two regions may both claim."""


def read_mask(path: str | PathLike[str], size: tuple[int, int]) -> Float[Tensor, "1 1 height width"]:
    """Read a mask as ``(1, 1, height, width)`` in [0, 1]; white is inside.

    What counts, in this order: the only channel of a file that has one, whatever its name; alpha, where
    alpha varies and the colour beneath it does not (something painted in one colour on glass); else the
    brightness (Rec. 709 weights), over black where it is transparent. Values are coverage and are taken
    as they stand in the file, without any conversion of colour.

    Args:
        path: The file.
        size: Width and height wanted. A mask of another size but of the same shape (to a pixel) is resampled.

    Raises:
        MediaError: It cannot be read, holds NaN or infinite values, or values that are no coverage.
        ConfigError: Its shape is another, or nothing in it is white.
    """
    plate = read(path).check_finite(str(path)).to_display()
    values = coverage(plate)
    low, high = float(values.min()), float(values.max())
    if low < -SLACK or high > 1 + SLACK:
        raise MediaError(f"mask {path} has values from {low:g} to {high:g}: scale it to run from 0 to 1")
    width, height = size
    # Of the same shape: scaled to the wanted width or height, it misses the other by a pixel at most.
    fits = (
        abs(plate.height * width / plate.width - height) <= 1
        or abs(plate.width * height / plate.height - width) <= 1
    )
    if not fits:
        raise ConfigError(
            f"mask {path} is {plate.width}x{plate.height} but the picture is {width}x{height}:"
            " make it of the same size, or at least of the same shape"
        )
    mask = torch.from_numpy(np.array(values, np.float32, order="C", copy=True))[None, None].clamp(0, 1)
    mask = resize(mask, (height, width)).clamp(0, 1)
    if float(mask.max()) < 1 / 255:
        raise ConfigError(
            f"mask {path} is black everywhere, so nothing is inside it: paint what is inside white"
        )
    return mask


def coverage(plate: Plate) -> Pixels:
    """Return the channel, alpha or brightness that a mask file means, ``(height, width)``."""
    if len(plate.channels) == 1:
        return plate.pixels[:, :, 0]
    rgb, alpha = plate.rgb(), plate.alpha()
    seen = alpha > 0
    if plate.has_alpha and seen.any() and float(np.ptp(alpha)) > 0:
        straight = rgb[seen] / alpha[seen][:, None]
        # An 8-bit file that was premultiplied keeps colour only to about a step over alpha.
        if not (np.abs(straight - np.median(straight, axis=0)) * alpha[seen][:, None] > 1.5 / 255).any():
            return alpha
    return np.asarray(rgb @ np.asarray(LUMA, np.float32), np.float32)


def check_apart(masks: Sequence[tuple[str | PathLike[str], Float[Tensor, "1 1 height width"]]]) -> None:
    """Make sure that regions share no more than soft edges.

    Raises:
        ConfigError: Two masks are both more than half white on more than a thousandth of the frame.
    """
    for index, (name, mask) in enumerate(masks):
        for other, second in masks[:index]:
            shared = float(((mask > 0.5) & (second > 0.5)).float().mean())
            if shared > SHARED:
                raise ConfigError(
                    f"regions {other} and {name} overlap on {shared:.1%} of the picture:"
                    " take the shared part out of one of them"
                )


def blend(image: Float[Tensor, "n 3 h w"], kept: Reference, mask: Reference) -> Float[Tensor, "n 3 h w"]:
    """Return what a scorer should see: the dream inside the mask, what is kept outside.

    Display-encoded, at any size; the finished picture is joined by `composite`, in linear light, which
    differs from this only along soft edges.

    Args:
        image: The dream.
        kept: ``(1, 3, height, width)``, what is kept.
        mask: ``(1, 1, height, width)``, 1 where the dream is seen.
    """
    inside = mask.like(image)
    return kept.like(image) * (1 - inside) + image * inside


def composite(dream: Plate, kept: Plate, mask: Float[Tensor, "1 1 height width"]) -> Plate:
    """Join the finished dream with the plate of which a part is kept.

    Where the mask is 0, every channel of ``kept`` comes out as it went in, to the last bit, values above
    1 and alpha included. Where it is 1 the colour is the dream's, and opaque. Between, premultiplied
    colour and alpha are mixed in linear light. Channels other than colour and alpha are those of
    ``kept`` everywhere, since a dream has no depth or normals; a grey plate becomes ``R G B``.

    Args:
        dream: Opaque ``R G B``, in any colour space.
        kept: In a linear space, as `pictures.read_kept` gives it; windows and metadata come from it.
        mask: At the size of both.

    Returns:
        A plate in the colour space of ``kept``.

    Raises:
        ConfigError: Sizes differ, or ``kept`` is not in a linear space.
    """
    height, width = mask.shape[-2:]
    for name, plate in (("dream", dream), ("init", kept)):
        if (plate.width, plate.height) != (width, height):
            raise ConfigError(
                f"mask is {width}x{height} but the {name} picture is {plate.width}x{plate.height}"
            )
    if not is_linear(kept.colourspace):
        raise ConfigError(
            f"init is in {kept.colourspace}, which is not linear light: convert it to scene_linear"
        )
    inside = mask[0, 0].detach().cpu().numpy().astype(np.float32)[:, :, None]
    colour = convert(dream, kept.colourspace).rgb()
    names = tuple("RGBA" if kept.has_alpha else "RGB")
    old, new = kept.rgb(), colour
    if kept.has_alpha:
        old = np.concatenate([old, kept.alpha()[:, :, None]], axis=2)
        new = np.concatenate([new, np.ones_like(inside)], axis=2)
    # Chosen, not computed, at both ends: rounding would touch the last bit of what is kept and of the dream.
    mixed = np.where(inside == 0, old, np.where(inside == 1, new, old + inside * (new - old)))
    others = tuple(name for name in kept.channels if name not in {*names, "Y"})
    rest = [kept.channel(name)[:, :, None] for name in others]
    pixels = np.concatenate([mixed, *rest], axis=2).astype(np.float32)
    return kept.with_(pixels=pixels, channels=names + others)
