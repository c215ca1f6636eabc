"""The `stylegan2` generator: latents or styles of StyleGAN2."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn

from dreamplate.dream.native import from_frame, native_grid, to_frame
from dreamplate.dream.options import Stylegan2Config
from dreamplate.dream.painting import Genes, Genome, Painting, draw_each
from dreamplate.dream.realism import unreality
from dreamplate.errors import ModelError
from dreamplate.models.find import find_weights
from dreamplate.nets.anchor import Anchor
from dreamplate.nets.stylegan2 import Noise, Stylegan2
from dreamplate.nets.stylegan2_discriminator import Stylegan2Discriminator


class Stylegan2Painting(Painting):
    """Pictures that StyleGAN2 makes of latents, of one style for all layers, or of a style for each.

    Args:
        options: See `Stylegan2Config`.
        size: Width and height of the finished picture.
        wrap: Whether it tiles in x and in y.
        draws: A CPU generator for each picture. A network with labels gets a random one for each.
        net: The network, instead of the one that the options name.
        critic: The discriminator, likewise.

    Raises:
        ModelError: The weights are not there or of another kind.
        ConfigError: The size is too long and thin.
    """

    turned: nn.Parameter
    labels: Tensor
    grain_seeds: Tensor
    base_styles: Tensor

    def __init__(
        self,
        options: Stylegan2Config,
        size: tuple[int, int],
        wrap: tuple[bool, bool],
        draws: Sequence[torch.Generator],
        *,
        net: Stylegan2 | None = None,
        critic: Stylegan2Discriminator | None = None,
    ) -> None:
        super().__init__(size, wrap, draws)
        self.options = options
        if net is None:
            net = Stylegan2.from_state(*find_weights(options.weights, "stylegan2"))
        if critic is None and options.discriminator:
            found = find_weights(options.discriminator, "stylegan2-discriminator")
            critic = Stylegan2Discriminator.from_state(*found)
        if net.shape.colours != 3:
            raise ModelError(f"{options.weights}: makes pictures of {net.shape.colours} channels, not 3")
        if critic is not None and critic.shape.c_dim not in (0, net.shape.c_dim):
            raise ModelError(
                f"{options.discriminator}: needs labels of length {critic.shape.c_dim}, the generator's have"
                f" {net.shape.c_dim}; name the discriminator that was trained with it"
            )
        # In tuples, so that the weights are neither turned nor kept in checkpoints.
        self._net = (net.requires_grad_(False).eval(),)
        self._critic = () if critic is None else (critic.requires_grad_(False).eval(),)
        self.grid = native_grid(size, wrap)
        self._mask: Tensor | None = None
        self._anchor: Anchor | None = None
        self._grain: list[Tensor] | None = None
        z = draw_each((net.shape.z_dim,), draws)
        chosen = [int(torch.randint(max(1, net.shape.c_dim), (), generator=own)) for own in draws]
        seeds = [int(torch.randint(2**62, (), generator=own)) for own in draws]
        self.register_buffer("grain_seeds", torch.tensor(seeds))
        self._become(z, torch.tensor(chosen))

    @property
    def net(self) -> Stylegan2:
        """The frozen network."""
        return self._net[0]

    @torch.no_grad()
    def _become(self, z: Float[Tensor, "n z_dim"], chosen: Tensor) -> None:
        """Make the parameters anew from latents and numbers of labels."""
        device = self.net.mapping.w_avg.device
        z, self.count = z.to(device), z.shape[0]
        labels = F.one_hot(chosen.to(device), max(1, self.net.shape.c_dim)).float()
        self.register_buffer("labels", labels[:, : self.net.shape.c_dim])
        if self.options.space == "z":
            start = z
        else:
            styles = 1 if self.options.space == "w" else self.net.shape.styles
            start = self._map(z)[:, None].expand(-1, styles, -1).clone()
        self.turned = nn.Parameter(start)

    def _map(self, z: Float[Tensor, "n z_dim"]) -> Float[Tensor, "n w_dim"]:
        mapping = self.net.mapping
        return mapping.truncate(mapping(z, self.labels if mapping.c_dim else None), self.options.truncation)

    def styles(self) -> Float[Tensor, "count styles w_dim"]:
        """Return each picture's styles."""
        w = self._map(self.turned)[:, None] if self.options.space == "z" else self.turned
        return w.expand(-1, self.net.shape.styles, -1)

    def forward(self, width: int, height: int) -> Float[Tensor, "count 3 {height} {width}"]:
        """Render ``(count, 3, height, width)``: the network's own size, then resized."""
        image = self._render(self.styles(), self._held())
        return to_frame(((image + 1) / 2).clamp(0, 1), self.size, self.wrap, width, height)

    def _render(self, styles: Tensor, anchor: Anchor | None) -> Tensor:
        image: Tensor = self.net.synthesis(
            styles, noise=self._noise(styles.shape[0]), grid=self.grid, wrap=self.wrap, anchor=anchor
        )
        return image

    def _noise(self, count: int) -> Noise:
        """Return the noise of ``count`` pictures; random maps are drawn once, from the pictures' seeds."""
        if self.options.noise != "random":
            return self.options.noise
        if self._grain is None or self._grain[0].shape[0] != count:
            seeds = self.grain_seeds.tolist()
            draws = [torch.Generator().manual_seed(seeds[i % len(seeds)]) for i in range(count)]
            sizes = self.net.synthesis.noise_sizes(self.grid)
            self._grain = [draw_each((1, *size), draws).to(self.turned) for size in sizes]
        return self._grain

    def prior(self) -> Float[Tensor, " count"] | None:
        """Return the mean squared distance of the styles from the average one."""
        if not self.options.prior:
            return None
        distance = (self.styles() - self.net.mapping.w_avg).square().mean((1, 2))
        return self.options.prior * distance

    def realism(self, images: Float[Tensor, "n 3 h w"]) -> Float[Tensor, " n"] | None:
        """Return how unreal pictures look to the discriminator; ``None`` where none is named."""
        if not self._critic:
            return None
        critic = self._critic[0]
        labels = self.labels[torch.arange(len(images)) % self.count] if critic.shape.c_dim else None
        return unreality(critic, images, labels)

    def paint(self, image: Float[Tensor, "n 3 height width"]) -> None:
        """Fit the styles to pictures; where confined, the result is what is kept."""
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
        self._mask, self._anchor = mask, None
        self.register_buffer("base_styles", self.styles().detach().clone())

    @torch.no_grad()
    def _held(self) -> Anchor | None:
        """Return the maps that stay, as many as there are pictures; ``None`` where nothing is confined."""
        if self._mask is None:
            return None
        kept = self._anchor
        if kept is None:
            kept = self._anchor = Anchor()
            image = self._render(self.base_styles, kept)
            native = (image.shape[2], image.shape[3])
            kept.hold(from_frame(self._mask.to(image), native, self.size, self.wrap))
        return kept.spread(self.count)

    def _load_from_state_dict(self, state_dict: Mapping[str, Any], prefix: str, *others: Any) -> None:
        super()._load_from_state_dict(state_dict, prefix, *others)
        if f"{prefix}grain_seeds" in state_dict:
            self._anchor = self._grain = None

    def _apply(self, fn: Callable[[Tensor], Tensor], recurse: bool = True) -> Stylegan2Painting:
        for held in (*self._net, *self._critic):
            held._apply(fn)
        self._anchor = self._grain = None
        return super()._apply(fn, recurse)  # type: ignore[no-untyped-call, no-any-return]

    # -- a search without gradients ---------------------------------------------------------------

    def genome(self) -> Genome:
        """Return the latents within ±10, as in CLIP-GLaSS, and the label where there are labels."""
        labels = (self.net.shape.c_dim,) if self.net.shape.c_dim else ()
        return Genome(reals=self.net.shape.z_dim, integers=labels, spread=1.0, bound=10.0)

    def adopt(self, genes: Genes) -> None:
        """Become the pictures of these latents (mapped and truncated) and labels."""
        count = len(genes)
        chosen = genes.integers[:, 0] if self.net.shape.c_dim else torch.zeros(count, dtype=torch.long)
        self._become(genes.reals.float(), chosen.long())
