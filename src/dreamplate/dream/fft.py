"""The `fft` generator: a picture as its Fourier spectrum in decorrelated colour."""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F
from jaxtyping import Complex, Float
from torch import Tensor, nn

from dreamplate.dream.colour_basis import from_display, to_display
from dreamplate.dream.options import FftConfig


class Fft(nn.Module):
    """A picture as its Fourier spectrum, scaled so that all frequencies learn alike.

    Natural pictures have amplitudes falling as 1/f; multiplying coefficient f by ``f ** -decay``
    makes one learning rate serve coarse and fine structure (Olah, Mordvintsev and Schubert,
    "Feature Visualization", 2017, section on preconditioning). A spectrum is periodic: along axes
    that should not tile, the picture is a window of a slightly larger canvas, so that opposite
    edges are free of each other.
    """

    MARGIN = 0.125
    """Canvas beyond the picture, as a fraction, along axes that do not tile."""

    def __init__(
        self, config: FftConfig, width: int, height: int, wrap: tuple[bool, bool], generator: torch.Generator
    ) -> None:
        super().__init__()
        self.config = config
        self.scale: Float[Tensor, "h half"]
        self.size = (width, height)
        self.canvas = tuple(_canvas_side(side, wraps) for side, wraps in zip(self.size, wrap, strict=True))
        w, h = self.canvas
        self.spectrum = nn.Parameter(torch.randn((3, h, w // 2 + 1, 2), generator=generator) * config.start)
        scale = frequencies(h, w).clamp(min=1 / max(w, h)) ** -config.decay
        scale[0, 0] = 0.25 * scale[0, 0]  # the mean colour would otherwise swing with every step
        # Normalised so that a spectrum of standard normal numbers gives planes of unit variance.
        self.register_buffer("scale", scale / (4 * (scale * scale).sum()).sqrt(), persistent=False)

    def forward(self, width: int, height: int) -> Float[Tensor, "1 3 {height} {width}"]:
        """Render ``(1, 3, height, width)``; a smaller size keeps exactly the frequencies it can hold."""
        full_h, (w, h) = self.canvas[1], self._canvas_for(width, height)
        spectrum = torch.view_as_complex(self.spectrum * self.scale[..., None])
        planes = torch.fft.irfft2(resize_spectrum(spectrum, h, w, full_h), s=(h, w), norm="forward")
        left, top = (w - width) // 2, (h - height) // 2
        window = planes[None, :, top : top + height, left : left + width]
        return to_display(window, self.config.chroma)

    def _canvas_for(self, width: int, height: int) -> tuple[int, int]:
        pairs = zip((width, height), self.size, self.canvas, strict=True)
        w, h = (full if side == own else max(2, round(full * side / own)) for side, own, full in pairs)
        return w, h

    @torch.no_grad()
    def paint(self, image: Float[Tensor, "1 3 height width"]) -> None:
        """Take over a picture ``(1, 3, height, width)``; the canvas margin becomes its mirrored edge."""
        (w, h), (width, height) = self.canvas, self.size
        left, top = (w - width) // 2, (h - height) // 2
        planes = from_display(image, self.config.chroma)
        planes = F.pad(planes, (left, w - width - left, top, h - height - top), mode="reflect")
        spectrum = torch.fft.rfft2(planes[0], norm="forward")
        self.spectrum.copy_(torch.view_as_real(spectrum) / self.scale[..., None])


def _canvas_side(side: int, wraps: bool) -> int:
    return side if wraps else 2 * math.ceil(side * (1 + Fft.MARGIN) / 2)


def frequencies(height: int, width: int) -> Float[Tensor, "{height} {width}//2+1"]:
    """Return spatial frequencies ``(height, width // 2 + 1)`` in cycles per pixel."""
    fy = torch.fft.fftfreq(height)[:, None]
    fx = torch.fft.rfftfreq(width)[None, :]
    return torch.sqrt(fx * fx + fy * fy)


def resize_spectrum(
    spectrum: Complex[Tensor, "c {full_height} half"], height: int, width: int, full_height: int
) -> Complex[Tensor, "c {height} {width}//2+1"]:
    """Cut or zero-pad a half spectrum ``(c, H, W // 2 + 1)`` to that of ``height`` by ``width``.

    With ``norm="forward"`` the planes keep their values; only the band limit changes.
    """
    columns = width // 2 + 1
    if height == full_height and columns == spectrum.shape[-1]:
        return spectrum
    kept = min(columns, spectrum.shape[-1])
    positive = min((height + 1) // 2, (full_height + 1) // 2)
    negative = min(height // 2, full_height // 2)
    channels = spectrum.shape[0]
    rows = torch.cat(
        [
            spectrum[:, :positive, :kept],
            spectrum.new_zeros(channels, height - positive - negative, kept),
            spectrum[:, full_height - negative :, :kept],
        ],
        dim=1,
    )
    return torch.cat([rows, rows.new_zeros(channels, height, columns - kept)], dim=2)
