"""Marching through occupied space: every step where it is full, none where it is empty."""

from __future__ import annotations

import numba
import pytest
import torch
from safetensors.torch import load_file
from torch import Tensor

from dreamplate.fields.marching import Marched, Stride, march, march_twin
from dreamplate.fields.morton import morton_cells, morton_codes
from dreamplate.fields.occupancy import Occupancy


def draws(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def some_rays(count: int, seed: int = 0, reach: float = 3.0) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    origins = torch.randn((count, 3), generator=draws(seed))
    directions = torch.nn.functional.normalize(torch.randn((count, 3), generator=draws(seed + 1)), dim=1)
    return origins, directions, torch.full((count,), 0.1), torch.full((count,), reach)


def some_bits(side: int, levels: int, share: float, seed: int = 5) -> Tensor:
    occupancy = Occupancy(side, levels)
    occupancy._mark(torch.rand((levels, side**3), generator=draws(seed)) < share)
    return occupancy.bits


def test_a_full_grid_gives_even_steps() -> None:
    origins = torch.tensor([[-2.0, 0.1, 0.2], [0.3, 0.2, 0.1]])
    directions = torch.tensor([[1.0, 0.0, 0.0], [0.0, 0.0, -1.0]])
    nears, fars = torch.tensor([1.0, 0.0]), torch.tensor([3.0, 9.0])
    found = march(origins, directions, nears, fars, Occupancy(8).bits, Stride(0.125))
    assert found.offsets.tolist() == [0, 16, 25]  # two units; 1.1 units and a last, shorter step
    torch.testing.assert_close(found.starts[:16], 1 + 0.125 * torch.arange(16))
    torch.testing.assert_close(found.ends - found.starts, torch.tensor([0.125] * 24 + [0.1]))


def test_empty_space_has_no_samples() -> None:
    rays = some_rays(100)
    found = march(*rays, torch.zeros((2, 64), dtype=torch.uint8), Stride(0.01))
    assert found.offsets.tolist() == [0] * 101
    assert len(found.starts) == len(found.ends) == 0


CASES = [
    (8, 1, 0.3, Stride(0.03)),
    (16, 1, 0.02, Stride(0.011)),
    (16, 3, 0.1, Stride(0.02, cone=0.02, most=0.3)),
    (8, 4, 0.05, Stride(0.01, cone=1 / 16)),
    (16, 2, 0.5, Stride(0.02, limit=7)),
]


@pytest.mark.parametrize("jittered", [False, True])
@pytest.mark.parametrize(("side", "levels", "share", "stride"), CASES)
def test_kernel_equals_twin(side: int, levels: int, share: float, stride: Stride, jittered: bool) -> None:
    rays = some_rays(200, reach=9.0)
    jitter = torch.rand(200, generator=draws(9)) if jittered else None
    bits = some_bits(side, levels, share)
    mine, theirs = march(*rays, bits, stride, jitter), march_twin(*rays, bits, stride, jitter)
    assert len(mine.starts) > 100
    assert torch.equal(mine.offsets, theirs.offsets)
    torch.testing.assert_close(mine.starts, theirs.starts, rtol=1e-5, atol=1e-5)
    torch.testing.assert_close(mine.ends, theirs.ends, rtol=1e-5, atol=1e-5)


def test_what_is_empty_changes_no_other_sample() -> None:
    rays = some_rays(100)
    stride = Stride(0.01, cone=0.01)
    full = march(*rays, Occupancy(16, 2).bits, stride)
    part = march(*rays, some_bits(16, 2, 0.1), stride)
    for ray in range(100):
        steps = set(full.starts[full.offsets[ray] : full.offsets[ray + 1]].tolist())
        assert steps >= set(part.starts[part.offsets[ray] : part.offsets[ray + 1]].tolist())


def test_one_thread_gives_the_bits_of_two() -> None:
    rays, bits = some_rays(3000), some_bits(16, 2, 0.1)
    before = numba.get_num_threads()
    found: list[Marched] = []
    for threads in (1, before):
        numba.set_num_threads(threads)
        found.append(march(*rays, bits, Stride(0.01)))
    assert torch.equal(found[0].starts, found[1].starts)
    assert torch.equal(found[0].offsets, found[1].offsets)


def test_rays_that_are_no_rays_have_no_samples() -> None:
    origins = torch.tensor([[float("nan"), 0, 0], [50.0, 0, 0], [0.0, 0, 0]])
    directions = torch.tensor([[1.0, 0, 0], [1.0, 0, 0], [0.0, 0, 1.0]])
    nears, fars = torch.tensor([0.0, 0.0, 2.0]), torch.tensor([float("inf"), float("inf"), 1.0])
    assert march(origins, directions, nears, fars, Occupancy(8).bits, Stride(0.1)).offsets.tolist() == [0] * 4


# -- what is occupied -------------------------------------------------------------------------------


def ball(points: Tensor) -> Tensor:
    return 100.0 * (points.norm(dim=1) < 0.5)


def test_a_ball_is_found_and_the_rest_becomes_empty() -> None:
    occupancy = Occupancy(32, 2)
    for _ in range(3):
        occupancy.update(ball, 0.01, draws())
    share = occupancy._flags().float().mean(1)
    volume = 4 / 3 * 3.14159 * 0.5**3 / 8
    assert share[0] == pytest.approx(volume, rel=0.4)
    assert share[1] == pytest.approx(volume / 8, rel=1.5)
    inside = torch.tensor([[0.0, 0, 0]]), torch.tensor([[1.0, 0, 0]]), torch.zeros(1), torch.full((1,), 4.0)
    found = march(*inside, occupancy.bits, Stride(0.01))
    assert 0.45 < float(found.ends.max()) < 0.65


def test_what_has_gone_is_forgotten_in_time() -> None:
    occupancy = Occupancy(16)
    occupancy.update(ball, 0.01, draws())
    before = occupancy.filled
    for _ in range(120):
        occupancy.update(lambda points: torch.zeros(len(points)), 0.01, draws(), share=0.25)
    assert before > 0.05
    assert occupancy.filled == 0 or float(occupancy.values.max()) < 0.01


def test_a_turn_through_a_share_reaches_every_cell() -> None:
    occupancy = Occupancy(16)
    occupancy.values.fill_(0)
    occupancy._mark(torch.zeros((1, 16**3), dtype=torch.bool))
    for _ in range(8):
        occupancy.update(lambda points: torch.ones(len(points)), 1.0, draws(), share=0.25)
    assert occupancy.filled == 1


def test_cells_no_camera_sees_stay_empty() -> None:
    occupancy = Occupancy(16)
    occupancy.hide(lambda points, radius: points[:, 0] > 0)
    assert occupancy.filled == 0.5
    occupancy.update(lambda points: torch.ones(len(points)), 1.0, draws())
    assert occupancy.filled == 0.5


def test_a_coarse_cell_is_occupied_where_finer_ones_are() -> None:
    occupancy = Occupancy(8, 3)
    flags = torch.zeros((3, 512), dtype=torch.bool)
    cell = torch.tensor([[6, 1, 3]])
    flags[0, morton_codes(cell)] = True
    occupancy._mark(flags)
    for level, shrunk in ((1, cell // 2 + 2), (2, (cell // 2 + 2) // 2 + 2)):
        assert occupancy._flags()[level].nonzero().flatten().tolist() == morton_codes(shrunk).tolist()


def test_its_state_restores_it() -> None:
    one, two = Occupancy(16), Occupancy(16)
    one.update(ball, 0.01, draws(), share=0.5)
    two.load_state_dict(one.state_dict())
    one.update(ball, 0.01, draws(1), share=0.5)
    two.update(ball, 0.01, draws(1), share=0.5)
    assert torch.equal(one.bits, two.bits)
    assert torch.equal(one.values, two.values)


# -- Morton codes -----------------------------------------------------------------------------------


def test_morton_codes_can_be_undone() -> None:
    cells = torch.randint(1024, (500, 3), generator=draws())
    assert torch.equal(morton_cells(morton_codes(cells)), cells)


def test_parity_morton(shared_dir) -> None:
    io = load_file(shared_dir / "parity" / "hash_grid" / "io.safetensors")
    assert torch.equal(morton_codes(io["in.morton_coords"]), io["out.morton"])
