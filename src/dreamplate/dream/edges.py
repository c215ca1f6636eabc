"""Edges: where a picture changes, in which direction, and how well two pictures agree about that."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from jaxtyping import Bool, Float
from torch import Tensor

LUMA = (0.2126, 0.7152, 0.0722)
"""Rec. 709 weights; of display-encoded colour they give the brightness that edges are seen in."""
KNEE = 4.0
"""Energy at which an edge counts half, over the picture's mean energy."""
FAINT = 1e-5
"""Energy (about a 256th of full contrast, squared) below which nothing counts as an edge."""
EXTRA = 0.5
"""What an edge too many costs, when a missing one costs 1."""


def luma(image: Float[Tensor, "n 3 h w"]) -> Float[Tensor, "n 1 h w"]:
    """Return the brightness of display-encoded pictures."""
    return torch.einsum("c,nchw->nhw", image.new_tensor(LUMA), image)[:, None]


def gradients(grey: Float[Tensor, "n 1 h w"]) -> tuple[Float[Tensor, "n 1 h w"], Float[Tensor, "n 1 h w"]]:
    """Return the slopes to the right and down, per pixel, by Sobel's filters; the rim is repeated."""
    smooth, slope = grey.new_tensor([0.25, 0.5, 0.25]), grey.new_tensor([-0.5, 0.0, 0.5])
    kernels = torch.stack([torch.outer(smooth, slope), torch.outer(slope, smooth)])[:, None]
    both = F.conv2d(F.pad(grey, (1, 1, 1, 1), mode="replicate"), kernels)
    return both[:, :1], both[:, 1:]


def edge_field(grey: Float[Tensor, "n 1 h w"]) -> Float[Tensor, "n 2 h w"]:
    """Return how strong the edge is at each pixel, 0 to 1, and its direction, as a vector of twice its angle.

    Twice the angle, so that light to dark and dark to light are the same edge (Granlund, "In search of
    a general picture processing operator", 1978). Strength is energy over energy plus four times the
    picture's mean: contrast as a whole does not matter, and a few edges must be paid for with flatness
    elsewhere.
    """
    right, down = gradients(grey)
    energy = right * right + down * down
    knee = KNEE * energy.mean((1, 2, 3), keepdim=True) + FAINT
    doubled = torch.cat([right * right - down * down, 2 * right * down], dim=1)
    return doubled / (energy + knee)


def edge_loss(
    field: Float[Tensor, "n 2 h w"], wanted: Float[Tensor, "m 2 h w"], extra: float = EXTRA
) -> Float[Tensor, " n"]:
    """Return how far pictures are from having the wanted edges: 0 for the same, about 1 for unrelated ones.

    Missing: by how much the part of the picture's edge that runs in the wanted direction falls short
    of the wanted strength (an edge across it counts against), a mean over places by that strength.
    Extra: by how much the squared strength passes the wanted one, a mean over places where little or
    nothing is wanted.

    Args:
        field: Of the pictures, as `edge_field` gives it.
        wanted: Of the reference.
        extra: What extra edges cost.
    """
    strength = wanted.norm(dim=1, keepdim=True)
    along = (field * wanted / strength.clamp(min=1e-6)).sum(1, keepdim=True)
    short = (strength * (strength - along).clamp(min=0)).sum((1, 2, 3))
    missing = short / (strength * strength).sum((1, 2, 3)).clamp(min=1e-6)
    empty = (1 - strength) ** 2
    over = ((field * field).sum(1, keepdim=True) - strength * strength).clamp(min=0)
    loss: Tensor = missing + extra * (empty * over).sum((1, 2, 3)) / empty.sum((1, 2, 3))
    return loss


def thin_edges(grey: Float[Tensor, "1 1 h w"], share: float = 0.2) -> Bool[Tensor, "4 h w"]:
    """Return lines a pixel wide where the slope is a crest, and steeper than a share of the steepest.

    Canny's first steps (1986): smoothing, Sobel, and non-maximum suppression across the edge. Steepest
    is the 99th percentile. There is a map for each direction of the slope: right, right and down,
    down, left and down, or their opposites.
    """
    kernel = grey.new_tensor([1.0, 4.0, 6.0, 4.0, 1.0]) / 16
    grey = F.conv2d(F.pad(grey, (2, 2, 2, 2), mode="replicate"), torch.outer(kernel, kernel)[None, None])
    right, down = (part[0, 0] for part in gradients(grey))
    steep = torch.sqrt(right * right + down * down)
    around = F.pad(steep[None, None], (1, 1, 1, 1), mode="replicate")[0, 0]
    height, width = steep.shape

    def beside(dy: int, dx: int) -> Tensor:
        return around[1 + dy : 1 + dy + height, 1 + dx : 1 + dx + width]

    octant = torch.round(torch.atan2(down, right) / (torch.pi / 4)).long() % 4
    steps = ((0, 1), (1, 1), (1, 0), (1, -1))
    limit = max(share * float(torch.quantile(steep.flatten(), 0.99)), 1e-4)
    crests = [(steep > beside(dy, dx)) & (steep >= beside(-dy, -dx)) & (steep > limit) for dy, dx in steps]
    return torch.stack([crest & (octant == index) for index, crest in enumerate(crests)])


@torch.no_grad()
def edge_overlap(
    image: Float[Tensor, "1 3 h w"], reference: Float[Tensor, "1 3 h w"], share: float = 0.2
) -> float:
    """Return how well the edges of a picture are those of a reference, 0 to 1.

    The F1 score (harmonic mean of precision and recall) of thin edge maps. An edge pixel is matched
    when the other map has one of the same direction at most a pixel away, diagonally too. Without
    direction, chance alone would match half of the edges of two photographs of 128 pixels; with it a
    fifth.

    Args:
        image: Display-encoded.
        reference: Of the same size.
        share: As in `thin_edges`.
    """
    ours, theirs = (thin_edges(luma(picture), share) for picture in (image, reference))
    if not ours.any() or not theirs.any():
        return 0.0

    def near(edges: Tensor) -> Tensor:
        return F.max_pool2d(edges[None].float(), 3, 1, 1)[0] > 0

    precision = float(near(theirs)[ours].float().mean())
    recall = float(near(ours)[theirs].float().mean())
    return 2 * precision * recall / max(precision + recall, 1e-9)
