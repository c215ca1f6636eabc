"""How the discrete VAE of DALL-E learns (Ramesh et al. 2021, appendices A.2 and A.3).

The loss is the negative evidence bound with a weighted divergence, divided by the number of pixel values:

    loss = (sum over values of -log p(x | z)  +  beta * sum over cells of KL(q || uniform)) / (3 H W)
         = mean over values of -log p  +  beta / 192 * mean over cells of KL

for pictures of three channels: a cell has 8 * 8 * 3 = 192 values. KL is in nats, ``sum q log q + log codes``
of the encoder's softmax without noise. Codes are drawn by the Gumbel-softmax with the temperature of the
moment, soft both forth and back, and mix the decoder's vectors.
"""

from __future__ import annotations

import math
from typing import Protocol, runtime_checkable

import torch
from jaxtyping import Float
from torch import Tensor

from dreamplate.tokens.codec_system import CodecSystem, Run, check_ports
from dreamplate.tokens.decoder import Decoder
from dreamplate.tokens.dvae import FACTOR, Dvae
from dreamplate.tokens.dvae_config import DvaeOptions
from dreamplate.tokens.encoder import Encoder
from dreamplate.tokens.pixels import map_pixels, negative_log_likelihood
from dreamplate.train.batch import Batch
from dreamplate.train.draws import Draws, seed_of
from dreamplate.train.optimise import Optimiser, autocast
from dreamplate.train.options import LearnOptions
from dreamplate.train.port import Port
from dreamplate.train.system import Now

__all__ = ["DvaeSystem", "anneal", "build", "divergence", "gumbel_softmax"]


@runtime_checkable
class DvaeRun(Run, Protocol):
    """What is read of a run's configuration."""

    @property
    def dvae(self) -> DvaeOptions:
        """Options of this system."""
        ...


class DvaeSystem(CodecSystem):
    """Encoder and decoder that learn together.

    Args:
        config: Of the run.
        codec: The network, with both parts.
    """

    generator: Dvae

    def __init__(self, config: DvaeRun, codec: Dvae) -> None:
        super().__init__(config.learn, codec)
        options = self.options = config.dvae

        def schedule(learn: LearnOptions, now: Now) -> float:
            rise = min(1.0, (now.step + 1) / learn.warm_up) if learn.warm_up else 1.0
            return rise * anneal(1.0, options.rate_end, now.progress, options.rate_over)

        self.optimiser = Optimiser(
            codec.parameters(), config.learn, weight_decay=options.weight_decay, schedule=schedule
        )

    def learn(self, batch: Batch, now: Now) -> dict[str, Tensor]:
        """Do one step."""
        self.generator.train()
        options, pixels = self.options, map_pixels(self._cells(batch))
        encoder, decoder = self.generator.encoder, self.generator.decoder
        assert encoder is not None and decoder is not None
        temperature = anneal(
            options.temperature, options.temperature_end, now.progress, options.temperature_over
        )
        beta = anneal(0.0, options.kl, now.progress, options.kl_over)
        with autocast(self.device, self.precision):
            scores = encoder(pixels)
        scores = scores.float().permute(0, 2, 3, 1)
        soft = gumbel_softmax(scores, temperature, now.draws.named("codes"))
        features = (soft @ decoder.book + decoder.offset).permute(0, 3, 1, 2)
        with autocast(self.device, self.precision):
            stats = decoder.from_features(features.contiguous(memory_format=torch.channels_last))
        fit = negative_log_likelihood(stats.float(), pixels).mean()
        kl = divergence(scores).mean()
        loss = fit + beta * kl / (FACTOR * FACTOR * pixels.shape[1])
        self.optimiser.step(loss, now)
        return {
            "loss": loss.detach(),
            "fit": fit.detach(),
            "kl": kl.detach(),
            "beta": torch.tensor(beta),
            "temperature": torch.tensor(temperature),
        }


def build(config: DvaeRun, given: Port | None, made: Port) -> DvaeSystem:
    """Return a discrete VAE with fresh weights, of as many channels as the pictures have.

    Raises:
        ConfigError: The data's images are label maps.
    """
    channels, options = check_ports("dvae", made), config.dvae
    draws = torch.Generator().manual_seed(seed_of(config.seed, "weights"))
    encoder = Encoder(
        options.codes, options.encoder_width, blocks=options.blocks, channels=channels, draws=draws
    )
    decoder = Decoder(
        options.codes,
        options.decoder_width,
        options.decoder_start,
        blocks=options.blocks,
        channels=channels,
        draws=draws,
    )
    codec = Dvae(encoder, decoder).to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    return DvaeSystem(config, codec)


def anneal(first: float, last: float, progress: float, over: float) -> float:
    """Return a value on half a cosine from ``first`` to ``last``, which it keeps from ``over`` on.

    Args:
        first: Value at progress 0.
        last: Value at the end.
        progress: Share of the run that is done, 0-1.
        over: Share of the run that it takes; 0: the last value always.
    """
    share = min(1.0, progress / over) if over > 0 else 1.0
    return last + (first - last) * 0.5 * (1 + math.cos(math.pi * share))


def gumbel_softmax(
    scores: Float[Tensor, "n h w codes"], temperature: float, draws: Draws
) -> Float[Tensor, "n h w codes"]:
    """Return soft draws of codes: ``softmax((scores + Gumbel noise) / temperature)``.

    Jang et al., "Categorical Reparameterization with Gumbel-Softmax", 2017, equation 2.
    """
    uniform = draws.uniform(scores.shape).clamp_(min=1e-20).to(scores.device)
    noise = -torch.log((-torch.log(uniform)).clamp(min=1e-7))
    return torch.softmax((scores + noise) / temperature, -1)


def divergence(scores: Float[Tensor, "n h w codes"]) -> Float[Tensor, "n h w"]:
    """Return the Kullback-Leibler divergence of codes' probabilities from uniform ones, nats a cell."""
    log_q = torch.log_softmax(scores, -1)
    return (log_q.exp() * log_q).sum(-1) + math.log(scores.shape[-1])
