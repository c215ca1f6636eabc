"""What a network sees of a label map: a channel for each class, and the borders between objects."""

from __future__ import annotations

import torch
from torch import Tensor

from dreamplate.train.batch import Batch
from dreamplate.train.port import Port

__all__ = ["condition_tensor", "instance_edges", "one_hot"]


def one_hot(labels: Tensor, classes: int, channels: int) -> Tensor:
    """Return ``(n, channels, h, w)`` float32: 1 in the channel of each pixel's class, else 0.

    Args:
        labels: ``(n, h, w)`` int64, 0 to ``classes``; ``classes`` itself means "of no class".
        classes: How many there are.
        channels: ``classes``, or one more for pixels of no class. Without it such pixels are 0 in all.
    """
    count, height, width = labels.shape
    made = torch.zeros(count, classes + 1, height, width, device=labels.device)
    return made.scatter_(1, labels.unsqueeze(1), 1.0)[:, :channels]


def instance_edges(ids: Tensor) -> Tensor:
    """Return ``(n, 1, h, w)`` float32: 1 where one of the four neighbours belongs to another object.

    Both sides of a border are marked. Wang et al., "High-Resolution Image Synthesis and Semantic Manipulation
    with Conditional GANs" (2018), section 3.3.

    Args:
        ids: ``(n, h, w)`` object ids, any type.
    """
    down, across = ids[:, 1:] != ids[:, :-1], ids[:, :, 1:] != ids[:, :, :-1]
    edges = torch.zeros(ids.shape, dtype=torch.bool, device=ids.device)
    edges[:, 1:] |= down
    edges[:, :-1] |= down
    edges[:, :, 1:] |= across
    edges[:, :, :-1] |= across
    return edges.unsqueeze(1).float()


def condition_tensor(batch: Batch, port: Port) -> Tensor:
    """Return what a model with this port is given: ``(n, port.width, h, w)`` float32.

    Pictures come as they are. Labels come one-hot in the order of the palette, then the channel of pixels of
    no class (where the palette has unknown ids), then the borders of instances (where the port has them).

    Raises:
        ValueError: The batch lacks what the port asks for.
    """
    if port.palette is None:
        if batch.condition is None:
            raise ValueError("the batch has no picture as its condition, which the port asks for")
        return batch.condition
    if batch.labels is None or (port.instances and batch.instances is None):
        raise ValueError(f"the batch has no {'labels' if batch.labels is None else 'instances'}")
    classes = one_hot(batch.labels, len(port.palette), port.palette.channels)
    if not port.instances:
        return classes
    assert batch.instances is not None
    return torch.cat([classes, instance_edges(batch.instances)], dim=1)
