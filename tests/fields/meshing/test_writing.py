"""Every mesh format: what comes back is what was written."""

from __future__ import annotations

import json
import struct
from pathlib import Path

import numpy as np
import pytest
import trimesh

from dreamplate.errors import SceneError
from dreamplate.fields.meshing.encoding import display_bytes
from dreamplate.fields.meshing.mesh import Mesh
from dreamplate.fields.meshing.texture import bake, unwrap
from dreamplate.fields.meshing.writing import FORMATS, check_target, write_mesh
from dreamplate.plate import Plate, read
from dreamplate.scenes.gltf_file import turn_to_y


@pytest.fixture(scope="module")
def textured(sphere) -> Mesh:
    made = bake(unwrap(sphere, 64), 64, lambda points, normals: (0.5 + 0.4 * points).astype(np.float32))
    return made.with_(colours=None)


def glb_parts(path: Path) -> tuple[dict, dict[str, np.ndarray], bytes]:
    data = path.read_bytes()
    magic, version, size = struct.unpack_from("<4sII", data)
    assert (magic, version, size) == (b"glTF", 2, len(data))
    length = struct.unpack_from("<I", data, 12)[0]
    document, binary = json.loads(data[20 : 20 + length]), data[28 + length :]
    assert len(binary) == document["buffers"][0]["byteLength"]

    def numbers(index: int) -> np.ndarray:
        about = document["accessors"][index]
        view = document["bufferViews"][about["bufferView"]]
        kind = {5126: "<f4", 5125: "<u4"}[about["componentType"]]
        width = {"SCALAR": 1, "VEC2": 2, "VEC3": 3}[about["type"]]
        found = np.frombuffer(binary, kind, about["count"] * width, view["byteOffset"])
        return found.reshape(-1, width)

    primitive = document["meshes"][0]["primitives"][0]
    arrays = {name: numbers(index) for name, index in primitive["attributes"].items()}
    return document, arrays | {"faces": numbers(primitive["indices"]).reshape(-1, 3)}, binary


def test_ply_comes_back(sphere, tmp_path) -> None:
    write_mesh(sphere, tmp_path / "m.ply")
    back = trimesh.load(tmp_path / "m.ply", process=False)
    assert np.abs(back.vertices - sphere.vertices).max() < 1e-6
    assert np.array_equal(back.faces, sphere.faces)
    assert np.array_equal(back.visual.vertex_colors[:, :3], display_bytes(sphere.colours, "srgb_display"))
    assert np.abs(back.vertex_normals - sphere.normals).max() < 1e-6


def test_obj_with_vertex_colours_comes_back(sphere, tmp_path) -> None:
    assert write_mesh(sphere, tmp_path / "m.obj") == [tmp_path / "m.obj"]
    back = trimesh.load(tmp_path / "m.obj", process=False, maintain_order=True)
    assert np.abs(back.vertices - sphere.vertices).max() < 1e-8
    assert np.array_equal(back.faces, sphere.faces)
    assert np.array_equal(back.visual.vertex_colors[:, :3], display_bytes(sphere.colours, "srgb_display"))


def test_obj_with_a_texture_comes_back(textured, tmp_path) -> None:
    names = [path.name for path in write_mesh(textured, tmp_path / "a mesh.obj")]
    assert names == ["a_mesh.png", "a_mesh.mtl", "a mesh.obj"]
    lines = [line.split() for line in (tmp_path / "a mesh.obj").read_text().splitlines()]
    columns = {key: np.array([row[1:] for row in lines if row[0] == key], float) for key in ("v", "vt", "vn")}
    assert np.abs(columns["v"] - textured.vertices).max() < 1e-8
    assert np.abs(columns["vt"] - textured.uvs).max() < 1e-8
    faces = np.array([[corner.split("/") for corner in row[1:]] for row in lines if row[0] == "f"], int)
    assert np.array_equal(faces, np.repeat(textured.faces[:, :, None] + 1, 3, 2))
    back = trimesh.load(tmp_path / "a mesh.obj", process=False)
    assert back.visual.material.image.size == (64, 64)
    picture = read(tmp_path / "a_mesh.png").pixels
    assert np.abs(picture - textured.texture.pixels).max() <= 0.5 / 255 + 1e-6


def test_linear_textures_of_obj_are_exr_and_clip_nothing(textured, tmp_path) -> None:
    bright = textured.with_(
        texture=Plate(textured.texture.pixels * 9, colourspace="scene_linear"), encoding="scene_linear"
    )
    write_mesh(bright, tmp_path / "m.obj")
    assert "map_Kd m.exr" in (tmp_path / "m.mtl").read_text()
    back = read(tmp_path / "m.exr")
    assert back.colourspace == "scene_linear"
    assert back.pixels == pytest.approx(bright.texture.pixels, rel=1e-3)


def test_glb_with_vertex_colours_comes_back(sphere, tmp_path) -> None:
    write_mesh(sphere, tmp_path / "m.glb")
    document, arrays, _ = glb_parts(tmp_path / "m.glb")
    assert np.abs(arrays["POSITION"] - sphere.vertices).max() < 1e-6
    assert np.array_equal(arrays["faces"], sphere.faces)
    linear = arrays["COLOR_0"]
    display = np.where(linear <= 0.0031308, 12.92 * linear, 1.055 * linear ** (1 / 2.4) - 0.055)
    assert np.array_equal(np.rint(display * 255), display_bytes(sphere.colours, "srgb_display"))
    about = document["accessors"][document["meshes"][0]["primitives"][0]["attributes"]["POSITION"]]
    assert np.allclose([about["min"], about["max"]], sphere.bounds)


def test_glb_with_a_texture_comes_back(textured, tmp_path) -> None:
    write_mesh(textured, tmp_path / "m.glb")
    document, arrays, binary = glb_parts(tmp_path / "m.glb")
    assert np.abs(arrays["TEXCOORD_0"] * [1, -1] + [0, 1] - textured.uvs).max() < 1e-6
    view = document["bufferViews"][document["images"][0]["bufferView"]]
    picture = tmp_path / "found.png"
    picture.write_bytes(binary[view["byteOffset"] : view["byteOffset"] + view["byteLength"]])
    pixels = read(picture).pixels
    assert np.abs(pixels - textured.texture.pixels).max() <= 0.5 / 255 + 1e-6
    # The format counts v from the top row: a look-up as it prescribes finds the colour of the place.
    place = (arrays["TEXCOORD_0"] * 64).astype(int).clip(0, 63)
    assert np.abs(pixels[place[:, 1], place[:, 0]] - (0.5 + 0.4 * textured.vertices)).mean() < 0.02


def test_glb_stands_upright_for_those_who_follow_the_format(sphere, tmp_path) -> None:
    high = sphere.with_(vertices=sphere.vertices * [1, 1, 3] + [0, 0, 10])
    write_mesh(high, tmp_path / "m.glb", up=(0.0, 0.0, 1.0), metres_per_unit=0.01)
    scene = trimesh.load(tmp_path / "m.glb", process=False)
    low, top = scene.bounds
    assert (low[1] + top[1]) / 2 == pytest.approx(0.1, abs=1e-5)
    assert top[1] - low[1] == pytest.approx(0.01 * (high.bounds[1] - high.bounds[0])[2], rel=1e-5)
    (mesh,) = scene.geometry.values()
    assert np.abs(mesh.vertices - high.vertices).max() < 2e-6


@pytest.mark.parametrize("up", [(0, 0, 1), (0, 1, 0), (0, -1, 0), (0.3, -0.5, 0.8), (1, 0, 0)])
def test_any_up_turns_to_y(up) -> None:
    x, y, z, w = turn_to_y(up)
    direction = np.array(up) / np.linalg.norm(up)
    across = np.array([x, y, z])
    turned = direction + 2 * np.cross(across, np.cross(across, direction) + w * direction)
    assert turned == pytest.approx([0, 1, 0], abs=1e-12)


@pytest.mark.parametrize("suffix", [".usda", ".usd", ".usdc"])
def test_usd_comes_back(sphere, tmp_path, suffix) -> None:
    pxr = pytest.importorskip("pxr.UsdGeom", reason="needs the usd extra")
    from pxr import Usd

    write_mesh(sphere, tmp_path / f"m{suffix}", up=(0.0, 1.0, 0.0), metres_per_unit=0.5)
    stage = Usd.Stage.Open(str(tmp_path / f"m{suffix}"))
    assert pxr.GetStageUpAxis(stage) == "Y" and pxr.GetStageMetersPerUnit(stage) == 0.5
    mesh = pxr.Mesh(stage.GetDefaultPrim())
    assert np.abs(np.array(mesh.GetPointsAttr().Get()) - sphere.vertices).max() < 1e-6
    assert np.array_equal(np.array(mesh.GetFaceVertexIndicesAttr().Get()).reshape(-1, 3), sphere.faces)
    assert mesh.GetSubdivisionSchemeAttr().Get() == "none"
    assert mesh.GetNormalsInterpolation() == "vertex"
    shown = pxr.PrimvarsAPI(mesh).GetPrimvar("displayColor")
    back = display_bytes(np.array(shown.Get(), np.float32), "scene_linear")
    assert np.array_equal(back, display_bytes(sphere.colours, "srgb_display"))


def test_usd_with_a_texture_comes_back(textured, tmp_path) -> None:
    pxr = pytest.importorskip("pxr.UsdGeom", reason="needs the usd extra")
    from pxr import Usd, UsdShade

    names = [path.name for path in write_mesh(textured, tmp_path / "m.usda")]
    assert names == ["m.png", "m.usda"]
    stage = Usd.Stage.Open(str(tmp_path / "m.usda"))
    assert pxr.GetStageUpAxis(stage) == "Z"
    mesh = stage.GetDefaultPrim()
    st = pxr.PrimvarsAPI(mesh).GetPrimvar("st")
    assert np.abs(np.array(st.Get()) - textured.uvs).max() < 1e-6 and st.GetInterpolation() == "vertex"
    material = UsdShade.MaterialBindingAPI(mesh).ComputeBoundMaterial()[0]
    shader = material.ComputeSurfaceSource()[0]
    picture = UsdShade.Shader(shader.GetInput("diffuseColor").GetConnectedSource()[0].GetPrim())
    assert picture.GetInput("file").Get().path == "./m.png"
    assert picture.GetInput("sourceColorSpace").Get() == "sRGB"
    reader = UsdShade.Shader(picture.GetInput("st").GetConnectedSource()[0].GetPrim())
    assert reader.GetInput("varname").Get() == "st"


@pytest.mark.parametrize("suffix", [".ply", ".obj", ".glb", ".usda"])
def test_places_far_from_the_origin_keep_their_accuracy(sphere, tmp_path, suffix) -> None:
    if suffix == ".usda":
        pytest.importorskip("pxr", reason="needs the usd extra")
    far = sphere.with_(vertices=sphere.vertices + np.array([500_000.0, 4_000_000.0, 100.0]))
    path = tmp_path / f"m{suffix}"
    write_mesh(far, path, up=(0.0, 1.0, 0.0))
    if suffix == ".glb":
        document, arrays, _ = glb_parts(path)
        found = arrays["POSITION"].astype(float) + document["nodes"][1]["translation"]
    elif suffix == ".usda":
        from pxr import Usd, UsdGeom

        stage = Usd.Stage.Open(str(path))
        mesh = UsdGeom.Mesh(stage.GetDefaultPrim())
        offset = mesh.ComputeLocalToWorldTransform(Usd.TimeCode.Default()).ExtractTranslation()
        found = np.array(mesh.GetPointsAttr().Get(), float) + np.array(offset)
    else:
        found = trimesh.load(path, process=False, maintain_order=True).vertices
    assert np.abs(found - far.vertices).max() < 2e-6


def test_bright_light_is_clipped_in_bytes_and_kept_in_floats(sphere, tmp_path) -> None:
    bright = sphere.with_(colours=sphere.colours * 20, encoding="scene_linear")
    write_mesh(bright, tmp_path / "m.glb")
    assert np.array_equal(glb_parts(tmp_path / "m.glb")[1]["COLOR_0"], bright.colours)
    assert display_bytes(bright.colours, "scene_linear").max() == 255


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("m.fbx", r"\.fbx is no mesh format; use \.obj \.ply"),
        ("mesh", "no extension is no mesh format"),
        ("gone/m.obj", "does not exist; make it or choose another"),
        ("sub.obj", "is a folder; name a file"),
    ],
)
def test_bad_targets_say_what_to_do(tmp_path, name, message) -> None:
    (tmp_path / "sub.obj").mkdir()
    with pytest.raises(SceneError, match=message):
        check_target(tmp_path / name)


def test_a_texture_does_not_go_into_ply(textured, tmp_path) -> None:
    with pytest.raises(SceneError, match=r"choose \.obj, \.glb or \.usd"):
        write_mesh(textured, tmp_path / "m.ply")


def test_a_folder_that_cannot_be_written_to_says_so(tmp_path, monkeypatch) -> None:
    monkeypatch.setattr("os.access", lambda *_: False)
    with pytest.raises(SceneError, match="cannot be written to; check its permissions"):
        check_target(tmp_path / "m.obj")


def test_every_format_is_written(sphere, tmp_path) -> None:
    for suffix in FORMATS:
        if not suffix.startswith(".usd"):
            assert write_mesh(sphere, tmp_path / f"m{suffix.upper()}")[-1].stat().st_size > 1000
