"""Plates into plates: sketches, label maps or any passes in, pictures out."""

from __future__ import annotations

from typing import TYPE_CHECKING

from dreamplate.lazy import lazy

if TYPE_CHECKING:
    from dreamplate.translate.apply import Translator
    from dreamplate.translate.config import TrainConfig
    from dreamplate.translate.export import export_model, exportable
    from dreamplate.translate.given import Given
    from dreamplate.translate.jobs import TrainJob
    from dreamplate.translate.model import Model, load_model, save_model
    from dreamplate.translate.translate_config import TranslateConfig

_HOME = {
    "Given": "given",
    "Model": "model",
    "TrainConfig": "config",
    "TrainJob": "jobs",
    "TranslateConfig": "translate_config",
    "Translator": "apply",
    "export_model": "export",
    "exportable": "export",
    "load_model": "model",
    "save_model": "model",
}

__all__ = [
    "Given",
    "Model",
    "TrainConfig",
    "TrainJob",
    "TranslateConfig",
    "Translator",
    "export_model",
    "exportable",
    "load_model",
    "save_model",
]

__getattr__, __dir__ = lazy(__name__, _HOME)
