"""What the training set holds: sizes, channels, ranges, classes. The ports of a model follow from it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from dreamplate.errors import ConfigError
from dreamplate.plate.colour import convert
from dreamplate.plate.label_files import LabelMap, map_labels
from dreamplate.plate.labels import Palette
from dreamplate.plate.plate import Plate
from dreamplate.plate.tensor import ENCODINGS
from dreamplate.train.data.palettes import Table, palette_of_ids, with_table
from dreamplate.train.data.prepare import check_sizes
from dreamplate.train.data.raw import RawExample
from dreamplate.train.options import SourceOptions
from dreamplate.train.port import Port

__all__ = ["Facts", "check_ranges", "facts_of", "labels_port", "picture_port"]

_SAMPLES = 1021
"""Pixels of an example whose values are looked at for ranges; a prime, so that columns differ."""
_COLOUR = frozenset("RGBYA")
_ENCODINGS = {"display": "srgb_display", "log": "log", "linear": "scene_linear"}
OVER = 1.001
"""Values above this need an encoding without an upper end."""
FAR = 8.0
"""A value that is repeated this many times farther out than the rest stands for "nothing there"."""


@dataclass(frozen=True)
class Facts:
    """What one example holds.

    Attributes:
        size: Height and width.
        channels: Of ``image`` and ``condition``.
        types: Sample types of their files.
        peaks: Largest colour value and the space it is in.
        samples: ``(m, c)`` some of their values.
        ids: That occur in the label map.
        table: Colours of its indexed PNG.
        labels: Whether the condition is a label map.
        instances: Whether there is an instance map.
    """

    size: tuple[int, int]
    channels: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    types: Mapping[str, str] = field(default_factory=dict)
    peaks: Mapping[str, tuple[float, str]] = field(default_factory=dict)
    samples: Mapping[str, npt.NDArray[np.float32]] = field(default_factory=dict)
    ids: frozenset[int] = frozenset()
    table: Table = ()
    labels: bool = False
    instances: bool = False


def facts_of(raw: RawExample, palette: Palette | None) -> Facts:
    """Return what an example holds, after its parts were found to fit together.

    Raises:
        MediaError: Sizes differ, or a label is outside the palette.
    """
    size = check_sizes(raw)
    channels, peaks, samples = {}, {}, {}
    for role, plate in (("image", raw.image[0] if raw.image else None), ("condition", raw.condition)):
        if isinstance(plate, Plate):
            channels[role] = plate.channels
            colour = [index for index, name in enumerate(plate.channels) if name in "RGBY"]
            values = plate.pixels[:, :, colour] if colour else np.zeros(1, np.float32)
            peaks[role] = float(np.nanmax(values)), plate.colourspace
            values = plate.pixels.reshape(-1, len(plate.channels))
            samples[role] = values[:: max(1, len(values) // _SAMPLES)].copy()
    ids: frozenset[int] = frozenset()
    table: Table = ()
    labels = isinstance(raw.condition, LabelMap)
    if isinstance(raw.condition, LabelMap):
        name, table = raw.files.get("condition", "label map"), raw.condition.table
        if palette is not None:
            map_labels(raw.condition, palette, name)
        elif raw.condition.values.ndim == 3:
            raise ConfigError(
                f"{name}: is a colour picture; to read its colours as classes, give --source.palette"
            )
        else:
            ids = frozenset(np.unique(raw.condition.values).tolist())
    return Facts(size, channels, raw.types, peaks, samples, ids, table, labels, raw.instances is not None)


def labels_port(
    facts: Sequence[Facts], found: Palette | None, given: bool, channel: str, where: str
) -> tuple[Port, list[str]]:
    """Return the port of label maps.

    Args:
        facts: Of all examples.
        found: A palette that was given or found, or None: the ids that occur are the classes.
        given: Whether it was given; else the colours of indexed PNGs are better.
        channel: OpenEXR channel that holds the ids, or nothing.
        where: It was found.
    """
    tables = {f.table for f in facts if f.table}
    table = tables.pop() if len(tables) == 1 else ()
    notices = []
    if found is None:
        palette = palette_of_ids(frozenset().union(*(f.ids for f in facts)), table)
        notices.append(
            f"{len(palette)} classes taken from the ids that occur"
            + (f"; {palette.unknown[0]} means of no class" if palette.unknown else "")
            + "; name them with --source.palette"
        )
    else:
        palette = found if given else with_table(found, table)
        if not given:
            notices.append(
                f"{len(palette)} classes from {where}"
                + (f"; ids {list(palette.unknown)} are of no class" if palette.unknown else "")
            )
    have = [f.instances for f in facts]
    return Port("labels", (channel or "Y",), "raw", palette=palette, instances=all(have)), notices


def picture_port(
    role: str, facts: Sequence[Facts], source: SourceOptions, *, layers: bool
) -> tuple[Port, list[str]]:
    """Return the port of pictures.

    Args:
        role: ``image`` or ``condition``.
        facts: Of the training set.
        source: ``encoding`` and ``ranges``.
        layers: Whether the user named the channels, so that all are used, alpha too.

    Raises:
        MediaError: Some files have other channels than the rest.
        ConfigError: A range is of a channel that there is not.
    """
    kinds = {f.channels[role] for f in facts}
    notices: list[str] = []
    if layers or not any(_COLOUR & set(names) for names in kinds):
        channels = facts[0].channels[role]
    elif any(set("RGB") <= set(names) for names in kinds):
        channels = ("R", "G", "B")
    else:
        channels = ("Y",)
    extra = sorted(set().union(*kinds) - set(channels) - {"Y"})
    if extra and not layers:
        notices.append(f"{role}: channels {' '.join(extra)} are not used; layer:… names those to use")
    types = {f.types.get(role, "float") for f in facts}
    data = channels == ("Y",) and types == {"uint16"} and source.encoding == "auto"
    raw = data or not (set("RGBY") & set(channels) or any(n.endswith((".R", ".Y")) for n in channels))
    encoding = "raw" if raw else _encoding(role, facts, source, notices)
    measured = [name for name in channels if raw or not _is_colour(name)]
    low, high = [], []
    for name in channels:
        if source.ranges and name in source.ranges:
            least, most = source.ranges[name]
        elif name in measured:
            least, most = _range(name, role, facts)
            notices.append(f"{role}: channel {name} runs from {least:.6g} to {most:.6g} (measured)")
        else:
            least, most = 0.0, _top(encoding, role, facts)
        low.append(float(least))
        high.append(float(most))
    if data:
        notices.append(f"{role}: 16-bit grey is taken as data, not as light (--source.encoding display)")
    return Port("picture", channels, encoding, tuple(low), tuple(high)), notices


def check_ranges(source: SourceOptions, *ports: Port | None) -> None:
    """Refuse ranges of channels that no port has.

    Raises:
        ConfigError: There is one.
    """
    known = {name for port in ports if port is not None for name in port.channels}
    for name in source.ranges or {}:
        if name not in known:
            raise ConfigError(
                f"source.ranges: there is no channel {name!r}; used are {' '.join(sorted(known))}"
            )


def _is_colour(name: str) -> bool:
    return name.rpartition(".")[2] in _COLOUR


def _encoding(role: str, facts: Sequence[Facts], source: SourceOptions, notices: list[str]) -> str:
    if source.encoding != "auto":
        return _ENCODINGS[source.encoding]
    peak = max(f.peaks[role][0] for f in facts)
    if peak <= OVER:
        return "srgb_display"
    notices.append(f"{role}: values reach {peak:.4g}, so the network sees them in log (ACEScct)")
    return "log"


def _top(encoding: str, role: str, facts: Sequence[Facts]) -> float:
    """Return the encoded value that 1 stands for: what is largest, and at least 1."""
    most = 1.0
    if encoding != "srgb_display":
        for peak, space in {f.peaks[role] for f in facts}:
            plate = Plate(np.full((1, 1, 3), peak, np.float32), ("R", "G", "B"), space)
            most = max(most, float(convert(plate, ENCODINGS[encoding]).pixels.max()))
    return most


def _range(name: str, role: str, facts: Sequence[Facts]) -> tuple[float, float]:
    """Return where nearly all values of a data channel lie; pixels where nothing was hit do not count."""
    columns = [f.samples[role][:, f.channels[role].index(name)] for f in facts if name in f.channels[role]]
    values = np.concatenate(columns).astype(np.float64)
    values = np.sort(values[np.isfinite(values)])
    while values.size:
        rest = values[values < values[-1]]
        repeated = values.size - rest.size >= max(2, values.size * 0.0005)
        if not (rest.size and repeated and values[-1] > FAR * max(abs(np.quantile(rest, 0.99)), 1e-6)):
            break
        values = rest
    if not values.size or values[0] == values[-1]:
        return (float(values[0]), float(values[0]) + 1.0) if values.size else (0.0, 1.0)
    if name.rpartition(".")[2] in ("x", "y", "z") and np.abs(values).max() <= OVER and values[0] < 0:
        return -1.0, 1.0
    low, high = (float(value) for value in np.quantile(values, (0.001, 0.999)))
    return (low, high) if high > low else (float(values[0]), float(values[-1]))
