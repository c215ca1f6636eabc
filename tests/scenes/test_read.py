"""Scenes of every format: what is read is what was meant, and what is wrong is said in one line."""

from __future__ import annotations

import json
import os
import pickle
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from dreamplate.errors import SceneError
from dreamplate.plate import Camera, Lens, Plate, PlateReader, look_at, write
from dreamplate.scenes import CameraTrack, Mask, Points, Scene, View, check_scene, read_scene, write_scene
from dreamplate.scenes.colmap_format import write_colmap, write_colmap_text
from dreamplate.scenes.llff_format import write_llff
from dreamplate.scenes.read import KINDS, guess_kind
from dreamplate.scenes.realestate_format import write_realestate


def picture(path: Path, width: int = 8, height: int = 6, alpha: bool = False) -> None:
    """Write a small grey picture."""
    path.parent.mkdir(parents=True, exist_ok=True)
    write(Plate.from_rgb(np.full((height, width, 4 if alpha else 3), 0.5, np.float32), "srgb_display"), path)


def cameras(count: int, width: int = 8, height: int = 6) -> list[Camera]:
    """Cameras around the origin, each looking at it."""
    made = []
    for number in range(count):
        angle = 0.3 * number
        pose = look_at([3 * np.cos(angle), 3 * np.sin(angle), 1 + 0.1 * number], [0, 0, 0])
        made.append(Camera(width, height, 7.0, 7.0, width / 2, height / 2, pose, name=f"{number:03d}.png"))
    return made


def frames(count: int, **more: Any) -> list[dict[str, Any]]:
    """Frames of a transforms.json."""
    return [
        {
            "file_path": f"images/{number:03d}.png",
            "transform_matrix": camera.camera_to_world.tolist(),
            **more,
        }
        for number, camera in enumerate(cameras(count))
    ]


def transforms(folder: Path, entries: list[dict[str, Any]], **top: Any) -> Path:
    """Write a transforms.json, and a picture for each entry that names one."""
    for entry in entries:
        picture(folder / entry["file_path"])
    place = folder / "transforms.json"
    place.write_text(
        json.dumps({"fl_x": 7, "fl_y": 7, "cx": 4, "cy": 3, "w": 8, "h": 6, **top, "frames": entries})
    )
    return place


def test_every_kind_is_known_and_named() -> None:
    from dreamplate.scenes import read

    assert set(read._READERS) == set(KINDS)


def test_transforms_poses_are_left_as_they_are(tmp_path: Path) -> None:
    transforms(tmp_path, frames(9), scale=0.5, aabb_scale=4, applied_transform=[[1, 0, 0, 0]])
    scene = read_scene(tmp_path)
    assert scene.kind == "transforms" and [view.split for view in scene.views].count("test") == 2
    assert scene.views[0].split == scene.views[8].split == "test"
    for view, camera in zip(scene.views, cameras(9), strict=True):
        assert np.array_equal(view.camera.camera_to_world, camera.camera_to_world)
    assert scene.box is not None and np.allclose(scene.box, [[-4] * 3, [4] * 3])
    assert all(view.split == "train" for view in read_scene(tmp_path, holdout=0).views)


def test_masks_of_the_two_dialects_mean_opposites(tmp_path: Path) -> None:
    entries = frames(3)
    entries[0]["mask_path"] = "masks/0.png"
    transforms(tmp_path, entries)
    picture(tmp_path / "masks" / "0.png")
    picture(tmp_path / "images" / "dynamic_mask_001.png")
    first, second, third = read_scene(tmp_path).views
    assert first.mask == Mask(tmp_path / "masks" / "0.png", "dark", "ignore")
    assert second.mask == Mask(tmp_path / "images" / "dynamic_mask_001.png", "nonzero", "ignore")
    assert third.mask is None


def test_depth_is_in_world_units(tmp_path: Path) -> None:
    entries = frames(4)
    entries[0]["depth_file_path"] = "depth/0.png"
    entries[1]["depth_file_path"] = "depth/1.exr"
    entries[2]["depth_path"] = "depth/2.png"
    entries[3]["depth_path"] = "depth/3.png"
    transforms(tmp_path, entries, integer_depth_scale=0.25)
    for name in ("0.png", "1.exr", "2.png"):
        picture(tmp_path / "depth" / name)
    picture(tmp_path / "depth" / "3.png", 4, 3)
    scene = read_scene(tmp_path)
    assert [view.depth_scale for view in scene.views[:3]] == [1e-3, 1.0, 0.25]
    assert {view.depth_kind for view in scene.views} == {"z"}
    assert scene.views[3].depth is None
    assert "4 x 3, not 8 x 6" in scene.notes["depth"]


def test_file_paths_may_lack_their_extension(tmp_path: Path) -> None:
    transforms(tmp_path, frames(2))
    text = (tmp_path / "transforms.json").read_text().replace(".png", "")
    (tmp_path / "transforms.json").write_text(text)
    assert [view.image.name for view in read_scene(tmp_path).views] == ["000.png", "001.png"]


def test_missing_files_are_listed_and_the_rest_goes_on(tmp_path: Path) -> None:
    transforms(tmp_path, frames(5))
    for number in (1, 3):
        (tmp_path / "images" / f"{number:03d}.png").unlink()
    scene = read_scene(tmp_path)
    assert scene.missing == ("images/001.png", "images/003.png") and len(scene.views) == 3
    for view in scene.views:
        view.image.unlink()
    with pytest.raises(SceneError, match="none of its 5 views can be used; 5 photographs are missing"):
        read_scene(tmp_path)


def test_a_view_whose_mask_is_missing_is_left_out(tmp_path: Path) -> None:
    entries = frames(3)
    entries[1]["mask_path"] = "masks/gone.png"
    transforms(tmp_path, entries)
    scene = read_scene(tmp_path)
    assert scene.missing == ("masks/gone.png",) and len(scene.views) == 2


def test_a_pose_with_nan_leaves_its_view_out(tmp_path: Path) -> None:
    entries = frames(3)
    entries[1]["transform_matrix"][0][3] = float("nan")
    transforms(tmp_path, entries)
    scene = read_scene(tmp_path)
    assert [view.name for view in scene.views] == ["images/000.png", "images/002.png"]
    assert "NaN" in scene.notes["left out"] and "001" in scene.notes["left out"]


def test_a_mask_of_another_size_names_both(tmp_path: Path) -> None:
    entries = frames(2, mask_path="mask.png")
    transforms(tmp_path, entries)
    picture(tmp_path / "mask.png", 6, 8)
    with pytest.raises(SceneError, match=r"mask.png: this mask is 6 x 8, its photograph 000.png is 8 x 6"):
        read_scene(tmp_path)


def test_cameras_follow_the_size_of_the_photograph(tmp_path: Path) -> None:
    transforms(tmp_path, frames(2), w=16, h=12, fl_x=14, fl_y=14, cx=9, cy=6)
    camera = read_scene(tmp_path).views[0].camera
    assert (camera.width, camera.height, camera.fx, camera.cx, camera.cy) == (8, 6, 7, 4.5, 3)
    transforms(tmp_path, frames(2), w=16, h=16)
    with pytest.raises(SceneError, match="the camera is for 16 x 16, the photograph is 8 x 6"):
        read_scene(tmp_path)


def test_names_that_occur_twice_are_an_error(tmp_path: Path) -> None:
    transforms(tmp_path, [*frames(1), *frames(1)])
    with pytest.raises(SceneError, match="occur twice"):
        read_scene(tmp_path)


def test_named_splits_win(tmp_path: Path) -> None:
    transforms(
        tmp_path,
        frames(4),
        train_filenames=["images/001.png", "images/002.png"],
        test_filenames=["images/000.png"],
    )
    assert [view.split for view in read_scene(tmp_path).views] == ["test", "train", "train", "val"]


def blender(folder: Path, distance: float) -> None:
    """Write split files as the Blender scenes have them."""
    for split, count in (("train", 3), ("test", 2)):
        entries = []
        for number in range(count):
            picture(folder / split / f"r_{number}.png", 8, 8, alpha=True)
            pose = look_at(distance * np.array([np.cos(number), np.sin(number), 0]), [0, 0, 0])
            entries.append({"file_path": f"./{split}/r_{number}", "transform_matrix": pose.tolist()})
        data = {"camera_angle_x": 0.6911112070083618, "frames": entries}
        (folder / f"transforms_{split}.json").write_text(json.dumps(data))


def test_blender_scenes_are_over_white(tmp_path: Path) -> None:
    blender(tmp_path, 4.0311)
    scene = read_scene(tmp_path)
    assert scene.kind == "blender" and scene.background == (1.0, 1.0, 1.0)
    assert len(scene.split("train")) == 3 and len(scene.split("test")) == 2
    assert scene.near_far == (2.0, 6.0) and scene.box is not None
    assert scene.views[0].camera.fx == pytest.approx(4 / np.tan(0.6911112070083618 / 2))


def test_other_blender_scenes_have_no_bounds_made_up(tmp_path: Path) -> None:
    blender(tmp_path, 9.0)
    scene = read_scene(tmp_path)
    assert scene.near_far is None and scene.box is None


def llff(folder: Path, count: int, **sizes: tuple[int, int]) -> list[Camera]:
    """Write an LLFF scene whose cameras are for 32 x 24."""
    made = [
        replace(camera, camera_to_world=look_at([0.1 * number, 0, 5], [0, 0, 0], up=[0, 1, 0]))
        for number, camera in enumerate(cameras(count, 32, 24))
    ]
    write_llff(CameraTrack.of(made, near_far=(2.0, 9.0)), folder / "poses_bounds.npy")
    for name, (width, height) in sizes.items():
        for number in range(count):
            picture(folder / name / f"image{number:03d}.png", width, height)
    return made


def test_llff_takes_the_size_of_the_photographs(tmp_path: Path) -> None:
    made = llff(tmp_path, 9, images_4=(8, 6), images_8=(4, 3))
    scene = read_scene(tmp_path)
    assert scene.kind == "llff" and scene.forward_facing and scene.near_far == (2.0, 9.0)
    assert {view.image.parent.name for view in scene.views} == {"images_4"}
    assert [view.split for view in scene.views] == ["test", *["train"] * 7, "test"]
    for view, camera in zip(scene.views, made, strict=True):
        assert np.allclose(view.camera.camera_to_world, camera.camera_to_world, atol=1e-12)
        assert (view.camera.width, view.camera.fx) == (8, 7 / 4)
    assert read_scene(tmp_path, images="images_8").views[0].camera.width == 4


def test_llff_with_more_poses_than_photographs_is_an_error(tmp_path: Path) -> None:
    llff(tmp_path, 4, images=(8, 6))
    (tmp_path / "images" / "image002.png").unlink()
    with pytest.raises(SceneError, match=r"has 4 poses.*images has 3"):
        read_scene(tmp_path)


def test_arrays_that_hold_code_are_refused_unread(tmp_path: Path) -> None:
    class Bomb:
        def __reduce__(self) -> tuple[Any, ...]:
            return os.mkdir, (str(tmp_path / "ran"),)

    (tmp_path / "poses_bounds.npy").write_bytes(pickle.dumps(Bomb()))
    with pytest.raises(SceneError):
        read_scene(tmp_path)
    np.save(tmp_path / "poses_bounds.npy", np.array([Bomb()], dtype=object), allow_pickle=True)
    with pytest.raises(SceneError):
        read_scene(tmp_path)
    assert not (tmp_path / "ran").exists()


@pytest.mark.parametrize("writer", [write_colmap, write_colmap_text])
def test_colmap_models_find_their_photographs(tmp_path: Path, writer: Any) -> None:
    made = [camera.with_(lens=Lens("perspective", {"k1": 0.1})) for camera in cameras(9)]
    writer(CameraTrack.of(made[::-1]), tmp_path / "sparse" / "0")
    for camera in made:
        picture(tmp_path / "images" / camera.name)
        picture(tmp_path / "images_2" / camera.name, 4, 3)
    for path in (tmp_path, tmp_path / "sparse" / "0"):
        scene = read_scene(path)
        assert scene.kind == "colmap"
        assert [view.name for view in scene.views] == [camera.name for camera in made]
        assert scene.views[0].split == scene.views[8].split == "test"
        for view, camera in zip(scene.views, made, strict=True):
            assert np.allclose(view.camera.camera_to_world, camera.camera_to_world, atol=1e-12)
            assert view.camera.lens == camera.lens
        assert scene.up[2] > 0.9
    small = read_scene(tmp_path, images="images_2").views[0].camera
    assert (small.width, small.fx) == (4, 3.5)
    (tmp_path / "images" / "004.png").unlink()
    assert read_scene(tmp_path).missing == ("images/004.png",)


def test_a_colmap_model_without_photographs_says_where_to_put_them(tmp_path: Path) -> None:
    write_colmap(CameraTrack.of(cameras(2)), tmp_path / "sparse" / "0")
    with pytest.raises(SceneError, match=r"000\.png, which are not in"):
        read_scene(tmp_path)


def test_realestate_frames_are_found_by_timestamp(tmp_path: Path) -> None:
    made = [camera.with_(name="") for camera in cameras(3)]
    write_realestate(CameraTrack.of(made, fps=25), tmp_path / "clip.txt")
    lines = (tmp_path / "clip.txt").read_text().splitlines()
    (tmp_path / "clip.txt").write_text("\n".join(["https://video", *lines[1:]]))
    for number, line in enumerate(lines[1:]):
        picture(tmp_path / "clip" / f"{line.split()[0]}.png")
        if number == 1:
            (tmp_path / "clip" / f"{line.split()[0]}.png").unlink()
    scene = read_scene(tmp_path / "clip.txt", holdout=0)
    assert scene.kind == "realestate10k" and len(scene.views) == 2 and len(scene.missing) == 1
    assert np.allclose(scene.views[1].camera.camera_to_world, made[2].camera_to_world, atol=1e-9)
    assert scene.views[0].camera.fx == pytest.approx(7)


def whole_scene(folder: Path) -> Scene:
    """A scene that uses every field."""
    random = np.random.default_rng(0)
    views = []
    for number, camera in enumerate(cameras(3)):
        for kind in ("images", "masks", "depth"):
            picture(folder / kind / camera.name)
        views.append(
            View(
                camera.name,
                camera.with_(
                    lens=Lens("fisheye", {"k1": 0.1, "sx1": 1 / 3}),
                    end=camera.camera_to_world @ np.diag([1.0, 1, 1, 1]),
                    rolling_shutter=(0.0, 0.1, 0.9, 0.05),
                    time=number / 3,
                    film_width=24.9,
                ),
                folder / "images" / camera.name,
                split=("train", "val", "test")[number],  # type: ignore[arg-type]
                mask=Mask(folder / "masks" / camera.name, "light", "transparent"),
                depth=folder / "depth" / camera.name,
                depth_scale=1 / 7,
                depth_kind="range",
                exposure=-1 / 3,
            )
        )
    points = Points(
        random.normal(size=(20, 3)),
        random.integers(0, 256, (20, 3)).astype(np.uint8),
        random.random(20),
        random.integers(2, 9, 20),
    )
    return Scene(
        folder,
        "made",
        tuple(views),
        points,
        up=(0.0, 0.6, 0.8),
        box=random.normal(size=(2, 3)) + np.array([[-9], [9]]),
        near_far=(0.1, 1 / 3),
        forward_facing=True,
        background=(0.1, 0.2, 0.3),
        missing=("gone.png",),
        notes={"über": "so"},
    )


def test_our_own_file_is_exact(tmp_path: Path) -> None:
    scene = whole_scene(tmp_path / "photographs")
    write_scene(scene, tmp_path / "scene")
    again = read_scene(tmp_path / "scene")
    assert (again.kind, again.up, again.near_far, again.background) == (
        "made", scene.up, scene.near_far, scene.background,
    )  # fmt: skip
    assert again.forward_facing and again.missing == scene.missing and again.notes == scene.notes
    assert np.array_equal(again.box, scene.box)  # type: ignore[arg-type]
    for name in ("positions", "colours", "errors", "tracks"):
        assert np.array_equal(getattr(again.points, name), getattr(scene.points, name))
    for one, two in zip(again.views, scene.views, strict=True):
        for name in ("name", "split", "depth_scale", "depth_kind", "exposure"):
            assert getattr(one, name) == getattr(two, name)
        assert one.image.samefile(two.image) and one.mask is not None and two.mask is not None
        assert one.mask.path.samefile(two.mask.path) and one.mask.marks == "light"
        assert one.mask.meaning == "transparent" and one.depth is not None
        for name in ("fx", "fy", "cx", "cy", "lens", "rolling_shutter", "time", "film_width", "name"):
            assert getattr(one.camera, name) == getattr(two.camera, name)
        assert np.array_equal(one.camera.camera_to_world, two.camera.camera_to_world)
        assert np.array_equal(one.camera.end, two.camera.end)  # type: ignore[arg-type]


def test_our_own_file_moves_with_its_photographs(tmp_path: Path) -> None:
    write_scene(whole_scene(tmp_path / "a"), tmp_path / "a")
    (tmp_path / "a").rename(tmp_path / "b")
    assert len(read_scene(tmp_path / "b").views) == 3


@pytest.mark.parametrize(
    ("change", "match"),
    [
        ({"version": 99}, "version 99"),
        ({"format": "other"}, "is no dreamplate scene"),
        ({"views": []}, "lists no views"),
        ({"views": [{}]}, "missing or of another type"),
        ({"up": [1, 2]}, "need 3 finite numbers"),
        ({"points": "none.ply"}, "cannot read it"),
    ],
)
def test_damage_to_our_own_file_is_one_line(tmp_path: Path, change: dict[str, Any], match: str) -> None:
    place = write_scene(whole_scene(tmp_path), tmp_path)
    place.write_text(json.dumps({**json.loads(place.read_text()), **change}))
    with pytest.raises(SceneError, match=match) as caught:
        read_scene(tmp_path)
    assert "\n" not in str(caught.value)


def test_points_that_were_cut_off_are_noticed(tmp_path: Path) -> None:
    write_scene(whole_scene(tmp_path), tmp_path)
    data = (tmp_path / "points.ply").read_bytes()
    (tmp_path / "points.ply").write_bytes(data[:-5])
    with pytest.raises(SceneError, match=r"points.ply: is damaged"):
        read_scene(tmp_path)


def test_nothing_is_decoded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    transforms(tmp_path, frames(4, mask_path="mask.png"))
    picture(tmp_path / "mask.png")

    def refuse(*_: Any, **__: Any) -> None:
        raise AssertionError("decoded")

    monkeypatch.setattr(PlateReader, "read", refuse)
    assert len(read_scene(tmp_path).views) == 4


def test_check_scene_finds_what_was_built_wrong(tmp_path: Path) -> None:
    scene = whole_scene(tmp_path)
    check_scene(scene)
    small = replace(scene.views[0], camera=scene.views[0].camera.resized(4, 3))
    with pytest.raises(SceneError, match="a camera for 4 x 3 and a photograph of 8 x 6"):
        check_scene(replace(scene, views=(small,)))
    gone = replace(scene.views[0], image=tmp_path / "gone.png")
    with pytest.raises(SceneError, match=r"photograph .*gone.png of view '000.png' is not there"):
        check_scene(replace(scene, views=(gone,)))
    with pytest.raises(SceneError, match="is for training"):
        check_scene(replace(scene, views=scene.views[1:]))
    with pytest.raises(SceneError, match="near"):
        check_scene(replace(scene, near_far=(3.0, 2.0)))


def test_what_is_no_scene_is_said(tmp_path: Path) -> None:
    with pytest.raises(SceneError, match="is no scene that is known"):
        read_scene(tmp_path)
    with pytest.raises(SceneError, match="there is no such file"):
        read_scene(tmp_path / "nowhere")
    with pytest.raises(SceneError, match="known are dreamplate, transforms"):
        read_scene(tmp_path, kind="magic")
    with pytest.raises(SceneError, match="holdout is 1"):
        transforms(tmp_path, frames(2))
        read_scene(tmp_path, holdout=1)
    (tmp_path / "transforms.json").write_text("{")
    with pytest.raises(SceneError, match=r"transforms.json"):
        read_scene(tmp_path)
    assert guess_kind(tmp_path) == "transforms"


def test_shared_scenes(shared_dir: Path) -> None:
    data = shared_dir / "data"
    fox = read_scene(data / "nerf_fox")
    assert len(fox.views) == 50 and len(fox.split("test")) == 7 and fox.views[0].camera.lens["k1"]
    lego = read_scene(data / "nerf_lego400")
    assert [len(lego.split(name)) for name in ("train", "val", "test")] == [100, 10, 25]  # type: ignore[arg-type]
    fern = read_scene(data / "llff_fern")
    assert [view.image.name for view in fern.split("test")] == [f"image{n:03d}.png" for n in (0, 8, 16)]
    assert fern.views[0].camera.fx == pytest.approx(3260.526333 / 8, rel=1e-6)
    assert fern.forward_facing and fern.near_far is not None and 16 < fern.near_far[0] < 18
