"""What a dream costs as a user starts it: wall time, CPU time and peak memory, start-up included.

Measured are ``make dream`` (recipe ``siren``) and ``dreamplate dream`` without a recipe (``fft``).

Run: python benchmarks/dream_default.py [PROMPT]
"""

from __future__ import annotations

import json
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from dreamplate.take import describe_machine

RECIPES = {"make dream": ["--recipe", "siren"], "dreamplate dream": []}


def measure(prompt: str, extra: list[str]) -> dict[str, float]:
    program = Path(sys.executable).with_name("dreamplate")
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    with tempfile.TemporaryDirectory() as folder:
        take = Path(folder) / "take"
        command = [str(program), "dream", prompt, "--seed", "7", "--quiet", "--take", str(take), *extra]
        began = time.monotonic()
        subprocess.run(command, check=True)
        wall = time.monotonic() - began
        metrics = json.loads((take / "metrics.json").read_text())
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    cpu = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return {
        "steps": metrics["steps"],
        "wall": wall,
        "cpu": cpu,
        "peak": metrics["peak_rss_bytes"] / 2**30,
        "score": metrics["scalars"]["score"],
    }


def main(prompt: str) -> None:
    print(json.dumps(describe_machine()))
    print(
        f"{'512 x 512, ' + prompt:<36} {'steps':>6} {'wall s':>7} {'CPU s':>7} {'peak GiB':>9} {'score':>6}"
    )
    for name, extra in RECIPES.items():
        row = measure(prompt, extra)
        print(
            f"{name:<36} {row['steps']:6.0f} {row['wall']:7.1f} {row['cpu']:7.1f} {row['peak']:9.2f}"
            f" {row['score']:6.3f}",
            flush=True,
        )


if __name__ == "__main__":
    main(sys.argv[1] if len(sys.argv) > 1 else "a lighthouse in a storm")
