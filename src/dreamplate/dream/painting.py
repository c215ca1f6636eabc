"""What every generator is: pictures made of parameters, and a few things that one can ask of them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from jaxtyping import Float, Int
from torch import Tensor, nn

from dreamplate.errors import ConfigError


@dataclass(frozen=True)
class Genome:
    """The variables that a search without gradients turns, for one picture.

    Attributes:
        reals: How many real numbers.
        bits: How many yes-or-no decisions.
        integers: Number of values of each integer variable.
        spread: Standard deviation from which the first reals are drawn.
        bound: Reals stay within minus and plus this.
        bit_rate: Probability that a bit is set at the start.
    """

    reals: int = 0
    bits: int = 0
    integers: tuple[int, ...] = ()
    spread: float = 1.0
    bound: float = 10.0
    bit_rate: float = 0.005


@dataclass(frozen=True)
class Genes:
    """Values for a genome, one row for each of ``n`` pictures. Tensors on the CPU."""

    reals: Float[Tensor, "n reals"]
    bits: Int[Tensor, "n bits"]
    integers: Int[Tensor, "n integers"]

    def __len__(self) -> int:
        return self.reals.shape[0]

    def __getitem__(self, rows: slice | list[int]) -> Genes:
        return Genes(self.reals[rows], self.bits[rows], self.integers[rows])


class Painting(nn.Module):
    """One or more pictures that parameters describe; the base of every generator.

    Called with a width and a height it renders all of its pictures, display-encoded in [0, 1]. Every
    parameter has the pictures along its first axis, so that an optimiser that works element by element
    treats them independently: making four at once gives the four that would be made one by one.

    Args:
        size: Width and height of the finished picture in pixels.
        wrap: Whether it tiles in x and in y.
        draws: A CPU generator for each picture, from which its start is drawn.
    """

    count: int
    """How many pictures."""

    def __init__(
        self, size: tuple[int, int], wrap: tuple[bool, bool], draws: Sequence[torch.Generator]
    ) -> None:
        super().__init__()
        self.size, self.wrap, self.count = size, wrap, len(draws)

    def forward(self, width: int, height: int) -> Float[Tensor, "count 3 {height} {width}"]:
        """Render ``(count, 3, height, width)``, display-encoded in [0, 1]."""
        raise NotImplementedError

    def refresh(self, progress: float, draws: torch.Generator) -> None:
        """Begin a step: draw whatever noise the next rendering uses (none by default).

        Args:
            progress: Share of the run that is done, 0 to 1.
            draws: CPU generator; the only source of randomness.
        """

    def settle(self, progress: float) -> None:
        """Prepare to be looked at: renderings that follow are free of noise, until `refresh`."""

    def prior(self) -> Float[Tensor, " count"] | None:
        """Return how unlikely each picture's parameters are, to be added to its loss; ``None`` for none."""
        return None

    def settle_into(self, image: Float[Tensor, "n 3 height width"], steps: int, rate: float) -> None:
        """Fit the parameters to pictures by Adam on the squared error of colour, seen small."""
        height, width = image.shape[-2:]
        shrink = min(1.0, 160 / min(width, height))
        w, h = max(2, round(width * shrink)), max(2, round(height * shrink))
        target = F.interpolate(image, (h, w), mode="bilinear", antialias=True)
        own = [parameter for parameter in self.parameters() if parameter.requires_grad]
        optimiser = torch.optim.Adam(own, lr=rate)
        with torch.enable_grad():
            for _ in range(steps):
                optimiser.zero_grad(set_to_none=True)
                error = self(w, h) - target
                # Summed over pictures, so that each is fitted as it would be alone.
                torch.autograd.backward((error * error).mean((1, 2, 3)).sum())
                optimiser.step()
        optimiser.zero_grad(set_to_none=True)

    def paint(self, image: Float[Tensor, "n 3 height width"]) -> None:
        """Set the parameters so that the pictures look like ``image``: one for each, or one for all."""
        self.settle_into(image, 200, 0.03)

    def genome(self) -> Genome:
        """Return what a search without gradients may turn.

        Raises:
            ConfigError: This generator has nothing that such a search could use.
        """
        raise ConfigError(
            f"search.method needs a generator with few variables, {type(self).__name__.lower()} has none:"
            " choose biggan, stylegan2, dvae, autoencoder, fft or pixels, or search.method descend"
        )

    def adopt(self, genes: Genes) -> None:
        """Become the pictures of these genes, as many as there are rows; parameters are made anew.

        Raises:
            ConfigError: As for `genome`.
        """
        self.genome()


def draw_each(
    shape: tuple[int, ...], draws: Sequence[torch.Generator], *, uniform: bool = False
) -> Float[Tensor, "count ..."]:
    """Return random numbers ``(count, *shape)``, each picture's from its own CPU generator."""
    make = torch.rand if uniform else torch.randn
    return torch.stack([make(shape, generator=generator) for generator in draws])
