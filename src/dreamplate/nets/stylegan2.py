"""StyleGAN2's generator: a mapping network from latents to styles, and a synthesis network steered by them.

Karras et al., "Analyzing and Improving the Image Quality of StyleGAN", 2020 (figure 2d, section 2.2, the
skip architecture of section 4.1). Names of tensors are those of NVIDIA's PyTorch checkpoints; the code
follows the paper and the numbers.

Nothing but the learned constant has a size of its own, so pictures of any aspect come from a constant that
is resized, and every convolution and filter can be made to tile.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn

from dreamplate.errors import ConfigError, ModelError
from dreamplate.nets.anchor import Anchor
from dreamplate.nets.stylegan2_layers import GAIN, SLOPE, Dense, randomise, unit_moment
from dreamplate.nets.upfirdn import double, smooth
from dreamplate.nets.wrapping import OPEN, Wrap, conv_same, resize_map, wrap_pad

BASE = 4
"""Side of the learned constant."""
MAPPING_RATE = 0.01
"""Learning-rate factor of the mapping network."""
Noise = Literal["const", "none"] | Sequence[Tensor]
"""Fine noise: the network's own maps, none, or a map ``(n or 1, 1, h, w)`` for each layer."""


@dataclass(frozen=True)
class Stylegan2Shape:
    """The sizes that define a generator.

    Attributes:
        z_dim: Length of a latent.
        c_dim: Length of a label; 0 without labels.
        w_dim: Length of a style.
        mapping: Layers of the mapping network.
        channels: Feature maps at 4, 8, 16 … pixels.
        colours: Channels of the picture.
    """

    z_dim: int = 512
    c_dim: int = 0
    w_dim: int = 512
    mapping: int = 8
    channels: tuple[int, ...] = (512, 512, 512, 512, 256, 128, 64)
    colours: int = 3

    @classmethod
    def of(cls, resolution: int, base: int = 32768, most: int = 512, **others: Any) -> Stylegan2Shape:
        """Return a shape whose channels are ``base`` over the side in pixels, at most ``most``."""
        sides = [4 * 2**index for index in range(int(math.log2(resolution)) - 1)]
        if not sides or sides[-1] != resolution:
            raise ConfigError(f"resolution is {resolution}: choose a power of two from 4")
        return cls(channels=tuple(min(base // side, most) for side in sides), **others)

    @classmethod
    def from_settings(cls, settings: Mapping[str, int | float | str]) -> Stylegan2Shape:
        """Read the settings that an imported model carries.

        Raises:
            ModelError: A setting is missing or no number.
        """
        try:
            channels = tuple(int(part) for part in str(settings["channels"]).split())
            names = ("z_dim", "c_dim", "w_dim", "mapping", "colours")
            return cls(channels=channels, **{name: int(settings[name]) for name in names})
        except (KeyError, ValueError) as error:
            raise ModelError(
                f"StyleGAN2 settings {dict(settings)} do not describe it ({error}); import the model again"
            ) from error

    def settings(self) -> dict[str, int | float | str]:
        """Return what `from_settings` reads."""
        return {
            "z_dim": self.z_dim,
            "c_dim": self.c_dim,
            "w_dim": self.w_dim,
            "mapping": self.mapping,
            "channels": " ".join(map(str, self.channels)),
            "colours": self.colours,
        }

    @property
    def resolution(self) -> int:
        """Side of the square picture."""
        return int(BASE * 2 ** (len(self.channels) - 1))

    @property
    def styles(self) -> int:
        """Styles of one picture: one for each convolution, and the last colour layer's."""
        return 2 * len(self.channels)


class MappingNetwork(nn.Module):
    """Latents and labels to styles, and the average style of what it has seen in training.

    Args:
        z_dim: Length of a latent; 0 maps labels alone.
        c_dim: Length of a label; 0 without.
        w_dim: Length of a style.
        layers: How many layers.
    """

    w_avg: Float[Tensor, " w"]

    def __init__(self, z_dim: int, c_dim: int, w_dim: int, layers: int) -> None:
        super().__init__()
        self.z_dim, self.c_dim, self.layers = z_dim, c_dim, layers
        if c_dim:
            self.embed = Dense(c_dim, w_dim)
        entry = z_dim + (w_dim if c_dim else 0)
        for index in range(layers):
            layer = Dense(entry if index == 0 else w_dim, w_dim, active=True, rate=MAPPING_RATE)
            self.add_module(f"fc{index}", layer)
        if z_dim:
            self.register_buffer("w_avg", torch.zeros(w_dim))

    def forward(
        self, z: Float[Tensor, "n z"] | None, labels: Float[Tensor, "n c"] | None = None
    ) -> Float[Tensor, "n w"]:
        """Map to styles ``(n, w)``, not truncated.

        Raises:
            ConfigError: Latents or labels are missing or have another length than the network's.
        """
        parts = []
        for given, length, what in ((z, self.z_dim, "latents"), (labels, self.c_dim, "labels")):
            if length and (given is None or given.shape[1] != length):
                found = "missing" if given is None else f"of length {given.shape[1]}"
                raise ConfigError(f"StyleGAN2 {what} are {found}: this network needs length {length}")
            if length and given is not None:
                parts.append(unit_moment(given if what == "latents" else self.embed(given)))
        x = torch.cat(parts, dim=1)
        for index in range(self.layers):
            x = self.get_submodule(f"fc{index}")(x)
        return x

    @torch.no_grad()
    def track(self, w: Float[Tensor, "n w"], beta: float = 0.995) -> None:
        """Move the average style towards a batch's mean."""
        self.w_avg.copy_(torch.lerp(w.detach().mean(0), self.w_avg, beta))

    def truncate(self, w: Float[Tensor, "*n w"], psi: float) -> Float[Tensor, "*n w"]:
        """Pull styles towards the average: 1 leaves them, 0 gives the average."""
        return w if psi == 1 else torch.lerp(self.w_avg.to(w), w, psi)


class Styled(nn.Module):
    """A modulated convolution with noise, bias and leaky ReLU; ``up`` doubles the size.

    A style scales the input channels; the result is scaled so that each output channel has the variance
    that it would have for inputs of variance one (equations 1 and 3).
    """

    noise_const: Float[Tensor, "side side"]

    def __init__(self, entry: int, out: int, w_dim: int, side: int, up: bool) -> None:
        super().__init__()
        self.up = up
        self.affine = Dense(w_dim, entry, bias=1.0)
        self.weight = nn.Parameter(torch.zeros(out, entry, 3, 3))
        self.bias = nn.Parameter(torch.zeros(out))
        self.noise_strength = nn.Parameter(torch.zeros([]))
        self.register_buffer("noise_const", torch.zeros(side, side))

    def forward(
        self,
        x: Float[Tensor, "n c h w"],
        w: Float[Tensor, "n w_dim"],
        noise: Noise | Tensor,
        wrap: Wrap,
    ) -> Float[Tensor, "n out h_out w_out"]:
        """``(n, entry, h, w)`` to ``(n, out, h, w)``, or twice the size; ``noise`` is this layer's."""
        style = self.affine(w)
        squares = self.weight.square().sum((2, 3))
        scale = torch.rsqrt(F.linear(style.square(), squares) + 1e-8) * GAIN
        weight = self.weight
        alone = x.shape[0] == 1 and weight.numel() < x.numel()
        if alone:
            # Whichever is smaller is scaled: the weights of one picture, or all feature maps.
            weight = weight * style[0, None, :, None, None] * scale[0, :, None, None, None]
        else:
            x = x * style[:, :, None, None]
        x = double_conv(x, weight, wrap) if self.up else conv_same(x, weight, None, wrap)
        shift = (self.bias * GAIN).view(1, -1, 1, 1)
        grain = self.grain(noise, x.shape[2], x.shape[3])
        if grain is not None:
            shift = shift + grain * (self.noise_strength * GAIN)
        x = x + shift if alone else torch.addcmul(shift, x, scale[:, :, None, None])
        return F.leaky_relu(x, SLOPE)

    def grain(self, noise: Noise | Tensor, height: int, width: int) -> Tensor | None:
        """Return the noise map for a size; the network's own is repeated or cut, so that its grain stays."""
        if isinstance(noise, Tensor):
            return noise
        if noise == "none":
            return None
        own = self.noise_const
        if own.shape != (height, width):
            down, across = -(-height // own.shape[0]), -(-width // own.shape[1])
            own = own.repeat(down, across)[:height, :width]
        return own[None, None]


class ToRgb(nn.Module):
    """A modulated 1x1 convolution to colours, without scaling back."""

    def __init__(self, entry: int, colours: int, w_dim: int) -> None:
        super().__init__()
        self.affine = Dense(w_dim, entry, bias=1.0)
        self.weight = nn.Parameter(torch.zeros(colours, entry, 1, 1))
        self.bias = nn.Parameter(torch.zeros(colours))

    def forward(
        self, x: Float[Tensor, "n c h w"], w: Float[Tensor, "n w_dim"]
    ) -> Float[Tensor, "n colours h w"]:
        """``(n, entry, h, w)`` to ``(n, colours, h, w)``."""
        style = self.affine(w) / math.sqrt(self.weight.shape[1])
        # The weights are so few that each picture gets its own, and no map is scaled.
        weight = self.weight[:, :, 0, 0] * style[:, None, :]
        colours = torch.einsum("noc,nchw->nohw", weight, x)
        return colours + self.bias.view(1, -1, 1, 1)


class Level(nn.Module):
    """The layers of one resolution: two styled convolutions (one at the coarsest) and colours."""

    def __init__(self, index: int, shape: Stylegan2Shape) -> None:
        super().__init__()
        side, out = BASE * 2**index, shape.channels[index]
        if index:
            self.conv0 = Styled(shape.channels[index - 1], out, shape.w_dim, side, up=True)
        else:
            self.const = nn.Parameter(torch.zeros(out, BASE, BASE))
        self.conv1 = Styled(out, out, shape.w_dim, side, up=False)
        self.torgb = ToRgb(out, shape.colours, shape.w_dim)


class SynthesisNetwork(nn.Module):
    """Styles to pictures."""

    def __init__(self, shape: Stylegan2Shape) -> None:
        super().__init__()
        self.shape = shape
        for index in range(len(shape.channels)):
            self.add_module(f"b{BASE * 2**index}", Level(index, shape))

    def levels(self) -> list[Level]:
        """Return the resolutions, coarse to fine."""
        found = [self.get_submodule(f"b{BASE * 2**index}") for index in range(len(self.shape.channels))]
        return [level for level in found if isinstance(level, Level)]

    def forward(
        self,
        ws: Float[Tensor, "n styles w"],
        *,
        noise: Noise = "const",
        grid: tuple[int, int] = (BASE, BASE),
        wrap: Wrap = OPEN,
        anchor: Anchor | None = None,
    ) -> Float[Tensor, "n colours height width"]:
        """Make pictures.

        Args:
            ws: A style for each convolution and one more. The colour layer of a resolution uses the style
                of the convolution after it.
            noise: Fine noise.
            grid: Height and width of the constant; a picture is ``resolution / 4`` times larger.
            wrap: Axes along which pictures tile.
            anchor: Features to record, or to keep outside a mask.

        Returns:
            Display values, mostly in [-1, 1] and not cut off, ``(n, colours, resolution * grid / 4)``.
        """
        levels = self.levels()
        first = levels[0].const[None].to(ws)
        x = resize_map(first, grid, wrap).expand(ws.shape[0], -1, -1, -1)
        x = x.contiguous(memory_format=torch.channels_last)
        layer, picture = 0, x.new_zeros(())
        for index, level in enumerate(levels):
            for conv in (level.conv0, level.conv1) if index else (level.conv1,):
                own = noise if isinstance(noise, str) else noise[layer]
                x = conv(x, ws[:, layer], own, wrap)
                layer += 1
                x = x if anchor is None else anchor(2 * layer, x)
            colours = level.torgb(x, ws[:, layer])
            picture = colours if index == 0 else double(picture, wrap) + colours
            picture = picture if anchor is None else anchor(2 * layer + 1, picture)
        return picture

    def noise_sizes(self, grid: tuple[int, int] = (BASE, BASE)) -> list[tuple[int, int]]:
        """Return height and width of each layer's noise map."""
        sides = [2 ** ((index + 1) // 2) for index in range(self.shape.styles - 1)]
        return [(grid[0] * side, grid[1] * side) for side in sides]


class Stylegan2(nn.Module):
    """The generator: `mapping` and `synthesis`.

    Args:
        shape: Its sizes.
        draws: CPU generator for the starting weights; without it they are zero, for loading over.
    """

    def __init__(self, shape: Stylegan2Shape, draws: torch.Generator | None = None) -> None:
        super().__init__()
        self.shape = shape
        self.mapping = MappingNetwork(shape.z_dim, shape.c_dim, shape.w_dim, shape.mapping)
        self.synthesis = SynthesisNetwork(shape)
        if draws is not None:
            randomise(self, draws)

    @classmethod
    def from_state(cls, state: Mapping[str, Tensor], settings: Mapping[str, int | float | str]) -> Stylegan2:
        """Build a frozen network from imported tensors.

        Raises:
            ModelError: Tensors and settings do not belong together.
        """
        with torch.device("meta"):
            net = cls(Stylegan2Shape.from_settings(settings))
        load_state(net, state, "StyleGAN2")
        return net.requires_grad_(False).eval()

    def styles(
        self,
        z: Float[Tensor, "n z"],
        labels: Float[Tensor, "n c"] | None = None,
        psi: float = 1.0,
        cutoff: int | None = None,
    ) -> Float[Tensor, "n styles w"]:
        """Map latents to a style for each layer, truncated to ``psi`` in the first ``cutoff`` of them."""
        w = self.mapping(z, labels)
        many = w[:, None].expand(-1, self.shape.styles, -1)
        cutoff = self.shape.styles if cutoff is None else cutoff
        return torch.cat([self.mapping.truncate(many[:, :cutoff], psi), many[:, cutoff:]], dim=1)

    def forward(
        self,
        z: Float[Tensor, "n z"],
        labels: Float[Tensor, "n c"] | None = None,
        *,
        psi: float = 1.0,
        noise: Noise = "const",
    ) -> Float[Tensor, "n colours height width"]:
        """Make square pictures from latents; see `SynthesisNetwork`."""
        pictures: Tensor = self.synthesis(self.styles(z, labels, psi), noise=noise)
        return pictures


def double_conv(
    x: Float[Tensor, "n c h w"], weight: Float[Tensor, "out c k k"], wrap: Wrap = OPEN
) -> Float[Tensor, "n out h_out w_out"]:
    """Double the size and convolve (3x3), filtered by the taps 1 3 3 1: one transposed convolution.

    Upsampling, convolution and filter are linear and do not depend on place, so their order is free: the
    convolution runs where there are fewest samples.
    """
    margin = 2
    x = wrap_pad(x, margin, wrap)
    x = smooth(F.conv_transpose2d(x, weight.transpose(0, 1), stride=2), gain=4.0, padding=1)
    for axis, wraps in ((3, wrap[0]), (2, wrap[1])):
        if wraps:
            x = x.narrow(axis, 2 * margin, x.shape[axis] - 4 * margin)
    return x


def load_state(net: nn.Module, state: Mapping[str, Tensor], what: str) -> None:
    """Give a network its tensors, as float32 and without copying what is float32 already.

    Raises:
        ModelError: They are not the network's.
    """
    try:
        net.load_state_dict(
            {name: tensor.float() for name, tensor in state.items()}, strict=True, assign=True
        )
    except RuntimeError as error:
        faults = " ".join(str(error).split())[:300]
        raise ModelError(f"{what}: {faults}; import the model again") from error
