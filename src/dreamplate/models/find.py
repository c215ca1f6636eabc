"""Weights by a name of the store or by a file, ready for the network that asks for them."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from dreamplate.errors import CheckpointError, ModelError
from dreamplate.models.importer import IMPORTERS, Importer, get_importer, import_state
from dreamplate.models.ingest import complete_report, recognise
from dreamplate.models.state import load_any
from dreamplate.models.store import Store
from dreamplate.tensorfile import read_tensors
from dreamplate.tensorheader import check_header

if TYPE_CHECKING:
    from torch import Tensor

__all__ = ["MODEL", "MODEL_NOTE", "find_weights", "is_path"]

MODEL = "model.safetensors"
"""Name of the model in a training take."""
MODEL_NOTE = "dreamplate.model"
"""Note in a file that training wrote: the network's settings, its ports, and more."""

_SUFFIXES = (".safetensors", ".pt", ".pth", ".bin", ".ckpt", ".pkl", ".pickle", ".npz", ".npy", ".tar")


def find_weights(
    name: str, architecture: str, *, store: Store | None = None
) -> tuple[dict[str, Tensor], Mapping[str, int | float | str]]:
    r"""Return the tensors and settings of a network.

    Args:
        name: A model of the store, the folder of a training take, or the path of a weight file of any known
            format (a ``/``, a ``\`` or a known suffix tells them apart). A file that training wrote says what
            it is; any other is read as ``models import`` would, but not stored.
        architecture: What the network is; a model of another kind is refused.
        store: Where to look; the default store when not given.

    Raises:
        ModelError: There is no such model or file, or it is of another architecture.
        CheckpointError: The file is damaged, hostile, or does not fit the network it claims to be.
        ResourceError: There is no memory for it.
    """
    if is_path(name) or Path(name, MODEL).is_file():
        path = Path(name).expanduser()
        path = path / MODEL if path.is_dir() else path
        if own := _settings_within(path):
            found = str(own.pop("architecture", ""))
            if found == architecture:
                return read_tensors(path)[0], own
            raise ModelError(_other(name, found, architecture))
        state = load_any(path, modules=True)
        table = _table_for(architecture, state) or recognise(path, state)
        state, report = import_state(get_importer(table.name), state, path)
        complete_report(path, table, report)
        found, settings = table.architecture, report.settings
    else:
        state, card = (store or Store.default()).load(name)
        found, settings = card.architecture, card.settings
    if found != architecture:
        raise ModelError(_other(name, found, architecture))
    return state, settings


def _settings_within(path: Path) -> dict[str, int | float | str]:
    """Return the settings in the notes of a file that training wrote; none of any other file.

    Raises:
        CheckpointError: Its notes are damaged.
    """
    if path.suffix != ".safetensors" or not path.is_file():
        return {}
    text = check_header(path).metadata.get(MODEL_NOTE)
    if text is None:
        return {}
    try:
        return {str(name): value for name, value in json.loads(text)["settings"].items()}
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise CheckpointError(f"{path}: its notes are damaged ({error!r}); write it again") from error


def _other(name: str, found: str, needed: str) -> str:
    return f"{name}: holds a {found} network, a {needed} is needed here; name another"


def is_path(name: str) -> bool:
    """Say whether a name is meant as a path (it has a slash or a known suffix), not as a model's name."""
    return "/" in name or "\\" in name or name.lower().endswith(_SUFFIXES)


def _table_for(architecture: str, state: Mapping[str, Tensor]) -> Importer | None:
    """Return the importer of this architecture that fits, since one file may hold several networks."""
    shapes = {name: tuple(tensor.shape) for name, tensor in state.items()}
    tables = (get_importer(name) for name in IMPORTERS)
    return next((t for t in tables if t.architecture == architecture and t.matches(shapes)), None)
