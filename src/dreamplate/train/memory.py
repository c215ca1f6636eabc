"""What a model has seen: a small memory of its training conditions, and how near a new condition is to it.

A model made from few examples does well where a condition is like one of them and guesses elsewhere. The
memory holds descriptors of places (``descriptors.py``) of all training conditions. A place of a new condition
is held against them; how far the nearest should be is known from the training set itself, where every example
was held against the others.
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import torch
from jaxtyping import Float, Int64
from torch import Tensor
from torch.nn import functional

from dreamplate.errors import CheckpointError
from dreamplate.tensorfile import read_tensors, write_tensors
from dreamplate.train.descriptors import cells_of, channels_of, places_of, project, scene_of
from dreamplate.train.port import Port

__all__ = ["Look", "Memory", "confidence", "load_memory", "look", "save_memory"]

NEAREST = 3
"""Training examples that are named."""
QUERIES = 256
"""Places that are held against the memory at once."""
_NOTE = "dreamplate.memory"
_TENSORS = ("mean", "basis", "cells", "owners", "scene_mean", "scene_basis", "scenes", "counts", "largest")


@dataclass(frozen=True, eq=False)
class Memory:
    """Descriptors of training conditions.

    Attributes:
        port: Of the condition.
        names: Of the training examples.
        side: Of a cell, in pixels.
        flip: Whether the model has seen mirrored conditions too.
        near: Distance below which a place is as near to the memory as 19 of 20 places of the training set
            are to its other examples.
        far: Distance at which confidence ends.
        mean: ``(f,)``, ``basis``: ``(f, p)``: the subspace of descriptors.
        cells: ``(m, p + 3)`` descriptors in it, with their places.
        owners: ``(m,)`` which example each is from.
        scene_mean: ``(g,)``, ``scene_basis``: ``(g, r)``, ``scenes``: ``(names, r + 1)``: the same for whole
            conditions.
        counts: ``(channels, 3, 3)`` how many examples have a class in each ninth of the picture; of
            pictures, of no meaning.
        largest: ``(channels, 2)`` smallest and largest share of the picture that a class has in any example
            (for pictures: lowest and highest value of a channel).
    """

    port: Port
    names: tuple[str, ...]
    side: int
    flip: bool
    near: float
    far: float
    mean: Tensor
    basis: Tensor
    cells: Tensor
    owners: Tensor
    scene_mean: Tensor
    scene_basis: Tensor
    scenes: Tensor
    counts: Tensor
    largest: Tensor


@dataclass(frozen=True, eq=False)
class Look:
    """How a condition relates to what was learnt from.

    Attributes:
        confidence: ``(h, w)``, 0-1: 1 where the surroundings are like ones of the training set.
        outside: Share of pixels with a confidence below one half.
        nearest: Names of the most similar training examples and their distances, nearest first.
    """

    confidence: Tensor
    outside: float
    nearest: tuple[tuple[str, float], ...]


def look(memory: Memory, condition: Float[Tensor, "1 c h w"], leave: int | None = None) -> Look:
    """Hold one condition against a memory.

    Args:
        memory: Of the model.
        condition: As the network sees it (``train.onehot.condition_tensor``), of any size.
        leave: Number of a training example that is left out of the memory.

    Raises:
        ValueError: It has other channels than the conditions of the memory.
    """
    apart = distances(memory, condition, leave)
    height, width = condition.shape[-2:]
    sure = ((memory.far - apart) / (memory.far - memory.near)).clamp(0, 1)
    wide = (sure.shape[0] * memory.side, sure.shape[1] * memory.side)
    grown = functional.interpolate(sure[None, None], wide, mode="bilinear", align_corners=False)
    shown = grown[0, 0, :height, :width].contiguous()
    scenes = _least(memory, condition, _scene)
    if leave is not None:
        scenes[leave] = torch.inf
    count = min(NEAREST, len(memory.names) - (leave is not None))
    order = torch.argsort(scenes, stable=True)[:count].tolist()
    nearest = tuple((memory.names[number], float(scenes[number])) for number in order)
    return Look(shown, float((shown < 0.5).float().mean()), nearest)


def confidence(memory: Memory, condition: Float[Tensor, "1 c h w"]) -> Float[Tensor, "h w"]:
    """Return how far each pixel of a condition can be trusted, 0-1; see `look`."""
    return look(memory, condition).confidence


def distances(
    memory: Memory, condition: Float[Tensor, "1 c h w"], leave: int | None = None
) -> Float[Tensor, "gh gw"]:
    """Return the distance of every cell of a condition to the nearest one that is remembered."""
    if condition.shape[1] != memory.port.width:
        raise ValueError(f"a condition has {condition.shape[1]} channels, the memory {memory.port.width}")
    found: Tensor | None = None
    for mirrored in (False, True) if memory.flip else (False,):
        seen = condition.flip(-1) if mirrored else condition
        grid = cells_of(channels_of(seen.float().cpu(), memory.port), memory.side)[0]
        rows = encode_cells(grid, memory.mean, memory.basis)
        apart = nearest(rows, memory.cells, memory.owners, leave).view(grid.shape[:2])
        if mirrored:
            # The cells of a mirrored picture end where those of the picture begin.
            apart = apart.flip(-1)
        found = apart if found is None else torch.minimum(found, apart)
    assert found is not None
    return found


def encode_cells(
    grid: Float[Tensor, "gh gw f"], mean: Float[Tensor, " f"], basis: Float[Tensor, "f p"]
) -> Float[Tensor, "m q"]:
    """Return the descriptors of all cells of a picture as they are remembered, with their places."""
    places = places_of(*grid.shape[:2]).flatten(0, 1)
    return torch.cat([project(grid.flatten(0, 1), mean, basis), places], 1)


def nearest(
    rows: Float[Tensor, "m q"],
    cells: Float[Tensor, "k q"],
    owners: Int64[Tensor, " k"],
    leave: int | None = None,
) -> Float[Tensor, " m"]:
    """Return the distance of each row to the nearest remembered cell, one example's left out if asked."""
    kept = cells if leave is None else cells[owners != leave]
    lengths = kept.square().sum(1)
    found = [
        (lengths - 2 * part @ kept.T).amin(1) + part.square().sum(1) for part in torch.split(rows, QUERIES)
    ]
    return torch.cat(found).clamp_min(0).sqrt()


def _least(memory: Memory, condition: Tensor, measure: Any) -> Tensor:
    """Return distances to all examples: the less of a condition's own and its mirror image's."""
    found: Tensor = measure(memory, condition)
    return torch.minimum(found, measure(memory, condition.flip(-1))) if memory.flip else found


def _scene(memory: Memory, condition: Tensor) -> Tensor:
    whole = scene_of(channels_of(condition.float().cpu(), memory.port))
    return torch.cdist(project(whole, memory.scene_mean, memory.scene_basis), memory.scenes)[0]


def save_memory(memory: Memory, path: str | os.PathLike[str]) -> None:
    """Write a memory, atomically; descriptors are kept in half precision.

    Raises:
        ResourceError: The disk is full.
    """
    about = {
        "port": memory.port.to_json(),
        "names": list(memory.names),
        "side": memory.side,
        "flip": memory.flip,
        "near": memory.near,
        "far": memory.far,
    }
    tensors = {name: getattr(memory, name) for name in _TENSORS}
    for name in ("mean", "basis", "cells", "scene_mean", "scene_basis", "scenes"):
        tensors[name] = tensors[name].half()
    tensors["owners"] = tensors["owners"].to(torch.int32)
    write_tensors(path, tensors, {_NOTE: json.dumps(about)})


def load_memory(path: str | os.PathLike[str]) -> Memory:
    """Read a memory.

    Raises:
        ModelError: There is no such file.
        CheckpointError: It is damaged, or no memory.
    """
    tensors, notes = read_tensors(path)
    missing = next((name for name in _TENSORS if name not in tensors), None)
    if _NOTE not in notes or missing is not None:
        raise CheckpointError(f"{path}: is no memory of training conditions ({missing or 'no notes'})")
    try:
        about: Mapping[str, Any] = json.loads(notes[_NOTE])
        port, names = Port.from_json(about["port"], str(path)), tuple(map(str, about["names"]))
        side, flip = int(about["side"]), bool(about["flip"])
        near, far = float(about["near"]), float(about["far"])
    except (ValueError, KeyError, TypeError, RecursionError) as error:
        raise CheckpointError(f"{path}: its notes are damaged ({error!r}); train again") from error
    held = {name: tensors[name].float() for name in _TENSORS if name != "owners"}
    return Memory(port, names, side, flip, near, far, **held, owners=tensors["owners"].long())
