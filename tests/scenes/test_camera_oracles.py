"""Camera files against other programs' own readings of them, and against files that others wrote."""

from __future__ import annotations

import json
import math
from pathlib import Path

import numpy as np
import pytest
from tracks import corners_moved, moving, plain

from dreamplate.errors import SceneError
from dreamplate.plate import Camera, Lens
from dreamplate.scenes import CameraTrack, read_cameras, write_cameras
from dreamplate.scenes.colmap_model import MODELS, ColmapCamera, ColmapImage, read_colmap_model
from dreamplate.scenes.rotations import matrix_of
from dreamplate.scenes.transforms_json import read_transforms

POINTS = np.random.default_rng(4).uniform(-1, 1, (20, 3))


def odd() -> CameraTrack:
    """An off-centre camera with different focal lengths, at several places."""
    return moving().map(lambda camera: camera.with_(fy=camera.fx * 1.1, cx=333.0, cy=217.0))


# --- COLMAP ---------------------------------------------------------------------------------------------


def test_pycolmap_projects_what_we_wrote(tmp_path: Path) -> None:
    pycolmap = pytest.importorskip("pycolmap")
    track = odd().map(lambda camera: camera.with_(lens=Lens("perspective", {"k1": 0.05, "p2": 0.001})))
    for kind in ("colmap", "colmap-text"):
        write_cameras(track, tmp_path / kind, kind=kind)
        model = pycolmap.Reconstruction(str(tmp_path / kind))
        assert len(model.cameras) == 1
        by_name = {image.name: image for image in model.images.values()}
        for frame, camera in track.cameras.items():
            image = by_name[f"frame.{frame:04d}.png"]
            seen = np.array([image.project_point(point) for point in POINTS])
            np.testing.assert_allclose(seen, camera.project(POINTS)[0], atol=1e-6)


def test_models_that_pycolmap_wrote_with_rigs_and_frames(tmp_path: Path) -> None:
    pycolmap = pytest.importorskip("pycolmap")
    track = odd()
    write_cameras(track, tmp_path / "ours")
    model = pycolmap.Reconstruction(str(tmp_path / "ours"))
    for kind, write in (("binary", "write_binary"), ("text", "write_text")):
        folder = tmp_path / kind
        folder.mkdir()
        getattr(model, write)(str(folder))
        assert read_colmap_model(folder).rigs
        assert corners_moved(track, read_cameras(folder)) < 1e-6
    with pytest.raises(SceneError, match=r"has another model's rigs\.bin; choose an empty folder"):
        write_cameras(track, tmp_path / "binary")


@pytest.mark.parametrize("model", list(MODELS))
def test_every_colmap_lens_is_pycolmaps_or_refused_by_name(model: str) -> None:
    pycolmap = pytest.importorskip("pycolmap")
    from dreamplate.scenes.colmap_cameras import camera_from_colmap, colmap_intrinsics

    generator = np.random.default_rng(5)
    theirs = pycolmap.Camera.create_from_model_id(1, getattr(pycolmap.CameraModelId, model), 500.0, 640, 480)
    values = np.array(theirs.params)
    for number, name in enumerate(MODELS[model][1]):
        if name[0] in "kps" and name[-1].isdigit():
            values[number] = generator.normal() * 0.01
        values[number] += {"fy": 7.0, "cx": 5.0, "cy": -3.0, "omega": 0.6}.get(name, 0.0)
    theirs.params = values
    turn = generator.normal(size=4)
    image = ColmapImage(1, "a.png", 1, turn / np.linalg.norm(turn), generator.normal(size=3))
    stored = ColmapCamera(1, model, 640, 480, tuple(values))
    if model in ("RAD_TAN_THIN_PRISM_FISHEYE", "SIMPLE_DIVISION", "DIVISION", "EUCM"):
        with pytest.raises(
            SceneError, match=rf"is {model}, a lens that is not known here; known: SIMPLE_PINHOLE"
        ):
            camera_from_colmap(stored, image)
        return
    camera = camera_from_colmap(stored, image)
    points = np.concatenate([generator.normal(size=(30, 2)), generator.uniform(1, 4, (30, 1))], axis=1)
    world = (points - image.translation) @ matrix_of(image.rotation)
    np.testing.assert_allclose(camera.project(world)[0], theirs.img_from_cam(points), atol=1e-8)
    name, params = colmap_intrinsics(camera)
    again = camera_from_colmap(ColmapCamera(1, name, 640, 480, params), image)
    np.testing.assert_allclose(again.project(world)[0], camera.project(world)[0], atol=1e-9)


def test_text_and_binary_of_a_whole_model_agree(tmp_path: Path) -> None:
    pycolmap = pytest.importorskip("pycolmap")
    options = pycolmap.SyntheticDatasetOptions()
    options.num_rigs, options.num_frames_per_rig, options.num_points3D = 1, 3, 20
    model = pycolmap.synthesize_dataset(options)
    found = []
    for kind in ("binary", "text"):
        (tmp_path / kind).mkdir()
        getattr(model, f"write_{kind}")(str(tmp_path / kind))
        found.append(read_colmap_model(tmp_path / kind))
    binary, text = found
    assert binary.points is not None and text.points is not None
    order = np.argsort(binary.points.ids), np.argsort(text.points.ids)
    for field in ("ids", "positions", "colours", "errors", "tracks"):
        np.testing.assert_allclose(
            getattr(binary.points, field)[order[0]], getattr(text.points, field)[order[1]], atol=1e-9
        )
    assert len(binary.points.ids) == len(model.points3D)
    for number, image in binary.images.items():
        np.testing.assert_allclose(image.pixels, text.images[number].pixels, atol=1e-9)
        np.testing.assert_array_equal(image.point_ids, text.images[number].point_ids)
        assert len(image.pixels) == len(model.images[number].points2D)


# --- USD ------------------------------------------------------------------------------------------------


def test_usds_own_frustum_projects_what_we_wrote(tmp_path: Path) -> None:
    pytest.importorskip("pxr")
    from pxr import Usd, UsdGeom

    track = odd().with_(metres_per_unit=1.0, up="z", fps=25.0)
    write_cameras(track, tmp_path / "shot.usdc")
    stage = Usd.Stage.Open(str(tmp_path / "shot.usdc"))
    assert UsdGeom.GetStageUpAxis(stage) == "Z"
    prim = UsdGeom.Camera(stage.GetDefaultPrim())
    for frame, camera in track.cameras.items():
        seen = prim.GetCamera(frame)
        # Tenths of a unit: 36 mm of film are 0.36 tenths of a metre.
        assert seen.horizontalAperture == pytest.approx(0.36)
        frustum = seen.frustum
        matrix = np.array(frustum.ComputeViewMatrix()) @ np.array(frustum.ComputeProjectionMatrix())
        clip = np.concatenate([POINTS, np.ones((len(POINTS), 1))], axis=1) @ matrix
        flat = clip[:, :2] / clip[:, 3:]
        pixels = (flat * [1, -1] + 1) / 2 * [camera.width, camera.height]
        np.testing.assert_allclose(pixels, camera.project(POINTS)[0], atol=0.01)


def test_a_usd_camera_under_moving_scaled_parents(tmp_path: Path) -> None:
    pytest.importorskip("pxr")
    place = tmp_path / "rig.usda"
    place.write_text(
        """#usda 1.0
(
    upAxis = "Y"
    metersPerUnit = 0.01
    timeCodesPerSecond = 24
)
def Xform "rig"
{
    double3 xformOp:translate.timeSamples = { 1: (0, 0, 0), 3: (20, 0, 0) }
    float3 xformOp:scale = (10, 10, 10)
    uniform token[] xformOpOrder = ["xformOp:translate", "xformOp:scale"]
    def Camera "A"
    {
        float focalLength = 36
        float horizontalAperture = 36
        float verticalAperture = 24
        double3 xformOp:translate = (0, 1, 0)
        uniform token[] xformOpOrder = ["xformOp:translate"]
    }
    def Camera "B"
    {
    }
}
"""
    )
    with pytest.raises(SceneError, match="several cameras; choose --camera among /rig/A, /rig/B"):
        read_cameras(place, size=(1600, 900))
    with pytest.raises(SceneError, match="states no picture size"):
        read_cameras(place, camera="A")
    track = read_cameras(place, camera="A", size=(1600, 900))
    assert (track.frames, track.fps, track.up, track.metres_per_unit) == ((1, 2, 3), 24.0, "y", 0.01)
    np.testing.assert_allclose(track.at(2).position, [10, 10, 0])
    # Square pixels: a 3:2 aperture is opened to 16:9, the width first.
    assert track.at(1).fx == track.at(1).fy == pytest.approx(900 * 36 / 24)


# --- Nuke -----------------------------------------------------------------------------------------------

SCRIPT = r"""
set cut_paste_input [stack 0]
version 13.2 v4
Root {
 inputs 0
 name /shots/a b.nk
 format "1280 720 0 0 1280 720 1 HD_720"
}
Blur {
 size {{curve x1 0 x10 5}}
 label "a brace: \{ and a \"quote\""
 name Blur1
}
push $cut_paste_input
Camera3 {
 inputs 0
 rot_order XYZ
 translate {{curve x1001 1 2 3} 5 {curve L x1001 0 L x1003 4}}
 rotate {0 {curve i x1001 0 x1003 90} 0}
 focal 36
 haperture 36
 vaperture 24
 win_translate {0.1 -0.2}
 name ShotCam
 selected true
}
Camera2 {
 inputs 0
 useMatrix true
 matrix {
     {0 0 1 7}
     {0 1 0 8}
     {-1 0 0 9}
     {0 0 0 1}
   }
 name Matrix1
}
"""


def test_a_camera_is_found_among_other_nodes(tmp_path: Path) -> None:
    place = tmp_path / "comp.nk"
    place.write_text(SCRIPT)
    with pytest.raises(SceneError, match="several cameras; choose --camera among ShotCam, Matrix1"):
        read_cameras(place)
    with pytest.raises(SceneError, match=r"ShotCam\.rotate: has no key at frame 1002; bake"):
        read_cameras(place, camera="ShotCam")
    place.write_text(SCRIPT.replace("{curve i x1001 0 x1003 90}", "{curve i x1001 0 45 90}"))
    track = read_cameras(place, camera="ShotCam")
    assert track.frames == (1001, 1002, 1003)
    camera = track.at(1003)
    np.testing.assert_allclose(camera.position, [3, 5, 4])
    np.testing.assert_allclose(track.at(1002).position, [2, 5, 2])
    np.testing.assert_allclose(camera.forward, [-1, 0, 0], atol=1e-12)  # 90 degrees about Y
    assert (camera.fx, camera.fy) == (1280, 1280)
    # The window moves right and down, in halves of the width: the axis moves left and up in the picture.
    assert (camera.cx, camera.cy) == pytest.approx((640 - 64, 360 - 128))
    matrix = read_cameras(place, camera="Matrix1").at(1)
    np.testing.assert_allclose(matrix.position, [7, 8, 9])
    np.testing.assert_allclose(matrix.forward, [-1, 0, 0])
    assert matrix.focal_mm == pytest.approx(50)


def nuke_projection(knobs: dict[str, list[float]], pose: np.ndarray, width: int, height: int) -> np.ndarray:
    """Where Nuke puts POINTS: projection, window translate, window scale, then half widths to pixels."""
    own = np.concatenate([POINTS, np.ones((len(POINTS), 1))], axis=1) @ np.linalg.inv(pose).T
    lens = 2 * knobs["focal"][0] / knobs["haperture"][0]
    flat = lens * own[:, :2] / -own[:, 2:3]
    flat = (flat - knobs["win_translate"]) / knobs["win_scale"]
    return np.stack([width / 2 * (1 + flat[:, 0]), height / 2 - width / 2 * flat[:, 1]], axis=1)


def test_nuke_projects_what_we_wrote(tmp_path: Path) -> None:
    camera = odd().at(3)
    write_cameras(CameraTrack({1: camera}), tmp_path / "shot.nk")
    from dreamplate.scenes.nuke_script import parse_script

    (node,) = parse_script((tmp_path / "shot.nk").read_text(), "shot")
    knobs = {
        name: [float(word) for word in node.knobs[name].split()]
        for name in ("focal", "haperture", "win_translate", "win_scale", "translate", "rotate")
    }
    assert node.knobs["rot_order"] == "ZXY"
    found = nuke_projection(knobs, camera.camera_to_world, camera.width, camera.height)
    np.testing.assert_allclose(found, camera.project(POINTS)[0], atol=1e-9)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (("translate {{curve x1001 1 2 3} 5", "translate {{parent.Axis1.translate.x} 5"), "is an expression"),
        (("rot_order XYZ", "rot_order XXZ"), "rot_order is XXZ"),
        (("focal 36", "winroll 5\n focal 36"), "winroll is"),
        (("focal 36", "focal 0"), "fx is 0"),
        (("matrix {", "matrix {{"), "a brace is never closed"),
        (("Blur {", "Axis2 {"), None),
    ],
)
def test_scripts_that_cannot_be_used(tmp_path: Path, change: tuple[str, str], said: str | None) -> None:
    text = SCRIPT.replace("{curve i x1001 0 x1003 90}", "0").replace(*change)
    place = tmp_path / "comp.nk"
    if said is None:  # a camera without "inputs 0" hangs on what stands before it
        text, said = text.replace(" inputs 0\n rot_order", " rot_order"), "hangs on another node"
    place.write_text(text)
    with pytest.raises(SceneError, match=said):
        read_cameras(place, camera="ShotCam")


def test_chan_is_pan_tilt_roll_in_degrees(tmp_path: Path) -> None:
    place = tmp_path / "shot.chan"
    place.write_text("1\t1 2 3\t0 90 0\t90\n2 1 2 3 30 0 0 90\n3 1 2 3 0 0 90 60\n")
    track = read_cameras(place, size=(200, 100))
    np.testing.assert_allclose(track.at(1).forward, [-1, 0, 0], atol=1e-12)  # ry: pans to the left
    np.testing.assert_allclose(track.at(2).forward, [0, 0.5, -math.sqrt(0.75)], atol=1e-12)  # rx: tilts up
    np.testing.assert_allclose(track.at(3).camera_to_world[:3, 0], [0, 1, 0], atol=1e-12)  # rz: rolls
    assert track.at(1).fy == track.at(1).fx == pytest.approx(50)
    for line, said in (
        ("1 1 2 3 0 0 0", "line 1: has no vfov"),
        ("1 1 2 3 0 0 0 200", "vfov is 200"),
        ("1 1 2 3 0 0 nan 50", "NaN or infinity"),
        ("1.5 1 2 3 0 0 0 50", "frame is 1.5"),
        ("# nothing", "holds no camera"),
    ):
        place.write_text(line)
        with pytest.raises(SceneError, match=said):
            read_cameras(place, size=(200, 100))


# --- lists and arrays -----------------------------------------------------------------------------------


def test_a_realestate_line_is_world_to_camera_in_shares(tmp_path: Path) -> None:
    place = tmp_path / "0123.txt"
    turn = "1 0 0 2 0 1 0 3 0 0 1 4"
    place.write_text(
        f"https://video\n66733333 0.5 0.8 0.5 0.25 0 0 {turn}\n66766667 0.5 0.8 0.5 0.25 0 0 {turn}\n"
    )
    track = read_cameras(place, size=(200, 100))
    camera = track.at(1)
    assert (camera.fx, camera.fy, camera.cx, camera.cy) == (100, 80, 100, 25)
    assert camera.time == pytest.approx(66.733333)
    np.testing.assert_allclose(camera.position, [-2, -3, -4])
    np.testing.assert_allclose(camera.forward, [0, 0, 1])
    np.testing.assert_allclose(camera.camera_to_world[:3, 1], [0, -1, 0])
    place.write_text("https://video\n1 2 3\n")
    with pytest.raises(SceneError, match="line 2: has 3 numbers; a RealEstate10K line has 19"):
        read_cameras(place, size=(200, 100))


def test_an_llff_row_is_down_right_back(tmp_path: Path) -> None:
    table = np.array([[0, 1, 0, 5, 480], [-1, 0, 0, 6, 640], [0, 0, 1, 7, 500.0]])
    np.save(tmp_path / "poses_bounds.npy", np.array([[*table.ravel(), 0.5, 20]]))
    track = read_cameras(tmp_path)
    camera = track.at(1)
    np.testing.assert_allclose(camera.camera_to_world[:3], [[1, 0, 0, 5], [0, 1, 0, 6], [0, 0, 1, 7]])
    assert (camera.width, camera.height, camera.fx, camera.cy) == (640, 480, 500, 240)
    assert track.near_far == (0.5, 20)
    with pytest.raises(SceneError, match="give --near-far"):
        write_cameras(moving(), tmp_path / "other.npy")
    np.save(tmp_path / "poses_bounds.npy", np.zeros((3, 5)))
    with pytest.raises(SceneError, match=r"has shape \(3, 5\); a poses_bounds\.npy has 17 columns"):
        read_cameras(tmp_path)


# --- glTF -----------------------------------------------------------------------------------------------


def test_a_gltf_camera_is_what_the_specification_says(tmp_path: Path) -> None:
    place = tmp_path / "shot.gltf"
    document = {
        "asset": {"version": "2.0"},
        "nodes": [
            {"children": [1], "translation": [0, 0, 10], "scale": [2, 2, 2]},
            {
                "name": "cam",
                "camera": 0,
                "translation": [1, 0, 0],
                "rotation": [0, math.sin(math.pi / 4), 0, math.cos(math.pi / 4)],
            },
        ],
        "cameras": [
            {"type": "perspective", "perspective": {"yfov": math.pi / 2, "aspectRatio": 2.0, "znear": 0.1}}
        ],
    }
    place.write_text(json.dumps(document))
    with pytest.raises(SceneError, match="state no picture size"):
        read_cameras(place)
    camera = read_cameras(place, size=(400, 200)).at(1)
    np.testing.assert_allclose(camera.position, [2, 0, 10])
    np.testing.assert_allclose(camera.forward, [-1, 0, 0], atol=1e-12)
    assert (camera.fx, camera.fy) == pytest.approx((100, 100))
    document["cameras"][0] = {"type": "orthographic", "orthographic": {}}
    place.write_text(json.dumps(document))
    with pytest.raises(SceneError, match="only perspective cameras"):
        read_cameras(place, size=(400, 200))


def test_gltf_rotations_go_the_short_way_on_other_frames(tmp_path: Path) -> None:
    write_cameras(moving().slice((1, 5)), tmp_path / "shot.glb")
    track = read_cameras(tmp_path / "shot.glb")
    for frame in range(1, 6):
        turn = track.at(frame).camera_to_world[:3, :3]
        np.testing.assert_allclose(turn.T @ turn, np.eye(3), atol=1e-9)


# --- transforms.json ------------------------------------------------------------------------------------


def transforms(tmp_path: Path, **head: object) -> Path:
    frame = {"file_path": "images/1.png", "transform_matrix": plain().camera_to_world.tolist()}
    place = tmp_path / "transforms.json"
    given = {"w": 640, "h": 480, "fl_x": 500.0, "frames": [frame], **head}
    place.write_text(json.dumps({key: value for key, value in given.items() if value is not None}))
    return place


def test_intrinsics_of_a_frame_take_precedence(tmp_path: Path) -> None:
    pose = plain().camera_to_world.tolist()
    frames = [
        {"file_path": "a.png", "transform_matrix": pose, "fl_x": 300.0, "w": 320, "h": 200, "k1": 0.1},
        {"file_path": "b.png", "transform_matrix": pose[:3], "time": 0.5, "rolling_shutter": [0, 0, 1, 0]},
        {"file_path": "c.png", "transform_matrix_start": pose, "transform_matrix_end": pose},
    ]
    place = transforms(
        tmp_path, frames=frames, camera_angle_x=1.0, fl_y=520.0, cx=300.0, camera_model="OPENCV"
    )
    first, second, third = (frame.camera for frame in read_transforms(place).frames)
    assert (first.width, first.fx, first.fy, first.cx, first.cy) == (320, 300, 520, 300, 100)
    assert first.lens["k1"] == 0.1
    assert (second.width, second.fx, second.time, second.rolling_shutter) == (640, 500, 0.5, (0, 0, 1, 0))
    assert third.end is not None


def test_dialects_of_lenses(tmp_path: Path) -> None:
    fisheye = read_transforms(transforms(tmp_path, is_fisheye=True, k1=0.1)).frames[0].camera
    assert fisheye.lens == Lens("fisheye", {"k1": 0.1})
    sphere = read_transforms(transforms(tmp_path, camera_model="EQUIRECTANGULAR")).frames[0].camera
    assert (sphere.lens.kind, sphere.fx) == ("equirectangular", pytest.approx(640 / math.tau))
    for head, said in (
        (
            {"camera_model": "FISHEYE624"},
            "camera_model is FISHEYE624, which is not known here; known: PERSPECTIVE",
        ),
        ({"ftheta_p0": 1.0}, "camera_model is FTHETA"),
        ({"k4": 0.1}, "k4 means different things in different programs"),
        ({"camera_model": "OPENCV_FISHEYE", "k5": 0.1}, "has no coefficient k5"),
        ({"fl_x": None}, "no focal length"),
        ({"fl_x": "wide"}, "fl_x is 'wide'; need a number"),
        ({"w": None}, "picture is missing and the file gives no w and h"),
        ({"frames": []}, "holds no list of frames"),
        ({"frames": [{"file_path": "a.png"}]}, "a.png: has no transform_matrix"),
        ({"frames": [{"file_path": "a.png", "transform_matrix": [[math.nan] * 4] * 4}]}, "NaN or infinity"),
        ({"frames": [{"file_path": "a.png", "transform_matrix": [[1, 2], [3]]}]}, "need numbers, 4 x 4"),
    ):
        with pytest.raises(SceneError, match=said):
            read_transforms(transforms(tmp_path, **head))


def test_bad_frames_can_be_left_out(tmp_path: Path) -> None:
    good = {"file_path": "b.png", "transform_matrix": np.eye(4).tolist()}
    bad = {"file_path": "a.png", "transform_matrix": [[math.nan] * 4] * 4}
    told: dict[str, str] = {}
    found = read_transforms(transforms(tmp_path, frames=[bad, good]), on_bad=told.__setitem__)
    assert [frame.name for frame in found.frames] == ["b.png"]
    assert "NaN" in told["a.png"]


def test_angle_only_takes_the_size_from_pictures(shared_dir: Path) -> None:
    track = read_cameras(shared_dir / "data" / "nerf_lego400" / "transforms_test.json")
    assert track.frames == tuple(range(0, 200, 8))
    for camera in track.cameras.values():
        assert (camera.width, camera.height) == (400, 400)
        assert camera.fx == camera.fy == pytest.approx(200 / math.tan(0.6911112070083618 / 2))
        assert np.linalg.norm(camera.position) == pytest.approx(4.031, abs=1e-3)
        np.testing.assert_allclose(camera.project([[0.0, 0.0, 0.0]])[0], [[200, 200]], atol=1e-3)


@pytest.mark.parametrize("kind", ["colmap", "usd", "chan", "nuke", "gltf", "realestate10k", "llff"])
@pytest.mark.parametrize(
    "scene", ["nerf_lego400/transforms_test.json", "nerf_fox/transforms.json", "llff_fern"]
)
def test_real_captures_survive_every_convention(
    shared_dir: Path, tmp_path: Path, scene: str, kind: str
) -> None:
    from dreamplate.scenes.camera_formats import fitted

    track = read_cameras(shared_dir / "data" / scene).with_(near_far=(1.0, 100.0))
    names = {"usd": "a.usdc", "chan": "a.chan", "nuke": "a.nk", "gltf": "a.glb", "realestate10k": "a.txt"}
    place = tmp_path / names.get(kind, "a.npy" if kind == "llff" else "a")
    write_cameras(track, place, kind=kind)
    back = read_cameras(place)
    kept = back if kind == "llff" else back.slice(track.frames)
    assert corners_moved(fitted(track, kind), kept) < 0.01


def test_cameras_that_see_one_place_agree_in_all_conventions(tmp_path: Path) -> None:
    camera = Camera(100, 50, 80.0, 80.0, 50.0, 25.0, plain().camera_to_world)
    wanted = camera.project(POINTS)[0]
    track = CameraTrack({1: camera}, near_far=(1.0, 9.0))
    for kind, name in {
        "chan": "a.chan",
        "nuke": "a.nk",
        "gltf": "a.gltf",
        "usd": "a.usd",
        "llff": "a.npy",
    }.items():
        write_cameras(track, tmp_path / name)
        np.testing.assert_allclose(
            read_cameras(tmp_path / name, kind=kind).at(1).project(POINTS)[0], wanted, atol=1e-3
        )
