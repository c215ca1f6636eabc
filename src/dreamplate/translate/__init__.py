"""Plates into plates: sketches, label maps or any passes in, pictures out."""

from __future__ import annotations

from typing import TYPE_CHECKING

from dreamplate.lazy import lazy

if TYPE_CHECKING:
    from dreamplate.translate.config import TrainConfig
    from dreamplate.translate.model import Model, load_model, save_model

_HOME = {
    "Model": "model",
    "TrainConfig": "config",
    "load_model": "model",
    "save_model": "model",
}

__all__ = [
    "Model",
    "TrainConfig",
    "load_model",
    "save_model",
]

__getattr__, __dir__ = lazy(__name__, _HOME)
