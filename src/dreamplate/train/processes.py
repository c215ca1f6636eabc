"""Several processes that train together, started by ``torchrun``: who is who, and what they share.

Process 0 leads: it owns the take and decides; the others follow what it says. Whatever needs all of them (a
step, a restored state) is called by the leader and announced with `lead`; followers wait in `follow`.
"""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from datetime import timedelta
from typing import Any, NoReturn

import torch
from torch import Tensor, distributed, nn

from dreamplate.errors import ConfigError, DreamplateError, TakeError

__all__ = [
    "agree",
    "average",
    "average_gradients",
    "follow",
    "join",
    "lead",
    "leave",
    "rank",
    "share",
    "world",
]

BUCKET = 16 << 20
"""Numbers that are sent at once."""
PATIENCE = timedelta(days=2)
"""How long a process waits for another: the leader may measure for hours; torchrun ends those left alone."""
_END = "end"


def world() -> int:
    """Return how many processes train together; 1 without torchrun."""
    return distributed.get_world_size() if _together() else 1


def rank() -> int:
    """Return which of them this is, 0 for the one that writes files."""
    return distributed.get_rank() if _together() else 0


def average(value: Tensor) -> Tensor:
    """Return the mean of a tensor over processes, without a gradient; itself where there is one process."""
    if world() == 1:
        return value.detach()
    mean = value.detach().clone()
    distributed.all_reduce(mean)
    return mean / world()


def average_gradients(parameters: Sequence[nn.Parameter]) -> None:
    """Replace every gradient by its mean over processes; nothing happens where there is one."""
    if world() == 1:
        return
    gradients = [parameter.grad for parameter in parameters if parameter.grad is not None]
    start = 0
    while start < len(gradients):
        stop, count = start, 0
        while stop < len(gradients) and (stop == start or count + gradients[stop].numel() <= BUCKET):
            count += gradients[stop].numel()
            stop += 1
        part = gradients[start:stop]
        flat = torch.cat([gradient.reshape(-1) for gradient in part])
        distributed.all_reduce(flat)
        flat /= world()
        for gradient, mean in zip(part, torch.split(flat, [g.numel() for g in part]), strict=True):
            gradient.copy_(mean.view_as(gradient))
        start = stop


# -- beginning and end ------------------------------------------------------------------------------


def join() -> None:
    """Meet the other processes that ``torchrun`` started; nothing happens without it.

    Raises:
        ConfigError: They cannot be met.
    """
    if int(os.environ.get("WORLD_SIZE", "1")) < 2 or _together():
        return
    backend = "cpu:gloo,cuda:nccl" if torch.cuda.is_available() else "gloo"
    try:
        distributed.init_process_group(backend, timeout=PATIENCE)
    except (RuntimeError, ValueError) as error:
        raise ConfigError(f"torchrun: the processes cannot meet ({str(error)[:200]})") from error


def leave(code: int) -> NoReturn:
    """End this process, whose work with others is done.

    At once: while Python winds up, threads of torch's communication that are still at work abort the process
    now and then, and torchrun then takes finished work for failed.
    """
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code)


# -- leading and following --------------------------------------------------------------------------


def lead(word: str, value: Any = None) -> None:
    """Tell those who `follow` what comes next; nothing happens where there are none."""
    if world() > 1:
        _passing([word, value])


def follow(actions: Mapping[str, Callable[[Any], object]]) -> None:
    """Do what process 0 says until it says that it ends.

    Signals are left to process 0, which lets the step end that all are in.

    Args:
        actions: What to do at each word, given the value that comes with it.

    Raises:
        TakeError: Process 0 is gone.
        DreamplateError: What an action raises.
    """
    for name in ("SIGINT", "SIGTERM", "SIGHUP"):
        if hasattr(signal, name):
            signal.signal(getattr(signal, name), signal.SIG_IGN)
    while True:
        word, value = _passing([None, None])
        if word == _END:
            return
        actions[word](value)


def end() -> None:
    """Let those who `follow` go."""
    with suppress(TakeError):
        lead(_END)


def share(value: Any) -> Any:
    """Return what process 0 gave."""
    return _passing([value])[0] if world() > 1 else value


def gather(value: Any) -> list[Any]:
    """Return what every process gave, in the order of their ranks."""
    given: list[Any] = [value]
    if world() > 1:
        given = [None] * world()
        _safely(lambda: distributed.all_gather_object(given, value))
    return given


def agree(error: Exception | None) -> None:
    """Raise in all processes what went wrong in one, so that none waits for another for ever.

    Raises:
        DreamplateError: An error, this process's own or the first other's.
    """
    if world() > 1:
        failed = torch.tensor([0 if error is None else 1])
        _safely(lambda: distributed.all_reduce(failed))
        if int(failed):
            told: list[Any] = [None] * world()
            mine = None if error is None else (type(error), str(error))
            _safely(lambda: distributed.all_gather_object(told, mine))
            if error is None:
                number, (kind, text) = next((n, item) for n, item in enumerate(told) if item is not None)
                known = issubclass(kind, DreamplateError)
                raise (kind if known else TakeError)(f"{text} (process {number})")
    if error is not None:
        raise error


def _passing(values: list[Any]) -> list[Any]:
    _safely(lambda: distributed.broadcast_object_list(values, device=torch.device("cpu")))
    return values


def _safely(send: Callable[[], object]) -> None:
    try:
        send()
    except RuntimeError as error:
        raise TakeError(
            f"process {rank()}: another process is gone ({' '.join(str(error).split())[:120]});"
            " resume the take"
        ) from error


def _together() -> bool:
    return distributed.is_available() and distributed.is_initialized()
