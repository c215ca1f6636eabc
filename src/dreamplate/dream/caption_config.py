"""What a caption is made by: every option of ``dreamplate caption``, without importing torch."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, ClassVar, Literal

from dreamplate.take.fields import Bounds

Clause = Literal["quality", "action", "company", "place", "light", "style"]


@dataclass(frozen=True)
class PhraseConfig:
    """The phrase grammar, which needs no language model."""

    clauses: tuple[Clause, ...] = ("action", "company", "quality", "place", "light", "style")
    """What may be added to a noun, in this order; each at most once."""
    caution: Annotated[float, Bounds(ge=0, le=10)] = 1.0
    """How much evidence a clause needs before it is said: 1 is usual, 0 fills every clause, 2 few."""
    beam: Annotated[int, Bounds(ge=1, le=64)] = 3
    """Unfinished phrases kept for each noun."""
    tries: Annotated[int, Bounds(ge=1, le=256)] = 6
    """Options of a clause that are tried in whole phrases: those that suit the picture best by themselves."""
    class_names: bool = True
    """Whether the names of the classifier's 1000 classes join the nouns."""


@dataclass(frozen=True)
class LanguageModelConfig:
    """A causal language model steered by evolution, as in the text mode of CLIP-GLaSS."""

    phrase: Annotated[str, Bounds(min_length=1, max_length=200)] = "the picture of"
    """What every caption begins with."""
    tokens: Annotated[int, Bounds(ge=1, le=256)] = 20
    """Tokens in front of the phrase; they are what evolves, and are not shown."""
    length: Annotated[int, Bounds(ge=1, le=256)] = 30
    """Most tokens that the model goes on for, each its likeliest."""
    characters: Annotated[int, Bounds(ge=4, le=2000)] = 50
    """Longest continuation; it is cut after a whole word, or where the model ends it."""
    population: Annotated[int, Bounds(ge=4, le=4096)] = 32
    """Captions in a generation."""
    generations: Annotated[int, Bounds(ge=1, le=100_000)] = 20
    """How many generations are bred."""
    chunk: Annotated[int, Bounds(ge=1, le=4096)] = 32
    """Captions written at once; memory is in proportion."""


@dataclass(frozen=True)
class CaptionConfig:
    """Words for a picture: the phrases that a scorer agrees with most."""

    kind: ClassVar[str] = "caption"

    scorer: str = "bridge"
    """What judges: bridge, clip:MODEL, or several joined by +."""
    count: Annotated[int, Bounds(ge=1, le=1000)] = 5
    """How many captions, best first."""
    seed: Annotated[int, Bounds(ge=0, lt=2**63)] = 0
    """Number that random draws follow from; the grammar has none."""
    method: Literal["phrases", "lm"] = "phrases"
    """The grammar, or a language model."""
    lm: Path | None = None
    """Folder of a causal language model with its tokenizer, as transformers keeps it; chooses method lm."""
    phrases: PhraseConfig = field(default_factory=PhraseConfig)
    writer: LanguageModelConfig = field(default_factory=LanguageModelConfig)

    @property
    def by_language_model(self) -> bool:
        """Whether a language model writes."""
        return self.method == "lm" or self.lm is not None
