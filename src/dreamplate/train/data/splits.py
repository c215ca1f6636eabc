"""Which examples are learnt from, and which are measured on."""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from pathlib import Path
from typing import Literal

from dreamplate.errors import ConfigError, MediaError
from dreamplate.train.draws import seed_of
from dreamplate.train.options import SourceOptions

__all__ = ["choose_split", "named_splits"]

_SCALE = float(2**63)


def choose_split(
    names: Sequence[str],
    splits: Sequence[str],
    source: SourceOptions,
    split: Literal["train", "validate"],
    seed: int,
) -> list[int]:
    """Return which examples belong to a split, ascending.

    Without splits an example is held out by a hash of its name: as others come and go, it never changes
    sides. A smaller ``share`` of the training set is part of every larger one of the same seed.

    Args:
        names: Of all examples.
        splits: Of each; empty strings where there are none.
        source: ``train_on``, ``validate_on``, ``holdout`` and ``share``.
        split: Which one.
        seed: Another seed, another share; the splits themselves do not depend on it.

    Raises:
        ConfigError: No example is of the splits that the options name.
    """
    present = sorted({name for name in splits if name})
    if present:
        wanted = tuple(name.lower() for name in (source.train_on if split == "train" else source.validate_on))
        if split == "validate":
            wanted = next(((name,) for name in wanted if name in present), ())
        chosen = [index for index, name in enumerate(splits) if name in wanted]
        if not chosen and split == "train":
            raise ConfigError(
                f"source.train_on: no example is in {' '.join(wanted)}; there are {' '.join(present)}"
            )
    else:
        chosen = _held_out(names, source.holdout, split)
    if split == "train" and source.share < 1:
        count = math.ceil(source.share * len(chosen))
        by_hash = sorted(chosen, key=lambda index: seed_of("share", seed, names[index]))
        chosen = sorted(by_hash[:count])
    return chosen


def _held_out(names: Sequence[str], holdout: float, split: str) -> list[int]:
    hashes = [seed_of("holdout", name) / _SCALE for name in names]
    out = {index for index, value in enumerate(hashes) if value < holdout}
    if holdout > 0 and len(names) > 1:
        # Of very few names none or all may be drawn: at least one is on each side.
        if not out:
            out = {hashes.index(min(hashes))}
        if len(out) == len(names):
            out.remove(hashes.index(max(hashes)))
    return [index for index in range(len(names)) if (index in out) == (split == "validate")]


def named_splits(names: Sequence[str], path: Path) -> list[str]:
    """Return the split of each example from a JSON file ``{"train": ["name", …], "val": […]}``.

    A name may leave out the folders, and may have an extension. Examples that it does not list are of no
    split, and are not used.

    Raises:
        MediaError: It cannot be read.
        ConfigError: It is not such a file, lists a name twice, or one that there is not.
    """
    try:
        data = json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise MediaError(f"{path}: cannot be read ({error.strerror}); check source.splits") from error
    except (ValueError, RecursionError) as error:
        raise ConfigError(f"{path}: is not JSON ({str(error)[:80]})") from error
    shape = isinstance(data, dict) and all(isinstance(listed, list) for listed in data.values())
    if not shape or not data:
        raise ConfigError(f'{path}: write {{"train": ["name", …], "val": […]}}')
    places: dict[str, int] = {}
    for index, name in enumerate(names):
        places[name] = index
    for index, name in enumerate(names):
        places.setdefault(name.rpartition("/")[2], index)
    found = ["-"] * len(names)
    for split, listed in data.items():
        for name in listed:
            text = str(name)
            index = places.get(text, places.get(text.rpartition(".")[0], -1))
            if index < 0:
                raise ConfigError(
                    f"{path}: {split} lists {text!r}, which is not among the {len(names)} examples"
                )
            if found[index] not in ("-", str(split).lower()):
                raise ConfigError(f"{path}: {text!r} is in {found[index]} and in {split}; keep it in one")
            found[index] = str(split).lower()
    return found
