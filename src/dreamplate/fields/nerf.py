"""NeRF: a coarse and a fine network, sampled evenly and then where something is.

Mildenhall et al., "NeRF: Representing Scenes as Neural Radiance Fields for View Synthesis", 2020.
Departures: the world is scaled to the box of the scene (the paper's scenes have that size already), scenes
without end are contracted (``nerf_space.py``), and linear light comes from an exponential instead of a
sigmoid.

The published program's directions are not of unit length and its positions along them are planar depths;
ours are distances along unit directions. Even and importance sampling, intervals times lengths, and so all
weights, are the same in both, given the same ends.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor
from torch.utils.checkpoint import checkpoint

from dreamplate.errors import CheckpointError, ConfigError, ModelError
from dreamplate.fields.method import Traced
from dreamplate.fields.nerf_config import NerfConfig
from dreamplate.fields.nerf_field import NerfField
from dreamplate.fields.nerf_net import NerfNet
from dreamplate.fields.nerf_space import Course, NerfSpace
from dreamplate.fields.nerf_weights import load_networks
from dreamplate.fields.raw_outputs import LIGHT_FLOOR, interval_alphas
from dreamplate.fields.rays import Rays
from dreamplate.fields.sampling import inverse_cdf, midpoints, stratified
from dreamplate.fields.spaces import Extent
from dreamplate.fields.tables import join_samples, pack_table
from dreamplate.fields.volume import batched_weights

__all__ = ["NerfMethod"]

_UNSEEN = 1e-8
"""Weight below which a sample's colour is not looked up for a picture."""
_BETAS = (0.9, 0.999)
_EPSILON = 1e-7


class NerfMethod:
    """NeRF as a method.

    Args:
        config: Its options.
        extent: Where the content is.
        steps: Steps of the whole fit (progress is what counts for the schedule).
        draws: CPU generator of the first weights.
        linear: Colours are scene-linear, without upper limit, rather than 0-1.
        device: Where to compute.

    Raises:
        CheckpointError: The weights to start from do not fit. (That they cannot be found is said when they
            are first needed, since a state may be loaded instead.)
    """

    def __init__(
        self,
        config: NerfConfig,
        extent: Extent,
        steps: int,
        draws: torch.Generator,
        *,
        linear: bool = False,
        device: torch.device | str = "cpu",
    ) -> None:
        self.config, self.extent, self.steps, self.linear = config, extent, steps, linear
        self.device = torch.device(device)
        self.space = NerfSpace(extent, plain=bool(config.weights), device=self.device)
        self._lost: ModelError | None = None
        if config.weights:
            try:
                self._take(*load_networks(config.weights))
                return
            except CheckpointError:
                raise
            except ModelError as error:
                # What was learnt from them holds all of them: the file may be gone by then.
                self._lost = error
        coarse = NerfField.drawn(config, self.device, draws)
        fine = NerfField.drawn(config, self.device, draws) if config.fine_samples else None
        self._use(coarse, fine)

    def _take(self, coarse: NerfNet, fine: NerfNet | None) -> None:
        """Use these networks."""
        nets = (coarse, fine)
        one, other = (
            None if net is None else NerfField(net, self.device, self.config.weights) for net in nets
        )
        assert one is not None
        self._use(one, other)

    def _use(self, coarse: NerfField, fine: NerfField | None) -> None:
        # Without a network of its own, the fine pass asks the coarse one, as the published program does.
        self.coarse, self.fine = coarse, coarse if fine is None else fine
        fields = [coarse] if fine is None else [coarse, fine]
        weights = [value for field in fields for value in field.net.parameters()]
        self.optimiser = torch.optim.Adam(weights, lr=self.config.rate, betas=_BETAS, eps=_EPSILON)

    # -- reading ------------------------------------------------------------------------------------

    def rays_per_step(self, progress: float) -> int:
        """Return how many rays a step has: always as many."""
        return self.config.rays

    def trace(
        self,
        rays: Rays,
        *,
        training: bool = False,
        draws: torch.Generator | None = None,
        stop: Tensor | None = None,
    ) -> Traced:
        """Sample the rays and ask both networks; see ``Method.trace``."""
        self._ready()
        if training:
            if draws is None:
                raise ConfigError("training needs a generator of random numbers; pass draws")
            return self._trace(rays, draws, stop)
        size = max(1, self.config.chunk // (self.config.coarse_samples + self.config.fine_samples))
        with torch.no_grad():
            found = [
                self._trace(rays[at : at + size], None, None if stop is None else stop[at : at + size])
                for at in range(0, max(1, len(rays)), size)
            ]
        return Traced(join_samples([one.samples for one in found]))

    def _trace(self, rays: Rays, draws: torch.Generator | None, stop: Tensor | None) -> Traced:
        config, course, count = self.config, self.space.enter(rays), len(rays)
        disparity = config.disparity or course.disparity
        first = stratified(
            course.near,
            course.far,
            config.coarse_samples,
            disparity=disparity,
            jitter=self._random(draws, count, config.coarse_samples),
        ).detach()
        final = not config.fine_samples
        density, colours = self._ask(self.coarse, course, first, draws, coloured=final or draws is not None)
        alphas = self._alphas(course, first, density)
        coarse = pack_table(self.space.distances(rays, first), alphas, colours, stop)
        if final:
            return Traced(coarse)
        weights, _ = batched_weights(alphas.detach(), LIGHT_FLOOR)
        drawn = self._random(draws, count, config.fine_samples)
        second = inverse_cdf(midpoints(first), weights[:, 1:-1], config.fine_samples, draws=drawn)
        places = torch.cat([first, second], dim=1).sort(dim=1).values
        density, colours = self._ask(self.fine, course, places, draws, coloured=True)
        alphas = self._alphas(course, places, density)
        fine = pack_table(self.space.distances(rays, places), alphas, colours, stop)
        return Traced(fine, coarse if draws is not None else None)

    def _ready(self) -> None:
        if self._lost is not None:
            raise self._lost

    def _ask(
        self,
        field: NerfField,
        course: Course,
        places: Tensor,
        draws: torch.Generator | None,
        *,
        coloured: bool,
    ) -> tuple[Tensor, Tensor]:
        """Return density ``(n, k)`` in the network's unit and colour ``(n, k, 3)``, 0 where not asked for."""
        points = self.space.squeeze(course.points(places)).flatten(0, 1)
        views, samples = field.views(course.views), places.shape[1]
        if draws is not None:
            noise: Tensor | float = 0.0
            if self.config.noise:
                noise = self.config.noise * torch.randn(places.shape, generator=draws).to(places.device)
            raw = self._learning(field, points, views, samples).reshape(*places.shape, 4)
            return torch.relu(raw[..., 3] + noise), self._shown(raw[..., :3])
        colours = points.new_zeros(*places.shape, 3)
        with self._cast():
            features, density = field.density(points)
            density = density.reshape(places.shape)
            if coloured:
                weights, _ = batched_weights(self._alphas(course, places, density), LIGHT_FLOOR)
                seen = (weights > _UNSEEN).flatten().nonzero()[:, 0]
                found = field.colour(features[seen], views, seen // samples)
                colours.flatten(0, 1)[seen] = self._shown(found)
        return density, colours

    def _learning(self, field: NerfField, points: Tensor, views: Tensor | None, samples: int) -> Tensor:
        """Return raw outputs ``(m, 4)`` with their graph; recomputed in chunks where a step is too large."""
        config = self.config
        rows = torch.arange(len(points), device=points.device) // samples

        def ask(some: Tensor, which: Tensor) -> Tensor:
            with self._cast():
                return field.raw(some, views, which)

        if len(points) // samples * (2 * config.coarse_samples + config.fine_samples) <= config.graph:
            return ask(points, rows)
        pieces = zip(torch.split(points, config.chunk), torch.split(rows, config.chunk), strict=True)
        return torch.cat([checkpoint(ask, some, which, use_reentrant=False) for some, which in pieces])

    def _alphas(self, course: Course, places: Tensor, density: Tensor) -> Tensor:
        return interval_alphas(density, places, course.lengths) * course.alive[:, None]

    def _shown(self, raw: Tensor) -> Tensor:
        return torch.exp(raw.clamp_max(15.0)) if self.linear else torch.sigmoid(raw)

    def _random(self, draws: torch.Generator | None, rows: int, columns: int) -> Tensor | None:
        return None if draws is None else torch.rand(rows, columns, generator=draws).to(self.device)

    def _cast(self) -> torch.autocast:
        return torch.autocast(self.device.type, torch.bfloat16, enabled=self.config.precision == "bfloat16")

    def density(self, points: Tensor) -> Tensor:
        """Return density ``(n,)`` per world unit; in forward scenes as seen from the reference camera."""
        self._ready()
        found = []
        with torch.no_grad(), self._cast():
            for some in torch.split(points, self.config.chunk):
                inside, pace = self.space.points(some)
                found.append(self.fine.density(inside)[1] * pace)
        return torch.cat(found)

    def colour(self, points: Tensor, directions: Tensor) -> Tensor:
        """Return straight colour ``(n, 3)`` at points of the world seen along unit directions."""
        self._ready()
        found = []
        with torch.no_grad(), self._cast():
            for some, along in zip(
                torch.split(points, self.config.chunk),
                torch.split(directions, self.config.chunk),
                strict=True,
            ):
                features, _ = self.fine.density(self.space.points(some)[0])
                views, rows = (
                    self.fine.views(self.space.views(along)),
                    torch.arange(len(some), device=some.device),
                )
                found.append(self._shown(self.fine.colour(features, views, rows)))
        return torch.cat(found)

    def box(self) -> Tensor:
        """Return the world box in which the field is well resolved."""
        return torch.as_tensor(self.extent.box, dtype=torch.float32)

    # -- learning -----------------------------------------------------------------------------------

    def update(self, progress: float) -> None:
        """Take one Adam step at the rate that exponential decay leaves, and clear the gradients."""
        for group in self.optimiser.param_groups:
            group["lr"] = self.config.rate * self.config.decay**progress
        self.optimiser.step()
        self.optimiser.zero_grad(set_to_none=True)

    def state_dict(self) -> dict[str, Any]:
        """Return both networks and the optimiser."""
        self._ready()
        state = {"coarse": dict(self.coarse.net.state_dict()), "optimiser": self.optimiser.state_dict()}
        if self.fine is not self.coarse:
            state["fine"] = dict(self.fine.net.state_dict())
        return state

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Restore what ``state_dict`` returned.

        Raises:
            CheckpointError: A tensor is missing or of another shape; the message names it.
        """
        if self.config.weights:  # the networks are those of the file, which the state holds too
            self._lost = None
            fine = NerfNet.from_state(state["fine"]) if "fine" in state else None
            self._take(NerfNet.from_state(state["coarse"]), fine)
        self.coarse.fill(state["coarse"], "coarse")
        if self.fine is not self.coarse:
            self.fine.fill(state.get("fine", {}), "fine")
        self.optimiser.load_state_dict(state["optimiser"])
