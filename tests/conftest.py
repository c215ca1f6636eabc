"""Shared fixtures, and run-time shape checking of the whole package while tests run."""

from __future__ import annotations

import os
from pathlib import Path

import pytest


@pytest.fixture(scope="session")
def shared_dir() -> Path:
    """Folder with real pictures, weights and reference numbers; skips where it is absent."""
    root = Path(__file__).resolve().parents[1]
    folder = Path(os.environ.get("DREAMPLATE_SHARED", root.parent / "shared"))
    if not folder.is_dir():
        pytest.skip(f"needs the shared folder at {folder} (set DREAMPLATE_SHARED)")
    return folder
