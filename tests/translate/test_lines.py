"""Line drawings of tensors: what holds of the operators, whatever the picture."""

from __future__ import annotations

import math

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from dreamplate.translate.lines import across, along_flow, blur, fill, flow, ink, lab, pixel_places, response
from dreamplate.translate.lines_contour import borders, gate, soft_histogram


def step_picture(low: float, high: float, size: int = 48) -> Tensor:
    """Lightness with a vertical step in the middle, dark on the left; no colour."""
    picture = torch.zeros(1, 3, size, size)
    picture[:, 0, :, : size // 2], picture[:, 0, :, size // 2 :] = low, high
    return picture


def waves(seed: int = 0, size: int = 40) -> Tensor:
    """Smooth display-encoded colour, 0-1."""
    noise = torch.rand(1, 3, 7, 7, generator=torch.Generator().manual_seed(seed))
    return F.interpolate(noise, size=(size, size), mode="bicubic", align_corners=False).clamp(0, 1)


def test_lab_knows_the_white_point_greys_and_primaries() -> None:
    colours = torch.tensor([[1.0, 1, 1], [0.5, 0.5, 0.5], [0, 0, 0], [0.7, 0, 0]])
    made = lab(colours[:, :, None, None])[:, :, 0, 0] * 100
    assert made[1, 0] == pytest.approx(53.39, abs=0.02)
    assert made[2].abs().max() < 0.01
    assert made[:3, 1:].abs().max() < 0.05
    # Full red is 53.24, 80.09, 67.20; of c times the light, all three roots are c^(1/3) times as long.
    shorter = (((0.7 + 0.055) / 1.055) ** 2.4) ** (1 / 3)
    wanted = [(53.24 + 16) * shorter - 16, 80.09 * shorter, 67.20 * shorter]
    assert made[3].tolist() == pytest.approx(wanted, abs=0.1)


def test_highlights_are_folded_and_stay_in_order() -> None:
    light = lab(torch.tensor([0.79, 0.8, 0.81, 1.0, 2.0, 100.0])[:, None, None, None].expand(6, 3, 1, 1))
    assert (light[1:, 0] > light[:-1, 0]).all() and light[-1, 0] < 3


@pytest.mark.parametrize("sigma", [0.4, 1.0, 2.7])
def test_blur_is_a_convolution_with_a_gaussian(sigma: float) -> None:
    image = torch.rand(2, 3, 19, 23, generator=torch.Generator().manual_seed(1))
    reach = math.ceil(3 * sigma)
    places = torch.arange(-reach, reach + 1, dtype=torch.float64)
    taps = torch.exp(-0.5 * (places / sigma) ** 2)
    kernel = torch.outer(taps, taps) / taps.sum() ** 2
    wide = F.pad(image.double(), (reach,) * 4, mode="replicate")
    wanted = F.conv2d(wide.flatten(0, 1)[:, None], kernel[None, None]).view(2, 3, 19, 23)
    assert (blur(image, sigma) - wanted).abs().max() < 1e-6


def test_across_is_a_difference_of_gaussians_along_a_row_where_edges_stand_upright() -> None:
    image = torch.rand(1, 1, 9, 64, generator=torch.Generator().manual_seed(2))
    along = torch.zeros(1, 2, 9, 64)
    along[:, 1] = 1
    found = across(image, along, 1.3)
    places = torch.arange(-6, 7, dtype=torch.float32)
    narrow, wide = (torch.exp(-0.5 * (places / s) ** 2) for s in (1.3, 1.6 * 1.3))
    kernel = wide / wide.sum() - narrow / narrow.sum()
    wanted = F.conv2d(F.pad(image, (6, 6, 0, 0), mode="replicate"), kernel[None, None, None])
    assert (found - wanted).abs().max() < 1e-5


def test_flow_runs_around_a_disc_and_averages_along_it_keep_the_disc() -> None:
    places = pixel_places(torch.zeros(1, 1, 64, 64)) - 31.5
    radius = places.norm(dim=1, keepdim=True)
    picture = torch.cat([torch.sigmoid((radius - 20) / 1.5), torch.zeros(1, 2, 64, 64)], dim=1)
    along, lightness = flow(picture, 0.7, 2.0)
    rim = (radius - 20).abs() < 3
    outward = (along * places / radius).sum(1, keepdim=True)
    assert outward.abs()[rim].max() < 0.1
    assert lightness[rim].min() > 0.99
    circles = torch.cos(radius / 3)
    noise = torch.randn(1, 1, 64, 64, generator=torch.Generator().manual_seed(0))
    kept = along_flow(circles, along, 5.0)
    assert (kept - circles)[rim].abs().mean() < 0.04
    assert along_flow(noise, along, 5.0)[rim].std() < 0.35


def test_a_line_is_on_the_dark_side_as_strong_as_the_step_and_as_wide_as_asked() -> None:
    for sigma in (0.8, 1.2, 2.0):
        found = response(step_picture(0.6, 0.75), sigma)[0, 0, 24]
        assert int(found.argmax()) in range(24 - math.ceil(2 * sigma), 24)
        assert found.max() == pytest.approx(0.15 / (0.4 + 0.9 * 0.67), rel=0.2)
        wide = int((ink(found[None, None, None], 0.03) > 0.5).sum())
        assert 1.2 * sigma <= wide <= 3.2 * sigma
        assert found[30:].max() < 0.02


def test_an_edge_between_equally_light_colours_is_drawn_and_the_even_is_not() -> None:
    picture = step_picture(0.6, 0.6)
    picture[:, 1, :, :24], picture[:, 1, :, 24:] = -0.3, 0.3
    assert response(picture, 1.2)[0, 0, 24].max() > 0.15
    assert response(step_picture(0.6, 0.6), 1.2).abs().max() < 1e-5


def test_a_picture_turned_or_mirrored_is_drawn_turned_or_mirrored() -> None:
    picture = lab(waves())
    plain = response(picture, 1.2)
    assert plain.max() > 0.1
    for change in (lambda t: t.flip(3), lambda t: t.flip(2), lambda t: t.rot90(1, (2, 3))):
        assert (response(change(picture), 1.2) - change(plain)).abs().max() < 2e-3


def test_what_lies_far_away_changes_nothing() -> None:
    calm = lab(waves(1, 120))
    wild = calm.clone()
    wild[:, :, :, 90:] = lab(waves(2, 120) * 50)[:, :, :, 90:]
    assert torch.equal(response(calm, 1.0)[..., :50], response(wild, 1.0)[..., :50])


def test_ink_and_fill_begin_and_end_where_they_say() -> None:
    contrast = torch.tensor([0.0, 0.05, 0.1, 0.15, 1.0])[None, None, None]
    assert ink(contrast, 0.05, 2.0)[0, 0, 0].tolist() == pytest.approx([0, 0, 0.5, 1, 1])
    light = torch.tensor([0.1, 0.2, 0.3])[None, None, None]
    flat = torch.zeros(1, 1, 1, 3)
    assert fill(light, flat, 0.2)[0, 0, 0].tolist() == pytest.approx([1, 0, 0])
    assert fill(light, flat, 0.0).abs().sum() == 0
    assert fill(light, flat + 0.4, 0.2)[0, 0, 0, 1] == 1


def test_histograms_add_up_to_one() -> None:
    values = torch.linspace(-2, 2, 50)[None, None, None]
    made = soft_histogram(values, 7, -0.7, 0.8)
    assert torch.allclose(made.sum(1), torch.ones(1, 1, 50))
    mean = (made * torch.linspace(-0.7, 0.8, 7)[None, :, None, None]).sum(1)
    assert torch.allclose(mean, values[:, 0].clamp(-0.7, 0.8), atol=1e-6)


def test_borders_are_between_textures_of_one_mean_and_not_inside_them() -> None:
    draws = torch.Generator().manual_seed(3)
    picture = torch.zeros(1, 3, 96, 96)
    picture[:, 0] = 0.5 + 0.2 * (torch.rand(1, 96, 96, generator=draws) - 0.5)
    picture[:, 0, :, 48:] = 0.5 + 0.9 * (torch.rand(1, 96, 48, generator=draws) - 0.5)
    found = borders(picture)[0, 0]
    inside = torch.cat([found[:, 20:30], found[:, 66:76]], dim=1).mean()
    assert found[:, 46:50].mean() > 3 * inside
    flat = torch.full((1, 1, 5, 5), 0.2)
    assert gate(flat).max() == 0 and gate(flat + 1).min() == 1.5
