"""Where a dream is computed."""

from __future__ import annotations

import torch

from dreamplate.errors import ConfigError


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
