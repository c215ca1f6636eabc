"""Keeping a part of a generated picture while the rest changes, at every layer of the generator.

After Bau et al., "Paint by Word", 2021, who split a generator at one spatial feature map: outside a mask its
features stay, inside they are free. Here all layers are split, so that nothing can leak out of the mask
through the layers that follow: the kept part of the picture is exactly what it was.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor


class Anchor:
    """Features of a generator, recorded once, and the mask inside which later passes may differ.

    A generator calls its anchor with every map that it makes. The first pass, `recording`, keeps them; in
    passes after `hold` each map is replaced outside the mask by the kept one.
    """

    def __init__(self) -> None:
        self.features: dict[int, Tensor] = {}
        self.mask: Tensor | None = None

    @property
    def recording(self) -> bool:
        """Whether maps are being kept rather than held."""
        return self.mask is None

    def hold(self, mask: Float[Tensor, "masks 1 height width"]) -> None:
        """End the recording: from now on maps may differ where ``mask`` is 1 and not where it is 0.

        A place of a coarse map may change as far as the mask covers it.
        """
        self.mask = mask

    def spread(self, count: int) -> Anchor:
        """Return an anchor for ``count`` pictures: the recorded ones in turn, again and again."""
        recorded = next(iter(self.features.values())).shape[0]
        if count == recorded:
            return self
        made = Anchor()
        made.mask = self.mask
        for key, x in self.features.items():
            rows = torch.arange(count, device=x.device) % recorded
            made.features[key] = x.expand(count, -1, -1, -1) if recorded == 1 else x[rows]
        return made

    def __call__(self, key: int, x: Float[Tensor, "n c h w"]) -> Float[Tensor, "n c h w"]:
        """Record the map number ``key``, or hold it."""
        if self.mask is None:
            self.features[key] = x.detach()
            return x
        free = F.interpolate(self.mask.to(x), x.shape[2:], mode="area")
        return torch.lerp(self.features[key].to(x), x, free)
