"""Style: the vector that decides what a label map leaves open, drawn, taken from a picture, or changing."""

from __future__ import annotations

import math
from pathlib import Path

import torch
from torch import Tensor

from dreamplate.errors import ConfigError, ModelError
from dreamplate.plate.io import read
from dreamplate.train.draws import Draws
from dreamplate.train.plates import encode_plate
from dreamplate.translate.model import Model
from dreamplate.translate.translate_config import TranslateConfig

__all__ = ["Style", "slerp"]

_OPTIONS = ("style_image", "style_seed", "style_from")


class Style:
    """What style each frame has.

    Args:
        config: Of the translation.
        model: Its network is where it will be used, or on the CPU.
        span: First and last frame, between which the style changes.

    Attributes:
        changes: Whether frames differ in style.

    Raises:
        ConfigError: A style is asked for and the model has none.
        ModelError: A picture's style is asked for and the model cannot take it.
        MediaError: A picture cannot be read.
    """

    def __init__(self, config: TranslateConfig, model: Model, span: tuple[int, int]) -> None:
        self.model, self.span, self.z_dim = model, config.style_span or span, _z_dim(model)
        asked = next((name for name in _OPTIONS if getattr(config, name) not in (None, "")), None)
        if not self.z_dim:
            if asked is not None:
                raise ConfigError(
                    f"{asked} is {str(getattr(config, asked))!r}: {model.path} has no style; leave it out"
                )
            self.ends: tuple[Tensor, ...] = ()
        elif config.style_from:
            self.ends = (self._end(config.style_from), self._end(config.style_to))
        elif config.style_image is not None:
            self.ends = (self._of_picture(config.style_image),)
        else:
            self.ends = (self._drawn(config.seed if config.style_seed is None else config.style_seed),)
        self.changes = len(self.ends) == 2 and self.span[0] != self.span[1]

    def at(self, frame: int) -> Tensor | None:
        """Return the style of a frame, ``(1, z_dim)``; None where the model has none."""
        if not self.ends:
            return None
        first, last = self.span
        share = (frame - first) / (last - first) if last != first else 0.0
        return slerp(self.ends[0], self.ends[-1], min(1.0, max(0.0, share)))

    def _end(self, text: str) -> Tensor:
        return self._drawn(int(text)) if text.isdecimal() else self._of_picture(Path(text))

    def _drawn(self, seed: int) -> Tensor:
        return Draws(seed, "style").normal((1, self.z_dim))

    def _of_picture(self, path: Path) -> Tensor:
        network = self.model.network
        if getattr(network, "encoder", None) is None or not hasattr(network, "style"):
            raise ModelError(
                f"{self.model.path}: has no style encoder, so the style of {path} cannot be taken;"
                " give a number (style-seed)"
            )
        image = encode_plate(self.model.made, read(path), str(path))
        device = next(network.parameters()).device
        with torch.no_grad():
            mean, _ = network.style(image.to(device))  # type: ignore[operator]
        style: Tensor = mean.float().cpu()
        return style


def slerp(start: Tensor, stop: Tensor, share: float) -> Tensor:
    """Return a vector on the way from one to another: the angle changes evenly, and so does the length.

    Styles are drawn from a normal distribution, whose vectors all have about one length; on the straight line
    between two they would be too short, and the picture in the middle dull (White 2016, "Sampling generative
    networks", section 2.1).
    """
    if share <= 0 or start is stop:
        return start
    if share >= 1:
        return stop
    long, longer = float(start.norm()), float(stop.norm())
    cosine = float((start * stop).sum()) / (long * longer) if long and longer else 1.0
    angle = math.acos(min(1.0, max(-1.0, cosine)))
    if math.sin(angle) < 1e-4:  # one direction, or opposite ones, between which there is no shortest way
        return torch.lerp(start, stop, share)
    parts = math.sin((1 - share) * angle) / math.sin(angle), math.sin(share * angle) / math.sin(angle)
    direction = parts[0] * start / long + parts[1] * stop / longer
    return direction * (long + (longer - long) * share)


def _z_dim(model: Model) -> int:
    return int(getattr(model.network, "z_dim", 0) or 0)
