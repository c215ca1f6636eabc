"""What a piece of slow work looks like from outside: a job that advances in steps."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol, runtime_checkable

if TYPE_CHECKING:
    from dreamplate.plate import Plate


@dataclass(frozen=True)
class Step:
    """What one step of a job reports.

    Attributes:
        index: How many steps are done, this one included (1 for the first).
        scalars: Named figures of this step, e.g. ``{"score": 0.31, "loss": -0.31}``.
        previews: Named functions that render a display-ready picture of the work so far.
            They are called only when somebody wants to look, and before the next step.
        finished: Named functions that render plates which this step completed, such as a frame of a
            sequence. ``run`` calls each once and writes ``frames/NAME.exr`` and ``frames/NAME.png``
            before it goes on or saves a checkpoint.
        depth: Sample type of those EXR files, as in ``plate.write``.
    """

    index: int
    scalars: Mapping[str, float] = field(default_factory=dict)
    previews: Mapping[str, Callable[[], Plate]] = field(default_factory=dict)
    finished: Mapping[str, Callable[[], Plate]] = field(default_factory=dict)
    depth: str | None = None


@dataclass(frozen=True)
class Outcome:
    """What a finished job leaves.

    Attributes:
        plates: Final plates by name; ``final`` is the main one. Each is scene-linear; ``run`` writes
            ``NAME.exr`` (half float) and ``NAME.png`` (display-referred) into the take.
        scalars: Final figures for ``metrics.json``.
        depth: Sample type of the EXR files, as in ``plate.write``; ``float`` where values must be kept to
            the bit.
        frames: Names of the finished frames in order; ``run`` makes the film ``film.mp4`` of them.
        fps: Frames a second of that film.
    """

    plates: Mapping[str, Plate] = field(default_factory=dict)
    scalars: Mapping[str, float] = field(default_factory=dict)
    depth: str | None = None
    frames: tuple[str, ...] = ()
    fps: int = 24


@runtime_checkable
class Job(Protocol):
    """Work that advances in steps and can be stopped between any two of them.

    A job is made from its config alone; it draws every random number from generators it owns, so
    that ``state_dict`` and ``load_state_dict`` restore it bit for bit.
    """

    kind: str
    """Registered name, such as ``dream``; written to ``take.yaml``."""
    config: Any
    """Frozen dataclass: the complete description of the work."""

    def __len__(self) -> int:
        """Return how many steps the whole job takes."""
        ...

    @property
    def position(self) -> int:
        """Return how many steps are done."""
        ...

    def step(self) -> Step:
        """Advance by one step."""
        ...

    def state_dict(self) -> dict[str, Any]:
        """Return everything that the next step depends on: nested dicts of tensors, numbers, strings."""
        ...

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Restore what ``state_dict`` returned."""
        ...

    def outcome(self) -> Outcome:
        """Return the final plates and figures; called after the last step."""
        ...


@runtime_checkable
class Leaves(Protocol):
    """What a job may have besides: files that others can use before the work is finished, such as a model."""

    def files(self) -> Mapping[str, Callable[[Path], None]]:
        """Return functions that write a file, by its name in the take.

        ``run`` calls them with every checkpoint and once more after the outcome. Each must write atomically.
        """
        ...


@runtime_checkable
class Tells(Protocol):
    """What a job may have besides: sentences that the user should read."""

    def take_notices(self) -> tuple[str, ...]:
        """Return what is new since this was last asked, one line each.

        ``run`` asks before the first step and after each, and writes the answers into the log.
        """
        ...


@runtime_checkable
class Watched(Protocol):
    """What a job may have besides: listeners of its own."""

    def listeners(self) -> tuple[Any, ...]:
        """Return listeners (``take.Listener``) that its config asks for."""
        ...
