"""Numbers of shapes and of what their parts are made of. Plain integers; nothing here needs a compiler."""

from __future__ import annotations

HOUSE = 0
BARN = 1
CHURCH = 2
CASTLE = 3
LIGHTHOUSE = 4
TOWER = 5
BRIDGE = 6
WINDMILL = 7
PYRAMID = 8
BOAT = 9
ROWBOAT = 10
CAR = 11
TRUCK = 12
CAMPFIRE = 13
FLAG = 14
ROCK = 15
CONIFER = 16
BROADLEAF = 17
BIRCH = 18
PALM = 19
CACTUS = 20
BARE = 21
BUSH = 22
FENCE = 23
LAMP = 24
SUSPENSION = 25
BUS = 26
SHAPE_COUNT = 27

# Parts: a surface's material.
WALL = 0
ROOF = 1
GLASS = 2
WOOD = 3
STONE = 4
TRIM = 5
BARK = 6
LEAF = 7
METAL = 8
TYRE = 9
PAINT = 10
STRIPE = 11
CLOTH = 12
SAILS = 13
GLOW = 14
HEADLIGHT = 15
TAILLIGHT = 16
SAND = 17
WHITE_BARK = 18
DARK = 19
EMBER = 20
ROPE = 21
SLATE = 22
FLESH = 23
