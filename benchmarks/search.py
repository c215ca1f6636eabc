"""Measure what searching costs beside the networks that it serves.

Usage: python benchmarks/search.py [--starts 64] [--generations 40] [--replay 500] [--threads 1]

Prints two tables:

- best of N: starts scored a second, seen whole at 128 px, with the built-in scorer and the fft generator,
  for several chunk sizes.
- evolving: processor milliseconds a generation, judging excluded, for the genome of CLIP-GLaSS's BigGAN
  (128 reals and 1000 bits, population 64): ours against pymoo's classes for mixed variables with the same
  operators and rates; then the genome of its StyleGAN2 (512 reals) and the largest genome whose whole
  covariance is learnt (400 reals); and how long it takes to load a saved search, which replays it.
"""

from __future__ import annotations

import argparse
import os
import platform
import time
from collections.abc import Callable

import numpy as np
import torch
from torch import Tensor

from dreamplate.dream.evolve import Evolution
from dreamplate.dream.evolve_cma import FULL
from dreamplate.dream.fft import Fft
from dreamplate.dream.options import FftConfig
from dreamplate.dream.painting import Genes, Genome
from dreamplate.dream.scorers import load_scorer
from dreamplate.dream.starts import score_starts

POPULATION = 64
GLASS = Genome(reals=128, bits=1000, spread=1.0, bound=2.0, bit_rate=0.005)
STYLE = Genome(reals=512, spread=1.0, bound=10.0)
WHOLE = Genome(reals=FULL)


def judged(genes: Genes, objectives: int) -> Tensor:
    """Return costs that take no time to speak of."""
    reals = (genes.reals - 0.3).square().mean(1).double()
    other = (genes.reals + 0.3).square().mean(1).double()
    bits = genes.bits.double().sum(1) / max(1, genes.bits.shape[1])
    return torch.stack([reals + bits, other - bits], 1)[:, :objectives]


def ours(genome: Genome, algorithm: str, objectives: int, generations: int) -> tuple[float, Evolution]:
    """Return milliseconds a generation, and the search."""
    evolution = Evolution(genome, algorithm, POPULATION, 1, objectives)
    evolution.tell(judged(evolution.ask(), objectives))
    started = time.process_time()
    for _ in range(generations):
        evolution.tell(judged(evolution.ask(), objectives))
    return (time.process_time() - started) / generations * 1e3, evolution


def replayed(evolution: Evolution, generations: int) -> float:
    """Return seconds that it takes to load a search of that many generations."""
    while evolution.generations < generations:
        evolution.tell(judged(evolution.ask(), evolution.objectives))
    kind = (evolution.genome, evolution.algorithm, POPULATION, 1, evolution.objectives)
    again, started = Evolution(*kind), time.process_time()
    again.load_state_dict(evolution.state_dict())
    return time.process_time() - started


def plain_pymoo(algorithm: str, objectives: int, generations: int) -> float:
    """Return milliseconds a generation of pymoo's own way with mixed variables."""
    from pymoo.algorithms.soo.nonconvex.ga import FitnessSurvival
    from pymoo.core.evaluator import Evaluator
    from pymoo.core.mixed import (
        MixedVariableDuplicateElimination,
        MixedVariableGA,
        MixedVariableMating,
    )
    from pymoo.core.problem import Problem
    from pymoo.core.termination import NoTermination
    from pymoo.core.variable import Binary, Real
    from pymoo.operators.crossover.hux import HUX
    from pymoo.operators.crossover.sbx import SBX
    from pymoo.operators.mutation.bitflip import BFM
    from pymoo.operators.mutation.pm import PM
    from pymoo.operators.survival.rank_and_crowding import RankAndCrowding
    from pymoo.problems.static import StaticProblem

    names = {f"r{i}": Real(bounds=(-2, 2)) for i in range(GLASS.reals)}
    names |= {f"b{i}": Binary() for i in range(GLASS.bits)}
    problem = Problem(vars=names, n_obj=objectives)
    mating = MixedVariableMating(
        crossover={Real: SBX(prob=1.0, eta=3.0), Binary: HUX(prob=0.2)},
        mutation={Real: PM(prob=1.0, prob_var=0.5, eta=3.0), Binary: BFM(prob_var=0.01)},
        eliminate_duplicates=MixedVariableDuplicateElimination(),
    )
    survival = FitnessSurvival() if algorithm == "ga" else RankAndCrowding()
    search = MixedVariableGA(POPULATION, mating=mating, survival=survival, output=None, seed=1)
    search.setup(problem, termination=NoTermination())
    spent = 0.0
    for generation in range(generations + 1):
        started = time.process_time()
        asked = search.ask()
        spent += (time.process_time() - started) * (generation > 0)
        reals = torch.tensor([[x[f"r{i}"] for i in range(GLASS.reals)] for x in asked.get("X")])
        bits = torch.tensor([[int(x[f"b{i}"]) for i in range(GLASS.bits)] for x in asked.get("X")])
        costs = judged(Genes(reals.float(), bits, torch.zeros(len(asked), 0, dtype=torch.int64)), objectives)
        started = time.process_time()
        Evaluator().eval(StaticProblem(problem, F=np.asarray(costs)), asked)
        search.tell(infills=asked)
        spent += (time.process_time() - started) * (generation > 0)
    return spent / generations * 1e3


def best_of(starts: int) -> None:
    scorer = load_scorer("bridge")
    words = scorer.encode_text(["a red lighthouse on a cliff in a storm"])[0]

    def score(images: Tensor) -> Tensor:
        side = (scorer.size, scorer.size)
        small = (
            images if getattr(scorer, "flexible", False) else torch.nn.functional.interpolate(images, side)
        )
        return scorer.encode_image(small) @ words

    def make(draws: list[torch.Generator]) -> Fft:
        return Fft(FftConfig(), (128, 128), (False, False), draws)

    def run(chunk: int, count: int) -> Tensor:
        return score_starts(make, score, list(range(count)), chunk=chunk, width=128, height=128)

    run(8, 8)
    print(f"best of {starts} starts, 128 px, bridge, fft")
    print(f"{'chunk':>8} {'images/s':>9} {'differs by':>11}")
    first: Tensor | None = None
    for chunk in (1, 4, 8, 16, 32):
        started = time.perf_counter()
        scores = run(chunk, starts)
        seconds = time.perf_counter() - started
        first = scores if first is None else first
        print(f"{chunk:8} {starts / seconds:9.1f} {float((scores - first).abs().max()):11.1e}")


def evolving(generations: int, replay: int) -> None:
    print(f"\nevolving, population {POPULATION}")
    print(f"{'':24} {'ours ms':>8} {'pymoo ms':>9} {'ratio':>6} {f'load {replay} s':>11}")
    rows: list[tuple[str, Genome, str, int, Callable[[], float] | None]] = [
        ("ga, BigGAN", GLASS, "ga", 1, lambda: plain_pymoo("ga", 1, max(3, generations // 10))),
        ("nsga2, BigGAN", GLASS, "nsga2", 2, lambda: plain_pymoo("nsga2", 2, max(3, generations // 10))),
        ("cma, BigGAN, diagonal", GLASS, "cma", 1, None),
        ("nsga2, StyleGAN2", STYLE, "nsga2", 2, None),
        ("cma, StyleGAN2, diagonal", STYLE, "cma", 1, None),
        (f"cma, {FULL} reals, whole", WHOLE, "cma", 1, None),
    ]
    for name, genome, algorithm, objectives, plain in rows:
        took, evolution = ours(genome, algorithm, objectives, generations)
        other = plain() if plain else None
        compared = f"{other:9.1f} {other / took:6.1f}" if other else f"{'':9} {'':6}"
        print(f"{name:24} {took:8.1f} {compared} {replayed(evolution, replay):11.1f}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--starts", type=int, default=64)
    parser.add_argument("--generations", type=int, default=40)
    parser.add_argument("--replay", type=int, default=500)
    parser.add_argument("--threads", type=int, default=1)
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    print(f"{platform.processor() or platform.machine()}, {os.cpu_count()} cores, {options.threads} threads")
    best_of(options.starts)
    evolving(options.generations, options.replay)


if __name__ == "__main__":
    main()
