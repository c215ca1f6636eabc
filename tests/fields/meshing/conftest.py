"""Fields that are known exactly, and meshes made of them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import pytest
import torch
from torch import Tensor

from dreamplate.fields.meshing.mesh import Mesh
from dreamplate.fields.meshing.surface import extract
from dreamplate.fields.meshing.volume import lattice_of, sample_density
from dreamplate.fields.method import Traced
from dreamplate.fields.rays import Rays, Samples

MEMORY = 1 << 28


def ball(points: Tensor) -> Tensor:
    return points.norm(dim=1) - 1


def torus(points: Tensor) -> Tensor:
    ring = points[:, :2].norm(dim=1) - 0.8
    return (ring.square() + points[:, 2].square()).sqrt() - 0.3


@dataclass
class Soft:
    """A solid with a soft edge: density is a logistic of the distance, 50 on the surface."""

    distance: Callable[[Tensor], Tensor] = ball
    width: float = 0.05
    centre: tuple[float, float, float] = (0.0, 0.0, 0.0)
    scale: float = 1.0
    half: float = 1.3
    largest: int = 1 << 62

    def density(self, points: Tensor) -> Tensor:
        assert len(points) <= self.largest
        own = (points - torch.tensor(self.centre)) / self.scale
        return 100 * torch.sigmoid(-self.distance(own) / self.width) / self.scale

    def colour(self, points: Tensor, directions: Tensor) -> Tensor:
        return 0.5 + 0.3 * (points - torch.tensor(self.centre)) / self.scale

    def box(self) -> Tensor:
        sides = torch.tensor([[-1.0] * 3, [1.0] * 3]) * self.half * self.scale
        return sides + torch.tensor(self.centre)

    def trace(self, rays: Rays, **_: object) -> Traced:
        """March evenly through the box's ball."""
        count, start, stop = 100, 2.2, 4.2
        edges = torch.linspace(start, stop, count + 1).expand(len(rays), -1)
        mids = (edges[:, :-1] + edges[:, 1:]) / 2
        places = (rays.origins[:, None] + mids[..., None] * rays.directions[:, None]).reshape(-1, 3)
        alphas = 1 - torch.exp(-self.density(places) * (stop - start) / count)
        offsets = torch.arange(len(rays) + 1) * count
        colours = self.colour(places, rays.directions.repeat_interleave(count, 0))
        return Traced(Samples(offsets, edges[:, :-1].reshape(-1), edges[:, 1:].reshape(-1), alphas, colours))


def surface(field: Soft, resolution: int, level: float = 50.0, **more: bool) -> Mesh:
    lattice = lattice_of(field.box().numpy(), resolution, MEMORY)
    return extract(sample_density(field, lattice, MEMORY), level, **more)


@pytest.fixture(scope="session")
def make() -> Callable[..., Mesh]:
    """``make(field, resolution)``: the surface of a field."""
    return surface


@pytest.fixture(scope="session")
def soft() -> type[Soft]:
    return Soft


@pytest.fixture(scope="session")
def distances() -> dict[str, Callable[[Tensor], Tensor]]:
    return {"ball": ball, "torus": torus}


@pytest.fixture(scope="session")
def sphere() -> Mesh:
    """A unit sphere of some 5,000 faces with its analytic colours."""
    mesh = surface(Soft(), 32)
    return mesh.with_(colours=(0.5 + 0.3 * mesh.vertices).astype(np.float32))
