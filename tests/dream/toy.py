"""A scorer small enough for tests: random convolutions and hashed words."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from dreamplate.nets.efficientnet_lite import Layer


class ToyScorer(nn.Module):
    """Fixed random features; words become fixed random directions."""

    name = "toy"
    size = 32
    encoding = "srgb_display"
    dim = 24
    flexible = True

    def __init__(self) -> None:
        super().__init__()
        generator = torch.Generator().manual_seed(0)
        self.first = nn.Parameter(torch.randn((8, 3, 3, 3), generator=generator) / 5, requires_grad=False)
        self.last = nn.Parameter(
            torch.randn((self.dim, 8, 3, 3), generator=generator) / 8, requires_grad=False
        )

    def encode_with_layers(self, images: Tensor) -> tuple[Tensor, list[Layer]]:
        x = F.conv2d(images - 0.5, self.first, stride=2, padding=1)
        seen = Layer(x, torch.zeros(8), torch.full((8,), 0.5))
        return F.normalize(F.conv2d(F.silu(x), self.last, stride=2).mean((2, 3)), dim=-1), [seen]

    def encode_image(self, images: Tensor) -> Tensor:
        return self.encode_with_layers(images)[0]

    def encode_text(self, texts: Sequence[str]) -> Tensor:
        rows = []
        for text in texts:
            seed = int.from_bytes(hashlib.sha256(text.encode()).digest()[:7], "big")
            rows.append(torch.randn(self.dim, generator=torch.Generator().manual_seed(seed)))
        return F.normalize(torch.stack(rows), dim=-1)
