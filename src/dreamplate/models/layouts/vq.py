"""Our own codec of pictures, as its training writes it: encoder, codebook, decoder."""

from __future__ import annotations

import re
from collections.abc import Mapping

from dreamplate.models.importer import Importer, Rule, Settings, Shape

__all__ = ["VQ", "expected", "infer"]


def infer(shapes: Mapping[str, Shape]) -> Settings:
    """Read the codebook's size, widths and numbers of blocks from the shapes."""
    book, entry, leave = (
        (*shapes.get(name, ()), 0, 0)[:2] for name in ("book", "encoder.entry.w", "decoder.entry.w")
    )
    return {
        "codes": book[0],
        "latent": book[1],
        "encoder_width": entry[0],
        "encoder_blocks": _count(shapes, "encoder.at_4"),
        "decoder_width": leave[0],
        "decoder_blocks": _count(shapes, "decoder.at_8"),
        "decoder_blocks_4": _count(shapes, "decoder.at_4"),
        "decoder_blocks_2": _count(shapes, "decoder.at_2"),
    }


def expected(settings: Settings) -> Mapping[str, Shape]:
    """Return every tensor of the network that these settings describe."""
    known = {name: int(value) for name, value in settings.items() if name != "architecture"}
    latent, narrow, wide = known["latent"], known["encoder_width"], known["decoder_width"]
    needed: dict[str, Shape] = {"book": (known["codes"], latent), "spread": ()}
    needed |= _conv("encoder.entry", narrow, 48, 3)
    needed |= _blocks("encoder.at_4", narrow, known["encoder_blocks"])
    needed |= _conv("encoder.down", 2 * narrow, 4 * narrow, 1)
    needed |= _blocks("encoder.at_8", 2 * narrow, known["encoder_blocks"])
    needed |= _conv("encoder.leave", latent, 2 * narrow, 1)
    needed |= _conv("decoder.entry", wide, latent, 3)
    needed |= _blocks("decoder.at_8", wide, known["decoder_blocks"])
    needed |= _conv("decoder.up_4", 4 * (wide // 2), wide, 1)
    needed |= _blocks("decoder.at_4", wide // 2, known["decoder_blocks_4"])
    needed |= _conv("decoder.up_2", 4 * (wide // 4), wide // 2, 1)
    needed |= _blocks("decoder.at_2", wide // 4, known["decoder_blocks_2"])
    return needed | _conv("decoder.leave", 12, wide // 4, 3)


def _blocks(name: str, width: int, count: int) -> dict[str, Shape]:
    needed: dict[str, Shape] = {}
    for number in range(count):
        for part in ("first", "second"):
            needed |= _conv(f"{name}.{number}.{part}", width, width, 3)
    return needed


def _conv(name: str, out: int, inside: int, kernel: int) -> dict[str, Shape]:
    return {f"{name}.w": (out, inside, kernel, kernel), f"{name}.b": (out,)}


def _count(shapes: Mapping[str, Shape], group: str) -> int:
    pattern = re.compile(rf"{re.escape(group)}\.(\d{{1,3}})\.")
    # Counted, not the highest number: a hole in the numbering shows as a missing block.
    return len({found[1] for name in shapes if (found := pattern.match(name))})


VQ = Importer(
    name="vq",
    title="Codec of our own: pictures to codes of a learned book, and back",
    architecture="vq",
    family="tokens",
    signature={
        "book": (None, None),
        "encoder.entry.w": (None, 48, 3, 3),
        "decoder.leave.w": (12, None, 3, 3),
    },
    rules=(Rule(r"(book|spread|(?:encoder|decoder)\.[a-z_0-9.]+\.[wb])", (r"\1",)),),
    infer=infer,
    expected=expected,
)
