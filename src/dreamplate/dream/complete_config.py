"""What a completion is: every option of ``dreamplate complete``, spelt here and nowhere else. No torch."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal, NamedTuple, cast

from tyro.conf import Positional

from dreamplate.dream.prompts import check_prompt
from dreamplate.errors import ConfigError
from dreamplate.take.fields import Bounds
from dreamplate.take.machine import parse_memory

__all__ = ["CompleteConfig", "Keep", "parse_keep"]

Edge = Literal["top", "left", "right"]
Share = Annotated[float, Bounds(ge=0, le=1)]


class Keep(NamedTuple):
    """Which part of a picture is kept: that at an edge, as a share of the height or the width."""

    edge: Edge
    share: float


def parse_keep(text: str) -> Keep:
    """Read ``top:0.5`` and the like.

    Raises:
        ConfigError: It is no such text, or names a part that the models cannot go on from.
    """
    found = re.fullmatch(r"\s*([a-z]+)\s*:\s*([0-9.]+)\s*(%?)\s*", text)
    if not found or found[2].count(".") > 1 or not found[2].strip("."):
        raise ConfigError(f"keep is {text!r}: write an edge and a share, such as top:0.5 or left:60%")
    edge, share = found[1], float(found[2]) / (100 if found[3] else 1)
    if edge == "bottom":
        raise ConfigError(
            f"keep is {text!r}: the models go from the top down and cannot see what lies below; keep top,"
            " left or right"
        )
    if edge not in ("top", "left", "right"):
        raise ConfigError(f"keep is {text!r}: keep top, left or right, such as top:0.5")
    if not 0 < share < 1:
        raise ConfigError(f"keep is {text!r}: the share is above 0 and below 1, such as top:0.5")
    return Keep(cast(Edge, edge), share)


@dataclass(frozen=True)
class CompleteConfig:
    """The rest of a picture of which a part is kept, several times; what is kept stays to the last bit."""

    image: Positional[Path] = Path()
    """The picture, of any size and depth; scene-linear values above 1 are kept as well."""
    model: str = "world-igpt"
    """What goes on with it: an Image GPT (a model of the store, a take, a weight file, a published folder) or
    a DALL-E such as world-dalle."""
    keep: str = "top:0.5"
    """What is kept: top, left or right, and its share of the height or width. The models go from the top down
    and from left to right: what is kept at the left is seen row by row, and for right the picture is
    mirrored while the model looks at it."""
    count: Annotated[int, Bounds(ge=1, le=1000)] = 8
    """How many candidates, from seeds seed, seed + 1, and so on."""
    prompt: str = ""
    """What it should show: candidates are ranked by it, and a DALL-E is led by it."""
    scorer: str = "bridge"
    """What ranks them: bridge (built in), clip:MODEL, transformers:FOLDER, or several: 2*clip:a + bridge."""
    seed: Annotated[int, Bounds(ge=0, lt=2**63)] = 0
    """Number that every random draw follows from; no candidate depends on how many there are."""
    temperature: Annotated[float, Bounds(ge=0, le=100)] = 0.9
    """How freely tokens are drawn: 0 takes the likeliest, 1 draws as learnt."""
    top_k: Annotated[int, Bounds(ge=0, le=1_000_000)] = 40
    """How many of the likeliest tokens are drawn from; 0: all."""
    top_p: Annotated[float, Bounds(gt=0, le=1)] = 1.0
    """Draw from the likeliest tokens that together have this share."""
    guidance: Annotated[float, Bounds(ge=0, le=100)] = 3.0
    """How far a DALL-E overstates the prompt; 1: not at all."""
    enlarge: Literal["smooth", "vae", "scorer"] = "smooth"
    """How what is made, which is small, becomes as large as the picture: smooth (bicubic), vae (first through
    a codec's tokens at four times the size, which sharpens what it knows), or scorer (first turned a little
    until a scorer sees more of the prompt in it, or of what is kept where there is none)."""
    codec: str = "world-vq"
    """Codec of enlarge vae: a model of the store, a take or a file."""
    refine: Annotated[int, Bounds(ge=1, le=10_000)] = 40
    """Steps of enlarge scorer."""
    seam: Share = 0.12
    """How far from what is kept, as a share of the picture, new colours are led into the old ones; 0: not at
    all. Only what is new changes."""
    memory: str = "1GiB"
    """Memory for the scorer's work."""
    device: str = "cpu"
    """Where to compute: cpu, cuda, cuda:1, mps."""

    def __post_init__(self) -> None:
        parse_keep(self.keep)
        parse_memory(self.memory)
        if self.prompt:
            check_prompt(self.prompt)
