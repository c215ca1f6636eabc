"""A trained segmenter in use: what label accuracy is measured by."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import torch
from torch import Tensor

from dreamplate.errors import ConfigError
from dreamplate.plate.labels import Palette
from dreamplate.train.port import Port
from dreamplate.translate.model import load_model

__all__ = ["open_segmenter"]


def open_segmenter(
    path: Path, palette: Palette, pictures: Port, device: torch.device | str = "cpu"
) -> Callable[[Tensor], Tensor]:
    """Return a trained segmenter: pictures ``(n, c, h, w)`` of -1 to 1 → class indices ``(n, h, w)``.

    Args:
        path: Take or model file.
        palette: Classes of the labels that it is to be held against.
        pictures: Port of the pictures that it is shown.
        device: Where it runs.

    Raises:
        ModelError: There is no such model.
        ConfigError: It is no segmenter, or one of other classes or other pictures.
    """
    model = load_model(path)
    if model.settings["architecture"] != "segmenter" or model.given is None:
        raise ConfigError(
            f"{path}: is a {model.settings['architecture']}; measure.segmenter wants a segmenter"
        )
    if model.made.palette is None or model.made.palette.names != palette.names:
        names = "nothing" if model.made.palette is None else ", ".join(model.made.palette.names)
        raise ConfigError(f"{path}: knows {names[:120]}; train a segmenter on this data's palette")
    seen = (model.given.channels, model.given.encoding, model.given.low, model.given.high)
    shown = (pictures.channels, pictures.encoding, pictures.low, pictures.high)
    if seen != shown:
        raise ConfigError(
            f"{path}: learnt from pictures of {seen[:2]}, these are {shown[:2]}; train it on these"
        )
    network = model.network.to(device)

    @torch.no_grad()
    def segment(images: Tensor) -> Tensor:
        scores: Tensor = network(images.to(device).contiguous(memory_format=torch.channels_last))
        return scores.argmax(1).cpu()

    return segment
