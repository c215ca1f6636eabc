"""Kernels for what torch has no good operator for: one scalar Python body each, compiled for every device."""

from __future__ import annotations
