"""What codecs keep of pictures, against averages of 8 x 8 pixels: PSNR, SSIM and use of the codebook.

The baseline keeps the mean colour of every cell, in full precision (24 bits or more where one of 1024 codes
has 10), and enlarges these bicubically. Means are over pictures, of display-encoded colour, 0-1; codes are
counted over all pictures of a set. Sets: photographs of natural_scenes (test, 128 pixels) and renders of lego
(nerf_lego400, over white) in the shared folder, and any folder of pictures.

Run: python benchmarks/codec.py [world-vq dvae-small …] [--pictures FOLDER …] [--count 96] [--sheet out.png]
"""

from __future__ import annotations

import argparse
import os
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from dreamplate.nets.similarity import psnr, ssim
from dreamplate.plate import Plate, convert, write
from dreamplate.tokens.codec import Codec, load_codec, reconstruct
from dreamplate.tokens.codec_system import book_figures
from dreamplate.train.data.listing import Ref
from dreamplate.train.data.pictures import read_picture

SHARED = Path(os.environ.get("DREAMPLATE_SHARED", Path(__file__).resolve().parents[2] / "shared"))
SUFFIXES = (".png", ".webp", ".jpg", ".jpeg", ".exr")


def pictures(folder: Path, count: int) -> list[Tensor]:
    """Read every n-th picture below a folder as ``(1, 3, h, w)``, 0-1; transparent ones over white."""
    files = sorted(path for path in folder.rglob("*") if path.suffix.lower() in SUFFIXES)
    found = []
    for path in files[:: max(1, len(files) // count)][:count]:
        plate = convert(read_picture(Ref(path))[0], "srgb_display")
        pixels = plate.flatten((1.0, 1.0, 1.0)).rgb() if plate.has_alpha else plate.rgb()
        found.append(torch.from_numpy(pixels.transpose(2, 0, 1)[None].copy()).clamp(0, 1))
    return found


def averages(image: Tensor) -> Tensor:
    """Return means of 8 x 8 pixels, enlarged bicubically."""
    height, width = image.shape[-2:]
    small = F.avg_pool2d(image, 8, ceil_mode=True)
    large = F.interpolate(small, scale_factor=8, mode="bicubic", align_corners=False)
    return large[..., :height, :width].clamp(0, 1)


def alike(made: Sequence[Tensor], truths: Sequence[Tensor]) -> dict[str, float]:
    """Return mean PSNR and SSIM over pictures."""
    sides = [
        (one[0].permute(1, 2, 0), two[0].permute(1, 2, 0)) for one, two in zip(made, truths, strict=True)
    ]
    return {
        "PSNR dB": sum(psnr(*pair) for pair in sides) / len(sides),
        "SSIM": sum(ssim(*pair) for pair in sides) / len(sides),
    }


def through(codec: Codec, truths: Sequence[Tensor]) -> tuple[list[Tensor], dict[str, float]]:
    """Return what becomes of pictures, and the figures of a codec."""
    began, made, uses = time.process_time(), [], torch.zeros(codec.codes)
    for image in truths:
        picture, codes = reconstruct(codec, image)
        made.append(picture)
        uses += torch.bincount(codes.reshape(-1), minlength=codec.codes)
    spent, pixels = time.process_time() - began, sum(image[0, 0].numel() for image in truths)
    book = book_figures(uses)
    told = {"codes used": book["codes_used"], "perplexity": book["perplexity"]}
    return made, alike(made, truths) | told | {"CPU s a megapixel": spent / pixels * 1e6}


def sets(folders: Sequence[Path], count: int) -> Iterator[tuple[str, list[Tensor]]]:
    """Yield the sets that are there."""
    known = {"natural_scenes": "data/natural_scenes/test", "lego": "data/nerf_lego400/val"}
    places = {name: SHARED / place for name, place in known.items()} | {str(path): path for path in folders}
    for name, place in places.items():
        found = pictures(place, count if name != "lego" else max(1, count // 8)) if place.is_dir() else []
        if found:
            yield name, found


def row(pictures_of_one: Sequence[Tensor]) -> np.ndarray:
    """Return pictures side by side, cut to 128 pixels from the middle."""
    parts = []
    for image in pictures_of_one:
        top, left = ((side - 128) // 2 if side > 128 else 0 for side in image.shape[-2:])
        parts.append(image[0, :, top : top + 128, left : left + 128].permute(1, 2, 0).numpy())
    return np.concatenate([part for part in parts if part.shape[:2] == (128, 128)], 1)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("codecs", nargs="*", default=["dvae-small"])
    parser.add_argument("--pictures", type=Path, nargs="*", default=[])
    parser.add_argument("--count", type=int, default=96)
    parser.add_argument("--sheet", type=Path, help="originals above what each way makes of them (PNG)")
    asked = parser.parse_args()
    torch.set_num_threads(1)
    codecs = {name: load_codec(name) for name in asked.codecs}
    rows = []
    for name, truths in sets(asked.pictures, asked.count):
        print(f"\n{name}: {len(truths)} pictures")
        coarse = [averages(image) for image in truths]
        made = {"8x8 averages, bicubic": (coarse, alike(coarse, truths))}
        made |= {label: through(codec, truths) for label, codec in codecs.items()}
        chosen = range(0, len(truths), max(1, len(truths) // 8))[:8]
        block = [row([truths[number] for number in chosen])]
        for label, (results, figures) in made.items():
            told = ", ".join(f"{key} {value:.4g}" for key, value in figures.items())
            print(f"  {label:32s} {told}", flush=True)
            block.append(row([results[number] for number in chosen]))
        rows += block
    if asked.sheet is not None:
        width = max(part.shape[1] for part in rows)
        rows = [np.pad(part, ((0, 4), (0, width - part.shape[1]), (0, 0))) for part in rows]
        write(Plate(np.concatenate(rows).astype(np.float32), ("R", "G", "B"), "srgb_display"), asked.sheet)


if __name__ == "__main__":
    main()
