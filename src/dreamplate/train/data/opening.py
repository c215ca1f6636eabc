"""Opening examples: what there is, which of it is learnt from, what it means, whether all of it is sound."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from dreamplate.errors import ConfigError, MediaError, MissingExtraError
from dreamplate.plate.labels import Palette, read_palette
from dreamplate.take.machine import parse_memory
from dreamplate.train.data.check import check_shelf, survey
from dreamplate.train.data.examples import Examples
from dreamplate.train.data.files import LAYER, FileExamples, find_files, holds_labels
from dreamplate.train.data.palettes import classes_beside
from dreamplate.train.data.raw import RawExamples
from dreamplate.train.data.shelf import Shelf
from dreamplate.train.data.splits import choose_split, named_splits
from dreamplate.train.data.survey import check_ranges, labels_port, picture_port
from dreamplate.train.data.world import WorldExamples, is_world, parse_world
from dreamplate.train.options import AugmentOptions, SourceOptions
from dreamplate.train.port import Port

__all__ = ["Found", "examples_of", "open_examples"]

Ports = tuple[Port | None, Port]
Split = Literal["train", "validate"]


@dataclass(frozen=True)
class Found:
    """What is known of a source before any of it is decoded.

    Attributes:
        palette: Of its label maps.
        where: The palette was found.
        partners: Conditions of unpaired data, as examples without images.
        splits: JSON file of splits; None: as the source says.
        notices: What was assumed.
        left_out: Files that are in no example.
    """

    palette: Palette | None = None
    where: str = ""
    partners: RawExamples | None = None
    splits: Path | None = None
    notices: tuple[str, ...] = ()
    left_out: tuple[str, ...] = ()


def open_examples(
    data: Path,
    source: SourceOptions,
    augment: AugmentOptions,
    split: Split,
    seed: int,
    ports: Ports | None = None,
) -> Examples:
    """Return the examples of one split, after each has been decoded once and checked.

    Args:
        data: Folder, tar shards, or ``world:…``.
        source: Where in it, and how it is read.
        augment: How examples are varied.
        split: Which part.
        seed: That a ``share`` of the training set follows from.
        ports: Of a model, which the examples must fit; None: found or measured on the training set.

    Raises:
        MediaError: Nothing is there, files cannot be read (without ``skip_bad``), pairs or sizes differ, or a
            label is outside the palette: names the file, and what to do.
        ConfigError: An option does not fit the data.
    """
    if is_world(data):
        return _of_world(data, source, augment, split, seed, ports)
    layout = find_files(data, source)
    palette, where = classes_beside(data)
    if ports is None:
        labels = holds_labels(layout, source, palette_known=palette is not None)
    else:
        labels = ports[0] is not None and ports[0].kind == "labels"
    splits = source.splits or (data / "splits.json" if (data / "splits.json").is_file() else None)
    found = Found(
        palette if labels else None,
        where,
        FileExamples(layout.conditions, labels=labels) if layout.conditions else None,
        splits,
        layout.notices,
        layout.left_out,
    )
    return examples_of(
        FileExamples(layout.entries, labels=labels), source, augment, split, seed, ports, found
    )


def examples_of(
    raw: RawExamples,
    source: SourceOptions,
    augment: AugmentOptions,
    split: Split,
    seed: int,
    ports: Ports | None = None,
    found: Found | None = None,
) -> Examples:
    """Return the examples of one split of any source, a renderer for example, checked in the same way.

    Args:
        raw: The source.
        source: All that is not about files.
        augment: As in `open_examples`.
        split: As in `open_examples`.
        seed: As in `open_examples`.
        ports: As in `open_examples`.
        found: What is known of it.

    Raises:
        MediaError: As in `open_examples`.
        ConfigError: As in `open_examples`.
    """
    known = found or Found()
    notices, left_out = list(known.notices), list(known.left_out)
    sides = [raw] if known.partners is None else [raw, known.partners]
    if ports is None:
        ports, more = _find_ports(sides, source, seed, known)
        notices += more
    memory = parse_memory(source.cache) // len(sides)
    shelves = [
        Shelf(side, _choose(side, source, split, seed, known.splits), ports, source, memory) for side in sides
    ]
    for shelf in shelves:
        left_out += check_shelf(shelf, measuring=split == "validate", skip=source.skip_bad)
        if split == "train" and not len(shelf):
            raise MediaError(f"no example can be used; {(left_out or ['there is none'])[0]}")
        if split == "train" and source.crop == (0, 0):
            shelf.check_one_size()
    if left_out:
        notices.append(
            f"{len(left_out)} files are left out: {left_out[0]}{' …' if len(left_out) > 1 else ''}"
        )
    if split == "train":
        notices += _turned_vectors(ports, augment)
    partners = shelves[1] if len(shelves) > 1 else None
    return Examples(shelves[0], augment, partners=partners, notices=notices, left_out=left_out)


def _of_world(
    data: Path,
    source: SourceOptions,
    augment: AugmentOptions,
    split: Split,
    seed: int,
    ports: Ports | None,
) -> Examples:
    try:
        from dreamplate.scenes.world import PALETTE
        from dreamplate.scenes.world.source import WorldPictures
    except ImportError as error:
        raise MissingExtraError('drawing a world needs numba: pip install "dreamplate[world]"') from error
    about = parse_world(data)
    passes = () if about.condition == "none" else (about.condition,)
    pictures = WorldPictures(about.seed, about.count, about.size, passes)
    known = Found(PALETTE, "the world") if about.condition == "label" else Found()
    return examples_of(WorldExamples(about, pictures), source, augment, split, seed, ports, known)


def _choose(
    raw: RawExamples, source: SourceOptions, split: Split, seed: int, splits: Path | None
) -> list[int]:
    names = [raw.name(index) for index in range(len(raw))]
    if not names:
        raise MediaError("the source holds no examples")
    listed = (
        [raw.split(index) for index in range(len(raw))] if splits is None else named_splits(names, splits)
    )
    return choose_split(names, listed, source, split, seed)


def _find_ports(
    sides: Sequence[RawExamples], source: SourceOptions, seed: int, known: Found
) -> tuple[Ports, list[str]]:
    """Return the ports that the training set asks for, and what was assumed."""
    palette = read_palette(source.palette) if source.palette is not None else known.palette
    surveys = []
    for side in sides:
        chosen = _choose(side, source, "train", seed, known.splits)
        surveys.append(survey(side, chosen, palette, skip=source.skip_bad))
        if not surveys[-1]:
            raise MediaError(f"{side.name(chosen[0])}: no example of the training set can be read")
    made_facts, given_facts = surveys[0], surveys[-1]
    layers = source.image.startswith(LAYER)
    made, notices = picture_port("image", made_facts, source, layers=layers)
    given: Port | None = None
    if "condition" in given_facts[0].channels:
        layers = source.condition.startswith(LAYER)
        given, more = picture_port("condition", given_facts, source, layers=layers)
        notices = more + notices
    elif given_facts[0].labels:
        if palette is None:  # classes that only the validation set holds are classes all the same
            chosen = _choose(sides[-1], source, "validate", seed, known.splits)
            given_facts = given_facts + survey(sides[-1], chosen, None, skip=source.skip_bad)
        channel = source.condition.removeprefix(LAYER) if source.condition.startswith(LAYER) else ""
        where = str(source.palette) if source.palette is not None else known.where
        given, more = labels_port(given_facts, palette, source.palette is not None, channel, where)
        notices = more + notices
    if source.palette is not None and (given is None or given.kind != "labels"):
        raise ConfigError("source.palette: is given, but conditions are not label maps; leave it out")
    check_ranges(source, given, made)
    return (given, made), notices


def _turned_vectors(ports: Ports, augment: AugmentOptions) -> list[str]:
    vectors = [name for port in ports if port for name in port.channels if name.endswith((".x", ".X"))]
    if not vectors or not (augment.flip or augment.rotate):
        return []
    return [
        f"{vectors[0]} is mirrored and turned with the picture, its values are not; where they are "
        "directions, use --augment.no-flip"
    ]
