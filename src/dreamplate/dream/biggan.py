"""The `biggan` generator: latents and classes of BigGAN-deep."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor, nn

from dreamplate.dream.biggan_latents import (
    CLASS_MEAN,
    CLASS_SPREAD,
    FAINT,
    STRONG,
    class_logits,
    class_loss,
    class_weights,
    latent_loss,
    mixture,
)
from dreamplate.dream.native import from_frame, native_grid, to_frame
from dreamplate.dream.options import BigganConfig
from dreamplate.dream.painting import Genes, Genome, Painting
from dreamplate.errors import ConfigError
from dreamplate.models.find import find_weights
from dreamplate.nets.anchor import Anchor
from dreamplate.nets.biggan import Biggan

BOUND = 2.0
"""Latents of a search without gradients stay within this."""


class BigganPainting(Painting):
    """Pictures that BigGAN-deep makes of latents and mixtures of classes.

    After BigSleep each picture has a row of latents and of classes for each stage of the network (or, with
    `rows` one, a single row); unlike there, rows do not ride in the batch, so one run makes many pictures.
    After FuseDream (Liu et al. 2021) a picture may instead be joined from several starts, whose shares each
    row weighs freely; the sum is divided by the shares' length, so that it stays a normal number.

    Args:
        options: See `BigganConfig`.
        size: Width and height of the finished picture.
        wrap: Whether it tiles in x and in y.
        draws: A CPU generator for each picture.
        net: The network, instead of the one that the options name.

    Raises:
        ModelError: The weights are not there or of another kind.
        ConfigError: The size is too long and thin.
    """

    base_z: Tensor
    base_classes: Tensor
    base_canvas: Tensor | None

    def __init__(
        self,
        options: BigganConfig,
        size: tuple[int, int],
        wrap: tuple[bool, bool],
        draws: Sequence[torch.Generator],
        *,
        net: Biggan | None = None,
    ) -> None:
        super().__init__(size, wrap, draws)
        self.options = options
        if net is None:
            net = Biggan.from_state(*find_weights(options.weights, "biggan"))
        # In a tuple, so that the weights are neither turned nor kept in checkpoints.
        self._net = (net.requires_grad_(False).eval(),)
        self.grid = native_grid(size, wrap)
        self.rows = net.shape.rows if options.rows == "each" else 1
        self._mask: Tensor | None = None
        self._anchor: Anchor | None = None
        if options.basis:
            self.join([generator for generator in draws for _ in range(options.basis)])
        else:
            self._become(*draw_starts(draws, self.rows, net.shape.z_dim, net.shape.classes, options))

    @property
    def net(self) -> Biggan:
        """The frozen network."""
        return self._net[0]

    def _become(self, z: Tensor, logits: Tensor, shares: Tensor | None = None) -> None:
        """Make the parameters anew, on the device where the network is."""
        device = self.net.gen_z.weight.device
        self.count = z.shape[0]
        self.z, self.logits = nn.Parameter(z.to(device)), nn.Parameter(logits.to(device))
        self.shares = None if shares is None else nn.Parameter(shares.to(device))
        shape = (self.count, *self.net.canvas_shape(self.grid))
        self.canvas = nn.Parameter(torch.zeros(shape, device=device)) if self.options.canvas else None

    def join(self, draws: Sequence[torch.Generator]) -> None:
        """Take other starts as the basis: the first `basis` are the first picture's, and so on.

        A start is what a picture with `rows` one and `basis` 0 would begin as from the same generator.

        Raises:
            ConfigError: There are not `basis` for each picture.
        """
        basis, shape = self.options.basis, self.net.shape
        if not basis or len(draws) != self.count * basis:
            raise ConfigError(
                f"{len(draws)} starts for {self.count} pictures of biggan.basis {basis}: give each its share"
            )
        z, logits = draw_starts(draws, 1, shape.z_dim, shape.classes, self.options)
        self._become(
            z.reshape(self.count, basis, -1),
            logits.reshape(self.count, basis, -1),
            torch.zeros(self.count, self.rows, basis),
        )

    def latents(self) -> tuple[Float[Tensor, "count rows z_dim"], Float[Tensor, "count rows classes"]]:
        """Return each picture's rows of latents and of class weights."""
        classes = class_weights(self.logits, self.options.classes, self.options.temperature)
        if self.shares is None:
            return self.z, classes
        shares = self.shares.softmax(-1)
        length = shares.square().sum(-1, keepdim=True).sqrt()
        return (shares / length) @ self.z, shares @ classes

    def forward(self, width: int, height: int) -> Float[Tensor, "count 3 {height} {width}"]:
        """Render ``(count, 3, height, width)``: the network's own size, then resized."""
        image = self._render(*self.latents(), self.canvas, self._held())
        return to_frame((image + 1) / 2, self.size, self.wrap, width, height)

    def _render(self, z: Tensor, classes: Tensor, canvas: Tensor | None, anchor: Anchor | None) -> Tensor:
        net, options = self.net, self.options
        rows = net.condition(z, classes).expand(-1, net.shape.rows, -1)
        image: Tensor = net(
            rows,
            options.truncation,
            swapped=options.swapped_truncation,
            grid=self.grid,
            wrap=self.wrap,
            canvas=canvas,
            anchor=anchor,
        )
        return image

    def prior(self) -> Float[Tensor, " count"] | None:
        """Return BigSleep's losses of latents and classes."""
        if not self.options.prior:
            return None
        z, classes = self.latents()
        return self.options.prior * (latent_loss(z) + class_loss(classes))

    def paint(self, image: Float[Tensor, "n 3 height width"]) -> None:
        """Fit latents, classes and canvas to pictures; where confined, the result is what is kept."""
        mask, self._mask = self._mask, None
        try:
            self.settle_into(image, 150, 0.05)
        finally:
            self._mask = mask
        if mask is not None:
            self.confine(mask)

    # -- a part that stays ------------------------------------------------------------------------

    @torch.no_grad()
    def confine(self, mask: Float[Tensor, "1 1 height width"]) -> None:
        """Let the pictures change inside a mask only; outside, every map of the network stays as it is now.

        Args:
            mask: 1 where they may change, at any size.
        """
        z, classes = self.latents()
        self._mask, self._anchor = mask, None
        self.register_buffer("base_z", z.detach().clone())
        self.register_buffer("base_classes", classes.detach().clone())
        self.register_buffer("base_canvas", None if self.canvas is None else self.canvas.detach().clone())

    @torch.no_grad()
    def _held(self) -> Anchor | None:
        """Return the maps that stay, as many as there are pictures; ``None`` where nothing is confined."""
        if self._mask is None:
            return None
        kept = self._anchor
        if kept is None:
            kept = self._anchor = Anchor()
            image = self._render(self.base_z, self.base_classes, self.base_canvas, kept)
            native = (image.shape[2], image.shape[3])
            kept.hold(from_frame(self._mask.to(image), native, self.size, self.wrap))
        return kept.spread(self.count)

    def _load_from_state_dict(self, state_dict: Mapping[str, Any], prefix: str, *others: Any) -> None:
        super()._load_from_state_dict(state_dict, prefix, *others)
        if f"{prefix}base_z" in state_dict:
            self._anchor = None

    def _apply(self, fn: Callable[[Tensor], Tensor], recurse: bool = True) -> BigganPainting:
        self.net._apply(fn)  # type: ignore[no-untyped-call]
        self._anchor = None
        return super()._apply(fn, recurse)  # type: ignore[no-untyped-call, no-any-return]

    # -- a search without gradients ---------------------------------------------------------------

    def genome(self) -> Genome:
        """Return one row of latents within ±2, and a bit for each class, as in CLIP-GLaSS."""
        shape = self.net.shape
        rate = max(0.005, 1 / shape.classes) if shape.classes < 200 else 0.005
        return Genome(reals=shape.z_dim, bits=shape.classes, spread=1.0, bound=BOUND, bit_rate=rate)

    @torch.no_grad()
    def adopt(self, genes: Genes) -> None:
        """Become the pictures of these genes: all rows start alike, and no basis is left."""
        z = genes.reals.float()[:, None].expand(-1, self.rows, -1)
        logits = class_logits(mixture(genes.bits), self.options.classes, self.options.temperature)
        self._become(z.clone(), logits[:, None].expand(-1, self.rows, -1).clone())


def draw_starts(
    draws: Sequence[torch.Generator], rows: int, z_dim: int, classes: int, options: BigganConfig
) -> tuple[Float[Tensor, "n rows z_dim"], Float[Tensor, "n rows classes"]]:
    """Return BigSleep's random start for each generator: normal latents, and logits of a faint mixture.

    Latents are scaled by the truncation, as they were when its statistics were gathered. With `one_class`
    one class is strong and all others are faint.
    """
    latents, logits = [], []
    for generator in draws:
        latents.append(torch.randn(rows, z_dim, generator=generator) * options.truncation)
        spread = torch.randn(rows, classes, generator=generator) * CLASS_SPREAD
        if options.one_class:
            chosen = int(torch.randint(classes, (), generator=generator))
            spread = spread + FAINT
            spread[:, chosen] = STRONG * (options.temperature if options.classes else 1.0)
        else:
            spread = spread + CLASS_MEAN
        logits.append(spread)
    return torch.stack(latents), torch.stack(logits)
