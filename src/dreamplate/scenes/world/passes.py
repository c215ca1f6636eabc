"""Passes of a rendered world: their names, channels and meaning; a frame that holds them.

    pass      channels               type   meaning, where nothing is
    rgb       R G B A                half   scene-linear, filtered; A is 1: the sky is part of the picture
    depth     Z                      float  planar distance, metres; 1e10
    range     depth.range            float  distance along the ray, metres; 1e10
    position  P.x P.y P.z            float  the surface in the world; 0
    normal    N.x N.y N.z            half   unit normal there, in the world, towards the camera; 0
    forward   motion.forward.u .v    float  pixels from this frame to the next, u right, v down; 0
    backward  motion.backward.u .v   float  pixels from this frame to the one before; 0
    albedo    albedo.R .G .B         half   share of light that the surface returns, scene-linear; 0
    label     label                  half   class, see `classes.CLASSES`; 0 is sky
    instance  instance               float  which of the things, from 1; 0: sky, ground and water
    line      line                   half   contour drawing, black on white: 0 line, 1 paper

All but rgb and line belong to the one ray through the pixel's centre, as in ``fields.passes``.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any

import numpy as np
import numpy.typing as npt

from dreamplate.errors import SceneError
from dreamplate.plate.camera import Camera
from dreamplate.plate.plate import MetaValue, Plate
from dreamplate.take.fields import nearest

__all__ = ["CHANNELS", "NOTHING", "PASSES", "Frame", "checked_passes", "display"]

NOTHING = 1e10
"""Depth where only sky is."""
CHANNELS: dict[str, tuple[str, ...]] = {
    "rgb": ("R", "G", "B", "A"),
    "depth": ("Z",),
    "range": ("depth.range",),
    "position": ("P.x", "P.y", "P.z"),
    "normal": ("N.x", "N.y", "N.z"),
    "forward": ("motion.forward.u", "motion.forward.v"),
    "backward": ("motion.backward.u", "motion.backward.v"),
    "albedo": ("albedo.R", "albedo.G", "albedo.B"),
    "label": ("label",),
    "instance": ("instance",),
    "line": ("line",),
}
"""Pass → its channels in a plate."""
PASSES: tuple[str, ...] = tuple(CHANNELS)
"""All passes."""


def checked_passes(passes: Sequence[str]) -> tuple[str, ...]:
    """Return names of passes as a tuple, each once.

    Raises:
        SceneError: A name is unknown, or there is none.
    """
    if not passes:
        raise SceneError(f"passes: none are asked for; known: {', '.join(PASSES)}")
    for name in passes:
        if name not in CHANNELS:
            raise SceneError(f"passes: {name!r} is unknown; {nearest(name, PASSES)}")
    return tuple(dict.fromkeys(passes))


@dataclass(frozen=True, eq=False)
class Frame:
    """One rendered picture of a world.

    Attributes:
        passes: Pass → array, ``(height, width)`` or ``(height, width, k)``: label uint8, instance int32, the
            others float32; rgb has three channels.
        camera: Whose picture it is.
        time: Its moment, seconds.
    """

    passes: Mapping[str, npt.NDArray[Any]]
    camera: Camera
    time: float = 0.0
    metadata: Mapping[str, MetaValue] = field(default_factory=dict)

    def __post_init__(self) -> None:
        object.__setattr__(self, "passes", MappingProxyType(dict(self.passes)))

    def __getitem__(self, name: str) -> npt.NDArray[Any]:
        """Return one pass.

        Raises:
            SceneError: It was not rendered.
        """
        if name not in self.passes:
            raise SceneError(f"frame has no pass {name!r}; it has {', '.join(self.passes)}")
        return self.passes[name]

    def __contains__(self, name: object) -> bool:
        return name in self.passes

    def plate(self) -> Plate:
        """Return all passes as one plate with named channels, scene-linear."""
        names: list[str] = []
        planes: list[npt.NDArray[np.float32]] = []
        for name, array in self.passes.items():
            given = array[:, :, None] if array.ndim == 2 else array
            layers = [np.asarray(given[:, :, k], np.float32) for k in range(given.shape[2])]
            if name == "rgb":
                layers.append(np.ones(given.shape[:2], np.float32))
            names += CHANNELS[name]
            planes += layers
        return Plate(np.stack(planes, axis=2), tuple(names), "scene_linear", metadata=dict(self.metadata))


def display(rgb: npt.ArrayLike) -> npt.NDArray[np.uint8]:
    """Return scene-linear light as 8-bit sRGB for a display, same shape.

    Up to 0.6 values are encoded as they are; brighter ones roll off towards white, all three colours by the
    same rule, so that glows keep their shape instead of clipping.
    """
    light = np.maximum(np.asarray(rgb, np.float32), 0)
    over = np.maximum(light - KNEE, 0)
    light = np.minimum(light, KNEE) + (1 - KNEE) * (1 - np.exp(-over / (1 - KNEE)))
    encoded = np.where(
        light <= 0.0031308, 12.92 * light, 1.055 * np.maximum(light, 0.0031308) ** (1 / 2.4) - 0.055
    )
    return (encoded * 255 + 0.5).astype(np.uint8)


KNEE = 0.6
"""Light from which `display` rolls off."""
