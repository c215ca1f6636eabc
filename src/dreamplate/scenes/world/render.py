"""Rendering a world: from a camera and a moment to a frame of passes.

Rays through pixel centres give every pass. Where neighbours differ, pixels get more rays, for colour alone.
Then lights glow and rain or snow falls over the picture.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

from dreamplate.errors import SceneError
from dreamplate.plate.camera import Camera
from dreamplate.scenes.world import light_layout as at
from dreamplate.scenes.world.data import GroundData, LightData, ThingData
from dreamplate.scenes.world.lamps import lamps_of
from dreamplate.scenes.world.lines import contours
from dreamplate.scenes.world.passes import NOTHING, Frame, checked_passes

__all__ = ["MOST_PIXELS", "SAMPLES", "GroundLike", "WorldLike", "render"]

SAMPLES = 4
"""Rays through a pixel on an edge, unless asked otherwise."""
MOST_PIXELS = 1 << 26
"""Pixels of a picture at most."""
_CONTRAST = 0.085
_SPARK = 6.0
_GLOW_FROM, _GLOW = 1.0, 0.075


class GroundLike(Protocol):
    """Ground, as rays see it."""

    @property
    def data(self) -> GroundData:
        """Arrays of the ground."""


class WorldLike(Protocol):
    """What can be rendered."""

    @property
    def ground(self) -> GroundLike:
        """The ground."""

    @property
    def things(self) -> ThingData:
        """What stands on it."""

    @property
    def light(self) -> LightData:
        """Light, sky and air."""


@dataclass(frozen=True, eq=False)
class _Met:
    """What rays through the centres met; see `kernels.picture.paint`."""

    rays: npt.NDArray[np.float64]
    colour: npt.NDArray[np.float32]
    reach: npt.NDArray[np.float64]
    kinds: npt.NDArray[np.uint8]
    rows: npt.NDArray[np.int32]
    normals: npt.NDArray[np.float32]
    albedo: npt.NDArray[np.float32]
    labels: npt.NDArray[np.uint8]


def render(
    world: WorldLike,
    camera: Camera,
    time: float = 0.0,
    *,
    passes: Sequence[str] = ("rgb",),
    samples: int = SAMPLES,
    next_camera: Camera | None = None,
    next_time: float | None = None,
    previous_camera: Camera | None = None,
    previous_time: float | None = None,
) -> Frame:
    """Render one frame.

    Args:
        world: Ground, things and light.
        camera: At rest; a shutter that stays open is taken at its first moment.
        time: Seconds.
        passes: Of `passes.PASSES`.
        samples: Rays through a pixel on an edge, for rgb; 1: the centre alone everywhere.
        next_camera: Of the next frame, for the pass ``forward``; if left out, this one's.
        next_time: Moment of the next frame; if left out, this one's.
        previous_camera: Of the frame before, for ``backward``.
        previous_time: Its moment.

    Raises:
        SceneError: A pass is unknown, a motion has no other frame, the size or ``samples`` are out of bounds.
    """
    names = checked_passes(passes)
    if not 1 <= samples <= 64:
        raise SceneError(f"samples is {samples}; need 1 to 64")
    if camera.width * camera.height > MOST_PIXELS:
        raise SceneError(f"{camera.width} x {camera.height} pixels are too many; at most {MOST_PIXELS}")
    if not math.isfinite(time):
        raise SceneError(f"time is {time}; need a finite number")
    others = {"forward": (next_camera, next_time), "backward": (previous_camera, previous_time)}
    for name, (there, moment) in others.items():
        if name in names and there is None and moment is None:
            raise SceneError(f"pass {name!r} needs a camera or a time of the other frame")
    met = _follow(world, camera, time, light="rgb" in names)
    made: dict[str, npt.NDArray[Any]] = {}
    for name in names:
        if name == "rgb":
            made[name] = _finished(world, camera, time, met, samples)
        elif name in others:
            there, moment = others[name]
            made[name] = _motion(
                world, camera, there or camera, time, time if moment is None else moment, met
            )
        else:
            made[name] = _data_pass(name, world, camera, met)
    return Frame(made, camera, time)


def _follow(world: WorldLike, camera: Camera, time: float, light: bool) -> _Met:
    """Return what rays through all pixel centres met."""
    rays = camera.rays(camera.pixel_centres())[1]
    count = len(rays)
    met = _Met(
        rays=rays,
        colour=np.zeros((count, 3), np.float32),
        reach=np.zeros(count),
        kinds=np.zeros(count, np.uint8),
        rows=np.zeros(count, np.int32),
        normals=np.zeros((count, 3), np.float32),
        albedo=np.zeros((count, 3), np.float32),
        labels=np.zeros(count, np.uint8),
    )
    _paint(world, camera, time, met, light, True)
    return met


def _paint(world: WorldLike, camera: Camera, time: float, met: _Met, light: bool, full: bool) -> None:
    from dreamplate.scenes.world.kernels.picture import BLOCK, paint

    eye = np.array(camera.position, np.float64)
    lamps = lamps_of(world.things, world.light, eye)
    blocks = -(-len(met.rays) // BLOCK)
    paint(_order(blocks), eye, met.rays, 1 / max(camera.fx, camera.fy), light, full, float(time),
          world.ground.data, world.things, world.light.numbers, lamps,
          met.colour, met.reach, met.kinds, met.rows, met.normals, met.albedo, met.labels)  # fmt: skip


def _order(blocks: int) -> npt.NDArray[np.int64]:
    """Return an order of blocks in which every run of it holds blocks from all over the picture."""
    stride = max(1, int(blocks * 0.6180339887))
    while math.gcd(stride, blocks) != 1:
        stride += 1
    return (np.arange(blocks, dtype=np.int64) * stride) % blocks


def _finished(
    world: WorldLike, camera: Camera, time: float, met: _Met, samples: int
) -> npt.NDArray[np.float32]:
    """Return filtered colour with glow, rain and snow, ``(h, w, 3)``."""
    from dreamplate.scenes.world.kernels.finish import bloom, fall_rain, fall_snow

    height, width = camera.height, camera.width
    if samples > 1:
        _sharpen(world, camera, time, met, samples)
    image = np.ascontiguousarray(met.colour.reshape(height, width, 3))
    bloom(image, np.empty_like(image), np.empty((width, height, 3), np.float32), _GLOW_FROM, _GLOW)
    light = world.light
    numbers = [float(value) for value in light.numbers]
    for kernel, strength in ((fall_rain, numbers[at.RAIN]), (fall_snow, numbers[at.SNOW])):
        if strength > 0:
            kernel(
                image, strength, numbers[at.STREAK], float(time), *numbers[at.FALL : at.FALL + 3], light.seed
            )
    return image


def _sharpen(world: WorldLike, camera: Camera, time: float, met: _Met, samples: int) -> None:
    """Give pixels that differ from neighbours more rays, and put the mean in ``met.colour``."""
    from dreamplate.scenes.world.kernels.finish import average, find_edges

    marks = np.zeros(len(met.rays), np.uint8)
    find_edges(camera.height, camera.width, met.colour, met.reach, met.rows, met.labels, _CONTRAST, marks)
    chosen = np.flatnonzero(marks)
    if not len(chosen):
        return
    centres = np.stack([chosen % camera.width + 0.5, chosen // camera.width + 0.5], axis=1)
    extra = samples - 1
    rays = np.concatenate([camera.rays(centres + shift)[1] for shift in _spots(extra)])
    nothing = np.zeros(0)
    more = _Met(
        rays,
        np.zeros((len(rays), 3), np.float32),
        nothing,
        np.zeros(0, np.uint8),
        np.zeros(0, np.int32),
        np.zeros((0, 3), np.float32),
        np.zeros((0, 3), np.float32),
        np.zeros(0, np.uint8),
    )
    _paint(world, camera, time, more, True, False)
    average(chosen, extra, more.colour, _SPARK, met.colour)


def _spots(count: int) -> npt.NDArray[np.float64]:
    """Return places within a pixel around its centre, ``(count, 2)``: on a spiral, well apart."""
    turn = np.arange(count) * 2.399963 + 0.46
    away = 0.46 * np.sqrt((np.arange(count) + 0.85) / count) if count > 4 else np.full(count, 0.36)
    if count <= 4:
        turn = np.arange(count) * 2 * math.pi / count + 0.46
    return np.stack([away * np.cos(turn), away * np.sin(turn)], axis=1)


def _points(camera: Camera, met: _Met) -> npt.NDArray[np.float64]:
    points = np.asarray(camera.position + met.rays * met.reach[:, None])
    points[met.kinds == 0] = 0
    return points


def _data_pass(name: str, world: WorldLike, camera: Camera, met: _Met) -> npt.NDArray[Any]:
    """Return one pass of what the rays through the centres met."""
    shape = camera.height, camera.width
    nothing = met.kinds == 0
    if name == "depth":
        cosines = met.rays @ camera.forward
        found: npt.NDArray[Any] = np.where(nothing, NOTHING, met.reach * cosines).astype(np.float32)
    elif name == "range":
        found = np.where(nothing, NOTHING, met.reach).astype(np.float32)
    elif name == "position":
        found = _points(camera, met).astype(np.float32)
    elif name == "normal":
        found = met.normals
    elif name == "albedo":
        found = met.albedo
    elif name == "label":
        found = met.labels
    elif name == "instance":
        found = _instances(world, met)
    else:
        return contours(
            met.reach.reshape(shape),
            met.normals.reshape(*shape, 3),
            _instances(world, met).reshape(shape),
            met.labels.reshape(shape),
            met.rays.reshape(*shape, 3),
        )
    return found.reshape(*shape, *found.shape[1:])


def _instances(world: WorldLike, met: _Met) -> npt.NDArray[np.int32]:
    if not len(world.things.identity):
        return np.zeros(len(met.rows), np.int32)
    return np.where(met.rows >= 0, world.things.identity[np.maximum(met.rows, 0)], 0).astype(np.int32)


def _motion(
    world: WorldLike, camera: Camera, there: Camera, time: float, moment: float, met: _Met
) -> npt.NDArray[np.float32]:
    """Return by how many pixels what a pixel shows moves until another frame, ``(h, w, 2)``.

    The surface point goes with its thing; ground, and water's level, stay. 0 where only sky is, and where the
    other camera cannot see the point.
    """
    from dreamplate.scenes.world.kernels.carry import carry

    points = _points(camera, met)
    moved = points.copy()
    carry(met.rows, points, float(time), float(moment), world.things, moved)
    found = met.kinds != 0
    step = np.zeros((len(points), 2), np.float32)
    if found.any():
        pixels = there.project(moved[found])[0] - camera.pixel_centres()[found]
        step[found] = np.where(np.isfinite(pixels).all(axis=1, keepdims=True), pixels, 0)
    return step.reshape(camera.height, camera.width, 2)
