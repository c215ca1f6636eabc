"""Measure captions: how often their words are words that people used for the same picture.

Usage: python benchmarks/caption.py [--pictures 100] [--show 10] [--scorer bridge]

- flickr8k test: a caption's noun, quality, action, company, place and light each count as right when one of
  their words (without endings) is in one of the picture's five human captions. A breed of dog or cat counts
  as dog or cat. People leave out most of what a picture shows, so this is a lower bound of what is right;
  "any" is how often an option drawn blindly from the same list would count.
- natural_scenes test: whether the first caption is about a word for the class.

Nothing was fitted on single pictures, but the bars that a clause must pass were set on every second picture
of flickr8k test. The figures here are of the others.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import re
import time
from collections import defaultdict
from collections.abc import Iterable
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from dreamplate.dream.caption import PhraseCaptions
from dreamplate.dream.concepts import Concept, see
from dreamplate.dream.grammar import BARS, options
from dreamplate.dream.scorers import load_scorer

SHARED = Path(os.environ.get("DREAMPLATE_SHARED", Path(__file__).resolve().parents[2] / "shared"))
SCENES = {
    "buildings": "building house skyscraper city skyline flat tower palace castle church monastery square"
    " village street temple station",
    "forest": "forest jungle tree path swamp wood",
    "glacier": "glacier iceberg ice mountain range landscape",
    "mountain": "mountain range valley cliff volcano canyon hill",
    "sea": "sea coast beach wave breakwater sandbar lakeshore promontory harbour island",
    "street": "street alley road square city village motorway",
}
SAME = {
    "snow": "snowy", "sea": "ocean", "water": "pool ocean lake river", "football": "soccer", "field": "grass",
    "bicycle": "bike", "motorcycle": "motorbike", "child": "kid boy girl children", "street": "road sidewalk",
    "puppy": "dog", "slope": "hill snow", "man": "guy", "playground": "slide swing",
}  # fmt: skip
SMALL = {
    "a", "an", "the", "of", "in", "on", "at", "by", "under", "into", "with", "and", "or", "front", "between",
    "among", "against", "up", "down",
}  # fmt: skip


def stems(words: Iterable[str]) -> set[str]:
    """Words without the endings for number and for what goes on."""
    found = set()
    for word in words:
        for one in (word, *SAME.get(word, "").split()):
            short = re.sub(r"(ning|ming|ting|ing|es|s|y)$", "", one) if len(one) > 4 else one.rstrip("s")
            found.add(short.rstrip("e"))
    return found


def meaning(text: str, concept: Concept | None = None, classes: dict[str, int] | None = None) -> set[str]:
    """What a phrase's words count as."""
    words = [word for word in re.findall(r"[a-z]+", text.lower()) if word not in SMALL]
    number = (classes or {}).get(concept.noun, -1) if concept and not concept.own else -1
    extra = ["dog"] if 151 <= number <= 268 else ["cat"] if 281 <= number <= 285 else []
    return stems([*words, *extra])


def load(path: Path) -> Tensor:
    """A WebP test picture, already display-encoded."""
    import OpenImageIO

    pixels = OpenImageIO.ImageBuf(str(path)).get_pixels(OpenImageIO.FLOAT)[:, :, :3]
    return torch.from_numpy(np.array(pixels.transpose(2, 0, 1)[None]))


def class_numbers() -> dict[str, int]:
    from dreamplate.nets.packaged import package_file

    names = json.loads(package_file("clean").read_text(encoding="utf-8"))
    return {re.split(r" \(| / |, ", name)[0]: index for index, name in enumerate(names)}


def row(name: str, *figures: str) -> None:
    print(f"{name:<44}" + "".join(f"{figure:>12}" for figure in figures), flush=True)


def flickr(captions: PhraseCaptions, number: int, show: int) -> None:
    folder = SHARED / "data/flickr8k"
    ids = json.loads((folder / "splits.json").read_text())["test"][1::2][:number]
    human = json.loads((folder / "captions.json").read_text())
    classes, right, said = class_numbers(), defaultdict(list), 0
    blind: dict[str, list[float]] = defaultdict(list)
    start = time.process_time()
    for index, name in enumerate(ids):
        truth = meaning(" ".join(human[name]))
        seen = see(captions.scorer, load(folder / "images" / f"{name}.webp"))
        found = captions.describe(seen, 5)
        nouns = {concept.noun: concept for concept in captions.words.nouns}
        hits = [bool(meaning(c.noun, nouns[c.noun], classes) & truth) for c in found]
        right["noun, first"].append(hits[0])
        right["noun, of five"].append(any(hits))
        first = nouns[found[0].noun]
        rest = re.sub(re.escape(first.noun), "", found[0].text, count=1)
        for clause in BARS:
            some = options(captions.words, clause, first, captions.words.nouns)
            options_right = [bool(meaning(option.alone, option.noun, classes) & truth) for option in some]
            if some:
                blind[clause].append(float(np.mean(options_right)))
            used = [
                hit for option, hit in zip(some, options_right, strict=True) if is_said(option.text, rest)
            ]
            if used:
                right[clause].append(used[0])
        said += len(found[0].text.split())
        if index < show:
            print(f"  {human[name][0]}\n    -> {found[0].text}   | {found[1].text}")
    taken = (time.process_time() - start) / len(ids)
    row("flickr8k test", "said", "right", "any")
    for name in ("noun, first", "noun, of five", *BARS):
        if right[name]:
            share = f"{len(right[name]) / len(ids):.0%}"
            any_ = f"{np.mean(blind[name]):.0%}" if name in blind else ""
            row(f"  {name}", share, f"{np.mean(right[name]):.0%}", any_)
    row("  words in a caption", f"{said / len(ids):.1f}")
    row("CPU s a picture, five captions", f"{taken:.2f}")


def is_said(option: str, text: str) -> bool:
    if "{}" in option:
        return option.replace("{}", "").strip() in text
    return re.search(rf"(^|\W){re.escape(option)}($|\W)", text) is not None


def scenes(captions: PhraseCaptions, each: int) -> None:
    row("natural_scenes test", "right")
    total = []
    for name, words in SCENES.items():
        paths = sorted((SHARED / "data/natural_scenes/test" / name).glob("*.webp"))
        accept = stems(words.split())
        hits = []
        for path in paths[:: max(1, len(paths) // each)][:each]:
            found = captions.describe(see(captions.scorer, load(path)), 1)[0]
            hits.append(bool(meaning(found.noun) & accept))
        total += hits
        row(f"  {name}", f"{np.mean(hits):.0%}")
    row("  all", f"{np.mean(total):.0%}")


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--pictures", type=int, default=100)
    parser.add_argument("--show", type=int, default=10)
    parser.add_argument("--scorer", default="bridge")
    args = parser.parse_args()
    torch.set_num_threads(1)
    print(f"machine: {platform.machine()}, 1 thread, torch {torch.__version__}")
    scorer = load_scorer(args.scorer)
    start = time.process_time()
    captions = PhraseCaptions(scorer)
    row("CPU s to read the vocabulary", f"{time.process_time() - start:.2f}")
    flickr(captions, args.pictures, args.show)
    scenes(captions, max(1, args.pictures // 6))


if __name__ == "__main__":
    main()
