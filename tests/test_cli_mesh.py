"""``dreamplate mesh``, from its flags to its files."""

from __future__ import annotations

import sys
from types import ModuleType, SimpleNamespace

import numpy as np
import pytest
import torch

pytest.importorskip("numba", reason="needs the fields extra")
trimesh = pytest.importorskip("trimesh", reason="needs the fields extra")

from dreamplate.cli import main  # noqa: E402
from dreamplate.fields.rays import camera_rays  # noqa: E402
from dreamplate.plate.camera import Camera, look_at  # noqa: E402


class Ball:
    def density(self, points):
        return 100 * torch.sigmoid((1 - points.norm(dim=1)) / 0.05)

    def colour(self, points, directions):
        return 0.5 + 0.3 * points

    def box(self):
        return torch.tensor([[-1.3] * 3, [1.3] * 3])


@pytest.fixture(autouse=True)
def fit(monkeypatch) -> None:
    """A take that holds a ball."""
    camera = Camera.from_fov(40, 40, 50, look_at((3.5, 0, 0.5), (0, 0, 0)))
    fitted = SimpleNamespace(
        method=Ball(),
        encoding="srgb_display",
        cameras=(camera, camera),
        splits=("train", "test"),
        config=SimpleNamespace(train_on=("train",)),
        about=SimpleNamespace(up=(0.0, 0.0, 1.0)),
        rays=camera_rays,
    )
    module = ModuleType("dreamplate.fields.load")
    module.load_fit = lambda take, device: fitted
    monkeypatch.setitem(sys.modules, "dreamplate.fields.load", module)


def run(*words: object) -> int:
    return main(["mesh", "take", "--resolution", "24", "--memory", "256MiB", *map(str, words)])


def test_it_writes_a_mesh_and_says_what_it_is(tmp_path, capsys) -> None:
    assert run("--out", tmp_path / "m.glb", "--level", "50", "--faces", "800") == 0
    said = capsys.readouterr().out
    assert "faces\nbounds" in said and "world units" in said and "level 50 per world unit" in said
    assert "watertight" in said and "1 pieces kept, 0 dropped" in said and str(tmp_path / "m.glb") in said
    (mesh,) = trimesh.load(tmp_path / "m.glb", process=False).geometry.values()
    assert np.abs(np.linalg.norm(mesh.vertices, axis=1) - 1).max() < 0.05


def test_it_bakes_a_texture(tmp_path) -> None:
    assert run("--out", tmp_path / "m.obj", "--texture", "64", "--faces", "400", "--quiet") == 0
    assert {path.name for path in tmp_path.iterdir()} == {"m.obj", "m.mtl", "m.png"}


def test_it_writes_points_and_splats(tmp_path, capsys) -> None:
    assert run("--out", tmp_path / "p.ply", "--points", "300") == 0
    assert "300 points" in capsys.readouterr().out
    assert len(trimesh.load(tmp_path / "p.ply").vertices) == 300
    assert run("--out", tmp_path / "s.ply", "--splats", "200") == 0
    assert b"property float f_dc_0" in (tmp_path / "s.ply").read_bytes()


def test_a_preview_says_how_it_was_made(tmp_path, capsys) -> None:
    from dreamplate.fields.config import FitConfig
    from dreamplate.take import Take, read_provenance

    Take.create(tmp_path / "t", "fit", FitConfig(scene=tmp_path))
    words = ["--out", tmp_path / "m.ply", "--preview", tmp_path / "m.png", "--resolution", "16", "--quiet"]
    assert main(["mesh", str(tmp_path / "t"), *map(str, words)]) == 0
    made = read_provenance(tmp_path / "m.png")
    assert (made["kind"], made["config"]["resolution"]) == ("mesh", 16)
    # Redo is for jobs; it must not do the fit again, of which this is no picture.
    capsys.readouterr()
    assert main(["redo", str(tmp_path / "m.png"), "--take", str(tmp_path / "again")]) == 4
    said = capsys.readouterr().err
    assert "was made by `dreamplate mesh`" in said and said.count("\n") == 1
    assert not (tmp_path / "again").exists()
    assert main(["info", str(tmp_path / "m.png")]) == 0
    assert "dreamplate mesh" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("words", "code", "message"),
    [
        (["--out", "m.xyz"], 8, ".xyz is no mesh format"),
        (["--out", "no/where/m.obj"], 8, "does not exist"),
        (["--level", "lots"], 2, "write auto, or a density"),
        (["--level", "1e9"], 8, "try --level"),
        (["--resolution", "4096"], 2, "resolution is 4096: needs"),
        (["--from", "depth", "--level", "5"], 2, "fused depth has no level"),
        (["--box", "0", "0", "0", "1", "0", "1"], 8, "need a finite lowest"),
        (["--keep", "2"], 2, "keep"),
    ],
)
def test_wrong_words_are_one_line(tmp_path, monkeypatch, capsys, words, code, message) -> None:
    monkeypatch.chdir(tmp_path)
    assert run(*words) == code
    said = capsys.readouterr().err
    assert message in said and said.count("\n") == 1
    assert list(tmp_path.iterdir()) == []
