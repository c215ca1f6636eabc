"""Plane encodings: kernel against twin, gradients, and packing."""

from __future__ import annotations

import pytest
import torch

from dreamplate.fields.plane_encoding import encode_planes, encode_planes_twin, pack_planes, unpack_planes
from dreamplate.fields.planes import draw_planes, plane_pairs


def draws(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


@pytest.mark.parametrize("resolution", [(5, 7, 4), (6, 3, 5, 4), (1, 5, 2)], ids=["space", "time", "thin"])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_kernel_equals_twin_with_all_gradients(resolution: tuple[int, ...], dtype: torch.dtype) -> None:
    points = torch.rand((200, len(resolution)), generator=draws(1), dtype=dtype) * 2.4 - 1.2
    rows = sum(resolution[i] * resolution[j] for i, j in plane_pairs(len(resolution)))
    table = torch.randn((rows, 6), generator=draws(2), dtype=dtype)
    pull = torch.randn((200, 6), generator=draws(3), dtype=dtype)
    found = []
    for encode in (encode_planes, encode_planes_twin):
        p, t = points.clone().requires_grad_(), table.clone().requires_grad_()
        features = encode(p, t, resolution)
        features.backward(pull)
        found.append((features.detach(), p.grad, t.grad))
    close = 1e-4 if dtype == torch.float32 else 1e-10
    for mine, theirs in zip(*found, strict=True):
        assert mine is not None and theirs is not None
        torch.testing.assert_close(mine, theirs, rtol=close, atol=close * float(theirs.abs().max()))


def test_gradients_are_those_of_finite_differences() -> None:
    points = (torch.rand((4, 3), generator=draws(1), dtype=torch.float64) * 1.8 - 0.9).requires_grad_()
    table = torch.randn((3 * 4 + 3 * 5 + 4 * 5, 2), generator=draws(2), dtype=torch.float64).requires_grad_()
    assert torch.autograd.gradcheck(lambda p, t: encode_planes(p, t, (3, 4, 5)), (points, table))


def test_packing_can_be_undone() -> None:
    resolution = (5, 4, 3, 6)
    planes = draw_planes(resolution, 3, [1], draws())[0]
    table = pack_planes(planes)
    for one, two in zip(planes, unpack_planes(table, resolution), strict=True):
        assert torch.equal(one, two)


def test_no_points_at_all() -> None:
    assert encode_planes(torch.zeros((0, 3)), torch.zeros((27, 2)), (3, 3, 3)).shape == (0, 2)
