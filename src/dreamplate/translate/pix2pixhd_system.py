"""How pix2pixHD learns (Wang and others 2018): coarse first, then finer, in one run.

The authors train the coarse network in a run of its own, then load it into a second one, keep it as it is
for some epochs while the enhancers learn, and go on with all. Here those are stages of one run, as shares
of it; the learning rate begins anew with the enhancers. The discriminators go on from stage to stage, where
the authors' are new. A coarse picture needs a last layer that the finished generator has no use for: it is
a network of its own.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any, Literal

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional

from dreamplate.errors import ConfigError
from dreamplate.train.augmenter import build_augmenter
from dreamplate.train.batch import Batch
from dreamplate.train.draws import Draws, seed_of
from dreamplate.train.losses import feature_matching, gan_d, gan_g, l1
from dreamplate.train.onehot import condition_tensor
from dreamplate.train.optimise import Optimiser, autocast
from dreamplate.train.perceptual import build_perceptual
from dreamplate.train.port import Port
from dreamplate.train.system import Now
from dreamplate.translate.config import TrainConfig
from dreamplate.translate.paired import seen_together
from dreamplate.translate.pix2pix_layers import channels_last, initialise, mirrored, padded, reflect
from dreamplate.translate.pix2pixhd import Pix2pixhd
from dreamplate.translate.pix2pixhd_discriminator import MultiScale, halved
from dreamplate.translate.pix2pixhd_encoder import Encoder, instance_means
from dreamplate.translate.pix2pixhd_features import Looks

__all__ = ["Pix2pixhdSystem", "build"]

Stage = Literal["coarse", "fixed", "joint"]

REFRESH = 25
"""Steps between two clusterings of features."""


class CoarseOutput(nn.Module):
    """Makes a picture of the coarse network's features.

    Args:
        width: Their channels.
        made: Channels out.
    """

    def __init__(self, width: int, made: int) -> None:
        super().__init__()
        self.last = nn.Conv2d(width, made, 7)
        channels_last(self)

    def forward(self, features: Float[Tensor, "n c h w"]) -> Float[Tensor, "n d h w"]:
        """Return a picture of -1 to 1, of the same size."""
        return torch.tanh(self.last(reflect(features, 3)))


class Pix2pixhdSystem:
    """Generator, coarse output, discriminators, and an encoder of features where they are asked for.

    Args:
        config: Of the run.
        given: Port of the condition.
        generator: What is kept in the end.
        output: Makes coarse pictures.
        discriminator: Of condition and picture together.
        encoder: Of instances' features.
        perceptual: ``(fake, real) -> scalar``; None: not asked.
    """

    def __init__(
        self,
        config: TrainConfig,
        given: Port,
        generator: Pix2pixhd,
        output: CoarseOutput,
        discriminator: MultiScale,
        encoder: Encoder | None = None,
        perceptual: nn.Module | None = None,
    ) -> None:
        self.options, self.given, self.precision = config.pix2pixhd, given, config.learn.precision
        self.generator: nn.Module = generator
        self.whole, self.output, self.discriminator = generator, output, discriminator
        self.encoder, self.perceptual = encoder, perceptual
        self.settings = generator.settings
        self.networks: dict[str, nn.Module] = {
            "generator": generator,
            "coarse_output": output,
            "discriminator": discriminator,
        }
        if encoder is not None:
            self.networks["encoder"] = encoder
        self.augmenter = build_augmenter(config.augment, resumed=config.learn.init is not None)
        if config.learn.init is not None:
            discriminator.keep(config.learn.freeze_d)
        base = [*generator.coarse.parameters(), *(encoder.parameters() if encoder is not None else [])]
        fine = [*generator.enhancers.parameters(), *generator.last.parameters()]
        self.optimisers = {
            "coarse": Optimiser(base, config.learn),
            "output": Optimiser(output.parameters(), config.learn),
            "fine": Optimiser(fine, config.learn),
            "d": Optimiser(discriminator.parameters(), config.learn, rate=config.learn.rate_d),
        }
        self.looks = Looks(generator.classes, generator.features) if encoder is not None else None
        self.device = torch.device("cpu")
        self.stage: Stage = "joint"

    def to(self, device: torch.device) -> None:
        """Move everything to a device."""
        self.device = device
        for network in (*self.networks.values(), self.perceptual):
            if network is not None:
                network.to(device)

    def learn(self, batch: Batch, now: Now) -> dict[str, Tensor]:
        """Do one step of the discriminators and one of the networks that learn in this stage."""
        self.stage, now = self._place(now)
        for network in self.networks.values():
            network.train()
        self.whole.coarse.requires_grad_(self.stage != "fixed")
        if self.encoder is not None:
            self.encoder.requires_grad_(self.stage != "fixed")
        condition, image, weight = condition_tensor(batch, self.given), batch.image, batch.weight
        with autocast(self.device, self.precision):
            shown = self._with_features(condition, batch)
            if self.stage == "coarse":
                fake = self.output(self.whole.coarse_features(mirrored(shown, self.whole.multiple)))
                condition, image = (self._coarse(x) for x in (condition, image))
                weight = None if weight is None else self._coarse(weight)
            else:
                fake = padded(self.whole, shown)
        figures = self._judge(condition, image, fake.detach(), now)
        loss = self._loss(condition, image, fake, weight, now, figures)
        active = {"coarse": ("coarse", "output"), "fixed": ("fine",), "joint": ("coarse", "fine")}[self.stage]
        self._step(loss, active, now)
        if self.looks is not None and (now.step % REFRESH == 0 or now.step < REFRESH):
            self.looks.fill(self.whole.centres)
        return figures | {"loss": loss.detach()}

    def make(self, batch: Batch, generator: nn.Module, draws: Draws) -> Tensor:
        """Return what a generator makes of a batch; while the coarse network learns alone, that, enlarged."""
        condition = condition_tensor(batch, self.given)
        with autocast(self.device, self.precision):
            if self.stage != "coarse" or not isinstance(generator, Pix2pixhd):
                return padded(generator, condition).float()
            if generator.features:
                condition = torch.cat([condition, generator.choose(condition, None)], 1)
            coarse = self.output(generator.coarse_features(mirrored(condition, generator.multiple)))
        height, width = batch.size
        scale = 2 ** len(generator.enhancers)
        large = functional.interpolate(coarse.float(), scale_factor=scale, mode="bilinear")
        return large[..., :height, :width]

    def state_dict(self) -> dict[str, Any]:
        """Return networks, optimisers, remembered features and the state of the augmentation."""
        state: dict[str, Any] = {name: network.state_dict() for name, network in self.networks.items()}
        state |= {f"optimiser_{name}": own.state_dict() for name, own in self.optimisers.items()}
        state |= {"augmenter": self.augmenter.state_dict(), "stage": self.stage}
        return state | ({"looks": self.looks.state_dict()} if self.looks is not None else {})

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Restore what ``state_dict`` returned."""
        for name, network in self.networks.items():
            network.load_state_dict(state[name])
        for name, own in self.optimisers.items():
            own.load_state_dict(state[f"optimiser_{name}"])
        self.augmenter.load_state_dict(state["augmenter"])
        self.stage = state["stage"]
        if self.looks is not None:
            self.looks.load_state_dict(state["looks"])

    def _place(self, now: Now) -> tuple[Stage, Now]:
        """Return the stage, and where in it (or, with the enhancers, after the first) the run stands."""
        first, options = self.options.global_share if len(self.whole.enhancers) else 0.0, self.options
        if now.progress < first:
            return "coarse", replace(now, progress=now.progress / first)
        after = replace(now, progress=(now.progress - first) / (1 - first) if first < 1 else 1.0)
        fixed = bool(first) and now.progress < first + options.fixed_share
        return ("fixed" if fixed else "joint"), after

    def _coarse(self, x: Tensor) -> Tensor:
        """Return pictures at the size that the coarse network sees, as it sees its input."""
        x = mirrored(x, self.whole.multiple)
        for _ in self.whole.enhancers:
            x = halved(x)
        return x

    def _with_features(self, condition: Tensor, batch: Batch) -> Tensor:
        """Return the condition with the features of each instance of the real picture, and remember these."""
        if self.encoder is None or self.looks is None:
            return condition
        assert batch.labels is not None
        ids = batch.labels if batch.instances is None else batch.instances
        laid, means, first = instance_means(padded(self.encoder, batch.image), ids)
        self.looks.add(means, batch.labels.flatten()[first])
        return torch.cat([condition, laid.to(condition.dtype)], 1)

    def _judge(self, condition: Tensor, real: Tensor, fake: Tensor, now: Now) -> dict[str, Tensor]:
        """Let the discriminators learn; returns their figures."""
        pairs = [
            seen_together(self.augmenter, condition, real, now.draws.named("augment", "real")),
            seen_together(self.augmenter, condition, fake, now.draws.named("augment", "fake")),
        ]
        with autocast(self.device, self.precision):
            true, made = _scores(self.discriminator, pairs, apart=self.options.norm_d == "batch")
        loss = gan_d(true, made, self.options.gan, "sum")
        self.optimisers["d"].step(loss * 0.5 if self.options.half_d else loss, now)
        self.augmenter.observe([scores.detach() for scores in true], now)
        means = (torch.stack([s.detach().float().mean() for s in scores]).mean() for scores in (true, made))
        return {"loss_d": loss.detach(), **dict(zip(("score_real", "score_fake"), means, strict=True))}

    def _loss(
        self,
        condition: Tensor,
        image: Tensor,
        fake: Tensor,
        weight: Tensor | None,
        now: Now,
        figures: dict[str, Tensor],
    ) -> Tensor:
        """Return the generator's loss, and add its parts to the figures."""
        options, draws = self.options, now.draws.named("augment", "generator")
        with autocast(self.device, self.precision):
            features = self.discriminator(seen_together(self.augmenter, condition, fake, draws))
            loss = gan_g([scale[-1] for scale in features], options.gan, "sum")
            figures["loss_g"] = loss.detach()
            if options.feature_matching:
                with torch.no_grad():
                    wanted = self.discriminator(seen_together(self.augmenter, condition, image, draws))
                share = 4 / (options.layers_d + 1) / options.scales
                inner = [[scale[:-1] for scale in found] for found in (features, wanted)]
                matched = feature_matching(inner[0], inner[1], share)
                figures["feature_matching"] = matched.detach()
                loss = loss + options.feature_matching * matched
            if self.perceptual is not None:
                look = self.perceptual(fake.float(), image)
                figures["perceptual"] = look.detach()
                loss = loss + options.perceptual * look
        difference = l1(fake, image, weight)
        figures["l1"] = difference.detach()
        return loss + options.l1 * difference if options.l1 else loss

    def _step(self, loss: Tensor, names: tuple[str, ...], now: Now) -> None:
        """Change the parameters of several optimisers by the gradients of one loss."""
        learners = [self.optimisers[name] for name in names]
        parameters = [parameter for learner in learners for parameter in learner.parameters]
        gradients = torch.autograd.grad(loss, parameters, allow_unused=True)
        for parameter, gradient in zip(parameters, gradients, strict=True):
            parameter.grad = torch.zeros_like(parameter) if gradient is None else gradient
        for learner in learners:
            learner.apply(now)


def _scores(network: MultiScale, pairs: list[Tensor], apart: bool) -> tuple[list[Tensor], list[Tensor]]:
    """Return scores of real and of made pictures by scale; in one pass unless the norm forbids it."""
    if apart:
        true, made = ([scale[-1] for scale in network(pair)] for pair in pairs)
        return true, made
    halves = [scale[-1].chunk(2) for scale in network(torch.cat(pairs))]
    return [half[0] for half in halves], [half[1] for half in halves]


def build(config: TrainConfig, given: Port | None, made: Port) -> Pix2pixhdSystem:
    """Return pix2pixHD with fresh weights.

    Raises:
        ConfigError: There is no condition, or the options do not fit the ports.
    """
    options = config.pix2pixhd
    if given is None:
        raise ConfigError("pix2pixhd: needs a condition for every picture; name one (source.condition)")
    if made.kind != "picture":
        raise ConfigError(
            "pix2pixhd: makes pictures, and this data's image is a label map; train a segmenter"
        )
    if options.features and given.palette is None:
        raise ConfigError(
            f"pix2pixhd.features is {options.features}: features belong to the instances of a label map, and"
            " the condition is a picture; set it to 0"
        )
    if options.enhancers and options.global_share + options.fixed_share > 1:
        raise ConfigError(
            f"pix2pixhd: global_share {options.global_share} and fixed_share {options.fixed_share} are more"
            " than the whole run; lower one"
        )
    draws = torch.Generator().manual_seed(seed_of(config.seed, "weights"))
    generator = Pix2pixhd(
        given.width,
        made.width,
        options.width,
        options.downs,
        options.blocks,
        options.enhancers,
        options.local_blocks,
        options.norm,
        options.upsampling,
        True,
        options.features,
        len(given.palette) if options.features and given.palette is not None else 0,
        options.clusters,
    )
    output = CoarseOutput(options.width * 2**options.enhancers, made.width)
    discriminator = MultiScale(
        given.width + made.width, options.width_d, options.layers_d, options.scales, options.norm_d
    )
    encoder = Encoder(made.width, options.features, options.width_e) if options.features else None
    for network in (generator, output, discriminator, encoder):
        if network is not None:
            initialise(network, draws)
    look = build_perceptual(options.perceptual_net) if options.perceptual else None
    return Pix2pixhdSystem(config, given, generator, output, discriminator, encoder, look)
