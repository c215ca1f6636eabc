"""A scorer to which a text is the sum of its words, so that what it should find is known."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor

SILENT = {"a", "an", "the", "of", "in", "on", "at", "by", "with", "something", "and"}


class BagScorer:
    """Words are fixed random directions; pictures are what their four quarters' mean colours say."""

    name = "bag"
    size = 16
    encoding = "srgb_display"
    dim = 256
    flexible = True
    common = 0.0
    """How much of every text is the same direction."""

    def word(self, word: str) -> Tensor:
        seed = int.from_bytes(hashlib.sha256(word.encode()).digest()[:7], "big")
        return torch.randn(self.dim, generator=torch.Generator().manual_seed(seed))

    def encode_text(self, texts: Sequence[str]) -> Tensor:
        rows = []
        for text in texts:
            words = [word for word in text.lower().split() if word not in SILENT]
            total = sum((F.normalize(self.word(word), dim=0) for word in words), torch.zeros(self.dim))
            whole = total / max(1, len(words)) ** 0.5 + 1e-3 * self.word("nothing")
            rows.append(whole + self.common * F.normalize(self.word("every text"), dim=0))
        return F.normalize(torch.stack(rows), dim=-1)

    def encode_image(self, images: Tensor) -> Tensor:
        colours = F.adaptive_avg_pool2d(images, 2).flatten(1) - 0.5
        table = torch.randn((colours.shape[1], self.dim), generator=torch.Generator().manual_seed(5))
        return F.normalize(colours @ table + 1e-4, dim=-1)
