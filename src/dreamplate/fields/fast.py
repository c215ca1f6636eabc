"""The fast field: a sparse grid of density and features, grown coarse to fine, with a small colour network.

What is in it: post-activated density and a shallow colour network over grid features (DVGO; Sun et al.
2022); coarse to fine growth with empty space left out; features that add to the network's output directly,
so that colour is there from the first steps and the network only learns what the view changes. What is its
own: bricks of one memory page each, march and density in one kernel, and Adam inside the brick
(``bricks.py``), so that a step costs only what it touches.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from dreamplate.errors import ConfigError
from dreamplate.fields.brick_space import grid_space
from dreamplate.fields.bricks import EMPTY, BrickGrid, Marched
from dreamplate.fields.fast_config import FastConfig
from dreamplate.fields.fast_net import ColourNet
from dreamplate.fields.hull import visual_hull
from dreamplate.fields.method import Traced
from dreamplate.fields.photographs import Photographs
from dreamplate.fields.rays import Rays, Samples
from dreamplate.fields.spaces import Extent
from dreamplate.take.machine import trim_memory

__all__ = ["FastMethod"]

OCCUPIED_EVERY = 32
"""Steps between two looks at which cells may hold something."""
WARM_UP = 128
"""Steps of a stage before that, and before the next stage."""
PIECE = 2**17
"""Samples coloured at a time where no graph is kept."""
PRUNED = 1e-3
"""Opacity of a step below which a cell is not carried into a finer grid."""


class _Lookup(torch.autograd.Function):
    """Opacity and features of samples; their gradients go to the grid, and to the points where asked for."""

    @staticmethod
    def forward(
        ctx: Any, points: Tensor | None, marched: Marched, features: Tensor, method: FastMethod
    ) -> tuple[Tensor, Tensor]:
        ctx.method, ctx.marched = method, marched
        return marched.alphas.clone(), features

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor | None, None, None, None]:
        method, marched = ctx.method, ctx.marched
        length = method.space.length
        clear = (1 - marched.alphas).clamp_min(1e-7)
        # alpha = 1 - exp(-softplus(x) length), and sigmoid(x) = 1 - exp(-softplus(x))
        by_raw = grads[0] * clear * length * (1 - torch.exp(torch.log(clear) / length))
        by_found = grads[1].contiguous()
        method.pending.append((marched.places, by_raw, by_found))
        to_points = None
        if ctx.needs_input_grad[0]:
            to_points = (
                method.grid.slope(marched.places, by_raw, by_found)
                / torch.from_numpy(method.space.cell).float()
            )
        return to_points, None, None, None


class FastMethod:
    """The fast field as a method.

    Args:
        config: Its options.
        extent: Where the content is.
        steps: Steps of the whole fit, for the schedule's pace (progress is what counts).
        draws: Where first weights come from.
        linear: Whether colours are scene-linear without an upper limit (exponential) rather than 0-1.
        device: Only the processor.

    Raises:
        ConfigError: The device is another one.
    """

    def __init__(
        self,
        config: FastConfig,
        extent: Extent,
        steps: int,
        draws: torch.Generator,
        *,
        linear: bool = False,
        device: torch.device | str = "cpu",
    ) -> None:
        if torch.device(device).type != "cpu":
            raise ConfigError(
                f"device is {device}: the fast field runs on the processor; use --recipe ngp there"
            )
        self.config, self.extent, self.linear = config, extent, linear
        self.stage = 0
        self.space = grid_space(extent, config.resolutions[0], config.steps[0])
        self.grid = BrickGrid(self.space.shape)
        soft = -math.log(1 - config.opacity_start) / self.space.length
        self.shift = math.log(math.expm1(soft))
        self.net = ColourNet(config.width, config.appearance, draws)
        self.optimiser = torch.optim.Adam(
            self.net.parameters(), lr=config.network_rate, betas=(0.9, 0.99), eps=1e-12
        )
        self.steps = self.grown = self.samples = self.batch = 0
        self.density_of_samples = float(max(self.space.shape))
        self.pending: list[tuple[Tensor, Tensor, Tensor]] = []

    # -- reading ------------------------------------------------------------------------------------

    def rays_per_step(self, progress: float) -> int:
        """Return how many rays give the wanted number of samples."""
        least, most = self.config.rays
        wanted = self.config.samples[self.stage] / max(self.density_of_samples, 1.0)
        return int(min(max(wanted, least), most)) // 64 * 64

    def trace(
        self,
        rays: Rays,
        *,
        training: bool = False,
        draws: torch.Generator | None = None,
        stop: Tensor | None = None,
    ) -> Traced:
        """March the rays and colour what they meet."""
        if stop is not None:
            rays = rays.with_(far=torch.minimum(rays.far, stop))
        jitter = torch.rand(len(rays), generator=draws) if training else torch.full((len(rays),), 0.5)
        marched = self.grid.march(
            rays.with_(origins=rays.origins.detach(), directions=rays.directions.detach()),
            self.space.packed,
            jitter,
            shift=self.shift,
            faint=self._raw(self.config.least),
            least=self.config.least,
        )
        if not training:
            colours = torch.empty(len(marched.alphas), 3)
            with torch.no_grad():  # in pieces: haze has hundreds of samples a ray
                for first in range(0, len(colours), PIECE):
                    piece = slice(first, first + PIECE)
                    features = self.grid.lookup(marched.places[piece])
                    colours[piece] = self._colours(features, rays, marched.rays[piece])
            return Traced(Samples(marched.offsets, marched.starts, marched.ends, marched.alphas, colours))
        self.batch = len(rays)
        self.samples += len(marched.alphas)
        per_ray = len(marched.alphas) / max(1, len(rays))
        self.density_of_samples = 0.9 * self.density_of_samples + 0.1 * per_ray
        features = self.grid.lookup(marched.places).requires_grad_()
        points = None
        if rays.origins.requires_grad or rays.directions.requires_grad:
            mids = ((marched.starts + marched.ends) / 2)[:, None]
            which = marched.rays.long()
            points = rays.origins[which] + mids * rays.directions[which]
        alphas, found = _Lookup.apply(points, marched, features, self)  # type: ignore[no-untyped-call]
        colours = self._colours(found, rays, marched.rays)
        return Traced(Samples(marched.offsets, marched.starts, marched.ends, alphas, colours))

    def _colours(self, features: Tensor, rays: Rays, which: Tensor) -> Tensor:
        if self.stage < self.config.diffuse_stages:
            found = features[:, :3]
            return torch.exp(found.clamp_max(15.0)) if self.linear else torch.sigmoid(found)
        with torch.autocast("cpu", torch.bfloat16, enabled=self.config.precision == "bfloat16"):
            found = self.net(features, rays, which)
        return torch.exp(found.clamp_max(15.0)) if self.linear else torch.sigmoid(found)

    def density(self, points: Tensor) -> Tensor:
        """Return density per world unit at points of the world."""
        return self._probe(points)[1]

    def colour(self, points: Tensor, directions: Tensor) -> Tensor:
        """Return straight colour at points of the world seen along directions."""
        places, _ = self._probe(points)
        with torch.no_grad():
            ones = torch.ones(len(points))
            rays = Rays(points, directions, 0 * ones, 0 * ones, ones)
            return self._colours(self.grid.lookup(places), rays, torch.arange(len(points)))

    def _probe(self, points: Tensor) -> tuple[Tensor, Tensor]:
        from dreamplate.fields.kernels import bricks_march as kernels

        points = points.detach().float().contiguous()
        places, density = torch.empty(len(points), 3), torch.empty(len(points))
        kernels.probe(
            len(points),
            points.numpy(),
            self.space.packed.numpy(),
            self.grid.index.numpy(),
            self.grid.raw.numpy(),
            np.float32(self.shift),
            places.numpy(),
            density.numpy(),
        )
        return places, density

    def box(self) -> Tensor:
        """Return the world box in which the field is well resolved."""
        if self.extent.kind != "box":
            return torch.from_numpy(self.extent.box).float()
        low = self.space.low
        return torch.from_numpy(
            np.stack([low, low + self.space.cell * (np.array(self.space.shape) - 1)])
        ).float()

    # -- learning -----------------------------------------------------------------------------------

    def prepare(self, photographs: Photographs) -> None:
        """Leave out what photographs with alpha show to be empty, before anything is learnt."""
        if self.extent.kind != "box" or not photographs.has_alpha:
            return
        content = visual_hull(photographs, self.space)
        near = functional.max_pool3d(content[None, None].float(), 3, 1, 1)[0, 0] > 0
        x, y, z = (side // 4 for side in self.space.shape)
        blocks = near.view(x, 4, y, 4, z, 4).permute(0, 2, 4, 1, 3, 5)
        self.grid = BrickGrid(self.space.shape, blocks.any(5).any(4).any(3))
        own = content.view(x, 4, y, 4, z, 4).permute(0, 2, 4, 1, 3, 5)[tuple(self.grid.corners.long().T)]
        self.grid.raw.masked_fill_(~own.reshape(-1, 64), EMPTY)
        self.grid.occupy(self._raw(self.config.least))

    def update(self, progress: float) -> None:
        """Take one step with the gradients there are, and follow the schedule."""
        config = self.config
        decay = config.rate_end**progress
        rates = (config.density_rate * decay, config.feature_rate * decay)
        each = 1 / max(1, self.batch)  # losses are means over the rays of a step
        smooth = (config.smooth_density * each, config.smooth_features * each)
        for places, by_raw, by_found in self.pending:
            self.grid.learn(places, by_raw, by_found, rates=rates, smooth=smooth)
        self.pending = []
        for group in self.optimiser.param_groups:
            group["lr"] = config.network_rate * decay
        self.optimiser.step()
        self.optimiser.zero_grad(set_to_none=True)
        self.steps += 1
        if self._due(progress):
            self.grow()
        elif self.steps >= WARM_UP and self.steps % OCCUPIED_EVERY == 0:
            self.grid.occupy(self._raw(config.least))
            trim_memory()

    def _due(self, progress: float) -> bool:
        """Return whether it is time for a finer grid, and enough samples are still to come to fill it."""
        config = self.config
        if self.stage + 1 >= len(config.starts) or progress < config.starts[self.stage + 1]:
            return False
        if self.steps - self.grown < WARM_UP or self.steps % OCCUPIED_EVERY:
            return False
        finer = config.resolutions[self.stage + 1] / config.resolutions[self.stage]
        vertices = 64 * len(self.grid) * finer**2.5
        to_come = self.samples / max(progress, 1e-6) * (1 - progress)
        return bool(to_come >= config.samples_per_vertex * vertices)

    def _raw(self, alpha: float) -> float:
        """Return the raw density of a step of this opacity."""
        if alpha <= 0:
            return EMPTY
        return math.log(math.expm1(-math.log(1 - alpha) / self.space.length)) - self.shift

    def grow(self) -> None:
        """Go on in the next, finer grid, drawn close around what there is."""
        self.stage += 1
        self.grown = self.steps
        old = self.space
        # What no ray has touched is not known to be anything; else fog would stay there for good.
        self.grid.raw.masked_fill_(self.grid.raw_second == 0, EMPTY)
        self.grid.occupy(self._raw(PRUNED))
        box = self._content() if self.extent.kind == "box" else None
        self.space = grid_space(
            self.extent, self.config.resolutions[self.stage], self.config.steps[self.stage], box
        )
        scale = torch.from_numpy(self.space.cell / old.cell)
        bias = torch.from_numpy((self.space.low - old.low) / old.cell)
        self.grid = self.grid.refined(self.space.shape, scale, bias)
        trim_memory()
        self.grid.occupy(self._raw(self.config.least))

    def _content(self) -> np.ndarray[Any, np.dtype[np.float64]]:
        """Return the world box of all marked cells, with a cell to spare."""
        marked = self.grid.occupied().nonzero()
        if len(marked) == 0:
            return self.extent.box
        shape = np.array(self.space.shape)
        first, last = (edge.numpy().astype(float) for edge in (marked.amin(0), marked.amax(0)))
        low = self.space.low + np.maximum(first - 1, 0) * self.space.cell
        high = self.space.low + np.minimum(last + 2, shape - 1) * self.space.cell
        return np.stack([low, high])

    # -- keeping ------------------------------------------------------------------------------------

    def state_dict(self) -> dict[str, Any]:
        """Return everything the next step and the next picture depend on."""
        return {
            "stage": self.stage,
            "steps": self.steps,
            "grown": self.grown,
            "samples": self.samples,
            "shift": self.shift,
            "per_ray": self.density_of_samples,
            "low": self.space.low.tolist(),
            "high": (self.space.low + self.space.cell * (np.array(self.space.shape) - 1)).tolist(),
            "grid": self.grid.state_dict(),
            "net": dict(self.net.state_dict()),
            "optimiser": self.optimiser.state_dict(),
        }

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Restore what ``state_dict`` returned."""
        counts = (int(state[name]) for name in ("stage", "steps", "grown", "samples"))
        self.stage, self.steps, self.grown, self.samples = counts
        self.shift, self.density_of_samples = float(state["shift"]), float(state["per_ray"])
        self.grid = BrickGrid.restored(state["grid"])
        box = np.array([state["low"], state["high"]]) if self.extent.kind == "box" and self.stage else None
        self.space = grid_space(
            self.extent, self.config.resolutions[self.stage], self.config.steps[self.stage], box
        )
        self.net.load_state_dict(state["net"])
        self.optimiser.load_state_dict(state["optimiser"])
        self.pending = []
