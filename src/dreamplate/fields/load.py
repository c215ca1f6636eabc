"""Opening what a fit has learnt, from its take alone: the photographs may be gone."""

from __future__ import annotations

import os
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from dreamplate.errors import TakeError
from dreamplate.fields.about import About
from dreamplate.fields.build import build_method, find_device
from dreamplate.fields.config import FitConfig
from dreamplate.fields.limits import limited
from dreamplate.fields.method import Method
from dreamplate.fields.photographs import Encoding
from dreamplate.fields.rays import Rays, camera_rays
from dreamplate.fields.sky import WithSky
from dreamplate.fields.spaces import Extent
from dreamplate.plate.camera import Camera
from dreamplate.scenes.scene import Split
from dreamplate.take.state import read_state
from dreamplate.take.take import Take

__all__ = ["Fitted", "load_fit"]


@dataclass(frozen=True, eq=False)
class Fitted:
    """A field that was learnt, with what one needs to draw it.

    Attributes:
        method: The field and how rays through it are sampled.
        config: Of the fit, its device the one asked for.
        about: The scene as the fit knew it.
        device: Where it is.
    """

    method: Method
    config: FitConfig
    about: About
    device: torch.device

    @property
    def encoding(self) -> Encoding:
        """What the field's colours mean: a key of ``plate.ENCODINGS``."""
        return self.about.encoding

    @property
    def background(self) -> tuple[float, float, float]:
        """Colour behind clear pixels, in the encoding."""
        return self.about.background

    @property
    def cameras(self) -> tuple[Camera, ...]:
        """Cameras of all views, at the size of the photographs on disk."""
        return self.about.cameras

    @property
    def names(self) -> tuple[str, ...]:
        """Names of all views."""
        return self.about.names

    @property
    def splits(self) -> tuple[Split, ...]:
        """What each view was for."""
        return self.about.splits

    @property
    def extent(self) -> Extent:
        """Where content is."""
        return self.about.extent

    def rays(self, camera: Camera, pixels: Tensor | None = None) -> Rays:
        """Return rays of a camera that begin and end in the extent, on the field's device.

        Args:
            camera: At rest.
            pixels: ``(n, 2)`` continuous positions; all pixel centres, row by row, when None.
        """
        return limited(camera_rays(camera, pixels).to(self.device), self.extent)


def load_fit(take: str | os.PathLike[str], device: str = "cpu") -> Fitted:
    """Open what a finished or paused fit has learnt.

    Args:
        take: Folder of the take.
        device: Where the field shall be.

    Raises:
        TakeError: The folder is no take of a fit, or nothing is learnt yet.
        StateError: The checkpoint is damaged.
        ConfigError: The device does not exist.
    """
    opened = Take.open(take)
    if opened.kind != "fit":
        raise TakeError(f"{opened.path}: is a take of {opened.kind!r}; give the take of a fit")
    if not opened.state_path.exists():
        raise TakeError(f"{opened.path}: nothing is learnt yet; run dreamplate resume {opened.path}")
    config, place = replace(opened.config(FitConfig), device=device), find_device(device)
    state = read_state(opened.state_path)["job"]
    about = About.from_json(state["about"], str(opened.state_path))
    draws = torch.Generator().manual_seed(config.seed)
    method = build_method(config, about.extent, 0, draws, about.encoding)
    method.load_state_dict(state["method"])
    if isinstance(method, WithSky):
        method = method.method  # what is rendered stands before a sky of the artist's choice
    return Fitted(method, config, about, place)
