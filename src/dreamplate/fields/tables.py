"""From tables with as many samples on every ray to packed samples."""

from __future__ import annotations

import torch
from torch import Tensor

from dreamplate.fields.rays import Samples

__all__ = ["join_samples", "pack_table"]


def pack_table(starts: Tensor, alphas: Tensor, colours: Tensor, stop: Tensor | None = None) -> Samples:
    """Pack a table of samples; an interval reaches to the next sample, the last one to itself.

    Args:
        starts: ``(n, k)`` sorted distances.
        alphas: ``(n, k)``.
        colours: ``(n, k, 3)``.
        stop: ``(n,)`` distance beyond which nothing is seen. Of an interval that it cuts, the part in front
            stays, with its share of the thickness.
    """
    ends = torch.cat([starts[:, 1:], starts[:, -1:]], dim=1)
    if stop is not None:
        held = stop[:, None]
        inside = (held - starts) / (ends - starts).clamp_min(1e-12)
        share = torch.where(ends > starts, inside, (held > starts).float()).clamp(0, 1)
        alphas = 1 - (1 - alphas) ** share
        starts, ends = torch.minimum(starts, held), torch.minimum(ends, held)
    offsets = torch.arange(len(starts) + 1, device=starts.device) * starts.shape[1]
    return Samples(offsets, starts.flatten(), ends.flatten(), alphas.flatten(), colours.flatten(0, 1))


def join_samples(parts: list[Samples]) -> Samples:
    """Return the samples of several lots of rays as one lot."""
    if len(parts) == 1:
        return parts[0]
    offsets, total = [], 0
    for part in parts:
        offsets.append(part.offsets[:-1] + total)
        total += int(part.offsets[-1])
    offsets.append(parts[0].offsets.new_tensor([total]))
    return Samples(
        torch.cat(offsets),
        torch.cat([part.starts for part in parts]),
        torch.cat([part.ends for part in parts]),
        torch.cat([part.alphas for part in parts]),
        torch.cat([part.colours for part in parts]),
    )
