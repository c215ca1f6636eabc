"""Train the built-in StyleGAN2 on procedural landscapes, and write it and its discriminator with cards.

Usage: python tools/train_stylegan2.py [--out FOLDER] [--images 25600] [--checkpoint FILE] [--sheet PNG]

The loss is the non-saturating logistic one with lazy R1 (Karras et al. 2020, section 3.1 and appendix B).
So few pictures are seen in an hour of one CPU core that a discriminator starting from nothing would be a
poor teacher for most of it. Therefore small judges on the frozen features of EfficientNet-Lite0 teach along
(Sauer et al., "Projected GANs Converge Faster", 2021, without its random projections); they are thrown away
at the end. Departures from the StyleGAN2 recipe: one batch of fakes serves both players in a step, and there
is no path length penalty and no style mixing.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from worlds import draw_worlds, save_sheet

from dreamplate.models import Card, Store
from dreamplate.models.store import Folder
from dreamplate.nets.efficientnet_lite import EfficientNetLite
from dreamplate.nets.packaged import load_classifier
from dreamplate.nets.stylegan2 import Stylegan2, Stylegan2Shape
from dreamplate.nets.stylegan2_discriminator import DiscriminatorShape, Stylegan2Discriminator

BUILT_IN = Path(__file__).resolve().parents[1] / "src" / "dreamplate" / "models" / "builtin"
SIDE, LATENT, LAYERS = 64, 64, 4
BASE, MOST = 1024, 64
BATCH, WORLDS = 16, 32768
RATES = (2.5e-3, 2e-3)
"""Learning rates of generator and discriminators; both fall to a tenth over the last fifth."""
R1, LAZY = 0.1, 16
"""Weight of the gradient penalty, and every how many steps it is taken."""
DEPTHS = ("stage2", "stage3", "stage5")
"""Lite0 features that judges look at."""
HELP = 0.5
"""Weight of all the judges together beside the discriminator's."""
HALF_LIFE = 3000
"""Of the averaged generator, in pictures."""

DATA = "Landscapes drawn by tools/worlds.py; no photographs, no drawings, nothing by others."
GENERATOR_CARD = Card(
    name="stylegan2-small",
    title="Small StyleGAN2 of stylised landscapes, 64 pixels",
    architecture="stylegan2",
    family="generator",
    description=(
        "Skies with clouds over meadows, lines of trees and ridges, from noon to night, in the manner of a"
        " simple painting; mountains and water come out roughly. Made so that the stylegan2 generator works"
        " without a download."
    ),
    training=(
        "tools/train_stylegan2.py: logistic loss, lazy R1, helped by judges on the features of"
        " EfficientNet-Lite0 (Apache-2.0), which are not part of this file."
    ),
    data=DATA,
    licence="Apache-2.0",
    commercial_use="yes",
    source="tools/train_stylegan2.py",
    created_by="dreamplate",
)
DISCRIMINATOR_CARD = GENERATOR_CARD.with_(
    name="stylegan2-small-discriminator",
    title="Discriminator of stylegan2-small: how much a picture looks like one of its landscapes",
    architecture="stylegan2-discriminator",
    description="Scores pictures of 64 pixels; high is like the landscapes that stylegan2-small learnt from.",
)


class Judges(nn.Module):
    """One small network for each depth of Lite0 that is looked at: a score at every place."""

    def __init__(self, widths: Sequence[int], draws: torch.Generator) -> None:
        super().__init__()
        self.parts = nn.ModuleList(
            nn.Sequential(nn.Conv2d(width, 48, 3, padding=1), nn.LeakyReLU(0.2), nn.Conv2d(48, 1, 1))
            for width in widths
        )
        with torch.no_grad():
            for part in self.modules():
                if isinstance(part, nn.Conv2d):
                    fan = part.weight[0].numel()
                    part.weight.copy_(torch.randn(part.weight.shape, generator=draws) * (2 / fan) ** 0.5)
                    part.bias.zero_()

    def forward(self, features: Mapping[str, Tensor]) -> list[Tensor]:
        """Score maps ``(n, 1, h, w)``, high for what looks real, of the features at :data:`DEPTHS`."""
        return [part(features[name]) for part, name in zip(self.parts, DEPTHS, strict=True)]


class Trainer:
    """Everything that changes while training, and one step of it.

    Args:
        pictures: ``(n, 3, side, side)`` bytes.
        total: Pictures that the whole training sees; sets when the learning rates fall.
        seed: Of all draws.
        base: Channels times side.
        most: Channels at most.
        tower: Frozen features for the judges; None trains without them.
    """

    def __init__(
        self,
        pictures: Tensor,
        total: int,
        *,
        seed: int = 0,
        batch: int = BATCH,
        base: int = BASE,
        most: int = MOST,
        tower: EfficientNetLite | None = None,
    ) -> None:
        side = pictures.shape[-1]
        self.pictures, self.total, self.batch, self.tower = pictures, total, batch, tower
        self.draws = torch.Generator().manual_seed(seed)
        shape = Stylegan2Shape.of(side, base, most, z_dim=LATENT, w_dim=LATENT, mapping=LAYERS)
        self.net, self.average = Stylegan2(shape, self.draws), Stylegan2(shape)
        self.average.load_state_dict(self.net.state_dict())
        self.average.requires_grad_(False)
        self.judge = Stylegan2Discriminator(DiscriminatorShape.of(side, base, most), self.draws)
        widths = [] if tower is None else [m.shape[1] for m in self.look(pictures[:1] / 255).values()]
        self.helpers = Judges(widths, self.draws) if widths else None
        judged = [*self.judge.parameters(), *(self.helpers.parameters() if self.helpers else ())]
        self.painter_steps = torch.optim.Adam(self.net.parameters(), lr=RATES[0], betas=(0.0, 0.99))
        self.judge_steps = torch.optim.Adam(judged, lr=RATES[1], betas=(0.0, 0.99))
        self.steps = 0

    def look(self, images: Tensor) -> dict[str, Tensor]:
        """Features of pictures in [0, 1] for the judges; also beyond, where the gradient leads back."""
        return self.tower.features(images, DEPTHS) if self.tower is not None else {}

    def scores(self, images: Tensor, features: Mapping[str, Tensor]) -> tuple[Tensor, list[Tensor]]:
        """What the discriminator and the judges think of pictures in [-1, 1] and their features."""
        return self.judge(images), self.helpers(features) if self.helpers is not None else []

    def step(self) -> dict[str, float]:
        """One step of both players on one batch."""
        done = self.steps * self.batch / self.total
        for steps, rate in ((self.painter_steps, RATES[0]), (self.judge_steps, RATES[1])):
            steps.param_groups[0]["lr"] = rate * max(0.1, min(1.0, (1 - done) / 0.2))
        picks = torch.randint(len(self.pictures), (self.batch,), generator=self.draws)
        real = self.pictures[picks].float() / 127.5 - 1
        flips = torch.rand(self.batch, generator=self.draws) < 0.5
        real = torch.where(flips[:, None, None, None], real.flip(3), real)
        z = torch.randn(self.batch, LATENT, generator=self.draws)
        noise = [
            torch.randn(self.batch, 1, *size, generator=self.draws)
            for size in self.net.synthesis.noise_sizes()
        ]

        styles = self.net.styles(z)
        self.net.mapping.track(styles[:, 0])
        fake = self.net.synthesis(styles, noise=noise)
        seen = self.look((fake + 1) / 2)
        with torch.no_grad():
            seen_real = self.look((real + 1) / 2)

        # The judges, on pictures that are not followed back.
        on_real, helped_real = self.scores(real, seen_real)
        on_fake, helped_fake = self.scores(fake.detach(), {k: v.detach() for k, v in seen.items()})
        loss = F.softplus(-on_real).mean() + F.softplus(on_fake).mean()
        for good, bad in zip(helped_real, helped_fake, strict=True):
            # The hinge keeps helpers that have won from dominating.
            loss = loss + (F.relu(1 - good).mean() + F.relu(1 + bad).mean()) / len(helped_real)
        self.judge_steps.zero_grad(set_to_none=True)
        loss.backward()
        if self.steps % LAZY == 0:
            (self.gradient_penalty(real) * (R1 / 2 * LAZY)).backward()
        self.judge_steps.step()

        # The painter, judged by what they have just learnt.
        self.judge.requires_grad_(False)
        verdict, helped = self.scores(fake, seen)
        paint = F.softplus(-verdict).mean()
        for score in helped:
            paint = paint - HELP * score.mean() / len(helped)
        self.painter_steps.zero_grad(set_to_none=True)
        paint.backward()
        self.painter_steps.step()
        self.judge.requires_grad_(True)
        self.follow()
        self.steps += 1
        return {
            "judge": loss.item(),
            "paint": paint.item(),
            "real": on_real.mean().item(),
            "fake": on_fake.mean().item(),
        }

    def gradient_penalty(self, real: Tensor) -> Tensor:
        """Mean squared length of the score's gradient by the real pictures."""
        real = real.detach().requires_grad_(True)
        (slope,) = torch.autograd.grad(self.judge(real).sum(), real, create_graph=True)
        return slope.square().sum((1, 2, 3)).mean()

    @torch.no_grad()
    def follow(self) -> None:
        """Move the averaged generator towards the trained one."""
        half_life = min(HALF_LIFE, 0.1 * (self.steps + 1) * self.batch)
        keep = 0.5 ** (self.batch / half_life)
        for old, new in zip(self.average.parameters(), self.net.parameters(), strict=True):
            old.lerp_(new, 1 - keep)
        for old, new in zip(self.average.buffers(), self.net.buffers(), strict=True):
            old.copy_(new)

    def state_dict(self) -> dict[str, Any]:
        """Everything that `load_state_dict` needs to go on as if never stopped."""
        return {
            "steps": self.steps,
            "draws": self.draws.get_state(),
            "net": self.net.state_dict(),
            "average": self.average.state_dict(),
            "judge": self.judge.state_dict(),
            "helpers": self.helpers.state_dict() if self.helpers is not None else {},
            "painter_steps": self.painter_steps.state_dict(),
            "judge_steps": self.judge_steps.state_dict(),
        }

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Take up the training of `state_dict`."""
        self.steps = state["steps"]
        self.draws.set_state(state["draws"])
        for name in ("net", "average", "judge", "painter_steps", "judge_steps"):
            getattr(self, name).load_state_dict(state[name])
        if self.helpers is not None:
            self.helpers.load_state_dict(state["helpers"])

    @torch.no_grad()
    def samples(self, count: int, seed: int = 1, psi: float = 1.0) -> Tensor:
        """Pictures ``(count, 3, side, side)`` of the averaged generator, as bytes."""
        z = torch.randn(count, LATENT, generator=torch.Generator().manual_seed(seed))
        images = torch.cat([self.average(part, psi=psi) for part in z.split(64)])
        return ((images + 1) * 127.5).round().clamp(0, 255).to(torch.uint8)


@torch.no_grad()
def frechet(tower: EfficientNetLite, one: Tensor, other: Tensor) -> float:
    """Fréchet distance of the pooled Lite2 features of two sets of pictures (bytes), as FID does it."""

    def gaussian(pictures: Tensor) -> tuple[Tensor, Tensor]:
        parts = [tower.features(part / 255)["pooled"] for part in pictures.split(64)]
        features = torch.cat(parts).double()
        return features.mean(0), (features - features.mean(0)) / (len(features) - 1) ** 0.5

    (mean, rows), (mean_2, rows_2) = gaussian(one), gaussian(other)
    # The trace of the root of the product of both covariances, without ever forming them.
    root = torch.linalg.svdvals(rows @ rows_2.T).sum()
    return float((mean - mean_2).square().sum() + rows.square().sum() + rows_2.square().sum() - 2 * root)


def export(trainer: Trainer, out: Path, count: int = 2048) -> None:
    """Measure and write both networks."""
    tower = load_classifier("lite2")
    side = trainer.pictures.shape[-1]
    held_out = draw_worlds(1, 0, 2 * count, side)
    made = trainer.samples(count)
    with torch.no_grad():
        good = trainer.judge(held_out[:count] / 127.5 - 1)
        bad = trainer.judge(made / 127.5 - 1)
    seen = trainer.steps * trainer.batch
    figures = {
        "pictures seen": seen,
        f"Fréchet distance, Lite2 features, {count} samples to {count} held-out landscapes": round(
            frechet(tower, made, held_out[:count]), 2
        ),
        f"the same of {count} other landscapes": round(frechet(tower, held_out[count:], held_out[:count]), 2),
    }
    store = Store([Folder(out, "out")])
    halves = lambda net: {k: v.half().contiguous() for k, v in net.state_dict().items()}  # noqa: E731
    card = GENERATOR_CARD.with_(settings=trainer.average.shape.settings(), figures=figures)
    entry = store.add(halves(trainer.average), card, replace=True)
    verdicts = {
        "pictures seen": seen,
        "mean score of held-out landscapes": round(good.mean().item(), 3),
        "mean score of samples": round(bad.mean().item(), 3),
        "share of pairs in which the landscape scores higher": round((good > bad.T).float().mean().item(), 3),
    }
    card = DISCRIMINATOR_CARD.with_(settings=trainer.judge.shape.settings(), figures=verdicts)
    other = store.add(halves(trainer.judge), card, replace=True)
    print(entry.weights, entry.weights.stat().st_size, figures, other.weights, verdicts)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, default=BUILT_IN)
    parser.add_argument("--images", type=int, default=25_600, help="pictures that the training sees")
    parser.add_argument("--minutes", type=float, default=1e9, help="stop and write after so long")
    parser.add_argument("--checkpoint", type=Path, help="kept up to date, and taken up if it exists")
    parser.add_argument("--worlds", type=Path, help="cache of the drawn landscapes")
    parser.add_argument("--sheet", type=Path, help="samples, kept up to date")
    parser.add_argument("--threads", type=int, default=1)
    args = parser.parse_args()
    torch.set_num_threads(args.threads)
    if args.worlds and args.worlds.exists():
        pictures = torch.load(args.worlds, weights_only=True)
    else:
        pictures = draw_worlds(0, 0, WORLDS, SIDE)
        if args.worlds:
            torch.save(pictures, args.worlds)
    trainer = Trainer(pictures, args.images, tower=load_classifier("lite0").use_products(torch.bfloat16))
    if args.checkpoint and args.checkpoint.exists():
        trainer.load_state_dict(torch.load(args.checkpoint, weights_only=True))
    started = time.monotonic()
    while trainer.steps * trainer.batch < args.images and time.monotonic() - started < args.minutes * 60:
        losses = trainer.step()
        if trainer.steps % 200 == 0:
            told = " ".join(f"{name} {value:.3f}" for name, value in losses.items())
            print(f"{trainer.steps * trainer.batch} {time.monotonic() - started:.0f}s {told}", flush=True)
            if args.checkpoint:
                torch.save(trainer.state_dict(), args.checkpoint)
            if args.sheet:
                save_sheet(trainer.samples(64), args.sheet)
    if args.checkpoint:
        torch.save(trainer.state_dict(), args.checkpoint)
    export(trainer, args.out)


if __name__ == "__main__":
    main()
