"""One step of BigSleep against its original form, in one run: CPU seconds and peak memory.

BigGAN-deep at 128 pixels and full width, a CLIP of the size of ViT-B/32, random weights, 16 cuts.
The original form, written anew from its description: no weight is frozen, so their gradients are computed
and pile up from step to step; the spectral norm of each weight is evaluated at each call; cuts are taken in
a loop and resized to the nearest pixel; one pass over all of them through torch's own attention. Ours is a
step of a dream. Each form runs in a process of its own, loading included, so that its peak memory is its own.

Run: python benchmarks/gan_step.py
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from dreamplate.dream import DreamJob

CUTS, SIDE, STEPS = 16, 128, 4
FORMS = ("original", "ours", "ours, bfloat16", "ours, 64 MiB", "ours, bfloat16, 64 MiB")


def write_weights(folder: Path) -> None:
    """Random weights in the layouts of the public checkpoints."""
    import torch
    from clip_speed import random_state
    from safetensors.torch import save_file

    from dreamplate.nets.biggan import Biggan, BigganShape

    torch.manual_seed(0)
    net = Biggan(BigganShape.of(SIDE), torch.Generator().manual_seed(0))
    with torch.no_grad():  # so that pictures are neither flat nor cut off
        rows = net.condition(torch.randn(1, 11, 128), torch.rand(1, 11, 1000) * 0.02)
        net.eval().conv_to_rgb.weight.mul_(1e-6)
        net.conv_to_rgb.weight.mul_(0.5 / net(rows).std())
    state = {}
    for name, tensor in net.state_dict().items():
        full = name if name.startswith("embeddings") else f"generator.{name}"
        if name.endswith(".weight") and tensor.dim() > 1 and not name.startswith("embeddings"):
            stem, flat = full.removesuffix(".weight"), tensor.flatten(1)
            v = torch.nn.functional.normalize(torch.randn(flat.shape[1]), dim=0)
            u = flat @ v / (flat @ v).square().sum()  # so that u W v is 1 and the weight stays
            state |= {f"{stem}.weight_orig": tensor, f"{stem}.weight_u": u, f"{stem}.weight_v": v}
        else:
            state[full] = tensor
    save_file(state, folder / "biggan.safetensors")
    save_file(
        {name: tensor.detach().contiguous() for name, tensor in random_state().items()},
        folder / "clip.safetensors",
    )


def original(folder: Path) -> Callable[[], None]:
    """BigSleep's step as it was."""
    import random

    import torch
    import torch.nn.functional as F
    from clip_speed import NaiveTower
    from safetensors.torch import load_file
    from torch import Tensor, nn

    weights = {
        name: nn.Parameter(tensor) for name, tensor in load_file(folder / "biggan.safetensors").items()
    }
    clip_state = load_file(folder / "clip.safetensors")
    tower = NaiveTower(clip_state)
    words = [tensor for name, tensor in clip_state.items() if not name.startswith("visual.")]

    def weight(stem: str) -> Tensor:
        matrix = weights[f"{stem}.weight_orig"]
        u, v = weights[f"{stem}.weight_u"].data, weights[f"{stem}.weight_v"].data
        return matrix / torch.dot(u, torch.mv(matrix.flatten(1), v))

    def conv(x: Tensor, stem: str) -> Tensor:
        kernel = weight(stem)
        return F.conv2d(x, kernel, weights.get(f"{stem}.bias"), padding=kernel.shape[-1] // 2)

    def norm(x: Tensor, stem: str, condition: Tensor) -> Tensor:
        mean, var = (
            weights[f"{stem}.running_{kind}"].data[-1].view(1, -1, 1, 1) for kind in ("means", "vars")
        )
        gain = 1 + F.linear(condition, weight(f"{stem}.scale"))[:, :, None, None]
        shift = F.linear(condition, weight(f"{stem}.offset"))[:, :, None, None]
        return F.relu((x - mean) / torch.sqrt(var + 1e-4) * gain + shift)

    def block(x: Tensor, stem: str, condition: Tensor, up: bool, out: int) -> Tensor:
        y = x
        for index in range(4):
            y = norm(y, f"{stem}.bn_{index}", condition)
            if up and index == 1:
                y = F.interpolate(y, scale_factor=2)
            y = conv(y, f"{stem}.conv_{index}")
        short = x[:, :out]
        return y + (F.interpolate(short, scale_factor=2) if up else short)

    def attend(x: Tensor, stem: str) -> Tensor:
        n, c, h, w = x.shape
        query = conv(x, f"{stem}.snconv1x1_theta").view(n, -1, h * w)
        key = F.max_pool2d(conv(x, f"{stem}.snconv1x1_phi"), 2).view(n, -1, h * w // 4)
        value = F.max_pool2d(conv(x, f"{stem}.snconv1x1_g"), 2).view(n, -1, h * w // 4)
        shares = torch.softmax(torch.bmm(query.transpose(1, 2), key), -1)
        gathered = torch.bmm(value, shares.transpose(1, 2)).view(n, c // 2, h, w)
        return x + weights[f"{stem}.gamma"] * conv(gathered, f"{stem}.snconv1x1_o_conv")

    z = nn.Parameter(torch.randn(11, 128))
    logits = nn.Parameter(torch.randn(11, 1000) * 0.3 - 3.9)
    optimiser = torch.optim.Adam([z, logits], lr=0.07)
    text = torch.randn(1, 512)
    mean = torch.tensor([0.48145466, 0.4578275, 0.40821073])[:, None, None]
    std = torch.tensor([0.26862954, 0.26130258, 0.27577711])[:, None, None]

    def picture() -> Tensor:
        rows = torch.cat([z, F.linear(torch.sigmoid(logits), weights["embeddings.weight"])], 1)
        x = F.linear(rows[:1], weight("generator.gen_z"), weights["generator.gen_z.bias"])
        x = x.view(-1, 4, 4, 2048).permute(0, 3, 1, 2).contiguous()
        number = 0
        for layer in range(11):
            stem = f"generator.layers.{layer}"
            if layer == 8:
                x = attend(x, stem)
            else:
                out = weights[f"{stem}.conv_3.weight_orig"].shape[0]
                number += 1
                x = block(x, stem, rows[number : number + 1], number % 2 == 0, out)
        stem = "generator.bn"
        held = weights[f"{stem}.running_means"].data[-1], weights[f"{stem}.running_vars"].data[-1]
        x = F.relu(F.batch_norm(x, *held, weights[f"{stem}.weight"], weights[f"{stem}.bias"], eps=1e-4))
        return (torch.tanh(conv(x, "generator.conv_to_rgb")[:, :3]) + 1) / 2

    def step() -> None:
        assert words, "the text tower stays in memory"
        image = picture()
        views = []
        for _ in range(CUTS):
            size = int(SIDE * min(max(random.gauss(0.8, 0.3), 0.5), 0.95))
            x, y = random.randint(0, SIDE - size), random.randint(0, SIDE - size)
            views.append(F.interpolate(image[:, :, y : y + size, x : x + size], (224, 224), mode="nearest"))
        embeddings = tower((torch.cat(views) - mean) / std)
        classes = torch.sigmoid(logits)
        latent = (1 - z.std(1)).abs().mean() + z.mean(1).abs().mean() + 4 * z.square().mean().clamp(min=1)
        for row in z:
            deviation = row - row.mean()
            scores = deviation / deviation.square().mean().sqrt()
            latent = latent + (scores.pow(3).mean().abs() + (scores.pow(4).mean() - 3).abs()) / len(z)
        spread = (50 * classes.topk(999, dim=1, largest=False).values).square().mean()
        loss = -100 * torch.cosine_similarity(text, embeddings).mean() + latent + spread
        optimiser.zero_grad()
        torch.autograd.backward(loss)
        optimiser.step()

    return step


def ours(folder: Path, form: str, prior: float = 1.0) -> DreamJob:
    """A dream at the same configuration."""
    import torch

    from dreamplate.dream import CutConfig, DreamConfig, DreamJob
    from dreamplate.dream.biggan import BigganPainting
    from dreamplate.dream.clip_scorer import load_clip
    from dreamplate.dream.options import BigganConfig
    from dreamplate.models.find import find_weights
    from dreamplate.nets.biggan import Biggan

    low = "bfloat16" in form
    config = DreamConfig(
        prompt="a lighthouse in a storm",
        size=(SIDE, SIDE),
        steps=STEPS + 1,
        generator="biggan",
        biggan=BigganConfig(weights=str(folder / "biggan.safetensors"), prior=prior),
        stages=(1.0,),
        stage_starts=(0.0,),
        cut_sides=(224,),
        natural=0.0,
        agreement=100.0,
        cuts=CutConfig(
            number=CUTS,
            sizes="clipped",
            size_mean=0.8,
            size_mean_end=0.8,
            size_std=0.3,
            size_min=0.5,
            size_max=0.95,
            resample="nearest",
            noise=0.0,
            rotate=0.0,
            shear=0.0,
            perspective=0.0,
            flip=0.0,
            brightness=0.0,
            contrast=0.0,
            tint=0.0,
        ),
        memory="64MiB" if form.endswith("MiB") else "256MiB",
        precision="bfloat16" if low else "float32",
    )
    generator = Biggan.from_state(*find_weights(config.biggan.weights, "biggan"))

    draws = [torch.Generator().manual_seed(config.seed)]
    painting = BigganPainting(config.biggan, config.size, config.wrap, draws, net=generator)
    place = f"{folder / 'clip.safetensors'}?activation=quick_gelu"
    scorer = load_clip(place, dtype=torch.bfloat16 if low else torch.float32)
    return DreamJob(config, scorer, painting)


def measure(form: str, folder: Path) -> dict[str, float]:
    """Run one form and return its figures."""
    from dreamplate.take.machine import peak_rss, prepare_process

    if form != "original":
        prepare_process()
    step = original(folder) if form == "original" else ours(folder, form).step
    step()
    cpu, wall = time.process_time(), time.monotonic()
    for _ in range(STEPS):
        step()
    cpu, wall = (time.process_time() - cpu) / STEPS, (time.monotonic() - wall) / STEPS
    return {"cpu": cpu, "wall": wall, "peak": peak_rss() / 2**30}


def likeness(folder: Path) -> dict[str, float]:
    """Cosine of the gradients that the words give the latents, in float32 and in bfloat16."""
    gradients = []
    for form in ("ours", "ours, bfloat16"):
        job = ours(folder, form, prior=0.0)
        job.step()
        gradients.append(
            [p.grad.flatten().double() for p in job.generator.parameters() if p.grad is not None]
        )
    pairs = zip(*gradients, strict=True)
    return {"cosine": min(float(a / a.norm() @ (b / b.norm())) for a, b in pairs)}


def main() -> None:
    from dreamplate.take import describe_machine

    print(json.dumps(describe_machine()))
    print(f"{SIDE} x {SIDE}, {CUTS} cuts of 224 px, mean of {STEPS} steps")
    print(f"{'form':<24} {'CPU s':>8} {'wall s':>8} {'peak GiB':>9} {'CPU':>6} {'peak':>6}")
    with tempfile.TemporaryDirectory() as folder:
        subprocess.run([sys.executable, __file__, "weights", folder], check=True)
        rows: dict[str, dict[str, float]] = {}
        for form in FORMS:
            command = [sys.executable, __file__, form, folder]
            child = subprocess.run(command, capture_output=True, text=True, check=False)
            if child.returncode:
                sys.exit(child.stderr)
            row = rows[form] = json.loads(child.stdout.splitlines()[-1])
            cpu, peak = (row[key] / rows["original"][key] for key in ("cpu", "peak"))
            print(
                f"{form:<24} {row['cpu']:8.2f} {row['wall']:8.2f} {row['peak']:9.2f} {cpu:6.2f} {peak:6.2f}",
                flush=True,
            )

        command = [sys.executable, __file__, "likeness", folder]
        child = subprocess.run(command, capture_output=True, text=True, check=True)
        cosine = json.loads(child.stdout.splitlines()[-1])["cosine"]
        print(f"gradient of the latents, bfloat16 against float32: cosine {cosine:.4f}")


if __name__ == "__main__":
    if len(sys.argv) == 3 and sys.argv[1] == "weights":
        write_weights(Path(sys.argv[2]))
    elif len(sys.argv) == 3 and sys.argv[1] == "likeness":
        print(json.dumps(likeness(Path(sys.argv[2]))))
    elif len(sys.argv) == 3:
        print(json.dumps(measure(sys.argv[1], Path(sys.argv[2]))))
    else:
        main()
