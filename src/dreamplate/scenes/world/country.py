"""What kind of country a picture shows: from how high its land stands against the sky, its snow and its sea.

A world's biome says how its ground was made. A picture of it may look elsewhere: hills between mountains, a
coast seen from inland, a plain under snow. Who describes the picture, or learns from the description, wants
what is there to be seen.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from dreamplate.plate.camera import Camera
from dreamplate.scenes.world.classes import CLASSES

__all__ = ["HILLS", "LAND", "MOUNTAINS", "country_seen", "shore_beyond", "skyline"]

LAND = ("sand", "grass", "rock", "snow", "soil", "road")
"""Classes of bare ground."""
HILLS, MOUNTAINS = 3.0, 11.0
"""Degrees of the skyline above the eye from which land is called hills, and mountains."""
_FAR = 40.0
"""Metres from which ground counts as skyline."""
_FOREST = 150.0
"""Metres from which trees do: nearer ones say nothing about the land."""
_FREE = 0.2
"""Share of columns that nothing near may block, at least, to tell."""
_ISLANDS = 0.6
"""Share of columns with sea that end in land from which one looks at islands."""
Ids = npt.NDArray[np.generic]


def country_seen(biome: str, labels: Ids, distances: npt.NDArray[np.floating], camera: Camera) -> str:
    """Return the biome that a picture shows; the world's own where it cannot be told.

    Deserts, canyons and snow countries are told by their ground wherever one looks. A coast or islands want
    the sea, and islands land beyond it. All else is mountains, hills or plains by its skyline, and a snow
    country where it is white and without mountains.

    Args:
        biome: Of the world.
        labels: ``(height, width)`` class ids; what fog hides is sky.
        distances: ``(height, width)`` metres along the ray.
        camera: It was seen by.
    """
    if biome in ("desert", "canyon", "snow"):
        return biome
    share = np.bincount(np.asarray(labels, np.int64).ravel(), minlength=len(CLASSES)) / labels.size
    if biome in ("coast", "islands") and share[CLASSES["water"]] > 0.012:
        return biome if biome == "coast" or shore_beyond(labels) >= _ISLANDS else "coast"
    height = skyline(labels, distances, camera)
    if height is None:
        return biome
    if height >= MOUNTAINS:
        return "mountains"
    land = sum(share[CLASSES[name]] for name in LAND)
    if share[CLASSES["snow"]] > max(0.3 * land, 0.02):
        return "snow"
    return "hills" if height >= HILLS else "plains"


def skyline(labels: Ids, distances: npt.NDArray[np.floating], camera: Camera) -> float | None:
    """Return how high far land stands above the eye, degrees, in the upper quarter of columns.

    Returns:
        0 where it lies below; ``None`` where things and near trees block most of the picture.
    """
    rows = ((np.arange(camera.height) + 0.5 - camera.cy) / camera.fy)[:, None]
    columns = ((np.arange(camera.width) + 0.5 - camera.cx) / camera.fx)[None]
    right, up, back = camera.camera_to_world[1, :3]
    rise = (right * columns - up * rows - back) / np.sqrt(1.0 + rows**2 + columns**2)
    ground = np.isin(labels, [CLASSES[name] for name in LAND])
    forest = (labels == CLASSES["tree"]) & (distances > _FOREST)
    far = (ground & (distances > _FAR)) | forest
    near = ~(ground | forest | np.isin(labels, [CLASSES["sky"], CLASSES["water"]]))
    land = np.where(far, rise, -1.0).max(0)
    free = np.where(near, rise, -1.0).max(0) <= np.maximum(land, 0.03)
    if free.mean() < _FREE:
        return None
    return float(np.degrees(np.arcsin(np.percentile(np.clip(land[free], 0.0, 1.0), 75))))


def shore_beyond(labels: Ids) -> float:
    """Return the share of columns with water in which land stands above the water; 0 without any."""
    water = labels == CLASSES["water"]
    land = np.isin(labels, [CLASSES[name] for name in (*LAND, "tree")])
    first = water.argmax(0)  # the highest row of water
    above = np.arange(labels.shape[0])[:, None] < first[None]
    wet = water.any(0)
    return float((land & above).any(0)[wet].mean()) if wet.any() else 0.0
