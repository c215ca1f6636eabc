"""What a translated frame says of itself: its recipe, and a hash that tells whether it is up to date."""

from __future__ import annotations

import dataclasses
from hashlib import sha256
from pathlib import Path
from typing import Any

from dreamplate.errors import MediaError
from dreamplate.plate.summary import info
from dreamplate.take.config import canonical_json, config_id, replace_fields, to_dict
from dreamplate.take.provenance import KEY
from dreamplate.take.record import new_record
from dreamplate.translate.conditions import files_beside
from dreamplate.translate.frames import Digests, Source
from dreamplate.translate.translate_config import TranslateConfig, whole

__all__ = ["INPUTS", "Recipe"]

INPUTS = "dreamplate:inputs"
"""Header entry: hash of everything that a frame was made of."""
_NEUTRAL: dict[str, Any] = {
    field.name: field.default
    for field in dataclasses.fields(TranslateConfig)
    if field.name in ("model", "source", "target", "memory", "device", "fps", "task_frames")
}
"""Options that do not change a frame, or whose files are hashed instead."""


class Recipe:
    """Recipes of the frames of one translation. Each is of that frame alone, whatever range it was made in.

    Args:
        config: The whole work.
        model: The model's file.
        source: Of frames.
    """

    def __init__(self, config: TranslateConfig, model: Path, source: Source) -> None:
        self.config, self.model, self.source = config, model, source
        self.changes = whole(config, source.frames)
        self.digests = Digests()

    def header(self, frame: int) -> dict[str, str]:
        """Return what is written into a frame's header."""
        return {KEY: self.text(frame), INPUTS: self.inputs(frame)}

    def is_done(self, path: Path, frame: int) -> bool:
        """Say whether a frame is there, made by the same options of the same files."""
        if not path.is_file():
            return False
        try:
            return info(path).metadata.get(INPUTS) == self.inputs(frame)
        except MediaError:
            return False

    def inputs(self, frame: int) -> str:
        """Return the hash of all that a frame follows from."""
        options = config_id(replace_fields(self._part(frame), _NEUTRAL))
        hashes = [self.digests.of(path) for path in self._files(frame)]
        return sha256(" ".join([options, *hashes]).encode()).hexdigest()

    def text(self, frame: int | None) -> str:
        """Return the recipe of a frame, or for None of all of them together, as takes write it."""
        config = self._part(frame)
        record = to_dict(new_record("translate", config, ()))
        sources = [
            {"path": str(path.absolute()), "size": path.stat().st_size, "sha256": self.digests.of(path)}
            for path in self._files(frame)
        ]
        entries = {name: record[name] for name in ("schema", "kind", "id", "seed", "versions")}
        return canonical_json(entries | {"sources": sources, "config": to_dict(config)})

    def _part(self, frame: int | None) -> TranslateConfig:
        """Return the config that makes one frame alone."""
        alone = frame is None or len(self.source.frames) == 1
        frames = self.config.frames if alone else str(frame)
        return replace_fields(self.config, self.changes | {"frames": frames, "task_frames": 0})

    def _files(self, frame: int | None) -> list[Path]:
        """Return every file that a frame is made of; for None, those that serve all frames."""
        config = self.config
        texts = (config.style_from, config.style_to, config.reference)
        named = [self.model, config.palette, config.style_image, *(Path(text) for text in texts if text)]
        if frame is not None:
            named += [self.source.file(frame), *files_beside(config, frame)]
        elif self.source.sequence is None:
            named.append(self.source.path)
        return sorted({path for path in named if path is not None and path.is_file()})
