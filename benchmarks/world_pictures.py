"""Do generated pictures show what their prompts say? Asked of a judge that learnt from other renders.

Usage: python benchmarks/world_pictures.py --judge /tmp/judge.safetensors
       --prompts world:seed=9001,count=64,size=128
       [--recipes dalle built-in-best quick] [--set NAME=VALUE ...] [--out FOLDER]
PROMPTS are renders (a drawn world, a folder, tar shards) that nothing learnt from: their first captions are
the prompts, their facts the right answers, and the pictures themselves what could be reached. The judge is
made by tools/world_judge.py; it has no part in making or choosing pictures.

Printed: for each attribute the share of pictures in which the judge sees what the prompt says, only over
prompts that say it; beside it the judge's own accuracy on held-out renders, blind guessing, and what it sees
in these renders. --out gets a side-by-side sheet (a row for each prompt, the render first, then a column for
each recipe), what was seen, and every picture: a second run makes only those that are not there. Empty that
folder when weights change.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
import yaml
from torch import Tensor

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "tools"))
from world_judge import ATTRIBUTES, Judge, accuracies, load_judge, majority, resized, shown_facts
from world_scorer import read_world

from dreamplate.scenes.world import words

SHEET_SIDE = 128


def said(caption: str, facts: Mapping[str, str]) -> dict[str, str]:
    """Return the facts of a picture that its caption says."""
    shown = shown_facts(facts)
    found = {
        name: value for name, value in shown.items() if any(has(caption, way) for way in ways(name, facts))
    }
    if "landmark" not in found or found["landmark"] == "none":
        found.pop("count", None)
    return found


def has(caption: str, phrase: str) -> bool:
    """Say whether a caption holds a phrase, its articles aside."""
    plain = [" ".join(word for word in text.split() if word not in ("a", "an")) for text in (caption, phrase)]
    return f" {plain[1]} " in f" {plain[0]} "


def ways(name: str, facts: Mapping[str, str]) -> tuple[str, ...]:
    """Return all phrases that say a fact of a picture."""
    value = facts.get(name, "none")
    if name == "time":
        noon = words.TIMES["noon"] if value == "day" else ()
        return (*words.TIMES.get(value, ()), *words.DAYS.get(value, ()), *noon)
    if name == "weather":
        skies = [text for key, texts in words.SKIES.items() if key.split()[0] == value for text in texts]
        return (*skies, *words.WEATHERS.get(value, ()), *words.LOOKS.get(value, ()))
    if name == "biome":
        lands = (words.BIOMES.get(key, {}) for key in (value, f"green {value}", f"snowy {value}"))
        return tuple(text for land in lands for texts in land.values() for text in texts)
    if name in ("landmark", "count"):
        kind = facts.get("landmark", "none")
        return tuple(text for pair in words.NOUNS.get(kind, ()) for text in pair)
    if name == "season":
        return (*words.SEASONS.get(value, ()), value)
    if name == "water":
        return (*words.BESIDE.get(value, ()), *words.WATERS.get(value, ()), value)
    return ()


def dream(recipe: str, prompt: str, seed: int, changes: Mapping[str, Any]) -> Tensor:
    """Return one picture ``(1, 3, h, w)`` of a recipe, display-encoded."""
    from dreamplate.dream import DreamConfig, DreamJob
    from dreamplate.dream.judge import as_tensor
    from dreamplate.take import load_recipe, replace_fields

    config = load_recipe(DreamConfig, recipe, kind="dream")
    job = DreamJob(replace_fields(config, {"prompt": prompt, "seed": seed, **changes}))
    while job.position < len(job):
        job.step()
    return as_tensor(job.outcome().plates["final"])


def kept(recipe: str, prompt: str, seed: int, changes: Mapping[str, Any], folder: Path | None) -> Tensor:
    """Return the picture of ``dream``, at the side of the sheet, from the folder where it is."""
    from dreamplate.dream.judge import as_tensor
    from dreamplate.plate import Plate, read, write

    about = json.dumps([prompt, seed, dict(changes)], sort_keys=True)
    path = folder and folder / recipe / f"{seed:03d}-{hashlib.sha256(about.encode()).hexdigest()[:8]}.png"
    if path is None or not path.is_file():
        made = resized(dream(recipe, prompt, seed, changes), SHEET_SIDE)
        if path is None:
            return made
        path.parent.mkdir(parents=True, exist_ok=True)
        pixels = made[0].clamp(0, 1).permute(1, 2, 0).contiguous().numpy()
        write(Plate(pixels, ("R", "G", "B"), "srgb_display"), path, colourspace="srgb_display")
    # Read even when new, so that a second run judges the same numbers.
    return as_tensor(read(path))


def sheet(columns: Sequence[Tensor], path: Path, config: Mapping[str, Any]) -> None:
    """Write pictures side by side: a row for each prompt, in blocks of at most 16 rows."""
    from dreamplate.plate import Plate, write
    from dreamplate.take.config import canonical_json, data_id
    from dreamplate.take.provenance import KEY

    rows = torch.cat([resized(column, SHEET_SIDE) for column in columns], 3)
    tall = min(16, len(rows))
    blocks = [torch.cat(list(part), 1) for part in rows.split(tall)]
    height = tall * SHEET_SIDE
    padded = [
        torch.nn.functional.pad(block, (0, 8, 0, height - block.shape[1]), value=1.0) for block in blocks
    ]
    pixels = torch.cat(padded, 2).clamp(0, 1).permute(1, 2, 0).contiguous().numpy()
    record = {"schema": 1, "kind": "world pictures", "config": dict(config), "sources": [], "versions": {}}
    plate = Plate(pixels, ("R", "G", "B"), "srgb_display")
    plate = plate.with_(metadata={KEY: canonical_json(record | {"id": data_id(dict(config))})})
    write(plate, path, colourspace="srgb_display")


def report(judge: Judge, columns: Mapping[str, Tensor], told: Sequence[Mapping[str, str]]) -> None:
    """Print accuracy by attribute for each column, beside the judge's own."""
    found = {name: accuracies(judge.judge(images), told) for name, images in columns.items()}
    guess = majority(told)
    names = list(columns)
    print(f"{'':<10}{'judge':>8}{'guess':>8}" + "".join(f"{name[:15]:>17}" for name in names) + "   prompts")
    for name in ATTRIBUTES:
        if name in guess:
            own = judge.figures.get(name, float("nan"))
            shares = "".join(f"{found[column].get(name, float('nan')):17.3f}" for column in names)
            count = sum(name in each for each in told)
            print(f"{name:<10}{own:8.3f}{guess[name]:8.3f}{shares}   {count}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--judge", type=Path, required=True)
    parser.add_argument("--prompts", type=Path, required=True)
    parser.add_argument("--recipes", nargs="*", default=["dalle", "built-in-best", "quick"])
    parser.add_argument(
        "--set", action="append", default=[], metavar="NAME=VALUE", help="field of every recipe"
    )
    parser.add_argument("--out", type=Path)
    asked = parser.parse_args()
    torch.set_num_threads(1)
    judge = load_judge(asked.judge)
    told_of = (item.split("=", 1) for item in asked.set)
    changes = {name: yaml.safe_load(value) for name, value in told_of}
    images, captions, facts = read_world(asked.prompts, 128)
    told = [said(caption, each) for caption, each in zip(captions, facts, strict=True)]
    columns = {"renders": images}
    for recipe in asked.recipes:
        began, made = time.process_time(), []
        for number, caption in enumerate(captions):
            made.append(kept(recipe, caption, number, changes, asked.out))
        spent = (time.process_time() - began) / len(captions)
        columns[recipe] = torch.cat(made)
        print(f"{recipe}: {len(made)} pictures, {spent:.1f} processor seconds each", flush=True)
    report(judge, columns, told)
    if asked.out:
        asked.out.mkdir(parents=True, exist_ok=True)
        config = {"prompts": str(asked.prompts), "recipes": asked.recipes, "set": changes}
        sheet(list(columns.values()), asked.out / "sheet.png", config)
        seen = {name: judge.judge(pictures) for name, pictures in columns.items()}
        lines = [
            {
                "prompt": caption,
                "said": dict(each),
                "seen": {name: all_[number] for name, all_ in seen.items()},
            }
            for number, (caption, each) in enumerate(zip(captions, told, strict=True))
        ]
        (asked.out / "pictures.json").write_text(json.dumps(lines, indent=1), encoding="utf-8")


if __name__ == "__main__":
    main()
