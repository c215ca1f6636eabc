"""SigLIP, SigLIP 2 and other picture-text encoders of the ``transformers`` package, from a folder.

Nothing is downloaded, no code from the folder is run, and only safetensors weights are read.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from dreamplate.errors import CheckpointError, MissingExtraError, ModelError

ROWS = 64
"""Texts that are encoded at once."""
MAX_CHARACTERS = 100_000


class TransformersScorer(nn.Module):
    """A scorer around any model that has ``get_image_features`` and ``get_text_features``.

    Build it with :func:`load_transformers`.

    Args:
        model: The model.
        tokenizer: The tokenizer of its folder.
        name: What it is called in messages and reports.
        size: Side of its pictures in pixels.
        mean: Input normalisation of red, green and blue.
        std: Input normalisation of red, green and blue.
    """

    encoding = "srgb_display"
    flexible = False
    contrast = 0.1
    """By how much the cosine of a fitting text commonly passes that of a text that says nothing."""
    mean: Tensor
    std: Tensor

    def __init__(
        self,
        model: Any,
        tokenizer: Any,
        *,
        name: str,
        size: int,
        mean: Sequence[float],
        std: Sequence[float],
    ) -> None:
        super().__init__()
        self.model, self.tokenizer, self.name, self.size = model, tokenizer, name, size
        kind = str(model.config.model_type)
        self.siglip = kind.startswith("siglip")
        self.patch = int(model.config.vision_config.patch_size) if kind == "siglip2" else 0
        text = model.config.text_config
        self.context = int(getattr(text, "max_position_embeddings", 0) or 64)
        if str(getattr(text, "model_type", "")) in ("roberta", "xlm-roberta", "altclip_text_model"):
            self.context -= 2  # their positions begin behind the padding's
        self.register_buffer("mean", torch.tensor(mean)[:, None, None], persistent=False)
        self.register_buffer("std", torch.tensor(std)[:, None, None], persistent=False)
        self.requires_grad_(False)
        self.eval()
        self.dim = self.encode_text([""]).shape[1]

    @property
    def device(self) -> torch.device:
        """Where it computes."""
        return self.mean.device

    def encode_image(self, images: Tensor) -> Tensor:
        """Pictures ``(n, 3, size, size)``, display-encoded in [0, 1], to unit vectors ``(n, dim)``.

        Raises:
            ModelError: The shape is another.
        """
        if images.ndim != 4 or tuple(images.shape[1:]) != (3, self.size, self.size):
            raise ModelError(
                f"{self.name}: pictures have shape {tuple(images.shape)}; (n, 3, {self.size}, {self.size})"
                " expected"
            )
        pixels = ((images - self.mean) / self.std).to(self.model.dtype)
        found = self.model.get_image_features(**self._patches(pixels))
        return F.normalize(_vectors(found).float(), dim=-1)

    @torch.no_grad()
    def encode_text(self, texts: Sequence[str]) -> Tensor:
        """``n`` texts to unit vectors ``(n, dim)``; parts of a text that is too long are averaged.

        Raises:
            ModelError: A text has more than 100,000 characters.
        """
        parts: list[str] = []
        owners: list[int] = []
        for index, text in enumerate(texts):
            if len(text) > MAX_CHARACTERS:
                raise ModelError(f"{self.name}: text has {len(text):,} characters; {MAX_CHARACTERS:,} fit")
            found = list(self._fitting(text.lower() if self.siglip else text))
            parts += found
            owners += [index] * len(found)
        rows = [self._encode(parts[begin : begin + ROWS]) for begin in range(0, len(parts), ROWS)]
        vectors = torch.cat(rows)
        sums = vectors.new_zeros((len(texts), vectors.shape[1]))
        return F.normalize(sums.index_add(0, torch.tensor(owners, device=self.device), vectors), dim=-1)

    def _encode(self, texts: Sequence[str]) -> Tensor:
        # SigLIP reads a text at its last place, so that padding is part of it.
        padding = "max_length" if self.siglip else True
        batch = self.tokenizer(
            list(texts), padding=padding, max_length=self.context, truncation=True, return_tensors="pt"
        )
        names = ("input_ids",) if self.siglip else ("input_ids", "attention_mask")
        inputs = {name: batch[name].to(self.device) for name in names if name in batch}
        return F.normalize(_vectors(self.model.get_text_features(**inputs)).float(), dim=-1)

    def _fitting(self, text: str) -> Iterator[str]:
        """Halve a text between words, or inside its only word, until its parts fit."""
        if len(text) < 2 or len(self.tokenizer(text)["input_ids"]) <= self.context:
            yield text
            return
        words = text.split()
        if len(words) > 1:
            middle = len(words) // 2
            halves = " ".join(words[:middle]), " ".join(words[middle:])
        else:
            halves = text[: len(text) // 2], text[len(text) // 2 :]
        for half in halves:
            yield from self._fitting(half)

    def _patches(self, pixels: Tensor) -> dict[str, Tensor]:
        if not self.patch:
            return {"pixel_values": pixels}
        # SigLIP 2 for any aspect takes pictures cut up: patches in rows, each pixel's colours together.
        count, side, grid = len(pixels), self.patch, self.size // self.patch
        cut = pixels.reshape(count, 3, grid, side, grid, side).permute(0, 2, 4, 3, 5, 1)
        return {
            "pixel_values": cut.reshape(count, grid * grid, -1),
            "pixel_attention_mask": torch.ones((count, grid * grid), dtype=torch.int32, device=pixels.device),
            "spatial_shapes": torch.full((count, 2), grid, dtype=torch.long, device=pixels.device),
        }


def load_transformers(
    folder: str, device: str | torch.device = "cpu", dtype: torch.dtype = torch.float32
) -> TransformersScorer:
    """Load a model of the ``transformers`` package from a folder.

    Args:
        folder: With ``config.json``, ``*.safetensors``, a tokenizer, and ``preprocessor_config.json`` or
            ``processor_config.json``.
        device: Where it computes.
        dtype: What it computes in.

    Raises:
        MissingExtraError: transformers is not installed.
        ModelError: The folder or one of its files is not there, or it is of no picture-text encoder.
        CheckpointError: Tensors are missing, left over or of another shape.
    """
    path = Path(folder).expanduser()
    if not path.is_dir():
        raise ModelError(f"transformers:{folder}: there is no such folder; name one, nothing is downloaded")
    if not (path / "config.json").is_file() or not any(path.glob("*.safetensors")):
        raise ModelError(
            f"transformers:{folder}: config.json or *.safetensors is not there; use a complete folder"
        )
    try:
        from transformers import AutoModel, AutoTokenizer
    except ImportError:
        raise MissingExtraError(
            'SigLIP needs the package transformers: pip install "dreamplate[transformers]"'
        ) from None
    mean, std = _colours(path)
    local = {"local_files_only": True, "trust_remote_code": False}
    try:
        model, report = AutoModel.from_pretrained(
            path, use_safetensors=True, dtype=dtype, output_loading_info=True, **local
        )
        tokenizer = AutoTokenizer.from_pretrained(path, **local)
    except Exception as error:  # that package raises whatever its parts raise
        raise ModelError(f"transformers:{folder}: cannot be loaded: {_line(error)}") from error
    for what in ("missing_keys", "mismatched_keys", "unexpected_keys"):
        if names := sorted(map(str, report.get(what) or ())):
            raise CheckpointError(
                f"transformers:{folder}: {what.replace('_', ' ')}, first {names[0]!r}; use a complete folder"
            )
    if not (hasattr(model, "get_image_features") and hasattr(model, "get_text_features")):
        raise ModelError(
            f"transformers:{folder}: a {model.config.model_type} has no picture and text features;"
            " use a picture-text encoder, such as SigLIP"
        )
    name = f"transformers:{folder}"
    size = _size(model, name)
    return TransformersScorer(model, tokenizer, name=name, size=size, mean=mean, std=std).to(device)


def _size(model: Any, name: str) -> int:
    vision = model.config.vision_config
    size = getattr(vision, "image_size", None)
    if size is None and (patches := getattr(vision, "num_patches", None)):
        size = round(patches**0.5) * vision.patch_size
    if not isinstance(size, int) or size < 1:
        raise ModelError(f"{name}: its picture size is {size!r}; a model for square pictures expected")
    return size


def _colours(folder: Path) -> tuple[list[float], list[float]]:
    """Read mean and spread of the colours from the folder."""
    for name in ("preprocessor_config.json", "processor_config.json"):
        try:
            entries = json.loads((folder / name).read_bytes())
        except FileNotFoundError:
            continue
        except (OSError, ValueError, RecursionError) as error:
            raise ModelError(f"{folder / name}: cannot be read ({_line(error)})") from error
        if isinstance(entries, dict):
            found = entries.get("image_processor") or entries
            rows: list[Any] = [found.get(key) for key in ("image_mean", "image_std")]
            if all(isinstance(row, list) and len(row) == 3 and all(map(_positive, row)) for row in rows):
                return rows[0], rows[1]
            raise ModelError(f"{folder / name}: image_mean or image_std is no row of three numbers above 0")
    raise ModelError(
        f"{folder}: has no preprocessor_config.json, which says how colours are normalised; use a complete"
        " folder"
    )


def _positive(number: object) -> bool:
    return type(number) in (int, float) and number > 0  # type: ignore[operator]


def _vectors(found: Any) -> Tensor:
    # Newer versions of the package return more than the vectors.
    vectors = found if isinstance(found, Tensor) else found.pooler_output
    assert isinstance(vectors, Tensor)
    return vectors


def _line(error: BaseException) -> str:
    return (str(error).strip().splitlines() or [type(error).__name__])[0][:200]
