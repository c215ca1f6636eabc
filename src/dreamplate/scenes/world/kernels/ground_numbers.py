"""Where each number stands in ``GroundData.material``."""

from __future__ import annotations

__all__ = ["COLOURS", "COUNT", "NUMBERS"]

COLOURS = (
    "grass",
    "dry",
    "rock",
    "stone",
    "sand",
    "soil",
    "snow",
    "canopy",
    "leaves",
    "bloom",
    "crop_0",
    "crop_1",
    "crop_2",
    "crop_3",
    "crop_4",
    "crop_5",
    "deep",
    "shallow",
)
"""Colours, three numbers each, from the beginning."""
NUMBERS = (
    "snow_line",
    "snow_soft",
    "rock_slope",
    "shore",
    "forest",
    "forest_from",
    "tree_line",
    "fields",
    "strata",
    "ripples",
    "wind",
    "water_kind",
    "paved",
    "base",
    "flow_x",
    "flow_z",
    "clear",
    "bumps",
    "field_cos",
    "field_sin",
    "flowers",
    "canopies",
)
"""Single numbers, behind the colours."""
GRASS, DRY, ROCK, STONE, SAND, SOIL, SNOW, CANOPY, LEAVES, BLOOM, CROPS = range(0, 33, 3)
DEEP, SHALLOW = 48, 51
(
    SNOW_LINE,
    SNOW_SOFT,
    ROCK_SLOPE,
    SHORE,
    FOREST,
    FOREST_FROM,
    TREE_LINE,
    FIELDS,
    STRATA,
    RIPPLES,
    WIND,
    WATER_KIND,
    PAVED,
    BASE,
    FLOW_X,
    FLOW_Z,
    CLEAR,
    BUMPS,
    FIELD_COS,
    FIELD_SIN,
    FLOWERS,
    CANOPIES,
) = range(54, 76)
COUNT = 76
"""Numbers in all."""
