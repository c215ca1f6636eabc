"""Small folders of pairs, made up for tests."""

from __future__ import annotations

import tarfile
from pathlib import Path

import numpy as np

from dreamplate.plate import Plate, write
from dreamplate.train.data import Examples, open_examples
from dreamplate.train.options import AugmentOptions, SourceOptions

STILL = AugmentOptions(flip=False)


def source(**options: object) -> SourceOptions:
    return SourceOptions(**{"crop": (0, 0), "holdout": 0.0, **options})  # type: ignore[arg-type]


def learn(data: Path, augment: AugmentOptions = STILL, **options: object) -> Examples:
    return open_examples(data, source(**options), augment, "train", 0)


def photo(path: Path, seed: int, size: tuple[int, int] = (8, 10)) -> np.ndarray:
    """Write an 8-bit picture and return its values, ``(height, width, 3)`` 0-255."""
    values = np.random.default_rng(seed).integers(0, 256, (*size, 3), dtype=np.uint8)
    path.parent.mkdir(parents=True, exist_ok=True)
    write(Plate.from_rgb(values, "srgb_display"), path)
    return values


def labels(path: Path, seed: int, size: tuple[int, int] = (8, 10), classes: int = 4) -> np.ndarray:
    values = np.random.default_rng(seed).integers(0, classes, size)
    grey(path, values)
    return values


def grey(path: Path, values: np.ndarray, bits: int = 8) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    pixels = (values / ((1 << bits) - 1)).astype(np.float32)[:, :, None]
    write(Plate(pixels, colourspace="srgb_display"), path, depth=str(bits))


def folders(data: Path, count: int = 6, size: tuple[int, int] = (8, 10), given: str = "input") -> Path:
    """Write pairs of pictures, condition and image alike."""
    for number in range(count):
        photo(data / given / f"{number:03d}.png", number, size)
        photo(data / "image" / f"{number:03d}.png", number, size)
    return data


def shard(folder: Path, path: Path) -> None:
    """Pack every file below a folder, in no good order."""
    with tarfile.open(path, "w") as archive:
        for place in sorted(folder.rglob("*.*"), reverse=True):
            archive.add(place, place.relative_to(folder).as_posix())
