"""Frame ranges as text: ``1001-1100x2``."""

from __future__ import annotations

import re

from dreamplate.errors import ConfigError, MediaError
from dreamplate.plate.limits import Limits

_RANGE = re.compile(r"(-?\d+)(?:-(-?\d+)(?:x(-?\d+))?)?")


def parse_frames(text: str, *, limit: int | None = None) -> tuple[int, ...]:
    """Return the frames that a range text names, in its order, each once.

    Args:
        text: ``1001``, ``1001-1100``, ``1001-1100x2`` (every second), ``10-1x-1`` or ``10-1`` (backwards),
            several joined by commas; frames may be negative (``-5--1``).
        limit: Largest number of frames; ``Limits.default().frames`` when None.

    Raises:
        ConfigError: The text is no range.
        MediaError: It names more frames than the limit.
    """
    most = Limits.default().frames if limit is None else limit
    found: dict[int, None] = {}
    for piece in text.split(","):
        match = _RANGE.fullmatch(piece.strip())
        if match is None or len(piece) > 60:
            raise ConfigError(
                f"frames: cannot read {piece.strip()[:60]!r}; write 1001-1100, 1001-1100x2 or 1,5,9"
            )
        first = int(match[1])
        last = first if match[2] is None else int(match[2])
        step = int(match[3]) if match[3] is not None else (1 if last >= first else -1)
        if step == 0 or (last - first) * step < 0:
            raise ConfigError(
                f"frames: {piece.strip()!r} never arrives; the step must lead from first to last"
            )
        if abs(last - first) // abs(step) + 1 + len(found) > most:
            raise MediaError(f"frames: {piece.strip()!r} names more than {most} frames; use a shorter range")
        found |= dict.fromkeys(range(first, last + (1 if step > 0 else -1), step))
    return tuple(found)


def format_frames(frames: tuple[int, ...]) -> str:
    """Return the shortest range text that ``parse_frames`` turns back into ``frames``."""
    pieces: list[str] = []
    at = 0
    while at < len(frames):
        stop = at + 1
        step = frames[stop] - frames[at] if stop < len(frames) else 0
        while step and stop + 1 < len(frames) and frames[stop + 1] - frames[stop] == step:
            stop += 1
        # Two frames make a range only when they are neighbours: "1,5" reads better than "1-5x4".
        if step and (stop - at >= 2 or (stop < len(frames) and abs(step) == 1)):
            suffix = "" if abs(step) == 1 else f"x{step}"
            pieces.append(f"{frames[at]}-{frames[stop]}{suffix}")
            at = stop + 1
        else:
            pieces.append(str(frames[at]))
            at += 1
    return ",".join(pieces)
