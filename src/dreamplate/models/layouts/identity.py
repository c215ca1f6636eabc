"""Checkpoints that keep their names: our own files, and whatever the user vouches for."""

from __future__ import annotations

from dreamplate.models.importer import Importer, Rule

IDENTITY = Importer(
    name="identity",
    title="Names and shapes stay as they are",
    architecture="unknown",
    family="unknown",
    signature={},
    rules=(Rule(r"(.+)", (r"\1",)),),
)
