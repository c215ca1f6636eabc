"""Pictures from a dalle-mini: code by code with a cache, led by words.

What dalle-mini calls super-conditioning is guidance: scores are led away from those of an empty text, as in
`sampling.guided`. Its authors used 10, min-dalle up to 32 together with the likeliest 256 codes.
"""

from __future__ import annotations

import torch
from jaxtyping import Float, Int
from torch import Tensor

from dreamplate.tokens.dalle_sample import FREE, Manner
from dreamplate.tokens.mini import DalleMini
from dreamplate.tokens.sampling import choose, guided

__all__ = ["PUBLISHED", "sample_mini"]

PUBLISHED = Manner(guidance=10.0, temperature=1.0, top_k=256, top_p=1.0)
"""How its users draw."""


@torch.no_grad()
def sample_mini(
    net: DalleMini,
    text: Int[Tensor, "n t"],
    uniform: Float[Tensor, "n cells"],
    manner: Manner = PUBLISHED,
    *,
    without: Int[Tensor, " t"] | None = None,
    given: Int[Tensor, "n cells"] | None = None,
    leaning: None = None,
) -> Int[Tensor, "n cells"]:
    """Return the codes of pictures, in raster order; as `dalle_sample.sample`.

    Args:
        net: In evaluation mode.
        text: From `Pieces.encode`.
        uniform: Numbers in [0, 1) that the codes are drawn by.
        manner: How.
        without: What guidance leads away from; the empty text when None.
        given: Codes that cells shall have, `FREE` elsewhere.
        leaning: Nothing: there is no encoder that could say the codes of a picture to stay near.
    """
    del leaning
    shape, many = net.shape, len(text)
    led = manner.guidance != 1
    if led:
        other = net.known().encode("").to(text) if without is None else without
        text = torch.cat([text, other.expand(many, -1)])
    heard, cache = net.hear(text), net.cache(len(text))
    codes = text.new_full((many, shape.cells + 1), shape.start)
    for cell in range(shape.cells):
        inputs = codes[:, cell : cell + 1]
        scores = net.scores(inputs.repeat(2, 1) if led else inputs, heard, cache, cell)[:, 0].float()
        if led:
            scores = guided(scores[:many], scores[many:], manner.guidance)
        drawn = choose(scores, uniform[:, cell], manner.temperature, manner.top_k, manner.top_p)
        if given is not None:
            drawn = torch.where(given[:, cell] == FREE, drawn, given[:, cell])
        codes[:, cell + 1] = drawn
    return codes[:, 1:]
