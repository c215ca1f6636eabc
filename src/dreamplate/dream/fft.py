"""The `fft` generator: pictures as their Fourier spectra in decorrelated colour."""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
import torch.nn.functional as F
from jaxtyping import Complex, Float
from torch import Tensor, nn

from dreamplate.dream.colour_basis import from_display, to_display
from dreamplate.dream.options import FftConfig
from dreamplate.dream.painting import Genes, Genome, Painting, draw_each


class Fft(Painting):
    """Pictures as their Fourier spectra, scaled so that all frequencies learn alike.

    Natural pictures have amplitudes falling as 1/f; multiplying coefficient f by ``f ** -decay``
    makes one learning rate serve coarse and fine structure (Olah, Mordvintsev and Schubert,
    "Feature Visualization", 2017, section on preconditioning). A spectrum is periodic: along axes
    that should not tile, the picture is a window of a slightly larger canvas, so that opposite
    edges are free of each other.
    """

    MARGIN = 0.125
    """Canvas beyond the picture, as a fraction, along axes that do not tile."""

    BAND = 6
    """Coefficients up to this many cycles a canvas, in each direction, are what evolves."""

    def __init__(
        self,
        config: FftConfig,
        size: tuple[int, int],
        wrap: tuple[bool, bool],
        draws: Sequence[torch.Generator],
    ) -> None:
        super().__init__(size, wrap, draws)
        self.config = config
        self.scale: Float[Tensor, "h half"]
        self.canvas = tuple(_canvas_side(side, wraps) for side, wraps in zip(size, wrap, strict=True))
        w, h = self.canvas
        self.spectrum = nn.Parameter(draw_each((3, h, w // 2 + 1, 2), draws) * config.start)
        scale = frequencies(h, w).clamp(min=1 / max(w, h)) ** -config.decay
        scale[0, 0] = 0.25 * scale[0, 0]  # the mean colour would otherwise swing with every step
        # Normalised so that a spectrum of standard normal numbers gives planes of unit variance.
        self.register_buffer("scale", scale / (4 * (scale * scale).sum()).sqrt(), persistent=False)

    def forward(self, width: int, height: int) -> Float[Tensor, "count 3 {height} {width}"]:
        """Render ``(count, 3, height, width)``; a smaller size keeps exactly the frequencies it can hold."""
        full_h, (w, h) = self.canvas[1], self._canvas_for(width, height)
        spectrum = torch.view_as_complex(self.spectrum * self.scale[..., None])
        planes = torch.fft.irfft2(resize_spectrum(spectrum, h, w, full_h), s=(h, w), norm="forward")
        left, top = (w - width) // 2, (h - height) // 2
        window = planes[:, :, top : top + height, left : left + width]
        return to_display(window, self.config.chroma)

    def _canvas_for(self, width: int, height: int) -> tuple[int, int]:
        pairs = zip((width, height), self.size, self.canvas, strict=True)
        w, h = (full if side == own else max(2, round(full * side / own)) for side, own, full in pairs)
        return w, h

    @torch.no_grad()
    def paint(self, image: Float[Tensor, "n 3 height width"]) -> None:
        """Take over pictures ``(n, 3, height, width)``; the canvas margin becomes their mirrored edge."""
        (w, h), (width, height) = self.canvas, self.size
        left, top = (w - width) // 2, (h - height) // 2
        planes = from_display(image, self.config.chroma)
        planes = F.pad(planes, (left, w - width - left, top, h - height - top), mode="reflect")
        spectrum = torch.fft.rfft2(planes, norm="forward")
        self.spectrum.copy_(torch.view_as_real(spectrum) / self.scale[..., None])

    def _band(self) -> tuple[int, int]:
        w, h = self.canvas
        return min(self.BAND, w // 2), min(self.BAND, (h - 1) // 2)

    def genome(self) -> Genome:
        """Return the coarse coefficients; finer ones start at zero."""
        columns, rows = self._band()
        return Genome(reals=3 * (2 * rows + 1) * (columns + 1) * 2, spread=1.0, bound=4.0)

    @torch.no_grad()
    def adopt(self, genes: Genes) -> None:
        """Become the pictures of these coefficients ``(n, reals)``."""
        columns, rows = self._band()
        coarse = genes.reals.reshape(len(genes), 3, 2 * rows + 1, columns + 1, 2).to(self.spectrum)
        spectrum = self.spectrum.new_zeros((len(genes), *self.spectrum.shape[1:]))
        spectrum[:, :, : rows + 1, : columns + 1] = coarse[:, :, : rows + 1]
        if rows:
            spectrum[:, :, -rows:, : columns + 1] = coarse[:, :, rows + 1 :]
        self.spectrum, self.count = nn.Parameter(spectrum), len(genes)


def _canvas_side(side: int, wraps: bool) -> int:
    return side if wraps else 2 * math.ceil(side * (1 + Fft.MARGIN) / 2)


def frequencies(height: int, width: int) -> Float[Tensor, "{height} {width}//2+1"]:
    """Return spatial frequencies ``(height, width // 2 + 1)`` in cycles per pixel."""
    fy = torch.fft.fftfreq(height)[:, None]
    fx = torch.fft.rfftfreq(width)[None, :]
    return torch.sqrt(fx * fx + fy * fy)


def resize_spectrum(
    spectrum: Complex[Tensor, "n c {full_height} half"], height: int, width: int, full_height: int
) -> Complex[Tensor, "n c {height} {width}//2+1"]:
    """Cut or zero-pad half spectra ``(n, c, H, W // 2 + 1)`` to that of ``height`` by ``width``.

    With ``norm="forward"`` the planes keep their values; only the band limit changes.
    """
    columns = width // 2 + 1
    if height == full_height and columns == spectrum.shape[-1]:
        return spectrum
    kept = min(columns, spectrum.shape[-1])
    positive = min((height + 1) // 2, (full_height + 1) // 2)
    negative = min(height // 2, full_height // 2)
    head = spectrum.shape[:2]
    rows = torch.cat(
        [
            spectrum[..., :positive, :kept],
            spectrum.new_zeros(*head, height - positive - negative, kept),
            spectrum[..., full_height - negative :, :kept],
        ],
        dim=2,
    )
    return torch.cat([rows, rows.new_zeros(*head, height, columns - kept)], dim=3)
