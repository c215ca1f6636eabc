"""Options of igpt. No torch."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Literal

from dreamplate.take.fields import Bounds

__all__ = ["IgptOptions"]


@dataclass(frozen=True)
class IgptOptions:
    """A transformer that says picture after picture, pixel by pixel, in colours of a palette.

    The side of its pictures is that of source.crop, which is square.
    """

    colours: Annotated[int, Bounds(ge=2, le=65_536)] = 512
    """Colours of the palette."""
    palette_pictures: Annotated[int, Bounds(ge=1, le=1_000_000)] = 1000
    """Pictures of the training set, spread evenly, whose pixels the palette is learnt from."""
    depth: Annotated[int, Bounds(ge=1, le=200)] = 6
    """Blocks of attention."""
    width: Annotated[int, Bounds(ge=4, le=16_384)] = 192
    """Numbers of a token inside."""
    heads: Annotated[int, Bounds(ge=1, le=256)] = 6
    """Attention heads; they share the width."""
    positions: Literal["learned", "axes"] = "axes"
    """How the network knows where it is: a vector learnt for every place, as in the paper, or the sum of one
    for the row and one for the column."""
    around: bool = True
    """Show the network, besides the pixel before, those above, above left and above right of the one to be
    told. Not in the paper; what is learnt in little time gains most from it."""
    kinship: bool = True
    """Let colours that are alike share what is learnt of them, going in and coming out. Not in the paper."""
    keep: Annotated[float, Bounds(ge=0, lt=1)] = 0.5
    """Share of the rows, from the top, that sample sheets begin with."""
    top_k: Annotated[int, Bounds(ge=0, le=65_536)] = 40
    """How many of the likeliest colours sample sheets draw from; 0: all."""
