"""The `dvae` generator: scores of a codec's codes (a discrete VAE, or our own) in every cell of a picture."""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path
from typing import cast

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn

from dreamplate.dream.frozen import NetPainting, clamp, fit
from dreamplate.dream.options import DvaeConfig
from dreamplate.dream.painting import Genes, Genome
from dreamplate.dream.softcodes import hard_codes, soft_codes
from dreamplate.errors import ConfigError, ModelError
from dreamplate.models.find import find_weights, is_path
from dreamplate.tokens.codec import load_codec
from dreamplate.tokens.dvae import Dvae
from dreamplate.tokens.pixels import EPS, draw
from dreamplate.tokens.vq import Vq

FEW = 8
"""Codes that a start of few codes draws from."""
GENE_CELLS = 8
"""Cells along the longer side of the grid that a search without gradients turns."""
SURE = 0.95
"""Probability that a search's choice of a code has once it becomes scores."""


class DvaePainting(NetPainting):
    """Pictures as scores of codes: one row of scores for every 8 x 8 pixels.

    The codec is a discrete VAE (`Dvae`) or our own (`Vq`).

    What the decoder sees are the codes' vectors, mixed by a softmax over the scores, with or without Gumbel
    noise (Jang et al., "Categorical Reparameterization with Gumbel-Softmax", 2017), or drawn by it, with the
    softmax's gradient (Bengio et al., "Estimating or Propagating Gradients", 2013).

    *What is shown* (after `settle`) is free of noise: the best code of each cell where codes are drawn, else
    the softmax itself at the temperature of that moment.

    The picture is always decoded whole and then brought to the size that is asked for, because a code means
    8 x 8 pixels of one scale: averaging codes and decoding fewer cells would cost less, but gives another
    picture, pale and blurred (23 dB on photographs at half size, 19 dB at a quarter).

    Args:
        options: Options of this generator.
        size: Width and height of the finished picture in pixels.
        wrap: Whether it tiles in x and in y.
        draws: A CPU generator for each picture.
        net: The network; loaded as the options say when not given.

    Raises:
        ModelError: The weights are not there, are of another kind, or hold no decoder.
        CheckpointError: A file is damaged or does not fit.
        ConfigError: ``pairs`` is asked of an odd number of codes, or ``clamp`` or ``laplace`` of a `Vq`,
            whose pixels are no distributions.
    """

    def __init__(
        self,
        options: DvaeConfig,
        size: tuple[int, int],
        wrap: tuple[bool, bool],
        draws: Sequence[torch.Generator],
        *,
        net: Dvae | Vq | None = None,
    ) -> None:
        super().__init__(size, wrap, draws)
        self.options = options
        net = net if net is not None else cast(Dvae | Vq, load_codec(options.weights))
        _check(options, net)
        self.freeze(net)
        self.codes = net.codes
        if options.pairs and self.codes % 2:
            raise ConfigError(
                f"dvae.pairs needs an even number of codes, {options.weights!r} has {self.codes}"
            )
        self.cells = (math.ceil(size[0] / net.factor), math.ceil(size[1] / net.factor))
        rows = [_start(options, self.cells[0] * self.cells[1], self.codes, generator) for generator in draws]
        self.logits = nn.Parameter(self._as_grid(torch.stack(rows)))
        self.temperature, self.scale, self.shown = options.temperature, options.logit_scale, False
        self.noise: Tensor | None = None
        self.uniform: Tensor | None = None
        self.grain: Tensor | None = None
        self.settle(0.0)

    @property
    def _codec(self) -> Dvae | Vq:
        return cast(Dvae | Vq, self.frozen[0])

    def _as_grid(self, rows: Float[Tensor, "n cells codes"]) -> Float[Tensor, "n codes h w"]:
        """Return scores as ``(n, codes, h, w)``, those of one cell side by side in memory."""
        columns, lines = self.cells
        return rows.view(len(rows), lines, columns, self.codes).permute(0, 3, 1, 2)

    def forward(self, width: int, height: int) -> Float[Tensor, "count 3 {height} {width}"]:
        """Render ``(count, 3, height, width)``: the whole picture, reduced."""
        pixels = self._pixels(self._features())
        return clamp(fit(clamp(pixels), width, height, self.wrap))  # averages of 1 can round to more

    def _pixels(self, features: Float[Tensor, "count start h w"]) -> Float[Tensor, "count 3 height width"]:
        """Decode what codes stand for, and draw pixels where that is asked for; not clipped."""
        codec = self._codec
        if not isinstance(codec, Dvae) or not (self.options.clamp or self.grain is not None):
            return codec.from_features(features, self.wrap)
        assert codec.decoder is not None
        stats = codec.decoder.from_features(features, self.wrap)
        pixels = stats[:, : stats.shape[1] // 2] if self.grain is None else draw(stats, self.grain)
        return pixels if self.options.clamp else (torch.sigmoid(pixels) - EPS) / (1 - 2 * EPS)

    def _features(self) -> Float[Tensor, "count start h w"]:
        """Return what the decoder sees in every cell of the whole picture."""
        options, codec = self.options, self._codec
        scores = self.logits.permute(0, 2, 3, 1).flatten(0, 2)
        book = codec.book
        if self.shown and options.relaxation == "straight-through":
            mixed = hard_codes(scores, book, pairs=options.pairs)
        else:
            mixed = soft_codes(
                scores,
                book,
                factor=self._factor,
                noise=self.noise,
                uniform=self.uniform,
                pairs=options.pairs,
            )
        grid = (mixed + codec.offset).view(self.count, self.cells[1], self.cells[0], -1)
        return grid.permute(0, 3, 1, 2)

    @property
    def _factor(self) -> float:
        return self.scale / self.temperature

    def _cool(self, progress: float) -> None:
        start, end = self.options.temperature, self.options.temperature_end
        self.temperature = float(start * (end / start) ** progress)
        scale, last = self.options.logit_scale, self.options.logit_scale_end or self.options.logit_scale
        self.scale = float(scale * (last / scale) ** progress)

    def refresh(self, progress: float, draws: torch.Generator) -> None:
        """Cool, and draw the step's noise: for the codes by their relaxation, for pixels if asked for."""
        self._cool(progress)
        self.shown = False
        options, device = self.options, self.logits.device
        cells = self.count * self.cells[0] * self.cells[1]
        if options.relaxation == "gumbel":
            noise = torch.empty(cells, self.codes).exponential_(generator=draws)
            self.noise = noise.clamp_(min=1e-30).log_().div_(-self.temperature).to(device)
        elif options.relaxation == "straight-through":
            self.uniform = torch.rand((cells, 2 if options.pairs else 1), generator=draws).to(device)
        if options.laplace:
            side = self._codec.factor
            shape = (self.count, 3, self.cells[1] * side, self.cells[0] * side)
            self.grain = torch.rand(shape, generator=draws).to(device)

    def settle(self, progress: float) -> None:
        """Prepare to be looked at: no noise, and the best code of each cell where codes are drawn."""
        self._cool(progress)
        self.shown = True
        self.noise = self.uniform = self.grain = None

    @torch.no_grad()
    def paint(self, image: Float[Tensor, "n 3 height width"]) -> None:
        """Take over pictures: the encoder gives the scores, at the temperature of this moment.

        With ``pairs`` the result is only loosely like the picture, since two codes add up in each cell.

        Raises:
            ModelError: There is no encoder.
        """
        net = cast(Dvae | Vq, self.frozen[-1])
        if net.encoder is None:
            net = _encoder_beside(self.options.weights, self.codes).to(self.logits.device)
            self.freeze(net)
        columns, rows = self.cells
        whole = fit(image, columns * net.factor, rows * net.factor, self.wrap)
        self.logits.copy_(net.logits(whole, self.wrap) / self._factor)

    def _gene_grid(self) -> tuple[int, int]:
        longest = max(self.cells)
        columns, rows = (max(1, min(side, round(GENE_CELLS * side / longest))) for side in self.cells)
        return columns, rows

    def genome(self) -> Genome:
        """Return a coarse grid of codes, at most 8 a side, each of which fills its part of the picture."""
        columns, rows = self._gene_grid()
        return Genome(integers=(self.codes,) * (columns * rows))

    @torch.no_grad()
    def adopt(self, genes: Genes) -> None:
        """Become the pictures of these coarse codes ``(n, integers)``, nearly sure of each."""
        columns, rows = self._gene_grid()
        coarse = genes.integers.reshape(len(genes), 1, rows, columns).double()
        chosen = F.interpolate(coarse, (self.cells[1], self.cells[0]), mode="nearest").long()
        # The height at which one score among zeros has this probability.
        height = math.log(SURE / (1 - SURE) * max(1, self.codes - 1)) / self._factor
        grid = self._as_grid(self.logits.new_zeros(len(genes), self.cells[0] * self.cells[1], self.codes))
        grid.scatter_(1, chosen.to(grid.device), height)
        self.logits, self.count = nn.Parameter(grid), len(genes)
        self.settle(0.0)


def _check(options: DvaeConfig, net: Dvae | Vq) -> None:
    """Make sure that a codec can do what is asked of it.

    Raises:
        ModelError: It has no decoder, or its pictures are not of red, green and blue.
        ConfigError: ``clamp`` or ``laplace`` is asked of our own codec.
    """
    if isinstance(net, Vq):
        wrong = next((name for name in ("clamp", "laplace") if getattr(options, name)), None)
        if wrong:
            raise ConfigError(
                f"dvae.{wrong} needs a discrete VAE, {options.weights!r} is a vq whose pixels are no"
                " distributions; leave it out"
            )
    elif net.decoder is None:
        raise ModelError(
            f"dvae.weights is {options.weights!r}, which holds no decoder: name the decoder's file"
        )
    elif net.decoder.channels != 3:
        raise ModelError(
            f"dvae.weights is {options.weights!r}, which makes pictures of {net.decoder.channels} channels;"
            " a dream needs 3"
        )


def _start(
    options: DvaeConfig, cells: int, codes: int, draws: torch.Generator
) -> Float[Tensor, "cells codes"]:
    """Return the scores that one picture starts from."""
    if options.start == "normal":
        return torch.randn((cells, codes), generator=draws).mul_(options.start_scale)
    if options.start == "few-codes":
        few = torch.randint(0, codes, (FEW,), generator=draws)
        chosen = few[torch.randint(0, FEW, (cells,), generator=draws)]
    else:
        chosen = torch.randint(0, codes, (cells,), generator=draws)
    return torch.zeros(cells, codes).scatter_(1, chosen[:, None], options.start_scale)


def _encoder_beside(weights: str, codes: int) -> Dvae:
    """Read the ``encoder.pkl`` that lies beside a decoder's file.

    Raises:
        ModelError: There is none, or it is of another vocabulary.
    """
    path = Path(weights).expanduser().with_name("encoder.pkl")
    if not is_path(weights) or not path.is_file():
        raise ModelError(
            f"dvae.weights is {weights!r}, which holds no encoder: starting from a picture needs one; put its"
            " file beside the decoder's as encoder.pkl"
        )
    found = Dvae.from_state(find_weights(str(path), "dvae")[0])
    if found.encoder is None or found.codes != codes:
        raise ModelError(f"{path}: is no encoder of {codes} codes; use the one that belongs to the decoder")
    return found
