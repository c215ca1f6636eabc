"""What a camera track can have beyond poses and one focal length, and how far a conversion moved it."""

from __future__ import annotations

import math
from collections.abc import Callable, ValuesView

import numpy as np

from dreamplate.plate.camera import Camera
from dreamplate.scenes.camera_track import CameraTrack, numbers_of

__all__ = ["PROPERTIES", "corner_error"]

PROPERTIES: dict[str, tuple[Callable[[CameraTrack], bool], str]] = {
    "lens": (lambda t: any(not c.lens.ideal for c in _all(t)), "lens distortion: it becomes a pinhole"),
    "centre": (
        lambda t: any(abs(c.cx - c.width / 2) > 1e-6 or abs(c.cy - c.height / 2) > 1e-6 for c in _all(t)),
        "off-centre principal point: it becomes the middle",
    ),
    "aspect": (
        lambda t: any(not math.isclose(c.fx, c.fy, rel_tol=1e-9) for c in _all(t)),
        "different focal lengths across and down: one holds for both",
    ),
    "sizes": (
        lambda t: len({(c.width, c.height) for c in _all(t)}) > 1,
        "changing picture size: all become the first one's",
    ),
    "shutter": (lambda t: any(c.end is not None for c in _all(t)), "motion while the shutter is open"),
    "rolling": (lambda t: any(c.rolling_shutter is not None for c in _all(t)), "rolling shutter"),
    "time": (lambda t: any(c.time is not None for c in _all(t)), "time of each frame"),
    "film": (lambda t: any(c.film_width != 36.0 for c in _all(t)), "film width: it becomes 36 mm"),
    "films": (lambda t: len({c.film_width for c in _all(t)}) > 1, "changing film width"),
    "names": (lambda t: any(c.name for c in _all(t)), "names of the pictures"),
    "numbers": (lambda t: t.frames != tuple(range(1, len(t) + 1)), "frame numbers: they start at 1"),
    "named_numbers": (
        lambda t: (numbers_of([c.name or str(f) for f, c in t.cameras.items()]) or ()) != t.frames,
        "frame numbers: the pictures' names say others",
    ),
    "gaps": (
        lambda t: t.frames[-1] - t.frames[0] >= len(t),
        "frames left out: other programs make them up",
    ),
    "fps": (lambda t: t.fps is not None, "frames per second"),
    "name": (lambda t: bool(t.name), "name of the camera"),
    "units": (lambda t: t.metres_per_unit is not None, "length of the unit"),
    "up": (lambda t: t.up is not None, "which way is up"),
    "near_far": (lambda t: t.near_far is not None, "near and far"),
}
"""Property → whether a track has it, and what is lost with it."""


def _all(track: CameraTrack) -> ValuesView[Camera]:
    return track.cameras.values()


def corner_error(before: CameraTrack, after: CameraTrack) -> float:
    """Return how far, in pixels, the eight corners of a box in front of each camera move at most.

    The box reaches from the content's nearest distance (where the track knows it, or else from the extent of
    the camera's path) to twice that. Frames are compared in order, or by number where some were made up
    between them.
    """
    where = np.array([camera.position for camera in _all(before)])
    near = before.near_far[0] if before.near_far else float(np.ptp(where, axis=0).max()) or 1.0
    most, ordered = 0.0, tuple(_all(after))
    for number, (frame, old) in enumerate(before.cameras.items()):
        new = ordered[number] if len(ordered) == len(before) else after.at(frame)
        corners = np.array([[0.1, 0.1], [0.9, 0.1], [0.1, 0.9], [0.9, 0.9]]) * [old.width, old.height]
        origins, rays = old.rays(corners)
        box = np.concatenate([origins + rays * near, origins + rays * 2 * near])
        moved = np.abs(new.project(box)[0] - old.project(box)[0])
        most = max(most, float(np.nanmax(moved)) if np.isfinite(moved).any() else math.inf)
    return most
