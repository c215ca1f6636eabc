"""The SPADE generator: from a label map to a picture, every layer modulated by the map.

Park and others 2019, section 3.2 and appendix A. Start size follows from the input: height and width are
divided by ``multiple`` (32, 64 or 128), so that any such size can be made. With noise ``map`` it is the
generator of OASIS (Sushko and others 2021, section 3.3), whose noise is spread over the picture and joins the
condition of every layer.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from typing import Any

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn
from torch.nn import functional

from dreamplate.errors import ModelError
from dreamplate.nets.spectral import SpectralConv, each_weight
from dreamplate.translate.spade_encoder import SpadeEncoder
from dreamplate.translate.spade_kept import keep_condition
from dreamplate.translate.spade_layers import (
    SLOPE,
    Condition,
    LabelCondition,
    MapCondition,
    SpadeBlock,
    SpadeNorm,
)

__all__ = ["Spade", "SpadeShape", "initialise", "start_from_classes"]


@dataclass(frozen=True)
class SpadeShape:
    """The sizes that define a generator.

    Attributes:
        entry: Channels of the condition, noise aside: one-hot classes, then the edge channel.
        edges: 1 where the last of these is instance edges.
        channels: Of the picture.
        width: ngf, channels at full size; 16 times as many at the start.
        hidden: Channels inside SPADE.
        kernel: Of the convolutions inside SPADE.
        doublings: 5 (normal), 6 (more) or 7 (most).
        middles: Blocks between the first and those that halve channels: 2 in SPADE, 1 in OASIS.
        norm: ``batch`` or ``instance``.
        z_dim: Length of the noise or style; 0 without.
        noise: Where it enters: ``none``, ``start`` (first features, as SPADE with its VAE), ``map``.
        start_height: With ``start``, height that the first matrix makes.
        start_width: Its width.
        style_width: Width of the style encoder; 0 without.
        spectral: 1 while weights are still divided by singular values, 0 once folded.
    """

    entry: int
    edges: int = 0
    channels: int = 3
    width: int = 64
    hidden: int = 128
    kernel: int = 3
    doublings: int = 5
    middles: int = 2
    norm: str = "batch"
    z_dim: int = 0
    noise: str = "none"
    start_height: int = 8
    start_width: int = 8
    style_width: int = 0
    spectral: int = 0

    def __post_init__(self) -> None:
        """Hold values against their ranges.

        Raises:
            ModelError: A value is out of range; names it.
        """
        wanted: dict[str, Any] = {
            "doublings": (5, 6, 7),
            "middles": (1, 2),
            "norm": ("batch", "instance"),
            "noise": ("none", "start", "map"),
            "edges": (0, 1),
            "spectral": (0, 1),
        }
        for name, allowed in wanted.items():
            if getattr(self, name) not in allowed:
                raise ModelError(f"spade: {name} is {getattr(self, name)!r}; it must be one of {allowed}")
        if self.kernel % 2 == 0 or min(self.entry, self.width, self.hidden, self.channels, self.kernel) < 1:
            raise ModelError("spade: entry, channels, width, hidden must be at least 1, and kernel odd")
        if (self.z_dim > 0) != (self.noise != "none"):
            raise ModelError(f"spade: z_dim {self.z_dim} and noise {self.noise!r} do not fit together")
        if self.style_width and self.noise != "start":
            raise ModelError("spade: a style encoder needs noise 'start'")
        if self.doublings == 7 and self.width < 2:
            raise ModelError("spade: 7 doublings need a width of at least 2")

    @classmethod
    def from_settings(cls, settings: Mapping[str, int | float | str]) -> SpadeShape:
        """Read the settings that a model carries; those it does not name have their defaults.

        Raises:
            ModelError: A setting is missing, of another type or out of range.
        """
        try:
            known = {
                field.name: (str if field.type == "str" else int)(settings[field.name])
                for field in fields(cls)
                if field.name in settings
            }
            return cls(**known)  # type: ignore[arg-type]
        except (TypeError, ValueError) as error:
            raise ModelError(f"spade: settings {dict(settings)} do not describe it ({error})") from error

    @property
    def ladder(self) -> tuple[tuple[str, int, int, bool], ...]:
        """Blocks in order: name, channels in and out, whether the size doubles before."""
        w = self.width
        rungs = [("head_0", 16 * w, 16 * w, False), ("middle_0", 16 * w, 16 * w, True)]
        if self.middles == 2:
            rungs.append(("middle_1", 16 * w, 16 * w, self.doublings > 5))
        elif self.doublings > 5:
            rungs.append(("middle_1", 16 * w, 16 * w, True))
        rungs += [(f"up_{i}", 16 * w >> i, 16 * w >> (i + 1), True) for i in range(4)]
        if self.doublings == 7:
            rungs.append(("up_4", w, w // 2, True))
        return tuple(rungs)


class Spade(nn.Module):
    """The generator, and with a style encoder the whole of what SPADE's VAE uses.

    Args:
        shape: Its sizes.

    Attributes:
        settings: What `from_settings` reads.
        z_dim: Length of the vector that `forward` takes besides the condition; 0 for none.
        multiple: Height and width must be multiples of it.
        reach: Pixels around a place that can change it through convolutions.
        place: Top, left, height and width: where the input lies in a frame of which it is a part, for models
            that begin with a picture of their own; None: it is a frame.
    """

    def __init__(self, shape: SpadeShape) -> None:
        super().__init__()
        self.shape = shape
        self.z_dim = shape.z_dim
        self.multiple: int = 2**shape.doublings
        self.place: tuple[int, int, int, int] | None = None
        entry = shape.entry + (shape.z_dim if shape.noise == "map" else 0)
        start = 16 * shape.width
        if shape.noise == "start":
            self.first: nn.Module = nn.Linear(shape.z_dim, start * shape.start_height * shape.start_width)
        else:
            self.first = nn.Conv2d(entry, start, 3, padding=1)

        def spade(width: int) -> SpadeNorm:
            return SpadeNorm(width, entry, shape.hidden, shape.kernel, shape.norm)

        self.blocks = nn.ModuleDict(
            {
                name: SpadeBlock(before, after, spade, bool(shape.spectral))
                for name, before, after, _ in shape.ladder
            }
        )
        self.last = nn.Conv2d(shape.ladder[-1][2], shape.channels, 3, padding=1)
        self.encoder = (
            SpadeEncoder(shape.style_width, shape.z_dim, shape.channels, bool(shape.spectral))
            if shape.style_width
            else None
        )

    @classmethod
    def from_settings(cls, settings: Mapping[str, int | float | str]) -> Spade:
        """Build a generator from what a model file says.

        Raises:
            ModelError: Settings do not describe one.
        """
        return cls(SpadeShape.from_settings(settings))

    @property
    def settings(self) -> dict[str, int | float | str]:
        """What `from_settings` reads, with the architecture."""
        return {"architecture": "spade", **asdict(self.shape)}

    @property
    def reach(self) -> int:
        """Pixels around a place that can change it through convolutions, at most."""
        stride, total = self.multiple, self.multiple + 1
        for _, _, _, doubles in self.shape.ladder:
            stride //= 2 if doubles else 1
            total += (2 + 2 * (self.shape.kernel // 2)) * stride
        return total

    def forward(self, x: Float[Tensor, "n entry h w"], z: Tensor | None = None) -> Float[Tensor, "n c h w"]:
        """Make pictures, -1 to 1.

        Args:
            x: One-hot labels and the edge channel, or a picture.
            z: ``(n, z_dim)`` noise or style; with noise ``map`` also ``(n, z_dim, h, w)``, to vary it over
                the picture.

        Raises:
            ModelError: A size or the number of channels does not fit, or z is missing.
        """
        if x.shape[1] != self.shape.entry:
            raise ModelError(f"spade: input has {x.shape[1]} channels, this model takes {self.shape.entry}")
        self._check((x.shape[-2], x.shape[-1]), z)
        if self.shape.noise == "map" and z is not None:
            spread = z[:, :, None, None].expand(-1, -1, *x.shape[-2:]) if z.dim() == 2 else z
            x = torch.cat([x, spread.to(x.dtype)], 1)
        return self.make(MapCondition(x), (x.shape[-2], x.shape[-1]), z)

    def from_labels(
        self,
        labels: Int[Tensor, "n h w"],
        edges: Float[Tensor, "n 1 h w"] | None = None,
        z: Float[Tensor, "n z"] | None = None,
    ) -> Float[Tensor, "n c h w"]:
        """Make the same pictures of class indices as `forward` of their one-hot map, in far less time.

        Args:
            labels: Class indices; the number of classes itself stands for none, as zeros in the one-hot map.
            edges: 0 or 1, where the model takes them.
            z: Noise or style.

        Raises:
            ModelError: A label is beyond the classes, or anything that `forward` raises.
        """
        size = (labels.shape[-2], labels.shape[-1])
        if torch.is_grad_enabled() or self.training or self.shape.noise == "map":
            return self.make(self.condition(labels, edges, z), size, z)
        self._check(size, z)
        kept = keep_condition(self, labels, edges, lambda: self.condition(labels, edges, z))
        return self.make(kept, size, z)

    def condition(
        self, labels: Int[Tensor, "n h w"], edges: Tensor | None = None, z: Tensor | None = None
    ) -> LabelCondition:
        """Return labels as layers take them.

        Raises:
            ModelError: They do not fit this model.
        """
        classes = self.shape.entry - self.shape.edges
        if (edges is not None) != bool(self.shape.edges):
            raise ModelError(f"spade: this model takes {'instance' if self.shape.edges else 'no'} edges")
        low, high = (int(value) for value in torch.aminmax(labels))
        if high > classes or low < 0:
            found = low if low < 0 else high
            raise ModelError(f"spade: a label is {found}; this model knows classes 0 to {classes - 1}")
        self._check((labels.shape[-2], labels.shape[-1]), z)
        return LabelCondition(labels, classes, edges, z if self.shape.noise == "map" else None)

    def make(self, condition: Condition, size: tuple[int, int], z: Tensor | None) -> Tensor:
        """Make pictures of (height, width) of a condition in either of its forms."""
        x = self.begin(condition, (size[0] // self.multiple, size[1] // self.multiple), z)
        for name, _, _, doubles in self.shape.ladder:
            x = self.blocks[name](x, condition, doubles)
        made: Tensor = self.last(functional.leaky_relu(x, SLOPE))
        return torch.tanh(made)

    def begin(self, condition: Condition, size: tuple[int, int], z: Tensor | None) -> Tensor:
        """Return the first features, of (height, width)."""
        if isinstance(self.first, nn.Conv2d):
            return condition.first(self.first, size)
        made: Tensor = self.first(z)
        x = made.view(len(made), -1, self.shape.start_height, self.shape.start_width)
        # The matrix makes one size. SPADE ties it to the size of training; for others it is stretched here,
        # over the whole frame where this is a part of one.
        top, left, *whole = (side // self.multiple for side in self.place or (0, 0, 0, 0))
        whole = whole if self.place else list(size)
        if list(x.shape[-2:]) != whole:
            x = functional.interpolate(x, whole, mode="bilinear", align_corners=False)
        x = x[..., top : top + size[0], left : left + size[1]]
        return x.contiguous(memory_format=torch.channels_last)

    def style(self, image: Float[Tensor, "n 3 h w"]) -> tuple[Float[Tensor, "n z"], Float[Tensor, "n z"]]:
        """Return mean and log variance of the style of pictures, -1 to 1 and of any size.

        Raises:
            ModelError: This model has no style encoder.
        """
        if self.encoder is None:
            raise ModelError("spade: this model has no style encoder; give a vector z instead")
        mean, spread = self.encoder(image)
        return mean, spread

    def _check(self, size: tuple[int, int], z: Tensor | None) -> None:
        if size[0] % self.multiple or size[1] % self.multiple:
            raise ModelError(
                f"spade: input is {size[1]}x{size[0]}; sides must be multiples of {self.multiple}, pad it"
            )
        if (z is None) != (self.z_dim == 0) or (z is not None and z.shape[1] != self.z_dim):
            found = "none" if z is None else str(tuple(z.shape))
            raise ModelError(f"spade: z is {found}; this model takes {self.z_dim or 'no'} numbers a picture")


def initialise(net: nn.Module, generator: torch.Generator, gain: float = 0.02) -> nn.Module:
    """Draw weights anew (in place): Xavier with a gain, as SPADE's authors do; biases are 0."""
    each_weight(net, lambda weight: nn.init.xavier_normal_(weight, gain, generator=generator))
    for part in net.modules():
        if isinstance(part, SpectralConv):
            part.start(generator)
        bias = getattr(part, "bias", None)
        if isinstance(bias, nn.Parameter):
            nn.init.zeros_(bias)
    return net


@torch.no_grad()
def start_from_classes(net: Spade, generator: torch.Generator) -> Spade:
    """Draw the weights that read the map anew, so that the class of a pixel is seen from the first step on.

    Usual rules count every channel of the map, of which one is 1 at a time: classes then hardly show beside
    noise. Here a large region of one class gives hidden values of deviation 1, and noise one of a half.

    Args:
        net: The generator (in place).
        generator: Random numbers.
    """
    classes = net.shape.entry - net.shape.edges
    for part in net.modules():
        if isinstance(part, SpadeNorm):
            weight, taps = part.shared.weight, net.shape.kernel**2
            weight[:, : net.shape.entry].normal_(0, taps**-0.5, generator=generator)
            if classes < net.shape.entry:  # edges are thin: fewer taps see one
                weight[:, classes : net.shape.entry].mul_(2)
            if net.shape.noise == "map":
                share = 0.5 * (taps * net.shape.z_dim) ** -0.5
                weight[:, net.shape.entry :].normal_(0, share, generator=generator)
    return net
