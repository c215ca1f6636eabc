"""``CompleteJob``: the rest of a picture, several times; each step delivers one candidate."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cached_property
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from dreamplate.dream.complete_config import CompleteConfig, parse_keep
from dreamplate.dream.complete_enlarge import enlarge, lead_in, through_codec
from dreamplate.dream.complete_grid import fill_grid, plan_grid
from dreamplate.dream.complete_refine import refined
from dreamplate.dream.completers import Completer, load_completer
from dreamplate.dream.cutouts import full_view, take_cuts
from dreamplate.dream.device import find_device
from dreamplate.dream.losses import Wanted, agreement, want
from dreamplate.dream.masks import composite
from dreamplate.dream.pictures import is_linear
from dreamplate.dream.prompts import parse_prompt
from dreamplate.dream.scorers import Scorer, load_scorer
from dreamplate.dream.targets import check_wanted, encode_targets
from dreamplate.plate import Plate, convert, from_tensor, read, to_tensor
from dreamplate.take.job import Outcome, Step
from dreamplate.take.sheet import contact_sheet
from dreamplate.tokens.codec import load_codec
from dreamplate.tokens.sampling import uniforms

__all__ = ["CompleteJob"]

TOGETHER = 4
"""Candidates that are drawn side by side. Always as many, so that rounding is the same for any count."""
THUMB = 384
"""Longest side of a picture on the sheet."""


def as_one(config: CompleteConfig) -> list[CompleteConfig]:
    """Return the config as one run: its candidates are ranked against each other."""
    return [config]


class CompleteJob:
    """Go on with a picture (`dreamplate complete`).

    A candidate follows from its seed alone. What is kept comes out as it went in: the candidates are joined
    with the plate itself, in linear light, where its values are not touched.

    Args:
        config: The complete description of the work.
        completer: Used in place of the model that the config names.
        scorer: Used in place of the one that the config names.

    Raises:
        MediaError: The picture cannot be read, has no colour, or is smaller than the model's.
        ModelError: There is no such model.
        ConfigError: The options do not fit the picture.
    """

    kind = "complete"
    plan = staticmethod(as_one)

    def __init__(
        self, config: CompleteConfig, completer: Completer | None = None, scorer: Scorer | None = None
    ) -> None:
        self.config = config
        self.device = find_device(config.device)
        name = str(config.image)
        plate = read(config.image).check_finite(name).to_display()
        plate.rgb()
        self.plate = plate if is_linear(plate.colourspace) else convert(plate, "scene_linear")
        self.completer = completer or load_completer(config, self.device)
        shown = self.plate.with_(pixels=self.plate.rgb().copy(), channels=("R", "G", "B"))
        image = to_tensor(shown).clamp(0, 1)[0]
        keep = parse_keep(config.keep)
        self.grid = plan_grid(image, keep, self.completer.side, self.completer.cell, name)
        self.codec = load_codec(config.codec) if config.enlarge == "vae" else None
        self.scorer: Scorer | None = scorer
        if scorer is None and (config.prompt or config.enlarge == "scorer"):
            self.scorer = load_scorer(config.scorer, self.device)
        self.wanted = self._wanted()
        rows, columns = self.grid.small.shape[-2:]
        self.small = torch.zeros(-(-config.count // TOGETHER) * TOGETHER, 3, rows, columns)
        self.thumbs: list[Tensor] = []
        self.scores: list[float] = []
        self.done = 0
        self.notices = list(getattr(self.completer, "notices", ()))

    def __len__(self) -> int:
        return self.config.count

    @property
    def position(self) -> int:
        """How many candidates are done."""
        return self.done

    def step(self) -> Step:
        """Make one candidate."""
        if self.done % TOGETHER == 0:
            self._draw(self.done)
        image = self._large(self.done)
        scalars = {"candidate": float(self.done + 1)}
        if self.config.prompt and self.wanted is not None:
            self.scores.append(self._score(image))
            scalars["score"] = self.scores[-1]
        self.thumbs.append(self._thumb(image))
        plate = self._plate(image)
        self.done += 1
        return Step(
            self.done,
            scalars,
            {"picture": lambda: from_tensor(self.thumbs[-1])},
            {self._name(self.done - 1): lambda: plate},
            "float",
        )

    @property
    def ranking(self) -> list[int]:
        """Candidates, best first; by their seeds where no prompt says what is best."""
        if not self.scores:
            return list(range(self.done))
        return sorted(range(self.done), key=lambda index: -self.scores[index])

    def outcome(self) -> Outcome:
        """Return the best candidate, and all of them side by side, best first."""
        order = self.ranking
        sheet = contact_sheet([from_tensor(self.thumbs[index]) for index in order])
        assert sheet is not None
        plates = {"final": self._plate(self._large(order[0])), "sheet": convert(sheet, "scene_linear")}
        figures = {"best": float(order[0] + 1), "kept": 1 - float(self.grid.new().float().mean())}
        figures |= {f"score_{index + 1:02d}": score for index, score in enumerate(self.scores)}
        if self.scores:
            figures["score"] = self.scores[order[0]]
        return Outcome(plates, figures, "float")

    def take_notices(self) -> tuple[str, ...]:
        """Return what the user should know and has not been told."""
        told = tuple(self.notices)
        self.notices.clear()
        return told

    def state_dict(self) -> dict[str, Any]:
        """Return what was drawn, what it is worth, and how it looks; the candidates themselves are files."""
        return {
            "done": self.done,
            "small": self.small.clone(),
            "scores": list(self.scores),
            "thumbs": [thumb.clone() for thumb in self.thumbs],
        }

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Restore what ``state_dict`` returned."""
        self.done = int(state["done"])
        self.small = state["small"].clone()
        self.scores = [float(score) for score in state["scores"]]
        self.thumbs = [thumb.clone() for thumb in state["thumbs"]]

    # -- one candidate --------------------------------------------------------------------------------

    def _draw(self, first: int) -> None:
        """Fill a group of candidates at the model's scale."""
        seeds = [(self.config.seed + index) % 2**63 for index in range(first, first + TOGETHER)]
        rows, columns = self.grid.known.shape
        numbers = uniforms([torch.Generator().manual_seed(seed) for seed in seeds], rows * columns)
        made = fill_grid(self.grid, self.completer, numbers.view(TOGETHER, rows, columns))
        self.small[first : first + TOGETHER] = made.float().cpu()

    def _large(self, index: int) -> Tensor:
        """Return a candidate at full size, ``(1, 3, height, width)``, display-encoded, as it lies."""
        small = self.small[index : index + 1]
        if self.codec is not None:
            small = through_codec(small, self.grid, self.codec)
        elif self.config.enlarge == "scorer":
            assert self.scorer is not None and self.wanted is not None
            seed = self.config.seed + index
            small = refined(small, self.grid, self.scorer, self.wanted, self.config, seed)
        large = lead_in(enlarge(small, self.grid.size), self.grid, self.config.seam)
        new = self.grid.new()
        kept = self.grid.unmirrored(self.grid.kept)[None]
        return torch.where(new, self.grid.unmirrored(large), kept)

    def _plate(self, image: Tensor) -> Plate:
        """Return a candidate as it is delivered: what is kept is the plate's, to the last bit."""
        return composite(from_tensor(image), self.plate, self.grid.new()[None, None].float())

    @cached_property
    def _thumb_size(self) -> tuple[int, int]:
        height, width = self.grid.size
        scale = min(1.0, THUMB / max(height, width))
        return max(1, round(height * scale)), max(1, round(width * scale))

    def _thumb(self, image: Tensor) -> Tensor:
        return F.interpolate(image, self._thumb_size, mode="area")

    @torch.no_grad()
    def _score(self, image: Tensor) -> float:
        assert self.scorer is not None and self.wanted is not None
        view = take_cuts(image.to(self.device), full_view(), self.scorer.size, colour=False)
        return float(agreement(self.scorer.encode_image(view).float(), self.wanted)[0])

    @torch.no_grad()
    def _wanted(self) -> Wanted | None:
        """Return what the scorer shall see: the prompt or, without one, what it sees in what is kept."""
        if self.scorer is None:
            return None
        if self.config.prompt:
            targets = check_wanted(parse_prompt(self.config.prompt))
            return encode_targets(self.scorer, targets, self.device)
        grid = self.grid
        alone = grid.kept[:, :, : grid.line] if grid.across else grid.kept[:, : grid.line]
        view = take_cuts(alone[None].to(self.device), full_view(), self.scorer.size, colour=False)
        return want(self.scorer.encode_image(view).float(), [1.0], [False])

    def _name(self, index: int) -> str:
        return f"candidate_{index + 1:0{max(2, len(str(self.config.count)))}}"
