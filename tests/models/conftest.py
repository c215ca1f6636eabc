"""Lets the tests of this folder import the toy checkpoints of the networks."""

from __future__ import annotations

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1] / "nets"))
sys.path.insert(0, str(Path(__file__).parents[1] / "tokens"))
