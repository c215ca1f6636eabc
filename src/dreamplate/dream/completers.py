"""Models that go on with a picture, in one shape: squares of pixels in which some cells are known."""

from __future__ import annotations

from typing import Protocol, runtime_checkable

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from dreamplate.dream.complete_config import CompleteConfig
from dreamplate.errors import ModelError
from dreamplate.tokens.igpt import ImageGpt
from dreamplate.tokens.igpt_load import load_igpt
from dreamplate.tokens.igpt_sample import Chances, go_on
from dreamplate.tokens.palette import pictures_of, tokens_of

__all__ = ["Completer", "IgptCompleter", "load_completer"]


@runtime_checkable
class Completer(Protocol):
    """A model that fills what is missing in square pictures, in reading order.

    Attributes:
        side: Pixels of a picture along a side.
        cell: Pixels of a token along a side.
    """

    side: int
    cell: int

    def __call__(
        self,
        image: Float[Tensor, "n 3 side side"],
        known: Bool[Tensor, "rows rows"],
        uniform: Float[Tensor, "n rows rows"],
    ) -> Float[Tensor, "n 3 side side"]:
        """Return pictures in which cells that are not known are made.

        Args:
            image: Display-encoded, 0-1; what is in cells that are not known does not matter.
            known: Cells that are given, the same in all.
            uniform: In [0, 1): the draw of each cell.
        """
        ...


class IgptCompleter:
    """Image GPT as a completer: a cell is a pixel.

    Args:
        net: The network.
        config: How colours are drawn.
    """

    cell = 1

    def __init__(self, net: ImageGpt, config: CompleteConfig) -> None:
        self.net, self.side = net, net.shape.side
        self.chances = Chances(config.temperature, config.top_k, config.top_p)

    def __call__(
        self,
        image: Float[Tensor, "n 3 side side"],
        known: Bool[Tensor, "rows rows"],
        uniform: Float[Tensor, "n rows rows"],
    ) -> Float[Tensor, "n 3 side side"]:
        """See `Completer`. Known cells come back in colours of the palette."""
        palette = self.net.palette
        tokens = tokens_of(image.to(palette) * 2 - 1, palette)
        made, _ = go_on(self.net, tokens, known.flatten(), uniform.flatten(1), self.chances)
        return pictures_of(made, palette, self.side) / 2 + 0.5


def load_completer(config: CompleteConfig, device: torch.device) -> Completer:
    """Return the model that a config names.

    Raises:
        ModelError: There is no such model, or it can complete nothing.
        CheckpointError: It is damaged.
    """
    try:
        net = load_igpt(config.model)
    except ModelError as error:
        if "holds a dalle network" not in str(error):
            raise
        from dreamplate.dream.complete_dalle import load_dalle_completer

        return load_dalle_completer(config, device)
    return IgptCompleter(net.to(device), config)
