"""What pix2pix, PhotoSketch and shots share: a generator, and a discriminator of condition and picture."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor, nn

from dreamplate.train.augmenter import Augmenter, build_augmenter
from dreamplate.train.batch import Batch
from dreamplate.train.draws import Draws
from dreamplate.train.onehot import condition_tensor
from dreamplate.train.optimise import Optimiser, autocast
from dreamplate.train.port import Port
from dreamplate.translate.config import TrainConfig
from dreamplate.translate.pix2pix_layers import padded

__all__ = ["Paired", "seen_together"]


def seen_together(augmenter: Augmenter, condition: Tensor, image: Tensor, draws: Draws) -> Tensor:
    """Return what a discriminator sees: condition and picture side by side in channels, moved alike."""
    seen, beside = augmenter(image, draws, condition)
    assert beside is not None
    joined = torch.cat([beside, seen.to(beside.dtype)], 1)
    return joined.contiguous(memory_format=torch.channels_last)


class Paired:
    """Networks, optimisers and augmentation of such a system, and their state; how it learns is its own.

    Args:
        config: Of the run.
        given: Port of the condition.
        generator: ``(n, c, h, w) -> (n, d, h, w)`` with its ``settings``.
        discriminator: Of condition and picture together; None: plain training.
        perceptual: ``(fake, real) -> scalar``; None: not asked.
    """

    def __init__(
        self,
        config: TrainConfig,
        given: Port,
        generator: nn.Module,
        discriminator: nn.Module | None = None,
        perceptual: nn.Module | None = None,
    ) -> None:
        self.given, self.precision = given, config.learn.precision
        self.generator: nn.Module = generator
        self.settings: dict[str, int | float | str] = generator.settings  # type: ignore[assignment]
        self.perceptual = perceptual
        self.networks: dict[str, nn.Module] = {"generator": generator}
        self.augmenter = build_augmenter(config.augment, resumed=config.learn.init is not None)
        self.optimiser = Optimiser(generator.parameters(), config.learn)
        self.optimiser_d: Optimiser | None = None
        if discriminator is not None:
            self.networks["discriminator"] = discriminator
            if config.learn.init is not None:
                discriminator.keep(config.learn.freeze_d)  # type: ignore[operator]
            self.optimiser_d = Optimiser(discriminator.parameters(), config.learn, rate=config.learn.rate_d)
        self.device = torch.device("cpu")

    def to(self, device: torch.device) -> None:
        """Move everything to a device."""
        self.device = device
        for network in (*self.networks.values(), self.perceptual):
            if network is not None:
                network.to(device)

    def make(self, batch: Batch, generator: nn.Module, draws: Draws) -> Tensor:
        """Return what a generator makes of a batch of any size."""
        with autocast(self.device, self.precision):
            return padded(generator, condition_tensor(batch, self.given)).float()

    def state_dict(self) -> dict[str, Any]:
        """Return networks, optimisers and the state of the augmentation."""
        state: dict[str, Any] = {name: network.state_dict() for name, network in self.networks.items()}
        state["optimiser"], state["augmenter"] = self.optimiser.state_dict(), self.augmenter.state_dict()
        if self.optimiser_d is not None:
            state["optimiser_d"] = self.optimiser_d.state_dict()
        return state

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Restore what ``state_dict`` returned."""
        for name, network in self.networks.items():
            network.load_state_dict(state[name])
        self.optimiser.load_state_dict(state["optimiser"])
        self.augmenter.load_state_dict(state["augmenter"])
        if self.optimiser_d is not None:
            self.optimiser_d.load_state_dict(state["optimiser_d"])

    def pair(self, condition: Tensor, image: Tensor, draws: Draws) -> Tensor:
        """Return what the discriminator sees; see `seen_together`."""
        return seen_together(self.augmenter, condition, image, draws)
