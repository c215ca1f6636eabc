"""The scorer of our own: two small towers that ship with the package and need no other.

It was trained on pictures of generated worlds and their captions, and knows those best: time of day, weather,
country, landmarks and how many of them. What other words mean it learnt from the bridge's sentence encoder. A
word that it never read is taken for the nearest that it did, and that is said.
"""

from __future__ import annotations

import difflib
from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from dreamplate.errors import MissingExtraError, ModelError
from dreamplate.models.find import find_weights
from dreamplate.nets.efficientnet_lite import Layer
from dreamplate.tokens.dual import ARCHITECTURE, DualEncoder
from dreamplate.tokens.wordpieces import split_words

__all__ = ["BUILT_IN", "OwnScorer", "load_auto", "load_own", "understood"]

BUILT_IN = "world-scorer"
"""The model that is meant where none is named."""
NEAR = 0.75
"""How like a known word's spelling a word must be to be taken for it, where others are known."""


class OwnScorer(nn.Module):
    """Two towers as a scorer; build it with :func:`load_own`.

    Args:
        towers: The network, frozen.
        name: What it is called in reports.
        dtype: What the towers compute in; vectors are float32.
    """

    encoding = "srgb_display"
    flexible = True
    """Pictures of any side from 32 pixels up may be judged; larger ones than ``size`` are made smaller."""

    def __init__(self, towers: DualEncoder, name: str = "own", dtype: torch.dtype = torch.float32) -> None:
        super().__init__()
        self.towers: DualEncoder = towers.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        self.name, self.dtype = name, dtype
        self.size, self.dim = towers.side, towers.dim
        self.known = towers.known_words()
        self.notices: list[str] = []
        """What was not understood and has not been told."""
        self.requires_grad_(False)
        self.eval()

    @property
    def device(self) -> torch.device:
        """Where it computes."""
        return self.towers.join_text.weight.device

    def encode_image(self, images: Tensor) -> Tensor:
        """Pictures ``(n, 3, h, w)``, display-encoded in [0, 1], to unit vectors ``(n, dim)``.

        Raises:
            ModelError: The shape is another, or a side is below 32 pixels.
        """
        with self._precision():
            return self.towers.encode_image(self._shown(images))

    def encode_with_layers(self, images: Tensor) -> tuple[Tensor, list[Layer]]:
        """Like :meth:`encode_image`, with what each normalisation was given, for natural statistics.

        What they are held to is what pictures of worlds gave, not photographs.
        """
        with self._precision():
            return self.towers.encode_with_layers(self._shown(images))

    @torch.no_grad()
    def encode_text(self, texts: Sequence[str]) -> Tensor:
        """``n`` texts of any length to unit vectors ``(n, dim)``; see ``notices``."""
        plain = []
        for text in texts:
            meant, notes = understood(text, self.known)
            plain.append(meant)
            self.notices += [f"{self.name}: {note}" for note in notes]
        return self.towers.encode_text(plain)

    def _shown(self, images: Tensor) -> Tensor:
        """Return pictures as the towers learnt to see them: -1 to 1, the shorter side ``size`` at most."""
        shown = self.towers.checked(images) * 2 - 1
        short = min(shown.shape[2:])
        if short <= self.size:
            return shown
        sides = [round(side * self.size / short) for side in shown.shape[2:]]
        return F.interpolate(shown, sides, mode="bilinear", antialias=True, align_corners=False)

    def _precision(self) -> torch.autocast:
        return torch.autocast(self.device.type, self.dtype, enabled=self.dtype != torch.float32)


def understood(text: str, known: frozenset[str]) -> tuple[str, list[str]]:
    """Return a text in known words, and what was changed.

    A word that was never read is taken for the nearest known one by spelling, or left out if none is near; in
    a text of such words alone each is taken for the nearest, however far.

    Args:
        text: Any text.
        known: Words that have been read; none: all are taken as they are.
    """
    words = split_words(text)
    if not known or all(word in known for word in words):
        return text, []
    order = sorted(known)
    cutoff = NEAR if any(word in known for word in words) else 0.0
    meant, notes = [], []
    for word in words:
        if word in known:
            meant.append(word)
            continue
        near = difflib.get_close_matches(word, order, n=1, cutoff=cutoff)
        notes.append(f"never read {word!r}; " + (f"takes it for {near[0]!r}" if near else "leaves it out"))
        meant += near
    return " ".join(meant), list(dict.fromkeys(notes))


def load_own(
    model: str = "", device: str | torch.device = "cpu", dtype: torch.dtype = torch.float32
) -> OwnScorer:
    """Load the scorer of our own.

    Args:
        model: A name of the store, a model file or a training take; the built-in one where empty.
        device: Where it computes.
        dtype: Precision of its products.

    Raises:
        ModelError: There is no such model, or it is of another architecture.
        CheckpointError: The file is damaged.
    """
    name = model or BUILT_IN
    state, settings = find_weights(name, ARCHITECTURE)
    towers = DualEncoder.from_state(state, settings, name)
    return OwnScorer(towers, f"own:{model}" if model else "own", dtype).to(device)


def load_auto(device: str | torch.device = "cpu", dtype: torch.dtype = torch.float32) -> nn.Module:
    """Load the bridge; where its packages are not installed, the scorer of our own, with a notice.

    Raises:
        MissingExtraError: The packages are not installed, and the built-in scorer is not there either.
    """
    from dreamplate.dream.bridge import load_bridge

    try:
        return load_bridge(device, dtype)
    except MissingExtraError as error:
        try:
            own = load_own("", device, dtype)
        except ModelError:
            raise error from None
        own.notices.append(
            f"{error}; until then the built-in scorer of generated worlds judges, which knows landscapes"
        )
        return own
