"""Covariance matrix adaptation, by the package ``cma``."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np

from dreamplate.dream.evolve_rows import Rows, rows_of_normals, width
from dreamplate.dream.painting import Genome

FULL = 400
"""Up to so many variables the whole covariance matrix is learnt; beyond, its diagonal (its cost is cubic)."""


class Cma:
    """CMA-ES (Hansen, "The CMA Evolution Strategy: A Tutorial", 2016) on standard normal numbers.

    It starts from the distribution that random starts come from, `rows_of_normals`, which also says how
    bits and integers are made of reals. Where its distribution has collapsed it begins again from there,
    with fresh draws.

    Raises:
        ModuleNotFoundError: The package ``cma`` is not installed.
    """

    def __init__(self, genome: Genome, population: int, seed: int) -> None:
        import cma

        self.cma = cma
        self.genome, self.population = genome, population
        self.draws = np.random.default_rng(seed)
        self.width = width(genome)
        with private_numpy_state(self.draws):
            # The package wants two variables at least; one more than there are changes nothing.
            self.strategy = self._begin(max(2, self.width))

    def ask(self) -> Rows:
        """Return the next generation."""
        with private_numpy_state(self.draws):
            self.normals = self.strategy.ask()
        return rows_of_normals(self.genome, np.array(self.normals)[:, : self.width])

    def tell(self, costs: Rows) -> None:
        """Learn what the generation costs ``(population, 1)``."""
        with private_numpy_state(self.draws):
            self.strategy.tell(self.normals, costs[:, 0].tolist())
            if self.strategy.stop():
                self.strategy = self._begin(self.strategy.N)

    def _begin(self, size: int) -> Any:
        options = {
            "popsize": self.population,
            "CMA_diagonal": size > FULL,
            "randn": lambda *shape: self.draws.standard_normal(shape),
            "seed": np.nan,  # leave numpy's own generator alone
            "maxiter": np.inf,
            "verbose": -9,
            "verb_log": 0,
            "verb_disp": 0,
            "signals_filename": "",  # otherwise it would take orders from a file in the current folder
        }
        return self.cma.CMAEvolutionStrategy(np.zeros(size), 1.0, options)


@contextmanager
def private_numpy_state(draws: np.random.Generator) -> Iterator[None]:
    """Have numpy's global generator follow from ``draws`` for a while, then be as it was before.

    The package draws from the generator that it is given, but for a few places where it does not.
    """
    kept = np.random.get_state()  # noqa: NPY002 (the global generator is what this is about)
    np.random.seed(draws.bit_generator.random_raw() & 0xFFFFFFFF)  # noqa: NPY002
    try:
        yield
    finally:
        np.random.set_state(kept)  # noqa: NPY002
