"""Laws of perturbed examples: condition and picture change together, fillings fit, nothing else moves."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import fields

import pytest
import torch
from torch import Tensor
from torch.nn import functional

from dreamplate.train.batch import Batch
from dreamplate.train.draws import Draws
from dreamplate.train.infill import cloned, component, dilated, filled
from dreamplate.train.robust import Perturbed, perturb
from dreamplate.train.robust_things import DOUBT, insert, remove
from dreamplate.train.robust_warps import jitter, warp

SHADES = torch.tensor([-0.8, 0.0, 0.9])


def fronts(seed: int, count: int = 3, side: int = 64) -> Batch:
    """A wall with windows (class 1) and a door (class 2); the picture's grey says the class."""
    labels = torch.zeros(count, side, side, dtype=torch.int64)
    for number in range(count):
        shift = (7 * seed + 5 * number) % 11
        labels[number, 8:18, 6 + shift : 16 + shift] = 1
        labels[number, 8:18, 34 + shift : 44 + shift] = 1
        labels[number, 44:, 20 + shift : 30 + shift] = 2
    image = SHADES[labels][:, None].repeat(1, 3, 1, 1)
    instances = labels * 10
    return Batch(image, labels=labels, instances=instances, targets=image[:, None].repeat(1, 2, 1, 1, 1))


def drawn(batch: Batch) -> Batch:
    return Batch(batch.image, condition=batch.image.clone())


def agreement(batch: Batch) -> float:
    """Share of pixels whose grey says their class."""
    assert batch.labels is not None
    return float(((batch.image[:, 0] - SHADES[batch.labels]).abs() < 0.1).float().mean())


def equal(a: Batch, b: Batch) -> bool:
    pairs = [(getattr(a, f.name), getattr(b, f.name)) for f in fields(Batch) if f.name != "names"]
    return all(x is y or (x is not None and y is not None and torch.equal(x, y)) for x, y in pairs)


def test_warped_pictures_still_show_their_labels() -> None:
    batch = fronts(1)
    found = warp(batch, Draws(1), 1.0)
    assert agreement(batch) == 1 and agreement(found) > 0.97
    assert float((found.image != batch.image).float().mean()) > 0.05
    assert found.labels is not None and set(found.labels.unique().tolist()) <= {0, 1, 2}
    assert found.targets is not None
    torch.testing.assert_close(found.targets[:, 1], found.image)
    same = warp(batch, Draws(1), 1e-7)
    torch.testing.assert_close(same.image, batch.image, rtol=0, atol=1e-3)


def test_warps_change_proportions_and_keep_the_frame() -> None:
    ramp = torch.linspace(-1, 1, 64).view(1, 1, 1, 64).expand(1, 3, 64, -1).contiguous()
    heights = []
    for seed in range(8):
        found = warp(Batch(ramp, condition=ramp.clone()), Draws(seed), 1.0)
        assert found.condition is not None and torch.equal(found.condition, found.image)
        # The ends of the axis stay, and no part is folded over another.
        assert float(found.image[..., 0].max()) < -0.8 and float(found.image[..., -1].min()) > 0.8
        heights.append(float((found.image[0, 0, 32] < 0).float().mean()))
    assert max(heights) - min(heights) > 0.2


def test_removed_things_are_gone_from_both_sides() -> None:
    batch = fronts(2)
    found = remove(batch, Draws(3))
    assert found.labels is not None and batch.labels is not None and found.weight is not None
    gone = found.labels != batch.labels
    for number in range(3):
        classes = batch.labels[number][gone[number]].unique()
        assert len(classes) == 1 and int(classes[0]) in (1, 2)
        # One whole thing, and nothing but it.
        row, column = gone[number].nonzero()[0].tolist()
        region = component(batch.labels[number], row, column, 1.0)
        assert region is not None and torch.equal(region, gone[number])
    assert torch.equal(found.labels[gone], torch.zeros(int(gone.sum()), dtype=torch.int64))
    assert agreement(found) > 0.999
    hole = found.weight[:, 0] == DOUBT
    assert bool(hole[gone].all()) and torch.equal(found.weight[:, 0][~hole], torch.ones(int((~hole).sum())))
    untouched = ~hole[:, None].expand(-1, 3, -1, -1)
    assert torch.equal(found.image[untouched], batch.image[untouched])
    assert found.instances is not None and not found.instances[gone].any()


def test_removal_without_regions_takes_both_pictures_alike() -> None:
    batch = drawn(fronts(2))
    found = remove(batch, Draws(4))
    assert found.condition is not None and torch.equal(found.condition, found.image)
    assert not torch.equal(found.image, batch.image)


def test_inserted_things_come_to_both_sides() -> None:
    plain = torch.zeros(3, 64, 64, dtype=torch.int64)
    batch = Batch(SHADES[plain][:, None].repeat(1, 3, 1, 1), labels=plain, instances=plain.clone())
    found = insert(batch, Draws(5), fronts(3))
    assert found.labels is not None and found.instances is not None and agreement(found) == 1
    new = found.labels != 0
    donor = fronts(3).labels
    assert donor is not None
    for number in range(3):
        (kind,) = found.labels[number][new[number]].unique().tolist()
        # The whole thing has come: as many pixels as one of the donor's.
        row, column = (donor[number] == kind).nonzero()[0].tolist()
        wanted = component(donor[number], row, column, 1.0)
        assert wanted is not None and int(new[number].sum()) == int(wanted.sum())
    assert torch.equal(found.instances > 0, new)
    found = insert(drawn(batch), Draws(5), drawn(fronts(3)))
    assert found.condition is not None and torch.equal(found.condition, found.image)


def test_jitter_moves_borders_of_the_condition_alone() -> None:
    batch = fronts(4)
    found = jitter(batch, Draws(6), 1.0)
    assert torch.equal(found.image, batch.image) and found.labels is not None and batch.labels is not None
    moved = found.labels != batch.labels
    assert 0 < float(moved.float().mean()) < 0.1
    for number in range(3):
        borders = torch.zeros(64, 64, dtype=torch.bool)
        for kind in range(3):
            region = batch.labels[number] == kind
            borders |= dilated(region, 7) & dilated(~region, 7)
        assert not bool((moved[number] & ~borders).any())


@pytest.mark.parametrize("kind", ["labels", "picture"])
def test_draws_decide_and_strength_0_changes_nothing(kind: str) -> None:
    batch, donor = fronts(5, 4), fronts(6, 4)
    if kind == "picture":
        batch, donor = drawn(batch), drawn(donor)
    assert perturb(batch, Draws(1), 0.0, donor) is batch
    found = perturb(batch, Draws(1), 0.7, donor)
    assert equal(found, perturb(batch, Draws(1), 0.7, donor))
    assert not equal(found, perturb(batch, Draws(2), 0.7, donor))
    assert found.image.shape == batch.image.shape and not torch.equal(found.image, batch.image)
    assert float(found.image.abs().max()) <= 0.9 + 1e-5


def test_two_processes_see_the_halves_of_what_one_sees() -> None:
    batch, donor = fronts(7, 4), fronts(8, 4)
    whole = perturb(batch, Draws(9), 0.9, donor)
    for rank in (0, 1):
        part = slice(2 * rank, 2 * rank + 2)
        half = perturb(
            batch.part(part.start, part.stop),
            Draws(9, rank=rank, world=2),
            0.9,
            donor.part(part.start, part.stop),
        )
        torch.testing.assert_close(half.image, whole.image[part])
        assert half.labels is not None and whole.labels is not None
        assert torch.equal(half.labels, whole.labels[part])


def test_examples_are_perturbed_to_learn_from_and_not_to_measure() -> None:
    asked: list[tuple[int, ...]] = []
    coming: list[tuple[tuple[int, ...], bool]] = []

    class Source:
        def __len__(self) -> int:
            return 5

        def batch(self, indices: Sequence[int], draws: Draws | None) -> Batch:
            asked.append(tuple(indices))
            return fronts(indices[0], len(indices))

        def ahead(self, indices: Sequence[int], draws: Draws | None) -> None:
            coming.append((tuple(indices), draws is None))

    examples = Perturbed(Source(), 1.0)
    assert len(examples) == 5
    assert equal(examples.batch([1, 2], None), fronts(1, 2)) and asked == [(1, 2)]
    learnt = examples.batch([1, 2], Draws(3))
    assert equal(learnt, examples.batch([1, 2], Draws(3))) and not equal(learnt, fronts(1, 2))
    assert asked[1] == (1, 2) and len(asked[2]) == 2
    examples.ahead([1, 2], Draws(3))
    assert coming == [((1, 2), False), (asked[2], False)]


def test_filling_is_smooth_and_keeps_what_is_known() -> None:
    rows = torch.linspace(-1, 1, 48).view(1, 1, 48, 1).expand(1, 2, -1, 40).clone()
    hole = torch.zeros(1, 1, 48, 40, dtype=torch.bool)
    hole[..., 15:30, 10:28] = True
    broken = rows.masked_fill(hole, 9.0)
    found = filled(broken, hole)
    assert torch.equal(found[:, :, :10], rows[:, :, :10])
    inside = found[hole.expand(1, 2, -1, -1)]
    assert float(inside.max()) <= 1 and float((found - rows).abs().max()) < 0.35
    even = torch.full_like(rows, 0.3)
    torch.testing.assert_close(filled(even.masked_fill(hole, 9.0), hole), even)
    # Only what is trusted counts.
    half = torch.where(torch.arange(40) < 20, 0.3, -0.9).expand(1, 2, 48, -1).contiguous()
    trusted = (torch.arange(40) < 20).expand(1, 1, 48, -1)
    torch.testing.assert_close(filled(half, hole, trusted), half.where(~hole, even))
    assert not filled(rows, torch.ones_like(hole)).any()


def test_cloning_takes_texture_and_not_colour() -> None:
    stripes = (torch.arange(40) % 2).float().view(1, 1, 1, 40).expand(1, 1, 40, -1) * 0.2
    hole = torch.zeros(1, 1, 40, 40, dtype=torch.bool)
    hole[..., 10:20, 12:24] = True
    found = cloned(stripes.clone(), hole, stripes + 0.5)
    torch.testing.assert_close(found, stripes.contiguous(), rtol=0, atol=1e-4)


def test_components_are_connected_regions() -> None:
    labels = torch.zeros(20, 30, dtype=torch.int64)
    labels[2:6, 3:9] = 1
    labels[6:9, 9:12] = 1  # touches by a corner
    labels[15:18, 20:25] = 1
    found = component(labels, 3, 4, 0.2)
    assert found is not None and int(found.sum()) == 4 * 6 + 9
    assert component(labels, 3, 4, 0.05) is None and component(labels, 0, 0, 0.5) is None
    wanted = functional.max_pool2d(found[None].float(), 5, 1, 2)[0] > 0
    assert torch.equal(dilated(found, 2), wanted)
    whole: Tensor | None = component(labels, 0, 0, 1.0)
    assert whole is not None and torch.equal(whole, labels == 0)
