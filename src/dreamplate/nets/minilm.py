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
from jaxtyping import Bool, Float, Int
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

    def __init__(self, parts: Mapping[str, nn.Module], heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.qkv, self.out, self.norm1 = parts["qkv"], parts["out"], parts["norm1"]
        self.fc1, self.fc2, self.norm2 = parts["fc1"], parts["fc2"], parts["norm2"]

    def forward(
        self, x: Float[Tensor, "n tokens width"], mask: Bool[Tensor, "n 1 1 tokens"]
    ) -> Float[Tensor, "n tokens width"]:
        """``x`` is ``(n, tokens, width)``; ``mask`` ``(n, 1, 1, tokens)`` is true at real tokens."""
        n, tokens, width = x.shape
        q, k, v = self.qkv(x).view(n, tokens, 3, self.heads, -1).permute(2, 0, 3, 1, 4)
        attended = F.scaled_dot_product_attention(q, k, v, attn_mask=mask)
        x = self.norm1(x + self.out(attended.transpose(1, 2).reshape(n, tokens, width)))
        y: Tensor = self.norm2(x + self.fc2(F.gelu(self.fc1(x))))
        return y


def _linear(weight: Tensor, bias: Tensor) -> nn.Linear:
    # Made at size 1 and given its weights, so that no time goes into random numbers that nobody sees.
    made = nn.Linear(1, 1)
    made.weight, made.bias = nn.Parameter(weight), nn.Parameter(bias)
    made.out_features, made.in_features = weight.shape
    return made


def _norm(weight: Tensor, bias: Tensor) -> nn.LayerNorm:
    made = nn.LayerNorm(len(weight), NORM_EPS)
    made.weight, made.bias = nn.Parameter(weight), nn.Parameter(bias)
    return made


class MiniLM(nn.Module):
    """The encoder: token numbers in, one vector a token out. Build it with :meth:`from_state`."""

    def __init__(self, words: Tensor, positions: Tensor, norm: nn.Module, layers: Sequence[Layer]) -> None:
        super().__init__()
        self.words = nn.Parameter(words)
        self.positions = nn.Parameter(positions)
        self.norm = norm
        self.layers = nn.ModuleList(layers)
        self.requires_grad_(False)
        self.eval()

    @classmethod
    def from_state(cls, state: Mapping[str, Tensor]) -> MiniLM:
        """Build the frozen network from a BERT checkpoint (``embeddings.*``, ``encoder.layer.N.*``).

        Raises:
            CheckpointError: A tensor is missing or its shape does not fit.
        """

        def take(name: str, *shape: int) -> Tensor:
            if name not in state:
                raise CheckpointError(f"MiniLM: tensor {name!r} is missing; use a complete BERT checkpoint")
            found = tuple(state[name].shape)
            if len(found) != len(shape) or any(
                want not in (-1, got) for want, got in zip(shape, found, strict=True)
            ):
                raise CheckpointError(f"MiniLM: {name} has shape {found}, {shape} expected (-1 is any)")
            return state[name].float()

        def linear(name: str, out: int, inside: int) -> tuple[Tensor, Tensor]:
            return take(f"{name}.weight", out, inside), take(f"{name}.bias", out)

        words = take("embeddings.word_embeddings.weight", -1, -1)
        width = words.shape[1]
        if width % HEAD_WIDTH:
            raise CheckpointError(
                f"MiniLM: {width} channels are no multiple of {HEAD_WIDTH}; use a MiniLM checkpoint"
            )
        # Every sentence is of segment 0, so its vector is part of every position.
        positions = take("embeddings.position_embeddings.weight", -1, width)
        positions = positions + take("embeddings.token_type_embeddings.weight", -1, width)[0]

        def norm(name: str) -> nn.LayerNorm:
            return _norm(take(f"{name}.weight", width), take(f"{name}.bias", width))

        layers = []
        for index in range(len({name.split(".")[2] for name in state if name.startswith("encoder.layer.")})):
            base = f"encoder.layer.{index}."
            self_ = [linear(f"{base}attention.self.{key}", width, width) for key in ("query", "key", "value")]
            inner = len(take(f"{base}intermediate.dense.bias", -1))
            parts = {
                "qkv": _linear(torch.cat([w for w, _ in self_]), torch.cat([b for _, b in self_])),
                "out": _linear(*linear(f"{base}attention.output.dense", width, width)),
                "norm1": norm(f"{base}attention.output.LayerNorm"),
                "fc1": _linear(*linear(f"{base}intermediate.dense", inner, width)),
                "fc2": _linear(*linear(f"{base}output.dense", width, inner)),
                "norm2": norm(f"{base}output.LayerNorm"),
            }
            layers.append(Layer(parts, width // HEAD_WIDTH))
        if not layers:
            raise CheckpointError("MiniLM: no encoder.layer.N tensors found; use a complete BERT checkpoint")
        return cls(words, positions, norm("embeddings.LayerNorm"), layers)

    def forward(self, tokens: Int[Tensor, "n t"], mask: Bool[Tensor, "n t"]) -> Float[Tensor, "n t width"]:
        """Read sentences.

        Args:
            tokens: ``(n, t)`` word-piece numbers, padded with anything.
            mask: ``(n, t)`` true at real tokens.

        Returns:
            ``(n, t, width)`` token vectors; those at padding mean nothing.
        """
        x = self.norm(F.embedding(tokens, self.words) + self.positions[: tokens.shape[1]])
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
) -> tuple[Int[Tensor, "windows t"], Bool[Tensor, "windows t"], Int[Tensor, " windows"]]:
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
) -> Float[Tensor, "{len(texts)} width"]:
    """Sentence vectors of unit length, ``(texts, width)``.

    Args:
        net: The encoder.
        tokenizer: Its word pieces.
        texts: Any number of texts of any length.
        batch: Windows read at once.
        window: Tokens in a window; longer texts are averaged over several.
    """
    device = net.words.device
    total = torch.zeros(len(texts), net.words.shape[1], device=device)
    # Texts of similar length go together, so that little work is spent on padding.
    order = sorted(range(len(texts)), key=lambda i: len(texts[i]))
    for start in range(0, len(order), batch):
        group = order[start : start + batch]
        tokens, mask, owner = (t.to(device) for t in tokenize(tokenizer, [texts[i] for i in group], window))
        sums = (net(tokens, mask) * mask[:, :, None]).sum(1)
        total.index_add_(0, torch.tensor(group, device=device)[owner], sums)
    return F.normalize(total, dim=-1)
