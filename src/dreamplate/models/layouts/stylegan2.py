"""StyleGAN2's generator and discriminator: NVIDIA's PyTorch checkpoints, and files with the same names.

NVIDIA's pickles hold ``G``, ``D`` and ``G_ema``, the running average of the generator, which is the one to
use. Their embedded source code is never run. The filter of every resampling layer is stored; ours is fixed,
so another one is refused. What no shape shows: the residual discriminator and the skip generator are assumed
(others lack tensors and are refused), and their clamp at 256 is left out, since it only guards half
precision.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import TYPE_CHECKING

from dreamplate.errors import CheckpointError
from dreamplate.models.importer import Importer, Rule, Settings, Shape

if TYPE_CHECKING:
    from torch import Tensor

TAPS = (1, 3, 3, 1)
"""The filter whose outer product with itself, over its sum, every resampling layer must have."""


def check_filters(state: Mapping[str, Tensor]) -> Mapping[str, Tensor]:
    """Return the tensors as they are.

    Raises:
        CheckpointError: A resampling filter is not the usual one.
    """
    wanted = [a * b / sum(TAPS) ** 2 for a in TAPS for b in TAPS]
    for name, tensor in state.items():
        if name.endswith("resample_filter"):
            found = tensor.flatten().tolist()
            same = len(found) == len(wanted) and all(
                abs(a - b) < 1e-4 for a, b in zip(found, wanted, strict=True)
            )
            if not same:
                raise CheckpointError(
                    f"tensor {name!r} is a resampling filter of shape {tuple(tensor.shape)} that is not the"
                    " usual 1 3 3 1; use a StyleGAN2 checkpoint with the standard filter"
                )
    return state


def infer(shapes: Mapping[str, Shape]) -> Settings:
    """Read the generator's sizes from the shapes.

    Returns:
        What `dreamplate.nets.stylegan2_shape.Stylegan2Shape` is made of: ``z_dim``, ``c_dim``, ``w_dim``,
        ``mapping`` (layers), ``channels`` at 4, 8, 16 … pixels, ``colours``.
    """
    embed = _shape(shapes, "mapping.embed.weight")
    channels = [_shape(shapes, "synthesis.b4.const")[0]]
    channels += [
        _shape(shapes, f"synthesis.b{side}.conv1.weight")[0] for side in _sides(shapes, "synthesis.")
    ]
    return {
        "z_dim": _shape(shapes, "mapping.fc0.weight")[1] - embed[0],
        "c_dim": embed[1],
        "w_dim": _shape(shapes, "mapping.w_avg")[0],
        "mapping": _depth(shapes),
        "channels": " ".join(map(str, channels)),
        "colours": _shape(shapes, "synthesis.b4.torgb.weight")[0],
    }


def expected(settings: Settings) -> Mapping[str, Shape]:
    """Return every tensor of the generator that these settings describe."""
    z_dim, c_dim, w_dim, colours = (int(settings[n]) for n in ("z_dim", "c_dim", "w_dim", "colours"))
    channels = [int(part) for part in str(settings["channels"]).split()]
    needed = _mapping(z_dim, c_dim, w_dim, int(settings["mapping"])) | {"mapping.w_avg": (w_dim,)}
    for index, out in enumerate(channels):
        side = 4 * 2**index
        stem = f"synthesis.b{side}"
        if index:
            needed |= _styled(f"{stem}.conv0", channels[index - 1], out, w_dim, side)
        else:
            needed[f"{stem}.const"] = (out, 4, 4)
        needed |= _styled(f"{stem}.conv1", out, out, w_dim, side)
        needed |= _pair(f"{stem}.torgb.affine", (out, w_dim)) | _pair(f"{stem}.torgb", (colours, out, 1, 1))
    return needed


def infer_discriminator(shapes: Mapping[str, Shape]) -> Settings:
    """Read the discriminator's sizes from the shapes.

    Returns:
        What `dreamplate.nets.stylegan2_discriminator.DiscriminatorShape` is made of: ``c_dim``,
        ``channels`` at 4, 8, 16 … pixels, ``colours``, ``mapping`` (layers), ``map_dim``, ``spread``.
    """
    embed, last = _shape(shapes, "mapping.embed.weight"), _shape(shapes, "b4.conv.weight")
    sides = _sides(shapes, "")
    channels = [last[0]] + [_shape(shapes, f"b{side}.conv0.weight")[0] for side in sides]
    finest = sides[-1] if sides else 4
    return {
        "c_dim": embed[1],
        "channels": " ".join(map(str, channels)),
        "colours": _shape(shapes, f"b{finest}.fromrgb.weight")[1],
        "mapping": _depth(shapes),
        "map_dim": embed[0],
        "spread": int(last[1] > last[0]),
    }


def expected_discriminator(settings: Settings) -> Mapping[str, Shape]:
    """Return every tensor of the discriminator that these settings describe."""
    c_dim, map_dim, spread = (int(settings[name]) for name in ("c_dim", "map_dim", "spread"))
    channels = [int(part) for part in str(settings["channels"]).split()]
    first = channels[0]
    needed: dict[str, Shape] = {}
    for index in range(1, len(channels)):
        stem, entry, out = f"b{4 * 2**index}", channels[index], channels[index - 1]
        if index == len(channels) - 1:
            needed |= _pair(f"{stem}.fromrgb", (entry, int(settings["colours"]), 1, 1))
        needed |= _pair(f"{stem}.conv0", (entry, entry, 3, 3)) | _pair(f"{stem}.conv1", (out, entry, 3, 3))
        needed[f"{stem}.skip.weight"] = (out, entry, 1, 1)
    needed |= _pair("b4.conv", (first, first + spread, 3, 3)) | _pair("b4.fc", (first, first * 16))
    needed |= _pair("b4.out", (map_dim if c_dim else 1, first))
    return needed | (_mapping(0, c_dim, map_dim, int(settings["mapping"])) if c_dim else {})


def _mapping(z_dim: int, c_dim: int, w_dim: int, layers: int) -> dict[str, Shape]:
    needed = _pair("mapping.embed", (w_dim, c_dim)) if c_dim else {}
    for index in range(layers):
        entry = w_dim if index else z_dim + (w_dim if c_dim else 0)
        needed |= _pair(f"mapping.fc{index}", (w_dim, entry))
    return needed


def _styled(name: str, entry: int, out: int, w_dim: int, side: int) -> dict[str, Shape]:
    return (
        _pair(f"{name}.affine", (entry, w_dim))
        | _pair(name, (out, entry, 3, 3))
        | {f"{name}.noise_strength": (), f"{name}.noise_const": (side, side)}
    )


def _pair(name: str, shape: Shape) -> dict[str, Shape]:
    return {f"{name}.weight": shape, f"{name}.bias": shape[:1]}


def _sides(shapes: Mapping[str, Shape], prefix: str) -> list[int]:
    """Return 8, 16 … up to the finest resolution that there is any tensor of."""
    pattern = re.compile(re.escape(prefix) + r"b(\d{1,5})\.")
    finest = max((int(found[1]) for name in shapes if (found := pattern.match(name))), default=4)
    return [4 * 2**index for index in range(1, 14) if 4 * 2**index <= finest]


def _depth(shapes: Mapping[str, Shape]) -> int:
    return len(
        {int(found[1]) for name in shapes if (found := re.match(r"mapping\.fc(\d{1,3})\.weight", name))}
    )


def _shape(shapes: Mapping[str, Shape], name: str) -> Shape:
    """Return a shape, or zeros where the tensor is absent, which then shows as missing."""
    found = shapes.get(name, ())
    return found + (0,) * (4 - len(found))


STYLEGAN2 = Importer(
    name="stylegan2",
    title="StyleGAN2 generator",
    architecture="stylegan2",
    family="generator",
    signature={
        "synthesis.b4.const": (None, 4, 4),
        "synthesis.b4.conv1.weight": (None, None, 3, 3),
        "mapping.fc0.weight": (None, None),
    },
    rules=(
        Rule(r".*\.resample_filter"),
        Rule(r"((?:mapping|synthesis)\..+)", (r"\1",)),
    ),
    infer=infer,
    expected=expected,
    wrappers=("G_ema.",),
    prepare=check_filters,
)

STYLEGAN2_DISCRIMINATOR = Importer(
    name="stylegan2-discriminator",
    title="StyleGAN2 discriminator",
    architecture="stylegan2-discriminator",
    family="generator",
    signature={
        "b4.conv.weight": (None, None, 3, 3),
        "b4.fc.weight": (None, None),
        "b4.out.weight": (None, None),
    },
    rules=(
        Rule(r".*\.resample_filter"),
        Rule(r"((?:b\d+|mapping)\..+)", (r"\1",)),
    ),
    infer=infer_discriminator,
    expected=expected_discriminator,
    wrappers=("D.",),
    prepare=check_filters,
)
