"""A teacher's part in a step of the word-picture scorer: what it is asked, and what its answers lead to."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import torch
from jaxtyping import Float, Int64
from torch import Tensor, nn
from torch.nn import functional

from dreamplate.tokens.dual_losses import clause, likeness_loss
from dreamplate.tokens.dual_teacher import Teacher
from dreamplate.train.draws import Draws

__all__ = ["Teaching"]

WARMTH = 0.03
"""The teacher's agreements are divided by this before they become shares."""
CLAUSE = 0.4
"""Share of a caption's words that its row of words has at most."""


class Teaching:
    """A teacher, the map from the text tower to its sentences, and what it has seen in all pictures so far.

    Args:
        teacher: Who is asked.
        reader: From the text tower's vectors to the teacher's; learns with the towers.
        count: Pictures, and four times as many words, that it looks at in a step.
    """

    def __init__(self, teacher: Teacher, reader: nn.Linear, count: int) -> None:
        self.teacher, self.reader, self.count = teacher, reader, count
        self.common, self.looked = torch.zeros(len(teacher.words)), 0
        """Sum of its agreement with each word over pictures, and how many pictures those were."""

    def choose(self, captions: Sequence[str], draws: Draws) -> tuple[Int64[Tensor, " words"], list[str]]:
        """Return which of the teacher's words a step is about, and these with rows of words of captions."""
        chosen = draws.uniform((len(self.teacher.words),)).argsort(stable=True)[: 4 * self.count]
        numbers = draws.named("clauses").uniform((len(captions), 2)).tolist()
        rows = [clause(text, min(CLAUSE, n), m) for text, (n, m) in zip(captions, numbers, strict=True)]
        return chosen, [*(self.teacher.words[index] for index in chosen.tolist()), *rows[: self.count // 2]]

    def losses(
        self,
        images: Float[Tensor, "n 3 h w"],
        seen: Float[Tensor, "n d"],
        said: Float[Tensor, "texts d"],
        read: Float[Tensor, "texts width"],
        sharpness: Float[Tensor, ""],
        asked: tuple[Int64[Tensor, " words"], list[str]],
    ) -> dict[str, Tensor]:
        """Return how far texts are from what the teacher means by them, and pictures from what it sees.

        Args:
            images: Pictures of 0 to 1; the first ``count`` are shown to the teacher.
            seen: Their unit vectors.
            said: Unit vectors of the texts that `choose` returned.
            read: What the text tower made of them.
            sharpness: Factor on cosines.
            asked: What `choose` returned.
        """
        chosen, texts = asked
        words = len(chosen)
        meant = torch.cat([self.teacher.meanings()[chosen], self.teacher.sentences(texts[words:])])
        likeness = functional.cosine_similarity(self.reader(read), meant.to(read), dim=-1)
        agreement = self.teacher.agreement(images[: self.count]).float().cpu()
        self.common += agreement.sum(0)
        self.looked += len(agreement)
        apart = agreement - self.common / self.looked
        wanted = (apart[:, chosen] / WARMTH).softmax(1).to(seen)
        breadth = likeness_loss(seen[: len(wanted)], said[:words], sharpness, wanted)
        return {"loss_sentences": (1 - likeness).mean(), "loss_breadth": breadth}

    def state_dict(self) -> dict[str, Any]:
        """Return what it has seen in all pictures."""
        return {"common": self.common.clone(), "looked": self.looked}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Restore what ``state_dict`` returned."""
        self.common, self.looked = state["common"].clone(), int(state["looked"])
