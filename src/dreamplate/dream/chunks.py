"""How many cut-outs fit into memory: measured on the scorer itself, not guessed."""

from __future__ import annotations

import torch
from torch import Tensor

from dreamplate.dream.scorers import Scorer
from dreamplate.errors import ResourceError

OVERHEAD = 1.75
"""Peak over saved bytes: gradients of activations and work space of convolutions; measured 1.5."""


def bytes_per_cut(scorer: Scorer, side: int) -> int:
    """Return how much memory judging one cut takes, from what one small probe saves for its gradient."""
    probe = min(side, 64) if getattr(scorer, "flexible", False) else side
    weights = {p.untyped_storage().data_ptr() for p in getattr(scorer, "parameters", list)()}
    seen: dict[int, int] = {}

    def note(tensor: Tensor) -> Tensor:
        storage = tensor.untyped_storage()
        if storage.data_ptr() not in weights:  # those are there once, however many cuts
            seen[storage.data_ptr()] = storage.nbytes()
        return tensor

    images = torch.full((1, 3, probe, probe), 0.5, requires_grad=True)
    with torch.autograd.graph.saved_tensors_hooks(note, lambda tensor: tensor):
        scorer.encode_image(images.to(getattr(scorer, "device", "cpu")))
    saved = max(sum(seen.values()), 3 * 4 * probe * probe)
    return int(saved * OVERHEAD * (side / probe) ** 2)


def chunk_size(scorer: Scorer, side: int, memory: int) -> int:
    """Return how many cuts of ``side`` pixels may be judged at once within ``memory`` bytes.

    Raises:
        ResourceError: Not even one fits.
    """
    each = bytes_per_cut(scorer, side)
    if each > memory:
        raise ResourceError(
            f"memory is {memory / 2**20:.0f} MiB, but one cut of {side} pixels needs about"
            f" {each / 2**20:.0f} MiB: raise memory or lower cut_sides"
        )
    return memory // each
