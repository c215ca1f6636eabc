"""Generators: what a dream is painted with.

A generator is a module without inputs. Called with a width and a height it renders the picture that
its parameters describe, display-encoded in [0, 1]; the optimiser turns the parameters. Rendering
small first and large later is how a run goes from composition to detail, so every generator means
the same picture at every size.

| name     | parameters                            | tiles by                  |
|----------|---------------------------------------|---------------------------|
| `fft`    | Fourier spectrum, decorrelated colour | being periodic already    |
| `siren`  | sine network over coordinates         | coordinates on a circle   |
| `pixels` | Laplacian pyramid of pixels           | circular upsampling       |
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, Protocol

import torch
from torch import Tensor, nn

from dreamplate.dream.config import DreamConfig
from dreamplate.dream.fft import Fft
from dreamplate.dream.pixels import Pixels
from dreamplate.dream.siren import Siren


class Generator(Protocol):
    """A picture made of parameters."""

    def __call__(self, width: int, height: int) -> Tensor:
        """Render ``(1, 3, height, width)``, display-encoded in [0, 1]."""
        ...

    def paint(self, image: Tensor) -> None:
        """Set the parameters so that the picture is ``image`` ``(1, 3, height, width)``, nearly."""
        ...

    def parameters(self) -> Iterator[nn.Parameter]:
        """Return what the optimiser turns."""
        ...

    def state_dict(self) -> dict[str, Any]:
        """Return the parameters by name."""
        ...

    def load_state_dict(self, state: dict[str, Any]) -> Any:
        """Restore the parameters."""
        ...


GENERATORS: dict[str, Callable[..., Any]] = {"fft": Fft, "siren": Siren, "pixels": Pixels}


def make_generator(config: DreamConfig, generator: torch.Generator) -> Any:
    """Build the generator that a config names, its start drawn from a CPU generator."""
    width, height = config.size
    return GENERATORS[config.generator](config.options, width, height, config.wrap, generator)
