"""Laws of the prompt language."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dreamplate.dream.prompts import MAX_PROMPT, Target, parse_prompt
from dreamplate.errors import ConfigError

words = st.text(
    st.characters(codec="utf-8", exclude_categories=("Cs", "Cc", "Z")), min_size=1, max_size=20
).filter(lambda text: "\\" not in text and any(c.isalnum() for c in text))
weights = st.floats(0.01, 100).map(lambda weight: float(f"{weight:g}"))


@given(st.lists(st.builds(Target, words, weights, st.booleans()), min_size=1, max_size=4))
def test_what_is_written_is_read_back(targets: list[Target]) -> None:
    assert parse_prompt(" | ".join(map(str, targets))) == tuple(targets)


@pytest.mark.parametrize(
    ("prompt", "expected"),
    [
        ("a cat", [Target("a cat")]),
        ("  a cat  ", [Target("a cat")]),
        (
            "a cathedral at night | -people | stained glass:0.5",
            [Target("a cathedral at night"), Target("people", avoid=True), Target("stained glass", 0.5)],
        ),
        ("a clock at 10:30", [Target("a clock at 10:30")]),
        ("ratio 16:9 poster:2", [Target("ratio 16:9 poster", 2.0)]),
        ("sea: calm", [Target("sea: calm")]),
        (r"either\|or", [Target("either|or")]),
        (r"chapter\:3", [Target("chapter:3")]),
        (r"\-40 degrees", [Target("-40 degrees")]),
        ("-fog:2.5", [Target("fog", 2.5, avoid=True)]),
        ("嵐の中の灯台", [Target("嵐の中の灯台")]),
    ],
)
def test_examples(prompt: str, expected: list[Target]) -> None:
    assert parse_prompt(prompt) == tuple(expected)


@pytest.mark.parametrize(
    ("prompt", "says"),
    [
        ("", "empty"),
        ("   \n", "empty"),
        ("x" * (MAX_PROMPT + 1), f"{MAX_PROMPT:,}"),
        ("a | | b", "without words"),
        ("a |", "without words"),
        ("...", "without words"),
        ("-", "without words"),
        ("a cat:0", "weight 0"),
        ("a cat:1000", "weight 1000"),
        ("a cat:-1", "weight '-1'"),
        ("a cat:1e9", "weight '1e9'"),
        ("a cat:nan", "weight 'nan'"),
    ],
)
def test_mistakes_are_named_in_one_line(prompt: str, says: str) -> None:
    with pytest.raises(ConfigError, match=says) as caught:
        parse_prompt(prompt)
    assert "\n" not in str(caught.value) and len(str(caught.value)) < 300
