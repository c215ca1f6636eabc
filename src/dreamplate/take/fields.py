"""Values held against the annotations of a config: strict conversion, bounds, and errors that say where."""

from __future__ import annotations

import dataclasses
import difflib
import functools
import math
import numbers
import os
import types
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any, Literal, Union, get_args, get_origin, get_type_hints

from dreamplate.errors import ConfigError


@dataclasses.dataclass(frozen=True)
class Bounds:
    """Limits of a number, or of the length of a string or tuple; put it into ``Annotated``.

    Attributes:
        ge: The value is at least this.
        gt: The value is more than this.
        le: The value is at most this.
        lt: The value is less than this.
        min_length: The string or tuple has at least this many items.
        max_length: The string or tuple has at most this many items.
        multiple_of: The whole number is a multiple of this.
    """

    ge: float | None = None
    gt: float | None = None
    le: float | None = None
    lt: float | None = None
    min_length: int | None = None
    max_length: int | None = None
    multiple_of: int | None = None


def nearest(name: str, names: Sequence[str]) -> str:
    """Return a phrase naming the known names close to ``name``, or all of them when none is close."""
    close = difflib.get_close_matches(name, names, n=3, cutoff=0.5)
    if close:
        return "did you mean " + " or ".join(repr(item) for item in close) + "?"
    return "known: " + (", ".join(sorted(names)) or "none")


@dataclasses.dataclass(frozen=True)
class Place:
    """Where a value sits, for errors: a source (a file) and a dotted field path."""

    source: str
    path: str = ""

    def __truediv__(self, name: str) -> Place:
        """Return the place of a field inside this one."""
        return Place(self.source, f"{self.path}.{name}" if self.path else name)

    def item(self, index: int | str) -> Place:
        """Return the place of an item of a list or mapping."""
        return Place(self.source, f"{self.path}[{index}]")

    def error(self, text: str) -> ConfigError:
        """Return the error that says ``text`` about this place."""
        return ConfigError(f"{self.source}: {self.path}: {text}" if self.path else f"{self.source}: {text}")


def show(value: Any) -> str:
    """Return a value for an error message, cut to a readable length."""
    text = repr(value)
    return text if len(text) <= 80 else f"{text[:60]}… ({len(text)} characters)"


def _is_config(hint: Any) -> bool:
    return isinstance(hint, type) and dataclasses.is_dataclass(hint)


@functools.cache
def _hints(cls: Any) -> dict[str, Any]:
    hints = get_type_hints(cls, include_extras=True)
    return {field.name: hints[field.name] for field in dataclasses.fields(cls) if field.init}


def convert(hint: Any, value: Any, place: Place) -> Any:
    """Return ``value`` as the exact type of ``hint``.

    Args:
        hint: An annotation that a config field may have.
        value: Plain data, or what such data was converted to before.
        place: Where the value sits.

    Raises:
        ConfigError: The value does not fit.
        TypeError: A config class uses an annotation that is not supported.
    """
    origin = get_origin(hint)
    if origin is Annotated:
        base, *marks = get_args(hint)
        made = convert(base, value, place)
        for mark in marks:
            _check_bounds(made, mark, place)
        return made
    if origin is Union or origin is types.UnionType:
        return _convert_union(get_args(hint), value, place)
    if origin is Literal:
        return _convert_choice(get_args(hint), value, place)
    if origin is tuple:
        return _convert_tuple(get_args(hint), value, place)
    if origin is dict:
        return _convert_dict(get_args(hint)[1], value, place)
    if _is_config(hint):
        return _convert_config(hint, value, place)
    if hint is None or hint is type(None):
        if value is None:
            return None
        raise place.error(f"expected nothing, found {show(value)}")
    if hint in _SCALARS:
        return _SCALARS[hint](value, place)
    raise TypeError(f"{place.path}: a config field cannot be of type {hint!r}")


def _convert_config(cls: type, value: Any, place: Place) -> Any:
    hints = _hints(cls)
    if isinstance(value, cls):
        if type(value) is not cls:
            raise place.error(f"expected {cls.__name__}, found its subclass {type(value).__name__}")
        data: Mapping[Any, Any] = {name: getattr(value, name) for name in hints}
    elif isinstance(value, Mapping):
        data = value
    elif isinstance(value, str) and hasattr(cls, "parse"):
        try:
            return _convert_config(cls, cls.parse(value), place)
        except ConfigError as error:
            text = str(error)
            raise (error if text.startswith(place.source) else place.error(text)) from error
    else:
        raise place.error(f"expected fields ({', '.join(hints)}), found {show(value)}")
    made = {}
    for name, item in data.items():
        if name not in hints:
            raise place.error(f"unknown field {show(name)}; {nearest(str(name), list(hints))}")
        made[name] = convert(hints[name], item, place / name)
    for field in dataclasses.fields(cls):
        no_default = field.default is dataclasses.MISSING and field.default_factory is dataclasses.MISSING
        if field.init and no_default and field.name not in made:
            raise (place / field.name).error("is missing and has no default")
    try:
        return cls(**made)
    except (ConfigError, ValueError, TypeError) as error:
        text = " ".join(str(error).split())
        # A class's own check may already name the field by its full path.
        named = place.path and text.startswith(f"{place.path}.")
        raise (Place(place.source) if named else place).error(text) from error


def _convert_union(options: tuple[Any, ...], value: Any, place: Place) -> Any:
    if value is None and type(None) in options:
        return None
    options = tuple(option for option in options if option is not type(None))
    if len(options) == 1:
        return convert(options[0], value, place)
    configs = {str(option.__name__): option for option in options if _is_config(option)}
    if len(configs) > 1 and isinstance(value, Mapping):
        data = dict(value)
        name = data.pop("type", None)
        if name not in configs:
            raise (place / "type").error(f"found {show(name)}; {nearest(str(name), list(configs))}")
        return convert(configs[name], data, place)
    for config in configs.values():
        if isinstance(value, config):
            return convert(config, value, place)
    # The narrowest reading first, so that 1 stays an int where both int and float are allowed.
    for option in sorted(options, key=lambda option: _ORDER.get(option, -1)):
        try:
            return convert(option, value, place)
        except ConfigError:
            continue
    raise place.error(f"found {show(value)}, expected {' or '.join(_name(option) for option in options)}")


def _convert_choice(choices: tuple[Any, ...], value: Any, place: Place) -> Any:
    for choice in choices:
        if type(choice) is type(value) and choice == value:
            return choice
    allowed = ", ".join(str(choice) for choice in choices)
    close = difflib.get_close_matches(str(value), [str(choice) for choice in choices], n=1)
    hint = f"; did you mean {close[0]!r}?" if close else ""
    raise place.error(f"found {show(value)}, allowed: {allowed}{hint}")


def _convert_tuple(parts: tuple[Any, ...], value: Any, place: Place) -> tuple[Any, ...]:
    if not isinstance(value, tuple | list):
        raise place.error(f"found {show(value)}, expected a list")
    if len(parts) == 2 and parts[1] is Ellipsis:
        parts = (parts[0],) * len(value)
    elif len(parts) != len(value):
        raise place.error(f"found {len(value)} values ({show(value)}), expected {len(parts)}")
    pairs = zip(parts, value, strict=True)
    return tuple(convert(part, item, place.item(i)) for i, (part, item) in enumerate(pairs))


def _convert_dict(part: Any, value: Any, place: Place) -> dict[str, Any]:
    if not isinstance(value, Mapping):
        raise place.error(f"found {show(value)}, expected names with values")
    return {_text(key, place): convert(part, item, place.item(key)) for key, item in value.items()}


def _truth(value: Any, place: Place) -> bool:
    if isinstance(value, bool):
        return value
    raise place.error(f"found {show(value)}, expected true or false")


def _whole(value: Any, place: Place) -> int:
    if isinstance(value, bool) or not isinstance(value, numbers.Integral):
        raise place.error(f"found {show(value)}, expected a whole number")
    return int(value)


def _real(value: Any, place: Place) -> float:
    if isinstance(value, bool) or not isinstance(value, numbers.Real):
        raise place.error(f"found {show(value)}, expected a number")
    try:
        made = float(value)
    except OverflowError:
        made = math.inf
    if not math.isfinite(made):
        raise place.error(f"found {show(value)}, expected a finite number")
    return made


def _text(value: Any, place: Place) -> str:
    if not isinstance(value, str):
        raise place.error(f"found {show(value)}, expected text")
    if not value.isascii():
        try:
            value.encode()
        except UnicodeEncodeError:
            raise place.error(f"found {show(value)}, which is not valid Unicode text") from None
    return str(value)


def _path(value: Any, place: Place) -> Path:
    if isinstance(value, str | os.PathLike):
        text = _text(os.fspath(value), place)
        if "\0" not in text:
            return Path(text)
    raise place.error(f"found {show(value)}, expected a file path")


_SCALARS = {bool: _truth, int: _whole, float: _real, str: _text, Path: _path}
_ORDER = {bool: 0, int: 1, float: 2, str: 3, Path: 4}


def _name(hint: Any) -> str:
    words = {bool: "true or false", int: "a whole number", float: "a number", str: "text", Path: "a path"}
    if get_origin(hint) is Annotated:
        return _name(get_args(hint)[0])
    if get_origin(hint) is Literal:
        return "one of " + ", ".join(str(choice) for choice in get_args(hint))
    if get_origin(hint) is tuple:
        return "a list"
    return words.get(hint) or str(getattr(hint, "__name__", hint))


def _check_bounds(value: Any, mark: Any, place: Place) -> None:
    """Hold ``value`` against one annotation; marks that carry no limits are left to other tools."""

    def limit(name: str) -> Any:
        return getattr(mark, name, None)

    tests: tuple[tuple[str, Callable[[Any], bool], str], ...] = (
        ("ge", lambda bound: value >= bound, "at least {}"),
        ("gt", lambda bound: value > bound, "more than {}"),
        ("le", lambda bound: value <= bound, "at most {}"),
        ("lt", lambda bound: value < bound, "less than {}"),
        ("multiple_of", lambda bound: value % bound == 0, "a multiple of {}"),
        ("min_length", lambda bound: len(value) >= bound, "at least {} long"),
        ("max_length", lambda bound: len(value) <= bound, "at most {} long"),
    )
    wanted = [text.format(limit(name)) for name, _, text in tests if limit(name) is not None]
    if any(limit(name) is not None and not holds(limit(name)) for name, holds, _ in tests):
        length = f" ({len(value)} long)" if isinstance(value, str | tuple) else ""
        raise place.error(f"found {show(value)}{length}, must be {' and '.join(wanted)}")


def plain(value: Any, hint: Any) -> Any:
    """Return a checked value as plain data; ``hint`` decides where a union needs a ``type`` tag."""
    if get_origin(hint) is Annotated:
        return plain(value, get_args(hint)[0])
    options: tuple[Any, ...] = ()
    if get_origin(hint) in (Union, types.UnionType):
        options = get_args(hint)
    kind: Any = type(value)
    if _is_config(kind):
        tagged = sum(_is_config(option) for option in options) > 1
        tag = {"type": kind.__name__} if tagged else {}
        return tag | {name: plain(getattr(value, name), inner) for name, inner in _hints(kind).items()}
    if isinstance(value, tuple):
        return [plain(item, _part(hint, index)) for index, item in enumerate(value)]
    if isinstance(value, dict):
        return {key: plain(item, _part(hint, 1)) for key, item in value.items()}
    return str(value) if isinstance(value, Path) else value


def _part(hint: Any, index: int) -> Any:
    """Return the annotation of item ``index`` of a tuple (or of a dict's values, index 1)."""
    for option in (hint, *get_args(hint)):
        if get_origin(option) in (tuple, dict):
            parts = get_args(option)
            return parts[0] if parts[-1] is Ellipsis else parts[index] if index < len(parts) else None
    return None
