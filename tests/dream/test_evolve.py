"""Laws of evolution: it finds what is known to be best, replays exactly, and leaves the world as it was."""

from __future__ import annotations

import math
import sys

import numpy as np
import pytest
import torch
from torch import Tensor

from dreamplate.dream.controls import SearchConfig
from dreamplate.dream.evolve import Evolution
from dreamplate.dream.evolve_breed import Breeding, breed, change_numbers, cross_numbers, half_of_differences
from dreamplate.dream.evolve_rows import draw_rows, genes_of, limits, rows_of_normals
from dreamplate.dream.optimisers import make_optimiser
from dreamplate.dream.painting import Genes, Genome
from dreamplate.errors import ConfigError, MissingExtraError, StateError

MIXED = Genome(reals=5, bits=6, integers=(7, 3), spread=1.0, bound=2.0, bit_rate=0.3)
KINDS = [("cma", 1), ("ga", 1), ("nsga2", 1), ("nsga2", 2), ("nsga2", 3)]


def costs_of(genes: Genes, objectives: int = 1) -> Tensor:
    """Return distances to a known individual, split into as many objectives as are wanted."""
    reals = ((genes.reals - 0.4) ** 2).sum(1).double()
    bits = (genes.bits != torch.arange(genes.bits.shape[1]) % 2).sum(1).double()
    integers = (genes.integers - torch.tensor([5, 1])[: genes.integers.shape[1]]).abs().sum(1).double()
    if objectives == 1:
        return (reals + bits + integers)[:, None]
    # Trade-offs: what is near to one is far from another.
    other = ((genes.reals + 0.4) ** 2).sum(1).double()
    return torch.stack([reals + bits, other + integers, bits + integers], 1)[:, :objectives]


def evolved(evolution: Evolution, generations: int) -> list[tuple[Genes, Tensor]]:
    seen = []
    for _ in range(generations):
        genes = evolution.ask()
        costs = costs_of(genes, evolution.objectives)
        evolution.tell(costs)
        seen.append((genes, costs))
    return seen


def same(one: Genes, other: Genes) -> bool:
    return all(
        torch.equal(getattr(one, part), getattr(other, part)) for part in ("reals", "bits", "integers")
    )


# --- proposals -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(("algorithm", "objectives"), KINDS)
def test_generations_are_full_and_within_limits(algorithm, objectives):
    evolution = Evolution(MIXED, algorithm, 10, 3, objectives)
    first = evolution.ask()
    assert same(first, evolution.ask())
    for genes, _ in evolved(evolution, 12):
        assert genes.reals.shape == (10, 5) and genes.reals.dtype == torch.float32
        assert genes.bits.shape == (10, 6) and genes.bits.dtype == torch.int64
        assert genes.integers.shape == (10, 2) and genes.integers.dtype == torch.int64
        assert genes.reals.abs().max() <= 2
        assert set(genes.bits.unique().tolist()) <= {0, 1}
        assert (genes.integers >= 0).all() and (genes.integers < torch.tensor([7, 3])).all()
    assert not same(first, evolution.ask())


@pytest.mark.parametrize(("algorithm", "objectives"), KINDS)
def test_resume_is_bit_identical(algorithm, objectives):
    whole = Evolution(MIXED, algorithm, 8, -5, objectives)
    evolved(whole, 7)
    again = Evolution(MIXED, algorithm, 8, -5, objectives)
    evolved(again, 2)
    again.load_state_dict(whole.state_dict())  # what it did before counts no more
    for (one, _), (other, _) in zip(evolved(whole, 6), evolved(again, 6), strict=True):
        assert same(one, other)
    assert same(whole.best(3), again.best(3))
    assert same(whole.front()[0], again.front()[0])


def test_a_state_without_generations_is_the_start():
    one, other = Evolution(MIXED, "ga", 6, 1), Evolution(MIXED, "ga", 6, 1)
    one.ask()
    state = one.state_dict()
    assert len(state["costs"]) == 0
    other.load_state_dict(state)
    assert same(one.ask(), other.ask())


@pytest.mark.parametrize("algorithm", ["cma", "ga", "nsga2"])
def test_numpys_global_generator_plays_no_part(algorithm):
    runs = []
    for seed in (1, 2):
        np.random.seed(seed)  # noqa: NPY002
        before = np.random.get_state()[1].copy()  # noqa: NPY002
        evolution = Evolution(MIXED, algorithm, 8, 4)
        evolved(evolution, 8)
        assert np.array_equal(np.random.get_state()[1], before)  # noqa: NPY002
        runs.append(evolution.ask())
    assert same(*runs)
    assert not same(runs[0], Evolution(MIXED, algorithm, 8, 5).ask())


# --- finding -------------------------------------------------------------------------------------------


def test_cma_solves_the_sphere():
    evolution = Evolution(Genome(reals=10), "cma", 12, 1)
    seen = evolved(evolution, 120)
    assert seen[0][1].min() > 0.5
    assert costs_of(evolution.best(1)).item() < 1e-6


@pytest.mark.parametrize(("algorithm", "generations"), [("cma", 150), ("ga", 60)])
def test_one_max_is_solved(algorithm, generations):
    evolution = Evolution(Genome(bits=20, bit_rate=0.1), algorithm, 24, 2)
    seen = evolved(evolution, generations)
    assert seen[0][1].min() >= 6
    assert costs_of(evolution.best(1)).item() == 0


@pytest.mark.parametrize(("algorithm", "bound"), [("cma", 0.01), ("ga", 0.3)])
def test_mixed_variables_are_solved(algorithm, bound):
    evolution = Evolution(MIXED, algorithm, 24, 6)
    seen = evolved(evolution, 120)
    best = evolution.best(1)
    assert costs_of(best).item() < bound < 0.2 * seen[0][1].min()
    assert best.bits.tolist() == [[0, 1, 0, 1, 0, 1]]
    assert best.integers.tolist() == [[5, 1]]


def test_nsga2_covers_schaffers_trade_off():
    """Of x² against (x - 2)², the front is x from 0 to 2."""
    evolution = Evolution(Genome(reals=1, spread=3.0), "nsga2", 20, 3, 2)
    for _ in range(40):
        x = evolution.ask().reals[:, 0].double()
        evolution.tell(torch.stack([x**2, (x - 2) ** 2], 1))
    genes, costs = evolution.front()
    x = genes.reals[:, 0]
    assert x.min() > -0.01 and x.max() < 2.01
    assert x.min() < 0.05 and x.max() > 1.95
    assert x.sort().values.diff().max() < 0.2
    assert torch.equal(x, x.sort().values)
    few, some = evolution.front(most=7)
    assert len(few) == 7
    assert some[0, 0] == costs[:, 0].min() and some[-1, 1] == costs[:, 1].min()
    assert few.reals[:, 0].diff().max() < 0.6


@pytest.mark.parametrize(("algorithm", "objectives"), KINDS)
def test_front_and_best_are_those_of_all_that_was_seen(algorithm, objectives):
    evolution = Evolution(MIXED, algorithm, 8, 11, objectives)
    costs = torch.cat([costs for _, costs in evolved(evolution, 15)])
    beaten = ((costs[None] <= costs[:, None]).all(2) & (costs[None] < costs[:, None]).any(2)).any(1)
    expected = sorted({tuple(row) for row in costs[~beaten].tolist()})
    genes, found = evolution.front()
    assert [tuple(row) for row in found.tolist()] == expected
    assert torch.equal(costs_of(genes, objectives), found)
    best = evolution.best(8)
    assert len(best) == 8
    if objectives == 1:
        cheapest = costs_of(best)[:, 0]
        assert torch.equal(cheapest, cheapest.sort().values)
        assert cheapest[0] == costs.min()
        rows = torch.cat([best.reals, best.bits, best.integers], 1)
        assert len(rows.unique(dim=0)) == 8


def test_weights_choose_among_trade_offs():
    evolution = Evolution(MIXED, "nsga2", 12, 5, 2)
    evolved(evolution, 25)
    costs = evolution.front()[1]
    for objective, weights in enumerate([(1.0, 0.0), (0.0, 1.0)]):
        found = costs_of(evolution.best(1, weights), 2)[0]
        assert found[objective] == costs[:, objective].min()


def test_a_tiny_genome_repeats():
    for algorithm in ("ga", "cma", "nsga2"):
        evolution = Evolution(Genome(bits=2, bit_rate=0.4), algorithm, 8, 0)
        assert all(len(genes) == 8 for genes, _ in evolved(evolution, 5))
        best = evolution.best(8)
        assert best.bits[0].tolist() == [0, 1]
        assert len(best) == 8


def rastrigin(x: Tensor) -> Tensor:
    return 10 * x.shape[1] + (x**2 - 10 * torch.cos(2 * math.pi * x)).sum(1)


def descended(x: Tensor, steps: int) -> Tensor:
    x = x.clone().requires_grad_()
    optimiser = make_optimiser(SearchConfig(), [x], 0.02)
    for _ in range(steps):
        optimiser.zero_grad(set_to_none=True)
        rastrigin(x).sum().backward()
        optimiser.step()
    return rastrigin(x).detach()


@pytest.mark.parametrize("algorithm", ["cma", "ga"])
def test_evolving_first_beats_descent_alone_among_many_valleys(algorithm):
    """Of Rastrigin's function: the same first start, and as many evaluations for each."""
    genome = Genome(reals=10, spread=2.0, bound=5.12)
    generations, population, steps = 40, 16, 320
    hybrids, alone = [], []
    for seed in range(3):
        evolution = Evolution(genome, algorithm, population, seed)
        start = evolution.ask().reals[:1]
        for _ in range(generations):
            evolution.tell(rastrigin(evolution.ask().reals).double()[:, None])
        alone.append(descended(start, generations * population + steps))
        hybrids.append(descended(evolution.best(1).reals, steps))
    assert all(hybrid < only for hybrid, only in zip(hybrids, alone, strict=True))
    assert sum(hybrids) < 0.6 * sum(alone)


# --- bad input -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("bad", [float("nan"), float("inf"), float("-inf")])
@pytest.mark.parametrize(("algorithm", "objectives"), [("cma", 1), ("ga", 1), ("nsga2", 2)])
def test_costs_that_are_no_numbers_lose(algorithm, objectives, bad):
    evolution = Evolution(Genome(reals=4), algorithm, 8, 1, objectives)
    for _ in range(12):
        genes = evolution.ask()
        costs = costs_of(genes, objectives)
        costs[genes.reals[:, 0] > 0.5, -1] = bad
        evolution.tell(costs)
    evolution.ask()
    evolution.tell(torch.full_like(costs, bad))
    assert (evolution.front()[0].reals[:, 0] <= 0.5).all()
    assert (evolution.best(1).reals[:, 0] <= 0.5).all()
    again = Evolution(Genome(reals=4), algorithm, 8, 1, objectives)
    again.load_state_dict(evolution.state_dict())
    assert same(evolution.ask(), again.ask())


@pytest.mark.parametrize(
    ("make", "match"),
    [
        (lambda: Evolution(MIXED, "ga", 3, 0), "population is 3"),
        (lambda: Evolution(MIXED, "cma", 8, 0, 2), "objectives are 2, which cma"),
        (lambda: Evolution(Genome(), "cma", 8, 0), "nothing can evolve"),
        (lambda: Evolution(Genome(integers=(4, 1)), "ga", 8, 0), "nothing can evolve"),
        (lambda: Evolution(MIXED, "ga", 8, 0).tell(torch.zeros(8, 1)), "ask first"),
        (lambda: Evolution(MIXED, "ga", 8, 0).best(1), "0 generations"),
        (lambda: Evolution(MIXED, "ga", 8, 0).front(), "first generation"),
    ],
)
def test_misuse_is_one_line(make, match):
    with pytest.raises(ConfigError, match=match) as caught:
        make()
    assert "\n" not in str(caught.value)


def test_told_costs_must_fit_and_best_is_at_most_a_population():
    evolution = Evolution(MIXED, "ga", 8, 0)
    evolution.ask()
    with pytest.raises(ConfigError, match=r"\(7, 1\).*\(8, 1\)"):
        evolution.tell(torch.zeros(7, 1))
    evolution.tell(torch.zeros(8, 1))
    with pytest.raises(ConfigError, match=r"raise search\.population, or lower batch"):
        evolution.best(9)


def test_states_of_another_search_are_refused():
    evolution = Evolution(MIXED, "ga", 8, 0)
    evolved(evolution, 3)
    state = evolution.state_dict()
    with pytest.raises(StateError, match="population of 6 and 1 objectives"):
        Evolution(MIXED, "ga", 6, 0).load_state_dict(state)
    with pytest.raises(StateError, match="led elsewhere"):
        Evolution(MIXED, "ga", 8, 1).load_state_dict(state)


@pytest.mark.parametrize(("package", "algorithm"), [("cma", "cma"), ("pymoo", "ga"), ("pymoo", "nsga2")])
def test_a_missing_package_is_named_with_its_extra(monkeypatch, package, algorithm):
    for name in [name for name in sys.modules if name.split(".")[0] == package]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, package, None)
    with pytest.raises(MissingExtraError, match=rf"package {package}.*dreamplate\[search\]"):
        Evolution(MIXED, algorithm, 8, 0)


# --- the parts -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("source", ["drawn", "normals"])
def test_starts_have_the_genomes_distribution(source):
    draws = np.random.default_rng(0)
    genome = Genome(reals=3, bits=2, integers=(4,), spread=1.5, bound=30.0, bit_rate=0.2)
    count = 20_000
    rows = (
        draw_rows(genome, count, draws)
        if source == "drawn"
        else rows_of_normals(genome, draws.standard_normal((count, 6)))
    )
    genes = genes_of(genome, rows)
    assert abs(genes.reals.mean()) < 0.03 and abs(genes.reals.std() - 1.5) < 0.03
    assert abs(genes.bits.double().mean() - 0.2) < 0.01
    assert torch.allclose(
        genes.integers.flatten().bincount().double() / count, torch.tensor(0.25).double(), atol=0.02
    )


def test_reals_are_cut_off_or_reflected_at_the_bound():
    genome = Genome(reals=1, spread=1.0, bound=0.5)
    drawn = draw_rows(genome, 5000, np.random.default_rng(1))
    assert np.abs(drawn).max() <= 0.5
    assert drawn.std() == pytest.approx(0.5 / math.sqrt(3), rel=0.05)  # almost uniform
    normals = np.array([[0.2], [0.5], [0.7], [1.5], [2.1], [-0.6], [-1.4]])
    expected = [0.2, 0.5, 0.3, -0.5, 0.1, -0.4, 0.4]
    assert np.allclose(rows_of_normals(genome, normals)[:, 0], expected, atol=1e-6)


def test_crossing_keeps_the_middle_and_has_its_density():
    draws, n = np.random.default_rng(2), 3.0
    one, other = np.zeros((40_000, 1)), np.ones((40_000, 1))
    wide = np.full(1, -1e6), np.full(1, 1e6)
    first, second = cross_numbers(one, other, wide, n, draws)
    assert np.allclose(first + second, 1.0, atol=1e-6)
    beta = np.abs(first - second)
    for at in (0.5, 0.8, 1.0, 1.5, 3.0):  # the distribution: half of beta^(n+1) up to 1, its mirror beyond
        share = 0.5 * at ** (n + 1) if at <= 1 else 1 - 0.5 * at ** -(n + 1)
        assert (beta <= at + 1e-9).mean() == pytest.approx(share, abs=0.01)
    assert (first < second).mean() == pytest.approx(0.5, abs=0.01)
    near = cross_numbers(one, other, (np.full(1, -0.1), np.full(1, 1.05)), n, draws)
    for child in near:
        assert child.min() >= -0.1 - 1e-9 and child.max() <= 1.05 + 1e-9
    assert np.array_equal(cross_numbers(one, one, wide, n, draws)[0], one)


def test_change_has_its_density_and_stays_within_bounds():
    draws, n = np.random.default_rng(3), 3.0
    bounds = np.full(1, -1.0), np.full(1, 3.0)
    # At the middle of the range nothing is cut off but what lies beyond half of it.
    moved = change_numbers(np.ones((40_000, 1)), bounds, n, draws) - 1.0
    part = np.abs(moved) / 4
    for at in (0.05, 0.1, 0.25, 0.5):
        share = (1 - (1 - at) ** (n + 1)) / (1 - 0.5 ** (n + 1))
        assert (part <= at).mean() == pytest.approx(share, abs=0.01)
    for value in (-1.0, -0.9, 3.0):
        near = change_numbers(np.full((4000, 1), value), bounds, n, draws)
        assert near.min() >= -1 - 1e-9 and near.max() <= 3 + 1e-9
        assert near.std() > 0.05


def test_half_of_the_differing_bits_are_exchanged():
    draws = np.random.default_rng(4)
    first, second = draws.integers(0, 2, (2, 50, 31)).astype(float)
    picked = half_of_differences(first, second, draws)
    differ = first != second
    assert not (picked & ~differ).any()
    assert np.array_equal(picked.sum(1), (differ.sum(1) + 1) // 2)
    often = np.mean([half_of_differences(first, second, draws) for _ in range(300)], axis=0)
    assert often[differ].min() > 0.3 and often[differ].max() < 0.75


def test_breeding_without_change_only_exchanges_bits_and_with_it_flips_its_share():
    genome = Genome(reals=2, bits=400, integers=(9,))
    draws = np.random.default_rng(5)
    first, second = draw_rows(genome, 50, draws), draw_rows(genome, 50, draws)
    first[:, 2:402] = draws.integers(0, 2, (50, 400))
    still = Breeding(cross_reals=0, cross_bits=1, change_reals=0, flip_bits=0)
    one, other = np.split(breed(genome, first, second, draws, still), 2)
    assert np.array_equal(one[:, :2], first[:, :2]) and np.array_equal(other[:, 402:], second[:, 402:])
    bits = slice(2, 402)
    assert np.array_equal(one[:, bits] + other[:, bits], first[:, bits] + second[:, bits])
    assert not np.array_equal(one[:, bits], first[:, bits])
    children = breed(genome, first, first, draws)
    parents = np.concatenate([first, first])
    assert np.mean(children[:, bits] != parents[:, bits]) == pytest.approx(0.01, abs=0.002)
    low, high = limits(genome)
    assert (children >= low).all() and (children <= high).all()
    assert np.array_equal(children[:, 2:], np.rint(children[:, 2:]))
