"""Nuke scripts (``.nk``) as far as cameras need them: nodes, their knobs, and animation curves.

A script is a list of ``Class { knob value ... }``. A value is a word, a quoted text or a list in braces; an
animated number is ``{curve x1001 1.5 1.6 x1010 2}``: ``x`` gives the frame of the next value; without one the
step between the last two frames is repeated, or is 1. A letter before a key says how the curve runs from it:
K constant, L linear (NDK developer guide, "Curve serialisation format").

Scripts are read as data; expressions are not evaluated.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

from dreamplate.errors import SceneError

_NUMBER = r"[-+]?(?:\d+\.?\d*|\.\d+)(?:[eE][-+]?\d+)?"

__all__ = ["Curve", "NukeNode", "numbers_or_curves", "parse_script"]


@dataclass(frozen=True)
class NukeNode:
    """One node: its class, and the text of each knob without the outer braces or quotes."""

    kind: str
    knobs: dict[str, str]


@dataclass(frozen=True)
class Curve:
    """An animated number: frames of its keys in order, values, and how it runs from each (``K``, ``L``)."""

    frames: tuple[float, ...]
    values: tuple[float, ...]
    runs: tuple[str, ...]

    def at(self, frame: int, where: str) -> float:
        """Return the value at a frame.

        Raises:
            SceneError: It lies between keys on a smooth curve, whose shape only Nuke knows.
        """
        if frame <= self.frames[0]:
            return self.values[0]
        if frame >= self.frames[-1]:
            return self.values[-1]
        after = next(number for number, key in enumerate(self.frames) if key >= frame)
        if self.frames[after] == frame:
            return self.values[after]
        start, stop, run = self.values[after - 1], self.values[after], self.runs[after - 1]
        if run == "K":
            return start
        if run == "L" == self.runs[after]:
            share = (frame - self.frames[after - 1]) / (self.frames[after] - self.frames[after - 1])
            return start + (stop - start) * share
        raise SceneError(
            f"{where}: has no key at frame {frame}; bake the curve in Nuke: a key on every frame"
        )


def parse_script(text: str, where: str) -> list[NukeNode]:
    """Return the nodes of a script, in order, those inside groups too.

    Raises:
        SceneError: Braces do not match.
    """
    nodes: list[NukeNode] = []
    at = 0
    for match in re.finditer(r"^[ \t]*([A-Za-z_][\w.]*)[ \t]+\{[ \t]*\n", text, re.MULTILINE):
        if match.start() < at:
            continue
        end = _closing(text, match.end() - 2, where)
        nodes.append(NukeNode(match[1], dict(_knobs(text[match.end() : end], where))))
        at = end
    return nodes


def _closing(text: str, start: int, where: str) -> int:
    """Return the place of the brace that closes the one at or after ``start``."""
    depth, at = 0, text.index("{", start)
    while at < len(text):
        sign = text[at]
        if sign == "\\":
            at += 1
        elif sign == "{":
            depth += 1
        elif sign == "}":
            depth -= 1
            if depth == 0:
                return at
        at += 1
    raise SceneError(f"{where}: a brace is never closed; save the script again")


def _knobs(body: str, where: str) -> Iterator[tuple[str, str]]:
    at = 0
    for match in re.finditer(r"[ \t]*([\w.]+)[ \t]+", body):
        if match.start() < at:
            continue
        at = match.end()
        if at < len(body) and body[at] == "{":
            end = _closing(body, at, where)
            yield match[1], body[at + 1 : end]
            at = end + 1
        elif at < len(body) and body[at] == '"':
            end = at + 1
            while end < len(body) and body[end] != '"':
                end += 2 if body[end] == "\\" else 1
            yield match[1], body[at + 1 : end]
            at = end + 1
        else:
            end = body.find("\n", at)
            end = len(body) if end < 0 else end
            yield match[1], body[at:end].strip()
            at = end


def numbers_or_curves(text: str, count: int, where: str) -> list[float | Curve]:
    """Return the ``count`` numbers of a knob, each a number or a curve; one number alone holds for all.

    Raises:
        SceneError: There are too few, or one is an expression.
    """
    found: list[float | Curve] = []
    at = 0
    while at < len(text):
        if text[at].isspace():
            at += 1
        elif text[at] == "{":
            end = _closing(text, at, where)
            found.append(_animated(text[at + 1 : end].strip(), where))
            at = end + 1
        else:
            if text[at:].startswith("curve"):  # the outer braces were the only ones
                return [_animated(text[at:].strip(), where)] * count
            end = at
            while end < len(text) and not text[end].isspace():
                end += 1
            found.append(_animated(text[at:end], where))
            at = end
    if len(found) == 1:
        found *= count
    if len(found) != count:
        raise SceneError(f"{where}: has {len(found)} numbers; need {count}")
    return found


def _animated(text: str, where: str) -> float | Curve:
    words = text.split()
    try:
        if len(words) == 1:
            return float(words[0])
    except ValueError:
        pass
    if not words or words[0] != "curve":
        raise SceneError(f"{where}: {text[:40]!r} is an expression; bake it in Nuke and save again")
    frames: list[float] = []
    values: list[float] = []
    runs: list[str] = []
    run, frame = "", None
    for word in words[1:]:
        if re.fullmatch(rf"x{_NUMBER}", word):
            frame = float(word[1:])
        elif re.fullmatch(_NUMBER, word):
            if frame is None:
                step = frames[-1] - frames[-2] if len(frames) > 1 else 1.0
                frame = frames[-1] + step if frames else 0.0
            frames.append(frame)
            values.append(float(word))
            runs.append(run)
            run, frame = "", None
        elif word in ("K", "L", "S", "R", "C"):
            run = word
    if not frames or any(frames[i] >= frames[i + 1] for i in range(len(frames) - 1)):
        raise SceneError(f"{where}: its curve has no key, or keys out of order; save the script again")
    return Curve(tuple(frames), tuple(values), tuple(runs))
