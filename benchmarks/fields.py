"""What a fit reaches within a budget of processor time: decibels, seconds and memory, as a user starts it.

Each case is one ``dreamplate fit`` with ``--max-cpu-seconds``, everything included: start-up, decoding,
compiling, learning, and the final figures over all held-out views. Processor time is user + system of the
whole process, as the system counts it.

Run: python benchmarks/fields.py [CASE ...] [--recipe NAME] [--keep FOLDER] [-- MORE FLAGS OF FIT]
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from dreamplate.take import describe_machine

ROOT = Path(__file__).resolve().parents[1]
SHARED = Path(os.environ.get("DREAMPLATE_SHARED", ROOT.parent / "shared"))


@dataclass(frozen=True)
class Case:
    """One row of the table.

    Attributes:
        scene: Folder within the shared data.
        seconds: Budget of processor time.
        wanted: Decibels to reach.
        flags: More flags of the fit.
    """

    scene: str
    seconds: int
    wanted: float
    flags: tuple[str, ...] = ()


CASES = {
    "lego-120": Case("nerf_lego400", 120, 27.0),
    "lego-600": Case("nerf_lego400", 600, 31.0),
    "lego-1800": Case("nerf_lego400", 1800, 33.0),
    "fern": Case("llff_fern", 1800, 25.0, ("--images", "images_8")),
    "fox": Case("nerf_fox", 1800, 25.0),
}


def measure(case: Case, recipe: str, take: Path, more: list[str]) -> dict[str, Any]:
    """Run one fit and return its figures."""
    program = Path(sys.executable).with_name("dreamplate")
    scene = SHARED / "data" / case.scene
    command = [str(program), "fit", str(scene), "--recipe", recipe, "--take", str(take), "--overwrite"]
    command += ["--max-cpu-seconds", str(case.seconds), *case.flags, *more]
    before, began = resource.getrusage(resource.RUSAGE_CHILDREN), time.monotonic()
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
    wall, after = time.monotonic() - began, resource.getrusage(resource.RUSAGE_CHILDREN)
    metrics = json.loads((take / "metrics.json").read_text())
    cpu = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return {"wall": wall, "cpu": cpu, "peak": metrics["peak_rss_bytes"] / 2**30, **metrics["scalars"]}


def main() -> None:
    """Print a row for each case."""
    own, more = sys.argv[1:], []
    if "--" in own:
        more, own = own[own.index("--") + 1 :], own[: own.index("--")]
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("cases", nargs="*", default=list(CASES), help=", ".join(CASES))
    parser.add_argument("--recipe", default="fast")
    parser.add_argument("--keep", type=Path, help="folder that keeps the takes")
    asked = parser.parse_args(own)
    if unknown := set(asked.cases) - set(CASES):
        parser.error(f"no such case: {', '.join(sorted(unknown))}; there are {', '.join(CASES)}")
    print(json.dumps(describe_machine()))
    print("| case | wanted dB | PSNR | SSIM | budget s | CPU s | of it figures | wall s | steps | peak GiB |")
    print("|---|---|---|---|---|---|---|---|---|---|")
    with tempfile.TemporaryDirectory() as scratch:
        for name in asked.cases:
            case = CASES[name]
            row = measure(case, asked.recipe, (asked.keep or Path(scratch)) / name, more)
            print(
                f"| {name} {asked.recipe} | {case.wanted:.0f} | {row['psnr']:.2f} | {row['ssim']:.4f} |"
                f" {case.seconds} | {row['cpu']:.1f} | {row['eval_cpu_seconds']:.1f} | {row['wall']:.1f} |"
                f" {row['iterations']:.0f} | {row['peak']:.2f} |",
                flush=True,
            )


if __name__ == "__main__":
    main()
