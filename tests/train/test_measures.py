"""Systems with figures of their own: sums over batches give the figures of all, and few pictures are made."""

from __future__ import annotations

from collections.abc import Mapping

import pytest
import torch
from torch import Tensor, nn
from toy_system import ToyExamples, ToySystem

from dreamplate.train.batch import Batch
from dreamplate.train.draws import Draws
from dreamplate.train.examine import TOGETHER, Examiner
from dreamplate.train.options import LearnOptions
from dreamplate.train.port import Port


class Measured(ToySystem):
    made = 0

    def make(self, batch: Batch, generator: nn.Module, draws: Draws) -> Tensor:
        self.made += len(batch)
        return super().make(batch, generator, draws)

    def measure(self, batch: Batch, generator: nn.Module) -> dict[str, Tensor]:
        assert not torch.is_grad_enabled()
        values = batch.image.double().mean((1, 2, 3))
        return {"total": values.sum(), "count": torch.tensor(float(len(batch)), dtype=torch.float64)}

    def figures(self, sums: Mapping[str, Tensor]) -> dict[str, float]:
        return {"mean": float(sums["total"] / sums["count"]), "seen": float(sums["count"])}


@pytest.mark.parametrize("count", [1, TOGETHER, 2 * TOGETHER + 3])
def test_figures_are_of_all_examples_and_pictures_of_the_sheet_only(count: int) -> None:
    examples, system = ToyExamples(count), Measured(LearnOptions(), 0)
    look = Examiner(system, examples, Port(), Port(), 0, torch.device("cpu")).look
    seen = look(system.generator.eval(), range(count), rows=4, whole=True)
    want = examples.batch(range(count), None).image.double().mean()
    assert seen.figures == {"mean": pytest.approx(float(want), abs=1e-6), "seen": count}
    assert len(seen.rows) == system.made == min(4, count)
    assert look(system.generator, range(count)).rows == [] and system.made == min(4, count)
