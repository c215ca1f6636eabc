"""Run the kernels' bodies in numba's CUDA simulator and compare; started by ``test_cuda_simulator.py``.

Without compilation (``NUMBA_DISABLE_JIT``) a loop is plain Python. Each scenario runs twice: with the
loops, and with every loop replaced by a launch of its body on the simulated card.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import ModuleType

import numpy as np
import torch
from numba import cuda
from torch import Tensor

from dreamplate.fields.compositing import composite_packed
from dreamplate.fields.hash_grid import hash_encode, hash_encode_twin
from dreamplate.fields.hash_levels import hash_levels
from dreamplate.fields.kernels import adam, composite, hash_run, launch, march, planes
from dreamplate.fields.kernels.launch import gpu_launch
from dreamplate.fields.marching import Stride
from dreamplate.fields.marching import march as march_rays
from dreamplate.fields.plane_encoding import encode_planes
from dreamplate.fields.sparse_adam import SparseAdam

Found = list[Tensor]


def simulated_loop(body: Callable[..., None]) -> Callable[..., None]:
    """Do what ``launch._gpu_loop`` does; the simulator puts itself in place of a global ``cuda`` only."""
    inner = cuda.jit(device=True)(body)

    @cuda.jit
    def loop(count: int, *arguments: object) -> None:
        item = cuda.grid(1)
        if item < count:
            inner(item, *arguments)

    return loop


LOOPS: list[tuple[ModuleType, str, str]] = [
    (composite, "composite_forward", "composite_forward_ray"),
    (composite, "composite_backward", "composite_backward_ray"),
    (march, "march_rays", "march_ray"),
    (planes, "planes_points", "planes_point"),
    (planes, "planes_tables", "planes_table"),
    (planes, "planes_slopes", "planes_slope"),
    (adam, "adam_rows", "adam_row"),
]
"""Module, its loop over items, the body."""


def draws(seed: int) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def with_gradients(work: Callable[..., Tensor], *given: Tensor) -> Found:
    tensors = [value.clone().requires_grad_() for value in given]
    found = work(*tensors)
    found.backward(torch.randn(found.shape, generator=draws(9)))
    return [found.detach(), *(value.grad for value in tensors if value.grad is not None)]


def hashing(smooth: bool, encode: Callable[..., Tensor] = hash_encode) -> Found:
    levels = hash_levels(2, 2, 6, 3, finest=9, smooth=smooth)
    points = torch.rand((7, 3), generator=draws(0))
    table = torch.randn((levels.entries, 2), generator=draws(1))
    return with_gradients(lambda p, t: encode(p, t, levels), points, table)


def compositing() -> Found:
    offsets, alphas = torch.tensor([0, 3, 3, 7]), torch.rand(7, generator=draws(0))
    mids = torch.arange(7.0)
    return with_gradients(
        lambda a, c: torch.cat([value.flatten() for value in composite_packed(offsets, a, c, mids)]),
        alphas,
        torch.rand((7, 3), generator=draws(1)),
    )


def marching() -> Found:
    origins = torch.randn((9, 3), generator=draws(0))
    directions = torch.nn.functional.normalize(torch.randn((9, 3), generator=draws(1)), dim=1)
    bits = torch.randint(256, (2, 64), generator=draws(2), dtype=torch.uint8)
    found = march_rays(
        origins,
        directions,
        torch.full((9,), 0.1),
        torch.full((9,), 4.0),
        bits,
        Stride(0.1, 0.05),
        torch.rand(9, generator=draws(3)),
    )
    return [found.offsets, found.starts, found.ends]


def plane_encoding() -> Found:
    points = torch.rand((9, 3), generator=draws(0)) * 2.2 - 1.1
    table = torch.randn((12 + 15 + 20, 2), generator=draws(1))
    return with_gradients(lambda p, t: encode_planes(p, t, (3, 4, 5)), points, table)


def optimising() -> Found:
    adam_ = SparseAdam(torch.randn((6, 2), generator=draws(0)))
    slopes = torch.randn((6, 2), generator=draws(1))
    slopes[::2] = 0
    adam_.step(slopes, 0.1)
    return [adam_.table, adam_.means, adam_.squares, adam_.counts, slopes]


SCENARIOS: dict[str, Callable[[], Found]] = {
    "hash": lambda: hashing(False),
    "hash, smooth": lambda: hashing(True),
    "composite": compositing,
    "march": marching,
    "planes": plane_encoding,
    "adam": optimising,
}


@contextmanager
def on_card() -> Iterator[None]:
    """Replace every loop by a launch."""
    held = [(module, name, getattr(module, name)) for module, name, _ in LOOPS]
    held.append((hash_run, "_on_processor", hash_run._on_processor))
    for module, loop, name in LOOPS:
        body = getattr(module, name)
        setattr(module, loop, lambda count, *given, body=body: gpu_launch(body, count, *given))
    hash_run._on_processor = lambda points: False
    try:
        yield
    finally:
        for module, name, value in held:
            setattr(module, name, value)


def agree(name: str, mine: Found, theirs: Found) -> None:
    assert len(mine) == len(theirs), name
    for one, two in zip(mine, theirs, strict=True):
        torch.testing.assert_close(one, two, rtol=1e-5, atol=1e-6, msg=lambda text: f"{name}: {text}")
    print(f"{name}: {len(mine)} results agree")


def main() -> int:
    launch._gpu_loop = simulated_loop
    launch._THREADS = 8  # each is a thread of Python here
    with np.errstate(over="ignore"):  # hashes wrap around
        for name, work in SCENARIOS.items():
            plain = work()
            with on_card():
                carded = work()
            agree(name, carded, plain)
        for smooth in (False, True):
            agree("hash, twin", hashing(smooth), hashing(smooth, hash_encode_twin))
    return 0


if __name__ == "__main__":
    sys.exit(main())
