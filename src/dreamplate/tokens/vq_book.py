"""How a codebook follows what it stands for: running means, and new work for codes that have none."""

from __future__ import annotations

from collections.abc import Mapping

import torch
import torch.nn.functional as F
from jaxtyping import Float, Int
from torch import Tensor

from dreamplate.train.draws import Draws
from dreamplate.train.processes import world

__all__ = ["BookLearner", "nearest"]

IDLE = 0.1
"""A code that is used less than this share of the mean gets new work."""
LLOYD = 10
"""Rounds of Lloyd's algorithm from which the book begins."""


def nearest(latents: Float[Tensor, "m d"], book: Float[Tensor, "codes d"]) -> Int[Tensor, " m"]:
    """Return the code whose direction is nearest, of each."""
    return (latents @ book.T).argmax(1)


class BookLearner:
    """What is kept of a codebook besides its vectors while it learns.

    Where several processes train together each sees the cells of all, so their books stay equal.

    Args:
        book: ``(codes, d)`` directions of length 1; changed in place.
        decay: Of the running means, for each step.
    """

    def __init__(self, book: Float[Tensor, "codes d"], decay: float) -> None:
        self.book, self.decay = book, decay
        self.uses = torch.ones(len(book))
        """Running mean of how many cells each code stands for."""

    @torch.no_grad()
    def begin(self, latents: Float[Tensor, "m d"], draws: Draws) -> Float[Tensor, ""]:
        """Take codes from latents, and settle them by Lloyd's algorithm on the sphere.

        Returns:
            Mean squared distance of the latents to their codes.
        """
        latents, draws = _gathered(latents), Draws(*draws.parts)
        chosen = draws.named("first").uniform((len(latents),)).argsort()[: len(self.book)]
        # Fewer cells than codes: some codes begin alike, and get new work later.
        chosen = chosen[torch.arange(len(self.book)) % len(chosen)]
        self.book.copy_(latents[chosen.to(latents.device)])
        for number in range(LLOYD):
            self.uses = torch.zeros(len(self.book), device=latents.device)
            self._move(latents, nearest(latents, self.book), 0.0, draws.named(number))
        self.uses = torch.full_like(self.uses, len(latents) / len(self.book))
        return (latents - self.book[nearest(latents, self.book)]).square().sum(1).mean()

    @torch.no_grad()
    def follow(self, latents: Float[Tensor, "m d"], codes: Int[Tensor, " m"], draws: Draws) -> None:
        """Move every code towards the mean direction of what it stands for in a batch."""
        self._move(_gathered(latents), _gathered(codes), self.decay, Draws(*draws.parts))

    def _move(self, latents: Tensor, codes: Tensor, decay: float, draws: Draws) -> None:
        uses = self.uses.to(latents.device)
        count = torch.bincount(codes, minlength=len(self.book)).to(latents.dtype)
        total = torch.zeros_like(self.book).index_add_(0, codes, latents)
        moved = self.book * (uses * decay)[:, None] + total * (1 - decay)
        uses = uses * decay + count * (1 - decay)
        self.book.copy_(
            torch.where(moved.norm(dim=1, keepdim=True) > 1e-6, F.normalize(moved, dim=1), self.book)
        )
        idle = uses < IDLE * uses.mean()
        if bool(idle.any()):
            chosen = draws.named("idle").integers(len(latents), (int(idle.sum()),)).to(latents.device)
            self.book[idle] = latents[chosen]
            uses[idle] = uses.mean()
        self.uses = uses

    def state_dict(self) -> dict[str, Tensor]:
        """Return what the next step depends on besides the book."""
        return {"uses": self.uses.clone()}

    def load_state_dict(self, state: Mapping[str, Tensor]) -> None:
        """Restore what ``state_dict`` returned."""
        self.uses = state["uses"].clone()


def _gathered(rows: Tensor) -> Tensor:
    """Return the rows of all processes, which are equally many."""
    if world() == 1:
        return rows
    parts = [torch.empty_like(rows) for _ in range(world())]
    torch.distributed.all_gather(parts, rows.contiguous())
    return torch.cat(parts)
