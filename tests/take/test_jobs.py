"""Start, resume and redo, for jobs that are known by name."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest
from toys import ToyConfig, contents

from dreamplate import jobs
from dreamplate.errors import ConfigError, DreamplateError, TakeError
from dreamplate.plate import Plate, open_sequence, write
from dreamplate.take import Listener, Take, machine, read_provenance

HERE = Path(__file__).resolve().parent


@pytest.fixture(autouse=True)
def toy_jobs(monkeypatch: pytest.MonkeyPatch) -> None:
    """Make the toy job known by name, here and in worker processes."""
    monkeypatch.setitem(jobs.JOBS, "toy", ("toys:ToyConfig", "toys:NumpyJob"))
    monkeypatch.setattr(jobs, "_RUNNER", "toys:run_toy")
    monkeypatch.setenv("PYTHONPATH", str(HERE))


def test_starts_and_resumes(tmp_path: Path) -> None:
    config = ToyConfig(steps=6)
    assert jobs.start("toy", config, tmp_path / "a").status == "finished"
    assert jobs.start("toy", config, tmp_path / "b", stop_after=2).status == "paused"
    assert jobs.resume(tmp_path / "b", stop_after=1).step == 3
    assert jobs.start("toy", config, tmp_path / "b").status == "finished"  # starting again continues
    whole, broken = contents(tmp_path / "a"), contents(tmp_path / "b")
    # Everything but the film is the same to the byte; of the film, the encoder may write other bytes.
    films = whole.pop("progress.mp4"), broken.pop("progress.mp4")
    assert whole == broken
    assert abs(len(films[0]) - len(films[1])) < 0.05 * len(films[0])
    shown = []
    for name in ("a", "b"):
        with open_sequence(tmp_path / name / "progress.mp4") as film:
            shown.append(list(film))
    assert len(shown[0]) == len(shown[1])
    for (_, one), (_, other) in zip(*shown, strict=True):
        assert np.abs(one.pixels - other.pixels).max() < 0.05


@pytest.mark.parametrize(
    "name", ["final.png", "final.exr", "preview.png", "previews/step_000003.png", "progress.mp4", "."]
)
def test_any_picture_can_be_made_again(tmp_path: Path, name: str) -> None:
    jobs.start("toy", ToyConfig(steps=6, seed=4), tmp_path / "a")
    moved = tmp_path / "moved" / (Path(name).name or "take")
    moved.parent.mkdir()
    (shutil.copytree if name == "." else shutil.copy)(tmp_path / "a" / name, moved)
    assert jobs.redo(moved, tmp_path / "b").status == "finished"
    assert contents(tmp_path / "a") == contents(tmp_path / "b")


def test_redo_with_changes(tmp_path: Path) -> None:
    jobs.start("toy", ToyConfig(steps=6, seed=4), tmp_path / "a")
    jobs.redo(tmp_path / "a/final.png", tmp_path / "b", changes={"seed": 5, "cuts.number": 3})
    assert Take.open(tmp_path / "b").config_data["cuts"]["number"] == 3
    assert read_provenance(tmp_path / "b/final.exr")["seed"] == 5
    with pytest.raises(ConfigError, match="redo: unknown field 'sede'"):
        jobs.redo(tmp_path / "a/final.png", tmp_path / "c", changes={"sede": 5})


def test_redo_names_another_version(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    jobs.start("toy", ToyConfig(steps=2), tmp_path / "a")
    ours = machine.versions()
    monkeypatch.setattr(jobs, "versions", lambda: ours | {"dreamplate": "99.0.0"})
    heard: list[str] = []

    class Ear(Listener):
        def on_notice(self, text: str) -> None:
            heard.append(text)

    jobs.redo(tmp_path / "a/final.png", tmp_path / "b", listeners=[Ear()])
    assert len(heard) == 1
    assert f"made by Dreamplate {ours['dreamplate']}, this is 99.0.0" in heard[0]


def test_redo_checks_sources(tmp_path: Path) -> None:
    source = tmp_path / "face.png"
    write(Plate.from_rgb(np.zeros((4, 4, 3))), source)
    jobs.start("toy", ToyConfig(steps=2, image=source), tmp_path / "a")
    (known,) = Take.open(tmp_path / "a").record.sources
    assert known.path == source
    jobs.redo(tmp_path / "a/final.png", tmp_path / "b")
    write(Plate.from_rgb(np.ones((4, 4, 3))), source)
    with pytest.raises(
        TakeError, match=r"face\.png: .*final\.png was made from this file, which has changed"
    ):
        jobs.redo(tmp_path / "a/final.png", tmp_path / "c")
    source.unlink()
    with pytest.raises(TakeError, match="which is gone"):
        jobs.redo(tmp_path / "a/final.png", tmp_path / "c")
    assert not (tmp_path / "c").exists()


def test_pictures_without_a_recipe(tmp_path: Path) -> None:
    plate = Plate.from_rgb(np.zeros((4, 4, 3)))
    recipes = {
        "none.png": None,
        "text.png": "hello",
        "list.exr": "[1]",
        "newer.png": '{"schema":2}',
        "partial.png": '{"schema":1,"kind":"toy"}',
        "kind.png": '{"schema":1,"kind":"os","config":{},"id":"","versions":{},"sources":[]}',
        "field.png": '{"schema":1,"kind":"toy","config":{"x":1},"id":"","versions":{},"sources":[]}',
        "id.png": '{"schema":1,"kind":"toy","config":{},"id":"","versions":{},"sources":[]}',
        "deep.png": "[" * 20_000,
    }
    parts = {
        "none.png": "does not say how it was made",
        "newer.png": "schema 2, this version reads 1",
        "kind.png": "job 'os' is unknown",
        "field.png": "unknown field 'x'",
        "id.png": "does not match its id",
    }
    for name, text in recipes.items():
        write(plate if text is None else plate.with_metadata(dreamplate=text), tmp_path / name)
        with pytest.raises(DreamplateError) as caught:
            jobs.redo(tmp_path / name, tmp_path / "take")
        message = str(caught.value)
        assert parts.get(name, "its recipe is damaged") in message
        assert "\n" not in message
    assert not (tmp_path / "take").exists()
    with pytest.raises(DreamplateError):
        jobs.redo(tmp_path / "missing.png", tmp_path / "take")


def test_count_makes_several(tmp_path: Path) -> None:
    config = ToyConfig(steps=4, seed=3, count=2)
    result = jobs.start("toy", config, tmp_path / "a", workers=2, threads=1)
    assert (result.status, result.steps) == ("finished", 2)
    assert [task.config.seed for task in jobs.tasks_of("toy", config, tmp_path / "a")] == [3, 4]
    jobs.start("toy", ToyConfig(steps=4, seed=4), tmp_path / "b")
    assert contents(tmp_path / "a/tasks/002") == contents(tmp_path / "b")
    assert jobs.resume(tmp_path / "a").status == "finished"
    jobs.redo(tmp_path / "a/tasks/002/final.png", tmp_path / "c")
    assert contents(tmp_path / "c") == contents(tmp_path / "b")


def test_unknown_jobs(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="job 'dreem' is unknown; did you mean 'dream'"):
        jobs.load_job("dreem")
    Take.create(tmp_path / "t", "gone", ToyConfig())
    with pytest.raises(ConfigError, match="job 'gone' is unknown"):
        jobs.resume(tmp_path / "t")


def test_paths_become_absolute(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "face.png").write_bytes(b"x")
    jobs.start("toy", ToyConfig(steps=2, image=Path("face.png")), "t", stop_after=1)
    monkeypatch.chdir("/")
    assert jobs.resume(tmp_path / "t").status == "finished"
    assert Take.open(tmp_path / "t").config_data["image"] == str(tmp_path / "face.png")
