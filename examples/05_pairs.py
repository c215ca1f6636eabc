"""From pairs to frames: learn to paint house fronts from their label maps, then paint fronts never seen.

The pairs are drawn by tools/fronts.py, scene-linear, with windows far brighter than white: the model carries
them through a log encoding.

Run: python examples/05_pairs.py [PAIRS [CPU_SECONDS [SIZE]]]   (12, 20 and 64; 200, 1500 and 256 look better)
"""

from __future__ import annotations

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "tools"))


def main(pairs: int, seconds: float, size: int) -> None:
    from dreamplate.take import prepare_process

    prepare_process()  # before torch is imported
    from fronts import make

    from dreamplate.cli import main as dreamplate
    from dreamplate.plate import read

    make(Path("pairs"), pairs, size)
    make(Path("unseen"), 2, size, first=10_000)

    # Learn. Everything about the run, and the model, is in the take.
    budget = ["--learn.max-cpu-seconds", str(seconds), "--source.shortest", "0"]
    crop = ["--source.crop", str(size), str(size), "--measure.features", "none"]
    learnt = ["train", "pix2pix-small", "--data", "pairs", "--take", "out/fronts", *budget, *crop]
    if code := dreamplate(learnt):
        sys.exit(code)

    # Paint every label map of another street; each frame is scene-linear OpenEXR.
    if code := dreamplate(["translate", "out/fronts", "unseen/label/####.png", "out/front.####.exr"]):
        sys.exit(code)
    for path in sorted(Path("out").glob("front.*.exr")):
        plate = read(path)
        size = f"{plate.width} x {plate.height}"
        print(f"{path}: {size}, {plate.colourspace}, light up to {plate.rgb().max():.1f}")


if __name__ == "__main__":
    given = sys.argv[1:]
    main(
        int(given[0]) if given else 12,
        float(given[1]) if given[1:] else 20.0,
        int(given[2]) if given[2:] else 64,
    )
