"""Kernels on graphics cards: the body of a kernel, one thread an item.

Apart from ``launch`` because it needs numba-cuda. ``cuda`` is a name of the module, and of the namespace of
every loop made here, so that numba's simulator can put itself in its place.
"""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable
from typing import Any

from numba import cuda
from torch import Tensor

__all__ = ["array", "launch"]

THREADS = 128
"""Most threads of a block."""

_LOOP = """
def loop(count_, {names}):
    item_ = cuda.grid(1)
    if item_ < count_:
        inner(item_, {names})
"""


def array(tensor: Tensor) -> Any:
    """Return a CUDA tensor as a device array, sharing memory."""
    return cuda.as_cuda_array(tensor)  # type: ignore[no-untyped-call]


def launch(body: Callable[..., None], count: int, *arguments: Any) -> None:
    """Run ``body(i, *arguments)`` for every i below ``count``, at least 1."""
    threads = min(THREADS, count)
    _loop(body)[-(-count // threads), threads](count, *arguments)


@functools.cache
def _loop(body: Callable[..., None]) -> Any:
    """Return the kernel that runs a body; spelled out, as kernels cannot pass on ``*arguments``."""
    names = ", ".join(list(inspect.signature(body).parameters)[1:])
    space: dict[str, Any] = {"cuda": cuda, "inner": cuda.jit(device=True)(body)}  # type: ignore[no-untyped-call]
    exec(_LOOP.format(names=names), space)
    return cuda.jit(space["loop"])  # type: ignore[no-untyped-call]
