"""What both codecs share while they learn: pictures in and out, figures, state."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any, Protocol, cast, runtime_checkable

import torch
from jaxtyping import Float
from torch import Tensor, nn

from dreamplate.errors import ConfigError
from dreamplate.nets.similarity import psnr, ssim
from dreamplate.tokens.codec import Codec, padded, reconstruct
from dreamplate.train.batch import Batch
from dreamplate.train.draws import Draws
from dreamplate.train.optimise import autocast
from dreamplate.train.options import LearnOptions
from dreamplate.train.port import Port

__all__ = ["CodecSystem", "Run", "book_figures", "check_ports", "unit"]


@runtime_checkable
class Run(Protocol):
    """What a codec's system reads of a run's configuration."""

    @property
    def learn(self) -> LearnOptions:
        """How long and how fast."""
        ...

    @property
    def seed(self) -> int:
        """What every random number follows from."""
        ...


class CodecSystem:
    """A codec that learns to give pictures back.

    Args:
        learn: Of the run.
        codec: The network; its ``settings`` say how to build it again.
    """

    optimiser: Any

    def __init__(self, learn: LearnOptions, codec: nn.Module) -> None:
        self.precision = learn.precision
        self.generator: nn.Module = codec
        self.settings: Mapping[str, int | float | str] = cast(Any, codec).settings
        self.networks: dict[str, nn.Module] = {"generator": codec}
        self.device = torch.device("cpu")

    def to(self, device: torch.device) -> None:
        """Move everything to a device."""
        self.device = device
        self.generator.to(device)

    def make(self, batch: Batch, generator: nn.Module, draws: Draws) -> Tensor:
        """Return the pictures of a batch, beside each what becomes of it; -1 to 1, for sheets."""
        image = unit(batch.image)
        return torch.cat([image, self._coded(image, generator)[0]], -1) * 2 - 1

    def measure(self, batch: Batch, generator: nn.Module) -> dict[str, Tensor]:
        """Return sums of PSNR, SSIM and mean absolute difference, and how often each code is used."""
        image = unit(batch.image)
        made, codes = self._coded(image, generator)
        truths, pictures = (values.permute(0, 2, 3, 1).cpu() for values in (image, made))
        # A picture that comes back as it was counts as 100 dB.
        ratios = [min(100.0, psnr(one, other)) for one, other in zip(pictures, truths, strict=True)]
        alike = [ssim(one, other) for one, other in zip(pictures, truths, strict=True)]
        alike = [value for value in alike if math.isfinite(value)]
        found = {
            "pictures": float(len(image)),
            "psnr": sum(ratios),
            "ssim": sum(alike),
            "windows": float(len(alike)),
            "l1": float((made - image).double().abs().mean((1, 2, 3)).sum()),
        }
        uses = torch.bincount(codes.reshape(-1).cpu(), minlength=cast(Codec, generator).codes)
        sums = {name: torch.tensor(value, dtype=torch.float64) for name, value in found.items()}
        return sums | {"uses": uses.double()}

    def figures(self, sums: Mapping[str, Tensor]) -> dict[str, float]:
        """Return means over pictures, and how well the codebook is used."""
        count = {"psnr": "pictures", "ssim": "windows", "l1": "pictures"}
        found = {name: float(sums[name] / sums[of]) for name, of in count.items() if float(sums[of])}
        return found | book_figures(sums["uses"])

    def _coded(self, image: Tensor, generator: nn.Module) -> tuple[Tensor, Tensor]:
        with autocast(self.device, self.precision):
            made, codes = reconstruct(cast(Codec, generator), image)
        return made.float(), codes

    def state_dict(self) -> dict[str, Any]:
        """Return network and optimiser."""
        return {"generator": self.generator.state_dict(), "optimiser": self.optimiser.state_dict()}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Restore what ``state_dict`` returned."""
        self.generator.load_state_dict(state["generator"])
        self.optimiser.load_state_dict(state["optimiser"])

    def _cells(self, batch: Batch) -> Tensor:
        """Return a batch's pictures, 0-1, with sides that are whole numbers of cells."""
        whole = padded(unit(batch.image), cast(Codec, self.generator).factor)
        return whole.contiguous(memory_format=torch.channels_last)


def unit(image: Float[Tensor, "n c h w"]) -> Float[Tensor, "n c h w"]:
    """Return pictures of -1 to 1 as 0 to 1; what lies beyond is clipped, since codes have no more range."""
    return ((image.float() + 1) / 2).clamp(0, 1)


def book_figures(uses: Float[Tensor, " codes"]) -> dict[str, float]:
    """Return how well a codebook is used.

    Args:
        uses: How often each code occurs.

    Returns:
        ``codes_used``: share of the codes that occur; ``perplexity``: how many codes would carry as much if
        all were used equally; ``bits``: its logarithm, what a code tells on average.
    """
    total = float(uses.sum())
    share = uses[uses > 0].double() / max(total, 1.0)
    bits = -float((share * share.log2()).sum())
    return {"codes_used": float((uses > 0).double().mean()), "perplexity": 2**bits, "bits": bits}


def check_ports(system: str, made: Port, channels: int | None = None) -> int:
    """Return how many channels a codec's pictures have.

    Raises:
        ConfigError: They are label maps, or of a number of channels that the codec has not.
    """
    if made.kind != "picture" or (channels is not None and made.width != channels):
        wanted = "pictures" if channels is None else f"pictures of {channels} channels"
        raise ConfigError(
            f"{system}: learns from {wanted}, the image here is {made.kind} of {made.width}"
            f" ({' '.join(made.channels)}); name another (source.image)"
        )
    return made.width
