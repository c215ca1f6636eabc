"""Reading a DALL-E together with the codec that its codes are of."""

from __future__ import annotations

import torch

from dreamplate.errors import CheckpointError, ModelError
from dreamplate.models.find import find_weights
from dreamplate.tokens.codec import Codec, check_codec, load_codec
from dreamplate.tokens.dalle import Dalle

__all__ = ["load_dalle"]


def load_dalle(name: str, codec: str = "") -> tuple[Dalle, Codec]:
    """Return a DALL-E and its codec, frozen and ready for use.

    Args:
        name: A model of the store, a model file, or a training take.
        codec: Of its codec; empty: as it was called when the DALL-E was trained.

    Raises:
        ModelError: One of them is not there or is of another kind, or the codec is not the one whose codes
            were learnt (codebook mismatch).
        CheckpointError: A file is damaged or does not fit.
    """
    state, settings = find_weights(name, "dalle")
    net = Dalle.from_settings(settings)
    for key, tensor in net.state_dict().items():
        if key not in state or state[key].shape != tensor.shape:
            found = tuple(state[key].shape) if key in state else "missing"
            raise CheckpointError(
                f"{name}: tensor {key!r} is {found}, {tuple(tensor.shape)} expected; use an unmodified file"
            )
    net.load_state_dict({key: state[key] for key in net.state_dict()})
    net = net.float().eval().requires_grad_(False)
    shape = net.shape
    try:
        found_codec = load_codec(codec or shape.codec)
    except ModelError as error:
        if codec:
            raise
        raise ModelError(
            f"{name}: its codec {shape.codec!r} cannot be read ({error}); name it with dalle.codec"
        ) from error
    check_codec(found_codec, shape.fingerprint, name)
    if (found_codec.codes, found_codec.factor) != (shape.codes, shape.factor):
        raise CheckpointError(
            f"{name}: codebook mismatch: learnt from {shape.codes} codes of {shape.factor} pixels, the codec"
            f" has {found_codec.codes} of {found_codec.factor}; name the codec that it was trained with"
        )
    assert isinstance(found_codec, torch.nn.Module)
    return net, found_codec
