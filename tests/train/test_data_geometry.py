"""Geometry and colour of examples: the same for every part, and nothing new in labels."""

from __future__ import annotations

import math
from dataclasses import replace

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from dreamplate.train import Port
from dreamplate.train.data.geometry import (
    Place,
    centre,
    draw_places,
    scale_ids,
    scale_picture,
    scaled_size,
    view_ids,
    view_picture,
)
from dreamplate.train.data.jitter import colour_jitter
from dreamplate.train.options import AugmentOptions


def ids_of(height: int, width: int) -> torch.Tensor:
    return torch.arange(height * width).view(height, width) * 7 + 3


places = st.builds(
    Place,
    top=st.integers(-3, 6),
    left=st.integers(-3, 6),
    height=st.integers(1, 12),
    width=st.integers(1, 12),
    zoom=st.sampled_from([1.0, 0.6, 1.7]),
    angle=st.floats(-math.pi, math.pi) | st.just(0.0),
    flip=st.booleans(),
)


@settings(max_examples=40, deadline=None, derandomize=True)
@given(places)
def test_no_new_ids_and_a_second_mirror_undoes_the_first(place: Place) -> None:
    ids = ids_of(9, 11)
    seen = view_ids(ids, place)
    assert seen.shape == (place.height, place.width)
    assert set(seen.flatten().tolist()) <= set(ids.flatten().tolist())
    mirrored = replace(place, flip=not place.flip)
    assert torch.equal(view_ids(ids, mirrored).flip(-1), seen)
    picture = torch.rand(2, 9, 11, generator=torch.Generator().manual_seed(0))
    shown = view_picture(picture, place)
    assert torch.allclose(view_picture(picture, mirrored).flip(-1), shown, atol=1e-5)
    assert shown.shape == (2, place.height, place.width)
    assert bool((shown >= picture.amin((1, 2))[:, None, None]).all())
    assert bool((shown <= picture.amax((1, 2))[:, None, None]).all())


@settings(max_examples=30, deadline=None, derandomize=True)
@given(places)
def test_pictures_and_ids_go_to_the_same_places(place: Place) -> None:
    # A picture of large plain squares: away from their borders, filtering changes nothing.
    ids = torch.arange(6).view(2, 3).repeat_interleave(16, 0).repeat_interleave(16, 1)
    place = replace(place, height=32, width=48, top=place.top * 2, left=place.left * 2)
    seen, shown = view_ids(ids, place), view_picture(ids[None].float(), place)[0]
    assert ((seen - shown).abs() < 0.02).float().mean() > 0.6
    flat = torch.ones(3, 3)[None, None]
    near = torch.nn.functional.conv2d((seen[None, None] != shown.round()).float(), flat, padding=1) == 9
    assert not bool(near.any())  # no region is elsewhere, only its border


def test_turning_by_right_angles_is_exact() -> None:
    ids = ids_of(8, 8)
    place = Place(0, 0, 8, 8, angle=math.pi / 2)
    assert torch.equal(view_ids(ids, place), torch.rot90(ids))
    turned = view_picture(ids[None].float(), place)[0]
    assert torch.allclose(turned, torch.rot90(ids).float(), atol=0.05)
    assert torch.equal(view_ids(ids, replace(place, angle=math.pi)), torch.rot90(ids, 2))


def test_crops_are_exact_and_small_types_stay_as_they_are() -> None:
    picture = torch.randint(256, (3, 9, 11), dtype=torch.uint8, generator=torch.Generator().manual_seed(0))
    seen = view_picture(picture, Place(2, 3, 4, 5))
    assert seen.dtype == torch.uint8 and torch.equal(seen, picture[:, 2:6, 3:8])
    assert centre((9, 11), (4, 5)) == Place(2, 3, 4, 5) and centre((9, 11), (0, 0)) == Place(0, 0, 9, 11)


@pytest.mark.parametrize(
    ("size", "shortest", "stretch", "wanted"),
    [
        ((480, 640), 0, False, (480, 640)),
        ((480, 640), 256, False, (256, 341)),
        ((641, 3), 3, False, (641, 3)),
        ((480, 640), 286, True, (286, 286)),
    ],
)
def test_scaled_sizes(size: tuple[int, int], shortest: int, stretch: bool, wanted: tuple[int, int]) -> None:
    assert scaled_size(size, shortest, stretch=stretch) == wanted


def test_scaling_keeps_flat_pictures_and_the_range_of_others() -> None:
    assert torch.equal(scale_picture(torch.full((1, 9, 7), 0.25), (5, 12)), torch.full((1, 5, 12), 0.25))
    edge = torch.zeros(1, 8, 8)
    edge[:, :, 4:] = 1
    for size in ((8, 19), (3, 5)):
        made = scale_picture(edge, size)
        assert made.shape == (1, *size) and float(made.min()) >= 0 and float(made.max()) <= 1
    ids = ids_of(4, 6)
    assert torch.equal(scale_ids(ids, (8, 12)), ids.repeat_interleave(2, 0).repeat_interleave(2, 1))
    assert torch.equal(scale_ids(scale_ids(ids, (12, 18)), (4, 6)), ids)


def test_draws_reach_all_places_and_obey_the_options() -> None:
    numbers = torch.rand(400, 5, generator=torch.Generator().manual_seed(0))
    still = draw_places(numbers, [(6, 8)] * 400, (4, 4), AugmentOptions(flip=False))
    assert {(p.top, p.left) for p in still} == {(top, left) for top in range(3) for left in range(5)}
    assert all((p.zoom, p.angle, p.flip) == (1, 0, False) for p in still)
    free = draw_places(numbers, [(6, 8)] * 400, (4, 4), AugmentOptions(rotate=15, zoom=2))
    assert all(0.5 <= p.zoom <= 2 and abs(math.degrees(p.angle)) <= 15 for p in free)
    assert 150 < sum(p.flip for p in free) < 250
    assert all(
        p.height == 6 and p.width == 8
        for p in draw_places(numbers[:2], [(6, 8)] * 2, (0, 0), AugmentOptions())
    )


def test_colour_changes_colour_alone() -> None:
    generator = torch.Generator().manual_seed(0)
    pictures = torch.rand(2, 4, 5, 5, generator=generator) * 2 - 1
    numbers = torch.rand(2, 3, generator=generator)
    port = Port(channels=("R", "G", "B", "Z"))
    made = colour_jitter(pictures, numbers, 0.5, port)
    assert torch.equal(made[:, 3], pictures[:, 3]) and not torch.equal(made, pictures)
    assert float(made.abs().max()) <= 1
    middle = torch.full((2, 3), 0.5)  # no change
    assert torch.allclose(colour_jitter(pictures, middle, 0.5, port), pictures, atol=1e-6)
    assert colour_jitter(pictures, numbers, 0.0, port) is pictures
    data = Port(channels=("N.x", "N.y", "N.z", "Z"), encoding="raw")
    assert colour_jitter(pictures, numbers, 0.5, data) is pictures
    grey = torch.rand(1, 1, 4, 4, generator=generator)
    brighter = colour_jitter(grey, torch.tensor([[1.0, 0.5, 0.0]]), 0.2, Port(channels=("Y",)))
    assert torch.allclose((brighter + 1) / 2, ((grey + 1) / 2 * 1.2).clamp(0, 1), atol=1e-6)
