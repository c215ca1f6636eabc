"""What a training run of this room is: every option of ``dreamplate train``. No torch.

Options that only one system has are beside it, in ``SYSTEM_config.py``.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Literal

from dreamplate.take.fields import Bounds
from dreamplate.tokens.dalle_config import DalleOptions
from dreamplate.tokens.dvae_config import DvaeOptions
from dreamplate.tokens.igpt_config import IgptOptions
from dreamplate.tokens.scorer_config import ScorerOptions
from dreamplate.tokens.vq_config import VqOptions
from dreamplate.train.options import AugmentOptions, LearnOptions, MeasureOptions, SourceOptions
from dreamplate.translate.photosketch_config import PhotosketchOptions
from dreamplate.translate.pix2pix_config import Pix2pixOptions
from dreamplate.translate.pix2pixhd_config import Pix2pixhdOptions
from dreamplate.translate.segmenter_config import SegmenterOptions
from dreamplate.translate.shots_config import ShotsOptions
from dreamplate.translate.spade_config import SpadeOptions
from dreamplate.translate.stylegan2_config import Stylegan2Options

__all__ = ["TrainConfig"]


@dataclass(frozen=True)
class TrainConfig:
    """A model from pairs of pictures, from label maps, from pictures alone or with words.

    The first word may be a recipe: dreamplate train pix2pix --data pairs/ (dreamplate recipes lists them).
    """

    data: Path = Path()
    """Folder of the examples, tar shards (shots-{000..009}.tar), or a drawn world
    (world:count=1000,size=128,condition=label)."""
    system: Literal[
        "pix2pix",
        "pix2pixhd",
        "spade",
        "photosketch",
        "shots",
        "stylegan2",
        "segmenter",
        "dvae",
        "vq",
        "dalle",
        "igpt",
        "scorer",
    ] = "pix2pix"
    """What learns."""
    seed: Annotated[int, Bounds(ge=0, lt=2**63)] = 0
    """Number that every random draw follows from."""
    device: str = "auto"
    """cpu, cuda or cuda:N; auto: a card where there is one."""
    previews: Annotated[int, Bounds(ge=0, le=1000)] = 12
    """Sample sheets on the way."""
    source: SourceOptions = field(default_factory=SourceOptions)
    augment: AugmentOptions = field(default_factory=AugmentOptions)
    learn: LearnOptions = field(default_factory=LearnOptions)
    measure: MeasureOptions = field(default_factory=MeasureOptions)
    pix2pix: Pix2pixOptions = field(default_factory=Pix2pixOptions)
    pix2pixhd: Pix2pixhdOptions = field(default_factory=Pix2pixhdOptions)
    spade: SpadeOptions = field(default_factory=SpadeOptions)
    photosketch: PhotosketchOptions = field(default_factory=PhotosketchOptions)
    shots: ShotsOptions = field(default_factory=ShotsOptions)
    stylegan2: Stylegan2Options = field(default_factory=Stylegan2Options)
    segmenter: SegmenterOptions = field(default_factory=SegmenterOptions)
    dvae: DvaeOptions = field(default_factory=DvaeOptions)
    vq: VqOptions = field(default_factory=VqOptions)
    dalle: DalleOptions = field(default_factory=DalleOptions)
    igpt: IgptOptions = field(default_factory=IgptOptions)
    scorer: ScorerOptions = field(default_factory=ScorerOptions)
