"""Breeding: how two individuals make two new ones, and how these change by chance.

All functions take a whole generation at once. Rows are those of ``evolve_rows``.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from dreamplate.dream.evolve_rows import Rows, limits, stored
from dreamplate.dream.painting import Genome


@dataclass(frozen=True)
class Breeding:
    """How much breeding changes; the defaults are those of CLIP-GLaSS (Galatolo et al., 2021)."""

    cross_reals: float = 1.0
    """Probability that a couple crosses its reals and integers; each variable then does with one half."""
    cross_spread: float = 3.0
    """Distribution index of the crossing; less goes further from the parents."""
    cross_bits: float = 0.2
    """Probability that a couple exchanges half of the bits in which it differs."""
    change_reals: float = 0.5
    """Probability that a real or integer changes."""
    change_spread: float = 3.0
    """Distribution index of the change; less goes further."""
    flip_bits: float = 0.01
    """Probability that a bit flips."""


def breed(
    genome: Genome, first: Rows, second: Rows, draws: np.random.Generator, rates: Breeding | None = None
) -> Rows:
    """Return two children for each couple, ``(2 * couples, width)``: those of one kind, then the others."""
    rates = rates or Breeding()
    low, high = limits(genome)
    couples = len(first)
    is_bit = np.zeros(len(low), bool)
    is_bit[genome.reals : genome.reals + genome.bits] = True
    numbers, bits = np.flatnonzero(~is_bit), np.flatnonzero(is_bit)
    children = np.concatenate([first, second])
    if numbers.size:
        bounds = low[numbers], high[numbers]
        crossing = draws.random((couples, 1)) < rates.cross_reals
        crossing = crossing & (draws.random((couples, numbers.size)) < 0.5)
        crossed = cross_numbers(first[:, numbers], second[:, numbers], bounds, rates.cross_spread, draws)
        for half, values in zip((slice(couples), slice(couples, None)), crossed, strict=True):
            children[half, numbers] = np.where(crossing, values, children[half, numbers])
        changed = change_numbers(children[:, numbers], bounds, rates.change_spread, draws)
        change = draws.random(changed.shape) < rates.change_reals
        children[:, numbers] = np.where(change, changed, children[:, numbers])
    if bits.size:
        swap = half_of_differences(first[:, bits], second[:, bits], draws)
        swap &= draws.random((couples, 1)) < rates.cross_bits
        flip = draws.random((2 * couples, bits.size)) < rates.flip_bits
        children[:, bits] = np.abs(children[:, bits] - np.concatenate([swap, swap]))  # differing: one turns
        children[:, bits] = np.abs(children[:, bits] - flip)
    integers = slice(genome.reals + genome.bits, None)
    children[:, integers] = np.rint(children[:, integers])
    return stored(genome, children)


def cross_numbers(
    first: Rows, second: Rows, bounds: tuple[Rows, Rows], spread: float, draws: np.random.Generator
) -> tuple[Rows, Rows]:
    """Simulated binary crossing within bounds (Deb and Agrawal, 1995; bounds as in Deb, 2001).

    Children lie on both sides of their parents' mean, ``beta`` times as far from it as these, where
    ``beta`` has the density ``(n + 1) / 2 * beta ** n`` up to 1 and ``(n + 1) / 2 / beta ** (n + 2)`` beyond,
    cut off where a child would leave the bounds. Which child gets which side is drawn for each variable.
    """
    below, above = np.minimum(first, second), np.maximum(first, second)
    apart = above - below
    safe = np.where(apart > 0, apart, 1.0)
    share = draws.random(first.shape)

    def beta(room: Rows) -> Rows:
        alpha = 2.0 - (1.0 + 2.0 * room / safe) ** -(spread + 1.0)
        scaled = share * alpha
        near = scaled ** (1.0 / (spread + 1.0))
        far = (1.0 / np.maximum(2.0 - scaled, 1e-12)) ** (1.0 / (spread + 1.0))
        return np.where(scaled <= 1.0, near, far)

    middle = (below + above) / 2
    lower = middle - beta(np.maximum(below - bounds[0], 0)) * apart / 2
    upper = middle + beta(np.maximum(bounds[1] - above, 0)) * apart / 2
    swap = draws.random(first.shape) < 0.5
    return np.where(swap, upper, lower), np.where(swap, lower, upper)


def change_numbers(rows: Rows, bounds: tuple[Rows, Rows], spread: float, draws: np.random.Generator) -> Rows:
    """Polynomial mutation within bounds (Deb and Agrawal, 1999; bounds as in Deb, 2001).

    A value moves by a part of the range, with the density ``(n + 1) / 2 * (1 - |part|) ** n``, cut off where
    it would leave the bounds: half of the probability is below the value, half above.
    """
    reach = bounds[1] - bounds[0]
    share = draws.random(rows.shape)
    down = 1.0 - (rows - bounds[0]) / reach
    up = 1.0 - (bounds[1] - rows) / reach
    power = spread + 1.0
    left = (2 * share + (1 - 2 * share) * down**power).clip(0) ** (1 / power) - 1
    right = 1 - (2 * (1 - share) + (2 * share - 1) * up**power).clip(0) ** (1 / power)
    return rows + np.where(share < 0.5, left, right) * reach


def half_of_differences(first: Rows, second: Rows, draws: np.random.Generator) -> np.ndarray:
    """Half-uniform crossing (Eshelman, 1991): pick half, rounded up, of the places where two rows differ."""
    differ = first != second
    order = np.where(differ, draws.random(first.shape), 2.0)
    rank = order.argsort(axis=1).argsort(axis=1)
    picked: np.ndarray = rank < (differ.sum(1, keepdims=True) + 1) // 2
    return picked
