"""pix2pixHD's generator: a coarse network, and enhancers (Wang and others 2018, section 3.1)."""

from __future__ import annotations

import math
from collections.abc import Mapping

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional

from dreamplate.errors import ModelError
from dreamplate.translate.pix2pix_layers import (
    ResidualBlock,
    UpConv,
    channels_last,
    check_size,
    entry,
    make_norm,
    reflect,
)
from dreamplate.translate.pix2pixhd_discriminator import halved
from dreamplate.translate.resnet import Resnet

__all__ = ["Enhancer", "Pix2pixhd"]


class Enhancer(nn.Module):
    """One finer size: its features, halved, are added to those of the coarser one; blocks; and doubled again.

    Args:
        given: Channels in.
        width: Channels at this size.
        blocks: Residual blocks, at half of this size.
        norm: See `Resnet`.
        upsampling: See `Resnet`.
        bias: See `Resnet`.
    """

    def __init__(self, given: int, width: int, blocks: int, norm: str, upsampling: str, bias: bool) -> None:
        super().__init__()
        self.first, self.first_norm = nn.Conv2d(given, width, 7, bias=bias), make_norm(norm, width)
        self.down = nn.Conv2d(width, 2 * width, 3, 2, 1, bias=bias)
        self.down_norm = make_norm(norm, 2 * width)
        self.blocks = nn.ModuleList(ResidualBlock(2 * width, norm, bias) for _ in range(blocks))
        self.up, self.up_norm = UpConv(2 * width, width, 3, bias, upsampling), make_norm(norm, width)

    def forward(
        self, x: Float[Tensor, "n c h w"], coarser: Float[Tensor, "n d hh ww"]
    ) -> Float[Tensor, "n e h w"]:
        """Return features at the size of ``x``, from those at half of it."""
        h = functional.relu(self.first_norm(self.first(reflect(x, 3))))
        h = functional.relu(self.down_norm(self.down(h))) + coarser
        for block in self.blocks:
            h = block(h)
        return functional.relu(self.up_norm(self.up(h)))


class Pix2pixhd(nn.Module):
    """A coarse ResNet on a smaller picture, and enhancers up to the full size.

    Where it was trained with features of instances, they are chosen here from the clusters of each class that
    training kept: ``z`` has a number for every class, whose place in the normal distribution is a place
    among the clusters (0 is the middle one; between two, features are between theirs).

    Args:
        given: Channels in, without features.
        made: Channels out.
        width: Channels at full size; the coarse network has twice as many for every enhancer.
        downs: How often the coarse network halves its picture.
        blocks: Its residual blocks.
        enhancers: Finer sizes; 0: the coarse network sees the full size and is all there is.
        local_blocks: Residual blocks of every enhancer.
        norm: ``batch``, ``instance`` or ``none``.
        upsampling: ``transposed`` as in the paper, or ``resize``, which leaves no chequerboard.
        bias: Of convolutions before a norm; the authors have them everywhere.
        features: Channels of features; 0: none.
        classes: With features: of how many classes there are clusters. The first channels in are theirs.
        clusters: With features: clusters of each class.

    Attributes:
        multiple: Height and width must be multiples of it.
        reach: Pixels around a tile that change it.
        z_dim: Numbers that choose features.
    """

    centres: Tensor

    def __init__(
        self,
        given: int = 36,
        made: int = 3,
        width: int = 32,
        downs: int = 4,
        blocks: int = 9,
        enhancers: int = 1,
        local_blocks: int = 3,
        norm: str = "instance",
        upsampling: str = "transposed",
        bias: bool = True,
        features: int = 0,
        classes: int = 0,
        clusters: int = 10,
    ) -> None:
        super().__init__()
        if features and not 0 < classes <= given:
            raise ModelError(
                f"features need classes, 1 to {given}, and there are {classes}; turn features off"
            )
        self.settings: dict[str, int | float | str] = {
            "architecture": "pix2pixhd",
            "given": given,
            "made": made,
            "width": width,
            "downs": downs,
            "blocks": blocks,
            "enhancers": enhancers,
            "local_blocks": local_blocks,
            "norm": norm,
            "upsampling": upsampling,
            "bias": int(bias),
            "features": features,
            "classes": classes,
            "clusters": clusters,
        }
        self.given, self.features, self.classes = given, features, classes
        self.z_dim = classes if features else 0
        entries, scale = given + features, 2**enhancers
        self.coarse = Resnet(entries, 0, width * scale, downs, blocks, norm, False, upsampling, False, bias)
        self.enhancers = nn.ModuleList(
            Enhancer(entries, width * 2**level, local_blocks, norm, upsampling, bias)
            for level in reversed(range(enhancers))
        )
        self.last = nn.Conv2d(width, made, 7)
        self.register_buffer("centres", torch.zeros(classes, clusters, features) if features else None)
        self.multiple = scale * self.coarse.multiple
        # The coarse network's reach at its size, 3x3 pooling, and what enhancers add at theirs.
        local = [(9 + 2 * 2 * local_blocks) * 2**level for level in range(enhancers)]
        self.reach = self.coarse.reach * scale + scale - 1 + sum(local)
        channels_last(self)

    @classmethod
    def from_settings(cls, settings: Mapping[str, int | float | str]) -> Pix2pixhd:
        """Return the network of these settings, with weights still to be loaded.

        Raises:
            ModelError: They do not fit together.
        """
        return cls(
            int(entry(settings, "given", 36, 1)),
            int(entry(settings, "made", 3, 1)),
            int(entry(settings, "width", 32, 1)),
            int(entry(settings, "downs", 4, 0, 10)),
            int(entry(settings, "blocks", 9, 0, 1000)),
            int(entry(settings, "enhancers", 1, 0, 6)),
            int(entry(settings, "local_blocks", 3, 0, 1000)),
            str(entry(settings, "norm", "instance")),
            str(entry(settings, "upsampling", "transposed")),
            bool(entry(settings, "bias", 1, 0, 1)),
            int(entry(settings, "features", 0)),
            int(entry(settings, "classes", 0)),
            int(entry(settings, "clusters", 10)),
        )

    def forward(
        self, x: Float[Tensor, "n c h w"], z: Float[Tensor, "n k"] | None = None
    ) -> Float[Tensor, "n d h w"]:
        """Return pictures of -1 to 1.

        Args:
            x: Height and width are multiples of ``self.multiple``; with or without the channels of features.
            z: Where features are missing, what chooses them (see the class); None is 0.
        """
        check_size(x, self.multiple)
        if self.features and x.shape[1] == self.given:
            x = torch.cat([x, self.choose(x, z).to(x.dtype)], 1)
        levels = [x]
        for _ in self.enhancers:
            levels.append(halved(levels[-1]))
        h = self.coarse.features(levels.pop())
        for enhancer in self.enhancers:
            h = enhancer(levels.pop(), h)
        return torch.tanh(self.last(reflect(h, 3)))

    def coarse_features(self, x: Float[Tensor, "n c h w"]) -> Float[Tensor, "n d hh ww"]:
        """Return what the coarse network makes of a full-size input, at its own size."""
        for _ in self.enhancers:
            x = halved(x)
        return self.coarse.features(x)

    def choose(self, x: Float[Tensor, "n c h w"], z: Float[Tensor, "n k"] | None) -> Float[Tensor, "n f h w"]:
        """Return features of every pixel, chosen by ``z`` from the clusters of its class."""
        z = x.new_zeros(len(x), self.classes) if z is None else z
        last = self.centres.shape[1] - 1
        place = 0.5 * (1 + torch.erf(z.float() / math.sqrt(2))) * last
        low = place.floor().clamp(0, last).long()
        high, share = (low + 1).clamp(max=last), (place - low)[..., None]
        rows = torch.arange(self.classes, device=x.device)
        chosen = torch.lerp(self.centres[rows, low], self.centres[rows, high], share)
        return torch.einsum("nkhw,nkf->nfhw", x[:, : self.classes].float(), chosen)
