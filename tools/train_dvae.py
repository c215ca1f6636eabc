"""Train the built-in discrete VAE on pictures made by arithmetic, and write it with its card.

Usage: python tools/train_dvae.py [--out src/dreamplate/models/builtin] [--photos FOLDER] [--steps 4000]

Photographs are only ever used to measure. About 40 minutes on one CPU core.

Training has three parts. First the networks learn as a plain autoencoder with few channels between them.
Then those channels are replaced by the nearest of a book of vectors (van den Oord et al., "Neural Discrete
Representation Learning", 2017, with the book as a running mean), which learns much faster from nothing than
a softmax over codes. Directions are compared, not distances (Yu et al., "Vector-quantized Image Modeling
with Improved VQGAN", 2022), so that all vectors stay in use, and the book becomes the last convolution of
the encoder and the first of the decoder, exactly. Last, the folded networks
learn as in DALL-E: Gumbel-softmax codes that grow hard, logit-Laplace pixels, divergence from uniform codes
(Ramesh et al. 2021, appendix A.2); this is what makes mixtures of codes decode to something sensible.
"""

from __future__ import annotations

import argparse
import math
import time
from collections.abc import Iterator
from pathlib import Path

import torch
import torch.nn.functional as F
from procedural import pictures
from torch import Tensor, nn

from dreamplate.models import Card, Store
from dreamplate.models.layouts.dvae import infer
from dreamplate.models.store import Folder
from dreamplate.plate import from_tensor, write
from dreamplate.tokens import Decoder, Encoder, map_pixels
from dreamplate.tokens.pixels import centre, negative_log_likelihood

BUILT_IN = Path(__file__).resolve().parents[1] / "src" / "dreamplate" / "models" / "builtin"
CODES, HIDDEN, START, LATENT = 1024, 32, 64, 16
SIDE, BATCH, POOL, FRESH = 64, 16, 1536, 4
PLAIN, BOOK = 0.08, 0.6
"""Shares of the steps at which the first and the second part end."""
RATE = 1.5e-3
TEMPERATURES = (0.7, 1 / 16)
DIVERGENCE = 1.0
"""Weight of the divergence of codes from uniform, at the end; 1 is the evidence bound."""
COMMITMENT = 0.1
"""Weight of the distance between latents and their vectors in the second part."""
EDGES = 0.5
"""Weight of the error of neighbouring pixels' differences, which keeps edges sharp."""

CARD = Card(
    name="dvae-small",
    title="Small discrete VAE in the layout of DALL-E's: 8x8 pixels a code, 1024 codes",
    architecture="dvae",
    family="tokens",
    description=(
        "Encoder and decoder of a discrete variational autoencoder. Made so that the dvae generator works"
        " without a download; the public DALL-E weights (8192 codes, 60 times as many numbers) show more."
    ),
    training=(
        "tools/train_dvae.py: plain autoencoder, then vector quantisation, then Gumbel-softmax codes with"
        " logit-Laplace pixels."
    ),
    data="Pictures made by tools/procedural.py; no photographs, no drawings, nothing by others.",
    licence="Apache-2.0",
    commercial_use="yes",
    source="tools/train_dvae.py",
    created_by="dreamplate",
)


class Book(nn.Module):
    """The narrow place between encoder and decoder, first open, then quantised, finally folded away."""

    def __init__(self, draws: torch.Generator) -> None:
        super().__init__()
        wide = 8 * HIDDEN
        self.enter = nn.Parameter(torch.randn((LATENT, wide), generator=draws) / wide**0.5)
        self.leave = nn.Parameter(torch.randn((START, LATENT), generator=draws) / LATENT**0.5)
        self.bias = nn.Parameter(torch.zeros(START))
        self.register_buffer("vectors", torch.zeros(CODES, LATENT))
        self.register_buffer("uses", torch.ones(CODES))

    def narrow(self, features: Tensor) -> Tensor:
        """``(n, wide, h, w)`` to ``(n h w, LATENT)``, of any length."""
        return features.permute(0, 2, 3, 1).flatten(0, 2).float() @ self.enter.T

    def nearest(self, latent: Tensor) -> Tensor:
        """Return the code of each latent."""
        return (latent @ self.vectors.T).argmax(1)

    @torch.no_grad()
    def begin(self, latent: Tensor, draws: torch.Generator) -> None:
        """Lloyd's algorithm from random members, on the sphere."""
        latent = F.normalize(latent, dim=1)
        self.vectors.copy_(latent[torch.randperm(len(latent), generator=draws)[:CODES]])
        for _ in range(12):
            self.follow(latent, 0.0, draws)
        self.uses.fill_(len(latent) / CODES)

    @torch.no_grad()
    def follow(self, latent: Tensor, decay: float, draws: torch.Generator) -> None:
        """Move every vector towards the mean of what it stands for; give unused ones new work."""
        near = self.nearest(latent)
        count = torch.zeros(CODES).index_add_(0, near, torch.ones(len(near)))
        total = torch.zeros_like(self.vectors).index_add_(0, near, latent)
        uses = self.uses * decay + count * (1 - decay)
        mean = self.vectors * (self.uses * decay)[:, None] + total * (1 - decay)
        mean = mean / uses.clamp(min=1e-6)[:, None]
        self.vectors.copy_(F.normalize(torch.where(uses[:, None] > 1e-6, mean, self.vectors), dim=1))
        idle = uses < 0.1 * uses.mean()
        if idle.any():
            chosen = torch.randint(len(latent), (int(idle.sum()),), generator=draws)
            self.vectors[idle] = latent[chosen]
            uses[idle] = uses.mean()
        self.uses.copy_(uses)

    def forward(self, features: Tensor, quantise: bool, draws: torch.Generator) -> tuple[Tensor, Tensor]:
        """Return what the decoder starts from, and how far latents are from their vectors."""
        n, _, h, w = features.shape
        latent = F.normalize(self.narrow(features), dim=1)
        away = latent.new_zeros(())
        if quantise:
            self.follow(latent.detach(), 0.97, draws)
            found = self.vectors[self.nearest(latent.detach())]
            away = (latent - found).square().sum(1).mean()
            latent = latent + (found - latent).detach()
        made = latent @ self.leave.T + self.bias
        return made.view(n, h, w, START).permute(0, 3, 1, 2), away

    @torch.no_grad()
    def fold(self, encoder: Encoder, decoder: Decoder, sharpness: float) -> None:
        """Write the book into the encoder's last and the decoder's first convolution."""
        last, first = encoder.blocks["output"]["conv"], decoder.blocks["input"]
        last.w.copy_((sharpness * self.vectors @ self.enter)[:, :, None, None])
        last.b.zero_()
        first.w.copy_((self.leave @ self.vectors.T)[:, :, None, None])
        first.b.copy_(self.bias)

    @torch.no_grad()
    def sharpness(self, latent: Tensor) -> float:
        """Return the factor on scores at which the best code has half of the mass on average."""
        score = latent[:2000] @ self.vectors.T
        low, high = 1e-3, 1e5
        for _ in range(40):
            middle = math.sqrt(low * high)
            best = torch.softmax(middle * score, 1).amax(1).mean()
            low, high = (middle, high) if best < 0.5 else (low, middle)
        return math.sqrt(low * high)


def batches(draws: torch.Generator) -> Iterator[Tensor]:
    """Yield training batches: a pool that is renewed a little at every step, mirrored and turned."""
    pool = torch.cat([pictures(64, SIDE, draws) for _ in range(POOL // 64)])
    while True:
        for start in range(0, POOL, FRESH):
            pool[start : start + FRESH] = pictures(FRESH, SIDE, draws)
            chosen = pool[torch.randint(POOL, (BATCH,), generator=draws)]
            turn = torch.randint(0, 8, (BATCH,), generator=draws).tolist()
            yield torch.stack([_turn(image, kind) for image, kind in zip(chosen, turn, strict=True)])


def _turn(image: Tensor, kind: int) -> Tensor:
    # Upright pictures are more common than others, as in the world.
    image = image.flip(-1) if kind & 1 else image
    return image.transpose(-1, -2) if kind == 7 else image.flip(-2) if kind == 6 else image


def picture_loss(stats: Tensor, image: Tensor) -> Tensor:
    """Logit-Laplace likelihood, and the error of differences between neighbours."""
    loss = negative_log_likelihood(stats, map_pixels(image)).mean()
    made = (torch.sigmoid(stats[:, :3]) - 0.1) / 0.8
    for axis in (-1, -2):
        loss = loss + EDGES * (made.diff(dim=axis) - image.diff(dim=axis)).abs().mean() / 0.1
    return loss


@torch.no_grad()
def reconstruct(encoder: Encoder, decoder: Decoder, images: Tensor) -> tuple[Tensor, Tensor]:
    """Return pictures from hard codes, and the codes."""
    codes = encoder(map_pixels(images)).argmax(1)
    return centre(decoder.from_features(decoder.embed(codes))), codes


def psnr(a: Tensor, b: Tensor) -> float:
    """Mean over pictures of 10 log10(1 / mean squared error)."""
    return float((-10 * (a - b).square().mean((1, 2, 3)).clamp(min=1e-10).log10()).mean())


def read_photos(folder: Path, count: int) -> Tensor:
    """Read every n-th picture below a folder, all of one size, through Pillow."""
    import numpy as np
    from PIL import Image

    files = sorted(path for path in folder.rglob("*") if path.suffix.lower() in (".webp", ".png", ".jpg"))
    chosen = files[:: max(1, len(files) // count)][:count]
    pixels = [torch.from_numpy(np.asarray(Image.open(path).convert("RGB")).copy()) for path in chosen]
    return torch.stack(pixels).permute(0, 3, 1, 2) / 255


def measure(encoder: Encoder, decoder: Decoder, photos: Tensor | None, fresh: Tensor) -> dict[str, float]:
    """Figures for the card."""
    made, codes = reconstruct(encoder, decoder, fresh)
    figures = {"generated pictures, hard codes, PSNR dB": round(psnr(made, fresh), 2)}
    if photos is not None:
        parts = [reconstruct(encoder, decoder, part) for part in photos.split(24)]
        made, codes = (torch.cat(found) for found in zip(*parts, strict=True))
        share = torch.bincount(codes.flatten(), minlength=CODES) / codes.numel()
        name = f"{len(photos)} natural_scenes test photographs, hard codes, PSNR dB"
        figures[name] = round(psnr(made, photos), 2)
        blocks = F.interpolate(F.avg_pool2d(photos, 8), scale_factor=8)
        figures["their 8x8 blocks as plain colours, for comparison, PSNR dB"] = round(psnr(blocks, photos), 2)
        figures["codes used on them, of 1024"] = int((share > 0).sum())
        entropy = -(share[share > 0] * share[share > 0].log2()).sum()
        figures["bits a code on them"] = round(float(entropy), 2)
    return figures


def save(out: Path, encoder: Encoder, decoder: Decoder, figures: dict[str, float]) -> None:
    state = {f"encoder.{name}": tensor for name, tensor in encoder.state_dict().items()}
    state |= {f"decoder.{name}": tensor for name, tensor in decoder.state_dict().items()}
    half = {name: tensor.detach().half().contiguous() for name, tensor in state.items()}
    settings = infer({name: tuple(tensor.shape) for name, tensor in half.items()})
    Store([Folder(out, "out")]).add(half, CARD.with_(figures=figures, settings=dict(settings)), replace=True)


def show(path: Path, encoder: Encoder, decoder: Decoder, images: Tensor) -> None:
    """Write eight pictures to a row, and below them what the codes make of them."""
    rows = torch.cat([images, reconstruct(encoder, decoder, images)[0]])
    side = images.shape[-1]
    sheet = rows.view(-1, 8, 3, side, side).permute(2, 0, 3, 1, 4).reshape(1, 3, -1, 8 * side)
    write(from_tensor(sheet), path)


class Trainer:
    """The networks, their pictures, and one step of each part of the training."""

    def __init__(self, steps: int, seed: int) -> None:
        self.steps, self.done = steps, 0
        self.draws = torch.Generator().manual_seed(seed)
        self.encoder = Encoder(CODES, HIDDEN, draws=self.draws).to(memory_format=torch.channels_last)
        self.decoder = Decoder(CODES, HIDDEN, START, draws=self.draws).to(memory_format=torch.channels_last)
        self.book = Book(self.draws)
        nets = (self.encoder, self.decoder, self.book)
        self.parameters = [parameter for net in nets for parameter in net.parameters()]
        self.optimiser = torch.optim.AdamW(self.parameters, lr=RATE, betas=(0.9, 0.99), weight_decay=1e-4)
        self.source = batches(self.draws)

    @property
    def folded(self) -> bool:
        """Whether the last part has begun."""
        return self.done >= round(BOOK * self.steps)

    def step(self) -> dict[str, float]:
        """Learn from one batch; return its losses."""
        share = self.done / self.steps
        for group in self.optimiser.param_groups:
            cosine = 0.02 + 0.98 * 0.5 * (1 + math.cos(math.pi * share))
            group["lr"] = RATE * min(1, (self.done + 1) / 200) * cosine
        image = next(self.source).contiguous(memory_format=torch.channels_last)
        if self.done == round(PLAIN * self.steps):
            self.book.begin(self.latents(24), self.draws)
        if self.done == round(BOOK * self.steps):
            self.book.fold(self.encoder, self.decoder, self.book.sharpness(self.latents(4)))
        with torch.autocast("cpu", torch.bfloat16):
            features = self.encoder.features(map_pixels(image))
        if self.folded:
            start, penalty = self.soften(features, (share - BOOK) / (1 - BOOK))
        else:
            start, away = self.book(features, self.done >= round(PLAIN * self.steps), self.draws)
            penalty = COMMITMENT * away
        with torch.autocast("cpu", torch.bfloat16):
            stats = self.decoder.from_features(start)
        loss = picture_loss(stats.float(), image) + penalty
        self.optimiser.zero_grad(set_to_none=True)
        loss.backward()
        nn.utils.clip_grad_norm_(self.parameters, 1.0)
        self.optimiser.step()
        self.done += 1
        if not self.folded:
            self.book.fold(self.encoder, self.decoder, 1.0)
        return {"loss": float(loss.detach()), "penalty": float(penalty.detach())}

    def soften(self, features: Tensor, part: float) -> tuple[Tensor, Tensor]:
        """Return Gumbel-softmax codes as the decoder sees them, and their divergence from uniform."""
        logits = self.encoder.blocks["output"]["conv"](features.float(), (False, False))
        log_q = F.log_softmax(logits.permute(0, 2, 3, 1), -1)
        first, last = TEMPERATURES
        temperature = first * (last / first) ** min(1, part / 0.85)
        noise = torch.empty_like(log_q).exponential_(generator=self.draws).log()
        soft = torch.softmax((log_q - noise) / temperature, -1)
        start = (soft @ self.decoder.book + self.decoder.offset).permute(0, 3, 1, 2)
        divergence = (log_q.exp() * log_q).sum(-1).mean() + math.log(CODES)
        # A cell has 3 x 8 x 8 values, and the likelihood is a mean over values.
        return start, DIVERGENCE * min(1, part / 0.3) * divergence / 192

    @torch.no_grad()
    def latents(self, number: int) -> Tensor:
        """What the book sees of some batches."""
        seen = [self.book.narrow(self.encoder.features(map_pixels(next(self.source)))) for _ in range(number)]
        return torch.cat(seen)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--out", type=Path, default=BUILT_IN)
    parser.add_argument("--sheet", type=Path, help="where to draw what pictures look like after coding (PNG)")
    parser.add_argument("--photos", type=Path, help="photographs to measure with")
    parser.add_argument("--measured", type=int, default=48, help="how many of them")
    parser.add_argument("--steps", type=int, default=4000)
    parser.add_argument("--every", type=int, default=200, help="steps between measures")
    parser.add_argument("--seed", type=int, default=0)
    args = parser.parse_args()
    torch.set_num_threads(1)
    args.out.mkdir(parents=True, exist_ok=True)
    fresh = pictures(32, 128, torch.Generator().manual_seed(args.seed + 1))
    photos = read_photos(args.photos, args.measured) if args.photos else None
    trainer, begin = Trainer(args.steps, args.seed), time.time()
    for step in range(1, args.steps + 1):
        losses = trainer.step()
        if step % args.every and step < args.steps:
            continue
        figures = measure(trainer.encoder, trainer.decoder, photos, fresh)
        save(args.out, trainer.encoder, trainer.decoder, figures)
        if args.sheet is not None:
            shown = fresh[:8] if photos is None else torch.cat([fresh[:8], photos[:: len(photos) // 8][:8]])
            show(args.sheet, trainer.encoder, trainer.decoder, shown)
        print(
            {"step": step, "minutes": round((time.time() - begin) / 60, 1), **losses, **figures}, flush=True
        )


if __name__ == "__main__":
    main()
