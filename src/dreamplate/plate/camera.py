"""The camera: where it stands, which way it looks, and how it maps space to pixels.

One convention inside Dreamplate, everywhere:

* ``camera_to_world`` is 4 x 4, in **OpenGL axes**: +X right, +Y up, -Z forward.
* Pixels are continuous: (0, 0) is the top left *corner* of the picture, (0.5, 0.5) the centre of its first
  pixel, x right, y down. A principal point in the middle is (width / 2, height / 2).
* The world and its units are the capture's own. Nothing is recentred or rescaled.
* ``range`` is the distance along the ray, ``Z`` the distance along the viewing axis (planar); both positive.

Importers and exporters convert at the edge (``scenes/``).
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from dreamplate.errors import MediaError
from dreamplate.plate.box import Box
from dreamplate.plate.lens import Lens, Vectors, direction_of, plane_of

__all__ = ["Camera", "interpolate_poses", "look_at"]

Matrix = npt.NDArray[np.float64]
_OPENCV = np.array([1.0, -1.0, -1.0])
_ORTHOGONAL = 1e-3


@dataclass(frozen=True, eq=False)
class Camera:
    """One camera at one moment.

    Attributes:
        width: Pixels across.
        height: Pixels down.
        fx: Focal length in pixels, horizontally.
        fy: Focal length in pixels, vertically.
        cx: Principal point in pixels from the left edge.
        cy: Principal point in pixels from the top edge.
        camera_to_world: ``(4, 4)``, OpenGL axes.
        lens: How light is bent; ideal by default.
        end: ``camera_to_world`` when the shutter closes, or None for a camera at rest.
        rolling_shutter: ``(a, b, c, d)``: a pixel at (u, v), as shares of width and height, is exposed at
            ``a + b u + c v + d r`` of the way from ``camera_to_world`` to ``end``, r uniform in 0-1.
        time: Moment in the scene, in the capture's own unit, or None.
        film_width: Width of the sensor in millimetres; only scales focal lengths written to other programs.
        name: What the capture calls the view.

    Raises:
        MediaError: A number is not finite or out of bounds, or a matrix is no rigid motion.
    """

    width: int
    height: int
    fx: float
    fy: float
    cx: float
    cy: float
    camera_to_world: Matrix
    lens: Lens = field(default_factory=Lens)
    end: Matrix | None = None
    rolling_shutter: tuple[float, float, float, float] | None = None
    time: float | None = None
    film_width: float = 36.0
    name: str = ""

    def __post_init__(self) -> None:
        who = f"camera {self.name!r}" if self.name else "camera"
        if self.width < 1 or self.height < 1:
            raise MediaError(f"{who}: size is {self.width} x {self.height}; need at least one pixel")
        for name in ("fx", "fy", "cx", "cy", "film_width"):
            value = float(getattr(self, name))
            if not math.isfinite(value) or (name not in ("cx", "cy") and value <= 0):
                raise MediaError(f"{who}: {name} is {value}; need a finite number above 0")
            object.__setattr__(self, name, value)
        object.__setattr__(self, "camera_to_world", _rigid(self.camera_to_world, f"{who}: camera_to_world"))
        if self.end is not None:
            object.__setattr__(self, "end", _rigid(self.end, f"{who}: end"))
        if self.time is not None and not math.isfinite(self.time):
            raise MediaError(f"{who}: time is {self.time}; need a finite number")

    @classmethod
    def from_fov(
        cls, width: int, height: int, degrees: float, camera_to_world: npt.ArrayLike, **more: Any
    ) -> Camera:
        """Make an ideal camera from its horizontal field of view in degrees."""
        focal = width / 2 / math.tan(math.radians(degrees) / 2)
        return cls(
            width, height, focal, focal, width / 2, height / 2, np.asarray(camera_to_world, float), **more
        )

    @property
    def position(self) -> Vectors:
        """Where it stands, ``(3,)``."""
        return self.camera_to_world[:3, 3]

    @property
    def forward(self) -> Vectors:
        """Unit vector along the viewing axis, ``(3,)``."""
        return -self.camera_to_world[:3, 2]

    @property
    def horizontal_fov(self) -> float:
        """Horizontal field of view in degrees, lens aside."""
        return math.degrees(math.atan(self.cx / self.fx) + math.atan((self.width - self.cx) / self.fx))

    @property
    def focal_mm(self) -> float:
        """Focal length in millimetres for the film width."""
        return self.fx * self.film_width / self.width

    def project(self, points: npt.ArrayLike) -> tuple[Vectors, Vectors]:
        """Return where points of the world appear.

        Args:
            points: ``(n, 3)`` in world units.

        Returns:
            Pixels ``(n, 2)`` (NaN where the camera cannot see), and Z ``(n,)``, planar, negative behind it.
        """
        own = (np.asarray(points, float) - self.position) @ self.camera_to_world[:3, :3]
        plane = plane_of(self.lens, own * _OPENCV)
        return plane * [self.fx, self.fy] + [self.cx, self.cy], -own[:, 2]

    def rays(self, pixels: npt.ArrayLike) -> tuple[Vectors, Vectors]:
        """Return the rays through continuous pixel positions; shutter and rolling shutter aside.

        Args:
            pixels: ``(n, 2)``; pixel (column, row) has its centre at (column + 0.5, row + 0.5).

        Returns:
            Origins ``(n, 3)`` and unit directions ``(n, 3)``, in the world.
        """
        own = self.directions(pixels)
        return np.broadcast_to(self.position, own.shape).copy(), own @ self.camera_to_world[:3, :3].T

    def directions(self, pixels: npt.ArrayLike) -> Vectors:
        """Return unit directions ``(n, 3)`` in the camera's own OpenGL axes; their -z is Z over range."""
        plane = (np.asarray(pixels, float) - [self.cx, self.cy]) / [self.fx, self.fy]
        return np.asarray(direction_of(self.lens, plane) * _OPENCV)

    def pixel_centres(self) -> Vectors:
        """Return the centres of all pixels, row by row, ``(height * width, 2)``."""
        rows, columns = np.mgrid[: self.height, : self.width]
        return np.stack([columns.ravel() + 0.5, rows.ravel() + 0.5], axis=1)

    def resized(self, width: int, height: int) -> Camera:
        """Return the camera of the same picture at another size."""
        sx, sy = width / self.width, height / self.height
        return replace(
            self,
            width=width,
            height=height,
            fx=self.fx * sx,
            fy=self.fy * sy,
            cx=self.cx * sx,
            cy=self.cy * sy,
        )

    def cropped(self, window: Box) -> Camera:
        """Return the camera of a part of the picture, or of more than the picture (overscan)."""
        return replace(
            self, width=window.width, height=window.height, cx=self.cx - window.x, cy=self.cy - window.y
        )

    def placed(self, camera_to_world: npt.ArrayLike, end: npt.ArrayLike | None = None) -> Camera:
        """Return the same camera elsewhere."""
        return replace(
            self,
            camera_to_world=np.asarray(camera_to_world, float),
            end=None if end is None else np.asarray(end),
        )

    def at(self, share: float) -> Camera:
        """Return the camera, at rest, at a share of the shutter time (0 opens, 1 closes)."""
        if self.end is None:
            return self
        return replace(
            self, camera_to_world=interpolate_poses(self.camera_to_world, self.end, share), end=None
        )

    def with_(self, **changes: Any) -> Camera:
        """Return a copy with some attributes replaced."""
        return replace(self, **changes)


def look_at(position: npt.ArrayLike, target: npt.ArrayLike, up: npt.ArrayLike = (0.0, 0.0, 1.0)) -> Matrix:
    """Return the ``camera_to_world`` of a camera at ``position`` that looks at ``target``.

    Raises:
        MediaError: Position and target are one point.
    """
    eye, goal = np.asarray(position, float), np.asarray(target, float)
    back = eye - goal
    length = np.linalg.norm(back)
    if not length > 0:
        raise MediaError(f"look_at: position and target are both {tuple(eye)}; move one of them")
    back = back / length
    right = np.cross(np.asarray(up, float), back)
    if np.linalg.norm(right) < 1e-9:  # straight up or down: any right will do
        right = np.cross([1.0, 0.0, 0.0] if abs(back[0]) < 0.9 else [0.0, 1.0, 0.0], back)
    right = right / np.linalg.norm(right)
    matrix = np.eye(4)
    matrix[:3, :3] = np.stack([right, np.cross(back, right), back], axis=1)
    matrix[:3, 3] = eye
    return matrix


def interpolate_poses(first: Matrix, second: Matrix, share: float) -> Matrix:
    """Return the pose a share of the way: positions on a line, rotations on the shortest great circle."""
    between = first[:3, :3].T @ second[:3, :3]
    skew = np.array(
        [between[2, 1] - between[1, 2], between[0, 2] - between[2, 0], between[1, 0] - between[0, 1]]
    )
    sine, cosine = float(np.linalg.norm(skew)) / 2, (np.trace(between) - 1) / 2
    angle = math.atan2(sine, cosine)
    turn = np.eye(3)
    if angle > 1e-15:
        if sine > 1e-6 or cosine > 0:
            axis = skew / (2 * sine)
        else:  # half a turn has no skew part: the axis is what stays
            axis = np.linalg.eigh((between + between.T) / 2)[1][:, -1]
            axis = -axis if skew @ axis < 0 else axis
        cross = np.array([[0, -axis[2], axis[1]], [axis[2], 0, -axis[0]], [-axis[1], axis[0], 0]])
        part = angle * share
        turn = np.eye(3) + math.sin(part) * cross + (1 - math.cos(part)) * cross @ cross
    matrix = np.eye(4)
    matrix[:3, :3] = first[:3, :3] @ turn
    matrix[:3, 3] = (1 - share) * first[:3, 3] + share * second[:3, 3]
    return matrix


def _rigid(matrix: npt.ArrayLike, who: str) -> Matrix:
    found = np.asarray(matrix, np.float64)
    if found.shape not in ((3, 4), (4, 4)):
        raise MediaError(f"{who}: need 3 x 4 or 4 x 4, found shape {found.shape}")
    full = np.eye(4)
    full[: found.shape[0]] = found
    if not np.isfinite(full).all():
        raise MediaError(f"{who}: holds NaN or infinity; leave this view out or repair its pose")
    if np.abs(full[3] - [0, 0, 0, 1]).max() > 1e-6:
        row = " ".join(f"{value:g}" for value in full[3])
        raise MediaError(f"{who}: its last row is {row}, not 0 0 0 1; transpose it if positions stand there")
    turn = full[:3, :3]
    if np.abs(turn.T @ turn - np.eye(3)).max() > _ORTHOGONAL or np.linalg.det(turn) < 0:
        raise MediaError(
            f"{who}: its 3 x 3 part is no rotation (scaled, sheared or mirrored); remove the scale"
        )
    full.setflags(write=False)
    return full
