"""Dreams: pictures from words, by turning a generator's parameters until a scorer sees the words."""

from __future__ import annotations

from typing import TYPE_CHECKING

from dreamplate.lazy import lazy

if TYPE_CHECKING:
    from dreamplate.dream.config import CutConfig, DreamConfig, FftConfig, PixelsConfig, SirenConfig
    from dreamplate.dream.cutouts import Cuts, draw_cuts, full_view, take_cuts
    from dreamplate.dream.generators import Generator, make_generator
    from dreamplate.dream.jobs import DreamJob
    from dreamplate.dream.prompts import Target, parse_prompt
    from dreamplate.dream.scorers import Scorer, load_scorer

_HOME = {
    "CutConfig": "config",
    "Cuts": "cutouts",
    "DreamConfig": "config",
    "DreamJob": "jobs",
    "FftConfig": "config",
    "Generator": "generators",
    "PixelsConfig": "config",
    "Scorer": "scorers",
    "SirenConfig": "config",
    "Target": "prompts",
    "draw_cuts": "cutouts",
    "full_view": "cutouts",
    "load_scorer": "scorers",
    "make_generator": "generators",
    "parse_prompt": "prompts",
    "take_cuts": "cutouts",
}

__all__ = [
    "CutConfig",
    "Cuts",
    "DreamConfig",
    "DreamJob",
    "FftConfig",
    "Generator",
    "PixelsConfig",
    "Scorer",
    "SirenConfig",
    "Target",
    "draw_cuts",
    "full_view",
    "load_scorer",
    "make_generator",
    "parse_prompt",
    "take_cuts",
]

__getattr__, __dir__ = lazy(__name__, _HOME)
