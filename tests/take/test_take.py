"""A take folder says what it is, and refuses to be what it is not."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from toys import Cuts, ToyConfig, contents, make, run_toy

from dreamplate.errors import ConfigError, StateError, TakeError
from dreamplate.take import Take, machine, recipes, run
from dreamplate.take.yamltext import load_yaml

HERE = Path(__file__).resolve().parent


def test_opens_what_it_creates(tmp_path: Path) -> None:
    source = tmp_path / "face.png"
    source.write_bytes(b"picture")
    config = ToyConfig(seed=7, image=source, cuts=Cuts(3))
    made = Take.create(tmp_path / "deep" / "folder", "toy", config, sources=[source])
    take = Take.open(made.path)
    assert take.record == made.record
    assert take.config(ToyConfig) == config
    assert (take.kind, take.status, take.record.seed) == ("toy", "planned", 7)
    assert {"dreamplate", "python", "numpy", "torch"} <= take.record.versions.keys()
    (known,) = take.record.sources
    assert (known.path, known.size, len(known.sha256)) == (source, 7, 64)
    text = (take.path / "take.yaml").read_text()
    assert text.startswith("# A Dreamplate take. Continue it with: dreamplate resume")
    assert load_yaml(text, source="x")["config"]["cuts"] == {"number": 3, "memory": "1GiB"}


def test_creating_twice_continues(tmp_path: Path) -> None:
    run(*make(tmp_path / "t", steps=4), stop_after=2)
    _, take = make(tmp_path / "t", steps=4)
    assert take.status == "paused"
    loaded = take.load_state()
    assert loaded is not None
    assert loaded[0] == 2


def test_other_work_needs_to_be_told_to_overwrite(tmp_path: Path) -> None:
    run(*make(tmp_path / "t", steps=4))
    (tmp_path / "t" / "notes.txt").write_text("mine")
    with pytest.raises(
        TakeError, match=r"already holds another toy take; choose a new folder, or --overwrite"
    ):
        make(tmp_path / "t", steps=5)
    with pytest.raises(TakeError, match="already holds another toy take"):
        Take.create(tmp_path / "t", "other", ToyConfig(steps=4))
    take = Take.create(tmp_path / "t", "toy", ToyConfig(steps=5), overwrite=True)
    assert {item.name for item in take.path.iterdir()} == {".lock", "take.yaml", "notes.txt"}
    run_toy(take.path)
    run(*make(tmp_path / "fresh", steps=5))
    assert contents(take.path) == contents(tmp_path / "fresh")


def test_overwriting_removes_nothing_outside(tmp_path: Path) -> None:
    run(*make(tmp_path / "t", steps=1))
    outside = tmp_path / "keep.txt"
    outside.write_text("mine")
    metrics = tmp_path / "t" / "metrics.json"
    names = ["../keep.txt", str(outside), ".", "..", "", "a\0b", "previews", 3, None]
    metrics.write_text(json.dumps({"outputs": names}))
    Take.create(tmp_path / "t", "toy", ToyConfig(seed=5), overwrite=True)
    assert outside.read_text() == "mine"


def test_a_bad_new_take_leaves_the_old_one(tmp_path: Path) -> None:
    run(*make(tmp_path / "t", steps=2))
    before = contents(tmp_path / "t")
    with pytest.raises(TakeError, match="no such source file"):
        Take.create(tmp_path / "t", "toy", ToyConfig(), sources=[tmp_path / "none"], overwrite=True)
    with pytest.raises(ConfigError):
        Take.create(tmp_path / "t", "toy", ToyConfig(steps=-1), overwrite=True)
    assert contents(tmp_path / "t") == before


def test_folders_that_cannot_be_takes(tmp_path: Path) -> None:
    file = tmp_path / "file"
    file.write_text("x")
    full = tmp_path / "full"
    full.mkdir()
    (full / "photo.png").write_text("mine")
    cases = {
        file: "is a file; choose a folder",
        file / "inside": "Not a directory",
        full: "is not empty (photo.png …) and is not a take",
        Path("/proc/nowhere"): "cannot make a take in it",
        tmp_path / ("x" * 300): "use a shorter name",
        tmp_path / "nul\0": "cannot be a folder name",
    }
    for path, part in cases.items():
        with pytest.raises(TakeError) as caught:
            Take.create(path, "toy", ToyConfig())
        assert part in str(caught.value)
        assert "\n" not in str(caught.value)
    assert (full / "photo.png").read_text() == "mine"


def test_an_unwritable_folder(tmp_path: Path) -> None:
    folder = tmp_path / "locked"
    folder.mkdir()
    folder.chmod(0o500)
    if os.access(folder, os.W_OK):
        pytest.skip("this user may write anywhere")
    with pytest.raises(TakeError, match="check its permissions"):
        Take.create(folder / "t", "toy", ToyConfig())


def edit(old: str, new: str) -> Callable[[Path], None]:
    def change(file: Path) -> None:
        text = file.read_text()
        assert old in text
        file.write_text(text.replace(old, new))

    return change


DAMAGE = {
    "gone": (lambda file: file.unlink(), "has no take.yaml, so it is not a take"),
    "empty": (lambda file: file.write_bytes(b""), "has no config; the file is damaged"),
    "binary": (lambda file: file.write_bytes(b"\xff\xfe\0"), "not UTF-8"),
    "not yaml": (edit("kind: toy", "kind: ["), "correct the YAML"),
    "newer": (edit("schema: 1", "schema: 2"), "has schema 2, this version of Dreamplate reads 1"),
    "no schema": (edit("schema: 1", "scheme: 1"), "has schema None"),
    "status": (edit("status: planned", "status: done"), "status: found 'done', allowed: planned"),
    "field": (edit("seed: 0\nstatus", "sead: 0\nstatus"), "unknown field 'sead'; did you mean 'seed'"),
    "type": (edit("kind: toy", "kind: 3"), "kind: found 3, expected text"),
}


@pytest.mark.parametrize(("harm", "part"), DAMAGE.values(), ids=DAMAGE)
def test_damaged_records(tmp_path: Path, harm: Callable[[Path], None], part: str) -> None:
    _, take = make(tmp_path / "t")
    harm(take.path / "take.yaml")
    with pytest.raises(TakeError) as caught:
        Take.open(take.path)
    assert part in str(caught.value)
    assert str(take.path) in str(caught.value)
    assert "\n" not in str(caught.value)


def test_there_is_no_take(tmp_path: Path) -> None:
    with pytest.raises(TakeError, match="no such folder"):
        Take.open(tmp_path / "nowhere")


def test_an_edited_config_is_refused(tmp_path: Path) -> None:
    for old, new, part in [
        ("steps: 20", "steps: 21", "config does not match its id"),
        ("steps: 20", "steps: lots", "config: steps: found 'lots'"),
        ("steps: 20", "stops: 20", "config: unknown field 'stops'"),
    ]:
        shutil.rmtree(tmp_path / "t", ignore_errors=True)
        _, take = make(tmp_path / "t")
        edit(old, new)(take.path / "take.yaml")
        with pytest.raises(TakeError) as caught:
            run_toy(take.path)
        assert part in str(caught.value)


def test_a_take_of_another_version(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    ours = machine.versions()
    run(*make(tmp_path / "t", steps=4), stop_after=2)
    monkeypatch.setattr(machine, "versions", lambda: ours | {"dreamplate": "99.0.0"})
    with pytest.raises(TakeError, match=r"was begun by Dreamplate .* this is 99\.0\.0; use"):
        run_toy(tmp_path / "t")
    with pytest.raises(TakeError, match="was begun by"):
        make(tmp_path / "t", steps=4)
    assert Take.open(tmp_path / "t").status == "paused"  # it can still be looked at


def test_other_packages_are_mentioned(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    _, take = make(tmp_path / "t")
    ours = machine.versions()
    assert take.changed_versions() is None
    monkeypatch.setattr(machine, "versions", lambda: ours | {"torch": "99.0"})
    assert "torch" in str(take.changed_versions())
    assert "99.0" in str(take.changed_versions())


def test_sources_are_held_to_their_hash(tmp_path: Path) -> None:
    source = tmp_path / "face.png"
    source.write_bytes(b"picture")
    config = ToyConfig(image=source, steps=4)
    take = Take.create(tmp_path / "t", "toy", config, sources=[source])
    run_toy(take.path, stop_after=2)
    source.write_bytes(b"pictura")
    with pytest.raises(TakeError, match=r"face\.png: source of .* has changed since the take began"):
        run_toy(take.path)
    source.unlink()
    with pytest.raises(TakeError, match=r"face\.png: source of .* is gone"):
        run_toy(take.path)
    source.write_bytes(b"picture")
    assert run_toy(take.path).status == "finished"
    with pytest.raises(TakeError, match="no such source file"):
        Take.create(tmp_path / "u", "toy", config, sources=[tmp_path / "missing"])


def test_the_state_before_is_kept(tmp_path: Path) -> None:
    _, take = make(tmp_path / "t")
    for position in (1, 2, 3):
        take.save_state(position, {"x": position})
    assert take.load_state() == (3, {"x": 3}, None)
    take.state_path.unlink()
    position, state, warning = take.load_state() or (0, {}, "")
    assert (position, state) == (2, {"x": 2})
    assert "is gone; continuing from state.previous.safetensors at step 2" in str(warning)


def test_the_good_state_survives_a_bad_one(tmp_path: Path) -> None:
    """After a fall-back the damaged file must not be rotated over the good one."""
    _, take = make(tmp_path / "t")
    take.save_state(1, {"x": 1})
    take.save_state(2, {"x": 2})
    take.state_path.write_bytes(b"damaged")
    assert (take.load_state() or (0,))[0] == 1
    assert take.previous_path.exists()
    with pytest.raises(StateError):
        take.save_state(3, {"x": object()})
    assert (take.load_state() or (0,))[0] == 1
    take.save_state(3, {"x": 3})
    assert (take.load_state() or (0,))[0] == 3


HOLDER = """
import sys, time
from toys import run_toy
run_toy(sys.argv[1])
"""


def test_a_dead_process_holds_nothing(tmp_path: Path) -> None:
    _, take = make(tmp_path / "t", steps=1000, pause=0.01)
    environment = os.environ | {"PYTHONPATH": str(HERE)}
    holder = subprocess.Popen([sys.executable, "-c", HOLDER, str(take.path)], env=environment)
    try:
        while Take.open(take.path).status != "running":
            time.sleep(0.02)
        with pytest.raises(TakeError, match=rf"process {holder.pid} on .* is working on it"):
            run_toy(take.path)
        with pytest.raises(TakeError, match="is working on it"):
            Take.create(take.path, "toy", ToyConfig(seed=9), overwrite=True)
    finally:
        holder.send_signal(signal.SIGKILL)
        holder.wait()
    assert not take.is_running
    assert Take.open(take.path).status == "running"  # nobody could say otherwise
    assert run_toy(take.path, stop_after=1).status == "paused"


def test_a_huge_record_is_refused(tmp_path: Path) -> None:
    _, take = make(tmp_path / "t")
    (take.path / "take.yaml").write_text("x" * (5 << 20))
    with pytest.raises(TakeError, match="characters of YAML"):
        Take.open(take.path)
    assert recipes.recipes_folder().is_dir()
