"""Plates drawn: `lines` for pictures with alpha, highlights, windows, and pixels that are not square."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor

from dreamplate.errors import MediaError
from dreamplate.plate import Plate, convert
from dreamplate.plate.resample import fill_clear
from dreamplate.translate.lines import blur, fill, ink, lab, response
from dreamplate.translate.lines_contour import HEIGHT, borders, gate
from dreamplate.translate.sketch_config import SketchOptions, line_width

__all__ = ["add_layer", "beside", "drawn", "ink_of", "sketch_plate"]

WORK = 1.2
"""Standard deviation, in pixels, at which edges are measured: larger pictures are made smaller for that, and
what is measured is enlarged before it becomes ink, so that lines are as sharp as the picture."""
MOST = 2.0
"""Factor by which smaller pictures are enlarged for it, at most."""
SILHOUETTE = 0.5
"""Step of lightness that the edge of a matte counts as."""
_BLACK, _WHITE = (0.0, 0.0, 0.0), (1.0, 1.0, 1.0)

Draw = Callable[[Plate], Float[Tensor, "1 1 h w"]]
"""From a plate to ink, 0-1, before alpha."""


def sketch_plate(
    plate: Plate, options: SketchOptions, layer: str | None = None, draw: Draw | None = None
) -> Plate:
    """Return the drawing of a plate.

    Args:
        plate: Colour (R G B or Y) in any space; display-encoded before it is drawn. Alpha cuts the drawing,
            paper and all, and its edge is drawn from inside.
        options: Of the drawing.
        layer: Name of a layer: the plate is returned as it is, with the drawing in ``layer.Y``.
        draw: Instead of the lines of this module, such as a learnt model.

    Returns:
        ``Y`` (0 ink, 1 paper), or ``R G B`` where ink or paper are coloured, with ``A`` where the plate has
        it; in ``srgb_display``. With ``layer``, the plate with one more channel, in its own colour space.

    Raises:
        MediaError: It has no colour, holds NaN or infinities, or has such a layer already.
        ConfigError: The width does not suit the size, or the colour space is unknown.
    """
    made = (draw or (lambda given: ink_of(given, options)))(plate)[0, 0].cpu().numpy()
    if layer is not None:
        return add_layer(plate, drawn(plate, made, options), layer)
    return drawn(plate, made, options)


def ink_of(plate: Plate, options: SketchOptions) -> Float[Tensor, "1 1 h w"]:
    """Return the ink of a plate's drawing, 0-1, before alpha."""
    picture, alpha = _seen(plate)
    height, width = plate.pixels.shape[:2]
    wide = line_width(options.width, plate.display.height)
    scale = min(MOST, 2 * WORK / wide)
    # Pixels may not be square; lines are.
    size = (max(8, round(height * scale)), max(8, round(width * scale * plate.pixel_aspect)))
    sigma = wide / 2 * scale
    small = lab(_resized(picture, size))
    contrast = response(small, sigma)
    if alpha is not None:
        # Darker inside, so that the line lies inside.
        matte = _resized(1 - SILHOUETTE * alpha, size)
        edge = response(torch.cat([matte, torch.zeros_like(matte).expand(-1, 2, -1, -1)], dim=1), sigma)
        contrast = torch.maximum(contrast, edge)
    if options.style == "contour":
        coarse = (HEIGHT, max(8, round(HEIGHT * width * plate.pixel_aspect / height)))
        borders_seen = borders(lab(_resized(picture, coarse)))
        factor = F.interpolate(gate(borders_seen), size=size, mode="bilinear", align_corners=False)
        contrast = contrast * factor if alpha is None else torch.maximum(contrast * factor, edge)
    light = blur(small[:, :1], sigma)
    full = (height, width)
    if scale < 1:
        contrast, light = (_resized(part, full) for part in (contrast, light))
    clear = 1 - ink(contrast, options.faintest, options.softness)
    clear = clear * (1 - fill(light, contrast, options.tone))
    return 1 - (clear if scale < 1 else _resized(clear, full).clamp(0, 1))


def drawn(plate: Plate, made: np.ndarray, options: SketchOptions) -> Plate:
    """Return ink ``(h, w)`` as a plate: coloured, cut by the plate's alpha, with its windows."""
    coloured = (options.line_colour, options.paper) != (_BLACK, _WHITE)
    ends = np.array([options.paper, options.line_colour], np.float32)[:, : 3 if coloured else 1]
    share = made[:, :, None].astype(np.float32)
    pixels = ends[0] + share * (ends[1] - ends[0])
    names = ("R", "G", "B") if coloured else ("Y",)
    if plate.has_alpha:
        # Straight until here; colour conversions are for straight colour, and a plate holds it premultiplied.
        alpha = plate.alpha()[:, :, None]
        pixels, names = np.concatenate([pixels * alpha, alpha], axis=2), (*names, "A")
    metadata = {name: value for name, value in plate.metadata.items() if name != "dreamplate"}
    return plate.with_(
        pixels=np.ascontiguousarray(pixels, np.float32),
        channels=names,
        colourspace="srgb_display",
        metadata=metadata,
    )


def add_layer(plate: Plate, drawing: Plate, layer: str) -> Plate:
    """Return a plate with a drawing's first channel (and alpha) beside its own, in its own colour space.

    Raises:
        MediaError: It has such a layer already.
    """
    if layer in plate.layers or f"{layer}.Y" in plate.channels:
        raise MediaError(f"layer {layer!r}: is in this plate already; name another")
    same = convert(drawing, plate.colourspace) if plate.colourspace != "raw" else drawing
    names = tuple(f"{layer}.{name}" for name in same.channels if name != "A")
    held = [same.channel(name.rpartition(".")[2])[:, :, None] for name in names]
    return plate.with_(
        pixels=np.ascontiguousarray(np.concatenate([plate.pixels, *held], axis=2), np.float32),
        channels=(*plate.channels, *names),
    )


def beside(plate: Plate, drawing: Plate) -> Plate:
    """Return a plate as it looks over black, with the drawing to its right."""
    shown = convert(plate, "srgb_display")
    pixels = [np.clip(part.rgb(), 0, 1) for part in (shown, drawing)]
    joined = np.ascontiguousarray(np.concatenate(pixels, axis=1), np.float32)
    return Plate(joined, ("R", "G", "B"), "srgb_display")


def _seen(plate: Plate) -> tuple[Float[Tensor, "1 3 h w"], Float[Tensor, "1 1 h w"] | None]:
    """Return straight, display-encoded colour, and alpha where it is not the same everywhere."""
    colour = ("R", "G", "B") if all(name in plate.channels for name in "RGB") else ("Y",)
    wanted = [*colour, "A"] if plate.has_alpha else [*colour]
    plate.select(*wanted).check_finite("picture")
    light, alpha = plate.rgb(), np.clip(plate.alpha(), 0, 1)
    varies = bool((alpha != alpha.flat[0]).any())
    if plate.has_alpha and (alpha < 1).any():
        # Light without coverage, a glow, is no surface to draw.
        light = fill_clear(light * (alpha > 0)[:, :, None], alpha)
    shown = convert(Plate.from_rgb(light, plate.colourspace), "srgb_display").pixels
    picture = torch.from_numpy(np.array(shown.transpose(2, 0, 1)[None], np.float32, order="C"))
    return picture, torch.from_numpy(alpha.copy())[None, None] if varies else None


def _resized(image: Float[Tensor, "n c h w"], size: tuple[int, int]) -> Float[Tensor, "n c h2 w2"]:
    if tuple(image.shape[2:]) == size:
        return image
    return F.interpolate(image, size=size, mode="bicubic", antialias=True, align_corners=False)
