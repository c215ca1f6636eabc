"""Hash-grid encoding, forward and backward: the compiled kernel against its torch eager twin, in one run.

    python benchmarks/hash_grid.py [--points 262144] [--repeats 2]

Prints CPU seconds (user + system, all threads) and wall seconds, the best of the repeats, for uniform random
points.
"""

from __future__ import annotations

import argparse
import os
import platform
import time
from collections.abc import Callable
from pathlib import Path

import torch
from torch import Tensor

from dreamplate.fields.hash_grid import hash_encode, hash_encode_twin
from dreamplate.fields.hash_levels import HashLevels, hash_levels

SIZES = {
    "L16 F2 T2^19": (16, 2, 19),
    "L8 F4 T2^17": (8, 4, 17),
    "L8 F2 T2^15": (8, 2, 15),
}


def machine() -> str:
    info = Path("/proc/cpuinfo")
    lines = info.read_text().splitlines() if info.exists() else []
    names = [line.split(":")[1].strip() for line in lines if line.startswith("model name")]
    name = names[0] if names else platform.processor()
    return f"{name}, {os.cpu_count()} cores, load {os.getloadavg()[0]:.1f}, torch {torch.__version__}"


def timed(work: Callable[[], Tensor | None]) -> tuple[float, float, Tensor | None]:
    cpu, wall = time.process_time(), time.perf_counter()
    result = work()
    return time.process_time() - cpu, time.perf_counter() - wall, result


Cost = tuple[float, float]
"""CPU and wall seconds."""


def measure(
    encode: Callable[[Tensor, Tensor, HashLevels], Tensor], levels: HashLevels, points: Tensor
) -> list[Cost]:
    """Return what forward costs, backward to the table, and backward to the table and the points."""
    draws = torch.Generator().manual_seed(0)
    table = torch.randn((levels.entries, levels.features), generator=draws).requires_grad_()
    pull = torch.randn((len(points), levels.width), generator=draws)
    found = []
    for moving in (False, True):
        places = points.clone().requires_grad_(moving)
        table.grad = None
        *cost, features = timed(lambda places=places: encode(places, table, levels))
        assert features is not None
        if not moving:
            found.append(cost)
        *cost, _ = timed(lambda features=features: features.backward(pull))
        found.append(cost)
    return [(cpu, wall) for cpu, wall in found]


def best(turns: list[list[Cost]]) -> list[Cost]:
    return [
        (min(cpu for cpu, _ in costs), min(wall for _, wall in costs)) for costs in zip(*turns, strict=True)
    ]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--points", type=int, default=2**18)
    parser.add_argument("--repeats", type=int, default=2)
    given = parser.parse_args()
    points = torch.rand((given.points, 3), generator=torch.Generator().manual_seed(1))
    print(f"{machine()}, {torch.get_num_threads()} threads, {given.points} points; CPU s (wall s)")
    print(f"{'grid':14} {'pass':24} {'twin':>16} {'kernel':>16} {'times faster':>14}  M points / CPU s")
    for name, (count, features, log2_size) in SIZES.items():
        levels = hash_levels(count, features, log2_size)
        turns: dict[str, list[list[Cost]]] = {"twin": [], "kernel": []}
        for turn in range(given.repeats + 1):  # in turns, so that both meet the same machine
            for which, encode in (("twin", hash_encode_twin), ("kernel", hash_encode)):
                costs = measure(encode, levels, points if turn else points[:1024])  # compile first
                if turn:
                    turns[which].append(costs)
        passes = "forward", "backward: table", "backward: table + points"
        for what, slow, fast in zip(passes, best(turns["twin"]), best(turns["kernel"]), strict=True):
            print(
                f"{name:14} {what:24} {slow[0]:7.3f} ({slow[1]:6.3f}) {fast[0]:7.3f} ({fast[1]:6.3f}) "
                f"{slow[0] / fast[0]:6.1f} ({slow[1] / fast[1]:5.1f})  {given.points / fast[0] / 1e6:5.2f}",
                flush=True,
            )


if __name__ == "__main__":
    main()
