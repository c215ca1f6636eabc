"""Drawings by a model: PhotoSketch, line drawers, and whatever else makes one grey picture of a picture."""

from __future__ import annotations

from pathlib import Path

import torch
from jaxtyping import Float
from torch import Tensor

from dreamplate.errors import ModelError
from dreamplate.plate import Plate
from dreamplate.train.plates import encode_plate
from dreamplate.translate.apply import Translator
from dreamplate.translate.given import Given
from dreamplate.translate.lines_plate import Draw
from dreamplate.translate.model import load_model

__all__ = ["load_drawer"]


def load_drawer(path: Path) -> Draw:
    """Return what draws a plate with a model: its grey picture, where 1 is paper, as ink.

    Colour drawings count by the mean of their channels. Nothing is resized; large frames are drawn in tiles.

    Raises:
        ModelError: There is no such model, or it does not make pictures of pictures.
        CheckpointError: The file is damaged.
    """
    model = load_model(path)
    given = model.given
    if given is None or given.kind != "picture" or model.made.kind != "picture":
        raise ModelError(f"{model.path}: makes no picture of a picture; give a model that draws")

    translator = Translator(model)

    def draw(plate: Plate) -> Float[Tensor, "1 1 h w"]:
        seen = encode_plate(given, _in_channels(plate, given.channels), "picture")
        made = translator(Given(picture=seen)).mean(1, keepdim=True)
        return ((1 - made) / 2).clamp(0, 1)

    return draw


def _in_channels(plate: Plate, channels: tuple[str, ...]) -> Plate:
    """Return the plate with grey as colour or colour as grey where that is all a model lacks."""
    if set("RGB") <= set(channels) and "Y" in plate.channels and "R" not in plate.channels:
        alpha = ("A",) if plate.has_alpha else ()
        parts = [torch.from_numpy(plate.rgb().copy())]
        parts += [torch.from_numpy(plate.alpha()[:, :, None].copy())] if alpha else []
        return plate.with_(pixels=torch.cat(parts, dim=2).numpy(), channels=("R", "G", "B", *alpha))
    return plate
