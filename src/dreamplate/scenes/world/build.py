"""From a spec to a world: ground, things in their places, plants, light, and the camera it is made for."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from dreamplate.plate.camera import Camera
from dreamplate.scenes.world.data import LightData, ThingData
from dreamplate.scenes.world.draw import stream
from dreamplate.scenes.world.ground import Ground, bake, shape_of
from dreamplate.scenes.world.light import make_light
from dreamplate.scenes.world.placing import Eye, Floats
from dreamplate.scenes.world.placing_plants import plant
from dreamplate.scenes.world.placing_road import WIDTH, find_road
from dreamplate.scenes.world.placing_things import Item, Plan, place_things
from dreamplate.scenes.world.spec import WorldSpec
from dreamplate.scenes.world.things import SHAPES, ThingRow, make_things
from dreamplate.scenes.world.viewpoint import first_viewpoint, settled
from dreamplate.take.config import check

__all__ = ["Standing", "World", "build"]

_FOREST_FROM = 260.0


@dataclass(frozen=True)
class Standing:
    """What a thing is to those who speak of it.

    Attributes:
        noun: A key of `words.NOUNS`, or ``church``.
        group: Number of its spec in ``WorldSpec.things``; -1: it belongs to none.
        site: A key of `words.SITES`.
        place: Its foot.
        radius: Metres around it that it takes.
        height: Metres it stands high.
    """

    noun: str
    group: int
    site: str
    place: tuple[float, float, float]
    radius: float
    height: float


@dataclass(frozen=True, eq=False)
class World:
    """A world that can be rendered.

    Attributes:
        spec: What it was built from.
        ground: The ground.
        things: All that stands or moves on it.
        light: Light, sky and air.
        eye: The viewpoint.
        standings: What things are, by instance id; plants and stones are left out.
        road: Points ``(k, 2)`` of the middle of the road, or None.
    """

    spec: WorldSpec
    ground: Ground
    things: ThingData
    light: LightData
    eye: Eye
    standings: Mapping[int, Standing]
    road: Floats | None = None

    def camera(self, width: int, height: int, time: float = 0.0) -> Camera:
        """Return the camera at the viewpoint.

        The field of view of the spec is that of the height; a wide picture shows more to the sides, a tall
        one less.

        Args:
            width: Pixels.
            height: Pixels.
            time: Seconds; the viewpoint rests, only things move.
        """
        return camera_at(self.eye, width, height, time)


def camera_at(eye: Eye, width: int, height: int, time: float | None = None, name: str = "") -> Camera:
    """Return the camera of an eye; see `World.camera`."""
    focal = height / 2 / eye.half
    cosine, sine = math.cos(eye.yaw), math.sin(eye.yaw)
    up, ahead = math.sin(eye.pitch), math.cos(eye.pitch)
    pose = np.eye(4)
    pose[:3, 0] = (cosine, 0, -sine)
    pose[:3, 2] = (sine * ahead, -up, cosine * ahead)  # it looks along its own -Z
    pose[:3, 1] = np.cross(pose[:3, 2], pose[:3, 0])
    pose[:3, 3] = (eye.x, eye.y, eye.z)
    return Camera(width, height, focal, focal, width / 2, height / 2, pose, time=time, name=name)


def build(spec: WorldSpec) -> World:
    """Return the world of a spec; the same spec gives the same world.

    Raises:
        ConfigError: A field of the spec is out of bounds.
        SceneError: Boats without water, or cars without a road.
    """
    spec = check(spec, source="world")
    rng = stream(spec.seed, "build")
    shape = shape_of(spec)
    plan = Plan(spec, shape, first_viewpoint(spec, shape, rng))
    if spec.road:
        plan.road = find_road(plan.heights, shape.water, plan.eye, rng)
    place_things(plan, rng)
    flats = [flat for flat in plan.flats if math.hypot(flat.x, flat.z) < 2 * shape.extent]
    ground = bake(shape, flats, plan.road, road_width=WIDTH, forest_from=_FOREST_FROM)
    eye = settled(plan, ground, rng)
    rows = [_row(item, ground, rng) for item in plan.items]
    standings = {
        number: Standing(
            item.noun, item.group, item.site, row.place, row.radius, SHAPES[row.shape].height * row.sizes[1]
        )
        for number, (item, row) in enumerate(zip(plan.items, rows, strict=True), 1)
        if item.noun
    }
    rows += plant(spec, ground, eye, plan.taken, plan.shown, plan.road, rng)
    snow = 0.85 if spec.biome == "snow" or spec.weather == "snowfall" else 0.0
    if spec.season == "winter" and spec.biome not in ("desert", "canyon", "islands"):
        snow = max(snow, 0.6)
    return World(
        spec, ground, make_things(rows, spec.wind, snow), make_light(spec), eye, standings, plan.road
    )


def _row(item: Item, ground: Ground, rng: np.random.Generator) -> ThingRow:
    y = item.y if item.y is not None else float(ground.height(item.x, item.z))
    speed = item.speed
    if item.site == "road":  # it follows the slope of the road where it is
        fast = math.hypot(speed[0], speed[2])
        ahead = float(ground.height(item.x + speed[0] / fast * 6, item.z + speed[2] / fast * 6))
        speed = (speed[0], (ahead - y) / 6 * fast, speed[2])
    return ThingRow(
        item.shape,
        (item.x, y, item.z),
        item.yaw,
        item.size,
        item.colour,
        item.accent,
        int(rng.integers(1 << 31)),
        speed,
        float(rng.uniform(0, 2 * math.pi)),
        item.smoke,
    )
