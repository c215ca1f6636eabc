"""Every system, as small as it can be, with examples that it can learn from."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import torch
from toy_system import ToyExamples

from dreamplate.plate.labels import LabelClass, Palette
from dreamplate.tokens.dalle_config import DalleOptions
from dreamplate.tokens.dvae_config import DvaeOptions
from dreamplate.tokens.igpt_config import IgptOptions
from dreamplate.tokens.scorer_config import ScorerOptions
from dreamplate.tokens.vq_config import VqOptions
from dreamplate.train.batch import Batch
from dreamplate.train.draws import Draws
from dreamplate.train.options import AugmentOptions, LearnOptions, MeasureOptions, SourceOptions
from dreamplate.train.port import Port
from dreamplate.translate.config import TrainConfig
from dreamplate.translate.photosketch_config import PhotosketchOptions
from dreamplate.translate.pix2pix_config import Pix2pixOptions
from dreamplate.translate.pix2pixhd_config import Pix2pixhdOptions
from dreamplate.translate.segmenter_config import SegmenterOptions
from dreamplate.translate.shots_config import ShotsOptions
from dreamplate.translate.spade_config import SpadeOptions
from dreamplate.translate.stylegan2_config import Stylegan2Options

SIDE = 32
PALETTE = Palette((LabelClass(0, "sky"), LabelClass(1, "wall", (200, 0, 0)), LabelClass(2, "door")), (255,))
LEARN = LearnOptions(steps=4, batch=2, ema=0.9, rate=1e-3, precision="float32")
TINY: dict[str, Any] = {
    "pix2pix": Pix2pixOptions(width=4, width_d=4, depth=3, patch=16),
    "pix2pixhd": Pix2pixhdOptions(
        width=4, downs=1, blocks=1, local_blocks=1, width_d=4, width_e=4, features=2, clusters=2
    ),
    "spade": SpadeOptions(width=2, hidden=4, z=4, d_width=4, d_depth=3, perceptual="none"),
    "photosketch": PhotosketchOptions(width=4, blocks=1, width_d=4, discriminator="patch"),
    "shots": ShotsOptions(width=4, blocks=1, width_d=4, patch=16, patches=8),
    "stylegan2": Stylegan2Options(
        z_dim=8, w_dim=8, channels=64, channels_most=8, gamma_every=2, path_every=2
    ),
    "segmenter": SegmenterOptions(trunk="own", width=8),
    "dvae": DvaeOptions(codes=6, encoder_width=4, decoder_width=4, decoder_start=4, blocks=1),
    "vq": VqOptions(
        codes=6, latent=4, encoder_width=4, encoder_blocks=1, decoder_width=16, decoder_blocks=1, plain=0.3
    ),
    "igpt": IgptOptions(colours=8, palette_pictures=4, depth=1, width=8, heads=2, keep=0.95, top_k=0),
    "dalle": DalleOptions(
        codec="dvae-small", vocabulary="world", text=4, layers=1, width=8, heads=2, top_p=0.5
    ),
    "scorer": ScorerOptions(
        side=32, width=8, dim=16, rows=64, word=8, text_width=32, text_layers=1, teacher="none"
    ),
}
"""Options of each system."""


class LabelExamples(ToyExamples):
    """Label maps with objects, and pictures that follow from them."""

    given = Port("labels", ("id",), "raw", palette=PALETTE, instances=True)

    def batch(self, indices: Sequence[int], draws: Draws | None) -> Batch:
        pairs = super().batch(indices, draws)
        assert pairs.condition is not None
        coarse = torch.nn.functional.avg_pool2d(pairs.condition[:, :1], 4)
        blocks = torch.nn.functional.interpolate(coarse, scale_factor=4.0)[:, 0]
        labels = torch.bucketize(blocks, torch.tensor([-0.3, 0.0, 0.5]))
        image = (labels[:, None] - 1.5) * 0.4 + 0.1 * pairs.image
        return Batch(image, None, labels, labels * 1000 + (blocks > 0.2), names=pairs.names)


class PictureExamples(ToyExamples):
    """Pictures alone."""

    given = None

    def batch(self, indices: Sequence[int], draws: Draws | None) -> Batch:
        return replace(super().batch(indices, draws), condition=None)


class SaidExamples(PictureExamples):
    """Pictures with captions and facts."""

    def batch(self, indices: Sequence[int], draws: Draws | None) -> Batch:
        times = [("dawn", "day", "night")[index % 3] for index in indices]
        texts = tuple((f"hills at {time}", f"at {time}") for time in times)
        return replace(super().batch(indices, draws), texts=texts, facts=tuple({"time": t} for t in times))


class DrawingExamples(ToyExamples):
    """Photographs, each with three drawings."""

    def batch(self, indices: Sequence[int], draws: Draws | None) -> Batch:
        pairs = super().batch(indices, draws)
        targets = torch.stack([pairs.image, -pairs.image, pairs.image * 0.5], 1)
        return replace(pairs, targets=targets)


def tiny(name: str, **learn: Any) -> TrainConfig:
    """Return a config of a system."""
    policy = (
        "none"
        if name in ("segmenter", "shots", "dvae", "vq", "igpt", "scorer", "dalle")
        else "ada"
        if name == "stylegan2"
        else "diffaugment"
    )
    return TrainConfig(
        system=name,  # type: ignore[arg-type]
        device="cpu",
        previews=0,
        source=SourceOptions(crop=(SIDE, SIDE)),
        augment=AugmentOptions(policy=policy, ada_start=0.5),  # type: ignore[arg-type]
        learn=replace(LEARN, **learn),
        measure=MeasureOptions(features="none", report=False),
        **{name: TINY[name]},
    )


def examples_for(name: str, count: int = 6) -> ToyExamples:
    """Return examples of the kind that a system learns from."""
    alone = dict.fromkeys(("stylegan2", "dvae", "vq", "igpt"), PictureExamples)
    kinds = {**alone, "photosketch": DrawingExamples, "scorer": SaidExamples, "dalle": SaidExamples}
    labelled = name in ("spade", "segmenter", "pix2pixhd")
    kind = LabelExamples if labelled else kinds.get(name, ToyExamples)
    return kind(count, SIDE)
