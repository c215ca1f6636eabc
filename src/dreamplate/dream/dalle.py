"""The `dalle` generator: a transformer proposes pictures from the prompt, the scorer chooses among them."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch
import torch.nn.functional as F
from jaxtyping import Float, Int
from torch import Tensor, nn

from dreamplate.dream.dalle_words import hear_prompt
from dreamplate.dream.frozen import NetPainting, clamp, fit
from dreamplate.dream.options import DalleConfig
from dreamplate.dream.starts import ranked
from dreamplate.errors import ConfigError
from dreamplate.tokens.codec import Codec
from dreamplate.tokens.dalle import Dalle
from dreamplate.tokens.dalle_load import load_dalle
from dreamplate.tokens.dalle_sample import FREE, Manner, sample, sample_wide
from dreamplate.tokens.mini import DalleMini
from dreamplate.tokens.mini_load import is_mini, load_mini
from dreamplate.tokens.mini_sample import sample_mini

CHUNK = 16
"""Candidates that are drawn side by side."""
WIDEST = 8
"""Times the network's own width that a picture may be wide."""


class DallePainting(NetPainting):
    """Pictures as the codes that a transformer said, and how far each cell has moved from its code.

    The prompt is read in the words that the network knows; a dalle-mini knows any. `compose` draws candidates
    and keeps those that the scorer likes best; then a descent may move what the codec's decoder sees away
    from the codes, held near them by `prior`.

    The network's grid is square or so. A wider picture is drawn piece by piece to the right; of a higher one
    the middle of a square is shown. The picture is always decoded whole and then brought to the size that is
    asked for.

    Args:
        options: Options of this generator.
        size: Width and height of the finished picture in pixels.
        wrap: Whether it tiles in x and in y.
        draws: A CPU generator for each picture.
        prompt: What to show.
        net: The networks; loaded as the options say when not given.

    Raises:
        ModelError: The weights are not there, or the codec is another.
        CheckpointError: A file is damaged or does not fit.
        ConfigError: The picture shall tile or is too wide, or no word of the prompt is known.
    """

    reads_prompt = True
    """It is told the prompt when it is made."""

    def __init__(
        self,
        options: DalleConfig,
        size: tuple[int, int],
        wrap: tuple[bool, bool],
        draws: Sequence[torch.Generator],
        *,
        prompt: str = "",
        net: tuple[Dalle | DalleMini, Codec] | None = None,
    ) -> None:
        super().__init__(size, wrap, draws)
        if any(wrap):
            raise ConfigError("seamless: pictures of generator dalle have edges; use fft, dvae or biggan")
        self.options = options
        load = load_mini if is_mini(options.weights) else load_dalle
        self.net = net or load(options.weights, options.codec)
        self.freeze(*(part for part in self.net if isinstance(part, nn.Module)))
        shape = self._dalle.shape
        self.rows, self.columns = shape.rows, max(1, round(shape.rows * size[0] / size[1]))
        self.canvas = max(shape.columns, self.columns)
        if self.columns > WIDEST * shape.columns:
            raise ConfigError(
                f"size is {size[0]} x {size[1]}: generator dalle makes pictures up to"
                f" {WIDEST * shape.columns / shape.rows:g} times as wide as high"
            )
        self.vocabulary = self._dalle.known(options.weights)
        self.told = hear_prompt(prompt, self.vocabulary)
        self.notices = list(self.told.notices)
        self.spread = float(self._codec.book.std())
        self.codes: Int[Tensor, "count rows columns"]
        grid = (self.rows, self.columns)
        start = [torch.randint(shape.codes, grid, generator=generator) for generator in draws]
        self.register_buffer("codes", torch.stack(start))  # of no meaning, until `compose` or `paint`
        self.moved = nn.Parameter(torch.zeros(self.count, self._codec.book.shape[1], self.rows, self.columns))
        self.init: Tensor | None = None
        self.free: Tensor | None = None

    @property
    def _dalle(self) -> Dalle | DalleMini:
        return self.net[0]

    @property
    def _codec(self) -> Codec:
        return self.net[1]

    def forward(self, width: int, height: int) -> Float[Tensor, "count 3 {height} {width}"]:
        """Render ``(count, 3, height, width)``: the whole picture, reduced or enlarged."""
        features = self._looked_up(self.codes) + self.spread * self.moved
        image = clamp(self._codec.from_features(features))
        if width > image.shape[-1] and height > image.shape[-2]:
            return clamp(F.interpolate(image, (height, width), mode="bicubic"))
        return clamp(fit(image, width, height, self.wrap))

    def prior(self) -> Float[Tensor, " count"] | None:
        """Return how far the cells have moved from their codes, in squared spreads of the codebook."""
        return self.options.prior * self.moved.square().mean((1, 2, 3))

    @torch.no_grad()
    def paint(self, image: Float[Tensor, "n 3 height width"]) -> None:
        """Become the codes of pictures; `compose` then stays near them or goes on from their upper part."""
        canvas = self._encode(image)
        self.init = canvas
        self.codes.copy_(self._window(canvas).expand(self.count, -1, -1))
        self.moved.zero_()

    def confine(self, mask: Float[Tensor, "1 1 height width"]) -> None:
        """Keep the codes of the init picture in cells where nothing may change (0 in the mask)."""
        inside = F.adaptive_max_pool2d(mask.float().cpu(), (self.rows, self.columns))[0, 0] > 0
        whole = torch.ones(self.rows, self.canvas, dtype=torch.bool)
        left = (self.canvas - self.columns) // 2
        whole[:, left : left + self.columns] = inside
        self.free = whole

    @torch.no_grad()
    def compose(
        self, score: Callable[[Float[Tensor, "n 3 h w"]], Float[Tensor, " n"]], seeds: Sequence[int]
    ) -> None:
        """Draw a candidate for each seed and become the best, best first.

        Each candidate follows from its own seed.

        Args:
            score: Judges pictures; more is better.
            seeds: At least as many as there are pictures.

        Raises:
            ConfigError: There are fewer.
        """
        if len(seeds) < self.count:
            raise ConfigError(
                f"dalle.candidates is {len(seeds)}, of which {self.count} are to be kept:"
                " raise it, or lower batch"
            )
        found, scores = [], []
        for start in range(0, len(seeds), CHUNK):
            codes = self._window(self._draw(seeds[start : start + CHUNK]))
            images = self._codec.from_features(self._looked_up(codes)).clamp(0, 1)
            found.append(codes)
            scores.append(score(images).double().cpu())
        best = ranked(torch.cat(scores))[: self.count]
        self.codes.copy_(torch.cat(found)[best])
        self.moved.zero_()

    def _draw(self, seeds: Sequence[int]) -> Int[Tensor, "n rows canvas"]:
        options, device = self.options, self.codes.device
        shape = (self.rows, self.canvas)
        numbers = [torch.rand(shape, generator=torch.Generator().manual_seed(seed)) for seed in seeds]
        text = self.vocabulary.encode(self.told.show).to(device).expand(len(seeds), -1)
        given = leaning = None
        if self.init is not None:
            init = self.init[:1].expand(len(seeds), -1, -1)
            kept = torch.zeros(shape, dtype=torch.bool) if self.free is None else ~self.free
            if options.start == "completion":
                kept[: round(options.keep * self.rows)] = True
            else:
                leaning = init
            given = torch.where(kept.to(device), init, FREE)
        return sample_wide(
            self._dalle,
            text,
            torch.stack(numbers).to(device),
            Manner(options.guidance, options.temperature, options.top_k, options.top_p),
            without=self.vocabulary.encode(self.told.avoid).to(device),
            given=given,
            leaning=leaning,
            weight=options.likeness,
            say=sample_mini if isinstance(self._dalle, DalleMini) else sample,
        )

    def _looked_up(self, codes: Int[Tensor, "n rows columns"]) -> Float[Tensor, "n d rows columns"]:
        vectors = F.embedding(codes, self._codec.book) + self._codec.offset
        return vectors.permute(0, 3, 1, 2)

    def _window(self, canvas: Int[Tensor, "n rows canvas"]) -> Int[Tensor, "n rows columns"]:
        """Return the part of what is drawn that is shown."""
        left = (self.canvas - self.columns) // 2
        return canvas[:, :, left : left + self.columns]

    def _encode(self, image: Float[Tensor, "n 3 height width"]) -> Int[Tensor, "n rows canvas"]:
        """Return the codes of pictures, continued to the canvas by reflection."""
        factor = self._codec.factor
        width = self.columns * factor
        whole = fit(image, width, self.rows * factor, self.wrap)
        left = (self.canvas - self.columns) // 2 * factor
        place = (torch.arange(self.canvas * factor, device=image.device) - left) % (2 * width)
        whole = whole.index_select(3, torch.where(place < width, place, 2 * width - 1 - place))
        return self._codec.encode(whole)
