"""Laws of the house fronts that translation is trained on in the documentation."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import numpy as np

from dreamplate.plate import read

sys.path.insert(0, str(Path(__file__).parents[1] / "tools"))
import fronts


def test_a_front_follows_from_its_seed_and_number() -> None:
    first, again, other = fronts.draw(7, 3, 48), fronts.draw(7, 3, 48), fronts.draw(7, 4, 48)
    assert all(np.array_equal(a, b) for a, b in zip(first, again, strict=True))
    assert not np.array_equal(first[0], other[0])


def test_objects_belong_to_one_class_each() -> None:
    for number in range(4):
        _, label, objects = fronts.draw(1, number, 64)
        assert label.max() < len(fronts.CLASSES)
        stuff = objects < len(fronts.CLASSES)
        assert np.array_equal(objects[stuff], label[stuff])
        for thing in np.unique(objects[~stuff]):
            assert len(np.unique(label[objects == thing])) == 1


def test_files_hold_what_was_drawn(tmp_path: Path) -> None:
    fronts.make(tmp_path, 1, 48, seed=2, first=5, instances=True)
    light, label, objects = fronts.draw(2, 5, 48)
    assert np.allclose(read(tmp_path / "photo/0005.exr").rgb(), light, rtol=1e-3, atol=1e-4)
    assert np.array_equal(np.rint(read(tmp_path / "label/0005.png").pixels[..., 0] * 255), label)
    assert np.array_equal(np.rint(read(tmp_path / "instance/0005.png").pixels[..., 0] * 65535), objects)
    palette = json.loads((tmp_path / "palette.json").read_text())
    assert [entry["name"] for entry in palette["classes"]] == [name for name, _ in fronts.CLASSES]
