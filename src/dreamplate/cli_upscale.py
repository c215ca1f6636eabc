"""``dreamplate upscale``: pictures and sequences made larger by Real-ESRGAN."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import tyro
from tyro.conf import Positional

from dreamplate.errors import ConfigError, MediaError

if TYPE_CHECKING:
    from dreamplate.plate import Plate
    from dreamplate.plate.tiling import Network


@dataclass(frozen=True)
class UpscaleCommand:
    """Make a picture or a sequence larger with Real-ESRGAN. Range, alpha and every channel are kept."""

    source: Positional[str]
    """A picture, a frame pattern such as shot.####.exr (also "shot.####.exr 1001-1100"), or a video."""
    target: Positional[str]
    """Where it goes: a picture, or a frame pattern where the source has frames."""
    factor: Literal[2, 4] = 4
    """How many times as wide and high."""
    model: Literal["x4plus", "anime", "video"] = "x4plus"
    """x4plus for photographs and dreams, anime for drawings, video for drawn video: small and fast."""
    tile: int = 192
    """Side of the tiles that the network sees at once, in pixels of the source; smaller takes less memory."""
    threads: int | None = None
    """Processor threads; all cores when not given."""
    quiet: bool = False
    """Print nothing but errors."""


def upscale(arguments: list[str]) -> int:
    """``dreamplate upscale SOURCE TARGET``."""
    asked = tyro.cli(UpscaleCommand, prog="dreamplate upscale", args=arguments)
    if asked.threads is not None and asked.threads < 1:
        raise ConfigError(f"threads is {asked.threads}: choose 1 or more")
    jobs = list(_jobs(asked.source, asked.target))
    from dreamplate.nets.realesrgan import RealEsrgan

    network = RealEsrgan(asked.model, asked.factor, asked.threads or _cores())
    for number, (name, work) in enumerate(jobs, 1):
        place = f"{name} ({number} of {len(jobs)})" if len(jobs) > 1 else name
        done = work(asked, network, _ticker(place, asked.quiet))
        if not asked.quiet:
            print(f"{done.width} x {done.height}: {name}")  # noqa: T201
    return 0


Progress = Callable[[int, int], None]
Work = Callable[[UpscaleCommand, "Network", Progress], "Plate"]


def _jobs(source: str, target: str) -> Iterator[tuple[str, Work]]:
    """Yield, for each picture, where it goes and what makes it.

    Raises:
        ConfigError: Source and target do not fit each other, or are the same.
        MediaError: There are no such files.
    """
    from dreamplate.plate import Sequence, open_sequence
    from dreamplate.plate.formats import format_for, is_video

    if is_video(target):
        raise ConfigError(f"target is {target}: give a frame pattern such as {Path(target).stem}.####.png")
    if not is_video(source) and (_plain(source) or not _pattern(source)):
        if _pattern(target) and not _plain(target):
            raise ConfigError(f"target is {target}: the source is one picture; name one picture")
        _check_apart(source, target)
        format_for(Path(target))
        yield target, _picture(Path(source), Path(target))
        return
    if not _pattern(target):
        raise ConfigError(
            f"target is {target}: the source has frames; give a frame pattern such as big.####.exr"
        )
    frames = open_sequence(source)
    goal = Sequence.parse(target, ())
    format_for(goal.path(0))
    for frame in frames.frames:
        place = goal.path(frame)
        if isinstance(frames, Sequence):
            _check_apart(frames.path(frame), place)
            yield str(place), _picture(frames.path(frame), place)
        else:
            yield str(place), _frame(frames.read, frame, place)


def _picture(source: Path, target: Path) -> Work:
    """Return what reads, enlarges and writes one file, with all its parts."""

    def work(asked: UpscaleCommand, network: Network, progress: Progress) -> Plate:
        from dreamplate.plate import info, read_parts, write, write_parts
        from dreamplate.plate.upscale import upscale as enlarge

        parts = {
            name: _signed(enlarge(plate, network, asked.factor, tile=asked.tile, progress=progress), asked)
            for name, plate in read_parts(source).items()
        }
        _make_folder(target)
        first = next(iter(parts.values()))
        if len(parts) > 1:
            write_parts(parts, target)
        else:
            about = info(source)
            write(first, target, depth=_depth(about.format, about.parts[0].types, target))
        return first

    return work


def _frame(read: Callable[[int], Plate], frame: int, target: Path) -> Work:
    """Return what enlarges one frame of a video."""

    def work(asked: UpscaleCommand, network: Network, progress: Progress) -> Plate:
        from dreamplate.plate import write
        from dreamplate.plate.upscale import upscale as enlarge

        made = _signed(enlarge(read(frame), network, asked.factor, tile=asked.tile, progress=progress), asked)
        _make_folder(target)
        write(made, target)
        return made

    return work


def _signed(plate: Plate, asked: UpscaleCommand) -> Plate:
    return plate.with_metadata(upscaled=f"Real-ESRGAN {asked.model}, {asked.factor} times")


def _depth(format_name: str, types: tuple[str, ...], target: Path) -> str | None:
    """Return the depth that keeps what the source has; ``None`` for the format's usual one."""
    from dreamplate.plate.formats import format_for

    same = format_for(target).name == format_name
    if format_name == "openexr" and same:
        return "float" if "float" in types else None
    return "16" if same and format_name in ("png", "tiff") and "uint16" in types else None


def _pattern(name: str) -> bool:
    return any(sign in Path(name).name for sign in "#@%")


def _plain(name: str) -> bool:
    """Whether a name is a file that exists, signs in it or not."""
    try:
        return Path(name).is_file()
    except (OSError, ValueError):
        return False


def _check_apart(source: str | Path, target: str | Path) -> None:
    if Path(source).resolve() == Path(target).resolve():
        raise ConfigError(f"target is {target}: that is the source; name another")


def _make_folder(target: Path) -> None:
    from dreamplate.files import raise_os_error

    try:
        target.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise_os_error(error, target.parent, MediaError)


def _cores() -> int:
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def _ticker(name: str, quiet: bool) -> Progress:
    """Return what shows progress on a terminal, on one line."""

    def tick(done: int, total: int) -> None:
        end = "\r" if done < total else "\r\033[K"
        sys.stderr.write(f"{name}: tile {done} of {total}{end}")
        sys.stderr.flush()

    return tick if sys.stderr.isatty() and not quiet else lambda done, total: None
