"""Zero-insertion, finite filters and decimation of maps, as StyleGAN2 resamples them.

Karras et al., "Analyzing and Improving the Image Quality of StyleGAN", 2020, and "Alias-Free Generative
Adversarial Networks", 2021, appendix E, for the operation. `upfirdn` is the general form. The network itself
only ever doubles or halves with the taps 1 3 3 1, for which there are shorter ways to the same numbers:
`double`, `halve` and `smooth`.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor

from dreamplate.nets.wrapping import OPEN, Wrap, wrap_pad

TAPS = (1.0, 3.0, 3.0, 1.0)
"""The filter of every published network."""


def fir(taps: Sequence[float]) -> Float[Tensor, "t t"]:
    """Return the outer product of taps with themselves, of sum 1."""
    line = torch.tensor(taps, dtype=torch.float32)
    square = torch.outer(line, line)
    return square / square.sum()


def upfirdn(
    x: Float[Tensor, "n c h w"],
    kernel: Float[Tensor, "kh kw"],
    *,
    up: tuple[int, int] = (1, 1),
    down: tuple[int, int] = (1, 1),
    padding: tuple[int, int, int, int] = (0, 0, 0, 0),
    gain: float = 1.0,
    flip: bool = False,
) -> Float[Tensor, "n c h_out w_out"]:
    """Insert zeros, pad, convolve each channel with a filter, and keep every so many samples.

    Args:
        x: Maps.
        kernel: The filter.
        up: Each sample becomes itself and ``up - 1`` zeros, in x and in y.
        down: Of the result each ``down``-th sample is kept, in x and in y.
        padding: Zeros left, right, above and below, after ``up``; less than none cuts off.
        gain: Factor on the result.
        flip: Correlate instead of convolving.
    """
    n, c, height, width = x.shape
    x = F.pad(x[:, :, :, None, :, None], (0, up[0] - 1, 0, 0, 0, up[1] - 1))
    x = F.pad(x.reshape(n, c, height * up[1], width * up[0]), padding)
    weight = (kernel if flip else kernel.flip((0, 1))) * gain
    stride = (down[1], down[0])
    return F.conv2d(x, weight.to(x).expand(c, 1, -1, -1), stride=stride, groups=c)


def double(x: Float[Tensor, "n c h w"], wrap: Wrap = OPEN) -> Float[Tensor, "n c 2*h 2*w"]:
    """Double the size: ``upfirdn`` by 2 with the taps 1 3 3 1, of gain 4.

    These taps between zeros are linear interpolation at quarters, 3/4 of the nearer sample and 1/4 of the
    farther; beyond the ends of open axes there is zero.
    """
    x = wrap_pad(x, 1, wrap)
    open_x, open_y = int(not wrap[0]), int(not wrap[1])
    x = F.pad(x, (open_x, open_x, open_y, open_y))
    x = F.interpolate(x, scale_factor=2.0, mode="bilinear", align_corners=False)
    return x[:, :, 2:-2, 2:-2]


def smooth(
    x: Float[Tensor, "n c h w"], gain: float = 1.0, padding: int = 0
) -> Float[Tensor, "n c h_out w_out"]:
    """Filter with the taps 1 3 3 1 in x and in y, with ``padding`` zeros around; 3 fewer samples come out.

    One pass with all sixteen taps is faster than two with four: memory is what such a filter waits for.
    """
    c = x.shape[1]
    return F.conv2d(x, (fir(TAPS) * gain).to(x).expand(c, 1, -1, -1), padding=padding, groups=c)


def halve(x: Float[Tensor, "n c h w"], wrap: Wrap = OPEN) -> Float[Tensor, "n c h_out w_out"]:
    """Halve the size: ``upfirdn`` by 1/2 with the taps 1 3 3 1, one zero or wrapped sample around."""
    x = wrap_pad(x, 1, wrap)
    c = x.shape[1]
    padding = (int(not wrap[1]), int(not wrap[0]))
    return F.conv2d(x, fir(TAPS).to(x).expand(c, 1, -1, -1), stride=2, padding=padding, groups=c)
