"""CLIP as a scorer: from a model of the store, a weight file, or a folder as Hugging Face keeps them."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import parse_qsl

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from dreamplate.errors import ConfigError, ModelError
from dreamplate.nets.clip import ACTIVATIONS, CLIP, MEAN, STD, ResNet
from dreamplate.nets.clip_tokens import ClipTokenizer
from dreamplate.nets.efficientnet_lite import Layer

if TYPE_CHECKING:
    from dreamplate.models import Store

ROWS = 64
"""Rows of ids that the text tower takes at once."""
FILES = (
    "open_clip_model.safetensors",
    "model.safetensors",
    "open_clip_pytorch_model.safetensors",
    "pytorch_model.bin",
    "open_clip_pytorch_model.bin",
)
"""Weight files that are looked for in a folder, best first."""
STANDARD_IDS = 49_408


class ClipScorer(nn.Module):
    """The scorer; build it with :func:`load_clip`.

    Args:
        net: Both towers.
        tokenizer: Its ids must be those that the text tower knows.
        name: What it is called in messages and reports.
        mean: Input normalisation of red, green and blue.
        std: Input normalisation of red, green and blue.

    Raises:
        ModelError: Tokenizer and text tower do not fit.
    """

    encoding = "srgb_display"
    flexible = False
    """Pictures of one side only are judged: the towers know the places of their own grid."""
    contrast = 0.1
    """By how much the cosine of a fitting text commonly passes that of a text that says nothing."""
    mean: Tensor
    std: Tensor
    encode_with_layers: Callable[[Tensor], tuple[Tensor, list[Layer]]]
    """Only there when the picture tower is a ResNet: like :meth:`encode_image`, with what every block adds,
    for natural statistics."""

    def __init__(
        self,
        net: CLIP,
        tokenizer: ClipTokenizer,
        name: str = "clip",
        mean: Sequence[float] = MEAN,
        std: Sequence[float] = STD,
    ) -> None:
        super().__init__()
        if tokenizer.size != net.vocabulary:
            raise ModelError(
                f"{name}: its text tower knows {net.vocabulary:,} ids, its tokenizer {tokenizer.size:,}; use"
                " the folder that has the checkpoint's own tokenizer.json"
            )
        self.name, self.net, self.tokenizer = name, net, tokenizer
        self.size, self.dim = net.size, net.dim
        self.register_buffer("mean", torch.tensor(mean)[:, None, None], persistent=False)
        self.register_buffer("std", torch.tensor(std)[:, None, None], persistent=False)
        if isinstance(net.image, ResNet):
            self.encode_with_layers = self._with_layers
        self.requires_grad_(False)
        self.eval()

    @property
    def device(self) -> torch.device:
        """Where it computes."""
        return self.mean.device

    def encode_image(self, images: Tensor) -> Tensor:
        """Pictures ``(n, 3, size, size)``, display-encoded in [0, 1], to unit vectors ``(n, dim)``.

        Raises:
            ModelError: The shape is another.
        """
        return F.normalize(self.net.image(self._prepared(images)).float(), dim=-1)

    def encode_map(self, images: Tensor) -> Tensor:
        """Unit vectors of the places in a picture, ``(n, dim, rows, columns)``.

        Args:
            images: ``(n, 3, h, w)``, display-encoded in [0, 1]; sides are multiples of :attr:`stride`.

        Raises:
            ModelError: The shape is another.
        """
        if images.ndim != 4 or images.shape[1] != 3 or any(side % self.stride for side in images.shape[2:]):
            raise ModelError(
                f"{self.name}: pictures have shape {tuple(images.shape)}; (n, 3, h, w) with sides that are"
                f" multiples of {self.stride} expected"
            )
        return F.normalize(self.net.image.dense(self._normalised(images)).float(), dim=1)

    @property
    def stride(self) -> int:
        """Pixels between the places of :meth:`encode_map`."""
        return 32 if isinstance(self.net.image, ResNet) else self.net.image.patch

    @torch.no_grad()
    def encode_text(self, texts: Sequence[str]) -> Tensor:
        """``n`` texts to unit vectors ``(n, dim)``.

        A text of more ids than the tower takes is cut between words, and its vector is the normalised mean
        of the parts' vectors.

        Raises:
            ConfigError: A text has more than 100,000 characters.
        """
        rows: list[list[int]] = []
        owners: list[int] = []
        for index, text in enumerate(texts):
            found = self.tokenizer.chunks(text, self.net.context)
            rows += found
            owners += [index] * len(found)
        vectors = torch.zeros((len(texts), self.dim), device=self.device)
        # Rows of about one length together, since the longest sets the work.
        order = sorted(range(len(rows)), key=lambda at: len(rows[at]))
        for begin in range(0, len(order), ROWS):
            picked = order[begin : begin + ROWS]
            ids = torch.zeros((len(picked), len(rows[picked[-1]])), dtype=torch.long)
            for line, at in zip(ids, picked, strict=True):
                line[: len(rows[at])] = torch.tensor(rows[at])
            parts = F.normalize(self.net.text(ids.to(self.device)).float(), dim=-1)
            vectors.index_add_(0, torch.tensor([owners[at] for at in picked], device=self.device), parts)
        return F.normalize(vectors, dim=-1)

    def _with_layers(self, images: Tensor) -> tuple[Tensor, list[Layer]]:
        assert isinstance(self.net.image, ResNet)
        vectors, layers = self.net.image.with_layers(self._prepared(images))
        return F.normalize(vectors.float(), dim=-1), layers

    def _prepared(self, images: Tensor) -> Tensor:
        if images.ndim != 4 or tuple(images.shape[1:]) != (3, self.size, self.size):
            raise ModelError(
                f"{self.name}: pictures have shape {tuple(images.shape)}; (n, 3, {self.size}, {self.size})"
                " expected"
            )
        return self._normalised(images)

    def _normalised(self, images: Tensor) -> Tensor:
        return (images - self.mean) / self.std


def load_clip(
    name: str,
    device: str | torch.device = "cpu",
    dtype: torch.dtype = torch.float32,
    *,
    store: Store | None = None,
) -> ClipScorer:
    """Load CLIP.

    A Hugging Face folder's ``config.json`` and an ``open_clip_config.json`` beside the weights are read, and
    the folder's own tokenizer is used. Where nothing tells the activation, it has to be said:
    ``MODEL?activation=gelu``; ``heads=`` and ``text_heads=`` can be said likewise.

    Args:
        name: A model of the store, a weight file of any known format, or a folder.
        device: Where it computes.
        dtype: Precision of the matrix products; all else is float32.
        store: Where to look for models; the default store when not given.

    Raises:
        ConfigError: The activation is not known, or what is said behind the ``?`` is wrong.
        ModelError: There is no such model, file or folder, or it is no CLIP.
        CheckpointError: It is damaged or hostile, tensors are missing or left over, or it is of another
            network.
        MissingExtraError: A package of the tokenizer is not installed.
    """
    from dreamplate.models import find_weights

    place, said = _split(name)
    path = _path(place, store)
    folder = path if path is None or path.is_dir() else path.parent
    found = str(_file(path)) if path is not None and path.is_dir() else place
    state, settings = find_weights(found, "clip", store=store)
    settings = {**settings, **said}
    try:
        net = CLIP.from_state(state, settings, consume=True)
    except ConfigError as error:
        raise ConfigError(f"clip:{place}: {error}; for example clip:{place}?activation=gelu") from None
    except ModelError as error:
        raise type(error)(f"{found}: {error}") from None
    tokenizer = (ClipTokenizer.from_folder(folder) if folder else None) or _standard(place, net)
    mean, std = (_colours(place, settings, key, usual) for key, usual in (("mean", MEAN), ("std", STD)))
    scorer = ClipScorer(net, tokenizer, f"clip:{place}", mean, std)
    if dtype != torch.float32:
        net.use_products(dtype)
    return scorer.to(device)


def _path(place: str, store: Store | None) -> Path | None:
    """Return the file or folder that is meant, or ``None`` when a model of the store is."""
    from dreamplate.models import Store
    from dreamplate.models.find import is_path

    path = Path(place).expanduser()
    if is_path(place):
        return path
    if path.is_dir():
        try:
            (store or Store.default()).find(place)
        except ModelError:
            return path
    return None


def _split(name: str) -> tuple[str, dict[str, int | str]]:
    """Cut ``MODEL?activation=gelu&heads=16`` into the model and what is said about it."""
    place, mark, query = name.partition("?")
    said: dict[str, int | str] = {}
    pairs = parse_qsl(query, keep_blank_values=True)
    for key, value in pairs:
        if key == "activation" and value in ACTIVATIONS:
            said[key] = value
        elif key in ("heads", "text_heads") and value.isascii() and value.isdigit() and int(value) > 0:
            said[key] = int(value)
        else:
            raise ConfigError(
                f"clip:{place}: {key}={value} is not known; say activation={' or '.join(ACTIVATIONS)},"
                " heads=NUMBER, text_heads=NUMBER"
            )
    if mark and not pairs:
        raise ConfigError(f"clip:{name}: nothing is said behind the ?; leave it out or say activation=gelu")
    return place, said


def _file(folder: Path) -> Path:
    for name in FILES:
        if (folder / name).is_file():
            return folder / name
    whole = sorted(path for path in folder.glob("*.safetensors") if path.is_file())
    if len(whole) != 1:
        what = (
            f"{len(whole)} safetensors files" if whole else "neither model.safetensors nor pytorch_model.bin"
        )
        raise ModelError(f"{folder}: holds {what}; name the weight file itself")
    return whole[0]


def _standard(place: str, net: CLIP) -> ClipTokenizer:
    if net.vocabulary != STANDARD_IDS:
        raise ModelError(
            f"clip:{place}: its text tower knows {net.vocabulary:,} ids, the standard tokenizer"
            f" {STANDARD_IDS:,}; put its own tokenizer.json beside the weights"
        )
    return ClipTokenizer.standard()


def _colours(
    place: str, settings: Mapping[str, int | float | str], key: str, usual: Sequence[float]
) -> Sequence[float]:
    if key not in settings:
        return usual
    try:
        found = [float(number) for number in str(settings[key]).split()]
    except ValueError:
        found = []
    if len(found) != 3 or (key == "std" and min(found) <= 0):
        raise ConfigError(f"clip:{place}: setting {key} is {settings[key]!r}; three numbers expected")
    return found
