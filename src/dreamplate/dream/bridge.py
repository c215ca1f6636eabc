"""The built-in scorer: an image classifier and a sentence encoder that never met, joined by a smooth map.

The classifier (EfficientNet-Lite0) has a weight row for each of its 1000 classes: the direction in the
space of picture features that means this class. Each class also has names and descriptions that the
sentence encoder (MiniLM) can read. Kernel ridge regression from sentences to rows carries any text into
the space of picture features: a text that names a class lands on its row, a text between classes lands
between their rows. No picture was used to fit it. It knows what the classes span, and is weak on people,
counts and composition.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from dreamplate.dream.towers import load_encoder
from dreamplate.errors import ModelError
from dreamplate.nets.efficientnet_lite import EfficientNetLite, Layer
from dreamplate.nets.kernel_map import KernelMap, unpack
from dreamplate.nets.minilm import MiniLM, encode_sentences
from dreamplate.nets.packaged import load_classifier

if TYPE_CHECKING:
    from tokenizers import Tokenizer


class BridgeScorer(nn.Module):
    """The scorer; build it with :func:`load_bridge`.

    Args:
        net: Classifier; its pooled features are the common space.
        encoder: Sentence encoder.
        tokenizer: The encoder's word pieces.
        anchors: ``(kinds, classes, width)`` sentence directions of the classifier's classes.
    """

    name = "bridge"
    encoding = "srgb_display"
    flexible = True
    """Pictures of any side from 32 pixels up may be judged; ``size`` is the best."""
    rows: Tensor

    def __init__(self, net: EfficientNetLite, encoder: MiniLM, tokenizer: Tokenizer, anchors: Tensor) -> None:
        super().__init__()
        rows = net.fc.weight.detach()
        if anchors.shape[1] != len(rows):
            raise ModelError(
                f"bridge: {anchors.shape[1]} classes have anchors, the classifier has {len(rows)}; "
                "fit the anchors to this classifier with tools/fit_bridge.py"
            )
        self.net = net
        self.encoder = encoder
        self.tokenizer = tokenizer
        self.map = KernelMap(anchors)
        # The mean row speaks for every class alike, so it says nothing.
        self.register_buffer("rows", rows - rows.mean(0))
        self.size, self.dim = net.size, rows.shape[1]
        self.requires_grad_(False)
        self.eval()

    @property
    def device(self) -> torch.device:
        """Where it computes."""
        return self.rows.device

    def encode_image(self, images: Tensor) -> Tensor:
        """Pictures ``(n, 3, h, w)``, display-encoded in [0, 1], to unit vectors ``(n, dim)``.

        Raises:
            ModelError: The shape is another.
        """
        return F.normalize(self.net.features(check_images(images))["pooled"].float(), dim=-1)

    def encode_with_layers(self, images: Tensor) -> tuple[Tensor, list[Layer]]:
        """Like :meth:`encode_image`, with the activations of every block, for natural statistics."""
        pooled, layers = self.net.pooled_with_layers(check_images(images))
        return F.normalize(pooled.float(), dim=-1), layers

    def encode_map(self, images: Tensor) -> Tensor:
        """Unit vectors of the places in a picture, ``(n, dim, h / 32, w / 32)``, before they are pooled."""
        return F.normalize(self.net.features(check_images(images), ("head",))["head"].float(), dim=1)

    @torch.no_grad()
    def encode_text(self, texts: Sequence[str]) -> Tensor:
        """``n`` texts of any length to unit vectors ``(n, dim)``."""
        return F.normalize(self.class_shares(texts) @ self.rows, dim=-1)

    @torch.no_grad()
    def class_shares(self, texts: Sequence[str]) -> Tensor:
        """How much of each class a text asks for, ``(n, classes)``; shares may be negative."""
        shares: Tensor = self.map(encode_sentences(self.encoder, self.tokenizer, texts))
        return shares


def check_images(images: Tensor) -> Tensor:
    """Return pictures in the memory layout that convolutions like best.

    Raises:
        ModelError: They are not ``(n, 3, h, w)`` with sides of 32 or more.
    """
    if images.ndim != 4 or images.shape[1] != 3 or min(images.shape[2:]) < 32:
        raise ModelError(
            f"bridge: pictures have shape {tuple(images.shape)}; (n, 3, h, w) with sides from 32 up expected"
        )
    return images.contiguous(memory_format=torch.channels_last)


def load_bridge(device: str | torch.device = "cpu", dtype: torch.dtype = torch.float32) -> BridgeScorer:
    """Load the built-in scorer.

    Args:
        device: Where it computes.
        dtype: Precision of the classifier's matrix products; all else is float32.

    Raises:
        MissingExtraError: A package that carries a part of it is not installed.
        CheckpointError: A file is damaged or not the one that is known.
    """
    from dreamplate.models import Store

    encoder, tokenizer = load_encoder()
    net = load_classifier("lite0")
    if dtype != torch.float32:
        net.use_products(dtype)
    state, _ = Store.default().load("bridge")
    return BridgeScorer(net, encoder, tokenizer, unpack(state)).to(device)
