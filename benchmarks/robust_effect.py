"""What ``augment.robust`` is worth: does a model obey conditions that its examples never had?

Two pix2pix models of one size learn from the facades for equally many steps, one of them with
``--augment.robust``. Both then get validation label maps that were edited: windows made taller, doors
removed, windows moved. A segmenter trained on real pairs of the same size says, inside the edited regions
alone, whether the made picture shows what the edited map asks for. Its answer on the real pictures is the
ceiling.

    python benchmarks/robust_effect.py ../shared/data/facades --work /tmp/robust --steps 600
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import torch
from torch import Tensor

from dreamplate.train.batch import Batch
from dreamplate.train.data.opening import open_examples
from dreamplate.train.draws import Draws
from dreamplate.train.infill import component, dilated
from dreamplate.train.label_accuracy import accuracy, confusion
from dreamplate.train.onehot import condition_tensor
from dreamplate.train.options import AugmentOptions, SourceOptions
from dreamplate.translate.model import Model, load_model
from dreamplate.translate.pix2pix_layers import padded
from dreamplate.translate.segmenter import open_segmenter

Edit = Callable[[Tensor, dict[str, int], torch.Generator], Tensor]


def train(work: Path, data: Path, name: str, *options: str) -> Path:
    """Train once by the command line; a take that is finished already is used again."""
    take = work / name
    if not (take / "metrics.json").is_file():
        command = [sys.executable, "-m", "dreamplate.cli", "train", *options, "--data", str(data)]
        subprocess.run([*command, "--take", str(take), "--overwrite"], check=True)
    return take


def things(labels: Tensor, kind: int) -> list[Tensor]:
    """Return the connected regions of a class, of more than a handful of pixels."""
    left, found = labels == kind, []
    while bool(left.any()):
        row, column = left.nonzero()[0].tolist()
        region = component(labels, row, column, 1.0)
        assert region is not None
        left = left & ~region
        if int(region.sum()) > 8:
            found.append(region)
    return found


def taller(labels: Tensor, classes: dict[str, int], generator: torch.Generator) -> Tensor:
    """Make a third of the windows 1.8 times as tall."""
    made = labels.clone()
    for region in things(labels, classes["window"]):
        if float(torch.rand((), generator=generator)) < 1 / 3:
            rows = region.any(1).nonzero()[:, 0]
            columns = region.any(0).nonzero()[:, 0]
            more = round(0.4 * len(rows))
            top, bottom = max(0, int(rows[0]) - more), int(rows[-1]) + 1 + more
            made[top:bottom, int(columns[0]) : int(columns[-1]) + 1] = classes["window"]
    return made


def doorless(labels: Tensor, classes: dict[str, int], generator: torch.Generator) -> Tensor:
    """Brick up the doors."""
    made = labels.clone()
    for region in things(labels, classes["door"]):
        made[dilated(region, 1) & (labels != classes["background"])] = classes["facade"]
    return made


def moved(labels: Tensor, classes: dict[str, int], generator: torch.Generator) -> Tensor:
    """Move a third of the windows to another place of the wall."""
    made = labels.clone()
    height, width = labels.shape
    for region in things(labels, classes["window"]):
        if float(torch.rand((), generator=generator)) >= 1 / 3:
            continue
        rows, columns = region.any(1).nonzero()[:, 0], region.any(0).nonzero()[:, 0]
        tall, wide = len(rows), len(columns)
        for _ in range(20):
            y, x = torch.rand(2, generator=generator).tolist()
            top, left = int(y * (height - tall)), int(x * (width - wide))
            if bool((made[top : top + tall, left : left + wide] == classes["facade"]).all()):
                made[region] = classes["facade"]
                made[top : top + tall, left : left + wide] = classes["window"]
                break
    return made


EDITS: dict[str, Edit] = {"windows taller": taller, "doors removed": doorless, "windows moved": moved}


@torch.no_grad()
def make(model: Model, labels: Tensor) -> Tensor:
    """Return what a model makes of label maps, by the statistics that it has seen in training."""
    assert model.given is not None
    condition = condition_tensor(
        Batch(torch.zeros(len(labels), 1, *labels.shape[1:]), labels=labels), model.given
    )
    return padded(model.network, condition)


def main() -> None:
    """Train, edit, measure, print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("data", type=Path)
    parser.add_argument("--work", type=Path, required=True)
    parser.add_argument("--side", type=int, default=64)
    parser.add_argument("--steps", type=int, default=600)
    parser.add_argument("--segmenter-steps", type=int, default=300)
    parser.add_argument("--count", type=int, default=100)
    asked = parser.parse_args()
    side = str(asked.side)
    size = [
        "--source.shortest",
        side,
        "--source.crop",
        side,
        side,
        "--previews",
        "0",
        "--measure.features",
        "none",
    ]
    size += ["--measure.no-report"]
    judge = train(
        asked.work, asked.data, "segmenter", "segmenter", *size, "--learn.steps", str(asked.segmenter_steps)
    )
    common = ["pix2pix", *size, "--source.no-stretch", "--learn.batch", "8", "--pix2pix.width", "32"]
    common += ["--pix2pix.width-d", "32", "--pix2pix.depth", "0", "--learn.steps", str(asked.steps)]
    models = {
        "plain": load_model(train(asked.work, asked.data, "plain", *common)),
        "robust": load_model(train(asked.work, asked.data, "robust", *common, "--augment.robust")),
    }
    source = SourceOptions(shortest=asked.side, crop=(asked.side, asked.side))
    examples = open_examples(asked.data, source, AugmentOptions(), "validate", 0)
    assert examples.given is not None and examples.given.palette is not None
    palette = examples.given.palette
    classes = {name: number for number, name in enumerate(palette.names)}
    segment = open_segmenter(judge, palette, examples.made)
    batch = examples.batch(range(min(asked.count, len(examples))), None)
    assert batch.labels is not None
    figures: dict[str, object] = {
        "real": accuracy(confusion(segment(batch.image), batch.labels, len(palette)))
    }
    for name, model in models.items():
        seen = segment(make(model, batch.labels))
        figures[f"{name}, unedited"] = accuracy(confusion(seen, batch.labels, len(palette)))
    for title, edit in EDITS.items():
        draws = Draws(0, title)
        edited = torch.stack([edit(labels, classes, draws.generator) for labels in batch.labels])
        within = (edited != batch.labels).float()
        for name, model in models.items():
            counts = confusion(segment(make(model, edited)), edited, len(palette), within)
            share = {"pixels": int(counts.sum()), "right": float(counts.diagonal().sum() / counts.sum())}
            figures[f"{name}, {title}"] = share
        # What the segmenter sees there in the real pictures, which do not show the edit: chance.
        counts = confusion(segment(batch.image), edited, len(palette), within)
        figures[f"chance, {title}"] = float(counts.diagonal().sum() / counts.sum())
    print(json.dumps(figures, indent=1))


if __name__ == "__main__":
    main()
