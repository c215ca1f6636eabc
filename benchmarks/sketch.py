"""What `dreamplate sketch` costs, how steady it is, and what it finds, beside plain Canny and plain DoG.

CPU seconds are of one frame of 1920 x 1080, colour conversion included, the smallest of several runs that
take turns. Steadiness: how much ink comes and goes between two frames that differ by camera noise alone (a
deviation of 2 of 255), as a share of all ink. Borders: frames of the clip of benchmarks/shots.py, whose
regions are known; the best F1 (precision and recall of border pixels within 2 pixels) over each method's
threshold, one threshold for all frames. Each method is given its best smoothing.

Run: python benchmarks/sketch.py [ROUNDS]
"""

from __future__ import annotations

import os
import platform
import sys
import time
from collections.abc import Callable

import numpy as np
import torch
import torch.nn.functional as F
from shots import clip_frame
from torch import Tensor

from dreamplate.plate import Plate
from dreamplate.translate.lines import blur, slopes
from dreamplate.translate.lines_plate import ink_of
from dreamplate.translate.sketch_config import SketchOptions

Method = Callable[[Plate, float], Tensor]
"""From a plate and how much is wanted (0-1) to ink ``(h, w)``."""
THRESHOLDS = (0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9)
FRAMES = (5, 17, 29, 41)


def grey(plate: Plate) -> Tensor:
    """Return Rec. 709 luma of display values, ``(1, 1, h, w)``."""
    luma = plate.rgb() @ np.array([0.2126, 0.7152, 0.0722], np.float32)
    return torch.from_numpy(luma)[None, None]


def canny(plate: Plate, wanted: float, sigma: float = 1.4) -> Tensor:
    """Return Canny's edges (1986): slope, thinning across it, two thresholds joined along edges."""
    high = 0.3 * 0.03**wanted
    right, down = slopes(blur(grey(plate), sigma))
    steep = torch.sqrt(right * right + down * down)
    wide = F.pad(steep, (1, 1, 1, 1))
    octant = torch.round(torch.atan2(down, right) / (torch.pi / 4)).long() % 4
    height, width = steep.shape[2:]
    crest = torch.zeros_like(steep, dtype=torch.bool)
    for index, (dy, dx) in enumerate(((0, 1), (1, 1), (1, 0), (1, -1))):
        sides = [
            wide[:, :, 1 + s * dy : 1 + s * dy + height, 1 + s * dx : 1 + s * dx + width] for s in (1, -1)
        ]
        crest |= (octant == index) & (steep > sides[0]) & (steep >= sides[1])
    weak = (crest & (steep > 0.4 * high)).float()
    found = weak * (steep > high)
    while True:
        more = F.max_pool2d(found, 3, 1, 1) * weak
        if torch.equal(more, found):
            return found[0, 0]
        found = more


def dog(plate: Plate, wanted: float, sigma: float = 1.35) -> Tensor:
    """Return the difference of two Gaussians below a threshold, as plain filters of drawing programs do."""
    light = grey(plate)
    contrast = (blur(light, 1.6 * sigma) - blur(light, sigma)) / 0.112
    faintest = 0.25 * (0.012 / 0.25) ** wanted
    return ((contrast / faintest - 1) / 2).clamp(0, 1)[0, 0]


def ours(style: str) -> Method:
    """Return one of our styles; its detail is what is wanted."""

    def draw(plate: Plate, wanted: float) -> Tensor:
        return ink_of(plate, SketchOptions(style=style, detail=wanted))[0, 0]  # type: ignore[arg-type]

    return draw


METHODS: dict[str, Method] = {
    "lines": ours("lines"),
    "contour": ours("contour"),
    "Canny": canny,
    "DoG": dog,
}


def noisy(picture: Tensor, seed: int, level: float = 2.0) -> Plate:
    """Return a picture ``(3, h, w)`` with camera noise, display-encoded."""
    noise = torch.randn(picture.shape, generator=torch.Generator().manual_seed(seed)) * level / 255
    made = (picture + noise).clamp(0, 1).permute(1, 2, 0).numpy()
    return Plate.from_rgb(np.ascontiguousarray(made), "srgb_display")


def score(found: Tensor, truth: Tensor, reach: int = 2) -> tuple[float, float, float, float]:
    """Return matched and all ink, matched and all true pixels."""
    side = 2 * reach + 1

    def near(x: Tensor) -> Tensor:
        return F.max_pool2d(x[None, None].float(), side, 1, reach)[0, 0]

    drawn = (found > 0.5).float()
    return (
        float((drawn * near(truth)).sum()),
        float(drawn.sum()),
        float((truth * near(drawn)).sum()),
        float(truth.sum()),
    )


def main() -> None:
    """Measure."""
    rounds = int(sys.argv[1]) if len(sys.argv) > 1 else 3
    torch.set_num_threads(int(os.environ.get("OMP_NUM_THREADS", "1")))
    picture, _ = clip_frame(20, 1080, 1920)
    first, second = noisy(picture, 1), noisy(picture, 2)
    best = dict.fromkeys(METHODS, float("inf"))
    for _ in range(rounds):
        for name, method in METHODS.items():
            begun = time.process_time()
            method(first, 0.5)
            best[name] = min(best[name], time.process_time() - begun)
    shown = [
        (noisy(picture, frame), region)
        for frame in FRAMES
        for picture, region in [clip_frame(frame, 480, 852)]
    ]
    print(f"{platform.machine()}, torch {torch.__version__}, {torch.get_num_threads()} thread(s)")
    print("method     CPU s at 1080p   ink that flickers   best F1 (detail, precision, recall)")
    for name, method in METHODS.items():
        one, two = method(first, 0.5), method(second, 0.5)
        flicker = float((one - two).abs().mean() / torch.maximum(one, two).mean().clamp(min=1e-9))
        top = (0.0, 0.0, 0.0, 0.0)
        for wanted in THRESHOLDS:
            sums = torch.zeros(4)
            for plate, region in shown:
                near = F.one_hot(region, 5).permute(2, 0, 1)[None].float()
                truth = (F.avg_pool2d(near, 3, 1, 1, count_include_pad=False).amax(1)[0] < 0.999).float()
                sums += torch.tensor(score(method(plate, wanted), truth))
            precision, recall = float(sums[0] / sums[1].clamp(min=1)), float(sums[2] / sums[3])
            f1 = 2 * precision * recall / max(precision + recall, 1e-9)
            top = max(top, (f1, wanted, precision, recall))
        found = ", ".join(f"{value:.2f}" for value in top[1:])
        print(f"{name:10} {best[name]:14.2f}   {flicker:17.1%}   {top[0]:.3f} ({found})")


if __name__ == "__main__":
    main()
