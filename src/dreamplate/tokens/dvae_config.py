"""Options of dvae, the discrete VAE of DALL-E. No torch."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

from dreamplate.take.fields import Bounds

__all__ = ["DvaeOptions"]

Share = Annotated[float, Bounds(ge=0, le=1)]
Count = Annotated[int, Bounds(ge=1, le=4096)]
Temperature = Annotated[float, Bounds(gt=0, le=100)]


@dataclass(frozen=True)
class DvaeOptions:
    """The discrete VAE of DALL-E: Gumbel-softmax codes and logit-Laplace pixels (Ramesh et al. 2021).

    Its schedules are halves of a cosine over a share of the run; the defaults are the paper's lengths (5,000,
    150,000 and 1,200,000 updates) in its 3,000,000 updates.
    """

    codes: Annotated[int, Bounds(ge=2, le=65_536)] = 8192
    """Size of the vocabulary."""
    encoder_width: Count = 256
    """Channels of the encoder at full size; twice as many at each smaller one."""
    decoder_width: Count = 256
    """Channels of the decoder at full size; twice as many at each smaller one."""
    decoder_start: Count = 128
    """Numbers that a code stands for."""
    blocks: Annotated[int, Bounds(ge=1, le=64)] = 2
    """Residual blocks at each of the four sizes."""
    kl: Annotated[float, Bounds(ge=0, le=1e6)] = 6.6
    """Weight of the divergence of codes from uniform, beta, at the end; it rises from 0."""
    kl_over: Share = 5_000 / 3_000_000
    """Share of the run in which it rises."""
    temperature: Temperature = 1.0
    """Of the Gumbel-softmax at the start."""
    temperature_end: Temperature = 1 / 16
    """The same at the end."""
    temperature_over: Share = 150_000 / 3_000_000
    """Share of the run in which it falls."""
    rate_end: Share = 1.25e-6 / 1e-4
    """What is left of the learning rate at the end."""
    rate_over: Share = 1_200_000 / 3_000_000
    """Share of the run in which the rate falls."""
    weight_decay: Share = 1e-4
    """How fast weights shrink (AdamW)."""
