"""Colour: conversions between spaces through OpenColorIO's built-in ACES studio config."""

from __future__ import annotations

from difflib import get_close_matches
from functools import cache
from typing import Any

import numpy as np

from dreamplate.errors import ConfigError
from dreamplate.plate.plate import Pixels, Plate

CONFIG = "studio-config-v2.2.0_aces-v1.3_ocio-v2.4"
"""Built-in OpenColorIO config; a fixed version, so that an upgrade of the library changes no picture."""

CANONICAL: dict[str, str] = {
    "scene_linear": "Linear Rec.709 (sRGB)",
    "srgb_display": "sRGB - Texture",
    "acescg": "ACEScg",
    "aces2065_1": "ACES2065-1",
    "acescct": "ACEScct",
    "acescc": "ACEScc",
    "raw": "Raw",
}
"""Our names for the common spaces. They win over the config's roles and aliases of the same spelling."""

VIEWS: dict[str, tuple[str, str]] = {
    "aces": ("sRGB - Display", "ACES 1.0 - SDR Video"),
    "untoned": ("sRGB - Display", "Un-tone-mapped"),
}
"""Views that ``tone_map`` offers: OpenColorIO display and view."""


@cache
def _config() -> Any:
    import PyOpenColorIO as ocio  # noqa: N813

    ocio.SetLoggingLevel(ocio.LOGGING_LEVEL_NONE)
    return ocio.Config.CreateFromBuiltinConfig(CONFIG)


@cache
def colourspaces() -> tuple[str, ...]:
    """Return every colour space name that conversions accept (aliases are accepted too)."""
    return (*CANONICAL, *(name for name in _config().getColorSpaceNames() if name not in CANONICAL.values()))


@cache
def resolve_colourspace(name: str) -> str:
    """Return the OpenColorIO name of a space given by our name, its name, or an alias of it.

    Raises:
        ConfigError: No such space; lists the nearest names.
    """
    if name in CANONICAL:
        return CANONICAL[name]
    space = _config().getColorSpace(name)
    if space is not None:
        return str(space.getName())
    known = set(CANONICAL)
    for candidate in _config().getColorSpaces():
        known |= {candidate.getName(), *candidate.getAliases()}
    folded = {entry.lower(): entry for entry in sorted(known)}
    near = [folded[match] for match in get_close_matches(name.lower(), folded, n=4, cutoff=0.5)]
    hint = f"did you mean {', '.join(near)}?" if near else f"use one of {', '.join(CANONICAL)}"
    raise ConfigError(f"colourspace: no {name!r}; {hint}")


@cache
def _processor(source: str, target: str) -> tuple[Any, bool]:
    """Return an OpenColorIO processor, and whether channels scale linearly through it."""
    processor = _exact(_config().getProcessor(source, target))
    return processor, _is_linear(processor)


@cache
def _view_processor(source: str, view: str) -> Any:
    import PyOpenColorIO as ocio  # noqa: N813

    display, name = VIEWS[view]
    transform = ocio.DisplayViewTransform(src=source, display=display, view=name)
    return _exact(_config().getProcessor(transform))


def _exact(processor: Any) -> Any:
    """Return the processor that computes; the library's usual one is hardly faster, far less exact."""
    import PyOpenColorIO as ocio  # noqa: N813

    return processor.getOptimizedCPUProcessor(ocio.OPTIMIZATION_LOSSLESS)


def _is_linear(processor: Any) -> bool:
    """Whether doubling the light doubles the result, so that alpha may stay multiplied in."""
    probe = np.array([[0.18, 0.4, 0.05], [0.36, 0.8, 0.1], [0, 0, 0]], np.float32)
    processor.applyRGB(probe)
    return bool(np.allclose(probe[0] * 2, probe[1], rtol=1e-5) and not probe[2].any())


def convert(plate: Plate, to: str) -> Plate:
    """Convert the colour channels of a plate to another space.

    Every ``R G B`` triple is converted, of the main layer and of others (``diffuse.R``…), and ``Y`` as a
    grey. Alpha, depth and other channels stay. Where the conversion is not linear, colour is divided by
    alpha before and multiplied after; pixels of alpha 0 are converted as they are, black ones stay black.
    Values are not clipped. From or to ``raw`` nothing is computed, only the name changes.

    Args:
        plate: Any plate.
        to: ``scene_linear``, ``srgb_display``, ``acescg``, … or any OpenColorIO name or alias.

    Raises:
        ConfigError: The plate's space or ``to`` is unknown; lists near names.
    """
    source, target = resolve_colourspace(plate.colourspace), resolve_colourspace(to)
    if source == target or "Raw" in (source, target):
        return plate.with_(colourspace=to)
    processor, linear = _processor(source, target)
    return _apply(plate, processor, to, linear=linear)


def tone_map(plate: Plate, view: str = "aces") -> Plate:
    """Render a scene for an sRGB monitor: highlights roll off instead of clipping.

    Args:
        plate: A scene-referred plate, of any space.
        view: ``aces`` (the ACES SDR rendering) or ``untoned`` (clips, for values meant for a display).

    Returns:
        A plate in ``srgb_display``. This changes the look and cannot be undone; ``convert`` does neither.

    Raises:
        ConfigError: No such view, or the plate's space is unknown.
    """
    if view not in VIEWS:
        raise ConfigError(f"view: no {view!r}; use one of {', '.join(VIEWS)}")
    processor = _view_processor(resolve_colourspace(plate.colourspace), view)
    return _apply(plate, processor, "srgb_display", linear=False)


def _triples(channels: tuple[str, ...]) -> list[tuple[list[int], int | None]]:
    """Return places of each colour triple (a grey thrice the same) and of its alpha."""
    found: list[tuple[list[int], int | None]] = []
    for layer in dict.fromkeys(name.rpartition(".")[0] for name in channels):
        prefix = f"{layer}." if layer else ""
        alpha = next((channels.index(a) for a in (f"{prefix}A", "A") if a in channels), None)
        names = [f"{prefix}{c}" for c in "RGB"]
        if all(name in channels for name in names):
            found.append(([channels.index(name) for name in names], alpha))
        if f"{prefix}Y" in channels:
            found.append(([channels.index(f"{prefix}Y")] * 3, alpha))
    return found


def _apply(plate: Plate, processor: Any, to: str, *, linear: bool) -> Plate:
    pixels = plate.pixels.copy()
    for places, alpha_place in _triples(plate.channels):
        alpha = None if alpha_place is None or linear else plate.pixels[:, :, alpha_place]
        triple = _through(processor, plate.pixels[:, :, places], alpha)
        for channel, place in enumerate(places):
            pixels[:, :, place] = triple[:, :, channel]
    return plate.with_(pixels=pixels, colourspace=to)


def _through(processor: Any, triple: Pixels, alpha: Pixels | None) -> Pixels:
    """Run ``(height, width, 3)`` colours through a processor, unpremultiplied by ``alpha`` if given."""
    colour = np.array(triple, np.float32, order="C", copy=True)
    if alpha is None or (alpha == 1).all():
        processor.applyRGB(colour)
        return colour
    weight = np.where(alpha > 0, alpha, np.float32(1))[:, :, None]
    empty = (alpha <= 0) & (triple == 0).all(axis=2)
    with np.errstate(over="ignore", invalid="ignore"):
        np.divide(colour, weight, out=colour)
        processor.applyRGB(colour)
        colour *= weight
    colour[empty] = 0
    return colour
