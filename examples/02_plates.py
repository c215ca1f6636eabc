"""Make a layered scene-linear EXR, read one layer of it back, and write a display picture.

Run: python examples/02_plates.py
"""

from __future__ import annotations

import tempfile
from pathlib import Path

import numpy as np

from dreamplate.plate import Plate, info, open_plate, write


def main() -> None:
    height, width = 270, 480
    y, x = np.mgrid[0:height, 0:width].astype(np.float32)
    beauty = np.stack([x / width, y / height, np.full_like(x, 0.18)], axis=-1) * 4  # well above 1
    depth = np.hypot(x - width / 2, y - height / 2)[..., None]
    plate = Plate(np.concatenate([beauty, depth], axis=-1), ("R", "G", "B", "Z"), "scene_linear")
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "scene.exr"
        write(plate, path)
        print(info(path).parts[0])
        with open_plate(path) as reader:
            strip = reader.read(rows=(100, 110), channels=("Z",))
        print("ten rows of depth:", strip.pixels.shape, float(strip.pixels.max()))
        write(plate.select("R", "G", "B"), Path(folder) / "look.png", colourspace="srgb_display")


if __name__ == "__main__":
    main()
