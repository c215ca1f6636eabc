"""OASIS: a discriminator that segments teaches the generator to make what the labels say.

Sushko and others 2021. Departures: the classes' weights are those of the step's own labels, over the classes
present (`oasis_losses.balance`); one pass of the generator a step; augmentation for little data moves labels
with the picture, and pixels from beyond the picture do not count.
"""

from __future__ import annotations

import torch
from torch import Tensor

from dreamplate.errors import ConfigError
from dreamplate.train.augmenter import Augmenter
from dreamplate.train.batch import Batch
from dreamplate.train.optimise import autocast
from dreamplate.train.port import Port
from dreamplate.train.system import Now
from dreamplate.translate.config import TrainConfig
from dreamplate.translate.oasis import OasisDiscriminator
from dreamplate.translate.oasis_losses import (
    balance,
    label_mix,
    mix_consistency,
    real_score,
    segmentation,
    segmentation_made,
)

__all__ = ["OasisTeacher"]


class OasisTeacher:
    """The discriminator and its losses.

    Args:
        config: Of the run.
        given: Port of the labels.
        made: Port of the picture.
        augmenter: What its pictures go through.

    Raises:
        ConfigError: The condition is no label map, or the crop does not fit the discriminator.
    """

    def __init__(self, config: TrainConfig, given: Port, made: Port, augmenter: Augmenter) -> None:
        if given.palette is None:
            raise ConfigError(
                "spade.teacher oasis segments pictures and so needs label maps; these are pictures: give"
                " source.palette, or choose spade.teacher spade"
            )
        options = config.spade
        if any(side % 2**options.d_depth for side in config.source.crop):
            raise ConfigError(
                f"source.crop is {config.source.crop}; spade.d_depth {options.d_depth} needs multiples of"
                f" {2**options.d_depth}"
            )
        self.classes, self.options = len(given.palette), options
        self.precision, self.augmenter = config.learn.precision, augmenter
        self.network = OasisDiscriminator(
            self.classes, len(made.channels), options.d_width, options.d_depth, options.d_spectral
        )

    def judge(
        self, batch: Batch, condition: Tensor, fake: Tensor, now: Now
    ) -> tuple[Tensor, dict[str, Tensor]]:
        """Real pixels are of their classes, made ones of none; a mix of pictures gets a mix of scores."""
        draws = now.draws.named("discriminator")
        target = self._target(batch, condition)
        mask = self._mask(batch, now)
        beside = torch.cat([target, mask], 1)
        # The same draws, so that both move alike and can be mixed afterwards.
        real, moved = self.augmenter(batch.image, draws, beside)
        made, _ = self.augmenter(fake, draws, beside)
        assert moved is not None
        there, mask = moved[:, :-1], (moved[:, -1:] > 0.5).float()
        pictures = [real, made] + ([mask * real + (1 - mask) * made] if self.options.mix else [])
        scores = self._scores(torch.cat(pictures)).chunk(len(pictures))
        loss_real = segmentation(scores[0], there, balance(there, self.options.balance))
        loss_made = segmentation_made(scores[1], there)
        figures = {"d_real": loss_real, "d_made": loss_made}
        loss = loss_real + loss_made
        if self.options.mix:
            figures["mix"] = mix_consistency(scores[2], scores[0], scores[1], mask)
            loss = loss + self.options.mix * figures["mix"]
        self.augmenter.observe(real_score(scores[0]).detach(), now)
        return loss, figures

    def teach(
        self, batch: Batch, condition: Tensor, fake: Tensor, now: Now
    ) -> tuple[Tensor, dict[str, Tensor]]:
        """Made pixels shall be taken for real ones of their classes."""
        target, draws = self._target(batch, condition), now.draws.named("generator")
        made, there = self.augmenter(fake, draws, target)
        assert there is not None
        loss = segmentation(self._scores(made), there, balance(there, self.options.balance))
        return loss, {"g_made": loss}

    def _target(self, batch: Batch, condition: Tensor) -> Tensor:
        """Return one-hot classes; zeros for pixels that are of none or do not count."""
        target = condition[:, : self.classes].float()
        return target if batch.weight is None else target * batch.weight

    def _mask(self, batch: Batch, now: Now) -> Tensor:
        """Return the mask of LabelMix, 1 where the mix is real."""
        assert batch.labels is not None
        return label_mix(batch.labels, self.classes + 1, now.draws.named("mix"))

    def _scores(self, pictures: Tensor) -> Tensor:
        with autocast(pictures.device, self.precision):
            laid = pictures.contiguous(memory_format=torch.channels_last)
            scores: Tensor = self.network(laid)
        return scores.float()
