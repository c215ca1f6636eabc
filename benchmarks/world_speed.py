"""Measure the renderer of worlds: frames a second, CPU seconds of a frame, and what the first one takes.

    python benchmarks/world_speed.py [--worlds 12] [--frames 4] [--threads 2] [--seed 1000]

- build: a spec drawn from a seed becomes a world (ground baked, things placed).
- all passes: frames of a built world while time and camera go on, every pass with motion both ways.
- rgb: single pictures, as a training set is made of them.

Worlds are drawn like those of training sets, so figures are means over country, hours and weather. Compiling
is done before on one world and told apart; compiled kernels are kept on disk.
"""

from __future__ import annotations

import argparse
import os
import platform
import time
from pathlib import Path


def processor() -> str:
    """Name of the processor."""
    table = Path("/proc/cpuinfo")
    lines = table.read_text().splitlines() if table.exists() else []
    return next(
        (line.split(":")[1].strip() for line in lines if line.startswith("model name")), platform.processor()
    )


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--worlds", type=int, default=12)
    parser.add_argument("--frames", type=int, default=4)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--seed", type=int, default=1000)
    parser.add_argument("--sizes", type=int, nargs="*", default=[128, 256])
    given = parser.parse_args()
    os.environ.setdefault("NUMBA_NUM_THREADS", str(given.threads))

    from dreamplate.scenes.world.build import build
    from dreamplate.scenes.world.draw import draw_spec
    from dreamplate.scenes.world.passes import PASSES
    from dreamplate.scenes.world.render import render

    def clock() -> tuple[float, float]:
        return time.perf_counter(), time.process_time()

    start = clock()
    first = build(draw_spec(given.seed))
    render(first, first.camera(32, 32), passes=PASSES, next_time=0.04, previous_time=-0.04)
    first_wall, first_cpu = (b - a for a, b in zip(start, clock(), strict=True))
    print(
        f"{processor()}, {os.cpu_count()} cores, {given.threads} threads, Python {platform.python_version()}"
    )
    print(f"first frame, compiling or loading kernels: {first_wall:.1f} s, {first_cpu:.1f} CPU s")

    start = clock()
    worlds = [build(draw_spec(given.seed + k)) for k in range(given.worlds)]
    wall, cpu = (b - a for a, b in zip(start, clock(), strict=True))
    print(f"build: {given.worlds / wall:.1f} worlds/s, {cpu / given.worlds:.3f} CPU s each")
    for size in given.sizes:
        for name, passes in (("all passes", PASSES), ("rgb", ("rgb",))):
            start = clock()
            for world in worlds:
                for k in range(given.frames):
                    camera, now = world.camera(size, size), k / 24
                    render(
                        world, camera, now, passes=passes, next_time=now + 1 / 24, previous_time=now - 1 / 24
                    )
            wall, cpu = (b - a for a, b in zip(start, clock(), strict=True))
            count = given.worlds * given.frames
            print(f"{size} x {size}, {name}: {count / wall:.1f} frames/s, {cpu / count:.3f} CPU s each")


if __name__ == "__main__":
    main()
