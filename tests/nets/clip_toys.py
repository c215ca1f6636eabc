"""Small CLIP checkpoints of random weights, in OpenAI's layout, and a small tokenizer folder."""

from __future__ import annotations

import json
from pathlib import Path

import torch
from torch import Tensor

from dreamplate.nets.clip_tokens import MARKERS, byte_signs

MERGES = (("c", "a"), ("ca", "t</w>"), ("d", "o"), ("do", "g</w>"), ("t", "h"), ("th", "e</w>"))
VOCABULARY = 512 + len(MERGES) + 2


def vit_state(
    seed: int = 0, width: int = 64, patch: int = 8, grid: int = 3, dim: int = 32
) -> dict[str, Tensor]:
    """A Vision Transformer of two layers and a text tower of two."""
    draw = _Draw(seed)
    state = draw.blocks("visual.transformer", 2, width) | draw.text(64, dim)
    state["visual.conv1.weight"] = draw(width, 3, patch, patch, scale=0.1)
    state["visual.class_embedding"] = draw(width)
    state["visual.positional_embedding"] = draw(grid * grid + 1, width)
    state["visual.proj"] = draw(width, dim, scale=width**-0.5)
    return state | draw.norm("visual.ln_pre", width) | draw.norm("visual.ln_post", width)


def resnet_state(seed: int = 0, dim: int = 32) -> dict[str, Tensor]:
    """A ResNet of five blocks at 64 pixels, and a text tower of two layers."""
    draw = _Draw(seed)
    state = draw.text(64, dim)
    inner, inside = 4, 3
    for index, out in enumerate((2, 2, 4), 1):
        state |= draw.conv(f"visual.conv{index}", f"visual.bn{index}", out, inside, 3)
        inside = out
    for stage, depth in enumerate((2, 1, 1, 1), 1):
        for index in range(depth):
            name = f"visual.layer{stage}.{index}"
            state |= draw.conv(f"{name}.conv1", f"{name}.bn1", inner, inside, 1)
            state |= draw.conv(f"{name}.conv2", f"{name}.bn2", inner, inner, 3)
            state |= draw.conv(f"{name}.conv3", f"{name}.bn3", 4 * inner, inner, 1)
            if index == 0:
                state |= draw.conv(f"{name}.downsample.0", f"{name}.downsample.1", 4 * inner, inside, 1)
            inside = 4 * inner
        inner *= 2
    state["visual.attnpool.positional_embedding"] = draw(5, inside)
    for part, out in zip("qkvc", (inside, inside, inside, dim), strict=True):
        state[f"visual.attnpool.{part}_proj.weight"] = draw(out, inside, scale=inside**-0.5)
        state[f"visual.attnpool.{part}_proj.bias"] = draw(out)
    return state


class _Draw:
    def __init__(self, seed: int) -> None:
        self.generator = torch.Generator().manual_seed(seed)

    def __call__(self, *shape: int, scale: float = 0.1) -> Tensor:
        return torch.randn(shape, generator=self.generator) * scale

    def norm(self, name: str, width: int) -> dict[str, Tensor]:
        return {f"{name}.weight": 1 + self(width), f"{name}.bias": self(width)}

    def conv(self, name: str, norm: str, out: int, inside: int, kernel: int) -> dict[str, Tensor]:
        weight = self(out, inside, kernel, kernel, scale=(inside * kernel**2) ** -0.5)
        moments = {"running_mean": self(out), "running_var": 0.2 + self(out).abs()}
        counter = {f"{norm}.num_batches_tracked": torch.tensor(7)}
        named = {f"{norm}.{key}": value for key, value in moments.items()}
        return {f"{name}.weight": weight} | self.norm(norm, out) | named | counter

    def blocks(self, name: str, depth: int, width: int) -> dict[str, Tensor]:
        state: dict[str, Tensor] = {}
        for index in range(depth):
            block = f"{name}.resblocks.{index}"
            shapes = {
                "attn.in_proj": (3 * width, width),
                "attn.out_proj": (width, width),
                "mlp.c_fc": (4 * width, width),
                "mlp.c_proj": (width, 4 * width),
            }
            for part, shape in shapes.items():
                mark = "_" if part == "attn.in_proj" else "."
                state[f"{block}.{part}{mark}weight"] = self(*shape, scale=shape[1] ** -0.5)
                state[f"{block}.{part}{mark}bias"] = self(shape[0])
            state |= self.norm(f"{block}.ln_1", width) | self.norm(f"{block}.ln_2", width)
        return state

    def text(self, width: int, dim: int) -> dict[str, Tensor]:
        return (
            self.blocks("transformer", 2, width)
            | self.norm("ln_final", width)
            | {
                "token_embedding.weight": self(VOCABULARY, width, scale=1.0),
                "positional_embedding": self(77, width),
                "text_projection": self(width, dim, scale=width**-0.5),
                "logit_scale": torch.tensor(2.0),
            }
        )


def to_hugging_face(state: dict[str, Tensor]) -> dict[str, Tensor]:
    """Write a Vision Transformer checkpoint by Hugging Face's names."""
    plain = {
        "visual.class_embedding": "vision_model.embeddings.class_embedding",
        "visual.conv1.weight": "vision_model.embeddings.patch_embedding.weight",
        "visual.positional_embedding": "vision_model.embeddings.position_embedding.weight",
        "token_embedding.weight": "text_model.embeddings.token_embedding.weight",
        "positional_embedding": "text_model.embeddings.position_embedding.weight",
        "logit_scale": "logit_scale",
    }
    starts = {
        "visual.ln_pre": "vision_model.pre_layrnorm",
        "visual.ln_post": "vision_model.post_layernorm",
        "ln_final": "text_model.final_layer_norm",
        "visual.transformer.resblocks": "vision_model.encoder.layers",
        "transformer.resblocks": "text_model.encoder.layers",
    }
    inside = {
        "ln_1": "layer_norm1",
        "ln_2": "layer_norm2",
        "attn": "self_attn",
        "c_fc": "fc1",
        "c_proj": "fc2",
    }
    made: dict[str, Tensor] = {}
    for name, tensor in state.items():
        if name in plain:
            made[plain[name]] = tensor
            continue
        if name in ("visual.proj", "text_projection"):
            made["visual_projection.weight" if "visual" in name else name + ".weight"] = tensor.T.contiguous()
            continue
        start = next(key for key in starts if name.startswith(key))
        rest = ".".join(inside.get(part, part) for part in name.removeprefix(start).split("."))
        renamed = starts[start] + rest
        if "in_proj_" in renamed:
            for part, piece in zip("qkv", tensor.chunk(3), strict=True):
                made[renamed.replace("in_proj_", f"{part}_proj.")] = piece.contiguous()
        else:
            made[renamed] = tensor
    made["text_model.embeddings.position_ids"] = torch.arange(77)[None]
    return made


def write_tokenizer(folder: Path, whole: bool = False) -> None:
    """Write a tokenizer of six merges as ``tokenizer.json``, or as ``vocab.json`` and ``merges.txt``."""
    signs = sorted(byte_signs(), key=lambda sign: (ord(sign) >= 256, ord(sign)))
    words = [*signs, *(sign + "</w>" for sign in signs), *("".join(pair) for pair in MERGES), *MARKERS]
    vocabulary = {word: index for index, word in enumerate(words)}
    folder.mkdir(parents=True, exist_ok=True)
    if whole:
        model = {"type": "BPE", "end_of_word_suffix": "</w>", "vocab": vocabulary, "merges": MERGES}
        text = json.dumps({"model": model, "added_tokens": []})
        (folder / "tokenizer.json").write_text(text, encoding="utf-8")
        return
    (folder / "vocab.json").write_text(json.dumps(vocabulary), encoding="utf-8")
    lines = ["#version: 0.2", *(" ".join(pair) for pair in MERGES)]
    (folder / "merges.txt").write_text("\n".join(lines) + "\n", encoding="utf-8")
