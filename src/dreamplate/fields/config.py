"""What a fit is: every option of ``dreamplate fit``, spelt here and nowhere else. No torch.

Fields become flags, YAML recipes and provenance; their docstrings become the help. The options of each kind
of field are beside it: ``fast_config.py``, ``nerf_config.py``, ``ngp_config.py``.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Literal

from tyro.conf import Positional

from dreamplate.errors import ConfigError
from dreamplate.fields.fast_config import FastConfig
from dreamplate.fields.nerf_config import NerfConfig
from dreamplate.fields.ngp_config import NgpConfig
from dreamplate.take.fields import Bounds
from dreamplate.take.machine import parse_memory

__all__ = ["BACKGROUNDS", "FitConfig"]

Weight = Annotated[float, Bounds(ge=0, le=1e6)]
Convention = Literal["auto", "dreamplate", "transforms", "blender", "llff", "colmap", "realestate10k"]
BACKGROUNDS = ("auto", "white", "black", "random", "none", "learn")


@dataclass(frozen=True)
class FitConfig:
    """A space from posed photographs, ready to be rendered through any camera."""

    scene: Positional[Path] = Path()
    """The capture: a folder or file that ``dreamplate capture`` wrote, transforms.json, COLMAP, LLFF, …"""
    convention: Literal["auto", "dreamplate", "transforms", "blender", "llff", "colmap", "realestate10k"] = (
        "auto"
    )
    """How the capture is written down."""
    images: str = ""
    """Folder of photographs inside the capture where it has several sizes, such as images_8."""
    method: Literal["fast", "nerf", "ngp"] = "fast"
    """What the space is made of."""
    seed: Annotated[int, Bounds(ge=0, lt=2**63)] = 0
    """Number that every random draw follows from."""
    steps: Annotated[int, Bounds(ge=1, le=10_000_000)] = 5000
    """How many optimiser steps, without --max-cpu-seconds."""
    max_cpu_seconds: Annotated[float, Bounds(gt=0, le=1e9)] | None = None
    """Instead of steps: processor seconds (user and system, all threads) for everything, final figures
    included."""
    image_scale: Annotated[float, Bounds(gt=0, le=1)] = 1.0
    """Learn from smaller photographs: factor on both sides."""
    max_side: Annotated[int, Bounds(ge=8, le=65_536)] | None = None
    """Longest side to learn from, in pixels."""
    train_on: tuple[Literal["train", "val", "test"], ...] = ("train",)
    """Which of the scene's splits to learn from."""
    holdout: Annotated[int, Bounds(ge=0, le=10_000)] = 8
    """Where the scene does not say which views are for testing: every so manieth, from the first on; 0 for
    none."""
    encoding: Literal["auto", "display", "linear"] = "auto"
    """What is learnt: display-encoded colour, or scene-linear light; auto: light where photographs hold
    floats."""
    background: str = "auto"
    """Behind clear pixels: white, black, random, none, #rrggbb; auto is what the scene says, else random
    where photographs have alpha; learn is a sky that depends on the direction."""
    extent: Literal["auto", "box", "forward", "open"] = "auto"
    """Where content is: in a box, in front of cameras that look one way, or all around without end."""
    patch: Annotated[int, Bounds(ge=1, le=64)] = 1
    """Draw pixels in squares of this side."""
    one_view: bool = False
    """Take all rays of a step from one photograph."""
    loss: Literal["mse", "huber", "log"] = "mse"
    """How colours are compared: squared, squared but for outliers, or as logarithms (high dynamic range)."""
    alpha_weight: Weight = 1.0
    """Weight of the photographs' alpha."""
    depth_weight: Weight = 0.0
    """Weight of the scene's depth pictures."""
    distortion_weight: Weight = 0.0
    """Weight of the distortion loss: rays should end in one place."""
    opacity_weight: Weight = 0.0
    """Weight of the entropy of opacity: rays should see something or nothing."""
    exposure: bool = False
    """Learn an exposure for each photograph."""
    refine_poses: bool = False
    """Learn small corrections of the cameras."""
    previews: Annotated[int, Bounds(ge=0, le=200)] = 20
    """About how many pictures of a held-out view are made on the way."""
    test_views: Annotated[int, Bounds(ge=0, le=100_000)] = 0
    """How many held-out views the final figures are taken from, spread evenly; 0 for all."""
    lpips: Literal["alex", "vgg", "squeeze"] = "alex"
    """Network of the LPIPS figure."""
    lpips_heads: Path | None = None
    """File of LPIPS heads; with lpips_trunk the LPIPS figure is taken too."""
    lpips_trunk: Path | None = None
    """File of the network's ImageNet weights."""
    memory: str = "4GiB"
    """Memory for decoded photographs; more goes into a temporary file."""
    chunk: Annotated[int, Bounds(ge=64, le=2**24)] = 16_384
    """Rays rendered at a time."""
    device: str = "cpu"
    """Where to compute: cpu, cuda, cuda:1."""
    fast: FastConfig = field(default_factory=FastConfig)
    """Options of method fast."""
    nerf: NerfConfig = field(default_factory=NerfConfig)
    """Options of method nerf."""
    ngp: NgpConfig = field(default_factory=NgpConfig)
    """Options of method ngp."""

    def __post_init__(self) -> None:
        parse_memory(self.memory)
        if self.background not in BACKGROUNDS and not re.fullmatch("#[0-9a-fA-F]{6}", self.background):
            raise ConfigError(
                f"background is {self.background!r}: choose {', '.join(BACKGROUNDS)} or a colour like #8090ff"
            )
        if not self.train_on:
            raise ConfigError("train_on is empty: name at least one of train, val, test")
        if (self.lpips_heads is None) != (self.lpips_trunk is None):
            lacking = "lpips_trunk" if self.lpips_trunk is None else "lpips_heads"
            raise ConfigError(f"{lacking} is not set: LPIPS needs both lpips_heads and lpips_trunk")
