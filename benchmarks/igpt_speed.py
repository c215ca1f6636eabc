"""Measure how fast Image GPT draws: with kept keys, without, and against transformers where it has one.

Usage: python benchmarks/igpt_speed.py [--depth 6] [--width 192] [--heads 3] [--count 4] [--threads 1]

All draw 1,024 tokens of 32 x 32 pictures with the same weights: random ones, in the published layout, so that
the other program can hold them; scores of whole pictures must agree. Recomputation (all that is known through
the network for every token, as the published sampler does) is measured at evenly spaced places and taken for
all, since it would take minutes; the others draw everything. CPU seconds, best of several.
"""

from __future__ import annotations

import argparse
import platform
import time
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from dreamplate.tokens.igpt import ImageGpt, draw_weights
from dreamplate.tokens.igpt_sample import Chances, go_on
from dreamplate.tokens.igpt_shape import IgptShape
from dreamplate.tokens.sampling import choose

SIDE, CODES = 32, 512
PLACES = 8
"""Where recomputation is measured."""


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    for name, value in (
        ("depth", 6),
        ("width", 192),
        ("heads", 3),
        ("count", 4),
        ("threads", 1),
        ("runs", 2),
    ):
        parser.add_argument(f"--{name}", type=int, default=value)
    asked = parser.parse_args()
    torch.set_num_threads(asked.threads)
    shape = IgptShape(SIDE, CODES, asked.width, asked.depth, asked.heads, 4 * asked.width)
    net = ImageGpt(shape).eval().requires_grad_(False)
    draws = torch.Generator().manual_seed(0)
    draw_weights(net, draws)
    uniform = torch.rand((asked.count, shape.length), generator=draws, dtype=torch.float64)
    print(f"{platform.processor() or platform.machine()}, {asked.threads} threads, torch {torch.__version__}")
    print(f"depth {asked.depth}, width {asked.width}, heads {asked.heads}, {asked.count} pictures")

    made, fast = best(asked.runs, lambda: kept(net, uniform))
    whole = recomputed(net, made, asked.runs)
    tokens = asked.count * shape.length
    print(f"kept keys       {fast:8.2f} s  {tokens / fast:8.0f} tokens/s")
    print(f"recomputation   {whole:8.2f} s  {tokens / whole:8.0f} tokens/s  {whole / fast:6.1f} times slower")
    other = theirs(net)
    if other is None:
        print("transformers has no ImageGPT here")
        return
    begun = torch.cat([torch.full((asked.count, 1), CODES), made[:, :-1]], 1)
    apart = float((other(input_ids=begun).logits - net(made)).abs().max())
    print(f"scores differ from those of transformers by {apart:.1e} at most")
    assert apart < 1e-5, "they should agree"
    _, seconds = best(asked.runs, lambda: drawn_by(other, uniform))
    times = seconds / fast
    print(f"transformers    {seconds:8.2f} s  {tokens / seconds:8.0f} tokens/s  {times:6.1f} times slower")


def best(runs: int, work: Callable[[], Tensor]) -> tuple[Tensor, float]:
    seconds = []
    for _ in range(runs):
        began = time.process_time()
        found = work()
        seconds.append(time.process_time() - began)
    return found, min(seconds)


def kept(net: ImageGpt, uniform: Tensor) -> Tensor:
    length = net.shape.length
    none = torch.zeros(length, dtype=torch.bool)
    return go_on(net, torch.zeros(len(uniform), length, dtype=torch.int64), none, uniform, Chances())[0]


def recomputed(net: ImageGpt, tokens: Tensor, runs: int) -> float:
    """Return the seconds of drawing everything by running all that is known through the network each time."""
    length = net.shape.length
    stops = [round((place + 0.5) / PLACES * length) for place in range(PLACES)]
    each = [best(runs, lambda stop=stop: net(tokens[:, :stop])[:, -1])[1] for stop in stops]
    return sum(each) / PLACES * length


def theirs(net: ImageGpt) -> Any:
    try:
        from transformers import ImageGPTConfig, ImageGPTForCausalImageModeling
    except ImportError:
        return None
    shape = net.shape
    config = ImageGPTConfig(
        vocab_size=CODES + 1, n_positions=shape.length, n_embd=shape.width, n_layer=shape.depth,
        n_head=shape.heads, tie_word_embeddings=False,
    )  # fmt: skip
    other = ImageGPTForCausalImageModeling(config).eval().requires_grad_(False)
    own: dict[str, Tensor] = {}
    for name, value in net.state_dict().items():
        if name == "palette":
            continue
        turned = value.T.contiguous() if ".c_" in name and name.endswith("weight") else value
        own["lm_head.weight" if name == "head.weight" else f"transformer.{name}"] = turned
    other.load_state_dict(own, strict=False)
    return other


@torch.no_grad()
def drawn_by(other: Any, uniform: Tensor) -> Tensor:
    from transformers.cache_utils import DynamicCache

    count, length = uniform.shape
    cache, last, drawn = DynamicCache(), torch.full((count, 1), CODES), []
    for place in range(length):
        scores = other(input_ids=last, cache=cache, use_cache=True).logits[:, -1]
        last = choose(scores, uniform[:, place])[:, None]
        drawn.append(last)
    return torch.cat(drawn, 1)


if __name__ == "__main__":
    main()
