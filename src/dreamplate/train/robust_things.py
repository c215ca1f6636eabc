"""Things taken out of examples and put into them: condition and picture together.

A thing is a connected region of a class (or of an object, where there are instances); where the condition is
a picture, which has no regions, it is an ellipse.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import torch
from torch import Tensor

from dreamplate.train.batch import Batch
from dreamplate.train.draws import Draws
from dreamplate.train.infill import cloned, component, dilated

__all__ = ["insert", "remove"]

LARGEST = 0.12
"""Things above this share of the picture are neither removed nor inserted."""
SMALLEST = 0.0005
"""Nor are those below this one."""
TRIES = 8
"""Things that are looked at, and places for what a hole is filled with."""
DOUBT = 0.5
"""How much a pixel counts that was filled in."""
ALIKE = 0.97
"""Share of a place that must be of the class around a hole, to be what the hole is filled with."""

_FIELDS = ("image", "condition", "labels", "instances", "targets", "weight")


def remove(batch: Batch, draws: Draws) -> Batch:
    """Take one thing out of each condition and fill the picture there from around, where there is one."""
    made = [_removed(batch.part(n, n + 1), lots) for n, lots in enumerate(_lots(batch, draws))]
    return _joined(made, batch)


def insert(batch: Batch, draws: Draws, donor: Batch) -> Batch:
    """Put one thing of each donor somewhere else into each example, where the donor has one."""
    made = [
        _inserted(batch.part(n, n + 1), lots, donor.part(n, n + 1))
        for n, lots in enumerate(_lots(batch, draws))
    ]
    return _joined(made, batch)


def _removed(one: Batch, lots: Tensor) -> Batch:
    region = _thing(one, lots[:, :2])
    if region is None:
        return one
    # A rim goes as well: borders of labels are drawn beside the things they bound.
    hole = dilated(region, 2)
    around = dilated(hole, 3) & ~hole
    if not bool(around.any()):
        return one
    filling = None if one.labels is None else int(torch.bincount(one.labels[0][around]).argmax())
    shift = _source(one, hole, filling, (lots[:, 2:] * 2 - 1).tolist())
    hollow, trusted = hole[None, None], None
    if one.labels is not None and filling is not None:
        # Only what is of the class around is spread: a window beside the hole must not bleed into it.
        trusted = (one.labels == filling)[:, None]
        if shift is not None:
            trusted = trusted & (_rolled(one.labels, shift) == filling)[:, None]
    weight = torch.ones_like(one.image[:, :1]) if one.weight is None else one.weight
    targets, labels, instances = one.targets, one.labels, one.instances
    if targets is not None:
        targets = _patched(targets[0], hollow, shift, trusted)[None]
    if labels is not None and filling is not None:
        labels = torch.where(hole[None], filling, labels)
    if instances is not None:
        instances = torch.where(hole[None], instances[0][around].mode().values, instances)
    return replace(
        one,
        image=_patched(one.image, hollow, shift, trusted),
        condition=None if one.condition is None else _patched(one.condition, hollow, shift),
        labels=labels,
        instances=instances,
        targets=targets,
        weight=torch.where(hollow, weight * DOUBT, weight),
    )


def _source(
    one: Batch, hole: Tensor, filling: int | None, places: list[list[float]]
) -> tuple[int, int] | None:
    """Return how far away the place is that fills a hole best; None where none is good.

    Best is the one most of which is of the class around the hole; in pictures the one with the least in it.
    """
    height, width = one.size
    best, found = ALIKE if filling is not None else -torch.inf, None
    for down, right in places:
        shift = (round(down * height / 2), round(right * width / 2))
        inside = _rolled(torch.ones_like(hole), shift)
        if not bool(inside[hole].all()) or bool(_rolled(hole, shift)[hole].any()):
            continue
        if one.labels is not None and filling is not None:
            fit = float((_rolled(one.labels[0], shift)[hole] == filling).float().mean())
        else:
            assert one.condition is not None
            fit = -_roughness(_rolled(one.condition[0], shift)[:, hole])
        if fit > best:
            best, found = fit, shift
    return found


def _inserted(one: Batch, lots: Tensor, donor: Batch) -> Batch:
    height, width = one.size
    region = _thing(donor, lots[:, :2])
    if region is None:
        return one
    rows, columns = region.any(1).nonzero()[:, 0], region.any(0).nonzero()[:, 0]
    room = (height - int(rows[-1] - rows[0]), width - int(columns[-1] - columns[0]))
    down, right = (int(float(lots[0, 2 + axis]) * room[axis]) for axis in (0, 1))
    shift = (int(rows[0]) - down, int(columns[0]) - right)
    where = _rolled(region, shift)

    def pasted(ours: Tensor | None, theirs: Tensor | None) -> Tensor | None:
        if ours is None or theirs is None:
            return ours
        return torch.where(where, _rolled(theirs, shift), ours)

    image, instances = pasted(one.image, donor.image), one.instances
    assert image is not None
    if instances is not None:
        # A number of its own: it is an object that was not there.
        instances = torch.where(where, instances.max() + 1, instances)
    return replace(
        one,
        image=image,
        condition=pasted(one.condition, donor.condition),
        labels=pasted(one.labels, donor.labels),
        instances=instances,
        targets=pasted(one.targets, donor.image[:, None] if donor.targets is None else donor.targets),
        weight=pasted(one.weight, donor.weight),
    )


def _thing(one: Batch, lots: Tensor) -> Tensor | None:
    """Return the region ``(h, w)`` of one thing: a connected region of a class or object, or an ellipse."""
    height, width = one.size
    if one.labels is None:
        return _ellipse(height, width, lots)
    held = one.labels[0]
    if one.instances is not None:
        held = held * (int(one.instances.max()) + 1) + one.instances[0]
    kinds, kind, counts = torch.unique(held, return_inverse=True, return_counts=True)
    # Every class (or object) is as likely as another, however small.
    for which, where in lots.tolist():
        chosen = int(which * len(kinds))
        place = int((kind.reshape(-1) == chosen).nonzero()[int(where * int(counts[chosen])), 0])
        region = component(held, place // width, place % width, LARGEST)
        if region is not None and float(region.float().mean()) >= SMALLEST:
            return region
    return None


def _ellipse(height: int, width: int, lots: Tensor) -> Tensor:
    (y, x), (tall, wide) = lots[0].tolist(), lots[1].tolist()
    radius_y, radius_x = ((0.05 + 0.12 * value) * min(height, width) for value in (tall, wide))
    rows = (torch.arange(height) - y * height)[:, None] / radius_y
    columns = (torch.arange(width) - x * width)[None] / radius_x
    inside: Tensor = rows**2 + columns**2 <= 1
    return inside


def _roughness(inside: Tensor) -> float:
    """Return how much there is in pixels ``(c, m)``: their mean difference from their mean."""
    return float((inside - inside.mean(1, keepdim=True)).abs().mean())


def _patched(
    pictures: Tensor, hole: Tensor, shift: tuple[int, int] | None, trusted: Tensor | None = None
) -> Tensor:
    """Return pictures filled from another place of themselves, or smoothly where there is none."""
    hole = hole.expand(len(pictures), -1, -1, -1)
    known = None if trusted is None else trusted.expand_as(hole)
    source = torch.zeros_like(pictures) if shift is None else _rolled(pictures, shift)
    return cloned(pictures, hole, source, known)


def _rolled(tensor: Tensor, shift: tuple[int, int]) -> Tensor:
    """Return what is ``shift`` rows lower and columns further right at each pixel; 0 beyond the border."""
    height, width = tensor.shape[-2:]
    down, right = (max(-side, min(side, move)) for side, move in zip((height, width), shift, strict=True))
    made = torch.zeros_like(tensor)
    made[..., max(0, -down) : height - max(0, down), max(0, -right) : width - max(0, right)] = tensor[
        ..., max(0, down) : height - max(0, -down), max(0, right) : width - max(0, -right)
    ]
    return made


def _lots(batch: Batch, draws: Draws) -> Tensor:
    """Return random numbers for each example: which things are looked at, and where to go."""
    return draws.uniform((len(batch), TRIES, 4))


def _joined(made: Sequence[Batch], like: Batch) -> Batch:
    """Return batches of one example as one batch."""
    if any(one.weight is not None for one in made):
        ones = torch.ones_like(like.image[:1, :1])
        made = [replace(one, weight=ones if one.weight is None else one.weight) for one in made]

    def join(name: str) -> Any:
        held = [getattr(one, name) for one in made]
        return None if held[0] is None else torch.cat(held)

    return replace(like, **{name: join(name) for name in _FIELDS})
