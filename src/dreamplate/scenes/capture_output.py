"""What a capture leaves: photographs, masks, cameras and points, in our own file and in those of others."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from dreamplate.errors import SceneError
from dreamplate.files import raise_os_error, write_bytes_atomic
from dreamplate.plate.camera import Camera
from dreamplate.plate.io import read, write
from dreamplate.plate.plate import Plate
from dreamplate.scenes.camera_track import CameraTrack
from dreamplate.scenes.capture_config import CaptureConfig
from dreamplate.scenes.capture_inputs import Photograph
from dreamplate.scenes.colmap_cameras import camera_from_colmap
from dreamplate.scenes.colmap_model import ColmapCamera, ColmapImage
from dreamplate.scenes.scene import Mask, Points, Scene, View
from dreamplate.scenes.scene_file import write_scene
from dreamplate.scenes.transforms_format import write_transforms_track
from dreamplate.scenes.undistort import pinhole_of, undistort, undistorted_pixels
from dreamplate.scenes.views import hold_out, mean_up

__all__ = ["cameras_of", "points_of", "write_capture"]

Say = Callable[[str], None]


def cameras_of(model: Any) -> dict[str, Camera]:
    """Return the cameras of a ``pycolmap.Reconstruction`` by the names of their pictures, sorted."""
    found = {}
    for image in model.images.values():
        if not image.has_pose:
            continue
        seen, pose = model.cameras[image.camera_id], image.cam_from_world()
        lens = ColmapCamera(seen.camera_id, seen.model_name, seen.width, seen.height, tuple(seen.params))
        x, y, z, w = pose.rotation.quat
        entry = ColmapImage(
            image.image_id, image.name, seen.camera_id, np.array([w, x, y, z]), np.array(pose.translation)
        )
        found[image.name] = camera_from_colmap(lens, entry)
    return dict(sorted(found.items()))


def points_of(model: Any) -> Points:
    """Return the points of a ``pycolmap.Reconstruction``, in the order of their numbers."""
    every = [model.points3D[key] for key in sorted(model.points3D)]
    return Points(
        np.array([point.xyz for point in every], np.float64).reshape(-1, 3),
        np.array([point.color for point in every], np.uint8).reshape(-1, 3),
        np.array([point.error for point in every], np.float64),
        np.array([point.track.length() for point in every], np.int64),
    )


def write_capture(
    folder: Path,
    final: Path,
    model: Any,
    photographs: Mapping[str, Photograph],
    notes: Mapping[str, str],
    config: CaptureConfig,
    say: Say,
) -> Scene:
    """Fill the folder of a scene.

    Args:
        folder: An existing empty folder.
        final: Where it will be moved.
        model: A ``pycolmap.Reconstruction`` whose pictures have the names of ``photographs``; its names, and
            with ``undistort`` its cameras and features, are changed to those of what is written.
        photographs: What was placed and what was not, by name.
        notes: What the scene shall say of itself.
        config: What was asked for.
        say: Told how far it is.

    Raises:
        SceneError: The folder cannot be written, or a lens cannot be taken out.
        MediaError: A photograph is damaged.
        ResourceError: The disk is full.
    """
    views = []
    renamed = {}
    cameras = cameras_of(model)
    for number, (name, camera) in enumerate(cameras.items(), 1):
        say(f"writing photograph {number} of {len(cameras)}")
        photograph = photographs[name]
        flat = pinhole_of(camera) if config.undistort else camera
        image = _write_image(photograph, camera, flat, folder / "images", config)
        mask = _write_mask(photograph, camera, flat, folder / "masks" / f"{image.name}.png", config)
        renamed[name] = kept = image.relative_to(folder / "images").as_posix()
        views.append(
            View(
                kept,
                replace(flat, name=kept),
                image,
                mask=None if mask is None else Mask(mask, "dark", "ignore"),
                exposure=photograph.header.exposure,
            )
        )
    _rename(model, renamed, {renamed[name]: camera for name, camera in cameras.items()}, config)
    points = points_of(model)
    upright = config.up == "cameras" or bool(config.gps)
    scene = Scene(
        folder,
        "capture",
        hold_out(views, config.holdout),
        points=points,
        up=(0.0, 0.0, 1.0) if upright else mean_up([view.camera for view in views]),
        notes=notes,
    )
    write_scene(scene, folder)
    sparse = folder / "sparse" / "0"
    sparse.mkdir(parents=True)
    model.write_binary(sparse)
    _write_transforms(scene, folder)
    return _moved(scene, folder, final)


def _write_image(
    photograph: Photograph, camera: Camera, flat: Camera, images: Path, config: CaptureConfig
) -> Path:
    """Write a photograph as it is, or upright, or without its lens; returns where."""
    header, bent = photograph.header, flat is not camera
    place = images / photograph.name
    try:
        place.parent.mkdir(parents=True, exist_ok=True)
        if not bent and header.orientation == 1:
            if config.link:
                place.symlink_to(photograph.original.resolve())
            else:
                shutil.copyfile(photograph.original, place)
            return place
    except OSError as error:
        raise_os_error(error, place, SceneError)
    plate = read(photograph.original)
    if bent:
        plate = undistort(plate.to_display(), camera, flat)
    if place.suffix.lower() in (".jpg", ".jpeg"):
        place = place.with_name(f"{place.name}.png")  # written again as JPEG it would lose
    deep = header.types[0] == "uint16" and place.suffix.lower() in (".png", ".tif", ".tiff")
    write(plate, place, depth="16" if deep else None)
    return place


def _write_mask(
    photograph: Photograph, camera: Camera, flat: Camera, place: Path, config: CaptureConfig
) -> Path | None:
    """Write a mask in the way of COLMAP and nerfstudio: black is ignored."""
    if photograph.mask is None:
        return None
    light = read(photograph.mask).to_display().rgb().mean(axis=2) >= 0.5
    wanted = light if config.mask_marks == "dark" else ~light
    plate = Plate.from_rgb(wanted.astype(np.float32), "raw")
    if flat is not camera:
        plate = undistort(plate, camera, flat, exact=True)
    place.parent.mkdir(parents=True, exist_ok=True)
    write(plate, place)
    return place


def _rename(
    model: Any, renamed: Mapping[str, str], cameras: Mapping[str, Camera], config: CaptureConfig
) -> None:
    """Give the model's pictures the names that were written, and take lenses out where that was done."""
    for image in model.images.values():
        if image.name not in renamed:
            continue
        image.name = renamed[image.name]
        camera = cameras[image.name]
        flat = pinhole_of(camera) if config.undistort else camera
        if flat is camera or not image.num_points2D():
            continue
        places = undistorted_pixels(camera, flat, np.array([point.xy for point in image.points2D]))
        for point, place in zip(image.points2D, places, strict=True):
            point.xy = place
    if not config.undistort:
        return
    from dreamplate.scenes.sfm import pycolmap_library

    pinhole = pycolmap_library().CameraModelId.PINHOLE
    by_id = {
        image.camera_id: pinhole_of(cameras[image.name])
        for image in model.images.values()
        if image.name in cameras
    }
    for key, flat in by_id.items():
        model.cameras[key].model = pinhole
        model.cameras[key].params = [flat.fx, flat.fy, flat.cx, flat.cy]


def _write_transforms(scene: Scene, folder: Path) -> None:
    """Write ``transforms.json`` with the photographs, masks and points that other programs look for."""
    place = folder / "transforms.json"
    named = [view.camera.with_(name=view.image.relative_to(folder).as_posix()) for view in scene.views]
    write_transforms_track(CameraTrack.of(named), place)
    data = json.loads(place.read_bytes())
    for entry, view in zip(data["frames"], scene.views, strict=True):
        if view.mask is not None:
            entry["mask_path"] = view.mask.path.relative_to(folder).as_posix()
    data["ply_file_path"] = "points.ply"
    for split in ("train", "test"):
        data[f"{split}_filenames"] = [
            view.image.relative_to(folder).as_posix() for view in scene.views if view.split == split
        ]
    write_bytes_atomic(place, (json.dumps(data, indent=1) + "\n").encode(), family=SceneError)


def _moved(scene: Scene, folder: Path, final: Path) -> Scene:
    def at(path: Path) -> Path:
        return final / path.relative_to(folder)

    views = tuple(
        replace(
            view,
            image=at(view.image),
            mask=None if view.mask is None else replace(view.mask, path=at(view.mask.path)),
        )
        for view in scene.views
    )
    return replace(scene, path=final, views=views)
