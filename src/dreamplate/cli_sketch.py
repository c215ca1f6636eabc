"""``dreamplate sketch``: pictures, sequences and video drawn in lines, without weights or by a model."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import tyro
from tyro.conf import OmitArgPrefixes, Positional

from dreamplate.cli_upscale import _check_apart, _depth, _make_folder, _pattern, _plain, _ticker
from dreamplate.errors import ConfigError
from dreamplate.take import check, prepare_process
from dreamplate.take.fields import Bounds
from dreamplate.translate.sketch_config import SketchOptions

if TYPE_CHECKING:
    from dreamplate.plate import Plate
    from dreamplate.translate.lines_plate import Draw


@dataclass(frozen=True)
class SketchCommand:
    """Draw pictures in lines. Works as it is, without weights; every frame is drawn by the same rule."""

    source: Positional[str]
    """A picture, a frame pattern such as shot.####.exr (also "shot.####.exr 1001-1100"), or a video."""
    target: Positional[str]
    """Where it goes: a picture, a frame pattern where the source has frames, or a video."""
    drawing: OmitArgPrefixes[SketchOptions] = field(default_factory=SketchOptions)
    layer: str | None = None
    """Keep the picture and add the drawing to it as this layer (sketch: channel sketch.Y); OpenEXR only."""
    beside: bool = False
    """Put the picture, as it looks, to the left of the drawing."""
    model: Path | None = None
    """Draw with a model instead: a training take or a model file (photosketch, line-drawer)."""
    threads: Annotated[int, Bounds(ge=1, le=4096)] | None = None
    """Processor threads; all cores when not given."""
    quiet: bool = False
    """Print nothing but errors."""


def sketch(arguments: list[str]) -> int:
    """``dreamplate sketch SOURCE TARGET``."""
    asked = check(tyro.cli(SketchCommand, prog="dreamplate sketch", args=arguments), source="sketch")
    _check(asked)
    prepare_process(asked.threads)
    from dreamplate.plate import VideoWriter
    from dreamplate.plate.formats import is_video

    draw = None if asked.model is None else _learnt(asked.model)
    tell = _ticker(asked.target, asked.quiet)
    size = ""
    with ExitStack() as stack:
        frames, count, fps = _frames(asked.source, stack)
        film = None
        if is_video(asked.target):
            _make_folder(Path(asked.target))
            film = stack.enter_context(VideoWriter(asked.target, fps=fps))
        for number, (frame, plate, file) in enumerate(frames, 1):
            made = _drawn(plate, asked, draw)
            if film is not None:
                film.write(made)
            else:
                _save(made, asked, frame, file)
            size = f"{made.width} x {made.height}"
            tell(number, count)
    if not asked.quiet:
        print(f"{size}, {count} frames: {asked.target}" if count > 1 else f"{size}: {asked.target}")  # noqa: T201
    return 0


def _check(asked: SketchCommand) -> None:
    from dreamplate.plate.formats import format_for, is_video
    from dreamplate.translate.sketch_config import line_width

    line_width(asked.drawing.width, 10_000)
    if asked.model is not None and asked.drawing != replace(
        SketchOptions(), line_colour=asked.drawing.line_colour, paper=asked.drawing.paper
    ):
        raise ConfigError("model: draws as it has learnt; leave style, width, detail, tone and softness out")
    film = is_video(asked.target)
    several = is_video(asked.source) or (_pattern(asked.source) and not _plain(asked.source))
    if several and not film and not _pattern(asked.target):
        raise ConfigError(
            f"target is {asked.target}: the source has frames; give a frame pattern such as sketch.####.exr,"
            " or a video"
        )
    if not several and (film or (_pattern(asked.target) and not _plain(asked.target))):
        raise ConfigError(f"target is {asked.target}: the source is one picture; name one picture")
    exr = not film and format_for(Path(asked.target)).name == "openexr"
    if asked.layer is not None and not exr:
        raise ConfigError(f"layer is {asked.layer!r}: only OpenEXR holds layers; give a target .exr")
    if asked.layer is not None and not re.fullmatch(r"[A-Za-z_]\w*", asked.layer):
        raise ConfigError(f"layer is {asked.layer!r}: use letters, digits and underscores")
    if asked.layer is not None and asked.beside:
        raise ConfigError("beside: a layer lies in the picture; leave one of the two out")


def _frames(source: str, stack: ExitStack) -> tuple[Iterator[tuple[int, Plate, Path | None]], int, float]:
    """Return number, plate and file of each frame, how many there are, and frames a second."""
    from dreamplate.plate import Sequence, open_sequence, read
    from dreamplate.plate.formats import is_video

    if not is_video(source) and (_plain(source) or not _pattern(source)):
        return iter([(0, read(source), Path(source))]), 1, 24.0
    opened = open_sequence(source)
    if isinstance(opened, Sequence):
        found = ((frame, opened.read(frame), opened.path(frame)) for frame in opened.frames)
        return found, len(opened), 24.0
    stack.enter_context(opened)
    return ((frame, plate, None) for frame, plate in opened), len(opened), float(opened.fps)


def _drawn(plate: Plate, asked: SketchCommand, draw: Draw | None) -> Plate:
    from dreamplate.translate.lines_plate import beside, sketch_plate

    made = sketch_plate(plate, asked.drawing, asked.layer, draw)
    return beside(plate, made) if asked.beside else made


def _learnt(model: Path) -> Draw:
    from dreamplate.translate.lines_learnt import load_drawer

    return load_drawer(model)


def _save(made: Plate, asked: SketchCommand, frame: int, file: Path | None) -> None:
    from dreamplate.plate import Sequence, convert, info, write
    from dreamplate.plate.formats import format_for
    from dreamplate.take.provenance import KEY, command_provenance

    target = Path(asked.target)
    if _pattern(asked.target) and not _plain(asked.target):
        target = Sequence.parse(asked.target, ()).path(frame)
    source = file or Path(asked.source)
    _check_apart(source, target)
    depth = None
    if asked.layer is not None and file is not None:
        about = info(file)
        depth = _depth(about.format, about.parts[0].types, target)
    elif format_for(target).name == "openexr":
        made = convert(made, "scene_linear")
    if asked.layer is None:
        # Of the drawing alone: with a layer the picture keeps its own recipe.
        model = (
            asked.model if asked.model is None or asked.model.is_file() else asked.model / "model.safetensors"
        )
        # A video is named and not hashed once more for every frame.
        sources = [path for path in (file, model) if path is not None]
        made = made.with_metadata(**{KEY: command_provenance("sketch", asked, sources)})
    _make_folder(target)
    write(made, target, depth=depth)
