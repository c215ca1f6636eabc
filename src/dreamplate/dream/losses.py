"""What a dream minimises: disagreement with the targets, and roughness."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from jaxtyping import Bool, Float
from torch import Tensor


@dataclass(frozen=True)
class Wanted:
    """The targets of a dream in a scorer's space.

    Attributes:
        vectors: ``(t, dim)``, unit length.
        weights: ``(t,)``, more than 0, those of wanted targets adding up to 1.
        avoid: ``(t,)`` bool, targets that the picture should not show.
    """

    vectors: Float[Tensor, "t dim"]
    weights: Float[Tensor, " t"]
    avoid: Bool[Tensor, " t"]


def want(vectors: Float[Tensor, "t dim"], weights: list[float], avoid: list[bool]) -> Wanted:
    """Put targets together; weights are scaled so that the wanted ones add up to 1.

    A dream of nothing but things to avoid keeps their weights relative to their own sum.
    """
    weight = torch.tensor(weights, dtype=torch.float32)
    shun = torch.tensor(avoid)
    total = weight[~shun].sum() if bool((~shun).any()) else weight.sum()
    return Wanted(vectors, (weight / total).to(vectors), shun.to(vectors.device))


QUARTER = torch.pi / 4
"""Half the angle between unrelated directions."""


def agreement(
    embeddings: Float[Tensor, "n dim"], wanted: Wanted, spherical: bool = False
) -> Float[Tensor, " n"]:
    """Return how well each view agrees with the targets, ``(n,)``, at most 1.

    Wanted targets count with their cosine, linearly. Targets to avoid count only while their cosine
    is above zero: pushed further, a view would be driven to the opposite of a word, which is
    some other thing rather than its absence.

    Args:
        embeddings: Views in the scorer's space, unit length.
        wanted: The targets.
        spherical: Measure by the squared great-circle distance, ``2 asin(|a - b| / 2) ** 2`` (as in
            VQGAN-CLIP), turned and scaled so that unrelated directions have 0 and equal ones 1.
    """
    cosines = embeddings @ wanted.vectors.T
    if spherical:
        # Measured from a right angle, so that 0 means unrelated and 1 the same, as for the cosine.
        angles = torch.asin((torch.sqrt((2 - 2 * cosines).clamp(min=1e-8)) / 2).clamp(max=1))
        cosines = 1 - 2 * angles**2 / (2 * QUARTER**2)
    counted = torch.where(wanted.avoid, -cosines.clamp(min=0), cosines)
    return counted @ wanted.weights


def roughness(
    image: Float[Tensor, "n 3 height width"], wrap: tuple[bool, bool] = (False, False)
) -> Float[Tensor, " n"]:
    """Return each picture's mean squared difference of neighbouring pixels, across wrapped seams too."""
    across = image - image.roll(1, -1) if wrap[0] else image[..., 1:] - image[..., :-1]
    down = image - image.roll(1, -2) if wrap[1] else image[..., 1:, :] - image[..., :-1, :]
    return (across * across).mean((1, 2, 3)) + (down * down).mean((1, 2, 3))


def total_variation(
    image: Float[Tensor, "n 3 height width"], wrap: tuple[bool, bool] = (False, False)
) -> Float[Tensor, " n"]:
    """Return each picture's mean absolute difference of neighbouring pixels, across wrapped seams too.

    The anisotropic form of Rudin, Osher and Fatemi's total variation (1992), per pixel: less of it
    flattens areas and leaves edges crisp.
    """
    across = image - image.roll(1, -1) if wrap[0] else image[..., 1:] - image[..., :-1]
    down = image - image.roll(1, -2) if wrap[1] else image[..., 1:, :] - image[..., :-1, :]
    return across.abs().mean((1, 2, 3)) + down.abs().mean((1, 2, 3))
