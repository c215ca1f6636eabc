"""Laws of the tiny autoencoders: layers follow from tensors, real weights restore pictures, tiling."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from dreamplate.errors import CheckpointError, ModelError
from dreamplate.models.find import find_weights
from dreamplate.models.layouts.tiny_autoencoder import expected, infer
from dreamplate.nets.tiny_autoencoder import TinyAutoencoder
from dreamplate.plate import read, to_tensor

ENCODER = (
    "0:conv:3:8:0 1:block:8:8:0 2:step:8:8:0 3:block:8:12:0 4:step:12:12:0 5:block:12:12:16 6:conv:12:4:0"
)
DECODER = (
    "1:conv:4:12:0 3:block:12:12:16 5:step:12:8:0 6:block:8:8:0 8:step:8:8:0 9:block:8:8:0 10:conv:8:3:0"
)
LAYERS = {"encoder": ENCODER, "decoder": DECODER}


def plain(part: str, seed: int = 0) -> dict[str, Tensor]:
    """A plain sequence of random weights, named by position."""
    draws = torch.Generator().manual_seed(seed)
    return {
        name.removeprefix(f"{part}."): torch.randn(shape, generator=draws)
        / max(1, torch.Size(shape[1:]).numel()) ** 0.5
        for name, shape in expected({part: LAYERS[part]}).items()
    }


def net(*parts: str) -> TinyAutoencoder:
    parts = parts or ("encoder", "decoder")
    state = {f"{part}.{name}": t for part in parts for name, t in plain(part).items()}
    return TinyAutoencoder.from_state(state, infer({name: tuple(t.shape) for name, t in state.items()}))


def picture(n: int = 2, height: int = 16, width: int = 24) -> Tensor:
    return torch.rand((n, 3, height, width), generator=torch.Generator().manual_seed(1))


@pytest.mark.parametrize("part", ["encoder", "decoder"])
def test_layers_follow_from_shapes(part: str) -> None:
    shapes = {f"{part}.{name}": tuple(t.shape) for name, t in plain(part).items()}
    assert infer(shapes) == {part: LAYERS[part], "latents": 4}
    assert dict(expected(infer(shapes))) == shapes


@torch.no_grad()
def test_the_network_is_what_its_layers_say() -> None:
    """Against a plain form written out from the tensors of one decoder."""
    own, s = net("decoder"), plain("decoder")
    z = torch.randn((2, 4, 3, 5), generator=torch.Generator().manual_seed(2)) * 3

    def conv(x: Tensor, name: str) -> Tensor:
        return F.conv2d(x, s[f"{name}.weight"], s.get(f"{name}.bias"), padding=1)

    def block(x: Tensor, n: int) -> Tensor:
        if f"{n}.pool.0.weight" in s:
            y = F.group_norm(
                F.conv2d(x, s[f"{n}.pool.0.weight"]), 4, s[f"{n}.pool.1.weight"], s[f"{n}.pool.1.bias"]
            )
            x = x + F.conv2d(y.relu(), s[f"{n}.pool.3.weight"])
        y = conv(conv(conv(x, f"{n}.conv.0").relu(), f"{n}.conv.2").relu(), f"{n}.conv.4")
        return (x + y).relu()

    def double(x: Tensor) -> Tensor:
        return x.repeat_interleave(2, 2).repeat_interleave(2, 3)

    x = block(conv(torch.tanh(z / 3) * 3, "1").relu(), 3)
    x = block(conv(double(x), "5"), 6)
    x = conv(block(conv(double(x), "8"), 9), "10")
    torch.testing.assert_close(own.decode(z), x)
    assert own.latents == 4 and own.factor == 4


@torch.no_grad()
@pytest.mark.parametrize("wrap", [(True, False), (False, True), (True, True)])
def test_a_tile_that_is_rolled_stays_the_same_tile(wrap: tuple[bool, bool]) -> None:
    own, image = net(), picture()
    shift = (1 if wrap[1] else 0, 2 if wrap[0] else 0)
    pixels = tuple(4 * amount for amount in shift)
    z = own.encode(image, wrap)
    torch.testing.assert_close(own.encode(image.roll(pixels, (2, 3)), wrap), z.roll(shift, (2, 3)))
    rolled = own.decode(z, wrap).roll(pixels, (2, 3))
    torch.testing.assert_close(own.decode(z.roll(shift, (2, 3)), wrap), rolled)
    assert not torch.allclose(own.decode(z.roll(shift, (2, 3))), rolled, atol=1e-3)


def test_plain_diffusers_and_joint_files_are_one_network(tmp_path: Path) -> None:
    image = picture()
    torch.save(plain("encoder"), tmp_path / "encoder.pth")
    torch.save(plain("decoder"), tmp_path / "decoder.pth")
    # diffusers counts the decoder's layers from its first convolution.
    shifted = {
        re.sub(r"^\d+", lambda found: str(int(found[0]) - 1), name): tensor
        for name, tensor in plain("decoder").items()
    }
    joint = {f"encoder.layers.{name}": t for name, t in plain("encoder").items()}
    torch.save(joint | {f"decoder.layers.{name}": t for name, t in shifted.items()}, tmp_path / "both.bin")

    def load(name: str) -> TinyAutoencoder:
        return TinyAutoencoder.from_state(*find_weights(str(tmp_path / name), "tiny-autoencoder"))

    z = load("encoder.pth").encode(image)
    torch.testing.assert_close(load("both.bin").encode(image), z)
    torch.testing.assert_close(load("both.bin").decode(z), load("decoder.pth").decode(z))


@pytest.mark.parametrize(
    ("part", "change", "words"),
    [
        ("decoder", lambda s: s.pop("3.conv.4.bias"), r"'decoder\.3\.conv\.4\.bias'"),
        (
            "decoder",
            lambda s: [s.pop(name) for name in list(s) if name.startswith("6.")],
            r"'decoder\.6\.conv\.0",
        ),
        (
            "decoder",
            lambda s: s.update({"9.conv.2.bias": torch.zeros(9)}),
            r"'decoder\.9\.conv\.2\.bias': \(9,\)",
        ),
        ("decoder", lambda s: [s.pop(f"10.{name}") for name in ("weight", "bias")], r"'decoder\.10\.weight'"),
        ("encoder", lambda s: s.pop("5.pool.0.weight"), r"'encoder\.5\.pool\.0\.weight'"),
    ],
)
def test_damage_is_named(part: str, change, words: str, tmp_path: Path) -> None:
    state = plain(part)
    change(state)
    torch.save(state, tmp_path / "damaged.pth")
    with pytest.raises(CheckpointError, match=words):
        find_weights(str(tmp_path / "damaged.pth"), "tiny-autoencoder")


def test_a_missing_half_and_another_family_are_named(tmp_path: Path) -> None:
    with pytest.raises(CheckpointError, match="no encoder"):
        net("decoder").encode(picture())
    with pytest.raises(CheckpointError, match="no decoder"):
        net("encoder").decode(torch.zeros(1, 4, 2, 2))
    torch.save(plain("decoder"), tmp_path / "decoder.pth")
    with pytest.raises(ModelError, match="a dvae is needed"):
        find_weights(str(tmp_path / "decoder.pth"), "dvae")


@torch.no_grad()
def test_real_weights_restore_a_picture(shared_dir: Path) -> None:
    folder = shared_dir / "weights" / "taef2"
    stated = re.search(
        r"dyn_nonrigid frame 512x384 ([\d.]+) dB", json.loads((folder / "about.json").read_text())["measured"]
    )
    image = to_tensor(read(shared_dir / "data/dyn_nonrigid/images/image000001.jpg").to_display())
    encoder, decoder = (
        TinyAutoencoder.from_state(*find_weights(str(folder / f"taef2_{part}.pth"), "tiny-autoencoder"))
        for part in ("encoder", "decoder")
    )
    assert decoder.latents == encoder.latents == 32 and decoder.factor == encoder.factor == 8
    made = decoder.decode(encoder.encode(image)).clamp(0, 1)
    psnr = -10 * float(torch.log10((made - image).square().mean()))
    assert stated is not None and psnr > float(stated[1]) - 1  # which frame was measured is not told
