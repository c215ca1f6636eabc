"""Everything here needs torch and numba; helper modules lie beside the tests."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

pytest.importorskip("numba", reason="needs the fields extra")

sys.path.insert(0, str(Path(__file__).parent))
