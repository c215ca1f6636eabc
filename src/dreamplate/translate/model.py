"""Model files: a generator with its ports, in one safetensors file that needs nothing else.

A training take writes ``model.safetensors``; ``dreamplate models import`` makes one of other people's
checkpoints. Its notes hold the architecture with its settings (from which the network is built again), both
ports, and the card.
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from importlib import import_module
from pathlib import Path
from typing import Any, cast

from torch import Tensor, nn

from dreamplate.errors import CheckpointError, ModelError
from dreamplate.models.find import MODEL, MODEL_NOTE
from dreamplate.nets.statistics import Statistics, set_statistics
from dreamplate.tensorfile import read_tensors, write_tensors
from dreamplate.tensorheader import check_header
from dreamplate.train.port import Port

__all__ = ["NETWORKS", "Model", "build_network", "load_model", "save_model", "usual_statistics"]

NETWORKS: dict[str, str] = {
    "pix2pix-unet": "dreamplate.translate.unet:Unet",
    "pix2pix-resnet": "dreamplate.translate.resnet:Resnet",
    "pict-unet": "dreamplate.translate.pict:PictUnet",
    "pix2pixhd": "dreamplate.translate.pix2pixhd:Pix2pixhd",
    "spade": "dreamplate.translate.spade:Spade",
    "imaginaire-spade": "dreamplate.translate.imaginaire_spade:ImaginaireSpade",
    "shots-unet": "dreamplate.translate.shots_net:ShotsNet",
    "stylegan2": "dreamplate.translate.stylegan2_generator:Stylegan2Generator",
    "segmenter": "dreamplate.translate.segmenter_net:SegmenterNet",
    "dvae": "dreamplate.tokens.dvae:Dvae",
    "vq": "dreamplate.tokens.vq:Vq",
    "dalle": "dreamplate.tokens.dalle:Dalle",
    "image-gpt": "dreamplate.tokens.igpt:ImageGpt",
    "dual-encoder": "dreamplate.tokens.dual:DualEncoder",
}
"""Architecture → class with a ``from_settings(settings)``, as ``module:name``."""


@dataclass(frozen=True, eq=False)
class Model:
    """A generator that is ready to be used.

    Attributes:
        network: In evaluation mode, without gradients, on the CPU.
        settings: What it was built from; ``architecture`` is a key of `NETWORKS`.
        given: Port of the condition; None for generators that need none.
        made: Port of the picture.
        notes: Free entries as JSON allows: licence, training, reference statistics, files it came from.
        path: Where it was read from.
    """

    network: nn.Module
    settings: Mapping[str, int | float | str]
    given: Port | None
    made: Port
    notes: Mapping[str, Any] = field(default_factory=dict)
    path: Path = Path()


def build_network(settings: Mapping[str, int | float | str], source: str = "model") -> nn.Module:
    """Return the network that settings describe, with weights that are still to be loaded.

    Raises:
        ModelError: There is no such architecture, or its settings do not fit together.
    """
    name = str(settings.get("architecture", ""))
    if name not in NETWORKS:
        raise ModelError(f"{source}: architecture {name!r} is unknown; there are {', '.join(NETWORKS)}")
    module, _, attribute = NETWORKS[name].partition(":")
    found = getattr(import_module(module), attribute)
    return cast(nn.Module, found.from_settings(settings))


def save_model(model: Model, path: str | os.PathLike[str]) -> None:
    """Write a model file, atomically.

    Raises:
        ResourceError: The disk is full.
    """
    about = {
        "settings": dict(model.settings),
        "given": None if model.given is None else model.given.to_json(),
        "made": model.made.to_json(),
        "notes": dict(model.notes),
    }
    state = {name: value.detach().cpu().contiguous() for name, value in model.network.state_dict().items()}
    write_tensors(path, state, {"format": "pt", MODEL_NOTE: json.dumps(about, sort_keys=True)})


def load_model(path: str | os.PathLike[str]) -> Model:
    """Read a model: a training take (its ``model.safetensors``), a model file, or a checkpoint.

    A checkpoint of other people is named as it is called in the store (``dreamplate models list``), or by its
    file, which is read as ``dreamplate models import`` would. It says nothing of colour or classes; see
    `ports.default_ports` for what is assumed.

    Raises:
        ModelError: There is nothing of that name, or it is no model of this room.
        CheckpointError: The file is damaged, or its tensors do not fit its settings; names the tensor.
    """
    place = Path(path)
    file = place / MODEL if place.is_dir() else place
    if not file.is_file():
        return _from_store(os.fspath(path), file)
    if not is_model_file(file):
        return _imported(file)
    state, notes = read_tensors(file)
    try:
        about = json.loads(notes[MODEL_NOTE])
        settings = {str(name): value for name, value in about["settings"].items()}
        given = None if about["given"] is None else Port.from_json(about["given"], str(file))
        made, more = Port.from_json(about["made"], str(file)), dict(about["notes"])
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise CheckpointError(f"{file}: its notes are damaged ({error!r}); write it again") from error
    return _built(state, settings, (given, made), more, file)


def is_model_file(file: Path) -> bool:
    """Say whether a file holds a model with its ports, from its header alone."""
    return file.suffix == ".safetensors" and MODEL_NOTE in check_header(file).metadata


def _from_store(name: str, file: Path) -> Model:
    from dreamplate.models.find import is_path
    from dreamplate.models.store import Store

    if is_path(name) or Path(name).is_dir():
        hint = "train it further, or give a model file" if Path(name).is_dir() else "check the path"
        raise ModelError(f"{file}: there is no such model; {hint}")
    store = Store.default()
    state, card = store.load(name)
    about = {"licence": card.licence, "importer": str(card.report.get("importer", ""))}
    return _of_checkpoint(state, card.architecture, card.settings, store.find(name).weights, about)


def _imported(file: Path) -> Model:
    from dreamplate.models.importer import import_state
    from dreamplate.models.ingest import complete_report, recognise
    from dreamplate.models.licence import commercial_use, log_once, warning
    from dreamplate.models.state import load_any

    state = load_any(file, modules=True)
    table = recognise(file, state)
    state, report = import_state(table, state, file)
    complete_report(file, table, report)
    licence = table.licence or "unknown"
    if table.licence and (sentence := warning(file.name, licence, commercial_use(licence))):
        log_once(sentence)
    about = {"licence": licence, "importer": table.name}
    return _of_checkpoint(state, table.architecture, report.settings, file, about)


def _of_checkpoint(
    state: Mapping[str, Tensor],
    architecture: str,
    settings: Mapping[str, int | float | str],
    file: Path,
    about: Mapping[str, Any],
) -> Model:
    from dreamplate.translate.ports import default_ports

    if architecture not in NETWORKS:
        raise ModelError(f"{file}: holds a {architecture} network, which translates nothing; name another")
    known = {"architecture": architecture, **settings}
    return _built(state, known, default_ports(known, str(file)), about, file)


def _built(
    state: Mapping[str, Tensor],
    settings: Mapping[str, int | float | str],
    ports: tuple[Port | None, Port],
    notes: Mapping[str, Any],
    file: Path,
) -> Model:
    network = build_network(settings, str(file))
    fill(network, state, str(file))
    model = Model(network.eval().requires_grad_(False), settings, *ports, notes, file)
    set_statistics(network, usual_statistics(model))
    return model


def usual_statistics(model: Model) -> Statistics:
    """Return the statistics that a model was trained to be used with.

    That is what its notes say. Otherwise batch norms of the pix2pix family that learnt from batches of one
    (as the authors' did) saw the statistics of single pictures, and go on to; all others use running ones,
    PhotoSketch among them, whose authors do so too.
    """
    said = model.notes.get("statistics")
    if said in ("batch", "picture", "running"):
        return said  # type: ignore[no-any-return]
    family = str(model.settings.get("architecture", "")).startswith(("pix2pix-", "pict-"))
    family = family and model.notes.get("importer") != "photosketch"
    training = model.notes.get("training")
    learn = training.get("learn") if isinstance(training, dict) else None
    batch = learn.get("batch", 1) if isinstance(learn, dict) else 1
    return "picture" if family and batch == 1 else "running"


def fill(network: nn.Module, state: Mapping[str, Tensor], source: str) -> None:
    """Copy tensors into a network.

    Raises:
        CheckpointError: A tensor is missing, left over, or of another shape; names the first.
    """
    own = network.state_dict()
    for name, value in own.items():
        if name not in state:
            raise CheckpointError(f"{source}: has no tensor {name!r}; it is of another architecture")
        if state[name].shape != value.shape:
            found, needed = tuple(state[name].shape), tuple(value.shape)
            raise CheckpointError(f"{source}: tensor {name!r} is {found}, should be {needed}")
    left = next((name for name in state if name not in own), None)
    if left is not None:
        raise CheckpointError(f"{source}: tensor {left!r} has no place in the network")
    network.load_state_dict(dict(state))
