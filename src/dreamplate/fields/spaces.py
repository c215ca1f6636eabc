"""The extent of a scene: where its content may be, and how rays cover it.

    kind      content                               learnt in                            steps along a ray
    box       inside a box (an object on a table)   the box itself                       even
    forward   in front of cameras that look one     the frustum of a reference camera,   even in disparity
              way                                   in disparity (NeRF's NDC, sec. C)
    open      all around                            a box, and all beyond it contracted  growing with
                                                    to a shell (mip-NeRF 360, eq. 10)    distance

All numbers are in the world of the capture; nothing is rescaled.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from dreamplate.errors import SceneError
from dreamplate.plate.camera import Camera
from dreamplate.scenes.scene import Scene

__all__ = ["Extent", "extent_of", "focus_point"]

Array = npt.NDArray[np.float64]
MANY = 50
"""Points from which on they say how far content reaches."""


@dataclass(frozen=True, eq=False)
class Extent:
    """Where the content of a scene is.

    Attributes:
        kind: See the module's table.
        box: ``(2, 3)`` corners in the world: of the content (box), of the well-resolved middle (open), or of
            what lies between near and far (forward; for meshes and previews).
        near: Distance at which rays begin, world units (forward: planar from the reference camera).
        far: Distance at which they end; infinite for open scenes.
        reference: ``(4, 4)`` pose of the reference camera (forward), else the identity.
        slopes: ``(x0, x1, y0, y1)`` sides of the reference frustum at distance 1 (forward), else zeros.
    """

    kind: Literal["box", "forward", "open"]
    box: Array
    near: float
    far: float
    reference: Array
    slopes: tuple[float, float, float, float] = (0.0, 0.0, 0.0, 0.0)

    def to_dict(self) -> dict[str, Any]:
        """Return plain data."""
        return {
            "kind": self.kind,
            "box": self.box.tolist(),
            "near": self.near,
            "far": self.far if math.isfinite(self.far) else None,
            "reference": self.reference.tolist(),
            "slopes": list(self.slopes),
        }

    @classmethod
    def from_dict(cls, data: dict[str, Any]) -> Extent:
        """Restore what ``to_dict`` returned."""
        far = math.inf if data["far"] is None else float(data["far"])
        slopes = tuple(float(value) for value in data["slopes"])
        assert len(slopes) == 4
        box, reference = np.asarray(data["box"], float), np.asarray(data["reference"], float)
        return cls(data["kind"], box, float(data["near"]), far, reference, slopes)


def extent_of(scene: Scene, *, clear: bool = False, kind: str = "auto") -> Extent:
    """Return where a scene's content is, from what the capture says and from its cameras.

    Args:
        scene: The capture.
        clear: Whether its photographs have alpha, so that content has an edge all around.
        kind: ``box``, ``forward``, ``open``, or ``auto``.

    Raises:
        SceneError: There are no cameras, or a box is asked for and no place is seen by all of them.
    """
    cameras = [view.camera for view in scene.views]
    if not cameras:
        raise SceneError(f"{scene.path}: has no views; nothing can be learnt from it")
    if kind == "auto":
        # A box that a format states (aabb_scale) is only a bound; alpha shows where content ends.
        kind = "forward" if scene.forward_facing else "box" if clear else "open"
    if kind == "forward":
        return _forward(scene, cameras)
    if kind == "box":
        return _box(scene, cameras, clear)
    return _open(scene, cameras)


def focus_point(cameras: Sequence[Camera]) -> Array:
    """Return the point nearest to all viewing axes (least squares), ``(3,)``."""
    total, right = np.zeros((3, 3)), np.zeros(3)
    for camera in cameras:
        across = np.eye(3) - np.outer(camera.forward, camera.forward)
        total += across
        right += across @ camera.position
    if np.linalg.cond(total) > 1e8:  # parallel axes: the middle of the cameras must do
        return np.asarray(np.mean([camera.position for camera in cameras], axis=0))
    return np.asarray(np.linalg.solve(total, right))


def _span(cameras: Sequence[Camera]) -> float:
    places = np.array([camera.position for camera in cameras])
    return float(np.linalg.norm(places - places.mean(0), axis=1).max())


def _box(scene: Scene, cameras: Sequence[Camera], clear: bool) -> Extent:
    if scene.box is not None:
        box = np.asarray(scene.box, float)
    else:
        centre = focus_point(cameras)
        seen = []
        for camera in cameras:  # the largest ball around the centre that every camera sees whole
            half = min(camera.width / 2 / camera.fx, camera.height / 2 / camera.fy)
            seen.append(np.linalg.norm(centre - camera.position) * math.sin(math.atan(half)))
        radius = float(min(seen))
        if not radius > 0:
            raise SceneError(f"{scene.path}: a camera stands at the centre of the scene; use --extent open")
        box = np.stack([centre - radius, centre + radius])
        if clear and scene.points is not None and len(scene.points.positions) >= MANY:
            # With alpha all points are on content, which reaches a little farther than its features do.
            low, high = np.quantile(scene.points.positions, [0.005, 0.995], axis=0)
            margin = 0.1 * float((high - low).max())
            box = np.stack([np.minimum(box[0], low - margin), np.maximum(box[1], high + margin)])
    reach = [np.linalg.norm(corner - camera.position) for camera in cameras for corner in _corners(box)]
    middle, half_diagonal = box.mean(0), float(np.linalg.norm(box[1] - box[0])) / 2
    near = min(float(np.linalg.norm(camera.position - middle)) - half_diagonal for camera in cameras)
    return Extent("box", box, max(near, 1e-3 * half_diagonal), float(max(reach)), np.eye(4))


def _forward(scene: Scene, cameras: Sequence[Camera]) -> Extent:
    reference = np.eye(4)
    back = np.mean([camera.camera_to_world[:3, 2] for camera in cameras], axis=0)
    up = np.mean([camera.camera_to_world[:3, 1] for camera in cameras], axis=0)
    back /= np.linalg.norm(back)
    right = np.cross(up, back)
    right /= np.linalg.norm(right)
    reference[:3, :3] = np.stack([right, np.cross(back, right), back], axis=1)
    places = np.array([camera.position for camera in cameras])
    reference[:3, 3] = places.mean(0)
    near, far = _near_far(scene, cameras, reference)
    near = max(near, 0.05 * far if near <= 0 else near)
    sides = []
    for camera in cameras:  # every picture's corners, at the near and the far plane
        w, h = camera.width, camera.height
        edges = np.array(
            [[0, 0], [w, 0], [0, h], [w, h], [w / 2, 0], [w / 2, h], [0, h / 2], [w, h / 2]], float
        )
        start, along = camera.rays(edges)
        start = (start - reference[:3, 3]) @ reference[:3, :3]
        along = along @ reference[:3, :3]
        if not (along[:, 2] < 0).all():
            raise SceneError(
                f"{scene.path}: view {camera.name!r} looks another way than the others; use --extent open"
            )
        for plane in (near, far):
            hit = start + along * ((-plane - start[:, 2:]) / along[:, 2:])
            sides.append(hit[:, :2] / plane)
    found = np.concatenate(sides)
    low, high = found.min(0), found.max(0)
    box_corners = np.array(
        [[x * d, y * d, -d] for d in (near, far) for x in (low[0], high[0]) for y in (low[1], high[1])]
    )
    world = box_corners @ reference[:3, :3].T + reference[:3, 3]
    slopes = (float(low[0]), float(high[0]), float(low[1]), float(high[1]))
    return Extent("forward", np.stack([world.min(0), world.max(0)]), near, far, reference, slopes)


def _near_far(scene: Scene, cameras: Sequence[Camera], reference: Array) -> tuple[float, float]:
    """Return planar near and far from the reference camera."""
    if scene.near_far is not None:
        near, far = scene.near_far
        return 0.9 * near, far
    if scene.points is not None and len(scene.points.positions):
        depth = -((scene.points.positions - reference[:3, 3]) @ reference[:3, 2])
        depth = depth[depth > 0]
        if len(depth):
            near, far = np.quantile(depth, [0.005, 0.995])
            return 0.8 * float(near), 4.0 * float(far)
    span = max(_span(cameras), 1e-6)
    return span, 100 * span


def _open(scene: Scene, cameras: Sequence[Camera]) -> Extent:
    centre, places = focus_point(cameras), np.array([camera.position for camera in cameras])
    middle = places.mean(0)
    if np.linalg.norm(centre - middle) > 4 * max(_span(cameras), 1e-9):
        centre = middle  # they look into the distance, not at something
    reach = max(float(np.abs(places - centre).max()), 1e-6)
    box = np.stack([centre - reach, centre + reach])
    half = float((box[1] - box[0]).max()) / 2
    near = 0.02 * half
    if scene.points is not None and len(scene.points.positions):
        gaps = []
        for camera in cameras:
            pixels, depth = camera.project(scene.points.positions)
            inside = (depth > 0) & (pixels >= 0).all(1) & (pixels <= [camera.width, camera.height]).all(1)
            if inside.any():
                gaps.append(np.quantile(depth[inside], 0.01))
        if gaps:
            near = max(near, 0.3 * float(min(gaps)))
    return Extent("open", box, near, math.inf, np.eye(4))


def _corners(box: Array) -> Array:
    return np.array([[box[i, 0], box[j, 1], box[k, 2]] for i in (0, 1) for j in (0, 1) for k in (0, 1)])
