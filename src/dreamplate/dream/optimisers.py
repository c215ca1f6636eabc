"""What follows gradients: a table of optimisers, two of them our own.

All of them treat the pictures of a batch as if each were alone: they work element by element or, where
they look at a parameter as a whole, at each picture's part of it (every parameter of a generator has the
pictures along its first axis).
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from typing import Any, cast

import torch
from jaxtyping import Float
from torch import Tensor
from torch.optim import Optimizer

from dreamplate.dream.controls import SearchConfig
from dreamplate.errors import ConfigError

Loss = float | Tensor


class DiffGrad(Optimizer):
    """Adam that slows down where the gradient hardly changes.

    Dubey et al., "diffGrad: An Optimization Method for Convolutional Neural Networks", 2019, equations 8 to
    14: Adam's step is multiplied, element by element, by the friction ``sigmoid(|g_before - g|)``, which is
    one half where the gradient stays the same and nears one where it jumps. Before the first step the
    gradient counts as zero.

    Args:
        params: Parameters, or groups of them.
        lr: Learning rate.
        betas: Decay of the running mean of gradients and of their squares.
        eps: Added to the root of the mean square.
    """

    def __init__(
        self,
        params: Iterable[Any],
        lr: float,
        betas: tuple[float, float] = (0.9, 0.999),
        eps: float = 1e-8,
    ) -> None:
        super().__init__(params, {"lr": lr, "betas": betas, "eps": eps})

    @torch.no_grad()
    def step(self, closure: Callable[[], Loss] | None = None) -> Loss | None:  # type: ignore[override]
        """Change the parameters once; ``closure`` works the loss and gradients out again, if given."""
        loss = _evaluated(closure)
        for group, parameter, gradient in _with_gradients(self):
            state = self.state[parameter]
            if not state:
                state["before"] = torch.zeros_like(parameter)
            towards = _adam_direction(state, gradient, group["betas"], group["eps"])
            friction = (state["before"] - gradient).abs().sigmoid()
            parameter.sub_(towards * friction, alpha=group["lr"])
            state["before"].copy_(gradient)
        return loss


class AdamP(Optimizer):
    """Adam that does not lengthen parameters whose length means nothing.

    Heo et al., "AdamP: Slowing Down the Slowdown for Momentum Optimizers on Scale-invariant Weights", 2021,
    algorithm 2: where a parameter is nearly at right angles to its gradient,
    ``|cos(w, g)| < delta / sqrt(dim w)``, the part of Adam's step along the parameter itself is taken out of
    it, and weight decay is weakened to ``decay_ratio`` of itself.

    Departure: the paper looks at the rows of a layer's weight and at the layer; here the vector is each
    picture's part of a parameter, so that pictures made together do not influence each other.

    Args:
        params: Parameters, or groups of them, pictures along the first axis.
        lr: Learning rate.
        betas: Decay of the running mean of gradients and of their squares.
        eps: Added to the root of the mean square.
        weight_decay: Decoupled shrinking with every step, in units of the learning rate.
        delta: How nearly at right angles.
        decay_ratio: Part of the weight decay that projected parameters get.
    """

    def __init__(
        self,
        params: Iterable[Any],
        lr: float,
        *,
        betas: tuple[float, float] = (0.9, 0.999),
        eps: float = 1e-8,
        weight_decay: float = 0.0,
        delta: float = 0.1,
        decay_ratio: float = 0.1,
    ) -> None:
        defaults = {"lr": lr, "betas": betas, "eps": eps, "weight_decay": weight_decay}
        super().__init__(params, defaults | {"delta": delta, "decay_ratio": decay_ratio})

    @torch.no_grad()
    def step(self, closure: Callable[[], Loss] | None = None) -> Loss | None:  # type: ignore[override]
        """Change the parameters once; ``closure`` works the loss and gradients out again, if given."""
        loss = _evaluated(closure)
        for group, parameter, gradient in _with_gradients(self):
            towards = _adam_direction(self.state[parameter], gradient, group["betas"], group["eps"])
            rows = parameter.reshape(len(parameter), -1) if parameter.ndim else parameter.reshape(1, 1)
            found = (rows, gradient.reshape(rows.shape), towards.reshape(rows.shape))
            turned, whole = project(*found, group["delta"])
            shrink = torch.where(whole, 1.0, group["decay_ratio"]) * (group["lr"] * group["weight_decay"])
            changed = rows * (1 - shrink[:, None]) - group["lr"] * turned
            parameter.copy_(changed.reshape(parameter.shape))
        return loss


def project(
    rows: Float[Tensor, "n d"], gradient: Float[Tensor, "n d"], step: Float[Tensor, "n d"], delta: float
) -> tuple[Float[Tensor, "n d"], Tensor]:
    """Take the part along each row out of its step, where the row is nearly at right angles to its gradient.

    Returns:
        The steps, and for each row ``(n,)`` whether it was left as it was.
    """
    unit = rows / rows.norm(dim=1, keepdim=True).clamp(min=1e-8)
    cosine = (unit * gradient).sum(1).abs() / gradient.norm(dim=1).clamp(min=1e-8)
    kept = cosine >= delta / math.sqrt(rows.shape[1])
    flat = step - unit * (unit * step).sum(1, keepdim=True)
    return torch.where(kept[:, None], step, flat), kept


def _adam_direction(
    state: dict[str, Any], gradient: Tensor, betas: tuple[float, float], eps: float
) -> Tensor:
    """Advance Adam's running means and return the bias-corrected step (Kingma and Ba, 2015, algorithm 1)."""
    if "step" not in state:
        state["step"] = torch.zeros(())
        state["mean"], state["square"] = torch.zeros_like(gradient), torch.zeros_like(gradient)
    state["step"] += 1
    count = int(state["step"])
    state["mean"].lerp_(gradient, 1 - betas[0])
    state["square"].mul_(betas[1]).addcmul_(gradient, gradient, value=1 - betas[1])
    root = (state["square"] / (1 - betas[1] ** count)).sqrt_().add_(eps)
    return cast(Tensor, state["mean"] / (1 - betas[0] ** count) / root)


def _with_gradients(optimiser: Optimizer) -> Iterable[tuple[dict[str, Any], Tensor, Tensor]]:
    for group in optimiser.param_groups:
        for parameter in group["params"]:
            if parameter.grad is not None:
                yield group, parameter, parameter.grad


def _evaluated(closure: Callable[[], Loss] | None) -> Loss | None:
    if closure is None:
        return None
    with torch.enable_grad():
        return closure()


OPTIMISERS: dict[str, Callable[[SearchConfig, list[Tensor], float], Optimizer]] = {
    "adam": lambda s, own, lr: torch.optim.Adam(own, lr, s.betas),
    "adamw": lambda s, own, lr: torch.optim.AdamW(own, lr, s.betas, weight_decay=s.weight_decay),
    "adamp": lambda s, own, lr: AdamP(own, lr, betas=s.betas, weight_decay=s.weight_decay),
    "diffgrad": lambda s, own, lr: DiffGrad(own, lr, s.betas),
    "nadam": lambda s, own, lr: torch.optim.NAdam(own, lr, s.betas),
    "radam": lambda s, own, lr: torch.optim.RAdam(own, lr, s.betas),
    "rmsprop": lambda s, own, lr: torch.optim.RMSprop(own, lr, alpha=s.betas[1]),
    "sgd": lambda s, own, lr: torch.optim.SGD(own, lr, momentum=s.betas[0], weight_decay=s.weight_decay),
}
"""Name to maker. ``rmsprop`` has no running mean of gradients and so no use for the first of the betas;
``sgd`` has no mean of squares, its momentum is the first of the betas."""
DECAYING = ("adamw", "adamp", "sgd")
"""Those that know weight decay."""


def make_optimiser(
    search: SearchConfig, parameters: Iterable[Tensor], learning_rate: float
) -> torch.optim.Optimizer:
    """Return the optimiser that the options name.

    Args:
        search: The options.
        parameters: What it turns, pictures along the first axis.
        learning_rate: Size of its steps.

    Raises:
        ConfigError: The optimiser has no weight decay, and one is asked for.
    """
    if search.weight_decay and search.optimiser not in DECAYING:
        raise ConfigError(
            f"search.weight_decay is {search.weight_decay:g}, which {search.optimiser} does not know:"
            f" choose search.optimiser {', '.join(DECAYING)}, or a weight_decay of 0"
        )
    return OPTIMISERS[search.optimiser](search, list(parameters), learning_rate)
