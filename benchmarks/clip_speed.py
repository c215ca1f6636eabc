"""CPU time of a CLIP of the size of ViT-B/32 with random weights, and of its tokenizer.

Beside it, in the same run, the same tower in the reference's form: ``nn.MultiheadAttention``, layer by layer,
``x * sigmoid(1.702 x)`` written out, weights not frozen.

    python benchmarks/clip_speed.py --images 8 --repeats 5
"""

from __future__ import annotations

import argparse
import json
import statistics
import time
from collections.abc import Callable
from pathlib import Path

import torch
from torch import Tensor, nn

from dreamplate.nets.clip import CLIP
from dreamplate.nets.clip_tokens import ClipTokenizer

WIDTH, DEPTH, HEADS, PATCH, SIZE, DIM = 768, 12, 12, 32, 224, 512
TEXT_WIDTH, TEXT_DEPTH, WORDS = 512, 12, 49_408


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--images", type=int, default=8, help="pictures in a batch")
    parser.add_argument("--repeats", type=int, default=5, help="medians of this many")
    parser.add_argument("--texts", type=int, default=3000, help="texts for the tokenizer")
    parser.add_argument("--json", type=Path, help="write the figures here")
    options = parser.parse_args()
    torch.manual_seed(0)
    state = random_state()
    net, naive = CLIP.from_state(state, {"activation": "quick_gelu"}), NaiveTower(state)
    images = torch.randn(options.images, 3, SIZE, SIZE)
    with torch.no_grad():
        error = float((net.image(images) - naive(images)).abs().max())
    figures: dict[str, float] = {"threads": torch.get_num_threads(), "largest difference": error}
    for name, tower in (("ours", net.image), ("naive", naive)):
        for mode in ("forward", "forward and backward"):
            once = step(tower, images, backward=mode != "forward")
            figures[f"{name}, {mode}: CPU s per picture"] = cpu(once, options.repeats) / options.images
            figures[f"{name}, {mode}: saved MiB per picture"] = saved(once) / options.images / 2**20
    ids = torch.zeros((64, 77), dtype=torch.long)
    ids[:, 0], ids[:, 1:9], ids[:, 9] = WORDS - 2, 320, WORDS - 1
    with torch.no_grad():
        figures["text tower: CPU s per text of 8 ids"] = cpu(lambda: net.text(ids), options.repeats) / 64
    figures |= tokenizer_speed(options.texts, options.repeats)
    for name, figure in figures.items():
        print(f"{name:52} {figure:10.4g}")
    if options.json:
        options.json.write_text(json.dumps(figures, indent=1) + "\n", encoding="utf-8")


def step(tower: nn.Module, images: Tensor, backward: bool) -> Callable[[], None]:
    """One pass over the pictures, with gradients at the pictures or without any."""

    def once() -> None:
        with torch.set_grad_enabled(backward):
            pictures = images.clone().requires_grad_(backward)
            found = tower(pictures)
            if backward:
                found.sum().backward()

    return once


def cpu(once: Callable[[], object], repeats: int) -> float:
    """Return the median CPU time of a call in seconds, after one to warm up."""
    once()
    times = []
    for _ in range(repeats):
        begin = time.process_time()
        once()
        times.append(time.process_time() - begin)
    return statistics.median(times)


def saved(once: Callable[[], object]) -> int:
    """Return the bytes that a call saves for its gradient, weights included only where they are copied."""
    seen: dict[int, int] = {}

    def note(tensor: Tensor) -> Tensor:
        if not isinstance(tensor, nn.Parameter) and not isinstance(tensor._base, nn.Parameter):
            seen[tensor.untyped_storage().data_ptr()] = tensor.untyped_storage().nbytes()
        return tensor

    with torch.autograd.graph.saved_tensors_hooks(note, lambda tensor: tensor):
        once()
    return sum(seen.values())


def tokenizer_speed(count: int, repeats: int) -> dict[str, float]:
    """Return texts per CPU second, with and without the cleaning before."""
    tokenizer = ClipTokenizer.standard()
    texts = [f"a painting of {n} foxes in a field at sunrise, in the style of Monet" for n in range(count)]

    def whole() -> None:
        for text in texts:
            tokenizer.encode(text)

    def merges() -> None:
        for text in texts:
            tokenizer._encode(text)

    return {
        "tokenizer: texts per CPU s": count / cpu(whole, repeats),
        "tokenizer: merges alone, texts per CPU s": count / cpu(merges, repeats),
    }


def random_state() -> dict[str, Tensor]:
    """A checkpoint in OpenAI's layout."""
    state: dict[str, Tensor] = {
        "visual.class_embedding": torch.randn(WIDTH),
        "visual.conv1.weight": torch.randn(WIDTH, 3, PATCH, PATCH) / 50,
        "visual.positional_embedding": torch.randn((SIZE // PATCH) ** 2 + 1, WIDTH),
        "visual.proj": torch.randn(WIDTH, DIM) / WIDTH**0.5,
        "token_embedding.weight": torch.randn(WORDS, TEXT_WIDTH),
        "positional_embedding": torch.randn(77, TEXT_WIDTH),
        "text_projection": torch.randn(TEXT_WIDTH, DIM) / TEXT_WIDTH**0.5,
        "logit_scale": torch.tensor(2.0),
    }
    for name, width in (("visual.ln_pre", WIDTH), ("visual.ln_post", WIDTH), ("ln_final", TEXT_WIDTH)):
        state |= {f"{name}.weight": torch.ones(width), f"{name}.bias": torch.zeros(width)}
    towers = (("visual.transformer", WIDTH, DEPTH), ("transformer", TEXT_WIDTH, TEXT_DEPTH))
    for tower, width, depth in towers:
        for index in range(depth):
            layer = Layer(width, width // 64).state_dict()
            state |= {f"{tower}.resblocks.{index}.{name}": tensor for name, tensor in layer.items()}
    return state


class Layer(nn.Module):
    """A layer of the reference, on torch's own modules."""

    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.attn = nn.MultiheadAttention(width, heads)
        self.ln_1, self.ln_2 = nn.LayerNorm(width), nn.LayerNorm(width)
        self.mlp = nn.ModuleDict({"c_fc": nn.Linear(width, 4 * width), "c_proj": nn.Linear(4 * width, width)})

    def forward(self, x: Tensor) -> Tensor:
        """``(l, n, width)`` to the same."""
        y = self.ln_1(x)
        x = x + self.attn(y, y, y, need_weights=False)[0]
        y = self.mlp["c_fc"](self.ln_2(x))
        out: Tensor = x + self.mlp["c_proj"](y * torch.sigmoid(1.702 * y))
        return out


class NaiveTower(nn.Module):
    """The picture tower of the reference, its weights not frozen."""

    def __init__(self, state: dict[str, Tensor]) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(3, WIDTH, PATCH, PATCH, bias=False)
        self.class_embedding = nn.Parameter(torch.empty(WIDTH))
        self.positional_embedding = nn.Parameter(torch.empty((SIZE // PATCH) ** 2 + 1, WIDTH))
        self.ln_pre, self.ln_post = nn.LayerNorm(WIDTH), nn.LayerNorm(WIDTH)
        self.resblocks = nn.Sequential(*(Layer(WIDTH, HEADS) for _ in range(DEPTH)))
        self.proj = nn.Parameter(torch.empty(WIDTH, DIM))
        own = {name.removeprefix("visual.").removeprefix("transformer."): t for name, t in state.items()
               if name.startswith("visual.")}  # fmt: skip
        self.load_state_dict({name: tensor.clone() for name, tensor in own.items()})
        self.eval()

    def forward(self, images: Tensor) -> Tensor:
        """Normalised pictures ``(n, 3, 224, 224)`` to ``(n, 512)``."""
        x = self.conv1(images).flatten(2).transpose(1, 2)
        x = torch.cat([self.class_embedding.expand(len(x), 1, -1), x], 1) + self.positional_embedding
        x = self.resblocks(self.ln_pre(x).transpose(0, 1)).transpose(0, 1)
        out: Tensor = self.ln_post(x[:, 0]) @ self.proj
        return out


if __name__ == "__main__":
    main()
