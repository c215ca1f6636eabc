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
from collections.abc import Mapping

import torch
from jaxtyping import Float
from torch import Tensor, nn

from dreamplate.errors import ConfigError, ModelError
from dreamplate.nets.anchor import Anchor
from dreamplate.nets.biggan_layers import Attention, Block, Norm
from dreamplate.nets.biggan_shape import BASE, BigganShape
from dreamplate.nets.wrapping import OPEN, Wrap, conv_same, resize_map

__all__ = ["BASE", "Attention", "Biggan", "BigganShape", "Norm", "initialise"]


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


def initialise(net: nn.Module, draws: torch.Generator) -> None:
    """Start weights orthogonal (section 3 of the paper) and biases at zero."""
    for part in net.modules():
        if isinstance(part, nn.Linear | nn.Conv2d):
            nn.init.orthogonal_(part.weight, generator=draws)
            if part.bias is not None:
                nn.init.zeros_(part.bias)
