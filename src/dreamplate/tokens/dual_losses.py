"""What the word-picture scorer learns by: pictures and texts that belong together, in both directions."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import torch
from jaxtyping import Float, Int64
from torch import Tensor
from torch.nn import functional

__all__ = ["belonging", "clause", "contrast", "cropped", "jittered", "likeness_loss", "telling_apart"]


def belonging(texts: Sequence[str], facts: Sequence[Mapping[str, str]], alike: float) -> Float[Tensor, "n n"]:
    """Return how right text j is for picture i: 1 for its own and its equals, ``alike`` for equal facts.

    With plain InfoNCE a second picture of "two boats at dusk" would be wrong for that caption.

    Args:
        texts: One of each picture.
        facts: Of each picture; empty where nothing is known.
        alike: Weight, 0-1, of another picture of which all the same is known.
    """
    n = len(texts)
    said = _numbers(list(texts))
    right = (said[:, None] == said[None]).float()
    if facts and alike:
        known = [tuple(sorted(each.items())) for each in facts]
        same = _numbers(known)
        equal = (same[:, None] == same[None]) & torch.tensor([bool(each) for each in known])[:, None]
        right = torch.maximum(right, alike * equal.float())
    right[torch.arange(n), torch.arange(n)] = 1.0
    return right


def contrast(
    pictures: Float[Tensor, "n d"],
    texts: Float[Tensor, "n d"],
    sharpness: Float[Tensor, ""],
    right: Float[Tensor, "n n"],
) -> Float[Tensor, ""]:
    """Return the symmetric cross-entropy of finding a picture's text and a text's picture (InfoNCE).

    Args:
        pictures: Unit vectors.
        texts: Unit vectors.
        sharpness: Factor on the cosines.
        right: See `belonging`; each direction shares its rows out to sum 1.
    """
    scores = sharpness * pictures @ texts.T
    there = -(scores.log_softmax(1) * (right / right.sum(1, keepdim=True))).sum(1).mean()
    back = -(scores.log_softmax(0) * (right / right.sum(0, keepdim=True))).sum(0).mean()
    return (there + back) / 2


def telling_apart(
    pictures: Float[Tensor, "n d"], texts: Float[Tensor, "k d"], sharpness: Tensor, value: Int64[Tensor, " n"]
) -> Float[Tensor, ""]:
    """Return the cross-entropy of finding each picture's value among the texts of all values."""
    return functional.cross_entropy(sharpness * pictures @ texts.T, value)


def likeness_loss(
    pictures: Float[Tensor, "n d"],
    texts: Float[Tensor, "k d"],
    sharpness: Float[Tensor, ""],
    wanted: Float[Tensor, "n k"],
) -> Float[Tensor, ""]:
    """Return the divergence of the pictures' shares in the texts from the shares wanted (Hinton 2015).

    Args:
        pictures: Unit vectors.
        texts: Unit vectors.
        sharpness: Factor on the cosines.
        wanted: Shares that sum to 1 for each picture.
    """
    found = (sharpness * pictures @ texts.T).log_softmax(1)
    return functional.kl_div(found, wanted, reduction="batchmean")


def clause(text: str, share: float, start: float) -> str:
    """Return some words in a row of a text: at least two, all of a shorter text.

    Args:
        text: Words between spaces.
        share: Of the words, 0-1.
        start: Where the row begins, 0 (the first words) to 1 (the last).
    """
    said = text.split()
    length = max(2, round(len(said) * share))
    if length >= len(said):
        return text
    first = min(int(start * (len(said) - length + 1)), len(said) - length)
    return " ".join(said[first : first + length])


def cropped(
    images: Float[Tensor, "n c h w"], draws: Float[Tensor, "parts 3"], zoom: float, side: int
) -> Float[Tensor, "n c side side"]:
    """Return pictures at another size, of which a random border is cut off.

    Batches are cut in parts, each of which has one border: pictures of a part stay together, which is several
    times as fast as one by one.

    Args:
        images: Pictures.
        draws: For each part, 0-1: how much is cut off, and where from in x and in y.
        zoom: Share of the sides that is cut off at most.
        side: In pixels, afterwards.
    """
    height, width = images.shape[-2:]
    made = []
    for part, (amount, across, down) in zip(images.chunk(len(draws)), draws.tolist(), strict=False):
        tall, wide = round(height * (1 - zoom * amount)), round(width * (1 - zoom * amount))
        top, left = round((height - tall) * down), round((width - wide) * across)
        cut = part[:, :, top : top + tall, left : left + wide]
        if (tall, wide) == (side, side):
            made.append(cut)
        else:
            sides = (side, side)
            made.append(
                functional.interpolate(cut, sides, mode="bilinear", antialias=True, align_corners=False)
            )
    return torch.cat(made)


def jittered(
    images: Float[Tensor, "n c h w"], draws: Float[Tensor, "n 3"], share: float
) -> Float[Tensor, "n c h w"]:
    """Return pictures of -1 to 1 with brightness, contrast and saturation changed by up to a share."""
    if not share:
        return images
    light, more, colour = (((draws * 2 - 1) * share).to(images).T)[:, :, None, None, None]
    grey = images.mean(1, keepdim=True)
    middle = grey.mean((2, 3), keepdim=True)
    made: Tensor = (images + colour * (images - grey) + more * (images - middle) + light).clamp(-1, 1)
    return made


def _numbers(keys: Sequence[object]) -> Tensor:
    """Return a number for each key; equal keys have equal numbers."""
    table = {key: number for number, key in enumerate(dict.fromkeys(keys))}
    return torch.tensor([table[key] for key in keys], dtype=torch.int64)
