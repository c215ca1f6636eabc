"""One of two processes that train together; run by test_processes.py with torchrun's variables set."""

from __future__ import annotations

import json
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch

torch.set_num_threads(1)
sys.path.insert(0, str(Path(__file__).parent))

from toy_system import ToyExamples, ToySystem  # noqa: E402

from dreamplate.errors import DreamplateError  # noqa: E402
from dreamplate.take import Take, run  # noqa: E402
from dreamplate.train import processes  # noqa: E402
from dreamplate.train.loop import Loop  # noqa: E402
from dreamplate.train.options import LearnOptions  # noqa: E402
from dreamplate.translate.config import TrainConfig  # noqa: E402
from dreamplate.translate.jobs import TrainJob  # noqa: E402

CPU = torch.device("cpu")
LEARN = LearnOptions(steps=4, batch=4, ema=0.9, rate=1e-3, precision="float32")
CONFIG = TrainConfig(device="cpu", learn=replace(LEARN, steps=6), previews=0)


def toy() -> dict[str, torch.Tensor]:
    """Learn for a while; return all weights."""
    loop = Loop(ToySystem(LEARN), ToyExamples(8), LEARN, 3, CPU)
    figures = {}
    for _ in range(len(loop)):
        figures = loop.round()
    assert loop.average is not None
    found = {f"average.{name}": value for name, value in loop.average.network.state_dict().items()}
    for name, network in loop.system.networks.items():
        found |= {f"{name}.{key}": value for key, value in network.state_dict().items()}
    return found | {f"figure.{name}": torch.tensor(value) for name, value in figures.items()}


def pix2pix() -> dict[str, torch.Tensor]:
    """The same for pix2pix with its batch norm, dropout and DiffAugment."""
    from dreamplate.train.options import AugmentOptions
    from dreamplate.translate.pix2pix_config import Pix2pixOptions
    from dreamplate.translate.systems import build_system

    examples = ToyExamples(8, side=16)
    config = TrainConfig(
        learn=replace(LEARN, steps=2),
        augment=AugmentOptions(policy="diffaugment"),
        pix2pix=Pix2pixOptions(width=4, width_d=4, depth=3, patch=16),
    )
    system = build_system(config, examples.given, examples.made)
    loop = Loop(system, examples, config.learn, 3, CPU)
    for _ in range(len(loop)):
        loop.round()
    return {f"{n}.{k}": v for n, net in system.networks.items() for k, v in net.state_dict().items()}


def job(fails_at: int | None = None) -> TrainJob:
    examples = ToyExamples(8, fails_at=fails_at)
    return TrainJob(CONFIG, ToySystem(CONFIG.learn), (examples, ToyExamples(2)))  # type: ignore[arg-type]


def lead_or_follow(made: TrainJob, take: Path, **options: Any) -> str:
    """Do what the command line does."""
    try:
        if processes.rank():
            made.follow()
            return "followed"
        try:
            return run(made, Take.create(take, "train", CONFIG), signals=(), **options).status
        finally:
            if not made.loop.inside:
                processes.end()
    except DreamplateError as error:
        return f"{type(error).__name__}: {error}"


def main(out: Path) -> None:
    processes.join()
    rank, answers = processes.rank(), {}
    torch.save({"toy": toy(), "pix2pix": pix2pix()}, out / f"weights{rank}.pt")
    answers["paused"] = lead_or_follow(job(), out / "take", stop_after=2)
    answers["resumed"] = lead_or_follow(job(), out / "take")
    answers["unreadable"] = lead_or_follow(job(fails_at=5), out / "failing")
    try:
        processes.agree(ValueError("odd") if rank else None)
    except (DreamplateError, ValueError) as error:
        answers["agreed"] = f"{type(error).__name__}: {error}"
    (out / f"answers{rank}.json").write_text(json.dumps(answers))
    processes.leave()


if __name__ == "__main__":
    main(Path(sys.argv[1]))
