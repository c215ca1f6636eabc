"""Reading the folders of reference numbers, and holding ours against them."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file
from torch import Tensor


@dataclass(frozen=True)
class Fixture:
    """One folder: what it says, its tensors, its weights, and which outputs were compared."""

    name: str
    about: dict[str, Any]
    tensors: dict[str, Tensor]
    weights: dict[str, Tensor]
    seen: set[str]

    @property
    def arguments(self) -> dict[str, Any]:
        return self.about["constructor_arguments"]

    def given(self, name: str) -> Tensor:
        return self.tensors[f"in.{name}"]

    def check(self, name: str, found: Tensor, most: float | None = None) -> None:
        """Hold an output against the reference, within the tolerance that the fixture states."""
        wanted, rules = self.tensors[f"out.{name}"], self.about["tolerance"]
        assert found.shape == wanted.shape, f"{self.name} {name}: {found.shape}, should be {wanted.shape}"
        self.seen.add(name)
        if not wanted.is_floating_point():
            assert torch.equal(found.to(wanted.dtype), wanted), f"{self.name} {name}"
            return
        allowed = (most or rules["max_abs_error"]) + rules.get("relative_error", 0) * wanted.abs()
        excess = (found - wanted).abs() - allowed
        assert bool((excess <= 0).all()), (
            f"{self.name} {name}: off by {float((found - wanted).abs().max()):.2g}"
        )

    def finish(self) -> None:
        """Make sure that no output was left out."""
        assert self.seen == {name.removeprefix("out.") for name in self.tensors if name.startswith("out.")}


def fixture(shared: Path, name: str) -> Fixture:
    folder = shared / "parity" / name
    weights = folder / "weights.safetensors"
    return Fixture(
        name,
        json.loads((folder / "about.json").read_text()),
        load_file(folder / "io.safetensors"),
        load_file(weights) if weights.exists() else {},
        set(),
    )
