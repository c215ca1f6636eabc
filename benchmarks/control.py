"""What each control does, over several prompts with the built-in scorer: masks, locks, tiling, regions.

For every prompt five small dreams are made from the same seed: free, with a part of an init picture kept,
locked to a reference's edges, tiling, and with a region that has another prompt. Printed is what was
measured in the finished pictures, and how often the control did its work:

kept     pixels outside the mask that are not those of the init plate, to the bit (float32, R G B A Z, values
         above 1); must be 0
edges    overlap of the edges with the reference's, free and locked (`dream.edges.edge_overlap`); must double
seam     difference of the columns and rows on both sides of the seam over that of interior neighbours, free
         and tiling; must be at most 1 in the mean
region   agreement of the region with its own prompt, free and with it, and how probable an independent judge
         thinks what the prompt names, in the region's box; must rise

Run: python benchmarks/control.py [--prompts N] [--steps N] [--size PIXELS] [--reference PICTURE]
"""

from __future__ import annotations

import argparse
import dataclasses
import json
import statistics
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np
import torch

from dreamplate.dream import DreamConfig, DreamJob, load_scorer
from dreamplate.dream.controls import Lock, Region
from dreamplate.dream.edges import edge_overlap
from dreamplate.dream.judge import ImageNetJudge, JudgePrompt, judge_prompts
from dreamplate.dream.options import CutConfig
from dreamplate.dream.pictures import read_picture
from dreamplate.plate import Plate, from_tensor, read, to_tensor, write
from dreamplate.take import describe_machine

WIDTHS = (("kept", 5), ("edges free", 10), ("locked", 6), ("seam free", 9), ("tiling", 6))
REGION = (("region free", 11), ("own", 6), ("judge free", 10), ("own", 6))


def scene(size: int, seed: int) -> torch.Tensor:
    """Draw towers and a disc before a graded sky, ``(1, 3, size, size)``: a reference with clear edges."""
    draws = np.random.default_rng(seed)
    y, x = np.mgrid[:size, :size] / size
    image = np.stack([0.35 + 0.4 * y, 0.5 + 0.3 * y, 0.8 - 0.1 * y])
    cx, cy, radius = draws.uniform(0.2, 0.8), draws.uniform(0.2, 0.5), draws.uniform(0.08, 0.2)
    image[:, (x - cx) ** 2 + (y - cy) ** 2 < radius**2] = draws.uniform(0.7, 1, (3, 1))
    for _ in range(3):
        left, width, top = draws.uniform(0, 0.8), draws.uniform(0.08, 0.25), draws.uniform(0.3, 0.75)
        image[:, (x > left) & (x < left + width) & (y > top)] = draws.uniform(0, 0.5, (3, 1))
    image[:, y > 0.85 + 0.05 * np.sin(6 * x + seed)] = draws.uniform(0.1, 0.4, (3, 1))
    return torch.from_numpy(image.astype(np.float32))[None]


def save_inputs(folder: Path, size: int, seed: int) -> None:
    write(from_tensor(scene(size, seed)), folder / "reference.png", depth="16")
    y, x = np.mgrid[:size, :size] / size
    disc = np.clip((0.3 - np.hypot(x - 0.5, y - 0.5)) * size / 4, 0, 1).astype(np.float32)
    write(Plate(disc[:, :, None], ("Y",), "raw"), folder / "mask.exr", depth="float")
    half = (x < 0.5).astype(np.float32)
    write(Plate(half[:, :, None], ("Y",), "raw"), folder / "half.exr", depth="float")
    light = to_tensor(from_tensor(scene(size, seed)), "scene_linear")[0].permute(1, 2, 0).numpy()
    alpha = np.where(y > 0.1, 1, 0.5).astype(np.float32)[:, :, None]
    depth = np.random.default_rng(seed).uniform(1, 100, (size, size, 1)).astype(np.float32)
    pixels = np.concatenate([4 * light * alpha, alpha, depth], axis=2)
    write(Plate(pixels, ("R", "G", "B", "A", "Z")), folder / "init.exr", depth="float")


def dream(config: DreamConfig, scorer: Any, **changes: Any) -> tuple[DreamJob, Plate]:
    job = DreamJob(dataclasses.replace(config, **changes), scorer)
    while job.position < len(job):
        job.step()
    return job, job.outcome().plates["final"]


def display(plate: Plate) -> torch.Tensor:
    return to_tensor(plate.select("R", "G", "B")).clamp(0, 1)


def changed(final: Plate, folder: Path) -> int:
    """Count the pixels outside the mask that are not the init's."""
    init, outside = read(folder / "init.exr"), read(folder / "mask.exr").pixels[:, :, 0] == 0
    same = np.stack([final.channel(name) == init.channel(name) for name in "RGBAZ"]).all(0)
    return int(np.count_nonzero(outside & ~same))


def seam(image: torch.Tensor) -> float:
    """Return the difference across the seams over that between interior neighbours, the mean of both axes."""
    ratios = []
    for axis in (-1, -2):
        steps = (image - image.roll(1, axis)).abs().transpose(axis, -1).mean((0, 1, 2))
        ratios.append(float(steps[0] / steps[1:].mean()))
    return statistics.mean(ratios)


def seen_by_judge(judge: ImageNetJudge, image: torch.Tensor, prompt: JudgePrompt) -> float:
    """Return how probable the judge thinks what a prompt names, in the left half."""
    side = image.shape[-1] // 2
    middle = (image.shape[-2] - side) // 2
    found = judge.probabilities(image[..., middle : middle + side, :side])
    return float(found[list(prompt.accept)].sum())


def measure(arguments: argparse.Namespace, prompts: tuple[JudgePrompt, ...]) -> list[dict[str, float]]:
    scorer, judge, rows = load_scorer(), ImageNetJudge(), []
    for seed in range(arguments.prompts):
        prompt, other = prompts[seed % len(prompts)], prompts[(seed + 7) % len(prompts)]
        config = DreamConfig(
            prompt=prompt.text,
            seed=seed,
            size=(arguments.size, arguments.size),
            steps=arguments.steps,
            stages=(0.5, 1.0),
            stage_starts=(0.0, 0.5),
            cut_sides=(96, 128),
            cuts=CutConfig(number=4),
        )
        with tempfile.TemporaryDirectory() as name:
            folder = Path(name)
            save_inputs(folder, arguments.size, seed)
            reference = arguments.reference or folder / "reference.png"
            looked_at = read_picture(reference, config.size, expose=True)
            _, free = dream(config, scorer)
            _, kept = dream(config, scorer, init=folder / "init.exr", mask=folder / "mask.exr")
            _, locked = dream(config, scorer, locks=(Lock("edges", reference),))
            _, tiling = dream(config, scorer, seamless="both")
            regions = (Region(folder / "half.exr", other.text),)
            job, region = dream(config, scorer, regions=regions)
            critic = job.control.regions[0]
            row = {
                "kept": changed(kept, folder),
                "edges free": edge_overlap(display(free), looked_at),
                "edges locked": edge_overlap(display(locked), looked_at),
                "seam free": seam(display(free)),
                "seam tiling": seam(display(tiling)),
                "region free": critic.measure(display(free)),
                "region own": critic.measure(display(region)),
                "judge free": seen_by_judge(judge, display(free), other),
                "judge own": seen_by_judge(judge, display(region), other),
            }
        rows.append(row)
        print(line(prompt.text, row), flush=True)
    return rows


def line(name: str, row: dict[str, float]) -> str:
    cells = [f"{row['kept']:5.0f}"]
    for (_, width), value in zip((*WIDTHS[1:], *REGION), list(row.values())[1:], strict=True):
        cells.append(f"{value:{width}.3f}")
    return f"{name[:32]:<32} " + " ".join(cells)


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--prompts", type=int, default=20)
    parser.add_argument("--steps", type=int, default=60)
    parser.add_argument("--size", type=int, default=192)
    parser.add_argument("--reference", type=Path)
    arguments = parser.parse_args()
    print(json.dumps(describe_machine()))
    print(f"{arguments.size} px, {arguments.steps} steps, 4 cuts, built-in scorer, all weights 1")
    print(f"{'prompt':<32} " + " ".join(f"{name:>{width}}" for name, width in (*WIDTHS, *REGION)))
    began = time.process_time()
    rows = measure(arguments, judge_prompts())
    mean = {key: statistics.mean(row[key] for row in rows) for key in rows[0]}
    print(line("mean", mean))
    count = len(rows)

    def wins(first: str, second: str, factor: float = 1.0) -> str:
        return f"{sum(row[second] > factor * row[first] for row in rows)} of {count}"

    print(f"kept region exact           {sum(row['kept'] == 0 for row in rows)} of {count}")
    print(
        f"edge overlap, locked / free {mean['edges locked'] / mean['edges free']:.2f}"
        f" (at least 2: {wins('edges free', 'edges locked', 2.0)})"
    )
    print(f"seam / interior, tiling     {mean['seam tiling']:.2f} (free: {mean['seam free']:.2f})")
    print(f"region's own score higher   {wins('region free', 'region own')}")
    print(f"judge sees it more          {wins('judge free', 'judge own')}")
    print(f"CPU seconds                 {time.process_time() - began:.0f}")


if __name__ == "__main__":
    main()
