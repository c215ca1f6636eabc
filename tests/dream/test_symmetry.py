"""Laws of symmetry, and of total variation."""

from __future__ import annotations

import pytest
import torch

from dreamplate.dream.losses import total_variation
from dreamplate.dream.symmetry import MIRRORS, asymmetry
from dreamplate.errors import ConfigError

IMAGE = torch.rand((2, 3, 9, 12), generator=torch.Generator().manual_seed(0))


@pytest.mark.parametrize("kind", ["x", "y", "both", "rotate"])
def test_only_the_symmetric_cost_nothing(kind: str) -> None:
    even = IMAGE
    for axes in MIRRORS[kind]:
        even = 0.5 * (even + even.flip(axes))
    assert asymmetry(even, kind).abs().max() < 1e-6
    assert (asymmetry(IMAGE, kind) > 0.1).all()


def test_kinds_are_different_symmetries() -> None:
    even = 0.5 * (IMAGE + IMAGE.flip(-1))
    costs = {kind: asymmetry(even, kind) for kind in MIRRORS}
    assert costs["x"].abs().max() < 1e-6 and costs["none"].abs().max() == 0
    assert (costs["y"] > 0.1).all() and (costs["rotate"] > 0.1).all()
    assert torch.allclose(costs["both"], costs["y"] / 2)
    turned = 0.5 * (IMAGE + IMAGE.flip(-1, -2))
    assert asymmetry(turned, "rotate").abs().max() < 1e-6 and (asymmetry(turned, "x") > 0.1).all()
    with pytest.raises(ConfigError, match="'z'"):
        asymmetry(IMAGE, "z")


def test_each_picture_is_judged_alone_and_gradients_flow() -> None:
    both = asymmetry(IMAGE, "x")
    assert torch.equal(both[1:], asymmetry(IMAGE[1:], "x"))
    image = IMAGE.clone().requires_grad_()
    asymmetry(image, "both")[0].backward()
    assert image.grad is not None and image.grad[0].abs().sum() > 0 and image.grad[1].abs().sum() == 0


def test_total_variation_counts_jumps_and_seams() -> None:
    step = torch.zeros(1, 3, 8, 10)
    step[..., 5:] = 1
    assert total_variation(step).item() == pytest.approx(1 / 9)
    assert total_variation(step, (True, False)).item() == pytest.approx(2 / 10)
    assert total_variation(step, (False, True)).item() == pytest.approx(1 / 9)
    ramp = torch.linspace(0, 1, 10).expand(1, 3, 8, 10)  # the same rise, however it is spread
    assert total_variation(ramp).item() == pytest.approx(1 / 9, rel=1e-5)
