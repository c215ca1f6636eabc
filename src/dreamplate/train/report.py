"""The brittleness report of a finished run: conditions held out against those it learnt from."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from dreamplate.plate.plate import Plate
from dreamplate.train.batch import Batch
from dreamplate.train.brittle import Finding, display_of, examine, overview, row_of
from dreamplate.train.data.examples import Examples
from dreamplate.train.memory import Memory, look
from dreamplate.train.onehot import condition_tensor
from dreamplate.train.port import Port
from dreamplate.train.sheets import Shown, sheet, shown

__all__ = ["brittleness"]


def brittleness(
    memory: Memory,
    learnt: Examples,
    measured: Examples,
    made: Port,
    make: Callable[[Batch], Tensor],
    rows: int = 8,
) -> tuple[dict[str, Any], Plate]:
    """Return the report as plain data, and a sheet of the most brittle conditions, worst first.

    Args:
        memory: Of the conditions that were learnt from.
        learnt: Those, to show the nearest.
        measured: Those that are held against them.
        made: Port of the pictures.
        make: Batch of one → picture ``(1, c, h, w)`` of -1 to 1.
        rows: Conditions on the sheet.
    """
    places = {name: number for number, name in enumerate(learnt.names)}
    findings: dict[str, tuple[int, Finding]] = {}
    for number, name in enumerate(measured.names):
        found, _ = examine(memory, _condition(measured, number, memory.port), name)
        findings[name] = (number, found)

    def recall(name: str) -> Shown | None:
        place = places.get(name)
        if place is None:
            return None
        return display_of(memory, _condition(learnt, place, memory.port))

    report = overview(memory, [found for _, found in findings.values()])
    pictures = []
    for entry in report["findings"][:rows]:
        number, found = findings[entry["name"]]
        condition = _condition(measured, number, memory.port)
        picture = shown(make(measured.batch([number], None)), made)[0]
        sure = look(memory, condition).confidence
        pictures.append(row_of(memory, condition, found, sure, picture, recall))
    return report, sheet(pictures)


@torch.no_grad()
def _condition(examples: Examples, number: int, port: Port) -> Tensor:
    return condition_tensor(examples.batch([number], None), port)
