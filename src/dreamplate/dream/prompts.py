r"""Prompts: what a picture should and should not show, each with a weight.

    a cathedral at night | -people | stained glass:0.5

Parts are separated by ``|``; a part that begins with ``-`` is to be avoided; a part may end in
``:weight``. A colon right after a digit is part of the text, so ``a clock at 10:30`` has no
weight and ``a clock at 10:30 :2`` has.
``\|`` and ``\:`` are a bar and a colon in the text, ``\-`` at the start a plain dash.
"""

from __future__ import annotations

import math
import re
from dataclasses import dataclass

from dreamplate.errors import ConfigError

MAX_PROMPTS = 10_000
"""Most prompts that wildcards may make."""
MAX_PROMPT = 2_000
"""Longest prompt in characters, all parts together."""
MAX_WEIGHT = 100.0

_WEIGHT = re.compile(r"^(?P<text>.*(?:[^\d\s\\]|\s))\s*:\s*(?P<weight>\d+(?:\.\d*)?|\.\d+)$", re.DOTALL)
_BROKEN_WEIGHT = re.compile(
    r"[^\d\s\\]\s*:\s*(?P<weight>[-+]?\d[\w.+-]*|[-+]?(?:nan|inf)\w*)$", re.IGNORECASE
)


@dataclass(frozen=True)
class Target:
    """One thing to show or to avoid.

    Attributes:
        text: The words; for a picture, its path.
        weight: More than 0.
        avoid: Whether the picture should not show it.
        picture: Whether ``text`` is the path of a picture.
    """

    text: str
    weight: float = 1.0
    avoid: bool = False
    picture: bool = False

    def __str__(self) -> str:
        text = self.text.replace("|", r"\|")
        if not self.picture and _WEIGHT.match(text):
            head, _, tail = text.rpartition(":")
            text = rf"{head}\:{tail}"
        if text.startswith("-"):
            text = "\\" + text
        weight = "" if self.weight == 1 else f":{self.weight:g}"
        # A weight after a digit would read as part of the text; a space keeps them apart.
        return f"{'-' if self.avoid else ''}{text}{' ' if weight and text[-1:].isdigit() else ''}{weight}"


def parse_prompt(prompt: str) -> tuple[Target, ...]:
    """Read the parts of a prompt.

    Raises:
        ConfigError: The prompt is empty or too long, a part has no words, or a weight is not a number
            between 0 and 100.
    """
    if len(prompt) > MAX_PROMPT:
        raise ConfigError(
            f"prompt is {len(prompt):,} characters long ({prompt[:40]!r}...): keep it to {MAX_PROMPT:,}"
        )
    if not prompt.strip():
        raise ConfigError('prompt is empty: say what to dream, e.g. "a lighthouse in a storm"')
    return tuple(_parse_part(part, prompt) for part in re.split(r"(?<!\\)\|", prompt))


def _parse_part(part: str, prompt: str) -> Target:
    text, weight = part.strip(), 1.0
    avoid = text.startswith("-")
    if avoid:
        text = text[1:].strip()
    if match := _WEIGHT.match(text):
        text, weight = match["text"].strip(), float(match["weight"])
        if not 0 < weight <= MAX_WEIGHT:
            raise ConfigError(
                f"prompt part {part.strip()!r} has weight {weight:g}: choose more than 0, at most"
                f" {MAX_WEIGHT:g} (begin the part with - to avoid it)"
            )
    elif broken := _BROKEN_WEIGHT.search(text):
        raise ConfigError(
            f"prompt part {part.strip()!r} has weight {broken['weight']!r}: write a number such as :0.5,"
            r" or \: for a colon in the text"
        )
    text = text.replace(r"\|", "|").replace(r"\:", ":")
    if text.startswith("\\-"):
        text = text[1:]
    if not re.search(r"\w", text):
        raise ConfigError(f"prompt {prompt[:60]!r} has a part without words ({part.strip()!r}): remove it")
    return Target(text=text, weight=weight, avoid=avoid)


def expand_prompt(prompt: str) -> tuple[str, ...]:
    """Return a prompt for every choice of its wildcards: ``a {red|blue} door`` becomes two.

    Several wildcards give all combinations, the last changing fastest. Wildcards do not nest.

    Raises:
        ConfigError: A brace has no partner, a wildcard has no choices, or there are more than 10,000 prompts.
    """
    parts = re.split(r"\{([^{}]*)\}", prompt)
    if any(brace in text for text in parts[::2] for brace in "{}"):
        raise ConfigError(f"prompt {prompt[:60]!r} has a brace without a partner: write {{night|day}}")
    choices = [[choice.strip() for choice in part.split("|")] for part in parts[1::2]]
    if any(choice == [""] for choice in choices):
        raise ConfigError(f"prompt {prompt[:60]!r} has an empty wildcard: write {{night|day}}")
    if math.prod(len(choice) for choice in choices) > MAX_PROMPTS:
        raise ConfigError(
            f"prompt {prompt[:60]!r} makes more than {MAX_PROMPTS:,} prompts: use fewer wildcards"
        )
    made = [parts[0]]
    for choice, tail in zip(choices, parts[2::2], strict=True):
        made = [text + one + tail for text in made for one in choice]
    return tuple(" ".join(text.split()) if choices else text for text in made)


def check_prompt(prompt: str) -> None:
    """Make sure that a prompt, if there is one, can be read, whatever its wildcards choose.

    Raises:
        ConfigError: As for `parse_prompt` and `expand_prompt`.
    """
    for one in expand_prompt(prompt) if prompt else ():
        parse_prompt(one)
