"""Adam of the rows that a step touches."""

from __future__ import annotations

import pytest
import torch

from dreamplate.fields.sparse_adam import SparseAdam, adam_twin


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_kernel_equals_twin_and_leaves_other_rows_alone(dtype: torch.dtype) -> None:
    draws = torch.Generator().manual_seed(0)
    table = torch.randn((40, 3), generator=draws, dtype=dtype)
    mine, theirs = (
        SparseAdam(table.clone(), (0.9, 0.99), 1e-15),
        SparseAdam(table.clone(), (0.9, 0.99), 1e-15),
    )
    for _ in range(5):
        slopes = torch.randn((40, 3), generator=draws, dtype=dtype)
        slopes[torch.rand(40, generator=draws) < 0.5] = 0
        before, touched = mine.table.clone(), (slopes != 0).any(1)
        copied = slopes.clone()
        mine.step(slopes, 0.1)
        held = theirs.table, copied, theirs.means, theirs.squares, theirs.counts, theirs.corrections
        adam_twin(*held, 0.1, 0.9, 0.99, 1e-15)
        assert torch.equal(mine.table[~touched], before[~touched])
        assert not slopes.any()
    torch.testing.assert_close(mine.table, theirs.table)
    torch.testing.assert_close(mine.squares, theirs.squares)
    assert torch.equal(mine.counts, theirs.counts)


def test_with_all_rows_touched_it_is_adam() -> None:
    draws = torch.Generator().manual_seed(1)
    start = torch.randn((10, 2), generator=draws)
    mine = SparseAdam(start.clone(), (0.9, 0.99), 1e-8)
    theirs = torch.nn.Parameter(start.clone())
    optimiser = torch.optim.Adam([theirs], lr=0.01, betas=(0.9, 0.99), eps=1e-8)
    for _ in range(20):
        slopes = torch.randn((10, 2), generator=draws)
        theirs.grad = slopes.clone()
        optimiser.step()
        mine.step(slopes, 0.01)
    torch.testing.assert_close(mine.table, theirs.detach(), rtol=1e-4, atol=1e-5)
