"""Small deterministic jobs, one on numpy (starts fast, for killing) and one on torch with Adam."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any, ClassVar

import numpy as np

from dreamplate.plate import Plate
from dreamplate.take import Bounds, Outcome, RunResult, Step, Take, run


@dataclass(frozen=True)
class Cuts:
    number: int = 8
    memory: str = "1GiB"


@dataclass(frozen=True)
class ToyConfig:
    kind: ClassVar[str] = "toy"
    seed: int = 0
    steps: Annotated[int, Bounds(ge=0, le=100_000)] = 20
    count: Annotated[int, Bounds(ge=1)] = 1
    pause: float = 0.0
    """Seconds to sleep in each step."""
    weight: int = 64
    """Elements of the state."""
    scratch: int = 0
    """MiB that a step needs for itself."""
    fault: str = ""
    """``KIND@STEP``: raise, nan, memory, exit."""
    image: Path | None = None
    cuts: Cuts = field(default_factory=Cuts)


class NumpyJob:
    """Follows noise with momentum; every number it draws comes from its own generator."""

    kind = "toy"

    def __init__(self, config: ToyConfig) -> None:
        self.config = config
        self.position = 0
        self.random = np.random.default_rng(config.seed)
        self.value = self.random.standard_normal(config.weight)
        self.momentum = np.zeros(config.weight)

    def __len__(self) -> int:
        return self.config.steps

    def step(self) -> Step:
        _fault(self.config, self.position + 1)
        if self.config.pause:
            time.sleep(self.config.pause)
        np.ones(self.config.scratch << 20, np.uint8)
        self.momentum = 0.9 * self.momentum + self.random.standard_normal(self.value.shape)
        self.value = 0.99 * self.value + 0.1 * self.momentum
        self.position += 1
        score = float(self.value.mean())
        if self.config.fault == f"nan@{self.position}":
            score = float("nan")
        return Step(self.position, {"score": score}, {"picture": self.picture})

    def picture(self) -> Plate:
        return Plate.from_rgb(_pixels(self.value), "srgb_display")

    def state_dict(self) -> dict[str, Any]:
        return {
            "position": self.position,
            "value": self.value,
            "momentum": self.momentum,
            "random": self.random.bit_generator.state,
        }

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        self.position = state["position"]
        self.value, self.momentum = state["value"], state["momentum"]
        self.random.bit_generator.state = state["random"]

    def outcome(self) -> Outcome:
        plate = Plate.from_rgb(_pixels(self.value), "scene_linear")
        return Outcome({"final": plate}, {"sum": float(self.value.sum())})


class TorchJob:
    """A picture that Adam moves towards noise; the tensor, the optimiser and the generator are the state."""

    kind = "toy"

    def __init__(self, config: ToyConfig) -> None:
        import torch

        self.config = config
        self.position = 0
        self.generator = torch.Generator().manual_seed(config.seed)
        self.value = torch.randn(1, 3, 8, 8, generator=self.generator).requires_grad_()
        self.optimiser = torch.optim.Adam([self.value], lr=0.05)

    def __len__(self) -> int:
        return self.config.steps

    def step(self) -> Step:
        import torch

        _fault(self.config, self.position + 1)
        target = torch.rand(1, 3, 8, 8, generator=self.generator)
        self.optimiser.zero_grad()
        loss = (self.value - target).square().mean()
        loss.backward()
        self.optimiser.step()
        self.position += 1
        return Step(self.position, {"loss": float(loss.detach())}, {"picture": self.picture})

    def picture(self) -> Plate:
        pixels = self.value.detach()[0].permute(1, 2, 0).clamp(0, 1).numpy()
        return Plate.from_rgb(np.ascontiguousarray(pixels), "srgb_display")

    def state_dict(self) -> dict[str, Any]:
        return {
            "position": self.position,
            "value": self.value,
            "optimiser": self.optimiser.state_dict(),
            "generator": self.generator.get_state(),
        }

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        self.position = state["position"]
        self.value.data.copy_(state["value"])
        self.optimiser.load_state_dict(state["optimiser"])
        self.generator.set_state(state["generator"])

    def outcome(self) -> Outcome:
        return Outcome(
            {"final": self.picture().with_(colourspace="scene_linear")},
            {"sum": float(self.value.detach().sum())},
        )


def _pixels(value: np.ndarray) -> np.ndarray:
    tile = 1 / (1 + np.exp(-np.resize(value, (6, 7, 3))))
    return tile.astype(np.float32)


def _fault(config: ToyConfig, step: int) -> None:
    if config.fault == f"raise@{step}":
        raise RuntimeError("a bug")
    if config.fault == f"memory@{step}":
        raise MemoryError
    if config.fault == f"exit@{step}":
        import os

        os._exit(9)


def run_toy(path: str | Path, *, job: type[Any] = NumpyJob, **options: Any) -> RunResult:
    """Run the toy take in a folder; what a worker of the pool calls in these tests."""
    take = Take.open(path)
    return run(job(take.config(ToyConfig)), take, **options)


def make(path: Path, job: type[Any] = NumpyJob, **fields: Any) -> tuple[Any, Take]:
    """Return a new toy job and its take."""
    config = ToyConfig(**fields)
    return job(config), Take.create(path, "toy", config)


def contents(path: Path) -> dict[str, bytes]:
    """Return every file of a take that must not depend on when it was stopped, hidden files aside."""
    names = ["final.png", "final.exr", "state.safetensors", "preview.png", "progress.mp4"]
    files = [path / name for name in names] + sorted((path / "previews").glob("*"))
    return {str(file.relative_to(path)): file.read_bytes() for file in files}
