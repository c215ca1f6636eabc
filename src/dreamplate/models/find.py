"""Weights by a name of the store or by a file, ready for the network that asks for them."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from dreamplate.errors import ModelError
from dreamplate.models.importer import IMPORTERS, Importer, get_importer, import_state
from dreamplate.models.ingest import complete_report, recognise
from dreamplate.models.state import load_any
from dreamplate.models.store import Store

if TYPE_CHECKING:
    from torch import Tensor

__all__ = ["find_weights", "is_path"]

_SUFFIXES = (".safetensors", ".pt", ".pth", ".bin", ".ckpt", ".pkl", ".pickle", ".npz", ".npy", ".tar")


def find_weights(
    name: str, architecture: str, *, store: Store | None = None
) -> tuple[dict[str, Tensor], Mapping[str, int | float | str]]:
    r"""Return the tensors and settings of a network.

    Args:
        name: A model of the store, or the path of a weight file of any known format (a ``/``, a ``\`` or a
            known suffix tells them apart). A file is read as ``models import`` would, but not stored.
        architecture: What the network is; a model of another kind is refused.
        store: Where to look; the default store when not given.

    Raises:
        ModelError: There is no such model or file, or it is of another architecture.
        CheckpointError: The file is damaged, hostile, or does not fit the network it claims to be.
        ResourceError: There is no memory for it.
    """
    if is_path(name):
        path = Path(name).expanduser()
        state = load_any(path, modules=True)
        table = _table_for(architecture, state) or recognise(path, state)
        state, report = import_state(get_importer(table.name), state, path)
        complete_report(path, table, report)
        found, settings = table.architecture, report.settings
    else:
        state, card = (store or Store.default()).load(name)
        found, settings = card.architecture, card.settings
    if found != architecture:
        raise ModelError(f"{name}: holds a {found} network, a {architecture} is needed here; name another")
    return state, settings


def is_path(name: str) -> bool:
    """Say whether a name is meant as a path (it has a slash or a known suffix), not as a model's name."""
    return "/" in name or "\\" in name or name.lower().endswith(_SUFFIXES)


def _table_for(architecture: str, state: Mapping[str, Tensor]) -> Importer | None:
    """Return the importer of this architecture that fits, since one file may hold several networks."""
    shapes = {name: tuple(tensor.shape) for name, tensor in state.items()}
    tables = (get_importer(name) for name in IMPORTERS)
    return next((t for t in tables if t.architecture == architecture and t.matches(shapes)), None)
