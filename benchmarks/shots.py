"""Few-shot training measured: a clip made by formula, three painted frames, how well the others come out.

The clip: textured shapes that move, turn and overlap before a textured wall, under a light that slowly
changes, with a little camera noise. The painting: each region recoloured by its own curve, posterised, with
strokes that follow the picture's lightness, and dark outlines between regions. So the true painting of every
frame is known, and nothing here is anybody's picture.

Compared at equal CPU seconds: the recipe `shots`, the same by L1 alone, the nearest key copied, and the frame
as it is. PSNR is of unseen frames; flicker is the standard deviation over time, in levels of 255, of pixels
that show the still wall in every frame (0 in the true painting, whose input has noise of 1.0).

Run: python benchmarks/shots.py [CPU_SECONDS] [FOLDER]   (FOLDER takes a sheet and the frames)
"""

from __future__ import annotations

import math
import os
import sys
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from dreamplate.nets.statistics import set_statistics
from dreamplate.plate import Plate, write
from dreamplate.take import load_recipe
from dreamplate.train import Batch, Draws, Now, Port
from dreamplate.translate.config import TrainConfig
from dreamplate.translate.pix2pix_layers import padded
from dreamplate.translate.shots_system import Shots, build

FRAMES, HEIGHT, WIDTH = 48, 240, 426
KEYS = (0, 23, 47)
NOISE = 1.0 / 255


def noise_texture(seed: int, height: int, width: int, cell: int) -> Tensor:
    """Return smooth noise of -1 to 1, ``(height, width)``, with features of ``cell`` pixels."""
    draws = torch.Generator().manual_seed(seed)
    total = torch.zeros(height, width)
    for octave in range(3):
        side = max(2, cell >> octave)
        coarse = torch.rand(1, 1, height // side + 3, width // side + 3, generator=draws) * 2 - 1
        large = F.interpolate(coarse, scale_factor=side, mode="bicubic", align_corners=False)[0, 0]
        total += large[:height, :width] * 0.5**octave
    return (total / 1.5).clamp(-1, 1)


def clip_frame(frame: int, height: int = HEIGHT, width: int = WIDTH) -> tuple[Tensor, Tensor]:
    """Return the picture ``(3, h, w)``, 0-1, and the region of every pixel ``(h, w)``; 0 is the wall."""
    time_ = frame / (FRAMES - 1)
    rows = torch.arange(height)[:, None].expand(height, width) + 0.5
    columns = torch.arange(width)[None].expand(height, width) + 0.5
    u, v = columns / height, rows / height
    wall = torch.tensor([0.62, 0.58, 0.5])[:, None, None] + 0.08 * noise_texture(1, height, width, 40)
    picture, region = wall, torch.zeros(height, width, dtype=torch.int64)
    aspect = width / height
    shapes = (
        # centre at the beginning and the end, size, corners (0 round), colour, turns
        ((0.25, 0.7), (0.8, 0.55), 0.26, 0, (0.75, 0.25, 0.2), 0.2),
        ((1.4, 0.3), (0.9, 0.65), 0.22, 4, (0.2, 0.45, 0.7), 0.35),
        ((0.9, 0.25), (1.3, 0.3), 0.17, 3, (0.85, 0.7, 0.25), -0.4),
        ((1.0, 0.85), (0.45, 0.35), 0.15, 5, (0.3, 0.6, 0.3), 0.5),
    )
    for number, (start, end, size, corners, colour, turns) in enumerate(shapes, 1):
        centre = [a + (b - a) * time_ for a, b in zip(start, end, strict=True)]
        x, y = u - centre[0] * aspect / 1.775, v - centre[1]
        angle = 2 * math.pi * turns * time_
        x, y = x * math.cos(angle) + y * math.sin(angle), y * math.cos(angle) - x * math.sin(angle)
        away = torch.sqrt(x * x + y * y)
        if corners:
            sector = 2 * math.pi / corners
            bearing = torch.remainder(torch.atan2(y, x), sector) - sector / 2
            away = away * torch.cos(bearing) / math.cos(sector / 2) * 0.9
        # The texture turns and moves with its shape.
        texture = noise_texture(10 + number, 256, 256, 24)
        grid = torch.stack([x, y], dim=-1)[None] / (1.6 * size)
        detail = F.grid_sample(texture[None, None], grid, padding_mode="reflection", align_corners=False)[
            0, 0
        ]
        shade = 1.05 - 0.55 * (away / size) ** 2 + 0.22 * detail
        own = torch.tensor(colour)[:, None, None] * shade
        share = ((size - away) * height).clamp(0, 1)
        picture = picture * (1 - share) + own * share
        region = torch.where(share > 0.5, number, region)
    light = 1 + 0.1 * math.sin(2 * math.pi * time_)
    light_at = torch.where(region > 0, light, 1.0)  # the wall stays as it is: flicker is measured there
    return (picture * light_at).clamp(0, 1), region


def painted(picture: Tensor, region: Tensor) -> Tensor:
    """Return the painting of a frame, ``(3, h, w)``, 0-1: a fixed function of colours and regions."""
    palettes = torch.tensor(
        [
            [[0.12, 0.16, 0.30], [0.93, 0.86, 0.70]],
            [[0.35, 0.05, 0.20], [1.0, 0.55, 0.35]],
            [[0.05, 0.20, 0.25], [0.55, 0.85, 0.75]],
            [[0.40, 0.20, 0.05], [1.0, 0.95, 0.60]],
            [[0.10, 0.15, 0.10], [0.75, 0.80, 0.35]],
        ]
    )
    light = picture.mean(0)
    smooth = F.avg_pool2d(light[None, None], 5, 1, 2, count_include_pad=False)[0, 0]
    tone = (smooth * 1.25 - 0.08).clamp(0, 1)
    steps = tone * 5
    flat = (torch.floor(steps) + (6 * (steps - torch.floor(steps)) - 5).clamp(0, 1)) / 5
    # Strokes where light lies between two tones.
    stroke = torch.sin(60 * smooth + 12 * picture[0] - 9 * picture[2])
    tone = (flat + 0.12 * stroke * (1 - (2 * tone - 1) ** 2)).clamp(0, 1)
    ends = palettes[region]
    colour = (ends[:, :, 0] * (1 - tone[:, :, None]) + ends[:, :, 1] * tone[:, :, None]).permute(2, 0, 1)
    near = F.one_hot(region, 5).permute(2, 0, 1)[None].float()
    border = 1 - F.avg_pool2d(near, 5, 1, 2, count_include_pad=False).amax(1)[0]
    return colour * (1 - (2.2 * border).clamp(0, 0.9))


def make_clip(height: int = HEIGHT, width: int = WIDTH) -> tuple[Tensor, Tensor, Tensor]:
    """Return frames with noise, their paintings (both ``(t, 3, h, w)``, -1 to 1), and the still wall."""
    frames, paintings, moving = [], [], torch.zeros(height, width, dtype=torch.bool)
    for frame in range(FRAMES):
        picture, region = clip_frame(frame, height, width)
        draws = torch.Generator().manual_seed(frame)
        paintings.append(painted(picture, region))
        frames.append(picture + NOISE * torch.randn(picture.shape, generator=draws))
        near = F.max_pool2d((region > 0)[None].float(), 9, 1, 4)[0] > 0
        moving |= near
    return torch.stack(frames) * 2 - 1, torch.stack(paintings) * 2 - 1, ~moving


def train(config: TrainConfig, frames: Tensor, paintings: Tensor, seconds: float) -> tuple[Shots, int]:
    """Train for a number of CPU seconds; returns the system and the steps done."""
    system = build(config, Port(), Port())
    keys = list(KEYS)
    batch = Batch(paintings[keys], frames[keys])
    begun, step = time.process_time(), 0
    while (used := time.process_time() - begun) < seconds:
        now = Now(step, step * len(keys), step, used / seconds, Draws(config.seed, step))
        system.learn(batch, now)
        step += 1
    return system, step


def psnr(made: Tensor, wanted: Tensor) -> float:
    """Return decibels for pictures of -1 to 1, the mean over frames."""
    errors = ((made.clamp(-1, 1) - wanted) / 2).square().mean((1, 2, 3))
    return float((-10 * errors.log10()).mean())


@torch.inference_mode()
def applied(system: Shots, frames: Tensor) -> Tensor:
    """Return what the generator makes of every frame, with its running statistics."""
    generator = set_statistics(system.generator.eval(), None)
    return torch.cat([padded(generator, frame[None]) for frame in frames])


def figures(made: Tensor, paintings: Tensor, still: Tensor) -> str:
    """Return PSNR of unseen frames and the flicker of what stands still."""
    unseen = [frame for frame in range(FRAMES) if frame not in KEYS]
    flicker = (made[:, :, still].clamp(-1, 1) * 127.5).std(0).mean()
    return f"{psnr(made[unseen], paintings[unseen]):6.2f} dB   flicker {flicker:5.2f}"


def main() -> None:
    """Measure."""
    seconds = float(sys.argv[1]) if len(sys.argv) > 1 else 300.0
    torch.set_num_threads(int(os.environ.get("OMP_NUM_THREADS", "1")))
    frames, paintings, still = make_clip()
    print(f"{FRAMES} frames of {WIDTH} x {HEIGHT}, keys {KEYS}, still {float(still.float().mean()):.0%}")
    recipe = load_recipe(TrainConfig, "shots", kind="train")
    recipe = replace(recipe, learn=replace(recipe.learn, precision="float32"))
    plain = replace(recipe.shots, gan="none", perceptual=0.0)
    made: dict[str, Tensor] = {}
    for name, options in (("shots", recipe.shots), ("L1 only", plain)):
        system, steps = train(replace(recipe, shots=options), frames, paintings, seconds)
        begun = time.process_time()
        made[name] = applied(system, frames)
        each = (time.process_time() - begun) / FRAMES
        print(f"{name:12} {figures(made[name], paintings, still)}   {steps} steps, {each:.2f} s a frame")
    nearest = [min(KEYS, key=lambda key: abs(key - frame)) for frame in range(FRAMES)]
    print(f"{'nearest key':12} {figures(paintings[nearest], paintings, still)}")
    print(f"{'as it is':12} {figures(frames, paintings, still)}")
    if len(sys.argv) > 2:
        folder = Path(sys.argv[2])
        folder.mkdir(parents=True, exist_ok=True)
        rows = [
            torch.cat([x[f] for x in (frames, made["L1 only"], made["shots"], paintings)], 2)
            for f in (0, 11, 35)
        ]
        sheet = torch.cat(rows, 1).clamp(-1, 1).permute(1, 2, 0).numpy() / 2 + 0.5
        write(Plate.from_rgb(np.ascontiguousarray(sheet, np.float32), "srgb_display"), folder / "sheet.png")


if __name__ == "__main__":
    main()
