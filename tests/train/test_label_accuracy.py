"""Laws of label accuracy: counts of pixels, and the three figures from them."""

from __future__ import annotations

import math

import pytest
import torch

from dreamplate.train.label_accuracy import accuracy, confusion


def test_counts_are_those_of_a_loop() -> None:
    generator = torch.Generator().manual_seed(1)
    truth = torch.randint(5, (2, 6, 7), generator=generator)  # 4 and above: of no class
    seen = torch.randint(4, (2, 6, 7), generator=generator)
    within = torch.rand((2, 6, 7), generator=generator)
    counts, inside = torch.zeros(4, 4, dtype=torch.int64), torch.zeros(4, 4, dtype=torch.int64)
    for a, b, w in zip(truth.flatten(), seen.flatten(), within.flatten(), strict=True):
        if a < 4:
            counts[a, b] += 1
            inside[a, b] += int(w > 0.5)
    assert torch.equal(confusion(seen, truth, 4), counts)
    assert torch.equal(confusion(seen, truth, 4, within), inside)
    whole = confusion(seen[:1], truth[:1], 4) + confusion(seen[1:], truth[1:], 4)
    assert torch.equal(whole, counts)


def test_figures_by_hand() -> None:
    # Class 0: 6 of 8 right. Class 1: 1 of 2 right. Class 2 never occurs, and is seen once. Class 3: neither.
    counts = torch.tensor([[6, 1, 1, 0], [1, 1, 0, 0], [0, 0, 0, 0], [0, 0, 0, 0]])
    found = accuracy(counts)
    assert found["pixel_accuracy"] == pytest.approx(0.7)
    assert found["class_accuracy"] == pytest.approx((6 / 8 + 1 / 2) / 2)
    assert found["miou"] == pytest.approx((6 / 9 + 1 / 3 + 0) / 3)


def test_perfect_answers_and_none() -> None:
    truth = torch.randint(3, (1, 4, 4), generator=torch.Generator().manual_seed(2))
    assert set(accuracy(confusion(truth, truth, 3)).values()) == {1.0}
    nothing = accuracy(confusion(truth, torch.full_like(truth, 3), 3))
    assert all(math.isnan(value) for value in nothing.values())
