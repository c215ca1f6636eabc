"""Change one half of a scene-linear plate by words and keep the other to the last bit.

Run: python examples/03_control.py [PROMPT]
"""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np


def main(prompt: str) -> None:
    from dreamplate.take import Take, prepare_process, run

    prepare_process()  # before torch is imported
    from dreamplate.dream import CutConfig, DreamConfig, DreamJob
    from dreamplate.plate import Plate, read, write

    # A plate brighter than any monitor, and a mask: white may change, black stays.
    Path("out").mkdir(exist_ok=True)
    ramp = np.linspace(0.02, 12.0, 192, dtype=np.float32)[None, :, None]
    write(Plate.from_rgb(ramp * np.ones((128, 1, 3), np.float32)), "out/plate.exr", depth="float")
    mask = np.zeros((128, 192, 1), np.float32)
    mask[:, :96] = 1
    write(Plate(mask, ("Y",), "raw"), "out/mask.png")

    config = DreamConfig(
        prompt=prompt,
        seed=7,
        size=(192, 128),
        steps=30,
        init=Path("out/plate.exr").absolute(),
        mask=Path("out/mask.png").absolute(),
        cuts=CutConfig(number=4),
        heat=True,
    )
    take = Take.create("out/control", "dream", config, overwrite=True)
    run(DreamJob(config), take)
    before, after = read("out/plate.exr"), read("out/control/final.exr")
    same = np.array_equal(before.rgb()[:, 96:], after.rgb()[:, 96:])
    print(f"{take.path}: kept half identical: {same}; channels {', '.join(after.channels)}")
    assert same


if __name__ == "__main__":
    main(sys.argv[1] if len(sys.argv) > 1 else "a stone wall")
