"""How StyleGAN2 learns, from little data too (Karras and others, two papers of 2020).

The non-saturating loss; a gradient penalty on real pictures and one on path lengths, each only every so many
steps and stronger in return ("lazily", with Adam's rates corrected: the StyleGAN2 paper, section 3.1 and
appendix B). Real and made pictures go through the same augmentation before the discriminator sees them.

Departures: pictures are made once a step and serve both players, where published code makes them anew for
each; every picture has its own place of mixing; running means are those of all processes.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor, nn

from dreamplate.errors import ConfigError
from dreamplate.nets.stylegan2_discriminator import DiscriminatorShape, Stylegan2Discriminator
from dreamplate.nets.stylegan2_layers import Conv, Dense
from dreamplate.nets.stylegan2_shape import Stylegan2Shape
from dreamplate.train.augmenter import Augmenter, build_augmenter
from dreamplate.train.batch import Batch
from dreamplate.train.draws import Draws, seed_of
from dreamplate.train.losses import gan_d, gan_g, path_lengths, path_penalty, r1
from dreamplate.train.optimise import Optimiser, autocast
from dreamplate.train.options import LearnOptions
from dreamplate.train.port import Port
from dreamplate.train.processes import average
from dreamplate.train.system import Now
from dreamplate.translate.config import TrainConfig
from dreamplate.translate.stylegan2_generator import Stylegan2Generator

__all__ = ["Stylegan2System", "build"]

SMALLEST = 8
"""Side of the smallest pictures."""
PATH_DECAY = 0.99
"""Of the running mean of path lengths."""
PATH_SHARE = 2
"""Of so many pictures, one has its path length measured: that step needs much memory."""
MOST = 1e5
"""What an infinite gradient becomes."""


class Stylegan2System:
    """A generator and a discriminator that learn by turns.

    Args:
        config: Of the run.
        generator: The generator.
        discriminator: The discriminator; its first layers may be frozen.
        augmenter: What the discriminator's pictures go through.
    """

    def __init__(
        self,
        config: TrainConfig,
        generator: Stylegan2Generator,
        discriminator: Stylegan2Discriminator,
        augmenter: Augmenter,
    ) -> None:
        self.options, self.precision = config.stylegan2, config.learn.precision
        self.generator, self.discriminator, self.augmenter = generator, discriminator, augmenter
        self.networks: Mapping[str, nn.Module] = {"generator": generator, "discriminator": discriminator}
        self.settings = generator.settings
        side = generator.shape.resolution
        self.gamma = self.options.gamma or 0.0002 * side**2 / config.learn.batch
        learn = config.learn
        path_every = self.options.path_every if self.options.path_weight else 0
        self.optimisers = {
            "generator": _lazy(generator, learn, learn.rate, path_every),
            "discriminator": _lazy(
                discriminator, learn, learn.rate_d or learn.rate, self.options.gamma_every
            ),
        }
        self.path_mean = torch.zeros(())
        self.device = torch.device("cpu")

    def to(self, device: torch.device) -> None:
        """Move everything to a device."""
        self.device, self.path_mean = device, self.path_mean.to(device)
        for network in self.networks.values():
            network.to(device)

    def learn(self, batch: Batch, now: Now) -> dict[str, Tensor]:
        """Do one step of the discriminator and one of the generator, and the penalties that are due."""
        real = batch.image
        with autocast(self.device, self.precision):
            fake, styles = self._make(len(real), now.draws.named("pictures"))
        self.generator.mapping.track(average(styles[:, 0].float().mean(0))[None])
        figures = self._judge(real, fake.detach(), now)
        if now.step % self.options.gamma_every == 0:
            figures |= self._steady_judge(real, now)
        figures |= self._paint(fake, now)
        if self.options.path_weight and now.step % self.options.path_every == 0:
            figures |= self._steady_paint(len(real), now)
        figures |= {name: torch.tensor(value) for name, value in self.augmenter.figures.items()}
        return {name: value.detach().to(self.device) for name, value in figures.items()}

    def make(self, batch: Batch, generator: nn.Module, draws: Draws) -> Tensor:
        """Return pictures of as many latents as the batch has examples, with the network's own fine noise."""
        z = draws.normal((len(batch), self.generator.z_dim)).to(self.device)
        with autocast(self.device, self.precision):
            made: Tensor = generator(z)
        return made.float()

    def state_dict(self) -> dict[str, Any]:
        """Return networks, optimisers, augmentation and the mean of path lengths."""
        return {
            "networks": {name: network.state_dict() for name, network in self.networks.items()},
            "optimisers": {name: optimiser.state_dict() for name, optimiser in self.optimisers.items()},
            "augmenter": self.augmenter.state_dict(),
            "path_mean": self.path_mean,
        }

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Restore what ``state_dict`` returned."""
        for name, network in self.networks.items():
            network.load_state_dict(state["networks"][name])
            self.optimisers[name].load_state_dict(state["optimisers"][name])
        self.augmenter.load_state_dict(state["augmenter"])
        self.path_mean = state["path_mean"].to(self.device)

    # -- the four losses ------------------------------------------------------------------------------

    def _judge(self, real: Tensor, fake: Tensor, now: Now) -> dict[str, Tensor]:
        """Let the discriminator tell real from made."""
        real_scores = self._scores(real, now.draws.named("augment real"))
        fake_scores = self._scores(fake, now.draws.named("augment fake"))
        self.augmenter.observe(real_scores, now)
        loss = gan_d(real_scores, fake_scores, "non_saturating")
        mended = _update(self.optimisers["discriminator"], loss, now)
        return {
            "loss_d": loss,
            "score_real": real_scores.mean(),
            "score_fake": fake_scores.mean(),
            "sign_real": real_scores.sign().mean(),
            "mended_d": mended,
        }

    def _steady_judge(self, real: Tensor, now: Now) -> dict[str, Tensor]:
        """Keep the discriminator's gradient at real pictures small, through the augmentation."""
        real = real.detach().requires_grad_()
        penalty = r1(self._scores(real, now.draws.named("augment penalty")), real)
        loss = penalty * (self.gamma / 2 * self.options.gamma_every)
        _update(self.optimisers["discriminator"], loss, now)
        return {"r1": penalty}

    def _paint(self, fake: Tensor, now: Now) -> dict[str, Tensor]:
        """Let the generator please what the discriminator has just become."""
        loss = gan_g(self._scores(fake, now.draws.named("augment made")), "non_saturating")
        return {"loss_g": loss, "mended_g": _update(self.optimisers["generator"], loss, now)}

    def _steady_paint(self, count: int, now: Now) -> dict[str, Tensor]:
        """Keep a step of the style worth the same length of picture everywhere."""
        draws = now.draws.named("path")
        with autocast(self.device, self.precision):
            image, styles = self._make(max(1, count // PATH_SHARE), draws)
        noise = draws.named("direction").normal(image.shape).to(image.device)
        lengths = path_lengths(image, styles, noise)
        self.path_mean = torch.lerp(average(lengths.mean()), self.path_mean, PATH_DECAY)
        penalty = path_penalty(lengths, self.path_mean)
        loss = penalty * (self.options.path_weight * self.options.path_every)
        _update(self.optimisers["generator"], loss, now)
        return {"path_length": self.path_mean}

    def _make(self, count: int, draws: Draws) -> tuple[Tensor, Tensor]:
        """Return new pictures and their styles."""
        shape = self.generator.shape
        z = draws.named("latents").normal((count, 2, shape.z_dim))
        mixes = draws.named("mixes").uniform((count,)) < self.options.mixing
        places = 1 + draws.named("places").integers(shape.styles - 1, (count,))
        first = torch.where(mixes, places, torch.full_like(places, shape.styles))
        grain = draws.named("grain")
        noise = [
            grain.normal((count, 1, *size)).to(self.device) for size in self.generator.synthesis.noise_sizes()
        ]
        image, styles = self.generator.mixed(z.to(self.device), first.to(self.device), noise)
        return image.float(), styles

    def _scores(self, image: Tensor, draws: Draws) -> Tensor:
        varied, _ = self.augmenter(image.float(), draws)
        with autocast(self.device, self.precision):
            scores: Tensor = self.discriminator(varied)
        return scores.float()


def _lazy(network: nn.Module, learn: LearnOptions, rate: float, every: int) -> Optimiser:
    """Return an optimiser that is asked once more every so many steps: slower, and with a longer memory."""
    share = every / (every + 1) if every else 1.0
    first, second = learn.betas
    return Optimiser(network.parameters(), learn, rate=rate * share, betas=(first**share, second**share))


def _update(optimiser: Optimiser, loss: Tensor, now: Now) -> Tensor:
    """Change a network; return of how many tensors the gradients were not finite, and were mended.

    In half precision, and where a discriminator has just gone astray, single gradients overflow. Published
    code replaces them by 0 or a large number and goes on; so does this, and counts them.
    """
    gradients = torch.autograd.grad(loss, optimiser.parameters, allow_unused=True)
    norms = torch.stack(torch._foreach_norm([gradient for gradient in gradients if gradient is not None]))
    mended = norms.isfinite().logical_not().sum()
    # Asking a card whether any is not finite would take longer than mending all.
    mend = loss.device.type == "cuda" or bool(mended)
    for parameter, gradient in zip(optimiser.parameters, gradients, strict=True):
        found = gradient is not None and mend
        parameter.grad = torch.nan_to_num(gradient, nan=0.0, posinf=MOST, neginf=-MOST) if found else gradient
    optimiser.apply(now)
    return mended.float()


def build(config: TrainConfig, given: Port | None, made: Port) -> Stylegan2System:
    """Return a system with fresh weights that follow from the seed.

    Raises:
        ConfigError: There is a condition, or pictures are not square with a side that is a power of two.
    """
    options, (width, height) = config.stylegan2, config.source.crop
    if given is not None:
        raise ConfigError("stylegan2: makes pictures from noise alone; set source.pairing to images")
    if made.kind != "picture":
        raise ConfigError("stylegan2: makes pictures, not label maps; set source.image to pictures")
    if width != height or width < SMALLEST or width & (width - 1):
        raise ConfigError(
            f"source.crop is {width} {height}; stylegan2 needs squares with a side of {SMALLEST}, 16, 32 …"
        )
    shape = Stylegan2Shape.of(
        width,
        options.channels,
        options.channels_most,
        z_dim=options.z_dim,
        w_dim=options.w_dim,
        mapping=options.mapping,
        colours=made.width,
    )
    if min(shape.channels) < 1:
        raise ConfigError(
            f"stylegan2.channels is {options.channels}; pictures of {width} need {width} or more"
        )
    judge = DiscriminatorShape(channels=shape.channels, colours=made.width, group=options.group)
    draws = [torch.Generator().manual_seed(seed_of(config.seed, name)) for name in ("generator", "judge")]
    discriminator = Stylegan2Discriminator(judge, draws[1])
    _freeze(discriminator, config.learn.freeze_d)
    augmenter = build_augmenter(config.augment, resumed=config.learn.init is not None)
    return Stylegan2System(config, Stylegan2Generator(shape, draws[0]), discriminator, augmenter)


def _freeze(discriminator: Stylegan2Discriminator, count: int) -> None:
    """Stop the first layers from learning (Mo, Cho and Shin 2020), counted from the picture on."""
    layers = [part for part in discriminator.modules() if isinstance(part, Conv | Dense)]
    if count >= len(layers):
        raise ConfigError(f"learn.freeze_d is {count}; this discriminator has {len(layers)} layers, keep one")
    for layer in layers[:count]:
        layer.requires_grad_(False)
