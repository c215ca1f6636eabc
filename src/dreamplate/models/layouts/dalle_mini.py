"""dalle-mini and dalle-mega (Apache-2.0) as PyTorch files: encoder, decoder, detoker and words.

One checkpoint is several files in one folder; ``decoder.pt`` stands for all of them:

| file                       | holds                                                                     |
|----------------------------|---------------------------------------------------------------------------|
| ``encoder.pt``             | the encoder of texts                                                      |
| ``decoder.pt``             | the decoder that says a picture's codes                                   |
| ``detoker.pt``             | the VQGAN's codebook and decoder, here or in ``../vqgan``                 |
| ``vocab.json, merges.txt`` | pieces of words and how they are joined                                   |

What stands after ``decoder`` in the file's name (``decoder_mini.pt``) may stand in the others' names too.
The names inside are kept, with ``encoder.``, ``decoder.`` or ``detoker.`` before them.

No published file was at hand: names, shapes and arithmetic follow the public sources of min-dalle (MIT) and
dalle-mini, read for their facts. Norms that a dense layer follows have no scale in the networks as they were
trained, so that a file may lack it: it is one then.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from dreamplate.errors import CheckpointError
from dreamplate.models.importer import Importer, Rule, Settings, Shape

if TYPE_CHECKING:
    from torch import Tensor

__all__ = [
    "DALLE_MINI",
    "DALLE_MINI_DETOKER",
    "DALLE_MINI_ENCODER",
    "SUFFIXES",
    "beside",
    "expected",
    "infer",
]

SUFFIXES = (".safetensors", ".pt", ".pth", ".bin")
"""Ends of names of weight files, in the order in which they are looked for."""
PARTS = ("encoder", "decoder", "detoker")
_VQGAN_FOLDER = "vqgan"
_MAX_BYTES = 64 << 20
_SCALELESS = re.compile(
    r"(.*(?:pre_self_attn_layer_norm|pre_encoder_attn_layer_norm|glu\.ln[01]|(?:^|\.)final_ln)\.)bias"
)


def infer(shapes: Mapping[str, Shape]) -> Settings:
    """Read from the shapes which parts there are, and their sizes.

    Returns:
        ``parts``; of the encoder ``text_pieces``, ``text_length``, ``text_width``, ``text_inner``,
        ``text_layers``; of the decoder ``inputs`` (codes it can be told, the start is the last), ``outputs``,
        ``cells``, ``width``, ``inner``, ``layers``; of the detoker ``codes``, ``latent``, ``widths`` (of its
        levels, full size first), ``blocks`` and ``attention`` (levels that have it); and the bytes of the
        lists of words.
    """
    parts = [part for part in PARTS if any(name.startswith(f"{part}.") for name in shapes)]
    settings: dict[str, int | float | str] = {"parts": " ".join(parts)}
    for part, names in (
        ("encoder", ("text_pieces", "text_length", "text_width", "text_inner", "text_layers")),
        ("decoder", ("inputs", "cells", "width", "inner", "layers")),
    ):
        if part in parts:
            words, places = (_size(shapes, f"{part}.embed_{what}.weight") for what in ("tokens", "positions"))
            inner = _size(shapes, f"{part}.layers.0.glu.fc0.weight")
            count = _count(shapes, rf"{part}\.layers\.(\d{{1,3}})\.")
            settings |= dict(zip(names, (words[0], places[0], words[1], inner[0], count), strict=True))
    if "decoder" in parts:
        settings["outputs"] = _size(shapes, "decoder.lm_head.weight")[0]
    if "detoker" in parts:
        codes, latent = _size(shapes, "detoker.embedding.weight")
        levels = _count(shapes, r"detoker\.decoder\.up\.(\d{1,2})\.")
        up = "detoker.decoder.up"
        widths = (_size(shapes, f"{up}.{level}.block.0.conv1.weight")[0] for level in range(levels))
        held = (level for level in range(levels) if f"{up}.{level}.attn.0.q.weight" in shapes)
        settings |= {"codes": codes, "latent": latent, "widths": " ".join(map(str, widths))}
        settings["blocks"] = _count(shapes, r"detoker\.decoder\.up\.0\.block\.(\d{1,3})\.")
        settings["attention"] = " ".join(map(str, held))
    return settings | {f"{name}_bytes": _size(shapes, name)[0] for name in ("vocabulary", "merges")}


def _infer_whole(shapes: Mapping[str, Shape]) -> Settings:
    """Read the sizes of all parts: one that is not there then shows as missing."""
    nothing = dict.fromkeys((f"{part}.nothing" for part in PARTS), ())
    return infer({**shapes, **nothing})


def expected(settings: Settings) -> Mapping[str, Shape]:
    """Return every tensor of the parts that these settings describe."""
    parts = str(settings["parts"]).split()
    needed: dict[str, Shape] = {}
    if "encoder" in parts:
        pieces, length, width, inner, layers = (
            int(settings[f"text_{name}"]) for name in ("pieces", "length", "width", "inner", "layers")
        )
        needed |= _transformer("encoder", pieces, length, width, inner, layers)
    if "decoder" in parts:
        pieces, length, width, inner, layers = (
            int(settings[name]) for name in ("inputs", "cells", "width", "inner", "layers")
        )
        needed |= _transformer("decoder", pieces, length, width, inner, layers)
        needed["decoder.lm_head.weight"] = (int(settings["outputs"]), width)
        needed |= {name: (int(settings[f"{name}_bytes"]),) for name in ("vocabulary", "merges")}
    if "detoker" in parts:
        needed |= _detoker(settings)
    return needed


def _transformer(
    part: str, pieces: int, length: int, width: int, inner: int, layers: int
) -> dict[str, Shape]:
    needed: dict[str, Shape] = {
        f"{part}.embed_tokens.weight": (pieces, width),
        f"{part}.embed_positions.weight": (length, width),
    }
    needed |= _norm(f"{part}.layernorm_embedding", width) | _norm(f"{part}.final_ln", width)
    # A file without layers shows as one that lacks the first.
    for index in range(max(1, layers)):
        stem = f"{part}.layers.{index}"
        for name in ("self", "encoder") if part == "decoder" else ("self",):
            needed |= _norm(f"{stem}.pre_{name}_attn_layer_norm", width)
            needed |= _norm(f"{stem}.{name}_attn_layer_norm", width)
            for way in "kvq":
                needed[f"{stem}.{name}_attn.{way}_proj.weight"] = (width, width)
            needed[f"{stem}.{name}_attn.out_proj.weight"] = (width, width)
        needed |= _norm(f"{stem}.glu.ln0", width) | _norm(f"{stem}.glu.ln1", inner)
        needed[f"{stem}.glu.fc0.weight"] = needed[f"{stem}.glu.fc1.weight"] = (inner, width)
        needed[f"{stem}.glu.fc2.weight"] = (width, inner)
    return needed


def _detoker(settings: Settings) -> dict[str, Shape]:
    codes, latent, blocks = (int(settings[name]) for name in ("codes", "latent", "blocks"))
    widths = [int(width) for width in str(settings["widths"]).split()] or [0]
    attention = {int(level) for level in str(settings["attention"]).split()}
    inside, stem = widths[-1], "detoker.decoder"
    needed: dict[str, Shape] = {"detoker.embedding.weight": (codes, latent)}
    needed |= _conv("detoker.post_quant_conv", latent, latent, 1) | _conv(
        f"{stem}.conv_in", inside, latent, 3
    )
    needed |= _block(f"{stem}.mid.block_1", inside, inside) | _block(f"{stem}.mid.block_2", inside, inside)
    needed |= _attention(f"{stem}.mid.attn_1", inside)
    for level in reversed(range(len(widths))):
        for index in range(max(1, blocks)):
            needed |= _block(f"{stem}.up.{level}.block.{index}", widths[level], inside)
            inside = widths[level]
            if level in attention:
                needed |= _attention(f"{stem}.up.{level}.attn.{index}", inside)
        if level:
            needed |= _conv(f"{stem}.up.{level}.upsample.conv", inside, inside, 3)
    return needed | _norm(f"{stem}.norm_out", inside) | _conv(f"{stem}.conv_out", 3, inside, 3)


def _block(name: str, out: int, inside: int) -> dict[str, Shape]:
    needed = _norm(f"{name}.norm1", inside) | _conv(f"{name}.conv1", out, inside, 3)
    needed |= _norm(f"{name}.norm2", out) | _conv(f"{name}.conv2", out, out, 3)
    return needed | (_conv(f"{name}.nin_shortcut", out, inside, 1) if out != inside else {})


def _attention(name: str, width: int) -> dict[str, Shape]:
    needed = _norm(f"{name}.norm", width)
    for part in ("q", "k", "v", "proj_out"):
        needed |= _conv(f"{name}.{part}", width, width, 1)
    return needed


def _norm(name: str, width: int) -> dict[str, Shape]:
    return {f"{name}.weight": (width,), f"{name}.bias": (width,)}


def _conv(name: str, out: int, inside: int, kernel: int) -> dict[str, Shape]:
    return {f"{name}.weight": (out, inside, kernel, kernel), f"{name}.bias": (out,)}


def _size(shapes: Mapping[str, Shape], name: str) -> Shape:
    """Return the first two sizes of a tensor, zeros where there are none; it then shows as missing."""
    return (*shapes.get(name, ()), 0, 0)[:2]


def _count(shapes: Mapping[str, Shape], pattern: str) -> int:
    # Counted, not the highest number: a hole in the numbering shows as missing tensors.
    return len({found[1] for name in shapes if (found := re.match(pattern, name))})


def with_scales(state: Mapping[str, Tensor]) -> Mapping[str, Tensor]:
    """Give norms that a dense layer follows the scale 1, where they have an offset and no scale."""
    import torch

    ones = {
        f"{found[1]}weight": torch.ones_like(tensor)
        for name, tensor in state.items()
        if (found := _SCALELESS.fullmatch(name)) and f"{found[1]}weight" not in state
    }
    return {**state, **ones}


def beside(path: Path, detoker: Path | None = None) -> Mapping[str, Path]:
    """Return where the encoder and the detoker of a decoder's file are, by the prefix of their tensors.

    Args:
        path: Of the decoder.
        detoker: Of the detoker, where it lies elsewhere.

    Raises:
        CheckpointError: One is not there.
    """
    here = [path.parent]
    detokers = [*here, path.parent / _VQGAN_FOLDER, path.parent.parent / _VQGAN_FOLDER]
    return {
        "encoder.": _find(path, "encoder", SUFFIXES, here),
        "detoker.": detoker or _find(path, "detoker", SUFFIXES, detokers),
    }


def words_beside(path: Path) -> Mapping[str, Tensor]:
    """Return the bytes of the lists of pieces and of merges beside a decoder's file.

    Raises:
        CheckpointError: One is absent, empty, or too large.
    """
    import torch

    found = {}
    for name, (stem, suffix) in {"vocabulary": ("vocab", ".json"), "merges": ("merges", ".txt")}.items():
        place = _find(path, stem, (suffix,), [path.parent])
        try:
            with place.open("rb") as file:
                data = file.read(_MAX_BYTES + 1)
        except OSError as error:
            raise CheckpointError(f"{place}: cannot be read: {error.strerror}") from error
        if not 0 < len(data) <= _MAX_BYTES:
            raise CheckpointError(f"{place}: has {len(data):,} bytes or more; use an unmodified file")
        found[name] = torch.frombuffer(bytearray(data), dtype=torch.uint8)
    return found


def _find(path: Path, stem: str, suffixes: tuple[str, ...], folders: list[Path]) -> Path:
    """Return a file of a checkpoint, named like its decoder or plainly."""
    tail = path.stem.removeprefix("decoder") if path.stem.startswith("decoder") else ""
    for folder in folders:
        for name in dict.fromkeys((stem + tail, stem)):
            # The decoder's own kind of file first, where a folder holds several.
            for suffix in sorted(suffixes, key=lambda end: end != path.suffix):
                if (folder / (name + suffix)).is_file():
                    return folder / (name + suffix)
    raise CheckpointError(
        f"{path}: {stem}{tail}{suffixes[-1]} is not beside it; put it there ({stem} needed)"
    )


_INNER = r"((?:embed_tokens|embed_positions|layernorm_embedding|final_ln|lm_head|layers\.\d+)\..+)"
_DETOKER = r"((?:embedding|post_quant_conv|decoder)\..+)"
_DETOKER_SIGNATURE: dict[str, tuple[int | None, ...]] = {
    "post_quant_conv.weight": (None, None, 1, 1),
    "embedding.weight": (None, None),
    "decoder.conv_in.weight": (None, None, 3, 3),
    "decoder.up.0.block.0.conv1.weight": (None, None, 3, 3),
}

DALLE_MINI = Importer(
    name="dalle-mini",
    title="dalle-mini or dalle-mega, all parts (its decoder's file, the others beside it)",
    architecture="dalle-mini",
    family="tokens",
    signature={
        "lm_head.weight": (None, None),
        "embed_tokens.weight": (None, None),
        "layers.0.encoder_attn.k_proj.weight": (None, None),
        "layers.0.glu.fc0.weight": (None, None),
    },
    rules=(
        Rule(rf"encoder\.{_INNER}", (r"encoder.\1",)),
        Rule(rf"detoker\.{_DETOKER}", (r"detoker.\1",)),
        Rule(_INNER, (r"decoder.\1",)),
    ),
    infer=_infer_whole,
    expected=expected,
    prepare=with_scales,
    beside=beside,
    adds=words_beside,
    licence="Apache-2.0",
)

DALLE_MINI_ENCODER = Importer(
    name="dalle-mini-encoder",
    title="dalle-mini or dalle-mega, the encoder of texts alone",
    architecture="dalle-mini",
    family="tokens",
    signature={
        "layers.0.pre_self_attn_layer_norm.bias": (None,),
        "embed_tokens.weight": (None, None),
        "layers.0.self_attn.k_proj.weight": (None, None),
        "layers.0.glu.fc0.weight": (None, None),
    },
    rules=(Rule(_INNER, (r"encoder.\1",)),),
    infer=infer,
    expected=expected,
    prepare=with_scales,
    accepts=lambda shapes: "lm_head.weight" not in shapes,
    licence="Apache-2.0",
)

DALLE_MINI_DETOKER = Importer(
    name="dalle-mini-detoker",
    title="dalle-mini or dalle-mega, the codebook and decoder of its VQGAN alone",
    architecture="dalle-mini",
    family="tokens",
    signature=_DETOKER_SIGNATURE,
    rules=(Rule(_DETOKER, (r"detoker.\1",)),),
    infer=infer,
    expected=expected,
    licence="Apache-2.0",
)
