"""What a finished job leaves in its take: pictures, a film of the previews, and the final figures."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from dreamplate.errors import TakeError
from dreamplate.files import raise_os_error, write_bytes_atomic
from dreamplate.take import machine
from dreamplate.take.failures import check_scalars
from dreamplate.take.film import write_film
from dreamplate.take.job import Leaves
from dreamplate.take.log import Spent, read_steps
from dreamplate.take.previews import displayable, preview_path
from dreamplate.take.provenance import KEY, provenance_text, with_provenance

if TYPE_CHECKING:
    from dreamplate.plate import Plate
    from dreamplate.take.job import Job, Step
    from dreamplate.take.take import Take

FRAMES = "frames"
"""Folder of a sequence's frames."""
_RESERVED = ("preview", "progress", "film", "frames", "state", "take", "log", "metrics")


def write_outputs(job: Job, take: Take, spent: Callable[[], Spent]) -> dict[str, float]:
    """Write the outcome of a finished job; doing it again gives the same files.

    Args:
        job: The job, after its last step.
        take: Where to.
        spent: Tells what the take has cost by now.

    Returns:
        The final figures.

    Raises:
        TakeError: A figure is not a number, or a file cannot be written.
        MediaError: A plate holds NaN or infinite values, or cannot be written.
        ResourceError: The disk is full.
    """
    outcome = job.outcome()
    names = [name for plate in outcome.plates for name in (f"{plate}.exr", f"{plate}.png")]
    for name, plate in outcome.plates.items():
        if name in _RESERVED or Path(name).name != name or not name.strip(". "):
            raise TakeError(
                f"{take.path}: outcome {name!r} cannot be a file name; the job must choose another"
            )
        write_plate(plate, take, name, exr=outcome.depth)
    frames = [f"{FRAMES}/{name}.{suffix}" for name in outcome.frames for suffix in ("exr", "png")]
    if frames:
        pictures = [take.path / name for name in frames if name.endswith(".png")]
        write_film(pictures, take.path / "film.mp4", {KEY: provenance_text(take)}, fps=outcome.fps, hold=0.0)
        names += [*frames, "film.mp4"]
    names += write_files(job, take)
    if _write_progress(take, len(job)):
        names.append("progress.mp4")
    steps = read_steps(take.log_path)
    scalars = dict(steps[-1]["scalars"]) if steps else {}
    scalars |= check_scalars(outcome.scalars, job.position, take.path)
    write_metrics(take, steps=len(job), scalars=scalars, spent=spent(), outputs=names)
    return scalars


def write_files(job: Job, take: Take) -> list[str]:
    """Write the files that a job leaves for others, and return their names.

    Raises:
        TakeError: A name cannot be a file name.
        ResourceError: The disk is full.
    """
    files = job.files() if isinstance(job, Leaves) else {}
    for name, write in files.items():
        if Path(name).name != name or not name.strip(". ") or Path(name).stem in _RESERVED:
            raise TakeError(f"{take.path}: {name!r} cannot be a file of a take; the job must choose another")
        write(take.path / name)
    return list(files)


def write_finished(step: Step, take: Take) -> None:
    """Write the plates that a step completed into ``frames/``; doing it again gives the same files.

    Raises:
        TakeError: A name cannot be a file name, or the folder cannot be made.
        MediaError: A plate holds NaN or infinite values, or cannot be written.
        ResourceError: The disk is full.
    """
    for name, render in step.finished.items():
        if Path(name).name != name or not name.strip(". "):
            raise TakeError(f"{take.path}: frame {name!r} cannot be a file name; the job must choose another")
        folder = take.path / FRAMES
        try:
            folder.mkdir(exist_ok=True)
        except OSError as error:
            raise_os_error(error, folder, TakeError, "make")
        write_plate(render(), take, f"{FRAMES}/{name}", exr=step.depth)


def write_plate(plate: Plate, take: Take, name: str, depth: str = "8", *, exr: str | None = None) -> None:
    """Write ``NAME.exr`` (scene-linear, half float where it fits) and ``NAME.png`` (display-referred)."""
    from dreamplate.plate import write

    plate = with_provenance(plate, take)
    write(plate, take.path / f"{name}.exr", depth=exr)
    write(displayable(plate), take.path / f"{name}.png", depth=depth)


def write_metrics(
    take: Take,
    *,
    steps: int,
    scalars: Mapping[str, float],
    spent: Spent,
    outputs: list[str],
    more: Mapping[str, Any] | None = None,
) -> None:
    """Write ``metrics.json``."""
    data = {
        "kind": take.kind,
        "id": take.record.id,
        "steps": steps,
        "scalars": dict(scalars),
        "wall_seconds": spent.wall,
        "cpu_seconds": spent.cpu,
        "peak_rss_bytes": spent.peak_rss,
        "machine": machine.describe_machine(),
        "outputs": outputs,
    }
    text = json.dumps(data | dict(more or {}), indent=2, ensure_ascii=False, allow_nan=False)
    write_bytes_atomic(take.metrics_path, (text + "\n").encode(), family=TakeError)


def finished_metrics(take: Take) -> dict[str, Any] | None:
    """Return the metrics of a take that is finished and complete on disk, else ``None``."""
    if take.status != "finished":
        return None
    try:
        data: dict[str, Any] = json.loads(take.metrics_path.read_bytes())
        whole = all((take.path / name).is_file() for name in data["outputs"])
        numbers = [data["wall_seconds"], data["cpu_seconds"], data["steps"], *dict(data["scalars"]).values()]
    except (OSError, ValueError, KeyError, TypeError):
        return None
    return data if whole and all(isinstance(number, int | float) for number in numbers) else None


def _write_progress(take: Take, steps: int) -> bool:
    """Write the film of the previews, if there are any."""
    every = take.record.preview_every
    if every is None:
        return False
    indices = [*range(every, steps, every), steps]
    frames = [path for index in indices if (path := preview_path(take.path, index)).is_file()]
    if not frames:
        return False
    write_film(frames, take.path / "progress.mp4", {KEY: provenance_text(take)})
    return True
