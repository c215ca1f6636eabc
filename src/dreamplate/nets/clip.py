"""CLIP: a picture tower and a text tower that meet in one space (Radford et al. 2021).

The picture tower is a Vision Transformer or a ResNet with attention pooling; the text tower is a causal
transformer. The whole configuration follows from the shapes of the tensors, but for two things that no
shape shows: the activation, and the number of heads where it is not the usual width / 64.

The names are OpenAI's. What differs from the reference changes no result beyond rounding:

* Batch normalisations are folded into the convolutions before them.
* ``x * sigmoid(1.702 x)`` is ``silu(1.702 x) / 1.702``; the two factors go into the weights around it, so
  that one kernel does it and only its input is kept for the gradient.
* The last block of the Vision Transformer computes the class token alone: nothing else is read from it.
* Text is computed up to its end marker; behind that, causal attention lets nothing back.
* Layer normalisation and the residual stream stay in float32 when the products are in bfloat16.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence

import torch
import torch.nn.functional as F
from jaxtyping import Float, Int
from torch import Tensor, nn

from dreamplate.errors import CheckpointError, ConfigError
from dreamplate.nets.efficientnet_lite import Layer, fold_batchnorm

MEAN = (0.48145466, 0.4578275, 0.40821073)
STD = (0.26862954, 0.26130258, 0.27577711)
"""Input normalisation of red, green and blue, for pixels in [0, 1]."""
ACTIVATIONS = {"quick_gelu": 1.702, "gelu": 0.0}
"""Name to the factor inside ``x * sigmoid(factor * x)``; 0 is the exact Gaussian error linear unit."""
HEAD_WIDTHS = {1280: 80, 1408: 88, 1664: 104, 1792: 112}
"""Width of a picture tower to that of its heads, where that is not 64 (the H, g, G and e sizes)."""
BN_EPS = 1e-5
EXPANSION = 4
"""How much wider than its inside a block of the ResNet is at its ends."""


class Linear(nn.Module):
    """A frozen matrix product, in the precision of its weight whatever the input's is."""

    def __init__(self, weight: Float[Tensor, "out in"], bias: Float[Tensor, " out"] | None = None) -> None:
        super().__init__()
        self.weight = nn.Parameter(weight.contiguous(), requires_grad=False)
        self.bias = None if bias is None else nn.Parameter(bias.contiguous(), requires_grad=False)

    def forward(self, x: Float[Tensor, "*rows in"]) -> Float[Tensor, "*rows out"]:
        """``(…, in)`` to ``(…, out)``."""
        return F.linear(x.to(self.weight.dtype), self.weight, self.bias)


class Norm(nn.Module):
    """Layer normalisation in the precision of its own weight, which stays float32."""

    def __init__(self, weight: Float[Tensor, " w"], bias: Float[Tensor, " w"]) -> None:
        super().__init__()
        self.weight = nn.Parameter(weight, requires_grad=False)
        self.bias = nn.Parameter(bias, requires_grad=False)

    def forward(self, x: Float[Tensor, "*rows w"]) -> Float[Tensor, "*rows w"]:
        """Normalise the last axis, eps 1e-5."""
        return F.layer_norm(x.to(self.weight.dtype), self.weight.shape, self.weight, self.bias)


class Block(nn.Module):
    """One layer of a transformer, normalised before attention and before its two-layer perceptron."""

    def __init__(self, weights: Weights, name: str, width: int, heads: int, factor: float) -> None:
        super().__init__()
        self.heads = heads
        self.norm1 = weights.norm(f"{name}.ln_1", width)
        self.norm2 = weights.norm(f"{name}.ln_2", width)
        self.qkv = Linear(
            weights.take(f"{name}.attn.in_proj_weight", 3 * width, width),
            weights.take(f"{name}.attn.in_proj_bias", 3 * width),
        )
        self.out = weights.linear(f"{name}.attn.out_proj", width, width)
        widen = weights.linear(f"{name}.mlp.c_fc", None, width)
        narrow = weights.linear(f"{name}.mlp.c_proj", width, len(widen.weight))
        self.quick = factor != 0
        if self.quick:
            widen = Linear(widen.weight * factor, _biased(widen) * factor)
            narrow = Linear(narrow.weight / factor, narrow.bias)
        self.widen, self.narrow = widen, narrow

    def forward(
        self, x: Float[Tensor, "n l w"], causal: bool = False, keep: int | None = None
    ) -> Float[Tensor, "n kept w"]:
        """``(n, l, w)`` to the first ``keep`` rows (all when ``None``) of the next layer."""
        inside = self.norm1(x)
        if keep is None:
            query, key, value = self.split(self.qkv(inside))
        else:
            width = x.shape[-1]
            weight, bias = self.qkv.weight, _biased(self.qkv)
            rows = inside.to(weight.dtype)
            (query,) = self.split(F.linear(rows[:, :keep], weight[:width], bias[:width]))
            key, value = self.split(F.linear(rows, weight[width:], bias[width:]))
            x = x[:, :keep]
        mixed = F.scaled_dot_product_attention(query, key, value, is_causal=causal)
        x = x + self.out(mixed.transpose(1, 2).flatten(2))
        hidden = self.widen(self.norm2(x))
        return x + self.narrow(F.silu(hidden) if self.quick else F.gelu(hidden))  # type: ignore[no-any-return]

    def split(self, rows: Float[Tensor, "n l many"]) -> Float[Tensor, "parts n heads l head"]:
        """Cut projected rows into queries, keys and values (or as many of these as there are) by head."""
        size = self.qkv.weight.shape[1] // self.heads
        count, length, _ = rows.shape
        return rows.view(count, length, -1, self.heads, size).permute(2, 0, 3, 1, 4)

    def values(self, x: Float[Tensor, "n l w"]) -> Float[Tensor, "n l w"]:
        """Return what each token would give to attention, projected out: no mixing, no residual."""
        width = x.shape[-1]
        weight, bias = self.qkv.weight, _biased(self.qkv)
        rows = F.linear(self.norm1(x).to(weight.dtype), weight[2 * width :], bias[2 * width :])
        return self.out(rows)  # type: ignore[no-any-return]


class VisionTransformer(nn.Module):
    """The picture tower as a transformer over square patches.

    Args:
        weights: The checkpoint.
        heads: Attention heads; 0 takes what the width implies.
        factor: See :data:`ACTIVATIONS`.
    """

    layered = False
    """It has no batch normalisation, hence no statistics of photographs."""

    def __init__(self, weights: Weights, heads: int, factor: float) -> None:
        super().__init__()
        kernel = weights.take("visual.conv1.weight", None, 3, None, None)
        width, self.patch = kernel.shape[0], kernel.shape[-1]
        if kernel.shape[-2] != self.patch:
            raise CheckpointError(
                f"CLIP: visual.conv1.weight has patches of {tuple(kernel.shape[2:])}; squares expected"
            )
        heads = heads or width // HEAD_WIDTHS.get(width, 64)
        self.kernel = Linear(kernel.flatten(1))
        self.first = weights.parameter("visual.class_embedding", width)
        self.positions = weights.parameter("visual.positional_embedding", None, width)
        self.grid = _grid("visual.positional_embedding", len(self.positions))
        self.size = self.grid * self.patch
        self.norm_in = weights.norm("visual.ln_pre", width)
        self.blocks = weights.blocks("visual.transformer", width, heads, factor)
        self.norm_out = weights.norm("visual.ln_post", width)
        self.project = Linear(weights.take("visual.proj", width, None).T)

    def forward(self, images: Float[Tensor, "n 3 h w"]) -> Float[Tensor, "n dim"]:
        """Normalised pictures ``(n, 3, h, w)``, sides multiples of the patch, to ``(n, dim)``."""
        x = self.inside(images)
        x = self.blocks[-1](x, keep=1)
        return self.project(self.norm_out(x[:, 0]))  # type: ignore[no-any-return]

    def dense(self, images: Float[Tensor, "n 3 h w"]) -> Float[Tensor, "n dim rows columns"]:
        """Return a feature for every patch, in the space of :meth:`forward`.

        In the last block each patch keeps the value that it would have given to attention (Zhou et al.,
        "Extract Free Dense Labels from CLIP", 2022). That block's residual and perceptron are left out,
        since they hold what the whole picture has in common (Lan et al., "ClearCLIP", 2024).
        """
        last = self.blocks[-1]
        assert isinstance(last, Block)
        found = self.project(self.norm_out(last.values(self.inside(images))[:, 1:]))
        rows = images.shape[-2] // self.patch
        return found.transpose(1, 2).reshape(len(images), -1, rows, images.shape[-1] // self.patch)  # type: ignore[no-any-return]

    def inside(self, images: Float[Tensor, "n 3 h w"]) -> Float[Tensor, "n l width"]:
        """Return the tokens before the last block, the class token first."""
        count, _, height, width = images.shape
        rows, columns, side = height // self.patch, width // self.patch, self.patch
        # A convolution whose stride is its kernel is one matrix product on cut-up pictures.
        patches = images.reshape(count, 3, rows, side, columns, side).permute(0, 2, 4, 1, 3, 5)
        x = self.kernel(patches.reshape(count, rows * columns, -1))
        first = self.first.to(x.dtype).expand(count, 1, -1)
        x = torch.cat([first, x], dim=1) + self.places(rows, columns)
        x = self.norm_in(x)
        for block in list(self.blocks)[:-1]:
            x = block(x)
        return x  # type: ignore[no-any-return]

    def places(self, rows: int, columns: int) -> Float[Tensor, "l width"]:
        """Return the learned positions, resampled bicubically for another grid than the trained one."""
        if rows == columns == self.grid:
            return self.positions
        plane = self.positions[1:].T.reshape(1, -1, self.grid, self.grid)
        plane = F.interpolate(plane, size=(rows, columns), mode="bicubic", antialias=True)
        return torch.cat([self.positions[:1], plane[0].flatten(1).T])


class Conv(nn.Module):
    """A convolution with the batch normalisation after it folded in; ``relu`` follows where it should.

    ``mean`` and ``std`` are those that its outputs had over the photographs of the training.
    """

    mean: Float[Tensor, " out"]
    std: Float[Tensor, " out"]

    def __init__(self, weights: Weights, name: str, norm: str, inputs: int, relu: bool = True) -> None:
        super().__init__()
        weight = weights.take(f"{name}.weight", None, inputs, None, None)
        keys = ("weight", "bias", "running_mean", "running_var")
        parts = [weights.take(f"{norm}.{key}", len(weight)) for key in keys]
        folded, bias = fold_batchnorm(weight, parts, BN_EPS)
        self.weight = nn.Parameter(folded.contiguous(memory_format=torch.channels_last), requires_grad=False)
        self.bias = nn.Parameter(bias, requires_grad=False)
        self.register_buffer("mean", parts[1], persistent=False)
        self.register_buffer("std", parts[0].abs(), persistent=False)
        self.relu = relu

    def forward(self, x: Float[Tensor, "n in h w"], stride: int = 1) -> Float[Tensor, "n out h_out w_out"]:
        """``(n, in, h, w)`` to ``(n, out, h / stride, w / stride)``."""
        y = F.conv2d(x, self.weight, self.bias, stride, self.weight.shape[-1] // 2)
        return F.relu_(y) if self.relu else y


class Bottleneck(nn.Module):
    """Narrow, filter, widen, added to its input; it halves the sides by averaging, before it widens."""

    def __init__(self, weights: Weights, name: str, inputs: int, stride: int) -> None:
        super().__init__()
        self.stride = stride
        self.conv1 = Conv(weights, f"{name}.conv1", f"{name}.bn1", inputs)
        inner = len(self.conv1.weight)
        self.conv2 = Conv(weights, f"{name}.conv2", f"{name}.bn2", inner)
        self.conv3 = Conv(weights, f"{name}.conv3", f"{name}.bn3", inner, relu=False)
        self.width = len(self.conv3.weight)
        self.aside: Conv | None = None
        if stride > 1 or inputs != self.width:
            self.aside = Conv(weights, f"{name}.downsample.0", f"{name}.downsample.1", inputs, relu=False)

    def forward(
        self, x: Float[Tensor, "n in h w"], seen: list[Layer] | None = None
    ) -> Float[Tensor, "n out h_out w_out"]:
        """``(n, in, h, w)`` to ``(n, out, h / stride, w / stride)``; noted in ``seen``."""
        y = self.conv2(self.conv1(x))
        if self.stride > 1:
            y, x = F.avg_pool2d(y, self.stride), F.avg_pool2d(x, self.stride)
        y = self.conv3(y)
        if seen is not None:
            seen.append(Layer(y, self.conv3.mean, self.conv3.std))
        return F.relu_(y + (x if self.aside is None else self.aside(x)))


class ResNet(nn.Module):
    """The picture tower as a ResNet: three convolutions first, averaging for strides, attention pooling.

    Args:
        weights: The checkpoint.
        heads: Heads of the pooling attention; 0 takes what the width implies.
        factor: Not used: its activation is ReLU.
    """

    layered = True
    """Its batch normalisations kept statistics of photographs."""

    def __init__(self, weights: Weights, heads: int, factor: float) -> None:
        super().__init__()
        del factor
        self.stem = nn.ModuleList()
        width = 3
        for index in (1, 2, 3):
            self.stem.append(Conv(weights, f"visual.conv{index}", f"visual.bn{index}", width))
            width = weights.axis(f"visual.conv{index}.weight", 0)
        heads = heads or width * 32 // 64
        blocks = []
        for stage in (1, 2, 3, 4):
            for index in range(max(weights.count(rf"visual\.layer{stage}\.(\d+)\."), 1)):
                stride = 2 if stage > 1 and index == 0 else 1
                blocks.append(Bottleneck(weights, f"visual.layer{stage}.{index}", width, stride))
                width = blocks[-1].width
        self.blocks = nn.ModuleList(blocks)
        self.positions = weights.parameter("visual.attnpool.positional_embedding", None, width)
        self.size = 32 * _grid("visual.attnpool.positional_embedding", len(self.positions))
        self.query = weights.linear("visual.attnpool.q_proj", width, width)
        self.key = weights.linear("visual.attnpool.k_proj", width, width)
        self.value = weights.linear("visual.attnpool.v_proj", width, width)
        self.project = weights.linear("visual.attnpool.c_proj", None, width)
        self.heads = _heads(width, heads, "visual.attnpool")

    def forward(self, images: Float[Tensor, "n 3 h w"]) -> Float[Tensor, "n dim"]:
        """Normalised pictures ``(n, 3, size, size)`` to ``(n, dim)``."""
        return self.pool(self.features(images))

    def with_layers(self, images: Float[Tensor, "n 3 h w"]) -> tuple[Float[Tensor, "n dim"], list[Layer]]:
        """Like :meth:`forward`, with what every block adds, shallow to deep."""
        seen: list[Layer] = []
        return self.pool(self.features(images, seen)), seen

    def dense(self, images: Float[Tensor, "n 3 h w"]) -> Float[Tensor, "n dim rows columns"]:
        """Return a feature for every position, in the space of :meth:`forward`.

        The pooling attention's value and output projections, applied to each position by itself (Zhou et
        al., "Extract Free Dense Labels from CLIP", 2022).
        """
        x = self.features(images).permute(0, 2, 3, 1)
        return self.project(self.value(x)).permute(0, 3, 1, 2)  # type: ignore[no-any-return]

    def features(
        self, images: Float[Tensor, "n 3 h w"], seen: list[Layer] | None = None
    ) -> Float[Tensor, "n c rows columns"]:
        """Return the last feature map, 1/32 of the sides; blocks are noted in ``seen``."""
        stem = list(self.stem)
        x = images.to(self.query.weight.dtype).contiguous(memory_format=torch.channels_last)
        x = F.avg_pool2d(stem[2](stem[1](stem[0](x, 2))), 2)
        for block in self.blocks:
            x = block(x, seen)
        return x

    def pool(self, x: Float[Tensor, "n c rows columns"]) -> Float[Tensor, "n dim"]:
        """Attend from the mean of all positions to the positions and the mean."""
        x = x.flatten(2).transpose(1, 2)
        x = torch.cat([x.mean(1, keepdim=True), x], dim=1) + self.positions

        def by_head(rows: Float[Tensor, "n l c"]) -> Float[Tensor, "n heads l head"]:
            return rows.view(*rows.shape[:2], self.heads, -1).transpose(1, 2)

        mixed = F.scaled_dot_product_attention(
            by_head(self.query(x[:, :1])), by_head(self.key(x)), by_head(self.value(x))
        )
        return self.project(mixed.transpose(1, 2).flatten(1))  # type: ignore[no-any-return]


class TextTransformer(nn.Module):
    """The text tower.

    Args:
        weights: The checkpoint.
        heads: Attention heads; 0 takes width / 64.
        factor: See :data:`ACTIVATIONS`.
    """

    def __init__(self, weights: Weights, heads: int, factor: float) -> None:
        super().__init__()
        self.words = weights.parameter("token_embedding.weight", None, None)
        width = self.words.shape[1]
        self.positions = weights.parameter("positional_embedding", None, width)
        self.blocks = weights.blocks("transformer", width, heads or width // 64, factor)
        self.norm_out = weights.norm("ln_final", width)
        self.project = Linear(weights.take("text_projection", width, None).T)

    def forward(self, ids: Int[Tensor, "n l"]) -> Float[Tensor, "n dim"]:
        """Token ids ``(n, l)``, the end marker being the largest id, to ``(n, dim)``."""
        end = ids.argmax(-1)
        ids = ids[:, : int(end.max()) + 1]
        x = self.words[ids] + self.positions[: ids.shape[1]]
        for block in self.blocks:
            x = block(x, causal=True)
        rows = x[torch.arange(len(x), device=x.device), end]
        return self.project(self.norm_out(rows))  # type: ignore[no-any-return]


class CLIP(nn.Module):
    """Both towers, frozen: weights never require gradients, pictures may. Build it with :meth:`from_state`.

    Attributes:
        size: Side in pixels of the pictures it was trained on.
        dim: Length of the vectors.
        context: Most token ids of a text, both markers included.
        vocabulary: How many token ids there are; the last two mark start and end.
    """

    def __init__(self, image: VisionTransformer | ResNet, text: TextTransformer, logit_scale: Tensor) -> None:
        super().__init__()
        self.image = image
        self.text = text
        self.logit_scale = nn.Parameter(logit_scale)
        self.size, self.dim = image.size, len(image.project.weight)
        self.context, self.vocabulary = len(text.positions), len(text.words)
        if len(text.project.weight) != self.dim:
            raise CheckpointError(
                f"CLIP: text_projection gives {len(text.project.weight)} numbers, the picture tower"
                f" {self.dim}; use a complete, unmodified checkpoint"
            )
        self.requires_grad_(False)
        self.eval()

    @classmethod
    def from_state(
        cls,
        state: Mapping[str, Tensor],
        settings: Mapping[str, int | float | str] | None = None,
        *,
        consume: bool = False,
    ) -> CLIP:
        """Build the network that a checkpoint's tensors describe.

        Args:
            state: Tensors by OpenAI's names, in any floating precision.
            settings: ``activation`` has to be there, out of :data:`ACTIVATIONS`; ``heads`` and
                ``text_heads`` are taken where they are.
            consume: Take the tensors out of ``state``, a dictionary then, so that the memory of those that
                have to be converted is free again at once.

        Raises:
            ConfigError: The activation is not said or unknown, or a number of heads does not fit.
            CheckpointError: A tensor is missing, has another shape, or is not part of the network.
        """
        settings = settings or {}
        factor = _factor(settings)
        weights = Weights(state, consume)
        tower = ResNet if "visual.layer1.0.conv1.weight" in state else VisionTransformer
        image = tower(weights, int(settings.get("heads", 0)), factor)
        text = TextTransformer(weights, int(settings.get("text_heads", 0)), factor)
        net = cls(image, text, weights.take("logit_scale"))
        weights.close()
        return net

    def use_products(self, dtype: torch.dtype) -> CLIP:
        """Compute matrix products, convolutions and attention in another precision; return the network."""
        for module in self.modules():
            if isinstance(module, (Linear, Conv)):
                module.to(dtype)
        return self

    def forward(
        self, images: Float[Tensor, "n 3 h w"], ids: Int[Tensor, "t l"]
    ) -> tuple[Float[Tensor, "n t"], Float[Tensor, "t n"]]:
        """Scaled cosines of normalised pictures and token ids: ``(n, t)``, and its transpose."""
        pictures = F.normalize(self.image(images), dim=-1)
        texts = F.normalize(self.text(ids), dim=-1)
        logits = self.logit_scale.exp() * pictures @ texts.T
        return logits, logits.T


def preprocess(
    images: Float[Tensor, "n 3 h w"],
    size: int,
    mean: Sequence[float] = MEAN,
    std: Sequence[float] = STD,
) -> Float[Tensor, "n 3 size size"]:
    """Make any pictures into what the picture tower takes.

    The shorter side is resampled to ``size`` by an antialiased bicubic, the centre is cut out, colours are
    normalised. The reference does this in 8-bit steps and this in floating point.

    Args:
        images: ``(n, 3, h, w)``, display-encoded, in [0, 1].
        size: Side of the result.
        mean: Of red, green and blue.
        std: Of red, green and blue.
    """
    height, width = images.shape[-2:]
    short = min(height, width)
    rows, columns = size * height // short, size * width // short
    # Along one axis after the other, overshoot cut off after each, as the reference does.
    for sides in ((height, columns), (rows, columns)):
        images = F.interpolate(images, size=sides, mode="bicubic", antialias=True).clamp(0, 1)
    top, left = round((rows - size) / 2), round((columns - size) / 2)
    return normalise(images[:, :, top : top + size, left : left + size], mean, std)


def normalise(
    images: Float[Tensor, "n 3 h w"], mean: Sequence[float] = MEAN, std: Sequence[float] = STD
) -> Float[Tensor, "n 3 h w"]:
    """Subtract the mean and divide by the spread of each colour."""
    return (images - images.new_tensor(mean)[:, None, None]) / images.new_tensor(std)[:, None, None]


class Weights:
    """A checkpoint being taken apart: every tensor is asked for once, and none may be left over."""

    def __init__(self, state: Mapping[str, Tensor], consume: bool = False) -> None:
        self.state, self.consume = state, consume
        self.shapes = {name: tensor.shape for name, tensor in state.items()}
        # That counter is read by training only.
        self.left = {name for name in state if not name.endswith(".num_batches_tracked")}

    def take(self, name: str, *shape: int | None) -> Tensor:
        """Return a tensor as float32.

        Raises:
            CheckpointError: It is missing, holds no floating-point numbers, or has another shape.
        """
        if name not in self.left:
            raise CheckpointError(f"CLIP: tensor {name!r} is missing; use a complete, unmodified checkpoint")
        found = self.state[name].detach()
        fits = len(found.shape) == len(shape) and all(
            want in (None, side) for side, want in zip(found.shape, shape, strict=True)
        )
        if not fits or not found.is_floating_point() or not all(found.shape):
            wanted = ", ".join("any" if side is None else str(side) for side in shape)
            raise CheckpointError(
                f"CLIP: {name} holds {found.dtype} of shape {tuple(found.shape)}, floats of shape"
                f" ({wanted}) expected; use a complete, unmodified checkpoint"
            )
        self.left.discard(name)
        if self.consume and isinstance(self.state, dict):
            del self.state[name]
        return found.float()

    def parameter(self, name: str, *shape: int | None) -> nn.Parameter:
        """Return a tensor as a frozen parameter."""
        return nn.Parameter(self.take(name, *shape), requires_grad=False)

    def linear(self, name: str, out: int | None, inputs: int) -> Linear:
        """Return a matrix product with bias."""
        weight = self.take(f"{name}.weight", out, inputs)
        return Linear(weight, self.take(f"{name}.bias", len(weight)))

    def norm(self, name: str, width: int) -> Norm:
        """Return a layer normalisation."""
        return Norm(self.take(f"{name}.weight", width), self.take(f"{name}.bias", width))

    def blocks(self, name: str, width: int, heads: int, factor: float) -> nn.ModuleList:
        """Return the layers of a transformer; at least one has to be there."""
        heads = _heads(width, heads, name)
        count = max(self.count(re.escape(name) + r"\.resblocks\.(\d+)\."), 1)
        return nn.ModuleList(
            Block(self, f"{name}.resblocks.{index}", width, heads, factor) for index in range(count)
        )

    def count(self, pattern: str) -> int:
        """Return how many different numbers the pattern finds; a hole in them shows as missing tensors."""
        return len({found[1] for name in self.shapes if (found := re.match(pattern, name))})

    def axis(self, name: str, axis: int) -> int:
        """Return one side of a tensor that was taken before."""
        return self.shapes[name][axis]

    def close(self) -> None:
        """Make sure that nothing is left over.

        Raises:
            CheckpointError: A tensor is not part of the network.
        """
        if self.left:
            raise CheckpointError(
                f"CLIP: tensor {min(self.left)!r} is not part of the network; use an unmodified checkpoint"
            )


def _factor(settings: Mapping[str, int | float | str]) -> float:
    choices = " or ".join(f"activation={name}" for name in ACTIVATIONS)
    if "activation" not in settings:
        raise ConfigError(
            f"CLIP: nothing says which activation the checkpoint was trained with; say {choices}"
            " (OpenAI's are quick_gelu, most others gelu)"
        )
    if settings["activation"] not in ACTIVATIONS:
        raise ConfigError(f"CLIP: activation is {settings['activation']!r}; say {choices}")
    return ACTIVATIONS[str(settings["activation"])]


def _heads(width: int, heads: int, name: str) -> int:
    if heads < 1 or width % heads:
        raise ConfigError(f"CLIP: {name} of width {width} cannot have {heads} heads; say how many it has")
    return heads


def _grid(name: str, positions: int) -> int:
    side = math.isqrt(positions - 1)
    if side < 1 or side * side != positions - 1:
        raise CheckpointError(
            f"CLIP: {name} has {positions} rows; one more than a square expected (square pictures only)"
        )
    return side


def _biased(linear: Linear) -> Tensor:
    assert linear.bias is not None
    return linear.bias
