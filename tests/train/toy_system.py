"""The smallest adversarial system: one convolution against another, batch norm between; and examples."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

import torch
from torch import Tensor, nn

from dreamplate.nets.dropout import Dropout, set_dropout
from dreamplate.nets.statistics import BatchNorm
from dreamplate.train.batch import Batch
from dreamplate.train.draws import Draws, seed_of
from dreamplate.train.losses import gan_d, gan_g, l1
from dreamplate.train.optimise import Optimiser
from dreamplate.train.options import LearnOptions
from dreamplate.train.port import Port
from dreamplate.train.system import Now


class ToyExamples:
    """Pairs that follow from a seed: the picture is the condition, darker and blurred."""

    given: Port | None = Port()
    made = Port()
    notices = ("toy: this is a toy",)
    left_out = ()

    def __init__(self, count: int = 6, side: int = 16, fails_at: int | None = None) -> None:
        self.count, self.side, self.fails_at = count, side, fails_at
        self.names = tuple(f"{number:03}" for number in range(count))

    def __len__(self) -> int:
        return self.count

    def ahead(self, indices: Sequence[int], draws: Draws | None) -> None:
        pass

    def batch(self, indices: Sequence[int], draws: Draws | None) -> Batch:
        if self.fails_at in indices:
            from dreamplate.errors import MediaError

            raise MediaError(f"{self.names[self.fails_at]}.png: cannot be read; replace it")
        pictures = []
        for index in indices:
            generator = torch.Generator().manual_seed(index)
            pictures.append(torch.rand(3, self.side, self.side, generator=generator) * 2 - 1)
        condition = torch.stack(pictures)
        if draws is not None:
            turned = draws.named("flip").uniform((len(indices),)) < 0.5
            condition = torch.where(turned[:, None, None, None], condition.flip(3), condition)
        image = nn.functional.avg_pool2d(condition, 3, 1, 1) * 0.5 - 0.2
        return Batch(image, condition, names=tuple(self.names[index] for index in indices))


class ToyNet(nn.Module):
    settings: ClassVar = {"architecture": "pix2pix-resnet"}

    def __init__(self, generator: torch.Generator, channels: int = 3, out: int = 3) -> None:
        super().__init__()
        self.a, self.norm, self.drop = nn.Conv2d(channels, 4, 3, 1, 1, bias=False), BatchNorm(4), Dropout(0.2)
        self.b = nn.Conv2d(4, out, 3, 1, 1)
        for parameter in self.parameters():
            nn.init.normal_(parameter, 0, 0.2, generator=generator)

    def forward(self, x: Tensor) -> Tensor:
        return self.b(self.drop(torch.tanh(self.norm(self.a(x)))))


class ToySystem:
    def __init__(self, learn: LearnOptions, seed: int = 0) -> None:
        draws = torch.Generator().manual_seed(seed_of(seed, "weights"))
        self.generator: nn.Module = ToyNet(draws)
        self.discriminator = ToyNet(draws, 6, 1)
        self.networks = {"generator": self.generator, "discriminator": self.discriminator}
        self.settings: Mapping[str, int | float | str] = ToyNet.settings
        self.optimisers = {name: Optimiser(net.parameters(), learn) for name, net in self.networks.items()}

    def to(self, device: torch.device) -> None:
        for network in self.networks.values():
            network.to(device)

    def learn(self, batch: Batch, now: Now) -> dict[str, Tensor]:
        for name, network in self.networks.items():
            set_dropout(network.train(), now.draws.named("dropout", name))
        assert batch.condition is not None
        fake = self.generator(batch.condition)
        true = self.discriminator(torch.cat([batch.condition, batch.image], 1))
        false = self.discriminator(torch.cat([batch.condition, fake.detach()], 1))
        loss_d = gan_d(true, false, "lsgan")
        self.optimisers["discriminator"].step(loss_d, now)
        near = l1(fake, batch.image)
        loss_g = gan_g(self.discriminator(torch.cat([batch.condition, fake], 1)), "lsgan") * 0.1 + near
        self.optimisers["generator"].step(loss_g, now)
        for network in self.networks.values():
            set_dropout(network, None)
        return {"loss_d": loss_d.detach(), "loss_g": loss_g.detach(), "l1": near.detach()}

    def make(self, batch: Batch, generator: nn.Module, draws: Draws) -> Tensor:
        assert batch.condition is not None
        return generator(batch.condition)

    def state_dict(self) -> dict[str, Any]:
        return {
            "networks": {name: network.state_dict() for name, network in self.networks.items()},
            "optimisers": {name: part.state_dict() for name, part in self.optimisers.items()},
        }

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        for name, network in self.networks.items():
            network.load_state_dict(state["networks"][name])
            self.optimisers[name].load_state_dict(state["optimisers"][name])
