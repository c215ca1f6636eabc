"""Image GPT by a name: of the store, a training take, a weight file, or a published folder."""

from __future__ import annotations

from pathlib import Path

from dreamplate.errors import CheckpointError
from dreamplate.models.find import MODEL, find_weights
from dreamplate.tokens.igpt import ImageGpt

__all__ = ["load_igpt"]

FILES = (MODEL, "pytorch_model.bin")
"""What a published folder holds its weights in."""


def load_igpt(name: str) -> ImageGpt:
    """Return a network, frozen and ready for use.

    Args:
        name: A model of the store (``world-igpt``), a training take, a weight file, or a folder as published
            (``openai/imagegpt-small`` of Hugging Face, with its ``preprocessor_config.json``).

    Raises:
        ModelError: There is no such model, or it is of another kind.
        CheckpointError: It is damaged.
    """
    folder = Path(name).expanduser()
    if folder.is_dir():
        found = next((folder / file for file in FILES if (folder / file).is_file()), None)
        name = str(found or folder / MODEL)
    state, settings = find_weights(name, "image-gpt")
    net = ImageGpt.from_settings(settings)
    try:
        net.load_state_dict(state)
    except RuntimeError as error:
        reason = " ".join(str(error).split())[:160]
        raise CheckpointError(
            f"{name}: its tensors do not fit its settings ({reason}); use another"
        ) from error
    return net.eval().requires_grad_(False)
