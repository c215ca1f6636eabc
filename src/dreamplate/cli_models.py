"""What ``dreamplate models list | info | import | pull | verify`` does.

Each command is a frozen dataclass whose fields are its options, with a ``run`` that returns the exit code.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tyro.conf import Positional

from dreamplate.errors import DreamplateError, ModelError

if TYPE_CHECKING:
    from rich.console import Console
    from rich.table import Table

    from dreamplate.models import Entry, ImportReport, Store

__all__ = [
    "ImportModel",
    "ListModels",
    "PullModel",
    "ShowModel",
    "VerifyModels",
    "import_model",
    "list_models",
    "pull_model",
    "show_model",
    "verify_models",
]


@dataclass(frozen=True)
class ListModels:
    """List the models there are, and where."""

    def run(self) -> int:
        """Print the table."""
        return list_models()


@dataclass(frozen=True)
class ShowModel:
    """Show a model's card: what it is, how it was made, what may be done with it."""

    name: Positional[str]
    """Name of the model."""

    def run(self) -> int:
        """Print the card."""
        return show_model(self.name)


@dataclass(frozen=True)
class ImportModel:
    """Read a weight file safely and put it into the store as safetensors with a card."""

    file: Positional[Path]
    """Weight file: safetensors, torch, pickle, .npy or .npz."""
    name: str | None = None
    """Name of the model; made from the file name if not given."""
    importer: str | None = None
    """Table of tensor names to import by; recognised if not given, ``identity`` keeps the names."""
    licence: str | None = None
    """Licence of the weights, as an SPDX identifier or in words."""
    modules: bool = False
    """Read a whole pickled network for its state; its code is never run."""
    replace: bool = False
    """Replace a model of this name."""

    def run(self) -> int:
        """Import and print what fitted."""
        return import_model(**_options(self))


@dataclass(frozen=True)
class PullModel:
    """Fetch a model from the Hugging Face hub into the store. The only command that uses the network."""

    hub_id: Positional[str]
    """OWNER/MODEL."""
    revision: str | None = None
    """Branch, tag or commit."""
    file: str | None = None
    """File of the model's repository, if it has several weight files."""
    name: str | None = None
    """Name of the model here; the hub's own if not given."""
    importer: str | None = None
    """Table of tensor names to import by; recognised if not given, ``identity`` keeps the names."""
    replace: bool = False
    """Replace a model of this name."""

    def run(self) -> int:
        """Fetch, import and print what fitted."""
        return pull_model(**_options(self))


@dataclass(frozen=True)
class VerifyModels:
    """Hash every weight file again and compare it with its card."""

    names: Positional[tuple[str, ...]] = ()
    """Models to verify; all of them if none is named."""

    def run(self) -> int:
        """Print each result; the exit code tells whether all are sound."""
        return verify_models(self.names)


def list_models(store: Store | None = None, console: Console | None = None) -> int:
    """Print a table of every model in the store; those that cannot be used say why."""
    store, console = _store(store, console), _console(console)
    entries = store.list()
    if not entries:
        console.print("no models yet; `dreamplate models import FILE` adds one")
        return 0
    table = _table("name", "title", "family", "size", "commercial use", "where")
    for entry in entries:
        card = entry.card
        if card is None:
            _row(table, entry.name, f"unusable: {entry.problem}", "", "", "", entry.folder.label)
        else:
            size = _size(card.bytes)
            _row(table, card.name, card.title, card.family, size, card.commercial_use, entry.folder.label)
    console.print(table)
    return 0


def show_model(name: str, store: Store | None = None, console: Console | None = None) -> int:
    """Print a model's card and where its file lies.

    Raises:
        ModelError: There is no such model, or its card is damaged.
    """
    store, console = _store(store, console), _console(console)
    entry = store.find(name)
    assert entry.card is not None
    table = _table("field", "value")
    for field, value in asdict(entry.card).items():
        if isinstance(value, dict):
            for key, item in value.items():
                _row(table, f"{field}: {key}", str(item))
        elif value != "":
            _row(table, field, f"{value:,}" if isinstance(value, int) else value)
    _row(table, "file", f"{entry.weights} ({entry.folder.label})")
    console.print(table)
    return 0


def import_model(
    file: str | Path,
    name: str | None = None,
    importer: str | None = None,
    licence: str | None = None,
    *,
    modules: bool = False,
    replace: bool = False,
    store: Store | None = None,
    console: Console | None = None,
) -> int:
    """Import a weight file and print what fitted; see `dreamplate.models.import_file`.

    Raises:
        DreamplateError: The file cannot be read, does not fit, or cannot be stored.
    """
    from dreamplate.models import import_file

    store, console = _store(store, console), _console(console)
    entry, report = import_file(
        store, file, name=name, importer=importer, licence=licence, modules=modules, replace=replace
    )
    return _tell(entry, report, console)


def pull_model(
    hub_id: str,
    revision: str | None = None,
    file: str | None = None,
    name: str | None = None,
    importer: str | None = None,
    *,
    replace: bool = False,
    store: Store | None = None,
    console: Console | None = None,
) -> int:
    """Fetch a model from the hub and print what fitted; see `dreamplate.models.pull`.

    Raises:
        DreamplateError: The hub cannot be reached, or the file cannot be read, does not fit or be stored.
    """
    from dreamplate.models import pull

    store, console = _store(store, console), _console(console)
    entry, report = pull(
        store, hub_id, revision=revision, file=file, name=name, importer=importer, replace=replace
    )
    return _tell(entry, report, console)


def verify_models(
    names: Sequence[str] = (), store: Store | None = None, console: Console | None = None
) -> int:
    """Hash weight files again, print each result, and return 0 only when all are sound.

    Raises:
        ModelError: A named model does not exist.
    """
    store, console = _store(store, console), _console(console)
    entries = [store.find(name) for name in names] or store.list()
    faults = 0
    for entry in entries:
        try:
            store.verify(entry)
        except DreamplateError as error:
            faults += 1
            console.print(f"FAULTY {error}", markup=False, highlight=False)
        else:
            console.print(f"sound  {entry.name}", markup=False, highlight=False)
    return ModelError.exit_code if faults else 0


def _tell(entry: Entry, report: ImportReport, console: Console) -> int:
    from dreamplate.models.licence import warning

    assert entry.card is not None
    console.print(str(report), markup=False, highlight=False)
    size = _size(entry.card.bytes)
    console.print(f"stored {entry.name} ({size}) at {entry.weights}", markup=False, highlight=False)
    if sentence := warning(entry.name, entry.card.licence, entry.card.commercial_use):
        console.print(sentence, markup=False, highlight=False)
    return 0


def _options(command: object) -> dict[str, Any]:
    return dict(vars(command))


def _console(console: Console | None) -> Console:
    from rich.console import Console

    return console or Console()


def _store(store: Store | None, console: Console | None) -> Store:
    from dreamplate.models import Store

    return store or Store.default(say=lambda sentence: _console(console).print(sentence, markup=False))


def _table(*columns: str) -> Table:
    from rich.table import Table

    table = Table(box=None, pad_edge=False)
    for column in columns:
        table.add_column(column, overflow="fold")
    return table


def _row(table: Table, *cells: str) -> None:
    from rich.text import Text

    # Text is taken as it is; plain strings would lose whatever stands in square brackets.
    table.add_row(*map(Text, cells))


def _size(count: int) -> str:
    for unit, size in (("GB", 10**9), ("MB", 10**6), ("kB", 10**3)):
        if count >= size:
            return f"{count / size:.3g} {unit}"
    return f"{count} B"
