"""pix2pix at 256 pixels against its plain form, in one run: CPU seconds of a picture and of a training step.

The plain form, written anew from its description, is what a user of the public code runs: nested torch
modules, float32, channels first, torch's Adam, one pass of the discriminator each for real, for made, and for
the generator's question. Both have the same weights; what they make is compared. U-Net of 8 levels and 54
million weights, PatchGAN of 70 pixels, batch of one. Forms take turns; each figure is the least of several.

Run: python benchmarks/pix2pix_speed.py [ROUNDS]
"""

from __future__ import annotations

import os
import platform
import sys
import time
from collections.abc import Callable

import torch
from torch import Tensor, nn
from torch.nn import functional

from dreamplate.nets.dropout import set_dropout
from dreamplate.nets.statistics import set_statistics
from dreamplate.train import Batch, Draws, Now, Port
from dreamplate.train.options import LearnOptions
from dreamplate.translate.config import TrainConfig
from dreamplate.translate.pix2pix_system import Pix2pix, build
from dreamplate.translate.unet import Unet

SIDE = 256


class Level(nn.Module):
    """A level of the plain U-Net, with all that lies within it."""

    def __init__(self, outer: int, inner: int, within: nn.Module | None, dropped: bool, top: int = 0) -> None:
        super().__init__()
        down = [nn.Conv2d(top or outer, inner, 4, 2, 1, bias=False)]
        up = nn.ConvTranspose2d(inner * (2 if within else 1), outer, 4, 2, 1, bias=bool(top))
        self.top = bool(top)
        if top:
            parts = [*down, within, nn.ReLU(), up, nn.Tanh()]
        elif within is None:
            parts = [nn.LeakyReLU(0.2), *down, nn.ReLU(), up, nn.BatchNorm2d(outer)]
        else:
            parts = [nn.LeakyReLU(0.2), *down, nn.BatchNorm2d(inner), within]
            parts += [nn.ReLU(), up, nn.BatchNorm2d(outer), *([nn.Dropout(0.5)] if dropped else [])]
        self.parts = nn.Sequential(*[part for part in parts if part is not None])

    def forward(self, x: Tensor) -> Tensor:
        """Return what lies within beside ``x``."""
        made = self.parts(x)
        return made if self.top else torch.cat([x, made], 1)


def plain_unet(like: Unet) -> nn.Module:
    widths = [conv.weight.shape[0] for conv in like.down]
    inside: nn.Module | None = None
    for level in range(len(widths) - 1, 0, -1):
        inside = Level(widths[level - 1], widths[level], inside, level >= 4)
    network = Level(like.up[0].weight.shape[1], widths[0], inside, False, top=like.down[0].weight.shape[1])
    convs = [m for m in network.modules() if isinstance(m, nn.Conv2d)]
    ups = [m for m in network.modules() if isinstance(m, nn.ConvTranspose2d)]
    with torch.no_grad():
        for mine, conv in zip(like.down, convs, strict=True):
            conv.weight.copy_(mine.weight)
        for mine, up in zip(reversed(like.up), ups, strict=True):
            up.weight.copy_(mine.weight)
        assert ups[-1].bias is not None
        ups[-1].bias.copy_(like.up[0].bias)
    norms = [m for m in network.modules() if isinstance(m, nn.BatchNorm2d)]
    ours = [n for n in like.down_norm if not isinstance(n, nn.Identity)]
    ours += [n for n in reversed(like.up_norm) if not isinstance(n, nn.Identity)]
    for mine, norm in zip(ours, norms, strict=True):
        norm.load_state_dict(mine.state_dict())
    return network


def plain_discriminator() -> nn.Module:
    parts: list[nn.Module] = [nn.Conv2d(6, 64, 4, 2, 1), nn.LeakyReLU(0.2, True)]
    for entry, out, stride in ((64, 128, 2), (128, 256, 2), (256, 512, 1)):
        parts += [
            nn.Conv2d(entry, out, 4, stride, 1, bias=False),
            nn.BatchNorm2d(out),
            nn.LeakyReLU(0.2, True),
        ]
    return nn.Sequential(*parts, nn.Conv2d(512, 1, 4, 1, 1))


def plain_step(generator: nn.Module, condition: Tensor, image: Tensor) -> Callable[[], None]:
    discriminator = plain_discriminator()
    adams = [torch.optim.Adam(n.parameters(), 2e-4, (0.5, 0.999)) for n in (generator, discriminator)]
    bce = nn.BCEWithLogitsLoss()

    def step() -> None:
        generator.train()
        fake = generator(condition)
        for parameter in discriminator.parameters():
            parameter.requires_grad_(True)
        adams[1].zero_grad()
        made = discriminator(torch.cat([condition, fake.detach()], 1))
        true = discriminator(torch.cat([condition, image], 1))
        loss = (bce(made, torch.zeros_like(made)) + bce(true, torch.ones_like(true))) * 0.5
        loss.backward()
        adams[1].step()
        for parameter in discriminator.parameters():
            parameter.requires_grad_(False)
        adams[0].zero_grad()
        asked = discriminator(torch.cat([condition, fake], 1))
        total = bce(asked, torch.ones_like(asked)) + 100 * functional.l1_loss(fake, image)
        total.backward()
        adams[0].step()

    return step


def our_step(precision: str, batch: Batch) -> tuple[Pix2pix, Callable[[], None]]:
    learn = LearnOptions(precision=precision)  # type: ignore[arg-type]
    system = build(TrainConfig(learn=learn), Port(), Port())
    return system, lambda: (system.learn(batch, Now(0, 0, 0.0, 0.0, Draws(0))), None)[1]


def timed(forms: dict[str, Callable[[], object]], rounds: int) -> dict[str, float]:
    """Smallest CPU seconds of each form; they take turns."""
    best = dict.fromkeys(forms, float("inf"))
    for turn in range(rounds + 1):
        for name, form in forms.items():
            start = time.process_time()
            form()
            if turn:  # the first warms up
                best[name] = min(best[name], time.process_time() - start)
    return best


def show(title: str, seconds: dict[str, float]) -> None:
    base = next(iter(seconds.values()))
    print(f"\n{title}\n\n| form | CPU ms | times faster |\n|---|---|---|")
    for name, value in seconds.items():
        print(f"| {name} | {1000 * value:.0f} | {base / value:.2f} |")


def pictures(rounds: int, x: Tensor) -> None:
    ours = build(TrainConfig(), Port(), Port()).generator.eval()
    assert isinstance(ours, Unet)
    plain = plain_unet(ours).eval()
    low = Unet.from_settings(ours.settings).eval()
    low.load_state_dict(ours.state_dict())
    set_statistics(ours, "running")
    low.bfloat16()

    def bfloat16() -> Tensor:
        return low(x.bfloat16()).float()

    with torch.inference_mode():
        wanted = plain(x)
        for name, found in (("float32", ours(x)), ("bfloat16", bfloat16())):
            print(f"{name}: largest difference to the plain form {float((found - wanted).abs().max()):.1e}")
        title = "A picture, running statistics"
        forms = {"plain": lambda: plain(x), "ours, float32": lambda: ours(x), "ours, bfloat16": bfloat16}
        show(title, timed(forms, rounds))
        plain.train()
        for network in (ours, low):
            set_statistics(network, "batch")
            set_dropout(network, Draws(0))
        title = "A picture, statistics of the picture and dropout, as the paper uses it"
        show(title, timed(forms, rounds))


def main() -> None:
    rounds = int(sys.argv[1]) if len(sys.argv) > 1 else 8
    draws = torch.Generator().manual_seed(0)
    condition, image = (torch.rand(1, 3, SIDE, SIDE, generator=draws) * 2 - 1 for _ in range(2))
    print(f"{platform.processor() or platform.machine()}, {os.cpu_count()} cores, torch {torch.__version__},")
    print(f"{torch.get_num_threads()} threads")
    pictures(rounds, condition)
    batch = Batch(image, condition)
    single, step32 = our_step("float32", batch)
    assert isinstance(single.generator, Unet)
    plain = plain_step(plain_unet(single.generator), condition, image)
    forms = {"plain": plain, "ours, float32": step32, "ours, bfloat16": our_step("bfloat16", batch)[1]}
    show("A training step", timed(forms, max(3, rounds // 2)))


if __name__ == "__main__":
    main()
