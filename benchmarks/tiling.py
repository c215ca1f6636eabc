"""Seams: frames of real photographs in tiles, against the same frames in one piece.

An error is what tiles differ from the whole by. A seam would show as a step of the error across a border
between tiles that is larger than its steps elsewhere. Printed for each network: the largest error, the mean
step of the error across borders and inside tiles (display values, 0-1), and the same for plain tiles, as in
public code: no overlap, each with its own statistics. Last: what it costs that statistics are taken from a
smaller copy where the whole does not fit memory.

Networks have the published shapes, with weights drawn by their authors' rule and the statistics of the
picture, so that features are as large as a trained network's; name models to measure those instead.

Run: python benchmarks/tiling.py [MODEL ...]     (needs ../shared/data or DREAMPLATE_SHARED)
"""

from __future__ import annotations

import os
import sys
from pathlib import Path

import torch
from torch import Tensor, nn

from dreamplate.nets.statistics import set_statistics
from dreamplate.plate import LabelClass, Palette, read
from dreamplate.train import Port
from dreamplate.train.plates import encode_plate
from dreamplate.translate.apply import Translator
from dreamplate.translate.given import Given, Window, run_network
from dreamplate.translate.model import Model, load_model
from dreamplate.translate.pix2pix_layers import initialise
from dreamplate.translate.pix2pixhd import Pix2pixhd
from dreamplate.translate.resnet import Resnet
from dreamplate.translate.spade import Spade, SpadeShape
from dreamplate.translate.tiles import cut_up, smallest_window
from dreamplate.translate.unet import Unet

DATA = Path(os.environ.get("DREAMPLATE_SHARED", Path(__file__).resolve().parents[2] / "shared")) / "data"
CLASSES = Palette(tuple(LabelClass(number, f"class {number}") for number in range(8)))
PICTURES = 1
LEAST = 512
"""Side of tiles, where the network lets them be so small."""


def networks() -> dict[str, Model]:
    """Networks of published sizes (all but the U-Net narrower), drawn from seed 0."""
    draws = torch.Generator().manual_seed(0)
    made = {
        "pix2pix U-Net 256": initialise(Unet(), draws),
        "ResNet 9, instance norm, width 16": initialise(Resnet(width=16), draws),
        "pix2pixHD with enhancer, width 8": initialise(Pix2pixhd(3, width=8), draws),
    }
    models = {name: Model(net.eval().requires_grad_(False), {}, Port(), Port()) for name, net in made.items()}
    torch.manual_seed(0)
    spade = Spade(SpadeShape(entry=len(CLASSES), width=8)).eval().requires_grad_(False)
    models["SPADE, width 8"] = Model(spade, {}, Port("labels", ("Y",), palette=CLASSES), Port())
    return models


def frame_of(model: Model, path: Path) -> Given:
    """A photograph, or for label maps its brightness in eight steps."""
    assert model.given is not None
    plate = read(path)
    if model.given.palette is None:
        return Given(picture=encode_plate(model.given, plate, str(path)))
    grey = torch.from_numpy(plate.rgb().mean(axis=2))
    smooth = nn.functional.avg_pool2d(grey[None, None], 9, 1, 4)[0]
    return Given(labels=(smooth * len(model.given.palette)).long().clamp(0, len(model.given.palette) - 1))


def plain_tiles(model: Model, frame: Given, translator: Translator, side: int) -> Tensor:
    """What public code does: tiles side by side, each normalised by itself."""
    assert model.given is not None
    set_statistics(model.network, "picture")
    palette = model.given.palette
    counts = (0, 0) if palette is None else (len(palette), palette.channels)
    padded = frame.padded(side)
    out = torch.zeros(1, len(model.made.channels), *padded.size)
    for top in range(0, padded.size[0], side):
        for left in range(0, padded.size[1], side):
            window = Window(top, top + side, left, left + side)
            with torch.no_grad():
                out[..., top : top + side, left : left + side] = run_network(
                    model.network, padded.cut(window), *counts, None
                )
    return out[..., : frame.size[0], : frame.size[1]]


def steps(error: Tensor, rows: list[int], columns: list[int]) -> tuple[float, float]:
    """Mean step of the error across borders, and elsewhere."""
    across = {2: (error.diff(dim=2).abs(), rows), 3: (error.diff(dim=3).abs(), columns)}
    at, elsewhere = [], []
    for axis, (jump, places) in across.items():
        on = torch.zeros(jump.shape[axis], dtype=torch.bool)
        on[[place - 1 for place in places if 0 < place <= jump.shape[axis]]] = True
        at.append(jump.index_select(axis, on.nonzero().flatten()).flatten())
        elsewhere.append(jump.index_select(axis, (~on).nonzero().flatten()).flatten())
    return float(torch.cat(at).mean()), float(torch.cat(elsewhere).mean())


def measure(name: str, model: Model, files: list[Path]) -> None:
    whole_user = Translator(model, statistics="picture", memory=1 << 40)
    cutting = whole_user.cutting
    tile = max(LEAST, smallest_window(cutting))
    figures = []
    for file in files:
        frame = frame_of(model, file)
        whole = whole_user(frame)
        tiled = Translator(model, statistics="picture", tile=tile, memory=1 << 40)(frame)
        padded = frame.padded(whole_user.multiple)
        cuts = cut_up(padded.size, (min(tile, padded.size[0]), min(tile, padded.size[1])), cutting)
        rows = sorted({cut.kept.top + cutting.fade for cut in cuts if cut.kept.top})
        columns = sorted({cut.kept.left + cutting.fade for cut in cuts if cut.kept.left})
        side = -(-256 // whole_user.multiple) * whole_user.multiple
        plain = plain_tiles(model, frame, whole_user, side)
        grid = [list(range(side, length, side)) for length in frame.size]
        ours, theirs = (tiled - whole) / 2, (plain - whole) / 2
        held = Translator(model, statistics="frozen", memory=1 << 40)
        held.hold(frame.shrunk((frame.size[0] // 2, frame.size[1] // 2)))
        small = (held(frame) - whole).abs() / 2
        worst, theirs_worst = float(ours.abs().max()), float(theirs.abs().max())
        one = steps(ours, rows, columns) if rows or columns else (0.0, 0.0)
        figures.append(
            (worst, *one, theirs_worst, *steps(theirs, *grid), float(small.mean()), float(whole.std()))
        )
    mean = [sum(column) / len(column) for column in zip(*figures, strict=True)]
    print(
        f"{name}: tile {tile}, context {cutting.context}, contrast {mean[7] / 2:.3f}\n"
        f"   ours: largest error {mean[0]:.1e}, step at borders {mean[1]:.1e}, inside {mean[2]:.1e}\n"
        f"  plain: largest error {mean[3]:.1e}, step at borders {mean[4]:.1e}, inside {mean[5]:.1e}\n"
        f"  statistics of a copy of half the size: mean error {mean[6]:.1e}",
        flush=True,
    )


def main() -> None:
    folder = DATA / "sfm_fountain_p11"
    files = sorted(path for path in folder.rglob("*") if path.suffix in (".png", ".jpg"))[:PICTURES]
    if not files:
        sys.exit(f"needs photographs in {folder}")
    models = {name: load_model(name) for name in sys.argv[1:]} or networks()
    print(f"{len(files)} photographs of {read(files[0]).width} x {read(files[0]).height}")
    for name, model in models.items():
        measure(name, model, files)


if __name__ == "__main__":
    main()
