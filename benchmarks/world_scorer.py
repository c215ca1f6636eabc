"""Measure scorers on pictures of the world, and on photographs for the record.

Usage: python benchmarks/world_scorer.py --data world:seed=8001,count=1000,size=128 [--scorers own bridge]
       [--sides 64 96] [--photographs]
DATA are renders that no scorer learnt from: a drawn world, a folder or tar shards with captions and facts.

Printed for each scorer and side:
- caption -> picture and picture -> caption among all pictures, R@1 and R@5, by each picture's first caption.
  Another picture with the very same caption counts as right.
- zero-shot accuracy of each fact: the picture is held against all texts that say each value (their mean),
  counts within their kind. "chance" is the share of the most frequent value.
- with --photographs, where the shared data is found: flickr8k test (1000 photographs, five captions each)
  and natural_scenes test (six classes).
Scorers of a fixed or favourite size (bridge: 224) see the pictures enlarged to it.
"""

from __future__ import annotations

import argparse
import json
import os
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

import torch
import torch.nn.functional as F
from torch import Tensor

from dreamplate.dream.scorers import Scorer, load_scorer
from dreamplate.tokens.scorer_facts import fact_hits
from dreamplate.tokens.scorer_phrases import asked, values

SHARED = Path(os.environ.get("DREAMPLATE_SHARED", Path(__file__).resolve().parents[2] / "shared"))
SHOWN = ("time", "weather", "biome", "landmark", "count", "season", "water", "trees")


def row(name: str, *figures: float, note: str = "") -> None:
    print(f"{name:<44}" + "".join(f"{figure:8.3f}" for figure in figures) + f"  {note}", flush=True)


def read_world(data: Path, side: int) -> tuple[Tensor, list[str], list[Mapping[str, str]]]:
    """Return pictures ``(n, 3, side, side)`` of 0 to 1, their first captions, and their facts."""
    from dreamplate.train.data.opening import open_examples
    from dreamplate.train.options import AugmentOptions, SourceOptions

    source = SourceOptions(pairing="images", shortest=side, crop=(side, side), holdout=0.0, cache="16MB")
    examples = open_examples(data, source, AugmentOptions(flip=False), "train", 0)
    images, captions, facts = [], [], []
    for start in range(0, len(examples), 16):
        batch = examples.batch(range(start, min(start + 16, len(examples))), None)
        images.append((batch.image + 1) / 2)
        captions += [own[0] for own in batch.texts]
        facts += list(batch.facts)
    return torch.cat(images), captions, facts


@torch.no_grad()
def vectors(scorer: Scorer, images: Tensor, side: int, batch: int = 50) -> Tensor:
    """Return unit vectors of pictures, shown at a side."""
    parts = []
    for part in images.split(batch):
        alike = part.shape[-2:] == (side, side)
        shown = part if alike else F.interpolate(part, (side, side), mode="bicubic", antialias=True)
        parts.append(scorer.encode_image(shown.clamp(0, 1)).float())
    return torch.cat(parts)


def found_among(agreed: Tensor, right: Tensor) -> list[float]:
    """Return R@1 and R@5 of rows that look for columns.

    Args:
        agreed: ``(rows, columns)``.
        right: Which columns are right for each row.
    """
    best = agreed.topk(5, dim=1).indices
    hits = right.gather(1, best)
    return [float(hits[:, :k].any(1).float().mean()) for k in (1, 5)]


def world(
    name: str, scorer: Scorer, seen: Tensor, captions: Sequence[str], facts: Sequence[Mapping[str, str]]
) -> None:
    """Print what a scorer makes of renders."""
    said = scorer.encode_text(captions).float()
    number = {text: index for index, text in enumerate(dict.fromkeys(captions))}
    own = torch.tensor([number[text] for text in captions])
    right = own[:, None] == own[None]
    row(f"{name}: caption -> picture R@1, R@5", *found_among(said @ seen.T, right), note=f"of {len(seen)}")
    row(f"{name}: picture -> caption R@1, R@5", *found_among(seen @ said.T, right), note=f"of {len(seen)}")
    known = values(facts)
    sums = fact_hits(seen, facts, known, lambda texts: scorer.encode_text(texts).float())
    told = [asked(each) for each in facts]
    for fact in SHOWN:
        if f"right_{fact}" not in sums:
            continue
        share = float(sums[f"right_{fact}"] / sums[f"asked_{fact}"])
        given = [each[fact] for each in told if fact in each]
        kinds = {value.partition("/")[0] for value in given} if fact == "count" else {""}
        groups = [[value for value in given if value.startswith(kind)] for kind in kinds]
        most = sum(max(map(group.count, set(group))) for group in groups) / len(given)
        row(f"{name}: zero-shot {fact}", share, note=f"chance {most:.3f}, {len(known[fact])} values")


def photographs(name: str, scorer: Scorer, side: int) -> None:
    """Print what a scorer makes of photographs."""
    import sys

    sys.path.insert(0, str(Path(__file__).resolve().parent))
    from scorer import SCENE_TEXTS, SCENES, load_picture

    folder = SHARED / "data/flickr8k"
    ids = json.loads((folder / "splits.json").read_text())["test"]
    captions = json.loads((folder / "captions.json").read_text())
    images = torch.cat([load_picture(folder / "images" / f"{item}.webp", side) for item in ids])
    said = scorer.encode_text([text for item in ids for text in captions[item]]).float()
    right = torch.arange(len(ids)).repeat_interleave(5)[:, None] == torch.arange(len(ids))[None]
    row(
        f"{name}: flickr8k caption -> picture R@1, R@5",
        *found_among(said @ vectors(scorer, images, side).T, right),
    )
    paths = [sorted((SHARED / "data/natural_scenes/test" / scene).glob("*.webp")) for scene in SCENES]
    truth = torch.tensor([number for number, group in enumerate(paths) for _ in group])
    images = torch.cat([load_picture(path, side) for group in paths for path in group])
    agreed = vectors(scorer, images, side) @ scorer.encode_text(SCENE_TEXTS).float().T
    row(
        f"{name}: natural_scenes zero-shot",
        float((agreed.argmax(1) == truth).float().mean()),
        note="chance 0.167",
    )
    each = [
        float((agreed[truth == number].argmax(1) == number).float().mean()) for number in range(len(SCENES))
    ]
    row("  by class: " + ", ".join(SCENES), *each)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--scorers", nargs="+", default=["own", "bridge"])
    parser.add_argument("--sides", nargs="+", type=int, default=[], help="own scorers; default: their best")
    parser.add_argument("--photographs", action="store_true")
    asked_for = parser.parse_args()
    torch.set_num_threads(1)
    images, captions, facts = read_world(asked_for.data, 128)
    print(
        f"{len(images)} renders, {len(set(captions))} different captions; such as {captions[0]!r}", flush=True
    )
    for spec in asked_for.scorers:
        scorer = load_scorer(spec)
        sides = asked_for.sides if spec.startswith("own") and asked_for.sides else [scorer.size]
        for side in sides:
            began = time.process_time()
            seen = vectors(scorer, images, side)
            each = (time.process_time() - began) / len(images) * 1e3
            print(f"== {spec} at {side} pixels, {each:.1f} CPU ms a picture", flush=True)
            world(spec, scorer, seen, captions, facts)
            if asked_for.photographs and (SHARED / "data").is_dir():
                photographs(spec, scorer, side)


if __name__ == "__main__":
    main()
