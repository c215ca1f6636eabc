"""Line drawings of pictures without any learning: differences of Gaussians along the flow of edges.

Kang, Lee and Chui ("Coherent line drawing", 2007) measure, across each edge, how much darker one side is, and
add that up along the edge, so that lines are long and clean. Winnemöller and others ("XDoG", 2012) let the
same response carry blacks. Departures: the flow comes from the smoothed structure tensor of all three Lab
channels (Brox and others 2006) instead of Kang's repeated filter, so that it is linear and sees edges between
equally light colours; the response is scaled so that it reads as the contrast of a step.

Every function is the same operator at every pixel of every frame: constants are in lightness, and nothing is
measured on the picture as a whole. So a sequence has no flicker but that of its own pixels.
"""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor

__all__ = ["blur", "fill", "flow", "ink", "lab", "response", "sample"]

KNEE = 0.8
"""Display value above which highlights are folded by a logarithm."""
BEND = 0.25
"""How soon they are."""
RATIO = 1.6
"""Of the two Gaussians: their difference is then nearly a Laplacian (Marr and Hildreth 1980)."""
STEP = 0.112
"""Peak response of that difference to a step of height 1."""
CHROMA = 0.6
"""Weight of colour against lightness in Lab."""
SURROUND = (4.0, 0.4, 0.9)
"""Lightness around a pixel that contrast is seen against: radius in standard deviations of the line, then
what divides a contrast, ``offset + slope * lightness``: in the dark, smaller steps count (Weber)."""
ALONG = 4.0
"""Length of the integration along an edge: standard deviation, in standard deviations across."""
_TO_XYZ = ((0.4124, 0.3576, 0.1805), (0.2126, 0.7152, 0.0722), (0.0193, 0.1192, 0.9505))
_WHITE = (0.9505, 1.0, 1.089)


def lab(rgb: Float[Tensor, "n 3 h w"]) -> Float[Tensor, "n 3 h w"]:
    """Return CIE Lab over 100 (lightness 0-1) of display-encoded colour; highlights above 1 are folded.

    Values below 0 count as 0: there is no light to draw.
    """
    rgb = rgb.clamp(min=0)
    rgb = torch.where(rgb > KNEE, KNEE + BEND * torch.log1p((rgb - KNEE).clamp(min=0) / BEND), rgb)
    light = torch.where(rgb > 0.04045, ((rgb + 0.055) / 1.055) ** 2.4, rgb / 12.92)
    xyz = torch.einsum("dc,nchw->ndhw", rgb.new_tensor(_TO_XYZ), light)
    xyz = xyz / rgb.new_tensor(_WHITE)[:, None, None]
    root = torch.where(xyz > 0.008856, xyz.clamp(min=1e-6) ** (1 / 3), 7.787 * xyz + 16 / 116)
    x, y, z = root.unbind(1)
    return torch.stack([1.16 * y - 0.16, 5 * (x - y), 2 * (y - z)], dim=1)


def blur(image: Float[Tensor, "n c h w"], sigma: float) -> Float[Tensor, "n c h w"]:
    """Return pictures under a Gaussian of ``sigma`` pixels; the rim is repeated."""
    reach = math.ceil(3 * sigma)
    if reach == 0:
        return image
    weights = [math.exp(-0.5 * (place / sigma) ** 2) for place in range(reach + 1)]
    total = weights[0] + 2 * sum(weights[1:])
    for axis in (2, 3):
        length = image.shape[axis]
        pad = (0, 0, reach, reach) if axis == 2 else (reach, reach, 0, 0)
        wide = F.pad(image, pad, mode="replicate")
        # Shifted sums: many times faster on processors than a convolution of one channel.
        image = wide.narrow(axis, reach, length) * (weights[0] / total)
        for place in range(1, reach + 1):
            sides = wide.narrow(axis, reach - place, length) + wide.narrow(axis, reach + place, length)
            image.add_(sides, alpha=weights[place] / total)
    return image


def slopes(image: Float[Tensor, "n c h w"]) -> tuple[Float[Tensor, "n c h w"], Float[Tensor, "n c h w"]]:
    """Return the slopes to the right and down, for each pixel; flat at the rim."""
    wide = F.pad(image, (1, 1, 1, 1), mode="replicate")
    right = (wide[:, :, 1:-1, 2:] - wide[:, :, 1:-1, :-2]) / 2
    down = (wide[:, :, 2:, 1:-1] - wide[:, :, :-2, 1:-1]) / 2
    return right, down


def flow(
    picture: Float[Tensor, "n 3 h w"], inner: float, outer: float
) -> tuple[Float[Tensor, "n 2 h w"], Float[Tensor, "n 1 h w"]]:
    """Return the direction of edges, and how much of their contrast is lightness.

    Args:
        picture: In Lab, as `lab` gives it.
        inner: Standard deviation of the smoothing before slopes are taken, in pixels.
        outer: Of the structure tensor: the larger, the calmer the flow.

    Returns:
        A unit vector (x, y) along the edge, and the share of the energy that is lightness, 0-1.
    """
    weights = picture.new_tensor([1.0, CHROMA, CHROMA])[:, None, None]
    right, down = slopes(blur(picture, inner) * weights)
    energies = [right * right, right * down, down * down]
    light = energies[0][:, :1] + energies[2][:, :1]
    tensor = torch.cat([*(part.sum(1, keepdim=True) for part in energies), light], dim=1)
    xx, xy, yy, light = torch.chunk(blur(tensor, outer), 4, dim=1)
    # The double angle of the steepest direction, turned by a right angle.
    angle = 0.5 * torch.atan2(2 * xy, xx - yy) + math.pi / 2
    return torch.cat([torch.cos(angle), torch.sin(angle)], dim=1), light / (xx + yy + 1e-9)


def sample(image: Float[Tensor, "n c h w"], place: Float[Tensor, "n 2 h w"]) -> Float[Tensor, "n c h w"]:
    """Return values at places given in pixels (x, y), bilinearly; outside is the rim."""
    height, width = image.shape[2:]
    scale = place.new_tensor([2 / max(1, width - 1), 2 / max(1, height - 1)])[:, None, None]
    grid = (place * scale - 1).permute(0, 2, 3, 1)
    return F.grid_sample(image, grid, mode="bilinear", padding_mode="border", align_corners=True)


def pixel_places(like: Tensor) -> Float[Tensor, "1 2 h w"]:
    """Return the coordinates (x, y) of every pixel."""
    height, width = like.shape[2:]
    rows = torch.arange(height, device=like.device, dtype=torch.float32)[:, None].expand(height, width)
    columns = torch.arange(width, device=like.device, dtype=torch.float32)[None].expand(height, width)
    return torch.stack([columns, rows])[None]


def across(
    image: Float[Tensor, "n c h w"], along: Float[Tensor, "n 2 h w"], sigma: float
) -> Float[Tensor, "n c h w"]:
    """Return the difference of Gaussians across the flow, positive on the darker side (Kang eq. 6)."""
    normal = torch.stack([-along[:, 1], along[:, 0]], dim=1)
    here = pixel_places(image)
    reach = math.ceil(2.5 * RATIO * sigma)
    narrow, wide = (
        [math.exp(-0.5 * (place / deviation) ** 2) for place in range(reach + 1)]
        for deviation in (sigma, RATIO * sigma)
    )
    totals = [weights[0] + 2 * sum(weights[1:]) for weights in (narrow, wide)]
    taps = [w / totals[1] - n / totals[0] for n, w in zip(narrow, wide, strict=True)]
    total = image * taps[0]
    for place in range(1, reach + 1):
        for sign in (1, -1):
            total.add_(sample(image, here + normal * (sign * place)), alpha=taps[place])
    return total


def along_flow(
    values: Float[Tensor, "n c h w"], along: Float[Tensor, "n 2 h w"], sigma: float, stride: float = 1.0
) -> Float[Tensor, "n c h w"]:
    """Return values averaged along the curve that follows the flow through each pixel (Kang eq. 9).

    Args:
        values: Any.
        along: Unit vectors; their sign does not matter.
        sigma: Standard deviation of the average, in pixels of arc length.
        stride: Arc length of a step.
    """
    count = math.ceil(2 * sigma / stride)
    total, weight = values.clone(), 1.0
    # Between pixels twice the angle is interpolated: neighbours may have opposite signs.
    x, y = along[:, :1], along[:, 1:]
    doubled = torch.cat([x * x - y * y, 2 * x * y], dim=1)
    for sign in (1.0, -1.0):
        heading = along * sign
        place = pixel_places(values) + heading * stride
        for step in range(1, count + 1):
            share = math.exp(-0.5 * (step * stride / sigma) ** 2)
            total.add_(sample(values, place), alpha=share)
            weight += share
            if step < count:
                heading = _halved(sample(doubled, place), heading)
                place = place + heading * stride
    return total / weight


def _halved(doubled: Tensor, before: Tensor) -> Tensor:
    """Return the unit vector of half an angle, of the two the one that goes on the way one came."""
    x, y = doubled[:, :1], doubled[:, 1:]
    cosine = (x / torch.sqrt(x * x + y * y).clamp(min=1e-6)).clamp(-1, 1)
    across_rows = torch.copysign(torch.sqrt((1 - cosine) / 2), y)
    found = torch.cat([torch.sqrt((1 + cosine) / 2), across_rows], dim=1)
    same = (found * before).sum(1, keepdim=True)
    return found * torch.where(same < 0, -1.0, 1.0)


def response(picture: Float[Tensor, "n 3 h w"], sigma: float) -> Float[Tensor, "n 1 h w"]:
    """Return how much a line is called for at each pixel, as the contrast of the step that would call for it.

    Lines lie on the darker side of an edge; where lightness hardly changes, on the side of the lower Lab
    channel. A step of 0.2 in lightness around two thirds gives 0.2 at most, a thin dark line more.

    Args:
        picture: In Lab, as `lab` gives it.
        sigma: Standard deviation of the inner Gaussian, in pixels; lines are about twice as wide.
    """
    along, lightness = flow(picture, 0.6 * sigma, 2.0 * sigma)
    every = across(picture, along, sigma)
    light, colour = every[:, :1], every[:, 1:].amax(1, keepdim=True)
    # Both sides of one edge would otherwise be drawn where they disagree.
    both = torch.maximum(light, colour * CHROMA * (1 - lightness) ** 2)
    radius, offset, slope = SURROUND
    around = offset + slope * blur(picture[:, :1], radius * sigma)
    return along_flow(both, along, ALONG * sigma, 1.5) / (STEP * around)


def ink(
    contrast: Float[Tensor, "n 1 h w"], faintest: float, softness: float = 2.0
) -> Float[Tensor, "n 1 h w"]:
    """Return how dark lines are, 0-1: nothing below the faintest contrast, then rising smoothly to full.

    Args:
        contrast: As `response` gives it.
        faintest: Contrast at which a line begins.
        softness: Full ink is reached at ``1 + softness`` times that contrast; small is a pen, large a pencil.
    """
    share = ((contrast / faintest - 1) / softness).clamp(0, 1)
    return share * share * (3 - 2 * share)


def fill(
    light: Float[Tensor, "n 1 h w"], contrast: Float[Tensor, "n 1 h w"], level: float, soft: float = 0.08
) -> Float[Tensor, "n 1 h w"]:
    """Return blacks, 0-1: where lightness, sharpened by the response (XDoG eq. 7), is below a level.

    Args:
        light: Lightness, 0-1.
        contrast: As `response` gives it: what is beside a lighter thing counts as darker.
        level: Lightness of the boundary; 0 fills nothing.
        soft: Lightness over which it fades.
    """
    if level <= 0:
        return torch.zeros_like(light)
    share = ((level - (light - 0.5 * contrast)) / soft).clamp(0, 1)
    return share * share * (3 - 2 * share)
