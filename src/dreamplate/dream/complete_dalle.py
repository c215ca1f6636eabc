"""A DALL-E as a completer: cells of pixels instead of pixels, led by a prompt."""

from __future__ import annotations

import torch
from jaxtyping import Bool, Float
from torch import Tensor, nn

from dreamplate.dream.complete_config import CompleteConfig
from dreamplate.dream.dalle_words import read_prompt
from dreamplate.errors import ModelError
from dreamplate.tokens.codec import Codec
from dreamplate.tokens.dalle import Dalle
from dreamplate.tokens.dalle_load import load_dalle
from dreamplate.tokens.dalle_sample import FREE, Manner, sample

__all__ = ["DalleCompleter", "load_dalle_completer"]


class DalleCompleter:
    """Goes on with the codes of what is kept; what it makes is decoded together with them.

    Args:
        net: The network, of a square grid.
        codec: Whose codes it knows.
        config: How codes are drawn, and what leads them.

    Raises:
        ModelError: Its grid is not square.
        ConfigError: No word of the prompt is known.
    """

    def __init__(self, net: Dalle, codec: Codec, config: CompleteConfig) -> None:
        shape = net.shape
        if shape.rows != shape.columns:
            raise ModelError(
                f"{config.model}: makes pictures of {shape.columns} x {shape.rows} cells; completing needs a"
                " square grid"
            )
        self.net, self.codec = net, codec
        self.side, self.cell = shape.rows * shape.factor, shape.factor
        vocabulary = net.known()
        told = read_prompt(config.prompt, vocabulary.words)
        self.notices = told.notices
        self.text = vocabulary.encode(told.show)
        self.without = vocabulary.encode(told.avoid)
        # Without words there is nothing to overstate.
        guidance = config.guidance if told.show else 1.0
        self.manner = Manner(guidance, config.temperature, config.top_k, config.top_p)

    @torch.no_grad()
    def __call__(
        self,
        image: Float[Tensor, "n 3 side side"],
        known: Bool[Tensor, "rows rows"],
        uniform: Float[Tensor, "n rows rows"],
    ) -> Float[Tensor, "n 3 side side"]:
        """See `Completer`. Known cells come back as the codec shows them."""
        device, count = self.net.book.device, len(image)
        codes = self.codec.encode(image.to(device).float())
        given = torch.where(known.to(device), codes, FREE).flatten(1)
        made = sample(
            self.net,
            self.text.to(device).expand(count, -1),
            uniform.flatten(1).to(device),
            self.manner,
            without=self.without.to(device),
            given=given,
        )
        return self.codec.decode(made.view_as(codes))


def load_dalle_completer(config: CompleteConfig, device: torch.device) -> DalleCompleter:
    """Return the DALL-E that a config names.

    Raises:
        ModelError: It or its codec is not there, or they do not belong together.
        CheckpointError: A file is damaged.
    """
    net, codec = load_dalle(config.model)
    assert isinstance(codec, nn.Module)
    codec.to(device)
    return DalleCompleter(net.to(device), codec, config)
