"""One function for the signed distance of every shape, by its number."""

from __future__ import annotations

from typing import Any

from dreamplate.compiled import scalar
from dreamplate.scenes.world.kernels import shapes_numbers as n
from dreamplate.scenes.world.kernels.shapes_bridges import bridge, suspension
from dreamplate.scenes.world.kernels.shapes_craft import boat, bus, car, rowboat, truck
from dreamplate.scenes.world.kernels.shapes_homes import barn, church, house
from dreamplate.scenes.world.kernels.shapes_plants import bare, cactus, palm, rock
from dreamplate.scenes.world.kernels.shapes_stone import castle, lighthouse, pyramid, tower
from dreamplate.scenes.world.kernels.shapes_trees import birch, broadleaf, bush, conifer
from dreamplate.scenes.world.kernels.shapes_yard import campfire, fence, flag, lamp, windmill

__all__ = ["shape_distance"]


@scalar
def shape_distance(kind: Any, x: Any, y: Any, z: Any, seed: Any, swing: Any, fine: Any) -> Any:
    """Return a lower bound of the distance to a shape's surface, negative inside, and the part that is near.

    Args:
        kind: Number of the shape.
        x: Of the point in the shape's own axes, at size 1; y and z likewise.
        y: Up.
        z: Backwards.
        seed: Mixed bits; variations.
        swing: Where in its own motion it is: a windmill's angle, a flag's wave.
        fine: 0 everything, 1 without the finest noise, 2 coarse and rather too small, for shadows.
    """
    if kind >= n.CONIFER and kind <= n.BUSH:
        if kind == n.CONIFER:
            return conifer(x, y, z, seed, fine)
        if kind == n.BROADLEAF:
            return broadleaf(x, y, z, seed, fine)
        if kind == n.BIRCH:
            return birch(x, y, z, seed, fine)
        if kind == n.BUSH:
            return bush(x, y, z, seed, fine)
        if kind == n.PALM:
            return palm(x, y, z, seed, fine)
        if kind == n.CACTUS:
            return cactus(x, y, z, seed, fine)
        return bare(x, y, z, seed, fine)
    if kind == n.HOUSE:
        return house(x, y, z, seed)
    if kind == n.ROCK:
        return rock(x, y, z, seed, fine)
    if kind == n.CASTLE:
        return castle(x, y, z, seed)
    if kind == n.BARN:
        return barn(x, y, z, seed)
    if kind == n.CHURCH:
        return church(x, y, z, seed)
    if kind == n.LIGHTHOUSE:
        return lighthouse(x, y, z, seed)
    if kind == n.TOWER:
        return tower(x, y, z, seed)
    if kind == n.BRIDGE:
        return bridge(x, y, z, seed)
    if kind == n.SUSPENSION:
        return suspension(x, y, z, seed)
    if kind == n.WINDMILL:
        return windmill(x, y, z, seed, swing)
    if kind == n.PYRAMID:
        return pyramid(x, y, z, seed, fine)
    if kind == n.BOAT:
        return boat(x, y, z, seed)
    if kind == n.ROWBOAT:
        return rowboat(x, y, z, seed)
    if kind == n.CAR:
        return car(x, y, z, seed)
    if kind == n.TRUCK:
        return truck(x, y, z, seed)
    if kind == n.BUS:
        return bus(x, y, z, seed)
    if kind == n.CAMPFIRE:
        return campfire(x, y, z, seed)
    if kind == n.FLAG:
        return flag(x, y, z, seed, swing)
    if kind == n.FENCE:
        return fence(x, y, z, seed)
    return lamp(x, y, z, seed)
