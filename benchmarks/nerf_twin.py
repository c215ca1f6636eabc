"""The ``nerf`` method beside an independent plain-torch loop: the same settings and draws, both losses.

The twin is written after the paper and the published programs' conventions (directions of planar length 1,
planar positions, the last interval 1e10, white background) and shares no code with ``dreamplate.fields``.
Small network and pictures: the point is that both learn the same, step by step, and how many rays a second.

Run: python benchmarks/nerf_twin.py [--scene ../shared/data/nerf_lego400] [--steps 300] [--side 100]
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor


@dataclass(frozen=True)
class Settings:
    """What the twin must know."""

    centre: Tensor
    half: float
    coarse: int
    fine: int
    octaves: tuple[int, int]
    skips: tuple[int, ...]
    views: bool
    noise: float
    rate: float
    decay: float


def twin_settings(config: Any, extent: Any) -> Settings:
    box = torch.as_tensor(extent.box, dtype=torch.float32)
    return Settings(
        box.mean(0),
        float((box[1] - box[0]).max()) / 2,
        config.coarse_samples,
        config.fine_samples,
        (config.position_frequencies, config.view_frequencies),
        config.skips,
        config.view_dependent,
        config.noise,
        config.rate,
        config.decay,
    )


class Twin:
    """A coarse and a fine network as two tables of weights, and one step of learning."""

    def __init__(self, settings: Settings, state: Mapping[str, Any]) -> None:
        self.settings = settings
        self.coarse, self.fine = (
            {name: value.clone().requires_grad_() for name, value in state[part].items()}
            for part in ("coarse", "fine")
        )
        weights = [*self.coarse.values(), *self.fine.values()]
        self.adam = torch.optim.Adam(weights, lr=settings.rate, betas=(0.9, 0.999), eps=1e-7)

    def learn(self, rays: Any, target: Tensor, progress: float, draws: torch.Generator) -> float:
        """Take one step over a white background and return its loss."""
        self.adam.param_groups[0]["lr"] = self.settings.rate * self.settings.decay**progress
        coarse, fine = self.render(rays, draws)
        loss = ((coarse - target) ** 2).mean() + ((fine - target) ** 2).mean()
        self.adam.zero_grad()
        loss.backward()
        self.adam.step()
        return float(loss.detach())

    def render(self, rays: Any, draws: torch.Generator) -> tuple[Tensor, Tensor]:
        """Return coarse and fine colours over white."""
        s = self.settings
        origins = (rays.origins - s.centre) / s.half
        directions = rays.directions / rays.cosines[:, None] / s.half
        near, far = (rays.near * rays.cosines)[:, None], (rays.far * rays.cosines)[:, None]
        share = torch.linspace(0, 1, s.coarse)
        z = near * (1 - share) + far * share
        middle = 0.5 * (z[:, 1:] + z[:, :-1])
        upper, lower = torch.cat([middle, z[:, -1:]], 1), torch.cat([z[:, :1], middle], 1)
        z = lower + (upper - lower) * torch.rand(z.shape, generator=draws)
        views = F.normalize(directions, dim=1)
        coarse, weights = self.shade(self.coarse, origins, directions, views, z, draws)
        middle = 0.5 * (z[:, 1:] + z[:, :-1])
        weights = weights.detach()[:, 1:-1] + 1e-5
        cdf = torch.cumsum(weights / weights.sum(1, keepdim=True), 1)
        cdf = torch.cat([torch.zeros(len(z), 1), cdf], 1)
        u = torch.rand(len(z), s.fine, generator=draws)
        found = torch.searchsorted(cdf, u, right=True)
        below, above = (found - 1).clamp(min=0), found.clamp(max=cdf.shape[1] - 1)
        c0, c1 = cdf.gather(1, below), cdf.gather(1, above)
        b0, b1 = middle.gather(1, below), middle.gather(1, above)
        step = torch.where(c1 - c0 < 1e-5, torch.ones_like(c0), c1 - c0)
        z = torch.sort(torch.cat([z, b0 + (u - c0) / step * (b1 - b0)], 1), 1)[0]
        fine, _ = self.shade(self.fine, origins, directions, views, z, draws)
        return coarse, fine

    def shade(
        self,
        weights: Mapping[str, Tensor],
        origins: Tensor,
        directions: Tensor,
        views: Tensor,
        z: Tensor,
        draws: torch.Generator,
    ) -> tuple[Tensor, Tensor]:
        """Return colours over white, and weights."""
        s = self.settings
        points = origins[:, None] + z[:, :, None] * directions[:, None]
        raw = self.ask(weights, points, views[:, None].expand(points.shape))
        sigma = raw[..., 3]
        if s.noise:
            sigma = sigma + s.noise * torch.randn(z.shape, generator=draws)
        gaps = torch.cat([z[:, 1:] - z[:, :-1], torch.full((len(z), 1), 1e10)], 1)
        alpha = 1 - torch.exp(-F.relu(sigma) * gaps * directions.norm(dim=1)[:, None])
        light = torch.cumprod(torch.cat([torch.ones(len(z), 1), 1 - alpha + 1e-10], 1), 1)[:, :-1]
        seen = alpha * light
        colour = (seen[..., None] * torch.sigmoid(raw[..., :3])).sum(1)
        return colour + (1 - seen.sum(1))[:, None], seen

    def ask(self, weights: Mapping[str, Tensor], points: Tensor, views: Tensor) -> Tensor:
        """Return the network's raw outputs."""
        s = self.settings
        encoded = encode(points, s.octaves[0])
        h = encoded
        for i in range(sum(name.startswith("pts_linears") for name in weights) // 2):
            h = F.relu(F.linear(h, weights[f"pts_linears.{i}.weight"], weights[f"pts_linears.{i}.bias"]))
            if i in s.skips:
                h = torch.cat([encoded, h], -1)

        def linear(name: str, x: Tensor) -> Tensor:
            return F.linear(x, weights[f"{name}.weight"], weights[f"{name}.bias"])

        if not s.views:
            return linear("output_linear", h)
        sigma = linear("alpha_linear", h)
        h = torch.cat([linear("feature_linear", h), encode(views, s.octaves[1])], -1)
        return torch.cat([linear("rgb_linear", F.relu(linear("views_linears.0", h))), sigma], -1)


def encode(x: Tensor, octaves: int) -> Tensor:
    parts = [x]
    for k in range(octaves):
        parts += [torch.sin(2.0**k * x), torch.cos(2.0**k * x)]
    return torch.cat(parts, -1)


def lego(folder: Path, split: str, side: int, most: int) -> tuple[list[Any], Tensor]:
    """Cameras, and pictures over white ``(n, side, side, 3)``."""
    from dreamplate.plate import read
    from dreamplate.plate.camera import Camera

    told = json.loads((folder / f"transforms_{split}.json").read_text())
    cameras, pictures = [], []
    for frame in told["frames"][:most]:
        pixels = read(folder / f"{frame['file_path']}.png").pixels
        k = pixels.shape[0] // side
        # A plate is premultiplied; what is displayed over white is added in the display encoding.
        small = pixels.reshape(side, k, side, k, 4).mean((1, 3))
        pictures.append(small[..., :3] + 1 - small[..., 3:])
        degrees = float(np.degrees(told["camera_angle_x"]))
        cameras.append(Camera.from_fov(side, side, degrees, frame["transform_matrix"]))
    return cameras, torch.from_numpy(np.stack(pictures)).float().clamp(0, 1)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--scene", type=Path, default=Path("../shared/data/nerf_lego400"))
    parser.add_argument("--steps", type=int, default=300)
    parser.add_argument("--side", type=int, default=100)
    parser.add_argument("--rays", type=int, default=512)
    parser.add_argument("--views", type=int, default=40)
    options = parser.parse_args()

    from dreamplate.fields import Rays, camera_rays
    from dreamplate.fields.compositing import composite
    from dreamplate.fields.limits import limited
    from dreamplate.fields.nerf import NerfMethod
    from dreamplate.fields.nerf_config import NerfConfig
    from dreamplate.fields.spaces import Extent
    from dreamplate.take.machine import prepare_process

    prepare_process()
    config = NerfConfig(
        depth=4, width=64, skips=(2,), coarse_samples=32, fine_samples=32, rays=options.rays, crop_steps=100
    )
    extent = Extent("box", np.array([[-1.5] * 3, [1.5] * 3]), 2.0, 6.0, np.eye(4))
    cameras, pictures = lego(options.scene, "train", options.side, options.views)
    every = [limited(camera_rays(camera), extent) for camera in cameras]
    names = ("origins", "directions", "near", "far", "cosines")
    flat = Rays(*(torch.cat([getattr(rays, name) for rays in every]) for name in names))
    colours = pictures.reshape(-1, 3)
    place = torch.arange(options.side)
    central = (place - options.side / 2 + 0.5).abs() < options.side * config.crop_share / 2
    middle = (central[:, None] & central).repeat(len(cameras), 1, 1).flatten()
    usable = flat.far > flat.near  # rays beside the box have nothing to learn

    method = NerfMethod(config, extent, options.steps, torch.Generator().manual_seed(0))
    twin = Twin(twin_settings(config, extent), method.state_dict())
    choose = torch.Generator().manual_seed(1)
    ours: list[float] = []
    theirs: list[float] = []
    spent = [0.0, 0.0]
    white = torch.ones(3)
    print(f"{'step':>5} {'loss, ours':>12} {'loss, twin':>12}")
    for step in range(options.steps):
        pool = (usable & middle if step < config.crop_steps else usable).nonzero()[:, 0]
        which = pool[torch.randint(len(pool), (options.rays,), generator=choose)]
        rays, target, progress = flat[which], colours[which], step / options.steps
        begin = time.process_time()
        draws = torch.Generator().manual_seed(1000 + step)
        traced = method.trace(rays, training=True, draws=draws)
        assert traced.coarse is not None
        loss = sum(((composite(s).over(white) - target) ** 2).mean() for s in (traced.coarse, traced.samples))
        assert isinstance(loss, Tensor)
        loss.backward()
        method.update(progress)
        ours.append(float(loss.detach()))
        between = time.process_time()
        theirs.append(twin.learn(rays, target, progress, torch.Generator().manual_seed(1000 + step)))
        spent[0] += between - begin
        spent[1] += time.process_time() - between
        if step % 25 == 24 or step == 0:
            window = slice(max(0, step - 24), step + 1)
            print(f"{step + 1:5} {np.mean(ours[window]):12.5f} {np.mean(theirs[window]):12.5f}", flush=True)
    apart = np.abs(np.array(ours) - theirs) / theirs
    print(f"relative distance of the losses: median {np.median(apart):.1e}, worst {apart.max():.1e}")
    total = options.rays * options.steps
    print(f"learning: ours {total / spent[0]:,.0f}, twin {total / spent[1]:,.0f} rays per CPU second")

    cameras, pictures = lego(options.scene, "test", options.side, 1)
    begin = time.process_time()
    shown = composite(method.trace(limited(camera_rays(cameras[0]), extent)).samples).over(white)
    spent[0] = time.process_time() - begin
    error = float(((shown - pictures[0].reshape(-1, 3)) ** 2).mean())
    print(f"a test view: {-10 * np.log10(error):.2f} dB, {len(shown) / spent[0]:,.0f} rays per CPU second")


if __name__ == "__main__":
    main()
