"""The `autoencoder` generator: the latents of a tiny autoencoder, as Fourier spectra."""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn

from dreamplate.dream.fft import frequencies
from dreamplate.dream.frozen import NetPainting, clamp, fit
from dreamplate.dream.options import AutoencoderConfig
from dreamplate.dream.painting import Genes, Genome, draw_each
from dreamplate.errors import ModelError
from dreamplate.models.find import find_weights
from dreamplate.nets.tiny_autoencoder import TinyAutoencoder

MARGIN = 0.125
"""Latents beyond the picture, as a fraction, along axes that do not tile."""
MOST_GENES = 1024
"""Reals a picture that a search without gradients turns at most."""


class AutoencoderPainting(NetPainting):
    """Pictures as the latents of a tiny autoencoder, whose spectra learn alike at all frequencies.

    A cell of latents stands for 8 x 8 pixels. As in the `fft` generator each coefficient is scaled by
    ``frequency ** -decay``, so that a step moves large areas as readily as single cells, and along axes that
    do not tile the picture is a window of a slightly larger canvas.

    The picture is always decoded whole and then brought to the size that is asked for, because the networks
    see a scale of their own: decoding fewer latents would cost less, but gives another picture, pale and
    blurred (20 to 27 dB on photographs at half size).

    Args:
        options: Options of this generator.
        size: Width and height of the finished picture in pixels.
        wrap: Whether it tiles in x and in y.
        draws: A CPU generator for each picture.
        net: The networks; loaded as the options say when not given.

    Raises:
        ModelError: No weights are named, they are of another kind, or hold no decoder.
        CheckpointError: A file is damaged or does not fit.
    """

    def __init__(
        self,
        options: AutoencoderConfig,
        size: tuple[int, int],
        wrap: tuple[bool, bool],
        draws: Sequence[torch.Generator],
        *,
        net: TinyAutoencoder | None = None,
    ) -> None:
        super().__init__(size, wrap, draws)
        self.options = options
        self.scale: Float[Tensor, "h half"]
        self.net = (net or load_autoencoder(options),)  # in a tuple, so that it is no part of the state
        self.freeze(*self.net)
        if self.net[0].decoder is None:
            raise ModelError(
                f"autoencoder.weights is {options.weights!r}, which holds no decoder: name the decoder's file"
            )
        self.cells = tuple(math.ceil(side / self.net[0].factor) for side in size)
        self.canvas = tuple(_canvas_side(side, wraps) for side, wraps in zip(self.cells, wrap, strict=True))
        w, h = self.canvas
        shape = (self.net[0].latents, h, w // 2 + 1, 2)
        self.spectrum = nn.Parameter(draw_each(shape, draws) * options.start)
        self.register_buffer("scale", amplitudes(h, w, options.decay), persistent=False)

    def forward(self, width: int, height: int) -> Float[Tensor, "count 3 {height} {width}"]:
        """Render ``(count, 3, height, width)``: the whole picture, reduced."""
        image = clamp(self.net[0].decode(self.latents(), self.wrap))
        return clamp(fit(image, width, height, self.wrap))  # averages of 1 can round to more

    def latents(self) -> Float[Tensor, "count latents h w"]:
        """Return the latents of the whole picture, a window of the canvas."""
        (w, h), (columns, rows) = self.canvas, self.cells
        spectrum = torch.view_as_complex(self.spectrum * self.scale[..., None])
        planes: Tensor = torch.fft.irfft2(spectrum, s=(h, w), norm="forward")
        left, top = (w - columns) // 2, (h - rows) // 2
        return planes[:, :, top : top + rows, left : left + columns].contiguous()

    @torch.no_grad()
    def paint(self, image: Float[Tensor, "n 3 height width"]) -> None:
        """Take over pictures: the encoder gives their latents.

        Raises:
            ModelError: There is no encoder.
        """
        if self.net[0].encoder is None:
            raise ModelError(
                "autoencoder.encoder is not given: starting from a picture needs the encoder's weight file"
            )
        factor, (w, h) = self.net[0].factor, self.canvas
        columns, rows = self.cells
        whole = fit(image, columns * factor, rows * factor, self.wrap)
        latents = self.net[0].encode(whole, self.wrap)
        left, top = (w - columns) // 2, (h - rows) // 2
        around = (left, w - columns - left, top, h - rows - top)
        # Mirrored where there is enough to mirror.
        mirrored = max(around[:2]) < columns and max(around[2:]) < rows
        latents = F.pad(latents, around, mode="reflect" if mirrored else "replicate")
        spectrum = torch.view_as_real(torch.fft.rfft2(latents, norm="forward"))
        self.spectrum.copy_(spectrum / self.scale[..., None])

    def _band(self) -> tuple[int, int]:
        """Return the widest band of coarse coefficients that has at most `MOST_GENES` numbers."""
        w, h = self.canvas
        most = min(max(w // 2, (h - 1) // 2), 6)
        bands = [(min(band, w // 2), min(band, (h - 1) // 2)) for band in range(most, -1, -1)]
        return next((band for band in bands if self._genes(band) <= MOST_GENES), bands[-1])

    def _genes(self, band: tuple[int, int]) -> int:
        return int(self.net[0].latents) * (2 * band[1] + 1) * (band[0] + 1) * 2

    def genome(self) -> Genome:
        """Return the coarse coefficients; finer ones start at zero."""
        return Genome(reals=self._genes(self._band()), spread=1.0, bound=4.0)

    @torch.no_grad()
    def adopt(self, genes: Genes) -> None:
        """Become the pictures of these coefficients ``(n, reals)``."""
        columns, rows = self._band()
        shape = (len(genes), self.net[0].latents, 2 * rows + 1, columns + 1, 2)
        coarse = genes.reals.reshape(shape).to(self.spectrum)
        spectrum = self.spectrum.new_zeros((len(genes), *self.spectrum.shape[1:]))
        spectrum[:, :, : rows + 1, : columns + 1] = coarse[:, :, : rows + 1]
        if rows:
            spectrum[:, :, -rows:, : columns + 1] = coarse[:, :, rows + 1 :]
        self.spectrum, self.count = nn.Parameter(spectrum), len(genes)


def amplitudes(height: int, width: int, decay: float) -> Float[Tensor, "{height} {width}//2+1"]:
    """Return the scale of each coefficient, so that standard normal ones give planes of unit variance."""
    scale = frequencies(height, width).clamp(min=1 / max(width, height)) ** -decay
    scale[0, 0] = 0.25 * scale[0, 0]  # the mean colour would otherwise swing with every step
    return scale / (4 * (scale * scale).sum()).sqrt()


def load_autoencoder(options: AutoencoderConfig) -> TinyAutoencoder:
    """Read the decoder, and the encoder where one is named or is in the same file.

    Raises:
        ModelError: No weights are named, or they are of another kind.
        CheckpointError: A file is damaged or does not fit.
    """
    if not options.weights:
        raise ModelError(
            "autoencoder.weights is not given: name a model of the store, or the decoder's file of a tiny"
            " autoencoder"
        )
    state, settings = find_weights(options.weights, "tiny-autoencoder")
    if options.encoder:
        more, others = find_weights(options.encoder, "tiny-autoencoder")
        if "encoder" not in others:
            raise ModelError(
                f"autoencoder.encoder is {options.encoder!r}, which holds no encoder: name its file"
            )
        if "decoder" in settings and settings["latents"] != others["latents"]:
            raise ModelError(
                f"autoencoder.encoder makes {others['latents']} channels, the decoder takes"
                f" {settings['latents']}: use files of the same autoencoder"
            )
        state = {name: t for name, t in state.items() if not name.startswith("encoder.")}
        state |= {name: t for name, t in more.items() if name.startswith("encoder.")}
        settings = {**settings, "encoder": others["encoder"]}
    return TinyAutoencoder.from_state(state, settings)


def _canvas_side(side: int, wraps: bool) -> int:
    return side if wraps else 2 * math.ceil(side * (1 + MARGIN) / 2)
