"""A small BERT encoder that turns sentences into vectors, as in the all-MiniLM-L6-v2 weights.

Sentences are cut into word pieces, read by a post-norm Transformer (Devlin et al. 2018), and the mean of
the token vectors, at unit length, is the sentence (Reimers and Gurevych 2019). A text longer than the
window is read in pieces whose tokens are averaged together.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from dreamplate.errors import CheckpointError, MissingExtraError, ModelError

if TYPE_CHECKING:
    from tokenizers import Tokenizer

NORM_EPS = 1e-12
HEAD_WIDTH = 32
"""Channels of one attention head in the MiniLM family."""
WINDOW = 256
"""Tokens read at once, begin and end marks included."""


class Layer(nn.Module):
    """Self-attention and a two-layer perceptron, each added to its input and then normalised."""

    def __init__(self, width: int, inner: int) -> None:
        super().__init__()
        self.heads = width // HEAD_WIDTH
        self.qkv = nn.Linear(width, 3 * width)
        self.out = nn.Linear(width, width)
        self.norm1 = nn.LayerNorm(width, NORM_EPS)
        self.fc1 = nn.Linear(width, inner)
        self.fc2 = nn.Linear(inner, width)
        self.norm2 = nn.LayerNorm(width, NORM_EPS)

    def forward(self, x: Tensor, mask: Tensor) -> Tensor:
        """``x`` is ``(n, tokens, width)``; ``mask`` ``(n, 1, 1, tokens)`` is true at real tokens."""
        n, tokens, width = x.shape
        q, k, v = self.qkv(x).view(n, tokens, 3, self.heads, -1).permute(2, 0, 3, 1, 4)
        attended = F.scaled_dot_product_attention(q, k, v, attn_mask=mask)
        x = self.norm1(x + self.out(attended.transpose(1, 2).reshape(n, tokens, width)))
        y: Tensor = self.norm2(x + self.fc2(F.gelu(self.fc1(x))))
        return y


class MiniLM(nn.Module):
    """The encoder: token numbers in, one vector a token out. Widths and depth come from the checkpoint."""

    def __init__(self, words: int, positions: int, width: int, inner: int, depth: int) -> None:
        super().__init__()
        self.words = nn.Embedding(words, width)
        self.positions = nn.Embedding(positions, width)
        self.norm = nn.LayerNorm(width, NORM_EPS)
        self.layers = nn.ModuleList(Layer(width, inner) for _ in range(depth))

    @classmethod
    def from_state(cls, state: Mapping[str, Tensor]) -> MiniLM:
        """Build the frozen network from a BERT checkpoint (``embeddings.*``, ``encoder.layer.N.*``).

        Raises:
            CheckpointError: A tensor is missing or its shape does not fit.
        """

        def take(name: str) -> Tensor:
            if name not in state:
                raise CheckpointError(f"MiniLM: tensor {name!r} is missing; use a complete BERT checkpoint")
            return state[name].float()

        words, positions = (
            take("embeddings.word_embeddings.weight"),
            take("embeddings.position_embeddings.weight"),
        )
        depth = len({name.split(".")[2] for name in state if name.startswith("encoder.layer.")})
        inner = take("encoder.layer.0.intermediate.dense.weight").shape[0]
        # Every sentence is of segment 0, so its vector is part of every position.
        positions = positions + take("embeddings.token_type_embeddings.weight")[0]
        with torch.device("meta"):
            net = cls(len(words), len(positions), words.shape[1], inner, depth)
        ours = {"words.weight": words, "positions.weight": positions}
        renamed = {"norm": "embeddings.LayerNorm"}
        for i in range(depth):
            theirs = f"encoder.layer.{i}."
            for part in ("weight", "bias"):
                joined = [take(f"{theirs}attention.self.{key}.{part}") for key in ("query", "key", "value")]
                ours[f"layers.{i}.qkv.{part}"] = torch.cat(joined)
            renamed |= {
                f"layers.{i}.out": theirs + "attention.output.dense",
                f"layers.{i}.norm1": theirs + "attention.output.LayerNorm",
                f"layers.{i}.fc1": theirs + "intermediate.dense",
                f"layers.{i}.fc2": theirs + "output.dense",
                f"layers.{i}.norm2": theirs + "output.LayerNorm",
            }
        for mine, theirs in renamed.items():
            ours |= {f"{mine}.{part}": take(f"{theirs}.{part}") for part in ("weight", "bias")}
        for name, want in net.state_dict().items():
            if ours[name].shape != want.shape:
                raise CheckpointError(
                    f"MiniLM: {name} has shape {tuple(ours[name].shape)}, not {tuple(want.shape)}"
                )
        net.load_state_dict(ours, assign=True)
        return net.requires_grad_(False).eval()

    def forward(self, tokens: Tensor, mask: Tensor) -> Tensor:
        """Read sentences.

        Args:
            tokens: ``(n, t)`` word-piece numbers, padded with anything.
            mask: ``(n, t)`` true at real tokens.

        Returns:
            ``(n, t, width)`` token vectors; those at padding mean nothing.
        """
        x = self.norm(self.words(tokens) + self.positions.weight[: tokens.shape[1]])
        for layer in self.layers:
            x = layer(x, mask[:, None, None, :])
        vectors: Tensor = x
        return vectors


def load_tokenizer(path: Path) -> Tokenizer:
    """Read a ``tokenizer.json`` with its own truncation and padding switched off.

    Raises:
        MissingExtraError: The ``tokenizers`` package is absent.
        ModelError: The file cannot be read.
    """
    try:
        from tokenizers import Tokenizer
    except ImportError as error:
        raise MissingExtraError(
            'the package tokenizers is not installed: pip install "dreamplate[scorer]"'
        ) from error
    try:
        tokenizer = Tokenizer.from_str(path.read_text(encoding="utf-8"))
    except Exception as error:  # the package raises bare Exception on a bad file
        raise ModelError(
            f"{path}: not a usable tokenizer ({str(error).splitlines()[0]}); reinstall it"
        ) from error
    tokenizer.no_truncation()
    tokenizer.no_padding()
    return tokenizer


def tokenize(
    tokenizer: Tokenizer, texts: Sequence[str], window: int = WINDOW
) -> tuple[Tensor, Tensor, Tensor]:
    """Cut texts into windows of word pieces, each between a begin and an end mark.

    Returns:
        Tokens ``(windows, t)``, mask ``(windows, t)``, and ``(windows,)`` the text each window is from.
    """
    begin, end = tokenizer.token_to_id("[CLS]"), tokenizer.token_to_id("[SEP]")
    if begin is None or end is None:
        raise ModelError("the tokenizer lacks [CLS] or [SEP]; use the one that belongs to the weights")
    pieces: list[list[int]] = []
    owner: list[int] = []
    room = window - 2
    for index, encoding in enumerate(tokenizer.encode_batch(list(texts), add_special_tokens=False)):
        parts = max(1, math.ceil(len(encoding.ids) / room))
        share = math.ceil(len(encoding.ids) / parts)  # even windows: no stub of a few words at the end
        for part in range(parts):
            pieces.append([begin, *encoding.ids[part * share : (part + 1) * share], end])
            owner.append(index)
    longest = max((len(piece) for piece in pieces), default=0)
    tokens = torch.tensor([piece + [0] * (longest - len(piece)) for piece in pieces])
    lengths = torch.tensor([len(piece) for piece in pieces])
    return tokens, torch.arange(longest) < lengths[:, None], torch.tensor(owner)


@torch.no_grad()
def encode_sentences(
    net: MiniLM, tokenizer: Tokenizer, texts: Sequence[str], batch: int = 64, window: int = WINDOW
) -> Tensor:
    """Sentence vectors of unit length, ``(texts, width)``.

    Args:
        net: The encoder.
        tokenizer: Its word pieces.
        texts: Any number of texts of any length.
        batch: Windows read at once.
        window: Tokens in a window; longer texts are averaged over several.
    """
    device = net.words.weight.device
    total = torch.zeros(len(texts), net.words.weight.shape[1], device=device)
    # Texts of similar length go together, so that little work is spent on padding.
    order = sorted(range(len(texts)), key=lambda i: len(texts[i]))
    for start in range(0, len(order), batch):
        group = order[start : start + batch]
        tokens, mask, owner = (t.to(device) for t in tokenize(tokenizer, [texts[i] for i in group], window))
        sums = (net(tokens, mask) * mask[:, :, None]).sum(1)
        total.index_add_(0, torch.tensor(group, device=device)[owner], sums)
    return F.normalize(total, dim=-1)
