"""Trading several objectives against each other: what is best, which to pick, and a picture of the choice."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
from jaxtyping import Float
from torch import Tensor

from dreamplate.errors import ConfigError
from dreamplate.plate import Plate
from dreamplate.plate.draw import bar, line, line_height, paste, rectangle, shortened, text

Costs = npt.NDArray[np.float64]

INK, FAINT, PAPER, TRACK = 0.92, 0.6, 0.11, 0.22
COLOURS = ((0.95, 0.68, 0.25), (0.35, 0.68, 0.95), (0.55, 0.85, 0.45), (0.9, 0.45, 0.7))
"""Colours of the objectives, in their order."""


def dominated(costs: Costs, by: Costs) -> npt.NDArray[np.bool_]:
    """Return which rows of ``costs`` some row of ``by`` beats: nowhere dearer, somewhere cheaper."""
    found = np.zeros(len(costs), bool)
    for first in range(0, len(costs), 256):  # bounds memory
        part = costs[first : first + 256, None]
        beats = np.all(by <= part, axis=2) & np.any(by < part, axis=2)
        found[first : first + 256] = np.any(beats, axis=1)
    return found


def pick_order(costs: Costs, weights: Sequence[float] | None = None) -> npt.NDArray[np.intp]:
    """Return rows of a front from the one that suits the weights best to the one that suits them least.

    A row's pseudo-weight of an objective is its distance to the front's worst there, as a part of the range
    of the front, divided by the row's sum of such distances (Deb, 2001): how much the row stands for
    that objective. Rows go by how near their pseudo-weights are to the weights. Where the front has no
    range in an objective there are no such weights, and rows go by the achievement scalarising function
    (Wierzbicki, 1980): the greatest weighted distance to the best of all objectives.

    Args:
        costs: The front ``(n, objectives)``.
        weights: One for each objective, their sum above 0; by default all alike.
    """
    wanted = np.ones(costs.shape[1]) if weights is None else np.asarray(weights, float)
    wanted = wanted / wanted.sum()
    best, worst = costs.min(0), costs.max(0)
    if len(costs) > 1 and (worst > best).all():
        merits = (worst - costs) / (worst - best)
        pseudo = merits / merits.sum(1, keepdims=True).clip(1e-12)
        return np.argsort(np.abs(pseudo - wanted).sum(1), kind="stable")
    reach = np.where(worst > best, worst - best, 1.0)
    return np.argsort(((costs - best) / reach * wanted).max(1), kind="stable")


def spread_out(costs: Costs, most: int) -> npt.NDArray[np.intp]:
    """Return at most ``most`` rows that lie far apart, by rising first objective; the best of each are in.

    The next row is always the one farthest from those that are chosen, each objective's range counted as 1.
    """
    if len(costs) > most:
        reach = np.ptp(costs, axis=0)
        points = (costs - costs.min(0)) / np.where(reach > 0, reach, 1.0)
        chosen = list(dict.fromkeys(costs.argmin(0).tolist()))[:most]
        gaps = np.stack([np.abs(points - points[row]).max(1) for row in chosen]).min(0)
        while len(chosen) < most:
            chosen.append(int(gaps.argmax()))
            gaps = np.minimum(gaps, np.abs(points - points[chosen[-1]]).max(1))
    else:
        chosen = list(range(len(costs)))
    return np.array(sorted(chosen, key=lambda row: tuple(costs[row])), np.intp)


def gallery(
    images: Float[Tensor, "n 3 h w"], costs: Float[Tensor, "rows objectives"], names: tuple[str, ...]
) -> Plate:
    """Return a sheet of pictures in order of the first objective, each with what it costs.

    Under each picture stands a bar for every objective: full is the best that any picture of the sheet
    reaches, empty the worst. Above them the first two objectives are drawn against each other, the numbers
    of the pictures beside their points.

    Args:
        images: The pictures, display-encoded in [0, 1].
        costs: What they cost; less is better.
        names: Names of the objectives.

    Returns:
        A plate in ``srgb_display``.

    Raises:
        ConfigError: There is no picture, or the numbers of pictures, costs and names differ.
    """
    values = costs.detach().double().cpu().numpy()
    if not len(images) or values.shape != (len(images), len(names)):
        raise ConfigError(
            f"gallery: {len(images)} pictures, costs {values.shape}, names {names}: one each, at least one"
        )
    order = np.argsort(values[:, 0], kind="stable")
    pictures = images.detach().float().clamp(0, 1).permute(0, 2, 3, 1).cpu().numpy()[order]
    values = values[order]
    finite = np.where(np.isfinite(values), values, np.nan)
    reach = np.nanmax(finite, 0, initial=-np.inf), np.nanmin(finite, 0, initial=np.inf)
    merits = (reach[0] - values) / np.where(reach[0] > reach[1], reach[0] - reach[1], 1.0)
    merits[:, reach[0] <= reach[1]] = 1.0

    gap, (height, width) = 12, pictures.shape[1:3]
    across = max(width, 110)
    columns = max(
        min(len(pictures), max(3, round((1.6 * len(pictures) * height / across) ** 0.5))), -(-360 // across)
    )
    rows = -(-len(pictures) // columns)
    cell = height + 22 + 17 * len(names) + gap
    top = 250 if len(names) > 1 else gap
    sheet = np.full((top + rows * cell, gap + columns * (across + gap), 3), PAPER, np.float32)
    if len(names) > 1:
        _chart(sheet, (gap, gap, sheet.shape[1] - 2 * gap, top - 3 * gap), values, names)
    for number, picture in enumerate(pictures):
        x, y = gap + number % columns * (across + gap), top + number // columns * cell
        paste(sheet, x + (across - width) // 2, y, picture)
        text(sheet, x, y + height + 3, str(number + 1), 12, INK)
        for place, name in enumerate(names):
            at = y + height + 20 + 17 * place
            shown = f"{values[number, place] + 0.0:.3g}"
            bar(sheet, x, at + 12, across, 3, float(merits[number, place]), _colour(place), TRACK)
            text(sheet, x + across, at - 3, shown, 10, INK, "right")
            text(sheet, x, at - 3, shortened(name, across - 6.5 * len(shown), 10), 10, FAINT)
    return Plate(sheet, colourspace="srgb_display")


def _chart(
    sheet: npt.NDArray[np.float32], box: tuple[int, int, int, int], values: Costs, names: tuple[str, ...]
) -> None:
    """Draw the first two objectives against each other; up and to the right is better."""
    x, y, width, height = box
    rectangle(sheet, x, y, width, height, PAPER + 0.04)
    rectangle(sheet, x, y, width, height, TRACK, 1)
    text(
        sheet,
        x + width - 6,
        y + height - line_height(12) - 2,
        f"{names[0]} is better >",
        12,
        _colour(0),
        "right",
    )
    text(sheet, x + 6, y + 4, f"^ {names[1]} is better", 12, _colour(1))
    known = np.all(np.isfinite(values[:, :2]), axis=1)
    if not known.any():
        return
    low, high = values[known, :2].min(0), values[known, :2].max(0)
    place = 0.5 + (0.5 * (low + high) - values[:, :2]) / np.where(high > low, high - low, 1.0)
    points = [
        (x + 30 + px * (width - 60), y + height - 34 - py * (height - 74), str(number + 1))
        for number, (px, py) in enumerate(place)
        if known[number]
    ]
    for px, py, number in points:
        line(sheet, px, py, px, py, INK, 6)
        text(sheet, px + 5, py - 15, number, 10, FAINT)


def _colour(place: int) -> tuple[float, float, float]:
    return COLOURS[place % len(COLOURS)]
