"""A prompt in the words that a model knows: what to show, and what to be led away from."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from torch import Tensor

from dreamplate.dream.prompts import Target, parse_prompt
from dreamplate.errors import ConfigError, MissingExtraError
from dreamplate.tokens.mini_words import Pieces
from dreamplate.tokens.words import Nearest, Reading, Vocabulary, by_meaning, by_spelling, read_text

__all__ = ["Told", "hear_prompt", "read_prompt"]


@dataclass(frozen=True)
class Told:
    """A prompt as a model reads it.

    Attributes:
        show: What to show, in known words.
        avoid: What to avoid, in known words; empty for nothing.
        notices: What was read otherwise than written.
    """

    show: str
    avoid: str
    notices: tuple[str, ...]


def hear_prompt(prompt: str, vocabulary: Vocabulary | Pieces) -> Told:
    """Read a prompt for a model that knows certain words, or any words in pieces.

    Args:
        prompt: As artists write it; empty for nothing to show.
        vocabulary: What the model knows.

    Raises:
        ConfigError: The prompt cannot be read, or no word of what to show is known.
    """
    if isinstance(vocabulary, Vocabulary):
        return read_prompt(prompt, vocabulary.words)
    targets = parse_prompt(prompt) if prompt else ()
    show, avoid = (" ".join(part.text for part in targets if part.avoid is away) for away in (False, True))
    return Told(show, avoid, (*vocabulary.notices(show), *vocabulary.notices(avoid)))


def read_prompt(prompt: str, words: Sequence[str], nearest: Nearest | None = None) -> Told:
    """Read a prompt in known words; its parts are joined in their order, whatever their weights.

    Args:
        prompt: As artists write it; empty for nothing to show.
        words: Those that are known.
        nearest: Finds known words for others; by meaning where the scorer extra is installed, else by
            spelling, when None.

    Raises:
        ConfigError: The prompt cannot be read, or no word of what to show is known.
    """
    nearest = nearest or _usual(words)
    targets = parse_prompt(prompt) if prompt else ()
    show = _read([target for target in targets if not target.avoid], words, nearest)
    try:
        avoid = _read([target for target in targets if target.avoid], words, nearest)
    except ConfigError:
        what = ", ".join(target.text for target in targets if target.avoid)
        avoid = Reading("", (f"{what!r} is to be avoided, but no word of it is known; only the scorer does",))
    return Told(show.text, avoid.text, show.notices + avoid.notices)


def _read(targets: Sequence[Target], words: Sequence[str], nearest: Nearest) -> Reading:
    text = " ".join(target.text for target in targets)
    return read_text(text, words, nearest) if text else Reading("")


def _usual(words: Sequence[str]) -> Nearest:
    """Return the finder of near words; what it needs is read when it is first asked."""

    def nearest(unknown: Sequence[str]) -> Sequence[str | None]:
        from dreamplate.dream.towers import load_encoder
        from dreamplate.nets.minilm import encode_sentences

        try:
            net, tokenizer = load_encoder()
        except MissingExtraError:
            return by_spelling(words)(unknown)

        def encode(texts: Sequence[str]) -> Tensor:
            return encode_sentences(net, tokenizer, texts)

        return by_meaning(words, encode)(unknown)

    return nearest
