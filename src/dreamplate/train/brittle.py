"""The brittleness report: where conditions lie outside what a model learnt from, in pictures and words."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from dreamplate.plate.draw import shortened, text
from dreamplate.train.memory import Look, Memory, look
from dreamplate.train.remember import extent_of, ninths_of
from dreamplate.train.sheets import Shown, colours_of, shown

__all__ = ["Finding", "display_of", "examine", "heat", "overview", "remarks", "row_of", "summary"]

NOTABLE = 0.002
"""Share of the picture below which a class is not worth a remark."""
MORE = 1.1
"""A class's share is remarkable from this factor beyond the largest seen."""
DOWN, ACROSS = ("top", "middle", "bottom"), ("left", "centre", "right")
GLOW = (1.0, 0.35, 0.05)
"""What shines where confidence is low."""
SHOWN_NEAREST = 2
"""Training conditions on a row of the sheet."""


@dataclass(frozen=True)
class Finding:
    """What there is to say about one condition.

    Attributes:
        name: Of the condition.
        outside: Share of its pixels that are outside: confidence below one half.
        confidence: Mean over pixels, 0-1.
        nearest: Most similar training examples with their distances.
        remarks: What was never seen, in words.
    """

    name: str
    outside: float
    confidence: float
    nearest: tuple[tuple[str, float], ...] = ()
    remarks: tuple[str, ...] = field(default=())

    def to_json(self) -> dict[str, Any]:
        """Return plain data."""
        return {
            "name": self.name,
            "outside": self.outside,
            "confidence": self.confidence,
            "nearest": [{"name": name, "distance": apart} for name, apart in self.nearest],
            "remarks": list(self.remarks),
        }


def examine(memory: Memory, condition: Float[Tensor, "1 c h w"], name: str) -> tuple[Finding, Look]:
    """Return what there is to say about a condition, and the map of where."""
    seen = look(memory, condition)
    sure = float(seen.confidence.mean())
    return Finding(name, seen.outside, sure, seen.nearest, remarks(memory, condition)), seen


def remarks(memory: Memory, condition: Float[Tensor, "1 c h w"]) -> tuple[str, ...]:
    """Say in words what about a condition no training example has.

    Of label maps: classes never seen, seen nowhere in that part of the picture, larger or smaller than
    anywhere. Of pictures: values beyond those seen.
    """
    if memory.port.palette is None:
        return _values_beyond(memory, condition)
    low, high = memory.largest.unbind(1)
    found: list[str] = []
    names = (*memory.port.palette.names, "no class")[: memory.port.palette.channels]
    share, ninths = extent_of(condition, memory.port)[:, 0], ninths_of(condition) / 9
    known = memory.counts + memory.counts.flip(-1) if memory.flip else memory.counts
    for number, name in enumerate(names):
        there, most, least = float(share[number]), float(high[number]), float(low[number])
        if most == 0:
            if there > 0:
                found.append(f"{name}: never seen; {there:.1%} of the picture")
            continue
        if there > MORE * most and there > most + NOTABLE:
            found.append(f"{name}: {there:.0%} of the picture, at most {most:.0%} in training")
        elif there < least / MORE and there < least - NOTABLE:
            found.append(f"{name}: {there:.0%} of the picture, at least {least:.0%} in training")
        for words, axis in ((DOWN, 1), (ACROSS, 0)):
            parts, seen = ninths[number].sum(axis), known[number].sum(axis)
            places = [
                word for word, part, n in zip(words, parts, seen, strict=True) if n == 0 and part > NOTABLE
            ]
            found += [f"{name}: never seen in the {word} third" for word in places]
    return tuple(found)


def heat(picture: Shown, confidence: Float[Tensor, "h w"]) -> Shown:
    """Return a picture ``(h, w, 3)`` in grey that glows where confidence is low."""
    grey = (picture @ np.array([0.2126, 0.7152, 0.0722], np.float32))[..., None] * 0.6
    unsure = (1 - confidence.numpy().clip(0, 1))[..., None] * 0.85
    return np.asarray(grey * (1 - unsure) + np.array(GLOW, np.float32) * unsure, np.float32)


def row_of(
    memory: Memory,
    condition: Float[Tensor, "1 c h w"],
    finding: Finding,
    confidence: Float[Tensor, "h w"],
    made: Shown | None = None,
    recall: Callable[[str], Shown | None] | None = None,
) -> list[Shown]:
    """Return a row of the sheet: condition, what was made, where it is outside, the nearest examples.

    Args:
        memory: Of the model.
        condition: As the network sees it.
        finding: About it.
        confidence: Of each pixel.
        made: ``(h, w, 3)`` what the model makes of it.
        recall: Name of a training example → its condition as a picture, where the data is still there.
    """
    seen = display_of(memory, condition)
    row = [_captioned(seen, finding.name)]
    if made is not None:
        row.append(made)
    row.append(
        _captioned(heat(seen if made is None else made, confidence), f"outside: {finding.outside:.0%}")
    )
    for name, apart in finding.nearest[:SHOWN_NEAREST]:
        found = None if recall is None else recall(name)
        if found is not None:
            row.append(_captioned(found, f"{apart:.2f} {name}"))
    return row


def display_of(memory: Memory, condition: Float[Tensor, "1 c h w"]) -> Shown:
    """Return a condition as a picture ``(h, w, 3)``."""
    palette = memory.port.palette
    if palette is None:
        return np.asarray(shown(condition, memory.port)[0], np.float32)
    classes = condition[:, : palette.channels]
    # Where no channel is 1 the pixel is of no class.
    labels = torch.where(classes.sum(1) > 0, classes.argmax(1), len(palette))
    return np.asarray(colours_of(labels, palette)[0], np.float32)


def overview(memory: Memory, findings: Sequence[Finding]) -> dict[str, Any]:
    """Return a report as plain data: the mean over all conditions, then each, the most brittle first."""
    order = sorted(findings, key=lambda item: (-item.outside, item.confidence, item.name))
    return {
        "training_examples": len(memory.names),
        "conditions": len(findings),
        "outside": _mean([item.outside for item in findings]),
        "confidence": _mean([item.confidence for item in findings]),
        "findings": [item.to_json() for item in order],
    }


def summary(report: dict[str, Any], most: int = 12) -> str:
    """Return a report (`overview`) in words; at most so many conditions are named."""
    count, known = report["conditions"], report["training_examples"]
    lines = [
        f"{count} condition{'s' if count != 1 else ''} against {known} training examples:"
        f" {report['outside']:.1%} of the pixels are outside (confidence below 0.5),"
        f" mean confidence {report['confidence']:.2f}"
    ]
    for item in report["findings"][:most]:
        nearest = ", ".join(f"{entry['name']} ({entry['distance']:.2f})" for entry in item["nearest"])
        lines.append(f"{item['name']}: {item['outside']:.0%} outside; nearest {nearest}")
        lines += [f"  {remark}" for remark in item["remarks"]]
    if count > most:
        lines.append(f"… and {count - most} more, which are nearer to the training set")
    return "\n".join(lines)


def _captioned(picture: Shown, words: str) -> Shown:
    """Return a picture with a dark strip and words at its lower edge, in letters that fit it."""
    canvas = picture.copy()
    size = max(8, min(14, picture.shape[0] // 12))
    tall = min(size + 5, picture.shape[0])
    canvas[-tall:] *= 0.25
    fitting = shortened(words, picture.shape[1] - 4, size)
    text(canvas, 2, picture.shape[0] - tall + 1, fitting, size)
    return canvas


def _values_beyond(memory: Memory, condition: Tensor) -> tuple[str, ...]:
    """Say which channels of a picture hold values that none of the training set's does, in their units."""
    port = memory.port
    low, high = torch.tensor(port.low)[:, None], torch.tensor(port.high)[:, None]
    here, known = (
        ((extent + 1) / 2 * (high - low) + low).tolist()
        for extent in (extent_of(condition, port), memory.largest)
    )
    found = []
    for name, (least, most), (lowest, highest) in zip(port.channels, here, known, strict=True):
        room = 0.05 * (highest - lowest)
        if most > highest + room:
            found.append(f"{name}: values up to {most:.3g}, in training up to {highest:.3g}")
        if least < lowest - room:
            found.append(f"{name}: values down to {least:.3g}, in training down to {lowest:.3g}")
    return tuple(found)


def _mean(values: Sequence[float]) -> float:
    return sum(values) / len(values) if values else 0.0
