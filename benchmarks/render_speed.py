"""What a frame of a fast field costs: 400 x 400, processor seconds, as ``dreamplate render`` spends them.

Fits the shared lego for a while (or takes a fit that is there), renders an orbit with few and with all
passes, and prints the median over frames, the first one (which loads compiled kernels) aside.

Run: python benchmarks/render_speed.py [--fit TAKE] [--seconds 120] [--frames 5] [--threads 2]
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
from itertools import pairwise
from pathlib import Path

from dreamplate.take import describe_machine

ROOT = Path(__file__).resolve().parents[1]
SHARED = Path(os.environ.get("DREAMPLATE_SHARED", ROOT.parent / "shared"))
PASSES = {
    "beauty": ["beauty"],
    "beauty, z": ["beauty", "z"],
    "all passes": [],
    "all passes, deep": [],
}


def command(*arguments: object) -> None:
    """Run one command of the project's."""
    program = Path(sys.executable).with_name("dreamplate")
    subprocess.run([str(program), *map(str, arguments)], check=True, stdout=subprocess.DEVNULL)


def seconds(take: Path) -> list[float]:
    """Return the processor seconds of each frame but the first."""
    lines = [json.loads(line) for line in (take / "log.jsonl").read_text().splitlines()]
    spent = [line["cpu"] for line in lines if "scalars" in line]
    return [after - before for before, after in pairwise(spent)]


def main() -> None:
    """Print a row for each choice of passes."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--fit", type=Path, help="take of a fit")
    parser.add_argument("--seconds", type=int, default=120, help="budget of the fit that is made otherwise")
    parser.add_argument("--frames", type=int, default=5)
    parser.add_argument("--threads", type=int, default=2)
    asked = parser.parse_args()
    machine = describe_machine()
    print(f"{machine['processor']}, {asked.threads} threads, {machine['versions']}")
    with tempfile.TemporaryDirectory() as folder:
        fit = asked.fit
        if fit is None:
            fit = Path(folder) / "fit"
            scene = SHARED / "data/nerf_lego400"
            command("fit", scene, "--take", fit, "--max-cpu-seconds", asked.seconds, "--test-views", 1)
        print("\n| passes | CPU s a frame of 400 x 400 |\n|---|---|")
        for name, passes in PASSES.items():
            out = Path(folder) / name.replace(", ", "-").replace(" ", "-")
            flags = [*(["--passes", *passes] if passes else []), *(["--deep"] if "deep" in name else [])]
            frames = f"1001-{1000 + asked.frames}"
            command(
                *("render", fit, "--path", "orbit", "--frames", frames, "--size", 400, 400),
                *("--out", out / "r.####.exr", "--take", out / "take", "--threads", asked.threads),
                *("--quiet", *flags),
            )
            print(f"| {name} | {statistics.median(seconds(out / 'take')):.2f} |", flush=True)


if __name__ == "__main__":
    main()
