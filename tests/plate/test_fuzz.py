"""Thousands of damaged files: no crash, no hang, no growth, no error but our own, no noise."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

SCRIPT = Path(__file__).resolve().parents[2] / "benchmarks" / "media_fuzz.py"
COUNT = 2000


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["exr", "png", "tif", "jpg", "dpx", "hdr", "mp4", "mov", "mkv"])
def test_damaged_files(tmp_path: Path, kind: str) -> None:
    command = [sys.executable, str(SCRIPT), kind, "--count", str(COUNT), "--json", str(tmp_path / "out.json")]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    (row,) = json.loads((tmp_path / "out.json").read_text())
    assert row["signals"] == row["hangs"] == []
    assert row["escaped"] == {}
    assert row["stderr"] == ""
    assert row["slowest_cpu_s"] < 2
    assert row["rss_growth_mb"] < 64
    assert row["read"] + row["refused"] == COUNT
    # The damage must be neither harmless nor hopeless, or this would test nothing.
    assert row["read"] > COUNT / 50
    assert row["refused"] > COUNT / 10
