"""Weights: cards, the store, safe reading and writing, importers for other people's checkpoints."""

from __future__ import annotations

from typing import TYPE_CHECKING

from dreamplate.lazy import lazy

if TYPE_CHECKING:
    from dreamplate.models.card import Card, read_card, write_card
    from dreamplate.models.find import find_weights
    from dreamplate.models.hub import pull
    from dreamplate.models.importer import (
        IMPORTERS,
        Importer,
        ImportReport,
        Rule,
        detect,
        get_importer,
        import_state,
    )
    from dreamplate.models.ingest import import_file
    from dreamplate.models.legacy.load import LegacyInfo, LegacyLimits, convert_legacy, load_legacy
    from dreamplate.models.licence import commercial_use
    from dreamplate.models.state import load_any, load_state, save_state
    from dreamplate.models.store import Entry, Store, cache_folder

_HOME = {
    "Card": "card",
    "Entry": "store",
    "IMPORTERS": "importer",
    "ImportReport": "importer",
    "Importer": "importer",
    "LegacyInfo": "legacy.load",
    "LegacyLimits": "legacy.load",
    "Rule": "importer",
    "Store": "store",
    "cache_folder": "store",
    "commercial_use": "licence",
    "convert_legacy": "legacy.load",
    "detect": "importer",
    "find_weights": "find",
    "get_importer": "importer",
    "import_file": "ingest",
    "import_state": "importer",
    "load_any": "state",
    "load_legacy": "legacy.load",
    "load_state": "state",
    "pull": "hub",
    "read_card": "card",
    "save_state": "state",
    "write_card": "card",
}

__all__ = [
    "IMPORTERS",
    "Card",
    "Entry",
    "ImportReport",
    "Importer",
    "LegacyInfo",
    "LegacyLimits",
    "Rule",
    "Store",
    "cache_folder",
    "commercial_use",
    "convert_legacy",
    "detect",
    "find_weights",
    "get_importer",
    "import_file",
    "import_state",
    "load_any",
    "load_legacy",
    "load_state",
    "pull",
    "read_card",
    "save_state",
    "write_card",
]

__getattr__, __dir__ = lazy(__name__, _HOME)
