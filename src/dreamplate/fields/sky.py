"""A learnt background: what lies behind everything, as a colour of the direction alone.

Out of doors nothing that a camera can walk around explains the sky. Here one last, solid sample at the end
of every ray does, coloured by spherical harmonics of the direction; so compositing and losses need know
nothing of it. Renders and meshes are made without it: the sky is clear there, for another to be put behind.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor, nn

from dreamplate.fields.method import Method, Prepares, Traced
from dreamplate.fields.photographs import Photographs
from dreamplate.fields.rays import Rays, Samples
from dreamplate.fields.spherical import spherical_harmonics

__all__ = ["WithSky", "behind_all"]

DEGREES = 4
RATE = 1e-2


class WithSky:
    """Any method, with a sky behind it.

    Args:
        method: What stands in front.
        linear: Whether colours are scene-linear without an upper limit.
        device: Where.
    """

    def __init__(self, method: Method, *, linear: bool = False, device: torch.device | str = "cpu") -> None:
        self.method, self.linear = method, linear
        self.sky = nn.Parameter(torch.zeros(DEGREES**2, 3, device=device))
        self.optimiser = torch.optim.Adam([self.sky], lr=RATE, betas=(0.9, 0.99))

    def rays_per_step(self, progress: float) -> int:
        """Return what the method in front wants."""
        return self.method.rays_per_step(progress)

    def colours(self, directions: Tensor) -> Tensor:
        """Return the sky along unit directions ``(n, 3)``."""
        found = spherical_harmonics(directions, DEGREES) @ self.sky
        return torch.exp(found.clamp_max(15.0)) if self.linear else torch.sigmoid(found)

    def trace(
        self,
        rays: Rays,
        *,
        training: bool = False,
        draws: torch.Generator | None = None,
        stop: Tensor | None = None,
    ) -> Traced:
        """Trace the method in front and put the sky behind; rays that are stopped see none."""
        traced = self.method.trace(rays, training=training, draws=draws, stop=stop)
        if stop is not None:
            return traced
        sky = self.colours(rays.directions)
        sky = sky if training else sky.detach()
        coarse = None if traced.coarse is None else behind_all(traced.coarse, sky)
        return Traced(behind_all(traced.samples, sky), coarse, traced.penalties)

    def update(self, progress: float) -> None:
        """Take one step of everything."""
        self.method.update(progress)
        self.optimiser.step()
        self.optimiser.zero_grad(set_to_none=True)

    def prepare(self, photographs: Photographs) -> None:
        """Let the method in front look at the photographs."""
        if isinstance(self.method, Prepares):
            self.method.prepare(photographs)

    def density(self, points: Tensor) -> Tensor:
        """Return the density of what stands in front."""
        return self.method.density(points)

    def colour(self, points: Tensor, directions: Tensor) -> Tensor:
        """Return the colour of what stands in front."""
        return self.method.colour(points, directions)

    def box(self) -> Tensor:
        """Return the box of what stands in front."""
        return self.method.box()

    def state_dict(self) -> dict[str, Any]:
        """Return everything."""
        kept = {"sky": self.sky.detach(), "optimiser": self.optimiser.state_dict()}
        return {"method": self.method.state_dict(), **kept}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Restore what ``state_dict`` returned."""
        self.method.load_state_dict(state["method"])
        with torch.no_grad():
            self.sky.copy_(state["sky"])
        self.optimiser.load_state_dict(state["optimiser"])


def behind_all(samples: Samples, colours: Tensor) -> Samples:
    """Return samples with one more, solid and of no length, at the end of every ray.

    Args:
        samples: Of n rays.
        colours: ``(n, 3)`` colour of each ray's last sample.
    """
    rays, device = len(samples), samples.starts.device
    extra = torch.arange(rays, device=device)
    offsets = samples.offsets + torch.arange(rays + 1, device=device)
    old = torch.arange(len(samples.starts), device=device) + samples.ray_indices
    last = offsets[1:] - 1
    # The sky lies where the last sample ends, so that it never lies in front of it.
    ends = samples.ends.new_zeros(rays)
    held = samples.offsets[1:] > samples.offsets[:-1]
    ends[held] = samples.ends[samples.offsets[1:][held] - 1]
    order = torch.empty(len(old) + rays, dtype=torch.int64, device=device)
    order[old] = torch.arange(len(old), device=device)
    order[last] = len(old) + extra

    def joined(values: Tensor, more: Tensor) -> Tensor:
        return torch.cat([values, more]).index_select(0, order)

    return Samples(
        offsets,
        joined(samples.starts, ends),
        joined(samples.ends, ends),
        joined(samples.alphas, torch.ones_like(ends)),
        joined(samples.colours, colours.to(samples.colours.dtype)),
    )
