"""How a kernel is written once and run anywhere.

A kernel is an ordinary Python function, its **body**, whose first argument is the number of the item (a ray,
a sample, a brick) and whose other arguments are arrays and numbers. It only writes places that belong to its
own item, so that no two threads meet and every machine gets the same bits.

* CPU: the module that defines the body also spells its loop, ``for i in prange(count): inner(i, ...)``,
  decorated with ``parallel``. (numba keeps a compiled kernel on disk only when loop and body stand in one
  file.)
* CUDA: ``gpu_launch(body, count, ...)`` compiles the same body with numba-cuda and runs one thread an item.
* Anywhere else, and in tests: the torch twin beside it.

``arrays`` turns tensors into what numba takes, without a copy.
"""

from __future__ import annotations

from collections.abc import Callable
from types import ModuleType
from typing import Any

from torch import Tensor

from dreamplate.compiled import FAST, parallel, scalar
from dreamplate.errors import MissingExtraError

__all__ = ["FAST", "arrays", "gpu_launch", "parallel", "scalar"]


def arrays(*tensors: Tensor) -> list[Any]:
    """Return CPU tensors as numpy arrays and CUDA tensors as device arrays, sharing memory."""
    return [_array(tensor.detach()) for tensor in tensors]


def gpu_launch(body: Callable[..., None], count: int, *arguments: Any) -> None:
    """Run ``body(i, *arguments)`` for every i below ``count`` on the current CUDA device (or simulator).

    Raises:
        MissingExtraError: numba-cuda is not installed.
    """
    if count > 0:
        _cuda().launch(body, count, *arguments)


def _array(tensor: Tensor) -> Any:
    return tensor.numpy() if tensor.device.type == "cpu" else _cuda().array(tensor)


def _cuda() -> ModuleType:
    try:
        from dreamplate.fields.kernels import launch_cuda
    except ImportError as error:
        raise MissingExtraError(
            'kernels on CUDA need numba-cuda: pip install "dreamplate[cuda]", or set the device to cpu'
        ) from error
    return launch_cuda
