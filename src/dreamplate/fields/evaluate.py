"""Rendering views and measuring them against their photographs."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from dreamplate.fields.compositing import composite
from dreamplate.fields.limits import limited
from dreamplate.fields.method import Method
from dreamplate.fields.photographs import Encoding, Photographs
from dreamplate.fields.rays import Rays, camera_rays
from dreamplate.fields.spaces import Extent
from dreamplate.nets.similarity import psnr, ssim
from dreamplate.plate import Plate, convert
from dreamplate.plate.camera import Camera

__all__ = ["Compared", "Viewer", "sheet"]

Picture = npt.NDArray[np.float32]


@dataclass(frozen=True, eq=False)
class Viewer:
    """Draws a method through cameras, over one background.

    Attributes:
        method: The field.
        extent: Where its content is.
        background: ``(r, g, b)`` in the encoding.
        encoding: What its colours mean.
        chunk: Rays at a time.
        device: Where it is.
    """

    method: Method
    extent: Extent
    background: tuple[float, float, float]
    encoding: Encoding
    chunk: int = 16_384
    device: torch.device | str = "cpu"

    @torch.no_grad()
    def colours(self, rays: Rays) -> Tensor:
        """Return the colour of rays over the background, ``(n, 3)`` on the CPU."""
        behind = torch.tensor(self.background, device=self.device)
        parts = [
            composite(self.method.trace(rays[at : at + self.chunk]).samples).over(behind).float().cpu()
            for at in range(0, len(rays), self.chunk)
        ]
        return torch.cat(parts)

    def picture(self, camera: Camera) -> Picture:
        """Return what a camera sees, ``(height, width, 3)``, in the encoding."""
        rays = limited(camera_rays(camera).to(self.device), self.extent)
        return self.colours(rays).numpy().reshape(camera.height, camera.width, 3)

    def plate(self, pixels: Picture) -> Plate:
        """Return pixels in the encoding as a plate."""
        return Plate(np.ascontiguousarray(pixels, np.float32), ("R", "G", "B"), self.encoding)

    def shown(self, pixels: Picture) -> Picture:
        """Return pixels as a monitor shows them, display-encoded and held to 0-1."""
        return np.clip(convert(self.plate(pixels), "srgb_display").pixels, 0, 1)


@dataclass(frozen=True, eq=False)
class Compared:
    """A view beside its photograph.

    Attributes:
        name: Of the view.
        render: ``(height, width, 3)`` in the encoding.
        photograph: The same, over the same background.
        psnr: Decibels over pixels that are known, in display encoding.
        ssim: Structural similarity over the whole picture, display-encoded; unknown pixels count as equal.
        lpips: Perceptual distance, or None.
    """

    name: str
    render: Picture
    photograph: Picture
    psnr: float
    ssim: float
    lpips: float | None = None


def compare(
    viewer: Viewer,
    photographs: Photographs,
    view: int,
    distance: Callable[[Tensor, Tensor], Tensor] | None = None,
) -> Compared:
    """Render one view and measure it."""
    truth = over(photographs.picture(view), viewer.background)
    render = viewer.picture(photographs.cameras[view])
    known = photographs.known(view)
    a, b = torch.from_numpy(viewer.shown(render)), torch.from_numpy(viewer.shown(truth))
    weights = torch.from_numpy(known)
    a = torch.where(weights[:, :, None] > 0, a, b)
    far = None
    if distance is not None:
        far = float(distance(a.permute(2, 0, 1)[None], b.permute(2, 0, 1)[None]))
    return Compared(photographs.names[view], render, truth, psnr(a, b, weights), ssim(a, b), far)


def over(rgba: Picture, background: tuple[float, float, float]) -> Picture:
    """Return premultiplied RGBA over a background, ``(height, width, 3)``."""
    return np.asarray(rgba[:, :, :3] + (1 - rgba[:, :, 3:]) * np.asarray(background, np.float32), np.float32)


def figures(compared: Sequence[Compared]) -> dict[str, float]:
    """Return the means of all figures that are finite, and the PSNR of each view."""
    found: dict[str, float] = {}
    for name in ("psnr", "ssim", "lpips"):
        values = [value for item in compared if (value := getattr(item, name)) is not None]
        finite = [value for value in values if math.isfinite(value)]
        if finite:
            found[name] = sum(finite) / len(finite)
    return found | {f"psnr[{c.name}]": c.psnr for c in compared if math.isfinite(c.psnr)}


def sheet(viewer: Viewer, compared: Sequence[Compared]) -> Plate:
    """Return a sheet: in each row a render, its photograph, and four times their difference."""
    height = max(item.render.shape[0] for item in compared)
    width = max(item.render.shape[1] for item in compared)
    rows = []
    for item in compared:
        a, b = viewer.shown(item.render), viewer.shown(item.photograph)
        cells = np.zeros((height, 3 * width, 3), np.float32)
        for column, picture in enumerate((a, b, np.clip(np.abs(a - b) * 4, 0, 1))):
            cells[: a.shape[0], column * width : column * width + a.shape[1]] = picture
        rows.append(cells)
    return Plate(np.concatenate(rows), ("R", "G", "B"), "srgb_display")
