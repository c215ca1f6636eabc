"""Laws of a model's memory: what was learnt from is trusted, what is new is not, there and only there."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import pytest
import torch
from torch import Tensor

from dreamplate.errors import CheckpointError, ConfigError
from dreamplate.plate.labels import LabelClass, Palette
from dreamplate.tensorfile import write_tensors
from dreamplate.train.batch import Batch
from dreamplate.train.descriptors import cell_side, cells_of, places_of, project, subspace
from dreamplate.train.draws import Draws
from dreamplate.train.memory import Memory, confidence, load_memory, look, nearest, save_memory
from dreamplate.train.onehot import condition_tensor
from dreamplate.train.port import Port
from dreamplate.train.remember import _thinned, remember

PALETTE = Palette(
    tuple(LabelClass(n, name) for n, name in enumerate(("wall", "sky", "window", "door", "ship")))
)
PORT = Port("labels", ("id",), palette=PALETTE)
SIDE = 96


def house(seed: int, side: int = SIDE) -> Tensor:
    """Sky above, a wall with windows in rows, a door at the bottom: ``(h, w)``; nothing is exactly alike."""
    jitter = torch.randint(-3, 4, (4,), generator=torch.Generator().manual_seed(seed)).tolist()
    unit = side // 16
    labels = torch.zeros(side, side, dtype=torch.int64)
    labels[: 3 * unit + jitter[0]] = 1
    for row in (5, 9):
        for column in (2, 6, 10):
            top, left = row * unit + jitter[1], column * unit + jitter[2]
            labels[top : top + 2 * unit, left : left + 2 * unit] = 2
    door = 7 * unit + jitter[3]
    labels[12 * unit :, door : door + 2 * unit] = 3
    return labels


@dataclass
class Houses:
    """Examples whose conditions are label maps, or the same as pictures."""

    count: int = 16
    pictures: bool = False

    @property
    def names(self) -> tuple[str, ...]:
        return tuple(f"house{n}" for n in range(self.count))

    def __len__(self) -> int:
        return self.count

    def batch(self, indices: Sequence[int], draws: Draws | None) -> Batch:
        assert draws is None
        labels = torch.stack([house(n) for n in indices])
        image = torch.zeros(len(labels), 3, SIDE, SIDE)
        if self.pictures:
            return Batch(image, condition=(labels[:, None] / 2 - 1).expand(-1, 3, -1, -1).clone())
        return Batch(image, labels=labels)


def shown(labels: Tensor) -> Tensor:
    return condition_tensor(Batch(torch.zeros(1, 3, *labels.shape), labels=labels[None]), PORT)


@pytest.fixture(scope="module")
def memory() -> Memory:
    return remember(Houses(), PORT)


def test_training_examples_are_trusted_and_name_themselves(memory: Memory) -> None:
    for number in (0, 7, 15):
        seen = look(memory, shown(house(number)))
        assert float(seen.confidence.min()) > 0.95 and seen.outside == 0
        assert seen.confidence.shape == (SIDE, SIDE)
        assert seen.nearest[0][0] == f"house{number}" and seen.nearest[0][1] < 0.05
        assert [apart for _, apart in seen.nearest] == sorted(apart for _, apart in seen.nearest)


def test_new_examples_of_the_same_kind_are_trusted(memory: Memory) -> None:
    found = torch.stack([confidence(memory, shown(house(100 + n))) for n in range(4)])
    assert float(found.mean()) > 0.9


def test_a_class_never_seen_is_not_trusted_there(memory: Memory) -> None:
    labels = house(100)
    labels[60:80, 70:90] = 4
    found = confidence(memory, shown(labels))
    assert float(found[62:78, 72:88].max()) < 0.3
    assert float(found[:, :30].mean()) > 0.8


def test_a_shifted_layout_is_not_trusted_there(memory: Memory) -> None:
    labels = house(100)
    labels[2:14, 40:52] = 3  # a door in the sky
    found = confidence(memory, shown(labels))
    assert float(found[2:14, 40:52].mean()) < 0.3
    assert float(found[60:].mean()) > 0.8
    turned = look(memory, shown(house(100).flip(0)))
    assert turned.outside > 0.5


def test_left_out_examples_are_less_near(memory: Memory) -> None:
    condition = shown(house(3))
    with_it, without = look(memory, condition), look(memory, condition, leave=3)
    assert "house3" not in [name for name, _ in without.nearest]
    assert without.nearest[0][1] > with_it.nearest[0][1]
    assert bool((without.confidence <= with_it.confidence + 1e-6).all())


def test_mirrored_conditions_are_known_where_they_were_learnt(memory: Memory) -> None:
    lopsided = house(5)
    lopsided[48:, 70:] = 1
    examples = Houses(2)
    examples.batch = lambda indices, draws: Batch(  # type: ignore[method-assign]
        torch.zeros(1, 3, SIDE, SIDE), labels=(lopsided if indices[0] else house(5))[None]
    )
    plain, flipped = remember(examples, PORT), remember(examples, PORT, flip=True)
    seen = confidence(flipped, shown(lopsided.flip(-1)))
    assert float(seen.min()) > 0.95
    assert float(confidence(plain, shown(lopsided.flip(-1))).mean()) < float(seen.mean())
    torch.testing.assert_close(confidence(flipped, shown(lopsided)), seen.flip(-1), rtol=0, atol=0.02)


def test_pictures_as_conditions() -> None:
    examples = Houses(pictures=True)
    known = remember(examples, Port())
    condition = examples.batch([2], None).condition
    assert condition is not None
    assert float(confidence(known, condition).min()) > 0.95
    noise = torch.randn(condition.shape, generator=torch.Generator().manual_seed(1))
    condition = condition.clone()
    condition[..., 48:, :] += noise[..., 48:, :]
    found = confidence(known, condition)
    assert float(found[60:].mean()) < 0.2 < 0.8 < float(found[:30].mean())


def test_other_sizes_are_looked_at_as_they_are(memory: Memory) -> None:
    seen = look(memory, shown(house(100)[:71, :93]))
    assert seen.confidence.shape == (71, 93)
    with pytest.raises(ValueError, match="has 3 channels, the memory 5"):
        look(memory, torch.zeros(1, 3, 32, 32))


def test_the_same_memory_again_and_from_its_file(memory: Memory, tmp_path: Path) -> None:
    again = remember(Houses(), PORT)
    save_memory(memory, tmp_path / "a.safetensors")
    save_memory(again, tmp_path / "b.safetensors")
    assert (tmp_path / "a.safetensors").read_bytes() == (tmp_path / "b.safetensors").read_bytes()
    assert (tmp_path / "a.safetensors").stat().st_size < 3e6
    read = load_memory(tmp_path / "a.safetensors")
    condition = shown(house(200))
    assert torch.equal(confidence(read, condition), confidence(memory, condition))
    assert look(read, condition).nearest == look(memory, condition).nearest and read.names == memory.names


def test_damage_and_too_few_are_said(tmp_path: Path) -> None:
    write_tensors(tmp_path / "other.safetensors", {"mean": torch.zeros(1)})
    with pytest.raises(CheckpointError, match="is no memory of training conditions"):
        load_memory(tmp_path / "other.safetensors")
    with pytest.raises(ConfigError, match="is made of two examples or more, there are 1"):
        remember(Houses(1), PORT)


def test_windows_are_means_around_each_cell() -> None:
    generator = torch.Generator().manual_seed(3)
    channels = torch.rand((1, 2, 24, 32), generator=generator)
    found = cells_of(channels, 4)[0].view(6, 8, 3, 2, 4, 4)
    for level, weight in enumerate((1.0, 0.7, 0.5)):
        half = 4 * 2**level  # half of the window, in pixels
        wide = torch.nn.functional.pad(channels[0], (half, half, half, half))
        for row, column in ((0, 0), (2, 5), (5, 7)):
            top, left = row * 4 + 2, column * 4 + 2
            window = wide[:, top : top + 2 * half, left : left + 2 * half]
            wanted = torch.nn.functional.adaptive_avg_pool2d(window, 4) * weight / 4
            torch.testing.assert_close(found[row, column, level], wanted)


def test_projection_never_adds_distance_and_keeps_what_is_new() -> None:
    generator = torch.Generator().manual_seed(4)
    rows = torch.randn((50, 6), generator=generator) @ torch.randn((6, 40), generator=generator)
    mean, basis = subspace(rows, 6, generator)
    torch.testing.assert_close(basis.T @ basis, torch.eye(6), rtol=0, atol=1e-5)
    new = torch.randn((7, 40), generator=generator) * 5
    small, known = project(new, mean, basis), project(rows, mean, basis)
    assert bool((torch.cdist(small, known) <= torch.cdist(new, rows) + 1e-3).all())
    torch.testing.assert_close(torch.cdist(known, known), torch.cdist(rows, rows), rtol=1e-3, atol=2e-2)
    assert float(small[:, -1].min()) > 5 * float(known[:, -1].max())


def test_nearest_and_thinning(monkeypatch: pytest.MonkeyPatch) -> None:
    generator = torch.Generator().manual_seed(5)
    rows, cells = (torch.randn((n, 5), generator=generator) for n in (300, 40))
    owners = torch.arange(40) % 4
    torch.testing.assert_close(nearest(rows, cells, owners), torch.cdist(rows, cells).amin(1))
    torch.testing.assert_close(
        nearest(rows, cells, owners, leave=2), torch.cdist(rows, cells[owners != 2]).amin(1)
    )
    monkeypatch.setattr("dreamplate.train.remember.KEPT", 200)
    monkeypatch.setattr("dreamplate.train.remember.REFERENCE", 50)
    crowd = torch.randn((2000, 5), generator=generator) * 0.01
    crowd[:20] += 3
    kept = _thinned(crowd, generator)
    assert len(kept) == 200 and len(kept.unique()) == 200
    # Rare places are one in a hundred, and nearly all of them are kept.
    assert int((kept < 20).sum()) >= 15


def test_cells_and_places() -> None:
    assert [cell_side(*size) for size in ((256, 256), (180, 270), (16, 500), (20, 20))] == [16, 12, 2, 2]
    places = places_of(2, 4)
    assert places[0, 0].tolist() == [0.25, 0.0625] and places[1, 3].tolist() == [0.75, 0.4375]
