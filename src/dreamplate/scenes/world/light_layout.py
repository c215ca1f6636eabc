"""Where each number of light, sky and air stands in ``LightData.numbers``.

Kernels take these as constants, and the numbers alone: a compiled function counts references to every array
that it is given. A colour takes three places. Radiances are already exposed: 1 is display white.
"""

from __future__ import annotations

SUN = 0
"""Unit vector towards the true sun, which may be below the horizon."""
MOON = 3
"""Unit vector towards the moon."""
MOON_SHARE = 6
"""Share of its disc that is lit; 0: no moon is drawn."""
MOON_SIDE = 7
"""1: its right side is lit, -1: its left."""
ZENITH = 8
"""Colour of the sky above."""
MIDDLE = 11
"""Colour of the sky between zenith and horizon."""
TOWARDS = 14
"""Colour of the horizon below the sun."""
AWAY = 17
"""Colour of the horizon opposite."""
GLOW = 20
"""Colour of the wide glow around the sun."""
GLOW_WIDTH = 23
"""Its width: squared distance on the unit sphere at which it has fallen to 1/e."""
GLOW_FLAT = 24
"""How much flatter than wide the glow is."""
DISC = 25
"""Radiance of the sun's disc."""
DISC_SIZE = 28
"""Radius of the disc, radians."""
UP = 29
"""Irradiance from the sky above, over pi."""
DOWN = 32
"""Irradiance from the ground below, over pi."""
SIDE = 35
"""What comes more from the horizon below the sun, over pi."""
COVER = 38
"""Threshold of low clouds, in deviations of the noise; lower: more clouds."""
DENSE = 39
"""How opaque low clouds are; 0: none."""
BASE = 40
"""Height of their base above the eye, metres."""
DEEP = 41
"""Their thickness, metres."""
SCALE = 42
"""Width of their largest parts, metres."""
LIT = 43
"""Their colour where the sun shines on them."""
SHADE = 46
"""Their colour where it does not."""
CIRRUS = 49
"""Strength of the high layer, 0 to 1."""
CIRRUS_COLOUR = 50
WIND = 53
"""Speed of clouds in x and z, metres a second."""
FADE = 55
"""Metres at which low clouds have faded to 1/e into the horizon."""
HAZE = 56
"""Extinction of clear air, per metre, in three colours."""
FOG = 59
"""Extinction of fog at its base, per metre."""
FOG_BASE = 60
"""Height of the base."""
FOG_SPAN = 61
"""Height over which fog thins to 1/e, metres."""
FOG_COLOUR = 62
FOG_SHARE = 65
"""How much of the fog's own colour it has, the rest is the horizon's."""
STARS = 66
"""Brightness of stars."""
NIGHT = 67
"""How much lamps and windows are lit, 0 to 1."""
RAIN = 68
"""Strength of rain, 0 to 1."""
SNOW = 69
"""Strength of snowfall, 0 to 1."""
WET = 70
"""How wet the ground is, 0 to 1."""
CLOUD_SHADOW = 71
"""How dark shadows of clouds are, 0 to 1."""
MOON_COLOUR = 72
"""Radiance of the lit part of the moon."""
FALL = 75
"""Radiance of rain streaks and snowflakes."""
STREAK = 78
"""Slant of rain: sideways over down."""
SOFT = 79
"""How much sunlight reaches what is turned away from the sun, as under clouds; 0 to 1."""
MILK = 80
"""Brightness of the milky way."""
GLINT = 81
"""How much the sun or moon glitters on water: nothing while it is below the horizon."""
FALLOFF = 82
"""How fast the colour of the horizon gives way above it."""
KEY = 83
"""Unit vector towards the light that casts shadows: ``LightData.sun``."""
KEY_COLOUR = 86
"""Its colour: ``LightData.sun_colour``."""
SEED = 89
"""Of clouds and stars: ``LightData.seed``."""
COUNT = 90
"""How many numbers there are."""
