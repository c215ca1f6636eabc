"""Laws of CLIP: it is the reference's function, however it is computed, and damage is named."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch
import torch.nn.functional as F
from clip_toys import resnet_state, vit_state
from safetensors.torch import load_file
from torch import Tensor, nn

from dreamplate.errors import CheckpointError, ConfigError
from dreamplate.nets.clip import CLIP, MEAN, STD, ResNet, VisionTransformer, preprocess

QUICK = {"activation": "quick_gelu"}
PARITY = ["clip_vit", "clip_resnet"]


def noise(*shape: int, seed: int = 1, dtype: torch.dtype = torch.float32) -> Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed), dtype=dtype)


def close(found: Tensor, wanted: Tensor, error: float = 1e-5) -> bool:
    return bool((found - wanted).abs().max() <= error * wanted.abs().max())


# Parity with the reference.


@pytest.mark.parametrize("fixture", PARITY)
def test_parity_features_and_logits(shared_dir: Path, fixture: str) -> None:
    folder = shared_dir / "parity" / fixture
    about = json.loads((folder / "about.json").read_text(encoding="utf-8"))
    io = load_file(folder / "io.safetensors")
    arguments = about["constructor_arguments"]
    heads = {"text_heads": arguments["transformer_heads"]}
    net = CLIP.from_state(load_file(folder / "weights.safetensors"), QUICK | heads)
    assert (net.size, net.dim) == (arguments["image_resolution"], arguments["embed_dim"])
    assert (net.context, net.vocabulary) == (arguments["context_length"], arguments["vocab_size"])
    per_image, per_text = net(io["in.image"], io["in.tokens"])
    found = {
        "out.image_features": net.image(io["in.image"]),
        "out.text_features": net.text(io["in.tokens"]),
        "out.logits_per_image": per_image,
        "out.logits_per_text": per_text,
    }
    tolerance = about["tolerance"]
    for name, tensor in found.items():
        torch.testing.assert_close(
            tensor, io[name], atol=tolerance["max_abs_error"], rtol=tolerance["relative_error"]
        )


@pytest.mark.parametrize("fixture", PARITY)
def test_parity_preprocessing(shared_dir: Path, fixture: str) -> None:
    folder = shared_dir / "parity" / fixture
    io = load_file(folder / "io.safetensors")
    wanted = io["out.preprocessed"]
    images = io["in.raw_image_u8"].permute(2, 0, 1)[None] / 255
    found = preprocess(images, wanted.shape[-1])[0]
    assert (found - wanted).abs().max() <= 0.02  # allowed by about.json to a floating-point bicubic


# The same function, computed plainly.


class PlainAttention(nn.Module):
    """A layer as the reference writes it, on torch's own modules."""

    def __init__(self, state: dict[str, Tensor], name: str, width: int, heads: int, quick: bool) -> None:
        super().__init__()
        self.attn = nn.MultiheadAttention(width, heads)
        self.ln_1, self.ln_2 = nn.LayerNorm(width), nn.LayerNorm(width)
        self.mlp = nn.ModuleDict({"c_fc": nn.Linear(width, 4 * width), "c_proj": nn.Linear(4 * width, width)})
        own = {key.removeprefix(name): value for key, value in state.items() if key.startswith(name)}
        self.load_state_dict(own)
        self.quick = quick

    def forward(self, x: Tensor, mask: Tensor | None = None) -> Tensor:
        y = self.ln_1(x)
        x = x + self.attn(y, y, y, need_weights=False, attn_mask=mask)[0]
        y = self.mlp["c_fc"](self.ln_2(x))
        y = y * torch.sigmoid(1.702 * y) if self.quick else F.gelu(y)
        return x + self.mlp["c_proj"](y)


def plain_image(state: dict[str, Tensor], images: Tensor, heads: int, quick: bool) -> Tensor:
    weight = state["visual.conv1.weight"]
    x = F.conv2d(images, weight, stride=weight.shape[-1]).flatten(2).transpose(1, 2)
    x = torch.cat([state["visual.class_embedding"].expand(len(x), 1, -1), x], 1)
    x = F.layer_norm(
        x + state["visual.positional_embedding"],
        (len(weight),),
        state["visual.ln_pre.weight"],
        state["visual.ln_pre.bias"],
    )
    x = x.transpose(0, 1)
    for index in range(2):
        name = f"visual.transformer.resblocks.{index}."
        x = PlainAttention(state, name, len(weight), heads, quick)(x)
    x = F.layer_norm(x[0], (len(weight),), state["visual.ln_post.weight"], state["visual.ln_post.bias"])
    return x @ state["visual.proj"]


def plain_text(state: dict[str, Tensor], ids: Tensor, quick: bool) -> Tensor:
    width = state["token_embedding.weight"].shape[1]
    x = (state["token_embedding.weight"][ids] + state["positional_embedding"]).transpose(0, 1)
    mask = torch.full((77, 77), -torch.inf).triu(1)
    for index in range(2):
        x = PlainAttention(state, f"transformer.resblocks.{index}.", width, 1, quick)(x, mask)
    x = F.layer_norm(x, (width,), state["ln_final.weight"], state["ln_final.bias"]).transpose(0, 1)
    return x[torch.arange(len(ids)), ids.argmax(-1)] @ state["text_projection"]


@pytest.mark.parametrize("activation", ["quick_gelu", "gelu"])
@pytest.mark.parametrize("heads", [1, 4])
def test_towers_equal_the_plain_form(activation: str, heads: int) -> None:
    state = vit_state()
    net = CLIP.from_state(state, {"activation": activation, "heads": heads})
    images = noise(2, 3, net.size, net.size)
    wanted = plain_image(state, images, heads, activation == "quick_gelu")
    assert close(net.image(images), wanted)
    ids = torch.zeros((3, 77), dtype=torch.long)
    for row, length in zip(ids, (1, 9, 75), strict=True):
        row[0], row[length + 1] = net.vocabulary - 2, net.vocabulary - 1
        row[1 : length + 1] = torch.arange(length) + 5
    assert close(net.text(ids), plain_text(state, ids, activation == "quick_gelu"))


def test_activations_differ() -> None:
    images = noise(1, 3, 24, 24)
    quick, exact = (
        CLIP.from_state(vit_state(), {"activation": name}).image(images) for name in ("quick_gelu", "gelu")
    )
    assert not close(quick, exact, 1e-3)


def plain_resnet(state: dict[str, Tensor], x: Tensor) -> Tensor:
    def conv(x: Tensor, name: str, norm: str, stride: int = 1) -> Tensor:
        weight = state[f"{name}.weight"]
        x = F.conv2d(x, weight, None, stride, weight.shape[-1] // 2)
        keys = ("running_mean", "running_var", "weight", "bias")
        return F.batch_norm(x, *(state[f"{norm}.{key}"] for key in keys))

    for index in (1, 2, 3):
        x = conv(x, f"visual.conv{index}", f"visual.bn{index}", 2 if index == 1 else 1).relu()
    x = F.avg_pool2d(x, 2)
    for stage, depth in enumerate((2, 1, 1, 1), 1):
        for index in range(depth):
            name = f"visual.layer{stage}.{index}"
            y = conv(x, f"{name}.conv1", f"{name}.bn1").relu()
            y = conv(y, f"{name}.conv2", f"{name}.bn2").relu()
            if stage > 1:
                x, y = F.avg_pool2d(x, 2), F.avg_pool2d(y, 2)
            y = conv(y, f"{name}.conv3", f"{name}.bn3")
            x = conv(x, f"{name}.downsample.0", f"{name}.downsample.1") if index == 0 else x
            x = (x + y).relu()
    rows = x.flatten(2).permute(2, 0, 1)
    rows = (
        torch.cat([rows.mean(0, keepdim=True), rows]) + state["visual.attnpool.positional_embedding"][:, None]
    )
    width = rows.shape[-1]
    parts = {part: state[f"visual.attnpool.{part}_proj.weight"] for part in "qkvc"}
    pooled, _ = F.multi_head_attention_forward(
        rows[:1], rows, rows, width, 4 * 32 // 64, None,
        torch.cat([state[f"visual.attnpool.{part}_proj.bias"] for part in "qkv"]), None, None, False, 0.0,
        parts["c"], state["visual.attnpool.c_proj.bias"], need_weights=False, use_separate_proj_weight=True,
        q_proj_weight=parts["q"], k_proj_weight=parts["k"], v_proj_weight=parts["v"],
    )  # fmt: skip
    return pooled[0]


def test_resnet_equals_the_plain_form_and_tells_its_layers() -> None:
    state = resnet_state()
    net = CLIP.from_state(state, QUICK)
    assert isinstance(net.image, ResNet)
    images = noise(2, 3, 64, 64)
    wanted = plain_resnet(state, images)
    assert close(net.image(images), wanted, 1e-4)
    vectors, layers = net.image.with_layers(images)
    assert close(vectors, wanted, 1e-4)
    assert [layer.values.shape[1] for layer in layers] == [16, 16, 32, 64, 128]
    torch.testing.assert_close(layers[-1].mean, state["visual.layer4.0.bn3.bias"])
    torch.testing.assert_close(layers[-1].std, state["visual.layer4.0.bn3.weight"].abs())


# Dense features and other grids.


def test_a_single_place_has_the_feature_of_the_pooled_whole() -> None:
    net = CLIP.from_state(resnet_state(), QUICK)
    images = noise(1, 3, 64, 96)
    dense = net.image.dense(images)
    assert dense.shape == (1, 32, 2, 3)
    last = net.image.features(images)
    place = net.image.project(net.image.value(last[:, :, 1, 2]))
    assert close(dense[:, :, 1, 2], place)


def test_patches_of_the_dense_map_lie_where_they_are_in_the_picture() -> None:
    net = CLIP.from_state(vit_state(), QUICK)
    images = torch.zeros(1, 3, 40, 24)
    changed = images.clone()
    changed[:, :, 24:32, 8:16] = 3.0
    before, after = (net.image.dense(x) for x in (images, changed))
    assert before.shape == (1, 32, 5, 3)
    change = (after - before).norm(dim=1)[0]
    assert divmod(int(change.argmax()), 3) == (3, 1)


def test_positions_of_the_trained_grid_are_untouched_and_others_resampled() -> None:
    net = CLIP.from_state(vit_state(), QUICK)
    assert isinstance(net.image, VisionTransformer)
    assert torch.equal(net.image.places(3, 3), net.image.positions)
    wide = net.image.places(3, 6)
    assert wide.shape == (19, 64)
    assert torch.equal(wide[0], net.image.positions[0])
    mean = wide[1:].mean(0) - net.image.positions[1:].mean(0)
    assert mean.abs().max() < 0.02


# What dreaming needs of it.


@pytest.mark.parametrize("make", [vit_state, resnet_state])
def test_gradients_reach_the_picture_and_no_weight(make) -> None:
    net = CLIP.from_state(make(), QUICK).double()
    x = noise(1, 3, net.size, net.size, dtype=torch.double).requires_grad_()
    way, out = noise(*x.shape, seed=2, dtype=torch.double), noise(32, seed=3, dtype=torch.double)
    (net.image(x)[0] @ out).backward()
    with torch.no_grad():
        slope = ((net.image(x + 1e-6 * way) - net.image(x - 1e-6 * way))[0] @ out) / 2e-6
    assert x.grad is not None
    assert abs((x.grad * way).sum() - slope) <= 1e-4 * abs(slope) + 1e-8
    assert all(not weight.requires_grad and weight.grad is None for weight in net.parameters())


@pytest.mark.parametrize("make", [vit_state, resnet_state])
def test_bfloat16_products_stay_close(make) -> None:
    images = noise(2, 3, 64 if make is resnet_state else 24, 64 if make is resnet_state else 24)
    want = CLIP.from_state(make(), QUICK).image(images)
    net = CLIP.from_state(make(), QUICK).use_products(torch.bfloat16)
    got = net.image(images).float()
    assert 0 < torch.linalg.norm(got - want) / torch.linalg.norm(want) < 0.05
    ids = torch.tensor([[net.vocabulary - 2, 7, net.vocabulary - 1]])
    want = CLIP.from_state(make(), QUICK).text(ids)
    assert F.cosine_similarity(net.text(ids).float(), want).min() > 0.99


def test_text_does_not_depend_on_its_neighbours_or_padding() -> None:
    net = CLIP.from_state(vit_state(), QUICK)
    short = torch.tensor([[net.vocabulary - 2, 7, net.vocabulary - 1]])
    padded = F.pad(short, (0, 74))
    both = padded.repeat(2, 1)
    both[1, 1:60], both[1, 60] = 9, net.vocabulary - 1
    assert close(net.text(padded), net.text(short))
    assert close(net.text(both)[:1], net.text(short))


@pytest.mark.parametrize("shape", [(45, 61), (61, 45), (24, 24), (300, 24)])
def test_preprocessing_gives_a_normalised_square(shape: tuple[int, int]) -> None:
    grey = torch.full((2, 3, *shape), 0.5)
    found = preprocess(grey, 24)
    wanted = (0.5 - torch.tensor(MEAN)) / torch.tensor(STD)
    assert found.shape == (2, 3, 24, 24)
    torch.testing.assert_close(found, wanted[:, None, None].expand(2, 3, 24, 24), atol=1e-5, rtol=0)


# Bad input.


@pytest.mark.parametrize("settings", [{}, {"heads": 1}])
def test_an_untold_activation_is_asked_for(settings: dict[str, int]) -> None:
    with pytest.raises(ConfigError, match="activation=quick_gelu or activation=gelu"):
        CLIP.from_state(vit_state(), settings)


def test_unknown_activation_and_heads() -> None:
    with pytest.raises(ConfigError, match="activation is 'relu'"):
        CLIP.from_state(vit_state(), {"activation": "relu"})
    with pytest.raises(ConfigError, match=r"visual\.transformer of width 64 cannot have 7 heads"):
        CLIP.from_state(vit_state(), QUICK | {"heads": 7})
    with pytest.raises(ConfigError, match="width 48 cannot have 0 heads"):
        CLIP.from_state(vit_state(width=48), QUICK)


@pytest.mark.parametrize(
    ("make", "change", "words"),
    [
        (vit_state, lambda s: s.pop("visual.ln_post.bias"), "'visual.ln_post.bias' is missing"),
        (vit_state, lambda s: s.pop("logit_scale"), "'logit_scale' is missing"),
        (vit_state, lambda s: s.pop("transformer.resblocks.1.mlp.c_fc.bias"), "c_fc.bias' is missing"),
        (vit_state, lambda s: s.update(extra=torch.zeros(1)), "'extra' is not part"),
        (vit_state, lambda s: s.update({"visual.proj": torch.zeros(9, 32)}), "visual.proj holds"),
        (vit_state, lambda s: s.update({"visual.proj": torch.zeros(64, 9)}), "text_projection gives 32"),
        (vit_state, lambda s: s.update({"visual.positional_embedding": torch.zeros(9, 64)}), "has 9 rows"),
        (vit_state, lambda s: s.update({"ln_final.bias": torch.zeros(64).int()}), "torch.int32"),
        (vit_state, lambda s: s.update({"visual.conv1.weight": torch.zeros(64, 3, 8, 4)}), "squares"),
        (vit_state, lambda s: s.update({"token_embedding.weight": torch.zeros(0, 64)}), "(0, 64)"),
        (vit_state, lambda s: s.clear(), "'visual.conv1.weight' is missing"),
        (resnet_state, lambda s: s.pop("visual.layer3.0.bn2.running_var"), "running_var' is missing"),
        (resnet_state, lambda s: s.pop("visual.layer1.1.conv2.weight"), "conv2.weight' is missing"),
        (resnet_state, lambda s: s.pop("visual.attnpool.c_proj.bias"), "c_proj.bias' is missing"),
    ],
)
def test_damaged_checkpoints_are_named(make, change, words: str) -> None:
    state = make()
    change(state)
    with pytest.raises(CheckpointError) as caught:
        CLIP.from_state(state, QUICK)
    assert words in str(caught.value)
    assert "\n" not in str(caught.value)
