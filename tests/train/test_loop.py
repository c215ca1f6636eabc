"""The loop: rounds, resuming to the bit, the average, what is said where a step fails."""

from __future__ import annotations

import copy
from typing import Any

import pytest
import torch
from toy_system import ToyExamples, ToySystem

from dreamplate.errors import MediaError, ResourceError
from dreamplate.train.batch import Batch
from dreamplate.train.draws import Draws
from dreamplate.train.ema import Average
from dreamplate.train.examine import Examiner
from dreamplate.train.loop import Loop
from dreamplate.train.options import LearnOptions
from dreamplate.train.port import Port
from dreamplate.train.precision import resolve_precision

CPU = torch.device("cpu")


def loop(examples: Any = None, **options: Any) -> Loop:
    learn = LearnOptions(
        **{"steps": 12, "batch": 2, "ema": 0.9, "rate": 1e-3, "precision": "float32"} | options
    )
    return Loop(ToySystem(learn), examples or ToyExamples(), learn, 7, CPU)


def leaves(state: Any, path: str = "") -> dict[str, Any]:
    if isinstance(state, dict):
        found: dict[str, Any] = {}
        for name, value in state.items():
            found |= leaves(value, f"{path}/{name}")
        return found
    return {path: state}


def same(one: Any, other: Any) -> None:
    a, b = leaves(one), leaves(other)
    assert a.keys() == b.keys()
    for name, value in a.items():
        if "budget" in name:
            continue
        assert torch.equal(value, b[name]) if isinstance(value, torch.Tensor) else value == b[name], name


@pytest.mark.parametrize("stop", [1, 5, 11])
def test_a_run_that_was_stopped_ends_with_the_same_bits(stop: int) -> None:
    whole = loop()
    for _ in range(len(whole)):
        last = whole.round()
    first = loop()
    for _ in range(stop):
        first.round()
    second = loop()
    second.load_state_dict(copy.deepcopy(first.state_dict()))
    while second.done < len(second):
        again = second.round()
    assert again == last
    same(second.state_dict(), whole.state_dict())


def test_length_follows_from_steps_or_epochs_alone() -> None:
    assert len(loop(steps=30)) == 30
    assert loop(steps=None, epochs=2.5).steps == 8  # 6 examples, batches of 2: 7.5
    long = loop(steps=50_001)
    assert long.round_steps == 25
    assert len(long) * long.round_steps >= 50_001
    assert loop(steps=10**8).round_steps == 100


def test_a_budget_ends_by_time_and_buys_at_least_a_step() -> None:
    short = loop(max_cpu_seconds=1e-6, steps=None)
    for _ in range(len(short)):
        short.round()
    assert short.iterations >= 1 and short.progress == 1


def test_what_learns_reads_its_examples_in_epochs() -> None:
    seen: list[int] = []

    class Noting(ToyExamples):
        def batch(self, indices: Any, draws: Any) -> Batch:
            seen.extend(indices)
            return super().batch(indices, draws)

    here = loop(Noting(), steps=6)
    for _ in range(len(here)):
        here.round()
    assert sorted(seen[:6]) == sorted(seen[6:]) == list(range(6))
    assert here.epoch == 2


def test_average_is_the_weighted_mean_of_all_weights_so_far() -> None:
    network = ToySystem(LearnOptions()).generator
    average, decay = Average(network, 0.8), 0.8
    history = []
    generator = torch.Generator().manual_seed(0)
    for count in range(1, 6):
        with torch.no_grad():
            for tensor in (*network.parameters(), network.norm.running_mean):
                tensor.copy_(torch.randn(tensor.shape, generator=generator))
            network.norm.num_batches_tracked += 1
        average.update(network)
        history.append({name: value.clone() for name, value in network.state_dict().items()})
        weights = torch.tensor([decay ** (count - 1 - k) for k in range(count)])
        for name, value in average.network.state_dict().items():
            stack = torch.stack([item[name] for item in history])
            if value.is_floating_point():
                expected = torch.einsum("k,k...->...", weights / weights.sum(), stack)
                torch.testing.assert_close(value, expected, atol=1e-6, rtol=1e-5)
            else:
                assert torch.equal(value, stack[-1])


def test_an_unreadable_example_ends_the_run_with_its_name() -> None:
    failing = loop(ToyExamples(fails_at=2))
    with pytest.raises(MediaError, match=r"002\.png: cannot be read"):
        for _ in range(len(failing)):
            failing.round()


def test_memory_that_runs_out_is_one_line_with_a_remedy(monkeypatch: pytest.MonkeyPatch) -> None:
    here = loop()

    def full(*_: Any) -> None:
        raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2 GiB")

    monkeypatch.setattr(here.system, "learn", full)
    with pytest.raises(ResourceError, match=r"2 examples of 16 x 16.*learn.batch \(now 2\)"):
        here.round()


def test_figures_do_not_depend_on_how_many_pictures_are_made_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    here, examples = loop(), ToyExamples(6)
    for _ in range(3):
        here.round()

    def examiner(chunk: int) -> Examiner:
        made = Examiner(here.system, examples, Port(), Port(), 0, CPU)
        made.chunk = chunk
        return made

    alone = examiner(1).look(here.generator, range(6), rows=4)
    together = examiner(4).look(here.generator, range(6), rows=4)
    assert alone.figures == pytest.approx(together.figures, rel=1e-5)
    assert {"l1", "psnr", "ssim"} <= alone.figures.keys()
    assert len(alone.rows) == 4 and len(alone.rows[0]) == 3

    limited = examiner(4)
    make = here.system.make

    def small(batch: Batch, generator: Any, draws: Draws) -> torch.Tensor:
        if len(batch) > 1:
            raise torch.OutOfMemoryError("out of memory")
        return make(batch, generator, draws)

    monkeypatch.setattr(here.system, "make", small)
    assert limited.look(here.generator, range(6)).figures == pytest.approx(alone.figures, rel=1e-5)
    assert len(limited.notices) == 1 and "at once" in limited.notices[0]


def test_precision_is_what_is_asked_for_and_auto_is_one_of_them() -> None:
    assert resolve_precision("float32", CPU) == "float32"
    assert resolve_precision("bfloat16", CPU) == "bfloat16"
    assert resolve_precision("auto", CPU) in ("float32", "bfloat16")
