"""Run the kernels' bodies in numba's CUDA simulator and compare; started by ``test_cuda_simulator.py``.

Without compilation (``NUMBA_DISABLE_JIT``) a loop is plain Python. Each scenario runs twice: with the
loops, and with every loop replaced by a launch of its body on the simulated card.
"""

from __future__ import annotations

import math
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from types import ModuleType

import numpy as np
import torch
from torch import Tensor

from dreamplate.fields.brick_space import grid_space
from dreamplate.fields.bricks import WIDTH, BrickGrid
from dreamplate.fields.compositing import composite_packed
from dreamplate.fields.data import RayBatches
from dreamplate.fields.hash_grid import hash_encode, hash_encode_twin
from dreamplate.fields.hash_levels import hash_levels
from dreamplate.fields.hull import visual_hull
from dreamplate.fields.kernels import (
    adam,
    batch,
    bricks_learn,
    bricks_lookup,
    bricks_march,
    bricks_shape,
    carve,
    composite,
    hash_run,
    march,
    planes,
)
from dreamplate.fields.kernels.launch import gpu_launch
from dreamplate.fields.marching import Stride
from dreamplate.fields.marching import march as march_rays
from dreamplate.fields.photographs import Photographs
from dreamplate.fields.plane_encoding import encode_planes
from dreamplate.fields.rays import Rays
from dreamplate.fields.spaces import Extent
from dreamplate.fields.sparse_adam import SparseAdam
from dreamplate.plate.camera import Camera, look_at
from dreamplate.plate.lens import Lens

Found = list[Tensor]


LOOPS: list[tuple[ModuleType, str, str]] = [
    (composite, "composite_forward", "composite_forward_ray"),
    (composite, "composite_backward", "composite_backward_ray"),
    (bricks_march, "march", "march_ray"),
    (bricks_march, "pack", "pack_ray"),
    (bricks_march, "probe", "probe_point"),
    (bricks_lookup, "lookup", "lookup_sample"),
    (bricks_lookup, "lookup_place", "slope_sample"),
    (bricks_learn, "gather", "gather_brick"),
    (bricks_learn, "adam", "adam_brick"),
    (bricks_shape, "occupy", "occupy_brick"),
    (bricks_shape, "refine", "refine_brick"),
    (carve, "carve", "carve_column"),
    (batch, "pixel_rays", "pixel_ray"),
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


BOX = np.array([[-1.0, -0.6, -0.8], [1.0, 0.9, 0.7]])
EXTENTS = {
    "box": Extent("box", BOX, 0.1, 9.0, np.eye(4)),
    "open": Extent("open", BOX, 0.05, math.inf, np.eye(4)),
    "forward": Extent("forward", BOX, 1.0, 20.0, np.eye(4), (-0.5, 0.6, -0.4, 0.4)),
}


def bricks(kind: str) -> Found:
    """March, look up, learn and refine in a few bricks, one of which is missing."""
    space = grid_space(EXTENTS[kind], 8, 0.5)
    which = torch.ones([side // 4 for side in space.shape], dtype=torch.bool)
    which[0, -1, 0] = False
    grid = BrickGrid(space.shape, which)
    grid.raw.copy_(torch.randn(grid.raw.shape, generator=draws(0)) * 2)
    grid.table.copy_(torch.randn(grid.table.shape, generator=draws(1)))
    grid.occupy(1.0)
    aims = torch.rand((7, 3), generator=draws(2)) - 0.5
    origins = 0.1 * aims.flip(0) if kind == "forward" else torch.randn((7, 3), generator=draws(3)) * 2
    along = torch.nn.functional.normalize(aims - torch.tensor([0.0, 0, 2]) if kind == "forward" else -origins)
    ones = torch.ones(7)
    rays = Rays(origins, along, 0.05 * ones, 1e4 * ones, ones)
    jitter = torch.rand(7, generator=draws(4))
    found = grid.march(rays, space.packed, jitter, shift=-6.0, faint=-9.0, least=1e-4)
    count = len(found.alphas)
    assert count > 20, kind
    by_raw = torch.randn(count, generator=draws(5))
    by_found = torch.randn((count, WIDTH), generator=draws(6))
    looked = [grid.lookup(found.places), grid.slope(found.places, by_raw, by_found)]
    grid.learn(found.places, by_raw, by_found, rates=(0.1, 0.2), smooth=(0.1, 0.2))
    points, places, density = origins * 0.3, torch.empty(7, 3), torch.empty(7)
    given = [value.numpy() for value in (points, space.packed, grid.index, grid.raw)]
    bricks_march.probe(7, *given, np.float32(-6), places.numpy(), density.numpy())
    finer = grid.refined((8, 8, 8), torch.full((3,), 0.6), torch.full((3,), 0.2))
    grids = [grid.cells, grid.raw, grid.table, grid.first, grid.raw_second, finer.raw, finer.table]
    return [*vars(found).values(), *looked, places, density, *grids]


def photographs() -> Found:
    """Draw rays, through a lens that bends them too, and carve by alpha."""
    straight = Camera.from_fov(6, 5, 50, look_at((0, -3, 1), (0, 0, 0)))
    bent = replace(
        straight, camera_to_world=look_at((3, 0, 1), (0, 0, 0)), lens=Lens("perspective", {"k1": 0.1})
    )
    cameras = (straight, bent, Camera.from_fov(4, 7, 60, look_at((2, 2, 2), (0, 0, 0))))
    offsets = np.cumsum([0, *(camera.width * camera.height for camera in cameras)])
    pixels = (torch.rand((int(offsets[-1]), 4), generator=draws(0)) - 0.9).clamp_min(0).numpy()
    held = Photographs(("a", "b", "c"), cameras, offsets, pixels, "srgb_display")
    rays = RayBatches(held, None, draws=draws(1)).rays(torch.arange(0, int(offsets[-1]), 3))
    assert rays.views is not None
    hull = visual_hull(held, grid_space(EXTENTS["box"], 12, 0.5))
    assert 0 < int(hull.sum()) < hull.numel()
    return [rays.origins, rays.directions, rays.cosines, rays.views, hull]


SCENARIOS: dict[str, Callable[[], Found]] = {
    "hash": lambda: hashing(False),
    "hash, smooth": lambda: hashing(True),
    "composite": compositing,
    "march": marching,
    "planes": plane_encoding,
    "adam": optimising,
    "bricks, box": lambda: bricks("box"),
    "bricks, open": lambda: bricks("open"),
    "bricks, forward": lambda: bricks("forward"),
    "photographs": photographs,
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
