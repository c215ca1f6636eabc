"""Train the judge of generated pictures: a small classifier that says what facts a picture of a world shows.

Usage: python tools/world_judge.py --data world:seed=4001,count=3000,size=96 --out /tmp/judge.safetensors
       [--steps 1200] [--side 96] [--check FOLDER]
It learns from renders of its own seeds and is never asked while pictures are made or chosen, only afterwards.
Generated pictures are softer than renders, so a share of the pictures that it learns from is blurred, made
smaller or noisy. A tenth of the data is held out for its own accuracy, which is printed and stored with it.
--check also judges the pictures of a folder (PNG, WebP, …) and prints what is seen in each.
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from dreamplate.errors import ModelError
from dreamplate.tensorfile import read_tensors, write_tensors
from dreamplate.tokens.scorer_phrases import asked

ATTRIBUTES = ("time", "weather", "biome", "landmark", "count", "season", "water")
SIDE = 96
WIDTHS = (24, 48, 96, 160)
NOTE = "dreamplate.judge"
ABSENT = {"landmark": "none", "water": "none"}
"""Facts whose absence is a value too."""


@dataclass(frozen=True, eq=False)
class Renders:
    """Pictures and what is known of them.

    Attributes:
        images: ``(n, 3, side, side)`` uint8.
        facts: Of each, by attribute; those that it does not show are left out.
    """

    images: Tensor
    facts: tuple[Mapping[str, str], ...]


class Judge(nn.Module):
    """Convolutions and one linear map for each attribute.

    Args:
        classes: Values of each attribute.
        side: In pixels, of the pictures that it looks at.
        widths: Channels of its stages.
        figures: Accuracy on held-out renders, by attribute.
    """

    def __init__(
        self,
        classes: Mapping[str, Sequence[str]],
        side: int = SIDE,
        widths: Sequence[int] = WIDTHS,
        figures: Mapping[str, float] | None = None,
    ) -> None:
        super().__init__()
        self.classes = {name: tuple(values) for name, values in classes.items()}
        self.side, self.widths, self.figures = side, tuple(widths), dict(figures or {})
        layers: list[nn.Module] = []
        inside = 3
        for number, width in enumerate(widths):
            layers += [
                nn.Conv2d(inside, width, 5 if not number else 3, 2, 2 if not number else 1, bias=False)
            ]
            layers += [nn.BatchNorm2d(width), nn.ReLU()]
            layers += [nn.Conv2d(width, width, 3, 1, 1, bias=False), nn.BatchNorm2d(width), nn.ReLU()]
            inside = width
        self.body = nn.Sequential(*layers)
        self.heads = nn.ModuleDict(
            {name: nn.Linear(3 * inside, len(values)) for name, values in self.classes.items()}
        )

    def forward(self, images: Tensor) -> dict[str, Tensor]:
        """Return the scores of each attribute's values for pictures ``(n, 3, side, side)`` of 0 to 1."""
        found = self.body((images * 2 - 1).contiguous(memory_format=torch.channels_last)).float()
        upper = found[:, :, : max(1, found.shape[2] // 2)]
        pooled = torch.cat([found.mean((2, 3)), upper.mean((2, 3)), found.amax((2, 3))], 1)
        return {name: head(pooled) for name, head in self.heads.items()}

    @torch.no_grad()
    def judge(self, images: Tensor, batch: int = 64) -> list[dict[str, str]]:
        """Return what is seen in pictures ``(n, 3, h, w)``, display-encoded, of 0 to 1."""
        self.eval()
        seen: list[dict[str, str]] = []
        for part in images.split(batch):
            shown = resized(part.float(), self.side).clamp(0, 1)
            best = {name: scores.argmax(1).tolist() for name, scores in self(shown).items()}
            seen += [
                {name: self.classes[name][numbers[row]] for name, numbers in best.items()}
                for row in range(len(part))
            ]
        return seen


def shown_facts(facts: Mapping[str, str]) -> dict[str, str]:
    """Return the values of the attributes that a picture shows; counts where there is something to count."""
    told = asked(facts)
    found = {name: told[name] for name in ATTRIBUTES if name in told}
    found |= {name: value for name, value in ABSENT.items() if facts.get(name) == value}
    if "count" in found:
        found["count"] = facts["count"]
    return found


def accuracies(seen: Sequence[Mapping[str, str]], facts: Sequence[Mapping[str, str]]) -> dict[str, float]:
    """Return the share of right answers for each attribute, over the pictures that show it."""
    found = {}
    for name in ATTRIBUTES:
        hits = [a.get(name) == b[name] for a, b in zip(seen, facts, strict=True) if name in b]
        if hits:
            found[name] = sum(hits) / len(hits)
    return found


def majority(facts: Sequence[Mapping[str, str]]) -> dict[str, float]:
    """Return the share of the most frequent value of each attribute: what blind guessing gets."""
    found = {}
    for name in ATTRIBUTES:
        values = [each[name] for each in facts if name in each]
        if values:
            found[name] = max(map(values.count, set(values))) / len(values)
    return found


def read_renders(data: Path, side: int, seed: int = 0) -> Renders:
    """Read all pictures of a folder, tar shards or a drawn world (``world:…``), with their facts.

    Raises:
        ModelError: Nothing is known of them.
    """
    from dreamplate.train.data.opening import open_examples
    from dreamplate.train.options import AugmentOptions, SourceOptions

    source = SourceOptions(pairing="images", shortest=side, crop=(side, side), holdout=0.0, cache="16MB")
    examples = open_examples(data, source, AugmentOptions(flip=False), "train", seed)
    images = torch.empty((len(examples), 3, side, side), dtype=torch.uint8)
    facts = []
    for index in range(len(examples)):
        batch = examples.batch([index], None)
        images[index] = ((batch.image[0] + 1) * 127.5).round().clamp(0, 255).to(torch.uint8)
        facts.append(shown_facts(batch.facts[0] if batch.facts else {}))
    if not any(facts):
        raise ModelError(f"{data}: nothing is known of its pictures; render it with facts")
    return Renders(images, tuple(facts))


def spoilt(images: Tensor, generator: torch.Generator) -> Tensor:
    """Return pictures cropped, of other light, and some softer or noisier, as generated ones may be."""
    n, _, height, width = images.shape
    draws = torch.rand(6, generator=generator).tolist()
    top, left = (int(draw * 0.1 * height) for draw in draws[:2])
    images = resized(
        images[:, :, top : height - int(0.05 * height), left : width - int(0.05 * width)], height
    )
    if draws[2] < 0.5:
        small = round(height / (1 + 2 * draws[3]))
        images = resized(resized(images, small), height)
    if draws[4] < 0.3:
        images = images + 0.06 * draws[5] * torch.randn(images.shape, generator=generator)
    light = torch.rand((n, 3, 1, 1), generator=generator) - 0.5
    return (images * (1 + 0.2 * light[:, :1]) + 0.06 * light).clamp(0, 1)


def train(renders: Renders, steps: int, seed: int = 0, batch: int = 64, held: float = 0.1) -> Judge:
    """Return a judge that learnt for so many steps, and its accuracy on held-out renders.

    Every ``1 / held``-th picture is held out.
    """
    every = round(1 / held)
    out = torch.arange(len(renders.images)) % every == every - 1
    learnt, kept = torch.nonzero(~out)[:, 0], torch.nonzero(out)[:, 0].tolist()
    classes = {name: sorted({facts[name] for facts in renders.facts if name in facts}) for name in ATTRIBUTES}
    generator = torch.Generator().manual_seed(seed)
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        judge = Judge(
            {name: values for name, values in classes.items() if len(values) > 1}, renders.images.shape[-1]
        )
    judge = judge.to(memory_format=torch.channels_last)
    answers = {
        name: torch.tensor([values.index(facts[name]) if name in facts else -1 for facts in renders.facts])
        for name, values in judge.classes.items()
    }
    optimiser = torch.optim.AdamW(judge.parameters(), 2e-3, weight_decay=0.02, fused=True)
    order = torch.empty(0, dtype=torch.int64)
    for step in range(steps):
        share = step / steps
        if len(order) < batch:
            order = learnt[torch.randperm(len(learnt), generator=generator)]
        chosen, order = order[:batch], order[batch:]
        for group in optimiser.param_groups:
            group["lr"] = 2e-3 * min(1.0, 20 * share + 0.02) * (1 - share)
        judge.train()
        images = spoilt(renders.images[chosen].float() / 255, generator)
        with torch.autocast("cpu", torch.bfloat16):
            scores = judge(images)
        losses = [
            functional.cross_entropy(
                scores[name].float(), numbers[chosen], ignore_index=-1, label_smoothing=0.05
            )
            for name, numbers in answers.items()
            if bool((numbers[chosen] >= 0).any())
        ]
        optimiser.zero_grad(set_to_none=True)
        torch.stack(losses).sum().backward()
        optimiser.step()
    judge.eval()
    seen = judge.judge(renders.images[kept].float() / 255)
    judge.figures = accuracies(seen, [renders.facts[index] for index in kept])
    return judge


def save_judge(judge: Judge, path: Path) -> None:
    """Write a judge with its classes and accuracy."""
    about = {
        "classes": {name: list(values) for name, values in judge.classes.items()},
        "side": judge.side,
        "widths": list(judge.widths),
        "figures": judge.figures,
    }
    write_tensors(path, judge.state_dict(), {"format": "pt", NOTE: json.dumps(about)})


def load_judge(path: Path) -> Judge:
    """Read what `save_judge` wrote.

    Raises:
        ModelError: The file is no judge.
    """
    state, notes = read_tensors(path)
    if NOTE not in notes:
        raise ModelError(f"{path}: is no judge; train one with tools/world_judge.py")
    about: dict[str, Any] = json.loads(notes[NOTE])
    judge = Judge(about["classes"], about["side"], about["widths"], about["figures"])
    judge.load_state_dict(state)
    return judge.eval().requires_grad_(False)


def read_folder(folder: Path) -> tuple[list[Path], list[Tensor]]:
    """Return the pictures of a folder, by name, ``(1, 3, h, w)`` display-encoded."""
    from dreamplate.dream.judge import as_tensor
    from dreamplate.plate import read

    paths = sorted(
        path for path in folder.iterdir() if path.suffix.lower() in (".png", ".webp", ".jpg", ".exr")
    )
    return paths, [as_tensor(read(path)) for path in paths]


def resized(images: Tensor, side: int) -> Tensor:
    """Return pictures as squares of another size."""
    if images.shape[-2:] == (side, side):
        return images
    return functional.interpolate(images, (side, side), mode="bilinear", antialias=True, align_corners=False)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--steps", type=int, default=1200)
    parser.add_argument("--side", type=int, default=SIDE)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--check", type=Path)
    asked_for = parser.parse_args()
    torch.set_num_threads(1)
    renders = read_renders(asked_for.data, asked_for.side)
    print(f"{len(renders.images)} renders read, {time.process_time():.0f} processor seconds", flush=True)
    began = time.process_time()
    judge = train(renders, asked_for.steps, asked_for.seed)
    print(f"{asked_for.steps} steps, {time.process_time() - began:.0f} processor seconds", flush=True)
    save_judge(judge, asked_for.out)
    guess = majority(renders.facts)
    for name, share in judge.figures.items():
        print(
            f"{name:<10} {share:6.3f}  most frequent value {guess[name]:.3f}  {' '.join(judge.classes[name])}"
        )
    if asked_for.check:
        for path, image in zip(*read_folder(asked_for.check), strict=True):
            print(path.name, " ".join(f"{name}={value}" for name, value in judge.judge(image)[0].items()))


if __name__ == "__main__":
    main()
