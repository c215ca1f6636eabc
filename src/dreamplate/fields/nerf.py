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
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor
from torch.utils.checkpoint import checkpoint

from dreamplate.errors import CheckpointError, ConfigError
from dreamplate.fields.frequency import encode_frequencies, encoded_width
from dreamplate.fields.method import Traced
from dreamplate.fields.nerf_config import NerfConfig
from dreamplate.fields.nerf_net import NerfNet
from dreamplate.fields.nerf_space import Course, NerfSpace
from dreamplate.fields.nerf_weights import load_networks
from dreamplate.fields.raw_outputs import LIGHT_FLOOR, interval_alphas
from dreamplate.fields.rays import Rays, Samples
from dreamplate.fields.sampling import inverse_cdf, midpoints, stratified
from dreamplate.fields.spaces import Extent
from dreamplate.fields.volume import batched_weights

if TYPE_CHECKING:
    from dreamplate.fields.config import FitConfig

__all__ = ["NerfMethod", "make_nerf"]

_UNSEEN = 1e-8
"""Weight below which a sample's colour is not looked up for a picture."""
_BETAS = (0.9, 0.999)
_EPSILON = 1e-7


def make_nerf(config: FitConfig, extent: Extent, steps: int, draws: torch.Generator) -> NerfMethod:
    """Return the method that the options of a fit describe."""
    linear = config.encoding == "linear"
    return NerfMethod(config.nerf, extent, steps, draws, linear=linear, device=config.device)


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
        ModelError: The weights to start from cannot be found.
        CheckpointError: They do not fit.
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
        if config.weights:
            coarse, fine = load_networks(config.weights)
        else:
            coarse = _new_network(config, draws)
            fine = _new_network(config, draws) if config.fine_samples else None
        self.coarse = coarse.to(self.device)
        # Without a network of its own, the fine pass asks the coarse one, as the published program does.
        self.fine = coarse if fine is None else fine.to(self.device)
        self.octaves = [_octaves(net, config.weights) for net in (self.coarse, self.fine)]
        self.optimiser = torch.optim.Adam(self._parameters(), lr=config.rate, betas=_BETAS, eps=_EPSILON)

    def _parameters(self) -> list[torch.nn.Parameter]:
        nets = [self.coarse] if self.fine is self.coarse else [self.coarse, self.fine]
        return [value for net in nets for value in net.parameters()]

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
        return Traced(_joined([one.samples for one in found]))

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
        density, colours = self._ask(0, course, first, draws, coloured=final or draws is not None)
        alphas = self._alphas(course, first, density)
        coarse = self._samples(rays, first, alphas, colours, stop)
        if final:
            return Traced(coarse)
        weights, _ = batched_weights(alphas.detach(), LIGHT_FLOOR)
        drawn = self._random(draws, count, config.fine_samples)
        second = inverse_cdf(midpoints(first), weights[:, 1:-1], config.fine_samples, draws=drawn)
        places = torch.cat([first, second], dim=1).sort(dim=1).values
        density, colours = self._ask(1, course, places, draws, coloured=True)
        fine = self._samples(rays, places, self._alphas(course, places, density), colours, stop)
        return Traced(fine, coarse if draws is not None else None)

    def _ask(
        self, which: int, course: Course, places: Tensor, draws: torch.Generator | None, *, coloured: bool
    ) -> tuple[Tensor, Tensor]:
        """Return density ``(n, k)`` in the network's unit and colour ``(n, k, 3)``, 0 where not asked for."""
        net = self.fine if which else self.coarse
        points = self.space.squeeze(course.points(places)).flatten(0, 1)
        views = None if net.view_width is None else encode_frequencies(course.views, self.octaves[which][1])
        if draws is not None:
            noise = None
            if self.config.noise:
                noise = self.config.noise * torch.randn(places.shape, generator=draws).to(places.device)
            raw = self._learning(which, points, views, places.shape[1]).reshape(*places.shape, 4)
            density = torch.relu(raw[..., 3] if noise is None else raw[..., 3] + noise)
            return density, self._shown(raw[..., :3])
        colours = points.new_zeros(*places.shape, 3)
        with self._cast():
            features = net.trunk(encode_frequencies(points, self.octaves[which][0]))
            density = torch.relu(net.density(features).float()).reshape(places.shape)
            if coloured:
                weights, _ = batched_weights(self._alphas(course, places, density), LIGHT_FLOOR)
                seen = (weights > _UNSEEN).flatten().nonzero()[:, 0]
                seen_views = None if views is None else views[seen // places.shape[1]]
                colours.flatten(0, 1)[seen] = self._shown(net.colour(features[seen], seen_views).float())
        return density, colours

    def _learning(self, which: int, points: Tensor, views: Tensor | None, samples: int) -> Tensor:
        """Return raw outputs ``(m, 4)`` with their graph; recomputed in chunks where a step is too large."""
        net, (octaves, _) = (self.fine if which else self.coarse), self.octaves[which]

        def ask(some: Tensor, rows: Tensor) -> Tensor:
            with self._cast():
                raw: Tensor = net(encode_frequencies(some, octaves), None if views is None else views[rows])
            return raw[:, :4].float()

        rows = torch.arange(len(points), device=points.device) // samples
        config = self.config
        if len(points) // samples * (2 * config.coarse_samples + config.fine_samples) <= config.graph:
            return ask(points, rows)
        pieces = zip(torch.split(points, config.chunk), torch.split(rows, config.chunk), strict=True)
        return torch.cat(
            [checkpoint(ask, some, which_rows, use_reentrant=False) for some, which_rows in pieces]
        )

    def _alphas(self, course: Course, places: Tensor, density: Tensor) -> Tensor:
        return interval_alphas(density, places, course.lengths) * course.alive[:, None]

    def _samples(
        self, rays: Rays, places: Tensor, alphas: Tensor, colours: Tensor, stop: Tensor | None
    ) -> Samples:
        """Pack a table of samples; an interval reaches to the next sample, the last one to itself."""
        starts = self.space.distances(rays, places)
        ends = torch.cat([starts[:, 1:], starts[:, -1:]], dim=1)
        if stop is not None:
            held = stop[:, None]
            # Of an interval that the stop cuts, the part in front stays, with its share of the thickness.
            share = torch.where(
                ends > starts, (held - starts) / (ends - starts).clamp_min(1e-12), (held > starts).float()
            ).clamp(0, 1)
            alphas = 1 - (1 - alphas) ** share
            starts, ends = torch.minimum(starts, held), torch.minimum(ends, held)
        offsets = torch.arange(len(rays) + 1, device=places.device) * places.shape[1]
        return Samples(offsets, starts.flatten(), ends.flatten(), alphas.flatten(), colours.flatten(0, 1))

    def _shown(self, raw: Tensor) -> Tensor:
        return torch.exp(raw.clamp_max(15.0)) if self.linear else torch.sigmoid(raw)

    def _random(self, draws: torch.Generator | None, rows: int, columns: int) -> Tensor | None:
        return None if draws is None else torch.rand(rows, columns, generator=draws).to(self.device)

    def _cast(self) -> torch.autocast:
        return torch.autocast(self.device.type, torch.bfloat16, enabled=self.config.precision == "bfloat16")

    def density(self, points: Tensor) -> Tensor:
        """Return density ``(n,)`` per world unit; in forward scenes as seen from the reference camera."""
        found = []
        with torch.no_grad(), self._cast():
            for some in torch.split(points, self.config.chunk):
                inside, pace = self.space.points(some)
                features = self.fine.trunk(encode_frequencies(inside, self.octaves[1][0]))
                found.append(torch.relu(self.fine.density(features).float()) * pace)
        return torch.cat(found)

    def colour(self, points: Tensor, directions: Tensor) -> Tensor:
        """Return straight colour ``(n, 3)`` at points of the world seen along unit directions."""
        found = []
        with torch.no_grad(), self._cast():
            for some, along in zip(
                torch.split(points, self.config.chunk),
                torch.split(directions, self.config.chunk),
                strict=True,
            ):
                features = self.fine.trunk(encode_frequencies(self.space.points(some)[0], self.octaves[1][0]))
                views = None
                if self.fine.view_width is not None:
                    views = encode_frequencies(self.space.views(along), self.octaves[1][1])
                found.append(self._shown(self.fine.colour(features, views).float()))
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
        state = {"coarse": dict(self.coarse.state_dict()), "optimiser": self.optimiser.state_dict()}
        if self.fine is not self.coarse:
            state["fine"] = dict(self.fine.state_dict())
        return state

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Restore what ``state_dict`` returned.

        Raises:
            CheckpointError: A tensor is missing or of another shape; the message names it.
        """
        _fill(self.coarse, state["coarse"], "coarse")
        if self.fine is not self.coarse:
            _fill(self.fine, state.get("fine", {}), "fine")
        self.optimiser.load_state_dict(state["optimiser"])


def _new_network(config: NerfConfig, draws: torch.Generator) -> NerfNet:
    return NerfNet(
        config.depth,
        config.width,
        point_width=encoded_width(3, config.position_frequencies),
        view_width=encoded_width(3, config.view_frequencies) if config.view_dependent else None,
        skips=config.skips,
        draws=draws,
    )


def _octaves(net: NerfNet, source: str) -> tuple[int, int]:
    """Return how many octaves of position and direction a network takes."""
    counts = []
    for what, wide in (("position", net.point_width), ("direction", net.view_width)):
        if wide is not None and (wide < 3 or (wide - 3) % 6):
            raise CheckpointError(
                f"{source}: takes a {what} of {wide} numbers; 3, and 6 more for each octave, are known"
            )
        counts.append(0 if wide is None else (wide - 3) // 6)
    return counts[0], counts[1]


def _fill(net: NerfNet, state: Mapping[str, Tensor], part: str) -> None:
    for name, tensor in net.state_dict().items():
        found = state.get(name)
        if found is None or found.shape != tensor.shape:
            what = "missing" if found is None else tuple(found.shape)
            raise CheckpointError(
                f"state of nerf: tensor '{part}.{name}' is {what}, should be {tuple(tensor.shape)}"
            )
    net.load_state_dict(state)


def _joined(parts: list[Samples]) -> Samples:
    if len(parts) == 1:
        return parts[0]
    shift = torch.tensor([0] + [int(part.offsets[-1]) for part in parts]).cumsum(0)
    offsets = [part.offsets[:-1] + int(at) for part, at in zip(parts, shift[:-1], strict=True)]
    return Samples(
        torch.cat([*offsets, shift[-1:].to(offsets[0])]),
        *(
            torch.cat([getattr(part, name) for part in parts])
            for name in ("starts", "ends", "alphas", "colours")
        ),
    )
