"""EfficientNet-Lite, an image classifier small enough to be asked thousands of times on a laptop.

The family is EfficientNet (Tan and Le 2019) without squeeze-and-excitation and with ReLU6 in place of
swish. Every convolution here carries a bias and no batch normalisation follows it: the statistics of the
checkpoint are folded into the weights when they are loaded, which is the same function and less work.
Sizes 0 to 4 differ only in widths and depths, so both are read from the tensor shapes.

Padding follows TensorFlow's "same" rule: a stride-2 convolution over an even side pads the far edge more
than the near one. Symmetric padding would shift every later feature by half a pixel.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn

from dreamplate.errors import CheckpointError, ModelError

STRIDES = (1, 2, 2, 2, 1, 2, 1)
"""Stride of the first block of each of the seven stages."""
BN_EPS = 1e-3
"""Epsilon of the batch normalisations that were folded away."""
MEAN, STD = 127 / 255, 128 / 255
"""Input normalisation of every channel, for pixels in [0, 1]."""
SIZES = {(16, 320): 224, (21, 320): 240, (21, 352): 260, (24, 384): 280, (30, 448): 300}
"""Input side in pixels of Lite0 to Lite4, by number of blocks and width of the last stage."""
LAYERS = ("stem", "stage1", "stage2", "stage3", "stage4", "stage5", "stage6", "stage7", "head", "pooled")
"""Names that :meth:`EfficientNetLite.features` understands, from shallow to deep."""


def fold_batchnorm(
    weight: Float[Tensor, "out in k k"], norm: Sequence[Float[Tensor, " out"]], eps: float = BN_EPS
) -> tuple[Float[Tensor, "out in k k"], Float[Tensor, " out"]]:
    """Fold a batch normalisation into the convolution before it.

    Args:
        weight: ``(out, in, k, k)`` weight of a convolution without bias.
        norm: Scale, shift, running mean and running variance, ``(out,)`` each.
        eps: Added to the variance.

    Returns:
        Weight and bias of the one convolution that does the work of both.
    """
    gamma, beta, mean, var = (part.double() for part in norm)
    scale = gamma / torch.sqrt(var + eps)
    return (weight * scale[:, None, None, None]).to(weight.dtype), (beta - mean * scale).to(weight.dtype)


def same_padding(side: int, kernel: int, stride: int) -> tuple[int, int]:
    """Padding before and after a side so that ``ceil(side / stride)`` outputs come out."""
    total = max((-(-side // stride) - 1) * stride + kernel - side, 0)
    return total // 2, total - total // 2


class _ReLU6(torch.autograd.Function):
    """ReLU6 in place, remembering only its result; torch's own in-place form also copies its input."""

    @staticmethod
    def forward(ctx: Any, x: Float[Tensor, "*shape"]) -> Float[Tensor, "*shape"]:
        ctx.mark_dirty(x)
        ctx.save_for_backward(x.clamp_(0, 6))
        return x

    @staticmethod
    def backward(ctx: Any, grad: Float[Tensor, "*shape"]) -> Float[Tensor, "*shape"]:
        (y,) = ctx.saved_tensors
        return torch.ops.aten.hardtanh_backward(grad, y, 0.0, 6.0)  # type: ignore[no-any-return]


def relu6_(x: Float[Tensor, "*shape"]) -> Float[Tensor, "*shape"]:
    """Clamp to 0..6 in place, differentiably."""
    return _ReLU6.apply(x)  # type: ignore[no-any-return, no-untyped-call]


class Layer(NamedTuple):
    """What one convolution put out, and what photographs made it put out in training.

    Attributes:
        values: ``(n, c, h, w)``.
        mean: ``(c,)`` over photographs.
        std: ``(c,)`` over photographs.
    """

    values: Float[Tensor, "n c h w"]
    mean: Float[Tensor, " c"]
    std: Float[Tensor, " c"]


class Conv(nn.Module):
    """A biased convolution with "same" padding, and ReLU6 after it if ``clip``.

    A batch normalisation leaves its trace when it is folded away: over the training photographs the
    outputs had mean beta and standard deviation ``|gamma|``, kept as ``mean`` and ``std``.
    """

    mean: Float[Tensor, " out"]
    std: Float[Tensor, " out"]

    def __init__(
        self,
        weight: Float[Tensor, "out in k k"],
        bias: Float[Tensor, " out"],
        stride: int = 1,
        clip: bool = True,
    ) -> None:
        super().__init__()
        self.register_buffer("mean", torch.zeros_like(bias), persistent=False)
        self.register_buffer("std", torch.ones_like(bias), persistent=False)
        self.weight = nn.Parameter(weight.contiguous(memory_format=torch.channels_last))
        self.bias = nn.Parameter(bias)
        self.stride = stride
        self.clip = clip
        self.groups = weight.shape[0] if weight.shape[1] == 1 else 1
        self.products: torch.dtype | None = None

    def forward(self, x: Float[Tensor, "n in h w"]) -> Float[Tensor, "n out h_out w_out"]:
        """``(n, in, h, w)`` to ``(n, out, ceil(h / stride), ceil(w / stride))``."""
        kernel = self.weight.shape[-1]
        if kernel == 1 and self.products is not None:
            return self._multiply(x, self.products)
        top, bottom = same_padding(x.shape[-2], kernel, self.stride)
        left, right = same_padding(x.shape[-1], kernel, self.stride)
        if (top, left) != (bottom, right):
            x = F.pad(x, (left, right, top, bottom))
            top = left = 0
        y = F.conv2d(x, self.weight, self.bias, self.stride, (top, left), groups=self.groups)
        return relu6_(y) if self.clip else y

    def _multiply(self, x: Float[Tensor, "n in h w"], dtype: torch.dtype) -> Float[Tensor, "n out h w"]:
        # A 1x1 convolution of a channels-last map is one matrix product on a view of it.
        rows = x.permute(0, 2, 3, 1).to(dtype)
        y = F.linear(rows, self.weight[:, :, 0, 0].to(dtype), self.bias.to(dtype)).to(x.dtype)
        return (relu6_(y) if self.clip else y).permute(0, 3, 1, 2)


class Block(nn.Module):
    """Inverted residual: widen, filter each channel by itself, narrow; added to its input where it fits."""

    def __init__(self, expand: Conv | None, depthwise: Conv, project: Conv) -> None:
        super().__init__()
        self.expand = expand
        self.depthwise = depthwise
        self.project = project
        inside = (expand or depthwise).weight.shape[1 if expand else 0]
        self.residual = depthwise.stride == 1 and inside == project.weight.shape[0]

    def forward(
        self, x: Float[Tensor, "n in h w"], seen: list[Layer] | None = None
    ) -> Float[Tensor, "n out h_out w_out"]:
        """``(n, in, h, w)`` to ``(n, out, ceil(h / stride), ceil(w / stride))``; noted in ``seen``."""
        y: Tensor = self.project(self.depthwise(self.expand(x) if self.expand else x))
        if seen is not None:
            seen.append(Layer(y, self.project.mean, self.project.std))
        return x + y if self.residual else y


class EfficientNetLite(nn.Module):
    """The network, frozen: weights never require gradients, pictures may.

    Build it with :meth:`from_state`. Any input side of 32 or more works; ``size`` is the one it was
    trained at.
    """

    def __init__(self, stem: Conv, stages: Sequence[Sequence[Block]], head: Conv, fc: nn.Linear) -> None:
        super().__init__()
        self.stem = stem
        self.stages = nn.ModuleList(nn.Sequential(*stage) for stage in stages)
        self.head = head
        self.fc = fc
        self.requires_grad_(False)
        self.eval()

    @classmethod
    def from_state(cls, state: Mapping[str, Tensor]) -> EfficientNetLite:
        """Build the network from a checkpoint of the PyTorch port, folding its batch normalisations.

        Args:
            state: Tensors named ``_conv_stem.weight``, ``_bn0.*``, ``_blocks.N.*``, ``_conv_head.weight``,
                ``_bn1.*``, ``_fc.*``.

        Raises:
            CheckpointError: A tensor is missing, is left over, or its shape does not fit.
        """
        left = {name for name in state if not name.endswith("num_batches_tracked")}

        def take(name: str, sides: int) -> Tensor:
            if name not in state:
                raise CheckpointError(
                    f"EfficientNet-Lite: tensor {name!r} is missing; use a complete checkpoint"
                )
            left.discard(name)
            if state[name].ndim != sides:
                raise CheckpointError(
                    f"EfficientNet-Lite: {name} has {state[name].ndim} sides, {sides} expected"
                )
            return state[name].detach().float()

        def conv(name: str, norm: str, inside: int, stride: int = 1, clip: bool = True) -> Conv:
            weight = take(f"{name}.weight", 4)
            if weight.shape[1] != inside:
                raise CheckpointError(
                    f"EfficientNet-Lite: {name} takes {weight.shape[1]} inputs, {inside} expected"
                )
            parts = [take(f"{norm}.{key}", 1) for key in ("weight", "bias", "running_mean", "running_var")]
            for part in parts:
                if part.shape != weight.shape[:1]:
                    raise CheckpointError(
                        f"EfficientNet-Lite: {norm} holds shape {tuple(part.shape)} where {name} has "
                        f"{weight.shape[0]} outputs; use an unmodified checkpoint"
                    )
            made = Conv(*fold_batchnorm(weight, parts), stride, clip)
            made.mean, made.std = parts[1], parts[0].abs()
            return made

        stem = conv("_conv_stem", "_bn0", 3, stride=2)
        stages: list[list[Block]] = []
        inside, width, index = len(stem.weight), -1, 0
        while (project := f"_blocks.{index}._project_conv") + ".weight" in state:
            prefix = f"_blocks.{index}."
            # Each stage has a width of its own, so a change of width is where the next one starts.
            first = len(state[f"{project}.weight"]) != width
            if first:
                if len(stages) == len(STRIDES):
                    raise CheckpointError(
                        "EfficientNet-Lite: more than 7 stages found; use a Lite checkpoint"
                    )
                stages.append([])
            expand = None
            if f"{prefix}_expand_conv.weight" in state:
                expand = conv(f"{prefix}_expand_conv", f"{prefix}_bn0", inside)
            stride = STRIDES[len(stages) - 1] if first else 1
            depthwise = conv(f"{prefix}_depthwise_conv", f"{prefix}_bn1", 1, stride)
            narrow = conv(project, f"{prefix}_bn2", len(depthwise.weight), clip=False)
            stages[-1].append(Block(expand, depthwise, narrow))
            inside = width = len(narrow.weight)
            index += 1
        if len(stages) != len(STRIDES):
            raise CheckpointError(
                f"EfficientNet-Lite: {len(stages)} stages found, 7 expected; use a Lite checkpoint"
            )
        head = conv("_conv_head", "_bn1", inside)
        weight, bias = take("_fc.weight", 2), take("_fc.bias", 1)
        if weight.shape != (len(bias), len(head.weight)):
            raise CheckpointError(
                f"EfficientNet-Lite: _fc.weight has shape {tuple(weight.shape)}, "
                f"{(len(bias), len(head.weight))} expected"
            )
        fc = nn.Linear(1, 1)
        fc.weight, fc.bias = nn.Parameter(weight), nn.Parameter(bias)
        if left:
            raise CheckpointError(
                f"EfficientNet-Lite: tensor {min(left)!r} is not part of the network; use a Lite checkpoint"
            )
        return cls(stem, stages, head, fc)

    def use_products(self, dtype: torch.dtype | None) -> EfficientNetLite:
        """Compute the matrix products of the 1x1 convolutions, most of the work, in another precision.

        Everything between them keeps the precision of the pictures. With bfloat16 this costs less
        accuracy than autocast and, on a CPU whose depthwise convolutions are slow in bfloat16, less time.
        ``None`` goes back to ordinary convolutions.
        """
        for module in self.modules():
            if isinstance(module, Conv):
                module.products = dtype
        return self

    @property
    def size(self) -> int:
        """Input side in pixels that this width and depth was trained at."""
        depth = sum(len(list(stage.children())) for stage in self.stages)
        width = self.head.weight.shape[1]
        return SIZES.get((depth, width), 224)

    def features(
        self, images: Float[Tensor, "n 3 h w"], layers: Sequence[str] = ("pooled",)
    ) -> dict[str, Float[Tensor, "n ..."]]:
        """Activations at the named depths; nothing deeper than the deepest is computed.

        Args:
            images: ``(n, 3, h, w)``, display-encoded, in [0, 1].
            layers: Names out of :data:`LAYERS`.

        Returns:
            Name to tensor: ``(n, c, h', w')`` maps, and ``(n, 1280)`` for ``"pooled"``.

        Raises:
            ModelError: A layer name is unknown.
        """
        for name in layers:
            if name not in LAYERS:
                raise ModelError(f"layer {name!r} is unknown: choose from {', '.join(LAYERS)}")
        last = max((LAYERS.index(name) for name in layers), default=-1)
        found: dict[str, Tensor] = {}
        x = (images - MEAN) / STD
        for depth, name in enumerate(LAYERS[: last + 1]):
            if name in ("stem", "head"):
                x = getattr(self, name)(x)
            elif name == "pooled":
                x = x.mean((-2, -1))
            else:
                x = self.stages[depth - 1](x)
            if name in layers:
                found[name] = x
        return found

    def pooled_with_layers(
        self, images: Float[Tensor, "n 3 h w"]
    ) -> tuple[Float[Tensor, "n c"], list[Layer]]:
        """Return the pooled features ``(n, 1280)`` and the narrow end of every block, shallow to deep.

        The narrow ends are cheap to look at: inside a block there are six times as many numbers.
        """
        seen: list[Layer] = []
        x = self.stem((images - MEAN) / STD)
        for block in (block for stage in self.stages for block in stage.children()):
            x = block(x, seen)
        return self.head(x).mean((-2, -1)), seen

    def forward(self, images: Float[Tensor, "n 3 h w"]) -> Float[Tensor, "n classes"]:
        """Class scores before softmax: ``(n, 3, h, w)`` in [0, 1] to ``(n, classes)``."""
        logits: Tensor = self.fc(self.features(images)["pooled"])
        return logits
