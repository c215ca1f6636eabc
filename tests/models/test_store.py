"""Cards and the store: strict cards, safe names, hashes that are checked, licences said once."""

from __future__ import annotations

import logging
import os
from dataclasses import fields, replace
from pathlib import Path

import pytest
import torch
import yaml

from dreamplate.errors import CheckpointError, ModelError, ResourceError
from dreamplate.files import sha256
from dreamplate.models import Card, Store, commercial_use, load_state, read_card, write_card
from dreamplate.models.card import check_name
from dreamplate.models.store import Folder, cache_folder
from dreamplate.tensorfile import check_header


@pytest.fixture
def said() -> list[str]:
    return []


@pytest.fixture
def store(tmp_path: Path, said: list[str]) -> Store:
    places = [Folder(tmp_path / "mine", "folder"), Folder(tmp_path / "cache", "cache")]
    return Store([*places, Folder(tmp_path / "built", "built-in", writable=False)], said.append)


def card(name: str = "tiny", **changes: object) -> Card:
    plain = Card(name=name, title="A tiny net", architecture="linear", family="test", licence="MIT")
    return replace(plain, commercial_use="yes", **changes)


def weights(seed: int = 0) -> dict[str, torch.Tensor]:
    generator = torch.Generator().manual_seed(seed)
    return {"w": torch.randn(3, 4, generator=generator), "b": torch.randn(4, generator=generator).half()}


def test_added_models_are_measured_found_and_loaded(store: Store) -> None:
    entry = store.add(weights(), card(figures={"top-1": 0.61, "note": "held out"}))
    assert entry.card is not None
    assert entry.card.sha256 == sha256(entry.weights)
    assert (entry.card.bytes, entry.card.tensors, entry.card.parameters) == (
        entry.weights.stat().st_size,
        2,
        16,
    )
    assert store.find("tiny") == entry
    state, found = store.load("tiny")
    assert found == entry.card
    assert all(torch.equal(state[name], tensor) for name, tensor in weights().items())


def test_the_card_is_mirrored_in_the_file(store: Store) -> None:
    entry = store.add(weights(), card(figures={"top-1": 0.61}))
    mirrored = Card.from_metadata(check_header(entry.weights).metadata, "w")
    assert mirrored is not None
    assert entry.card is not None
    assert replace(mirrored, sha256=entry.card.sha256, bytes=entry.card.bytes) == entry.card


def test_equal_weights_have_equal_hashes(store: Store, tmp_path: Path) -> None:
    first = store.add(weights(), card())
    again = store.add(dict(reversed(weights().items())), card(), folder=Folder(tmp_path / "other", "other"))
    assert first.card == again.card


def test_names_are_not_taken_twice(store: Store) -> None:
    store.add(weights(), card())
    with pytest.raises(ModelError, match="already there"):
        store.add(weights(1), card())
    store.add(weights(1), card(), replace=True)
    assert torch.equal(store.load("tiny")[0]["w"], weights(1)["w"])


def test_the_first_folder_wins(store: Store) -> None:
    store.add(weights(2), card(title="cached"), folder=store.folders[1])
    store.add(weights(1), card("other"), folder=store.folders[2])
    assert store.find("tiny").folder.label == "cache"
    store.add(weights(3), card(title="mine"))
    assert store.find("tiny").folder.label == "folder"
    assert [(entry.name, entry.folder.label) for entry in store.list()] == [
        ("other", "built-in"),
        ("tiny", "folder"),
    ]


@pytest.mark.parametrize(("asked", "words"), [("tny", "did you mean tiny"), ("zzzzzz", "models list")])
def test_near_names_are_told(store: Store, asked: str, words: str) -> None:
    store.add(weights(), card())
    with pytest.raises(ModelError, match=words):
        store.find(asked)


def test_a_changed_file_is_refused(store: Store) -> None:
    entry = store.add(weights(), card())
    data = bytearray(entry.weights.read_bytes())
    data[-1] ^= 1
    entry.weights.write_bytes(data)
    assert not load_state(entry.weights)["w"].isnan().any()  # still a sound file, but another one
    with pytest.raises(CheckpointError, match=r"sha256 is .* its card says"):
        store.load("tiny")


def test_a_file_of_another_size_is_listed_as_unusable(store: Store) -> None:
    entry = store.add(weights(), card())
    write_card(replace(card(), sha256="0" * 64, bytes=1), entry.weights.with_name("tiny.card.yaml"))
    (listed,) = store.list()
    assert listed.card is None
    assert "its card says 1" in listed.problem
    with pytest.raises(ModelError, match="its card says 1"):
        store.load("tiny")


def test_a_file_without_card_is_listed_and_not_used(store: Store) -> None:
    entry = store.add(weights(), card())
    entry.weights.with_name("tiny.card.yaml").unlink()
    assert "no such card" in store.list()[0].problem
    with pytest.raises(ModelError, match="no such card"):
        store.load("tiny")


def test_a_card_of_another_model_is_refused(store: Store) -> None:
    first, second = store.add(weights(), card("first")), store.add(weights(1), card("second"))
    second.weights.with_name("second.card.yaml").replace(first.weights.with_name("first.card.yaml"))
    with pytest.raises(ModelError, match="is the card of 'second'"):
        store.find("first")


def test_temporary_and_foreign_files_are_not_listed(store: Store) -> None:
    entry = store.add(weights(), card())
    for name in (".tiny.safetensors.ab12.tmp", ".hidden.safetensors", "notes.txt"):
        (entry.weights.parent / name).write_bytes(b"x")
    assert [listed.name for listed in store.list()] == ["tiny"]


def test_disk_full_leaves_the_old_model(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    store.add(weights(), card())

    def full(descriptor: int) -> None:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(os, "fsync", full)
        with pytest.raises(ResourceError, match=r"tiny\.safetensors"):
            store.add(weights(1), card(), replace=True)
    assert torch.equal(store.load("tiny")[0]["w"], weights()["w"])


def test_a_store_that_cannot_be_written(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("x")
    with pytest.raises(ModelError, match="cannot be made"):
        Store([Folder(tmp_path / "file" / "models", "folder")]).add(weights(), card())
    with pytest.raises(ModelError, match="no folder to write"):
        Store([Folder(tmp_path, "built-in", writable=False)]).add(weights(), card())


# Licences.


@pytest.mark.parametrize(
    ("licence", "use"),
    [
        ("Apache-2.0", "yes"),
        ("mit", "yes"),
        ("MIT AND BSD-2-Clause", "yes"),
        ("CC0-1.0", "yes"),
        ("cc-by-nc-4.0", "no"),
        ("CC-BY-NC-SA-4.0", "no"),
        ("MIT AND CC-BY-NC-4.0", "no"),
        ("NVIDIA Source Code License-NC", "no"),
        ("for non-commercial research", "no"),
        ("Research only", "no"),
        ("openrail", "unknown"),
        ("MIT AND my own", "unknown"),
        ("announced", "unknown"),
        ("other", "unknown"),
        ("", "unknown"),
    ],
)
def test_commercial_use(licence: str, use: str) -> None:
    assert commercial_use(licence) == use


def test_licences_are_said_once(store: Store, said: list[str]) -> None:
    store.add(weights(), card("free"))
    store.add(weights(), replace(card("closed"), licence="cc-by-nc-4.0", commercial_use="no"))
    store.add(weights(), replace(card("odd"), licence="other", commercial_use="unknown"))
    for name in ("free", "closed", "odd", "closed", "odd", "free"):
        store.load(name)
    assert len(said) == 2
    assert "closed: licence 'cc-by-nc-4.0' does not allow commercial use" in said[0]
    assert "odd: whether licence 'other' allows commercial use is unknown" in said[1]


def test_without_a_listener_licences_are_logged_once(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.WARNING)
    closed = replace(card("logged-once"), licence="cc-by-nc-4.0", commercial_use="no")
    Store([Folder(tmp_path, "folder")]).add(weights(), closed)
    for _ in range(2):
        Store([Folder(tmp_path, "folder")]).load("logged-once")
    assert [record.getMessage().split(":")[0] for record in caplog.records] == ["logged-once"]


# Places.


def test_folders_of_the_environment(tmp_path: Path) -> None:
    home = {"HOME": str(tmp_path)}
    assert cache_folder(home) == tmp_path / ".cache" / "dreamplate"
    assert cache_folder(home | {"XDG_CACHE_HOME": "/x"}) == Path("/x/dreamplate")
    assert cache_folder(home | {"XDG_CACHE_HOME": "relative"}) == tmp_path / ".cache" / "dreamplate"
    assert cache_folder(home | {"XDG_CACHE_HOME": "/x", "DREAMPLATE_CACHE": "/c"}) == Path("/c")
    store = Store.default(home | {"DREAMPLATE_MODELS": "/m"})
    assert [place.label for place in store.folders] == ["folder", "cache", "built-in"]
    assert [place.path for place in store.folders][:2] == [
        Path("/m"),
        tmp_path / ".cache" / "dreamplate" / "models",
    ]
    assert [place.writable for place in store.folders] == [True, True, False]
    assert store.folders[2].path.is_dir()


def test_built_in_models_are_sound() -> None:
    store = Store.default({"HOME": "/nonexistent"})
    for entry in store.list():
        assert entry.problem == ""
        store.verify(entry)
        assert entry.card is not None
        assert entry.card.commercial_use == "yes"


# Cards.


def test_cards_round_trip(tmp_path: Path) -> None:
    path = tmp_path / "x.card.yaml"
    full = card(
        description='Zürich, 日本: a "net"\nof two lines',
        training="yes",
        data="generated",
        source="here",
        created_by="a test",
        figures={"top-1": 0.5, "steps": 3, "judge": "none"},
        settings={"depth": 6},
        report={"matched": 2},
        sha256="ab" * 32,
        bytes=10**12,
        tensors=3,
        parameters=7,
    )
    write_card(full, path)
    assert read_card(path) == full
    assert list(yaml.safe_load(path.read_text()))[:4] == ["name", "title", "architecture", "family"]


GOOD = {"name": "x", "title": "t", "architecture": "a", "family": "f"}
BAD_CARDS: dict[str, tuple[str, str]] = {
    "not YAML": ("{name: [", "not valid YAML"),
    "a list": ("- name", "a card is a table"),
    "empty": ("", "a card is a table"),
    "python object": ("name: !!python/object/apply:os.system ['true']", "not valid YAML"),
    "unknown field": (yaml.safe_dump(GOOD | {"licens": "MIT"}), "unknown field 'licens'"),
    "missing field": (yaml.safe_dump({"name": "x"}), "field 'title' is missing"),
    "number as text": (yaml.safe_dump(GOOD | {"title": 3}), "'title' is '3'; it must be text"),
    "text as number": (yaml.safe_dump(GOOD | {"bytes": "3"}), "'bytes' is '3'; it must be a count"),
    "true as number": (yaml.safe_dump(GOOD | {"bytes": True}), "must be a count"),
    "negative": (yaml.safe_dump(GOOD | {"tensors": -1}), "must be a count"),
    "use": (yaml.safe_dump(GOOD | {"commercial_use": "maybe"}), "use yes, no or unknown"),
    "unquoted yes": ("name: x\ntitle: t\narchitecture: a\nfamily: f\ncommercial_use: yes", "must be text"),
    "hash": (yaml.safe_dump(GOOD | {"sha256": "abc"}), "64 hexadecimal"),
    "figures as list": (yaml.safe_dump(GOOD | {"figures": [1]}), "must be a table"),
    "nested figures": (yaml.safe_dump(GOOD | {"figures": {"a": {"b": 1}}}), "must be a table"),
    "name that leaves": (yaml.safe_dump(GOOD | {"name": "../x"}), "not allowed"),
    "too long": ("# " + "x" * (300 << 10), "at most 256 KiB"),
    "nested": ("[" * 5000, "not valid YAML"),
    "binary": ("\x00\x01", "not valid YAML"),
}


@pytest.mark.parametrize("case", BAD_CARDS)
def test_bad_cards_are_refused(case: str, tmp_path: Path) -> None:
    content, words = BAD_CARDS[case]
    path = tmp_path / "x.card.yaml"
    path.write_text(content)
    with pytest.raises(ModelError, match=words) as caught:
        read_card(path)
    assert str(caught.value).startswith(str(path))
    assert "\n" not in str(caught.value)


def test_every_field_is_documented() -> None:
    assert Card.__doc__ is not None
    for spec in fields(Card):
        assert f"        {spec.name}: " in Card.__doc__


# Names.

GOOD_NAMES = ["a", "A9", "clip-vit_b32", "lite0.1", "x" * 100, "com10", "v1.0.2-b"]


@pytest.mark.parametrize("name", GOOD_NAMES)
def test_good_names(name: str) -> None:
    assert check_name(name) == name


def traversals() -> list[str]:
    parts = [
        "..",
        "../x",
        "x/../../y",
        "/etc/passwd",
        "./x",
        "x/y",
        "~",
        "~/x",
        "",
        ".",
        "...",
        ".x",
        "x.",
        "x..y",
    ]
    parts += [part.replace("/", "\\") for part in parts if "/" in part]
    encoded = [
        "%2e%2e%2f",
        "%2E%2E/",
        "..%2f",
        "%252e%252e%252f",
        "..%c0%af",
        "..%u2215",
        "..;/",
        "%00",
        "x%00y",
    ]
    unicode = [
        "\u2025/x",
        "\uff0e\uff0e/x",
        "..\u2215x",
        "..\u2044x",
        "..\uff0fx",
        "x\u202ey",
        "ｘ",
        "é",
        "日本",
    ]
    control = ["x\0", "\0", "x\n", "\nx", "x\r\ny", "x\ty", "\x1b[2J", "x\x7f", " x", "x ", " ", "x y"]
    windows = [
        "C:",
        "C:x",
        "C:\\x",
        "\\\\host\\share",
        "//host/share",
        "\\\\?\\C:\\x",
        "\\\\.\\pipe\\x",
        "x:stream",
        "x::$DATA",
    ]
    devices = [
        f"{device}{ending}"
        for device in ("CON", "con", "PRN", "aux", "NUL", "com1", "COM9", "lpt0", "LPT3")
        for ending in ("", ".txt", ".x.y")
    ]
    urls = [
        "file:///etc/passwd",
        "http://h/x",
        "x?y",
        "x#y",
        "x&y",
        "$HOME",
        "${HOME}",
        "`id`",
        "$(id)",
        "x;id",
        "x|id",
    ]
    globs = [
        "*",
        "x*",
        "?",
        "[x]",
        "{a,b}",
        "!x",
        "-x",
        "--help",
        "_x",
        "+x",
        "@x",
        "x,y",
        "x'y",
        'x"y',
        "<x>",
        "x=y",
    ]
    endings = ["x.safetensors", "x.card", "tiny.card", "x.safetensors.safetensors"]
    long = ["x" * 101, "x" * 5000, "../" * 40, "a/" * 100]
    made = parts + encoded + unicode + control + windows + devices + urls + globs + endings + long
    made += [
        f"{prefix}{part}"
        for prefix in ("models/", "a\\", "..", "./..", "x/./", "/tmp/", "../../")
        for part in parts[:14]
    ]
    return list(dict.fromkeys(made))


TRAVERSALS = traversals()


def test_there_are_two_hundred_traversals() -> None:
    assert len(TRAVERSALS) >= 200
    assert not set(TRAVERSALS) & set(GOOD_NAMES)


@pytest.mark.parametrize("name", TRAVERSALS, ids=range(len(TRAVERSALS)))
def test_names_never_leave_the_store(name: str, store: Store, tmp_path: Path) -> None:
    outside = tmp_path / "outside.safetensors"
    outside.write_bytes(b"x")
    for action in (store.find, store.load, card, check_name):
        with pytest.raises(ModelError, match="not allowed") as caught:
            action(name)
        assert "\n" not in str(caught.value)
        assert len(str(caught.value)) < 400
    assert sorted(tmp_path.iterdir()) == [outside]
