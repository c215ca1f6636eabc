"""Configs: frozen dataclasses to and from plain data, strictly, with one content hash.

A config is a frozen dataclass of plain fields: ``bool int float str Path``, ``Literal``, ``X | None``,
``tuple``, ``dict[str, X]`` and nested configs. Bounds are written ``Annotated[int, Bounds(ge=1, le=4096)]``.
Nothing is converted silently: a field that is unknown, missing, of another type or out of bounds raises
``ConfigError`` with the field, the value found and what is allowed.
"""

from __future__ import annotations

import dataclasses
import hashlib
import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any, ClassVar, Protocol, TypeVar

from dreamplate.errors import ConfigError
from dreamplate.take.fields import Place, convert, plain
from dreamplate.take.yamltext import dump_yaml, load_yaml


class Config(Protocol):
    """Any dataclass instance."""

    __dataclass_fields__: ClassVar[dict[str, dataclasses.Field[Any]]]


C = TypeVar("C", bound=Config)


def from_dict(cls: type[C], data: Mapping[str, Any], *, source: str = "config") -> C:
    """Build a config from plain data.

    Args:
        cls: The dataclass to build.
        data: Field values by name, nested configs as nested mappings; omitted fields take defaults.
        source: What to call the data in errors, usually the file name.

    Raises:
        ConfigError: A field is unknown, missing, of the wrong type or out of bounds.
    """
    made: C = convert(cls, data, Place(source))
    return made


def to_dict(config: Config) -> dict[str, Any]:
    """Return a config as plain data (dict, list, str, int, float, bool, None), every field included.

    Raises:
        ConfigError: A field of ``config`` does not hold what its annotation says.
    """
    data: dict[str, Any] = plain(convert(type(config), config, Place("config")), type(config))
    return data


def to_yaml(config: Config) -> str:
    """Return a config as YAML text, fields in the order of the class."""
    return dump_yaml(to_dict(config))


def from_yaml(cls: type[C], text: str, *, source: str = "config") -> C:
    """Build a config from YAML text.

    Raises:
        ConfigError: The text is not YAML, or as for ``from_dict``.
    """
    return from_dict(cls, load_yaml(text, source=source), source=source)


def check(config: C, *, source: str = "config") -> C:
    """Return ``config`` after checking every field as strictly as ``from_dict`` does.

    Dataclasses do not check what they are given; call this on a config made in code or from flags.

    Raises:
        ConfigError: A field has the wrong type or is out of bounds.
    """
    checked: C = convert(type(config), config, Place(source))
    return checked


def replace_fields(config: C, changes: Mapping[str, Any], *, source: str = "config") -> C:
    """Return ``config`` with fields replaced; a dotted name reaches into nested configs.

    Args:
        config: The config to start from.
        changes: New values by name, e.g. ``{"seed": 7, "cuts.count": 32}``.
        source: What to call the changes in errors.

    Raises:
        ConfigError: As for ``from_dict``.
    """
    data = to_dict(config)
    for name, value in changes.items():
        *parents, last = name.split(".")
        level = data
        for parent in parents:
            inner = level.get(parent)
            if not isinstance(inner, dict):
                raise ConfigError(f"{source}: {name}: {parent!r} is not a group of fields")
            level = inner
        is_config = dataclasses.is_dataclass(value) and not isinstance(value, type)
        level[last] = to_dict(value) if is_config else value
    return from_dict(type(config), data, source=source)


def config_id(config: Config) -> str:
    """Return 64 hex digits that are equal for equal configs, on every machine and in every version."""
    return data_id(to_dict(config))


def data_id(data: Mapping[str, Any]) -> str:
    """Return the id of a config that is given as plain data, whichever version of its class wrote it."""
    return hashlib.sha256(canonical_json(data).encode()).hexdigest()


def canonical_json(data: Any) -> str:
    """Return the one spelling of plain data as JSON: sorted keys, no spaces, ASCII only."""
    return json.dumps(data, sort_keys=True, separators=(",", ":"), ensure_ascii=True, allow_nan=False)


def absolute_paths(
    config: C, folder: str | os.PathLike[str] = ".", given: Mapping[str, Any] | None = None
) -> C:
    """Return ``config`` with every relative path made absolute against ``folder``.

    Text that merely looks like a path is left alone; only fields annotated ``Path`` change.

    Args:
        config: Any config.
        folder: Where relative paths begin.
        given: Plain data that the config was read from: fields that it does not name keep their defaults.
    """
    base = Path(folder).absolute()

    def visit(value: Any, named: Any = None) -> Any:
        if isinstance(value, Path):
            return Path(os.path.normpath(base / value.expanduser()))
        if dataclasses.is_dataclass(value) and not isinstance(value, type):
            names = [field.name for field in dataclasses.fields(value) if field.init]
            if isinstance(named, Mapping):
                changed = {name: visit(getattr(value, name), named[name]) for name in names if name in named}
            else:
                changed = {name: visit(getattr(value, name)) for name in names}
            return dataclasses.replace(value, **changed)
        if isinstance(value, tuple):
            return tuple(visit(item) for item in value)
        if isinstance(value, dict):
            return {key: visit(item) for key, item in value.items()}
        return value

    moved: C = visit(config, given)
    return moved
