"""``dreamplate sketch`` from the command line."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from dreamplate import cli
from dreamplate.plate import Plate, VideoReader, VideoWriter, info, read, write
from dreamplate.take import read_provenance


def picture(shift: int = 0) -> Plate:
    pixels = np.full((48, 64, 3), 0.7, np.float32)
    pixels[10:30, 12 + shift : 40 + shift] = (0.2, 0.3, 0.1)
    return Plate.from_rgb(pixels)


def run(*arguments: object) -> int:
    return cli.main(["sketch", *map(str, arguments), "--quiet", "--threads", "1"])


def test_a_picture_becomes_a_drawing_that_says_how_it_was_made(tmp_path: Path) -> None:
    write(picture(), tmp_path / "a.exr")
    assert run(tmp_path / "a.exr", tmp_path / "b.png") == 0
    made = read(tmp_path / "b.png")
    assert made.channels == ("Y",) and made.pixels.min() < 0.1 and made.pixels.max() == 1
    recipe = read_provenance(tmp_path / "b.png")
    assert recipe["kind"] == "sketch" and recipe["sources"][0]["path"].endswith("a.exr")
    assert cli.main(["redo", str(tmp_path / "b.png"), "--take", str(tmp_path / "t")]) != 0
    ink = ("--line-colour", "0.5", "0", "0", "--style", "contour")
    assert run(tmp_path / "a.exr", tmp_path / "d.png", "--beside", *ink) == 0
    both = read(tmp_path / "d.png").pixels
    assert both.shape == (48, 128, 3)
    assert np.abs(both[:, 64:] - (0.5, 0, 0)).max(2).min() < 0.01 and (both[:, 64:].max((0, 1)) == 1).all()
    assert run(tmp_path / "a.exr", tmp_path / "c.exr") == 0
    linear = read(tmp_path / "c.exr")
    assert linear.colourspace == "scene_linear" and linear.pixels.max() == 1


def test_a_layer_goes_into_the_frames(tmp_path: Path) -> None:
    for frame in (7, 8):
        write(picture(frame), tmp_path / f"s.{frame:04d}.exr", depth="float")
    assert run(tmp_path / "s.####.exr", tmp_path / "out" / "d.####.exr", "--layer", "sketch") == 0
    for frame in (7, 8):
        made = read(tmp_path / "out" / f"d.{frame:04d}.exr")
        assert made.channels == ("R", "G", "B", "sketch.Y")
        assert (made.pixels[:, :, :3] == picture(frame).pixels).all()
    assert "float" in info(tmp_path / "out" / "d.0007.exr").parts[0].types


def test_video_in_and_out(tmp_path: Path) -> None:
    with VideoWriter(tmp_path / "in.mkv", fps=25) as film:
        for frame in range(3):
            film.write(picture(frame))
    assert run(tmp_path / "in.mkv", tmp_path / "out.mkv", "--style", "contour") == 0
    with VideoReader(tmp_path / "out.mkv") as made:
        assert len(made) == 3 and made.fps == 25
        assert made.read(1).pixels.min() < 0.2


def test_a_model_draws_instead(tmp_path: Path) -> None:
    import torch

    from dreamplate.train import Port
    from dreamplate.translate import Model, save_model
    from dreamplate.translate.resnet import Resnet

    torch.manual_seed(0)
    network = Resnet(3, 1, width=4, blocks=1).eval()
    save_model(Model(network, network.settings, Port(), Port(channels=("Y",))), tmp_path / "m.safetensors")
    busy = np.random.default_rng(0).uniform(size=(48, 64, 3)).astype(np.float32)
    write(Plate.from_rgb(busy, "srgb_display"), tmp_path / "a.png")
    assert run(tmp_path / "a.png", tmp_path / "b.png", "--model", tmp_path / "m.safetensors") == 0
    with torch.no_grad():
        x = torch.from_numpy(read(tmp_path / "a.png").pixels).permute(2, 0, 1)[None] * 2 - 1
        wanted = (network(x)[0, 0].numpy() + 1) / 2
    assert np.abs(read(tmp_path / "b.png").channel("Y") - wanted).max() < 0.01


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (("a.png", "b.mp4"), "one picture"),
        (("a.png", "b.####.png"), "one picture"),
        (("s.####.png", "b.png"), "frame pattern"),
        (("a.png", "b.png", "--layer", "x"), "only OpenEXR"),
        (("a.png", "b.exr", "--layer", "a b"), "letters"),
        (("a.png", "b.exr", "--layer", "x", "--beside"), "leave one"),
        (("a.png", "a.png"), "that is the source"),
        (("a.png", "b.png", "--width", "thick"), "width is 'thick'"),
        (("a.png", "b.png", "--detail", "2"), "detail"),
        (("a.png", "b.png", "--model", "none.safetensors"), "no such model"),
        (("a.png", "b.png", "--model", "none.safetensors", "--tone", "0.2"), "as it has learnt"),
        (("gone.png", "b.png"), "gone.png"),
    ],
)
def test_what_is_wrong_is_said_in_one_line(
    arguments: tuple[str, ...], says: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: object
) -> None:
    monkeypatch.chdir(tmp_path)
    write(picture(), "a.png")
    assert run(*arguments) != 0
    text = capsys.readouterr().err  # type: ignore[attr-defined]
    assert says in text and text.count("\n") == 1
    assert not Path("b.png").exists()
