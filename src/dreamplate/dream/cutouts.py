"""Cut-outs: the random views of a picture that a scorer judges.

A scorer sees small squares. Showing it many random squares of the picture at each step, moved,
scaled, turned and recoloured, makes the guidance robust: what raises the score in all of them is
seldom an adversarial texture. ``draw_cuts`` makes every random choice for a step at once, from one
explicit CPU generator; ``take_cuts`` resamples any slice of them, so that a step is the same
however its cuts are chunked and on whichever device they run.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, fields, replace

import torch
import torch.nn.functional as F
from jaxtyping import Float, Int
from torch import Tensor

from dreamplate.dream.options import CutConfig


@dataclass(frozen=True)
class Cuts:
    """All random choices for ``n`` cut-outs of one step. Tensors on the CPU, float32.

    Lengths are fractions: of the picture's shorter side for ``size``, of its width and height for
    ``centre`` (0 to 1, the middle of a pixel row counts as half a pixel).
    """

    centre: Float[Tensor, "n 2"]  # x, y in [0, 1]
    size: Float[Tensor, " n"]  # side of the cut over the shorter side of the picture
    angle: Float[Tensor, " n"]  # radians
    shear: Float[Tensor, " n"]
    flip: Float[Tensor, " n"]  # +1 or -1
    tilt: Float[Tensor, "n 2"]  # perspective terms
    gain: Float[Tensor, "n 3"]  # colour multipliers
    offset: Float[Tensor, " n #3"]  # colour offsets, one for all channels or one each
    noise: Float[Tensor, " n"]  # standard deviation of added noise
    noise_seed: Int[Tensor, " n"]  # int64, each cut's own noise

    def __len__(self) -> int:
        return self.size.shape[0]

    def __getitem__(self, index: slice) -> Cuts:
        return Cuts(**{f.name: getattr(self, f.name)[index] for f in fields(self)})


def uniform(
    shape: tuple[int, ...], low: float, high: float, generator: torch.Generator
) -> Float[Tensor, "*shape"]:
    """Return uniform draws in [low, high) of ``shape`` from a CPU generator."""
    return torch.rand(shape, generator=generator) * (high - low) + low


def draw_cuts(
    config: CutConfig,
    count: int,
    aspect: float,
    generator: torch.Generator,
    *,
    wrap: tuple[bool, bool] = (False, False),
    progress: float = 0.0,
) -> Cuts:
    """Draw ``count`` cut-outs.

    Sizes are normal around ``size_mean`` with ``size_std``, folded back into [size_min, size_max];
    ``progress`` (0 to 1) moves the mean from ``size_mean`` to ``size_mean_end``. Sizes are
    stratified over the cuts of a step, which lowers the variance of the gradient at no cost.
    Positions are uniform over the places where the cut, shrunk by ``overhang``, lies inside the
    picture; along wrapped axes they are uniform over the whole torus.

    Args:
        config: Distribution of sizes, geometry and colour.
        count: Number of cuts.
        aspect: Picture width over height.
        generator: CPU generator; the only source of randomness.
        wrap: Whether the picture tiles in x and in y.
        progress: Fraction of the whole run that is done.
    """
    size = draw_sizes(config, count, generator, progress)

    width, height = max(aspect, 1.0), max(1 / aspect, 1.0)  # over the shorter side
    place = torch.rand((count, 2), generator=generator)
    side = torch.tensor([width, height])
    inside = size[:, None] * (1 - config.overhang) / (2 * side)
    margin = inside.clamp(max=0.5)
    centre = margin + place * (1 - 2 * margin)
    centre = torch.where(torch.tensor(wrap), place, centre)

    spread = math.radians(config.rotate)
    flip = torch.where(torch.rand(count, generator=generator) < config.flip, -1.0, 1.0)
    brightness = uniform((count, 1), -config.brightness, config.brightness, generator)
    contrast = torch.exp(uniform((count, 1), -config.contrast, config.contrast, generator))
    tint = torch.exp(uniform((count, 3), -config.tint, config.tint, generator))
    gain = contrast * tint
    drawn = Cuts(
        centre=centre,
        size=size,
        angle=uniform((count,), -spread, spread, generator),
        shear=uniform((count,), -config.shear, config.shear, generator),
        flip=flip,
        tilt=uniform((count, 2), -config.perspective, config.perspective, generator),
        gain=gain,
        offset=brightness + 0.5 * (1 - contrast),
        noise=uniform((count,), 0.0, config.noise, generator),
        noise_seed=torch.randint(0, 2**62, (count,), generator=generator),
    )
    return widen(drawn, round(count * config.whole)) if config.whole else drawn


def draw_sizes(
    config: CutConfig, count: int, generator: torch.Generator, progress: float
) -> Float[Tensor, " {count}"]:
    """Return the sides of ``count`` cuts over the picture's shorter side, as ``config.sizes`` says."""
    low, high = config.size_min, config.size_max
    if config.sizes == "uniform":
        return uniform((count,), low, high, generator)
    mean = config.size_mean + (config.size_mean_end - config.size_mean) * progress
    if config.sizes == "clipped":
        return (mean + config.size_std * torch.randn(count, generator=generator)).clamp(low, high)
    strata = (torch.randperm(count, generator=generator) + torch.rand(count, generator=generator)) / count
    normal = torch.erfinv((2 * strata - 1).clamp(-0.9999, 0.9999)) * math.sqrt(2)
    return _fold(mean + config.size_std * normal, low, high)


def widen(cuts: Cuts, count: int) -> Cuts:
    """Return cuts of which the first ``count`` cuts see the whole picture, upright; colour and noise stay."""
    upright = full_view(count)
    changed = {
        name: torch.cat([getattr(upright, name), getattr(cuts, name)[count:]])
        for name in ("centre", "size", "angle", "shear", "tilt")
    }
    return replace(cuts, **changed)


def _fold(values: Float[Tensor, " n"], low: float, high: float) -> Float[Tensor, " n"]:
    """Reflect values at both ends of [low, high] until they lie inside."""
    if high <= low:
        return torch.full_like(values, low)
    period = 2 * (high - low)
    phase = torch.remainder(values - low, period)
    return low + torch.minimum(phase, period - phase)


def full_view(count: int = 1) -> Cuts:
    """Return cuts that show the largest centred square, unchanged; for measuring a score."""
    zeros = torch.zeros(count)
    return Cuts(
        centre=torch.full((count, 2), 0.5),
        size=torch.ones(count),
        angle=zeros,
        shear=zeros,
        flip=torch.ones(count),
        tilt=torch.zeros(count, 2),
        gain=torch.ones(count, 3),
        offset=torch.zeros(count, 3),
        noise=zeros,
        noise_seed=torch.zeros(count, dtype=torch.int64),
    )


def cut_grid(cuts: Cuts, side: int, width: int, height: int) -> Float[Tensor, "{len(cuts)} {side} {side} 2"]:
    """Return sampling positions ``(n, side, side, 2)`` in pixels (x, y; the first centre is 0.5)."""
    line = (torch.arange(side, dtype=torch.float32) + 0.5) / side - 0.5
    v, u = torch.meshgrid(line, line, indexing="ij")
    u, v = u[None] * cuts.flip[:, None, None], v[None].expand(len(cuts), -1, -1)
    depth = 1 + 2 * (cuts.tilt[:, 0, None, None] * u + cuts.tilt[:, 1, None, None] * v)
    u, v = u / depth, v / depth
    u = u + cuts.shear[:, None, None] * v
    cos, sin = torch.cos(cuts.angle)[:, None, None], torch.sin(cuts.angle)[:, None, None]
    u, v = cos * u - sin * v, sin * u + cos * v
    pixels = (cuts.size * min(width, height))[:, None, None]
    x = cuts.centre[:, 0, None, None] * width + u * pixels
    y = cuts.centre[:, 1, None, None] * height + v * pixels
    return torch.stack([x, y], dim=-1)


def take_cuts(
    image: Float[Tensor, "1 3 height width"],
    cuts: Cuts,
    side: int,
    *,
    wrap: tuple[bool, bool] = (False, False),
    colour: bool = True,
    resample: str = "pyramid",
) -> Float[Tensor, "{len(cuts)} 3 {side} {side}"]:
    """Resample cut-outs of a picture.

    Each cut reads the picture from a level of a box-filtered pyramid chosen so that neighbouring
    samples lie one to two pixels apart, bilinearly: no aliasing, and small cuts cost no more than
    large ones. Outside the picture the edge is mirrored, or wraps where the picture tiles.

    Args:
        image: ``(1, 3, height, width)``, display-encoded, any device.
        cuts: The draws.
        side: Side of the squares in pixels.
        wrap: Whether the picture tiles in x and in y.
        colour: Whether to apply the colour draws and noise.
        resample: ``pyramid`` as above; ``bilinear`` and ``nearest`` read the full picture, with aliasing,
            as early systems did.

    Returns:
        ``(n, 3, side, side)`` in the order of ``cuts``, on the device of ``image``.
    """
    height, width = image.shape[-2:]
    spacing = cuts.size * min(width, height) / side
    levels = torch.log2(spacing.clamp(min=1)).floor().long() * int(resample == "pyramid")
    mode = "nearest" if resample == "nearest" else "bilinear"
    parts: list[Tensor] = []
    order: list[Tensor] = []
    level_image = image
    for level in range(int(levels.max()) + 1):
        if level:
            level_image = _halve(level_image, wrap)
        chosen = torch.nonzero(levels == level).flatten()
        if len(chosen) == 0:
            continue
        h, w = level_image.shape[-2:]
        grid = cut_grid(_select(cuts, chosen), side, w, h).to(image)
        parts.append(_sample(level_image, grid, wrap, mode))
        order.append(chosen)
    result = torch.cat(parts)[torch.argsort(torch.cat(order)).to(image.device)]
    if not colour:
        return result
    result = result * cuts.gain[:, :, None, None].to(image) + cuts.offset[:, :, None, None].to(image)
    if bool((cuts.noise > 0).any()):
        result = result + cut_noise(cuts, side).to(image)
    return result.clamp(0, 1)


def cut_noise(cuts: Cuts, side: int) -> Float[Tensor, "{len(cuts)} 3 {side} {side}"]:
    """Return each cut's own noise ``(n, 3, side, side)``, the same however the cuts are chunked."""
    rows = []
    for seed, std in zip(cuts.noise_seed.tolist(), cuts.noise.tolist(), strict=True):
        generator = torch.Generator().manual_seed(seed)
        rows.append(torch.randn((3, side, side), generator=generator) * std)
    return torch.stack(rows)


def _select(cuts: Cuts, index: Int[Tensor, " chosen"]) -> Cuts:
    return Cuts(**{f.name: getattr(cuts, f.name)[index] for f in fields(cuts)})


def _halve(
    image: Float[Tensor, "1 3 height width"], wrap: tuple[bool, bool]
) -> Float[Tensor, "1 3 (height+1)//2 (width+1)//2"]:
    """Return the picture at half size (rounded up) by averaging two by two pixels."""
    height, width = image.shape[-2:]
    right, below = width % 2, height % 2
    if right:
        image = F.pad(image, (0, 1, 0, 0), mode="circular" if wrap[0] else "replicate")
    if below:
        image = F.pad(image, (0, 0, 0, 1), mode="circular" if wrap[1] else "replicate")
    return F.avg_pool2d(image, 2)


def _sample(
    image: Float[Tensor, "1 3 height width"],
    grid: Float[Tensor, "n side side 2"],
    wrap: tuple[bool, bool],
    mode: str,
) -> Float[Tensor, "n 3 side side"]:
    """Read ``image`` (1, 3, h, w) at pixel positions ``grid`` (n, s, s, 2)."""
    height, width = image.shape[-2:]
    x, y = grid[..., 0], grid[..., 1]
    # Wrapped axes: positions are taken modulo the period and one column is repeated at each end,
    # so that bilinear reads across the seam find their neighbour.
    if wrap[0]:
        x = torch.remainder(x, width) + 1
        image = F.pad(image, (1, 1, 0, 0), mode="circular")
    if wrap[1]:
        y = torch.remainder(y, height) + 1
        image = F.pad(image, (0, 0, 1, 1), mode="circular")
    padded_height, padded_width = image.shape[-2:]
    positions = torch.stack([2 * x / padded_width - 1, 2 * y / padded_height - 1], dim=-1)
    return F.grid_sample(
        image.expand(len(grid), -1, -1, -1),
        positions,
        mode=mode,
        padding_mode="reflection",
        align_corners=False,
    )
