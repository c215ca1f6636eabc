"""Drawing batches of rays from photographs: uniform over all pixels of all views, by seed.

Every random number comes from one CPU generator, so that batches do not depend on the device and a run
that was stopped continues with the very next batch.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from dreamplate.fields.kernels.launch import arrays, gpu_launch
from dreamplate.fields.method import Batch
from dreamplate.fields.photographs import Photographs
from dreamplate.fields.rays import Rays

__all__ = ["RayBatches", "RayLimits"]

RayLimits = Callable[[Tensor, Tensor], tuple[Tensor, Tensor]]
"""From origins and unit directions, both ``(n, 3)``, to where rays begin and end, both ``(n,)``."""


class RayBatches:
    """Draws training rays from photographs.

    Pixels are drawn with replacement. With ``patch`` above 1 they come in small squares whose places are
    uniform (moved inwards at the border of a picture), which keeps neighbouring rays together in memory.

    Args:
        photographs: Where colours come from.
        limits: Where each ray begins and ends; 0 and infinity when None.
        draws: CPU generator of every draw.
        patch: Side of the squares in pixels.
        device: Where batches are wanted; the pixels are kept there too.
    """

    def __init__(
        self,
        photographs: Photographs,
        limits: RayLimits | None = None,
        *,
        draws: torch.Generator,
        patch: int = 1,
        device: torch.device | str = "cpu",
    ) -> None:
        self.photographs, self.limits, self.draws, self.patch = photographs, limits, draws, patch
        self.device = torch.device(device)
        cameras = photographs.cameras
        weights = photographs.weights
        table, tables, blind = _direction_tables(photographs)
        if blind.any():
            weights = np.ones(len(blind), np.float16) if weights is None else weights.copy()
            weights[blind] = 0
        self._offsets = torch.from_numpy(photographs.offsets).to(self.device)
        self._widths = torch.tensor([camera.width for camera in cameras], device=self.device)
        self._sizes = torch.tensor([(camera.width, camera.height) for camera in cameras])
        self._lenses = torch.tensor([(c.fx, c.fy, c.cx, c.cy) for c in cameras]).float().to(self.device)
        self._table, self._tables = table.to(self.device), tables.to(self.device)
        self._poses = torch.tensor(np.stack([c.camera_to_world[:3] for c in cameras])).float().to(self.device)
        self._radii = torch.tensor([1 / (c.fx * 3**0.5) for c in cameras]).float().to(self.device)
        moments = [camera.time for camera in cameras]
        self._times: Tensor | None = None
        if any(moment is not None for moment in moments):
            self._times = torch.tensor([moment or 0.0 for moment in moments]).float().to(self.device)
        self._pixels = torch.from_numpy(np.asarray(photographs.pixels)).to(self.device)
        self._weights = None if weights is None else torch.from_numpy(weights).to(self.device)
        depths = photographs.depths
        self._depths = None if depths is None else torch.from_numpy(np.asarray(depths)).to(self.device)

    def draw(self, count: int, *, crop: float = 1.0, one_view: bool = False) -> Batch:
        """Return a batch of rays.

        Args:
            count: How many at least; with patches, a whole number of squares.
            crop: Draw from the middle of each picture only, this share of its width and height (NeRF's
                precrop).
            one_view: Draw all of them from one photograph, itself drawn by its number of pixels.
        """
        return self.at(self._draw_pixels(count, crop, one_view).to(self.device))

    def at(self, pixels: Tensor) -> Batch:
        """Return the rays of given pixels, numbered among all pixels of all views; ``(n,)`` int64."""
        rays = self.rays(pixels)
        colours = self._pixels.index_select(0, pixels).float()
        return Batch(
            rays,
            colours[:, :3].contiguous(),
            colours[:, 3].contiguous() if colours.shape[1] == 4 else None,
            None if self._weights is None else self._weights.index_select(0, pixels).float(),
            None if self._depths is None else self._depths.index_select(0, pixels),
        )

    def rays(self, pixels: Tensor) -> Rays:
        """Return the rays of given pixels, without what the photographs show."""
        count = len(pixels)
        views = torch.empty(count, dtype=torch.int64, device=self.device)
        origins, directions = self._poses.new_empty(count, 3), self._poses.new_empty(count, 3)
        cosines = self._poses.new_empty(count)
        given = (pixels, self._offsets, self._widths, self._lenses, self._tables, self._table, self._poses)
        if self.device.type in ("cpu", "cuda"):
            from dreamplate.fields.kernels import batch as kernels

            held = arrays(*given, views, origins, directions, cosines)
            if self.device.type == "cpu":
                kernels.pixel_rays(count, *held)
            else:
                gpu_launch(kernels.pixel_ray, count, *held)
        else:
            views, origins, directions, cosines = pixel_rays_twin(*given)
        if self.limits is None:
            near, far = torch.zeros_like(cosines), torch.full_like(cosines, float("inf"))
        else:
            near, far = self.limits(origins, directions)
        times = None if self._times is None else self._times[views]
        return Rays(origins, directions, near, far, cosines, views, times, self._radii[views])

    def _draw_pixels(self, count: int, crop: float, one_view: bool) -> Tensor:
        patch = self.patch
        sizes = self._sizes
        inner = (sizes * crop).round().long().clamp_min(1).minimum(sizes) if crop < 1 else sizes
        ends = torch.cumsum(inner[:, 0] * inner[:, 1], 0)
        squares = -(-count // patch**2)
        if one_view:
            view = torch.searchsorted(
                ends, torch.randint(int(ends[-1]), (1,), generator=self.draws), right=True
            )
            place = torch.randint(int(inner[view].prod()), (squares,), generator=self.draws)
            views = view.expand(squares)
        else:
            flat = torch.randint(int(ends[-1]), (squares,), generator=self.draws)
            views = torch.searchsorted(ends, flat, right=True)
            place = flat - (ends - inner[:, 0] * inner[:, 1])[views]
        size, room = sizes[views], inner[views]
        first = (size - room) // 2
        row, column = place // room[:, 0] + first[:, 1], place % room[:, 0] + first[:, 0]
        if patch > 1:
            shift = torch.randint(patch**2, (squares,), generator=self.draws)
            steps = torch.arange(patch)
            top = (row - shift // patch).minimum(size[:, 1] - patch).clamp_min(0)
            left = (column - shift % patch).minimum(size[:, 0] - patch).clamp_min(0)
            row = (top[:, None] + steps).minimum(size[:, 1:] - 1)[:, :, None]
            column = (left[:, None] + steps).minimum(size[:, :1] - 1)[:, None, :]
            views, size = views[:, None, None], size[:, None, None, :]
        offsets = torch.from_numpy(self.photographs.offsets)
        return (offsets[views] + row * size[..., 0] + column).reshape(-1)

    def state_dict(self) -> dict[str, Any]:
        """Return what the next batch depends on."""
        return {"draws": self.draws.get_state()}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Restore what ``state_dict`` returned."""
        self.draws.set_state(state["draws"])


def pixel_rays_twin(
    pixels: Tensor,
    offsets: Tensor,
    widths: Tensor,
    lenses: Tensor,
    tables: Tensor,
    table: Tensor,
    poses: Tensor,
) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Do what the kernel ``pixel_ray`` does, in plain torch; return views, origins, directions, cosines."""
    views = torch.searchsorted(offsets, pixels, right=True) - 1
    place = pixels - offsets[views]
    row, column = place // widths[views], place % widths[views]
    fx, fy, cx, cy = lenses[views].unbind(1)
    straight = torch.stack([(column + 0.5 - cx) / fx, -(row + 0.5 - cy) / fy, -torch.ones_like(fx)], dim=1)
    own = straight / straight.norm(dim=1, keepdim=True)
    bent = tables[views] >= 0
    if bool(bent.any()):
        own = torch.where(bent[:, None], table[torch.where(bent, tables[views] + place, 0)], own)
    turned = (poses[views][:, :, :3] @ own[:, :, None]).squeeze(2)
    return views, poses[views][:, :, 3].contiguous(), turned, -own[:, 2]


def _direction_tables(photographs: Photographs) -> tuple[Tensor, Tensor, npt.NDArray[np.bool_]]:
    """Return unit directions in camera axes of every bent lens, where each view's begin, and blind pixels.

    Views with the same lens and size share a table. A pixel is blind where the lens model has no answer.
    """
    blind = np.zeros(int(photographs.offsets[-1]), bool)
    known: dict[tuple[Any, ...], tuple[int, npt.NDArray[np.bool_]]] = {}
    parts, starts, total = [np.zeros((1, 3), np.float32)], [], 1
    for number, camera in enumerate(photographs.cameras):
        if camera.lens.ideal:
            starts.append(-1)
            continue
        lens = (camera.lens.kind, *camera.lens.coefficients.items())
        key = (camera.width, camera.height, camera.fx, camera.fy, camera.cx, camera.cy, lens)
        if key not in known:
            own = camera.directions(camera.pixel_centres())
            lost = np.asarray(~np.isfinite(own).all(axis=1))
            own[lost] = (0.0, 0.0, -1.0)
            parts.append(own.astype(np.float32))
            known[key] = total, lost
            total += len(own)
        start, lost = known[key]
        starts.append(start)
        blind[photographs.offsets[number] : photographs.offsets[number + 1]] = lost
    return torch.from_numpy(np.concatenate(parts)), torch.tensor(starts, dtype=torch.int64), blind
