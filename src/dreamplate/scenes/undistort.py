"""Taking the lens out of a photograph, at full range: values above 1, alpha and all channels go along."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from dreamplate.errors import SceneError
from dreamplate.plate.camera import Camera
from dreamplate.plate.lens import Lens, Vectors
from dreamplate.plate.plate import Pixels, Plate

__all__ = ["pinhole_of", "undistort", "undistorted_pixels"]

_ROUNDS = 40
_ROWS = 256
_WIDEST = 4.0


def pinhole_of(camera: Camera) -> Camera:
    """Return the ideal camera of the same size that sees nothing but what the camera saw.

    Its focal length is the shortest at which the whole border of the picture falls into the photograph.

    Raises:
        SceneError: The lens sees too much for a flat picture.
    """
    if camera.lens.ideal:
        return camera
    low, high = 0.25, _WIDEST
    if not _inside(camera, high):
        raise SceneError(
            f"camera {camera.name!r}: its {camera.lens.kind} lens sees too wide for a flat picture; "
            f"leave out --undistort"
        )
    for _ in range(_ROUNDS):
        middle = (low + high) / 2
        low, high = (low, middle) if _inside(camera, middle) else (middle, high)
    return replace(camera, lens=Lens(), fx=camera.fx * high, fy=camera.fy * high)


def undistort(plate: Plate, camera: Camera, pinhole: Camera, *, exact: bool = False) -> Plate:
    """Return a photograph as the ideal camera would have taken it.

    Args:
        plate: The photograph, of the cameras' size.
        camera: With its lens.
        pinhole: Without.
        exact: Take the nearest pixel (masks, depth) instead of the mean of the four around.
    """
    if camera.lens.ideal and (camera.fx, camera.fy) == (pinhole.fx, pinhole.fy):
        return plate
    made = np.empty((pinhole.height, pinhole.width, plate.pixels.shape[2]), np.float32)
    for top in range(0, pinhole.height, _ROWS):
        rows, columns = np.mgrid[top : min(top + _ROWS, pinhole.height), : pinhole.width]
        pixels = np.stack([columns.ravel() + 0.5, rows.ravel() + 0.5], axis=1)
        places = _seen(camera, pinhole, pixels)
        made[top : top + _ROWS] = _sample(plate.pixels, places, exact).reshape(*rows.shape, -1)
    return plate.with_(pixels=made, data_window=None, display_window=None)


def undistorted_pixels(camera: Camera, pinhole: Camera, pixels: Vectors) -> Vectors:
    """Return where pixels ``(n, 2)`` of the photograph lie in the picture of the ideal camera."""
    directions = camera.directions(pixels) * [1, -1, -1]
    return np.asarray(
        directions[:, :2] / directions[:, 2:] * [pinhole.fx, pinhole.fy] + [pinhole.cx, pinhole.cy]
    )


def _seen(camera: Camera, pinhole: Camera, pixels: Vectors) -> Vectors:
    """Return where in the photograph the pixels of the ideal camera are."""
    own = np.eye(4)
    return camera.placed(own).project(pinhole.directions(pixels))[0]


def _inside(camera: Camera, stretch: float) -> bool:
    ideal = replace(camera, lens=Lens(), fx=camera.fx * stretch, fy=camera.fy * stretch)
    w, h = camera.width, camera.height
    across, down = np.linspace(0.5, w - 0.5, 65), np.linspace(0.5, h - 0.5, 65)
    border = np.concatenate(
        [np.stack(np.broadcast_arrays(across, y), axis=1) for y in (0.5, h - 0.5)]
        + [np.stack(np.broadcast_arrays(x, down), axis=1) for x in (0.5, w - 0.5)]
    )
    places = _seen(camera, ideal, border)
    return bool(
        np.isfinite(places).all()
        and (places >= 0.5 - 1e-6).all()
        and (places <= np.array([w, h]) - 0.5 + 1e-6).all()
    )


def _sample(pixels: Pixels, places: Vectors, exact: bool) -> Pixels:
    height, width = pixels.shape[:2]
    place = np.nan_to_num(places - 0.5, nan=0.0)
    x, y = np.clip(place[:, 0], 0, width - 1), np.clip(place[:, 1], 0, height - 1)
    if exact:
        return np.asarray(pixels[np.rint(y).astype(int), np.rint(x).astype(int)])
    left, top = np.floor(x).astype(int), np.floor(y).astype(int)
    right, bottom = np.minimum(left + 1, width - 1), np.minimum(top + 1, height - 1)
    u, v = ((x - left)[:, None]).astype(np.float32), ((y - top)[:, None]).astype(np.float32)
    above = pixels[top, left] * (1 - u) + pixels[top, right] * u
    below = pixels[bottom, left] * (1 - u) + pixels[bottom, right] * u
    return np.asarray(above * (1 - v) + below * v, np.float32)
