"""Laws of the image classifier: folding changes nothing, shapes are inferred, damage is named."""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from dreamplate.errors import CheckpointError, ModelError
from dreamplate.nets.efficientnet_lite import (
    BN_EPS,
    LAYERS,
    MEAN,
    STD,
    STRIDES,
    EfficientNetLite,
    same_padding,
)

DEPTHS = {"lite0": (1, 2, 2, 3, 3, 4, 1), "lite2": (1, 3, 3, 4, 4, 5, 1), "lite4": (1, 4, 4, 6, 6, 8, 1)}
WIDTHS = {
    "lite0": (16, 24, 40, 80, 112, 192, 320),
    "lite2": (16, 24, 48, 88, 120, 208, 352),
    "lite4": (24, 32, 56, 112, 160, 272, 448),
}
KERNELS = (3, 3, 5, 3, 5, 5, 3)


def checkpoint(kind: str, classes: int = 7, seed: int = 0) -> dict[str, Tensor]:
    """A checkpoint of random weights in the layout of the PyTorch port."""
    g = torch.Generator().manual_seed(seed)
    state: dict[str, Tensor] = {}

    def conv(name: str, norm: str, out: int, inside: int, kernel: int) -> None:
        state[f"{name}.weight"] = (
            torch.randn(out, inside, kernel, kernel, generator=g) / (inside * kernel**2) ** 0.5
        )
        state[f"{norm}.weight"] = 1 + 0.3 * torch.randn(out, generator=g)
        state[f"{norm}.bias"] = 0.5 * torch.randn(out, generator=g)
        state[f"{norm}.running_mean"] = 0.3 * torch.randn(out, generator=g)
        state[f"{norm}.running_var"] = 0.2 + torch.rand(out, generator=g)
        state[f"{norm}.num_batches_tracked"] = torch.tensor(5)

    conv("_conv_stem", "_bn0", 32, 3, 3)
    inside, index = 32, 0
    for stage, (depth, width, kernel) in enumerate(zip(DEPTHS[kind], WIDTHS[kind], KERNELS, strict=True)):
        for _ in range(depth):
            prefix, wide = f"_blocks.{index}.", inside * (1 if stage == 0 else 6)
            if stage:
                conv(f"{prefix}_expand_conv", f"{prefix}_bn0", wide, inside, 1)
            conv(f"{prefix}_depthwise_conv", f"{prefix}_bn1", wide, 1, kernel)
            conv(f"{prefix}_project_conv", f"{prefix}_bn2", width, wide, 1)
            inside, index = width, index + 1
    conv("_conv_head", "_bn1", 1280, inside, 1)
    state["_fc.weight"], state["_fc.bias"] = (
        torch.randn(classes, 1280, generator=g),
        torch.randn(classes, generator=g),
    )
    return state


def plain_forward(state: dict[str, Tensor], x: Tensor, kind: str) -> Tensor:
    """The network as the checkpoint means it: convolution, then batch normalisation, nothing folded."""

    def conv(x: Tensor, name: str, norm: str, stride: int = 1) -> Tensor:
        w = state[f"{name}.weight"]
        k = w.shape[-1]
        pads = []
        for side in (x.shape[-1], x.shape[-2]):
            total = max((-(-side // stride) - 1) * stride + k - side, 0)
            pads += [total // 2, total - total // 2]
        groups = w.shape[0] if w.shape[1] == 1 else 1
        y = F.conv2d(F.pad(x, pads), w, None, stride, groups=groups)
        keys = ("running_mean", "running_var", "weight", "bias")
        return F.batch_norm(y, *(state[f"{norm}.{key}"] for key in keys), eps=BN_EPS)

    x = conv((x - MEAN) / STD, "_conv_stem", "_bn0", 2).clamp(0, 6)
    index = 0
    for stage, depth in enumerate(DEPTHS[kind]):
        for repeat in range(depth):
            prefix, y = f"_blocks.{index}.", x
            if stage:
                y = conv(y, f"{prefix}_expand_conv", f"{prefix}_bn0").clamp(0, 6)
            stride = STRIDES[stage] if repeat == 0 else 1
            y = conv(y, f"{prefix}_depthwise_conv", f"{prefix}_bn1", stride).clamp(0, 6)
            y = conv(y, f"{prefix}_project_conv", f"{prefix}_bn2")
            x = (
                x + y if repeat else y
            )  # block 0 narrows 32 to 16, so no first block of a stage adds its input
            index += 1
    x = conv(x, "_conv_head", "_bn1").clamp(0, 6)
    return F.linear(x.mean((2, 3)), state["_fc.weight"], state["_fc.bias"])


@pytest.mark.parametrize(("kind", "side"), [("lite0", 64), ("lite0", 97), ("lite2", 68)])
@pytest.mark.parametrize("layout", [torch.contiguous_format, torch.channels_last])
def test_folded_equals_unfolded(kind: str, side: int, layout: torch.memory_format) -> None:
    state = checkpoint(kind)
    x = torch.rand(2, 3, side, side, generator=torch.Generator().manual_seed(1))
    net = EfficientNetLite.from_state(state).to(memory_format=layout)
    want = plain_forward(state, x, kind)
    got = net(x.contiguous(memory_format=layout))
    assert torch.linalg.norm(got - want) <= 1e-5 * torch.linalg.norm(want)


@pytest.mark.parametrize(("kind", "size"), [("lite0", 224), ("lite2", 260), ("lite4", 300)])
def test_kind_is_inferred_from_shapes(kind: str, size: int) -> None:
    net = EfficientNetLite.from_state(checkpoint(kind))
    assert net.size == size
    assert tuple(len(stage) for stage in net.stages) == DEPTHS[kind]


@pytest.mark.parametrize("side", [7, 8, 112, 113, 224])
@pytest.mark.parametrize(("kernel", "stride"), [(3, 1), (3, 2), (5, 1), (5, 2)])
def test_same_padding_gives_the_rounded_up_side(side: int, kernel: int, stride: int) -> None:
    before, after = same_padding(side, kernel, stride)
    assert (side + before + after - kernel) // stride + 1 == -(-side // stride)
    assert 0 <= after - before <= 1


def test_features_agree_with_forward_and_stop_early() -> None:
    net = EfficientNetLite.from_state(checkpoint("lite0"))
    x = torch.rand(1, 3, 64, 64, generator=torch.Generator().manual_seed(2))
    every = net.features(x, LAYERS)
    assert tuple(every) == LAYERS
    assert [every[name].shape[-1] for name in LAYERS] == [32, 32, 16, 8, 4, 4, 2, 2, 2, 1280]
    for name in ("stem", "stage3", "head"):  # a later in-place activation must not reach an earlier result
        torch.testing.assert_close(net.features(x, [name])[name], every[name])
    torch.testing.assert_close(net.fc(every["pooled"]), net(x))
    calls: list[int] = []
    net.head.register_forward_hook(lambda *_: calls.append(1))
    net.features(x, ["stage7"])
    assert not calls
    net.features(x, ["head"])
    assert calls


def test_gradients_reach_the_picture_and_no_weight() -> None:
    net = EfficientNetLite.from_state(checkpoint("lite0")).double()
    x = torch.rand(
        1, 3, 40, 40, generator=torch.Generator().manual_seed(3), dtype=torch.double, requires_grad=True
    )
    direction = torch.randn(x.shape, generator=torch.Generator().manual_seed(4), dtype=torch.double)
    net(x)[0, 0].backward()
    assert x.grad is not None
    step = 1e-6
    with torch.no_grad():
        slope = (net(x + step * direction) - net(x - step * direction))[0, 0] / (2 * step)
    assert abs((x.grad * direction).sum() - slope) <= 1e-5 * abs(slope)
    assert all(not p.requires_grad and p.grad is None for p in net.parameters())


def test_bfloat16_products_stay_close() -> None:
    state = checkpoint("lite0")
    x = torch.rand(2, 3, 64, 64, generator=torch.Generator().manual_seed(5))
    want = EfficientNetLite.from_state(state).features(x)["pooled"]
    got = EfficientNetLite.from_state(state).use_products(torch.bfloat16).features(x)["pooled"]
    assert got.dtype == torch.float32
    error = torch.linalg.norm(got - want) / torch.linalg.norm(want)
    assert 0 < error < 0.03


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda s: s.pop("_blocks.3._bn1.bias"), "_blocks.3._bn1.bias' is missing"),
        (lambda s: s.update(extra=torch.zeros(1)), "'extra' is not part"),
        (lambda s: s.update({"_bn1.weight": torch.zeros(3)}), "_bn1 holds shape (3,)"),
        (lambda s: s.update({"_conv_head.weight": torch.zeros(1280, 9, 1, 1)}), "_conv_head takes 9"),
        (lambda s: s.update({"_blocks.2._expand_conv.weight": torch.zeros(144, 9, 1, 1)}), "takes 9"),
        (lambda s: s.update({"_fc.weight": torch.zeros(7, 9)}), "_fc"),
        (lambda s: s.update({"_conv_stem.weight": torch.zeros(32, 3)}), "_conv_stem"),
        (lambda s: s.clear(), "_conv_stem.weight' is missing"),
    ],
)
def test_damaged_checkpoints_are_named(change, words: str) -> None:
    state = checkpoint("lite0")
    change(state)
    with pytest.raises(CheckpointError) as caught:
        EfficientNetLite.from_state(state)
    assert words in str(caught.value)
    assert "\n" not in str(caught.value)


def test_unknown_layer_lists_the_choices() -> None:
    net = EfficientNetLite.from_state(checkpoint("lite0"))
    with pytest.raises(ModelError, match="'stage9' is unknown: choose from stem"):
        net.features(torch.zeros(1, 3, 32, 32), ["stage9"])
