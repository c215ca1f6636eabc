"""Shared fixtures, and the checking of tensor shapes while tests run.

A module that writes the shapes of its tensors into its signatures has every call checked against them
here; outside tests these annotations are never evaluated.
"""

from __future__ import annotations

import os
import sys
from importlib.util import find_spec
from pathlib import Path

import pytest
from jaxtyping import install_import_hook


def modules_with_shapes() -> list[str]:
    """Return the names of all modules of the package whose signatures hold shapes."""
    spec = find_spec("dreamplate")
    assert spec is not None and spec.origin is not None
    root = Path(spec.origin).parent
    return [
        ".".join(("dreamplate", *path.relative_to(root).with_suffix("").parts))
        for path in sorted(root.rglob("*.py"))
        if "\nfrom jaxtyping import" in path.read_text(encoding="utf-8")
    ]


# Readers of the reference numbers lie beside this file.
sys.path.insert(0, str(Path(__file__).parent))

# The hook sees a module only as it is imported, so this must run before any test module is loaded.
# With the numeric tower an int is good where a float is asked for, as everywhere in Python.
install_import_hook(
    modules_with_shapes(), "beartype.beartype(conf=beartype.BeartypeConf(is_pep484_tower=True))"
)


@pytest.fixture(scope="session")
def shared_dir() -> Path:
    """Folder with real pictures, weights and reference numbers; skips where it is absent."""
    root = Path(__file__).resolve().parents[1]
    folder = Path(os.environ.get("DREAMPLATE_SHARED", root.parent / "shared"))
    if not folder.is_dir():
        pytest.skip(f"needs the shared folder at {folder} (set DREAMPLATE_SHARED)")
    return folder
