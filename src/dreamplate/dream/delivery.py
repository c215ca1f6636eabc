"""The finished pictures as an artist gets them: scene-linear, composited, with layers that explain them."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from dreamplate.dream.config import DreamConfig
from dreamplate.dream.control import Control
from dreamplate.dream.cutouts import full_view, take_cuts
from dreamplate.dream.finish import sharpen
from dreamplate.dream.heat import heat_maps
from dreamplate.dream.judging import Judge
from dreamplate.dream.losses import Wanted, agreement
from dreamplate.dream.masks import composite
from dreamplate.dream.prompts import Target
from dreamplate.plate import Plate, convert, from_tensor


@dataclass(frozen=True)
class Delivery:
    """What a dream delivers.

    Attributes:
        config: The dream.
        judge: What measures it.
        control: What it was held to.
        targets: What it should show.
        wanted: The same in the scorer's space.
        images: The pictures as rendered, ``(batch, 3, height, width)``, display-encoded.
    """

    config: DreamConfig
    judge: Judge
    control: Control
    targets: tuple[Target, ...]
    wanted: Wanted
    images: Float[Tensor, "batch 3 height width"]

    def pictures(self) -> dict[str, Plate]:
        """Return the finished plates: ``final``, the best, and every one by number when there are several."""
        if len(self.images) == 1:
            return {"final": self.plate(0)}
        best = int(self.scores().argmax())
        digits = max(2, len(str(len(self.images))))
        every = {f"picture_{index + 1:0{digits}}": self.plate(index) for index in range(len(self.images))}
        return {"final": self.plate(best), **every}

    def frame(self) -> Plate:
        """Return the finished plate of a sequence's frame."""
        return self.plate(0)

    def plate(self, index: int) -> Plate:
        """Return one finished plate: scene-linear, the kept region as it was, with its layers."""
        image = self.finished(index)
        plate = convert(from_tensor(image), "scene_linear")
        if self.control.kept is not None and self.control.mask is not None:
            plate = composite(plate, self.control.kept, self.control.mask.image)
        layers: dict[str, Tensor] = {}
        if self.control.mask is not None:
            layers["mask.Y"] = self.control.mask.image[0, 0]
        if self.config.heat:
            own = self.wanted.vectors[: len(self.targets)]
            maps = heat_maps(self.judge.scorer, image, own)
            for target, heat in zip(self.targets, maps, strict=True):
                words = Path(target.text).stem if target.picture else target.text
                layers[f"heat.{layer_name(words, layers)}"] = heat
        return with_layers(plate, layers)

    def finished(self, index: int) -> Float[Tensor, "1 3 height width"]:
        """Return one picture with its last touch, display-encoded."""
        return sharpen(self.images[index : index + 1], self.config.sharpen, self.config.wrap)

    @torch.no_grad()
    def scores(self) -> Float[Tensor, " batch"]:
        """Return how well each picture agrees, seen whole."""
        return torch.stack(
            [agreement(self._seen(index), self.wanted)[0] for index in range(len(self.images))]
        )

    @torch.no_grad()
    def figures(self) -> dict[str, float]:
        """Return the final figures of the best picture: its agreement with all targets, and with each."""
        scores = self.scores()
        best = int(scores.argmax())
        figures = {"score": float(scores[best])}
        cosines = (self._seen(best) @ self.wanted.vectors.T)[0].tolist()
        for target, cosine in zip(self.targets, cosines, strict=False):
            figures[f"score[{target}]"] = cosine
        for number, region in enumerate(self.control.regions, start=1):
            figures[f"score_region_{number}"] = float(region.measure(self.finished(best)))
        for name, loss in self.control.wishes():
            figures[name] = float(loss(self.finished(best)).mean())
        if len(self.images) > 1:
            figures |= {f"score_{number}": value for number, value in enumerate(scores.tolist(), start=1)}
        return figures

    def _seen(self, index: int) -> Tensor:
        side = self.judge.scorer.size
        square = take_cuts(self.finished(index), full_view(), side, wrap=self.config.wrap, colour=False)
        return self.judge.scorer.encode_image(square).float()


def layer_name(text: str, taken: dict[str, Tensor]) -> str:
    """Return words as the name of an EXR channel: ``a red fox`` becomes ``a_red_fox``."""
    name = re.sub(r"[^A-Za-z0-9]+", "_", text).strip("_")[:48] or "prompt"
    number, made = 1, name
    while f"heat.{made}" in taken:
        number += 1
        made = f"{name}_{number}"
    return made


def with_layers(plate: Plate, layers: dict[str, Tensor]) -> Plate:
    """Return a plate with single channels added, each ``(height, width)``."""
    if not layers:
        return plate
    own = {name: values for name, values in layers.items() if name not in plate.channels}
    arrays = [values.detach().float().cpu().numpy()[:, :, None] for values in own.values()]
    pixels = np.concatenate([plate.pixels, *arrays], axis=2).astype(np.float32)
    return plate.with_(pixels=pixels, channels=(*plate.channels, *own))
