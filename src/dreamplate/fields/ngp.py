"""Instant neural graphics primitives: a hash grid, two small networks, rays marched through occupied space.

Müller et al., 2022. Departures: no running mean of the weights; rows of the table without a gradient keep
their moments (as in the published program); the learning rate falls at shares of the fit, not at step
numbers; open scenes are contracted to a ball for the hash grid, while occupied cells are nested grids of
uncontracted space, as published.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from dreamplate.errors import ConfigError
from dreamplate.fields.marching import Marched, Stride, march, occupied
from dreamplate.fields.method import Traced
from dreamplate.fields.nerf_space import NerfSpace
from dreamplate.fields.ngp_config import NgpConfig
from dreamplate.fields.ngp_net import NgpNet
from dreamplate.fields.occupancy import Occupancy
from dreamplate.fields.packed import joined, lit, owners, thinned
from dreamplate.fields.rays import Rays, Samples
from dreamplate.fields.seen import any_sees, pyramids
from dreamplate.fields.spaces import Extent
from dreamplate.fields.sparse_adam import SparseAdam

if TYPE_CHECKING:
    from dreamplate.fields.photographs import Photographs

__all__ = ["NgpMethod"]

_BETAS = (0.9, 0.99)
_EPSILON = 1e-15
_CHUNK = {"cpu": 2**18, "cuda": 2**22}
"""Most samples looked at together when no gradient is needed."""


class NgpMethod:
    """Instant neural graphics primitives as a method.

    Args:
        config: Its options.
        extent: Where the content is.
        steps: Steps of the whole fit (progress is what counts for the schedule).
        draws: CPU generator of the first values, and of all later random choices of cells.
        linear: Colours are scene-linear, without upper limit, rather than 0-1.
        device: Where to compute.
    """

    def __init__(
        self,
        config: NgpConfig,
        extent: Extent,
        steps: int,
        draws: torch.Generator,
        *,
        linear: bool = False,
        device: torch.device | str = "cpu",
    ) -> None:
        self.config, self.extent, self.linear, self.device = config, extent, linear, torch.device(device)
        self.chunk = _CHUNK.get(self.device.type, 2**18)
        self.space = NerfSpace(extent, plain=False, device=device)
        self.open = extent.kind == "open"
        self.net = NgpNet(config, draws, wide=self.open, linear=linear).to(device)
        levels = config.cascades if self.open else 1
        self.occupancy = Occupancy(
            config.cells, levels, threshold=config.threshold, decay=config.decay, device=device
        )
        least = 2 * math.sqrt(3) / config.march_steps
        self.stride = Stride(least, config.cone if self.open else 0.0, least * 2 ** (levels - 1))
        self.draws = torch.Generator().manual_seed(int(torch.randint(2**62, (1,), generator=draws)))
        self.table = SparseAdam(self.net.grid.table, _BETAS, _EPSILON)
        self.optimiser = torch.optim.Adam(
            self.net.groups(config.penalty), lr=config.rate, betas=_BETAS, eps=_EPSILON
        )
        self.steps = 0
        self.per_ray = float(config.march_steps) / 2

    # -- reading ------------------------------------------------------------------------------------

    def rays_per_step(self, progress: float) -> int:
        """Return how many rays give the wanted number of samples."""
        least, most = self.config.rays
        return round(min(max(self.config.samples_per_step / max(self.per_ray, 1.0), least), most))

    def trace(
        self,
        rays: Rays,
        *,
        training: bool = False,
        draws: torch.Generator | None = None,
        stop: Tensor | None = None,
    ) -> Traced:
        """March the rays through occupied space and look up what they see; see ``Method.trace``."""
        if stop is not None:
            rays = rays.with_(far=torch.minimum(rays.far, stop))
        if training:
            if draws is None:
                raise ConfigError("training needs a generator of random numbers; pass draws")
            jitter = torch.rand(len(rays), generator=draws).to(self.device)
            samples = self._trace(rays, jitter)
            self.per_ray = 0.9 * self.per_ray + 0.1 * len(samples.starts) / max(1, len(rays))
            return Traced(samples)
        size = max(64, self.chunk // self.config.march_steps)
        with torch.no_grad():
            parts = [
                self._trace(part, torch.full((len(part),), 0.5, device=self.device))
                for part in (rays[at : at + size] for at in range(0, max(1, len(rays)), size))
            ]
        return Traced(joined(parts))

    def _trace(self, rays: Rays, jitter: Tensor) -> Samples:
        course = self.space.enter(rays)
        length = torch.linalg.vector_norm(course.directions, dim=1)
        unit = course.directions / length[:, None]
        nears = (course.near * length).detach()
        fars = torch.where(course.alive, (course.far * length).detach(), nears)
        marched = march(
            course.origins.detach(), unit.detach(), nears, fars, self.occupancy.bits, self.stride, jitter
        )
        which = owners(marched.offsets)
        marched, which = self._visible(marched, which, course.origins.detach(), unit.detach())
        mids = (marched.starts + marched.ends) / 2
        points = course.origins[which] + mids[:, None] * unit[which]
        density, features = self.net.density(self._squeeze(points))
        alphas = -torch.expm1(-density * (marched.ends - marched.starts))
        colours = self.net.colour(features, course.views, which, rays.views)
        starts, ends = (
            self._distances(rays, place / length[which], which) for place in (marched.starts, marched.ends)
        )
        return Samples(marched.offsets, starts, ends, alphas, colours)

    def _visible(
        self, marched: Marched, which: Tensor, origins: Tensor, unit: Tensor
    ) -> tuple[Marched, Tensor]:
        """Leave out the samples that hardly any light comes from."""
        if not self.config.clear or not len(which):
            return marched, which
        mids = (marched.starts + marched.ends) / 2
        parts = zip(torch.split(which, self.chunk), torch.split(mids, self.chunk), strict=True)
        with torch.no_grad():
            found = [
                self.net.density(self._squeeze(origins[rays] + places[:, None] * unit[rays]))[0]
                for rays, places in parts
            ]
        kept = lit(marched.offsets, torch.cat(found) * (marched.ends - marched.starts), self.config.clear)
        offsets = thinned(marched.offsets, kept)
        return Marched(offsets, marched.starts[kept], marched.ends[kept]), which[kept]

    def _squeeze(self, points: Tensor) -> Tensor:
        """Return places 0-1 in the hash grid of points of the space that is marched."""
        return (self.space.squeeze(points) / (2 if self.open else 1) + 1) / 2

    def _distances(self, rays: Rays, places: Tensor, which: Tensor) -> Tensor:
        if self.extent.kind != "forward":
            return places.detach()
        return self.space.distances(rays[which], places[:, None])[:, 0].detach()

    @torch.no_grad()
    def density(self, points: Tensor) -> Tensor:
        """Return density per world unit at points of the world; 0 in space that is not occupied."""
        found = []
        for part in torch.split(points, self.chunk):
            place, pace = self.space.points(part)
            own = (part - self.space.centre) / self.space.half if self.open else place
            step = torch.full((len(part),), self.stride.least, device=part.device)
            held = occupied(own, self.occupancy.bits, step)
            found.append(self.net.density(self._squeeze(own))[0] * pace * held)
        return torch.cat(found)

    @torch.no_grad()
    def colour(self, points: Tensor, directions: Tensor) -> Tensor:
        """Return straight colour at points of the world seen along directions."""
        found = []
        parts = zip(torch.split(points, self.chunk), torch.split(directions, self.chunk), strict=True)
        for part, seen in parts:
            own = (part - self.space.centre) / self.space.half if self.open else self.space.points(part)[0]
            features = self.net.density(self._squeeze(own))[1]
            which = torch.arange(len(part), device=part.device)
            found.append(self.net.colour(features, self.space.views(seen), which, None))
        return torch.cat(found)

    def box(self) -> Tensor:
        """Return the world box in which the field is well resolved."""
        return torch.as_tensor(self.extent.box, dtype=torch.float32)

    # -- learning -----------------------------------------------------------------------------------

    def prepare(self, photographs: Photographs) -> None:
        """Leave out for good the space that no photograph shows; see ``Prepares.prepare``."""
        if self.extent.kind == "forward":  # its space is what the cameras see
            return
        planes = pyramids(photographs.cameras).to(self.device)
        half = self.space.half

        def seen(points: Tensor, radius: float) -> Tensor:
            return any_sees(planes, points * half + self.space.centre, radius * half)

        self.occupancy.hide(seen)

    def update(self, progress: float) -> None:
        """Take one step with the gradients there are, follow the schedule, and look at what is occupied."""
        config = self.config
        rate = config.rate
        if progress >= config.rate_from:
            rate *= config.rate_decay ** (1 + int((progress - config.rate_from) / config.rate_every))
        slopes = self.net.grid.table.grad
        if slopes is not None:
            self.table.step(slopes, rate)
            self.net.grid.table.grad = None
        for group in self.optimiser.param_groups:
            group["lr"] = rate
        self.optimiser.step()
        self.optimiser.zero_grad(set_to_none=True)
        self.steps += 1
        if self.steps % config.look_every == 0:
            self.look()

    def look(self) -> None:
        """Look at the field again and decide which space is occupied."""
        share = 1.0 if self.steps < self.config.warm_up else 0.5

        def density(points: Tensor) -> Tensor:
            with torch.no_grad():
                return self.net.density(self._squeeze(points))[0]

        self.occupancy.update(density, self.stride.least, self.draws, share)

    # -- keeping ------------------------------------------------------------------------------------

    def state_dict(self) -> dict[str, Any]:
        """Return everything the next step and the next picture depend on."""
        return {
            "steps": self.steps,
            "per_ray": self.per_ray,
            "draws": self.draws.get_state(),
            "net": dict(self.net.state_dict()),
            "table": self.table.state_dict(),
            "optimiser": self.optimiser.state_dict(),
            "occupancy": self.occupancy.state_dict(),
        }

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Restore what ``state_dict`` returned."""
        self.steps, self.per_ray = int(state["steps"]), float(state["per_ray"])
        self.draws.set_state(state["draws"])
        self.net.load_state_dict(state["net"])
        self.table.load_state_dict(state["table"])
        self.optimiser.load_state_dict(state["optimiser"])
        self.occupancy.load_state_dict(state["occupancy"])
