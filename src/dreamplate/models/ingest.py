"""From a weight file to a model of the store: read safely, rename, check, write the card."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

import dreamplate
from dreamplate.errors import CheckpointError, ModelError
from dreamplate.files import sha256
from dreamplate.models.card import Card, check_name
from dreamplate.models.importer import IMPORTERS, Importer, ImportReport, detect, get_importer, import_state
from dreamplate.models.legacy.load import LegacyLimits
from dreamplate.models.licence import commercial_use
from dreamplate.models.state import is_safetensors, load_any
from dreamplate.models.store import Entry, Store
from dreamplate.tensorheader import check_header

if TYPE_CHECKING:
    from torch import Tensor

__all__ = ["complete_report", "import_file", "recognise", "suggest_name", "with_others"]


def import_file(
    store: Store,
    path: str | Path,
    *,
    name: str | None = None,
    importer: str | None = None,
    licence: str | None = None,
    source: str | None = None,
    modules: bool = False,
    replace: bool = False,
    limits: LegacyLimits | None = None,
) -> tuple[Entry, ImportReport]:
    """Read a weight file of any known format and put it into the store.

    Args:
        store: Where to.
        path: The file.
        name: The model's name; made from the file's when not given.
        importer: Key of `IMPORTERS`; recognised by tensor names and shapes when not given.
        licence: SPDX identifier or words, for the card.
        source: Where the file came from, for the card; its name and hash when not given.
        modules: Read whole pickled networks for their state.
        replace: Replace a model of this name.
        limits: What reading a legacy file may cost.

    Returns:
        The stored model, and what fitted.

    Raises:
        ModelError: The file is absent, is of no known kind, or the name is taken.
        CheckpointError: It is damaged, hostile, or does not fit the network it claims to be.
        ConfigError: There is no such importer.
        ResourceError: There is no memory or disk for it.
    """
    path = Path(path)
    name = check_name(name) if name else suggest_name(path)
    table = get_importer(importer) if importer else None
    state = load_any(path, modules=modules, legacy_limits=limits)
    own = Card.from_metadata(_metadata(path), str(path))
    table = table or (get_importer("identity") if own else recognise(path, state))
    state = with_others(table, path, state, limits)
    state, report = import_state(table, state, path)
    complete_report(path, table, report)
    if not state:
        raise CheckpointError(f"{path}: {table.name} recognises none of its tensors; choose another importer")
    card = _card(own, table, name, report)
    if licence:
        card = card.with_(licence=licence, commercial_use=commercial_use(licence))
    card = card.with_(
        source=source or f"{path.name}, sha256 {sha256(path, family=ModelError)}",
        created_by=f"dreamplate {_version()}",
    )
    return store.add(state, card, replace=replace), report


def with_others(
    table: Importer, path: Path, state: Mapping[str, Tensor], limits: LegacyLimits | None
) -> dict[str, Tensor]:
    """Return a checkpoint's tensors together with those of the files that belong to it.

    Raises:
        ModelError: Such a file is absent.
        CheckpointError: It is damaged or hostile.
    """
    joined = dict(state)
    shapes = {name: tuple(tensor.shape) for name, tensor in state.items()}
    before = table.wrapper(shapes) or ""
    for prefix, other in (table.beside(path) if table.beside else {}).items():
        more = load_any(other, legacy_limits=limits)
        kind = detect({name: tuple(tensor.shape) for name, tensor in more.items()})
        own = kind.wrapper({name: tuple(tensor.shape) for name, tensor in more.items()}) if kind else ""
        joined |= {before + prefix + name.removeprefix(own or ""): tensor for name, tensor in more.items()}
    return joined


def suggest_name(path: Path) -> str:
    """Make a model name from a file name: what is not allowed becomes ``-``."""
    name = re.sub(r"[^A-Za-z0-9_-]+", "-", path.name.split(".")[0]).strip("-_")[:100]
    return check_name(name or "model")


def _metadata(path: Path) -> Mapping[str, str]:
    return check_header(path).metadata if is_safetensors(path) else {}


def complete_report(path: Path, table: Importer, report: ImportReport) -> None:
    """Make sure that a network got all it needs.

    Raises:
        CheckpointError: Tensors are missing or have another shape.
    """
    if not report.complete:
        raise CheckpointError(f"{path}: does not fit {table.architecture}: {_first_faults(report)}")


def recognise(path: Path, state: Mapping[str, object]) -> Importer:
    """Return the importer for a checkpoint's tensors.

    Raises:
        ModelError: They are of no known network.
    """
    shapes = {key: tuple(getattr(tensor, "shape", ())) for key, tensor in state.items()}
    found = detect(shapes)
    if found is None:
        first = ", ".join(repr(key[:60]) for key in list(state)[:3])
        raise ModelError(
            f"{path}: its {len(state)} tensors ({first}…) are of no known network; name an importer"
            f" ({', '.join(IMPORTERS)}; identity keeps the names)"
        )
    return found


def _card(own: Card | None, table: Importer, name: str, report: ImportReport) -> Card:
    if own is not None and table.name == "identity":
        return own.with_(name=name)
    return Card(
        name=name,
        title=table.title,
        architecture=table.architecture,
        family=table.family,
        licence=table.licence or "unknown",
        commercial_use=commercial_use(table.licence),
        settings=dict(report.settings),
        report=report.summary(),
    )


def _first_faults(report: ImportReport) -> str:
    faults = []
    if report.missing:
        faults.append(f"{len(report.missing)} tensors are missing (first {report.missing[0]!r})")
    if report.mismatched:
        name, found, needed = report.mismatched[0]
        count = len(report.mismatched)
        faults.append(f"{count} have another shape (first {name!r}: {found}, should be {needed})")
    return "; ".join(faults) + "; use a complete, unmodified checkpoint"


def _version() -> str:
    from importlib.metadata import PackageNotFoundError, version

    try:
        return version(dreamplate.__name__)
    except PackageNotFoundError:
        return "(not installed)"
