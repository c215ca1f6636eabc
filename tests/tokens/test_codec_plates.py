"""Laws of plates that go through codes: sizes, other channels, colour spaces, files of codes."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from test_codec import CODES, make

from dreamplate.cli import main
from dreamplate.errors import CheckpointError, MediaError, ModelError
from dreamplate.plate import Plate, convert, read, write
from dreamplate.tokens.codec import reconstruct
from dreamplate.tokens.plates import decode_plate, encode_plate, read_codes, through, write_codes
from dreamplate.train.port import Port
from dreamplate.translate.model import Model, save_model


def plate(channels: str = "R G B A Z", width: int = 21, height: int = 13) -> Plate:
    names = tuple(channels.split())
    pixels = np.random.default_rng(0).random((height, width, len(names)), np.float32)
    if "A" in names:
        pixels[..., names.index("A")] = 1
    return Plate(pixels, names, "scene_linear")


@pytest.mark.parametrize("kind", ["dvae", "vq"])
def test_colour_goes_through_codes_and_all_else_stays(kind: str) -> None:
    codec, source = make(kind), plate()
    made, codes = through(codec, source)
    assert (made.channels, made.colourspace, made.data) == (source.channels, source.colourspace, source.data)
    for name in ("A", "Z"):
        assert np.array_equal(made.channel(name), source.channel(name))
    shown = torch.from_numpy(convert(source, "srgb_display").rgb().transpose(2, 0, 1)[None].copy())
    wanted, same = reconstruct(codec, shown.clamp(0, 1))
    assert torch.equal(codes, same[0]) and torch.equal(codes, encode_plate(codec, source))
    back = convert(made, "srgb_display").rgb()
    np.testing.assert_allclose(back, wanted[0].permute(1, 2, 0).numpy(), atol=2e-3)


def test_grey_stays_grey_and_what_has_no_colour_is_refused() -> None:
    codec = make("vq")
    made, _ = through(codec, plate("Y"))
    assert made.channels == ("Y",) and made.pixels.shape == (13, 21, 1)
    with pytest.raises(MediaError, match="need R G B or Y"):
        through(codec, plate("Z"))
    bad = plate("R G B")
    bad.pixels.setflags(write=True)
    bad.pixels[3, 4, 1] = np.nan
    with pytest.raises(MediaError):
        through(codec, bad)


def test_codes_in_a_file_give_the_picture_again(tmp_path: Path) -> None:
    codec, source = make("vq"), plate("R G B")
    codes, file = encode_plate(codec, source), tmp_path / "codes.safetensors"
    write_codes(file, codec, codes, (21, 13))
    found, size = read_codes(file, codec)
    assert torch.equal(found, codes) and size == (21, 13)
    one, other = decode_plate(codec, found, size), through(codec, source)[0]
    np.testing.assert_allclose(convert(one, "scene_linear").pixels, other.pixels, atol=1e-4)
    with pytest.raises(ModelError, match="codebook mismatch"):
        read_codes(file, make("vq", 1))
    with pytest.raises(CheckpointError, match="no picture of 210 x 13"):
        decode_plate(codec, codes, (210, 13))


def test_command_shows_a_picture_and_makes_it_of_codes_again(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    codec = make("vq")
    model, source = tmp_path / "model.safetensors", tmp_path / "source.png"
    save_model(Model(codec, codec.settings, None, Port()), model)  # type: ignore[arg-type, attr-defined]
    write(convert(plate("R G B"), "srgb_display"), source)
    target, codes, again = (tmp_path / name for name in ("made.png", "codes.safetensors", "again.png"))
    asked = ["--model", str(model)]
    assert main(["tokens", str(source), str(target), "--codes", str(codes), *asked]) == 0
    different = len(read_codes(codes, codec)[0].unique())
    assert f"3 x 2 codes, {different} different of {CODES}; PSNR" in capsys.readouterr().out
    assert main(["tokens", str(codes), str(again), *asked]) == 0
    assert np.abs(read(again).pixels - read(target).pixels).max() < 0.01
    assert main(["tokens", str(source), str(target), "--compare", *asked]) == 0
    assert read(target).width == 42
    assert main(["tokens", str(source), str(source), *asked]) == 2
    assert "the source itself" in capsys.readouterr().err
