"""Label accuracy: does a made picture show what its label map asked for?

A segmenter that was trained on real pairs looks at made pictures; what it sees is held against the labels
they were made from (as in pix2pixHD, section 4, and SPADE, section 4). Its answer on the real pictures is the
ceiling and is given beside it: a figure without the ceiling says more about the segmenter than the model.
"""

from __future__ import annotations

import torch
from jaxtyping import Float, Int64
from torch import Tensor

__all__ = ["accuracy", "confusion"]


def confusion(
    seen: Int64[Tensor, "n h w"],
    truth: Int64[Tensor, "n h w"],
    classes: int,
    within: Float[Tensor, "n h w"] | None = None,
) -> Int64[Tensor, "k k"]:
    """Count pixels by true class (rows) and seen class (columns).

    Args:
        seen: Class indices, 0 to ``classes - 1``.
        truth: Class indices; pixels of no class (``classes`` and above) are left out.
        classes: How many there are.
        within: Count only pixels above 0.5 here.
    """
    valid = (truth >= 0) & (truth < classes)
    if within is not None:
        valid &= within > 0.5
    counts = torch.bincount(truth[valid] * classes + seen[valid], minlength=classes * classes)
    return counts.view(classes, classes).cpu()


def accuracy(counts: Int64[Tensor, "k k"]) -> dict[str, float]:
    """Return the usual three figures of a confusion matrix, each 0-1.

    ``pixel_accuracy``: right pixels; ``class_accuracy``: mean over classes that occur of their right share;
    ``miou``: mean over classes that occur or are seen of intersection over union. NaN where nothing counts.
    """
    total = counts.sum().double()
    right, rows, columns = counts.diagonal().double(), counts.sum(1).double(), counts.sum(0).double()
    union = rows + columns - right
    return {
        "pixel_accuracy": float(right.sum() / total),
        "class_accuracy": float((right / rows)[rows > 0].mean()),
        "miou": float((right / union)[union > 0].mean()),
    }
