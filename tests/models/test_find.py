"""Weights are found by name, by file and in the take that made them, and other networks are refused."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch

from dreamplate.errors import CheckpointError, ModelError
from dreamplate.models.find import MODEL, MODEL_NOTE, find_weights
from dreamplate.tensorfile import write_tensors

SETTINGS = {"architecture": "thing", "width": 3}


def take(folder: Path, note: str) -> Path:
    folder.mkdir(exist_ok=True)
    write_tensors(folder / MODEL, {"a": torch.arange(3.0)}, {"format": "pt", MODEL_NOTE: note})
    return folder


@pytest.mark.parametrize("inside", ["", MODEL])
def test_a_take_and_its_file_say_what_they_hold(inside: str, tmp_path: Path) -> None:
    folder = take(tmp_path / "take", json.dumps({"settings": SETTINGS}))
    state, settings = find_weights(str(folder / inside), "thing")
    assert settings == {"width": 3}
    assert torch.equal(state["a"], torch.arange(3.0))
    with pytest.raises(ModelError, match="holds a thing network, a vase is needed"):
        find_weights(str(folder / inside), "vase")


def test_a_take_is_found_without_a_slash(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    take(tmp_path / "take", json.dumps({"settings": SETTINGS}))
    monkeypatch.chdir(tmp_path)
    assert find_weights("take", "thing")[1] == {"width": 3}


@pytest.mark.parametrize("note", ["{", "[]", '{"settings": 3}', "{}"])
def test_damaged_notes_are_refused(note: str, tmp_path: Path) -> None:
    with pytest.raises(CheckpointError, match="notes are damaged"):
        find_weights(str(take(tmp_path / "take", note)), "thing")
