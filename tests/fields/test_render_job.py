"""Frames on disk: what is in them, and what happens when a render is stopped."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from analytic import THINGS, Analytic, path, space

from dreamplate.cli import main
from dreamplate.errors import ConfigError, MediaError, SceneError
from dreamplate.fields.deep_exr import flatten, read_deep
from dreamplate.fields.render_config import (
    ALL_PASSES,
    HoldoutConfig,
    LensConfig,
    RenderConfig,
    StereoConfig,
    plan_render,
)
from dreamplate.fields.render_files import frame_files
from dreamplate.fields.render_frame import Field
from dreamplate.fields.render_job import RenderJob
from dreamplate.fields.render_path import make_path
from dreamplate.plate import Box, info, read, read_parts
from dreamplate.plate.camera import Camera, look_at
from dreamplate.scenes.camera_track import CameraTrack
from dreamplate.take import RunResult, Take, run
from dreamplate.take.provenance import read_provenance

FAST = ("beauty", "z")


def tiny() -> CameraTrack:
    return path(12, 9)


def start(folder: Path, config: RenderConfig, field: Field | None = None, **options: Any) -> RunResult:
    job = RenderJob(config, field or space(), tiny())
    return run(job, Take.create(folder, "render", config), **options)


def test_frames_hold_passes_windows_camera_and_recipe(tmp_path: Path) -> None:
    config = RenderConfig(out=tmp_path / "shots/r.####.exr", overscan=2, deep=True, png=True, sheet=True)
    result = start(tmp_path / "take", config)
    assert result.status == "finished"
    assert sorted(file.name for file in (tmp_path / "shots").iterdir()) == sorted(
        name.format(frame)
        for frame in (1001, 1002, 1003)
        for name in ("r.{}.exr", "r_deep.{}.exr", "r.{}.png", "r_sheet.{}.png")
    )
    for picture in ("r.1002.png", "r_sheet.1002.png"):
        made = read_provenance(tmp_path / "shots" / picture)
        assert (made["kind"], made["config"]["overscan"]) == ("render", 2)
    file = tmp_path / "shots/r.1002.exr"
    about, plate, camera = info(file).parts[0], read(file), tiny().at(1002)
    types = dict(zip(about.channels, about.types, strict=True))
    assert {name for name, kind in types.items() if kind == "half"} == {*"RGBA", "N.x", "N.y", "N.z"}
    assert types["P.x"] == types["Z"] == types["motion.forward.u"] == "float"
    assert (plate.data, plate.display) == (Box(-2, -2, 16, 13), Box(0, 0, 12, 9))
    # The standard matrices bring the position pass to where it is seen.
    points = plate.layer("P").reshape(-1, 3)[plate.channel("A").ravel() > 0]
    for name, scale in (("worldToNDC", (12, 9)), ("worldToCamera", None)):
        matrix = np.reshape(plate.metadata[name], (4, 4))
        there = np.concatenate([points, np.ones((len(points), 1))], axis=1) @ matrix
        pixels, depth = camera.project(points)
        if scale is not None:
            assert np.abs(there[:, :2] / there[:, 3:] * scale - pixels).max() < 1e-3
        else:
            assert np.abs(there[:, 2] - depth).max() < 1e-4
            assert np.sign(there[0, 0]) == np.sign(pixels[0, 0] - 6)
    assert plate.metadata["frame"] == 1002
    assert json.loads(str(plate.metadata["dreamplate:camera"]))["fx"] == camera.fx
    assert read_provenance(file)["config"]["overscan"] == 2
    deep = read_deep(tmp_path / "shots/r_deep.1002.exr")
    assert np.abs(flatten(deep)[:, :, 3] - plate.channel("A")).max() < 1e-3
    final = read(tmp_path / "take/final.exr")
    assert final.channels == tuple("RGBA")


def test_precision_float_keeps_the_beauty(tmp_path: Path) -> None:
    config = RenderConfig(out=tmp_path / "r.####.exr", passes=("beauty",), precision="float", deep=True)
    start(tmp_path / "take", config)
    assert set(info(tmp_path / "r.1001.exr").parts[0].types) == {"float"}
    flat = flatten(read_deep(tmp_path / "r_deep.1001.exr"))
    assert np.abs(flat - read(tmp_path / "r.1001.exr").pixels).max() < 1e-4


def test_stereo_is_two_parts_or_two_files(tmp_path: Path) -> None:
    config = RenderConfig(
        out=tmp_path / "p.####.exr", passes=FAST, stereo=StereoConfig(0.1, 3.0), frames="1001"
    )
    start(tmp_path / "parts", config)
    parts = read_parts(tmp_path / "p.1001.exr")
    assert list(parts) == ["left", "right"]
    files = replace(config, out=tmp_path / "f.####.exr", stereo=StereoConfig(0.1, 3.0, "files"), deep=True)
    start(tmp_path / "files", files)
    for eye, side in (("left", "L"), ("right", "R")):
        assert np.array_equal(read(tmp_path / f"f_{side}.1001.exr").pixels, parts[eye].pixels)
        assert (tmp_path / f"f_deep_{side}.1001.exr").is_file()
    assert not np.array_equal(parts["left"].pixels, parts["right"].pixels)
    with pytest.raises(ConfigError, match="each eye needs its own; write %V"):
        RenderJob(replace(files, holdout=HoldoutConfig(tmp_path / "h.exr")), space(), tiny())


def test_a_stopped_render_goes_on_and_ends_the_same(tmp_path: Path) -> None:
    config = RenderConfig(out=tmp_path / "r.####.exr", passes=FAST, samples=2)
    assert start(tmp_path / "take", config, stop_after=2).status == "paused"
    assert not (tmp_path / "r.1003.exr").exists()
    before = {name: (tmp_path / name).stat().st_mtime_ns for name in ("r.1001.exr", "r.1002.exr")}
    assert start(tmp_path / "take", config).status == "finished"
    assert {name: (tmp_path / name).stat().st_mtime_ns for name in before} == before
    bytes_of = {frame: (tmp_path / f"r.{frame}.exr").read_bytes() for frame in (1001, 1002, 1003)}
    for file in tmp_path.glob("r.*.exr"):
        file.unlink()
    start(tmp_path / "again", config)
    assert {frame: (tmp_path / f"r.{frame}.exr").read_bytes() for frame in bytes_of} == bytes_of


def test_only_missing_and_foreign_frames_are_rendered_again(tmp_path: Path) -> None:
    config = RenderConfig(out=tmp_path / "r.####.exr", passes=FAST)
    start(tmp_path / "take", config)
    (tmp_path / "r.1001.exr").unlink()
    (tmp_path / "r.1003.exr").write_bytes(b"half a file")
    method = Analytic(THINGS)
    job = RenderJob(config, Field(method, "scene_linear", lambda rays: rays), tiny())
    while job.position < len(job):
        job.step()
    assert sum(method.calls) == 2 * 12 * 9
    other = RenderJob(replace(config, seed=1), Field(method, "scene_linear", lambda rays: rays), tiny())
    other.step()
    assert sum(method.calls) == 3 * 12 * 9


_KILLED = """
import sys, time
sys.path.insert(0, {tests!r})
from pathlib import Path
from analytic import THINGS, Analytic, path
from dreamplate.fields.render_config import RenderConfig
from dreamplate.fields.render_frame import Field
from dreamplate.fields.render_job import RenderJob
from dreamplate.take import Take, run

class Slow(Analytic):
    def trace(self, rays, **more):
        time.sleep(0.3)
        return super().trace(rays, **more)

config = RenderConfig(out=Path({out!r}), passes=("beauty", "z"))
job = RenderJob(config, Field(Slow(THINGS), "scene_linear", lambda rays: rays), path(12, 9))
run(job, Take.create({take!r}, "render", config))
"""


def test_a_killed_render_leaves_whole_frames_and_goes_on(tmp_path: Path) -> None:
    out = tmp_path / "r.####.exr"
    code = _KILLED.format(tests=str(Path(__file__).parent), out=str(out), take=str(tmp_path / "take"))
    with subprocess.Popen([sys.executable, "-c", code]) as process:
        deadline = time.monotonic() + 120
        while not (tmp_path / "r.1001.exr").exists():
            assert process.poll() is None and time.monotonic() < deadline
            time.sleep(0.02)
        process.send_signal(signal.SIGKILL)
    assert read(tmp_path / "r.1001.exr").channels[:4] == tuple("RGBA")
    config = RenderConfig(out=out, passes=FAST)
    assert start(tmp_path / "take", config).status == "finished"
    assert [file.name for file in sorted(tmp_path.glob("r.*"))] == [f"r.{n}.exr" for n in (1001, 1002, 1003)]


def test_tasks_are_runs_of_frames(tmp_path: Path) -> None:
    config = RenderConfig(frames="1001-1003,1010-1013", task_frames=3)
    parts = plan_render(config)
    assert [part.frames for part in parts] == ["1001-1003", "1010-1012", "1013"]
    assert all(part.task_frames == 0 for part in parts)
    assert plan_render(RenderConfig()) == [RenderConfig()]
    with pytest.raises(ConfigError, match="frames is empty"):
        plan_render(RenderConfig(task_frames=2))


def test_cameras_come_from_a_file_or_from_the_capture(tmp_path: Path) -> None:
    from dreamplate.scenes import write_cameras

    write_cameras(tiny(), tmp_path / "cameras.json")
    found = make_path(RenderConfig(cameras=tmp_path / "cameras.json"), ())
    assert np.array_equal(found.at(1002).camera_to_world, tiny().at(1002).camera_to_world)
    ring = [
        Camera.from_fov(12, 9, 50, look_at((4 * np.cos(a), 4 * np.sin(a), 1), (0, 0, 0)))
        for a in np.linspace(0, 6, 20)
    ]
    views = make_path(RenderConfig(), ring)
    assert views.frames == tuple(range(1001, 1021))
    orbit = make_path(RenderConfig(path="orbit", path_frames=8), ring)
    assert len(orbit) == 8
    for camera in orbit.cameras.values():
        assert np.linalg.norm(camera.position) == pytest.approx(np.sqrt(17), rel=0.05)
        assert camera.position[2] == pytest.approx(1, abs=0.1)
    for kind in ("dolly", "spline"):
        made = make_path(RenderConfig(path=kind, path_frames=8), ring)  # type: ignore[arg-type]
        assert made.frames == tuple(range(1001, 1009))
        assert np.abs(made.at(1001).position - ring[0].position).max() < 1e-9
    with pytest.raises(SceneError, match="give a camera file with --cameras"):
        make_path(RenderConfig(), ())


# -- what users get wrong ---------------------------------------------------------------------------


def test_frames_outside_the_path_are_named() -> None:
    with pytest.raises(SceneError, match=r"frames 1004-1006 outside .* 1001-1003"):
        RenderJob(RenderConfig(frames="1002-1006"), space(), tiny())


@pytest.mark.parametrize(
    ("changes", "error", "words"),
    [
        ({"frames": "1001-"}, ConfigError, "frames: cannot read"),
        ({"out": Path("r.exr")}, ConfigError, "no place"),
        ({"crop": (0, 0, 400, 9)}, ConfigError, "crop is 400x9"),
        ({"holdout": HoldoutConfig(Path("gone.exr"))}, MediaError, r"gone\.exr"),
        ({"cameras": Path("gone.json")}, SceneError, "gone"),
    ],
)
def test_what_is_wrong_is_said_before_the_first_frame(
    changes: dict[str, Any], error: type[Exception], words: str
) -> None:
    with pytest.raises(error, match=words):
        RenderJob(replace(RenderConfig(), **changes), space(), None if "cameras" in changes else tiny())


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"passes": ()}, "passes"),
        ({"passes": ("z", "z")}, "passes"),
        ({"out": Path("r.####.png")}, r"\.exr pattern"),
        ({"crop": (0, 0, 0, 9)}, "crop"),
        ({"memory": "much"}, "memory"),
        ({"deep": True, "passes": ("z",)}, "no beauty"),
        ({"lens": LensConfig(radius=1)}, r"lens\.focus"),
        ({"lens": LensConfig(radius=1, f_stop=2)}, "both"),
    ],
)
def test_options_that_cannot_be_are_refused(changes: dict[str, Any], words: str) -> None:
    with pytest.raises(ConfigError, match=words):
        RenderConfig(**changes)


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        ([], 2, "take is empty"),
        (["nowhere", "--out", "r.exr"], 2, "no place"),
        (["nowhere", "--out", "r.####.exr"], 4, "no such folder"),
        (["nowhere", "--scale", "0"], 2, "scale"),
    ],
)
def test_the_command_says_one_line(
    arguments: list[str],
    code: int,
    words: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    assert main(["render", *arguments]) == code
    said = capsys.readouterr().err
    assert words in said and said.count("\n") == 1
    assert not any(tmp_path.iterdir())


def test_every_pass_has_a_place() -> None:
    from dreamplate.fields.passes import CHANNELS

    assert tuple(CHANNELS) == ALL_PASSES
    files = frame_files(
        RenderConfig(out=Path("a.b_####.exr"), deep=True, stereo=StereoConfig(1, 1, "files")), 7
    )
    assert {name: file.name for name, file in files.items()} == {
        "left": "a.b_L_0007.exr",
        "right": "a.b_R_0007.exr",
        "left.deep": "a.b_deep_L_0007.exr",
        "right.deep": "a.b_deep_R_0007.exr",
    }
