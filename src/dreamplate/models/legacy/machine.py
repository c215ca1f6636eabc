"""A pickle machine that cannot act: it reads the opcodes and builds plain, inert values.

Python's own unpickler imports names and calls them; forbidding some names leaves the rest. Here there is
nothing to forbid: a global becomes a `Global` (two strings), a call becomes a `Call` (what would have been
called, with what), and no opcode can import, call, hash or compare anything that came from the file but
plain strings and numbers. What the calls mean is decided afterwards, by `vocabulary`, from a literal table.

Every length is checked against what is left of the file before memory is taken.
"""

from __future__ import annotations

import codecs
import struct
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import IO, Any

from dreamplate.errors import CheckpointError

__all__ = ["Call", "Global", "Persistent", "PickleLimits", "read_pickle"]


@dataclass(frozen=True, slots=True)
class Global:
    """A name that the pickle mentions, never looked up."""

    module: str
    name: str

    def __str__(self) -> str:
        return f"{self.module}.{self.name}"


@dataclass(slots=True, eq=False)
class Call:
    """A call that the pickle asks for, never made.

    Attributes:
        function: What would be called: a `Global`, or another inert value.
        args: Its arguments.
        new: It would be made by ``cls.__new__`` and not by a call.
        states: Arguments of ``__setstate__``, in order.
        items: What would be appended or added.
        pairs: What would be set by key.
    """

    function: Any
    args: Any
    new: bool = False
    states: list[Any] = field(default_factory=list)
    items: list[Any] = field(default_factory=list)
    pairs: list[tuple[Any, Any]] = field(default_factory=list)


@dataclass(slots=True, eq=False)
class Persistent:
    """A reference to something outside the pickle, such as a storage of numbers."""

    id: Any


@dataclass(slots=True, eq=False)
class _Odd:
    """A dictionary key that is neither text nor number; hashing it could take for ever."""

    key: Any


@dataclass(frozen=True)
class PickleLimits:
    """What one pickle may ask for.

    Attributes:
        opcodes: Most opcodes.
        stack: Most values waiting at once.
        line: Longest line of the text opcodes, in bytes.
        integer: Longest integer, in bytes.
    """

    opcodes: int = 30_000_000
    stack: int = 5_000_000
    line: int = 1 << 20
    integer: int = 64


_MARK = object()
_Allow = Callable[[Global], None]


def read_pickle(
    file: IO[bytes],
    size: int,
    allow: Callable[[Global], None],
    *,
    persistents: list[Persistent] | None = None,
    limits: PickleLimits | None = None,
) -> Any:
    """Read one pickle as inert values; the file is left just behind its end.

    Args:
        file: Open at the first opcode.
        size: Bytes in the whole file.
        allow: Called with every global the pickle names; raises `CheckpointError` to refuse it.
        persistents: Receives every reference to something outside the pickle, in order.
        limits: What the pickle may ask for.

    Returns:
        ``None``, bool, int, float, str, bytes, list, tuple, dict (sets come as lists), `Global`, `Call` or
        `Persistent`, nested. The values may share parts and may even contain themselves.

    Raises:
        CheckpointError: The pickle is damaged, too large, or names what ``allow`` refuses.
    """
    machine = _Machine(file, size, allow, limits or PickleLimits())
    value = machine.run()
    if persistents is not None:
        persistents += machine.persistents
    return value


class _Machine:
    def __init__(self, file: IO[bytes], size: int, allow: _Allow, limits: PickleLimits) -> None:
        self.file = file
        self.size = size
        self.allow = allow
        self.limits = limits
        self.stack: list[Any] = []
        self.memo: dict[int, Any] = {}
        self.persistents: list[Persistent] = []

    def run(self) -> Any:
        for _ in range(self.limits.opcodes):
            opcode = self.file.read(1)
            if opcode == b".":
                return self.pop()
            act = _OPCODES.get(opcode)
            if act is None:
                what = f"unknown opcode 0x{opcode.hex()}" if opcode else "no end"
                raise CheckpointError(f"its pickle has {what}; it is damaged or no weight file")
            act(self)
            if len(self.stack) > self.limits.stack:
                raise CheckpointError(f"its pickle stacks more than {self.limits.stack:,} values")
        raise CheckpointError(f"its pickle has more than {self.limits.opcodes:,} opcodes")

    # Reading.

    def take(self, count: int) -> bytes:
        """Return the next ``count`` bytes; a lie about the length is found before memory is taken."""
        if count > self.size - self.file.tell():
            raise CheckpointError(
                f"its pickle claims {count:,} bytes beyond its end; it is cut short or lies"
            )
        data = self.file.read(count)
        if len(data) != count:
            raise CheckpointError("its pickle is cut short; copy the file again")
        return data

    def number(self, form: str) -> Any:
        return struct.unpack(form, self.take(struct.calcsize(form)))[0]

    def line(self) -> bytes:
        line = self.file.readline(self.limits.line)
        if not line.endswith(b"\n"):
            raise CheckpointError("its pickle has a line without end; it is damaged")
        return line[:-1]

    def text_line(self) -> str:
        return self.line().decode("utf-8")

    # The stack.

    def push(self, value: Any) -> None:
        self.stack.append(value)

    def pop(self) -> Any:
        if not self.stack or self.stack[-1] is _MARK:
            raise CheckpointError("its pickle takes a value from an empty stack; it is damaged")
        return self.stack.pop()

    def top(self) -> Any:
        if not self.stack or self.stack[-1] is _MARK:
            raise CheckpointError("its pickle changes a value that is not there; it is damaged")
        return self.stack[-1]

    def pop_to_mark(self) -> list[Any]:
        for place in range(len(self.stack) - 1, -1, -1):
            if self.stack[place] is _MARK:
                values = self.stack[place + 1 :]
                del self.stack[place:]
                return values
        raise CheckpointError("its pickle closes a group that it never opened; it is damaged")

    def pairs(self) -> list[tuple[Any, Any]]:
        values = self.pop_to_mark()
        if len(values) % 2:
            raise CheckpointError("its pickle has a key without a value; it is damaged")
        return list(zip(values[::2], values[1::2], strict=True))

    # Building.

    def name(self, module: Any, name: Any) -> Global:
        if not isinstance(module, str) or not isinstance(name, str):
            raise CheckpointError("its pickle names something by a value that is not text; it is damaged")
        found = Global(module, name)
        self.allow(found)
        return found

    def call(self, function: Any, args: Any, new: bool = False) -> None:
        self.push(Call(function, args, new))

    def extend(self, items: list[Any]) -> None:
        target = self.top()
        if isinstance(target, list):
            target.extend(items)
        elif isinstance(target, Call):
            target.items.extend(items)
        else:
            raise CheckpointError(f"its pickle appends to a {type(target).__name__}; it is damaged")

    def update(self, pairs: list[tuple[Any, Any]]) -> None:
        target = self.top()
        if isinstance(target, dict):
            target.update((_key(key), value) for key, value in pairs)
        elif isinstance(target, Call):
            target.pairs.extend(pairs)
        else:
            raise CheckpointError(f"its pickle sets an item of a {type(target).__name__}; it is damaged")

    def build(self) -> None:
        state, target = self.pop(), self.top()
        if not isinstance(target, Call):
            raise CheckpointError(f"its pickle sets the state of a {type(target).__name__}; it is hostile")
        target.states.append(state)

    def remember(self, place: int) -> None:
        if place < 0:
            raise CheckpointError("its pickle remembers a value at a negative place; it is damaged")
        self.memo[place] = self.top()

    def recall(self, place: int) -> None:
        if place not in self.memo:
            raise CheckpointError(f"its pickle recalls value {place}, which it never made; it is damaged")
        self.push(self.memo[place])

    def object(self) -> None:
        values = self.pop_to_mark()
        if not values:
            raise CheckpointError("its pickle makes an object of no class; it is damaged")
        self.call(values[0], tuple(values[1:]))

    def instance(self) -> None:
        module, name = self.text_line(), self.text_line()
        args = tuple(self.pop_to_mark())
        self.call(self.name(module, name), args)

    def reduce(self, *, new: bool = False, keywords: bool = False) -> None:
        if keywords:
            self.pop()
        args, function = self.pop(), self.pop()
        self.call(function, args, new)

    def stack_global(self) -> None:
        name, module = self.pop(), self.pop()
        self.push(self.name(module, name))

    def protocol(self) -> None:
        version = self.number("<B")
        if version > 5:
            raise CheckpointError(f"its pickle is of protocol {version}; 0 to 5 can be read")

    def frame(self) -> None:
        length = self.number("<Q")
        if length > self.size - self.file.tell():
            raise CheckpointError(
                f"its pickle claims {length:,} bytes beyond its end; it is cut short or lies"
            )

    def integer(self, length: int) -> None:
        if not 0 <= length <= self.limits.integer:
            raise CheckpointError(f"its pickle has an integer of {length:,} bytes; it is hostile")
        self.push(int.from_bytes(self.take(length), "little", signed=True))

    def integer_line(self, *, flags: bool) -> None:
        line = self.line()
        if flags and line in (b"00", b"01"):
            self.push(line == b"01")
            return
        if len(line) > 3 * self.limits.integer:
            raise CheckpointError(f"its pickle has an integer of {len(line):,} digits; it is hostile")
        self.push(int(line.rstrip(b"L")))

    def string_line(self) -> None:
        line = self.line().strip()
        if len(line) < 2 or line[:1] not in b"'\"" or line[-1:] != line[:1]:
            raise CheckpointError("its pickle has a string without quotes; it is damaged")
        self.push(codecs.escape_decode(line[1:-1])[0].decode("latin-1"))

    def persistent(self, reference: Any) -> None:
        self.persistents.append(Persistent(reference))
        self.push(self.persistents[-1])

    def refuse(self, what: str) -> None:
        raise CheckpointError(f"its pickle uses {what}; no weight file needs it")


def _key(key: Any) -> Any:
    plain = key is None or isinstance(key, (str, bytes, int, float, Global))
    return key if plain else _Odd(key)


def _tuple(count: int) -> Callable[[_Machine], None]:
    def act(machine: _Machine) -> None:
        values = [machine.pop() for _ in range(count)]
        machine.push(tuple(reversed(values)))

    return act


def _group(make: Callable[[list[Any]], Any]) -> Callable[[_Machine], None]:
    return lambda m: m.push(make(m.pop_to_mark()))


def _text(form: str) -> Callable[[_Machine], None]:
    # "surrogatepass" is what the standard pickler writes.
    return lambda m: m.push(m.take(m.number(form)).decode("utf-8", "surrogatepass"))


def _latin(form: str) -> Callable[[_Machine], None]:
    """Strings of Python 2 hold either text or raw bytes; Latin-1 keeps both."""
    return lambda m: m.push(m.take(_natural(m.number(form))).decode("latin-1"))


def _natural(length: int) -> int:
    if length < 0:
        raise CheckpointError("its pickle has a negative length; it is damaged")
    return length


def _pair(machine: _Machine) -> None:
    value, key = machine.pop(), machine.pop()
    machine.update([(key, value)])


def _dict(machine: _Machine) -> None:
    pairs = machine.pairs()
    machine.push({_key(key): value for key, value in pairs})


_OPCODES: dict[bytes, Callable[[_Machine], Any]] = {
    b"\x80": _Machine.protocol,
    b"\x95": _Machine.frame,
    # Constants.
    b"N": lambda m: m.push(None),
    b"\x88": lambda m: m.push(True),
    b"\x89": lambda m: m.push(False),
    # Numbers.
    b"I": lambda m: m.integer_line(flags=True),
    b"L": lambda m: m.integer_line(flags=False),
    b"J": lambda m: m.push(m.number("<i")),
    b"K": lambda m: m.push(m.number("<B")),
    b"M": lambda m: m.push(m.number("<H")),
    b"\x8a": lambda m: m.integer(m.number("<B")),
    b"\x8b": lambda m: m.integer(m.number("<i")),
    b"F": lambda m: m.push(float(m.line())),
    b"G": lambda m: m.push(m.number(">d")),
    # Text and bytes.
    b"S": _Machine.string_line,
    b"T": _latin("<i"),
    b"U": _latin("<B"),
    b"V": lambda m: m.push(codecs.raw_unicode_escape_decode(m.line())[0]),
    b"X": _text("<I"),
    b"\x8c": _text("<B"),
    b"\x8d": _text("<Q"),
    b"B": lambda m: m.push(m.take(m.number("<I"))),
    b"C": lambda m: m.push(m.take(m.number("<B"))),
    b"\x8e": lambda m: m.push(m.take(m.number("<Q"))),
    b"\x96": lambda m: m.push(m.take(m.number("<Q"))),
    # Groups.
    b"(": lambda m: m.push(_MARK),
    b")": lambda m: m.push(()),
    b"]": lambda m: m.push([]),
    b"}": lambda m: m.push({}),
    b"\x8f": lambda m: m.push([]),
    b"t": _group(tuple),
    b"l": _group(list),
    b"\x91": _group(list),
    b"d": _dict,
    b"\x85": _tuple(1),
    b"\x86": _tuple(2),
    b"\x87": _tuple(3),
    b"a": lambda m: m.extend([m.pop()]),
    b"e": lambda m: m.extend(m.pop_to_mark()),
    b"\x90": lambda m: m.extend(m.pop_to_mark()),
    b"s": _pair,
    b"u": lambda m: m.update(m.pairs()),
    # Stack and memo.
    b"0": lambda m: m.stack.pop() if m.stack else m.pop(),
    b"1": _Machine.pop_to_mark,
    b"2": lambda m: m.push(m.top()),
    b"p": lambda m: m.remember(int(m.line())),
    b"q": lambda m: m.remember(m.number("<B")),
    b"r": lambda m: m.remember(m.number("<I")),
    b"\x94": lambda m: m.remember(len(m.memo)),
    b"g": lambda m: m.recall(int(m.line())),
    b"h": lambda m: m.recall(m.number("<B")),
    b"j": lambda m: m.recall(m.number("<I")),
    # Names and calls, all inert.
    b"c": lambda m: m.push(m.name(m.text_line(), m.text_line())),
    b"\x93": _Machine.stack_global,
    b"R": _Machine.reduce,
    b"\x81": lambda m: m.reduce(new=True),
    b"\x92": lambda m: m.reduce(new=True, keywords=True),
    b"o": _Machine.object,
    b"i": _Machine.instance,
    b"b": _Machine.build,
    b"P": lambda m: m.persistent(m.text_line()),
    b"Q": lambda m: m.persistent(m.pop()),
    # Doors to code outside the file.
    b"\x82": lambda m: m.refuse("the extension registry"),
    b"\x83": lambda m: m.refuse("the extension registry"),
    b"\x84": lambda m: m.refuse("the extension registry"),
    b"\x97": lambda m: m.refuse("a buffer outside the file"),
    b"\x98": lambda m: None,
}
