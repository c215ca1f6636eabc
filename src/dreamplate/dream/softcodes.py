"""From scores of codes to what the codes stand for: a softmax and a matrix product in one, in little memory.

A picture of 512 pixels a side has 64 x 64 cells with 8192 scores each, 134 MB. Softened by plain operations
it is held four times over on the way to the gradient. Here cells are worked off in chunks: only the scores
themselves are kept, and their gradient is the only other thing of that size.
"""

from __future__ import annotations

from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor

CHUNK = 1 << 20
"""Scores that are softened at a time."""


def soft_codes(
    scores: Float[Tensor, "cells codes"],
    book: Float[Tensor, "codes start"],
    *,
    factor: float = 1.0,
    noise: Float[Tensor, "cells codes"] | None = None,
    uniform: Float[Tensor, "cells groups"] | None = None,
    pairs: bool = False,
) -> Float[Tensor, "cells start"]:
    """Return the book's vectors mixed by ``softmax(factor * scores + noise)``.

    Args:
        scores: Unbounded, one row a cell.
        book: What each code stands for.
        factor: Multiplies the scores.
        noise: Added to the scaled scores.
        uniform: When given, one code is drawn by the softmax's probabilities with this number in [0, 1)
            (one for each of the groups) and stands for the mixture; gradients are those of the mixture.
        pairs: Even and odd codes are softened apart, as two groups, and their vectors are added.
    """
    mixed: Tensor = _SoftCodes.apply(scores, book, noise, uniform, factor, 2 if pairs else 1)  # type: ignore[no-untyped-call]
    return mixed


def hard_codes(
    scores: Float[Tensor, "cells codes"], book: Float[Tensor, "codes start"], *, pairs: bool = False
) -> Float[Tensor, "cells start"]:
    """Return the book's vectors at the highest score of each group."""
    groups = 2 if pairs else 1
    return _look_up(_split(scores, groups).argmax(-1), book)


class _SoftCodes(torch.autograd.Function):
    @staticmethod
    def forward(  # the interface of a differentiable function has no keywords
        ctx: Any,
        scores: Tensor,
        book: Tensor,
        noise: Tensor | None,
        uniform: Tensor | None,
        factor: float,
        groups: int,
    ) -> Tensor:
        made = scores.new_empty(scores.shape[0], book.shape[1])
        for part in _chunks(scores):
            shares = _shares(scores, noise, factor, groups, part)
            if uniform is not None:
                made[part] = _look_up(_draw(shares, uniform[part]), book)
            else:
                made[part] = _mix(shares, book)
        ctx.save_for_backward(scores, book, noise)
        ctx.factor, ctx.groups = factor, groups
        return made

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor | None, ...]:
        scores, book, noise = ctx.saved_tensors
        made = torch.empty_like(scores)
        for part in _chunks(scores):
            shares = _shares(scores, noise, ctx.factor, ctx.groups, part)
            pull = _split(grad[part] @ book.T, ctx.groups)
            # The softmax's own gradient: p * (g - sum of p * g).
            mean = torch.einsum("mgv,mgv->mg", shares, pull)
            pull = pull.sub_(mean[..., None]).mul_(shares)
            made[part] = pull.transpose(1, 2).reshape(made[part].shape)
            made[part] *= ctx.factor
        return made, None, None, None, None, None


def _chunks(scores: Tensor) -> list[slice]:
    rows = max(1, CHUNK // scores.shape[1])
    return [slice(start, start + rows) for start in range(0, scores.shape[0], rows)]


def _split(rows: Tensor, groups: int) -> Tensor:
    """``(cells, codes)`` to ``(cells, groups, codes / groups)``: code ``v`` is in group ``v % groups``."""
    return rows.view(rows.shape[0], -1, groups).transpose(1, 2)


def _shares(scores: Tensor, noise: Tensor | None, factor: float, groups: int, part: slice) -> Tensor:
    scaled = scores[part] if factor == 1 else scores[part] * factor
    if noise is not None:
        scaled = scaled + noise[part]
    return torch.softmax(_split(scaled, groups), -1)


def _draw(shares: Tensor, uniform: Tensor) -> Tensor:
    """Return the code of each group ``(cells, groups)`` at which the summed probability passes the number."""
    total = shares.cumsum(-1)
    wanted = uniform.to(total)[..., None] * total[..., -1:]
    return torch.searchsorted(total, wanted, right=True)[..., 0].clamp(max=shares.shape[-1] - 1)


def _look_up(codes: Tensor, book: Tensor) -> Tensor:
    groups = codes.shape[1]
    own = codes * groups + torch.arange(groups, device=codes.device)
    return torch.stack([book[own[:, group]] for group in range(groups)]).sum(0)


def _mix(shares: Tensor, book: Tensor) -> Tensor:
    groups = shares.shape[1]
    return torch.stack([shares[:, group] @ book[group::groups] for group in range(groups)]).sum(0)
