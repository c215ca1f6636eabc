"""COLMAP's cameras and ours: intrinsics by model, poses turned from OpenCV's axes and back.

COLMAP counts pixels as we do: the centre of the first one is (0.5, 0.5).
"""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt

from dreamplate.errors import SceneError
from dreamplate.plate.camera import Camera
from dreamplate.plate.lens import Lens, LensKind
from dreamplate.scenes.colmap_model import MODELS, ColmapCamera, ColmapImage
from dreamplate.scenes.rotations import matrix_of, quaternion_of

__all__ = ["camera_from_colmap", "colmap_intrinsics", "colmap_pose"]

_OPENCV = np.array([1.0, -1.0, -1.0])
_KIND: dict[str, LensKind] = {
    "SIMPLE_PINHOLE": "perspective",
    "PINHOLE": "perspective",
    "SIMPLE_RADIAL": "perspective",
    "RADIAL": "perspective",
    "OPENCV": "perspective",
    "FULL_OPENCV": "perspective",
    "OPENCV_FISHEYE": "fisheye",
    "SIMPLE_RADIAL_FISHEYE": "fisheye",
    "RADIAL_FISHEYE": "fisheye",
    "THIN_PRISM_FISHEYE": "fisheye",
    "SIMPLE_FISHEYE": "fisheye",
    "FISHEYE": "fisheye",
    "FOV": "fov",
    "EQUIRECTANGULAR": "equirectangular",
}
_WRITTEN: dict[str, tuple[str, ...]] = {
    "perspective": ("PINHOLE", "OPENCV", "FULL_OPENCV"),
    "fisheye": ("OPENCV_FISHEYE", "THIN_PRISM_FISHEYE"),
    "fov": ("FOV",),
    "equirectangular": ("EQUIRECTANGULAR",),
}
"""Lens kind → the models that can hold it, plainest first."""


def camera_from_colmap(camera: ColmapCamera, image: ColmapImage, where: str = "COLMAP") -> Camera:
    """Return the camera of one registered picture.

    Raises:
        SceneError: We have no such lens.
        MediaError: A number is out of bounds.
    """
    if camera.model not in _KIND:
        raise SceneError(
            f"{where}: camera {camera.id} is {camera.model}, a lens that is not known here; "
            f"known: {', '.join(_KIND)}; undistort the pictures in COLMAP"
        )
    value = dict(zip(MODELS[camera.model][1], camera.params, strict=True))
    kind = _KIND[camera.model]
    if kind == "equirectangular":
        fx, fy = camera.width / math.tau, camera.height / math.pi
        cx, cy = camera.width / 2, camera.height / 2
        value = {}
    else:
        fx, fy = (value.pop("f"),) * 2 if "f" in value else (value.pop("fx"), value.pop("fy"))
        cx, cy = value.pop("cx"), value.pop("cy")
    turn = matrix_of(image.rotation).T
    camera_to_world = np.eye(4)
    camera_to_world[:3, :3] = turn * _OPENCV
    camera_to_world[:3, 3] = -turn @ image.translation
    return Camera(
        camera.width,
        camera.height,
        fx,
        fy,
        cx,
        cy,
        camera_to_world,
        lens=Lens(kind, value),
        name=image.name,
    )


def colmap_intrinsics(camera: Camera) -> tuple[str, tuple[float, ...]]:
    """Return the plainest model that holds a camera's lens exactly, and its parameters.

    Raises:
        SceneError: An equirectangular picture that is not the whole sphere.
    """
    own = {"fx": camera.fx, "fy": camera.fy, "cx": camera.cx, "cy": camera.cy, **camera.lens.coefficients}
    own |= {"w": float(camera.width), "h": float(camera.height)}
    if camera.lens.kind == "equirectangular":
        whole = (camera.width / math.tau, camera.height / math.pi, camera.width / 2, camera.height / 2)
        if not np.allclose((camera.fx, camera.fy, camera.cx, camera.cy), whole, rtol=1e-9):
            raise SceneError(
                "COLMAP's EQUIRECTANGULAR is the whole sphere; this camera sees a part (crop or focal length)"
            )
    for model in _WRITTEN[camera.lens.kind]:
        names = MODELS[model][1]
        if set(camera.lens.coefficients) <= set(names):
            break
    return model, tuple(own.get(name, 0.0) for name in names)


def colmap_pose(camera: Camera) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]:
    """Return the world-to-camera quaternion (real part first) and translation of a camera."""
    turn = quaternion_of((camera.camera_to_world[:3, :3] * _OPENCV).T)
    return turn, -matrix_of(turn) @ camera.position
