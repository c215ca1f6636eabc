"""Losses of adversarial training, as functions of tensors; each is a mean over the pictures of its batch.

Being means over pictures, the gradients of several processes average to those of the whole batch. Scores are
raw (no sigmoid), one for each picture or a map of them, or a list of such for discriminators of several
scales. Everything is computed in float32, whatever precision the networks ran in.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Literal

import torch
import torch.nn.functional as F
from torch import Tensor

__all__ = [
    "GanKind",
    "feature_matching",
    "gan_d",
    "gan_g",
    "gan_term",
    "kl",
    "l1",
    "path_lengths",
    "path_penalty",
    "r1",
]

GanKind = Literal["lsgan", "vanilla", "hinge", "non_saturating", "wgan"]
"""Which adversarial loss."""

Scores = Tensor | Sequence[Tensor]
Features = Sequence[Tensor] | Sequence[Sequence[Tensor]]
Weights = float | Sequence[float] | Sequence[Sequence[float]]

_TERMS: dict[str, tuple[Callable[[Tensor], Tensor], Callable[[Tensor], Tensor]]] = {
    "lsgan": (lambda s: (s - 1).square(), lambda s: s.square()),
    "vanilla": (lambda s: F.softplus(-s), F.softplus),
    "non_saturating": (lambda s: F.softplus(-s), F.softplus),
    "hinge": (lambda s: F.relu(1 - s), lambda s: F.relu(1 + s)),
    "wgan": (lambda s: -s, lambda s: s),
}
"""Kind → how far scores are from "real", and from "fake"."""


def gan_term(scores: Scores, real: bool, kind: GanKind, reduce: Literal["mean", "sum"] = "mean") -> Tensor:
    """Return how far scores are from a verdict: a mean over pictures and places.

    ``lsgan`` has targets 1 and 0 (Mao and others 2017), ``vanilla`` and ``non_saturating`` are one, binary
    cross-entropy of raw scores (Goodfellow and others 2014, section 3, with the generator's loss of its last
    paragraph), ``hinge`` that of Lim and Ye 2017, ``wgan`` the bare score (its penalty is the caller's).

    Args:
        scores: Of any shape, or a list of them, one for each scale.
        real: Which verdict.
        kind: Which loss.
        reduce: What becomes of several scales.
    """
    distance = _TERMS[kind][0 if real else 1]
    return _over_scales([distance(s.float()).mean() for s in _listed(scores)], reduce)


def gan_d(
    real_scores: Scores, fake_scores: Scores, kind: GanKind, reduce: Literal["mean", "sum"] = "mean"
) -> Tensor:
    """Return the discriminator's loss: both terms added up (pix2pix and pix2pixHD halve this)."""
    return gan_term(real_scores, True, kind, reduce) + gan_term(fake_scores, False, kind, reduce)


def gan_g(fake_scores: Scores, kind: GanKind, reduce: Literal["mean", "sum"] = "mean") -> Tensor:
    """Return the generator's loss: how far its pictures' scores are from "real".

    For ``hinge`` that is the negative score, not the discriminator's hinge: it never stops pulling.
    """
    return gan_term(fake_scores, True, "wgan" if kind == "hinge" else kind, reduce)


def feature_matching(fake: Features, real: Features, weights: Weights = 1.0) -> Tensor:
    """Return weighted mean absolute differences of a discriminator's features, added up.

    Wang and others 2018, equation 4. No gradient goes into the real side.

    Args:
        fake: Features by layer, or by scale and then by layer.
        real: Those of the real pictures, alike.
        weights: One number; one for each layer, for every scale alike; or one for each feature.

    Raises:
        ValueError: The lists have different lengths.
    """
    total: Tensor | None = None
    made, true = _nested(fake), _nested(real)
    for scale, (ours, theirs) in enumerate(zip(made, true, strict=True)):
        for layer, (one, other) in enumerate(zip(ours, theirs, strict=True)):
            term = (one.float() - other.detach().float()).abs().mean()
            term = term * _weight(weights, scale, layer)
            total = term if total is None else total + term
    if total is None:
        raise ValueError("feature matching needs at least one feature")
    return total


def l1(fake: Tensor, real: Tensor, weight: Tensor | None = None) -> Tensor:
    """Return the mean absolute difference.

    Args:
        fake: ``(n, c, h, w)``.
        real: ``(n, c, h, w)``.
        weight: ``(n, 1, h, w)`` how much each pixel counts. Each picture is then a weighted mean of its
            own, so that a picture with a small mask counts as much as one without, and one of no weight
            counts 0.
    """
    difference = (fake.float() - real.float()).abs()
    if weight is None:
        return difference.mean()
    share = weight.float() / weight.float().mean((1, 2, 3), keepdim=True).clamp(min=1e-8)
    return (difference * share).mean()


def kl(mu: Tensor, logvar: Tensor) -> Tensor:
    """Return the divergence of normal distributions from the standard one, in nats, for one picture.

    Summed over the latent's numbers, and a mean over pictures (Kingma and Welling 2014, appendix B). The
    published SPADE code adds pictures up as well, of which each of its cards had four.
    """
    mu, logvar = mu.float(), logvar.float()
    return 0.5 * (mu.square() + logvar.exp() - 1 - logvar).flatten(1).sum(1).mean()


def r1(scores: Tensor, image: Tensor) -> Tensor:
    """Return the squared length of the scores' gradient at real pictures, to be weighted by γ/2.

    Mescheder and others 2018, equation 9. It can be differentiated again.

    Args:
        scores: Of the pictures, computed from ``image``.
        image: ``(n, c, h, w)`` that requires a gradient.
    """
    (slope,) = torch.autograd.grad(scores.float().sum(), image, create_graph=True)
    return slope.float().square().flatten(1).sum(1).mean()


def path_lengths(image: Tensor, styles: Tensor, noise: Tensor) -> Tensor:
    """Return how far pictures move when styles do, in a random direction ``(n,)``; differentiable.

    Karras and others 2020, equation 4: the length of the gradient of a random projection of the picture. The
    root is of the mean over layers of the sum over a style's numbers.

    Args:
        image: ``(n, c, h, w)`` made from ``styles``.
        styles: ``(n, layers, w)`` that require a gradient.
        noise: ``(n, c, h, w)`` standard normal.
    """
    scale = (image.shape[-2] * image.shape[-1]) ** -0.5
    (slope,) = torch.autograd.grad((image.float() * noise).sum() * scale, styles, create_graph=True)
    return (slope.float().square().sum(2).mean(1) + 1e-8).sqrt()


def path_penalty(lengths: Tensor, mean: Tensor) -> Tensor:
    """Return the mean squared distance of path lengths from their running mean, which the caller keeps."""
    return (lengths - mean.detach()).square().mean()


def _listed(scores: Scores) -> Sequence[Tensor]:
    return [scores] if isinstance(scores, Tensor) else scores


def _over_scales(terms: list[Tensor], reduce: Literal["mean", "sum"]) -> Tensor:
    total = torch.stack(terms)
    return total.mean() if reduce == "mean" else total.sum()


def _nested(features: Features) -> list[list[Tensor]]:
    if features and isinstance(features[0], Tensor):
        return [[f for f in features if isinstance(f, Tensor)]]
    return [list(scale) for scale in features]


def _weight(weights: Weights, scale: int, layer: int) -> float:
    if not isinstance(weights, Sequence):
        return float(weights)
    row = weights[layer] if not isinstance(weights[0], Sequence) else weights[scale]
    return float(row[layer] if isinstance(row, Sequence) else row)
