"""Cards: what a weight file is, how it was made, and what may be done with it."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import MISSING, asdict, dataclass, field, fields, replace
from pathlib import Path
from typing import Any, get_args

from dreamplate.errors import ModelError
from dreamplate.files import write_bytes_atomic
from dreamplate.models.licence import CommercialUse

__all__ = ["Card", "check_name", "read_card", "write_card"]

_METADATA = "dreamplate.card"
_MAX_BYTES = 256 << 10
_SHA256 = re.compile(r"[0-9a-f]{64}")
_NAME = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9_-]|\.(?=[A-Za-z0-9_-])){0,99}")
_DEVICES = {"con", "prn", "aux", "nul", *(f"{port}{n}" for port in ("com", "lpt") for n in range(10))}


@dataclass(frozen=True)
class Card:
    """What a weight file is.

    The first block is written by whoever makes the weights, the second is measured when they are stored.

    Attributes:
        name: Short name: letters, digits, ``.``, ``-``, ``_``; at most 100.
        title: One line for people.
        architecture: Network that the tensors fit, such as ``efficientnet-lite``.
        family: Room or role that uses it, such as ``scorer`` or ``translate``.
        description: What it is.
        training: How it was trained.
        data: On which data.
        licence: SPDX identifier, or words.
        commercial_use: Whether the licence allows paid work.
        source: Where it came from.
        created_by: Who or what wrote the file.
        figures: Measured figures by name.
        settings: Architecture settings, inferred from shapes where an importer can.
        report: What importing it matched, missed and dropped; empty for our own weights.
        sha256: Hash of the weight file.
        bytes: Its size.
        tensors: How many tensors it holds.
        parameters: How many numbers they hold together.
    """

    name: str
    title: str
    architecture: str
    family: str
    description: str = ""
    training: str = ""
    data: str = ""
    licence: str = "unknown"
    commercial_use: CommercialUse = "unknown"
    source: str = ""
    created_by: str = ""
    figures: Mapping[str, float | int | str] = field(default_factory=dict)
    settings: Mapping[str, float | int | str] = field(default_factory=dict)
    report: Mapping[str, float | int | str] = field(default_factory=dict)
    sha256: str = ""
    bytes: int = 0
    tensors: int = 0
    parameters: int = 0

    def __post_init__(self) -> None:
        check_name(self.name)
        for spec in fields(self):
            _check_field(spec.name, getattr(self, spec.name))

    def to_metadata(self) -> dict[str, str]:
        """Return the notes that mirror this card inside the weight file itself.

        Hash and size are left out: they would change the file that they describe.
        """
        mirrored = {key: value for key, value in asdict(self).items() if key not in ("sha256", "bytes")}
        return {"format": "pt", _METADATA: json.dumps(mirrored, sort_keys=True, ensure_ascii=False)}

    @classmethod
    def from_metadata(cls, metadata: Mapping[str, str], where: str) -> Card | None:
        """Read the card that is mirrored in a weight file; ``None`` when it has none.

        Raises:
            ModelError: The mirrored card is damaged.
        """
        text = metadata.get(_METADATA)
        if text is None:
            return None
        try:
            entries = json.loads(text)
        except (ValueError, RecursionError) as error:
            raise ModelError(
                f"{where}: its mirrored card is not valid JSON; import the file again"
            ) from error
        return _from_entries(entries, where)

    def with_(self, **changes: Any) -> Card:
        """Return a copy with some fields replaced."""
        return replace(self, **changes)


def read_card(path: Path) -> Card:
    """Read ``NAME.card.yaml``.

    Raises:
        ModelError: The file is absent, not YAML, or a field is unknown, missing or of the wrong type.
    """
    import yaml

    try:
        with path.open("rb") as file:
            text = file.read(_MAX_BYTES + 1)
        if len(text) > _MAX_BYTES:
            raise ModelError(f"{path}: a card has at most {_MAX_BYTES >> 10} KiB; this is no card")
        entries = yaml.safe_load(text.decode())
    except FileNotFoundError:
        raise ModelError(
            f"{path}: no such card; import the weights with `dreamplate models import`"
        ) from None
    except OSError as error:
        raise ModelError(f"{path}: cannot be read: {error.strerror}") from error
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        reason = " ".join(str(error).split())[:120]
        raise ModelError(
            f"{path}: not valid YAML ({reason}); correct it or import the weights again"
        ) from error
    return _from_entries(entries, str(path))


def write_card(card: Card, path: Path) -> None:
    """Write a card as YAML, atomically.

    Raises:
        ModelError: The folder cannot be written.
        ResourceError: The disk is full.
    """
    import yaml

    entries = {key: value for key, value in asdict(card).items() if value not in ("", {})}
    text = yaml.safe_dump(entries, sort_keys=False, allow_unicode=True, width=100)
    write_bytes_atomic(path, text.encode(), family=ModelError)


def check_name(name: str) -> str:
    """Return a model's name, proved safe to be a file name in any folder on any system.

    Raises:
        ModelError: It could leave the folder, be hidden, or mean a device.
    """
    plain = isinstance(name, str) and _NAME.fullmatch(name) is not None
    if not plain or name.partition(".")[0].lower() in _DEVICES or name.endswith((".card", ".safetensors")):
        raise ModelError(
            f"model name {str(name)[:60]!r} is not allowed; use letters, digits, '-', '_' and single '.'"
            " (at most 100), and no device name or weight-file ending"
        )
    return name


def _from_entries(entries: Any, where: str) -> Card:
    if not isinstance(entries, dict):
        raise ModelError(f"{where}: a card is a table of fields, this is {type(entries).__name__}")
    known = {spec.name: spec for spec in fields(Card)}
    for key in entries:
        if key not in known:
            raise ModelError(f"{where}: unknown field {str(key)[:60]!r}; known are {', '.join(known)}")
    for name, spec in known.items():
        if name not in entries and spec.default is MISSING and spec.default_factory is MISSING:
            raise ModelError(f"{where}: field {name!r} is missing; add it")
    try:
        return Card(**entries)
    except ModelError as error:
        raise ModelError(f"{where}: {error}") from None


_TABLES = ("figures", "settings", "report")
_COUNTS = ("bytes", "tensors", "parameters")


def _check_field(name: str, value: Any) -> None:
    if name in _TABLES:
        if not isinstance(value, Mapping) or not all(
            isinstance(key, str) and isinstance(item, (str, int, float)) for key, item in value.items()
        ):
            raise ModelError(f"card field {name!r} must be a table of names with numbers or words")
    elif name in _COUNTS:
        if type(value) is not int or value < 0:
            raise ModelError(f"card field {name!r} is {str(value)[:40]!r}; it must be a count")
    elif not isinstance(value, str):
        raise ModelError(f"card field {name!r} is {str(value)[:40]!r}; it must be text")
    elif name == "commercial_use" and value not in get_args(CommercialUse):
        raise ModelError(f"card field 'commercial_use' is {value[:40]!r}; use yes, no or unknown")
    elif name == "sha256" and value and not _SHA256.fullmatch(value):
        raise ModelError(f"card field 'sha256' is {value[:70]!r}; it must be 64 hexadecimal digits")
