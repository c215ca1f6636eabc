"""Everything that an artist asks for besides the words, gathered: mask, regions, locks, palette, symmetry."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial

import torch
from jaxtyping import Float
from torch import Tensor

from dreamplate.dream.config import DreamConfig
from dreamplate.dream.judging import fitting_chunk
from dreamplate.dream.locks import StructureLock, make_lock
from dreamplate.dream.losses import roughness, total_variation
from dreamplate.dream.masks import blend, check_apart, read_mask
from dreamplate.dream.painting import Painting
from dreamplate.dream.palettes import Palette
from dreamplate.dream.pictures import Reference, read_kept, read_picture
from dreamplate.dream.prompts import parse_prompt
from dreamplate.dream.regions import RegionCritic
from dreamplate.dream.scorers import Scorer
from dreamplate.dream.symmetry import asymmetry
from dreamplate.dream.targets import check_wanted, encode_targets
from dreamplate.errors import ConfigError
from dreamplate.plate import Plate

Wish = tuple[str, Callable[[Tensor], Tensor]]
"""A name, and a loss ``(n, 3, h, w) -> (n,)``."""


@dataclass(frozen=True)
class Control:
    """What holds a dream besides its words.

    Attributes:
        config: The dream.
        kept: The plate of which the mask keeps a part.
        init: The same as display-encoded picture.
        mask: 1 where the dream may change.
        regions: Parts with prompts of their own.
        locks: What is kept of reference pictures.
        palette: Colours to keep to.
    """

    config: DreamConfig
    kept: Plate | None
    init: Reference | None
    mask: Reference | None
    regions: tuple[RegionCritic, ...]
    locks: tuple[StructureLock, ...]
    palette: Palette | None

    @classmethod
    def of(cls, config: DreamConfig, scorer: Scorer, device: torch.device) -> Control:
        """Read everything that a config names.

        Raises:
            ConfigError: A mask is empty or of another shape, regions overlap, a colour cannot be read.
            MediaError: A picture cannot be read.
        """
        kept = init = mask = None
        if config.mask is not None and config.init is not None:
            mask = Reference(read_mask(config.mask, config.size).to(device))
            kept = read_kept(config.init, config.size)
            init = Reference(read_picture(config.init, config.size).to(device))
        masks = [(region.mask, read_mask(region.mask, config.size).to(device)) for region in config.regions]
        check_apart(masks)
        regions = tuple(
            RegionCritic(
                inside,
                encode_targets(scorer, check_wanted(parse_prompt(region.prompt)), device),
                scorer,
                config.cuts,
                weight=max(config.agreement, 1e-6),
                spherical=config.distance == "spherical",
            )
            for region, (_, inside) in zip(config.regions, masks, strict=True)
        )
        locks = tuple(make_lock(lock, config.size, scorer) for lock in config.locks)
        palette = Palette(config.palette) if config.palette else None
        return cls(config, kept, init, mask, regions, locks, palette)

    @property
    def depth(self) -> str | None:
        """Sample type of the EXR: 32-bit float where a region is kept to the bit."""
        return "float" if self.mask is not None else None

    def confine(self, generator: Painting) -> None:
        """Tell a generator that can split itself in space where it may change."""
        confine = getattr(generator, "confine", None)
        if confine is not None and self.mask is not None:
            confine(self.mask.image)

    def show(self, image: Float[Tensor, "n 3 h w"]) -> Float[Tensor, "n 3 h w"]:
        """Return the picture as everybody sees it: the dream inside the mask, what is kept outside."""
        if self.init is None or self.mask is None:
            return image
        return blend(image, self.init, self.mask)

    def wishes(self) -> Iterator[Wish]:
        """Return every loss that is a function of the whole picture alone, weighted."""
        config = self.config
        for lock, critic in zip(config.locks, self.locks, strict=True):
            yield f"lock_{lock.kind}", partial(_weighted, critic.loss, lock.weight)
        if self.palette is not None:
            palette = self.palette
            yield "palette", lambda image: config.palette_weight * palette.loss(image)
        if config.symmetry != "none":
            yield "symmetry", lambda image: config.symmetry_weight * asymmetry(image, config.symmetry)
        if config.smooth:
            yield "smooth", lambda image: config.smooth * roughness(image, config.wrap)
        if config.total_variation:
            yield "variation", lambda image: config.total_variation * total_variation(image, config.wrap)

    def add_gradient(
        self, leaf: Float[Tensor, "n 3 h w"], draws: Sequence[torch.Generator], progress: float, side: int
    ) -> dict[str, float]:
        """Add the gradient of every wish and region to ``leaf.grad``; return their losses by name."""
        found: dict[str, float] = {}
        for name, loss in self.wishes():
            value = loss(leaf)
            torch.autograd.backward(value.sum())
            found[name] = found.get(name, 0.0) + float(value.detach().mean())
        for index, region in enumerate(self.regions):
            chunk = fitting_chunk(region.scorer, self.config, side)
            scores = region.step(leaf, draws, progress, side, chunk)
            found[f"region_{index + 1}"] = -region.weight * float(torch.as_tensor(scores).mean())
        return found

    @torch.no_grad()
    def structure(self, images: Float[Tensor, "n 3 h w"]) -> Float[Tensor, " n"]:
        """Return how far pictures are from the references of all locks ``(n,)``."""
        if not self.locks:
            raise ConfigError("structure needs a reference: give --locks KIND:PICTURE")
        pairs = zip(self.locks, self.config.locks, strict=True)
        return torch.stack([lock.weight * critic.loss(images) for critic, lock in pairs]).sum(0)


def _weighted(loss: Callable[[Tensor], Tensor], weight: float, image: Tensor) -> Tensor:
    return weight * loss(image)
