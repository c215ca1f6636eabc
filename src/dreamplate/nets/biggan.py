"""BigGAN-deep, a generator of pictures of named classes.

Brock, Donahue and Simonyan, "Large Scale GAN Training for High Fidelity Natural Image Synthesis", 2019,
appendix B and figure 16. A condition (latent and class embedding) sets the gain and shift of every batch
normalisation. Names of tensors follow the first PyTorch port with spectral norms folded away, so that
``layers.3.conv_1.weight`` here is its ``generator.layers.3.conv_1.weight_orig`` over its largest singular
value.

The network is convolutional after its first layer: the 4 x 4 map that this gives is resized for pictures
that are not square, and every convolution can be made to tile.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn

from dreamplate.errors import ConfigError, ModelError
from dreamplate.nets.anchor import Anchor
from dreamplate.nets.wrapping import OPEN, Wrap, conv_same, resize_map

BASE = 4
"""Side of the map that the first layer gives."""
SQUEEZE = 4
"""A block works inside at a quarter of its input's channels."""
MOMENTUM = 0.1
"""How fast statistics follow the batches of a training."""
PUBLIC = {
    128: (16, 16, 16, 8, 8, 4, 4, 2, 2, 1),
    256: (16, 16, 16, 8, 8, 8, 8, 4, 4, 2, 2, 1),
    512: (16, 16, 16, 8, 8, 8, 8, 4, 4, 2, 2, 1, 1, 1),
}
"""Output channels of each block over the width, by resolution, of the published networks."""


@dataclass(frozen=True)
class BigganShape:
    """The sizes that define a network.

    Attributes:
        z_dim: Length of a latent.
        embed_dim: Length of a class embedding.
        classes: How many classes.
        width: Channels of the last block (128 in the published networks).
        channels: Channels that the first layer gives, then those of each block. Blocks come in pairs, of
            which the second doubles the size, so the picture's side is ``4 * 2 ** (blocks // 2)``.
        attention: Number of the block before which self-attention stands; -1 for none.
        stats: Rows of normalisation statistics, for truncations from 0 to 1.
        eps: Added to the variance in every normalisation.
    """

    z_dim: int = 128
    embed_dim: int = 128
    classes: int = 1000
    width: int = 128
    channels: tuple[int, ...] = field(default=(16 * 128, *(128 * times for times in PUBLIC[128])))
    attention: int = 8
    stats: int = 51
    eps: float = 1e-4

    @classmethod
    def of(cls, resolution: int, width: int = 128, **others: Any) -> BigganShape:
        """Return the published layout for 128, 256 or 512 pixels, at any width."""
        if resolution not in PUBLIC:
            raise ConfigError(f"resolution is {resolution}: choose 128, 256 or 512, or give the channels")
        times = (16, *PUBLIC[resolution])
        return cls(width=width, channels=tuple(width * t for t in times), **others)

    @classmethod
    def from_settings(cls, settings: Mapping[str, int | float | str]) -> BigganShape:
        """Read the settings that an imported model carries.

        Raises:
            ModelError: A setting is missing or no number.
        """
        names = ("z_dim", "embed_dim", "classes", "width", "attention", "stats")
        try:
            channels = tuple(int(part) for part in str(settings["channels"]).split())
            numbers = {name: int(settings[name]) for name in names}
        except (KeyError, ValueError) as error:
            raise ModelError(
                f"BigGAN settings {dict(settings)} do not describe it ({error}); import the model again"
            ) from error
        return cls(channels=channels, eps=float(settings.get("eps", 1e-4)), **numbers)

    def settings(self) -> dict[str, int | float | str]:
        """Return what `from_settings` reads."""
        return {
            "z_dim": self.z_dim,
            "embed_dim": self.embed_dim,
            "classes": self.classes,
            "width": self.width,
            "channels": " ".join(map(str, self.channels)),
            "attention": self.attention,
            "stats": self.stats,
            "eps": self.eps,
        }

    @property
    def blocks(self) -> int:
        """How many blocks."""
        return len(self.channels) - 1

    @property
    def rows(self) -> int:
        """Conditions of one picture: the first layer's, then each block's."""
        return self.blocks + 1

    @property
    def resolution(self) -> int:
        """Side of the square picture."""
        return int(BASE * 2 ** (self.blocks // 2))


class Norm(nn.Module):
    """Batch normalisation with statistics by truncation; gain and shift come from a condition, if any."""

    running_means: Float[Tensor, "stats channels"]
    running_vars: Float[Tensor, "stats channels"]

    def __init__(self, channels: int, stats: int, eps: float, condition: int | None) -> None:
        super().__init__()
        self.eps, self.momentum = eps, MOMENTUM
        self.register_buffer("running_means", torch.zeros(stats, channels))
        self.register_buffer("running_vars", torch.ones(stats, channels))
        if condition is None:
            self.weight = nn.Parameter(torch.ones(channels))
            self.bias = nn.Parameter(torch.zeros(channels))
        else:
            self.scale = nn.Linear(condition, channels, bias=False)
            self.offset = nn.Linear(condition, channels, bias=False)

    def forward(
        self,
        x: Float[Tensor, "n c h w"],
        condition: Float[Tensor, "n d"] | None,
        truncation: float,
        swapped: bool,
    ) -> Float[Tensor, "n c h w"]:
        """Normalise, scale and shift, and cut off below zero."""
        if condition is None:
            gain, shift = self.weight[None], self.bias[None]
        else:
            gain, shift = 1 + self.scale(condition), self.offset(condition)
        if self.training:
            mean, var = self.observe(x)
        else:
            mean = at_truncation(self.running_means, truncation, swapped)
            var = at_truncation(self.running_vars, truncation, swapped)
        # One multiplication and one addition for each pixel, however many factors there are.
        gain = gain * torch.rsqrt(var + self.eps)
        shift = shift - mean * gain
        return F.relu(torch.addcmul(shift[:, :, None, None], x, gain[:, :, None, None]), inplace=True)

    def observe(self, x: Float[Tensor, "n c h w"]) -> tuple[Float[Tensor, " c"], Float[Tensor, " c"]]:
        """Return the batch's own mean and variance, and let every row of the tables follow them."""
        var, mean = torch.var_mean(x, (0, 2, 3), correction=0)
        with torch.no_grad():
            self.running_means.lerp_(mean.detach().expand_as(self.running_means), self.momentum)
            self.running_vars.lerp_(var.detach().expand_as(self.running_vars), self.momentum)
        return mean, var


class Block(nn.Module):
    """Four normalised convolutions (1, 3, 3, 1) beside a shortcut that drops channels and repeats pixels."""

    def __init__(self, entry: int, out: int, up: bool, shape: BigganShape) -> None:
        super().__init__()
        self.out, self.up = out, up
        inner, condition = entry // SQUEEZE, shape.z_dim + shape.embed_dim
        widths = (entry, inner, inner, inner, out)
        for index, kernel in enumerate((1, 3, 3, 1)):
            norm = Norm(widths[index], shape.stats, shape.eps, condition)
            conv = nn.Conv2d(widths[index], widths[index + 1], kernel)
            setattr(self, f"bn_{index}", norm)
            setattr(self, f"conv_{index}", conv)

    def forward(
        self,
        x: Float[Tensor, "n c h w"],
        condition: Float[Tensor, "n d"],
        truncation: float,
        swapped: bool,
        wrap: Wrap,
    ) -> Float[Tensor, "n out h_out w_out"]:
        """``(n, entry, h, w)`` to ``(n, out, h, w)``, or twice the size."""
        y = x
        for index in range(4):
            norm, conv = getattr(self, f"bn_{index}"), getattr(self, f"conv_{index}")
            y = norm(y, condition, truncation, swapped)
            if index == 1 and self.up:
                y = F.interpolate(y, scale_factor=2.0, mode="nearest")
            y = conv_same(y, conv.weight, conv.bias, wrap)
        shortcut = x[:, : self.out]
        if self.up:
            shortcut = F.interpolate(shortcut, scale_factor=2.0, mode="nearest")
        return y + shortcut


class Attention(nn.Module):
    """Self-attention over a map; keys and values at half its size (Zhang et al. 2019, figure 2)."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.snconv1x1_theta = nn.Conv2d(channels, channels // 8, 1, bias=False)
        self.snconv1x1_phi = nn.Conv2d(channels, channels // 8, 1, bias=False)
        self.snconv1x1_g = nn.Conv2d(channels, channels // 2, 1, bias=False)
        self.snconv1x1_o_conv = nn.Conv2d(channels // 2, channels, 1, bias=False)
        self.gamma = nn.Parameter(torch.zeros(1))

    def forward(self, x: Float[Tensor, "n c h w"]) -> Float[Tensor, "n c h w"]:
        """Add to each place what it gathers from all others, times a learned factor."""
        query = self.snconv1x1_theta(x).flatten(2).transpose(1, 2)
        key = F.max_pool2d(self.snconv1x1_phi(x), 2).flatten(2).transpose(1, 2)
        value = F.max_pool2d(self.snconv1x1_g(x), 2).flatten(2).transpose(1, 2)
        gathered = F.scaled_dot_product_attention(query, key, value, scale=1.0)
        maps = gathered.transpose(1, 2).reshape(x.shape[0], -1, *x.shape[2:])
        return torch.addcmul(x, self.gamma, self.snconv1x1_o_conv(maps))


class Biggan(nn.Module):
    """The generator: latents and class mixtures to pictures.

    In training mode normalisation follows the batch, and every row of the statistics follows along.

    Args:
        shape: Its sizes.
        draws: CPU generator for the starting weights (orthogonal); without it they are arbitrary, for loading
            over.
    """

    def __init__(self, shape: BigganShape, draws: torch.Generator | None = None) -> None:
        super().__init__()
        self.shape = shape
        with torch.random.fork_rng([]):  # what torch would draw is drawn over, so nothing else may notice
            self._build(shape)
        if draws is not None:
            initialise(self, draws)

    def _build(self, shape: BigganShape) -> None:
        condition, channels = shape.z_dim + shape.embed_dim, shape.channels
        self.embeddings = nn.Linear(shape.classes, shape.embed_dim, bias=False)
        self.gen_z = nn.Linear(condition, BASE * BASE * channels[0])
        parts: list[nn.Module] = []
        for index, (entry, out) in enumerate(itertools.pairwise(channels)):
            if index == shape.attention:
                parts.append(Attention(entry))
            parts.append(Block(entry, out, index % 2 == 1, shape))
        self.layers = nn.ModuleList(parts)
        self.bn = Norm(channels[-1], shape.stats, shape.eps, None)
        # The published networks have as many outputs as channels here, of which three are used.
        self.conv_to_rgb = nn.Conv2d(channels[-1], shape.width, 3)

    @classmethod
    def from_state(cls, state: Mapping[str, Tensor], settings: Mapping[str, int | float | str]) -> Biggan:
        """Build a frozen network from imported tensors.

        Raises:
            ModelError: Tensors and settings do not belong together.
        """
        with torch.device("meta"):
            net = cls(BigganShape.from_settings(settings))
        try:
            floats = {name: tensor.float() for name, tensor in state.items()}
            net.load_state_dict(floats, strict=True, assign=True)
        except RuntimeError as error:
            raise ModelError(
                f"BigGAN: {' '.join(str(error).split())[:300]}; import the model again"
            ) from error
        for part in net.modules():
            if isinstance(part, nn.Conv2d):
                part.weight.data = part.weight.data.contiguous(memory_format=torch.channels_last)
        return net.requires_grad_(False).eval()

    @property
    def canvas_block(self) -> int:
        """After which block, counted from 1, a canvas is added: where maps are four times the first."""
        return min(4, self.shape.blocks)

    def canvas_shape(self, grid: tuple[int, int] = (BASE, BASE)) -> tuple[int, int, int]:
        """Return channels, height and width of a canvas for pictures of this grid."""
        times = 2 ** (self.canvas_block // 2)
        return self.shape.channels[self.canvas_block], grid[0] * times, grid[1] * times

    def condition(
        self, z: Float[Tensor, "*rows z_dim"], classes: Float[Tensor, "*rows classes"]
    ) -> Float[Tensor, "*rows condition"]:
        """Join latents with the embeddings of class mixtures.

        Raises:
            ConfigError: Latents or mixtures have another length than the network's.
        """
        for found, wanted, what in (
            (z.shape[-1], self.shape.z_dim, "latents"),
            (classes.shape[-1], self.shape.classes, "class vectors"),
        ):
            if found != wanted:
                raise ConfigError(f"BigGAN {what} have length {found}: this network needs {wanted}")
        return torch.cat([z, self.embeddings(classes)], dim=-1)

    def forward(
        self,
        condition: Float[Tensor, "n d"] | Float[Tensor, "n rows d"],
        truncation: float = 1.0,
        *,
        swapped: bool = False,
        grid: tuple[int, int] = (BASE, BASE),
        wrap: Wrap = OPEN,
        canvas: Float[Tensor, "n c h w"] | None = None,
        anchor: Anchor | None = None,
    ) -> Float[Tensor, "n 3 height width"]:
        """Make pictures.

        Args:
            condition: From `condition`; one row for the whole network, or one for the first layer and each
                block.
            truncation: Which statistics normalisation uses, 0 to 1; it does not scale the latents.
            swapped: As for `at_truncation`.
            grid: Height and width of the first map; a picture is ``resolution / 4`` times larger.
            wrap: Axes along which pictures tile.
            canvas: Added to the map of `canvas_shape`.
            anchor: Features to record, or to keep outside a mask.

        Returns:
            Display values in [-1, 1], ``(n, 3, resolution * grid / 4)``.
        """
        rows = condition if condition.dim() == 3 else condition[:, None].expand(-1, self.shape.rows, -1)
        first = self.gen_z(rows[:, 0]).unflatten(1, (BASE, BASE, -1)).permute(0, 3, 1, 2)
        # The port keeps channels last here, so this view is already in the order that convolutions like.
        x = resize_map(first, grid, wrap)
        blocks = 0
        for index, part in enumerate(self.layers):
            if isinstance(part, Attention):
                x = part(x)
            else:
                blocks += 1
                x = part(x, rows[:, blocks], truncation, swapped, wrap)
                if canvas is not None and blocks == self.canvas_block:
                    x = x + canvas
            if anchor is not None:
                x = anchor(index, x)
        x = self.bn(x, None, truncation, swapped)
        last = self.conv_to_rgb
        bias = None if last.bias is None else last.bias[:3]
        rgb = torch.tanh(conv_same(x, last.weight[:3], bias, wrap))
        return rgb if anchor is None else anchor(len(self.layers), rgb)


def at_truncation(
    table: Float[Tensor, "stats channels"], truncation: float, swapped: bool = False
) -> Float[Tensor, " channels"]:
    """Return the row of statistics for a truncation from 0 to 1, interpolated linearly between rows.

    Args:
        table: Statistics at truncations that are evenly spaced from 0 to 1.
        truncation: Where.
        swapped: Give each of the two nearest rows the share of the other, and fall on the row below where
            the division comes out a rounding error short of a whole number, as the first PyTorch port does.
    """
    last = table.shape[0] - 1
    if last == 0:
        return table[0]
    if not swapped:
        position = truncation * last
        below = min(int(position), last - 1)
        return torch.lerp(table[below], table[below + 1], position - below)
    share, whole = math.modf(truncation / (1.0 / last))
    below = min(int(whole), last)
    if not share or below == last:
        return table[below]
    return table[below] * share + table[below + 1] * (1 - share)


def initialise(net: nn.Module, draws: torch.Generator) -> None:
    """Start weights orthogonal (section 3 of the paper) and biases at zero."""
    for part in net.modules():
        if isinstance(part, nn.Linear | nn.Conv2d):
            nn.init.orthogonal_(part.weight, generator=draws)
            if part.bias is not None:
                nn.init.zeros_(part.bias)


def add_spectral_norm(net: nn.Module) -> nn.Module:
    """Divide all weights but class embeddings by their largest singular values while training (in place)."""
    for name, part in net.named_modules():
        if isinstance(part, nn.Linear | nn.Conv2d) and name != "embeddings":
            nn.utils.parametrizations.spectral_norm(part, eps=1e-12)
    return net


def fold_spectral_norm(net: nn.Module) -> nn.Module:
    """Make the weights of `add_spectral_norm` plain again, at the values they have now (in place)."""
    training = net.training
    net.eval()  # in training mode a last look at a weight would move its singular vectors
    for part in net.modules():
        if nn.utils.parametrize.is_parametrized(part, "weight"):
            nn.utils.parametrize.remove_parametrizations(part, "weight")
    return net.train(training)


@torch.no_grad()
def collect_statistics(net: Biggan, conditions: Mapping[float, Sequence[Float[Tensor, "n d"]]]) -> None:
    """Fill the statistics tables by running batches ("standing statistics", appendix D of the paper).

    Args:
        net: The network.
        conditions: For each truncation, batches of conditions whose latents were drawn at it. Truncations are
            rounded to the nearest row; rows between those given are interpolated.
    """
    norms = [part for part in net.modules() if isinstance(part, Norm)]
    last, training = net.shape.stats - 1, net.training
    known: dict[int, list[tuple[Tensor, Tensor]]] = {}
    net.train()
    for norm in norms:
        norm.momentum = 1.0  # tables then hold the statistics of the last batch alone
    for truncation, batches in conditions.items():
        seen = []
        for batch in batches:
            net(batch)
            seen.append([(norm.running_means[0].clone(), norm.running_vars[0].clone()) for norm in norms])
        known[round(truncation * last)] = [
            (torch.stack([mean for mean, _ in found]).mean(0), torch.stack([var for _, var in found]).mean(0))
            for found in zip(*seen, strict=True)
        ]
    net.train(training)
    rows = sorted(known)
    for index, norm in enumerate(norms):
        norm.momentum = MOMENTUM
        for row in range(last + 1):
            low = max((r for r in rows if r <= row), default=rows[0])
            high = min((r for r in rows if r >= row), default=rows[-1])
            share = (row - low) / (high - low) if high > low else 0.0
            for table, part in ((norm.running_means, 0), (norm.running_vars, 1)):
                table[row] = torch.lerp(known[low][index][part], known[high][index][part], share)
