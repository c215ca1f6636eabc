"""Letters as masks: from the typeface that OpenImageIO brings along, or from a small one of our own.

Where OpenImageIO was built without a typeface ours (ASCII only) takes its place, so that words can always
be drawn.
"""

from __future__ import annotations

from functools import lru_cache

import numpy as np
import numpy.typing as npt

from dreamplate.plate.libraries import openimageio

# Our own letters, from the space to the tilde: a letter is seven rows from the top, a row is one digit to
# the base of 32 whose five bits are the pixels from left to right.
_LETTERS = (
    "00000004444404aaa0000aavavaa4fke5u4op248j3cik8lid44800002488842842224804lel40044v4400000c48000v000"
    "00000cc01248g0ehjlphe4c4444eeh1248vv2421he26aiv22vgu11he68guhhev124888ehhehheehhf12c0cc0cc00cc0c48"
    "248g84200v0v008421248eh12404ehnlngeehhvhhhuhhuhhuehggghesihhhisvgguggvvggugggehgnhhfhhhvhhhe44444e"
    "72222ichikokihggggggvhrllhhhhhpljhhehhhhheuhhugggehhhliduhhukihfgge11uv444444hhhhhhehhhhha4hhhllla"
    "hha4ahhhhha444v1248gve88888e0g84210e22222e4ah0000000000v842000000e1fhfggmphhu00egghe11djhhf00ehvge"
    "698s8880fhhf1eggmphhh40c444e20622icggikokic44444e00qllhh00mphhh00ehhhe00uhugg00djf1100mpggg00ege1u"
    "88s889600hhhjd00hhha400hhlla00ha4ah00hhf1e00v248v64484464444444c44244c008l200"
)
_UNKNOWN = "vhhhhhv"


def line_height(size: int = 14) -> int:
    """Return how many pixels high a line of text is, ascenders and descenders included."""
    return round(1.3 * size)


@lru_cache(maxsize=512)
def letter_mask(string: str, size: int) -> npt.NDArray[np.float32]:
    """Return how much of each pixel the letters cover, ``(line height, width)``."""
    mask = _typeset(string, size) if string else np.zeros((line_height(size), 0), np.float32)
    if mask is None:
        mask = _built_in(string, size)
    mask.setflags(write=False)
    return mask


def _typeset(string: str, size: int) -> npt.NDArray[np.float32] | None:
    """Draw with OpenImageIO's typeface; ``None`` where it has none."""
    oiio = openimageio()
    box = oiio.ImageBufAlgo.text_size(string, size, "")
    if not box.defined or box.width <= 0:
        return None
    width = box.xend + 1  # from the pen's start, so that texts with the same beginning line up
    buffer = oiio.ImageBuf(oiio.ImageSpec(width, line_height(size), 1, oiio.FLOAT))
    if not oiio.ImageBufAlgo.render_text(buffer, 0, size, string, size, "", (1.0,)):
        return None
    return np.array(buffer.get_pixels(oiio.FLOAT), np.float32)[..., 0].clip(0, 1)


def _built_in(string: str, size: int) -> npt.NDArray[np.float32]:
    """Draw with our own letters, enlarged by a whole number to be about as high as the typeface's."""
    pixels = np.zeros((7, 6 * len(string)), np.float32)
    for place, letter in enumerate(string):
        code = 7 * (ord(letter) - 32)
        rows = _LETTERS[code : code + 7] if 0 <= code < len(_LETTERS) else _UNKNOWN
        for row, digit in enumerate(rows):
            bits = int(digit, 32)
            pixels[row, 6 * place : 6 * place + 5] = [bits >> shift & 1 for shift in (4, 3, 2, 1, 0)]
    scale = max(1, round(size / 9.5))
    pixels = pixels.repeat(scale, 0).repeat(scale, 1)
    mask = np.zeros((line_height(size), pixels.shape[1]), np.float32)
    top = max(0, size - pixels.shape[0])  # the letters stand on the same line as those of the typeface
    height = min(pixels.shape[0], mask.shape[0] - top)
    mask[top : top + height] = pixels[:height]
    return mask
