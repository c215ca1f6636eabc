"""The sentence encoder of the built-in scorer, read from the package that carries it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from safetensors.torch import load_file

from dreamplate.errors import CheckpointError
from dreamplate.nets.minilm import MiniLM, load_tokenizer
from dreamplate.nets.packaged import package_file

if TYPE_CHECKING:
    from tokenizers import Tokenizer


def load_encoder() -> tuple[MiniLM, Tokenizer]:
    """The frozen sentence encoder and its tokenizer from their package.

    Raises:
        MissingExtraError: A package is not installed.
        CheckpointError: The weights do not fit the network.
    """
    tokenizer = load_tokenizer(package_file("tokenizer"))
    path = package_file("minilm")
    try:
        state = load_file(path)
    except Exception as error:  # safetensors raises an exception of its own on damage
        raise CheckpointError(f"{path}: damaged ({str(error).splitlines()[0]}); reinstall it") from error
    return MiniLM.from_state(state), tokenizer
