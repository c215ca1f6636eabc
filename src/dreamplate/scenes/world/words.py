"""The words of captions: tables of phrases by what they say. Plain lower-case words, no signs.

Every word that a caption may hold stands here and nowhere else, so that the vocabulary is closed. An article
is written ``a`` and becomes ``an`` where the next word asks for it.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

__all__ = [
    "ALONE",
    "BESIDE",
    "BIOMES",
    "COUNTS",
    "DAYS",
    "FAR",
    "FRONTS",
    "HIGH",
    "LARGE",
    "LOOKS",
    "MOON",
    "NOUNS",
    "ROADS",
    "SEASONS",
    "SIDES",
    "SITES",
    "SKIES",
    "STYLES",
    "TIMES",
    "TREES",
    "VERBS",
    "WATERS",
    "WEATHERS",
    "vocabulary",
]

Phrases = tuple[str, ...]

NOUNS: dict[str, tuple[tuple[str, str], ...]] = {
    "house": (
        ("house", "houses"),
        ("cottage", "cottages"),
        ("small house", "small houses"),
        ("lonely house", "small houses"),
        ("farmhouse", "farmhouses"),
    ),
    "village": (
        ("village", "villages"),
        ("small village", "small villages"),
        ("hamlet", "hamlets"),
        ("group of houses", "groups of houses"),
    ),
    "village church": (("village with a church", "villages"), ("village around a church", "villages")),
    "castle": (
        ("castle", "castles"),
        ("old castle", "old castles"),
        ("stone castle", "stone castles"),
        ("fortress", "fortresses"),
        ("medieval castle", "medieval castles"),
    ),
    "lighthouse": (
        ("lighthouse", "lighthouses"),
        ("tall lighthouse", "tall lighthouses"),
        ("striped lighthouse", "striped lighthouses"),
    ),
    "tower": (
        ("tower", "towers"),
        ("old tower", "old towers"),
        ("stone tower", "stone towers"),
        ("watchtower", "watchtowers"),
    ),
    "bridge": (
        ("bridge", "bridges"),
        ("stone bridge", "stone bridges"),
        ("old bridge", "old bridges"),
        ("arched bridge", "arched bridges"),
    ),
    "suspension bridge": (
        ("suspension bridge", "suspension bridges"),
        ("hanging bridge", "hanging bridges"),
        ("tall bridge", "tall bridges"),
    ),
    "windmill": (
        ("windmill", "windmills"),
        ("old windmill", "old windmills"),
        ("mill with sails", "mills with sails"),
    ),
    "pyramid": (
        ("pyramid", "pyramids"),
        ("ancient pyramid", "ancient pyramids"),
        ("great pyramid", "great pyramids"),
    ),
    "sailing boat": (
        ("sailing boat", "sailing boats"),
        ("boat", "boats"),
        ("sailboat", "sailboats"),
    ),
    "rowing boat": (
        ("rowing boat", "rowing boats"),
        ("boat", "boats"),
        ("small boat", "small boats"),
    ),
    "boat": (("boat", "boats"), ("little boat", "little boats")),
    "car": (("car", "cars"), ("vehicle", "vehicles"), ("small car", "small cars")),
    "truck": (("truck", "trucks"), ("lorry", "lorries"), ("vehicle", "vehicles")),
    "vehicle": (("vehicle", "vehicles"), ("car", "cars")),
    "campfire": (
        ("campfire", "campfires"),
        ("fire", "fires"),
        ("burning campfire", "burning campfires"),
        ("bonfire", "bonfires"),
    ),
}
"""What it is → singular and plural."""
COUNTS: dict[str, Phrases] = {
    "1": ("a", "a", "a", "a", "a", "one"),
    "2": ("two", "two", "a pair of"),
    "3": ("three",),
    "many": ("several", "many", "a number of"),
}
VERBS: dict[str, tuple[tuple[str, str], ...]] = {
    "": (("stands", "stand"), ("is", "are"), ("can be seen", "can be seen"), ("rises", "rise")),
    "village": (("lies", "lie"), ("is", "are"), ("can be seen", "can be seen")),
    "bridge": (("stands", "stand"), ("is", "are"), ("can be seen", "can be seen")),
    "boat": (("floats", "float"), ("is", "are"), ("drifts", "drift")),
    "sailing boat": (("sails", "sail"), ("is sailing", "are sailing"), ("floats", "float")),
    "car": (("drives", "drive"), ("is driving", "are driving"), ("travels", "travel")),
    "campfire": (("burns", "burn"), ("glows", "glow"), ("is", "are")),
}
SITES: dict[str, Phrases] = {
    "hill": ("on a hill", "on top of a hill", "on a hilltop", "high on a hill"),
    "shore": ("by the water", "near the shore", "beside the water", "close to the water"),
    "sea": ("on the sea", "on the water", "at sea", "on the waves"),
    "lake": ("on a lake", "on the lake", "on the water"),
    "river": ("on a river", "on the river", "on the water"),
    "over river": ("over a river", "across the river", "over the water", "above a stream"),
    "road": ("on a road", "on the road", "along a road", "along the road"),
    "beside road": ("by the road", "beside a road", "at the roadside"),
    "slope": ("on a slope", "on the hillside"),
    "flat": ("on open ground", "in the open"),
}
SIDES: dict[str, Phrases] = {
    "left": ("on the left", "to the left", "on the left side"),
    "centre": ("in the middle", "in the centre"),
    "right": ("on the right", "to the right", "on the right side"),
}
FAR = ("in the distance", "far away", "on the horizon")
LARGE = ("up close", "in the foreground", "nearby")
HIGH = ("seen from above", "from the air", "from high above")
BIOMES: dict[str, dict[str, Phrases]] = {
    "mountains": {
        "noun": (
            "a mountain landscape",
            "mountains",
            "rocky mountains",
            "high mountains",
            "a mountain valley",
        ),
        "in": ("in the mountains", "among high mountains", "in a mountain valley", "below rocky peaks"),
        "behind": ("in front of mountains", "with mountains behind", "with peaks in the background"),
    },
    "hills": {
        "noun": ("rolling hills", "a hilly landscape", "gentle hills", "hills"),
        "in": ("in rolling hills", "among hills", "in a hilly landscape", "between gentle hills"),
        "behind": ("in front of hills", "with hills behind", "with hills in the background"),
    },
    "coast": {
        "noun": ("a coast", "a coastline", "the seaside", "a coastal landscape"),
        "in": ("on the coast", "by the sea", "at the seaside", "along the coast"),
        "behind": (),
    },
    "islands": {
        "noun": ("an island", "islands in the sea", "an island coast", "small islands"),
        "in": ("on an island", "among small islands", "by an island shore"),
        "behind": ("in front of islands", "with islands behind"),
    },
    "desert": {
        "noun": ("a desert", "a sandy desert", "sand dunes", "a desert landscape"),
        "in": ("in the desert", "among sand dunes", "in a sandy desert", "in a dry desert"),
        "behind": ("in front of dunes", "with dunes behind"),
    },
    "snow": {
        "noun": ("a snowy landscape", "a frozen landscape", "fields of snow", "an arctic landscape"),
        "in": ("in the snow", "in a snowy landscape", "in a frozen land", "surrounded by snow"),
        "behind": ("in front of snowy hills", "with snowy hills behind"),
    },
    "canyon": {
        "noun": ("a canyon", "a red canyon", "canyon walls", "a rocky canyon"),
        "in": ("in a canyon", "between canyon walls", "among red rocks", "in a rocky canyon"),
        "behind": ("in front of red cliffs", "with cliffs behind"),
    },
    "plains": {
        "noun": ("a wide plain", "open plains", "flat fields", "a flat landscape", "grassland"),
        "in": ("on the plains", "on a wide plain", "among flat fields", "in flat country"),
        "behind": (),
    },
    "green hills": {
        "noun": ("green hills", "grassy hills", "rolling green hills", "meadows and hills"),
        "in": ("in green hills", "among grassy hills", "on green meadows"),
        "behind": ("in front of green hills", "with green hills behind"),
    },
    "green plains": {
        "noun": ("green fields", "a green plain", "wide meadows", "grassland"),
        "in": ("among green fields", "on a grassy plain", "on wide meadows"),
        "behind": (),
    },
    "snowy mountains": {
        "noun": ("snowy mountains", "mountains covered in snow", "snow capped mountains", "white mountains"),
        "in": ("among snowy mountains", "in the snowy mountains", "below snowy peaks"),
        "behind": ("in front of snowy mountains", "with snowy peaks behind"),
    },
    "snowy hills": {
        "noun": ("snowy hills", "hills covered in snow", "white hills"),
        "in": ("among snowy hills", "in snowy hills"),
        "behind": ("in front of white hills",),
    },
    "snowy plains": {
        "noun": ("snowy plains", "snowy fields", "a white plain"),
        "in": ("on snowy fields", "on a snowy plain"),
        "behind": (),
    },
    "snowy coast": {
        "noun": ("a snowy coast", "a snowy shore"),
        "in": ("on a snowy coast", "by a cold sea"),
        "behind": (),
    },
}
"""Biome, whether snow lies on it → what it is called, where things are, what is behind them."""
WATERS: dict[str, Phrases] = {
    "sea": ("by the sea", "beside the sea", "near the ocean", "on the shore of the sea"),
    "lake": ("by a lake", "beside a lake", "near a lake", "on the shore of a lake"),
    "river": ("by a river", "beside a river", "near a river", "along a river"),
}
BESIDE: dict[str, Phrases] = {
    "sea": ("the sea", "the ocean", "water"),
    "lake": ("a lake", "calm water", "a quiet lake"),
    "river": ("a river", "a stream", "a winding river"),
}
TREES: dict[str, dict[str, Phrases]] = {
    "conifer": {
        "few": ("pine trees", "a few pine trees", "fir trees", "some conifers"),
        "many": ("a pine forest", "many fir trees", "a dark forest", "a forest of conifers"),
    },
    "broadleaf": {
        "few": ("trees", "a few trees", "leafy trees", "some trees"),
        "many": ("a forest", "woods", "many trees", "a leafy forest"),
    },
    "autumn": {
        "few": ("autumn trees", "trees with red leaves", "golden trees"),
        "many": ("a golden forest", "a colourful forest", "an autumn forest"),
    },
    "birch": {
        "few": ("birch trees", "a few birches", "white birches"),
        "many": ("a birch forest", "many birches", "birch woods"),
    },
    "palm": {
        "few": ("palm trees", "a few palms", "some palm trees"),
        "many": ("many palm trees", "a palm grove"),
    },
    "cactus": {
        "few": ("cactuses", "a few cactuses", "some tall cactuses"),
        "many": ("many cactuses", "a field of cactuses"),
    },
    "bare": {
        "few": ("bare trees", "a few bare trees", "trees without leaves"),
        "many": ("a bare forest", "many bare trees", "leafless woods"),
    },
}
TIMES: dict[str, Phrases] = {
    "dawn": ("at dawn", "at sunrise", "at daybreak", "early in the morning", "as the sun rises"),
    "day": ("by day", "during the day", "in daylight", "in the daytime"),
    "noon": ("at noon", "at midday", "in the middle of the day"),
    "sunset": ("at sunset", "at sundown", "in the light of the setting sun", "as the sun sets"),
    "dusk": ("at dusk", "in the twilight", "at nightfall", "after sunset"),
    "night": ("at night", "in the dark of night", "in the night", "by night"),
}
DAYS: dict[str, Phrases] = {"dawn": ("morning",), "day": ("day",), "night": ("night",)}
"""Time → nouns that weather can colour: on a foggy morning."""
LOOKS: dict[str, Phrases] = {
    "clear": ("clear", "bright", "cloudless"),
    "cloudy": ("cloudy",),
    "overcast": ("grey", "overcast", "dull"),
    "fog": ("foggy", "misty", "hazy"),
    "rain": ("rainy", "wet"),
    "snowfall": ("snowy", "wintry"),
    "storm": ("stormy",),
}
"""Weather → adjectives."""
WEATHERS: dict[str, Phrases] = {
    "clear": ("in clear weather", "in fine weather"),
    "cloudy": ("in cloudy weather",),
    "overcast": ("in dull weather", "in grey weather"),
    "fog": ("in fog", "in thick fog", "in the mist", "in misty air"),
    "rain": ("in the rain", "in heavy rain", "while it rains", "in rainy weather"),
    "snowfall": ("in falling snow", "while it snows", "during snowfall"),
    "storm": ("in a storm", "in stormy weather", "during a storm"),
}
SKIES: dict[str, Phrases] = {
    "clear": ("under a clear sky", "under a cloudless sky"),
    "clear day": ("under a blue sky", "under a clear blue sky", "in bright sunshine", "in the sun"),
    "clear dawn": ("under a pale clear sky", "under a clear sky"),
    "clear sunset": ("under an orange sky", "under a red sky", "in golden light", "under a clear sky"),
    "clear dusk": ("under a darkening clear sky", "under a clear sky"),
    "clear night": ("under the stars", "under a starry sky", "under a clear sky full of stars"),
    "cloudy": (
        "under a cloudy sky",
        "with clouds in the sky",
        "under scattered clouds",
        "under drifting clouds",
    ),
    "cloudy day": ("under white clouds", "under a blue sky with clouds"),
    "cloudy sunset": ("under glowing clouds", "with red clouds in the sky"),
    "overcast": ("under an overcast sky", "under a grey sky", "under thick clouds"),
    "fog": ("in fog", "in thick fog", "in the mist"),
    "rain": ("under rain clouds", "in the rain", "with rain falling"),
    "snowfall": ("with snow falling", "in falling snow"),
    "storm": ("under a stormy sky", "under dark clouds", "under storm clouds"),
}
SEASONS: dict[str, Phrases] = {
    "spring": ("in spring", "in springtime"),
    "summer": ("in summer", "in summertime"),
    "autumn": ("in autumn", "in the fall"),
    "winter": ("in winter", "in wintertime"),
}
MOON = ("under the moon", "by moonlight", "with the moon in the sky")
ROADS = ("a road", "a winding road", "a country road")
STYLES = (
    "a photograph of",
    "a photo of",
    "a picture of",
    "an image of",
    "a view of",
    "a scenic view of",
    "a painted view of",
    "a wide shot of",
)
FRONTS = ("there is", "here is", "this is")
ALONE = ("an empty landscape", "a quiet landscape", "a scene", "a landscape")


def vocabulary() -> tuple[str, ...]:
    """Return every word that a caption may hold, in the order of the alphabet; all lower case."""
    tables: tuple[Any, ...] = (NOUNS, COUNTS, VERBS, SITES, SIDES, FAR, LARGE, HIGH, WATERS, BESIDE)
    tables += (TREES, TIMES, DAYS, LOOKS, WEATHERS, SKIES, SEASONS, MOON, ROADS, STYLES, FRONTS)
    tables += (BIOMES, ALONE, ("a an the on of there are near",))
    return tuple(sorted({word for phrase in _phrases(tables) for word in phrase.split()}))


def _phrases(table: Any) -> Iterator[str]:
    if isinstance(table, str):
        yield table
        return
    for each in table.values() if isinstance(table, dict) else table:
        yield from _phrases(each)
