"""Products instead of convolutions: the same function, and the same gradients, for any number of pixels."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from torch import Tensor
from torch.nn import functional

from dreamplate.translate.halving import double, double_resized, halve


def enlarged(x: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
    return functional.conv2d(functional.interpolate(x, scale_factor=2), weight, bias, padding=1)


CASES: dict[str, tuple[Callable[..., Tensor], Callable[..., Tensor], tuple[int, ...]]] = {
    "halve": (halve, lambda x, w, b: functional.conv2d(x, w, b, 2, 1), (5, 3, 4, 4)),
    "double": (double, lambda x, w, b: functional.conv_transpose2d(x, w, b, 2, 1), (3, 5, 4, 4)),
    "double_resized": (double_resized, enlarged, (5, 3, 3, 3)),
}


@pytest.mark.parametrize("name", CASES)
@pytest.mark.parametrize("size", [(1, 2, 2), (2, 4, 2), (1, 12, 16), (3, 14, 18)])
@pytest.mark.parametrize("biased", [False, True])
def test_same_results_and_gradients(name: str, size: tuple[int, int, int], biased: bool) -> None:
    ours, plain, shape = CASES[name]
    draws = torch.Generator().manual_seed(6)
    x = torch.randn(size[0], 3, *size[1:], generator=draws, dtype=torch.float64).requires_grad_()
    weight = torch.randn(shape, generator=draws, dtype=torch.float64)
    weight = weight.contiguous(memory_format=torch.channels_last).requires_grad_()
    bias = torch.randn(5, generator=draws, dtype=torch.float64).requires_grad_() if biased else None
    found, wanted = ours(x, weight, bias), plain(x, weight, bias)
    torch.testing.assert_close(found, wanted)
    learns = [x, weight, *([bias] if bias is not None else [])]
    slope = torch.randn(wanted.shape, generator=draws, dtype=torch.float64)
    for a, b in zip(
        torch.autograd.grad(found, learns, slope), torch.autograd.grad(wanted, learns, slope), strict=True
    ):
        torch.testing.assert_close(a, b)
