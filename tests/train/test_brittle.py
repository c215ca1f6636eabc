"""Laws of the brittleness report: it says what no training example has, and nothing of those learnt from."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pytest
import torch
from torch import Tensor

from dreamplate.plate.labels import LabelClass, Palette
from dreamplate.train.batch import Batch
from dreamplate.train.brittle import display_of, examine, heat, overview, remarks, row_of, summary
from dreamplate.train.draws import Draws
from dreamplate.train.memory import Memory
from dreamplate.train.onehot import condition_tensor
from dreamplate.train.port import Port
from dreamplate.train.remember import remember
from dreamplate.train.sheets import sheet

NAMES = ("sky", "sea", "sun", "boat")
PALETTE = Palette(tuple(LabelClass(n, name, (40 * n, 90, 10)) for n, name in enumerate(NAMES)), (255,))
PORT = Port("labels", ("id",), palette=PALETTE)


def view(seed: int) -> Tensor:
    """Sky above sea, and a sun at the upper left that moves a little: ``(48, 72)``."""
    labels = torch.zeros(48, 72, dtype=torch.int64)
    labels[24 + seed % 3 :] = 1
    labels[4 + seed % 2 : 12, 6:14] = 2
    return labels


class Views:
    names = tuple(f"view{n}" for n in range(6))

    def __len__(self) -> int:
        return len(self.names)

    def batch(self, indices: Sequence[int], draws: Draws | None) -> Batch:
        labels = torch.stack([view(n) for n in indices])
        return Batch(torch.zeros(len(labels), 3, 48, 72), labels=labels)


def shown(labels: Tensor) -> Tensor:
    return condition_tensor(Batch(torch.zeros(1, 3, *labels.shape), labels=labels[None]), PORT)


@pytest.fixture(scope="module")
def memory() -> Memory:
    return remember(Views(), PORT)


def test_nothing_is_said_of_what_was_learnt(memory: Memory) -> None:
    for number in range(6):
        assert remarks(memory, shown(view(number))) == ()


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (
            lambda x: x.index_put_(_at(20, 24, 20, 30), torch.tensor(3)),
            "boat: never seen; 1.2% of the picture",
        ),
        (lambda x: x.index_put_(_at(34, 40, 6, 14), torch.tensor(2)), "sun: never seen in the bottom third"),
        (lambda x: x.index_put_(_at(4, 12, 60, 68), torch.tensor(2)), "sun: never seen in the right third"),
        (lambda x: x.fill_(1), "sky: 0% of the picture, at least 48% in training"),
        (lambda x: x.fill_(0), "sky: 100% of the picture, at most 53% in training"),
        (lambda x: x.fill_(4), "no class: never seen; 100.0% of the picture"),
    ],
)
def test_what_is_new_is_said(memory: Memory, change, said: str) -> None:  # type: ignore[no-untyped-def]
    labels = view(0)
    change(labels)
    assert said in remarks(memory, shown(labels))


def test_mirrored_places_are_known_to_a_model_that_saw_them(memory: Memory) -> None:
    mirrored = shown(view(0).flip(1))
    assert "sun: never seen in the right third" in remarks(memory, mirrored)
    assert remarks(replace(memory, flip=True), mirrored) == ()


def test_values_beyond_are_said_in_the_units_of_the_port() -> None:
    class Depths:
        names = ("a", "b")

        def __len__(self) -> int:
            return 2

        def batch(self, indices: Sequence[int], draws: Draws | None) -> Batch:
            ramp = torch.linspace(-1, 0.5 + indices[0] / 10, 24 * 24).view(1, 1, 24, 24)
            return Batch(torch.zeros(1, 3, 24, 24), condition=ramp)

    port = Port(channels=("Z",), encoding="raw", low=(2.0,), high=(10.0,))
    known = remember(Depths(), port)
    assert remarks(known, torch.full((1, 1, 24, 24), 0.2)) == ()
    assert remarks(known, torch.full((1, 1, 24, 24), 1.5)) == ("Z: values up to 12, in training up to 8.4",)
    assert remarks(known, torch.full((1, 1, 24, 24), -1.5)) == ("Z: values down to 0, in training down to 2",)


def test_report_puts_the_most_brittle_first(memory: Memory) -> None:
    odd = view(1).flip(0)
    found = [examine(memory, shown(x), name) for x, name in ((view(0), "usual"), (odd, "odd"))]
    report = overview(memory, [finding for finding, _ in found])
    assert [item["name"] for item in report["findings"]] == ["odd", "usual"]
    assert report["outside"] == pytest.approx(sum(finding.outside for finding, _ in found) / 2)
    assert json.loads(json.dumps(report)) == report
    words = summary(report).splitlines()
    assert words[0].startswith("2 conditions against 6 training examples")
    assert words[1].startswith("odd: ") and "view" in words[1]
    assert "  sun: never seen in the bottom third" in words
    assert summary(report, 1).endswith("… and 1 more, which are nearer to the training set")


def test_heat_glows_where_confidence_is_low() -> None:
    picture = np.full((2, 2, 3), 0.5, np.float32)
    made = heat(picture, torch.tensor([[1.0, 0.0], [0.5, 1.0]]))
    assert np.ptp(made[0, 0]) < 1e-6 and np.array_equal(made[0, 0], made[1, 1])
    assert made[0, 1, 0] > made[1, 0, 0] > made[0, 0, 0] and made[0, 1, 2] < made[0, 0, 2]


def test_rows_fit_one_sheet(memory: Memory) -> None:
    condition = shown(view(0))
    finding, seen = examine(memory, condition, "usual")
    assert np.allclose(display_of(memory, condition)[40, 40] * 255, (40, 90, 10), atol=0.5)
    picture = np.zeros((48, 72, 3), np.float32)
    recalled: list[str] = []

    def recall(name: str) -> np.ndarray | None:
        recalled.append(name)
        return picture if len(recalled) == 1 else None

    row = row_of(memory, condition, finding, seen.confidence, picture, recall)
    assert len(row) == 4 and recalled == [name for name, _ in finding.nearest[:2]]
    assert recalled[0] == "view0"
    assert len(row_of(memory, condition, finding, seen.confidence)) == 2
    assert sheet([row]).pixels.shape == (48, 4 * 76 - 4, 3)


def _at(top: int, bottom: int, left: int, right: int) -> tuple[Tensor, Tensor]:
    rows, columns = torch.meshgrid(torch.arange(top, bottom), torch.arange(left, right), indexing="ij")
    return rows, columns
