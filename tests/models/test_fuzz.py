"""Thousands of damaged files: each is read or refused, and nothing else happens."""

from __future__ import annotations

import importlib.util
import json
import subprocess
import sys
from pathlib import Path
from types import ModuleType

import pytest

SCRIPT = Path(__file__).resolve().parents[2] / "benchmarks" / "checkpoint_fuzz.py"
LEGACY = ("torch", "torch-pickle", "torch-modules", "torch-old", "pickle", "npz")
COUNT = 2000
LEGACY_COUNT = 1000


@pytest.fixture(scope="module")
def script() -> ModuleType:
    spec = importlib.util.spec_from_file_location("checkpoint_fuzz", SCRIPT)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def check(report: dict[str, object], count: int) -> None:
    assert report["files"] == count
    assert report["leaks"] == {}
    assert report["read"] + report["refused"] == count
    # Damage that always, or never, shows would mean that the mutations miss the reader.
    assert report["read"] > 0
    assert report["refused"] > count // 2
    assert report["worst_cpu_s"] < 2
    assert report["rss_growth_mib"] < 64


def test_safetensors(script: ModuleType) -> None:
    check(script.fuzz("safetensors", COUNT, seed=1), COUNT)


def test_legacy_formats() -> None:
    """One child process for all: the same conversion that `load_legacy` runs, without a process a file."""
    command = [
        sys.executable,
        str(SCRIPT),
        "--json",
        "--seed",
        "1",
        "--count",
        str(LEGACY_COUNT),
        "--formats",
        *LEGACY,
    ]
    done = subprocess.run(command, capture_output=True, text=True, timeout=600, check=False)
    reports = [json.loads(line) for line in done.stdout.splitlines()]
    assert [report["format"] for report in reports] == list(LEGACY), done.stderr
    for report in reports:
        check(report, LEGACY_COUNT)
    assert done.returncode == 0
