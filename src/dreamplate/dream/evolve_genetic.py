"""Genetic algorithms, by the package ``pymoo``, with breeding of our own.

The package chooses who survives. Its operators for mixed variables work one individual and one variable at
a time; ours work on whole generations, which is what makes a thousand bits affordable.
"""

from __future__ import annotations

from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from dreamplate.dream.evolve_breed import breed
from dreamplate.dream.evolve_rows import Rows, distinct, draw_rows, limits, width
from dreamplate.dream.painting import Genome

ROUNDS = 20
"""How often breeding is tried anew for children that nobody equals."""


class Genetic:
    """A genetic algorithm for one objective, or NSGA-II (Deb et al., 2002) for several.

    Raises:
        ModuleNotFoundError: The package ``pymoo`` is not installed.
    """

    def __init__(
        self, genome: Genome, algorithm: Literal["ga", "nsga2"], population: int, seed: int, objectives: int
    ) -> None:
        from pymoo.algorithms.moo.nsga2 import NSGA2
        from pymoo.algorithms.soo.nonconvex.ga import GA
        from pymoo.core.problem import Problem
        from pymoo.core.termination import NoTermination

        low, high = limits(genome)
        self.problem = Problem(n_var=width(genome), n_obj=objectives, xl=low, xu=high)
        self.algorithm = {"ga": GA, "nsga2": NSGA2}[algorithm](
            pop_size=population,
            sampling=fill(genome, np.empty((0, len(low))), population, set(), np.random.default_rng(seed)),
            mating=_Mating(genome),
            eliminate_duplicates=False,  # the breeding sees to that
            output=None,
            seed=seed,
        )
        self.algorithm.setup(self.problem, termination=NoTermination())

    def ask(self) -> Rows:
        """Return the next generation."""
        self.asked = self.algorithm.ask()
        rows: Rows = self.asked.get("X")
        return rows

    def tell(self, costs: Rows) -> None:
        """Learn what the generation costs ``(population, objectives)``."""
        from pymoo.core.evaluator import Evaluator
        from pymoo.problems.static import StaticProblem

        Evaluator().eval(StaticProblem(self.problem, F=costs), self.asked)
        self.algorithm.tell(infills=self.asked)


class _Mating:
    """What the package calls for children."""

    def __init__(self, genome: Genome) -> None:
        self.genome = genome

    def do(
        self,
        problem: Any,
        pop: Any,
        n_offsprings: int,
        *,
        algorithm: Any,
        random_state: np.random.Generator,
    ) -> Any:
        from pymoo.core.population import Population

        rows, costs = pop.get("X"), pop.get("F")
        keys = [costs[:, 0]]
        if costs.shape[1] > 1:  # first by layer, within it the loneliest first
            keys = [-pop.get("crowding").astype(float), pop.get("rank").astype(float)]
        order = standing(keys, random_state)
        known: set[bytes] = set()
        distinct(rows, known)
        children = np.empty((0, rows.shape[1]))
        for _ in range(ROUNDS):
            missing = n_offsprings - len(children)
            if missing <= 0:
                break
            parents = tournament(order, missing + missing % 2, random_state)
            first, second = np.split(rows[parents], 2)
            new = breed(self.genome, first, second, random_state)
            children = np.concatenate([children, new[distinct(new, known)]])
        return Population.new(X=fill(self.genome, children, n_offsprings, known, random_state))


def fill(genome: Genome, rows: Rows, count: int, known: set[bytes], draws: np.random.Generator) -> Rows:
    """Cut rows to ``count``, or add random individuals, unlike all known ones where that is possible."""
    for attempt in range(ROUNDS):
        missing = count - len(rows)
        if missing <= 0:
            break
        new = draw_rows(genome, missing, draws)
        fresh = distinct(new, known)
        # A small genome has no more than so many individuals: at last, any will do.
        rows = np.concatenate([rows, new if attempt == ROUNDS - 1 else new[fresh]])
    return rows[:count]


def standing(keys: list[npt.NDArray[np.floating]], draws: np.random.Generator) -> npt.NDArray[np.intp]:
    """Return each individual's place, 0 the best: by the last key, then the one before it; ties by chance."""
    order = np.lexsort((draws.random(len(keys[0])), *keys))
    place = np.empty(len(order), np.intp)
    place[order] = np.arange(len(order))
    return place


def tournament(place: npt.NDArray[np.intp], count: int, draws: np.random.Generator) -> npt.NDArray[np.intp]:
    """Choose ``count`` parents, the better of two each; all take part about equally often."""
    rounds = -(-2 * count // len(place))
    drawn = np.concatenate([draws.permutation(len(place)) for _ in range(rounds)])[: 2 * count]
    one, other = drawn[:count], drawn[count:]
    return np.where(place[one] <= place[other], one, other)
