"""Options of dvae, the discrete VAE of DALL-E. No torch."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

from dreamplate.take.fields import Bounds

__all__ = ["DvaeOptions"]

Weight = Annotated[float, Bounds(ge=0, le=1e6)]


@dataclass(frozen=True)
class DvaeOptions:
    """The discrete VAE of DALL-E (Ramesh et al. 2021, appendix A): Gumbel-softmax codes, logit-Laplace pixels."""

    codes: Annotated[int, Bounds(ge=2, le=65_536)] = 8192
    """Size of the vocabulary."""
