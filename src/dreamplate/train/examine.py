"""One look at what a model makes of examples: figures, and rows for a sheet."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol, runtime_checkable

import torch
from torch import Tensor, nn

from dreamplate.nets.statistics import BatchNorm
from dreamplate.take.failures import is_out_of_memory
from dreamplate.take.machine import cpu_seconds
from dreamplate.train.batch import Batch
from dreamplate.train.draws import Draws
from dreamplate.train.features import EfficientNetFeatures
from dreamplate.train.fid import likeness
from dreamplate.train.label_accuracy import accuracy, confusion
from dreamplate.train.loop import Learnable
from dreamplate.train.port import Port
from dreamplate.train.sheets import Shown, rows_of
from dreamplate.train.system import System
from dreamplate.train.validate import Likeness

__all__ = ["Counts", "Examiner", "Measures", "Seen"]

TOGETHER = 16
"""Examples that are measured at once."""
ON_A_CARD = 16
"""Pictures that a card makes at once; a processor makes them one by one."""


@runtime_checkable
class Counts(Protocol):
    """A system whose answers are classes: it is measured by how many pixels it names rightly."""

    def count(self, batch: Batch, generator: nn.Module) -> Tensor:
        """Return the confusion matrix ``(k, k)`` of a batch."""
        ...


@runtime_checkable
class Measures(Protocol):
    """A system with figures of its own; pictures are made for sheets only."""

    def measure(self, batch: Batch, generator: nn.Module) -> dict[str, Tensor]:
        """Return sums over a batch by name, float64 on the CPU, that add up over batches."""
        ...

    def figures(self, sums: Mapping[str, Tensor]) -> dict[str, float]:
        """Return the figures that sums over all examples give."""
        ...


@dataclass
class Seen:
    """What a look found.

    Attributes:
        figures: By name.
        rows: Pictures for a sheet.
        seconds: Processor seconds for each example.
    """

    figures: dict[str, float] = field(default_factory=dict)
    rows: list[list[Shown]] = field(default_factory=list)
    seconds: float = 0.0


class Examiner:
    """Looks at what a generator makes of examples as they are: centre crops, no variation, the same noise.

    Pictures are made one by one on a processor, and together on a card unless their statistics would mix;
    where memory runs out there, half as many are made at once, which changes nothing else.

    Args:
        system: Whose generators are looked at.
        examples: Those that are measured.
        given: Port of the condition; None: pictures follow from noise alone, and have no right answer.
        made: Port of what is made.
        seed: What the noise follows from.
        device: Where the system is.
        features: Network of FID and KID; None: not measured.
        segment: Pictures ``(n, c, h, w)`` → class indices ``(n, h, w)`` on the CPU; None: label
            accuracy is not measured.
    """

    def __init__(
        self,
        system: System,
        examples: Learnable,
        given: Port | None,
        made: Port,
        seed: int,
        device: torch.device,
        features: EfficientNetFeatures | None = None,
        segment: Callable[[Tensor], Tensor] | None = None,
    ) -> None:
        self.system, self.examples = system, examples
        self.given, self.made, self.seed, self.device = given, made, seed, device
        self.features, self.segment = features, segment
        self.chunk = ON_A_CARD if device.type == "cuda" else 1
        self.notices: list[str] = []

    def look(self, generator: nn.Module, indices: Sequence[int], rows: int = 0, whole: bool = False) -> Seen:
        """Make pictures of some examples.

        Args:
            generator: In evaluation mode.
            indices: Which.
            rows: How many of them are kept for a sheet, evenly spread: neighbours are often alike.
            whole: Measure also what takes longer: FID and KID, label accuracy.
        """
        seen, began = Seen(), cpu_seconds()
        near, features, counts = Likeness(), _Features(self.features if whole else None), _Classes()
        if isinstance(self.system, Measures):
            return self._measured(self.system, generator, indices, rows)
        rows, place = min(rows, len(indices)), 0
        kept = {row * len(indices) // rows for row in range(rows)}
        for batch, pictures in self._made(generator, indices):
            if self.given is not None and not isinstance(self.system, Counts):
                near.add(pictures, batch)
            if isinstance(self.system, Counts):
                counts.add("", self.system.count(batch, generator))
            elif whole:
                features.add(batch.image, pictures)
                if self.segment is not None and batch.labels is not None and self.given is not None:
                    assert self.given.palette is not None
                    for kind, shown in (("", pictures), ("_real", batch.image)):
                        classes = confusion(self.segment(shown), batch.labels.cpu(), len(self.given.palette))
                        counts.add(kind, classes)
            here = [number for number in range(len(batch)) if place + number in kept]
            if here:
                every = rows_of(batch, pictures, self.given, self.made)
                seen.rows += [every[number] for number in here]
            place += len(batch)
        label = "" if isinstance(self.system, Counts) else "label_"
        seen.figures = near.figures | counts.figures(label) | features.figures(Draws(self.seed, "kid"))
        seen.seconds = (cpu_seconds() - began) / max(1, len(indices))
        return seen

    def _measured(self, system: Measures, generator: nn.Module, indices: Sequence[int], rows: int) -> Seen:
        seen, began, sums = Seen(), cpu_seconds(), dict[str, Tensor]()
        for start in range(0, len(indices), TOGETHER):
            batch = self.examples.batch(indices[start : start + TOGETHER], None).to(self.device)
            with torch.no_grad():
                found = system.measure(batch, generator)
            # A batch may lack what another has.
            sums |= {name: sums[name] + value if name in sums else value for name, value in found.items()}
        seen.figures = system.figures(sums) if sums else {}
        seen.seconds = (cpu_seconds() - began) / max(1, len(indices))
        rows = min(rows, len(indices))
        shown = [indices[row * len(indices) // rows] for row in range(rows)]
        for batch, pictures in self._made(generator, shown):
            seen.rows += rows_of(batch, pictures, self.given, self.made)
        return seen

    def _made(self, generator: nn.Module, indices: Sequence[int]) -> Iterator[tuple[Batch, Tensor]]:
        if any(isinstance(part, BatchNorm) and part.chosen == "batch" for part in generator.modules()):
            self.chunk = 1
        start = 0
        while start < len(indices):
            chosen = indices[start : start + self.chunk]
            try:
                yield self._make(generator, chosen)
            except RuntimeError as error:
                if self.chunk == 1 or not is_out_of_memory(error):
                    raise
                if not self.notices:
                    self.notices.append(
                        f"{self.device}: not enough memory to look at {self.chunk} pictures at once;"
                        " fewer are made at a time"
                    )
                self.chunk //= 2
                continue
            start += len(chosen)

    @torch.no_grad()
    def _make(self, generator: nn.Module, indices: Sequence[int]) -> tuple[Batch, Tensor]:
        batch = self.examples.batch(indices, None).to(self.device)
        return batch, self.system.make(batch, generator, _EachItsOwn(self.seed, tuple(indices)))


class _EachItsOwn(Draws):
    """Random numbers of which each example has its own, whichever others are beside it."""

    def __init__(self, seed: int, indices: tuple[int, ...], *names: int | str) -> None:
        super().__init__(seed, "look", *names)
        self.origin = seed, indices, names
        self.each = [Draws(seed, "look", index, *names) for index in indices]

    def named(self, *parts: int | str) -> Draws:
        seed, indices, names = self.origin
        return _EachItsOwn(seed, indices, *names, *parts)

    def normal(self, shape: Sequence[int]) -> Tensor:
        return torch.cat([draws.normal((1, *shape[1:])) for draws in self._for(shape)])

    def uniform(self, shape: Sequence[int]) -> Tensor:
        return torch.cat([draws.uniform((1, *shape[1:])) for draws in self._for(shape)])

    def integers(self, high: int, shape: Sequence[int]) -> Tensor:
        return torch.cat([draws.integers(high, (1, *shape[1:])) for draws in self._for(shape)])

    def _for(self, shape: Sequence[int]) -> list[Draws]:
        if shape[0] % len(self.each):
            raise ValueError(f"need a multiple of {len(self.each)} examples, found a shape of {tuple(shape)}")
        return [draws for draws in self.each for _ in range(shape[0] // len(self.each))]


class _Features:
    def __init__(self, network: EfficientNetFeatures | None) -> None:
        self.network = network
        self.real: list[Tensor] = []
        self.made: list[Tensor] = []

    def add(self, real: Tensor, made: Tensor) -> None:
        if self.network is not None and real.shape[1] in (1, 3):
            self.real.append(self.network(real).cpu())
            self.made.append(self.network(made).cpu())

    def figures(self, draws: Draws) -> dict[str, float]:
        if self.network is None or not self.real:
            return {}
        return likeness(torch.cat(self.real), torch.cat(self.made), self.network.name, draws)


class _Classes:
    def __init__(self) -> None:
        self.counts: dict[str, Tensor] = {}

    def add(self, kind: str, counts: Tensor) -> None:
        self.counts[kind] = self.counts[kind] + counts if kind in self.counts else counts

    def figures(self, label: str) -> dict[str, float]:
        found: dict[str, float] = {}
        for kind, counts in self.counts.items():
            if int(counts.sum()):
                found |= {f"{label}{name}{kind}": value for name, value in accuracy(counts).items()}
        return found
