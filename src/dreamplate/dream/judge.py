"""An independent judge: a classifier that never guides a dream says what it sees in the finished picture."""

from __future__ import annotations

import json
from dataclasses import dataclass
from importlib.resources import files

import torch
import torch.nn.functional as F
from torch import Tensor

from dreamplate.errors import MediaError
from dreamplate.nets.packaged import load_classifier, package_file
from dreamplate.plate import Plate, to_tensor


@dataclass(frozen=True)
class JudgePrompt:
    """A prompt that names something, and the classes that count as having drawn it."""

    text: str
    accept: tuple[int, ...]


@dataclass(frozen=True)
class Verdict:
    """What the judge saw.

    Attributes:
        rank: 1 when an accepted class is the judge's first choice, 2 its second, and so on.
        probability: Sum over the accepted classes.
        seen: The judge's first choice and its probability.
    """

    rank: int
    probability: float
    seen: tuple[str, float]


class ImageNetJudge:
    """EfficientNet-Lite2 over the 1000 ImageNet classes, at 260 pixels.

    Raises:
        MissingExtraError: The package that carries it, or the class names, is not installed.
        CheckpointError: Its weight file is not the one that is known.
    """

    def __init__(self, device: str | torch.device = "cpu") -> None:
        self.net = load_classifier("lite2").to(device)
        self.device = torch.device(device)
        self.names: tuple[str, ...] = tuple(json.loads(package_file("clean").read_text(encoding="utf-8")))

    @torch.no_grad()
    def probabilities(self, picture: Plate | Tensor) -> Tensor:
        """Probability of each class in a picture's largest centred square.

        Args:
            picture: A plate with R, G and B, or display-encoded ``(3, h, w)`` or ``(1, 3, h, w)`` in [0, 1].

        Returns:
            ``(1000,)`` on the CPU.

        Raises:
            MediaError: The shape is another.
        """
        image = centre_square(as_tensor(picture), self.net.size)
        logits: Tensor = self.net(image.to(self.device))
        return logits.softmax(-1)[0].cpu()

    def __call__(self, picture: Plate | Tensor, top: int = 5) -> list[tuple[str, float]]:
        """The ``top`` most probable class names with their probabilities."""
        found = self.probabilities(picture).topk(top)
        return [
            (self.names[i], p) for p, i in zip(found.values.tolist(), found.indices.tolist(), strict=True)
        ]

    def verdict(self, picture: Plate | Tensor, prompt: JudgePrompt) -> Verdict:
        """How well a picture shows what a prompt names."""
        p = self.probabilities(picture)
        accept = list(prompt.accept)
        best = int(p.argmax())
        rank = 1 + int((p > p[accept].max()).sum())
        return Verdict(rank, float(p[accept].sum()), (self.names[best], float(p[best])))


def judge_prompts() -> tuple[JudgePrompt, ...]:
    """The forty fixed prompts of the benchmark."""
    import yaml

    text = files("dreamplate.dream").joinpath("judge_prompts.yaml").read_text(encoding="utf-8")
    return tuple(JudgePrompt(entry["text"], tuple(entry["accept"])) for entry in yaml.safe_load(text))


def as_tensor(picture: Plate | Tensor) -> Tensor:
    """A picture as ``(1, 3, h, w)``, display-encoded, in [0, 1].

    Raises:
        MediaError: It has no three colour channels or no pixels.
    """
    if isinstance(picture, Plate):
        image = to_tensor(Plate.from_rgb(picture.rgb(), colourspace=picture.colourspace))
    else:
        image = picture if picture.ndim == 4 else picture[None]
    if image.ndim != 4 or image.shape[:2] != (1, 3) or min(image.shape[2:]) < 1:
        raise MediaError(
            f"picture has shape {tuple(image.shape)}; one picture (3, h, w) with pixels expected"
        )
    return image.detach().float().clamp(0, 1)


def centre_square(image: Tensor, side: int) -> Tensor:
    """The largest centred square of ``(1, 3, h, w)``, resampled to ``side`` pixels."""
    height, width = image.shape[2:]
    short = min(height, width)
    top, left = (height - short) // 2, (width - short) // 2
    square = image[:, :, top : top + short, left : left + short]
    if short == side:
        return square
    resized = F.interpolate(square, size=(side, side), mode="bicubic", antialias=True, align_corners=False)
    return resized.clamp(0, 1)
