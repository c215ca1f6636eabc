"""One dream step against its naive form, in one run: CPU seconds and peak memory.

The naive form judges all cuts at once, lets the scorer's weights require gradients, renders the picture
anew for every group of four cuts as Deep Daze does, and leaves the allocator alone. Ours freezes the
scorer, renders once, sums the cuts' gradients at the picture and works in chunks. Each form runs in a
process of its own, so that peak memory is its own.

Run: python benchmarks/dream_step.py
"""

from __future__ import annotations

import json
import subprocess
import sys
import time

CUTS, SIDE, STEPS = 64, 224, 4
FORMS = ("naive", "frozen", "ours", "ours, 256 MiB")


def measure(form: str) -> dict[str, float]:
    from dreamplate.take.machine import peak_rss, prepare_process

    if form != "naive":
        prepare_process()
    import torch

    from dreamplate.dream import CutConfig, DreamConfig, DreamJob, draw_cuts, take_cuts
    from dreamplate.dream.losses import agreement

    config = DreamConfig(
        prompt="a lighthouse in a storm",
        steps=STEPS + 1,
        stages=(1.0,),
        stage_starts=(0.0,),
        cut_sides=(SIDE,),
        natural=0.0,
        cuts=CutConfig(number=CUTS),
        memory="256MiB" if form.endswith("MiB") else "1GiB",
    )
    job = DreamJob(config)
    before = peak_rss()

    def naive_step() -> None:
        cuts = draw_cuts(config.cuts, CUTS, 1.0, job.draws)
        job.optimiser.zero_grad(set_to_none=True)
        views = []
        for start in range(0, CUTS, 4 if form == "naive" else CUTS):
            image = job.generator(*config.size)
            views.append(take_cuts(image, cuts[start : start + (4 if form == "naive" else CUTS)], SIDE))
        loss = -agreement(job.scorer.encode_image(torch.cat(views)).float(), job.wanted).mean()
        torch.autograd.backward(loss)
        job.optimiser.step()

    if form == "naive":
        assert isinstance(job.scorer, torch.nn.Module)
        job.scorer.requires_grad_(True)
    step = job.step if form.startswith("ours") else naive_step
    step()
    cpu, wall = time.process_time(), time.monotonic()
    for _ in range(STEPS):
        step()
    cpu, wall = (time.process_time() - cpu) / STEPS, (time.monotonic() - wall) / STEPS
    return {"cpu": cpu, "wall": wall, "peak": peak_rss() / 2**30, "grown": (peak_rss() - before) / 2**30}


def main() -> None:
    from dreamplate.take import describe_machine

    print(json.dumps(describe_machine()))
    print(f"512 x 512, {CUTS} cuts of {SIDE} px, mean of {STEPS} steps")
    print(f"{'form':<16} {'CPU s':>8} {'wall s':>8} {'peak GiB':>9} {'step adds':>10}")
    for form in FORMS:
        child = subprocess.run([sys.executable, __file__, form], capture_output=True, text=True, check=True)
        row = json.loads(child.stdout.splitlines()[-1])
        print(f"{form:<16} {row['cpu']:8.2f} {row['wall']:8.2f} {row['peak']:9.2f} {row['grown']:10.2f}")


if __name__ == "__main__":
    if len(sys.argv) > 1:
        print(json.dumps(measure(sys.argv[1])))
    else:
        main()
