"""The first recipe of SPADE: patch discriminators at several scales, and feature matching.

Park and others 2019, appendix A. Real and made pictures go through the discriminator in one batch. Losses are
averaged over scales (pix2pixHD adds them up), and features are matched without weights by layer.
"""

from __future__ import annotations

import torch
from torch import Tensor

from dreamplate.train.augmenter import Augmenter
from dreamplate.train.batch import Batch
from dreamplate.train.draws import Draws
from dreamplate.train.losses import feature_matching, gan_d, gan_g
from dreamplate.train.optimise import autocast
from dreamplate.train.port import Port
from dreamplate.train.system import Now
from dreamplate.translate.config import TrainConfig
from dreamplate.translate.spade_discriminator import SpadeDiscriminator

__all__ = ["SpadeTeacher"]


class SpadeTeacher:
    """The discriminator and its losses.

    Args:
        config: Of the run.
        given: Port of the condition.
        made: Port of the picture.
        augmenter: What its pictures go through; geometry moves the condition as well.
    """

    def __init__(self, config: TrainConfig, given: Port, made: Port, augmenter: Augmenter) -> None:
        options = self.options = config.spade
        self.precision, self.augmenter = config.learn.precision, augmenter
        self.network = SpadeDiscriminator(
            given.width, len(made.channels), options.d_width, options.d_layers, options.d_scales
        )

    def judge(
        self, batch: Batch, condition: Tensor, fake: Tensor, now: Now
    ) -> tuple[Tensor, dict[str, Tensor]]:
        """Hold real and made pictures apart."""
        made, real = self._features(batch, condition, fake, now.draws.named("discriminator"))
        scores = [scale[-1] for scale in real]
        self.augmenter.observe([score.detach() for score in scores], now)
        return gan_d(scores, [scale[-1] for scale in made], self.options.loss), {}

    def teach(
        self, batch: Batch, condition: Tensor, fake: Tensor, now: Now
    ) -> tuple[Tensor, dict[str, Tensor]]:
        """Made pictures shall look real to every patch, and have the features of the real ones."""
        made, real = self._features(batch, condition, fake, now.draws.named("generator"))
        loss = gan_g([scale[-1] for scale in made], self.options.loss)
        figures = {"g_made": loss}
        if self.options.features:
            inner = [scale[:-1] for scale in made], [scale[:-1] for scale in real]
            figures["features"] = feature_matching(*inner) / len(made)
            loss = loss + self.options.features * figures["features"]
        return loss, figures

    def _features(
        self, batch: Batch, condition: Tensor, fake: Tensor, draws: Draws
    ) -> tuple[list[list[Tensor]], list[list[Tensor]]]:
        """Return all features of the made and of the real pictures."""
        # The same draws for both, so that their features can be compared place by place.
        made, beside = self.augmenter(fake, draws, condition)
        real, _ = self.augmenter(batch.image, draws, condition)
        assert beside is not None
        with autocast(fake.device, self.precision):
            both = torch.cat([made, real]).contiguous(memory_format=torch.channels_last)
            found = self.network(torch.cat([beside, beside]), both)
        halves = [[feature.chunk(2) for feature in scale] for scale in found]
        return (
            [[feature[0] for feature in scale] for scale in halves],
            [[feature[1] for feature in scale] for scale in halves],
        )
