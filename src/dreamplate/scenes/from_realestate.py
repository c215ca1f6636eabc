"""Scenes of RealEstate10K: a list of cameras of a video, beside a folder of its frames."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from dreamplate.errors import SceneError
from dreamplate.plate.camera import Camera
from dreamplate.scenes.photographs import picture_header, pictures_in
from dreamplate.scenes.realestate_format import read_realestate
from dreamplate.scenes.scene import Scene
from dreamplate.scenes.views import Listed, gather, mean_up

__all__ = ["read_realestate_scene"]


def read_realestate_scene(path: Path, holdout: int = 0, images: str = "") -> Scene:
    """Read a RealEstate10K (or ACID) list and its frames.

    Frames are named by their timestamp (``66733333.png``), in a folder called as the list or ``frames``;
    where no name is a timestamp, as many frames as lines are taken in order.

    Args:
        path: The list, or a folder that holds one.
        holdout: Every n-th view is for testing; 0 for none.
        images: Name of the folder of frames; found when empty.

    Raises:
        SceneError: The list is damaged, or its frames are not there.
        MediaError: A frame is damaged.
    """
    place = _list(path)
    tried = [images] if images else [place.stem, "frames", "images", "."]
    folder = next((place.parent / name for name in tried if (place.parent / name).is_dir()), place.parent)
    pictures = sorted(pictures_in(folder), key=lambda picture: (_stamp(picture) or 0, picture.name))
    if not pictures:
        raise SceneError(f"{place}: no frames beside it (looked in {', '.join(tried)}); name their folder")
    header = picture_header(pictures[0])
    cameras = list(read_realestate(place, size=(header.width, header.height)).cameras.values())
    by_stamp = {_stamp(picture): picture for picture in pictures}
    stamps = [None if camera.time is None else round(camera.time * 1e6) for camera in cameras]
    named = any(stamp is not None and stamp in by_stamp for stamp in stamps)
    if not named and len(pictures) != len(cameras):
        raise SceneError(
            f"{place}: lists {len(cameras)} frames; {folder} has {len(pictures)} pictures, "
            f"none named by a timestamp"
        )
    listed = []
    for number, (camera, stamp) in enumerate(zip(cameras, stamps, strict=True)):
        picture = by_stamp.get(stamp, folder / str(stamp)) if named else pictures[number]
        listed.append(Listed(picture.name, picture, _camera(camera)))
    found = gather(place, listed, holdout)
    return Scene(
        path,
        "realestate10k",
        tuple(found.views),
        up=mean_up([view.camera for view in found.views]),
        missing=tuple(found.missing),
        notes=found.notes,
    )


def _list(path: Path) -> Path:
    if path.is_file():
        return path
    lists = sorted(path.glob("*.txt"))
    if len(lists) != 1:
        raise SceneError(f"{path}: holds {len(lists)} lists (*.txt); name the one that is meant")
    return lists[0]


def _stamp(picture: Path) -> int | None:
    return int(picture.stem) if picture.stem.isdecimal() else None


def _camera(camera: Camera) -> Callable[[int, int], Camera]:
    return lambda width, height: camera
