"""Everything here needs torch and numba."""

from __future__ import annotations

import pytest

pytest.importorskip("numba", reason="needs the fields extra")
