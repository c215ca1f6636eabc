"""One optimiser with its schedule: from a loss to changed weights, the same for any number of processes."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

import torch
from torch import Tensor, nn

from dreamplate.train.options import LearnOptions
from dreamplate.train.processes import average_gradients
from dreamplate.train.system import Now

__all__ = ["Optimiser", "autocast", "rate_at"]


def rate_at(options: LearnOptions, now: Now) -> float:
    """Return the factor on the learning rate: a linear rise, a flat part, a linear fall to 0."""
    rise = min(1.0, (now.step + 1) / options.warm_up) if options.warm_up else 1.0
    if options.decay_from >= 1 or now.progress <= options.decay_from:
        return rise
    return rise * max(0.0, (1 - now.progress) / (1 - options.decay_from))


class Optimiser:
    """Adam (Kingma and Ba 2015) for the parameters of one network or several.

    Args:
        parameters: Those that learn.
        options: Rate, betas, schedule, clipping.
        rate: Instead of ``options.rate``, such as the discriminator's.
        betas: Instead of ``options.betas``.
        scheduled: Whether the rate follows the schedule.
        weight_decay: Share of the rate by which weights shrink at each step, apart from the gradient
            (AdamW, Loshchilov and Hutter 2019).
        schedule: Factor on the rate, instead of `rate_at`.
    """

    def __init__(
        self,
        parameters: Iterable[nn.Parameter],
        options: LearnOptions,
        *,
        rate: float | None = None,
        betas: tuple[float, float] | None = None,
        scheduled: bool = True,
        weight_decay: float = 0.0,
        schedule: Callable[[LearnOptions, Now], float] = rate_at,
    ) -> None:
        self.parameters = [parameter for parameter in parameters if parameter.requires_grad]
        self.options, self.scheduled = options, scheduled
        self.rate = options.rate if rate is None else rate
        self.betas = betas or options.betas
        self.weight_decay, self.schedule = weight_decay, schedule
        self._bind([])

    def step(self, loss: Tensor, now: Now) -> None:
        """Change the parameters so that a loss (mean over this process's share of the batch) falls.

        Gradients are made anew, averaged over processes and clipped.
        """
        gradients = torch.autograd.grad(loss, self.parameters, allow_unused=True)
        for parameter, gradient in zip(self.parameters, gradients, strict=True):
            parameter.grad = torch.zeros_like(parameter) if gradient is None else gradient
        self.apply(now)

    def apply(self, now: Now) -> None:
        """Change the parameters by the gradients that they hold, then let these go."""
        average_gradients(self.parameters)
        if self.options.clip:
            nn.utils.clip_grad_norm_(self.parameters, self.options.clip)
        if any(
            view.data_ptr() != own.data_ptr() for view, own in zip(self.views, self.parameters, strict=True)
        ):
            self._bind([self.adam.state.get(view, {}) for view in self.views])  # the network has moved
        factor = self.schedule(self.options, now) if self.scheduled else 1.0
        for group in self.adam.param_groups:
            group["lr"] = self.rate * factor
        for view, parameter in zip(self.views, self.parameters, strict=True):
            if parameter.grad is not None:
                # Fused Adam takes gradients of another layout for others' without a word.
                view.grad = parameter.grad.permute(_order(parameter)).contiguous()
                parameter.grad = None
        self.adam.step()
        self.adam.zero_grad(set_to_none=True)

    def state_dict(self) -> dict[str, Any]:
        """Return the moments of every parameter, by its number."""
        return {
            str(number): dict(self.adam.state[view])
            for number, view in enumerate(self.views)
            if view in self.adam.state
        }

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Restore what ``state_dict`` returned."""
        self._bind([state.get(str(number), {}) for number in range(len(self.parameters))])

    def _bind(self, states: Sequence[Mapping[str, Any]]) -> None:
        """Make Adam anew for the parameters where they are now, with the moments that it had."""
        # Adam copies what is not contiguous, there and back: channels-last weights go in as what they are.
        self.views = [parameter.detach().permute(_order(parameter)) for parameter in self.parameters]
        self.adam = torch.optim.Adam(
            self.views,
            self.rate,
            self.betas,
            weight_decay=self.weight_decay,
            decoupled_weight_decay=True,
            fused=True,
        )
        for view, held in zip(self.views, states, strict=False):
            if held:
                self.adam.state[view] = {
                    name: value.to(view.device) if isinstance(value, Tensor) and value.dim() else value
                    for name, value in held.items()
                }


def _order(tensor: Tensor) -> list[int]:
    """Return a tensor's axes from the one of widest stride in memory to the narrowest."""
    return sorted(range(tensor.dim()), key=tensor.stride, reverse=True)


def autocast(device: torch.device, precision: str) -> contextlib.AbstractContextManager[Any]:
    """Return the context in which networks run: bfloat16 where asked for, else as they are.

    Args:
        device: Where.
        precision: ``float32``, or ``bfloat16``; what ``auto`` means is decided before, once.
    """
    if precision == "bfloat16":
        return torch.autocast(device.type, torch.bfloat16)
    return contextlib.nullcontext()
