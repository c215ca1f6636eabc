"""Training: data, losses, augmentation, averaging, mixed precision, several processes, measures."""

from __future__ import annotations

from typing import TYPE_CHECKING

from dreamplate.lazy import lazy

if TYPE_CHECKING:
    from dreamplate.train.batch import Batch
    from dreamplate.train.draws import Draws
    from dreamplate.train.port import Port
    from dreamplate.train.system import Now, System

_HOME = {
    "Batch": "batch",
    "Draws": "draws",
    "Now": "system",
    "Port": "port",
    "System": "system",
}

__all__ = [
    "Batch",
    "Draws",
    "Now",
    "Port",
    "System",
]

__getattr__, __dir__ = lazy(__name__, _HOME)
