"""Laws of volume rendering that do not need anybody's numbers."""

from __future__ import annotations

import math

import pytest
import torch

from dreamplate.fields import volume
from dreamplate.fields.raw_outputs import raw_to_outputs


def test_an_even_fog_lets_through_exp_of_its_thickness() -> None:
    edges = torch.linspace(1, 3, 41, dtype=torch.float64).expand(2, 41)
    density = torch.tensor([[0.7], [2.0]], dtype=torch.float64).expand(2, 40)
    alphas = volume.alphas_from_density(density, edges[:, 1:] - edges[:, :-1])
    weights, light = volume.batched_weights(alphas)
    torch.testing.assert_close(weights.sum(1), 1 - torch.exp(-2 * density[:, 0]))
    torch.testing.assert_close(light, torch.exp(-density * (edges[:, :-1] - 1)))


def test_cutting_intervals_changes_nothing() -> None:
    density, lengths = torch.rand(5, 8, dtype=torch.float64), torch.rand(5, 8, dtype=torch.float64)
    whole = volume.batched_weights(volume.alphas_from_density(density, lengths))[0]
    halves = volume.alphas_from_density(density, lengths / 2).repeat_interleave(2, dim=1)
    cut = volume.batched_weights(halves)[0].reshape(5, 8, 2).sum(2)
    torch.testing.assert_close(cut, whole)


def test_packing_and_unpacking() -> None:
    offsets = torch.tensor([0, 2, 2, 5])
    values = torch.arange(10.0).reshape(5, 2)
    table = volume.unpack(values, offsets)
    assert table.shape == (3, 3, 2) and (table[1] == 0).all()
    assert torch.equal(volume.pack(table, offsets), values)
    assert torch.equal(volume.offsets_of(torch.tensor([0, 0, 2, 2, 2]), 3), offsets)


def test_depths_of_a_wall_behind_a_veil() -> None:
    starts = torch.tensor([[0.0, 1.0, 2.0, 3.0], [0.0, 1.0, 2.0, 3.0]])
    weights = torch.tensor([[0.2, 0.0, 0.0, 0.6], [0.0, 0.0, 0.0, 0.0]])
    mean, median, variance = volume.ray_depths(weights, starts, starts + 1)
    assert mean.tolist() == pytest.approx([(0.2 * 0.5 + 0.6 * 3.5) / 0.8, 0])
    assert median.tolist() == [3.5, 0]
    assert variance.tolist() == pytest.approx([0.25 * 0.75 * 9, 0])


def test_distortion_is_the_double_sum() -> None:
    draws = torch.Generator().manual_seed(3)
    edges = torch.rand(4, 7, generator=draws, dtype=torch.float64).cumsum(1)
    starts, ends = edges[:, :-1], edges[:, 1:]
    weights = torch.rand(4, 6, generator=draws, dtype=torch.float64)
    middles = (starts + ends) / 2
    pairs = weights[:, :, None] * weights[:, None] * (middles[:, :, None] - middles[:, None]).abs()
    wanted = pairs.sum((1, 2)) + (weights**2 * (ends - starts)).sum(1) / 3
    torch.testing.assert_close(volume.batched_distortion(weights, starts, ends), wanted)
    offsets = torch.arange(5) * 6
    packed = volume.packed_distortion(weights.flatten(), starts.flatten(), ends.flatten(), offsets)
    torch.testing.assert_close(packed, wanted)


def test_a_last_sample_with_density_is_a_wall() -> None:
    raw = torch.full((1, 3, 4), -5.0)
    raw[0, 2] = torch.tensor([0.0, 0.0, 0.0, 1e-3])
    found = raw_to_outputs(raw, torch.tensor([[1.0, 2.0, 3.0]]), torch.tensor([1.0]))
    assert found.opacity.item() == 1 and found.disparity.item() == pytest.approx(1 / 3)
    assert found.colour.tolist() == [pytest.approx([0.5, 0.5, 0.5])]
    empty = raw_to_outputs(raw - 5, torch.tensor([[1.0, 2.0, 3.0]]), torch.tensor([1.0]), white=True)
    assert empty.colour.tolist() == [[1, 1, 1]] and math.isnan(empty.disparity.item())
