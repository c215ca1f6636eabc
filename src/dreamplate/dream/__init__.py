"""Dreams: pictures from words, by turning parameters until a scorer sees the words in them; and back."""

from __future__ import annotations

from typing import TYPE_CHECKING

from dreamplate.lazy import lazy

if TYPE_CHECKING:
    from dreamplate.dream.config import DreamConfig
    from dreamplate.dream.controls import Lock, MotionConfig, Region, SearchConfig
    from dreamplate.dream.cutouts import Cuts, draw_cuts, full_view, take_cuts
    from dreamplate.dream.ensemble import EnsembleScorer
    from dreamplate.dream.evolve import Evolution
    from dreamplate.dream.generators import make_generator
    from dreamplate.dream.heat import heat_maps
    from dreamplate.dream.jobs import DreamJob
    from dreamplate.dream.options import (
        AutoencoderConfig,
        BigganConfig,
        CutConfig,
        DvaeConfig,
        FftConfig,
        PixelsConfig,
        SirenConfig,
        Stylegan2Config,
    )
    from dreamplate.dream.painting import Genes, Genome, Painting
    from dreamplate.dream.prompts import Target, parse_prompt
    from dreamplate.dream.scorers import Scorer, load_scorer, parse_spec

_HOME = {
    "AutoencoderConfig": "options",
    "BigganConfig": "options",
    "CutConfig": "options",
    "Cuts": "cutouts",
    "DreamConfig": "config",
    "DreamJob": "jobs",
    "DvaeConfig": "options",
    "EnsembleScorer": "ensemble",
    "Evolution": "evolve",
    "FftConfig": "options",
    "Genes": "painting",
    "Genome": "painting",
    "Lock": "controls",
    "MotionConfig": "controls",
    "Painting": "painting",
    "PixelsConfig": "options",
    "Region": "controls",
    "Scorer": "scorers",
    "SearchConfig": "controls",
    "SirenConfig": "options",
    "Stylegan2Config": "options",
    "Target": "prompts",
    "draw_cuts": "cutouts",
    "full_view": "cutouts",
    "heat_maps": "heat",
    "load_scorer": "scorers",
    "make_generator": "generators",
    "parse_prompt": "prompts",
    "parse_spec": "scorers",
    "take_cuts": "cutouts",
}

__all__ = [
    "AutoencoderConfig",
    "BigganConfig",
    "CutConfig",
    "Cuts",
    "DreamConfig",
    "DreamJob",
    "DvaeConfig",
    "EnsembleScorer",
    "Evolution",
    "FftConfig",
    "Genes",
    "Genome",
    "Lock",
    "MotionConfig",
    "Painting",
    "PixelsConfig",
    "Region",
    "Scorer",
    "SearchConfig",
    "SirenConfig",
    "Stylegan2Config",
    "Target",
    "draw_cuts",
    "full_view",
    "heat_maps",
    "load_scorer",
    "make_generator",
    "parse_prompt",
    "parse_spec",
    "take_cuts",
]

__getattr__, __dir__ = lazy(__name__, _HOME)
