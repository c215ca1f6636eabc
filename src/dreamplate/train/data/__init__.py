"""Examples to train on: from folders, sequences, layers, tar shards or a renderer; split, checked, varied."""

from __future__ import annotations

from typing import TYPE_CHECKING

from dreamplate.lazy import lazy

if TYPE_CHECKING:
    from dreamplate.train.data.examples import Examples
    from dreamplate.train.data.opening import Found, examples_of, open_examples
    from dreamplate.train.data.order import batch_indices
    from dreamplate.train.data.raw import RawExample, RawExamples

_HOME = {
    "Examples": "examples",
    "Found": "opening",
    "RawExample": "raw",
    "RawExamples": "raw",
    "batch_indices": "order",
    "examples_of": "opening",
    "open_examples": "opening",
}

__all__ = [
    "Examples",
    "Found",
    "RawExample",
    "RawExamples",
    "batch_indices",
    "examples_of",
    "open_examples",
]

__getattr__, __dir__ = lazy(__name__, _HOME)
