"""A scene that is known exactly: solid balls and planes, as a method and in closed form."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch
from torch import Tensor

from dreamplate.fields.method import Traced
from dreamplate.fields.rays import Rays, Samples
from dreamplate.fields.render_frame import Field
from dreamplate.plate.camera import Camera, look_at
from dreamplate.plate.lens import Lens
from dreamplate.scenes.camera_track import CameraTrack

THICK = 1e-4
"""Thickness of a surface's one sample."""


@dataclass(frozen=True)
class Ball:
    centre: tuple[float, float, float]
    radius: float
    colour: tuple[float, float, float]
    alpha: float = 1.0


@dataclass(frozen=True)
class Plane:
    """Points with ``normal · p = offset``; the normal has unit length, and points out of what is solid."""

    normal: tuple[float, float, float]
    offset: float
    colour: tuple[float, float, float]
    alpha: float = 1.0


@dataclass
class Analytic:
    """Thin surfaces: every ray has one sample of given opacity at each first hit of a thing."""

    things: tuple[Ball | Plane, ...]
    largest: int = 0
    calls: list[int] = field(default_factory=list)

    def rays_per_step(self, progress: float) -> int:
        return 1

    def trace(
        self,
        rays: Rays,
        *,
        training: bool = False,
        draws: torch.Generator | None = None,
        stop: Tensor | None = None,
    ) -> Traced:
        self.calls.append(len(rays))
        if self.largest and len(rays) > self.largest:
            raise MemoryError
        origins, directions = rays.origins.double(), rays.directions.double()
        hits = torch.stack([_hit(thing, origins, directions) for thing in self.things], dim=1)
        limit = torch.full_like(hits[:, 0], torch.inf) if stop is None else stop.double()
        limit = torch.minimum(limit, rays.far.double())
        seen = (hits >= rays.near.double()[:, None]) & (hits < limit[:, None])
        order = torch.where(seen, hits, torch.inf).argsort(dim=1, stable=True)
        hits, seen = hits.gather(1, order), seen.gather(1, order)
        counts = seen.sum(1)
        colours = torch.tensor([thing.colour for thing in self.things], dtype=torch.float32)[order][seen]
        alphas = torch.tensor([thing.alpha for thing in self.things], dtype=torch.float32)[order][seen]
        starts = hits[seen].float()
        return Traced(
            Samples(
                torch.cat([counts.new_zeros(1), counts.cumsum(0)]), starts, starts + THICK, alphas, colours
            )
        )

    def density(self, points: Tensor) -> Tensor:
        """Soft solids: full a twentieth inside, half at the surface."""
        inside = [(0.5 - 10 * _distance(thing, points)).clamp(0, 1) for thing in self.things]
        return 100 * torch.stack(inside).amax(0)

    def colour(self, points: Tensor, directions: Tensor) -> Tensor:
        return torch.ones_like(points)

    def box(self) -> Tensor:
        return torch.tensor([[-1.0, -1, -1], [1, 1, 1]])

    def update(self, progress: float) -> None:
        raise NotImplementedError

    def state_dict(self) -> dict[str, Any]:
        return {}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        pass


def first_hit(things: tuple[Ball | Plane, ...], origins: np.ndarray, directions: np.ndarray):
    """Return distance ``(n,)`` (infinite for none), and outward unit normal ``(n, 3)``, float64."""
    o, d = torch.from_numpy(origins), torch.from_numpy(directions)
    hits = torch.stack([_hit(thing, o, d) for thing in things], dim=1)
    best, which = hits.min(dim=1)
    points = o + d * torch.where(best.isfinite(), best, 0)[:, None]
    normals = torch.zeros_like(points)
    for number, thing in enumerate(things):
        if isinstance(thing, Ball):
            normal = (points - torch.tensor(thing.centre)) / thing.radius
        else:
            normal = torch.tensor(thing.normal, dtype=torch.float64).expand_as(points)
        normals = torch.where((which == number)[:, None], normal, normals)
    facing = torch.where((normals * d).sum(1, keepdim=True) > 0, -normals, normals)
    return best.numpy(), facing.numpy()


def _hit(thing: Ball | Plane, origins: Tensor, directions: Tensor) -> Tensor:
    """Return the distance of the first hit in front, infinite for none."""
    if isinstance(thing, Plane):
        normal = torch.tensor(thing.normal, dtype=torch.float64)
        pace = (directions * normal).sum(1)
        away = (thing.offset - (origins * normal).sum(1)) / torch.where(pace == 0, 1e-300, pace)
        return torch.where(away > 0, away, torch.inf)
    offset = origins - torch.tensor(thing.centre, dtype=torch.float64)
    b, c = (offset * directions).sum(1), offset.square().sum(1) - thing.radius**2
    root = b * b - c
    away = -b - root.clamp_min(0).sqrt()
    return torch.where((root >= 0) & (away > 0), away, torch.inf)


def _distance(thing: Ball | Plane, points: Tensor) -> Tensor:
    if isinstance(thing, Plane):
        nx, ny, nz = thing.normal
        return nx * points[:, 0] + ny * points[:, 1] + nz * points[:, 2] - thing.offset
    x, y, z = (points - torch.tensor(thing.centre, dtype=torch.float32)).unbind(1)
    return (x * x + y * y + z * z).sqrt() - thing.radius


THINGS = (
    Ball((0.0, 0.0, 0.0), 0.7, (0.8, 0.3, 0.1)),
    Ball((0.9, 0.5, 0.4), 0.3, (0.1, 0.9, 0.2)),
    Plane((0.0, 0.0, 1.0), -0.8, (0.5, 0.5, 0.6)),
)


def path(width: int = 40, height: int = 30, lens: Lens | None = None) -> CameraTrack:
    return CameraTrack.of(
        [
            Camera.from_fov(
                width,
                height,
                60,
                look_at((3 * np.cos(a), 3 * np.sin(a), 1.0 + a), (0, 0, 0)),
                lens=lens or Lens(),
            )
            for a in (0.0, 0.06, 0.15)
        ],
        1001,
    )


def space(*things: Ball | Plane, encoding: str = "scene_linear") -> Field:
    return Field(Analytic(things or THINGS), encoding, lambda rays: rays)
