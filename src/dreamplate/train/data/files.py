"""Examples in files: the layout is found, and one example is read on demand."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from dreamplate.errors import ConfigError, MediaError
from dreamplate.plate.label_files import Ids, LabelMap
from dreamplate.plate.plate import Plate
from dreamplate.train.data.listing import (
    WORDS,
    Entry,
    Item,
    Key,
    Ref,
    find_role,
    halves,
    list_folder,
    pair_up,
    plain_role,
)
from dreamplate.train.data.pictures import read_map, read_picture, sample_type
from dreamplate.train.data.raw import RawExample
from dreamplate.train.data.shards import expand_shards, list_shards
from dreamplate.train.data.words import read_facts, read_texts, with_words
from dreamplate.train.options import SourceOptions

__all__ = ["LAYER", "FileExamples", "Layout", "find_files", "holds_labels"]

LAYER = "layer:"
_LABELLISH = ("label", "seg", "semantic")


@dataclass(frozen=True)
class Layout:
    """What was found.

    Attributes:
        entries: The files of each example; of ``unpaired`` data, of each image.
        conditions: Of ``unpaired`` data: the files that conditions are drawn from.
        called: The name under which conditions were found, which says whether they are labels.
        notices: What was assumed.
        left_out: Files that are in no example.
    """

    entries: tuple[Entry, ...]
    conditions: tuple[Entry, ...] = ()
    called: str = ""
    notices: tuple[str, ...] = ()
    left_out: tuple[str, ...] = ()


def find_files(data: Path, source: SourceOptions) -> Layout:
    """Return the examples below a folder or in tar shards.

    Raises:
        MediaError: There are none, or a file has no partner.
        ConfigError: An option names what is not there, or options contradict each other.
    """
    shards = _in_shards(data, source)
    items = list_shards(expand_shards(data)) if shards else list_folder(data)
    splits = (*source.train_on, *source.validate_on)
    layout = _find_pictures(data, items, source, splits)
    words = list_shards(expand_shards(data), WORDS) if shards else list_folder(data, WORDS)
    return replace(layout, entries=with_words(layout.entries, words, splits))


def _in_shards(data: Path, source: SourceOptions) -> bool:
    if source.layout == "shards" or data.suffix == ".tar" or "{" in str(data):
        return True
    if source.layout != "auto" or not data.is_dir():
        return False
    return next(data.glob("*.tar"), None) is not None and not any(p.is_dir() for p in data.iterdir())


def _find_pictures(data: Path, items: Sequence[Item], source: SourceOptions, splits: Sequence[str]) -> Layout:
    if source.pairing == "images":
        return _images(items, source, splits)
    if source.pairing == "unpaired":
        return _unpaired(items, source, splits)
    if source.layout == "layers" or source.condition.startswith(LAYER) or source.image.startswith(LAYER):
        return _layers(items, source, splits)
    if source.layout == "aligned":
        return _aligned(items, source, splits)
    called, conditions = find_role("condition", source.condition, items, splits)
    if not conditions:
        if _side_by_side(items[0].ref):
            layout = _aligned(items, source, splits)
            note = "pictures are twice as wide as high: taken as condition and image side by side"
            return replace(layout, notices=(note, *layout.notices))
        usual = "label, input, sketch"
        raise ConfigError(
            f"{data}: holds no conditions under a usual name ({usual}, …); name their folder, suffix or "
            "pattern with --source.condition, or train on images alone with --source.pairing images"
        )
    parts = {"condition": conditions}
    # Found even where they are not wanted: they are no images.
    ignored = source.instances == "none"
    instances = find_role("instances", "" if ignored else source.instances, items, splits)[1]
    if instances and not ignored:
        parts["instances"] = instances
    weight = find_role("weight", "", items, splits)[1]
    parts |= {"weight": weight} if weight else {}
    taken = {ref for files in (*parts.values(), instances) for ref in files.values()}
    parts["image"] = _image_role(
        [item for item in items if item.ref not in taken], source, splits, conditions
    )
    entries, lone = pair_up(parts, lenient=source.skip_bad)
    return Layout(tuple(entries), (), called, (), tuple(lone))


def _image_role(
    rest: Sequence[Item], source: SourceOptions, splits: Sequence[str], conditions: Mapping[Key, Ref]
) -> dict[Key, Ref]:
    if not rest:
        raise MediaError("there are conditions, but no images; check --data and --source.image")
    found = find_role("image", source.image, rest, splits)[1]
    if found:
        return found
    plain = plain_role(rest, splits)  # X.jpg beside X_label.png
    if not any(key in conditions for key in plain):
        raise ConfigError(
            f"{rest[0].ref}: no images under a usual name (photo, image, target, …); name their folder, "
            "suffix or pattern with --source.image"
        )
    return plain


def _images(items: Sequence[Item], source: SourceOptions, splits: Sequence[str]) -> Layout:
    if source.image.startswith(LAYER):
        layers = _layer_names(source.image)
        files = {key: replace(ref, layers=layers) for key, ref in plain_role(items, splits).items()}
    elif source.image:
        files = find_role("image", source.image, items, splits)[1]
    else:
        files = plain_role(items, splits)
    return Layout(tuple(pair_up({"image": files}, lenient=False)[0]))


def _unpaired(items: Sequence[Item], source: SourceOptions, splits: Sequence[str]) -> Layout:
    called, conditions = find_role("condition", source.condition, items, splits)
    taken = set(conditions.values())
    images = find_role("image", source.image, [i for i in items if i.ref not in taken], splits)[1]
    if not conditions or not images:
        raise ConfigError(
            "unpaired data: name the folders of both sides with --source.condition and --source.image"
        )
    made = pair_up({"image": images}, lenient=False)[0]
    given = pair_up({"image": conditions}, lenient=False)[0]
    return Layout(tuple(made), tuple(replace(e, refs={"condition": e.refs["image"]}) for e in given), called)


def _layers(items: Sequence[Item], source: SourceOptions, splits: Sequence[str]) -> Layout:
    exr = [item for item in items if item.ref.suffix == ".exr"]
    if not exr:
        raise MediaError(f"{items[0].ref}: layers are of OpenEXR files, and there is none")
    wanted = {"condition": source.condition, "image": source.image or "layer:rgb"}
    if source.instances not in ("", "none"):
        wanted["instances"] = source.instances
    parts: dict[str, dict[Key, Ref]] = {}
    for role, text in wanted.items():
        if not text.startswith(LAYER):
            raise ConfigError(f"source.{role}: is {text!r}; with layers write such as layer:N,Z")
        layers = _layer_names(text)
        files = plain_role(exr, splits)
        parts[role] = {key: replace(ref, layers=layers) for key, ref in files.items()}
    entries, lone = pair_up(parts, lenient=source.skip_bad)
    return Layout(tuple(entries), (), "", (), tuple(lone))


def _aligned(items: Sequence[Item], source: SourceOptions, splits: Sequence[str]) -> Layout:
    files = find_role("image", source.image, items, splits)[1] if source.image else plain_role(items, splits)
    entries, _ = pair_up(halves(files, swap=source.swap), lenient=False)
    return Layout(tuple(entries))


def _layer_names(text: str) -> tuple[str, ...]:
    names = tuple(name.strip() for name in text.removeprefix(LAYER).split(",") if name.strip())
    if not names:
        raise ConfigError(f"source: {text!r} names no layer; write such as layer:N,Z")
    return names


def _side_by_side(ref: Ref) -> bool:
    plate, _ = read_picture(ref)
    return plate.width == 2 * plate.height


def holds_labels(layout: Layout, source: SourceOptions, *, palette_known: bool) -> bool:
    """Return whether conditions are label maps.

    They are where the user says so, and where a palette is known or they are called so, provided that every
    one is a file that can hold ids: grey or indexed, not JPEG.
    """
    if source.condition_kind != "auto":
        return source.condition_kind == "labels"
    refs = [e.refs["condition"][0] for e in (layout.conditions or layout.entries) if "condition" in e.refs]
    if not refs:
        return False
    if source.palette is not None:
        return True
    named = any(word in layout.called.lower() for word in _LABELLISH)
    if not (palette_known or named):
        return False
    kind, channels, indexed = sample_type(refs[0])
    return indexed or (
        kind in ("uint8", "uint16", "uint") and len(channels) == 1 and refs[0].suffix != ".jpg"
    )


class FileExamples:
    """Examples in files, as `RawExamples`.

    Args:
        entries: The files of each.
        labels: Whether conditions are label maps.
    """

    def __init__(self, entries: Sequence[Entry], *, labels: bool) -> None:
        self.entries, self.labels = tuple(entries), labels

    def __len__(self) -> int:
        return len(self.entries)

    def name(self, index: int) -> str:
        """Return its name."""
        return self.entries[index].name

    def split(self, index: int) -> str:
        """Return its split, or nothing."""
        return self.entries[index].split

    def read(self, index: int) -> RawExample:
        """Return it.

        Raises:
            MediaError: A file cannot be read.
        """
        refs = self.entries[index].refs
        files = {part: str(found[0]) for part, found in refs.items()}
        types: dict[str, str] = {}
        images = []
        for ref in refs.get("image", ()):
            plate, types["image"] = read_picture(ref)
            images.append(plate)
        condition: Plate | LabelMap | None = None
        if "condition" in refs:
            ref = refs["condition"][0]
            if self.labels:
                condition = read_map(ref)
            else:
                condition, types["condition"] = read_picture(ref)
        instances = _ids(read_map(refs["instances"][0])) if "instances" in refs else None
        weight = None
        if "weight" in refs:
            plate, _ = read_picture(refs["weight"][0])
            weight = plate.rgb().mean(axis=2) if "R" in plate.channels else plate.pixels[:, :, 0]
        texts = [read_texts(ref, name=self.name(index)) for ref in refs.get("texts", ())]
        facts = read_facts(refs["facts"][0]) if "facts" in refs else {}
        return RawExample(
            tuple(images), condition, instances, weight, files, types, texts[0] if texts else (), facts
        )


def _ids(stored: LabelMap) -> Ids:
    values = stored.values
    if values.ndim == 3:  # objects told apart by colour
        values = (values[:, :, 0] << 16) | (values[:, :, 1] << 8) | values[:, :, 2]
    return np.ascontiguousarray(values)
