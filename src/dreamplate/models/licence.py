"""Licences of weights: what they mean for commercial work, and saying so aloud once."""

from __future__ import annotations

import functools
import logging
import re
from typing import Literal

__all__ = ["CommercialUse", "commercial_use", "log_once", "warning"]

CommercialUse = Literal["yes", "no", "unknown"]

_FREE = frozenset(
    {
        "0bsd",
        "apache-2.0",
        "artistic-2.0",
        "bsd",
        "bsd-2-clause",
        "bsd-3-clause",
        "bsl-1.0",
        "cc-by-2.0",
        "cc-by-3.0",
        "cc-by-4.0",
        "cc-by-sa-3.0",
        "cc-by-sa-4.0",
        "cc0-1.0",
        "cdla-permissive-2.0",
        "isc",
        "mit",
        "mit-0",
        "modified-mit",
        "ms-pl",
        "unlicense",
        "zlib",
    }
)
"""Licences, in lower case, under which weights may be used in paid work (their terms still hold)."""

_NOT_FREE = re.compile(r"(^|[^a-z])nc([^a-z]|$)|non-?\s?commercial|research[- ]only|academic", re.IGNORECASE)


def commercial_use(licence: str) -> CommercialUse:
    """Judge a licence by its SPDX identifier or its words; what is not surely known is ``"unknown"``.

    Args:
        licence: Such as ``Apache-2.0``, ``cc-by-nc-4.0``, ``MIT AND BSD-2-Clause``, or free text.
    """
    if _NOT_FREE.search(licence):
        return "no"
    parts = [
        part.strip("() ").lower() for part in re.split(r"\s+(?:AND|OR)\s+", licence, flags=re.IGNORECASE)
    ]
    return "yes" if parts and all(part in _FREE for part in parts) else "unknown"


def warning(name: str, licence: str, use: CommercialUse) -> str | None:
    """Return what has to be said before weights are used, or ``None`` when nothing has to be."""
    if use == "yes":
        return None
    if use == "no":
        return (
            f"{name}: licence {licence!r} does not allow commercial use; what it makes is for research only"
        )
    return f"{name}: whether licence {licence!r} allows commercial use is unknown; ask before paid work"


@functools.cache
def log_once(sentence: str) -> None:
    """Log a warning the first time this process says it."""
    logging.getLogger("dreamplate.models").warning(sentence)
