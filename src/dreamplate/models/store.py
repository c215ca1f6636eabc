"""The store: where weights are looked for, and where they are put."""

from __future__ import annotations

import difflib
import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from dreamplate.errors import CheckpointError, ModelError
from dreamplate.files import sha256
from dreamplate.models.card import Card, check_name, read_card, write_card
from dreamplate.models.licence import log_once, warning
from dreamplate.tensorheader import check_header

if TYPE_CHECKING:
    from torch import Tensor

__all__ = ["Entry", "Folder", "Store", "cache_folder"]

_WEIGHTS = ".safetensors"
_CARD = ".card.yaml"


@dataclass(frozen=True)
class Folder:
    """One place of the store: ``label`` says which in words."""

    path: Path
    label: str
    writable: bool = True


@dataclass(frozen=True)
class Entry:
    """One model of the store.

    Attributes:
        name: Its name.
        weights: Its safetensors file.
        folder: Where it lies.
        card: Its card; ``None`` when the card is damaged or missing.
        problem: Why it cannot be used; empty when it can.
    """

    name: str
    weights: Path
    folder: Folder
    card: Card | None
    problem: str = ""


@dataclass
class Store:
    """Weights by name, looked for in the user's folder, then the user's cache, then the package.

    Args:
        folders: Places, first come first served; new weights go to the first writable one.
        say: Called once a model with what has to be said about its licence; logs when not given.
    """

    folders: Sequence[Folder]
    say: Callable[[str], None] = log_once
    _said: set[str] = field(default_factory=set, repr=False)

    @classmethod
    def default(
        cls,
        environ: Mapping[str, str] | None = None,
        say: Callable[[str], None] = log_once,
    ) -> Store:
        """Return the store that the environment describes.

        ``DREAMPLATE_MODELS`` names the user's folder, ``DREAMPLATE_CACHE`` the cache (else
        ``XDG_CACHE_HOME/dreamplate`` or ``~/.cache/dreamplate``); weights lie in its ``models``.
        """
        environ = os.environ if environ is None else environ
        folders = []
        if chosen := environ.get("DREAMPLATE_MODELS"):
            folders.append(Folder(Path(chosen).expanduser(), "folder"))
        folders.append(Folder(cache_folder(environ) / "models", "cache"))
        folders.append(Folder(_built_in(), "built-in", writable=False))
        return cls(folders, say)

    def list(self) -> tuple[Entry, ...]:
        """Return every model, by name; where two folders have one name, the one that `find` returns."""
        found: dict[str, Entry] = {}
        for folder in self.folders:
            for entry in _entries(folder):
                found.setdefault(entry.name, entry)
        return tuple(found[name] for name in sorted(found))

    def find(self, name: str) -> Entry:
        """Return the model of this name.

        Raises:
            ModelError: There is none (near names are told), its card is damaged, or the name is not allowed.
        """
        check_name(name)
        for folder in self.folders:
            if (folder.path / f"{name}{_WEIGHTS}").is_file():
                entry = _entry(folder, name)
                if entry.problem:
                    raise ModelError(entry.problem)
                return entry
        names = [entry.name for entry in self.list()]
        near = difflib.get_close_matches(name, names, n=3, cutoff=0.5)
        hint = (
            f"did you mean {' or '.join(near)}?" if near else "`dreamplate models list` shows what there is"
        )
        raise ModelError(f"no model is named {name!r}; {hint}")

    def load(self, name: str) -> tuple[dict[str, Tensor], Card]:
        """Read a model's weights, after proving that the file is the one its card describes.

        Raises:
            ModelError: There is no such model, or its card is damaged.
            CheckpointError: The file was changed since its card was written, or is damaged.
            ResourceError: There is no memory for a tensor.
        """
        from dreamplate.tensorfile import read_tensors

        entry = self.find(name)
        assert entry.card is not None
        self.verify(entry)
        self._announce(entry.card)
        return read_tensors(entry.weights)[0], entry.card

    def verify(self, entry: Entry) -> None:
        """Prove that a model's file has the hash and size on its card.

        Raises:
            ModelError: The card is damaged or missing.
            CheckpointError: The file was changed.
        """
        if entry.card is None:
            raise ModelError(entry.problem)
        found = sha256(entry.weights, family=ModelError)
        if found != entry.card.sha256:
            raise CheckpointError(
                f"{entry.weights}: sha256 is {found[:12]}…, its card says {entry.card.sha256[:12]}…;"
                " it was changed or damaged, import it again"
            )

    def add(
        self,
        tensors: Mapping[str, Tensor],
        card: Card,
        *,
        replace: bool = False,
        folder: Folder | None = None,
    ) -> Entry:
        """Store weights under the card's name; hash, size and counts are measured here.

        The weights are written first and the card last, each atomically: a model without its card is not
        used, and weights that do not match their card are refused.

        Args:
            tensors: The state dictionary.
            card: Its card; the measured fields are filled in.
            replace: Replace a model of this name in the same folder.
            folder: Where to; the first writable folder when not given.

        Raises:
            ModelError: The name is taken, a tensor cannot be stored, or no folder can be written.
            ResourceError: The disk is full.
        """
        from dreamplate.tensorfile import write_tensors

        check_name(card.name)
        folder = folder or next((place for place in self.folders if place.writable), None)
        if folder is None:
            raise ModelError("the store has no folder to write to; set DREAMPLATE_MODELS to one")
        weights = folder.path / f"{card.name}{_WEIGHTS}"
        if weights.exists() and not replace:
            raise ModelError(f"{weights}: already there; choose another name or replace it")
        try:
            folder.path.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise ModelError(
                f"{folder.path}: cannot be made: {error.strerror}; set DREAMPLATE_MODELS"
            ) from error
        counts = {
            "tensors": len(tensors),
            "parameters": sum(tensor.numel() for tensor in tensors.values()),
        }
        card = card.with_(**counts)
        write_tensors(weights, tensors, card.to_metadata())
        card = card.with_(sha256=sha256(weights, family=ModelError), bytes=weights.stat().st_size)
        write_card(card, _card_path(weights))
        return Entry(card.name, weights, folder, card)

    def _announce(self, card: Card) -> None:
        sentence = warning(card.name, card.licence, card.commercial_use)
        if sentence and card.name not in self._said:
            self._said.add(card.name)
            self.say(sentence)


def cache_folder(environ: Mapping[str, str] | None = None) -> Path:
    """Return the folder for what can be had again: downloads, imports, compiled things."""
    environ = os.environ if environ is None else environ
    if chosen := environ.get("DREAMPLATE_CACHE"):
        return Path(chosen).expanduser()
    shared = environ.get("XDG_CACHE_HOME", "")
    # A relative XDG folder has to be ignored, says its specification.
    base = Path(shared) if Path(shared).is_absolute() else Path(environ.get("HOME") or Path.home()) / ".cache"
    return base / "dreamplate"


def _built_in() -> Path:
    from importlib.resources import files

    return Path(str(files("dreamplate.models"))) / "builtin"


def _card_path(weights: Path) -> Path:
    return weights.with_name(weights.name.removesuffix(_WEIGHTS) + _CARD)


def _entries(folder: Folder) -> Iterator[Entry]:
    try:
        found = sorted(folder.path.glob(f"*{_WEIGHTS}"))
    except OSError:
        return
    for weights in found:
        if not weights.name.startswith("."):
            yield _entry(folder, weights.name.removesuffix(_WEIGHTS))


def _entry(folder: Folder, name: str) -> Entry:
    weights = folder.path / f"{name}{_WEIGHTS}"
    try:
        check_name(name)
        card = read_card(_card_path(weights))
        header = check_header(weights)
    except ModelError as error:
        return Entry(name, weights, folder, None, str(error))
    size = header.data_start + header.total_bytes
    problem = ""
    if card.name != name:
        problem = (
            f"{_card_path(weights)}: is the card of {card.name!r}; rename it or import the weights again"
        )
    elif card.bytes != size:
        problem = f"{weights}: has {size:,} bytes and its card says {card.bytes:,}; import it again"
    return Entry(name, weights, folder, None if problem else card, problem)
