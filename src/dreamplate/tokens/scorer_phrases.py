"""Short texts that say one fact of a picture, for telling its values apart by words alone."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from dreamplate.scenes.world import words

__all__ = ["JOINT", "asked", "phrases", "values"]

NONE = "none"
"""Value of a fact that is absent: no text is made of it."""
JOINT = "count"
"""The fact whose texts name another fact too: how many of what."""
KIND = "landmark"
"""That other fact."""
UNSEEN = {"season": "season_seen"}
"""Facts that only show where another fact says ``yes``."""
_GROUPS = {"sailing boat": "boat", "rowing boat": "boat", "truck": "car", "vehicle": "car"}
"""Kinds that some captions call by one name."""


def asked(facts: Mapping[str, str]) -> dict[str, str]:
    """Return the facts that can be asked for by a phrase, by name; a count is said of its kind."""
    kind = facts.get(KIND, NONE)
    kind = _GROUPS.get(kind, kind)
    known = {**facts, KIND: kind}
    for name, shown in UNSEEN.items():
        if known.get(shown, "yes") != "yes":
            known.pop(name, None)
    found = {name: value for name, value in known.items() if phrases(name, value, kind)}
    if JOINT in found:
        found[JOINT] = f"{kind}/{facts[JOINT]}"
    return found


def phrases(name: str, value: str, kind: str = NONE) -> tuple[str, ...]:
    """Return texts that say a fact; none where it says nothing, or is not known here.

    Args:
        name: Of the fact.
        value: Of the fact; of a count also ``KIND/COUNT``.
        kind: What is counted.
    """
    if value == NONE:
        return ()
    if name == "time":
        return words.TIMES.get(value, ())
    if name == "weather":
        return (*words.WEATHERS.get(value, ()), *words.SKIES.get(value, ()))
    if name == "season":
        return words.SEASONS.get(value, ())
    if name == "biome":
        land = words.BIOMES.get(value, {})
        return (*land.get("noun", ()), *land.get("in", ()))
    if name == "water":
        return (*words.BESIDE.get(value, ()), *words.WATERS.get(value, ()))
    if name == "trees":
        return tuple(text for texts in words.TREES.get(value, {}).values() for text in texts)
    if name == KIND:
        return tuple(_with_article("a", one) for one, _ in words.NOUNS.get(value, ()))
    if name == JOINT:
        kind, _, value = value.partition("/") if "/" in value else (kind, "", value)
        numbers = dict.fromkeys(words.COUNTS.get(value, ()))
        names = words.NOUNS.get(kind, ())
        return tuple(_with_article(number, pair[value != "1"]) for pair in names for number in numbers)
    return ()


def _with_article(number: str, noun: str) -> str:
    return f"an {noun}" if number == "a" and noun[0] in "aeiou" else f"{number} {noun}"


def values(seen: Sequence[Mapping[str, str]]) -> dict[str, list[str]]:
    """Return the values of each fact that occur, as `asked` names them, sorted."""
    found: dict[str, set[str]] = {}
    for facts in seen:
        for name, value in asked(facts).items():
            found.setdefault(name, set()).add(value)
    return {name: sorted(found[name]) for name in sorted(found)}
