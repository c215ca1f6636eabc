"""A codec that needs no learning, and captioned pictures that a network learns to obey in seconds."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from dreamplate.nets.wrapping import OPEN, Wrap
from dreamplate.tokens.codec import fingerprint_of
from dreamplate.train.batch import Batch

COLOURS = {
    "red": (1.0, 0.0, 0.0),
    "green": (0.0, 1.0, 0.0),
    "blue": (0.0, 0.0, 1.0),
    "yellow": (1.0, 1.0, 0.0),
}
SIDES = ("left", "right")
WORDS = ("a", *COLOURS, *SIDES, "on", "square", "the")


class ToyCodec(nn.Module):
    """Cells of one colour: red, green and blue are 0, 0.5 or 1 each, so there are 27 codes.

    Args:
        shade: Makes another codebook of the same size.
    """

    factor = 4
    codes = 27

    def __init__(self, shade: float = 1.0) -> None:
        super().__init__()
        levels = torch.tensor([0.0, 0.5, 1.0]) * shade
        self.register_buffer("book", torch.cartesian_prod(levels, levels, levels))
        self.register_buffer("offset", torch.zeros(3))

    @property
    def fingerprint(self) -> str:
        return fingerprint_of(self.book)

    def logits(self, image: Tensor, wrap: Wrap = OPEN) -> Tensor:
        cells = F.avg_pool2d(image, self.factor)
        return -(cells[:, None] - self.book[None, :, :, None, None]).square().sum(2)

    def encode(self, image: Tensor, wrap: Wrap = OPEN) -> Tensor:
        return self.logits(image, wrap).argmax(1)

    def from_features(self, features: Tensor, wrap: Wrap = OPEN) -> Tensor:
        return features.repeat_interleave(self.factor, 2).repeat_interleave(self.factor, 3)

    def decode(self, codes: Tensor, wrap: Wrap = OPEN) -> Tensor:
        return self.from_features(self.book[codes].permute(0, 3, 1, 2), wrap).clamp(0, 1)


def squares(seed: int, count: int = 16, side: int = 24) -> Batch:
    """A square of a colour on the left or right half of a grey or black picture, with captions of both."""
    draws = torch.Generator().manual_seed(seed)
    image = torch.zeros(count, 3, side, side)
    image += torch.randint(2, (count, 1, 1, 1), generator=draws) / 2
    names, texts = list(COLOURS), []
    for one in image:
        colour, right = (int(torch.randint(n, (1,), generator=draws)) for n in (len(COLOURS), 2))
        top = 4 * int(torch.randint(side // 4 - 2, (1,), generator=draws))
        left = side // 2 if right else 0
        one[:, top : top + 12, left : left + 12] = torch.tensor(COLOURS[names[colour]])[:, None, None]
        said = f"a {names[colour]} square on the {SIDES[right]}"
        texts.append((said, f"{said} "))
    return Batch(image * 2 - 1, names=("x",) * count, texts=tuple(texts))


def seen(image: Tensor) -> tuple[str, str]:
    """Name the colour of the square in a picture of -1 to 1, and its side."""
    best: tuple[float, str, str] = (-1.0, "", "")
    half = image.shape[-1] // 2
    for name, colour in COLOURS.items():
        near = (image / 2 + 0.5 - torch.tensor(colour)[:, None, None]).abs().sum(0) < 0.6
        for number, side in enumerate(SIDES):
            found = float(near[:, number * half : (number + 1) * half].float().mean())
            best = max(best, (found, name, side))
    return best[1], best[2]
