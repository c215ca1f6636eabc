"""What country a picture shows, on pictures whose answer is known by geometry."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest

from dreamplate.plate.camera import Camera
from dreamplate.scenes.world.build import camera_at
from dreamplate.scenes.world.classes import CLASSES
from dreamplate.scenes.world.country import country_seen, shore_beyond, skyline
from dreamplate.scenes.world.placing import Eye

SIZE = 64


def eye() -> Camera:
    return camera_at(Eye(0, 2, 0), SIZE, SIZE)


def elevations(camera: Camera) -> Any:
    """Degrees above the horizon of each pixel's ray, by the camera's own rays."""
    columns, rows = np.meshgrid(np.arange(SIZE) + 0.5, np.arange(SIZE) + 0.5)
    x, y = (columns - camera.cx) / camera.fx, -(rows - camera.cy) / camera.fy
    rays = np.stack([x, y, -np.ones_like(x)], -1) @ camera.camera_to_world[:3, :3].T
    return np.degrees(np.arcsin(rays[..., 1] / np.linalg.norm(rays, axis=-1)))


def land_up_to(degrees: float, name: str = "grass", away: float = 900.0) -> tuple[Any, Any]:
    """A picture of land below so many degrees, sky above."""
    up = elevations(eye())
    labels = np.where(up < degrees, CLASSES[name], CLASSES["sky"]).astype(np.uint8)
    return labels, np.where(up < degrees, away, 1e10)


@pytest.mark.parametrize("degrees", [1.0, 4.0, 8.0, 15.0, 20.0])
def test_the_skyline_is_where_the_land_ends(degrees: float) -> None:
    found = skyline(*land_up_to(degrees), eye())
    pixel = math.degrees(1.0 / eye().fy)
    assert found is not None
    assert degrees - pixel <= found <= degrees


def test_land_is_named_by_its_skyline() -> None:
    names = [country_seen("mountains", *land_up_to(degrees), eye()) for degrees in (0.5, 6.0, 16.0)]
    assert names == ["plains", "hills", "mountains"]
    white = [country_seen("hills", *land_up_to(degrees, "snow"), eye()) for degrees in (0.5, 6.0, 16.0)]
    assert white == ["snow", "snow", "mountains"]


@pytest.mark.parametrize("biome", ["desert", "canyon", "snow"])
def test_ground_that_tells_keeps_its_name(biome: str) -> None:
    assert country_seen(biome, *land_up_to(6.0), eye()) == biome


def test_near_ground_and_near_trees_are_no_skyline() -> None:
    assert skyline(*land_up_to(12.0, away=10.0), eye()) == 0.0
    assert skyline(*land_up_to(12.0, "tree", away=60.0), eye()) is None
    assert skyline(*land_up_to(12.0, "tree", away=600.0), eye()) == pytest.approx(12.0, abs=1.5)


def test_what_cannot_be_told_stays_the_worlds_own() -> None:
    labels, metres = land_up_to(4.0)
    labels[:, 4:] = CLASSES["castle"]
    metres[:, 4:] = 30.0
    assert skyline(labels, metres, eye()) is None
    assert country_seen("mountains", labels, metres, eye()) == "mountains"


def test_a_coast_wants_the_sea_and_islands_want_land_beyond_it() -> None:
    labels, metres = land_up_to(6.0)
    assert country_seen("coast", labels, metres, eye()) == "hills"
    labels[40:50] = CLASSES["water"]
    assert shore_beyond(labels) == 1.0
    assert country_seen("islands", labels, metres, eye()) == "islands"
    open_sea, far = land_up_to(-90.0)
    open_sea[40:] = CLASSES["water"]
    assert shore_beyond(open_sea) == 0.0
    assert [country_seen(biome, open_sea, far, eye()) for biome in ("coast", "islands")] == ["coast", "coast"]
    assert shore_beyond(np.full((4, 4), CLASSES["sky"])) == 0.0
