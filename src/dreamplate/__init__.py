"""Dreamplate: images, sequences and scenes for visual effects, from words, sketches, labels and footage.

The rooms are sub-packages (``dreamplate.plate``, ``.take``, ``.models``, ``.dream``); nothing heavy is
imported before it is used.
"""

from __future__ import annotations

__version__ = "0.1.0"

__all__ = ["__version__"]
