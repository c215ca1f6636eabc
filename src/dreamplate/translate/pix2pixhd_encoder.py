"""Features of instances: what of a picture its labels do not say (Wang and others 2018, section 3.4)."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from dreamplate.translate.pix2pix_layers import entry
from dreamplate.translate.resnet import Resnet

__all__ = ["Encoder", "instance_means", "k_means"]


class Encoder(nn.Module):
    """From a picture to a few channels: a ResNet generator without blocks.

    Args:
        given: Channels of the picture.
        made: Features.
        width: Channels at full size.
        downs: How often the picture is halved.
        norm: See `Resnet`.
        bias: See `Resnet`.

    Attributes:
        multiple: Height and width must be multiples of it.
    """

    def __init__(
        self,
        given: int = 3,
        made: int = 3,
        width: int = 16,
        downs: int = 4,
        norm: str = "instance",
        bias: bool | None = None,
    ) -> None:
        super().__init__()
        self.network = Resnet(given, made, width, downs, 0, norm, bias=bias)
        self.multiple = self.network.multiple
        self.settings = {**self.network.settings, "architecture": "pix2pixhd-encoder"}

    @classmethod
    def from_settings(cls, settings: Mapping[str, int | float | str]) -> Encoder:
        """Return the network of these settings, with weights still to be loaded.

        Raises:
            ModelError: They do not fit together.
        """
        norm = str(entry(settings, "norm", "instance"))
        return cls(
            int(entry(settings, "given", 3, 1)),
            int(entry(settings, "made", 3, 1)),
            int(entry(settings, "width", 16, 1)),
            int(entry(settings, "downs", 4, 0, 10)),
            norm,
            bool(entry(settings, "bias", int(norm != "batch"), 0, 1)),
        )

    def forward(self, x: Float[Tensor, "n c h w"]) -> Float[Tensor, "n d h w"]:
        """Return a feature for every pixel, -1 to 1; average them with `instance_means`."""
        return torch.as_tensor(self.network(x))


def instance_means(
    features: Float[Tensor, "n c h w"], ids: Int[Tensor, "n h w"]
) -> tuple[Float[Tensor, "n c h w"], Float[Tensor, "m c"], Int[Tensor, " m"]]:
    """Return features averaged over each instance of each picture, and the averages by themselves.

    Args:
        features: Of every pixel.
        ids: Instance of every pixel; equal ids in different pictures are different instances.

    Returns:
        The averages laid out again as pictures; the averages ``(m, c)`` of the ``m`` instances; the place
        of each one's first pixel in ``ids.flatten()``.
    """
    count, channels, height, width = features.shape
    low = ids.amin()
    apart = (ids - low) + torch.arange(count, device=ids.device)[:, None, None] * (ids.amax() - low + 1)
    _, which = torch.unique(apart, return_inverse=True)
    which = which.flatten()
    instances = int(which.amax()) + 1
    rows = features.float().permute(0, 2, 3, 1).reshape(-1, channels)
    sums = rows.new_zeros(instances, channels).index_add(0, which, rows)
    areas = torch.bincount(which, minlength=instances)
    means = sums / areas[:, None]
    places = torch.arange(len(which), device=ids.device)
    first = torch.full((instances,), len(which), device=ids.device).scatter_reduce(0, which, places, "amin")
    laid = means[which].view(count, height, width, channels).permute(0, 3, 1, 2)
    return laid.to(features.dtype), means, first


def k_means(points: Float[Tensor, "m c"], clusters: int, rounds: int = 20) -> Float[Tensor, "k c"]:
    """Return cluster centres in the order of their place along the direction of most spread.

    The first centres are evenly spaced in that order, so that nothing is drawn (Lloyd 1982). With fewer
    points than clusters, points are repeated.

    Args:
        points: At least one.
        clusters: How many centres.
        rounds: At most so many.
    """
    centred = (points - points.mean(0)).double()
    _, vectors = torch.linalg.eigh(centred.t() @ centred)
    axis = vectors[:, -1] * torch.sign(vectors[:, -1].sum() + 1e-12)
    order = torch.argsort(centred @ axis, stable=True)
    picks = torch.linspace(0, len(points) - 1, 2 * clusters + 1)[1::2].round().long()
    centres = points[order[picks.to(order.device)]].clone()
    for _ in range(rounds):
        nearest = torch.cdist(points, centres).argmin(1)
        areas = torch.bincount(nearest, minlength=clusters)
        sums = torch.zeros_like(centres).index_add(0, nearest, points)
        moved = torch.where(areas[:, None] > 0, sums / areas.clamp(min=1)[:, None], centres)
        if torch.equal(moved, centres):
            break
        centres = moved
    along = (centres.double() - points.double().mean(0)) @ axis
    return centres[torch.argsort(along, stable=True)]
