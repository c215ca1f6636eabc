"""Where cameras stand and look, drawn from above and from the side."""

from __future__ import annotations

import itertools
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from dreamplate.plate import Plate
from dreamplate.plate.draw import line, text
from dreamplate.scenes.camera_track import CameraTrack

__all__ = ["draw_tracks"]

Doubles = npt.NDArray[np.float64]
_COLOURS = ((0.95, 0.55, 0.2), (0.3, 0.7, 0.95), (0.55, 0.85, 0.4), (0.9, 0.45, 0.75), (0.9, 0.85, 0.3))
_MARGIN = 34


def draw_tracks(tracks: Sequence[CameraTrack], names: Sequence[str], side: int = 480) -> Plate:
    """Return a picture of camera tracks: on the left from above, on the right from the side.

    A line joins cameras in order of frames; each is a wedge as wide as its field of view. Up is what the
    first track states, or else the mean of its cameras' up.

    Args:
        tracks: What is drawn, each in its own colour.
        names: A name for each.
        side: Height in pixels; the picture is twice as wide.
    """
    up = _up(tracks[0])
    across = np.cross(up, [1.0, 0, 0] if abs(up[0]) < 0.9 else [0, 1.0, 0])
    across = np.cross(across / np.linalg.norm(across), up)
    away = np.cross(up, across)
    canvas = np.full((side, 2 * side, 3), 0.07, np.float32)
    line(canvas, side, 0, side, side, 0.25)
    everything = np.concatenate([_positions(track) for track in tracks])
    for panel, (right, high) in enumerate(((across, away), (across, up))):
        basis = np.stack([right, high], axis=1)
        flat = everything @ basis
        low, top = flat.min(axis=0), flat.max(axis=0)
        # The same scale in both panels, so that they can be compared; room for the wedges around.
        extent = max(float(np.ptp(everything @ np.stack([across, away, up], axis=1), axis=0).max()), 1e-9)
        scale = (side - 2 * _MARGIN) / (1.25 * extent)
        middle = np.array([panel * side + side / 2, side / 2 + 8])
        for number, track in enumerate(tracks):
            shown = (_positions(track) @ basis - (low + top) / 2) * [scale, -scale] + middle
            _draw(canvas, track, shown, basis, _COLOURS[number % len(_COLOURS)], 0.1 * extent * scale)
        text(canvas, panel * side + 10, 8, ("from above", "from the side")[panel], 13, 0.75)
    for number, name in enumerate(names):
        colour = _COLOURS[number % len(_COLOURS)]
        text(canvas, 2 * side - 10, 8 + 18 * number, name, 13, colour, align="right")
    return Plate(canvas, ("R", "G", "B"), "srgb_display")


def _draw(
    canvas: npt.NDArray[np.float32],
    track: CameraTrack,
    shown: Doubles,
    basis: Doubles,
    colour: tuple[float, float, float],
    reach: float,
) -> None:
    dim = tuple(0.55 * value for value in colour)
    for (x0, y0), (x1, y1) in itertools.pairwise(shown):
        line(canvas, x0, y0, x1, y1, dim, 1.5)
    every = max(1, len(track) // 25)
    label = max(1, len(track) // 4)
    for number, (frame, camera) in enumerate(track.cameras.items()):
        x, y = shown[number]
        if number % every == 0:
            edges = camera.directions([[0.0, camera.cy], [camera.width, camera.cy]])
            for edge in edges @ camera.camera_to_world[:3, :3].T:
                right, high = edge @ basis * reach
                line(canvas, x, y, x + right, y - high, colour, 1.0)
            line(canvas, x, y, x, y, colour, 4.5)
        if number % label == 0 and not track.still:
            text(canvas, x + 5, y + 2, str(frame), 10, 0.6)


def _positions(track: CameraTrack) -> Doubles:
    return np.array([camera.position for camera in track.cameras.values()])


def _up(track: CameraTrack) -> Doubles:
    if track.up is not None:
        return np.array([0.0, 1.0, 0.0] if track.up == "y" else [0.0, 0.0, 1.0])
    mean = np.mean([camera.camera_to_world[:3, 1] for camera in track.cameras.values()], axis=0)
    length = float(np.linalg.norm(mean))
    return mean / length if length > 0.1 else np.array([0.0, 0.0, 1.0])
