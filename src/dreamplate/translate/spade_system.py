"""Learning a SPADE generator: the parts that both teachers share, and the choice between them.

``oasis`` (`oasis_teacher`) is our default: adversarial supervision alone, from a discriminator that segments.
``spade`` (`spade_teacher`) is the recipe of the first paper: patches, feature matching, a perceptual loss,
and its VAE.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Protocol

import torch
from torch import Tensor, nn

from dreamplate.errors import ConfigError
from dreamplate.train.augmenter import Augmenter, build_augmenter
from dreamplate.train.batch import Batch
from dreamplate.train.draws import Draws, seed_of
from dreamplate.train.losses import kl, l1
from dreamplate.train.onehot import condition_tensor, instance_edges
from dreamplate.train.optimise import Optimiser, autocast
from dreamplate.train.perceptual import build_perceptual
from dreamplate.train.port import Port
from dreamplate.train.system import Now
from dreamplate.translate.config import TrainConfig
from dreamplate.translate.spade import Spade, SpadeShape, initialise, start_from_classes

__all__ = ["SpadeSystem", "Teacher", "build"]

DOUBLINGS = {"normal": 5, "more": 6, "most": 7}


class Teacher(Protocol):
    """What tells a generator how good its pictures are."""

    @property
    def network(self) -> nn.Module:
        """The discriminator."""
        ...

    def judge(
        self, batch: Batch, condition: Tensor, fake: Tensor, now: Now
    ) -> tuple[Tensor, dict[str, Tensor]]:
        """Return the discriminator's loss, and figures; no gradient goes into ``fake``."""
        ...

    def teach(
        self, batch: Batch, condition: Tensor, fake: Tensor, now: Now
    ) -> tuple[Tensor, dict[str, Tensor]]:
        """Return the generator's loss, and figures."""
        ...


class SpadeSystem:
    """One update: the generator makes pictures once; the discriminator learns from them, then it does.

    The published programs make the pictures twice, before and after one of the two has learnt.

    Args:
        config: Of the run.
        given: Port of the condition.
        generator: The generator.
        teacher: The discriminator with its losses.
        augmenter: What its pictures go through; it has a state.
        perceptual: Loss on the features of a trained network.
    """

    def __init__(
        self,
        config: TrainConfig,
        given: Port,
        generator: Spade,
        teacher: Teacher,
        augmenter: Augmenter,
        perceptual: nn.Module | None,
    ) -> None:
        self.config, self.options, self.given = config, config.spade, given
        self.generator, self.teacher = generator, teacher
        self.augmenter, self.perceptual = augmenter, perceptual
        self.networks: Mapping[str, nn.Module] = {
            "generator": generator,
            "discriminator": teacher.network,
        }
        self.settings = generator.settings
        learn = config.learn
        self.optimisers = {
            "generator": Optimiser(generator.parameters(), learn),
            "discriminator": Optimiser(teacher.network.parameters(), learn, rate=learn.rate_d),
        }
        self.device = torch.device("cpu")

    def to(self, device: torch.device) -> None:
        """Move everything to a device."""
        self.device = device
        for network in self.networks.values():
            network.to(device, memory_format=torch.channels_last)  # type: ignore[call-overload]
        if self.perceptual is not None:
            self.perceptual.to(device)

    def learn(self, batch: Batch, now: Now) -> dict[str, Tensor]:
        """Do one update of both networks."""
        self.generator.train()
        self.teacher.network.train()
        condition = condition_tensor(batch, self.given)
        with autocast(self.device, self.config.learn.precision):
            z, divergence = self._latent(batch, now)
            fake = self._make(self.generator, batch, z).float()
        loss_d, seen = self.teacher.judge(batch, condition, fake.detach(), now)
        self.optimisers["discriminator"].step(loss_d, now)
        self.teacher.network.requires_grad_(False)
        loss_g, more = self.teacher.teach(batch, condition, fake, now)
        if self.perceptual is not None:
            with autocast(self.device, self.config.learn.precision):
                more["perceptual"] = self.perceptual(fake, batch.image)
            loss_g = loss_g + self.options.perceptual_weight * more["perceptual"]
        if divergence is not None:
            more["kl"] = divergence
            loss_g = loss_g + self.options.kl * divergence
        if self.options.l1:
            more["l1"] = l1(fake, batch.image, batch.weight)
            loss_g = loss_g + self.options.l1 * more["l1"]
        self.optimisers["generator"].step(loss_g, now)
        self._thaw()
        found = {"loss_d": loss_d, "loss_g": loss_g, **seen, **more}
        return {name: value.detach() for name, value in found.items()}

    def make(self, batch: Batch, generator: nn.Module, draws: Draws) -> Tensor:
        """Return what a generator makes of a batch, with noise (or style) drawn from ``draws``."""
        assert isinstance(generator, Spade)
        z = draws.normal((len(batch), generator.z_dim)).to(self.device) if generator.z_dim else None
        with autocast(self.device, self.config.learn.precision):
            return self._make(generator, batch, z).float()

    def state_dict(self) -> dict[str, Any]:
        """Return networks, optimisers and augmentation."""
        return {
            "networks": {name: network.state_dict() for name, network in self.networks.items()},
            "optimisers": {name: optimiser.state_dict() for name, optimiser in self.optimisers.items()},
            "augmenter": self.augmenter.state_dict(),
        }

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Restore what ``state_dict`` returned."""
        for name, network in self.networks.items():
            network.load_state_dict(state["networks"][name])
        for name, optimiser in self.optimisers.items():
            optimiser.load_state_dict(state["optimisers"][name])
        self.augmenter.load_state_dict(state["augmenter"])

    def _latent(self, batch: Batch, now: Now) -> tuple[Tensor | None, Tensor | None]:
        """Return the noise of a step, or the style of its pictures, and then its divergence."""
        if not self.generator.z_dim:
            return None, None
        noise = now.draws.named("noise").normal((len(batch), self.generator.z_dim)).to(self.device)
        if self.generator.encoder is None:
            return noise, None
        mean, spread = (value.float() for value in self.generator.style(batch.image))
        return mean + noise * torch.exp(0.5 * spread), kl(mean, spread)

    def _make(self, generator: Spade, batch: Batch, z: Tensor | None) -> Tensor:
        if batch.labels is None:
            picture: Tensor = generator(condition_tensor(batch, self.given), z)
            return picture
        edges = (
            instance_edges(batch.instances) if self.given.instances and batch.instances is not None else None
        )
        made: Tensor = generator.from_labels(batch.labels, edges, z)
        return made

    def _thaw(self) -> None:
        """Let the discriminator learn again, its frozen layers aside."""
        for parameter in self.optimisers["discriminator"].parameters:
            parameter.requires_grad_(True)


def build(config: TrainConfig, given: Port | None, made: Port) -> SpadeSystem:
    """Return a system with fresh weights that follow from the seed.

    Raises:
        ConfigError: There is no condition, or options do not fit together.
    """
    from dreamplate.translate.oasis_teacher import OasisTeacher
    from dreamplate.translate.spade_teacher import SpadeTeacher

    options = config.spade
    if given is None:
        raise ConfigError("spade: needs a condition; give a label map or a picture for each image")
    shape = _shape(config, given, made)
    generator = Spade(shape)
    initialise(generator, torch.Generator().manual_seed(seed_of(config.seed, "generator")), options.gain)
    if options.class_start:
        if given.palette is None:
            raise ConfigError("spade.class_start: needs label maps; these conditions are pictures")
        start_from_classes(generator, torch.Generator().manual_seed(seed_of(config.seed, "classes")))
    augmenter = build_augmenter(config.augment, resumed=config.learn.init is not None)
    make_teacher = OasisTeacher if options.teacher == "oasis" else SpadeTeacher
    teacher = make_teacher(config, given, made, augmenter)
    start = torch.Generator().manual_seed(seed_of(config.seed, "discriminator"))
    initialise(teacher.network, start, options.d_gain)
    freeze(teacher.network.layers(), config.learn.freeze_d)
    return SpadeSystem(config, given, generator, teacher, augmenter, _perceptual(config))


def freeze(layers: list[nn.Module], count: int) -> None:
    """Stop the first layers of a discriminator from learning (Mo and others 2020, FreezeD).

    Raises:
        ConfigError: There are not so many.
    """
    if count >= len(layers) and count:
        raise ConfigError(f"learn.freeze_d is {count}; this discriminator has {len(layers)} layers, keep one")
    for layer in layers[:count]:
        layer.requires_grad_(False)


def _shape(config: TrainConfig, given: Port, made: Port) -> SpadeShape:
    options, doublings = config.spade, DOUBLINGS[config.spade.doublings]
    width, height = config.source.crop
    if options.style and options.noise != "start":
        raise ConfigError("spade.style: the style is the start of a picture; set spade.noise to start")
    if options.style and len(made.channels) != 3:
        raise ConfigError(f"spade.style: reads RGB pictures; these have {' '.join(made.channels)}")
    multiple = 2**doublings
    if width % multiple or height % multiple or (options.noise == "start" and not width * height):
        raise ConfigError(
            f"source.crop is {width} {height}; spade with {options.doublings} doublings needs multiples of"
            f" {multiple}"
        )
    return SpadeShape(
        entry=given.width,
        edges=int(given.instances),
        channels=len(made.channels),
        width=options.width,
        hidden=options.hidden,
        kernel=options.kernel,
        doublings=doublings,
        middles=options.middles,
        norm=options.norm,
        z_dim=options.z if options.noise != "none" else 0,
        noise=options.noise,
        start_height=height // multiple or 8,
        start_width=width // multiple or 8,
        style_width=options.style_width if options.style else 0,
        spectral=1,
    )


def _perceptual(config: TrainConfig) -> nn.Module | None:
    """Return the perceptual loss that options ask for; without one, that is said once."""
    from dreamplate.errors import MissingExtraError
    from dreamplate.models.licence import log_once

    options = config.spade
    if not options.perceptual_weight or options.perceptual == "none":
        return None
    try:
        chosen = "efficientnet" if options.perceptual == "auto" else options.perceptual
        return build_perceptual(chosen).requires_grad_(False)
    except MissingExtraError:
        if options.perceptual != "auto":
            raise
        log_once(
            "spade: learns without a perceptual loss, as no network for it is installed; install the scorer"
            " extra, or give a file of VGG-19 weights: --spade.perceptual FILE"
        )
        return None
