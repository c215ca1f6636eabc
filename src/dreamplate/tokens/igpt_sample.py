"""Going on with pictures that are begun: Image GPT, token after token."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from dreamplate.tokens.igpt import ImageGpt, Keys
from dreamplate.tokens.sampling import choose

__all__ = ["Chances", "go_on"]


@dataclass(frozen=True)
class Chances:
    """How colours are drawn.

    Attributes:
        temperature: Scores are divided by it; 0 takes the likeliest.
        top_k: How many of the likeliest colours stay; 0: all.
        top_p: The likeliest that together have this share stay; 1: all.
    """

    temperature: float = 1.0
    top_k: int = 0
    top_p: float = 1.0


@torch.no_grad()
def go_on(
    net: ImageGpt,
    tokens: Int[Tensor, "n length"],
    known: Bool[Tensor, " length"],
    uniform: Float[Tensor, "n length"],
    chances: Chances,
) -> tuple[Int[Tensor, "n length"], Float[Tensor, " n"]]:
    """Return pictures with all places filled, in reading order.

    Places that are known stay, wherever they are; a place that is drawn sees what comes before it in reading
    order, and nothing of what is known further on. Places that are known from the beginning go through the
    network at once, and but once where all pictures have them in common.

    Args:
        net: The network.
        tokens: ``(n, side * side)``; values at places that are not known do not matter.
        known: ``(side * side,)``: which places are given, in all pictures.
        uniform: ``(n, side * side)``, in [0, 1): the draw of each place, used or not, so that a picture is
            the same whatever others are beside it.
        chances: How colours are drawn.

    Returns:
        The tokens, and for each picture how many bits its drawn tokens cost, from the scores as they are
        (without temperature).
    """
    tokens = tokens.clone()
    count, length = tokens.shape
    first = length if bool(known.all()) else int(known.logical_not().nonzero()[0])
    weights = net.colours(), net.scores()
    bits = torch.zeros(count, dtype=torch.float64)
    if first == length:
        return tokens, bits
    alike = bool((tokens[:, :first] == tokens[:1, :first]).all())
    keys = Keys(net.shape, 1 if alike else count, weights[0])
    scores = net.extend(tokens[:1] if alike else tokens, first + 1, keys, weights)
    if alike:
        keys, scores = keys.spread(count), scores.expand(count, -1)
    for place in range(first, length):
        if not known[place]:
            if keys.done <= place:
                scores = net.extend(tokens, place + 1, keys, weights)
            scores = scores.float()
            drawn = choose(scores, uniform[:, place], chances.temperature, chances.top_k, chances.top_p).to(
                tokens
            )
            share = scores.log_softmax(1).gather(1, drawn[:, None])[:, 0]
            bits -= share.double().cpu() / torch.log(torch.tensor(2.0, dtype=torch.float64))
            tokens[:, place] = drawn
    return tokens, bits
