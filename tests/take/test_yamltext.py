"""YAML text says what it says: no surprising types, no aliases, no repeated keys."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dreamplate.errors import ConfigError
from dreamplate.take.yamltext import MAX_CHARACTERS, dump_yaml, load_yaml

text = st.text(st.characters(exclude_categories=["Cs"]), max_size=30)
plain = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | text,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(text, inner, max_size=4),
    max_leaves=12,
)


@given(plain)
def test_round_trips(data: Any) -> None:
    again = load_yaml(dump_yaml(data), source="x")
    assert repr(again) == repr(data)


@pytest.mark.parametrize(
    ("source", "value"),
    [
        ("no", "no"),
        ("on", "on"),
        ("1e-3", 0.001),
        ("5e-2", 0.05),
        (".5", 0.5),
        ("1.", 1.0),
        ("010", 10),
        ("0x1f", 31),
        ("0o17", 15),
        ("-3", -3),
        ("1_000", "1_000"),
        ("12:30:45", "12:30:45"),
        ("2021-03-04", "2021-03-04"),
        ("~", None),
        ("", None),
        ("null", None),
        ("True", True),
        ("'true'", "true"),
        ("[1, 2.0, a]", [1, 2.0, "a"]),
        ("<<: 3", {"<<": 3}),
    ],
)
def test_reads(source: str, value: Any) -> None:
    found = load_yaml(source, source="x")
    assert (found, type(found)) == (value, type(value))


BOMB = "a: &a [x, x]\nb: &b [*a, *a]\nc: [*b, *b]"


@pytest.mark.parametrize(
    ("source", "part"),
    [
        ("a: 1\na: 2", "line 2 key 'a' occurs twice"),
        (BOMB, "alias *a"),
        ("a: [1", "line"),
        ("a: b: c", "line 1"),
        ("!!python/object/apply:os.system [ls]", "could not determine a constructor"),
        ("[1]: 2", "not text"),
        ("a: \x01", "unacceptable character"),
        ("- " * 5000, "nested too deeply"),
        ("9" * 5000, "correct the YAML"),
        ("x" * (MAX_CHARACTERS + 1), "characters of YAML"),
        ("--- 1\n--- 2", "another document"),
    ],
)
def test_refuses(source: str, part: str) -> None:
    with pytest.raises(ConfigError) as caught:
        load_yaml(source, source="look.yaml")
    message = str(caught.value)
    assert message.startswith("look.yaml:")
    assert part in message
    assert "\n" not in message
