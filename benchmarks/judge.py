"""Does the picture show what the prompt names? Asked of a network that never guides a dream.

For each prompt of ``dream/judge_prompts.yaml`` a picture is made at default settings (for `siren` and
`pixels` those of the recipe of that name) and shown to EfficientNet-Lite2, which ranks the 1000 ImageNet
classes. Printed: the share of prompts whose class comes first, and among the first five, for each
generator. ``--out`` keeps the pictures.

Run: python benchmarks/judge.py [--generators fft siren pixels] [--every 1] [--workers 2] [--out FOLDER]
"""

from __future__ import annotations

import argparse
import json
import time
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path
from typing import Any


def dream_and_judge(task: tuple[str, int, str]) -> dict[str, Any]:
    from dreamplate.take import prepare_process

    prepare_process(1)
    import torch

    torch.set_num_threads(1)
    from dreamplate.dream import DreamConfig, DreamJob
    from dreamplate.dream.judge import ImageNetJudge, judge_prompts
    from dreamplate.plate import write
    from dreamplate.take import load_recipe, replace_fields

    generator, index, out = task
    prompt = judge_prompts()[index]
    began = time.process_time()
    start = DreamConfig() if generator == "fft" else load_recipe(DreamConfig, generator, kind="dream")
    job = DreamJob(replace_fields(start, {"prompt": prompt.text, "seed": 7}))
    while job.position < len(job):
        job.step()
    plate = job.outcome().plates["final"]
    verdict = ImageNetJudge().verdict(plate, prompt)
    if out:
        folder = Path(out)
        folder.mkdir(parents=True, exist_ok=True)
        write(plate, folder / f"{generator}-{index:02}.png", colourspace="srgb_display")
    return {
        "generator": generator,
        "prompt": prompt.text,
        "rank": verdict.rank,
        "probability": verdict.probability,
        "seen": verdict.seen,
        "cpu": time.process_time() - began,
    }


def main() -> None:
    from dreamplate.dream.judge import judge_prompts
    from dreamplate.take import describe_machine

    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--generators", nargs="+", default=["fft", "siren", "pixels"])
    parser.add_argument("--every", type=int, default=1, help="take every n-th prompt")
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--out", default="", help="folder for the pictures")
    asked = parser.parse_args()
    print(json.dumps(describe_machine()))
    indices = range(0, len(judge_prompts()), asked.every)
    with ProcessPoolExecutor(asked.workers, mp_context=get_context("spawn")) as pool:
        for generator in asked.generators:
            rows = []
            for row in pool.map(dream_and_judge, [(generator, index, asked.out) for index in indices]):
                rows.append(row)
                seen, p = row["seen"]
                print(
                    f"{generator:<7} {row['prompt']:<40} rank {row['rank']:>4}  p {row['probability']:.2f}"
                    f"  sees {seen} {p:.2f}  {row['cpu']:.0f} s",
                    flush=True,
                )
            top1 = sum(row["rank"] == 1 for row in rows) / len(rows)
            top5 = sum(row["rank"] <= 5 for row in rows) / len(rows)
            cpu = sum(row["cpu"] for row in rows) / len(rows)
            print(f"== {generator}: {len(rows)} prompts, top-1 {top1:.3f}, top-5 {top5:.3f}, {cpu:.0f} CPU s")


if __name__ == "__main__":
    main()
