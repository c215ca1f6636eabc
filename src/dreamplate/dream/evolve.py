"""Search without gradients: a population that proposes, is judged from outside, and learns."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Literal, Protocol

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from dreamplate.dream.evolve_cma import Cma
from dreamplate.dream.evolve_genetic import Genetic
from dreamplate.dream.evolve_rows import Rows, distinct, genes_of, width
from dreamplate.dream.painting import Genes, Genome
from dreamplate.dream.pareto import dominated, pick_order, spread_out
from dreamplate.errors import ConfigError, MissingExtraError, StateError

Algorithm = Literal["cma", "ga", "nsga2"]

HOPELESS = 1e300
"""What an individual counts as costing when its cost is not finite."""


class _Search(Protocol):
    def ask(self) -> Rows: ...

    def tell(self, costs: Rows) -> None: ...


class Evolution:
    """Individuals of a genome, improved generation by generation.

    ::

        evolution = Evolution(genome, "cma", population=16, seed=1)
        for _ in range(generations):
            evolution.tell(costs_of(evolution.ask()))
        evolution.best(1)

    All randomness comes from the seed. A saved state holds what was told, not what the libraries keep:
    loading it asks and tells everything again, which takes a few milliseconds a generation.

    Args:
        genome: What varies.
        algorithm: ``cma`` (reals; bits and integers are cut from reals), ``ga``, or ``nsga2`` for several
            objectives.
        population: Individuals a generation, at least 4.
        seed: Any whole number.
        objectives: How many costs an individual has; more than one only with ``nsga2``.

    Raises:
        ConfigError: The genome is empty, the population too small, or the objectives too many.
        MissingExtraError: The library behind the algorithm is not installed.
    """

    def __init__(
        self, genome: Genome, algorithm: Algorithm, population: int, seed: int, objectives: int = 1
    ) -> None:
        if population < 4:
            raise ConfigError(f"search.population is {population}: choose at least 4")
        if objectives < 1 or (objectives > 1 and algorithm != "nsga2"):
            raise ConfigError(
                f"search.objectives are {objectives}, which {algorithm} cannot search:"
                " give one, or search.algorithm nsga2"
            )
        self.genome, self.algorithm, self.population = genome, algorithm, population
        self.seed, self.objectives = seed, objectives
        self._begin()

    def _begin(self) -> None:
        self.asked: Rows | None = None
        self.told: list[Rows] = []
        self.kept = np.empty((0, width(self.genome)))
        self.costs = np.empty((0, self.objectives))
        seed = self.seed % 2**63
        try:
            self.search: _Search = (
                Cma(self.genome, self.population, seed)
                if self.algorithm == "cma"
                else Genetic(self.genome, self.algorithm, self.population, seed, self.objectives)
            )
        except ModuleNotFoundError as error:
            raise MissingExtraError(
                f"search.algorithm {self.algorithm} needs the package {error.name},"
                ' which is not installed: pip install "dreamplate[search]"'
            ) from error

    @property
    def generations(self) -> int:
        """How many generations were told."""
        return len(self.told)

    def ask(self) -> Genes:
        """Return the next generation, ``population`` rows; the same until it is told."""
        if self.asked is None:
            self.asked = self.search.ask()
        return genes_of(self.genome, self.asked)

    def tell(self, costs: Float[Tensor, "population objectives"]) -> None:
        """Learn what each individual of the generation costs; less is better.

        An individual of which a cost is not finite counts as worse than all others.

        Raises:
            ConfigError: The costs have another shape, or no generation was asked for.
        """
        if self.asked is None or tuple(costs.shape) != (self.population, self.objectives):
            raise ConfigError(
                f"evolution: told costs of shape {tuple(costs.shape)}; ask first,"
                f" then tell ({self.population}, {self.objectives})"
            )
        told = costs.detach().double().cpu().numpy().copy()
        told[~(np.abs(told) < HOPELESS).all(1)] = HOPELESS
        self._keep(self.asked, told)
        usable = told < HOPELESS
        worst = told.max(0, where=usable, initial=-HOPELESS)
        self.search.tell(np.where(usable, told, np.where(worst > -HOPELESS, worst, 0.0) + 1.0))
        self.told.append(told)
        self.last, self.asked = self.asked[:1], None

    def best(self, count: int, weights: Sequence[float] | None = None) -> Genes:
        """Return the best individuals seen so far, the best first.

        With several objectives these are the members of the front whose trade-off is nearest to ``weights``
        (by default all objectives alike), then what the front beats least. Where fewer distinct
        individuals were seen than are asked for, they repeat.

        Raises:
            ConfigError: Nothing was told yet, or more than a population is asked for.
        """
        if not self.told or not 1 <= count <= self.population:
            raise ConfigError(
                f"evolution: asked for the best {count} of {len(self.told)} generations of {self.population}:"
                " raise search.population, or lower batch"
            )
        front = self._front()
        if self.objectives > 1:
            front = front[pick_order(self.costs[front], weights)]
        order = [*front.tolist(), *np.setdiff1d(np.arange(len(self.kept)), front).tolist()]
        rows = [order[place % len(order)] for place in range(count)]
        return genes_of(self.genome, self.kept[rows])

    def front(self, most: int | None = None) -> tuple[Genes, Float[Tensor, "n objectives"]]:
        """Return all individuals seen so far that no other beats, and what they cost, by rising first cost.

        Of those that cost the same, one is there. With ``most``, at most so many, far apart from each other.

        Raises:
            ConfigError: Nothing was told yet.
        """
        if not self.told:
            raise ConfigError("evolution: there is no front before the first generation is told")
        front = self._front()
        front = front[spread_out(self.costs[front], len(front) if most is None else most)]
        return genes_of(self.genome, self.kept[front]), torch.from_numpy(self.costs[front])

    def state_dict(self) -> dict[str, Any]:
        """Return ``costs``, all that was told, and ``last``, by which a replay is checked.

        A generation that was asked for and not told will be asked for again.
        """
        if not self.told:
            return {"costs": torch.zeros(0, self.population, self.objectives, dtype=torch.float64)}
        return {"costs": torch.from_numpy(np.stack(self.told)), "last": torch.from_numpy(self.last.copy())}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Begin again, and replay what was told.

        Raises:
            StateError: The state is of another search, or the libraries went another way this time.
        """
        costs = state["costs"]
        if tuple(costs.shape[1:]) != (self.population, self.objectives):
            raise StateError(
                f"evolution: the saved costs have shape {tuple(costs.shape)}, this search has a population of"
                f" {self.population} and {self.objectives} objectives; resume with the options it began with"
            )
        self._begin()
        for told in costs:
            self.ask()
            self.tell(told)
        if len(costs) and not _alike(self.last, state["last"].numpy()):
            raise StateError(
                f"evolution: replaying {len(costs)} generations of {self.algorithm} led elsewhere this time;"
                " resume with the versions of cma, pymoo and numpy that it began with"
            )

    def _keep(self, rows: Rows, costs: Rows) -> None:
        """Keep the front, and behind it the next best, a population at least."""
        rows, costs = np.concatenate([self.kept, rows]), np.concatenate([self.costs, costs])
        fresh = distinct(rows, set())
        rows, costs = rows[fresh], costs[fresh]
        if self.objectives == 1:
            order = np.argsort(costs[:, 0], kind="stable")[: self.population]
        else:
            beaten = dominated(costs, costs)
            beaten |= ~distinct(costs, set())
            front, rest = np.flatnonzero(~beaten), np.flatnonzero(beaten)
            layers = [(costs[front] <= costs[row]).all(1).sum() for row in rest]
            behind = rest[np.argsort(layers, kind="stable")][: max(0, self.population - len(front))]
            order = np.concatenate([front, behind])
        self.kept, self.costs = rows[order], costs[order]

    def _front(self) -> np.ndarray:
        """Return which of the kept rows no other beats, one of those that cost the same."""
        return np.flatnonzero(~dominated(self.costs, self.costs) & distinct(self.costs, set()))


def _alike(one: Rows, other: Rows) -> bool:
    """Whether two rows are the same but for rounding, which may differ from machine to machine."""
    return one.shape == other.shape and bool(np.mean(np.abs(one - other) > 1e-3) <= 0.01)
