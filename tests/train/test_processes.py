"""Two processes on one machine: the same as one with the whole batch, and no one is left waiting."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import torch
import two_processes

from dreamplate.take import Take, run
from dreamplate.translate.systems import SYSTEMS

SCRIPT = Path(two_processes.__file__)


@pytest.fixture(scope="module")
def pair(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Run both processes once; return the folder with what they left."""
    folder = tmp_path_factory.mktemp("pair")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    shared = os.environ | {
        "WORLD_SIZE": "2",
        "MASTER_ADDR": "127.0.0.1",
        "MASTER_PORT": str(port),
        "OMP_NUM_THREADS": "1",
    }
    both = [
        subprocess.Popen(
            [sys.executable, str(SCRIPT), str(folder)],
            env=shared | {"RANK": str(rank), "LOCAL_RANK": str(rank)},
            stderr=subprocess.PIPE,
            text=True,
        )
        for rank in (0, 1)
    ]
    try:
        errors = [process.communicate(timeout=240)[1] for process in both]
    finally:
        for process in both:
            process.kill()
    assert [process.returncode for process in both] == [0, 0], "\n".join(errors)
    return folder


def answers(pair: Path, rank: int) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((pair / f"answers{rank}.json").read_text())
    return found


@pytest.mark.parametrize("name", ["toy", *(name for name in SYSTEMS if name != "shots")])
def test_two_processes_are_one_with_the_whole_batch(pair: Path, name: str) -> None:
    # Not shots: each process cuts patches of its own frames, so that others are drawn.
    zero, one = (torch.load(pair / f"weights{rank}.pt")[name] for rank in (0, 1))
    alone = two_processes.toy() if name == "toy" else two_processes.system(name)
    assert zero.keys() == alone.keys()
    for key, value in zero.items():
        if "." in key and not key.startswith("figure."):
            assert torch.equal(value, one[key]), key
    if name in ("vq", "scorer"):
        # A book begins from more cells where there are more processes, and pictures are told apart from those
        # beside them; that both learn the same has just been seen.
        return
    if "made" in alone and name not in (
        "igpt",
        "dalle",
    ):  # whose pictures are drawn from a few colours or codes
        # What a weight before a norm does not change is noise, which Adam brings to full size; so pictures.
        learnt = (alone["made"] - alone["before"]).abs().max()
        assert (zero["made"] - alone["made"]).abs().max() < 1e-3 * learnt
        return
    for key, value in alone.items():
        torch.testing.assert_close(
            zero[key], value, atol=2e-5, rtol=1e-4, msg=lambda text, k=key: f"{k}: {text}"
        )


def test_a_take_of_two_processes_stops_goes_on_and_equals_one_that_did_not(
    pair: Path, tmp_path: Path
) -> None:
    assert answers(pair, 0)["paused"] == "paused" and answers(pair, 0)["resumed"] == "finished"
    assert answers(pair, 1)["paused"] == answers(pair, 1)["resumed"] == "followed"
    # One process does the same work, to rounding.
    run(two_processes.job(), Take.create(tmp_path / "one", "train", two_processes.CONFIG), signals=())
    for name, value in Take.open(tmp_path / "one").load_state()[1]["average"]["network"].items():  # type: ignore[index]
        other = Take.open(pair / "take").load_state()[1]["average"]["network"][name]  # type: ignore[index]
        torch.testing.assert_close(other, value, atol=5e-5, rtol=1e-3)


def test_an_error_in_one_process_ends_both_with_its_line(pair: Path) -> None:
    for rank in (0, 1):
        assert answers(pair, rank)["unreadable"].startswith("MediaError: 005.png: cannot be read"), rank
    assert answers(pair, 1)["agreed"] == "ValueError: odd"
    assert answers(pair, 0)["agreed"] == "TakeError: odd (process 1)"
    assert Take.open(pair / "failing").status == "failed"
