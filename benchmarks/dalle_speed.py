"""Tokens a second of DALL-E with its cache, against running the network again for every token.

    python benchmarks/dalle_speed.py [--threads 1] [--batch 1]

A picture of 32 x 32 codes (1,024 tokens) after 32 places of text, by a network as large as our small one,
for full attention and for the paper's kinds. Running again is timed at every 32nd cell, with the inputs
before it alone (later ones would only cost more), and counted for all. Processor seconds; both in one run,
weights random.
"""

from __future__ import annotations

import argparse
import time

import torch

from dreamplate.take import prepare_process
from dreamplate.tokens.dalle import Dalle
from dreamplate.tokens.dalle_sample import Manner, sample
from dreamplate.tokens.dalle_shape import DalleShape
from dreamplate.tokens.words import Vocabulary

EVERY = 32


def network(attention: str) -> Dalle:
    letters = "abcdefghijklmnopqrstuvwxyz"
    known = Vocabulary(tuple(a + b for a in letters for b in letters)[:312], 32)
    shape = DalleShape(
        text=32,
        words=312,
        bytes=len(known.pack()),
        rows=32,
        columns=32,
        codes=1024,
        book=16,
        fingerprint="none",
        codec="none",
        factor=8,
        width=192,
        layers=6,
        heads=3,
        attention=attention,
    )
    net = Dalle(shape)
    net.draw_weights(torch.Generator().manual_seed(0))
    net.vocabulary.copy_(known.pack())
    return net.eval()


@torch.no_grad()
def again(net: Dalle, text: torch.Tensor, codes: torch.Tensor, cell: int) -> torch.Tensor:
    """Return the scores of one cell from all inputs before it."""
    tables = net.tables()
    words, gist = net.embed_text(text)
    cells = net.embed_cells(codes, 0, cell, tables, gist)
    return net.code_scores(net.body(torch.cat([words, cells], dim=1))[:, -1:], tables)


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--batch", type=int, default=1)
    asked = parser.parse_args()
    prepare_process(asked.threads)
    draws = torch.Generator().manual_seed(0)
    for attention in ("full", "paper"):
        net = network(attention)
        cells = net.shape.cells
        text = net.known().encode("ab cd ef").expand(asked.batch, -1)
        uniform = torch.rand(asked.batch, cells, generator=draws)
        manner = Manner(guidance=1.0)
        sample(net, text, uniform, manner, given=torch.zeros(asked.batch, cells, dtype=torch.long))
        began = time.process_time()
        codes = sample(net, text, uniform, manner)
        cached = time.process_time() - began
        began = time.process_time()
        for cell in range(EVERY - 1, cells, EVERY):
            again(net, text, codes, cell)
        whole = (time.process_time() - began) * EVERY
        tokens = asked.batch * cells
        print(
            f"{attention:6} batch {asked.batch}: cached {tokens / cached:7.1f} tokens/s,"
            f" again {tokens / whole:6.1f} tokens/s, ratio {whole / cached:5.1f}"
        )


if __name__ == "__main__":
    main()
