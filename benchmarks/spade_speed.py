"""Measure SPADE on the processor: ours against the plain form of the same network with the same weights.

Usage: python benchmarks/spade_speed.py [--size 256] [--width 64] [--classes 151] [--rounds 3] [--maps 4]

The plain form is the network as the paper draws it: one-hot map, three 3 by 3 convolutions in each layer
that normalises (shared, scale, offset), batch norm, nearest enlarging, spectral norms divided out at
each call; float32, channels first. Ours are the label paths of `dreamplate.translate.spade`, first
picture of a map and further pictures (styles) of the same map, in float32 and in bfloat16. Everything
runs interleaved in one process on one thread; the figure is the minimum over rounds of processor
seconds, user and system, averaged over maps.

Label maps are those of ../shared/data/coco_stuff_samples where that folder is there, scaled so that the
shorter side fits and cut in the middle, ids modulo the number of classes; else blobs.
"""

from __future__ import annotations

import argparse
import os
import platform
import resource
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from dreamplate.train.onehot import one_hot
from dreamplate.translate.spade import Spade, SpadeShape, initialise
from dreamplate.translate.spade_layers import SpadeBlock, SpadeNorm

SHARED = Path(os.environ.get("DREAMPLATE_SHARED", Path(__file__).resolve().parents[2] / "shared"))


def label_maps(size: int, classes: int, count: int) -> list[Tensor]:
    """Return label maps ``(1, size, size)``."""
    folder = SHARED / "data" / "coco_stuff_samples" / "val_label"
    if folder.is_dir():
        from PIL import Image

        maps = []
        for path in sorted(folder.glob("*.png"))[:count]:
            picture = Image.open(path)
            scale = size / min(picture.size)
            picture = picture.resize(
                (max(size, round(picture.width * scale)), max(size, round(picture.height * scale))), 0
            )
            left, top = (picture.width - size) // 2, (picture.height - size) // 2
            pixels = np.asarray(picture.crop((left, top, left + size, top + size))).astype(np.int64)
            maps.append(torch.from_numpy(pixels % classes)[None])
        return maps
    maps = []
    for seed in range(count):
        noise = torch.randn(1, 20, 8, 8, generator=torch.Generator().manual_seed(seed))
        large = functional.interpolate(noise, (size, size), mode="bicubic")
        maps.append(large.argmax(1) * 7 % classes)
    return maps


class Plain:
    """The network as the paper draws it, channels first, with weights as checkpoints hold them."""

    def __init__(self, net: Spade) -> None:
        self.net = net
        self.halves: dict[SpadeNorm, list[tuple[Tensor, Tensor]]] = {}
        for part in net.modules():
            if isinstance(part, SpadeNorm):
                weights = [half.contiguous() for half in part.modulation.weight.chunk(2)]
                assert part.modulation.bias is not None
                self.halves[part] = list(zip(weights, part.modulation.bias.chunk(2), strict=True))

    def __call__(self, labels: Tensor, z: Tensor | None) -> Tensor:
        """Make pictures of class indices."""
        net = self.net
        condition = one_hot(labels, net.shape.entry, net.shape.entry)
        if z is not None:
            x = net.first(z).view(len(z), -1, net.shape.start_height, net.shape.start_width)
        else:
            start = [side // net.multiple for side in labels.shape[-2:]]
            x = net.first(functional.interpolate(condition, start, mode="nearest"))
        for name, _, _, doubles in net.shape.ladder:
            if doubles:
                x = functional.interpolate(x, scale_factor=2, mode="nearest")
            x = self._block(net.blocks[name], x, condition)
        return torch.tanh(net.last(functional.leaky_relu(x, 0.2)))

    def _block(self, block: torch.nn.Module, x: Tensor, condition: Tensor) -> Tensor:
        assert isinstance(block, SpadeBlock)
        inner = self._conv(block.conv_0, functional.leaky_relu(self._norm(block.norm_0, x, condition), 0.2))
        inner = self._conv(
            block.conv_1, functional.leaky_relu(self._norm(block.norm_1, inner, condition), 0.2)
        )
        if block.norm_s is not None and block.conv_s is not None:
            x = self._conv(block.conv_s, self._norm(block.norm_s, x, condition))
        return x + inner

    def _conv(self, conv: torch.nn.Module, x: Tensor) -> Tensor:
        weight = conv.weight_orig
        sigma = torch.dot(conv.weight_u, weight.flatten(1) @ conv.weight_v)
        return functional.conv2d(x, weight / sigma, conv.bias, padding=conv.padding)

    def _norm(self, layer: SpadeNorm, x: Tensor, condition: Tensor) -> Tensor:
        normal = layer.norm(x)
        resized = functional.interpolate(condition, x.shape[-2:], mode="nearest")
        hidden = functional.relu(layer.shared(resized))
        (gamma, gamma_bias), (beta, beta_bias) = self.halves[layer]
        margin = gamma.shape[-1] // 2
        return normal * (
            1 + functional.conv2d(hidden, gamma, gamma_bias, padding=margin)
        ) + functional.conv2d(hidden, beta, beta_bias, padding=margin)


def seconds(run: Callable[[], Tensor]) -> float:
    """Return the processor seconds of a call, user and system."""
    before = resource.getrusage(resource.RUSAGE_SELF)
    run()
    after = resource.getrusage(resource.RUSAGE_SELF)
    return after.ru_utime - before.ru_utime + after.ru_stime - before.ru_stime


@torch.no_grad()
def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--size", type=int, default=256)
    parser.add_argument("--width", type=int, default=64)
    parser.add_argument("--classes", type=int, default=151)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--maps", type=int, default=3)
    options = parser.parse_args()
    torch.set_num_threads(1)
    side = options.size // 32
    shape = SpadeShape(
        options.classes,
        width=options.width,
        z_dim=256,
        noise="start",
        start_height=side,
        start_width=side,
        spectral=1,
    )
    net = Spade(shape)
    initialise(net, torch.Generator().manual_seed(0), 1.0)
    net.eval()
    plain = Plain(net)
    fast = Spade.from_settings(net.settings)
    fast.load_state_dict(net.state_dict())
    fast.eval().to(memory_format=torch.channels_last)
    maps = label_maps(options.size, options.classes, options.maps)
    styles = torch.randn(2, 1, 256, generator=torch.Generator().manual_seed(1))
    best: dict[str, list[float]] = {}
    worst = dict.fromkeys(("ours", "ours, bfloat16"), 0.0)
    shares: dict[int, list[float]] = {}
    for _ in range(options.rounds):
        for number, labels in enumerate(maps):
            other = maps[(number + 1) % len(maps)].flip(-1)
            wanted = plain(labels, styles[0])

            def note(name: str, taken: float, number: int = number) -> None:
                row = best.setdefault(name, [float("inf")] * len(maps))
                row[number] = min(row[number], taken)

            note("plain", seconds(lambda labels=labels: plain(labels, styles[0])))
            for name, kind in (("ours", torch.float32), ("ours, bfloat16", torch.bfloat16)):
                with torch.autocast("cpu", torch.bfloat16, enabled=kind == torch.bfloat16):
                    fast.from_labels(other, None, styles[0])  # another map: nothing of this one is kept
                    note(name, seconds(lambda labels=labels: fast.from_labels(labels, None, styles[0])))
                    note(
                        f"{name}, another style",
                        seconds(lambda labels=labels: fast.from_labels(labels, None, styles[1])),
                    )
                    made = fast.from_labels(labels, None, styles[0])
                worst[name] = max(worst[name], float((made.float() - wanted).abs().max()))
            condition = fast.condition(labels, None, styles[0])
            for stride in (32, 16, 8, 4, 2, 1):
                size = options.size // stride
                shares.setdefault(size, []).append(condition.level((size, size), shape.kernel).share)
    print(
        f"{options.size} px, {options.classes} classes, width {options.width}, {len(maps)} maps;"
        f" {platform.machine()}, torch {torch.__version__}"
    )
    base = sum(best["plain"]) / len(maps)
    for name, row in best.items():
        mean = sum(row) / len(row)
        print(f"{name:32s} {mean:7.2f} s of processor  {base / mean:5.1f} x")
    print(f"largest difference, of -1 to 1: {worst}; deviation of the picture {float(wanted.std()):.2f}")
    found = {size: f"{sum(row) / len(row):.0%}" for size, row in shares.items()}
    print(f"different neighbourhoods, over pixels, by size: {found}")


if __name__ == "__main__":
    main()
