"""A small world by hand: a lake, a house, trees, a sailing boat, a mill, a fire; for laws of the renderer."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np

from dreamplate.plate.camera import Camera
from dreamplate.scenes.world.data import LightData, ThingData
from dreamplate.scenes.world.ground import Ground, bake, shape_of
from dreamplate.scenes.world.light import make_light
from dreamplate.scenes.world.spec import WorldSpec
from dreamplate.scenes.world.things import ThingRow, make_things

SPEC = WorldSpec(seed=5, biome="hills", water="lake", hour=15.0, weather="cloudy", trees="broadleaf")


@dataclass(frozen=True)
class SmallWorld:
    """What `render` asks for."""

    spec: WorldSpec
    ground: Ground
    things: ThingData
    light: LightData


def small_world(**changes: Any) -> SmallWorld:
    """Return the world; ``changes`` are fields of its spec."""
    spec = WorldSpec(**{**{name: getattr(SPEC, name) for name in SPEC.__dataclass_fields__}, **changes})
    ground = bake(shape_of(spec), [], None)
    rows = [
        ThingRow("house", _on(ground, -9.0, -34.0), yaw=0.4),
        ThingRow("windmill", _on(ground, 10.0, -30.0), yaw=2.6),
        ThingRow("broadleaf", _on(ground, 2.0, -26.0), size=0.8),
        ThingRow("campfire", _on(ground, -2.0, -13.0)),
        ThingRow("car", _on(ground, 4.0, -16.0), yaw=0.5, speed=(6.0, 0.0, -1.0)),
        ThingRow("boat", (14.0, max(ground.water, 0.0), -60.0), speed=(2.0, 0.0, 1.0)),
    ]
    return SmallWorld(spec, ground, make_things(rows, wind=1.0), make_light(spec))


def camera(world: SmallWorld, width: int = 48, height: int = 40, aside: float = 0.0) -> Camera:
    """Return a camera that looks ahead from three metres up."""
    y = float(world.ground.height(np.zeros(1), np.zeros(1))[0]) + 3.0
    pose = np.eye(4)
    turn = math.radians(-6.0)
    pose[:3, 1] = (0, math.cos(turn), math.sin(turn))
    pose[:3, 2] = (0, -math.sin(turn), math.cos(turn))
    pose[:3, 3] = (aside, y, 0.3 * aside)
    return Camera.from_fov(width, height, 70.0, pose)


def _on(ground: Ground, x: float, z: float) -> tuple[float, float, float]:
    return x, float(ground.height(np.array([x]), np.array([z]))[0]), z
