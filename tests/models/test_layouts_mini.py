"""The files of a dalle-mini are recognised; what is missing, misshapen or hostile is named and refused."""

from __future__ import annotations

import pickle
from pathlib import Path
from typing import Any

import pytest
import torch
import toy_mini
from toy_mini import State

from dreamplate.errors import CheckpointError, DreamplateError
from dreamplate.models.find import find_weights
from dreamplate.models.importer import IMPORTERS, detect, get_importer
from dreamplate.models.layouts.dalle_mini import expected, infer
from dreamplate.tokens.mini import DalleMini
from dreamplate.tokens.mini_load import load_mini
from dreamplate.tokens.mini_shape import MiniShape
from dreamplate.tokens.mini_vqgan import Vqgan


def shapes_of(state: State) -> dict[str, tuple[int, ...]]:
    return {name: tuple(tensor.shape) for name, tensor in state.items()}


@pytest.mark.parametrize("scales", [True, False])
@pytest.mark.parametrize(
    ("part", "importer"),
    [("encoder", "dalle-mini-encoder"), ("decoder", "dalle-mini"), ("detoker", "dalle-mini-detoker")],
)
def test_one_importer_alone_recognises_each_file(part: str, importer: str, scales: bool) -> None:
    shapes = shapes_of(toy_mini.parts(scales=scales)[part])
    assert [name for name in IMPORTERS if get_importer(name).matches(shapes)] == [importer]
    wrapped = {f"state_dict.{name}": shape for name, shape in shapes.items()}
    found = detect(wrapped)
    assert found is not None
    assert found.name == importer


def test_published_sizes_are_inferred_and_expected() -> None:
    """The sizes of dalle-mini and dalle-mega as their sources tell them."""
    for pieces, width, inner, layers, inputs in (
        (50264, 1024, 2730, 12, 16385),
        (50272, 2048, 4096, 24, 16416),
    ):
        sizes: dict[str, int | float | str] = {
            "parts": "encoder decoder detoker", "text_pieces": pieces, "text_length": 64, "text_width": width,
            "text_inner": inner, "text_layers": layers, "inputs": inputs, "cells": 256, "width": width,
            "inner": inner, "layers": layers, "outputs": inputs, "codes": 16384, "latent": 256,
            "widths": "128 128 256 256 512", "blocks": 3, "attention": "4",
            "vocabulary_bytes": 9, "merges_bytes": 9,
        }  # fmt: skip
        needed = expected(sizes)
        assert infer(needed) == sizes
        shape = MiniShape.of(sizes)
        with torch.device("meta"):
            net, codec = DalleMini(shape).state_dict(), Vqgan(shape).state_dict()
        assert shapes_of(net | {f"detoker.{name}": tensor for name, tensor in codec.items()}) == needed
        assert (shape.rows * shape.factor, shape.start) == (256, inputs - 1)
        assert needed["detoker.decoder.up.3.block.0.nin_shortcut.weight"] == (256, 512, 1, 1)
        assert needed["detoker.decoder.up.1.block.0.nin_shortcut.weight"] == (128, 256, 1, 1)
        assert "detoker.decoder.up.0.upsample.conv.weight" not in needed
        assert "detoker.decoder.up.3.attn.0.q.weight" not in needed
        assert needed[f"decoder.layers.{layers - 1}.glu.ln1.bias"] == (inner,)


@pytest.mark.parametrize(
    ("part", "name"),
    [
        ("encoder", "layers.1.self_attn.v_proj.weight"),
        ("encoder", "layers.0.self_attn_layer_norm.weight"),
        ("decoder", "layers.0.glu.ln1.bias"),
        ("decoder", "layers.1.encoder_attn.out_proj.weight"),
        ("detoker", "decoder.up.2.attn.1.k.bias"),
        ("detoker", "decoder.mid.block_2.norm1.weight"),
    ],
)
def test_faults_are_named(part: str, name: str, tmp_path: Path) -> None:
    files = toy_mini.parts()
    tensor = files[part].pop(name)
    toy_mini.write(tmp_path, files)
    with pytest.raises(CheckpointError, match=f"missing.*{part}.{name}"):
        load_mini(str(tmp_path))
    files[part][name] = torch.zeros(*tensor.shape, 2)
    toy_mini.write(tmp_path, files)
    with pytest.raises(CheckpointError, match=f"shape.*{part}.{name}"):
        load_mini(str(tmp_path))


def test_integers_are_no_weights(tmp_path: Path) -> None:
    files = toy_mini.parts()
    name = "layers.1.glu.fc2.weight"
    files["decoder"][name] = files["decoder"][name].long()
    with pytest.raises(CheckpointError, match=r"decoder\.layers\.1\.glu\.fc2\.weight.*int64"):
        load_mini(str(toy_mini.write(tmp_path, files)))


@pytest.mark.parametrize("name", ["encoder.pt", "vocab.json", "merges.txt"])
def test_files_that_are_absent_are_named(name: str, tmp_path: Path) -> None:
    folder = toy_mini.write(tmp_path, toy_mini.parts())
    (folder / name).unlink()
    with pytest.raises(CheckpointError, match=f"{Path(name).stem}.*is not beside"):
        load_mini(str(folder))


def test_one_part_says_what_it_is(tmp_path: Path) -> None:
    folder = toy_mini.write(tmp_path, toy_mini.parts())
    state, settings = find_weights(str(folder / "encoder.pt"), "dalle-mini")
    assert settings["parts"] == "encoder"
    assert all(name.startswith("encoder.") for name in state)
    with pytest.raises(DreamplateError, match="no decoder of a dalle-mini"):
        load_mini(str(folder / "encoder.pt"))


class Hostile:
    """Would make a file when it is unpickled."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple[Any, ...]:
        return Path.touch, (self.path,)


@pytest.mark.parametrize("part", ["encoder", "decoder", "detoker"])
def test_hostile_pickles_do_nothing(part: str, tmp_path: Path) -> None:
    folder = toy_mini.write(tmp_path, toy_mini.parts())
    sign = tmp_path / "sign"
    torch.save({**toy_mini.parts()[part], "evil": Hostile(sign)}, folder / f"{part}.pt")
    with pytest.raises(CheckpointError):
        load_mini(str(folder))
    (folder / f"{part}.pt").write_bytes(pickle.dumps(Hostile(sign)))
    with pytest.raises(CheckpointError):
        load_mini(str(folder))
    assert not sign.exists()
