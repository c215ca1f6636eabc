"""``dreamplate brittleness``: where pictures and label maps lie outside what a model has learnt from."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import tyro
from tyro.conf import Positional

from dreamplate.errors import ConfigError, DreamplateError, ModelError
from dreamplate.take import check, prepare_process
from dreamplate.take.fields import Bounds

if TYPE_CHECKING:
    from torch import Tensor

    from dreamplate.train.brittle import Finding
    from dreamplate.train.memory import Memory
    from dreamplate.train.port import Port
    from dreamplate.train.sheets import Shown
    from dreamplate.translate.given import Given


@dataclass(frozen=True)
class BrittlenessCommand:
    """Say where conditions lie outside what a model has learnt from, before or after it is used on them."""

    take: Positional[Path]
    """A finished training take: it holds the model and the memory of its training conditions."""
    inputs: Positional[tuple[str, ...]]
    """Pictures or label maps, as for translate, or frame patterns such as label.####.png."""
    out: Path = Path("brittleness.png")
    """The sheet; the report in figures is written beside it as .json."""
    instances: str = ""
    """Object ids that come with label maps: a picture, or a frame pattern."""
    rows: Annotated[int, Bounds(ge=1, le=64)] = 8
    """Inputs on the sheet, the most brittle first."""
    made: bool = True
    """Show what the model makes of each as well."""
    recall: bool = True
    """Show the nearest training conditions, where the data is still in its place."""
    threads: Annotated[int, Bounds(ge=1, le=4096)] | None = None
    """Processor threads; all cores when not given."""
    quiet: bool = False
    """Print nothing but errors."""


def brittleness(arguments: list[str]) -> int:
    """``dreamplate brittleness TAKE INPUTS… --out SHEET``."""
    asked = check(
        tyro.cli(BrittlenessCommand, prog="dreamplate brittleness", args=arguments), source="brittleness"
    )
    if not asked.inputs:
        raise ConfigError("inputs is empty: name pictures or label maps after the take")
    if asked.out.suffix.lower() != ".png":
        raise ConfigError(f"out is {asked.out}: the sheet is a .png")
    prepare_process(asked.threads)
    from dreamplate.files import write_bytes_atomic
    from dreamplate.plate import write
    from dreamplate.take.provenance import KEY, command_provenance
    from dreamplate.train.brittle import examine, overview, row_of, summary
    from dreamplate.train.memory import load_memory, look
    from dreamplate.train.sheets import sheet

    memory = load_memory(_memory_file(asked.take))
    found: list[tuple[Finding, Callable[[], Given]]] = []
    for name, read in _inputs(asked, memory.port):
        finding, _ = examine(memory, _condition(read(), memory.port), name)
        found.append((finding, read))
    report = overview(memory, [finding for finding, _ in found])
    found.sort(key=lambda item: (-item[0].outside, item[0].confidence, item[0].name))
    make = _maker(asked.take) if asked.made else None
    recall = _recaller(asked.take, memory, asked.quiet) if asked.recall else None
    rows = []
    for finding, read in found[: asked.rows]:
        given = read()
        condition = _condition(given, memory.port)
        sure = look(memory, condition).confidence
        rows.append(row_of(memory, condition, finding, sure, make and make(given), recall))
    asked.out.parent.mkdir(parents=True, exist_ok=True)
    recipe = command_provenance("brittleness", asked, [_memory_file(asked.take)])
    write(sheet(rows).with_metadata(**{KEY: recipe}), asked.out)
    text = json.dumps(report, indent=1, ensure_ascii=False)
    write_bytes_atomic(asked.out.with_suffix(".json"), text.encode(), family=ModelError)
    if not asked.quiet:
        print(summary(report))  # noqa: T201
        print(f"sheet: {asked.out}")  # noqa: T201
    return 0


def _memory_file(take: Path) -> Path:
    file = take / "memory.safetensors"
    if not file.is_file():
        raise ModelError(
            f"{file}: there is no memory of training conditions; train to the end with --measure.report"
        )
    return file


def _inputs(asked: BrittlenessCommand, port: Port) -> Iterator[tuple[str, Callable[[], Given]]]:
    """Yield every input's name and what reads it; each is read when it is needed."""
    from functools import partial

    from dreamplate.translate.conditions import read_given
    from dreamplate.translate.frames import Source
    from dreamplate.translate.translate_config import TranslateConfig

    if port.instances and not asked.instances:
        raise ConfigError("instances is empty: the model needs object ids; name their picture")
    for text in asked.inputs:
        source = Source(TranslateConfig(source=Path(text)))
        for frame in source.frames:
            yield (
                Path(source.name(frame)).name,
                partial(read_given, source, frame, port, asked.instances),
            )


def _condition(given: Given, port: Port) -> Tensor:
    """Return a frame as the network sees it."""
    import torch

    from dreamplate.train.onehot import one_hot

    if given.picture is not None:
        return given.picture
    assert given.labels is not None and port.palette is not None
    classes = one_hot(given.labels, len(port.palette), port.palette.channels)
    return classes if given.edges is None else torch.cat([classes, given.edges.float()], 1)


def _maker(take: Path) -> Callable[[Given], Shown]:
    """Return what makes pictures of frames, as they are shown."""
    import torch

    from dreamplate.train.sheets import shown
    from dreamplate.translate.apply import Translator
    from dreamplate.translate.model import load_model

    translator = Translator(load_model(take))

    def make(given: Given) -> Shown:
        # The middle of the styles that a model knows; noise of a network without styles is its own affair.
        style = torch.zeros(1, translator.z_dim) if translator.z_dim else None
        picture: Shown = shown(translator(given, style), translator.made)[0]
        return picture

    return make


def _recaller(take: Path, memory: Memory, quiet: bool) -> Callable[[str], Shown | None] | None:
    """Return what shows a training condition by its name; None where the data cannot be opened any more."""
    from dreamplate.take import Take
    from dreamplate.train.brittle import display_of
    from dreamplate.train.data.opening import open_examples
    from dreamplate.train.onehot import condition_tensor
    from dreamplate.translate.config import TrainConfig

    try:
        config = Take.open(take).config(TrainConfig)
        examples = open_examples(config.data, config.source, config.augment, "train", config.seed)
    except DreamplateError as error:
        if not quiet:
            print(f"training conditions are not shown: {error}")  # noqa: T201
        return None
    places = {name: number for number, name in enumerate(examples.names)}

    def recall(name: str) -> Shown | None:
        if name not in places:
            return None
        batch = examples.batch([places[name]], None)
        return display_of(memory, condition_tensor(batch, memory.port))

    return recall
