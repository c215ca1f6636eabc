"""From a nested checkpoint to dotted tensor names."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from dreamplate.errors import CheckpointError
from dreamplate.models.legacy.leaves import Inline, Leaf, View
from dreamplate.models.legacy.machine import Call, Global
from dreamplate.models.legacy.vocabulary import MAPPINGS, Reader

__all__ = ["flatten"]

_TRANSPARENT = frozenset({"_parameters", "_buffers", "_modules"})
"""Where ``torch.nn.Module`` keeps its parts; they are no part of a tensor's name."""
_PERSISTED = "torch_utils.persistence._reconstruct_persistent_obj"
"""NVIDIA's persistence: one dictionary with source code, which is ignored, and ``state``."""

_MAX_DEPTH = 64
_MAX_VISITS = 2_000_000
_MAX_NOTES = 256
_MAX_NOTE = 200


def flatten(value: Any, reader: Reader, modules: bool) -> tuple[dict[str, Leaf], dict[str, str]]:
    """Collect the tensors of a checkpoint by dotted name, and its plain numbers and strings as notes.

    Dictionaries give names by key, lists by position. A pickled network gives the names that its
    ``state_dict()`` would: parameters, buffers and sub-modules are found, everything else is only noted.

    Args:
        value: What `machine.read_pickle` returned.
        reader: Resolves calls.
        modules: Walk the state of stand-ins for unknown classes.

    Returns:
        Leaves by name; notes by name (at most 256, each at most 200 characters).

    Raises:
        CheckpointError: Two tensors have one name, or the nesting is endless.
    """
    walk = _Walk(reader, modules)
    walk.visit(value, "", 0)
    return walk.leaves, walk.notes


class _Walk:
    def __init__(self, reader: Reader, modules: bool) -> None:
        self.reader = reader
        self.modules = modules
        self.visits = 0
        self.leaves: dict[str, Leaf] = {}
        self.notes: dict[str, str] = {}

    def visit(self, value: Any, name: str, depth: int) -> None:
        # Shared parts may occur under two names (tied weights), so that they are counted, not skipped:
        # doubling them again and again, or a part that contains itself, runs into these bounds.
        self.visits += 1
        if depth > _MAX_DEPTH or self.visits > _MAX_VISITS:
            raise CheckpointError("its contents are nested without end; it is hostile")
        value = self.reader.resolve(value)
        if isinstance(value, (View, Inline)):
            known = self.leaves.setdefault(name or "tensor", value)
            if known is not value and known != value:
                raise CheckpointError(f"it has two tensors named {name[:120]!r}; it is damaged")
        elif isinstance(value, (str, int, float)):
            if name and len(self.notes) < _MAX_NOTES:
                self.notes[name[:_MAX_NOTE]] = str(value)[:_MAX_NOTE]
        elif isinstance(value, dict):
            self.mapping(value.items(), name, depth)
        elif isinstance(value, (list, tuple)):
            self.mapping(enumerate(value), name, depth)
        elif isinstance(value, Call):
            self.call(value, name, depth)

    def mapping(self, pairs: Iterable[tuple[Any, Any]], name: str, depth: int) -> None:
        for key, item in pairs:
            if isinstance(key, str) and key in _TRANSPARENT:
                self.visit(item, name, depth + 1)
            elif isinstance(key, (str, int)):
                self.visit(item, f"{name}.{key}" if name else str(key), depth + 1)

    def call(self, value: Call, name: str, depth: int) -> None:
        function = str(value.function) if isinstance(value.function, Global) else ""
        if function in MAPPINGS:
            self.mapping(_items(value.args), name, depth)
            self.mapping(value.pairs, name, depth)
            if function == "argparse.Namespace":
                self.states(value, name, depth)
        elif function == _PERSISTED and self.modules:
            self.visit(_persisted_state(value.args), name, depth + 1)
        elif self.modules or function.startswith("__torch__."):
            self.mapping(value.pairs, name, depth)
            self.mapping(enumerate(value.items), name, depth)
            self.states(value, name, depth)

    def states(self, value: Call, name: str, depth: int) -> None:
        for state in value.states:
            # A pair is (``__dict__``, slots).
            for part in state if isinstance(state, tuple) and len(state) == 2 else (state,):
                self.visit(part, name, depth + 1)


def _persisted_state(args: Any) -> Any:
    fields = args[0] if isinstance(args, tuple) and args else None
    pairs = fields.pairs if isinstance(fields, Call) else fields.items() if isinstance(fields, dict) else ()
    return next((item for key, item in pairs if key == "state"), None)


def _items(args: Any) -> list[tuple[Any, Any]]:
    """Return the pairs that a dictionary is made from: ``OrderedDict([(key, value), …])``."""
    pairs = []
    for arg in args if isinstance(args, tuple) else ():
        if isinstance(arg, dict):
            pairs += list(arg.items())
        elif isinstance(arg, (list, tuple)):
            pairs += [
                (item[0], item[1]) for item in arg if isinstance(item, (list, tuple)) and len(item) == 2
            ]
    return pairs
