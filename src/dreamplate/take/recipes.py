"""Recipes: named configurations, kept as YAML files in the package or wherever the user likes.

A recipe gives the fields that differ from the defaults. ``base: NAME`` starts from another recipe of the
same kind, or from a file beside this one; nested fields are merged, everything else is replaced.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from dreamplate.errors import ConfigError
from dreamplate.take.config import C, absolute_paths, from_dict
from dreamplate.take.fields import nearest
from dreamplate.take.yamltext import load_yaml

_SUFFIXES = (".yaml", ".yml")


def recipes_folder() -> Path:
    """Return the folder of the package that holds ``KIND/NAME.yaml``."""
    return Path(__file__).resolve().parents[1] / "recipes"


def recipe_names(kind: str) -> tuple[str, ...]:
    """Return the names of the package's recipes for one kind of job, sorted."""
    return tuple(sorted(path.stem for path in (recipes_folder() / kind).glob("*.yaml")))


def load_recipe(cls: type[C], name_or_path: str | os.PathLike[str], *, kind: str | None = None) -> C:
    """Load a recipe of the package by name, or any YAML file by path.

    Relative paths inside a file are taken from that file's folder.

    Args:
        cls: The config class to build.
        name_or_path: A recipe name, or a path (anything with a slash or ending in ``.yaml``).
        kind: Which recipes to look among; by default ``cls.kind``.

    Raises:
        ConfigError: No such recipe (the message lists those there are), or its contents are wrong.
    """
    kind = kind or getattr(cls, "kind", None)
    if kind is None:
        raise TypeError(f"{cls.__name__} has no kind; pass kind=…")
    path = _find(str(os.fspath(name_or_path)), kind, Path())
    data = _merged(path, kind, ())
    return absolute_paths(from_dict(cls, data, source=str(path)), path.parent, data)


def read_text(path: Path, *, what: str = "recipe") -> str:
    """Read a small UTF-8 file.

    Raises:
        ConfigError: It is absent, unreadable or not UTF-8 text.
    """
    try:
        with path.open("rb") as file:
            # One byte more than the YAML limit allows, so that too long a file is still reported as such.
            return file.read((4 << 20) + 1).decode("utf-8-sig")
    except OSError as error:
        reason = error.strerror or type(error).__name__
        raise ConfigError(f"{path}: cannot read this {what} ({reason}); check the path") from error
    except ValueError as error:
        raise ConfigError(f"{path}: this {what} is not UTF-8 text; save it as UTF-8") from error


def _find(name: str, kind: str, folder: Path) -> Path:
    if name.endswith(_SUFFIXES) or "/" in name or os.sep in name:
        path = folder / Path(name).expanduser()
        if not path.is_file():
            raise ConfigError(f"{path}: no such recipe file; recipes of {kind}: {_list(kind)}")
        return path
    names = recipe_names(kind)
    if name not in names:
        raise ConfigError(
            f"recipe {name!r} is unknown; {nearest(name, names)} (recipes of {kind}: {_list(kind)})"
        )
    return recipes_folder() / kind / f"{name}.yaml"


def _list(kind: str) -> str:
    return ", ".join(recipe_names(kind)) or "none"


def _merged(path: Path, kind: str, seen: tuple[Path, ...]) -> dict[str, Any]:
    if path in seen:
        chain = " → ".join(item.name for item in (*seen, path))
        raise ConfigError(f"{path}: base: recipes start from each other ({chain}); remove one base")
    data = load_yaml(read_text(path), source=str(path))
    if data is None:
        data = {}
    if not isinstance(data, dict):
        raise ConfigError(f"{path}: found {type(data).__name__}, expected fields such as 'steps: 200'")
    base = data.pop("base", None)
    if base is None:
        return data
    if not isinstance(base, str):
        raise ConfigError(f"{path}: base: found {base!r}, expected the name of a recipe")
    return merge(_merged(_find(base, kind, path.parent), kind, (*seen, path)), data)


def merge(base: Mapping[str, Any], changes: Mapping[str, Any]) -> dict[str, Any]:
    """Return ``base`` with ``changes`` on top; mappings are merged, other values replaced.

    Two mappings with different ``type`` tags describe different things and are not merged.
    """
    merged = dict(base)
    for name, value in changes.items():
        old = merged.get(name)
        alike = isinstance(old, Mapping) and isinstance(value, Mapping)
        if alike and value.get("type", old.get("type")) == old.get("type"):  # type: ignore[union-attr]
            merged[name] = merge(old, value)  # type: ignore[arg-type]
        else:
            merged[name] = value
    return merged
