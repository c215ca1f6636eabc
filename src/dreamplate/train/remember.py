"""Making the memory of a model: its training conditions described, thinned, and held against each other."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Protocol, runtime_checkable

import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn import functional

from dreamplate.errors import ConfigError
from dreamplate.train.batch import Batch
from dreamplate.train.descriptors import cell_side, cells_of, channels_of, project, scene_of, subspace
from dreamplate.train.draws import Draws, seed_of
from dreamplate.train.memory import Memory, distances, encode_cells, nearest
from dreamplate.train.onehot import condition_tensor
from dreamplate.train.port import Port

__all__ = ["Conditions", "extent_of", "ninths_of", "remember"]

SPACE = 24
"""Directions that a place is described in."""
KEPT = 40_000
"""Places that are kept at most: 2 MB."""
FITTED = 6_000
"""Places that the directions are found from."""
REFERENCE = 2_048
"""Places that rarity is judged by."""
CALIBRATED = 32
"""Examples that are held against all others."""
USUAL, RARE, BEYOND = 0.95, 0.995, 1.5
"""Confidence is 1 up to the distance of 95 % of the training set's own places, and ends at 1.5 times the
distance of 99.5 %."""


@runtime_checkable
class Conditions(Protocol):
    """Training examples."""

    @property
    def names(self) -> tuple[str, ...]:
        """Return what each is called."""
        ...

    def __len__(self) -> int:
        """Return how many there are."""
        ...

    def batch(self, indices: Sequence[int], draws: Draws | None) -> Batch:
        """Return some of them; without random numbers as they are."""
        ...


def remember(examples: Conditions, port: Port, *, flip: bool = False, seed: int = 0) -> Memory:
    """Return the memory of a training set.

    Every condition is looked at twice, one at a time: once to find directions in which places vary, once to
    describe them. Of more places than fit, those unlike the others are kept more often.

    Args:
        examples: Those that the model has learnt from.
        port: Of their conditions.
        flip: Whether it has seen them mirrored.
        seed: Which places are kept where there are too many.

    Raises:
        ConfigError: There are fewer than two examples.
    """
    count = len(examples)
    if count < 2:
        raise ConfigError(
            f"a memory is made of two examples or more, there are {count}; set measure.report off"
        )
    generator = torch.Generator().manual_seed(seed_of(seed, "memory"))
    first = _condition(examples, 0, port)
    side = cell_side(*first.shape[-2:])
    sample, scenes, counts, extents = [], [], [], []
    share = max(1, FITTED // count)
    for number in range(count):
        condition = _condition(examples, number, port)
        channels = channels_of(condition, port)
        rows = cells_of(channels, side)[0].flatten(0, 1)
        sample.append(rows[torch.randperm(len(rows), generator=generator)[:share]])
        scenes.append(scene_of(channels))
        counts.append((ninths_of(condition) > 0).float())
        extents.append(extent_of(condition, port))
    mean, basis = subspace(torch.cat(sample), SPACE, generator)
    whole = torch.cat(scenes)
    scene_mean, scene_basis = subspace(whole, SPACE, generator)
    cells, owners = _described(examples, port, side, _half(mean), _half(basis))
    kept = _thinned(cells, generator)
    low, high = torch.stack(extents).unbind(-1)
    memory = Memory(
        port,
        tuple(examples.names),
        side,
        flip,
        0.0,
        1.0,
        _half(mean),
        _half(basis),
        _half(cells[kept]),
        owners[kept],
        _half(scene_mean),
        _half(scene_basis),
        _half(project(whole, _half(scene_mean), _half(scene_basis))),
        torch.stack(counts).sum(0),
        torch.stack([low.amin(0), high.amax(0)], -1),
    )
    return _calibrated(memory, examples)


def ninths_of(condition: Float[Tensor, "1 c h w"]) -> Float[Tensor, "c 3 3"]:
    """Return the mean of every channel in each ninth of the picture: of a label map shares of classes."""
    return functional.adaptive_avg_pool2d(condition.float(), 3)[0]


def extent_of(condition: Float[Tensor, "1 c h w"], port: Port) -> Float[Tensor, "c 2"]:
    """Return the share of the picture that each class has, twice; of a picture, lowest and highest values."""
    flat = condition[0].float().flatten(1)
    if port.palette is not None:
        share = flat.mean(1)
        return torch.stack([share, share], -1)
    return torch.stack([flat.amin(1), flat.amax(1)], -1)


def _described(
    examples: Conditions, port: Port, side: int, mean: Tensor, basis: Tensor
) -> tuple[Tensor, Tensor]:
    cells, owners = [], []
    for number in range(len(examples)):
        grid = cells_of(channels_of(_condition(examples, number, port), port), side)[0]
        rows = encode_cells(grid, mean, basis)
        cells.append(rows)
        owners.append(torch.full((len(rows),), number))
    return torch.cat(cells), torch.cat(owners)


def _thinned(cells: Tensor, generator: torch.Generator) -> Tensor:
    """Return the numbers of the places that are kept, in order.

    Drawn without replacement, each in proportion to its distance from a random few (one round of the
    sampling of k-means||, Bahmani and others 2012), by the largest of exponential clocks.
    """
    if len(cells) <= KEPT:
        return torch.arange(len(cells))
    some = cells[torch.randperm(len(cells), generator=generator)[:REFERENCE]]
    weight = nearest(cells, some, torch.zeros(len(some), dtype=torch.int64)) + 1e-3
    clock = -torch.log(torch.rand(len(cells), generator=generator).clamp_min(1e-9)) / weight
    return torch.sort(torch.argsort(clock, stable=True)[:KEPT]).values


def _calibrated(memory: Memory, examples: Conditions) -> Memory:
    """Return a memory that knows how far the training set's own places are from its other examples."""
    count = len(examples)
    number = min(CALIBRATED, count)
    chosen = [place * count // number for place in range(number)]
    found = torch.cat(
        [distances(memory, _condition(examples, n, memory.port), leave=n).flatten() for n in chosen]
    )
    near, rare = torch.quantile(found[: 2**24], torch.tensor([USUAL, RARE])).tolist()
    # A set of equal conditions has no spread of its own: a hundredth of a class changed is then the measure.
    near = max(near, 0.01)
    return replace(memory, near=near, far=max(rare * BEYOND, near * BEYOND))


def _condition(examples: Conditions, number: int, port: Port) -> Tensor:
    return condition_tensor(examples.batch([number], None), port)


def _half(tensor: Tensor) -> Tensor:
    """Round to half precision: what is remembered is what will be read back."""
    return tensor.half().float()
