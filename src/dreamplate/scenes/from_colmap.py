"""Scenes of COLMAP: a model folder, text or binary, beside the folder of its photographs."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from dreamplate.errors import MediaError, SceneError
from dreamplate.plate.camera import Camera
from dreamplate.scenes.colmap_cameras import camera_from_colmap
from dreamplate.scenes.colmap_model import ColmapCamera, ColmapImage, find_colmap, read_colmap_model
from dreamplate.scenes.scene import Mask, Points, Scene
from dreamplate.scenes.views import Listed, gather, mean_up

__all__ = ["read_colmap_scene"]


def read_colmap_scene(path: Path, holdout: int = 0, images: str = "") -> Scene:
    """Read a COLMAP project. Views are in the order of their names.

    Masks in a folder ``masks`` beside the photographs, named ``NAME.jpg.png``, are COLMAP's: black is
    ignored.

    Args:
        path: The project, or the model folder itself.
        holdout: Every n-th view is for testing; 0 for none.
        images: Name of the folder of photographs, such as ``images_4``; found when empty.

    Raises:
        SceneError: There is no model, it is damaged, or none of its photographs is there.
        MediaError: A photograph is damaged.
    """
    folder = find_colmap(path)
    if folder is None:
        raise SceneError(f"{path}: no COLMAP model here (need cameras and images, .bin or .txt)")
    model = read_colmap_model(folder, features=False)
    pictures = _pictures(path, folder, images, [image.name for image in model.images.values()])
    listed = [
        Listed(
            image.name,
            pictures / image.name,
            _camera(model.cameras[image.camera_id], image, str(folder)),
            mask=_mask(pictures, image.name),
        )
        for image in sorted(model.images.values(), key=lambda image: image.name)
    ]
    found = gather(path, listed, holdout)
    points = model.points
    return Scene(
        path,
        "colmap",
        tuple(found.views),
        points=None
        if points is None or not len(points.ids)
        else Points(points.positions, points.colours, points.errors, points.tracks),
        up=mean_up([view.camera for view in found.views]),
        missing=tuple(found.missing),
        notes={**found.notes, "up": "the mean of the cameras'; COLMAP does not say"},
    )


def _pictures(path: Path, folder: Path, asked: str, names: list[str]) -> Path:
    """Return the folder in which most of the photographs are, beside the model or above it."""
    roots = list(dict.fromkeys([path, folder, folder.parent, folder.parent.parent]))
    tried = [root / name for root in roots for name in ((asked,) if asked else ("images", "input", ""))]
    best = max(tried, key=lambda place: sum((place / name).is_file() for name in names[:50]))
    if not names or not any((best / name).is_file() for name in names):
        where = asked or "images"
        raise SceneError(
            f"{path}: the model names photographs such as {names[0] if names else 'none'}, which are not in "
            f"{roots[0] / where}; put them there, or name their folder"
        )
    return best


def _mask(pictures: Path, name: str) -> Mask | None:
    place = pictures.parent / "masks" / f"{name}.png"
    return Mask(place, "dark", "ignore") if place.is_file() else None


def _camera(camera: ColmapCamera, image: ColmapImage, where: str) -> Callable[[int, int], Camera]:
    def make(width: int, height: int) -> Camera:
        try:
            return camera_from_colmap(camera, image, where)
        except ValueError as error:  # a quaternion of no length, or NaN
            raise MediaError(f"camera {image.name!r}: {error}") from error

    return make
