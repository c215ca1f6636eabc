"""Kernels of compositing: weights of packed samples, their sums over each ray, and the way back.

One item is one ray. ``T`` is the transmittance in front of a sample, ``w = T a`` its weight:

    colour = sum w c     opacity = sum w     depth = sum w m     (m: middle of the interval)

Backward: with ``g_i`` the gradient at ``w_i`` (everything that is linear in the weights gathered in one
number), what lies behind a sample is worth ``B_i = a_{i+1} g_{i+1} + (1 - a_{i+1}) B_{i+1}``, and the
gradient at alpha is ``T_i (g_i - B_i)``: one sweep from the back, no division (Max 1995, eq. 7, derived).
"""

from __future__ import annotations

from typing import Any

from numba import prange

from dreamplate.fields.kernels.launch import parallel, scalar

__all__ = ["composite_backward", "composite_backward_ray", "composite_forward", "composite_forward_ray"]


def composite_forward_ray(
    ray: Any,
    offsets: Any,
    alphas: Any,
    colours: Any,
    mids: Any,
    weights: Any,
    colour: Any,
    opacity: Any,
    depth: Any,
) -> None:
    """Composite one ray, front to back."""
    through = 1.0
    r = 0.0
    g = 0.0
    b = 0.0
    covered = 0.0
    far = 0.0
    for i in range(offsets[ray], offsets[ray + 1]):
        weight = through * alphas[i]
        weights[i] = weight
        r += weight * colours[i, 0]
        g += weight * colours[i, 1]
        b += weight * colours[i, 2]
        covered += weight
        far += weight * mids[i]
        through *= 1.0 - alphas[i]
    colour[ray, 0] = r
    colour[ray, 1] = g
    colour[ray, 2] = b
    opacity[ray] = covered
    depth[ray] = far


def composite_backward_ray(
    ray: Any,
    offsets: Any,
    alphas: Any,
    colours: Any,
    mids: Any,
    weights: Any,
    by_weight: Any,
    by_colour: Any,
    by_opacity: Any,
    by_depth: Any,
    to_alphas: Any,
    to_colours: Any,
) -> None:
    """Send one ray's gradients back to its samples; back to front."""
    start = offsets[ray]
    stop = offsets[ray + 1]
    through = 1.0
    for i in range(start, stop):  # forward once for T, kept for a moment in to_alphas
        to_alphas[i] = through
        through *= 1.0 - alphas[i]
    r = by_colour[ray, 0]
    g = by_colour[ray, 1]
    b = by_colour[ray, 2]
    behind = 0.0
    for step in range(stop - start):
        i = stop - 1 - step
        weight = weights[i]
        to_colours[i, 0] = weight * r
        to_colours[i, 1] = weight * g
        to_colours[i, 2] = weight * b
        pull = by_weight[i] + by_opacity[ray] + by_depth[ray] * mids[i]
        pull += r * colours[i, 0] + g * colours[i, 1] + b * colours[i, 2]
        to_alphas[i] *= pull - behind
        behind = alphas[i] * pull + (1.0 - alphas[i]) * behind


_forward = scalar(composite_forward_ray)
_backward = scalar(composite_backward_ray)


@parallel
def composite_forward(
    count: Any,
    offsets: Any,
    alphas: Any,
    colours: Any,
    mids: Any,
    weights: Any,
    colour: Any,
    opacity: Any,
    depth: Any,
) -> None:
    """Loop of ``composite_forward_ray``."""
    for ray in prange(count):
        _forward(ray, offsets, alphas, colours, mids, weights, colour, opacity, depth)


@parallel
def composite_backward(
    count: Any,
    offsets: Any,
    alphas: Any,
    colours: Any,
    mids: Any,
    weights: Any,
    by_weight: Any,
    by_colour: Any,
    by_opacity: Any,
    by_depth: Any,
    to_alphas: Any,
    to_colours: Any,
) -> None:
    """Loop of ``composite_backward_ray``."""
    for ray in prange(count):
        _backward(
            ray,
            offsets,
            alphas,
            colours,
            mids,
            weights,
            by_weight,
            by_colour,
            by_opacity,
            by_depth,
            to_alphas,
            to_colours,
        )
