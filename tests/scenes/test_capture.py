"""Captures of a place whose truth is known, and of photographs that cannot be captured."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import OpenImageIO as oiio
import pytest
from corner import cameras, paintings, photograph, write_photographs

from dreamplate.cli import main
from dreamplate.errors import ConfigError, SceneError
from dreamplate.plate import Camera, Plate, VideoWriter, read, write
from dreamplate.scenes.capture import Captured, capture
from dreamplate.scenes.capture_config import CaptureConfig
from dreamplate.scenes.capture_world import align
from dreamplate.scenes.read import check_scene, read_scene

pytest.importorskip("pycolmap")


@pytest.fixture(scope="module")
def photos(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Five photographs of the corner."""
    folder = tmp_path_factory.mktemp("photos")
    write_photographs(folder, cameras())
    return folder


@pytest.fixture(scope="module")
def whole(photos: Path, tmp_path_factory: pytest.TempPathFactory) -> Captured:
    """What a capture of them gives."""
    return capture(CaptureConfig(photos, tmp_path_factory.mktemp("whole") / "scene"))


def misses(made: Captured, truth: list[Camera]) -> np.ndarray:
    """Distances of camera centres from the truth after alignment, as shares of the true extent."""
    order = [int(view.name.split("_")[1][0]) for view in made.scene.views]
    found = np.stack([view.camera.position for view in made.scene.views])
    true = np.stack([truth[number].position for number in order])
    scale, rotation, shift = align(found, true)
    extent = max(np.linalg.norm(a - b) for a in true for b in true)
    return np.linalg.norm(scale * found @ rotation.T + shift - true, axis=1) / extent


def test_cameras_are_where_they_were(whole: Captured) -> None:
    assert whole.report["placed"] == 5
    assert misses(whole, cameras()).max() < 0.003


def test_the_world_is_turned_upright_and_nothing_else(whole: Captured) -> None:
    ups = np.stack([view.camera.camera_to_world[:3, 1] for view in whole.scene.views])
    true = np.stack([camera.camera_to_world[:3, 1] for camera in cameras()])
    assert np.abs(ups[:, 2] - true[:, 2]).max() < 0.02
    moved = json.loads(whole.scene.notes["world"].removeprefix("moved by "))
    matrix = np.array(moved)
    assert np.abs(matrix[:, :3] @ matrix[:, :3].T - np.eye(3)).max() < 1e-9
    assert not matrix[:, 3].any()


def test_every_file_of_the_scene_says_the_same(whole: Captured) -> None:
    folder = whole.scene.path
    check_scene(whole.scene)
    points = whole.scene.points
    assert points is not None and len(points.positions) > 100
    for place, kind in ((folder, "dreamplate"), (folder, "transforms"), (folder / "sparse" / "0", "colmap")):
        other = {view.image.name: view for view in read_scene(place, kind=kind).views}
        assert len(other) == 5
        for view in whole.scene.views:
            pixels = view.camera.project(points.positions)[0]
            again = other[view.image.name].camera.project(points.positions)[0]
            seen = np.isfinite(pixels).all(axis=1)
            assert np.abs(pixels - again)[seen].max() < 1e-6
    assert read_scene(folder).split("test") == () or len(read_scene(folder).split("test")) == 1


def test_photographs_are_copied_byte_for_byte(whole: Captured, photos: Path) -> None:
    for view in whole.scene.views:
        assert view.image.read_bytes() == (photos / view.name).read_bytes()


def test_one_thread_gives_the_same_bits(photos: Path, tmp_path: Path) -> None:
    for name in ("a", "b"):
        capture(CaptureConfig(photos, tmp_path / name, threads=1, max_features=600))
    for file in ("scene.json", "points.ply", "sparse/0/images.bin"):
        assert (tmp_path / "a" / file).read_bytes() == (tmp_path / "b" / file).read_bytes()


def test_linear_originals_are_kept_and_seen_at_their_own_exposure(tmp_path: Path) -> None:
    write_photographs(tmp_path / "photos", cameras(), ".exr", gain=1e-3)
    spoilt = tmp_path / "photos" / "view_2.exr"
    plate = read(spoilt)
    pixels = plate.pixels.copy()
    pixels[10, 10], pixels[20, 20] = np.inf, np.nan
    write(plate.with_(pixels=pixels), spoilt)
    made = capture(CaptureConfig(tmp_path / "photos", tmp_path / "scene"))
    assert made.report["placed"] == 5
    assert misses(made, cameras()).max() < 0.003
    assert any("view_2.exr: 2 pixels are NaN or infinite" in text for text in made.report["notices"])
    assert all(view.image.suffix == ".exr" for view in made.scene.views)
    assert made.scene.views[2].image.read_bytes() == spoilt.read_bytes()


def test_turned_photographs_and_mixed_sizes_share_one_scene(tmp_path: Path) -> None:
    truth = cameras()
    # One held sideways, with the Exif entry that says so; one of another size.
    roll = np.eye(4)
    roll[:2, :2] = [[0, -1], [1, 0]]
    truth[1] = replace(
        truth[1].placed(truth[1].camera_to_world @ roll @ roll.T), width=270, height=360, cx=135.0, cy=180.0
    )
    truth[3] = truth[3].resized(300, 225)
    write_photographs(tmp_path / "photos", truth)
    (tmp_path / "photos" / "view_1.png").unlink()
    upright = Plate.from_rgb(photograph(truth[1], paintings()), "scene_linear")
    write_turned(upright, tmp_path / "photos" / "view_1.jpg")
    made = capture(CaptureConfig(tmp_path / "photos", tmp_path / "scene"))
    assert made.report["placed"] == 5
    assert misses(made, truth).max() < 0.006
    assert len(made.report["cameras"]) == 3
    view = next(view for view in made.scene.views if view.name.startswith("view_1"))
    assert (view.camera.width, view.camera.height) == (270, 360)
    kept = read(view.image)
    assert view.image.suffix == ".png" and (kept.width, kept.height) == (270, 360)
    assert np.array_equal(kept.pixels, read(tmp_path / "photos" / "view_1.jpg").pixels)


def write_turned(plate: Plate, path: Path) -> None:
    """Write a JPEG whose pixels lie on their side, with the Exif orientation (6) that turns them upright."""
    from dreamplate.plate import convert

    shown = np.clip(convert(plate, "srgb_display").pixels, 0, 1)
    sideways = np.ascontiguousarray(np.rot90(shown))
    spec = oiio.ImageSpec(sideways.shape[1], sideways.shape[0], 3, "uint8")
    spec.attribute("Orientation", 6)
    spec.attribute("Compression", "jpeg:98")
    out = oiio.ImageOutput.create(str(path))
    out.open(str(path), spec)
    out.write_image(np.rint(sideways * 255).astype(np.uint8))
    out.close()
    assert read(path).width == plate.width


def test_a_stranger_is_left_out_with_a_reason(photos: Path, tmp_path: Path) -> None:
    folder = tmp_path / "photos"
    folder.mkdir()
    for path in photos.iterdir():
        (folder / path.name).write_bytes(path.read_bytes())
    noise = np.random.default_rng(1).random((135, 180, 3)).astype(np.float32)
    noise = noise.repeat(2, axis=0).repeat(2, axis=1)
    write(Plate.from_rgb(noise, "srgb_display"), folder / "stranger.png")
    write(Plate.from_rgb(np.full((270, 360, 3), 0.5, np.float32), "srgb_display"), folder / "wall.png")
    (folder / "broken.png").write_bytes(b"no picture")
    made = capture(CaptureConfig(folder, tmp_path / "scene"))
    assert made.report["placed"] == 5
    assert made.report["left_out"]["stranger.png"].startswith("no matches")
    assert made.report["left_out"]["wall.png"].startswith("too few features")
    assert any("broken.png" in text for text in made.report["notices"])
    assert not (made.scene.path / "images" / "stranger.png").exists()


def test_photographs_without_a_match_are_named(tmp_path: Path) -> None:
    (tmp_path / "photos").mkdir()
    random = np.random.default_rng(2)
    for name in ("one.png", "two.png"):
        noise = random.random((90, 120, 3)).astype(np.float32).repeat(2, axis=0).repeat(2, axis=1)
        write(Plate.from_rgb(noise, "srgb_display"), tmp_path / "photos" / name)
    with pytest.raises(SceneError, match=r"no two photographs match: one.png \(\d+ features\), two.png"):
        capture(CaptureConfig(tmp_path / "photos", tmp_path / "scene"))
    assert [path.name for path in tmp_path.iterdir()] == ["photos"]


def test_a_camera_that_only_turns_is_an_error(tmp_path: Path) -> None:
    still = cameras()[2]
    write_photographs(tmp_path / "photos", [still, still])
    with pytest.raises(SceneError, match="move the camera sideways"):
        capture(CaptureConfig(tmp_path / "photos", tmp_path / "scene"))


def test_one_photograph_is_an_error(tmp_path: Path, photos: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "photos").mkdir()
    (tmp_path / "photos" / "alone.png").write_bytes((photos / "view_0.png").read_bytes())
    assert main(["capture", str(tmp_path / "photos"), "--out", str(tmp_path / "scene")]) == 8
    said = capsys.readouterr().err
    assert "one photograph (alone.png)" in said and said.count("\n") == 1
    (tmp_path / "photos" / "alone.png").unlink()
    with pytest.raises(SceneError, match="no photographs"):
        capture(CaptureConfig(tmp_path / "photos", tmp_path / "scene"))


def test_folders_are_not_overwritten_or_nested(photos: Path, tmp_path: Path) -> None:
    (tmp_path / "kept.txt").write_text("mine")
    with pytest.raises(SceneError, match="not empty"):
        capture(CaptureConfig(photos, tmp_path))
    with pytest.raises(SceneError, match="inside each other"):
        capture(CaptureConfig(photos, photos / "scene"))
    with pytest.raises(SceneError, match="inside each other"):
        capture(CaptureConfig(photos, photos.parent, overwrite=True))
    assert (tmp_path / "kept.txt").read_text() == "mine"


def test_a_stop_leaves_nothing_behind(photos: Path, tmp_path: Path) -> None:
    def stop(text: str) -> None:
        if text.startswith("matches"):
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        capture(CaptureConfig(photos, tmp_path / "scene"), stop)
    assert list(tmp_path.iterdir()) == []


def test_overwrite_replaces_and_masks_and_undistortion_agree(tmp_path: Path) -> None:
    truth = cameras(k1=-0.12)
    write_photographs(tmp_path / "photos", truth)
    masks = tmp_path / "masks"
    masks.mkdir()
    keep = np.ones((270, 360), np.float32)
    keep[:, :60] = 0
    for number in range(5):
        write(Plate.from_rgb(keep, "raw"), masks / f"view_{number}.png")
    out = tmp_path / "scene"
    out.mkdir()
    (out / "old.txt").write_text("old")
    config = CaptureConfig(
        tmp_path / "photos", out, masks=masks, undistort=True, overwrite=True, camera_model="simple_radial"
    )
    made = capture(config)
    assert made.report["placed"] == 5 and not (out / "old.txt").exists()
    assert made.report["cameras"][0]["params"][3] == pytest.approx(-0.12, abs=0.02)
    assert misses(made, truth).max() < 0.006
    for view in made.scene.views:
        assert view.camera.lens.ideal and view.mask is not None and view.mask.meaning == "ignore"
    colmap = read_scene(out / "sparse" / "0")
    assert all(view.camera.lens.ideal for view in colmap.views)


def test_a_mask_of_another_size_is_an_error(photos: Path, tmp_path: Path) -> None:
    write(Plate.from_rgb(np.ones((9, 12), np.float32), "raw"), tmp_path / "view_0.png")
    with pytest.raises(SceneError, match=r"this mask is 12 x 9, its photograph view_0.png is 360 x 270"):
        capture(CaptureConfig(photos, tmp_path / "scene", masks=tmp_path))


def test_scale_and_gps_give_units(photos: Path, tmp_path: Path) -> None:
    truth = cameras()
    length = float(np.linalg.norm(truth[0].position - truth[4].position))
    made = capture(CaptureConfig(photos, tmp_path / "a", scale=("view_0.png", "view_4.png", length)))
    found = [view.camera.position for view in made.scene.views]
    assert np.linalg.norm(found[0] - found[4]) == pytest.approx(length, rel=1e-9)
    assert np.linalg.norm(found[1] - found[3]) == pytest.approx(
        np.linalg.norm(truth[1].position - truth[3].position), rel=5e-3
    )
    # Metres north and east of a place on the equator are degrees times the ellipsoid's two radii there.
    places = {
        f"view_{number}.png": {
            "lat": float(np.degrees(camera.position[1] / 6335439.327)),
            "lon": float(np.degrees(camera.position[0] / 6378137.0)),
            "alt": float(camera.position[2]),
        }
        for number, camera in enumerate(truth)
    }
    (tmp_path / "gps.json").write_text(json.dumps(places))
    made = capture(CaptureConfig(photos, tmp_path / "b", gps=str(tmp_path / "gps.json")))
    found = np.stack([view.camera.position for view in made.scene.views])
    true = np.stack([camera.position for camera in truth])
    assert np.abs((found - found.mean(axis=0)) - (true - true.mean(axis=0))).max() < 0.02
    assert "origin" in made.scene.notes
    with pytest.raises(SceneError, match="0 photographs have a place"):
        capture(CaptureConfig(photos, tmp_path / "c", gps="exif"))


def test_the_global_mapper_finds_the_same(photos: Path, tmp_path: Path) -> None:
    made = capture(CaptureConfig(photos, tmp_path / "scene", mapper="global", focal=342.0, link=True))
    assert made.report["placed"] == 5
    assert misses(made, cameras()).max() < 0.01
    assert all(view.image.is_symlink() for view in made.scene.views)


def test_a_video_gives_its_sharp_frames(tmp_path: Path) -> None:
    walls = paintings()
    with VideoWriter(tmp_path / "move.mp4", fps=24) as film:
        for camera in cameras(5, 320, 240):
            plate = Plate.from_rgb(photograph(camera, walls), "scene_linear")
            blurred = plate.with_(pixels=(plate.pixels + np.roll(plate.pixels, 4, 1)) / 2)
            for shown in (blurred, plate, blurred):
                film.write(shown)
    made = capture(CaptureConfig(tmp_path / "move.mp4", tmp_path / "scene", frames=5))
    assert made.report["placed"] == 5
    assert [view.name for view in made.scene.views] == [f"frame_{3 * n + 1:06d}.png" for n in range(5)]


def test_options_out_of_bounds_are_refused() -> None:
    from dreamplate.take import check

    with pytest.raises(ConfigError, match="max_features"):
        check(CaptureConfig(Path("a"), Path("b"), max_features=1), source="test")
