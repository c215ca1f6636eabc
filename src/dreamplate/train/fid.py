"""How alike two sets of pictures are, by their features: Fréchet distance and kernel distance.

FID (Heusel and others 2017, eq. 6) compares means and covariances. It is biased for few pictures: a figure
from 100 pictures is higher than one from 10,000 of the same kind. KID (Bińkowski and others 2018) has no
such bias and comes with its spread. Both are exact here, in float64.
"""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor

from dreamplate.errors import ModelError
from dreamplate.train.draws import Draws

__all__ = ["fid", "frechet", "kid", "likeness"]


def frechet(
    mean_a: Float[Tensor, " d"],
    cov_a: Float[Tensor, "d d"],
    mean_b: Float[Tensor, " d"],
    cov_b: Float[Tensor, "d d"],
) -> float:
    """Return the squared Fréchet distance of two Gaussians, ``|m1 - m2|² + tr(C1 + C2 - 2 (C1 C2)^½)``.

    ``(C1 C2)^½`` has the trace of ``(S C2 S)^½`` with ``S = C1^½``: a symmetric matrix, whose root follows
    from its eigenvalues and which needs no small number added to its diagonal.
    """
    cov_a, cov_b = cov_a.double(), cov_b.double()
    values, vectors = torch.linalg.eigh(cov_a)
    root = (vectors * values.clamp_min(0).sqrt()) @ vectors.T
    middle = root @ cov_b @ root
    shared = torch.linalg.eigvalsh((middle + middle.T) / 2).clamp_min(0).sqrt().sum()
    apart = (mean_a.double() - mean_b.double()).square().sum()
    return float((apart + cov_a.trace() + cov_b.trace() - 2 * shared).clamp_min(0))


def fid(a: Float[Tensor, "n d"], b: Float[Tensor, "m e"]) -> float:
    """Return the Fréchet distance of two sets of features, with unbiased covariances.

    Where there are fewer pictures than features, covariances are never formed: with ``A`` and ``B`` the
    centred features over ``√(n - 1)``, the trace of ``(AᵀA BᵀB)^½`` is the sum of the singular values of
    ``A Bᵀ``, which is as small as the sets are.

    Raises:
        ModelError: A set has fewer than two pictures.
    """
    _check(a, b, 2, "FID")
    a, b = a.double(), b.double()
    mean_a, mean_b = a.mean(0), b.mean(0)
    if min(len(a), len(b)) >= a.shape[1]:
        return frechet(mean_a, torch.cov(a.T), mean_b, torch.cov(b.T))
    rows_a, rows_b = (a - mean_a) / (len(a) - 1) ** 0.5, (b - mean_b) / (len(b) - 1) ** 0.5
    shared = torch.linalg.svdvals(rows_a @ rows_b.T).sum()
    spread = rows_a.square().sum() + rows_b.square().sum()
    return float(((mean_a - mean_b).square().sum() + spread - 2 * shared).clamp_min(0))


def kid(
    a: Float[Tensor, "n d"], b: Float[Tensor, "m e"], draws: Draws, subsets: int = 100, size: int = 1000
) -> tuple[float, float]:
    """Return the kernel distance of two sets of features and its standard deviation over subsets.

    The squared maximum mean discrepancy with the kernel ``(x·y / d + 1)³``, by its unbiased estimate: it may
    be a little below 0 for sets of one kind.

    Args:
        a: Features of one set.
        b: Of the other.
        draws: Which pictures form a subset.
        subsets: How many are averaged.
        size: Pictures in each; at most half of the smaller set, so that subsets differ.

    Raises:
        ModelError: A set has fewer than two pictures.
    """
    _check(a, b, 2, "KID")
    a, b = a.double(), b.double()
    size = max(2, min(size, len(a) // 2, len(b) // 2))
    found = []
    for number in range(subsets):
        generator = draws.named("subset", number).generator
        x = a[torch.randperm(len(a), generator=generator)[:size]]
        y = b[torch.randperm(len(b), generator=generator)[:size]]
        found.append(_mmd(x, y))
    values = torch.stack(found)
    return float(values.mean()), float(values.std(correction=0))


def likeness(real: Tensor, made: Tensor, network: str, draws: Draws) -> dict[str, float]:
    """Return FID and KID by names that say which network looked, such as ``fid_efficientnet_lite0``.

    Sets of fewer than two pictures have no such figure: the answer is then empty.
    """
    if min(len(real), len(made)) < 2:
        return {}
    mean, spread = kid(real, made, draws)
    return {
        f"fid_{network}": fid(real, made),
        f"kid_{network}": mean,
        f"kid_spread_{network}": spread,
        f"fid_pictures_{network}": float(min(len(real), len(made))),
    }


def _mmd(x: Tensor, y: Tensor) -> Tensor:
    count, width = x.shape

    def kernel(p: Tensor, q: Tensor) -> Tensor:
        return (p @ q.T / width + 1) ** 3

    within = sum((k.sum() - k.diagonal().sum()) / (count * (count - 1)) for k in (kernel(x, x), kernel(y, y)))
    return within - 2 * kernel(x, y).mean()


def _check(a: Tensor, b: Tensor, least: int, name: str) -> None:
    if min(len(a), len(b)) < least:
        raise ModelError(f"{name}: needs {least} pictures of each kind, there are {len(a)} and {len(b)}")
    if a.shape[1] != b.shape[1]:
        raise ModelError(f"{name}: features have {a.shape[1]} and {b.shape[1]} numbers; use one network")
