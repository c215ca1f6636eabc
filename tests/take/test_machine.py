"""Counters, sizes and the imports that a cheap start depends on."""

from __future__ import annotations

import ast
import json
import subprocess
import sys
from pathlib import Path

import pytest

import dreamplate.take
from dreamplate.errors import ConfigError
from dreamplate.take import describe_machine, machine, parse_memory

SOURCE = Path(dreamplate.take.__file__).parent


@pytest.mark.parametrize(
    ("text", "size"),
    [
        ("2GiB", 2 << 30), ("512M", 512 << 20), ("512 MiB", 512 << 20), ("1.5g", 3 << 29),
        ("500MB", 500_000_000), ("100", 100), ("64k", 65536), ("1T", 1 << 40), (4096, 4096), ("7 b", 7),
    ],
)  # fmt: skip
def test_memory_sizes(text: str | int, size: int) -> None:
    assert parse_memory(text) == size


@pytest.mark.parametrize(
    "text", ["", "0", "-1G", "lots", "2 parsecs", "1e9", "nan", "0.1", "9" * 400, "1.2.3G"]
)
def test_no_memory_sizes(text: str) -> None:
    with pytest.raises(ConfigError, match="write a size such as 2GiB"):
        parse_memory(text)


def test_describes_the_machine() -> None:
    found = describe_machine()
    assert json.loads(json.dumps(found)) == found
    assert found["cores"] >= 1
    assert found["processor"]
    assert found["versions"]["dreamplate"] == machine.versions()["dreamplate"] != "unknown"


def test_counters_grow() -> None:
    before = machine.cpu_seconds()
    block = bytearray(64 << 20)
    assert sum(block[::4096]) == 0
    assert machine.cpu_seconds() > before
    assert machine.peak_rss() >= 64 << 20


def in_child(code: str) -> str:
    return subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    ).stdout.strip()


def test_peak_is_the_processs_own() -> None:
    """A child of a large process starts small."""
    block = bytearray(b"x") * (400 << 20)
    code = "from dreamplate.take.machine import peak_rss; print(peak_rss())"
    assert int(in_child(code)) < 200 << 20
    assert len(block) == 400 << 20


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="only Linux with glibc has mallopt")
def test_prepares_the_process() -> None:
    code = """
import os
from dreamplate.take import prepare_process
assert prepare_process(threads=1)
assert prepare_process(threads=1)
import torch
assert torch.get_num_threads() == 1
prepare_process(2)
assert torch.get_num_threads() == 2
print(os.environ["OMP_NUM_THREADS"])
"""
    assert in_child(code) == "2"


def test_compiles_after_the_process_was_given_fewer_threads() -> None:
    """A worker imports numba before it is told its share; numba refuses a variable that changed under it."""
    code = """
import os
os.environ.pop("NUMBA_NUM_THREADS", None)
import numba
numba.get_num_threads()  # starts its threads
from dreamplate.take import prepare_process
prepare_process(1)
twice = numba.njit(lambda x: 2 * x)
print(twice(21), numba.get_num_threads())
"""
    assert in_child(code) == "42 1"


def test_imports_stay_light() -> None:
    code = """
import sys
import dreamplate.take
light = set(sys.modules)
assert not light & {"numpy", "torch", "yaml", "rich"}, light
from dreamplate.take import *
import dreamplate.jobs, dreamplate.take.worker
heavy = {"torch", "OpenImageIO", "OpenEXR", "PyOpenColorIO", "av", "pydantic", "tyro", "rich", "yaml"}
print(sorted(heavy & set(sys.modules)))
"""
    assert in_child(code) == "[]"


def test_the_public_door_is_exact() -> None:
    assert dreamplate.take.__all__ == sorted(dreamplate.take._HOME)
    for name in dreamplate.take.__all__:
        assert getattr(dreamplate.take, name) is not None
    with pytest.raises(AttributeError, match="no attribute 'nothing'"):
        dreamplate.take.nothing  # noqa: B018
    # A public name that is also a module would be one or the other, depending on who imported first.
    assert not {path.stem for path in SOURCE.glob("*.py")} & set(dreamplate.take.__all__)


def test_imports_run_one_way() -> None:
    """The room stands on errors, files, tensor headers and plates, and on nothing else of the package."""
    allowed = (
        "dreamplate.take",
        "dreamplate.plate",
        "dreamplate.errors",
        "dreamplate.files",
        "dreamplate.lazy",
        "dreamplate.tensorheader",
    )
    for path in SOURCE.glob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
            names += [node.module or ""] if isinstance(node, ast.ImportFrom) else []
            ours = [name for name in names if name.startswith("dreamplate")]
            assert all(name.startswith(allowed) for name in ours), (path.name, ours)
