"""What a probe found, drawn as a picture: dark on light, one line for each thing, bars with numbers."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor

from dreamplate.dream.probe import PictureProbe, TextProbe
from dreamplate.plate import Plate
from dreamplate.plate.draw import (
    Canvas,
    Colour,
    bar,
    line,
    line_height,
    paste,
    rectangle,
    shortened,
    text,
    text_width,
)

WIDTH = 1040
MARGIN = 36
GAP = 40
"""Between columns."""
ROW = 25
PAPER: Colour = (0.985, 0.98, 0.97)
INK: Colour = (0.11, 0.12, 0.14)
FAINT: Colour = (0.45, 0.46, 0.48)
TRACK: Colour = (0.90, 0.89, 0.87)
BLUE: Colour = (0.20, 0.42, 0.66)
AMBER: Colour = (0.86, 0.55, 0.16)
HEAT = np.array([0.95, 0.35, 0.05], np.float32)
NUMBER = 64
"""Width of a column of numbers."""
HALF = (WIDTH - 2 * MARGIN - GAP) // 2


class Sheet:
    """A page that grows downwards while it is written; ``picture`` cuts it to what was used."""

    def __init__(self, height: int) -> None:
        self.canvas: Canvas = np.empty((height, WIDTH, 3), np.float32)
        self.canvas[:] = np.asarray(PAPER, np.float32)
        self.used = 0

    def heading(self, y: int, title: str, below: str) -> int:
        """Write the page's title and a line under it; returns where to go on."""
        text(self.canvas, MARGIN, y, shortened(title, WIDTH - 2 * MARGIN, 26), 26, INK)
        text(self.canvas, MARGIN, y + 38, shortened(below, WIDTH - 2 * MARGIN, 14), 14, FAINT)
        line(self.canvas, MARGIN, y + 66, WIDTH - MARGIN, y + 66, TRACK, 2)
        return self.end(y + 84)

    def section(self, x: int, y: int, title: str, note: str = "", width: int = HALF) -> int:
        """Write the name of a section and a note under it; returns where to go on."""
        text(self.canvas, x, y, shortened(title, width, 17), 17, INK)
        if note:
            text(self.canvas, x, y + 24, shortened(note, width, 12), 12, FAINT)
        return self.end(y + (46 if note else 30))

    def rows(
        self,
        x: int,
        y: int,
        items: Sequence[tuple[str, float, str]],
        full: float,
        *,
        colour: Colour = BLUE,
        width: int = HALF,
        names: float = 0.46,
    ) -> int:
        """Write lines with a name, a bar and a number; returns where to go on.

        Args:
            x: Left edge.
            y: Top.
            items: Name, value, and the value as it is written.
            full: The value that fills a bar.
            colour: Of the bars.
            width: Of a whole line.
            names: Share of the line that the name takes.
        """
        name = round(width * names)
        for label, value, shown in items:
            text(self.canvas, x, y + 2, shortened(label, name - 10, 14), 14, INK)
            bar(
                self.canvas,
                x + name,
                y + 6,
                width - name - NUMBER,
                11,
                value / max(full, 1e-6),
                colour,
                TRACK,
            )
            self.number(x + width - NUMBER + 20, y + 2, shown)
            y += ROW
        return self.end(y)

    def facts(self, x: int, y: int, items: Sequence[tuple[str, str, str]], width: int = HALF) -> int:
        """Write lines with a value, its name and what it means; returns where to go on."""
        for label, value, meaning in items:
            self.number(x + 8, y + 2, value)
            text(self.canvas, x + 64, y + 2, label, 14, INK)
            at = 64 + text_width(label, 14) + 12
            text(self.canvas, x + at, y + 4, shortened(meaning, width - at, 12), 12, FAINT)
            y += ROW
        return self.end(y)

    def number(self, x: int, y: int, shown: str) -> None:
        """Write a number with its first digit at ``x``, so that digits stand under digits."""
        sign, digits = (shown[0], shown[1:]) if shown.startswith(("+", "-")) else ("", shown)
        text(self.canvas, x, y, digits, 14, INK)
        text(self.canvas, x + 2, y, sign, 14, INK, align="right")

    def image(self, x: int, y: int, picture: Canvas) -> int:
        """Put a picture with a thin frame; returns where to go on."""
        paste(self.canvas, x, y, picture)
        height, width = picture.shape[:2]
        rectangle(self.canvas, x, y, width, height, FAINT, 1)
        return self.end(y + height)

    def end(self, y: int) -> int:
        """Note that the page is used down to ``y``; returns it."""
        self.used = max(self.used, y)
        return y

    def picture(self) -> Plate:
        """Return the page."""
        return Plate.from_rgb(np.ascontiguousarray(self.canvas[: self.used + MARGIN - 8]), "srgb_display")


def draw_texts(probes: Sequence[TextProbe], concepts: int) -> Plate:
    """Return a page about prompts, one under the other.

    Args:
        probes: What was found.
        concepts: Size of the vocabulary, for the heading.
    """
    rows = sum(220 + ROW * (len(p.nearest) + len(p.words) + 8) for p in probes)
    sheet, y = Sheet(rows + 100), MARGIN
    right = MARGIN + HALF + GAP
    for probe in probes:
        top = sheet.heading(
            y, f"“{probe.prompt}”", f"as the scorer {probe.scorer} reads it, among {concepts:,} concepts"
        )
        left = sheet.section(
            MARGIN, top, "What it could be taken for", "agreement with concepts, 1 is the same"
        )
        named = [(f.concept, f.agreement, f"{f.agreement:.2f}") for f in probe.nearest]
        left = sheet.rows(MARGIN, left, named, 1.0)
        at = sheet.section(right, top, "Which words carry it", "how far the meaning moves without the word")
        if probe.words:
            heaviest = max(word.weight for word in probe.words)
            heard = [(word.word, word.weight, f"{word.weight:.2f}") for word in probe.words]
            at = sheet.rows(right, at, heard, max(heaviest, 0.05), colour=AMBER)
        else:
            at = sheet.rows(right, at, [(probe.prompt, 1.0, "all")], 1.0, colour=AMBER)
        at = sheet.section(right, at + 16, "How clear it is")
        at = sheet.facts(right, at, clarity(probe))
        y = max(left, at) + MARGIN
    return sheet.picture()


def clarity(probe: TextProbe) -> list[tuple[str, str, str]]:
    """Return facts about a prompt: name, value, and what the value means."""
    return [
        ("meanings", f"{probe.meanings:.1f}", "concepts it is spread over; 1 is unmistakable"),
        ("lead", f"{probe.margin:.2f}", "of the first over the second; near 0 they are confused"),
        ("expressed", f"{probe.expressed:.2f}", "how much of it the scorer has learnt to say; 1 is all"),
        (
            "noise",
            f"{probe.noise:+.2f}",
            f"of pictures of nothing; above {probe.noise_rank:.0%} of the concepts",
        ),
    ]


def draw_picture(probe: PictureProbe, image: Float[Tensor, "1 3 h w"], title: str, concepts: int) -> Plate:
    """Return a page about a picture.

    Args:
        probe: What was found.
        image: The picture, display-encoded, in [0, 1].
        title: Its name.
        concepts: Size of the vocabulary, for the heading.
    """
    sheet = Sheet(2600)
    right = MARGIN + HALF + GAP
    size = f"{image.shape[3]} x {image.shape[2]}"
    below = f"{size}, as the scorer {probe.scorer} sees it, among {concepts:,} concepts"
    y = sheet.heading(MARGIN, title, below)
    left = sheet.image(MARGIN, y + 4, fitted(image, HALF, 346))
    at = sheet.section(right, y, "What it sees", "agreement with concepts")
    full = max(0.4, *(seen.agreement for seen in probe.seen)) if probe.seen else 1.0
    at = sheet.rows(right, at, [(s.concept, s.agreement, f"{s.agreement:.2f}") for s in probe.seen], full)
    y = sheet.section(
        MARGIN, max(left, at) + 28, "Where", "orange: the scorer sees it here", WIDTH - 2 * MARGIN
    )
    y = _maps(sheet, y, probe, image)
    title = "Its obsessions: what it sees in pictures of nothing"
    at = sheet.section(MARGIN, y + 28, title, "mean agreement of noise and of plain colours")
    sheet.section(right, y + 28, "The same in this picture", "agreement")
    worst = [(s.concept, s.everywhere, f"{s.everywhere:.2f}") for s in probe.obsessions]
    here = [("", s.agreement, f"{s.agreement:.2f}") for s in probe.obsessions]
    sheet.rows(MARGIN, at, worst, full, colour=AMBER)
    sheet.rows(right, at, here, full, names=0)
    return sheet.picture()


def _maps(sheet: Sheet, y: int, probe: PictureProbe, image: Float[Tensor, "1 3 h w"]) -> int:
    """Draw the heat maps side by side, each with its concept under it; returns where to go on."""
    across, gap = (6 if image.shape[2] > 1.2 * image.shape[3] else 3), 20
    width = (WIDTH - 2 * MARGIN - (across - 1) * gap) // across
    bottom = y
    for index, (concept, heat) in enumerate(zip(probe.shown, probe.maps, strict=True)):
        if index and index % across == 0:
            y = bottom + 14
        x = MARGIN + (index % across) * (width + gap)
        end = sheet.image(x, y, fitted(image, width, 340, heat)) + 5
        text(sheet.canvas, x, end, shortened(concept, width, 14), 14, INK)
        text(sheet.canvas, x, end + 19, f"up to {float(heat.max()):.2f}", 12, FAINT)
        bottom = max(bottom, end + 19 + line_height(12))
    return sheet.end(bottom)


def fitted(
    image: Float[Tensor, "1 3 h w"], width: int, height: int, heat: Float[Tensor, "h w"] | None = None
) -> Canvas:
    """Return a picture made to fit, ``(h, w, 3)``, greyed and coloured by a heat map where one is given."""
    scale = min(width / image.shape[3], height / image.shape[2])
    size = (max(1, round(image.shape[2] * scale)), max(1, round(image.shape[3] * scale)))
    small = F.interpolate(image.cpu().float(), size, mode="bilinear", antialias=True)[0].clamp(0, 1)
    pixels: Canvas = np.ascontiguousarray(small.permute(1, 2, 0).numpy())
    if heat is None:
        return pixels
    warm = F.interpolate(heat[None, None].float(), size, mode="bilinear", antialias=True)[0, 0]
    cover = np.clip(warm.numpy(), 0, 1)[:, :, None] * np.float32(0.75)
    grey = pixels.mean(axis=2, keepdims=True) * np.float32(0.55) + np.float32(0.42)
    # Detail of the picture stays under the colour.
    made: Canvas = (grey * (1 - cover) + HEAT * (0.35 + 0.65 * grey) * cover).astype(np.float32)
    return made
