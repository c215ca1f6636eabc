"""How the segmenter learns: pictures in, label maps out, from the same pairs as a label-to-picture model.

Data keeps its names: a batch's ``labels`` are the condition and its ``image`` the picture, and here the
picture is looked at and the labels are the answer. The model file has its ports the other way round
(`Segmenter.ports`).

Cross-entropy over pixels of a class; rare classes count more, by how often each was seen so far in the run.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from jaxtyping import Float, Int64
from torch import Tensor, nn
from torch.nn import functional

from dreamplate.errors import ConfigError, MissingExtraError
from dreamplate.train.batch import Batch
from dreamplate.train.draws import Draws, seed_of
from dreamplate.train.label_accuracy import confusion
from dreamplate.train.optimise import Optimiser, autocast
from dreamplate.train.port import Port
from dreamplate.train.processes import average, world
from dreamplate.train.sheets import colours_of
from dreamplate.train.system import Now
from dreamplate.translate.config import TrainConfig
from dreamplate.translate.segmenter_net import Lite0Trunk, SegmenterNet

__all__ = ["Segmenter", "build", "class_weights", "jittered", "segmenter_loss"]


class Segmenter:
    """A network that learns to name what is seen.

    Args:
        config: Of the run.
        given: Port of the labels, as the data calls them.
        made: Port of the pictures.
        generator: The network.
    """

    def __init__(self, config: TrainConfig, given: Port, made: Port, generator: SegmenterNet) -> None:
        assert given.palette is not None
        self.options, self.precision = config.segmenter, config.learn.precision
        self.palette = given.palette
        self.ports = (made, given)
        """What the model file is given and makes: the data's two sides, exchanged."""
        self.generator: nn.Module = generator
        self.settings = generator.settings
        self.networks: dict[str, nn.Module] = {"generator": generator}
        trunk = set(generator.trunk.parameters()) if isinstance(generator.trunk, Lite0Trunk) else set()
        fresh = [parameter for parameter in generator.parameters() if parameter not in trunk]
        self.optimisers = {"optimiser": Optimiser(fresh, config.learn)}
        if trunk and self.options.tune:
            rate = config.learn.rate * self.options.tune
            tuned = Optimiser(generator.trunk.parameters(), config.learn, rate=rate)
            self.optimisers["optimiser_trunk"] = tuned
        else:
            for parameter in trunk:
                parameter.requires_grad_(False)
        self.seen = torch.zeros(len(self.palette), dtype=torch.float64)
        self.device = torch.device("cpu")

    def to(self, device: torch.device) -> None:
        """Move everything to a device."""
        self.device = device
        self.generator.to(device)

    def learn(self, batch: Batch, now: Now) -> dict[str, Tensor]:
        """Do one step."""
        labels = _labels(batch)
        self.generator.train()
        classes = len(self.palette)
        counts = torch.bincount(labels.reshape(-1).cpu(), minlength=classes + 1)[:classes]
        self.seen += _summed(counts.double())
        pictures = jittered(batch.image, now.draws.named("jitter"), self.options.jitter)
        with autocast(self.device, self.precision):
            scores = self.generator(pictures.contiguous(memory_format=torch.channels_last))
        weights = class_weights(self.seen, self.options.balance).to(scores)
        loss = segmenter_loss(scores, labels, weights, batch.weight)
        parameters = [p for optimiser in self.optimisers.values() for p in optimiser.parameters]
        for parameter, gradient in zip(parameters, torch.autograd.grad(loss, parameters), strict=True):
            parameter.grad = gradient
        for optimiser in self.optimisers.values():
            optimiser.apply(now)
        right = (scores.detach().argmax(1) == labels)[labels < classes]
        return {"loss": loss.detach(), "pixel_accuracy": right.float().mean()}

    def make(self, batch: Batch, generator: nn.Module, draws: Draws) -> Tensor:
        """Return what a generator sees in the pictures of a batch, as the palette's colours of -1 to 1."""
        colours = torch.from_numpy(colours_of(self.answer(batch, generator), self.palette))
        return colours.permute(0, 3, 1, 2) * 2 - 1

    def answer(self, batch: Batch, generator: nn.Module) -> Tensor:
        """Return the classes ``(n, h, w)`` that a generator sees in the pictures of a batch."""
        with autocast(self.device, self.precision):
            scores: Tensor = generator(batch.image.contiguous(memory_format=torch.channels_last))
        return scores.argmax(1)

    def count(self, batch: Batch, generator: nn.Module) -> Tensor:
        """Return the confusion matrix of a batch; sums of them go to ``label_accuracy.accuracy``."""
        return confusion(self.answer(batch, generator), _labels(batch), len(self.palette))

    def state_dict(self) -> dict[str, Any]:
        """Return network, optimisers and how often each class was seen."""
        state: dict[str, Any] = {name: part.state_dict() for name, part in self.optimisers.items()}
        return state | {"generator": self.generator.state_dict(), "seen": self.seen.clone()}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Restore what ``state_dict`` returned."""
        self.generator.load_state_dict(state["generator"])
        for name, part in self.optimisers.items():
            part.load_state_dict(state[name])
        self.seen = state["seen"].clone().cpu()


def build(config: TrainConfig, given: Port | None, made: Port) -> Segmenter:
    """Return a segmenter: EfficientNet's weights as they are known, the others fresh.

    Raises:
        ConfigError: The data holds no label maps, or the trunk cannot see such pictures.
        MissingExtraError: The trunk is asked for and the scorer extra is not installed.
    """
    if given is None or given.palette is None or made.kind != "picture":
        raise ConfigError(
            "segmenter: needs pictures and their label maps; name them (source.condition, source.palette)"
        )
    options, channels = config.segmenter, len(made.channels)
    known, trunk = None, options.trunk
    if trunk == "efficientnet" and channels not in (1, 3):
        raise ConfigError(f"segmenter.trunk: EfficientNet sees 1 or 3 channels, not {channels}; use own")
    if trunk != "own" and channels in (1, 3):
        from dreamplate.nets.packaged import load_classifier

        try:
            known = load_classifier("lite0")
        except MissingExtraError:
            if trunk == "efficientnet":
                raise
    network = SegmenterNet(channels, len(given.palette), options.width, "efficientnet" if known else "own")
    generator = torch.Generator().manual_seed(seed_of(config.seed, "weights"))
    for part in network.modules():
        if isinstance(part, nn.Conv2d):
            nn.init.kaiming_normal_(part.weight, generator=generator)
            if part.bias is not None:
                nn.init.zeros_(part.bias)
    if known is not None and isinstance(network.trunk, Lite0Trunk):
        network.trunk.copy(known)
    return Segmenter(config, given, made, network.to(memory_format=torch.channels_last))  # type: ignore[call-overload]


def segmenter_loss(
    scores: Float[Tensor, "n k h w"],
    labels: Int64[Tensor, "n h w"],
    weights: Float[Tensor, " k"],
    counts: Float[Tensor, "n 1 h w"] | None = None,
) -> Float[Tensor, ""]:
    """Return the mean cross-entropy over pixels of a class, each weighted by its class and by ``counts``."""
    k = scores.shape[1]
    each = functional.cross_entropy(scores, labels, weights, ignore_index=k, reduction="none")
    share = functional.pad(weights, (0, 1))[labels]
    if counts is not None:
        each, share = each * counts[:, 0], share * counts[:, 0]
    # By the weights of the whole batch, so that processes with other shares of pixels agree.
    return each.sum() / average(share.sum()).clamp_min(1e-12)


def class_weights(seen: Float[Tensor, " k"], balance: float) -> Float[Tensor, " k"]:
    """Return the weight of each class: its frequency to the power of ``-balance``, 1 for the median class.

    Median-frequency balancing (Eigen and Fergus 2015) for ``balance`` 1. Classes never seen count 1. No
    weight is above 20, so that a class of a few pixels does not rule a step.
    """
    there = seen > 0
    if not bool(there.any()):
        return torch.ones_like(seen)
    frequency = torch.where(there, seen, seen[there].median())
    return (frequency[there].median() / frequency).pow(balance).clamp_max(20)


def jittered(pictures: Float[Tensor, "n c h w"], draws: Draws, share: float) -> Float[Tensor, "n c h w"]:
    """Return pictures with brightness, contrast and saturation each changed by up to a share, by picture."""
    if not share:
        return pictures
    amounts = ((draws.uniform((len(pictures), 3)) * 2 - 1) * share).to(pictures)[:, :, None, None, None]
    light, contrast, colour = amounts[:, 0], amounts[:, 1] + 1, amounts[:, 2] + 1
    middle = pictures.mean((1, 2, 3), keepdim=True)
    moved = (pictures - middle) * contrast + middle + light
    grey = moved.mean(1, keepdim=True)
    return ((moved - grey) * colour + grey).clamp(-1, 1)


def _labels(batch: Batch) -> Tensor:
    if batch.labels is None:
        raise ConfigError("segmenter: the examples have no label maps; name them (source.condition)")
    return batch.labels


def _summed(counts: Tensor) -> Tensor:
    """Return counts added up over all processes."""
    if world() > 1:
        torch.distributed.all_reduce(counts)
    return counts
