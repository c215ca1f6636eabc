"""The losses of OASIS (Sushko and others 2021, section 3.1 and 3.2)."""

from __future__ import annotations

import torch
from jaxtyping import Float, Int
from torch import Tensor
from torch.nn import functional

from dreamplate.train.draws import Draws
from dreamplate.train.processes import world

__all__ = ["balance", "label_mix", "mix_consistency", "real_score", "segmentation", "segmentation_made"]


def balance(target: Float[Tensor, "n classes h w"], power: float = 1.0) -> Float[Tensor, " classes"]:
    """Return the weight of each class, larger the rarer it is; pixels weigh 1 in the mean.

    The paper's α (equation 1): the inverse of a class's share of the pixels, here over the number of classes
    that occur, which makes the mean 1. Classes that do not occur weigh 0. With several processes, pixels of
    all are counted.

    Args:
        target: One-hot, or shares of classes; zeros where a pixel does not count.
        power: 1 as in the paper: every class counts alike. Below, rare classes count for less: with small
            batches a few pixels would otherwise outweigh all others.
    """
    counts = target.detach().float().sum((0, 2, 3))
    if world() > 1:
        torch.distributed.all_reduce(counts)
        counts = counts / world()
    weights = torch.where(counts > 0, counts.clamp(min=1) ** -power, 0.0)
    return weights * (
        target.shape[0] * target.shape[2] * target.shape[3] / (weights * counts).sum().clamp(min=1e-8)
    )


def segmentation(
    scores: Float[Tensor, "n scores h w"],
    target: Float[Tensor, "n classes h w"],
    weights: Float[Tensor, " classes"],
) -> Tensor:
    """Return the weighted cross-entropy of scores with the classes that labels say.

    Args:
        scores: Raw, of each class and then of "made".
        target: One-hot, or shares of classes; pixels without any do not count.
        weights: Of the classes; see `balance`.
    """
    chances = functional.log_softmax(scores.float(), 1)
    return -(chances[:, :-1] * (target * weights[:, None, None])).sum(1).mean()


def segmentation_made(
    scores: Float[Tensor, "n scores h w"], target: Float[Tensor, "n classes h w"]
) -> Tensor:
    """Return the cross-entropy of scores with "made", wherever a picture has a class."""
    scores = scores.float()
    chances = scores[:, -1] - torch.logsumexp(scores, 1)
    return -(chances * target.sum(1)).mean()


def label_mix(labels: Int[Tensor, "n h w"], classes: int, draws: Draws) -> Float[Tensor, "n 1 h w"]:
    """Return a mask of LabelMix: 1 on a random half of the classes of each picture (section 3.2).

    Args:
        labels: Class indices below ``classes``.
        classes: How many there are.
        draws: Random numbers.
    """
    chosen = draws.uniform((len(labels), classes)).to(labels.device) < 0.5
    return torch.gather(chosen, 1, labels.flatten(1)).view(labels.shape)[:, None].float()


def mix_consistency(mixed: Tensor, real: Tensor, made: Tensor, mask: Tensor) -> Tensor:
    """Return how far scores of a mixed picture are from the mix of both pictures' scores, squared."""
    wanted = mask * real.float() + (1 - mask) * made.float()
    return (mixed.float() - wanted).square().mean()


def real_score(scores: Float[Tensor, "n scores h w"]) -> Float[Tensor, "n h w"]:
    """Return how real each pixel looks: log odds of any class against "made", above 0 for real."""
    scores = scores.float()
    return torch.logsumexp(scores[:, :-1], 1) - scores[:, -1]
