"""Plain data as YAML text, with few surprises.

PyYAML reads YAML 1.1, where ``no`` is false, ``1e-3`` is text, ``010`` is eight, ``12:30`` is 750 and a
small file with aliases can stand for gigabytes. Here only what the JSON-like core of YAML 1.2 calls a
number, a truth value or null is one; everything else is text. Aliases and repeated keys are errors.
"""

from __future__ import annotations

import functools
import re
from typing import Any

from dreamplate.errors import ConfigError

MAX_CHARACTERS = 4 << 20
"""Longest YAML text that is read; our own files are a thousand times shorter."""

_TAGS = (
    ("null", r"(?:~|null|Null|NULL|)$", "~nN\0"),
    ("bool", r"(?:true|True|TRUE|false|False|FALSE)$", "tTfF"),
    ("int", r"(?:[-+]?[0-9]+|0o[0-7]+|0x[0-9a-fA-F]+)$", "-+0123456789"),
    (
        "float",
        r"(?:[-+]?(?:\.[0-9]+|[0-9]+(?:\.[0-9]*)?)(?:[eE][-+]?[0-9]+)?|[-+]?\.(?:inf|Inf|INF)|\.(?:nan|NaN|NAN))$",
        "-+.0123456789",
    ),
)


def dump_yaml(data: Any) -> str:
    """Return plain data (dict, list, str, int, float, bool, None) as YAML, keys in their own order."""
    import yaml

    text: str = yaml.dump(
        data, Dumper=_classes()[1], sort_keys=False, allow_unicode=True, width=100, default_flow_style=False
    )
    return text


def load_yaml(text: str, *, source: str) -> Any:
    """Return the plain data that YAML text stands for.

    Args:
        text: One YAML document.
        source: What to call it in errors, usually the file name.

    Raises:
        ConfigError: The text is not YAML, repeats a key, uses aliases or is absurdly long.
    """
    import yaml

    if len(text) > MAX_CHARACTERS:
        raise ConfigError(f"{source}: {len(text):,} characters of YAML; at most {MAX_CHARACTERS:,} are read")
    try:
        return yaml.load(text, Loader=_classes()[0])
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        line = f" line {mark.line + 1}" if mark else ""
        raise ConfigError(f"{source}:{line} {_one_line(error.problem or error)}; correct the YAML") from error
    except (yaml.YAMLError, ValueError) as error:
        raise ConfigError(f"{source}: {_one_line(error)}; correct the YAML") from error
    except RecursionError:
        raise ConfigError(f"{source}: nested too deeply to be a config") from None


def _one_line(error: object) -> str:
    return " ".join(str(error).split())


@functools.cache
def _classes() -> tuple[Any, Any]:
    """Return a loader and a dumper that agree on what plain text means."""
    import yaml

    class Loader(yaml.SafeLoader):
        yaml_implicit_resolvers: dict[Any, Any] = {}  # noqa: RUF012 (PyYAML's own protocol)

        def compose_node(self, parent: Any, index: Any) -> Any:
            if self.check_event(yaml.AliasEvent):
                event: Any = self.peek_event()  # type: ignore[no-untyped-call]
                raise yaml.MarkedYAMLError(problem=f"alias *{event.anchor}", problem_mark=event.start_mark)
            return super().compose_node(parent, index)

        def construct_mapping(self, node: Any, deep: bool = False) -> Any:
            seen = set()
            for key, _ in node.value:
                name = getattr(key, "value", None)
                if not isinstance(name, str) or name in seen:
                    problem = f"key {name!r} occurs twice" if isinstance(name, str) else "a key is not text"
                    raise yaml.MarkedYAMLError(problem=problem, problem_mark=key.start_mark)
                seen.add(name)
            return super().construct_mapping(node, deep)

        def construct_yaml_int(self, node: Any) -> int:
            text = self.construct_scalar(node)
            base = {"0o": 8, "0x": 16}.get(text[:2], 10)
            return int(text[2:] if base != 10 else text, base)

    class Dumper(yaml.SafeDumper):
        yaml_implicit_resolvers: dict[Any, Any] = {}  # noqa: RUF012 (PyYAML's own protocol)

        def ignore_aliases(self, data: Any) -> bool:
            return True

        def represent_str(self, data: str) -> Any:
            # Only the double-quoted style can escape; in the others some line ends come back as spaces.
            style = None if data.isprintable() else '"'
            return self.represent_scalar("tag:yaml.org,2002:str", data, style=style)

    Dumper.add_representer(str, Dumper.represent_str)
    Loader.add_constructor("tag:yaml.org,2002:int", Loader.construct_yaml_int)
    for name, pattern, first in _TAGS:
        for each in (Loader, Dumper):
            letters = ["" if letter == "\0" else letter for letter in first]
            each.add_implicit_resolver(f"tag:yaml.org,2002:{name}", re.compile(pattern), letters)
    return Loader, Dumper
