"""What a fit must remember of its scene, so that it can be rendered when the photographs are gone."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from dreamplate.errors import SceneError
from dreamplate.fields.photographs import Encoding
from dreamplate.fields.spaces import Extent
from dreamplate.plate.camera import Camera
from dreamplate.scenes.camera_json import camera_from_json, camera_to_json
from dreamplate.scenes.scene import Scene, Split, View

__all__ = ["About", "learning_views"]


@dataclass(frozen=True, eq=False)
class About:
    """A scene as a fit knows it.

    Attributes:
        names: Of all views, those left out of learning included.
        cameras: At the size of the photographs on disk.
        splits: What each view was for.
        extent: Where content is.
        encoding: What colours mean.
        background: ``(r, g, b)`` behind clear pixels in figures and previews, in the encoding.
        up: Unit vector of the world that points up.
    """

    names: tuple[str, ...]
    cameras: tuple[Camera, ...]
    splits: tuple[Split, ...]
    extent: Extent
    encoding: Encoding
    background: tuple[float, float, float]
    up: tuple[float, float, float]

    def to_json(self) -> str:
        """Return it as text."""
        data = {
            "names": self.names,
            "cameras": [camera_to_json(camera) for camera in self.cameras],
            "splits": self.splits,
            "extent": self.extent.to_dict(),
            "encoding": self.encoding,
            "background": self.background,
            "up": self.up,
        }
        return json.dumps(data)

    @classmethod
    def from_json(cls, text: str, where: str) -> About:
        """Restore what ``to_json`` returned.

        Args:
            text: JSON.
            where: File, for messages.

        Raises:
            SceneError: A camera is damaged.
        """
        data: dict[str, Any] = json.loads(text)
        return cls(
            tuple(data["names"]),
            tuple(camera_from_json(item, f"{where}: camera {i}") for i, item in enumerate(data["cameras"])),
            tuple(data["splits"]),
            Extent.from_dict(data["extent"]),
            data["encoding"],
            (data["background"][0], data["background"][1], data["background"][2]),
            (data["up"][0], data["up"][1], data["up"][2]),
        )


def learning_views(scene: Scene, splits: Sequence[Split]) -> tuple[View, ...]:
    """Return the views of some splits, in order.

    Raises:
        SceneError: There are none.
    """
    found = tuple(view for view in scene.views if view.split in splits)
    if not found:
        has = ", ".join(sorted({view.split for view in scene.views})) or "none"
        raise SceneError(
            f"{scene.path}: has no views in {', '.join(splits)} to learn from (splits: {has});"
            " use --train-on or repair missing files"
        )
    return found
