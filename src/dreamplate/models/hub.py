"""Models from the Hugging Face hub, only when the user asks: the one place that touches the network."""

from __future__ import annotations

import hashlib
import os
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol, TypeVar

from dreamplate.errors import CheckpointError, ConfigError, DreamplateError, MissingExtraError, ModelError
from dreamplate.files import sha256
from dreamplate.models.importer import ImportReport
from dreamplate.models.ingest import import_file
from dreamplate.models.store import Entry, Store

__all__ = ["HubClient", "HubFile", "HubModel", "connect", "pull"]

_Answer = TypeVar("_Answer")
_HUB_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,95}/[A-Za-z0-9][A-Za-z0-9._-]{0,95}")
_LEGACY = (".bin", ".pt", ".pth", ".ckpt", ".pkl", ".npz")


@dataclass(frozen=True)
class HubFile:
    """One file of a hub model: its size, and its SHA-256 or its git hash, as far as the hub tells."""

    bytes: int | None = None
    sha256: str | None = None
    git_hash: str | None = None


@dataclass(frozen=True)
class HubModel:
    """What the hub says of a model: its exact revision, its licence, its files by path."""

    revision: str
    licence: str
    files: Mapping[str, HubFile]


class HubClient(Protocol):
    """The two questions that are asked of the hub."""

    def describe(self, hub_id: str, revision: str | None) -> HubModel:
        """Return what the hub says of a model."""
        ...

    def download(self, hub_id: str, file: str, revision: str) -> Path:
        """Fetch one file, with a progress bar, and return where it lies."""
        ...


def pull(
    store: Store,
    hub_id: str,
    *,
    revision: str | None = None,
    file: str | None = None,
    name: str | None = None,
    importer: str | None = None,
    replace: bool = False,
    client: HubClient | None = None,
) -> tuple[Entry, ImportReport]:
    """Fetch a model from the hub into the store.

    The file has to have the hash that the hub states. safetensors is preferred; older formats go through
    the restricted reader. The hub's licence goes onto the card.

    Args:
        store: Where to.
        hub_id: ``owner/model``.
        revision: Branch, tag or commit; the hub's default when not given.
        file: Path in the model's repository; the only weight file when not given.
        name: The model's name in the store; the hub's own when not given.
        importer: Key of ``IMPORTERS``; recognised when not given.
        replace: Replace a model of this name.
        client: The hub; the real one when not given.

    Raises:
        ConfigError: ``hub_id`` is not ``owner/model``.
        MissingExtraError: The hub package is not installed.
        ModelError: The hub cannot be reached, or has no such model or file.
        CheckpointError: The file is not the one that the hub describes, is damaged or hostile.
        ResourceError: There is no memory or disk for it.
    """
    if not _HUB_ID.fullmatch(hub_id) or ".." in hub_id or "--" in hub_id:
        raise ConfigError(
            f"hub model {hub_id[:100]!r} is not OWNER/MODEL, such as openai/clip-vit-base-patch32"
        )
    client = client or connect()
    model = _ask(hub_id, lambda: client.describe(hub_id, revision))
    chosen = _choose(hub_id, model.files, file)
    path = _ask(hub_id, lambda: client.download(hub_id, chosen, model.revision))
    _check_hash(path, f"{hub_id}/{chosen}", model.files[chosen])
    return import_file(
        store,
        path,
        name=name or re.sub(r"\.(?![A-Za-z0-9_-])", "-", hub_id.split("/")[1]),
        importer=importer,
        licence=model.licence or "unknown",
        source=f"hub model {hub_id}, revision {model.revision}, file {chosen}",
        replace=replace,
    )


def connect() -> HubClient:
    """Return the real hub.

    Raises:
        MissingExtraError: The hub package is not installed.
    """
    # No telemetry; it has to be said before the package is imported.
    os.environ.setdefault("HF_HUB_DISABLE_TELEMETRY", "1")
    try:
        import huggingface_hub
    except ImportError as error:
        raise MissingExtraError(
            'the hub package is not installed; run: pip install "dreamplate[hub]"'
        ) from error
    return _Hub(huggingface_hub)


class _Hub:
    """The real hub. The package draws its own progress bar."""

    def __init__(self, package: Any) -> None:
        self._package = package

    def describe(self, hub_id: str, revision: str | None) -> HubModel:
        info = self._package.HfApi().model_info(hub_id, revision=revision, files_metadata=True)
        files = {
            sibling.rfilename: HubFile(
                sibling.size, sibling.lfs.sha256 if sibling.lfs else None, sibling.blob_id
            )
            for sibling in info.siblings or ()
        }
        licence = getattr(info.card_data, "license", None) or ""
        if isinstance(licence, list):
            licence = " AND ".join(map(str, licence))
        # "other" points to a name or link of the model's own.
        if licence == "other":
            licence = getattr(info.card_data, "license_name", None) or "other"
        return HubModel(info.sha, str(licence), files)

    def download(self, hub_id: str, file: str, revision: str) -> Path:
        return Path(self._package.hf_hub_download(hub_id, file, revision=revision))


def _ask(hub_id: str, question: Callable[[], _Answer]) -> _Answer:
    """Ask the hub, and turn whatever its client raises into one line."""
    try:
        return question()
    except DreamplateError:
        raise
    # The client's errors are those of several packages that change with its version.
    except Exception as error:
        reason = " ".join(str(error).split())[:160] or type(error).__name__
        raise ModelError(
            f"{hub_id}: the hub could not be asked ({type(error).__name__}: {reason});"
            " check the name and the network, or fetch the file by hand and import it"
        ) from error


def _choose(hub_id: str, files: Mapping[str, HubFile], wanted: str | None) -> str:
    weights = [path for path in files if path.endswith(".safetensors")]
    weights = weights or [path for path in files if path.endswith(_LEGACY)]
    listed = ", ".join(sorted(weights)[:6]) or "none"
    if wanted is not None:
        if wanted not in files:
            raise ModelError(f"{hub_id}: has no file {wanted[:100]!r}; its weight files: {listed}")
        return wanted
    if "model.safetensors" in weights:
        return "model.safetensors"
    if len(weights) != 1:
        raise ModelError(f"{hub_id}: has {len(weights)} weight files; name one: {listed}")
    return weights[0]


def _check_hash(path: Path, what: str, stated: HubFile) -> None:
    size = path.stat().st_size
    if stated.bytes is not None and size != stated.bytes:
        raise CheckpointError(f"{what}: {size:,} bytes came, the hub states {stated.bytes:,}; pull it again")
    if stated.sha256 is not None:
        found, hashed = sha256(path, family=ModelError), stated.sha256
    elif stated.git_hash is not None:
        # Small files have no SHA-256 at the hub, but git's own hash of them.
        found = hashlib.sha1(b"blob %d\0" % size + path.read_bytes(), usedforsecurity=False).hexdigest()
        hashed = stated.git_hash
    else:
        raise CheckpointError(f"{what}: the hub states no hash, so that the file cannot be trusted")
    if found != hashed:
        raise CheckpointError(
            f"{what}: its hash is {found[:12]}…, the hub states {hashed[:12]}…; pull it again"
        )
