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

from tiny_systems import examples_for, tiny  # noqa: E402
from toy_system import ToyExamples, ToySystem  # noqa: E402

from dreamplate.errors import DreamplateError  # noqa: E402
from dreamplate.take import Take, run  # noqa: E402
from dreamplate.train import processes  # noqa: E402
from dreamplate.train.draws import Draws  # noqa: E402
from dreamplate.train.loop import Loop  # noqa: E402
from dreamplate.train.options import LearnOptions  # noqa: E402
from dreamplate.train.system import Prepares  # noqa: E402
from dreamplate.translate.config import TrainConfig  # noqa: E402
from dreamplate.translate.jobs import TrainJob  # noqa: E402
from dreamplate.translate.systems import SYSTEMS, build_system  # noqa: E402

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


def system(name: str) -> dict[str, torch.Tensor]:
    """The same for a system with its norms, dropout, noise and augmentation."""
    examples, config = examples_for(name, 8), tiny(name, steps=2, batch=4, rate=1e-4)
    # StyleGAN2's discriminator sees the spread of a group of pictures, and a group is of one process.
    # pix2pixHD's looks to choose from are of the examples that process 0 has seen.
    config = replace(
        config,
        stylegan2=replace(config.stylegan2, group=1),
        pix2pixhd=replace(config.pix2pixhd, features=0),
    )
    made = build_system(config, examples.given, examples.made)
    if isinstance(made, Prepares):
        made.prepare(examples)
    loop = Loop(made, examples, config.learn, 3, CPU)
    held = examples.batch([0, 1], None)
    found = {}
    for when in ("before", "made"):
        with torch.no_grad():
            found[when] = made.make(held, loop.generator, Draws(1))
        while when == "before" and loop.done < len(loop):
            loop.round()
    return found | {f"{n}.{k}": v for n, net in made.networks.items() for k, v in net.state_dict().items()}


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
    weights = {"toy": toy()} | {name: system(name) for name in SYSTEMS}
    torch.save(weights, out / f"weights{rank}.pt")
    answers["paused"] = lead_or_follow(job(), out / "take", stop_after=2)
    answers["resumed"] = lead_or_follow(job(), out / "take")
    answers["unreadable"] = lead_or_follow(job(fails_at=5), out / "failing")
    try:
        processes.agree(ValueError("odd") if rank else None)
    except (DreamplateError, ValueError) as error:
        answers["agreed"] = f"{type(error).__name__}: {error}"
    (out / f"answers{rank}.json").write_text(json.dumps(answers))
    processes.leave(0)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
