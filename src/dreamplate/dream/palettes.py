"""Colour as the eye measures it: palettes to keep to, and how far a picture is from them."""

from __future__ import annotations

import re
from collections.abc import Sequence

import torch
from jaxtyping import Float
from torch import Tensor

from dreamplate.dream.pictures import resize
from dreamplate.errors import ConfigError

# Björn Ottosson, "A perceptual color space for image processing", 2020: linear sRGB to cone
# responses, whose cube roots are mixed into lightness, green-red and blue-yellow.
_TO_CONES = (
    (0.4122214708, 0.5363325363, 0.0514459929),
    (0.2119034982, 0.6806995451, 0.1073969566),
    (0.0883024619, 0.2817188376, 0.6299787005),
)
_TO_LAB = (
    (0.2104542553, 0.7936177850, -0.0040720468),
    (1.9779984951, -2.4285922050, 0.4505937099),
    (0.0259040371, 0.7827717662, -0.8086757660),
)
_DARK = 1e-5
"""Cone responses are kept above this: the slope of a cube root has no bound at 0."""
SOFTNESS = 0.03
"""How gradually the nearest palette colour gives way to the next, in Oklab units."""
SIDE = 256
"""Shorter side at which a large picture's colours are compared with a palette."""


def parse_colour(text: str) -> tuple[float, float, float]:
    """Read ``#rgb`` or ``#rrggbb`` (the # may be left out) as display-encoded red, green, blue in [0, 1].

    Raises:
        ConfigError: It is neither.
    """
    digits = text.strip().removeprefix("#")
    if not re.fullmatch(r"[0-9a-fA-F]{3}|[0-9a-fA-F]{6}", digits):
        raise ConfigError(f"palette colour is {text!r}: write #rgb or #rrggbb, such as #203a5f")
    if len(digits) == 3:
        digits = "".join(2 * digit for digit in digits)
    red, green, blue = (int(digits[at : at + 2], 16) / 255 for at in (0, 2, 4))
    return red, green, blue


def oklab(image: Float[Tensor, "n 3 h w"]) -> Float[Tensor, "n 3 h w"]:
    """Turn display-encoded sRGB in [0, 1] into Oklab: lightness 0 to 1, two colour axes about -0.4 to 0.4.

    Exact but for cone responses below 1e-5 (blacker than sRGB 0.0002), which count as that.
    """
    light = torch.where(image <= 0.04045, image / 12.92, ((image.clamp(min=0.04045) + 0.055) / 1.055) ** 2.4)
    cones = torch.einsum("cr,nrhw->nchw", image.new_tensor(_TO_CONES), light)
    return torch.einsum("lc,nchw->nlhw", image.new_tensor(_TO_LAB), cones.clamp(min=_DARK) ** (1 / 3))


class Palette:
    """A few colours that a picture should keep to.

    Args:
        colours: Such as ``("#203a5f", "#e8c")``.

    Raises:
        ConfigError: One of them cannot be read.
    """

    def __init__(self, colours: Sequence[str]) -> None:
        rgb = torch.tensor([parse_colour(colour) for colour in colours])
        self.points = oklab(rgb.T[None, :, :, None])[0, :, :, 0].T  # (k, 3)

    def loss(self, image: Float[Tensor, "n 3 h w"]) -> Float[Tensor, " n"]:
        """Return the mean Oklab distance of each picture's pixels to their nearest palette colour.

        About 0 to 1. Nearest is soft (a mean over the colours, weighted by ``exp(-distance / 0.03)``),
        so that a pixel between two colours is not torn. Pictures with a shorter side above 256 pixels
        are measured at that size: grain below it blends in the eye.
        """
        seen = image
        if min(image.shape[-2:]) > SIDE:
            scale = SIDE / min(image.shape[-2:])
            seen = resize(image, (round(image.shape[-2] * scale), round(image.shape[-1] * scale)))
        points = self.points.to(seen)
        pixels = oklab(seen).flatten(2).transpose(1, 2)  # (n, h * w, 3)
        # |p - c|^2 by its expansion: no (pixels, colours, 3) array is made.
        squares = (pixels**2).sum(-1, keepdim=True) - 2 * pixels @ points.T + (points**2).sum(-1)
        distance = (squares.clamp(min=0) + 1e-6).sqrt()
        nearness = torch.softmax(-distance.detach() / SOFTNESS, dim=-1)
        return (nearness * distance).sum(-1).mean(-1)
