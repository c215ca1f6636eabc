"""Beginning with what another run has learnt: its networks by name, each tensor checked."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from torch import Tensor, nn

from dreamplate.errors import CheckpointError, ModelError
from dreamplate.take.take import Take
from dreamplate.tensorfile import read_tensors

__all__ = ["fill", "transfer"]


def transfer(networks: Mapping[str, nn.Module], path: Path) -> tuple[str, ...]:
    """Fill networks from another take, or a generator from a model file; return a line for each network.

    A take with a checkpoint gives every network as it was learning (not its average). A model file, or a take
    of which only ``model.safetensors`` is left, gives the generator; the others then begin fresh.

    Raises:
        ModelError: There is nothing of that name, or it has no generator.
        CheckpointError: A tensor is missing, left over or of another shape: it is of another architecture.
        StateError: The take's checkpoints are damaged.
    """
    found, source = _read(path)
    if "generator" not in found:
        raise ModelError(f"{source}: has no generator; name the take of another training run")
    lines = []
    for name, network in networks.items():
        if name in found:
            fill(network, found[name], f"{source}: {name}")
            lines.append(f"{source}: {name}: all {len(found[name])} tensors taken over")
        else:
            lines.append(f"{source}: has no {name}, which begins fresh")
    return tuple(lines)


def fill(network: nn.Module, state: Mapping[str, Any], source: str) -> None:
    """Copy tensors into a network.

    Raises:
        CheckpointError: One is missing, left over, or of another shape; names the first.
    """
    own = network.state_dict()
    for name, value in own.items():
        if not isinstance(state.get(name), Tensor):
            raise CheckpointError(f"{source} has no tensor {name!r}; it is of another architecture")
        if state[name].shape != value.shape:
            found, needed = tuple(state[name].shape), tuple(value.shape)
            raise CheckpointError(
                f"{source}: tensor {name!r} is {found}, needed is {needed}; it is of another architecture"
            )
    left = next((name for name in state if name not in own), None)
    if left is not None:
        raise CheckpointError(f"{source}: tensor {left!r} has no place here; it is of another architecture")
    network.load_state_dict(dict(state))


def _read(path: Path) -> tuple[dict[str, Any], Path]:
    """Return states of networks by name, and the file they are from."""
    if (path / "take.yaml").is_file():
        take = Take.open(path)
        if take.kind != "train":
            raise ModelError(f"{path}: is a take of {take.kind!r}; name the take of a training run")
        loaded = take.load_state()
        if loaded is not None:
            system = loaded[1]["system"]
            networks = system.get("networks", system)
            return {name: value for name, value in networks.items() if isinstance(value, Mapping)}, take.path
    file = path / "model.safetensors" if path.is_dir() else path
    if not file.is_file():
        raise ModelError(
            f"{file}: there is no such model; name the take of a training run, or its model file"
        )
    return {"generator": read_tensors(file)[0]}, file
