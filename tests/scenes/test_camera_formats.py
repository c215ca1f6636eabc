"""Camera files: what each convention can hold survives it, and what it cannot is said."""

from __future__ import annotations

import json
import math
import sys
from pathlib import Path

import numpy as np
import pytest
from tracks import corners_moved, moving, plain

from dreamplate.errors import MissingExtraError, SceneError
from dreamplate.plate import Camera, Lens
from dreamplate.scenes import CAMERA_FORMATS, CameraTrack, Scene, View, read_cameras, write_cameras
from dreamplate.scenes.camera_formats import fitted, format_of, losses
from dreamplate.scenes.camera_properties import PROPERTIES
from dreamplate.scenes.scene_file import write_scene

NAMES = {
    "cameras": "shot.cameras.json",
    "transforms": "transforms.json",
    "colmap": "model",
    "colmap-text": "model",
    "llff": "poses_bounds.npy",
    "usd": "shot.usda",
    "chan": "shot.chan",
    "nuke": "shot.nk",
    "gltf": "shot.glb",
    "realestate10k": "shot.txt",
}
BENT = Lens("perspective", {"k1": 0.05, "k2": -0.02, "p1": 0.001, "p2": -0.0005})


def held(kind: str) -> CameraTrack:
    """A track with everything that a format can hold."""
    keeps = CAMERA_FORMATS[kind].keeps

    def dress(frame: int, camera: Camera) -> Camera:
        changes: dict[str, object] = {"fx": camera.fx * (1 + 0.01 * (frame % 1000))}
        changes["fy"] = changes["fx"]
        if "aspect" in keeps:
            changes["fy"] = camera.fy * (1.05 + 0.002 * (frame % 1000))
        if "centre" in keeps:
            changes |= {"cx": 333.25 + frame % 7, "cy": 221.5 - frame % 5}
        if "lens" in keeps:
            changes["lens"] = BENT
        if "film" in keeps:
            changes["film_width"] = 24.0
        if "films" in keeps:
            changes["film_width"] = 24.0 + frame % 3
        if "shutter" in keeps:
            end = camera.camera_to_world.copy()
            end[:3, 3] += 0.1
            changes["end"] = end
        if "rolling" in keeps:
            changes["rolling_shutter"] = (0.0, 0.0, 0.8, 0.2)
        if "time" in keeps:
            changes["time"] = frame / 24
        if "names" in keeps:
            changes["name"] = f"images/shot.{frame:04d}.png"
        changed = camera.with_(**changes)
        return changed.resized(320, 240) if "sizes" in keeps and frame % 2 else changed

    track = moving(first=1001 if keeps & {"numbers", "named_numbers"} == {"numbers", "named_numbers"} else 1)
    track = CameraTrack({frame: dress(frame, camera) for frame, camera in track.cameras.items()})
    about = {"fps": 25.0, "name": "shot_A", "units": 0.01, "up": "z", "near_far": (1.5, 12.0)}
    fields = {"units": "metres_per_unit"}
    track = track.with_(**{fields.get(key, key): value for key, value in about.items() if key in keeps})
    return track.with_(near_far=(1.5, 12.0)) if kind == "llff" else track


@pytest.mark.parametrize("kind", list(NAMES))
def test_a_round_trip_moves_corners_by_less_than_a_hundredth_of_a_pixel(kind: str, tmp_path: Path) -> None:
    track = held(kind)
    assert losses(track, kind) == []
    place = tmp_path / NAMES[kind]
    assert write_cameras(track, place, kind=kind) == []
    back = read_cameras(place)
    assert back.frames == track.frames
    assert corners_moved(track, back) < 0.01
    keeps = CAMERA_FORMATS[kind].keeps
    for key, field in (
        ("fps", "fps"),
        ("name", "name"),
        ("units", "metres_per_unit"),
        ("up", "up"),
        ("near_far", "near_far"),
    ):
        if key in keeps:
            assert getattr(back, field) == getattr(track, field)
    for frame, camera in back.cameras.items():
        wanted = track.at(frame)
        assert (camera.width, camera.height) == (wanted.width, wanted.height)
        if "film" in keeps:
            assert camera.film_width == pytest.approx(wanted.film_width, rel=1e-6)
        if "names" in keeps:
            assert camera.name == wanted.name
        if "time" in keeps:
            assert camera.time == wanted.time
            assert camera.rolling_shutter == wanted.rolling_shutter
        if "shutter" in keeps:
            np.testing.assert_array_equal(camera.end, wanted.end)


@pytest.mark.parametrize("kind", list(NAMES))
def test_any_track_arrives_as_what_the_format_holds_of_it(kind: str, tmp_path: Path) -> None:
    track = held("transforms").map(lambda camera: camera.with_(end=None))
    write_cameras(track, tmp_path / NAMES[kind], kind=kind)
    back = read_cameras(tmp_path / NAMES[kind])
    assert corners_moved(fitted(track, kind), back) < 0.01
    again = read_cameras(tmp_path / NAMES[kind], kind=kind)
    assert corners_moved(back, again) == 0


@pytest.mark.parametrize("kind", list(NAMES))
def test_a_still_camera_stays_one(kind: str, tmp_path: Path) -> None:
    track = CameraTrack({7: plain()}, near_far=(1.0, 9.0))
    write_cameras(track, tmp_path / NAMES[kind], kind=kind)
    back = read_cameras(tmp_path / NAMES[kind])
    assert back.still
    assert corners_moved(track, back) < 0.01
    assert back.frames == ((1,) if kind == "llff" else (7,))


def test_our_own_file_is_exact(tmp_path: Path) -> None:
    for kind in ("cameras", "transforms"):
        track = held(kind)
        write_cameras(track, tmp_path / NAMES[kind])
        back = read_cameras(tmp_path / NAMES[kind])
        for frame, camera in track.cameras.items():
            np.testing.assert_array_equal(back.at(frame).camera_to_world, camera.camera_to_world)
            assert back.at(frame).lens == camera.lens
            assert (back.at(frame).fx, back.at(frame).cy) == (camera.fx, camera.cy)


@pytest.mark.parametrize("kind", ["cameras", "transforms", "colmap", "colmap-text", "gltf"])
@pytest.mark.parametrize(
    "lens",
    [
        Lens("perspective", {"k1": 0.1, "k4": 0.05, "k6": 0.01}),
        Lens("fisheye"),
        Lens("fisheye", {"k1": 0.1, "k4": 0.001}),
        Lens("fisheye", {"k1": 0.1, "p1": 0.002, "sx1": 0.003}),
        Lens("fov", {"omega": 0.8}),
    ],
    ids=lambda lens: f"{lens.kind}-{len(lens.coefficients)}",
)
def test_lenses_survive(kind: str, lens: Lens, tmp_path: Path) -> None:
    track = moving().map(lambda camera: camera.with_(lens=lens))
    write_cameras(track, tmp_path / NAMES[kind], kind=kind)
    back = read_cameras(tmp_path / NAMES[kind])
    assert corners_moved(track, back) < 0.01
    assert all(camera.lens.kind == lens.kind for camera in back.cameras.values())


def test_the_whole_sphere_survives(tmp_path: Path) -> None:
    sphere = Camera(
        512, 256, 512 / math.tau, 256 / math.pi, 256, 128, plain().camera_to_world, Lens("equirectangular")
    )
    for kind in ("cameras", "transforms", "colmap", "gltf"):
        track = CameraTrack({1: sphere})
        write_cameras(track, tmp_path / NAMES[kind], kind=kind)
        assert corners_moved(track, read_cameras(tmp_path / NAMES[kind])) < 0.01
    with pytest.raises(SceneError, match="sees a part"):
        write_cameras(CameraTrack({1: sphere.with_(cx=200.0)}), tmp_path / "part")


@pytest.mark.parametrize("kind", ["llff", "usd", "chan", "nuke", "realestate10k"])
def test_a_fisheye_is_no_pinhole(kind: str, tmp_path: Path) -> None:
    track = moving().map(lambda camera: camera.with_(lens=Lens("fisheye"))).with_(near_far=(1.0, 2.0))
    with pytest.raises(SceneError, match="cannot hold a fisheye lens; undistort"):
        write_cameras(track, tmp_path / NAMES[kind], kind=kind)


def test_every_loss_is_named() -> None:
    full = held("cameras")
    for kind, about in CAMERA_FORMATS.items():
        said = losses(full, kind)
        assert ("lens distortion: it becomes a pinhole" in said) == ("lens" not in about.keeps)
        assert ("motion while the shutter is open" in said) == ("shutter" not in about.keeps)
        assert len(set(said)) == len(said)
    assert set().union(*(about.keeps for about in CAMERA_FORMATS.values())) == set(PROPERTIES)


@pytest.mark.parametrize("kind", ["usd", "nuke", "gltf"])
def test_frames_left_out_lie_between_their_neighbours(kind: str, tmp_path: Path) -> None:
    track = moving().slice((1, 3, 4, 8))
    assert "frames left out: other programs make them up" in losses(track, kind)
    write_cameras(track, tmp_path / NAMES[kind])
    back = read_cameras(tmp_path / NAMES[kind])
    assert back.frames == tuple(range(1, 9))
    assert corners_moved(track, back.slice(track.frames)) < 0.01
    middle = (track.at(4).position + track.at(8).position) / 2
    np.testing.assert_allclose(back.at(6).position, middle, atol=1e-5)


def test_formats_are_told_by_what_is_in_them(tmp_path: Path) -> None:
    for kind, name in NAMES.items():
        folder = tmp_path / kind
        folder.mkdir()
        write_cameras(moving().with_(near_far=(1.0, 2.0)), folder / name, kind=kind)
        assert format_of(folder / name).removesuffix("-text") == kind.removesuffix("-text")
    assert format_of(tmp_path / "llff") == "llff"
    assert read_cameras(tmp_path / "colmap" / "model" / "images.bin").frames == moving().frames


def test_what_is_in_no_known_convention_names_those_that_are(tmp_path: Path) -> None:
    odd = tmp_path / "poses.json"
    odd.write_text(json.dumps({"cameras": []}))
    for path in (odd, tmp_path):
        with pytest.raises(
            SceneError, match=r"no known camera convention; .*transforms, scene, colmap.*realestate10k"
        ):
            read_cameras(path)
    with pytest.raises(SceneError, match="--to: cameras, transforms"):
        write_cameras(moving(), tmp_path / "shot.fbx")
    with pytest.raises(SceneError, match="no camera convention 'fbx'; known: cameras"):
        read_cameras(odd, kind="fbx")
    with pytest.raises(SceneError, match="is not there"):
        read_cameras(tmp_path / "nothing.nk")


@pytest.mark.parametrize("kind", ["chan", "realestate10k"])
def test_a_size_that_is_not_stated_must_be_given(kind: str, tmp_path: Path) -> None:
    place = tmp_path / NAMES[kind]
    write_cameras(moving(), place)
    lines = place.read_text().splitlines()[1:]
    place.write_text("\n".join(["http://video", *lines] if kind == "realestate10k" else lines))
    with pytest.raises(SceneError, match="no picture size; give --size"):
        read_cameras(place)
    given = read_cameras(place, size=(640, 480))
    # The numbering is lost with the head of a list, not the cameras.
    assert corners_moved(moving(), given.with_(cameras=dict(enumerate(given.cameras.values(), 1)))) < 0.01


def test_a_stated_size_is_changed_only_in_scale(tmp_path: Path) -> None:
    small = moving().map(lambda camera: camera.resized(320, 240))
    for kind, name in NAMES.items():
        place = tmp_path / f"{kind}_{name}"
        write_cameras(moving().with_(near_far=(1.0, 2.0)), place, kind=kind)
        assert corners_moved(small, read_cameras(place, kind=kind, size=(320, 240))) < 0.01
        with pytest.raises(SceneError, match="another shape"):
            read_cameras(place, kind=kind, size=(320, 320))


@pytest.mark.parametrize("kind", [kind for kind in NAMES if kind != "usd"])
def test_damaged_files_are_one_line(kind: str, tmp_path: Path) -> None:
    place = tmp_path / NAMES[kind]
    write_cameras(moving().with_(near_far=(1.0, 2.0)), place, kind=kind)
    file = place / ("cameras.txt" if kind == "colmap-text" else "images.bin") if place.is_dir() else place
    whole = file.read_bytes()
    generator = np.random.default_rng(3)
    for trial in range(30):
        data = bytearray(whole[: int(generator.integers(0, len(whole)))] if trial % 2 else whole)
        for _ in range(trial % 3 and 3):
            if data:
                data[int(generator.integers(len(data)))] = int(generator.integers(256))
        file.write_bytes(bytes(data))
        try:
            read_cameras(place, kind=kind)
        except SceneError as error:
            assert str(error).startswith(str(tmp_path))
            assert len(str(error)) < 600


def test_cameras_of_a_scene_without_its_photographs(tmp_path: Path) -> None:
    track = moving().map(lambda camera: camera.with_(lens=BENT))
    named = {f: c.with_(name=f"shot.{f:04d}.png") for f, c in track.cameras.items()}
    views = tuple(View(c.name, c, tmp_path / c.name) for c in named.values())
    write_scene(Scene(tmp_path, "colmap", views, near_far=(1.0, 2.0)), tmp_path)
    back = read_cameras(tmp_path)
    assert format_of(tmp_path) == "scene"
    assert (back.frames, back.near_far) == (track.frames, (1.0, 2.0))
    assert corners_moved(track, back) == 0
    with pytest.raises(SceneError, match="only read here"):
        write_cameras(track, tmp_path / "scene.json", kind="scene")


def test_usd_without_its_package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pxr", None)
    (tmp_path / "a.usda").write_text("#usda 1.0")
    with pytest.raises(MissingExtraError, match=r'pip install "dreamplate\[usd\]"'):
        read_cameras(tmp_path / "a.usda")
    with pytest.raises(MissingExtraError):
        write_cameras(moving(), tmp_path / "b.usda")


def test_stages_that_are_none(tmp_path: Path) -> None:
    pytest.importorskip("pxr")
    (tmp_path / "a.usda").write_text("nothing of the kind")
    with pytest.raises(SceneError, match="USD cannot open it"):
        read_cameras(tmp_path / "a.usda")
    (tmp_path / "b.usda").write_text("#usda 1.0\n")
    with pytest.raises(SceneError, match="the stage has no camera"):
        read_cameras(tmp_path / "b.usda")
    with pytest.raises(SceneError, match=r"cannot write \.usdz"):
        write_cameras(moving(), tmp_path / "c.usdz")
