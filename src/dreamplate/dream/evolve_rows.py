"""Genes as rows of a matrix, which is what searching libraries work on.

A row holds the reals of a `Genome`, then its bits (0 or 1), then its integers, all as float64.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import torch

from dreamplate.dream.painting import Genes, Genome
from dreamplate.errors import ConfigError

Rows = npt.NDArray[np.float64]


def width(genome: Genome) -> int:
    """Return how many numbers a row has.

    Raises:
        ConfigError: The genome has no variable, or one that cannot vary.
    """
    total = genome.reals + genome.bits + len(genome.integers)
    if total == 0 or any(count < 2 for count in genome.integers):
        raise ConfigError(
            f"search.method: nothing can evolve in {genome}; choose another generator, or descend"
        )
    return total


def limits(genome: Genome) -> tuple[Rows, Rows]:
    """Return the least and the greatest value of each column."""
    counts = np.array(genome.integers, np.float64)
    low = np.concatenate([np.full(genome.reals, -genome.bound), np.zeros(genome.bits + len(counts))])
    high = np.concatenate([np.full(genome.reals, genome.bound), np.ones(genome.bits), counts - 1])
    return low, high


def draw_rows(genome: Genome, count: int, draws: np.random.Generator) -> Rows:
    """Draw random individuals ``(count, width)``.

    Reals are normal with the genome's spread, cut off at its bound; bits are set with its rate; integers
    are uniform.
    """
    edge = float(torch.special.ndtr(torch.tensor(-genome.bound / genome.spread, dtype=torch.float64)))
    share = draws.uniform(edge, 1 - edge, (count, genome.reals))
    reals = _inverse_normal(share) * genome.spread
    bits = draws.random((count, genome.bits)) < genome.bit_rate
    integers = np.floor(draws.random((count, len(genome.integers))) * np.array(genome.integers))
    return stored(genome, np.concatenate([reals, bits, integers], axis=1))


def rows_of_normals(genome: Genome, normals: Rows) -> Rows:
    """Turn standard normal numbers ``(count, width)`` into individuals, smoothly where that is possible.

    A real is its number times the spread, reflected at the bound; a bit is set where the number is among
    the highest ``bit_rate`` of the normal distribution; an integer is the number's quantile times its count
    of values, rounded down. So independent normal numbers give what `draw_rows` draws (but for the reals
    beyond the bound), and what searches a space of reals can search bits and integers too.
    """
    reals, bits, integers = np.split(normals, [genome.reals, genome.reals + genome.bits], axis=1)
    period = 4 * genome.bound
    reals = np.abs((reals * genome.spread - genome.bound) % period - period / 2) - genome.bound
    threshold = float(_inverse_normal(np.array(1 - genome.bit_rate)))
    counts = np.array(genome.integers, np.float64)
    quantiles = torch.special.ndtr(torch.from_numpy(integers)).numpy()
    integers = np.minimum(np.floor(quantiles * counts), counts - 1)
    return stored(genome, np.concatenate([reals, bits > threshold, integers], axis=1))


def stored(genome: Genome, rows: Rows) -> Rows:
    """Return the rows as a picture sees them: reals rounded to float32 within the bound."""
    low, high = limits(genome)
    return np.clip(rows, low, high).astype(np.float32).astype(np.float64)


def genes_of(genome: Genome, rows: Rows) -> Genes:
    """Return rows ``(count, width)`` as genes."""
    reals, bits, integers = np.split(rows, [genome.reals, genome.reals + genome.bits], axis=1)
    return Genes(
        torch.from_numpy(reals.astype(np.float32)),
        torch.from_numpy(bits.astype(np.int64)),
        torch.from_numpy(integers.astype(np.int64)),
    )


def distinct(rows: Rows, known: set[bytes]) -> npt.NDArray[np.bool_]:
    """Return which rows are in neither ``known`` nor earlier rows, and add them to ``known``."""
    fresh = np.zeros(len(rows), bool)
    for place, row in enumerate(rows):
        key = (row + 0.0).tobytes()  # a negative zero becomes a positive one
        fresh[place] = key not in known
        known.add(key)
    return fresh


def _inverse_normal(share: Rows) -> Rows:
    found: Rows = torch.special.ndtri(torch.from_numpy(np.asarray(share, np.float64))).numpy()
    return found
