"""What a dream should and should not show, in a scorer's space."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from dreamplate.dream.config import DreamConfig
from dreamplate.dream.losses import Wanted, want
from dreamplate.dream.pictures import encode_picture
from dreamplate.dream.planning import prompts_of
from dreamplate.dream.prompts import Target, parse_prompt
from dreamplate.dream.scorers import Scorer
from dreamplate.dream.story import blend, story_weights
from dreamplate.errors import ConfigError


def targets_of(config: DreamConfig, prompt: str | None = None) -> tuple[Target, ...]:
    """Return everything that a config wants shown or avoided, words first.

    Args:
        config: The dream.
        prompt: Used in place of its own prompt.

    Raises:
        ConfigError: The prompt cannot be read, or everything is to be avoided.
    """
    prompt = config.prompt if prompt is None else prompt
    words = parse_prompt(prompt) if prompt or not config.image_prompts else ()
    weights = config.image_weights or (1.0,) * len(config.image_prompts)
    pictures = tuple(
        Target(str(path), abs(weight), avoid=weight < 0, picture=True)
        for path, weight in zip(config.image_prompts, weights, strict=True)
    )
    return check_wanted(words + pictures)


def check_wanted(targets: tuple[Target, ...]) -> tuple[Target, ...]:
    """Return targets, having made sure that one of them is to be shown.

    Raises:
        ConfigError: Everything is to be avoided.
    """
    if all(target.avoid for target in targets):
        shown = " | ".join(map(str, targets))
        raise ConfigError(f"prompt {shown[:60]!r} only says what to avoid: say what to show as well")
    return targets


def encode_targets(scorer: Scorer, targets: tuple[Target, ...], device: torch.device) -> Wanted:
    """Put targets into a scorer's space."""
    texts = [target.text for target in targets if not target.picture]
    encoded = iter(scorer.encode_text(texts)) if texts else iter(())
    vectors: list[Tensor] = [
        encode_picture(scorer, target.text, device) if target.picture else next(encoded) for target in targets
    ]
    stacked = torch.stack([vector.float().to(device) for vector in vectors])
    return want(stacked, [target.weight for target in targets], [target.avoid for target in targets])


@dataclass(frozen=True)
class Story:
    """What is wanted over time: one prompt, or several that flow into each other.

    Attributes:
        targets: Those of the last prompt, which the finished picture is measured by.
        parts: Each prompt in the scorer's space.
    """

    targets: tuple[Target, ...]
    parts: tuple[Wanted, ...]

    @classmethod
    def of(cls, config: DreamConfig, scorer: Scorer, device: torch.device) -> Story:
        """Encode the prompts of a config.

        Raises:
            ConfigError: A prompt cannot be read, or says only what to avoid.
            MediaError: A picture prompt cannot be read.
        """
        prompts = [prompts_of(config)[0], *config.story]
        everything = [targets_of(config, prompt) for prompt in prompts]
        parts = tuple(encode_targets(scorer, targets, device) for targets in everything)
        return cls(everything[-1], parts)

    def at(self, time: float) -> Wanted:
        """Return what is wanted at a time from 0 to 1."""
        return blend(self.parts, story_weights(len(self.parts), time))
