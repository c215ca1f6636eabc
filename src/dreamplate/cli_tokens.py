"""``dreamplate tokens``: what a codec keeps of a picture, and pictures of codes."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import tyro
from tyro.conf import Positional

from dreamplate.errors import ConfigError

if TYPE_CHECKING:
    from dreamplate.plate import Plate

__all__ = ["TokensCommand", "tokens"]


@dataclass(frozen=True)
class TokensCommand:
    """See what becomes of a picture that is told in codes, keep the codes, or make a picture of codes."""

    source: Positional[Path]
    """A picture of any size, or a file of codes that --codes wrote."""
    target: Positional[Path]
    """The picture that the codes give; alpha and other channels are taken over as they are."""
    model: str = "world-vq"
    """Codec: a model of the store (world-vq, dvae-small), a model file, or a training take."""
    codes: Path | None = None
    """Write the codes as well, to a .safetensors file."""
    compare: bool = False
    """Put the source beside the picture."""
    tiles: Literal["no", "x", "y", "xy"] = "no"
    """Whether the picture tiles; its sides there must then be multiples of 8."""


def tokens(arguments: list[str]) -> int:
    """``dreamplate tokens PICTURE TARGET``."""
    asked = tyro.cli(TokensCommand, prog="dreamplate tokens", args=arguments)
    if asked.source.resolve() == asked.target.resolve():
        raise ConfigError(f"target is {asked.target}: the source itself; name another")
    from dreamplate.plate import read, write
    from dreamplate.tokens.codec import load_codec
    from dreamplate.tokens.plates import decode_plate, read_codes, through, write_codes

    codec, wrap = load_codec(asked.model), ("x" in asked.tiles, "y" in asked.tiles)
    if asked.source.suffix == ".safetensors":
        if asked.compare or asked.codes:
            raise ConfigError("compare and codes need a picture as source; leave them out")
        found, size = read_codes(asked.source, codec)
        write(decode_plate(codec, found, size, wrap), asked.target)
        return 0
    plate = read(asked.source)
    made, found = through(codec, plate, wrap)
    write(_beside(plate, made) if asked.compare else made, asked.target)
    if asked.codes is not None:
        write_codes(asked.codes, codec, found, (plate.width, plate.height))
    different = len(set(found.flatten().tolist()))
    print(  # noqa: T201
        f"{found.shape[1]} x {found.shape[0]} codes, {different} different of {codec.codes};"
        f" PSNR {_psnr(plate, made):.1f} dB as a monitor shows it"
    )
    return 0


def _psnr(plate: Plate, made: Plate) -> float:
    """Return the PSNR of colour as a monitor shows it."""
    import torch

    from dreamplate.nets.similarity import psnr
    from dreamplate.plate import convert

    pictures = [convert(one, "srgb_display").rgb().clip(0, 1) for one in (made, plate)]
    one, other = (torch.from_numpy(pixels.copy()) for pixels in pictures)
    return psnr(one, other)


def _beside(left: Plate, right: Plate) -> Plate:
    import numpy as np

    return right.with_(
        pixels=np.concatenate([left.pixels, right.pixels], 1), data_window=None, display_window=None
    )
