"""Train the built-in BigGAN-deep on pictures made by arithmetic, for the classes that a classifier sees.

Usage: python tools/train_biggan.py [--out FOLDER] [--images 28800] [--checkpoint FILE] [--sheet PNG]

Half of each batch asks for the mixture of classes that EfficientNet-Lite0 sees in a procedural picture, the
other half for one class by name. All of it has to look procedural to small judges on the frozen features of
Lite0 (Sauer et al., "Projected GANs Converge Faster", 2021, without its random projections), like what was
asked for to Lite0 itself (the auxiliary classifier of Odena et al. 2017, here a frozen one), and different
from latent to latent. Colour, texture and composition come from the procedures, and from the classifier
what they are to mean. The class embedding is the principal components of the classifier's own rows, so that
like classes share from the start.

Training begins at half the size, with the last two blocks left out. Their last convolutions are zero then,
so that putting them in changes nothing at first (compare Karras et al., "Progressive Growing", 2018).
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
import torch.nn.functional as F
from procedural import pictures as draw_procedural
from torch import Tensor
from train_stylegan2 import DEPTHS, Judges
from worlds import draw_worlds, save_sheet

from dreamplate.models import Card, Store
from dreamplate.models.store import Folder
from dreamplate.nets.biggan import BASE, Attention, Biggan, BigganShape
from dreamplate.nets.biggan_training import collect_statistics
from dreamplate.nets.efficientnet_lite import EfficientNetLite
from dreamplate.nets.packaged import load_classifier
from dreamplate.nets.wrapping import OPEN, conv_same

BUILT_IN = Path(__file__).resolve().parents[1] / "src" / "dreamplate" / "models" / "builtin"
WIDTH, LATENT, EMBED = 16, 64, 64
ATTENTION = 6
"""Self-attention stands at 32 pixels; at the published networks' 64 it would cost more than the rest."""
CLASSES, EACH = 8, 2
"""Class mixtures in a batch (half seen in pictures, half asked for by name), and latents for each."""
WORLDS, OTHERS = 2000, 1200
"""Landscapes, and other procedural pictures."""
GROW = 0.75
"""Share of the training that is done at half the size."""
RATES, KEEP = (1e-3, 2e-3), 0.99
"""Learning rates of generator and judges, falling over the last quarter; what the average keeps a step."""
LOOK = (64, 96)
"""Side at which the classifier sees the pictures, at half and at full size."""
NAMED, SEEN, DIFFER = (1.0, 2.0), 0.5, 4.0
"""Weights of classes by name (first third, later), of mixtures and of variety; the judges weigh 1."""
FEATURED = 0.85
"""Share of the featured classes; the rest goes evenly over all thousand."""
SCENES = (
    970, 972, 973, 974, 975, 976, 977, 978, 979, 980, 483, 497, 437, 663, 698, 718, 839, 888, 538, 425,
    449, 562, 580, 668, 682, 873, 500, 525, 821, 832, 853, 649, 863,
)  # fmt: skip
"""Landscapes and buildings: alp, cliff, reef, geyser, lakeside, …, castle, church, lighthouse, …"""
CREATURES = (
    1, 2, 7, 11, 14, 15, 22, 31, 33, 39, 47, 76, 84, 88, 89, 94, 96, 105, 107, 108, 109, 113, 130, 145, 148,
    207, 258, 277, 281, 288, 289, 291, 292, 294, 296, 301, 309, 319, 323, 340, 386, 388,
)  # fmt: skip
"""Goldfish, shark, cock, goldfinch, …, tiger, bears, ladybird, bee, …, zebra, elephant, panda."""
THINGS = (
    417, 470, 484, 724, 780, 820, 849, 879, 883, 914, 555, 817, 404, 812, 579, 402, 892, 949, 950, 951, 953,
    957, 963, 985, 986, 987, 947, 992, 936, 937, 945,
)  # fmt: skip
"""Balloon, candle, ships, locomotive, teapot, …, strawberry, orange, …, daisy, mushroom, …"""

CARD = Card(
    name="biggan-small",
    title="Small BigGAN-deep of the 1000 ImageNet classes, 128 pixels, trained without photographs",
    architecture="biggan",
    family="generator",
    description=(
        "Skies, horizons and textures like those of procedural pictures, which classes steer in colour and"
        " layout; no likeness of photographs, and mostly not what the class's name says: the figures tell how"
        " rarely another classifier recognises it. Made so that the biggan generator works without a"
        " download; the public BigGAN-deep weights show far more."
    ),
    training=(
        "tools/train_biggan.py: judges on the features of EfficientNet-Lite0 (Apache-2.0), and its"
        " cross-entropy; it is not part of this file."
    ),
    data=(
        "Pictures made by tools/worlds.py and tools/procedural.py; no photographs, no drawings, nothing by"
        " others. The classifier that taught it was trained on ImageNet."
    ),
    licence="Apache-2.0",
    commercial_use="yes",
    source="tools/train_biggan.py",
    created_by="dreamplate",
)


def principal_rows(rows: Tensor, count: int) -> Tensor:
    """Return rows ``(n, d)`` as ``(n, count)`` principal components of mean square one altogether."""
    centred = rows - rows.mean(0)
    left, sizes, _ = torch.linalg.svd(centred, full_matrices=False)
    found = left[:, :count] * sizes[:count]
    # A sign of its own for each component would make the result depend on the linear algebra library.
    found = found * found.sum(0).sign()
    return found / found.square().mean().sqrt()


def paint(net: Biggan, condition: Tensor, blocks: int) -> Tensor:
    """Pictures in [-1, 1] by a network that stops after so many blocks; all of them give its own picture."""
    if blocks == net.shape.blocks:
        return net(condition)
    x = net.gen_z(condition).unflatten(1, (BASE, BASE, -1)).permute(0, 3, 1, 2)
    left = blocks
    for part in net.layers:
        if isinstance(part, Attention):
            x = part(x)
        elif left:
            x = part(x, condition, 1.0, False, OPEN)
            left -= 1
    # Blocks that add nothing only drop channels and repeat pixels.
    x = net.bn(x[:, : net.shape.channels[-1]], None, 1.0, False)
    last = net.conv_to_rgb
    return torch.tanh(conv_same(x, last.weight[:3], last.bias[:3], OPEN))


def view(images: Tensor, side: int, draws: torch.Generator) -> Tensor:
    """Pictures as the classifier is shown them: flipped, zoomed, shifted, blurred, dimmed and grainy."""
    n = len(images)

    def uniform(low: float, high: float) -> Tensor:
        return low + (high - low) * torch.rand(n, generator=draws)

    zoom = torch.exp(uniform(-0.4, 0.08))
    slack = (1 - zoom).clamp(min=0)
    flip = torch.where(uniform(0, 1) < 0.5, -1.0, 1.0)
    theta = torch.zeros(n, 2, 3)
    theta[:, 0, 0], theta[:, 0, 2] = zoom * flip, slack * uniform(-1, 1)
    theta[:, 1, 1], theta[:, 1, 2] = zoom, slack * uniform(-1, 1)
    grid = F.affine_grid(theta, [n, 3, side, side], align_corners=False)
    seen = F.grid_sample(images, grid, padding_mode="reflection", align_corners=False)
    soft = F.avg_pool2d(F.pad(seen, (1, 1, 1, 1), mode="replicate"), 3, stride=1)
    seen = torch.lerp(seen, soft, uniform(0, 0.8)[:, None, None, None])
    seen = seen * uniform(0.85, 1.15)[:, None, None, None]
    return seen + 0.03 * torch.randn(seen.shape, generator=draws)


def sameness(pooled: Tensor) -> Tensor:
    """How alike features of pictures of one mixture are, ``EACH`` in a row; 0 when they differ enough."""
    seen = F.normalize(pooled, dim=1).unflatten(0, (-1, EACH))
    return F.relu(0.35 - (1 - (seen[:, 0] * seen[:, 1]).sum(1))).mean()


@torch.no_grad()
def draw_pictures(worlds: int, others: int, side: int, seed: int = 0) -> Tensor:
    """Landscapes, then other procedural pictures, ``(n, 3, side, side)`` bytes."""
    draws = torch.Generator().manual_seed(seed)
    parts = [draw_worlds(seed, 0, worlds, side)]
    for start in range(0, others, 50):
        made = draw_procedural(min(50, others - start), side, draws)
        parts.append((made * 255).round().to(torch.uint8))
    return torch.cat(parts)


@torch.no_grad()
def classify(tower: EfficientNetLite, pictures: Tensor, side: int = 96) -> Tensor:
    """What a classifier sees in pictures: probabilities ``(n, classes)``."""
    seen = []
    for part in pictures.split(50):
        images = F.interpolate(part / 255, size=(side, side), mode="bilinear", antialias=True)
        seen.append(tower(images).softmax(1))
    return torch.cat(seen)


class Trainer:
    """Everything that changes while training, and one step of it.

    Args:
        tower: The frozen classifier.
        pictures: ``(n, 3, side, side)`` bytes.
        total: Pictures that the whole training draws; sets when it grows and when the rates fall.
        seed: Of all draws.
        shape: Sizes of the generator.
    """

    def __init__(
        self,
        tower: EfficientNetLite,
        pictures: Tensor,
        total: int,
        *,
        seed: int = 0,
        shape: BigganShape | None = None,
    ) -> None:
        self.tower, self.pictures, self.total = tower, pictures, total
        self.draws = torch.Generator().manual_seed(seed)
        shape = shape or BigganShape.of(128, WIDTH, z_dim=LATENT, embed_dim=EMBED, attention=ATTENTION)
        self.net, self.average = Biggan(shape, self.draws), Biggan(shape)
        with torch.no_grad():
            self.net.embeddings.weight.copy_(principal_rows(tower.fc.weight, shape.embed_dim).T)
            for block in list(self.net.layers)[-2:]:
                block.conv_3.weight.zero_()
            for name, weight in self.net.named_parameters():
                if name.endswith(("scale.weight", "offset.weight")):
                    weight.mul_(0.4)  # gains near one at first, whatever the condition
        self.average.load_state_dict(self.net.state_dict())
        self.average.requires_grad_(False)
        self.mixtures = classify(tower, pictures)
        widths = [m.shape[1] for m in tower.features(pictures[:1] / 255, DEPTHS).values()]
        self.judges = Judges(widths, self.draws)
        self.painter_steps = torch.optim.Adam(self.net.parameters(), lr=RATES[0], betas=(0.0, 0.99))
        self.judge_steps = torch.optim.Adam(self.judges.parameters(), lr=RATES[1], betas=(0.0, 0.99))
        shares = torch.full((shape.classes,), (1 - FEATURED) / shape.classes)
        shares[torch.tensor([*SCENES, *CREATURES, *THINGS])] += FEATURED / len(SCENES + CREATURES + THINGS)
        self.shares = shares
        self.steps = 0

    @property
    def done(self) -> float:
        """Share of the training that lies behind."""
        return self.steps * CLASSES * EACH / self.total

    @property
    def blocks(self) -> int:
        """How many blocks draw now."""
        return self.net.shape.blocks - (2 if self.done < GROW else 0)

    def draw_classes(self) -> Tensor:
        """Class mixtures ``(CLASSES * EACH, classes)``: half as seen in pictures, half a class each."""
        seen = self.mixtures[torch.randint(len(self.mixtures), (CLASSES // 2,), generator=self.draws)]
        named = torch.multinomial(self.shares, CLASSES - CLASSES // 2, generator=self.draws)
        mixtures = torch.cat([seen, F.one_hot(named, len(self.shares)).float()])
        return mixtures.repeat_interleave(EACH, 0)

    def draw_real(self) -> Tensor:
        """Procedural pictures in [0, 1], at the size that is drawn now."""
        picks = torch.randint(len(self.pictures), (CLASSES * EACH,), generator=self.draws)
        real = self.pictures[picks] / 255
        side = self.net.shape.resolution >> (self.blocks < self.net.shape.blocks)
        return F.interpolate(real, size=(side, side), mode="bilinear", antialias=True)

    def losses(self, z: Tensor, classes: Tensor, real: Tensor) -> tuple[Tensor, Tensor, dict[str, float]]:
        """What the judges make small, what the painter does, and parts of these.

        The painter's loss leaves gradients at the judges too, which are to be thrown away.
        """
        images = (paint(self.net, self.net.condition(z, classes), self.blocks) + 1) / 2
        look = LOOK[self.blocks == self.net.shape.blocks]
        depths = (*DEPTHS, "pooled")
        features = self.tower.features(view(images, look, self.draws), depths)
        with torch.no_grad():
            others = self.tower.features(view(real, look, self.draws), DEPTHS)
        judging = torch.zeros(())
        apart = {name: features[name].detach() for name in DEPTHS}
        for good, bad in zip(self.judges(others), self.judges(apart), strict=True):
            judging = judging + (F.relu(1 - good).mean() + F.relu(1 + bad).mean()) / len(DEPTHS)
        likeness = -sum((score.mean() for score in self.judges(features)), torch.zeros(())) / len(DEPTHS)
        told = -(classes * self.tower.fc(features["pooled"]).log_softmax(1)).sum(1)
        seen, named = told[: len(told) // 2].mean(), told[len(told) // 2 :].mean()
        same = sameness(features["pooled"])
        painting = likeness + SEEN * seen + NAMED[self.done >= 1 / 3] * named + DIFFER * same
        parts = {"judging": judging, "likeness": likeness, "seen": seen, "named": named, "same": same}
        return judging, painting, {name: part.item() for name, part in parts.items()}

    def step(self) -> dict[str, float]:
        """One step of both players on one batch."""
        for steps, rate in ((self.painter_steps, RATES[0]), (self.judge_steps, RATES[1])):
            steps.param_groups[0]["lr"] = rate * max(0.05, min(1.0, (1 - self.done) * 4))
        classes = self.draw_classes()
        z = torch.randn(len(classes), self.net.shape.z_dim, generator=self.draws)
        judging, painting, parts = self.losses(z, classes, self.draw_real())
        self.painter_steps.zero_grad(set_to_none=True)
        painting.backward()
        self.judge_steps.zero_grad(set_to_none=True)  # what painting left there
        judging.backward()
        torch.nn.utils.clip_grad_norm_(self.net.parameters(), 5.0)
        self.painter_steps.step()
        self.judge_steps.step()
        with torch.no_grad():
            keep = min(KEEP, self.steps / (self.steps + 10))
            for old, new in zip(self.average.parameters(), self.net.parameters(), strict=True):
                old.lerp_(new, 1 - keep)
        self.steps += 1
        return parts

    def state_dict(self) -> dict[str, Any]:
        """Everything that `load_state_dict` needs to go on as if never stopped."""
        return {
            "steps": self.steps,
            "draws": self.draws.get_state(),
            "net": self.net.state_dict(),
            "average": self.average.state_dict(),
            "judges": self.judges.state_dict(),
            "painter_steps": self.painter_steps.state_dict(),
            "judge_steps": self.judge_steps.state_dict(),
        }

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Take up the training of `state_dict`."""
        self.steps = state["steps"]
        self.draws.set_state(state["draws"])
        for name in ("net", "average", "judges", "painter_steps", "judge_steps"):
            getattr(self, name).load_state_dict(state[name])

    @torch.no_grad()
    def preview(self, labels: Sequence[int], seed: int = 1) -> Tensor:
        """Pictures of classes by the averaged generator with the batch's own statistics, as bytes."""
        draws = torch.Generator().manual_seed(seed)
        z = torch.randn(len(labels), self.net.shape.z_dim, generator=draws)
        classes = F.one_hot(torch.tensor(labels), self.net.shape.classes).float()
        self.average.train()
        return to_bytes(paint(self.average, self.average.condition(z, classes), self.blocks))


def to_bytes(images: Tensor) -> Tensor:
    """Pictures in [-1, 1] as bytes."""
    return ((images + 1) * 127.5).round().clamp(0, 255).to(torch.uint8)


@torch.no_grad()
def fill_statistics(net: Biggan, shares: Tensor, batches: int = 8, seed: int = 2) -> None:
    """Fill the tables of statistics for truncations from 0 to 1."""
    draws = torch.Generator().manual_seed(seed)
    conditions: dict[float, list[Tensor]] = {}
    for truncation in (0.0, 0.25, 0.5, 0.75, 1.0):
        conditions[truncation] = []
        for _ in range(batches):
            picks = torch.multinomial(shares, 32, generator=draws)
            classes = F.one_hot(picks, len(shares)).float()
            z = torch.randn(32, net.shape.z_dim, generator=draws) * truncation
            conditions[truncation].append(net.condition(z, classes))
    collect_statistics(net, conditions)


@torch.no_grad()
def recognised(
    net: Biggan, judge: EfficientNetLite, labels: Sequence[int], seed: int = 3
) -> dict[str, float]:
    """Shares of pictures, one a label, that a classifier puts first and among its first five."""
    draws = torch.Generator().manual_seed(seed)
    hits = torch.zeros(2)
    net.eval()
    for part in torch.tensor(labels).split(32):
        classes = F.one_hot(part, net.shape.classes).float()
        z = torch.randn(len(part), net.shape.z_dim, generator=draws)
        images = net(net.condition(z, classes))
        seen = F.interpolate((images + 1) / 2, size=(160, 160), mode="bilinear", antialias=True)
        order = judge(seen).topk(5).indices
        hits += torch.stack([(order[:, 0] == part).sum(), (order == part[:, None]).sum()])
    return {"top-1": round(hits[0].item() / len(labels), 3), "top-5": round(hits[1].item() / len(labels), 3)}


def export(trainer: Trainer, out: Path) -> None:
    """Fill the statistics, measure and write the network."""
    net = trainer.average
    fill_statistics(net, trainer.shares)
    judge = load_classifier("lite2")
    figures: dict[str, float] = {"pictures drawn in training": trainer.steps * CLASSES * EACH}
    featured = [*SCENES, *CREATURES, *THINGS]
    for name, labels in (("featured classes", featured * 4), ("all classes", list(range(1000)))):
        for top, share in recognised(net, judge, labels).items():
            figures[f"samples that EfficientNet-Lite2 recognises, {name}, {top}"] = share
    state = {name: tensor.half().contiguous() for name, tensor in net.state_dict().items()}
    card = CARD.with_(settings=net.shape.settings(), figures=figures)
    entry = Store([Folder(out, "out")]).add(state, card, replace=True)
    print(entry.weights, entry.weights.stat().st_size, figures)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, default=BUILT_IN)
    parser.add_argument("--images", type=int, default=28_800, help="pictures that the training draws")
    parser.add_argument("--minutes", type=float, default=1e9, help="stop and write after so long")
    parser.add_argument("--checkpoint", type=Path, help="kept up to date, and taken up if it exists")
    parser.add_argument("--pictures", type=Path, help="cache of the procedural pictures")
    parser.add_argument("--sheet", type=Path, help="samples, kept up to date")
    parser.add_argument("--threads", type=int, default=1)
    args = parser.parse_args()
    torch.set_num_threads(args.threads)
    if args.pictures and args.pictures.exists():
        pictures = torch.load(args.pictures, weights_only=True)
    else:
        pictures = draw_pictures(WORLDS, OTHERS, 128)
        if args.pictures:
            torch.save(pictures, args.pictures)
    trainer = Trainer(load_classifier("lite0").use_products(torch.bfloat16), pictures, args.images)
    if args.checkpoint and args.checkpoint.exists():
        trainer.load_state_dict(torch.load(args.checkpoint, weights_only=True))
    shown = [*SCENES[:22], *CREATURES[:22], *THINGS[:20]]
    started = time.monotonic()
    while trainer.done < 1 and time.monotonic() - started < args.minutes * 60:
        losses = trainer.step()
        if trainer.steps % 100 == 0:
            told = " ".join(f"{name} {value:.3f}" for name, value in losses.items())
            print(f"{trainer.steps} {time.monotonic() - started:.0f}s {told}", flush=True)
            if args.checkpoint:
                torch.save(trainer.state_dict(), args.checkpoint)
            if args.sheet:
                save_sheet(trainer.preview(shown), args.sheet)
    if args.checkpoint:
        torch.save(trainer.state_dict(), args.checkpoint)
    export(trainer, args.out)


if __name__ == "__main__":
    main()
