"""A take: the folder that holds one piece of work, from its description to its last picture.

take.yaml                     what the work is, where it comes from, how far it is
state.safetensors             everything that the next step depends on
state.previous.safetensors    the state before that, in case the file above is damaged
log.jsonl                     every step and event
metrics.json                  the final figures
preview.png, previews/        the work so far
final.png, final.exr, …       the outcome
progress.mp4                  the previews as a film
"""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Iterable, Mapping
from contextlib import AbstractContextManager, suppress
from pathlib import Path
from typing import Any

from dreamplate.errors import ConfigError, ResourceError, StateError, TakeError
from dreamplate.files import free_space
from dreamplate.take import machine
from dreamplate.take.config import C, Config, config_id, from_dict, to_dict
from dreamplate.take.folder import LOCK, clear_folder, make_folder, remove_litter
from dreamplate.take.lock import hold, is_held
from dreamplate.take.record import Record, Status, check_source, new_record, read_record, write_record
from dreamplate.take.state import pack, read_state, write_state

_MARGIN = 1 << 20  # bytes that must stay free besides a new state


class Take:
    """One take folder; make it with ``create`` or ``open``."""

    def __init__(self, path: Path, record: Record, config: Mapping[str, Any]) -> None:
        """Use ``Take.create`` or ``Take.open`` instead."""
        self.path = path
        self.record = record
        self.config_data = dict(config)

    @classmethod
    def create(
        cls,
        path: str | os.PathLike[str],
        kind: str,
        config: Config,
        *,
        sources: Iterable[str | os.PathLike[str]] = (),
        overwrite: bool = False,
    ) -> Take:
        """Make a take folder, or open it if it already holds exactly this work.

        Args:
            path: The folder, made with its parents when absent.
            kind: Registered name of the job.
            config: The complete description of the work.
            sources: Files that the work reads.
            overwrite: Start afresh where the folder holds a take; everything the old take made is removed.

        Raises:
            TakeError: The folder cannot be written, holds other work, or is not empty and no take.
            ConfigError: The config is wrong.
            ResourceError: The disk is full.
        """
        path = Path(path)
        # Everything that may be wrong with the new work is found before the old is touched.
        record = new_record(kind, config, map(Path, sources))
        make_folder(path)
        if (path / "take.yaml").exists():
            if not overwrite:
                return _same(cls.open(path), kind, record.id)
            clear_folder(path)
        elif strangers := sorted(item.name for item in path.iterdir() if not item.name.startswith(".")):
            raise TakeError(f"{path}: is not empty ({strangers[0]} …) and is not a take; choose a new folder")
        take = cls(path, record, to_dict(config))
        take._write_record()
        return take

    @classmethod
    def open(cls, path: str | os.PathLike[str]) -> Take:
        """Open a take folder.

        Raises:
            TakeError: There is no take, its record is damaged, or a newer version made it.
        """
        path = Path(path)
        file = path / "take.yaml"
        if not file.is_file():
            what = "no such folder" if not path.exists() else "has no take.yaml, so it is not a take"
            raise TakeError(f"{path}: {what}; give the folder that a run made")
        return cls(path, *read_record(file))

    def __repr__(self) -> str:
        return f"Take({str(self.path)!r}, {self.kind!r}, {self.status!r})"

    @property
    def kind(self) -> str:
        """Registered name of the job."""
        return self.record.kind

    @property
    def status(self) -> Status:
        """How far the work is; ``running`` without a holder of the lock means it was killed."""
        return self.record.status

    @property
    def is_running(self) -> bool:
        """Whether a process works on the take now."""
        return is_held(self.path / LOCK)

    @property
    def state_path(self) -> Path:
        """The saved state."""
        return self.path / "state.safetensors"

    @property
    def previous_path(self) -> Path:
        """The saved state before that."""
        return self.path / "state.previous.safetensors"

    @property
    def log_path(self) -> Path:
        """The log; read it with ``dreamplate.take.read_steps``."""
        return self.path / "log.jsonl"

    @property
    def metrics_path(self) -> Path:
        """The final figures."""
        return self.path / "metrics.json"

    def config(self, cls: type[C]) -> C:
        """Return the config of the take.

        Raises:
            TakeError: It does not fit this version's config class, or was edited after the take was made.
        """
        file = self.path / "take.yaml"
        try:
            config = from_dict(cls, self.config_data, source=f"{file}: config")
        except ConfigError as error:
            raise TakeError(f"{error}; use the version that made the take, or start a new take") from error
        if config_id(config) != self.record.id:
            raise TakeError(
                f"{file}: config does not match its id {self.record.id[:12]}: it was edited, or this"
                " version has other options; start a new take from it"
            )
        return config

    def provenance(self) -> dict[str, Any]:
        """Return how the take's pictures are made; equal takes give equal data, wherever and whenever."""
        record = to_dict(self.record)
        keep = ("schema", "kind", "id", "seed", "versions", "sources")
        return {name: record[name] for name in keep} | {"config": self.config_data}

    def locked(self) -> AbstractContextManager[None]:
        """Return a context manager that keeps every other process off the take.

        Raises:
            TakeError: Another process works on it.
        """
        return hold(self.path / LOCK, str(self.path))

    def update(self, **changes: Any) -> None:
        """Change fields of the record, such as ``status`` and ``error``, on disk too.

        Raises:
            TakeError: The record cannot be written.
            ResourceError: The disk is full.
        """
        record = dataclasses.replace(self.record, **changes)
        if record != self.record:
            self.record = record
            self._write_record()

    def check_version(self) -> None:
        """Refuse to continue work that another version of Dreamplate began.

        Raises:
            TakeError: Major or minor version differ, so that the result would be neither's.
        """
        ours, theirs = machine.versions()["dreamplate"], self.record.versions.get("dreamplate", "unknown")
        if ours.split(".")[:2] != theirs.split(".")[:2]:
            raise TakeError(
                f"{self.path}: was begun by Dreamplate {theirs}, this is {ours}; use {theirs} to finish it,"
                " or `dreamplate redo` it into a new take"
            )

    def changed_versions(self) -> str | None:
        """Return a sentence when packages that results depend on are not those the take began with."""
        ours = machine.versions()
        changed = [
            f"{name} {old} → {ours[name]}"
            for name, old in self.record.versions.items()
            if name != "dreamplate" and ours.get(name, old) != old
        ]
        if not changed:
            return None
        return f"{self.path}: {', '.join(changed)} since it began; the result may differ in the last digits"

    def check_sources(self) -> None:
        """Compare the files that the work reads with what they were when the take was made.

        Raises:
            TakeError: One is gone or has changed.
        """
        for source in self.record.sources:
            check_source(source, self.path)

    def save_state(self, position: int, state: Mapping[str, Any]) -> int:
        """Write a checkpoint, keeping the one before; return its size in bytes.

        Raises:
            ResourceError: There is not enough disk space; the checkpoints there are stay as they are.
            TakeError: The folder cannot be written.
            StateError: The state holds something that cannot be stored.
        """
        packed = pack({"kind": self.kind, "id": self.record.id, "position": position, "job": state})
        size, free = packed.size, free_space(self.path, family=TakeError)
        if free < size + _MARGIN:
            raise ResourceError(
                f"{self.state_path}: a checkpoint needs {size:,} bytes and {free:,} are free; free some"
                f" space, then `dreamplate resume {self.path}`"
            )
        return write_state(self.state_path, packed, keep=self.previous_path)

    def load_state(self) -> tuple[int, Mapping[str, Any], str | None] | None:
        """Read the newest good checkpoint.

        Returns:
            Steps done, the job's state, and a sentence to say aloud when the newest was damaged and the one
            before was taken; or ``None`` when there is no checkpoint yet.

        Raises:
            StateError: No checkpoint is good, or it is of another job.
        """
        files = [path for path in (self.state_path, self.previous_path) if path.exists()]
        damage: StateError | None = None
        for path in files:
            try:
                position, state = self._unpack(read_state(path), path)
            except StateError as error:
                damage = damage or error
                continue
            if damage is None and path == self.state_path:
                return position, state, None
            # Out of the way, so that the next checkpoint does not push it over the good one.
            with suppress(OSError):
                self.state_path.replace(self.path / "state.damaged.safetensors")
            reason = damage or f"{self.state_path}: is gone"
            return position, state, f"{reason}; continuing from {path.name} at step {position}"
        if damage is not None:
            raise StateError(f"{damage}; no other checkpoint is left, start again with --overwrite")
        return None

    def remove_litter(self) -> None:
        """Remove temporary files that a killed run left; call it only while holding the lock."""
        remove_litter(self.path)

    def _unpack(self, saved: Any, path: Path) -> tuple[int, Mapping[str, Any]]:
        if not isinstance(saved, dict) or not {"kind", "id", "position", "job"} <= saved.keys():
            raise StateError(f"{path}: is not the state of a take")
        if (saved["kind"], saved["id"]) != (self.kind, self.record.id):
            raise StateError(f"{path}: is the state of another {saved['kind']} take, not of {self.path}")
        return saved["position"], saved["job"]

    def _write_record(self) -> None:
        write_record(self.path / "take.yaml", self.record, self.config_data)


def _same(take: Take, kind: str, identity: str) -> Take:
    if (take.kind, take.record.id) == (kind, identity):
        take.check_version()
        return take
    raise TakeError(
        f"{take.path}: already holds another {take.kind} take; choose a new folder,"
        " or --overwrite to replace it"
    )
