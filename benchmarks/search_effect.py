"""Does evolving before descending help? Asked of a network that never guides a dream.

For every prompt (landscapes, or the named things of ``dream/judge_prompts.yaml``) one picture is made by
gradients alone and one by a hybrid search, from the same seed, with the same generator and about the same
processor time: steps of the first are added until it has had as much as the second. EfficientNet-Lite2 then
ranks the 1000 ImageNet classes in both. Printed: rank and probability of the named class, and who won.

Run: python benchmarks/search_effect.py [--generator stylegan2] [--prompts 20] [--steps 60] [--algorithm cma]
"""

from __future__ import annotations

import argparse
import json
import time

LANDSCAPES = {
    "snowy alps under a blue sky": (970,),
    "alps at sunset": (970,),
    "a mountain range in the morning": (970, 979),
    "snow-covered mountains": (970,),
    "rocky mountain peaks": (970, 972),
    "a lake in the mountains": (975, 970),
    "a lakeside at dusk": (975,),
    "a calm lake with a forest behind it": (975,),
    "a lake at sunset": (975,),
    "a lake under clouds": (975,),
    "the seashore at dawn": (978, 977),
    "the sea and a cloudy sky": (978, 977),
    "a beach under a blue sky": (978, 977),
    "a sandbar in the sea": (977, 978),
    "a valley with green meadows": (979,),
    "a wide valley at sunset": (979,),
    "a valley between hills": (979,),
    "a volcano at night": (980,),
    "a volcano under a red sky": (980,),
    "a promontory by the sea": (976, 978),
}
"""Prompts for generators that know nothing but landscapes, and the ImageNet classes that count as a hit."""


def main() -> None:
    from dreamplate.take import describe_machine, prepare_process, replace_fields

    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--generator", default="stylegan2")
    parser.add_argument("--prompts-of", choices=["landscapes", "things"], default="landscapes")
    parser.add_argument("--prompts", type=int, default=20)
    parser.add_argument("--steps", type=int, default=60)
    parser.add_argument("--size", type=int, default=128)
    parser.add_argument("--algorithm", default="cma")
    parser.add_argument("--population", type=int, default=16)
    parser.add_argument("--share", type=float, default=0.4)
    parser.add_argument("--cuts", type=int, default=4)
    parser.add_argument("--threads", type=int, default=1)
    asked = parser.parse_args()
    prepare_process(asked.threads)

    from dreamplate.dream import DreamConfig, DreamJob, load_scorer, make_generator
    from dreamplate.dream.judge import ImageNetJudge, JudgePrompt, judge_prompts

    print(json.dumps(describe_machine()))
    side = asked.size
    base = replace_fields(
        DreamConfig(),
        {
            "generator": asked.generator,
            "size": [side, side],
            "stages": [1.0],
            "stage_starts": [0.0],
            "cut_sides": [min(side, 160)],
            "cuts.number": asked.cuts,
            "steps": asked.steps,
            "seed": 7,
        },
    )
    hybrid_fields = {
        "search.method": "hybrid",
        "search.algorithm": asked.algorithm,
        "search.population": asked.population,
        "search.share": asked.share,
    }
    scorer, judge = load_scorer("bridge"), ImageNetJudge()
    like = make_generator(base, [0])
    every = judge_prompts()
    if asked.prompts_of == "landscapes":
        every = tuple(JudgePrompt(text, accept) for text, accept in LANDSCAPES.items())
    rows = []
    for prompt in every[:: max(1, len(every) // asked.prompts)][: asked.prompts]:
        found = {}
        hybrid = replace_fields(base, {"prompt": prompt.text} | hybrid_fields)
        began = time.process_time()
        job = DreamJob(hybrid, scorer, make_generator(hybrid, [7], like))
        while job.position < len(job):
            job.step()
        budget = time.process_time() - began
        found["hybrid"] = judge.verdict(job.outcome().plates["final"], prompt)
        # Gradients alone: the whole schedule within the same processor time, found from a few trial steps.
        trial = DreamJob(
            replace_fields(base, {"prompt": prompt.text}), scorer, make_generator(base, [7], like)
        )
        began = time.process_time()
        for _ in range(3):
            trial.step()
        each = (time.process_time() - began) / 3
        steps = max(asked.steps, round(budget / each))
        plain = replace_fields(base, {"prompt": prompt.text, "steps": steps})
        job = DreamJob(plain, scorer, make_generator(plain, [7], like))
        while job.position < len(job):
            job.step()
        found["gradient"] = judge.verdict(job.outcome().plates["final"], prompt)
        rows.append(found)
        print(
            f"{prompt.text:<34} "
            + "  ".join(f"{name} rank {v.rank:>4} p {v.probability:.3f}" for name, v in found.items())
            + f"  ({steps} steps, {budget:.0f} CPU s each)",
            flush=True,
        )
    for name in ("gradient", "hybrid"):
        verdicts = [row[name] for row in rows]
        top1 = sum(v.rank == 1 for v in verdicts) / len(rows)
        top5 = sum(v.rank <= 5 for v in verdicts) / len(rows)
        mean = sum(v.probability for v in verdicts) / len(rows)
        ranks = sorted(v.rank for v in verdicts)
        print(
            f"== {name}: top-1 {top1:.2f}, top-5 {top5:.2f}, mean probability {mean:.3f},"
            f" median rank {ranks[len(rows) // 2]}"
        )
    wins = sum(row["hybrid"].rank < row["gradient"].rank for row in rows)
    losses = sum(row["hybrid"].rank > row["gradient"].rank for row in rows)
    print(f"== hybrid ranks higher in {wins}, lower in {losses} of {len(rows)}")


if __name__ == "__main__":
    main()
