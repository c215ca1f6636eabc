"""The ``models`` commands: what they print and return."""

from __future__ import annotations

import dataclasses
import inspect
import io
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from rich.console import Console

from dreamplate import cli_models
from dreamplate.errors import ModelError
from dreamplate.models import Card, Store
from dreamplate.models.store import Folder


@pytest.fixture
def console() -> Console:
    return Console(file=io.StringIO(), width=160)


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store([Folder(tmp_path / "store", "folder")])


def printed(console: Console) -> str:
    assert isinstance(console.file, io.StringIO)
    return console.file.getvalue()


def add(store: Store, name: str, **fields: object) -> None:
    plain = {"title": f"The {name} [net]", "architecture": "linear", "family": "test"}
    store.add({"w": torch.ones(300, 5)}, Card(name=name, **(plain | fields)))  # type: ignore[arg-type]


def test_list(store: Store, console: Console) -> None:
    assert cli_models.list_models(store, console) == 0
    assert "no models yet" in printed(console)
    add(store, "free", licence="MIT", commercial_use="yes")
    add(store, "broken")
    (store.folders[0].path / "broken.card.yaml").write_text("[")
    assert cli_models.list_models(store, console) == 0
    for words in (
        "free",
        "The free [net]",
        "kB",
        "yes",
        "folder",
        "broken",
        "unusable",
        "not valid YAML",
    ):
        assert words in printed(console)


def test_show(store: Store, console: Console) -> None:
    add(store, "net", figures={"top-1": 0.5}, data="generated [noise]")
    assert cli_models.show_model("net", store, console) == 0
    for words in ("The net [net]", "figures: top-1", "0.5", "generated [noise]", "1,500", "net.safetensors"):
        assert words in printed(console)
    with pytest.raises(ModelError, match="did you mean net"):
        cli_models.show_model("nat", store, console)


def test_import(store: Store, console: Console, tmp_path: Path) -> None:
    path = tmp_path / "odd.pt"
    torch.save({"foo": torch.ones(2)}, path)
    assert (
        cli_models.import_model(path, "mine", "identity", "cc-by-nc-4.0", store=store, console=console) == 0
    )
    for words in ("1 tensors matched", "stored mine", "does not allow commercial use"):
        assert words in printed(console)
    assert cli_models.import_model(path, "mine", "identity", replace=True, store=store, console=console) == 0


def test_verify(store: Store, console: Console) -> None:
    assert cli_models.verify_models((), store, console) == 0
    add(store, "good")
    add(store, "bad")
    assert cli_models.verify_models((), store, console) == 0
    weights = store.find("bad").weights
    data = bytearray(weights.read_bytes())
    data[-1] ^= 1
    weights.write_bytes(data)
    assert cli_models.verify_models((), store, console) == ModelError.exit_code
    assert cli_models.verify_models(("good",), store, console) == 0
    assert cli_models.verify_models(("good", "bad"), store, console) == ModelError.exit_code
    assert printed(console).count("FAULTY") == 2
    with pytest.raises(ModelError, match="no model is named"):
        cli_models.verify_models(("absent",), store, console)
    weights.with_name("bad.card.yaml").unlink()
    assert cli_models.verify_models((), store, console) == ModelError.exit_code


def test_commands_pass_their_fields(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("DREAMPLATE_MODELS", str(tmp_path / "mine"))
    path = tmp_path / "odd.pt"
    torch.save({"foo": torch.ones(2)}, path)
    assert cli_models.ImportModel(path, name="odd", importer="identity", licence="MIT").run() == 0
    assert cli_models.ListModels().run() == 0
    assert cli_models.ShowModel("odd").run() == 0
    assert cli_models.VerifyModels(("odd",)).run() == 0
    out = capsys.readouterr().out
    assert "stored odd" in out
    assert "sound" in out


COMMANDS = [
    getattr(cli_models, name) for name in cli_models.__all__ if inspect.isclass(getattr(cli_models, name))
]


@pytest.mark.parametrize("command", COMMANDS, ids=lambda command: command.__name__)
def test_every_option_is_documented(command: type) -> None:
    """Each field is followed by its help text, and is a parameter of the function behind it."""
    source = inspect.getsource(command)
    assert command.__doc__
    for spec in dataclasses.fields(command):
        assert f"    {spec.name}: " in source
        line = source.index(f"    {spec.name}: ")
        assert source[line:].splitlines()[1].startswith('    """')


def test_importing_is_cheap() -> None:
    """Neither the commands nor the room load torch, numpy, yaml or rich before they are used."""
    script = (
        "import sys, dreamplate.models, dreamplate.cli_models\n"
        "from dreamplate.models import Card, Store, Importer, pull, load_legacy, convert_legacy, load_any\n"
        "heavy = {'torch', 'numpy', 'yaml', 'rich', 'pydantic', 'huggingface_hub', 'safetensors'}\n"
        "raise SystemExit(sorted(heavy & set(sys.modules)) or 0)"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def test_public_names_are_exact_and_sorted() -> None:
    import dreamplate.models as room

    public = list(room.__all__)
    assert public == sorted(public, key=lambda name: (not name.isupper(), name))
    assert set(public) == set(room._HOME)
    for name in public:
        assert name.isupper() or getattr(room, name).__module__.startswith("dreamplate.models")
    assert dir(room) == sorted(public)
    with pytest.raises(AttributeError, match="nonsense"):
        room.nonsense  # noqa: B018
