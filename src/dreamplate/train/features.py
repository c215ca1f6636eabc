"""Feature networks: a picture as a few hundred numbers, for FID, KID and for finding like pictures.

Figures of different networks cannot be compared, so every one is named with its network. The Inception-v3 of
the literature is not offered: no package carries its weights.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING

import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn import functional

from dreamplate.errors import ModelError
from dreamplate.train.perceptual import as_colour

if TYPE_CHECKING:
    from dreamplate.nets.efficientnet_lite import EfficientNetLite

__all__ = ["FEATURES", "EfficientNetFeatures", "collect", "open_features"]


class EfficientNetFeatures:
    """The 1280 numbers before the last layer of EfficientNet-Lite0, averaged over the picture.

    A picture is clipped to 0-1 and scaled to the side the network was trained at (224 pixels), without regard
    to its proportions, by an antialiased bilinear filter: what FID usually does, with the filter that makes
    it independent of the picture's size (Parmar and others 2022).

    Args:
        network: Frozen; by default that of the scorer extra.
    """

    name = "efficientnet_lite0"

    def __init__(self, network: EfficientNetLite | None = None) -> None:
        if network is None:
            from dreamplate.nets.packaged import load_classifier

            network = load_classifier("lite0")
        self.network = network

    @property
    def width(self) -> int:
        """Numbers for each picture."""
        return int(self.network.head.weight.shape[0])

    def to(self, device: torch.device) -> EfficientNetFeatures:
        """Move the network."""
        self.network.to(device)
        return self

    @torch.no_grad()
    def __call__(self, pictures: Float[Tensor, "n c h w"]) -> Float[Tensor, "n d"]:
        """Return features of pictures of -1 to 1 with one or three channels."""
        shown = (as_colour(pictures).float().clamp(-1, 1) + 1) / 2
        side = (self.network.size, self.network.size)
        shown = functional.interpolate(shown, side, mode="bilinear", antialias=True, align_corners=False)
        shown = shown.contiguous(memory_format=torch.channels_last)
        return self.network.features(shown, ("pooled",))["pooled"]


FEATURES: dict[str, Callable[[], EfficientNetFeatures]] = {"efficientnet": EfficientNetFeatures}
"""Name in the options → what makes it."""


def open_features(name: str) -> EfficientNetFeatures | None:
    """Return a feature network; None for ``none``, and for ``auto`` where the scorer extra is absent.

    Raises:
        MissingExtraError: ``efficientnet`` is asked for and the scorer extra is not installed.
        ModelError: There is none of that name.
    """
    from dreamplate.errors import MissingExtraError

    if name == "none":
        return None
    if name == "auto":
        try:
            return EfficientNetFeatures()
        except MissingExtraError:
            return None
    if name not in FEATURES:
        raise ModelError(f"measure.features is {name!r}; use auto, none, {', '.join(FEATURES)}")
    return FEATURES[name]()


def collect(network: Callable[[Tensor], Tensor], pictures: Iterable[Tensor]) -> Tensor:
    """Return the features ``(count, d)`` of batches of pictures ``(n, c, h, w)``, on the CPU."""
    found = [network(batch).cpu() for batch in pictures]
    if not found:
        raise ModelError("features: there are no pictures to look at")
    return torch.cat(found)
