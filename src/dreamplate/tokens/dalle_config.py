"""Options of dalle. No torch."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Literal

from dreamplate.take.fields import Bounds

__all__ = ["DalleOptions"]

Share = Annotated[float, Bounds(ge=0, le=1)]


@dataclass(frozen=True)
class DalleOptions:
    """A transformer that says words, then a picture's codes row by row (Ramesh et al. 2021).

    Pictures have the size of source.crop, in whole cells of the codec.
    """

    codec: str = "world-vq"
    """What turns pictures into codes: a model of the store, a model file, or a training take (vq or dvae)."""
    vocabulary: str = "data"
    """Words that it learns: world (those of the drawn world), a text file of words, or data (those of the
    captions)."""
    text: Annotated[int, Bounds(ge=1, le=1024)] = 32
    """Words of a caption at most; what is longer is cut off."""
    layers: Annotated[int, Bounds(ge=1, le=256)] = 6
    """Blocks of attention."""
    width: Annotated[int, Bounds(ge=4, le=16_384)] = 192
    """Numbers of a token inside."""
    heads: Annotated[int, Bounds(ge=1, le=256)] = 3
    """Attention heads; they share the width."""
    attention: Literal["full", "paper"] = "full"
    """full: every token sees all before it. paper: rows, columns in every fourth layer, and the last layer
    convolutional."""
    kernel: Annotated[int, Bounds(ge=1, le=63)] = 11
    """Side in cells of the window of convolutional attention, odd."""
    rotary: bool = True
    """Turn queries and keys by row and column. Not in the paper."""
    normed: bool = True
    """Give queries and keys unit length. Not in the paper; allows high rates."""
    around: bool = True
    """Show the network the codes above, above left and above right of the cell to be told. Not in the paper;
    what is learnt in little time gains most from it."""
    kinship: bool = True
    """Let codes that stand for alike things share what is learnt of them. Not in the paper."""
    gist: bool = True
    """Show every cell the mean of all words as well. Not in the paper."""
    text_share: Share = 0.125
    """Share of the words in the loss; the codes have the rest."""
    drop_text: Share = 0.1
    """Share of the examples that are learnt without their words, so that guidance can overstate them."""
    z_loss: Annotated[float, Bounds(ge=0, le=1)] = 1e-4
    """Weight of the squared logarithm of the scores' sum, which keeps scores from drifting."""
    weight_decay: Annotated[float, Bounds(ge=0, le=10)] = 0.045
    """How much matrices shrink with every step, in units of the learning rate."""
    guidance: Annotated[float, Bounds(ge=0, le=100)] = 3.0
    """Guidance of sample sheets."""
    top_k: Annotated[int, Bounds(ge=0, le=65_536)] = 0
    """How many of the likeliest codes sample sheets draw from; 0: all."""
    top_p: Annotated[float, Bounds(gt=0, le=1)] = 0.95
    """Share of the likeliest codes that sample sheets draw from."""
