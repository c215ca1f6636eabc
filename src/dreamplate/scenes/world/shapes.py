"""Table of shapes: what can stand in a world, how large it is, and the upright cylinder that holds it."""

from __future__ import annotations

from dataclasses import dataclass

from dreamplate.scenes.world.classes import CLASSES
from dreamplate.scenes.world.kernels import shapes_numbers as n

__all__ = ["PLANTS", "SHAPES", "Shape"]


@dataclass(frozen=True)
class Shape:
    """One shape at size 1, which is its natural size in metres.

    Its own axes: +X right, +Y up, front at -Z (a house's door, a boat's bow, a car's bonnet); the foot is at
    the origin. A bridge leads along X, a fence too.

    Attributes:
        number: The kernels' number of it (`kernels.shapes_numbers`).
        label: Id of its class, `classes.CLASSES`.
        width: Metres along X, about, without what sticks out.
        height: Metres above the foot.
        depth: Metres along Z.
        radius: Of the cylinder around the Y axis that holds it, whatever the seed and the moment.
        low: Lower end of that cylinder; buildings reach into the ground so that slopes leave no gaps.
        high: Upper end.
    """

    number: int
    label: int
    width: float
    height: float
    depth: float
    radius: float
    low: float
    high: float


def _shape(
    number: int, label: str, natural: tuple[float, float, float], radius: float, low: float, high: float
) -> Shape:
    width, height, depth = natural
    return Shape(number, CLASSES[label], width, height, depth, radius, low, high)


SHAPES: dict[str, Shape] = {
    "house": _shape(n.HOUSE, "house", (10.0, 8.0, 8.0), 8.0, -3.0, 11.2),
    "barn": _shape(n.BARN, "house", (10.0, 8.5, 14.0), 9.2, -3.0, 10.6),
    "church": _shape(n.CHURCH, "house", (9.0, 24.0, 22.0), 13.0, -3.0, 27.0),
    "castle": _shape(n.CASTLE, "castle", (52.0, 30.0, 52.0), 38.3, -9.6, 34.0),
    "lighthouse": _shape(n.LIGHTHOUSE, "lighthouse", (8.0, 24.5, 8.0), 10.5, -4.0, 25.6),
    "tower": _shape(n.TOWER, "tower", (9.0, 18.0, 9.0), 5.2, -4.0, 24.5),
    "bridge": _shape(n.BRIDGE, "bridge", (44.0, 7.5, 6.0), 23.0, -9.0, 8.5),
    "suspension": _shape(n.SUSPENSION, "bridge", (64.0, 21.0, 7.0), 33.5, -9.0, 22.5),
    "windmill": _shape(n.WINDMILL, "windmill", (8.0, 14.0, 8.0), 10.5, -3.0, 21.5),
    "pyramid": _shape(n.PYRAMID, "pyramid", (60.0, 38.0, 60.0), 43.0, -6.0, 39.0),
    "boat": _shape(n.BOAT, "boat", (2.8, 11.0, 9.0), 6.8, -2.0, 12.5),
    "rowboat": _shape(n.ROWBOAT, "boat", (1.5, 0.8, 4.2), 3.2, -0.8, 1.6),
    "car": _shape(n.CAR, "car", (1.8, 1.5, 4.3), 2.6, -0.1, 2.2),
    "truck": _shape(n.TRUCK, "car", (2.5, 3.4, 9.0), 5.2, -0.1, 3.9),
    "bus": _shape(n.BUS, "car", (2.5, 3.0, 10.0), 5.4, -0.1, 3.6),
    "campfire": _shape(n.CAMPFIRE, "fire", (1.8, 0.7, 1.8), 1.25, -0.4, 1.2),
    "flag": _shape(n.FLAG, "tower", (2.6, 9.0, 0.2), 3.3, -0.6, 9.6),
    "rock": _shape(n.ROCK, "rock", (2.4, 1.6, 2.0), 1.9, -1.0, 2.0),
    "conifer": _shape(n.CONIFER, "tree", (4.4, 11.0, 4.4), 3.3, -1.0, 12.6),
    "broadleaf": _shape(n.BROADLEAF, "tree", (7.4, 9.0, 7.4), 5.0, -1.0, 10.6),
    "birch": _shape(n.BIRCH, "tree", (4.2, 11.0, 4.2), 3.2, -1.0, 12.6),
    "palm": _shape(n.PALM, "tree", (6.0, 9.0, 6.0), 5.4, -1.0, 10.6),
    "cactus": _shape(n.CACTUS, "plant", (2.4, 5.0, 1.0), 1.9, -0.9, 5.9),
    "bare": _shape(n.BARE, "tree", (6.0, 9.0, 6.0), 5.4, -1.4, 9.6),
    "bush": _shape(n.BUSH, "plant", (2.4, 1.4, 2.4), 1.9, -0.5, 2.1),
    "fence": _shape(n.FENCE, "house", (6.0, 1.1, 0.2), 3.3, -0.8, 1.4),
    "lamp": _shape(n.LAMP, "tower", (1.2, 5.5, 0.4), 1.8, -0.3, 6.0),
}
"""Name → shape. Sizes of things are factors of these."""
PLANTS: tuple[str, ...] = ("conifer", "broadleaf", "birch", "palm", "cactus", "bare", "bush")
"""Shapes whose colour is that of leaves, or of bark where there are none."""
