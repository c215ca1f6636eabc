"""A made-up dalle-mini in its published layout: tiny, of random weights; a plain twin of its arithmetic.

Names and shapes are written out here, not taken from the importer that reads them.
"""

from __future__ import annotations

import json
import math
from pathlib import Path

import torch
from torch import Tensor

from dreamplate.models.state import save_state

WIDTH, INNER, LAYERS, CELLS, CODES, LATENT, LENGTH = 128, 40, 2, 16, 24, 6, 12
WIDTHS, BLOCKS, INPUTS = (32, 32, 64), 2, 27
PIECES = [
    *("<s>", "<pad>", "</s>", "<unk>", "Ġ"), *"abcdefghijklmnopqrstuvwxyz", ",",
    "ed", "Ġr", "Ġred", "Ġb", "ar", "Ġbar", "Ġbarn",
]  # fmt: skip
MERGES = "#version: 0.2\ne d\nĠ r\nĠr ed\nĠ b\na r\nĠb ar\nĠbar n\n"

State = dict[str, Tensor]


class Maker:
    """Collects random tensors by name."""

    def __init__(self, seed: int) -> None:
        self.draws, self.state = torch.Generator().manual_seed(seed), State()

    def put(self, name: str, *shape: int, spread: float = 1.0, centre: float = 0.0) -> None:
        self.state[name] = centre + spread * torch.randn(shape, generator=self.draws)

    def norm(self, name: str, width: int, *, scale: bool = True) -> None:
        if scale:
            self.put(f"{name}.weight", width, spread=0.3, centre=1.0)
        self.put(f"{name}.bias", width, spread=0.3)

    def dense(self, name: str, out: int, inside: int) -> None:
        self.put(f"{name}.weight", out, inside, spread=2 * inside**-0.5)

    def conv(self, name: str, out: int, inside: int, side: int) -> None:
        self.put(f"{name}.weight", out, inside, side, side, spread=(inside * side * side) ** -0.5)
        self.put(f"{name}.bias", out, spread=0.1)


def transformer(decodes: bool, seed: int, *, scales: bool = True) -> State:
    """Return the tensors of ``decoder.pt`` or ``encoder.pt``; without ``scales`` as they were trained."""
    made = Maker(seed)
    made.put("embed_tokens.weight", INPUTS if decodes else len(PIECES) + 2, WIDTH)
    made.put("embed_positions.weight", CELLS if decodes else LENGTH, WIDTH)
    made.norm("layernorm_embedding", WIDTH)
    made.norm("final_ln", WIDTH, scale=scales)
    for layer in range(LAYERS):
        stem = f"layers.{layer}"
        for kind in ("self", "encoder") if decodes else ("self",):
            made.norm(f"{stem}.pre_{kind}_attn_layer_norm", WIDTH, scale=scales)
            made.norm(f"{stem}.{kind}_attn_layer_norm", WIDTH)
            for part in ("k_proj", "v_proj", "q_proj", "out_proj"):
                made.dense(f"{stem}.{kind}_attn.{part}", WIDTH, WIDTH)
        made.norm(f"{stem}.glu.ln0", WIDTH, scale=scales)
        made.norm(f"{stem}.glu.ln1", INNER, scale=scales)
        made.dense(f"{stem}.glu.fc0", INNER, WIDTH)
        made.dense(f"{stem}.glu.fc1", INNER, WIDTH)
        made.dense(f"{stem}.glu.fc2", WIDTH, INNER)
    if decodes:
        made.dense("lm_head", INPUTS, WIDTH)
    return made.state


def vqgan(seed: int) -> State:
    """Return the tensors of ``detoker.pt``: three levels, attention in the smallest."""
    made = Maker(seed)

    def block(name: str, inside: int, out: int) -> None:
        made.norm(f"{name}.norm1", inside)
        made.conv(f"{name}.conv1", out, inside, 3)
        made.norm(f"{name}.norm2", out)
        made.conv(f"{name}.conv2", out, out, 3)
        if inside != out:
            made.conv(f"{name}.nin_shortcut", out, inside, 1)

    def look(name: str, width: int) -> None:
        made.norm(f"{name}.norm", width)
        for part in ("q", "k", "v", "proj_out"):
            made.conv(f"{name}.{part}", width, width, 1)

    made.put("embedding.weight", CODES, LATENT)
    made.conv("post_quant_conv", LATENT, LATENT, 1)
    made.conv("decoder.conv_in", 64, LATENT, 3)
    block("decoder.mid.block_1", 64, 64)
    look("decoder.mid.attn_1", 64)
    block("decoder.mid.block_2", 64, 64)
    for level, inside, out in ((2, 64, 64), (1, 64, 32), (0, 32, 32)):
        for index in range(BLOCKS):
            block(f"decoder.up.{level}.block.{index}", out if index else inside, out)
            if level == 2:
                look(f"decoder.up.{level}.attn.{index}", out)
        if level:
            made.conv(f"decoder.up.{level}.upsample.conv", out, out, 3)
    made.norm("decoder.norm_out", 32)
    made.conv("decoder.conv_out", 3, 32, 3)
    return made.state


def parts(*, scales: bool = True) -> dict[str, State]:
    """Return the tensors of each file."""
    return {
        "encoder": transformer(False, 1, scales=scales),
        "decoder": transformer(True, 2, scales=scales),
        "detoker": vqgan(3),
    }


def write(folder: Path, files: dict[str, State], suffix: str = ".pt", tail: str = "") -> Path:
    """Write files and lists of words as they are published, and return the folder."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, state in files.items():
        place = folder / f"{name}{'' if name == 'detoker' else tail}{suffix}"
        if suffix == ".safetensors":
            save_state(place, state)
        else:
            torch.save(state, place)
    table = {piece: number for number, piece in enumerate(PIECES)}
    (folder / f"vocab{tail}.json").write_text(json.dumps(table), encoding="utf-8")
    (folder / f"merges{tail}.txt").write_text(MERGES, encoding="utf-8")
    return folder


# The plain twin: no cache, no batch, one vector after another, in float64.


def plain_norm(state: State, name: str, x: Tensor) -> Tensor:
    apart = x - x.mean(-1, keepdim=True)
    even = apart / torch.sqrt((apart * apart).mean(-1, keepdim=True) + 1e-5)
    return even * state.get(f"{name}.weight", torch.ones(())).double() + state[f"{name}.bias"].double()


def plain_dense(state: State, name: str, x: Tensor) -> Tensor:
    return x @ state[f"{name}.weight"].double().T


def plain_attention(state: State, name: str, x: Tensor, other: Tensor, sees: list[list[int]]) -> Tensor:
    query, key, value = (
        plain_dense(state, f"{name}.{way}_proj", what) for way, what in (("q", x), ("k", other), ("v", other))
    )
    rows = []
    for place, allowed in enumerate(sees):
        heads = []
        for first in range(0, WIDTH, 64):
            own = slice(first, first + 64)
            weights = torch.softmax(key[allowed, own] @ query[place, own] / 8.0, 0)
            heads.append(weights @ value[allowed, own])
        rows.append(torch.cat(heads))
    return plain_dense(state, f"{name}.out_proj", torch.stack(rows))


def plain_glu(state: State, name: str, x: Tensor) -> Tensor:
    x = plain_norm(state, f"{name}.ln0", x)
    gate = plain_dense(state, f"{name}.fc0", x)
    gate = gate * 0.5 * (1 + torch.erf(gate / math.sqrt(2)))
    inside = plain_norm(state, f"{name}.ln1", gate * plain_dense(state, f"{name}.fc1", x))
    return plain_dense(state, f"{name}.fc2", inside)


def plain_body(
    state: State, tokens: Tensor, own: list[list[int]], heard: Tensor | None, held: list[int]
) -> Tensor:
    x = (
        state["embed_tokens.weight"].double()[tokens]
        + state["embed_positions.weight"].double()[: len(tokens)]
    )
    x = plain_norm(state, "layernorm_embedding", x)
    for layer in range(LAYERS):
        stem = f"layers.{layer}"
        inside = plain_norm(state, f"{stem}.pre_self_attn_layer_norm", x)
        seen = plain_attention(state, f"{stem}.self_attn", inside, inside, own)
        x = x + plain_norm(state, f"{stem}.self_attn_layer_norm", seen)
        if heard is not None:
            inside = plain_norm(state, f"{stem}.pre_encoder_attn_layer_norm", x)
            seen = plain_attention(state, f"{stem}.encoder_attn", inside, heard, [held] * len(tokens))
            x = x + plain_norm(state, f"{stem}.encoder_attn_layer_norm", seen)
        x = x + plain_glu(state, f"{stem}.glu", x)
    return plain_norm(state, "final_ln", x)


def plain_encoder(state: State, text: Tensor) -> Tensor:
    held = [place for place, token in enumerate(text.tolist()) if token != 1]
    return plain_body(state, text, [held] * len(text), None, [])


def plain_decoder(state: State, inputs: Tensor, words: Tensor, text: Tensor) -> Tensor:
    held = [place for place, token in enumerate(text.tolist()) if token != 1]
    own = [list(range(place + 1)) for place in range(len(inputs))]
    return plain_dense(state, "lm_head", plain_body(state, inputs, own, words, held))[:, :CODES]


def plain_vqgan(state: State, codes: Tensor) -> Tensor:
    """Return the picture ``(3, height, width)`` of codes ``(h, w)``, not clipped."""

    def conv(name: str, x: Tensor) -> Tensor:
        weight, bias = state[f"{name}.weight"].double(), state[f"{name}.bias"].double()
        side = weight.shape[-1]
        reach = side // 2
        height, width = x.shape[1:]
        wide = x.new_zeros(x.shape[0], height + 2 * reach, width + 2 * reach)
        wide[:, reach : reach + height, reach : reach + width] = x
        out = bias[:, None, None].expand(-1, height, width).clone()
        for down in range(side):
            for across in range(side):
                window = wide[:, down : down + height, across : across + width]
                out += torch.tensordot(weight[:, :, down, across], window, dims=1)
        return out

    def norm(name: str, x: Tensor) -> Tensor:
        groups = x.reshape(32, -1)
        apart = groups - groups.mean(1, keepdim=True)
        even = (apart / torch.sqrt((apart * apart).mean(1, keepdim=True) + 1e-6)).reshape(x.shape)
        weight, bias = state[f"{name}.weight"].double(), state[f"{name}.bias"].double()
        return even * weight[:, None, None] + bias[:, None, None]

    def swish(x: Tensor) -> Tensor:
        return x / (1 + torch.exp(-x))

    def block(name: str, x: Tensor) -> Tensor:
        y = conv(f"{name}.conv1", swish(norm(f"{name}.norm1", x)))
        y = conv(f"{name}.conv2", swish(norm(f"{name}.norm2", y)))
        return y + (conv(f"{name}.nin_shortcut", x) if f"{name}.nin_shortcut.weight" in state else x)

    def look(name: str, x: Tensor) -> Tensor:
        inside = norm(f"{name}.norm", x)
        query, key, value = (conv(f"{name}.{way}", inside).flatten(1) for way in "qkv")
        weights = torch.softmax(query.T @ key / math.sqrt(len(query)), 1)
        return x + conv(f"{name}.proj_out", (value @ weights.T).reshape(x.shape))

    x = state["embedding.weight"].double()[codes].permute(2, 0, 1)
    x = conv("decoder.conv_in", conv("post_quant_conv", x))
    x = block("decoder.mid.block_2", look("decoder.mid.attn_1", block("decoder.mid.block_1", x)))
    for level in (2, 1, 0):
        for index in range(BLOCKS):
            x = block(f"decoder.up.{level}.block.{index}", x)
            if level == 2:
                x = look(f"decoder.up.{level}.attn.{index}", x)
        if level:
            x = conv(f"decoder.up.{level}.upsample.conv", x.repeat_interleave(2, 1).repeat_interleave(2, 2))
    return conv("decoder.conv_out", swish(norm("decoder.norm_out", x)))
