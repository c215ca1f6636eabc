"""How PhotoSketch learns (Li and others, "Photo-Sketching: inferring contour drawings from images", 2019).

People draw the same photograph differently, and all are right. The discriminator sees every drawing, its loss
on real ones is their mean; the generator is held to the nearest one only, picture by picture. An average of
drawings would be a blur.
"""

from __future__ import annotations

from typing import cast

import torch
from jaxtyping import Float, Int64
from torch import Tensor

from dreamplate.errors import ConfigError
from dreamplate.train.batch import Batch
from dreamplate.train.draws import seed_of
from dreamplate.train.losses import GanKind, gan_g, gan_term
from dreamplate.train.onehot import condition_tensor
from dreamplate.train.optimise import autocast
from dreamplate.train.port import Port
from dreamplate.train.system import Now
from dreamplate.translate.config import TrainConfig
from dreamplate.translate.paired import Paired
from dreamplate.translate.patchgan import PatchGan
from dreamplate.translate.photosketch_discriminator import GlobalDiscriminator
from dreamplate.translate.pix2pix_layers import initialise, padded
from dreamplate.translate.resnet import Resnet

__all__ = ["Photosketch", "build", "nearest_l1"]


def nearest_l1(
    made: Float[Tensor, "n c h w"],
    targets: Float[Tensor, "n k c h w"],
    weight: Float[Tensor, "n 1 h w"] | None = None,
) -> tuple[Float[Tensor, " n"], Int64[Tensor, " n"]]:
    """Return the mean absolute difference of each picture to the nearest of its targets, and which that is.

    Args:
        made: Pictures.
        targets: All right answers.
        weight: How much each pixel counts; None: all alike.
    """
    off = (made.float()[:, None] - targets).abs().mean(2)
    if weight is None:
        each = off.mean((2, 3))
    else:
        each = (off * weight).sum((2, 3)) / weight.sum((2, 3)).clamp(min=1e-6)
    return each.min(1)


class Photosketch(Paired):
    """Generator and discriminator that learn by turns.

    Args:
        config: Of the run.
        given: Port of the condition.
        generator: ``(n, given.width, h, w) -> (n, c, h, w)``.
        discriminator: Of condition and drawing together; None: plain training.
    """

    def __init__(
        self,
        config: TrainConfig,
        given: Port,
        generator: Resnet,
        discriminator: GlobalDiscriminator | PatchGan | None = None,
    ) -> None:
        super().__init__(config, given, generator, discriminator)
        self.options, self.discriminator = config.photosketch, discriminator

    def learn(self, batch: Batch, now: Now) -> dict[str, Tensor]:
        """Do one step of the discriminator and one of the generator."""
        for network in self.networks.values():
            network.train()
        condition = condition_tensor(batch, self.given)
        targets = batch.image[:, None] if batch.targets is None else batch.targets
        with autocast(self.device, self.precision):
            fake = padded(self.generator, condition)
        figures: dict[str, Tensor] = {}
        if self.discriminator is not None:
            figures |= self._judge(condition, targets, fake.detach(), now)
        nearest, _ = nearest_l1(fake, targets, batch.weight)
        figures["l1"] = nearest.detach().mean()
        loss = self.options.l1 * nearest.mean()
        if self.discriminator is not None:
            with autocast(self.device, self.precision):
                pair = self.pair(condition, fake, now.draws.named("augment", "generator"))
                opinion = gan_g(self.discriminator(pair), cast(GanKind, self.options.gan))
            figures["loss_g"] = opinion.detach()
            loss = loss + self.options.gan_weight * opinion
        self.optimiser.step(loss, now)
        return figures | {"loss": loss.detach()}

    def _judge(self, condition: Tensor, targets: Tensor, fake: Tensor, now: Now) -> dict[str, Tensor]:
        """Let the discriminator learn, by half its loss as in pix2pix; returns its figures."""
        assert self.discriminator is not None and self.optimiser_d is not None
        kind = cast(GanKind, self.options.gan)
        with autocast(self.device, self.precision):
            # One drawing of every photograph at a time: batch norm sees batches as they are made.
            true = [
                self.discriminator(self.pair(condition, drawing, now.draws.named("augment", "real", number)))
                for number, drawing in enumerate(targets.unbind(1))
            ]
            made = self.discriminator(self.pair(condition, fake, now.draws.named("augment", "fake")))
        loss_real = torch.stack([gan_term(scores, True, kind) for scores in true]).mean()
        loss = loss_real + gan_term(made, False, kind)
        self.optimiser_d.step(loss * 0.5, now)
        scores = torch.cat(true).detach()
        self.augmenter.observe(scores, now)
        figures = {"score_real": scores.float().mean(), "score_fake": made.detach().float().mean()}
        return {"loss_d": loss.detach(), **figures}


def build(config: TrainConfig, given: Port | None, made: Port) -> Photosketch:
    """Return photosketch with fresh weights.

    Raises:
        ConfigError: There is no condition, the drawing is a label map, or the options do not fit together.
    """
    options, (width, height) = config.photosketch, config.source.crop
    if given is None:
        raise ConfigError("photosketch: needs a photograph for every drawing; name it (source.condition)")
    if made.kind != "picture":
        raise ConfigError("photosketch: draws pictures, and this data's image is a label map")
    draws = torch.Generator().manual_seed(seed_of(config.seed, "weights"))
    generator = Resnet(
        given.width,
        made.width,
        options.width,
        2,
        options.blocks,
        options.norm,
        upsampling=options.upsampling,
    )
    initialise(generator, draws)
    if options.gan == "none":
        if not options.l1:
            raise ConfigError("photosketch: without a discriminator, l1 must be above 0")
        return Photosketch(config, given, generator)
    channels = given.width + made.width
    discriminator: GlobalDiscriminator | PatchGan
    if options.discriminator == "patch":
        discriminator = PatchGan(channels, options.width_d, 3, options.norm_d)
    elif width and height:
        discriminator = GlobalDiscriminator(channels, (height, width), options.width_d, options.norm_d)
    else:
        raise ConfigError("photosketch: the global discriminator needs a crop; give source.crop, or patch")
    initialise(discriminator, draws)
    return Photosketch(config, given, generator, discriminator)
