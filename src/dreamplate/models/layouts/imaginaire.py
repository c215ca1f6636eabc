"""SPADE generators of the program imaginaire, as its checkpoints hold them.

A checkpoint is a dict with ``net_G`` among discriminator, optimisers and counters; its averaged copy
(``averaged_model``), whose spectral norms are folded already, is preferred. Norms inside SPADE may have a
scale and an offset of their own: those are folded into the modulation, which is exact, as both are linear.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import TYPE_CHECKING

from dreamplate.errors import CheckpointError
from dreamplate.models.importer import Importer, Rule, Settings, Shape
from dreamplate.models.layouts.spade import pair, shape_of
from dreamplate.models.layouts.spectral import fold

if TYPE_CHECKING:
    from torch import Tensor

__all__ = ["IMAGINAIRE_SPADE", "MULTIPLIERS", "STYLED", "blocks_of"]

MULTIPLIERS = {1: 1.0, 2: 0.5, 3: 0.33}
"""What the sum of pictures is multiplied by, for each number of them."""
STYLED = {"head_0": (8, 16), "up_0a": (8, 8), "up_1a": (4, 4), "up_2a": (4, 4)}
"""Convolutions that take the style: channels in and out, as multiples of the width."""
_G = r"spade_generator\."
_CONV = r"(?:\.layers\.conv)?\.(weight|bias)"
_NORM = rf"{_G}(head_\d|up_\d[ab])\.conv_block_([01s])\.layers\.norm"
_STYLE = rf"{_G}cbn_(head_0|up_\da)\.layers"
NAMES: tuple[tuple[str, str], ...] = (
    (rf"{_G}fc_([01]){_CONV}", r"dense.\1.\2"),
    (rf"{_G}head_0{_CONV}", r"first.\1"),
    (rf"{_G}conv_img256{_CONV}", r"pictures.0.\1"),
    (rf"{_G}conv_img512{_CONV}", r"pictures.1.\1"),
    (rf"{_G}conv_img1024{_CONV}", r"pictures.2.\1"),
    (rf"{_STYLE}\.conv\.(weight|bias)", r"styled.\1.conv.\2"),
    (rf"{_STYLE}\.norm\.norm\.(\w+)", r"styled.\1.norm.\2"),
    (rf"{_STYLE}\.norm\.fc_gamma{_CONV}", r"styled.\1.gamma.\2"),
    (rf"{_STYLE}\.norm\.fc_beta{_CONV}", r"styled.\1.beta.\2"),
    (rf"{_STYLE}\.norm\.fc{_CONV}", r"styled.\1.modulation.\2"),
    (rf"{_NORM}\.norm\.(\w+)", r"blocks.\1.norm_\2.norm.\3"),
    (rf"{_NORM}\.mlps\.0\.0{_CONV}", r"blocks.\1.norm_\2.shared.\3"),
    (rf"{_NORM}\.mlps\.0\.1{_CONV}", r"blocks.\1.norm_\2.modulation.\3"),
    (rf"{_NORM}\.gammas\.0{_CONV}", r"blocks.\1.norm_\2.gamma.\3"),
    (rf"{_NORM}\.betas\.0{_CONV}", r"blocks.\1.norm_\2.beta.\3"),
    (rf"{_G}(head_\d|up_\d[ab])\.conv_block_([01s])\.layers\.conv\.(weight|bias)", r"blocks.\1.conv_\2.\3"),
    (r"style_encoder\.layer(\d)" + _CONV, r"encoder.convs.\1.\2"),
    (r"style_encoder\.fc_mu" + _CONV, r"encoder.mean.\1"),
    (r"style_encoder\.fc_var" + _CONV, r"encoder.spread.\1"),
)
"""Pattern of a name → ours; halves of a modulation are joined afterwards, layers counted from 0."""


def prepare(state: Mapping[str, Tensor]) -> Mapping[str, Tensor]:
    """Fold spectral norms, rename, join scale and offset, fold the norms' own.

    Raises:
        CheckpointError: Spectral norms are damaged, or halves do not fit together.
    """
    made: dict[str, Tensor] = {}
    for name, tensor in fold(state).items():
        place = next((m.expand(to) for pattern, to in NAMES if (m := re.fullmatch(pattern, name))), name)
        layer = re.fullmatch(r"encoder\.convs\.(\d)\.(\w+)", place)
        made[f"encoder.convs.{int(layer[1]) - 1}.{layer[2]}" if layer else place] = tensor
    for stem in {name.rpartition(".gamma.")[0] for name in made if ".gamma." in name}:
        for what in ("weight", "bias"):
            halves = [f"{stem}.{half}.{what}" for half in ("gamma", "beta")]
            if all(half in made for half in halves):
                made[f"{stem}.modulation.{what}"] = _join([made.pop(half) for half in halves], stem)
    for name in [
        name for name in made if re.fullmatch(r".+\.norm(_[01s])?\.norm\.weight|styled.+\.norm\.weight", name)
    ]:
        _fold_affine(made, name)
    return made


def _join(halves: list[Tensor], stem: str) -> Tensor:
    import torch

    if halves[0].shape != halves[1].shape:
        shapes = [tuple(half.shape) for half in halves]
        raise CheckpointError(
            f"gamma and beta of {stem!r} have shapes {shapes}; use an unmodified checkpoint"
        )
    return torch.cat(halves)


def _fold_affine(made: dict[str, Tensor], name: str) -> None:
    """Fold ``w n + b`` into the modulation: gamma is then w gamma + w - 1, beta is beta + b gamma + b."""
    import torch

    norm = name.removesuffix(".weight")
    stem = norm.removesuffix(".norm")
    weight, bias = f"{stem}.modulation.weight", f"{stem}.modulation.bias"
    if f"{norm}.bias" not in made or weight not in made or bias not in made:
        return  # what is missing shows in the report
    scale, shift = made.pop(name).float(), made.pop(f"{norm}.bias").float()
    if made[bias].shape != (2 * len(scale),):
        raise CheckpointError(f"tensor {bias!r} has shape {tuple(made[bias].shape)}, not ({2 * len(scale)},)")
    gamma, beta = made[weight].float().chunk(2)
    each = (-1,) + (1,) * (gamma.dim() - 1)
    made[weight] = torch.cat([gamma * scale.view(each), beta + gamma * shift.view(each)])
    gamma, beta = made[bias].float().chunk(2)
    made[bias] = torch.cat([gamma * scale + scale - 1, beta + gamma * shift + shift])


def infer(shapes: Mapping[str, Shape]) -> Settings:
    """Read all sizes from the shapes; 185 channels are COCO's with instance edges, as published."""
    shared, last = (
        shape_of(shapes, "blocks.head_1.norm_0.shared.weight"),
        shape_of(shapes, "pictures.0.weight"),
    )
    pictures = sum(f"pictures.{place}.weight" in shapes for place in range(3))
    return {
        "entry": shared[1],
        "edges": int(shared[1] == 185),
        "channels": last[0],
        "width": last[1] // 2,
        "hidden": shared[0],
        "kernel": shared[2],
        "kernel_last": last[2],
        "z_dim": shape_of(shapes, "dense.0.weight")[1],
        "pictures": pictures,
        "multiplier": MULTIPLIERS.get(pictures, 1.0),
        "style_width": shape_of(shapes, "encoder.convs.0.weight")[0],
    }


def expected(settings: Settings) -> Mapping[str, Shape]:
    """Return every tensor of the generator that these settings describe."""
    given = {name: int(value) for name, value in settings.items() if name != "multiplier"}
    width, entry, z, channels = (given[name] for name in ("width", "entry", "z_dim", "channels"))
    kernel, hidden, pictures = (given[name] for name in ("kernel", "hidden", "pictures"))
    needed = pair("dense.0", (2 * z, z)) | pair("dense.1", (2 * z, 2 * z))
    needed |= pair("first", (8 * width, entry, 3, 3))
    for name, (before, after) in STYLED.items():
        stem, size = f"styled.{name}", before * width
        needed |= _norm(f"{stem}.norm", size) | pair(f"{stem}.modulation", (2 * size, 2 * z))
        needed |= pair(f"{stem}.conv", (after * width, size, 3, 3))
    for name, (before, after) in blocks_of(width, pictures).items():
        middle, stem = min(before, after), f"blocks.{name}"
        norms = [("norm_0", before), ("norm_1", middle)] + [("norm_s", before)] * (before != after)
        for norm, size in norms:
            needed |= _norm(f"{stem}.{norm}.norm", size)
            needed |= pair(f"{stem}.{norm}.shared", (hidden, entry, kernel, kernel))
            needed |= pair(f"{stem}.{norm}.modulation", (2 * size, hidden, kernel, kernel))
        needed |= pair(f"{stem}.conv_0", (middle, before, 3, 3))
        needed |= pair(f"{stem}.conv_1", (after, middle, 3, 3))
        if before != after:
            needed[f"{stem}.conv_s.weight"] = (after, before, 1, 1)
    last = given["kernel_last"]
    for place, size in enumerate([2 * width, width, width // 2][:pictures]):
        needed |= pair(f"pictures.{place}", (channels, size, last, last))
    if given["style_width"]:
        widths = (channels, *(given["style_width"] * factor for factor in (1, 2, 4, 8, 8, 8)))
        for layer in range(6):
            needed |= pair(f"encoder.convs.{layer}", (widths[layer + 1], widths[layer], 3, 3))
        needed |= pair("encoder.mean", (z, 16 * widths[-1])) | pair("encoder.spread", (z, 16 * widths[-1]))
    return needed


def blocks_of(width: int, pictures: int) -> dict[str, tuple[int, int]]:
    """Return the residual blocks in order: channels in and out."""
    blocks = {"head_1": (16, 16), "head_2": (16, 16), "up_0a": (16, 8), "up_0b": (8, 8), "up_1a": (8, 4)}
    blocks |= {"up_1b": (4, 4), "up_2a": (4, 4), "up_2b": (4, 2)}
    found = {name: (before * width, after * width) for name, (before, after) in blocks.items()}
    if pictures > 1:
        found |= {"up_3a": (2 * width, width), "up_3b": (width, width)}
    if pictures > 2:
        found |= {"up_4a": (width, width // 2), "up_4b": (width // 2, width // 2)}
    return found


def _norm(name: str, size: int) -> dict[str, Shape]:
    return {
        f"{name}.running_mean": (size,),
        f"{name}.running_var": (size,),
        f"{name}.num_batches_tracked": (),
    }


IMAGINAIRE_SPADE = Importer(
    name="imaginaire-spade",
    title="SPADE generator (imaginaire)",
    architecture="imaginaire-spade",
    family="translate",
    signature={
        "spade_generator.head_1.conv_block_0.layers.conv.bias": (None,),
        "spade_generator.head_1.conv_block_0.layers.norm.mlps.0.0.layers.conv.bias": (None,),
        "spade_generator.conv_img256.layers.conv.bias": (None,),
    },
    rules=(
        Rule(r"num_updates_tracked"),
        Rule(r"((?:dense|first|pictures|styled|blocks|encoder)\..+)", (r"\1",)),
    ),
    infer=infer,
    expected=expected,
    wrappers=("net_G.", "averaged_model."),
    preferred="averaged_model.",
    beyond=r"(net_D|opt_|sch_|current_|epoch|iteration|net_G\.).*",
    prepare=prepare,
    licence="NVIDIA non-commercial, as published (weights of your own: say --licence)",
)
