"""Real data sets open as they lie."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from pairs import STILL

from dreamplate.train import Draws
from dreamplate.train.data import Examples, open_examples
from dreamplate.train.options import SourceOptions


def opened(folder: Path, **options: object) -> Examples:
    if not folder.is_dir():
        pytest.skip(f"needs {folder}")
    source = SourceOptions(**{"crop": (64, 64), "shortest": 72, "cache": "64MB", **options})  # type: ignore[arg-type]
    examples = open_examples(folder, source, STILL, "train", 0)
    batch = examples.batch([0, len(examples) - 1], Draws(0, 0))
    assert batch.image.shape == (2, 3, 64, 64) and bool((batch.image.abs() <= 1).all())
    return examples


def test_facades(shared_dir: Path) -> None:
    # The validation split is opened as the training split: it is small.
    examples = opened(shared_dir / "data/facades", train_on=("val",), validate_on=("test",), stretch=True)
    assert examples.given is not None and examples.given.palette is not None
    assert len(examples) == 100 and len(examples.given.palette) == 12
    assert examples.given.palette.names[2] == "window" and examples.given.palette.classes[2].colour == (
        0,
        128,
        255,
    )


def test_camvid(shared_dir: Path) -> None:
    examples = opened(shared_dir / "data/camvid", train_on=("val",), validate_on=("test",), share=0.2)
    assert examples.given is not None and examples.given.palette is not None
    assert (
        len(examples) == 21 and len(examples.given.palette) == 11 and examples.given.palette.unknown == (11,)
    )
    assert examples.given.width == 12


def test_cityscapes(shared_dir: Path) -> None:
    examples = opened(shared_dir / "data/cityscapes_samples/pairs")
    assert examples.given is not None and examples.given.instances
    batch = examples.batch([0], None)
    assert batch.instances is not None and int(batch.instances.max()) >= 24000  # things: class and number


def test_coco(shared_dir: Path) -> None:
    examples = opened(shared_dir / "data/coco_stuff_samples")
    assert examples.given is not None and examples.given.palette is not None and examples.given.instances
    assert len(examples) == 13 and examples.given.palette.unknown == (255,)


def test_hololens_depth(shared_dir: Path) -> None:
    examples = opened(shared_dir / "data/posed_video_hololens", skip_bad=True, holdout=0.0)
    assert len(examples) == 47 and len(examples.left_out) == 140
    assert examples.given is not None and (examples.given.channels, examples.given.encoding) == (
        ("Y",),
        "raw",
    )
    condition = examples.batch([0], None).condition
    assert condition is not None and float(condition.min()) == -1 and torch.isfinite(condition).all()
