"""Compositing packed samples into pictures: one differentiable operator for every field.

``composite`` is what training and rendering call. On the CPU and on CUDA it runs the kernels of
``kernels/composite.py``; anywhere else, and as oracle in the tests, its torch twin ``composite_twin``.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch
from jaxtyping import Float, Int
from torch import Tensor

from dreamplate.fields.rays import Samples

__all__ = ["Composite", "composite", "composite_packed", "composite_twin"]


@dataclass(frozen=True)
class Composite:
    """Sums over the samples of each ray.

    Attributes:
        weights: ``(m,)`` share of each sample in its ray.
        colour: ``(n, 3)`` premultiplied, over nothing.
        opacity: ``(n,)`` 0-1.
        depth: ``(n,)`` sum of weight times middle of the interval; divide by opacity for the mean.
    """

    weights: Tensor
    colour: Tensor
    opacity: Tensor
    depth: Tensor

    def over(self, background: Tensor) -> Tensor:
        """Return the colour over a background ``(3,)`` or ``(n, 3)``."""
        return self.colour + (1 - self.opacity)[:, None] * background

    @property
    def mean_depth(self) -> Tensor:
        """``(n,)`` mean distance of what is seen, 0 where nothing is."""
        return torch.where(self.opacity > 0, self.depth / self.opacity.clamp_min(1e-10), 0)


def composite(samples: Samples) -> Composite:
    """Composite samples front to back; differentiable in alphas and colours."""
    mids = (samples.starts + samples.ends) / 2
    return Composite(*composite_packed(samples.offsets, samples.alphas, samples.colours, mids))


def composite_packed(
    offsets: Int[Tensor, " n1"],
    alphas: Float[Tensor, " m"],
    colours: Float[Tensor, "m 3"],
    mids: Float[Tensor, " m"],
) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Return weights ``(m,)``, colour ``(n, 3)``, opacity ``(n,)`` and depth ``(n,)``.

    Args:
        offsets: Where each ray's samples begin, and the total.
        alphas: Opacity of each sample.
        colours: Straight colour of each sample.
        mids: Middle of each interval; gets no gradient.
    """
    if alphas.device.type not in ("cpu", "cuda"):
        return composite_twin(offsets, alphas, colours, mids)
    weights, colour, opacity, depth = torch.ops.dreamplate.composite(
        offsets.contiguous(), alphas.contiguous(), colours.contiguous(), mids.contiguous()
    )
    return weights, colour, opacity, depth


def composite_twin(
    offsets: Tensor, alphas: Tensor, colours: Tensor, mids: Tensor
) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Do what ``composite_packed`` does in plain torch, by a padded table; the oracle of the kernel."""
    count, rays = offsets[1:] - offsets[:-1], len(offsets) - 1
    width = max(1, int(count.max())) if rays else 1
    place = torch.arange(width, device=alphas.device)
    held = place < count[:, None]
    table = torch.where(held, offsets[:-1, None] + place, 0).clamp_max(max(0, len(alphas) - 1))
    if len(alphas) == 0:
        zero = alphas.new_zeros(rays)
        return alphas, alphas.new_zeros(rays, 3), zero, zero.clone()
    opaque = torch.where(held, alphas[table], 0)
    clear = torch.cumprod(torch.cat([opaque.new_ones(rays, 1), 1 - opaque[:, :-1]], dim=1), dim=1)
    share = clear * opaque
    colour = (share[:, :, None] * colours[table]).sum(1)
    return share[held], colour, share.sum(1), (share * mids[table]).sum(1)


# -- the operator -----------------------------------------------------------------------------------


# Schemas are spelt out: they cannot be inferred where signatures are checked while tests run.
@torch.library.custom_op(
    "dreamplate::composite",
    mutates_args=(),
    schema="(Tensor offsets, Tensor alphas, Tensor colours, Tensor mids) -> (Tensor, Tensor, Tensor, Tensor)",
)
def _composite(
    offsets: Tensor, alphas: Tensor, colours: Tensor, mids: Tensor
) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    from dreamplate.fields.kernels import composite as kernels
    from dreamplate.fields.kernels.launch import arrays, gpu_launch

    rays = len(offsets) - 1
    weights, colour = torch.empty_like(alphas), colours.new_empty(rays, 3)
    opacity, depth = alphas.new_empty(rays), alphas.new_empty(rays)
    given = arrays(offsets, alphas, colours, mids, weights, colour, opacity, depth)
    if alphas.device.type == "cpu":
        kernels.composite_forward(rays, *given)
    else:
        gpu_launch(kernels.composite_forward_ray, rays, *given)
    return weights, colour, opacity, depth


@_composite.register_fake
def _(
    offsets: Tensor, alphas: Tensor, colours: Tensor, mids: Tensor
) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    rays = offsets.shape[0] - 1
    return (
        torch.empty_like(alphas),
        colours.new_empty(rays, 3),
        alphas.new_empty(rays),
        alphas.new_empty(rays),
    )


@torch.library.custom_op(
    "dreamplate::composite_backward",
    mutates_args=(),
    schema="(Tensor offsets, Tensor alphas, Tensor colours, Tensor mids, Tensor weights, Tensor by_weight,"
    " Tensor by_colour, Tensor by_opacity, Tensor by_depth) -> (Tensor, Tensor)",
)
def _composite_backward(
    offsets: Tensor,
    alphas: Tensor,
    colours: Tensor,
    mids: Tensor,
    weights: Tensor,
    by_weight: Tensor,
    by_colour: Tensor,
    by_opacity: Tensor,
    by_depth: Tensor,
) -> tuple[Tensor, Tensor]:
    from dreamplate.fields.kernels import composite as kernels
    from dreamplate.fields.kernels.launch import arrays, gpu_launch

    to_alphas, to_colours = torch.empty_like(alphas), torch.empty_like(colours)
    given = arrays(offsets, alphas, colours, mids, weights, by_weight, by_colour, by_opacity, by_depth)
    given += arrays(to_alphas, to_colours)
    rays = len(offsets) - 1
    if alphas.device.type == "cpu":
        kernels.composite_backward(rays, *given)
    else:
        gpu_launch(kernels.composite_backward_ray, rays, *given)
    return to_alphas, to_colours


@_composite_backward.register_fake
def _(offsets: Tensor, alphas: Tensor, colours: Tensor, *rest: Tensor) -> tuple[Tensor, Tensor]:
    return torch.empty_like(alphas), torch.empty_like(colours)


def _keep(ctx: Any, inputs: tuple[Tensor, ...], output: tuple[Tensor, ...]) -> None:
    ctx.save_for_backward(*inputs, output[0])


def _back(ctx: Any, *grads: Tensor | None) -> tuple[None, Tensor, Tensor, None]:
    offsets, alphas, colours, mids, weights = ctx.saved_tensors
    rays = len(offsets) - 1
    shapes = (alphas.shape, (rays, 3), (rays,), (rays,))
    full = [
        alphas.new_zeros(shape) if grad is None else grad.contiguous()
        for grad, shape in zip(grads, shapes, strict=True)
    ]
    to_alphas, to_colours = torch.ops.dreamplate.composite_backward(
        offsets, alphas, colours, mids, weights, *full
    )
    return None, to_alphas, to_colours, None


_composite.register_autograd(_back, setup_context=_keep)
