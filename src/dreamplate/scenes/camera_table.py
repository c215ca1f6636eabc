"""The table of camera files: each convention's reader, writer, endings, and what it can hold."""

from __future__ import annotations

from dataclasses import dataclass

from dreamplate.scenes.camera_properties import PROPERTIES

__all__ = ["CAMERA_FORMATS", "CameraFormat"]


@dataclass(frozen=True)
class CameraFormat:
    """One kind of camera file.

    Attributes:
        title: What it is.
        reader: ``module:function`` that reads it.
        writer: ``module:function`` that writes it; empty where it is only read.
        endings: File endings by which it is known for writing; a folder has none.
        keeps: Which of ``PROPERTIES`` it can hold.
    """

    title: str
    reader: str
    writer: str
    endings: tuple[str, ...]
    keeps: frozenset[str]


_TRACK = frozenset({"fps", "name", "units", "up", "near_far"})
_NUMBERS = frozenset({"numbers", "named_numbers"})
_ALL = frozenset(PROPERTIES)
_HOME = "dreamplate.scenes"

CAMERA_FORMATS: dict[str, CameraFormat] = {
    "cameras": CameraFormat(
        "our own cameras.json, every field exact",
        f"{_HOME}.camera_json:read_cameras_json",
        f"{_HOME}.camera_json:write_cameras_json",
        (".cameras.json",),
        _ALL,
    ),
    "transforms": CameraFormat(
        "transforms.json of nerfstudio, instant-ngp, Blender scenes",
        f"{_HOME}.transforms_format:read_transforms_track",
        f"{_HOME}.transforms_format:write_transforms_track",
        (".transforms.json",),
        _ALL,
    ),
    "scene": CameraFormat(
        "our own scene.json, its views (read only)",
        f"{_HOME}.scene_cameras:read_scene_cameras",
        "",
        (),
        _ALL,
    ),
    "colmap": CameraFormat(
        "COLMAP's model folder, binary",
        f"{_HOME}.colmap_format:read_colmap",
        f"{_HOME}.colmap_format:write_colmap",
        (),
        frozenset({"lens", "centre", "aspect", "sizes", "names", "gaps", "numbers"}),
    ),
    "colmap-text": CameraFormat(
        "COLMAP's model folder, text",
        f"{_HOME}.colmap_format:read_colmap",
        f"{_HOME}.colmap_format:write_colmap_text",
        (),
        frozenset({"lens", "centre", "aspect", "sizes", "names", "gaps", "numbers"}),
    ),
    "llff": CameraFormat(
        "LLFF's poses_bounds.npy",
        f"{_HOME}.llff_format:read_llff",
        f"{_HOME}.llff_format:write_llff",
        (".npy",),
        frozenset({"sizes", "near_far", "named_numbers", "gaps"}),
    ),
    "usd": CameraFormat(
        "OpenUSD camera (needs usd-core)",
        f"{_HOME}.usd_format:read_usd",
        f"{_HOME}.usd_format:write_usd",
        (".usd", ".usda", ".usdc", ".usdz"),
        frozenset({"centre", "aspect", "film", "films"}) | _TRACK | _NUMBERS,
    ),
    "chan": CameraFormat(
        "Nuke's .chan, rotation order ZXY",
        f"{_HOME}.chan_format:read_chan",
        f"{_HOME}.chan_format:write_chan",
        (".chan",),
        frozenset({"gaps", "film"}) | _TRACK | _NUMBERS,
    ),
    "nuke": CameraFormat(
        "Nuke script with a Camera node",
        f"{_HOME}.nuke_format:read_nuke",
        f"{_HOME}.nuke_format:write_nuke",
        (".nk",),
        frozenset({"centre", "aspect", "film", "films"}) | _TRACK | _NUMBERS,
    ),
    "gltf": CameraFormat(
        "glTF 2.0 camera node",
        f"{_HOME}.gltf_format:read_gltf",
        f"{_HOME}.gltf_format:write_gltf",
        (".gltf", ".glb"),
        _ALL - {"shutter", "gaps"},
    ),
    "realestate10k": CameraFormat(
        "RealEstate10K and ACID lists",
        f"{_HOME}.realestate_format:read_realestate",
        f"{_HOME}.realestate_format:write_realestate",
        (".txt",),
        frozenset({"centre", "aspect", "gaps"}) | _TRACK | _NUMBERS,
    ),
}
"""Name → format."""
