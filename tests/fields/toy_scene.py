"""A scene known in closed form, a coloured ball before nothing, and a field small enough for tests."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as nn

from dreamplate.fields import Rays, Samples, Traced
from dreamplate.plate import Camera, Plate, look_at, write

RADIUS = 0.8
FOV = 50.0


def ball(camera: Camera) -> np.ndarray:
    """Return the exact RGBA of a ball at the origin, premultiplied, its colour its normal: ``(h, w, 4)``."""
    origins, directions = camera.rays(camera.pixel_centres())
    b = (origins * directions).sum(1)
    inside = b**2 - ((origins**2).sum(1) - RADIUS**2)
    hit = inside > 0
    points = origins + (-b - np.sqrt(np.maximum(inside, 0)))[:, None] * directions
    rgba = np.zeros((len(origins), 4), np.float32)
    rgba[hit] = np.concatenate([0.5 + 0.4 * points / RADIUS, np.ones((len(points), 1))], axis=1)[hit]
    return rgba.reshape(camera.height, camera.width, 4)


def ring(count: int, size: tuple[int, int] = (24, 24), turn: float = 0.0) -> list[Camera]:
    """Return cameras around the ball."""
    angles = [turn + 2 * math.pi * i / count for i in range(count)]
    places = [(3 * math.cos(a), 3 * math.sin(a), 1.2 * math.sin(3 * a)) for a in angles]
    return [Camera.from_fov(*size, FOV, look_at(place, (0, 0, 0))) for place in places]


def write_toy(folder: Path, train: int = 6, test: int = 2, size: tuple[int, int] = (24, 24)) -> Path:
    """Write the ball as a Blender scene."""
    for split, cameras in (("train", ring(train, size)), ("test", ring(max(test, 1), size, 0.4)[:test])):
        frames = []
        (folder / split).mkdir(parents=True, exist_ok=True)
        for number, camera in enumerate(cameras):
            write(
                Plate(ball(camera), ("R", "G", "B", "A"), "srgb_display"), folder / f"{split}/r_{number}.png"
            )
            matrix = camera.camera_to_world.tolist()
            frames.append({"file_path": f"./{split}/r_{number}", "transform_matrix": matrix})
        if frames:
            data = {"camera_angle_x": math.radians(FOV), "frames": frames}
            (folder / f"transforms_{split}.json").write_text(json.dumps(data))
    return folder


class ToyMethod:
    """A dense grid of density and colour, 24 even samples a ray, Adam."""

    def __init__(self, side: int = 12, rate: float = 0.2) -> None:
        self.values = torch.zeros(1, 4, side, side, side, requires_grad=True)
        with torch.no_grad():
            self.values[:, 0] = -2
        self.optimiser = torch.optim.Adam([self.values], lr=rate)

    def rays_per_step(self, progress: float) -> int:
        return 160

    def _look(self, points: Tensor) -> tuple[Tensor, Tensor]:
        found = nn.grid_sample(self.values, points.view(1, -1, 1, 1, 3), align_corners=True)[0, :, :, 0, 0]
        inside = (points.abs() <= 1).all(1)
        return nn.softplus(found[0] * 4) * inside, torch.sigmoid(found[1:].T)

    def trace(
        self,
        rays: Rays,
        *,
        training: bool = False,
        draws: torch.Generator | None = None,
        stop: Tensor | None = None,
    ) -> Traced:
        count, steps = len(rays), 24
        jitter = torch.rand(count, 1, generator=draws) if training else 0.5
        edges = torch.linspace(0, 1, steps + 1)
        near, far = rays.near.clamp_min(1.5)[:, None], rays.far.clamp_max(4.5)[:, None]
        length = (far - near).clamp_min(0)
        starts, ends = near + length * edges[:-1], near + length * edges[1:]
        mids = starts + (ends - starts) * jitter
        points = rays.origins[:, None] + mids[:, :, None] * rays.directions[:, None]
        density, colours = self._look(points.reshape(-1, 3))
        alphas = 1 - torch.exp(-density * (ends - starts).reshape(-1))
        offsets = torch.arange(count + 1) * steps
        return Traced(Samples(offsets, starts.reshape(-1), ends.reshape(-1), alphas, colours))

    def update(self, progress: float) -> None:
        self.optimiser.step()
        self.optimiser.zero_grad(set_to_none=True)

    @torch.no_grad()
    def density(self, points: Tensor) -> Tensor:
        return self._look(points)[0]

    @torch.no_grad()
    def colour(self, points: Tensor, directions: Tensor) -> Tensor:
        return self._look(points)[1]

    def box(self) -> Tensor:
        return torch.tensor([[-1.0] * 3, [1.0] * 3])

    def state_dict(self) -> dict[str, Any]:
        return {"values": self.values.detach(), "optimiser": self.optimiser.state_dict()}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        with torch.no_grad():
            self.values.copy_(state["values"])
        self.optimiser.load_state_dict(state["optimiser"])
