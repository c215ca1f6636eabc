"""Laws of colour: Oklab, and keeping to a palette."""

from __future__ import annotations

import pytest
import torch

from dreamplate.dream.palettes import Palette, oklab, parse_colour
from dreamplate.errors import ConfigError


def pixel(*rgb: float) -> torch.Tensor:
    return torch.tensor(rgb)[None, :, None, None]


def test_colours_are_read_as_on_the_web() -> None:
    assert parse_colour("#203a5f") == (0x20 / 255, 0x3A / 255, 0x5F / 255)
    assert parse_colour("#fC0") == parse_colour("ffcc00") == (1.0, 0.8, 0.0)
    for wrong in ("", "#", "red", "#12", "#12345", "#12345g", "#1234567", "# 12345"):
        with pytest.raises(ConfigError, match="palette colour is") as caught:
            parse_colour(wrong)
        assert "\n" not in str(caught.value)
    with pytest.raises(ConfigError, match="'blu'"):
        Palette(("#fff", "blu"))


def test_oklab_has_its_published_values() -> None:
    """Ottosson's table of pairs in XYZ, met through the primaries' known Oklab coordinates."""
    known = {
        (1.0, 1.0, 1.0): (1.0, 0.0, 0.0),
        (1.0, 0.0, 0.0): (0.62796, 0.22486, 0.12585),
        (0.0, 1.0, 0.0): (0.86644, -0.23389, 0.17950),
        (0.0, 0.0, 1.0): (0.45201, -0.03246, -0.31153),
    }
    for rgb, lab in known.items():
        assert torch.allclose(oklab(pixel(*rgb))[0, :, 0, 0], torch.tensor(lab), atol=2e-4), rgb


def test_gradients_are_finite_even_at_black_and_white() -> None:
    for value in (0.0, 1e-6, 0.04045, 0.5, 1.0):
        image = torch.full((1, 3, 4, 4), value, requires_grad=True)
        Palette(("#000", "#fff", "#808080")).loss(image).sum().backward()
        assert image.grad is not None and torch.isfinite(image.grad).all()


def test_palette_colours_cost_nothing_and_others_their_distance() -> None:
    palette = Palette(("#203a5f", "#f0e0c0"))
    ours = torch.cat([pixel(*parse_colour("#203a5f")), pixel(*parse_colour("#f0e0c0"))], dim=-1)
    assert palette.loss(ours).item() < 2e-3
    green = pixel(0.0, 0.8, 0.1)
    nearest = min(
        float((oklab(green) - oklab(pixel(*parse_colour(c)))).norm()) for c in ("#203a5f", "#f0e0c0")
    )
    assert palette.loss(green).item() == pytest.approx(nearest, abs=0.01)
    both = palette.loss(torch.cat([ours[..., :1], green]))
    assert both.shape == (2,) and both[0] < both[1] < 1


def test_descending_brings_a_picture_into_its_palette() -> None:
    palette = Palette(("#c03020", "#203a5f"))
    image = torch.rand((1, 3, 16, 16), generator=torch.Generator().manual_seed(0)).requires_grad_()
    optimiser = torch.optim.Adam([image], lr=0.02)
    before = palette.loss(image.clamp(0, 1)).item()
    for _ in range(120):
        optimiser.zero_grad()
        palette.loss(image.clamp(0, 1)).sum().backward()
        optimiser.step()
    assert palette.loss(image.clamp(0, 1)).item() < 0.25 * before


def test_large_pictures_are_measured_smaller() -> None:
    generator = torch.Generator().manual_seed(0)
    image = torch.rand((1, 3, 8, 10), generator=generator).repeat_interleave(50, -1).repeat_interleave(50, -2)
    palette = Palette(("#c03020", "#203a5f", "#eee"))
    assert palette.loss(image).item() == pytest.approx(palette.loss(image[..., ::50, ::50]).item(), rel=0.05)
