"""How real a picture looks to a discriminator, as something to be minimised."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor

from dreamplate.nets.stylegan2_discriminator import Stylegan2Discriminator


def unreality(
    critic: Stylegan2Discriminator,
    images: Float[Tensor, "n 3 h w"],
    labels: Float[Tensor, "n c"] | None = None,
) -> Float[Tensor, " n"]:
    """Return ``max(0, 1 - D)`` for each picture: 0 for what the discriminator D takes for real.

    CLIP-GLaSS (Galatolo et al. 2021) minimises it beside the disagreement with the words. Pictures are
    judged one by one, so that no picture's figure depends on which others are in its batch; the map of the
    group's differences is therefore zero for all.

    Args:
        critic: The discriminator.
        images: Display-encoded in [0, 1]; their largest centred squares are judged, at its resolution.
        labels: Where it has labels.
    """
    side = min(images.shape[2:])
    top, left = (images.shape[2] - side) // 2, (images.shape[3] - side) // 2
    squares = images[:, :, top : top + side, left : left + side]
    goal = critic.shape.resolution
    if side != goal:
        squares = F.interpolate(squares, (goal, goal), mode="bilinear", antialias=True)
    rows = [
        critic(squares[i : i + 1] * 2 - 1, None if labels is None else labels[i : i + 1])
        for i in range(len(squares))
    ]
    return F.relu(1 - torch.cat(rows)[:, 0])
