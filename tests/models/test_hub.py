"""The hub: a fake one, a real one without a network, and no other door to the network."""

from __future__ import annotations

import builtins
import hashlib
import re
import socket
from pathlib import Path

import pytest
import torch

import dreamplate
from dreamplate.errors import CheckpointError, ConfigError, MissingExtraError, ModelError
from dreamplate.models import Store, pull, save_state
from dreamplate.models.hub import HubFile, HubModel
from dreamplate.models.store import Folder


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store([Folder(tmp_path / "store", "cache")])


class FakeHub:
    """A hub in a folder."""

    def __init__(self, folder: Path, licence: str = "mit", git: bool = False) -> None:
        self.folder = folder
        self.licence = licence
        self.git = git
        self.asked: list[tuple[str, ...]] = []

    def describe(self, hub_id: str, revision: str | None) -> HubModel:
        self.asked.append(("describe", hub_id, revision or "main"))
        return HubModel(
            "c0ffee", self.licence, {path.name: self.file(path) for path in self.folder.iterdir()}
        )

    def file(self, path: Path) -> HubFile:
        data = path.read_bytes()
        git = hashlib.sha1(b"blob %d\0" % len(data) + data).hexdigest()
        return HubFile(len(data), None if self.git else hashlib.sha256(data).hexdigest(), git)

    def download(self, hub_id: str, file: str, revision: str) -> Path:
        self.asked.append(("download", file, revision))
        return self.folder / file


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    made = tmp_path / "hub"
    made.mkdir()
    save_state(made / "model.safetensors", {"w": torch.arange(3.0)})
    (made / "README.md").write_text("hello")
    return made


@pytest.mark.parametrize("git", [False, True], ids=["sha256", "git hash"])
def test_pull(store: Store, folder: Path, git: bool) -> None:
    hub = FakeHub(folder, git=git)
    entry, _ = pull(store, "someone/tiny.net", importer="identity", client=hub)
    assert hub.asked == [
        ("describe", "someone/tiny.net", "main"),
        ("download", "model.safetensors", "c0ffee"),
    ]
    state, card = store.load("tiny.net")
    assert torch.equal(state["w"], torch.arange(3.0))
    assert (card.licence, card.commercial_use) == ("mit", "yes")
    assert card.source == "hub model someone/tiny.net, revision c0ffee, file model.safetensors"
    assert entry.folder.label == "cache"


def test_revision_file_and_name(store: Store, folder: Path) -> None:
    torch.save({"w": torch.ones(2)}, folder / "old.bin")
    hub = FakeHub(folder, licence="cc-by-nc-4.0")
    pull(store, "a/b", revision="v1", file="old.bin", name="mine", importer="identity", client=hub)
    assert hub.asked[0] == ("describe", "a/b", "v1")
    state, card = store.load("mine")
    assert torch.equal(state["w"], torch.ones(2))
    assert card.commercial_use == "no"


def test_safetensors_is_preferred(store: Store, folder: Path) -> None:
    torch.save({"w": torch.ones(2)}, folder / "pytorch_model.bin")
    hub = FakeHub(folder)
    pull(store, "a/b", importer="identity", client=hub)
    assert hub.asked[1][1] == "model.safetensors"


@pytest.mark.parametrize(
    ("files", "asked", "words"),
    [
        ([], None, "has 0 weight files; name one: none"),
        (["a.bin", "b.pth"], None, "has 2 weight files; name one: a.bin, b.pth"),
        (["model-1.safetensors", "model-2.safetensors"], None, "name one: model-1.safetensors, model-2"),
        (["a.bin"], "b.bin", "has no file 'b.bin'; its weight files: a.bin"),
    ],
)
def test_the_choice_of_a_file(
    files: list[str], asked: str | None, words: str, store: Store, tmp_path: Path
) -> None:
    folder = tmp_path / "hub"
    folder.mkdir()
    for name in files:
        (folder / name).write_bytes(b"x")
    with pytest.raises(ModelError, match=re.escape(words)):
        pull(store, "a/b", file=asked, client=FakeHub(folder))


@pytest.mark.parametrize(
    ("stated", "words"),
    [
        (HubFile(3, "0" * 64), "the hub states 3"),
        (HubFile(None, "0" * 64), "its hash is .* the hub states 000000000000"),
        (HubFile(None, None, "0" * 40), "its hash is .* the hub states 000000000000"),
        (HubFile(None), "no hash"),
    ],
)
def test_a_file_of_another_hash_is_refused(stated: HubFile, words: str, store: Store, folder: Path) -> None:
    hub = FakeHub(folder)
    hub.file = lambda path: stated  # type: ignore[method-assign]
    with pytest.raises(CheckpointError, match=words):
        pull(store, "a/b", importer="identity", client=hub)
    assert store.list() == ()


def test_a_hostile_file_is_refused(store: Store, tmp_path: Path) -> None:
    folder, canary = tmp_path / "hub", tmp_path / "canary"
    folder.mkdir()
    for name in ("model.safetensors", "pytorch_model.bin"):
        (folder / name).write_bytes(f"cos\nsystem\n(S'touch {canary}'\ntR.".encode())
        with pytest.raises(CheckpointError):
            pull(store, "a/b", file=name, client=FakeHub(folder))
    assert not canary.exists()
    assert store.list() == ()


@pytest.mark.parametrize(
    "hub_id",
    [
        "",
        "x",
        "a/b/c",
        "../b",
        "a/..",
        "a//b",
        "/a/b",
        "a/b?x",
        "https://h/a/b",
        "a b/c",
        "a/b\n",
        "-a/b",
        "a/.b",
    ],
)
def test_ids_that_are_none(hub_id: str, store: Store, folder: Path) -> None:
    hub = FakeHub(folder)
    with pytest.raises(ConfigError, match="OWNER/MODEL"):
        pull(store, hub_id, client=hub)
    assert hub.asked == []


@pytest.mark.parametrize(
    "error", [OSError("cable cut"), RuntimeError("a\nb"), KeyError("x"), ConnectionError()]
)
def test_whatever_the_client_raises_is_one_line(error: Exception, store: Store, folder: Path) -> None:
    hub = FakeHub(folder)

    def fail(hub_id: str, revision: str | None) -> HubModel:
        raise error

    hub.describe = fail  # type: ignore[method-assign]
    with pytest.raises(ModelError, match="the hub could not be asked") as caught:
        pull(store, "a/b", client=hub)
    assert "\n" not in str(caught.value)


def test_the_real_hub_offline(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("huggingface_hub")
    tried: list[object] = []

    def refuse(*args: object, **options: object) -> None:
        tried.append(args)
        raise OSError(101, "Network is unreachable")

    monkeypatch.setattr(socket, "create_connection", refuse)
    monkeypatch.setattr(socket, "getaddrinfo", refuse)
    with pytest.raises(ModelError, match=r"^someone/tiny: the hub could not be asked .*import it$") as caught:
        pull(store, "someone/tiny")
    assert "\n" not in str(caught.value)
    assert tried


def test_without_the_package(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    plain = builtins.__import__

    def without(name: str, *args: object) -> object:
        if name == "huggingface_hub":
            raise ImportError(name)
        return plain(name, *args)  # type: ignore[arg-type]

    monkeypatch.setattr(builtins, "__import__", without)
    with pytest.raises(MissingExtraError, match=r"pip install \"dreamplate\[hub\]\""):
        pull(store, "a/b")


def test_nothing_else_touches_the_network() -> None:
    """Only the hub's file may name the packages that could."""
    root = Path(dreamplate.__file__).parent
    doors = re.compile(
        r"^\s*(?:import|from)\s+(?:socket|ssl|http\.client|urllib\.request|ftplib|smtplib|requests|httpx|aiohttp|"
        r"huggingface_hub)\b|torch\.hub|load_state_dict_from_url|from_pretrained\(",
        re.MULTILINE,
    )
    models = [
        root / "cli_models.py",
        root / "tensorfile.py",
        root / "tensorheader.py",
        *(root / "models").rglob("*.py"),
    ]
    assert [path.name for path in models if doors.search(path.read_text())] == ["hub.py"]
