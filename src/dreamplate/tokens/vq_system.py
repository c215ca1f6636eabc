"""How our own codec learns: first without codes, then through a codebook that follows the pictures.

The loss is taken of display-encoded pictures of -1 to 1: mean squared and mean absolute differences, the PSNR
of every picture by itself (a bank of fog is as much as a sunlit wall), differences of neighbouring pixels
(edges, and the absence of banding), and how far pictures are apart to a network that knows photographs. The
book learns by running means, not by gradients; the encoder gets the gradients of the codes as its own
(straight through), and is held near the codes that it uses.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any, Protocol, runtime_checkable

import torch
from jaxtyping import Float
from torch import Tensor, nn

from dreamplate.tokens.codec_system import CodecSystem, Run, check_ports
from dreamplate.tokens.vq import Vq
from dreamplate.tokens.vq_book import BookLearner, nearest
from dreamplate.tokens.vq_config import VqOptions
from dreamplate.train.batch import Batch
from dreamplate.train.draws import seed_of
from dreamplate.train.optimise import Optimiser, autocast
from dreamplate.train.options import LearnOptions
from dreamplate.train.perceptual import build_perceptual
from dreamplate.train.port import Port
from dreamplate.train.processes import average
from dreamplate.train.system import Now

__all__ = ["VqSystem", "build", "cosine_fall", "decibels", "edges"]

PER_CODE = 16
"""Cells for each code from which the book begins."""
FLOOR = 0.02
"""Share of the learning rate that is left at the end."""
FINE = 1e-4
"""Mean squared difference, of values 0-1, below which a picture is near enough: 40 dB."""


@runtime_checkable
class VqRun(Run, Protocol):
    """What is read of a run's configuration."""

    @property
    def vq(self) -> VqOptions:
        """Options of this system."""
        ...


class VqSystem(CodecSystem):
    """Encoder, codebook and decoder that learn together.

    Args:
        config: Of the run.
        codec: The network.
        perceptual: ``(made, truth) -> scalar`` of pictures of -1 to 1; None: not asked.
    """

    generator: Vq

    def __init__(self, config: VqRun, codec: Vq, perceptual: nn.Module | None = None) -> None:
        super().__init__(config.learn, codec)
        self.options, self.perceptual = config.vq, perceptual
        self.learner = BookLearner(codec.book, config.vq.decay)
        self.optimiser = Optimiser(
            codec.parameters(), config.learn, weight_decay=config.vq.weight_decay, schedule=cosine_fall
        )
        self.begun = False
        """Whether pictures go through codes already."""
        self.seen = torch.zeros(0, codec.book.shape[1])
        """Cells of the last steps, from which the book will begin."""

    def to(self, device: torch.device) -> None:
        """Move everything to a device."""
        super().to(device)
        self.learner.book = self.generator.book
        if self.perceptual is not None:
            self.perceptual.to(device)

    def learn(self, batch: Batch, now: Now) -> dict[str, Tensor]:
        """Do one step."""
        self.generator.train()
        image = self._cells(batch)
        with autocast(self.device, self.precision):
            latents = self.generator.latents(image)
        flat = latents.flatten(0, 2)
        if not self.begun and now.progress >= self.options.plain and len(self.seen):
            away = self.learner.begin(self.seen.to(self.device), now.draws.named("book"))
            self.generator.spread.copy_(away)
            self.begun, self.seen = True, self.seen[:0]
        figures: dict[str, Tensor] = {}
        away = flat.new_zeros(())
        if self.begun:
            flat, away = self._quantised(flat, now)
            figures["away"] = away.detach()
        else:
            kept = PER_CODE * self.generator.codes
            self.seen = torch.cat([self.seen, flat.detach().cpu()])[-kept:]
        features = flat.view(latents.shape).permute(0, 3, 1, 2)
        with autocast(self.device, self.precision):
            made = self.generator.from_features(features) * 2 - 1
        loss = self._distance(made, image * 2 - 1, now, figures) + self.options.commitment * away
        self.optimiser.step(loss, now)
        return {"loss": loss.detach()} | figures

    def _quantised(self, flat: Tensor, now: Now) -> tuple[Tensor, Tensor]:
        """Return what codes stand for, with gradients to the cells, and the mean squared distance to them."""
        codes = nearest(flat.detach(), self.generator.book)
        self.learner.follow(flat.detach(), codes, now.draws.named("book"))
        found = self.generator.book[codes]
        away = (flat - found).square().sum(1).mean()
        spread = self.generator.spread
        spread.lerp_(average(away), 1 - self.options.decay)
        return flat + (found - flat).detach(), away

    def _distance(self, made: Tensor, truth: Tensor, now: Now, figures: dict[str, Tensor]) -> Tensor:
        options = self.options
        loss = options.squared * (made - truth).square().mean()
        ratio = decibels(made, truth)
        figures["psnr"] = ratio.detach()
        if options.psnr:
            loss = loss - options.psnr * ratio
        if options.l1:
            loss = loss + options.l1 * (made - truth).abs().mean()
        if options.edges:
            loss = loss + options.edges * edges(made, truth)
        if self.perceptual is not None and now.progress >= options.perceptual_from:
            with autocast(self.device, self.precision):
                look = self.perceptual(made, truth).float()
            figures["perceptual"] = look.detach()
            loss = loss + options.perceptual * look
        return loss

    def state_dict(self) -> dict[str, Any]:
        """Return network, optimiser, and all that the codebook's next step depends on."""
        book = {"book": self.learner.state_dict(), "begun": self.begun, "seen": self.seen.clone()}
        return super().state_dict() | book

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Restore what ``state_dict`` returned."""
        super().load_state_dict(state)
        self.learner.load_state_dict(state["book"])
        self.begun, self.seen = bool(state["begun"]), state["seen"].clone().cpu()


def build(config: VqRun, given: Port | None, made: Port) -> VqSystem:
    """Return a codec with fresh weights.

    Raises:
        ConfigError: The data's images are no pictures of three channels.
        MissingExtraError: The perceptual loss is asked for and the scorer extra is not installed.
    """
    check_ports("vq", made, 3)
    options = config.vq
    settings = {
        "codes": options.codes,
        "latent": options.latent,
        "encoder_width": options.encoder_width,
        "encoder_blocks": options.encoder_blocks,
        "decoder_width": options.decoder_width,
        "decoder_blocks": options.decoder_blocks,
    }
    codec = Vq(settings, torch.Generator().manual_seed(seed_of(config.seed, "weights")))
    codec = codec.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    look = build_perceptual(options.perceptual_net) if options.perceptual else None
    return VqSystem(config, codec, look)


def decibels(made: Float[Tensor, "n c h w"], truth: Float[Tensor, "n c h w"]) -> Float[Tensor, ""]:
    """Return the mean over pictures of -1 to 1 of their PSNR, of which none has more than 40 dB."""
    each = (made - truth).square().mean((1, 2, 3)) / 4
    return -10 * torch.log10(each + FINE).mean()


def edges(made: Float[Tensor, "n c h w"], truth: Float[Tensor, "n c h w"]) -> Float[Tensor, ""]:
    """Return the mean absolute error of differences between neighbours, across and down, added up."""
    apart = made - truth
    return apart.diff(dim=-1).abs().mean() + apart.diff(dim=-2).abs().mean()


def cosine_fall(options: LearnOptions, now: Now) -> float:
    """Return the factor on the rate: a linear rise, then half a cosine over the run, down to 2 %."""
    rise = min(1.0, (now.step + 1) / options.warm_up) if options.warm_up else 1.0
    return rise * (FLOOR + (1 - FLOOR) * 0.5 * (1 + math.cos(math.pi * min(1.0, now.progress))))
