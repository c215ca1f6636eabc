"""A corner of a room with painted walls, photographed through any camera: a capture whose truth is known."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import numpy.typing as npt

from dreamplate.plate import Camera, Lens, Plate, look_at, write

SIDE = 512
PLANES = ((2, 0.0), (1, 3.0), (0, -3.0))
"""Floor z = 0, wall y = 3, wall x = -3."""


def paintings() -> npt.NDArray[np.float64]:
    """A picture for each wall, ``(3, SIDE, SIDE, 3)`` linear light, with detail of many sizes."""
    random = np.random.default_rng(0)
    total = np.zeros((3, SIDE, SIDE, 3))
    for cells in (8, 16, 32, 64, 128, 256):
        noise = random.random((3, cells, cells, 3))
        total += np.repeat(np.repeat(noise, SIDE // cells, axis=1), SIDE // cells, axis=2) * cells**-0.35
    total -= total.min()
    return total / total.max() * 0.9 + 0.02


def photograph(camera: Camera, walls: npt.NDArray[np.float64]) -> npt.NDArray[np.float32]:
    """Linear light ``(height, width, 3)`` through a camera; four rays a pixel."""
    total = np.zeros((camera.height * camera.width, 3))
    for dx in (-0.25, 0.25):
        for dy in (-0.25, 0.25):
            origins, directions = camera.rays(camera.pixel_centres() + np.array([dx, dy]))
            best = np.full(len(origins), np.inf)
            colour = np.zeros((len(origins), 3))
            for number, (axis, place) in enumerate(PLANES):
                with np.errstate(divide="ignore", invalid="ignore"):
                    along = (place - origins[:, axis]) / directions[:, axis]
                hit = (along > 0) & (along < best)
                spot = (origins + directions * along[:, None])[hit]
                two = np.delete(spot, axis, axis=1)
                cell = np.floor((two / 8 % 1) * SIDE).astype(int) % SIDE
                colour[hit] = walls[number, cell[:, 0], cell[:, 1]]
                best[hit] = along[hit]
            total += colour
    return (total / 4).reshape(camera.height, camera.width, 3).astype(np.float32)


def cameras(count: int = 5, width: int = 360, height: int = 270, k1: float = 0.0) -> list[Camera]:
    """Cameras on an arc, held level, all looking at the corner."""
    made = []
    for number in range(count):
        angle = 0.3 + 0.22 * number
        place = np.array([4.2 * np.cos(-angle) - 2.0, 4.2 * np.sin(-angle) + 2.0, 1.5 + 0.15 * (number % 3)])
        pose = look_at(place, [-1.6, 1.8, 0.7])
        focal = 0.95 * width
        lens = Lens("perspective", {"k1": k1})
        made.append(Camera(width, height, focal, focal, width / 2, height / 2, pose, lens=lens))
    return made


def write_photographs(folder: Path, seen: list[Camera], ending: str = ".png", gain: float = 1.0) -> None:
    """Write one photograph a camera, ``view_0.png`` and so on; ``.exr`` keeps linear light times ``gain``."""
    walls = paintings()
    folder.mkdir(parents=True, exist_ok=True)
    for number, camera in enumerate(seen):
        plate = Plate.from_rgb(photograph(camera, walls) * np.float32(gain), "scene_linear")
        space = None if ending == ".exr" else "srgb_display"
        write(plate, folder / f"view_{number}{ending}", colourspace=space)
