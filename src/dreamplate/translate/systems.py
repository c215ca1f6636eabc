"""The table of systems: what each is built from."""

from __future__ import annotations

from importlib import import_module
from typing import cast

from dreamplate.train.port import Port
from dreamplate.train.system import System
from dreamplate.translate.config import TrainConfig

__all__ = ["SYSTEMS", "build_system"]

SYSTEMS: dict[str, str] = {
    "pix2pix": "dreamplate.translate.pix2pix_system:build",
    "pix2pixhd": "dreamplate.translate.pix2pixhd_system:build",
    "spade": "dreamplate.translate.spade_system:build",
    "photosketch": "dreamplate.translate.photosketch_system:build",
    "shots": "dreamplate.translate.shots_system:build",
    "stylegan2": "dreamplate.translate.stylegan2_system:build",
    "segmenter": "dreamplate.translate.segmenter_system:build",
    "dvae": "dreamplate.tokens.dvae_system:build",
    "vq": "dreamplate.tokens.vq_system:build",
    "dalle": "dreamplate.tokens.dalle_system:build",
    "igpt": "dreamplate.tokens.igpt_system:build",
    "scorer": "dreamplate.tokens.scorer_system:build",
}
"""Name → function ``build(config, given, made) -> System``, as ``module:name``."""


def build_system(config: TrainConfig, given: Port | None, made: Port) -> System:
    """Return a system with fresh weights that follow from the seed.

    Args:
        config: Of the run.
        given: Port of the condition; None where there is none.
        made: Port of the picture.

    Raises:
        ConfigError: The system cannot be trained on such ports, or its options do not fit together.
    """
    module, _, name = SYSTEMS[config.system].partition(":")
    return cast(System, getattr(import_module(module), name)(config, given, made))
