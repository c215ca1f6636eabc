"""What judges a picture against words: one small interface, and the table of everything that offers it."""

from __future__ import annotations

import importlib
import math
import re
from collections.abc import Sequence
from typing import NamedTuple, Protocol, cast, runtime_checkable

import torch
from torch import Tensor

from dreamplate.errors import ConfigError


@runtime_checkable
class Scorer(Protocol):
    """Puts pictures and texts into one space, where the cosine says how well they agree."""

    name: str
    size: int
    """Side in pixels of the square pictures that :meth:`encode_image` takes."""
    encoding: str
    """How the picture's values are coded; ``"srgb_display"`` throughout for now."""
    dim: int
    """Length of the vectors."""

    def encode_image(self, images: Tensor) -> Tensor:
        """``(n, 3, size, size)`` in [0, 1] to ``(n, dim)`` of unit length; gradients reach the pictures."""
        ...

    def encode_text(self, texts: Sequence[str]) -> Tensor:
        """``n`` texts to ``(n, dim)`` of unit length, without gradients."""
        ...


SCORERS = {
    "bridge": "dreamplate.dream.bridge:load_bridge",
    "auto": "dreamplate.dream.own_scorer:load_auto",
    "own": "dreamplate.dream.own_scorer:load_own",
    "clip": "dreamplate.dream.clip_scorer:load_clip",
    "transformers": "dreamplate.dream.transformers_scorer:load_transformers",
}
"""Kind to ``module:factory``; a factory takes what stands behind the kind's colon, if anything does, a device
and a dtype, and returns a :class:`Scorer`."""
ARGUMENTS = {"clip": "MODEL", "transformers": "FOLDER"}
"""What has to stand behind the colon of those kinds that are more than one scorer."""
MAY = {"own": "MODEL"}
"""What can stand behind the colon of kinds that mean a built-in scorer without it."""

_KIND = "|".join(SCORERS)
_PLUS = re.compile(rf"\s\+|\+\s|\+(?=(?:[\d.]+\s*\*\s*)?(?:{_KIND})(?:\W|$))|^\+|\+$")
_WEIGHT = re.compile(r"\s*([^*:/\\]*?)\s*\*(.*)", re.DOTALL)


class Part(NamedTuple):
    """One scorer of a spec: its weight, its kind, and what stands behind the colon."""

    weight: float
    kind: str
    argument: str


def parse_spec(spec: str) -> list[Part]:
    """Read a scorer spec.

    A spec is ``bridge``, ``own``, ``own:MODEL``, ``clip:MODEL``, ``transformers:FOLDER``, or several joined
    by ``+``, each with a weight before it if it likes: ``2*clip:a + bridge``. ``auto`` is the bridge where
    its packages are installed, else ``own``.

    Raises:
        ConfigError: A part is empty, of no known kind, lacks what stands behind its colon, or its weight is
            no number above 0.
    """
    return [_part(spec, text.strip()) for text in _PLUS.split(spec)]


def load_scorer(
    spec: str = "bridge", device: str | torch.device = "cpu", dtype: torch.dtype = torch.float32
) -> Scorer:
    """Load a scorer, or several as one.

    Args:
        spec: See :func:`parse_spec`.
        device: Where its networks live.
        dtype: What they compute in; vectors come back as float32 whatever it is.

    Raises:
        ConfigError: The spec is wrong.
        ModelError: A model is not there or does not fit.
        MissingExtraError: A scorer's packages are not installed.
    """
    parts = parse_spec(spec)
    members = [_load(part, device, dtype) for part in parts]
    if len(members) == 1:
        return members[0]
    from dreamplate.dream.ensemble import EnsembleScorer

    return EnsembleScorer(members, [part.weight for part in parts])


def _load(part: Part, device: str | torch.device, dtype: torch.dtype) -> Scorer:
    module, factory = SCORERS[part.kind].split(":")
    make = getattr(importlib.import_module(module), factory)
    arguments = (part.argument,) if part.kind in ARGUMENTS or part.kind in MAY else ()
    return cast(Scorer, make(*arguments, device, dtype))


def _part(spec: str, text: str) -> Part:
    where = "scorer" if text == spec.strip() else f"scorer {spec!r}"
    weight = 1.0
    if found := _WEIGHT.fullmatch(text):
        number, text = found[1], found[2].strip()
        try:
            weight = float(number)
        except ValueError:
            weight = 0.0
        if not 0 < weight < math.inf:
            raise ConfigError(f"{where}: weight is {number!r}; write a number above 0, as in 2*bridge")
    kind, colon, argument = text.partition(":")
    kind, argument = kind.strip(), argument.strip()
    if not text:
        raise ConfigError(f"{where}: a part is empty; write one of {_choices()}, joined by +")
    if kind not in SCORERS:
        raise ConfigError(f"{where} is {text!r}: choose from {_choices()}")
    if kind in ARGUMENTS and not argument:
        raise ConfigError(f"{where}: {kind} lacks its {ARGUMENTS[kind]}; write {kind}:{ARGUMENTS[kind]}")
    if kind not in ARGUMENTS and kind not in MAY and colon:
        raise ConfigError(f"{where}: {kind} takes nothing behind a colon, not {argument!r}; write {kind}")
    return Part(weight, kind, argument)


def _choices() -> str:
    return ", ".join(f"{kind}:{ARGUMENTS[kind]}" if kind in ARGUMENTS else kind for kind in sorted(SCORERS))
