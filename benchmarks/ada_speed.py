"""Adaptive augmentation against its plain form, in one run: CPU seconds of a batch, forward and backward.

The plain form, written anew from its description, resamples every picture of every batch: zeros between
samples, a convolution for each axis and direction, and, where the gradient of a gradient is asked for,
plain reads of the four pixels around each place, since torch has no second derivative of `grid_sample`.
Ours multiplies by a matrix for each axis, leaves pictures that do not move alone, moves whole pixels
without a filter, and differentiates `grid_sample` by its transpose. Groups b, g and c, the same draws for
both. Forms take turns; figures are means over several draws.

Run: python benchmarks/ada_speed.py [ROUNDS]
"""

from __future__ import annotations

import math
import platform
import sys
import time

import torch
import torch.nn.functional as F
from torch import Tensor

from dreamplate.nets.upfirdn import upfirdn
from dreamplate.train.ada import vary
from dreamplate.train.ada_colour import colour_matrix, recolour
from dreamplate.train.ada_geometry import inverse_of, linear, shift
from dreamplate.train.ada_resample import low_pass
from dreamplate.train.ada_steps import Ranges, draw_steps, steps_of
from dreamplate.train.draws import Draws

RANGES = Ranges()


def corners(image: Tensor, grid: Tensor) -> Tensor:
    """Bilinear samples, zero outside, by plain indexing."""
    n, c, h, w = image.shape
    x, y = ((grid[..., 0] + 1) * w - 1) / 2, ((grid[..., 1] + 1) * h - 1) / 2
    total = image.new_zeros(n, c, grid.shape[1] * grid.shape[2])
    for i, j in ((0, 0), (0, 1), (1, 0), (1, 1)):
        column, row = x.floor() + j, y.floor() + i
        weight = (1 - (x - column).abs()) * (1 - (y - row).abs())
        weight = weight * ((column >= 0) & (column < w) & (row >= 0) & (row < h))
        place = (row.clamp(0, h - 1) * w + column.clamp(0, w - 1)).long().view(n, 1, -1).expand(-1, c, -1)
        total = total + image.view(n, c, h * w).gather(2, place) * weight.view(n, 1, -1)
    return total.view(n, c, *grid.shape[1:3])


def plain(image: Tensor, drawn: dict[str, Tensor], twice: bool) -> Tensor:
    """Groups b, g and c as usually written."""
    n, _, h, w = image.shape
    inverse = inverse_of(drawn, (h, w), RANGES)
    if inverse is None:
        inverse = torch.eye(3, dtype=torch.float64).repeat(n, 1, 1)
    taps = low_pass().float()
    x, y = (w - 1) / 2, (h - 1) / 2
    edges = torch.tensor([[-x, x, x, -x], [-y, -y, y, y], [1.0] * 4], dtype=torch.float64)
    reach = (inverse[:, :2] @ edges).permute(1, 0, 2).flatten(1)
    least, most = reach.amin(1).tolist(), reach.amax(1).tolist()
    margin = lambda beyond, side: min(max(math.ceil(beyond - (side - 1) / 2 + 6), 0), side - 1)  # noqa: E731
    left, right = margin(-least[0], w), margin(most[0], w)
    top, bottom = margin(-least[1], h), margin(most[1], h)
    padded = F.pad(image, (left, right, top, bottom), mode="reflect")
    fine = upfirdn(padded, 2 * taps[None], up=(2, 1), padding=(6, 5, 0, 0))
    fine = upfirdn(fine, 2 * taps[:, None], up=(1, 2), padding=(0, 0, 6, 5))
    one, zero = torch.ones(n, dtype=torch.float64), torch.zeros(n, dtype=torch.float64)
    grow = linear(2 * one, zero, zero, 2 * one)
    inverse = shift((left - right) / 2 * one, (top - bottom) / 2 * one) @ inverse
    inverse = shift(-one / 2, -one / 2) @ grow @ inverse @ grow.inverse() @ shift(one / 2, one / 2)
    high, wide = 2 * (h + 6), 2 * (w + 6)
    before = linear(2 / fine.shape[3] * one, zero, zero, 2 / fine.shape[2] * one)
    theta = before @ inverse @ linear(wide / 2 * one, zero, zero, high / 2 * one)
    grid = F.affine_grid(theta[:, :2].float(), [n, 1, high, wide], align_corners=False)
    sampled = corners(fine, grid) if twice else F.grid_sample(fine, grid, align_corners=False)
    made = upfirdn(sampled, taps[None], down=(2, 1), padding=(-1, -1, 0, 0), flip=True)
    made = upfirdn(made, taps[:, None], down=(1, 2), padding=(0, 0, -1, -1), flip=True)
    matrix = colour_matrix(drawn, RANGES)
    return recolour(made, torch.eye(4).repeat(n, 1, 1) if matrix is None else matrix)


def seconds(work, image: Tensor, twice: bool) -> float:
    """CPU seconds of a batch and its gradient, or of the gradient of its gradient's length."""
    start = time.process_time()
    weight = torch.ones_like(image).requires_grad_(twice)
    made = work(image)
    (slope,) = torch.autograd.grad((made * weight).square().sum(), image, create_graph=twice)
    if twice:
        torch.autograd.grad(slope.square().sum(), weight)
    return time.process_time() - start


def main() -> None:
    torch.set_num_threads(1)
    rounds = int(sys.argv[1]) if len(sys.argv) > 1 else 4
    print(f"{platform.machine()}, torch {torch.__version__}, one thread, {rounds} rounds")
    print("| side, batch | strength | once: ours | plain | | twice: ours | plain | |")
    print("|---|---|---|---|---|---|---|---|")
    for side, batch in ((64, 16), (256, 8)):
        image = (torch.rand((batch, 3, side, side)) * 2 - 1).requires_grad_()
        for strength in (0.05, 0.2, 0.6):
            cells = []
            for twice in (False, True):
                ours, theirs = [], []
                for number in range(rounds):
                    drawn = draw_steps(steps_of("bgc"), batch, strength, Draws(side, number))
                    ours.append(seconds(lambda x, d=drawn: vary(x, d, RANGES)[0], image, twice))
                    theirs.append(seconds(lambda x, d=drawn, t=twice: plain(x, d, t), image, twice))
                # Every draw costs another amount, so what is compared is the sum over the same draws.
                ratio = f"{sum(theirs) / sum(ours):.1f}x"
                cells += [f"{1e3 * sum(t) / rounds:.1f} ms" for t in (ours, theirs)] + [ratio]
            print(f"| {side}, {batch} | {strength} | " + " | ".join(cells) + " |")
    drawn = draw_steps(steps_of("bgc"), batch, 0.6, Draws(0))
    still = {name: value for name, value in drawn.items() if name not in ("xflip", "rotate90", "xint")}
    off = (vary(image, still, RANGES, exact=False)[0] - plain(image, still, True)).abs().max()
    print(f"largest difference of the two: {off.item():.1e}")


if __name__ == "__main__":
    main()
