"""Cameras and meshes of one capture line up in glTF and USD, whatever is up and however long the unit."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from tracks import corners_moved, moving

from dreamplate.scenes.gltf_file import CAPTURE_NODE, capture_node, pack_gltf, read_gltf_file
from dreamplate.scenes.gltf_format import read_gltf, write_gltf


@pytest.mark.parametrize("up", ["y", "z", None])
@pytest.mark.parametrize("metres", [None, 0.25])
def test_a_camera_stands_under_the_node_of_the_mesh(tmp_path: Path, up, metres: float | None) -> None:
    track = moving().with_(up=up, metres_per_unit=metres)
    write_gltf(track, tmp_path / "a.glb")
    file = read_gltf_file(tmp_path / "a.glb")
    root = file.json["nodes"][file.json["scenes"][0]["nodes"][0]]
    assert root == capture_node((0, 1, 0) if up == "y" else (0, 0, 1), metres or 1.0, [1])
    again = read_gltf(tmp_path / "a.glb")
    assert (again.up, again.metres_per_unit) == (up, metres)
    assert corners_moved(track, again) < 0.01


def test_in_the_world_of_gltf_a_camera_is_upright_and_in_metres(tmp_path: Path) -> None:
    track = moving().with_(up="z", metres_per_unit=0.25)
    write_gltf(track, tmp_path / "a.gltf")
    document = json.loads((tmp_path / "a.gltf").read_text())
    first = track.cameras[track.frames[0]]
    turn = np.array([[1, 0, 0], [0, 0, 1], [0, -1, 0]], float)  # Z up to Y up
    file = read_gltf_file(tmp_path / "a.gltf")
    world = file.local(0, 0.0, {}) @ file.local(1, 0.0, {})
    np.testing.assert_allclose(world[:3, 3], turn @ first.position * 0.25, atol=1e-9)
    # A camera that someone adds beside the capture's node comes back in the capture's world.
    document["nodes"][0]["children"] = []
    document["nodes"].append({"name": "moved", "matrix": world.T.reshape(-1).tolist(), "children": [1]})
    document["nodes"][1] |= {"translation": [0, 0, 0], "rotation": [0, 0, 0, 1]}
    document["scenes"][0]["nodes"] = [0, 2]
    document.pop("animations", None)
    (tmp_path / "b.gltf").write_bytes(pack_gltf({**document, "buffers": []}, b"", False))
    again = read_gltf(tmp_path / "b.gltf")
    np.testing.assert_allclose(again.at(again.frames[0]).camera_to_world, first.camera_to_world, atol=1e-6)
    assert document["nodes"][0]["name"] == CAPTURE_NODE


@pytest.mark.parametrize("up", ["y", "z", None])
def test_a_stage_says_which_way_is_up(tmp_path: Path, up) -> None:
    geometry = pytest.importorskip("pxr.UsdGeom", reason="needs the usd extra")
    from pxr import Usd

    from dreamplate.scenes.usd_format import write_usd

    write_usd(moving().with_(up=up), tmp_path / "a.usda")
    stage = Usd.Stage.Open(str(tmp_path / "a.usda"))
    assert stage.HasAuthoredMetadata("upAxis")
    assert geometry.GetStageUpAxis(stage) == ("Y" if up == "y" else "Z")
