"""``dreamplate brittleness``: from label files and a take to a sheet and a report."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
import torch

from dreamplate.cli import main
from dreamplate.plate import Plate, read, write
from dreamplate.plate.labels import LabelClass, Palette
from dreamplate.train.batch import Batch
from dreamplate.train.draws import Draws
from dreamplate.train.memory import save_memory
from dreamplate.train.port import Port
from dreamplate.train.remember import remember
from dreamplate.translate.model import Model, save_model
from dreamplate.translate.unet import Unet

PALETTE = Palette((LabelClass(0, "sky"), LabelClass(1, "sea"), LabelClass(2, "boat")))
PORT = Port("labels", ("Y",), palette=PALETTE)


def view(level: int) -> torch.Tensor:
    labels = torch.zeros(32, 48, dtype=torch.int64)
    labels[level:] = 1
    return labels


class Views:
    names = tuple(f"view{n}" for n in range(5))

    def __len__(self) -> int:
        return 5

    def batch(self, indices: Sequence[int], draws: Draws | None) -> Batch:
        labels = torch.stack([view(14 + n) for n in indices])
        return Batch(torch.zeros(len(labels), 3, 32, 48), labels=labels)


@pytest.fixture
def take(tmp_path: Path) -> Path:
    folder = tmp_path / "take"
    folder.mkdir()
    save_memory(remember(Views(), PORT), folder / "memory.safetensors")
    network = Unet(3, 3, 3, 4)
    save_model(Model(network, network.settings, PORT, Port()), folder / "model.safetensors")
    for name, labels in (("usual", view(16)), ("odd", view(16))):
        if name == "odd":
            labels[4:14, 20:32] = 2
        pixels = (labels.numpy()[..., None] / 255).astype(np.float32)
        write(Plate(pixels, ("Y",), "srgb_display"), tmp_path / f"{name}.png", depth="8")
    return folder


def test_sheet_and_report(take: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = tmp_path / "made" / "report.png"
    inputs = [str(tmp_path / f"{name}.png") for name in ("usual", "odd")]
    assert main(["brittleness", str(take), *inputs, "--out", str(out)]) == 0
    said = capsys.readouterr().out
    assert "odd.png" in said and "boat: never seen" in said and "training conditions are not shown" in said
    report = json.loads(out.with_suffix(".json").read_text())
    assert [item["name"] for item in report["findings"]] == ["odd.png", "usual.png"]
    odd, usual = report["findings"]
    assert usual["outside"] == 0 and usual["remarks"] == [] and odd["outside"] > 0.05
    # Condition, picture, heat: a row for each.
    assert read(out).pixels.shape == (2 * 36 - 4, 3 * 52 - 4, 3)


def test_pictures_are_not_made_where_nobody_asks(take: Path, tmp_path: Path) -> None:
    (take / "model.safetensors").unlink()
    arguments = ["brittleness", str(take), str(tmp_path / "odd.png"), "--out", str(tmp_path / "a.png")]
    assert main([*arguments, "--no-made", "--no-recall", "--quiet"]) == 0
    assert read(tmp_path / "a.png").pixels.shape == (32, 2 * 52 - 4, 3)


def test_what_is_missing_is_said(take: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for arguments, message in (
        ([str(tmp_path), "x.png"], "there is no memory of training conditions; train to the end"),
        ([str(take), "x.png", "--out", "a.jpg"], "out is a.jpg: the sheet is a .png"),
        ([str(take), str(tmp_path / "nothing.png")], "nothing.png"),
    ):
        assert main(["brittleness", *arguments]) != 0
        assert message in capsys.readouterr().err
