"""From options to a method of learning a scene."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

import torch

from dreamplate.errors import ConfigError
from dreamplate.fields.config import FitConfig
from dreamplate.fields.method import Method
from dreamplate.fields.spaces import Extent

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["MAKERS", "build_method", "find_device"]

MAKERS = {
    "fast": "dreamplate.fields.fast:make_fast",
    "nerf": "dreamplate.fields.nerf:make_nerf",
    "ngp": "dreamplate.fields.ngp:make_ngp",
}
"""Method → ``make(config, extent, steps, draws)``, as ``module:name``."""


def build_method(config: FitConfig, extent: Extent, steps: int, draws: torch.Generator) -> Method:
    """Return a method, not yet taught.

    Args:
        config: Of the fit.
        extent: Where the content of the scene is.
        steps: How many optimiser steps are planned; 0 where a budget of time decides.
        draws: CPU generator of the first weights.

    Raises:
        MissingExtraError: An optional package is not installed.
        ConfigError: The device cannot be used.
    """
    module, _, name = MAKERS[config.method].partition(":")
    make: Callable[[FitConfig, Extent, int, torch.Generator], Method] = getattr(import_module(module), name)
    return make(config, extent, steps, draws)


def find_device(name: str) -> torch.device:
    """Return a device by name.

    Raises:
        ConfigError: It does not exist here.
    """
    try:
        device = torch.device(name)
        torch.empty(1, device=device)
    except (RuntimeError, AssertionError, NotImplementedError) as error:
        raise ConfigError(f"device is {name!r}, which cannot be used here: choose cpu") from error
    return device
