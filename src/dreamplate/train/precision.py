"""Where a run computes, and in which arithmetic."""

from __future__ import annotations

import os
from typing import Literal

import torch

from dreamplate.errors import ConfigError

__all__ = ["find_device", "resolve_precision"]


def find_device(name: str) -> torch.device:
    """Return a device by name; under ``torchrun`` each process takes a card of its own.

    Args:
        name: ``auto``, ``cpu``, ``cuda`` or ``cuda:N``.

    Raises:
        ConfigError: It does not exist here.
    """
    if name == "auto":
        name = "cuda" if torch.cuda.is_available() else "cpu"
    if name == "cuda" and "LOCAL_RANK" in os.environ:
        name = f"cuda:{os.environ['LOCAL_RANK']}"
    try:
        device = torch.device(name)
        torch.empty(1, device=device)
    except (RuntimeError, AssertionError, NotImplementedError) as error:
        raise ConfigError(f"device is {name!r}, which cannot be used here: choose cpu") from error
    if device.type == "cuda":
        torch.cuda.set_device(device)
    return device


def resolve_precision(name: str, device: torch.device) -> Literal["float32", "bfloat16"]:
    """Return what ``auto`` means on a device: bfloat16 where the hardware multiplies it, else float32.

    Processors without such instructions (AVX-512 BF16, AMX) convert back and forth, which is slower than
    float32.
    """
    if name == "float32":
        return "float32"
    if name == "bfloat16":
        return "bfloat16"
    if device.type == "cuda":
        fast = torch.cuda.is_bf16_supported(including_emulation=False)
    elif device.type == "cpu":
        # Torch has no public names for these; without them the answer is no.
        asked = ("_is_avx512_bf16_supported", "_is_amx_tile_supported")
        fast = any(bool(getattr(torch.cpu, question, bool)()) for question in asked)
    else:
        fast = False
    return "bfloat16" if fast else "float32"
