"""The discrete VAE of DALL-E: the public ``encoder.pkl`` and ``decoder.pkl``, and our files that hold both.

The names inside a network are those of the public files (``blocks.group_1.block_1.res_path.conv_1.w``); all
tensors carry ``encoder.`` or ``decoder.`` before them, so that one file can hold both networks.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

from dreamplate.models.importer import Importer, Rule, Settings, Shape

GROUPS = 4
"""Groups of residual blocks in each network; between them the side changes by 2."""
ENCODER_KERNELS = (3, 3, 3, 1)
DECODER_KERNELS = (1, 3, 3, 3)
ENCODER_ENTRY = 7
"""Side of the encoder's first kernel."""


def infer(shapes: Mapping[str, Shape]) -> Settings:
    """Read which networks there are, and their sizes, from the shapes.

    Returns:
        ``parts``: ``encoder``, ``decoder`` or both; ``codes``: size of the vocabulary; ``channels`` of a
        picture; ``encoder_hidden``, ``decoder_hidden``: channels at full size; ``encoder_blocks``,
        ``decoder_blocks``: residual blocks a group; ``decoder_start``: channels that a code stands for.
    """
    parts = [part for part in ("encoder", "decoder") if any(name.startswith(f"{part}.") for name in shapes)]
    settings: dict[str, int | float | str] = {"parts": " ".join(parts)}
    for part in parts:
        entry = _shape(shapes, f"{part}.blocks.input.w")
        leave = _shape(shapes, f"{part}.blocks.output.conv.w")
        settings[f"{part}_blocks"] = _count_blocks(shapes, part)
        if part == "encoder":
            settings |= {"codes": leave[0], "channels": entry[1], "encoder_hidden": entry[0]}
        else:
            settings |= {"codes": entry[1], "channels": leave[0] // 2}
            settings |= {"decoder_hidden": leave[1], "decoder_start": entry[0]}
    return settings


def expected(settings: Settings) -> Mapping[str, Shape]:
    """Return every tensor of the networks that these settings describe."""
    needed: dict[str, Shape] = {}
    parts = str(settings["parts"]).split()
    codes, channels = int(settings.get("codes", 0)), int(settings.get("channels", 0))
    if "encoder" in parts:
        hidden, count = int(settings["encoder_hidden"]), int(settings["encoder_blocks"])
        widths = encoder_widths(hidden)
        needed |= _conv("encoder.blocks.input", hidden, channels, ENCODER_ENTRY)
        needed |= _groups("encoder", hidden, widths, count, ENCODER_KERNELS)
        needed |= _conv("encoder.blocks.output.conv", codes, widths[-1], 1)
    if "decoder" in parts:
        hidden, count = int(settings["decoder_hidden"]), int(settings["decoder_blocks"])
        start = int(settings["decoder_start"])
        needed |= _conv("decoder.blocks.input", start, codes, 1)
        needed |= _groups("decoder", start, decoder_widths(hidden), count, DECODER_KERNELS)
        needed |= _conv("decoder.blocks.output.conv", 2 * channels, hidden, 1)
    return needed


def encoder_widths(hidden: int) -> tuple[int, ...]:
    """Return the channels of the encoder's groups, full size first."""
    return tuple(hidden * 2**group for group in range(GROUPS))


def decoder_widths(hidden: int) -> tuple[int, ...]:
    """Return the channels of the decoder's groups, smallest size first."""
    return encoder_widths(hidden)[::-1]


def _groups(
    part: str, entry: int, widths: tuple[int, ...], count: int, kernels: tuple[int, ...]
) -> dict[str, Shape]:
    needed: dict[str, Shape] = {}
    inside = entry
    for group, out in enumerate(widths, 1):
        for block in range(1, count + 1):
            name = f"{part}.blocks.group_{group}.block_{block}"
            narrow = out // 4
            if inside != out:
                needed |= _conv(f"{name}.id_path", out, inside, 1)
            sides = (inside, narrow, narrow, narrow, out)
            for index, kernel in enumerate(kernels, 1):
                needed |= _conv(f"{name}.res_path.conv_{index}", sides[index], sides[index - 1], kernel)
            inside = out
    return needed


def _conv(name: str, out: int, inside: int, kernel: int) -> dict[str, Shape]:
    return {f"{name}.w": (out, inside, kernel, kernel), f"{name}.b": (out,)}


def _count_blocks(shapes: Mapping[str, Shape], part: str) -> int:
    pattern = re.compile(rf"{part}\.blocks\.group_1\.block_(\d{{1,3}})\.")
    # Counted, not the highest number: a hole in the numbering shows as a missing block.
    return len({found[1] for name in shapes if (found := pattern.match(name))})


def _shape(shapes: Mapping[str, Shape], name: str) -> Shape:
    """Return a shape, or zeros where the tensor is absent, which then shows as missing."""
    found = shapes.get(name, ())
    return found + (0,) * (4 - len(found))


_INNER = r"(blocks\.(?:input|output\.conv|group_\d+\.block_\d+\.(?:id_path|res_path\.conv_\d+))\.[wb])"

DALLE_ENCODER = Importer(
    name="dalle-encoder",
    title="DALL-E discrete VAE, encoder (pictures to codes)",
    architecture="dvae",
    family="tokens",
    signature={
        "blocks.input.w": (None, None, ENCODER_ENTRY, ENCODER_ENTRY),
        "blocks.output.conv.w": (None, None, 1, 1),
        "blocks.group_1.block_1.res_path.conv_4.w": (None, None, 1, 1),
    },
    rules=(Rule(_INNER, (r"encoder.\1",)),),
    infer=infer,
    expected=expected,
)

DALLE_DECODER = Importer(
    name="dalle-decoder",
    title="DALL-E discrete VAE, decoder (codes to pictures)",
    architecture="dvae",
    family="tokens",
    signature={
        "blocks.input.w": (None, None, 1, 1),
        "blocks.output.conv.w": (None, None, 1, 1),
        "blocks.group_1.block_1.res_path.conv_4.w": (None, None, 3, 3),
    },
    rules=(Rule(_INNER, (r"decoder.\1",)),),
    infer=infer,
    expected=expected,
)

DVAE = Importer(
    name="dvae",
    title="Discrete VAE in the layout of DALL-E, encoder and decoder",
    architecture="dvae",
    family="tokens",
    signature={
        "encoder.blocks.input.w": (None, None, ENCODER_ENTRY, ENCODER_ENTRY),
        "decoder.blocks.input.w": (None, None, 1, 1),
    },
    rules=(Rule(rf"((?:encoder|decoder)\.{_INNER[1:]}", (r"\1",)),),
    infer=infer,
    expected=expected,
)
