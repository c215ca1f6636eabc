"""The bodies that run on graphics cards, run in numba's CUDA simulator: as the loops on the processor."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

pytest.importorskip("numba_cuda", reason="needs the cuda extra")


def test_bodies_do_on_a_card_what_loops_do() -> None:
    script = Path(__file__).with_name("cuda_simulator.py")
    settings = {"NUMBA_ENABLE_CUDASIM": "1", "NUMBA_DISABLE_JIT": "1", "OMP_NUM_THREADS": "1"}
    found = subprocess.run(
        [sys.executable, "-W", "ignore", str(script)],
        env={**os.environ, **settings},
        capture_output=True,
        text=True,
        check=False,
    )
    assert found.returncode == 0, found.stdout + found.stderr
    assert found.stdout.count("results agree") == 12
