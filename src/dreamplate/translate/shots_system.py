"""A handful of painted frames for a whole shot: learnt patch by patch (Texler and others 2020).

"Interactive video stylization using few-shot patch-based training": a network that only ever sees small
pieces of the key frames cannot learn them by heart, and applied to whole frames it paints what looks alike
alike. Its weights: 4 L1, 0.5 adversarial, 6 perceptual, patches of 32 pixels, 40 at once.

Departures: whole frames come in and patches are cut here, each around a pixel that counts (the key's mask);
the discriminator sees the frame beside the painting; statistics of norms are those of the run, so that no
frame is normalised by what it shows; the generator adds to its input where it can; enlarging is by resizing.
"""

from __future__ import annotations

from typing import cast

import torch
from jaxtyping import Float
from torch import Tensor, nn

from dreamplate.errors import ConfigError, ModelError
from dreamplate.train.batch import Batch
from dreamplate.train.draws import Draws, seed_of
from dreamplate.train.losses import GanKind, gan_d, gan_g, l1
from dreamplate.train.onehot import condition_tensor
from dreamplate.train.optimise import autocast
from dreamplate.train.perceptual import build_perceptual
from dreamplate.train.port import Port
from dreamplate.train.processes import world
from dreamplate.train.system import Now
from dreamplate.translate.config import TrainConfig
from dreamplate.translate.paired import Paired
from dreamplate.translate.patchgan import PatchGan, layers_of
from dreamplate.translate.pix2pix_layers import initialise
from dreamplate.translate.shots_net import ShotsNet

__all__ = ["Shots", "build", "cut_patches", "patch_corners"]


def patch_corners(
    count: int, size: tuple[int, int], side: int, draws: Draws, weight: Tensor | None, frames: int
) -> Tensor:
    """Return where patches lie: ``(count, 3)`` of frame, row, column of the upper left corner.

    Without weight every place is as likely. With weight a pixel that counts is drawn first, in proportion to
    its weight over all frames, and the patch lies around it, wholly inside the frame.

    Args:
        count: How many.
        size: Height and width of the frames.
        side: Of a patch, at most those of the frames.
        draws: Where chance comes from.
        weight: ``(frames, 1, h, w)`` how much each pixel counts.
        frames: How many there are.

    Raises:
        ConfigError: The frames are smaller than a patch, or nothing counts.
    """
    height, width = size
    if min(size) < side:
        raise ConfigError(
            f"shots: frames of {width} x {height} are smaller than a patch of {side} pixels with its margin;"
            " take smaller patches"
        )
    chance = draws.uniform((count, 3))
    if weight is None:
        room = torch.tensor([frames, height - side + 1, width - side + 1])
        return (chance * room).long()
    total = weight.detach().reshape(-1).double().cpu().cumsum(0)
    if not total[-1] > 0:
        raise ConfigError("shots: the masks of the key frames leave nothing to learn from; give others")
    found = torch.searchsorted(total, chance[:, 0].double() * total[-1], right=True)
    frame, place = found // (height * width), found % (height * width)
    # The pixel lies anywhere in its patch, so that borders of masks are learnt as well as their middles.
    offsets = (chance[:, 1:] * side).long()
    rows = (place // width - offsets[:, 0]).clamp(0, height - side)
    columns = (place % width - offsets[:, 1]).clamp(0, width - side)
    return torch.stack([frame, rows, columns], dim=1)


def cut_patches(frames: Float[Tensor, "n c h w"], corners: Tensor, side: int) -> Float[Tensor, "m c s s"]:
    """Return the patches with these corners."""
    found = [frames[f, :, y : y + side, x : x + side] for f, y, x in corners.tolist()]
    return torch.stack(found).contiguous(memory_format=torch.channels_last)


class Shots(Paired):
    """Generator and discriminator that learn by turns, from patches of the frames in each batch.

    Args:
        config: Of the run.
        given: Port of the condition, a picture.
        generator: See `ShotsNet`.
        discriminator: Of frame and painting together; None: plain training.
        perceptual: ``(fake, real) -> scalar``; None: not asked.
    """

    def __init__(
        self,
        config: TrainConfig,
        given: Port,
        generator: ShotsNet,
        discriminator: PatchGan | None = None,
        perceptual: nn.Module | None = None,
    ) -> None:
        super().__init__(config, given, generator, discriminator, perceptual)
        self.options, self.discriminator, self.guided = config.shots, discriminator, generator.guided

    def patches(self, batch: Batch, draws: Draws) -> tuple[Tensor, Tensor, Tensor]:
        """Return patches of a batch: condition with guides, painting, and how much each pixel counts."""
        options, frames = self.options, self.guided(condition_tensor(batch, self.given))
        side = -(-(options.patch + 2 * options.margin) // 4) * 4
        count = max(1, options.patches // world())
        corners = patch_corners(count, batch.size, side, draws, batch.weight, len(batch))
        weight = torch.zeros(count, 1, side, side, device=frames.device)
        inner = slice(options.margin, side - options.margin)
        weight[:, :, inner, inner] = 1
        if batch.weight is not None:
            weight *= cut_patches(batch.weight, corners, side)
        return cut_patches(frames, corners, side), cut_patches(batch.image, corners, side), weight

    def learn(self, batch: Batch, now: Now) -> dict[str, Tensor]:
        """Do one step of the discriminator and one of the generator."""
        for network in self.networks.values():
            network.train()
        options = self.options
        condition, image, weight = self.patches(batch, now.draws.named("patches"))
        with autocast(self.device, self.precision):
            fake = self.generator(condition)
        # What does not count is taken from the painting: nobody judges it.
        shown = torch.where(weight > 0, fake.float(), image)
        figures = self._judge(condition, image, shown.detach(), now) if self.discriminator is not None else {}
        off = l1(fake, image, weight)
        figures["l1"] = off.detach()
        loss = options.l1 * off
        if self.discriminator is not None:
            pair = self.pair(condition, shown, now.draws.named("augment", "generator"))
            with autocast(self.device, self.precision):
                opinion = gan_g(self.discriminator(pair), cast(GanKind, options.gan))
            figures["loss_g"] = opinion.detach()
            loss = loss + options.gan_weight * opinion
        if self.perceptual is not None:
            with autocast(self.device, self.precision):
                look = self.perceptual(shown, image)
            figures["perceptual"] = look.detach()
            loss = loss + options.perceptual * look
        self.optimiser.step(loss, now)
        return figures | {"loss": loss.detach()}

    def _judge(self, condition: Tensor, real: Tensor, fake: Tensor, now: Now) -> dict[str, Tensor]:
        """Let the discriminator learn; returns its figures."""
        assert self.discriminator is not None and self.optimiser_d is not None
        pairs = [
            self.pair(condition, real, now.draws.named("augment", "real")),
            self.pair(condition, fake, now.draws.named("augment", "fake")),
        ]
        with autocast(self.device, self.precision):
            true, made = self.discriminator(torch.cat(pairs)).chunk(2)
        loss = gan_d(true, made, cast(GanKind, self.options.gan))
        self.optimiser_d.step(loss * 0.5, now)
        self.augmenter.observe(true.detach(), now)
        scores = {"score_real": true.detach().float().mean(), "score_fake": made.detach().float().mean()}
        return {"loss_d": loss.detach(), **scores}


def build(config: TrainConfig, given: Port | None, made: Port) -> Shots:
    """Return shots with fresh weights.

    Raises:
        ConfigError: There is no condition, it or the painting is a label map, or the options do not fit.
    """
    options = config.shots
    if given is None or given.kind != "picture" or made.kind != "picture":
        raise ConfigError(
            "shots: learns from frames (source.condition) and the same frames painted, both pictures"
        )
    if not (options.l1 or options.perceptual) and options.gan == "none":
        raise ConfigError("shots: without a discriminator, l1 or perceptual must be above 0")
    # Only where a change of the input is a change of the same channels, seen alike.
    residual = options.residual and given.channels == made.channels and given.encoding == made.encoding
    draws = torch.Generator().manual_seed(seed_of(config.seed, "weights"))
    try:
        generator = ShotsNet(
            given.width, made.width, options.width, options.blocks, options.norm, residual, options.guides
        )
    except ModelError as error:
        raise ConfigError(f"shots: {error}") from error
    initialise(generator, draws)
    discriminator = None
    if options.gan != "none":
        channels = generator.first.in_channels + made.width
        # Norms would make what is real depend on what else is in the batch, and patches of one key are alike.
        discriminator = PatchGan(channels, options.width_d, layers_of(options.receptive), "none")
        initialise(discriminator, draws)
    look = build_perceptual(options.perceptual_net) if options.perceptual else None
    return Shots(config, given, generator, discriminator, look)
