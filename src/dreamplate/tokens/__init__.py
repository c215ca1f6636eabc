"""Pictures as tokens: the discrete VAE of DALL-E (its transformers will join it here)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from dreamplate.lazy import lazy

if TYPE_CHECKING:
    from dreamplate.tokens.decoder import Decoder
    from dreamplate.tokens.dvae import Dvae
    from dreamplate.tokens.encoder import Encoder
    from dreamplate.tokens.pixels import map_pixels, unmap_pixels

_HOME = {
    "Decoder": "decoder",
    "Dvae": "dvae",
    "Encoder": "encoder",
    "map_pixels": "pixels",
    "unmap_pixels": "pixels",
}

__all__ = ["Decoder", "Dvae", "Encoder", "map_pixels", "unmap_pixels"]

__getattr__, __dir__ = lazy(__name__, _HOME)
