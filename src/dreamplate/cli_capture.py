"""``dreamplate capture``: photographs or a video in, posed views and points out."""

from __future__ import annotations

import sys
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import tyro
from tyro.conf import OmitArgPrefixes

from dreamplate.scenes.capture_config import CaptureConfig

__all__ = ["capture", "table"]

_SHOWN = 12


@dataclass(frozen=True)
class CaptureCommand:
    """Find cameras and points from photographs of one place, or from a video that moves through it."""

    config: OmitArgPrefixes[CaptureConfig]
    quiet: bool = False
    """Print nothing but errors."""


def capture(arguments: list[str]) -> int:
    """``dreamplate capture PHOTOS_OR_VIDEO --out SCENE``."""
    from dreamplate.take import check

    asked = tyro.cli(CaptureCommand, prog="dreamplate capture", args=arguments)
    config = check(asked.config, source="command line")
    from dreamplate.scenes.capture import capture as run

    say, clear = _ticker(asked.quiet)
    try:
        made = run(config, say)
    finally:
        clear()
    if not asked.quiet:
        print(table(made.report, str(config.out)))  # noqa: T201
    return 0


def table(report: dict[str, Any], out: str) -> str:
    """Return a capture's report as a few lines of text."""
    rows = [
        ("photographs placed", f"{report['placed']} of {report['photographs']}"),
        ("reprojection error", f"{report['reprojection_error_pixels']:.2f} px"),
        ("points", f"{report['points']}, each seen by {report['views_per_point']:.1f} photographs"),
    ]
    for lens in report["cameras"]:
        size = f"{lens['width']} x {lens['height']}"
        focal = f"{lens['focal_pixels']:.1f} px ({lens['focal_35mm']:.0f} mm on 35 mm film)"
        rows.append(("lens", f"{lens['model'].lower()}, {size}, {focal}, {lens['photographs']} photographs"))
    rows += [(topic, text) for topic, text in report["world"].items() if topic != "world"]
    rows += [("notice", text) for text in report["notices"]]
    left_out = list(report["left_out"].items())
    rows += [("left out", f"{name}: {reason}") for name, reason in left_out[:_SHOWN]]
    if len(left_out) > _SHOWN:
        rows.append(("left out", f"{len(left_out) - _SHOWN} more, see {out}/report.json"))
    rows.append(("scene", out))
    width = max(len(name) for name, _ in rows)
    return "\n".join(f"{name:<{width}}  {text}" for name, text in rows)


def _ticker(quiet: bool) -> tuple[Callable[[str], None], Callable[[], None]]:
    """Return what shows what is being done, on one line of a terminal, and what wipes it."""
    if quiet or not sys.stderr.isatty():
        return (lambda text: None), (lambda: None)

    def say(text: str) -> None:
        sys.stderr.write(f"\r\033[K{text[:100]}")
        sys.stderr.flush()

    def clear() -> None:
        sys.stderr.write("\r\033[K")
        sys.stderr.flush()

    return say, clear
