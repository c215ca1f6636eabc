"""How far the passes of a render are from geometry, on balls and a plane that are known exactly.

    python benchmarks/render_truth.py [--width 320] [--height 240] [--samples 4]

Prints one JSON object. World units are those of a ball of radius 0.7 seen from a distance of 3; motion is in
pixels, normals in degrees (of the pixels that are not within two pixels of an edge), deep is the largest
difference between the flattened deep file and the beauty, both as written in float.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
from dataclasses import replace
from pathlib import Path

import numpy as np

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT / "tests" / "fields"))

from analytic import THINGS, Ball, first_hit, path, space  # noqa: E402

from dreamplate.fields.deep_exr import flatten, read_deep, write_deep  # noqa: E402
from dreamplate.fields.render_config import RenderConfig  # noqa: E402
from dreamplate.fields.render_frame import render_shot  # noqa: E402
from dreamplate.fields.shot import shot_of  # noqa: E402
from dreamplate.take.machine import cpu_seconds  # noqa: E402

VEIL = Ball((0.0, 0.0, 0.0), 1.1, (0.2, 0.4, 0.9), alpha=0.3)


def inner(distance: np.ndarray, normals: np.ndarray, shape: tuple[int, int]) -> np.ndarray:
    """Return which pixels lie on one thing, two pixels from any edge or crease."""
    depth, turn = distance.reshape(shape), normals.reshape(*shape, 3)
    same = np.isfinite(depth)
    for axis in (0, 1):
        for step in (-2, -1, 1, 2):
            other = np.roll(turn, step, axis)
            far = np.roll(depth, step, axis)
            near = np.isfinite(far) & ((other * turn).sum(2) > 0.9)
            same &= near
    return same.ravel()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--width", type=int, default=320)
    parser.add_argument("--height", type=int, default=240)
    parser.add_argument("--samples", type=int, default=4)
    asked = parser.parse_args()
    cameras = path(asked.width, asked.height)
    camera, config = cameras.at(1002), RenderConfig()
    began = cpu_seconds()
    plate = render_shot(space(), shot_of(cameras, 1002, config), config).plate
    spent = cpu_seconds() - began
    origins, directions = camera.rays(camera.pixel_centres())
    distance, normals = first_hit(THINGS, origins, directions)
    hit = np.isfinite(distance)
    points = origins + directions * np.where(hit, distance, 0)[:, None]
    planar = (points - camera.position) @ camera.forward

    def layer(name: str) -> np.ndarray:
        return plate.layer(name).reshape(hit.size, -1)[hit].astype(float)

    whole = inner(distance, normals, (asked.height, asked.width))[hit]
    cosine = np.clip((layer("N") * normals[hit]).sum(1), -1, 1)
    angle = np.degrees(np.arccos(cosine))
    found = {
        "pixels": int(hit.sum()),
        "Z max error": np.abs(layer("Z")[:, 0] - planar[hit]).max(),
        "depth.range max error": np.abs(layer("depth.range")[:, 0] - distance[hit]).max(),
        "depth.median max error": np.abs(layer("depth.median")[:, 0] - planar[hit]).max(),
        "depth.variance max": layer("depth.variance").max(),
        "P max error": np.linalg.norm(layer("P") - points[hit], axis=1).max(),
        "N inner mean degrees": angle[whole].mean(),
        "N inner max degrees": angle[whole].max(),
        "N all 99th percentile degrees": np.quantile(angle, 0.99),
    }
    for name, frame in (("forward", 1003), ("backward", 1001)):
        moved = cameras.at(frame).project(points[hit])[0] - camera.pixel_centres()[hit]
        error = np.linalg.norm(layer(f"motion.{name}") - moved, axis=1)
        found |= {
            f"motion.{name} max error px": error.max(),
            f"motion.{name} longest px": np.linalg.norm(moved, axis=1).max(),
        }
    for samples in (1, asked.samples):
        for encoding in ("scene_linear", "srgb_display"):
            deep = replace(config, deep=True, samples=samples, passes=("beauty",))
            made = render_shot(space(*THINGS, VEIL, encoding=encoding), shot_of(cameras, 1002, deep), deep)
            with tempfile.TemporaryDirectory() as folder:
                write_deep(made.deep, Path(folder) / "deep.exr")
                flat = flatten(read_deep(Path(folder) / "deep.exr"))
            found[f"deep {encoding} {samples} samples max error"] = np.abs(flat - made.plate.pixels).max()
    found["cpu seconds of the passes"] = spent
    print(json.dumps({name: float(f"{value:.3g}") for name, value in found.items()}, indent=2))


if __name__ == "__main__":
    main()
