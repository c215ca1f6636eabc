"""BigGAN-deep: the public checkpoints of its PyTorch port, and our own files.

The port keeps each weight as ``weight_orig`` with two vectors, between which its largest singular value
lies (spectral normalisation). Nothing changes any of them after training, so that the division is done once,
here. Which blocks double the size cannot be seen in the shapes: in all published networks, every second one.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

from dreamplate.models.importer import Importer, Rule, Settings, Shape
from dreamplate.models.layouts.spectral import fold

KERNELS = (1, 3, 3, 1)
"""Of the four convolutions of a block."""


def infer(shapes: Mapping[str, Shape]) -> Settings:
    """Read all sizes from the shapes.

    Returns:
        What `dreamplate.nets.biggan_shape.BigganShape` is made of: ``z_dim``, ``embed_dim``, ``classes``,
        ``width``, ``channels`` (of the first map and after each block), ``attention`` and ``stats``.
    """
    numbers = sorted({int(found[1]) for name in shapes if (found := re.match(r"layers\.(\d{1,3})\.", name))})
    attention = next((n for n in numbers if f"layers.{n}.gamma" in shapes), -1)
    blocks = [n for n in numbers if n != attention]
    entry = _shape(shapes, f"layers.{blocks[0]}.conv_0.weight")[1] if blocks else 0
    channels = [entry] + [_shape(shapes, f"layers.{n}.conv_3.weight")[0] for n in blocks]
    embeddings, first = _shape(shapes, "embeddings.weight"), _shape(shapes, "gen_z.weight")
    return {
        "z_dim": first[1] - embeddings[0],
        "embed_dim": embeddings[0],
        "classes": embeddings[1],
        "width": _shape(shapes, "conv_to_rgb.weight")[0],
        "channels": " ".join(map(str, channels)),
        "attention": attention,
        "stats": _shape(shapes, "bn.running_means")[0],
    }


def expected(settings: Settings) -> Mapping[str, Shape]:
    """Return every tensor of the network that these settings describe."""
    stats, embed, width = (int(settings[name]) for name in ("stats", "embed_dim", "width"))
    condition = int(settings["z_dim"]) + embed
    channels = [int(part) for part in str(settings["channels"]).split()]
    needed: dict[str, Shape] = {
        "embeddings.weight": (embed, int(settings["classes"])),
        "gen_z.weight": (16 * channels[0], condition),
        "gen_z.bias": (16 * channels[0],),
        "conv_to_rgb.weight": (width, channels[-1], 3, 3),
        "conv_to_rgb.bias": (width,),
        "bn.weight": (channels[-1],),
        "bn.bias": (channels[-1],),
    } | _tables("bn", stats, channels[-1])
    number = 0
    for block in range(len(channels) - 1):
        entry, out = channels[block], channels[block + 1]
        if number == int(settings["attention"]):
            needed |= _attention(f"layers.{number}", entry)
            number += 1
        inner = entry // 4
        widths = (entry, inner, inner, inner, out)
        for index, kernel in enumerate(KERNELS):
            stem, before, after = f"layers.{number}", widths[index], widths[index + 1]
            needed |= _tables(f"{stem}.bn_{index}", stats, before)
            needed |= {
                f"{stem}.bn_{index}.{part}.weight": (before, condition) for part in ("scale", "offset")
            }
            needed[f"{stem}.conv_{index}.weight"] = (after, before, kernel, kernel)
            needed[f"{stem}.conv_{index}.bias"] = (after,)
        number += 1
    return needed


def _attention(stem: str, width: int) -> dict[str, Shape]:
    return {
        f"{stem}.gamma": (1,),
        f"{stem}.snconv1x1_theta.weight": (width // 8, width, 1, 1),
        f"{stem}.snconv1x1_phi.weight": (width // 8, width, 1, 1),
        f"{stem}.snconv1x1_g.weight": (width // 2, width, 1, 1),
        f"{stem}.snconv1x1_o_conv.weight": (width, width // 2, 1, 1),
    }


def _tables(name: str, stats: int, width: int) -> dict[str, Shape]:
    return {f"{name}.running_means": (stats, width), f"{name}.running_vars": (stats, width)}


def _shape(shapes: Mapping[str, Shape], name: str) -> Shape:
    """Return a shape, or zeros where the tensor is absent, which then shows as missing."""
    found = shapes.get(name, ())
    return found + (0,) * (4 - len(found))


BIGGAN = Importer(
    name="biggan",
    title="BigGAN-deep generator",
    architecture="biggan",
    family="generator",
    signature={
        "gen_z.weight": (None, None),
        "embeddings.weight": (None, None),
        "layers.0.conv_0.weight": (None, None, 1, 1),
        "bn.running_means": (None, None),
    },
    rules=(Rule(r"((?:embeddings|gen_z|bn|conv_to_rgb|layers\.\d+)\..+)", (r"\1",)),),
    infer=infer,
    expected=expected,
)

BIGGAN_PORT = Importer(
    name="biggan-port",
    title="BigGAN-deep generator (PyTorch port)",
    architecture="biggan",
    family="generator",
    signature={
        "generator.gen_z.weight_orig": (None, None),
        "embeddings.weight": (None, None),
        "generator.layers.0.conv_0.weight_orig": (None, None, 1, 1),
        "generator.bn.running_means": (None, None),
    },
    rules=(
        Rule(r".*num_batches_tracked"),
        Rule(r"(embeddings\..+)", (r"\1",)),
        Rule(r"generator\.((?:gen_z|bn|conv_to_rgb|layers\.\d+)\..+)", (r"\1",)),
    ),
    infer=infer,
    expected=expected,
    prepare=fold,
)
