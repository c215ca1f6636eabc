"""From options to a method of learning a scene."""

from __future__ import annotations

from importlib import import_module
from typing import Any

import torch

from dreamplate.errors import ConfigError
from dreamplate.fields.config import FitConfig
from dreamplate.fields.method import Method
from dreamplate.fields.photographs import Encoding
from dreamplate.fields.sky import WithSky
from dreamplate.fields.spaces import Extent

__all__ = ["METHODS", "build_method", "find_device"]

METHODS = {
    "fast": "dreamplate.fields.fast:FastMethod",
    "nerf": "dreamplate.fields.nerf:NerfMethod",
    "ngp": "dreamplate.fields.ngp:NgpMethod",
}
"""Method → its class, ``module:name``, made from ``(options, extent, steps, draws, linear=…, device=…)``."""


def build_method(
    config: FitConfig, extent: Extent, steps: int, draws: torch.Generator, encoding: Encoding
) -> Method:
    """Return a method, not yet taught.

    Args:
        config: Of the fit.
        extent: Where the content of the scene is.
        steps: How many optimiser steps are planned; 0 where a budget of time decides.
        draws: CPU generator of the first weights.
        encoding: What colours mean; scene-linear ones have no upper limit.

    Raises:
        MissingExtraError: An optional package is not installed.
    """
    module, _, name = METHODS[config.method].partition(":")
    kind: Any = getattr(import_module(module), name)
    options = getattr(config, config.method)
    place = {} if config.device == "cpu" else {"device": find_device(config.device)}
    linear = encoding == "scene_linear"
    made: Method = kind(options, extent, steps, draws, linear=linear, **place)
    if config.background == "learn":
        return WithSky(made, linear=linear, device=find_device(config.device))
    return made


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
