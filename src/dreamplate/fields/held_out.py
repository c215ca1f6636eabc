"""The views that a fit is judged by: their photographs, previews of one of them, and what judging costs."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import TypeVar

import numpy as np
import torch
from torch import Tensor

from dreamplate.fields.area import area_resize, fitted_size
from dreamplate.fields.config import FitConfig
from dreamplate.fields.evaluate import Viewer, over
from dreamplate.fields.limits import limited
from dreamplate.fields.photographs import Photographs, load_photographs
from dreamplate.fields.rays import camera_rays
from dreamplate.nets.similarity import psnr, ssim
from dreamplate.plate import Plate
from dreamplate.scenes.scene import Scene
from dreamplate.take.machine import cpu_seconds

__all__ = ["HeldOut"]

T = TypeVar("T")
PREVIEW_SIDE = 200
"""Longest side of a preview's render, in pixels."""
PREVIEW_SHARE = 0.02
"""Part of the time spent that previews may have, where there is a budget."""
PROBE = 16_384
"""Pixels rendered to learn what a picture costs."""
PROBE_SHARE = 0.005
"""Part of the time spent that this may have."""
LATE = (0.5, 0.9)
FIXED = 1.5
"""Seconds for writing pictures, film and figures."""


@dataclass(eq=False)
class HeldOut:
    """Views kept for judging; where there are none, a few of those that are learnt from.

    Attributes:
        photographs: What they show.
        config: Of the fit.
        viewer: Draws them.
        is_held_out: Whether they are not learnt from.
        notices: What the user should know.
    """

    photographs: Photographs
    config: FitConfig
    viewer: Viewer
    is_held_out: bool
    notices: tuple[str, ...]
    _measuring: float = -1.0
    _per_ray: float = 0.0
    _probing: float = 0.0
    _late: int = 0
    _preview_costs: list[float] = field(default_factory=list)

    @classmethod
    def of(cls, scene: Scene, config: FitConfig, viewer: Viewer) -> HeldOut:
        """Choose and decode them."""
        views = [view for view in scene.split("test") if view.split not in config.train_on]
        views = views or [view for view in scene.split("val") if view.split not in config.train_on]
        notices: tuple[str, ...] = ()
        held = bool(views)
        if not held:
            views = _spread([view for view in scene.views if view.split in config.train_on], 3)
            notices = (
                f"{scene.path}: no view is held out, so the figures are of photographs that were learnt from",
            )
        views = _spread(views, config.test_views or len(views))
        photographs = load_photographs(
            views,
            viewer.encoding,
            scale=config.image_scale,
            longest=config.max_side,
            memory=config.memory,
        )
        return cls(photographs, config, viewer, held, notices + photographs.notices)

    def distance(self) -> Callable[[Tensor, Tensor], Tensor] | None:
        """Return LPIPS where its files are given.

        Raises:
            CheckpointError: A file does not hold these weights.
        """
        if self.config.lpips_heads is None:
            return None
        from dreamplate.nets.lpips import load_lpips

        return load_lpips(self.config.lpips_heads, self.config.lpips_trunk, self.config.lpips)

    def preview(self) -> Plate:
        """Return the middle view as it is now beside its photograph."""
        began = cpu_seconds()
        view = len(self.photographs) // 2
        camera = self.photographs.cameras[view]
        width, height = fitted_size(camera.width, camera.height, longest=PREVIEW_SIDE)
        render = self.viewer.picture(camera.resized(width, height))
        truth = over(area_resize(self.photographs.picture(view), width, height), self.viewer.background)
        pair = np.concatenate([self.viewer.shown(render), self.viewer.shown(truth)], axis=1)
        self._preview_costs.append(cpu_seconds() - began)
        return Plate(np.ascontiguousarray(pair), ("R", "G", "B"), "srgb_display")

    def affordable(self, spent: float) -> bool:
        """Say whether another preview keeps all of them within their share of the time spent."""
        costs = self._preview_costs
        return not costs or sum(costs) + costs[-1] <= PREVIEW_SHARE * spent

    def seconds_to_measure(self, spent: float, progress: float) -> float:
        """Return about how many processor seconds the final figures will take, as the field is now.

        Args:
            spent: Seconds spent so far; measuring may have a small part of them.
            progress: How much of the fit is done, 0-1; late in it measuring is done whatever it costs.
        """
        if self._measuring < 0:
            self._measuring = self._time_metrics()
        late = sum(progress >= mark for mark in LATE) > self._late
        self._late += late
        if late or self._probing <= PROBE_SHARE * spent:
            began = cpu_seconds()
            self._per_ray = self._time_render()
            self._probing += cpu_seconds() - began
        pixels = int(self.photographs.offsets[-1])
        return FIXED + 1.1 * (self._per_ray * pixels + self._measuring)

    def _time_metrics(self) -> float:
        """Return what the metrics of all views cost, from those of one."""
        began = cpu_seconds()
        picture = torch.from_numpy(
            self.viewer.shown(over(self.photographs.picture(0), self.viewer.background))
        )
        psnr(picture, picture)
        ssim(picture, picture)
        share = int(self.photographs.offsets[-1]) / int(self.photographs.offsets[1])
        return (cpu_seconds() - began) * 1.5 * share

    def _time_render(self) -> float:
        """Return what a ray costs, from evenly spread pixels of a few views."""
        views = _spread(range(len(self.photographs)), 2)
        began, count = cpu_seconds(), 0
        for view in views:
            camera = self.photographs.cameras[view]
            share = (PROBE / len(views) / (camera.width * camera.height)) ** 0.5
            small = camera.resized(*fitted_size(camera.width, camera.height, scale=min(1.0, share)))
            rays = limited(camera_rays(small).to(self.viewer.device), self.viewer.extent)
            self.viewer.colours(rays)
            count += len(rays)
        return (cpu_seconds() - began) / count


def _spread(items: Sequence[T], count: int) -> list[T]:
    """Return evenly spaced items, at most so many."""
    if count >= len(items):
        return list(items)
    return [items[round(at * (len(items) - 1) / max(1, count - 1))] for at in range(count)]
