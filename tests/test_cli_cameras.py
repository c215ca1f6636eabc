"""``dreamplate cameras``: what it prints, writes and refuses."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from dreamplate.cli import main
from dreamplate.plate import Camera, Lens, look_at
from dreamplate.scenes import CameraTrack, orbit, read_cameras, write_cameras


@pytest.fixture
def shot(tmp_path: Path) -> Path:
    camera = Camera.from_fov(640, 480, 50.0, np.eye(4), lens=Lens("perspective", {"k1": 0.1}))
    track = orbit(camera, range(1001, 1031), radius=4.0).with_(fps=24.0, metres_per_unit=0.01)
    write_cameras(track, tmp_path / "shot.cameras.json")
    return tmp_path / "shot.cameras.json"


def run(*words: object) -> int:
    return main(["cameras", *map(str, words)])


def test_convert_says_what_is_lost_and_how_far_corners_move(
    shot: Path, capsys: pytest.CaptureFixture
) -> None:
    target = shot.with_name("new") / "shot.nk"
    assert run("convert", shot, target, "--frames", "1005-1009") == 0
    said = capsys.readouterr()
    assert "nuke cannot hold lens distortion: it becomes a pinhole\n" in said.err
    assert "5 cameras, frames 1005-1009 (nuke); read back, corners move" in said.out
    assert read_cameras(target).frames == tuple(range(1005, 1010))


@pytest.mark.parametrize("target", ["p.npy", "a.nk", "a.usda", "model", "a.chan"])
def test_corners_are_compared_of_the_right_frames(
    shot: Path, target: str, capsys: pytest.CaptureFixture
) -> None:
    where = shot.with_name(target)
    assert run("convert", shot, where, "--frames", "1001-1009x4", "--near-far", 1, 9) == 0
    assert float(capsys.readouterr().out.split("corners move ")[1].split()[0]) < 0.01


def test_strict_writes_nothing(shot: Path, capsys: pytest.CaptureFixture) -> None:
    target = shot.with_name("shot.chan")
    assert run("convert", shot, target, "--strict") == 8
    assert capsys.readouterr().err.count("\n") == 1
    assert not target.exists()
    assert run("convert", shot, shot.with_name("transforms.json"), "--strict") == 0


def test_units_scale_or_are_declared(shot: Path, capsys: pytest.CaptureFixture) -> None:
    metres = shot.with_name("metres.cameras.json")
    assert run("convert", shot, metres, "--units", "m") == 0
    track = read_cameras(metres)
    assert track.metres_per_unit == 1.0
    np.testing.assert_allclose(np.linalg.norm(track.at(1001).position), 0.04)
    assert run("convert", shot, shot.with_name("model")) == 0
    capsys.readouterr()
    assert run("convert", shot.with_name("model"), metres, "--units", "0.5") == 0
    assert "the source states no unit" in capsys.readouterr().err
    assert read_cameras(metres).metres_per_unit == 0.5
    assert run("convert", shot, metres, "--units", "parsec") == 2


def test_names_of_conventions_can_be_given(shot: Path, capsys: pytest.CaptureFixture) -> None:
    odd = shot.with_name("export.json")
    assert run("convert", shot, odd) == 8
    assert "name one with --to: cameras, transforms" in capsys.readouterr().err
    assert run("convert", shot, odd, "--to", "transforms") == 0
    assert run("convert", odd, shot.with_name("a.chan"), "--from", "transforms") == 0
    assert run("convert", odd, shot.with_name("a.chan"), "--from", "maya") == 8
    assert "no camera convention 'maya'; known: cameras, transforms" in capsys.readouterr().err


def test_frames_outside_the_path_are_named(shot: Path, capsys: pytest.CaptureFixture) -> None:
    assert run("convert", shot, shot.with_name("a.chan"), "--frames", "1025-1035") == 8
    assert "frames 1031-1035 outside" in capsys.readouterr().err


def test_list_is_a_small_table(shot: Path, capsys: pytest.CaptureFixture) -> None:
    assert run("list", shot) == 0
    lines = capsys.readouterr().out.splitlines()
    assert "30 cameras, 24 frames a second, unit 0.01 m" in lines[0]
    assert len(lines) == 23
    assert "k1=0.1" in lines[2]
    assert "--all" in lines[12]
    assert run("list", shot, "--all") == 0
    assert len(capsys.readouterr().out.splitlines()) == 32


def test_paths_are_made(shot: Path, tmp_path: Path) -> None:
    assert run("path", "orbit", "--out", tmp_path / "o.chan", "--radius", 3, "--frames", "1-20") == 0
    track = read_cameras(tmp_path / "o.chan")
    assert track.frames == tuple(range(1, 21))
    assert (track.at(1).width, track.fps) == (1920, 24.0)
    assert run("path", "orbit", "--out", tmp_path / "l.cameras.json", "--radius", 3, "--like", shot) == 0
    assert read_cameras(tmp_path / "l.cameras.json").at(1001).lens["k1"] == 0.1
    made = tmp_path / "s.cameras.json"
    assert run("path", "spline", shot, "--out", made, "--keys", "1001,1010,1020", "--frames", "1-21") == 0
    np.testing.assert_allclose(read_cameras(made).at(11).position, read_cameras(shot).at(1010).position)
    assert read_cameras(made).metres_per_unit == 0.01
    assert run("path", "dolly", shot, "--out", made, "--distance", 1, "--keep", 4, "--frames", "1-5") == 0
    assert read_cameras(made).at(5).fx < read_cameras(made).at(1).fx
    assert run("path", "hold", shot, "--out", made, "--frame", 1007, "--frames", "1-3") == 0
    np.testing.assert_allclose(read_cameras(made).at(3).position, read_cameras(shot).at(1007).position)
    assert run("path", "spline", shot, "--out", made, "--keys", "1,2") == 8


def test_stereo_makes_two_files(shot: Path, tmp_path: Path) -> None:
    left, right = tmp_path / "left.nk", tmp_path / "right.nk"
    assert run("stereo", shot, left, right, "--interaxial", 0.1, "--convergence", 4) == 0
    eyes = read_cameras(left), read_cameras(right)
    np.testing.assert_allclose(
        [eye.at(1001).project([[0, 0, 0]])[0][0] for eye in eyes], [[320, 240]] * 2, atol=1e-6
    )


def test_formats_lists_all(capsys: pytest.CaptureFixture) -> None:
    assert run("formats") == 0
    assert "realestate10k" in capsys.readouterr().out


def test_a_size_that_is_not_stated_is_asked_for(tmp_path: Path, capsys: pytest.CaptureFixture) -> None:
    (tmp_path / "a.chan").write_text("1 0 0 0 0 0 0 40\n")
    assert run("list", tmp_path / "a.chan") == 8
    assert "give --size WIDTH HEIGHT" in capsys.readouterr().err
    assert run("list", tmp_path / "a.chan", "--size", 640, 480) == 0
    write_cameras(
        CameraTrack({1: Camera.from_fov(64, 48, 40, look_at((1, 1, 1), (0, 0, 0)))}), tmp_path / "m"
    )
    assert run("convert", tmp_path / "m", tmp_path / "p.npy") == 8
    assert "give --near-far" in capsys.readouterr().err
    assert run("convert", tmp_path / "m", tmp_path / "p.npy", "--near-far", 1, 5) == 0


def test_a_drawing_says_how_it_was_made(shot: Path, capsys: pytest.CaptureFixture) -> None:
    from dreamplate.plate import read
    from dreamplate.take import read_provenance

    picture = shot.with_name("plan.png")
    assert run("draw", shot, shot, "--out", picture) == 0
    assert "60 cameras of 2 files" in capsys.readouterr().out
    made = read_provenance(picture)
    assert made["kind"] == "cameras draw"
    assert made["sources"][0]["path"] == str(shot)
    pixels = read(picture).pixels
    assert pixels.shape[:2] == (480, 960)
    assert (pixels.max(axis=2) > 0.5).mean() > 0.005
