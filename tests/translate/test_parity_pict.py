"""``.pict``: the reader and the network against reference numbers."""

from __future__ import annotations

from pathlib import Path

import torch

from dreamplate.models.pict import is_pict, read_pict
from dreamplate.translate.model import load_model
from parity import fixture


def test_weights_are_exact(shared_dir: Path) -> None:
    found = fixture(shared_dir, "pict_format")
    file = shared_dir / "parity" / "pict_format" / "model.pict"
    assert is_pict(file)
    state = read_pict(file)
    assert state.keys() == found.weights.keys()
    assert all(torch.equal(state[name], value) for name, value in found.weights.items())
    raw = bytearray(file.read_bytes())
    start = 8 + int.from_bytes(raw[:4], "big")
    found.check("index", torch.frombuffer(raw[start : start + 1024], dtype=torch.float32))
    found.check("encoded", torch.frombuffer(raw[start + 1028 :], dtype=torch.uint8))


def test_pictures(shared_dir: Path) -> None:
    found = fixture(shared_dir, "pict_format")
    model = load_model(shared_dir / "parity" / "pict_format" / "model.pict")
    said = found.arguments
    assert (model.settings["width"], model.settings["given"]) == (said["ngf"], said["in_channels"])
    x = found.given("picture_u8").permute(2, 0, 1)[None].float() / 255 * 2 - 1
    with torch.no_grad():
        made = ((model.network(x) + 1) / 2)[0].permute(1, 2, 0)
    found.check("image_strided", made[::4, ::4])
    found.check("image_crop", made[96:160, 32:96])
