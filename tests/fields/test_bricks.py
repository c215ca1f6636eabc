"""Bricks: marching, looking up, learning, refining, each against a dense twin in plain torch."""

from __future__ import annotations

import math

import numba
import numpy as np
import pytest
import torch
from torch import Tensor

from dreamplate.fields.brick_space import GridSpace, grid_space
from dreamplate.fields.bricks import EMPTY, WIDTH, BrickGrid
from dreamplate.fields.rays import Rays
from dreamplate.fields.spaces import Extent

DRAWS = torch.Generator().manual_seed(5)
LEAST = 1e-6


def extents() -> dict[str, Extent]:
    box = np.array([[-1.0, -0.6, -0.8], [1.0, 0.9, 0.7]])
    turned = np.eye(4)
    turned[:3, :3] = [[0.0, 0.0, 1.0], [1.0, 0.0, 0.0], [0.0, 1.0, 0.0]]
    turned[:3, 3] = 0.3, -0.2, 0.1
    forward = Extent("forward", box, 1.0, 20.0, turned, (-0.5, 0.6, -0.4, 0.4))
    return {
        "box": Extent("box", box, 0.1, 9.0, np.eye(4)),
        "open": Extent("open", box, 0.05, math.inf, np.eye(4)),
        "forward": forward,
    }


def rays_for(extent: Extent, count: int = 64) -> Rays:
    aims = torch.rand(count, 3, generator=DRAWS) * 0.8 - 0.4
    if extent.kind == "forward":
        reference = torch.from_numpy(extent.reference).float()
        origins = reference[:3, 3] + 0.1 * torch.randn(count, 3, generator=DRAWS)
        sides = torch.rand(count, 2, generator=DRAWS) * 0.6 - 0.3
        own = torch.cat([sides, -torch.ones(count, 1)], dim=1)
        directions = own @ reference[:3, :3].T
    else:
        origins = torch.randn(count, 3, generator=DRAWS)
        origins = origins / origins.norm(dim=1, keepdim=True) * 2.5
        directions = aims - origins
    directions = directions / directions.norm(dim=1, keepdim=True)
    zero = torch.zeros(count)
    return Rays(origins, directions, zero + 0.05, zero + 1e4, zero + 1)


def filled(space: GridSpace, seed: int = 1) -> BrickGrid:
    draws = torch.Generator().manual_seed(seed)
    grid = BrickGrid(space.shape)
    grid.raw.copy_(torch.randn(grid.raw.shape, generator=draws) * 3)
    grid.table.copy_(torch.randn(grid.table.shape, generator=draws))
    return grid


def dense(grid: BrickGrid, values: Tensor) -> Tensor:
    """Rows ``(bricks, 64, ...)`` as one dense grid."""
    rest = values.shape[2:]
    full = torch.full((*(side // 4 for side in grid.shape), 4, 4, 4, *rest), float(EMPTY if not rest else 0))
    x, y, z = grid.corners.long().T
    full[x, y, z] = values.view(-1, 4, 4, 4, *rest)
    order = (0, 3, 1, 4, 2, 5, *range(6, 6 + len(rest)))
    return full.permute(order).reshape(*grid.shape, *rest)


def trilinear(volume: Tensor, places: Tensor) -> Tensor:
    low = places.floor().long()
    share = places - low
    total = 0
    for corner in range(8):
        bits = torch.tensor([corner >> 2, (corner >> 1) & 1, corner & 1])
        weight = torch.where(bits.bool(), share, 1 - share).prod(1)
        x, y, z = (low + bits).T
        value = volume[x, y, z]
        total = total + weight.view(-1, *(1,) * (value.dim() - 1)) * value
    return total


def places_twin(extent: Extent, space: GridSpace, points: Tensor) -> Tensor:
    """Grid coordinates of world points, from the extent's own definition."""
    most = torch.tensor(space.shape) - 1
    points = points.double()
    if extent.kind == "box":
        return (points - torch.from_numpy(space.low)) / torch.from_numpy(space.cell)
    if extent.kind == "open":
        box = torch.from_numpy(extent.box)
        own = (points - box.mean(0)) / ((box[1] - box[0]) / 2)
        size = own.abs().amax(1, keepdim=True).clamp_min(1)
        return (own * (2 - 1 / size) / size + 2) / 4 * most
    reference = torch.from_numpy(extent.reference)
    own = (points - reference[:3, 3]) @ reference[:3, :3]
    x0, x1, y0, y1 = extent.slopes
    depth = -own[:, 2]
    u = (own[:, 0] / depth - x0) / (x1 - x0)
    v = (own[:, 1] / depth - y0) / (y1 - y0)
    w = (1 / extent.near - 1 / depth) / (1 / extent.near - 1 / extent.far)
    return torch.stack([u, v, w], dim=1) * most


def march(grid: BrickGrid, space: GridSpace, rays: Rays, jitter: float = 0.5, least: float = LEAST):
    return grid.march(
        rays, space.packed, torch.full((len(rays),), jitter), shift=-1.0, faint=-1e9, least=least
    )


@pytest.mark.parametrize("kind", ["box", "open", "forward"])
def test_samples_are_what_a_dense_grid_says(kind: str) -> None:
    extent = extents()[kind]
    space = grid_space(extent, 16, 0.5)
    grid, rays = filled(space), rays_for(extent)
    found = march(grid, space, rays)
    assert len(found.alphas) > 200
    which = found.rays.long()
    mids = (found.starts + found.ends) / 2
    points = rays.origins[which] + mids[:, None] * rays.directions[which]
    places = places_twin(extent, space, points)
    torch.testing.assert_close(found.places.double(), places, atol=2e-3, rtol=1e-4)
    raw = trilinear(dense(grid, grid.raw), found.places)
    alphas = 1 - torch.exp(-torch.nn.functional.softplus(raw - 1.0) * space.length)
    torch.testing.assert_close(found.alphas, alphas, atol=2e-3, rtol=1e-3)
    assert (found.ends > found.starts).all()
    inside = which[1:] == which[:-1]
    assert (found.starts[1:][inside] >= found.ends[:-1][inside] - 1e-4).all()


@pytest.mark.parametrize("kind", ["box", "open", "forward"])
def test_steps_are_even_in_the_grid(kind: str) -> None:
    extent = extents()[kind]
    space = grid_space(extent, 96, 0.5)
    grid, rays = BrickGrid(space.shape), rays_for(extent)
    grid.raw.fill_(-3.0)
    found = march(grid, space, rays, least=0.0)
    which = found.rays.long()
    ends = [
        places_twin(extent, space, rays.origins[which] + t[:, None] * rays.directions[which])
        for t in (found.starts, found.ends)
    ]
    length = (ends[1] - ends[0]).norm(dim=1) if kind == "box" else (ends[1] - ends[0]).abs().amax(1)
    if kind == "forward":  # even along disparity
        length = (ends[1] - ends[0])[:, 2]
    inside = (ends[0].min(1).values > 0) & (ends[1].min(1).values > 0)
    assert inside.sum() > 100
    spread = 1e-3 if kind == "box" else 0.35 if kind == "forward" else 0.5
    assert (length[inside] - 0.5).abs().max() < spread


def test_a_box_is_marched_whole_and_leaps_lose_nothing() -> None:
    extent = extents()["box"]
    space = grid_space(extent, 16, 0.5)
    rays = rays_for(extent)
    full = filled(space)
    which = torch.rand(full.index.shape, generator=torch.Generator().manual_seed(3)) < 0.4
    sparse = BrickGrid(space.shape, which)
    x, y, z = sparse.corners.long().T
    sparse.raw.copy_(full.raw[full.index[x, y, z].long()])
    x, y, z = full.corners.long().T
    full.raw[~which[x, y, z]] = EMPTY
    full.cells.copy_(torch.where(which[x, y, z], -1, 0))
    assert torch.equal(march(full, space, rays).places, march(sparse, space, rays).places)
    # With nothing skipped at all, samples cover the way through the box, but for the ends of a step.
    thin = BrickGrid(space.shape)
    found = march(thin, space, rays, least=0.0)
    covered = torch.zeros(len(rays)).index_add(0, found.rays.long(), found.ends - found.starts)
    low = torch.from_numpy(space.low).float()
    high = low + torch.from_numpy(space.cell * (np.array(space.shape) - 1)).float()
    sides = (torch.stack([low, high])[:, None] - rays.origins) / rays.directions
    way = (sides.amax(0).amin(1) - sides.amin(0).amax(1)).clamp_min(0)
    step = 0.5 * space.cell[0]
    deep = 1 - torch.exp(torch.tensor(-math.log1p(math.exp(-1.0)) * space.length))
    lasts = math.log(1e-4) / math.log(1 - float(deep)) * step  # where no light is left
    assert ((covered - way).abs() < 1.01 * step)[way < lasts - step].all()


def test_threads_do_not_change_the_bits() -> None:
    extent = extents()["box"]
    space = grid_space(extent, 32, 0.5)
    rays = rays_for(extent, 300)
    results = []
    before = numba.get_num_threads()
    for threads in (1, min(2, before)):
        numba.set_num_threads(threads)
        grid = filled(space)
        found = march(grid, space, rays)
        by_raw = torch.sin(torch.arange(len(found.alphas)).float())
        by_found = torch.cos(torch.arange(len(by_raw) * WIDTH).float()).view(-1, WIDTH)
        grid.learn(found.places, by_raw, by_found, rates=(0.1, 0.2), smooth=(1e-3, 1e-3))
        results.append((found.places, grid.lookup(found.places), grid.raw, grid.table))
    numba.set_num_threads(before)
    assert all(torch.equal(one, two) for one, two in zip(*results, strict=True))


def test_features_are_interpolated_and_slopes_are_their_differences() -> None:
    space = grid_space(extents()["box"], 16, 0.5)
    grid = filled(space)
    places = torch.rand(200, 3, generator=DRAWS) * (torch.tensor(space.shape) - 1.01)
    torch.testing.assert_close(
        grid.lookup(places), trilinear(dense(grid, grid.table), places), atol=1e-5, rtol=1e-5
    )
    by_raw, by_found = torch.randn(200, generator=DRAWS), torch.randn(200, WIDTH, generator=DRAWS)
    at = places.double().requires_grad_()
    low = at.detach().floor()
    total = (trilinear(dense(grid, grid.raw).double(), at) * by_raw).sum()
    total = total + (trilinear(dense(grid, grid.table).double(), at) * by_found).sum()
    (wanted,) = torch.autograd.grad(total, at)
    assert (low == places.floor()).all()
    torch.testing.assert_close(grid.slope(places, by_raw, by_found).double(), wanted, atol=1e-3, rtol=1e-4)


def test_learning_is_adam_on_touched_vertices_only() -> None:
    space = grid_space(extents()["box"], 16, 0.5)
    grid = filled(space)
    dense_raw = dense(grid, grid.raw).clone().requires_grad_()
    dense_table = dense(grid, grid.table).clone().requires_grad_()
    moments = {
        id(value): (torch.zeros_like(value), torch.zeros_like(value)) for value in (dense_raw, dense_table)
    }
    for step in range(1, 4):
        places = torch.rand(40, 3, generator=DRAWS) * (torch.tensor(space.shape) - 1.01)
        by_raw, by_found = torch.randn(40, generator=DRAWS), torch.randn(40, WIDTH, generator=DRAWS)
        mark = torch.zeros(grid.shape, requires_grad=True)
        trilinear(mark, places).sum().backward()
        total = (trilinear(dense_raw, places) * by_raw).sum()
        total = total + (trilinear(dense_table, places) * by_found).sum()
        grads = torch.autograd.grad(total, [dense_raw, dense_table])
        for value, grad, rate in ((dense_raw, grads[0], 0.3), (dense_table, grads[1], 0.2)):
            hit = (mark.grad != 0).view(*grid.shape, *(1,) * (value.dim() - 3)).expand(value.shape)
            first, second = moments[id(value)]
            first[hit] = 0.9 * first[hit] + 0.1 * grad[hit]
            second[hit] = 0.99 * second[hit] + 0.01 * grad[hit] ** 2
            with torch.no_grad():
                moved = rate * (first / (1 - 0.9**step)) / ((second / (1 - 0.99**step)).sqrt() + 1e-12)
                value[hit] -= moved[hit]
        grid.learn(places, by_raw, by_found, rates=(0.3, 0.2))
    torch.testing.assert_close(dense(grid, grid.raw), dense_raw.detach(), atol=2e-4, rtol=1e-3)
    torch.testing.assert_close(dense(grid, grid.table), dense_table.detach(), atol=2e-4, rtol=1e-3)


def test_a_cell_is_marked_exactly_where_a_corner_is_dense() -> None:
    space = grid_space(extents()["box"], 16, 0.5)
    grid = filled(space)
    grid.occupy(2.5)
    volume = dense(grid, grid.raw)
    volume = torch.nn.functional.pad(volume, (0, 1, 0, 1, 0, 1), value=-1e9)
    blocks = volume.unfold(0, 2, 1).unfold(1, 2, 1).unfold(2, 2, 1).flatten(3)
    assert torch.equal(grid.occupied(), blocks.amax(3) > 2.5)


def test_refining_keeps_what_is_linear() -> None:
    space = grid_space(extents()["box"], 16, 0.5)
    grid = BrickGrid(space.shape)
    x, y, z = torch.meshgrid(*(torch.arange(side).float() for side in grid.shape), indexing="ij")
    plane = 0.3 * x - 0.2 * y + 0.1 * z
    rows = plane.view(*(v for side in grid.shape for v in (side // 4, 4)))
    rows = rows.permute(0, 2, 4, 1, 3, 5)
    at = tuple(grid.corners.long().T)
    grid.raw.copy_(rows[at].reshape(-1, 64))
    grid.table.copy_(grid.raw[:, :, None].expand(-1, -1, WIDTH))
    scale, bias = torch.full((3,), 0.5, dtype=torch.float64), torch.full((3,), 0.25, dtype=torch.float64)
    fine = grid.refined((16, 16, 16), scale, bias)
    places = torch.rand(100, 3, generator=DRAWS) * 14
    raw = trilinear(dense(fine, fine.raw), places)
    old = places * 0.5 + 0.25
    torch.testing.assert_close(raw, old @ torch.tensor([0.3, -0.2, 0.1]), atol=1e-4, rtol=1e-4)
    torch.testing.assert_close(fine.lookup(places)[:, 7], raw, atol=1e-5, rtol=1e-5)


def test_only_what_is_marked_is_refined() -> None:
    grid = BrickGrid((32, 32, 32))
    grid.raw.fill_(EMPTY)
    number = int(grid.index[4, 4, 4])
    grid.raw[number] = 1.0
    grid.occupy(0.0)
    fine = grid.refined((64, 64, 64), torch.full((3,), 0.5, dtype=torch.float64), torch.zeros(3).double())
    assert 8 <= len(fine) <= 4**3
    fine.occupy(0.0)
    assert fine.occupied()[34, 34, 34] and not fine.occupied()[10, 10, 10]
    # every corner of a marked cell has its brick
    cells = fine.occupied().nonzero()
    for corner in range(8):
        x, y, z = (cells + torch.tensor([corner >> 2, (corner >> 1) & 1, corner & 1])).T // 4
        assert (fine.index[x, y, z] >= 0).all()


def test_a_grid_comes_back_from_its_state() -> None:
    space = grid_space(extents()["box"], 16, 0.5)
    grid = filled(space)
    again = BrickGrid.restored(grid.state_dict())
    rays = rays_for(extents()["box"])
    assert torch.equal(march(grid, space, rays).alphas, march(again, space, rays).alphas)
