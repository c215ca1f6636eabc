"""Cameras in OpenUSD stages.

Apertures and focal lengths are tenths of a scene unit there; a stage that states no unit counts centimetres,
so they are millimetres. The window of a camera is moved by the aperture offsets, to the right and up. The
picture size is no property of a camera: it stands in the stage's render settings.
"""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from dreamplate.errors import DreamplateError, MissingExtraError, SceneError
from dreamplate.files import atomic_path
from dreamplate.plate.camera import Camera
from dreamplate.scenes.camera_track import CameraTrack
from dreamplate.scenes.rotations import quaternion_of

__all__ = ["read_usd", "write_usd"]

_UNSTATED = 0.01
_SETTINGS = "/Render/settings"


class _Picture(NamedTuple):
    """What render settings say: how a camera's aperture becomes a picture."""

    width: int
    height: int
    pixel_aspect: float = 1.0
    policy: str = "expandAperture"


def _pxr() -> Any:
    try:
        import pxr
        from pxr import Gf, Sdf, Tf, Usd, UsdGeom, UsdRender  # noqa: F401
    except ImportError as error:
        raise MissingExtraError('cameras in USD need usd-core: pip install "dreamplate[usd]"') from error
    return pxr


def read_usd(
    path: str | Path, *, size: tuple[int, int] | None = None, camera: str | None = None
) -> CameraTrack:
    """Read a camera from a USD stage, with every transform above it.

    Frames are all whole time codes from the first sample to the last; the stage says what lies between
    samples.

    Args:
        path: ``.usd .usda .usdc .usdz``.
        size: Width and height of the pictures, needed where the stage has no render settings.
        camera: Name or path of the camera, where the stage has several.

    Raises:
        SceneError: It cannot be used, or the size is not known.
        MissingExtraError: usd-core is not installed.
    """
    pxr = _pxr()
    usd, geom = pxr.Usd, pxr.UsdGeom
    place = Path(path)
    if not place.is_file():
        raise SceneError(f"{place}: is not there; check the path")
    try:
        stage = usd.Stage.Open(str(place))
    except pxr.Tf.ErrorException as error:
        reason = " ".join(str(error).split()).rsplit(" : ", 1)[-1][:200]
        raise SceneError(f"{place}: USD cannot open it ({reason}); export it again") from error
    found = {str(p.GetPath()): p for p in stage.Traverse() if p.IsA(geom.Camera)}
    prim = _choose(found, camera, place)
    where = f"{place}: {prim.GetPath()}"
    picture = _settings(pxr, stage, size, where)
    times: set[float] = set()
    for attribute in prim.GetAttributes():
        times |= set(attribute.GetTimeSamples())
    above = prim
    while above and not above.IsPseudoRoot():
        if above.IsA(geom.Xformable):
            times |= set(geom.Xformable(above).GetTimeSamples())
        above = above.GetParent()
    frames = range(math.ceil(min(times)), math.floor(max(times)) + 1) if times else range(1, 2)
    cameras = {}
    for frame in frames:
        try:
            cameras[frame] = _camera(pxr, prim, usd.TimeCode(frame), picture, frame not in times)
        except DreamplateError as error:
            raise SceneError(f"{where}: frame {frame}: {error}") from error
    stated = stage.HasAuthoredMetadata("metersPerUnit")
    reach = geom.Camera(prim).GetClippingRangeAttr()
    near, far = reach.Get() if reach.HasAuthoredValue() else (0.0, 0.0)
    up = str(geom.GetStageUpAxis(stage)).lower() if stage.HasAuthoredMetadata("upAxis") else None
    return CameraTrack(
        cameras,
        fps=stage.GetTimeCodesPerSecond() if stage.HasAuthoredMetadata("timeCodesPerSecond") else None,
        name=prim.GetDisplayName() or prim.GetName(),
        metres_per_unit=geom.GetStageMetersPerUnit(stage) if stated else None,
        up="y" if up == "y" else "z" if up == "z" else None,
        near_far=(near, far) if 0 < near < far < math.inf else None,
    )


def _choose(found: dict[str, Any], name: str | None, place: Path) -> Any:
    if not found:
        raise SceneError(f"{place}: the stage has no camera; export one")
    if name is None and len(found) == 1:
        return next(iter(found.values()))
    fitting = [prim for path, prim in found.items() if name in (path, path.rsplit("/", 1)[-1])]
    if len(fitting) != 1:
        said = "several cameras" if name is None else f"no single camera {name!r}"
        raise SceneError(f"{place}: has {said}; choose --camera among {', '.join(found)}")
    return fitting[0]


def _settings(pxr: Any, stage: Any, size: tuple[int, int] | None, where: str) -> _Picture:
    found = [prim for prim in stage.Traverse() if prim.IsA(pxr.UsdRender.Settings)]
    if len(found) == 1:
        settings = pxr.UsdRender.Settings(found[0])
        width, height = settings.GetResolutionAttr().Get()
        policy = str(settings.GetAspectRatioConformPolicyAttr().Get())
        return _Picture(int(width), int(height), float(settings.GetPixelAspectRatioAttr().Get()), policy)
    if size is None:
        raise SceneError(f"{where}: the stage states no picture size; give --size WIDTH HEIGHT")
    return _Picture(*size)


def _conform(wide: float, high: float, picture: _Picture) -> tuple[float, float]:
    """Return the aperture that a picture shows, by USD's aspect ratio conform policies."""
    aspect = picture.width * picture.pixel_aspect / picture.height
    if abs(wide / high / aspect - 1) < 1e-6:  # apertures are 32-bit numbers
        return wide, high
    across, down = high * aspect, wide / aspect
    return {
        "expandAperture": (max(wide, across), max(high, down)),
        "cropAperture": (min(wide, across), min(high, down)),
        "adjustApertureWidth": (across, high),
        "adjustApertureHeight": (wide, down),
    }.get(picture.policy, (wide, high))


def _camera(pxr: Any, prim: Any, time: Any, picture: _Picture, between: bool) -> Camera:
    seen = pxr.UsdGeom.Camera(prim)
    if seen.GetProjectionAttr().Get(time) == "orthographic":
        raise SceneError("is orthographic; only perspective cameras are known here")
    focal, wide, high, right, up = (
        float(attribute.Get(time))
        for attribute in (
            seen.GetFocalLengthAttr(),
            seen.GetHorizontalApertureAttr(),
            seen.GetVerticalApertureAttr(),
            seen.GetHorizontalApertureOffsetAttr(),
            seen.GetVerticalApertureOffsetAttr(),
        )
    )
    if not (focal > 0 and wide > 0 and high > 0):
        raise SceneError(f"focal length {focal}, apertures {wide} and {high}; need numbers above 0")
    wide, high = _conform(wide, high, picture)
    pose = np.array(seen.ComputeLocalToWorldTransform(time)).T
    stretch = np.linalg.norm(pose[:3, :3], axis=0)
    if np.ptp(stretch) < 1e-5 * stretch.max():
        pose[:3, :3] /= stretch  # a camera under a scaled parent sees the same
    if between:  # where USD mixed two matrices, the rotation nearest to the mixture
        first, _, last = np.linalg.svd(pose[:3, :3])
        pose[:3, :3] = first @ last
    millimetres = pxr.UsdGeom.GetStageMetersPerUnit(prim.GetStage()) * 100
    return Camera(
        picture.width,
        picture.height,
        focal / wide * picture.width,
        focal / high * picture.height,
        picture.width * (0.5 - right / wide),
        picture.height * (0.5 + up / high),
        pose,
        film_width=round(wide * millimetres, 4),
    )


def write_usd(track: CameraTrack, path: str | Path) -> None:
    """Write a stage with one camera, and render settings that state the picture size. Lenses are not in it.

    Raises:
        SceneError: The file cannot be written, or is a ``.usdz``.
        MissingExtraError: usd-core is not installed.
    """
    pxr = _pxr()
    place = Path(path)
    if place.suffix.lower() not in (".usd", ".usda", ".usdc"):
        raise SceneError(f"{place}: cannot write {place.suffix or 'this'}; use .usda, .usdc or .usd")
    geom, render = pxr.UsdGeom, pxr.UsdRender
    layer = pxr.Sdf.Layer.CreateAnonymous(place.suffix.lower())
    stage = pxr.Usd.Stage.Open(layer)
    # Stated even where nobody knows: an unstated axis is Y for readers, and differs from the mesh's.
    geom.SetStageUpAxis(stage, geom.Tokens.y if track.up == "y" else geom.Tokens.z)
    if track.metres_per_unit is not None:
        geom.SetStageMetersPerUnit(stage, track.metres_per_unit)
    if track.fps is not None:
        stage.SetTimeCodesPerSecond(track.fps)
        stage.SetFramesPerSecond(track.fps)
    stage.SetStartTimeCode(track.frames[0])
    stage.SetEndTimeCode(track.frames[-1])
    name = pxr.Tf.MakeValidIdentifier(track.name or "camera")
    seen = geom.Camera.Define(stage, f"/{name}")
    prim = seen.GetPrim()
    if track.name and track.name != name:
        prim.SetDisplayName(track.name)
    stage.SetDefaultPrim(prim)
    first = next(iter(track.cameras.values()))
    settings = render.Settings.Define(stage, _SETTINGS)
    settings.CreateResolutionAttr(pxr.Gf.Vec2i(first.width, first.height))
    settings.CreatePixelAspectRatioAttr(first.fy / first.fx)
    # Pixels take the shape that the aperture gives them: it is exact where focal lengths differ.
    settings.CreateAspectRatioConformPolicyAttr("adjustPixelAspectRatio")
    settings.CreateCameraRel().SetTargets([prim.GetPath()])
    stage.SetMetadata("renderSettingsPrimPath", _SETTINGS)
    if track.near_far is not None:
        seen.CreateClippingRangeAttr(pxr.Gf.Vec2f(*track.near_far))
    # Not one matrix: between samples USD would shear it.
    placed = seen.AddTranslateOp(geom.XformOp.PrecisionDouble)
    turned = seen.AddOrientOp(geom.XformOp.PrecisionDouble)
    for frame, camera in track.cameras.items():
        placed.Set(pxr.Gf.Vec3d(*camera.position.tolist()), frame)
        turned.Set(pxr.Gf.Quatd(*quaternion_of(camera.camera_to_world[:3, :3]).tolist()), frame)
    tenths = 0.01 / (track.metres_per_unit or _UNSTATED)
    table = np.array([_aperture(camera) for camera in track.cameras.values()]) * tenths
    attributes = (
        seen.CreateFocalLengthAttr(),
        seen.CreateHorizontalApertureAttr(),
        seen.CreateVerticalApertureAttr(),
        seen.CreateHorizontalApertureOffsetAttr(),
        seen.CreateVerticalApertureOffsetAttr(),
    )
    for attribute, values in zip(attributes, table.T, strict=True):
        if np.ptp(values) == 0:
            attribute.Set(float(values[0]))
        else:
            for frame, value in zip(track.frames, values, strict=True):
                attribute.Set(float(value), frame)
    with atomic_path(place, family=SceneError, suffix=place.suffix) as temporary:
        if not layer.Export(str(temporary)):
            raise SceneError(f"{place}: USD cannot write it; check the folder")


def _aperture(camera: Camera) -> tuple[float, float, float, float, float]:
    """Return focal length, apertures and offsets in millimetres."""
    wide = camera.film_width
    high = wide * camera.fx / camera.fy * camera.height / camera.width
    return (
        camera.focal_mm,
        wide,
        high,
        (0.5 - camera.cx / camera.width) * wide,
        (camera.cy / camera.height - 0.5) * high,
    )
