"""Take a finished training into the package: its model as float16 with a card that says how it was made.

Usage: python tools/build_in.py TAKE NAME --title TEXT --description TEXT --data TEXT
       [--figure NAME=NUMBER ...] [--training TEXT] [--out src/dreamplate/models/builtin]
TAKE is the folder of a `dreamplate train` run, or its model.safetensors. How it was trained (recipe, command,
processor seconds, steps, examples) is read from the take, never typed. Whoever loads the weights computes in
float32; small tensors (norms, biases, temperatures) stay in it.
"""

from __future__ import annotations

import argparse
import json
import math
import shlex
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from dreamplate.errors import ModelError
from dreamplate.models.card import Card
from dreamplate.models.find import MODEL_NOTE
from dreamplate.models.store import Entry, Folder, Store
from dreamplate.take import load_recipe
from dreamplate.take.config import from_dict, to_dict
from dreamplate.take.recipes import recipe_names
from dreamplate.tensorfile import read_tensors
from dreamplate.translate.config import TrainConfig
from dreamplate.translate.systems import SYSTEMS

BUILT_IN = Path(__file__).resolve().parents[1] / "src" / "dreamplate" / "models" / "builtin"
FAMILIES = {"dual-encoder": "scorer"}
"""Architecture to the role that uses it; all others are tokens."""
SMALL = 1024
"""Tensors of fewer numbers stay float32."""
LARGEST = 65504.0
"""Of float16."""


def halved(state: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Return weights of which large matrices and filters are float16.

    Raises:
        ModelError: A number is too large for float16, or is none.
    """
    made = {}
    for name, value in state.items():
        if not value.is_floating_point() or value.ndim < 2 or value.numel() < SMALL:
            made[name] = value
            continue
        if not bool(torch.isfinite(value).all()) or float(value.abs().max()) > LARGEST:
            raise ModelError(f"tensor {name!r} holds numbers that float16 cannot; train it again")
        made[name] = value.half()
    return made


def read_model(place: Path) -> tuple[dict[str, Tensor], dict[str, Any]]:
    """Return a model's tensors, and what its training wrote about it.

    Raises:
        ModelError: The file is no model that training wrote.
    """
    file = place / "model.safetensors" if place.is_dir() else place
    state, notes = read_tensors(file)
    if MODEL_NOTE not in notes:
        raise ModelError(f"{file}: training did not write this; name a take of dreamplate train")
    return state, json.loads(notes[MODEL_NOTE])


def command_of(config: Mapping[str, Any]) -> str:
    """Return the command that asks for a training: the recipe that leaves least to say, and what differs."""
    best: tuple[str, dict[str, Any]] = ("", _flat(to_dict(TrainConfig())))
    told = _flat(to_dict(from_dict(TrainConfig, config)))
    for name in recipe_names("train"):
        recipe = load_recipe(TrainConfig, name, kind="train")
        if recipe.system == config["system"]:
            flat = _flat(to_dict(recipe))
            if not best[0] or _differences(told, flat) < _differences(told, best[1]):
                best = name, flat
    words = ["dreamplate", "train", *filter(None, [best[0]])]
    others = SYSTEMS.keys() - {config["system"]}
    for name, value in told.items():
        if value != best[1].get(name) and name.partition(".")[0] not in others:
            words += [f"--{name.replace('_', '-')}", *_spelt(name, value)]
    return shlex.join(words)


def training_text(about: Mapping[str, Any], metrics: Mapping[str, Any]) -> str:
    """Return one line on how a model was trained, from what its take says.

    Args:
        about: The note of the model file.
        metrics: The take's ``metrics.json``; empty where it is not there.
    """
    notes = about["notes"]
    spent = metrics.get("scalars", {}).get("train_cpu_seconds", metrics.get("cpu_seconds"))
    machine = metrics.get("machine", {})
    parts = [
        command_of(notes["training"]),
        f"{notes['steps']} steps of {notes['training']['learn']['batch']}",
        f"{notes['examples']['learnt']} examples",
    ]
    if spent:
        parts.append(f"{spent:.0f} processor seconds" + _on(machine))
    return ", ".join(parts)


def card_for(
    name: str, about: Mapping[str, Any], metrics: Mapping[str, Any], said: Mapping[str, Any]
) -> Card:
    """Return the card of a built-in model."""
    settings = dict(about["settings"])
    architecture = str(settings.pop("architecture"))
    figures = {
        key: float(f"{value:.4g}")
        for key, value in about["notes"].get("figures", {}).items()
        if math.isfinite(value)
    }
    return Card(
        name=name,
        title=said["title"],
        architecture=architecture,
        family=FAMILIES.get(architecture, "tokens"),
        description=said["description"],
        training=said.get("training") or training_text(about, metrics),
        data=said["data"],
        licence="Apache-2.0",
        commercial_use="yes",
        source="recipes/train, tools/build_in.py",
        created_by="dreamplate",
        figures=figures | dict(said.get("figures", {})),
        settings=settings,
    )


def build_in(place: Path, name: str, said: Mapping[str, Any], out: Path = BUILT_IN) -> Entry:
    """Store a take's model under a name, in place of one that is there.

    Args:
        place: Take, or model file.
        name: Of the model.
        said: ``title``, ``description``, ``data``, and if need be ``training`` and ``figures``.
        out: Folder of the store.

    Raises:
        ModelError: It is no model that training wrote, or float16 cannot hold it.
    """
    state, about = read_model(place)
    file = (place if place.is_dir() else place.parent) / "metrics.json"
    metrics = json.loads(file.read_text(encoding="utf-8")) if file.is_file() else {}
    folder = Folder(out, "built-in")
    return Store([folder]).add(
        halved(state), card_for(name, about, metrics, said), replace=True, folder=folder
    )


def _flat(data: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    found: dict[str, Any] = {}
    for name, value in data.items():
        found |= (
            _flat(value, f"{prefix}{name}.") if isinstance(value, Mapping) else {f"{prefix}{name}": value}
        )
    return found


def _differences(one: Mapping[str, Any], other: Mapping[str, Any]) -> int:
    return sum(value != other.get(name) for name, value in one.items())


def _spelt(name: str, value: Any) -> list[str]:
    if name == "data":
        return [Path(str(value)).name]  # where it lay is nobody's business
    if isinstance(value, (list, tuple)):
        return [str(item) for item in value]
    return [str(value)]


def _on(machine: Mapping[str, Any]) -> str:
    return f" ({machine['processor']})" if machine.get("processor") else ""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("take", type=Path)
    parser.add_argument("name")
    for word in ("title", "description", "data"):
        parser.add_argument(f"--{word}", required=True)
    parser.add_argument("--training", default="", help="more words, in place of those from the take")
    parser.add_argument("--figure", action="append", default=[], metavar="NAME=NUMBER")
    parser.add_argument("--out", type=Path, default=BUILT_IN)
    asked = parser.parse_args()
    pairs = (figure.rsplit("=", 1) for figure in asked.figure)
    said = {word: getattr(asked, word) for word in ("title", "description", "data", "training")}
    said["figures"] = {name: float(value) for name, value in pairs}
    entry = build_in(asked.take, asked.name, said, asked.out)
    assert entry.card is not None
    print(f"{entry.weights}: {entry.card.bytes / 1e6:.2f} MB, {entry.card.parameters} numbers")
    print(entry.card.training)


if __name__ == "__main__":
    main()
