"""Camera tracks for tests, and how far a conversion moved them."""

from __future__ import annotations

import numpy as np

from dreamplate.plate import Camera, look_at
from dreamplate.scenes import CameraTrack


def plain() -> Camera:
    """A pinhole somewhere."""
    return Camera.from_fov(640, 480, 50.0, look_at((3.0, -2.0, 1.0), (0.1, 0.2, 0.3)))


def moving(count: int = 12, first: int = 1) -> CameraTrack:
    """A pinhole that flies past the origin, over the top and through a whole turn."""
    cameras = {}
    for number in range(count):
        angle = 2 * np.pi * number / (count - 1)
        position = np.array([4 * np.cos(angle), 5 * np.sin(angle), 3 * np.sin(2 * angle)])
        pose = look_at(position, (0.1, 0.2, 0.3), (0.1 * np.sin(angle), 0.2, 1.0))
        cameras[first + number] = plain().placed(pose)
    return CameraTrack(cameras)


def corners_moved(before: CameraTrack, after: CameraTrack) -> float:
    """Largest move, in pixels, of a box's eight corners between two tracks, camera by camera in order."""
    most = 0.0
    assert len(before) == len(after)
    for old, new in zip(before.cameras.values(), after.cameras.values(), strict=True):
        middle = old.position + 4 * old.forward
        box = middle + np.array([[x, y, z] for x in (-1, 1) for y in (-1, 1) for z in (-1, 1)])
        (was, depth), (now, _) = old.project(box), new.project(box)
        assert (depth > 0).all() or old.lens.kind != "perspective"
        most = max(most, float(np.abs(was - now).max()))
    return most
