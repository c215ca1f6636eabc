"""Which way is up, where is north, how large is it: what photographs alone do not say of their world.

The world of structure from motion is arbitrary by a similarity. By default it is turned, and nothing else, so
that +Z is up; GPS gives all of it; a known distance gives the scale.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from dreamplate.errors import SceneError
from dreamplate.files import raise_os_error
from dreamplate.scenes.capture_config import CaptureConfig
from dreamplate.scenes.capture_inputs import Photograph

__all__ = ["Similarity", "align", "gps_places", "local_metres", "place_world", "upright"]

Doubles = npt.NDArray[np.float64]
_SEMI_MAJOR, _FLATTENING = 6378137.0, 1 / 298.257223563  # WGS 84
_FLAT = 0.02


@dataclass(frozen=True, eq=False)
class Similarity:
    """``x → scale · rotation · x + shift``.

    Attributes:
        scale: Above 0.
        rotation: ``(3, 3)``.
        shift: ``(3,)``.
        notes: What it was made from, by topic.
    """

    scale: float
    rotation: Doubles
    shift: Doubles
    notes: Mapping[str, str]

    def __call__(self, points: npt.ArrayLike) -> Doubles:
        """Return points ``(n, 3)`` moved."""
        return np.asarray(self.scale * np.asarray(points, float) @ self.rotation.T + self.shift)


def place_world(
    names: Sequence[str], poses: Doubles, photographs: Mapping[str, Photograph], config: CaptureConfig
) -> Similarity:
    """Return what brings the world of structure from motion to the one that is asked for.

    Args:
        names: Names of the placed photographs.
        poses: ``(n, 4, 4)`` their camera-to-world matrices, OpenGL axes.
        photographs: All photographs by name.
        config: What is asked for.

    Raises:
        SceneError: GPS or the two photographs of a distance are not known, or do not determine it.
    """
    centres = poses[:, :3, 3]
    if config.gps:
        return _by_gps(names, centres, gps_places(config.gps, photographs))
    notes = {}
    rotation = np.eye(3)
    if config.up == "cameras":
        rotation = upright(poses[:, :3, :3])
        notes["up"] = "+Z, as the cameras were held"
    scale = 1.0
    if config.scale is not None:
        first, second, length = config.scale
        for name in (first, second):
            if name not in names:
                raise SceneError(
                    f"scale: {name!r} is no photograph that was placed; name two, such as {names[0]}"
                )
        found = float(np.linalg.norm(centres[names.index(first)] - centres[names.index(second)]))
        if not (length > 0 and math.isfinite(length) and found > 0):
            raise SceneError(
                f"scale: {first} and {second} are {length} apart; give two photographs and a length"
            )
        scale = length / found
        notes["scale"] = f"{first} and {second} are {length} apart"
    return Similarity(scale, rotation, np.zeros(3), notes)


def upright(rotations: Doubles) -> Doubles:
    """Return the rotation that brings to +Z what was up when the photographs were taken.

    People hold cameras level: the right-hand vectors of the cameras lie in the ground plane. Up is the
    direction most nearly square to all, if they point many ways, or else the mean of the cameras' own up.

    Args:
        rotations: ``(n, 3, 3)`` camera-to-world, OpenGL axes.
    """
    mean = rotations[:, :, 1].sum(axis=0)
    rights = rotations[:, :, 0]
    values, vectors = np.linalg.eigh(rights.T @ rights / len(rights))
    up = vectors[:, 0] * (1 if vectors[:, 0] @ mean >= 0 else -1)
    agrees = up @ mean > 0.5 * np.linalg.norm(mean)
    if values[1] < 0.02 or values[0] > values[1] / 4 or not agrees:
        up = mean / np.linalg.norm(mean) if np.linalg.norm(mean) > 1e-6 * len(rights) else up
    return _turn(up, np.array([0.0, 0.0, 1.0]))


def align(source: npt.ArrayLike, target: npt.ArrayLike) -> tuple[float, Doubles, Doubles]:
    """Return scale, rotation and shift that bring points nearest to others (Umeyama, 1991).

    Args:
        source: ``(n, 3)``, three or more that are not on a line.
        target: ``(n, 3)``.
    """
    a, b = np.asarray(source, float), np.asarray(target, float)
    middle_a, middle_b = a.mean(axis=0), b.mean(axis=0)
    left, values, right = np.linalg.svd((b - middle_b).T @ (a - middle_a) / len(a))
    signs = np.array([1.0, 1.0, np.sign(np.linalg.det(left) * np.linalg.det(right))])
    rotation = left * signs @ right
    scale = float((values * signs).sum() / ((a - middle_a) ** 2).sum() * len(a))
    return scale, rotation, middle_b - scale * rotation @ middle_a


def gps_places(gps: str, photographs: Mapping[str, Photograph]) -> dict[str, tuple[float, float, float]]:
    """Return latitude, longitude and altitude of photographs, from their Exif entries or a JSON file.

    Raises:
        SceneError: The file cannot be read, or fewer than three photographs have a place.
    """
    found: dict[str, tuple[float, float, float]] = {}
    if gps == "exif":
        found = {
            name: place for name, each in photographs.items() if (place := each.header.place) is not None
        }
    else:
        path = Path(gps)
        try:
            entries = json.loads(path.read_bytes())
            for name, entry in entries.items():
                if name in photographs:
                    lat, lon, alt = (float(entry[key]) for key in ("lat", "lon", "alt"))
                    if not (abs(lat) <= 90 and abs(lon) <= 360 and math.isfinite(alt)):
                        raise ValueError(f"{name} is at {lat} {lon} {alt}")
                    found[name] = (lat, lon, alt)
        except OSError as error:
            raise_os_error(error, path, SceneError, "read")
        except (ValueError, TypeError, KeyError, AttributeError, RecursionError) as error:
            raise SceneError(
                f'{path}: need {{"name.jpg": {{"lat": .., "lon": .., "alt": ..}}}}, found {str(error)[:80]!r}'
            ) from error
    if len(found) < 3:
        raise SceneError(
            f"gps is {gps}: {len(found)} photographs have a place there; three or more are needed"
        )
    return found


def local_metres(places: npt.ArrayLike, origin: npt.ArrayLike) -> Doubles:
    """Return places in metres east, north and up of an origin.

    Args:
        places: ``(n, 3)`` latitude, longitude in degrees, altitude in metres, WGS 84.
        origin: ``(3,)`` likewise.
    """
    middle = np.asarray(origin, float)[None]
    offset = _earth_centred(np.asarray(places, float)) - _earth_centred(middle)
    lat, lon = np.radians(middle[0, :2])
    east = [-math.sin(lon), math.cos(lon), 0.0]
    north = [-math.sin(lat) * math.cos(lon), -math.sin(lat) * math.sin(lon), math.cos(lat)]
    up = [math.cos(lat) * math.cos(lon), math.cos(lat) * math.sin(lon), math.sin(lat)]
    return np.asarray(offset @ np.array([east, north, up]).T)


def _by_gps(
    names: Sequence[str], centres: Doubles, places: Mapping[str, tuple[float, float, float]]
) -> Similarity:
    known = [place for place, name in enumerate(names) if name in places]
    if len(known) < 3:
        raise SceneError(f"gps: only {len(known)} of the placed photographs have a place; three are needed")
    table = np.array([places[names[place]] for place in known])
    origin = table.mean(axis=0)
    metres = local_metres(table, origin)
    spread = np.linalg.svd(metres - metres.mean(axis=0), compute_uv=False)
    if spread[1] < _FLAT * spread[0]:
        raise SceneError(
            "gps: the photographs were taken along one line, which does not say what is up; leave it out"
        )
    scale, rotation, shift = align(centres[known], metres)
    misses = np.linalg.norm(scale * centres[known] @ rotation.T + shift - metres, axis=1)
    notes = {
        "up": "+Z, +X east, +Y north, metres, by GPS",
        "origin": ", ".join(f"{value:.9g}" for value in origin) + " (latitude, longitude, altitude)",
        "gps": f"{len(known)} places, median miss {np.median(misses):.3g} m, largest {misses.max():.3g} m",
    }
    return Similarity(scale, rotation, shift, notes)


def _earth_centred(places: Doubles) -> Doubles:
    lat, lon, high = np.radians(places[:, 0]), np.radians(places[:, 1]), places[:, 2]
    square = _FLATTENING * (2 - _FLATTENING)
    radius = _SEMI_MAJOR / np.sqrt(1 - square * np.sin(lat) ** 2)
    flat = (radius + high) * np.cos(lat)
    return np.stack(
        [flat * np.cos(lon), flat * np.sin(lon), (radius * (1 - square) + high) * np.sin(lat)], axis=1
    )


def _turn(source: Doubles, target: Doubles) -> Doubles:
    """Return the smallest rotation that brings one unit vector to another."""
    axis, cosine = np.cross(source, target), float(source @ target)
    if cosine < -1 + 1e-12:
        other = np.array([1.0, 0, 0]) if abs(source[0]) < 0.9 else np.array([0, 1.0, 0])
        axis = np.cross(source, other)
        axis /= np.linalg.norm(axis)
        return np.asarray(2 * np.outer(axis, axis) - np.eye(3))
    x, y, z = axis
    cross = np.array([[0, -z, y], [z, 0, -x], [-y, x, 0]])
    return np.asarray(np.eye(3) + cross + cross @ cross / (1 + cosine))
