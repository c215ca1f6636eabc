"""The dream as a job: a generator's parameters, turned until a scorer sees the words in the picture."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from dreamplate.dream.chunks import chunk_size
from dreamplate.dream.config import DreamConfig
from dreamplate.dream.cutouts import Cuts, draw_cuts, full_view, take_cuts
from dreamplate.dream.finish import sharpen
from dreamplate.dream.generators import make_generator
from dreamplate.dream.losses import Wanted, agreement, roughness, want
from dreamplate.dream.natural import NaturalStatistics
from dreamplate.dream.prompts import Target, parse_prompt
from dreamplate.dream.scorers import Scorer, load_scorer
from dreamplate.errors import ConfigError
from dreamplate.plate import Plate, convert, from_tensor, read, to_tensor
from dreamplate.take.job import Outcome, Step
from dreamplate.take.machine import parse_memory

PREVIEW_SIDE = 512
"""Longest side of a preview in pixels."""


class DreamJob:
    """Optimise one picture for its prompts (`dreamplate dream`).

    Each step renders the picture once, judges random cut-outs of it in chunks that fit the memory
    setting, adds up the chunks' gradients *at the picture*, and sends the sum through the generator
    once. All draws of a step are made before the first chunk, on the CPU, so that neither chunking
    nor the device changes them.

    Args:
        config: The complete description.
        scorer: Used in place of the one that the config names.

    Raises:
        ConfigError: A device or scorer does not exist, or a prompt cannot be used.
        MediaError: A picture named in the config cannot be read.
        ResourceError: The memory setting cannot hold even one cut.
    """

    kind = "dream"

    def __init__(self, config: DreamConfig, scorer: Scorer | None = None) -> None:
        self.config = config
        self.device = find_device(config.device)
        self.scorer = scorer or load_scorer(config.scorer, self.device, getattr(torch, config.precision))
        self.targets = targets_of(config)
        self.wanted = encode_targets(self.scorer, self.targets, self.device)
        self.generator = make_generator(config, torch.Generator().manual_seed(config.seed)).to(self.device)
        if config.init is not None:
            self.generator.paint(read_picture(config.init, config.size).to(self.device))
        self.draws = torch.Generator().manual_seed(config.seed ^ 0x5DEECE66D)
        self.optimiser = torch.optim.Adam(
            self.generator.parameters(), lr=config.options.learning_rate, betas=(0.9, 0.99), foreach=True
        )
        self.natural = NaturalStatistics()
        self.shown = {name: value.detach().clone() for name, value in self.generator.named_parameters()}
        self.done = 0
        self.chunks = {side: self._chunk(side) for side in sorted(set(config.cut_sides))}

    def __len__(self) -> int:
        return self.config.steps

    @property
    def position(self) -> int:
        """How many steps are done."""
        return self.done

    # -- one step -----------------------------------------------------------------------------------

    def step(self) -> Step:
        """Render, judge, and turn the parameters once."""
        config, progress = self.config, self.done / self.config.steps
        stage = stage_at(config, progress)
        scale = config.stages[stage] * getattr(config.options, "scale", 1.0)
        width, height = (max(8, round(side * scale)) for side in config.size)
        cuts = draw_cuts(
            config.cuts,
            config.cuts.number,
            config.size[0] / config.size[1],
            self.draws,
            wrap=config.wrap,
            progress=progress,
        )
        for group in self.optimiser.param_groups:
            group["lr"] = learning_rate(config, progress)
        self.optimiser.zero_grad(set_to_none=True)
        image = self.generator(width, height)
        leaf = image.detach().requires_grad_()
        score = self._judge(leaf, cuts, config.cut_sides[stage])
        loss = -score
        if config.smooth:
            rough = config.smooth * roughness(leaf, config.wrap)
            torch.autograd.backward(rough)
            loss += float(rough.detach())
        torch.autograd.backward(image, leaf.grad)
        self.optimiser.step()
        self._average()
        self.done += 1
        scalars = {"score": score, "loss": loss, "learning_rate": self.optimiser.param_groups[0]["lr"]}
        return Step(self.done, scalars, {"picture": self.preview})

    def _judge(self, leaf: Tensor, cuts: Cuts, side: int) -> float:
        """Add the gradient of all cuts to ``leaf.grad``; return their mean agreement."""
        config, total = self.config, 0.0
        side = side if getattr(self.scorer, "flexible", False) else self.scorer.size
        chunk = self.chunks.get(side) or self._chunk(side)
        layered = getattr(self.scorer, "encode_with_layers", None) if config.natural else None
        for start in range(0, len(cuts), chunk):
            part = cuts[start : start + chunk]
            share = len(part) / len(cuts)
            views = take_cuts(leaf, part, side, wrap=config.wrap)
            if layered is not None:
                embeddings, layers = layered(views)
            else:
                embeddings = self.scorer.encode_image(views)
            agreed = agreement(embeddings.float(), self.wanted).mean()
            loss = -agreed * share
            if layered is not None:
                loss = loss + config.natural * self.natural.penalty(layers, share)
            torch.autograd.backward(loss)
            total += float(agreed.detach()) * share
        self.natural.close_step()
        return total

    def _chunk(self, side: int) -> int:
        return min(self.config.cuts.number, chunk_size(self.scorer, side, parse_memory(self.config.memory)))

    def _average(self) -> None:
        """Follow the parameters with the running average that is shown (bias-corrected)."""
        decay = self.config.ema
        keep = decay * (1 - decay**self.done) / (1 - decay ** (self.done + 1)) if decay else 0.0
        with torch.no_grad():
            for name, value in self.generator.named_parameters():
                self.shown[name].mul_(keep).add_(value, alpha=1 - keep)

    # -- what it shows ------------------------------------------------------------------------------

    @torch.no_grad()
    def render(self, width: int, height: int) -> Tensor:
        """Return the picture as shown, ``(1, 3, height, width)``, display-encoded."""
        own = {name: value.detach().clone() for name, value in self.generator.named_parameters()}
        self.generator.load_state_dict(self.shown, strict=False)
        try:
            image: Tensor = self.generator(width, height)
            return image
        finally:
            self.generator.load_state_dict(own, strict=False)

    def preview(self) -> Plate:
        """Return the picture so far: at most 512 pixels wide or high, and no larger than it learns."""
        scale = min(1.0, PREVIEW_SIDE / max(self.config.size)) * getattr(self.config.options, "scale", 1.0)
        width, height = (max(8, round(side * scale)) for side in self.config.size)
        return from_tensor(self.render(width, height))

    def outcome(self) -> Outcome:
        """Return the finished picture, scene-linear, and how well the scorer thinks it agrees."""
        config = self.config
        image = sharpen(self.render(*config.size), config.sharpen, config.wrap)
        plate = convert(from_tensor(image), "scene_linear")
        return Outcome({"final": plate}, self.measure(image))

    @torch.no_grad()
    def measure(self, image: Tensor) -> dict[str, float]:
        """Return the final figures: agreement of the whole picture, overall and for each target."""
        side = self.scorer.size
        square = take_cuts(image, full_view(), side, wrap=self.config.wrap, colour=False)
        embedding = self.scorer.encode_image(square).float()
        figures = {"score": float(agreement(embedding, self.wanted))}
        cosines = (embedding @ self.wanted.vectors.T)[0].tolist()
        for target, cosine in zip(self.targets, cosines, strict=True):
            figures[f"score[{target}]"] = cosine
        return figures

    # -- stopping and going on ----------------------------------------------------------------------

    def state_dict(self) -> dict[str, Any]:
        """Return all that the next step depends on."""
        return {
            "done": self.done,
            "generator": dict(self.generator.state_dict()),
            "shown": dict(self.shown),
            "optimiser": self.optimiser.state_dict(),
            "draws": self.draws.get_state(),
            "natural": self.natural.state_dict(),
        }

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Restore what ``state_dict`` returned."""
        self.done = int(state["done"])
        self.generator.load_state_dict(state["generator"])
        self.shown = {name: value.to(self.device) for name, value in state["shown"].items()}
        self.optimiser.load_state_dict(state["optimiser"])
        self.draws.set_state(state["draws"])
        self.natural.load_state_dict(state["natural"])


def stage_at(config: DreamConfig, progress: float) -> int:
    """Return the index of the stage at ``progress`` (0 to 1)."""
    return max(index for index, start in enumerate(config.stage_starts) if start <= progress)


def learning_rate(config: DreamConfig, progress: float) -> float:
    """Return the learning rate at ``progress``: half a cosine down to the share left at the end."""
    end = config.learning_rate_end
    return config.options.learning_rate * (end + (1 - end) * 0.5 * (1 + math.cos(math.pi * progress)))


def find_device(name: str) -> torch.device:
    """Return a device by name.

    Raises:
        ConfigError: It does not exist here.
    """
    try:
        device = torch.device(name)
        torch.empty(1, device=device)
    except (RuntimeError, AssertionError, NotImplementedError) as error:
        raise ConfigError(f"device is {name!r}, which cannot be used here: choose cpu") from error
    return device


def targets_of(config: DreamConfig) -> tuple[Target, ...]:
    """Return everything that a config wants shown or avoided, words first."""
    words = parse_prompt(config.prompt) if config.prompt or not config.image_prompts else ()
    weights = config.image_weights or (1.0,) * len(config.image_prompts)
    pictures = tuple(
        Target(str(path), abs(weight), avoid=weight < 0, picture=True)
        for path, weight in zip(config.image_prompts, weights, strict=True)
    )
    return words + pictures


def encode_targets(scorer: Scorer, targets: tuple[Target, ...], device: torch.device) -> Wanted:
    """Put targets into a scorer's space."""
    texts = [target.text for target in targets if not target.picture]
    encoded = iter(scorer.encode_text(texts)) if texts else iter(())
    vectors = [
        encode_picture(scorer, target.text, device) if target.picture else next(encoded) for target in targets
    ]
    stacked = torch.stack([vector.float().to(device) for vector in vectors])
    return want(stacked, [target.weight for target in targets], [target.avoid for target in targets])


@torch.no_grad()
def encode_picture(scorer: Scorer, path: str, device: torch.device) -> Tensor:
    """Return a picture in a scorer's space, judged whole: its largest centred square."""
    image = picture_tensor(path).to(device)
    embedding = scorer.encode_image(take_cuts(image, full_view(), scorer.size, colour=False))
    return F.normalize(embedding.float(), dim=-1)[0]


def picture_tensor(path: str | Any) -> Tensor:
    """Read a picture as ``(1, 3, height, width)``, display-encoded and clipped to [0, 1].

    Raises:
        MediaError: It cannot be read, or holds NaN or infinite values.
    """
    plate = read(path).check_finite(str(path)).to_display()
    return to_tensor(plate.with_(pixels=plate.rgb(), channels=("R", "G", "B"))).clamp(0, 1)


def read_picture(path: Any, size: tuple[int, int]) -> Tensor:
    """Read a picture and fill ``size`` (width, height) with it: scaled to cover, cropped at the centre."""
    image = picture_tensor(path)
    height, width = image.shape[-2:]
    scale = max(size[0] / width, size[1] / height)
    new = (max(size[1], round(height * scale)), max(size[0], round(width * scale)))
    image = F.interpolate(image, new, mode="bicubic", antialias=True).clamp(0, 1)
    top, left = (new[0] - size[1]) // 2, (new[1] - size[0]) // 2
    return image[..., top : top + size[1], left : left + size[0]].contiguous()
