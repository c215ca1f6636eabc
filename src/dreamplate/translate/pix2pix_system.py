"""How pix2pix learns (Isola and others 2017): a generator, a discriminator of condition and picture, L1.

The discriminator steps first, by half its loss; the generator then asks the discriminator that has just
learnt, as the authors' code does.
"""

from __future__ import annotations

import math
from typing import cast

import torch
from torch import Tensor, nn

from dreamplate.errors import ConfigError
from dreamplate.nets.dropout import set_dropout
from dreamplate.nets.statistics import set_statistics
from dreamplate.train.batch import Batch
from dreamplate.train.draws import seed_of
from dreamplate.train.losses import GanKind, feature_matching, gan_d, gan_g, l1
from dreamplate.train.onehot import condition_tensor
from dreamplate.train.optimise import autocast
from dreamplate.train.perceptual import build_perceptual
from dreamplate.train.port import Port
from dreamplate.train.system import Now
from dreamplate.translate.config import TrainConfig
from dreamplate.translate.paired import Paired
from dreamplate.translate.patchgan import PatchGan, layers_of
from dreamplate.translate.pix2pix_layers import initialise, padded
from dreamplate.translate.resnet import Resnet
from dreamplate.translate.unet import Unet

__all__ = ["Pix2pix", "build"]


class Pix2pix(Paired):
    """Generator and discriminator that learn by turns.

    Args:
        config: Of the run.
        given: Port of the condition.
        generator: ``(n, given.width, h, w) -> (n, c, h, w)``.
        discriminator: Of condition and picture together; None: plain training.
        perceptual: ``(fake, real) -> scalar``; None: not asked.
    """

    def __init__(
        self,
        config: TrainConfig,
        given: Port,
        generator: Unet | Resnet,
        discriminator: PatchGan | None = None,
        perceptual: nn.Module | None = None,
    ) -> None:
        super().__init__(config, given, generator, discriminator, perceptual)
        self.options, self.discriminator = config.pix2pix, discriminator

    def learn(self, batch: Batch, now: Now) -> dict[str, Tensor]:
        """Do one step of the discriminator and one of the generator."""
        for network in self.networks.values():
            network.train()
        set_dropout(self.generator, now.draws.named("dropout"))
        condition = condition_tensor(batch, self.given)
        with autocast(self.device, self.precision):
            fake = padded(self.generator, condition)
        figures = (
            {} if self.discriminator is None else self._judge(condition, batch.image, fake.detach(), now)
        )
        loss = self.options.l1 * l1(fake, batch.image, batch.weight)
        figures["l1"] = loss.detach() / max(self.options.l1, 1e-12)
        if self.discriminator is not None:
            loss = loss + self._opinion(condition, batch.image, fake, now, figures)
        if self.perceptual is not None:
            with autocast(self.device, self.precision):
                look = self.perceptual(fake.float(), batch.image)
            figures["perceptual"] = look.detach()
            loss = loss + self.options.perceptual * look
        self.optimiser.step(loss, now)
        set_dropout(self.generator, None)
        return figures | {"loss": loss.detach()}

    def _judge(self, condition: Tensor, real: Tensor, fake: Tensor, now: Now) -> dict[str, Tensor]:
        """Let the discriminator learn; returns its figures."""
        assert self.discriminator is not None and self.optimiser_d is not None
        pairs = [
            self.pair(condition, real, now.draws.named("augment", "real")),
            self.pair(condition, fake, now.draws.named("augment", "fake")),
        ]
        with autocast(self.device, self.precision):
            # With batch norm, real and made pictures together would have other statistics than the paper's.
            if self.options.norm_d == "batch":
                true, made = (self.discriminator(pair) for pair in pairs)
            else:
                true, made = self.discriminator(torch.cat(pairs)).chunk(2)
        loss = gan_d(true, made, cast(GanKind, self.options.gan))
        self.optimiser_d.step(loss * 0.5 if self.options.half_d else loss, now)
        self.augmenter.observe(true.detach(), now)
        scores = {"score_real": true.detach().float().mean(), "score_fake": made.detach().float().mean()}
        return {"loss_d": loss.detach(), **scores}

    def _opinion(
        self, condition: Tensor, real: Tensor, fake: Tensor, now: Now, figures: dict[str, Tensor]
    ) -> Tensor:
        """Return the part of the generator's loss that the discriminator decides; adds its figures."""
        assert self.discriminator is not None
        draws = now.draws.named("augment", "generator")
        with autocast(self.device, self.precision):
            features = self.discriminator.features(self.pair(condition, fake, draws))
            loss = self.options.gan_weight * gan_g(features[-1], cast(GanKind, self.options.gan))
            figures["loss_g"] = loss.detach()
            if self.options.feature_matching:
                with torch.no_grad():
                    wanted = self.discriminator.features(self.pair(condition, real, draws))
                layers = len(features) - 1
                matched = feature_matching(features[:-1], wanted[:-1], 1 / layers)
                figures["feature_matching"] = matched.detach()
                loss = loss + self.options.feature_matching * matched
        return loss


def build(config: TrainConfig, given: Port | None, made: Port) -> Pix2pix:
    """Return pix2pix with fresh weights.

    Raises:
        ConfigError: There is no condition, or the options do not fit the ports.
    """
    options = config.pix2pix
    if given is None:
        raise ConfigError("pix2pix: needs a condition for every picture; name one (source.condition)")
    if made.kind != "picture":
        raise ConfigError("pix2pix: makes pictures, and this data's image is a label map; train a segmenter")
    if options.residual and (given.kind != "picture" or given.width != made.width):
        raise ConfigError(
            f"pix2pix.residual: a change of the input needs pictures of as many channels on both sides, and"
            f" there are {given.width} and {made.width}; turn it off"
        )
    draws = torch.Generator().manual_seed(seed_of(config.seed, "weights"))
    generator: Unet | Resnet
    if options.generator == "unet":
        depth = options.depth or _depth(config.source.crop)
        generator = Unet(
            given.width,
            made.width,
            depth,
            options.width,
            options.norm,
            options.dropout,
            options.upsampling,
            options.residual,
        )
    else:
        generator = Resnet(
            given.width,
            made.width,
            options.width,
            2,
            options.blocks,
            options.norm,
            options.dropout,
            options.upsampling,
            options.residual,
        )
    initialise(generator, draws)
    # What is shown and measured on the way is what `usual_statistics` makes of the model afterwards.
    set_statistics(generator, "picture" if config.learn.batch == 1 else None)
    discriminator = None
    if options.gan != "none":
        layers = layers_of(options.patch)
        discriminator = PatchGan(given.width + made.width, options.width_d, layers, options.norm_d)
        initialise(discriminator, draws)
    elif not (options.l1 or options.perceptual):
        raise ConfigError("pix2pix: without a discriminator, l1 or perceptual must be above 0")
    look = build_perceptual(options.perceptual_net) if options.perceptual else None
    return Pix2pix(config, given, generator, discriminator, look)


def _depth(crop: tuple[int, int]) -> int:
    """Return how often a crop can be halved until one pixel is left, 2 to 8."""
    shorter = min(crop) or 256
    return max(2, min(8, int(math.log2(shorter))))
