"""Facts of pictures as questions to the word-picture scorer: which of these texts is true?"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional

from dreamplate.tokens.scorer_phrases import JOINT, asked, phrases, values
from dreamplate.train.draws import Draws
from dreamplate.train.processes import gather

__all__ = ["Facts", "Question", "fact_hits", "fact_losses"]


@dataclass(frozen=True, eq=False)
class Question:
    """One fact, asked of the pictures of a batch.

    Attributes:
        name: Of the fact.
        texts: One for each value that occurs in the batch.
        pictures: ``(m,)`` which pictures are asked: those of which it is known and more than one answer open.
        answers: ``(m,)`` the number of the right text for each.
        open: ``(m, texts)`` which texts are answers at all: counts are of the same kind.
    """

    name: str
    texts: tuple[str, ...]
    pictures: Tensor
    answers: Tensor
    open: Tensor


class Facts:
    """The values of facts that have occurred so far, and questions about them."""

    def __init__(self) -> None:
        self.values: dict[str, list[str]] = {}

    def ask(self, facts: Sequence[Mapping[str, str]], draws: Draws) -> list[Question]:
        """Return a question for each fact that has two values or more in a batch; note the values.

        Args:
            facts: Of each picture.
            draws: Choose one of the texts that say each value.
        """
        here = values(facts)
        for others in gather({name: list(found) for name, found in here.items()}):
            for name, found in others.items():
                self.values[name] = sorted({*self.values.get(name, ()), *found})
        questions = []
        for name, found in here.items():
            if len(found) < 2:
                continue
            numbers = draws.named(name).uniform((len(found),)).tolist()
            ways = [phrases(name, value) for value in found]
            texts = tuple(way[int(n * len(way))] for way, n in zip(ways, numbers, strict=True))
            question = _question(name, found, texts, facts)
            if len(question.pictures):
                questions.append(question)
        return questions

    def state_dict(self) -> dict[str, Any]:
        """Return the values."""
        return {name: list(found) for name, found in self.values.items()}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Restore what ``state_dict`` returned."""
        self.values = {str(name): [str(value) for value in found] for name, found in state.items()}


def fact_losses(seen: Tensor, said: Tensor, sharpness: Tensor, questions: Sequence[Question]) -> Tensor:
    """Return the mean over questions of the cross-entropy of their answers.

    Args:
        seen: Unit vectors of the pictures.
        said: Unit vectors of the questions' texts, one question after another; more may follow.
        sharpness: Factor on cosines.
        questions: At least one.
    """
    losses, start = [], 0
    for question in questions:
        texts = said[start : start + len(question.texts)]
        start += len(question.texts)
        scores = sharpness * seen[question.pictures.to(seen.device)] @ texts.T
        scores = scores.masked_fill(~question.open.to(scores.device), -1e4)
        losses.append(functional.cross_entropy(scores, question.answers.to(scores.device)))
    return torch.stack(losses).mean()


def fact_hits(
    seen: Tensor,
    facts: Sequence[Mapping[str, str]],
    known: Mapping[str, Sequence[str]],
    encode: Callable[[Sequence[str]], Tensor],
) -> dict[str, Tensor]:
    """Return how many pictures each fact is asked of, and how many answers are right, among all known values.

    A value is the mean of all texts that say it. Counts are told apart within a kind.

    Args:
        seen: Unit vectors of the pictures.
        facts: Of each picture; pictures of which a fact is unknown are not asked for it.
        known: Values of each fact.
        encode: Texts to unit vectors.
    """
    sums: dict[str, Tensor] = {}
    for name, found in known.items():
        question = _question(name, found, tuple(found), facts)
        if not len(question.pictures):
            continue
        ways = [phrases(name, value) for value in found]
        vectors = encode([text for way in ways for text in way])
        owner = torch.tensor([number for number, way in enumerate(ways) for _ in way], device=vectors.device)
        means = torch.zeros(len(found), vectors.shape[1], device=vectors.device)
        means = functional.normalize(means.index_add(0, owner, vectors.float()), dim=-1)
        scores = (seen[question.pictures.to(seen.device)] @ means.T).cpu()
        best = scores.masked_fill(~question.open, -2.0).argmax(1)
        sums[f"right_{name}"] = (best == question.answers).sum().double()
        sums[f"asked_{name}"] = torch.tensor(len(question.pictures)).double()
    return sums


def _question(
    name: str, found: Sequence[str], texts: tuple[str, ...], facts: Sequence[Mapping[str, str]]
) -> Question:
    place = {value: number for number, value in enumerate(found)}
    own = [(index, asked(each).get(name)) for index, each in enumerate(facts)]
    pairs = [(index, place[value]) for index, value in own if value in place]
    kinds = [value.partition("/")[0] if name == JOINT else "" for value in found]
    pairs = [(index, answer) for index, answer in pairs if kinds.count(kinds[answer]) > 1]
    open_ = [[kinds[answer] == kind for kind in kinds] for _, answer in pairs]
    pictures, answers = torch.tensor(pairs, dtype=torch.int64).view(-1, 2).T
    return Question(name, texts, pictures, answers, torch.tensor(open_, dtype=torch.bool))
