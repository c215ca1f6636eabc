"""Reading a dalle-mini or dalle-mega: from a folder of its files, its decoder's file, or the store."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import torch
from torch import Tensor, nn

from dreamplate.errors import CheckpointError, ConfigError, ModelError
from dreamplate.models.find import MODEL, find_weights, is_path
from dreamplate.models.importer import import_state
from dreamplate.models.ingest import complete_report, with_others
from dreamplate.models.layouts.dalle_mini import DALLE_MINI, SUFFIXES, beside
from dreamplate.models.state import load_any
from dreamplate.models.store import Store
from dreamplate.tokens.mini import DalleMini
from dreamplate.tokens.mini_shape import MiniShape
from dreamplate.tokens.mini_vqgan import Vqgan

__all__ = ["is_mini", "load_mini"]


def is_mini(name: str, store: Store | None = None) -> bool:
    """Say whether a name is of a dalle-mini: a folder with its decoder, that file, or in the store."""
    path = Path(name).expanduser()
    if path.is_dir() and not (path / MODEL).is_file():
        return bool(_decoders(path))
    if is_path(name):
        return path.is_file() and path in _decoders(path.parent)
    try:
        card = (store or Store.default()).find(name).card
    except ModelError:
        return False
    return card is not None and card.architecture == "dalle-mini"


def load_mini(name: str, detoker: str = "", *, store: Store | None = None) -> tuple[DalleMini, Vqgan]:
    """Return a dalle-mini and its VQGAN, frozen and ready for use, in float32.

    Args:
        name: A folder that holds its files, the file of its decoder, or a model of the store.
        detoker: The file of the VQGAN, where it lies elsewhere.
        store: Where to look; the default store when not given.

    Raises:
        ModelError: A file is not there, or is of another network.
        CheckpointError: A file is damaged, hostile, lacks a tensor, or does not fit the others.
        ConfigError: A folder holds several decoders, or a model of the store shall have another VQGAN.
        ResourceError: There is no memory for it.
    """
    path = Path(name).expanduser()
    if path.is_dir() or is_path(name):
        state, settings = _read(path, Path(detoker).expanduser() if detoker else None)
    elif detoker:
        raise ConfigError(f"{name}: holds its own decoder of codes; leave dalle.codec empty")
    else:
        state, settings = find_weights(name, "dalle-mini", store=store)
    shape = MiniShape.of(settings, name)
    # Built without memory: the tensors of the file are the weights, not copied.
    with torch.device("meta"):
        net, codec = DalleMini(shape), Vqgan(shape)
    within = "detoker."
    _fill(net, {key: tensor for key, tensor in state.items() if not key.startswith(within)}, name)
    parts = {key.removeprefix(within): tensor for key, tensor in state.items() if key.startswith(within)}
    _fill(codec, parts, name)
    net.known(name)
    return net, codec


def _read(path: Path, detoker: Path | None) -> tuple[dict[str, Tensor], Mapping[str, int | float | str]]:
    if path.is_dir():
        found = _decoders(path)
        if len(found) != 1:
            what = ", ".join(file.name for file in found) or "none"
            raise ConfigError(
                f"{path}: one decoder of a dalle-mini is needed, there is {what}; name the file"
            )
        path = found[0]
    state = load_any(path)
    shapes = {key: tuple(tensor.shape) for key, tensor in state.items()}
    if not DALLE_MINI.matches(shapes):
        raise ModelError(f"{path}: is no decoder of a dalle-mini; name the folder that holds its files")
    table = replace(DALLE_MINI, beside=lambda place: beside(place, detoker))
    state, report = import_state(table, with_others(table, path, state, None), path)
    complete_report(path, table, report)
    return state, report.settings


def _decoders(folder: Path) -> list[Path]:
    """Return the files of decoders in a folder, one for each name without its end."""
    files = (folder / f"{stem}{end}" for end in SUFFIXES for stem in _stems(folder))
    first: dict[str, Path] = {}
    for file in files:
        if file.is_file():
            first.setdefault(file.stem, file)
    return sorted(first.values())


def _stems(folder: Path) -> list[str]:
    return sorted({file.stem for file in folder.glob("decoder*") if file.suffix in SUFFIXES})


def _fill(net: nn.Module, state: Mapping[str, Tensor], name: str) -> None:
    """Give a network its weights.

    Raises:
        CheckpointError: One is no floating-point tensor, or has another shape.
    """
    needed = net.state_dict()
    for key, tensor in needed.items():
        found = state.get(key)
        if (
            found is None
            or found.shape != tensor.shape
            or found.is_floating_point() != tensor.is_floating_point()
        ):
            what = "missing" if found is None else f"{tuple(found.shape)} of {found.dtype}"
            raise CheckpointError(
                f"{name}: tensor {key!r} is {what}, {tuple(tensor.shape)} of {tensor.dtype} expected;"
                " use an unmodified file"
            )
    net.load_state_dict({key: state[key] for key in needed}, assign=True)
    net.float().eval().requires_grad_(False)
