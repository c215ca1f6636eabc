"""Hostile checkpoints: none runs, each is refused in one line, in bounded time and memory."""

from __future__ import annotations

import io
import json
import os
import pickle
import struct
import subprocess
import zipfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch

from dreamplate.errors import CheckpointError
from dreamplate.models import load_any, load_legacy
from dreamplate.models.legacy import load

MIB = 1 << 20
CPU_SECONDS = 8.0
RESIDENT_BYTES = 330 * MIB
"""The child may take 256 MiB of addresses and four times the file; the interpreter itself is in it."""


def text(value: str | bytes) -> bytes:
    data = value.encode() if isinstance(value, str) else value
    return b"X" + struct.pack("<I", len(data)) + data


def short(value: str) -> bytes:
    return b"\x8c" + bytes([len(value)]) + value.encode()


def name(module: str, attribute: str) -> bytes:
    return f"c{module}\n{attribute}\n".encode()


def call(module: str, attribute: str, *args: bytes) -> bytes:
    return name(module, attribute) + b"(" + b"".join(args) + b"tR"


def ended(body: bytes, protocol: int = 2) -> bytes:
    return b"\x80" + bytes([protocol]) + body + b"."


def shell(canary: Path) -> bytes:
    return text(f"touch {canary}")


def python(canary: Path) -> bytes:
    return text(f"open({str(canary)!r}, 'w').close()")


def storage_id(kind: bytes = b"", key: bytes = b"", count: int = 4) -> bytes:
    kind = kind or name("torch", "FloatStorage")
    number = b"J" + struct.pack("<i", count)
    return b"(" + text("storage") + kind + (key or text("0")) + text("cpu") + number + b"tQ"


def tensor(
    storage: bytes = b"", offset: bytes = b"K\x00", shape: bytes = b"K\x04\x85", stride: bytes = b"K\x01\x85"
) -> bytes:
    tail = b"\x89" + call("collections", "OrderedDict")
    return call("torch._utils", "_rebuild_tensor_v2", storage or storage_id(), offset, shape, stride, tail)


def archive(
    pickled: bytes, members: dict[str, bytes] | None = None, compression: int = zipfile.ZIP_STORED
) -> bytes:
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w", compression) as zipped:
        zipped.writestr("archive/data.pkl", pickled)
        zipped.writestr("archive/version", "3")
        for key, data in ({"archive/data/0": bytes(16)} if members is None else members).items():
            zipped.writestr(key, data)
    return made.getvalue()


def stream(pickled: bytes, keys: bytes = b"]" + text("0") + b"a", storages: bytes | None = None) -> bytes:
    """Torch's format before 1.6."""
    preamble = [0x1950A86A20F9469CFC6C, 1001, {"little_endian": True}]
    data = b"".join(pickle.dumps(part, protocol=2) for part in preamble) + pickled + ended(keys)
    return data + (struct.pack("<q", 4) + bytes(16) if storages is None else storages)


def npy(header: str, data: bytes = b"") -> bytes:
    raw = header.encode()
    return b"\x93NUMPY\x01\x00" + struct.pack("<H", len(raw)) + raw + data


class Evil:
    def __init__(self, canary: Path) -> None:
        self.canary = canary

    def __reduce__(self) -> tuple[object, ...]:
        return os.system, (f"touch {self.canary}",)


def object_array(canary: Path) -> np.ndarray:
    array = np.empty(1, dtype=object)
    array[0] = Evil(canary)
    return array


def saved(array: np.ndarray, saver: Callable[..., None]) -> bytes:
    made = io.BytesIO()
    saver(made, array)
    return made.getvalue()


def bad_crc(canary: Path) -> bytes:
    made = bytearray(archive(ended(b"}" + text("w") + tensor() + b"s"), {"archive/data/0": b"\x11" * 16}))
    made[made.index(b"\x11" * 16)] = 0x12
    return bytes(made)


def linked() -> bytes:
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w") as zipped:
        zipped.writestr("archive/data.pkl", ended(b"}"))
        link = zipfile.ZipInfo("archive/data/0")
        link.external_attr = 0o120777 << 16
        zipped.writestr(link, "/etc/passwd")
    return made.getvalue()


def doubled() -> bytes:
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w") as zipped:
        zipped.writestr("archive/data.pkl", ended(b"}"))
        with pytest.warns(UserWarning, match="Duplicate name"):
            zipped.writestr("archive/data.pkl", ended(b"N"))
    return made.getvalue()


def overlapping() -> bytes:
    """Two directory entries that share one member's bytes."""
    made = bytearray(archive(ended(b"}"), {"archive/data/0": bytes(64), "archive/data/1": bytes(64)}))
    entries = [at for at in range(len(made)) if made[at : at + 4] == b"PK\x01\x02"]
    made[entries[3] + 42 : entries[3] + 46] = made[entries[2] + 42 : entries[2] + 46]
    return bytes(made)


def encrypted() -> bytes:
    made = bytearray(archive(ended(b"}")))
    entry = made.index(b"PK\x01\x02")
    made[entry + 8] |= 1
    return bytes(made)


def laughs(levels: int = 64, make: bytes = b"]") -> bytes:
    """Each container holds the one before twice; walking it naively would take 2**levels steps."""
    body = make + b"q\x000"
    for level in range(levels):
        before = b"h" + bytes([level])
        holds = before + b"a" + before + b"a"
        if make == b"}":
            holds = text("a") + before + b"s" + text("b") + before + b"s"
        body += make + b"q" + bytes([level + 1]) + holds + b"0"
    return ended(b"}" + text("w") + body + b"h" + bytes([levels]) + b"s")


def key_laughs(levels: int = 64) -> bytes:
    """A key that is a tuple of twice the tuple before: hashing it naively would never end."""
    return ended(b"}" + b")" + b"2\x86" * levels + b"K\x01s")


Make = Callable[[Path], bytes]

NAMES: dict[str, Make] = {
    "reduce os.system, protocol 0": lambda c: f"cos\nsystem\n(S'touch {c}'\ntR.".encode(),
    "reduce posix.system": lambda c: ended(call("posix", "system", shell(c))),
    "reduce nt.system": lambda c: ended(call("nt", "system", shell(c))),
    "python 2 commands": lambda c: ended(call("commands", "getoutput", shell(c))),
    "stack global": lambda c: ended(short("os") + short("system") + b"\x93" + shell(c) + b"\x85R", 4),
    "stack global through the memo": lambda c: ended(
        short("os") + b"\x940" + short("system") + b"\x940h\x00h\x01\x93" + shell(c) + b"\x85R", 4
    ),
    "stack global of a value that is no text": lambda c: ended(b"K\x01K\x02\x93" + shell(c) + b"\x85R", 4),
    "pickle in a pickle": lambda c: ended(
        call("_pickle", "loads", b"B" + struct.pack("<I", 4) + b"N...") + call("os", "system", shell(c))
    ),
    "pickle.loads": lambda c: ended(call("pickle", "loads", b"C\x02N.")),
    "builtins.eval": lambda c: ended(call("builtins", "eval", python(c))),
    "builtins.exec": lambda c: ended(call("builtins", "exec", python(c))),
    "python 2 eval": lambda c: ended(call("__builtin__", "eval", python(c))),
    "getattr chain": lambda c: ended(
        name("builtins", "getattr") + name("os", "path") + text("os") + b"\x86R" + text("system") + b"\x86R"
    ),
    "getattr chain from torch": lambda c: ended(
        call("builtins", "getattr", name("torch.serialization", "os"), text("system"))
    ),
    "dotted name": lambda c: ended(short("torch") + short("os.system") + b"\x93" + shell(c) + b"\x85R", 4),
    "operator.attrgetter": lambda c: ended(call("operator", "attrgetter", text("system"))),
    "INST": lambda c: b"(" + shell(c) + b"ios\nsystem\n.",
    "OBJ": lambda c: b"(" + name("os", "system") + shell(c) + b"o.",
    "NEWOBJ": lambda c: ended(name("subprocess", "Popen") + shell(c) + b"\x85\x81"),
    "NEWOBJ_EX": lambda c: ended(name("subprocess", "Popen") + b"(" + shell(c) + b"t}\x92", 4),
    "__setstate__ gadget": lambda c: ended(
        call("collections", "OrderedDict")
        + b"}"
        + text("__setstate__")
        + name("os", "system")
        + b"sb"
        + shell(c)
        + b"b"
    ),
    "state of a function": lambda c: ended(
        name("torch._utils", "_rebuild_tensor_v2") + b"}" + text("__code__") + shell(c) + b"sb"
    ),
    "state of a list": lambda c: ended(b"]" + b"}" + text("__class__") + shell(c) + b"sb"),
    "extension registry": lambda c: ended(b"\x82\x01" + shell(c) + b"\x85R"),
    "extension registry, wide": lambda c: ended(b"\x84\x01\x00\x00\x00" + shell(c) + b"\x85R"),
    "copyreg.add_extension": lambda c: ended(
        call("copyreg", "add_extension", text("os"), text("system"), b"K\x01")
        + b"0\x82\x01"
        + shell(c)
        + b"\x85R"
    ),
    "torch.load": lambda c: ended(call("torch", "load", text(str(c)))),
    "torch.serialization.load": lambda c: ended(call("torch.serialization", "load", text(str(c)))),
    "torch.hub.load": lambda c: ended(call("torch.hub", "load", text("a/b"), text("c"))),
    "torch.jit code": lambda c: ended(call("torch.jit.unsupported_tensor_ops", "execWrapper", python(c))),
    "torch._dynamo run": lambda c: ended(
        call("torch.utils._config_module", "ConfigModule.load_config", shell(c))
    ),
    "numpy runstring": lambda c: ended(call("numpy.testing._private.utils", "runstring", python(c), b"}")),
    "numpy.load": lambda c: ended(call("numpy", "load", text(str(c)))),
    "importlib": lambda c: ended(call("importlib", "import_module", text("antigravity"))),
    "runpy": lambda c: ended(call("runpy", "_run_code", python(c), b"}")),
    "code object": lambda c: ended(call("types", "CodeType", b"K\x00")),
    "marshal": lambda c: ended(call("marshal", "loads", b"C\x02N.")),
    "webbrowser": lambda c: ended(call("webbrowser", "open", text(f"file://{c}"))),
    "socket": lambda c: ended(call("socket", "create_connection", text("localhost"))),
    "ctypes": lambda c: ended(call("ctypes", "CDLL", text("libc.so.6"))),
    "pip main": lambda c: ended(call("pip", "main", b"](" + text("install") + text("x") + b"e")),
    "partial of system": lambda c: ended(
        call("functools", "partial", name("os", "system"), shell(c)) + b")R"
    ),
    "tensor of a type's function": lambda c: ended(
        call("torch._tensor", "_rebuild_from_type_v2", name("os", "system"), b"N", shell(c) + b"\x85", b"N")
    ),
    "namespace around a gadget": lambda c: ended(
        call("argparse", "Namespace") + b"}" + text("x") + call("os", "system", shell(c)) + b"sb"
    ),
    "module name of odd letters": lambda c: ended(call("os ", "system", shell(c))),
    "zip: hostile data.pkl": lambda c: archive(ended(call("os", "system", shell(c)))),
    "zip: TorchScript with code": lambda c: archive(
        ended(name("__torch__", "Net") + b")\x81}b"),
        {
            "archive/constants.pkl": ended(call("os", "system", shell(c))),
            "archive/code/__torch__.py": f"import os; os.system('touch {c}')".encode(),
        },
    ),
    "old torch: hostile preamble": lambda c: (
        pickle.dumps(0x1950A86A20F9469CFC6C, 2) + ended(call("os", "system", shell(c)))
    ),
    "old torch: hostile key list": lambda c: stream(
        ended(b"}" + text("w") + tensor() + b"s"), call("os", "system", shell(c))
    ),
    "persistent id of a storage type": lambda c: archive(
        ended(b"}" + text("w") + tensor(storage_id(name("os", "system"))) + b"s")
    ),
    "persistent id as text": lambda c: ended(b"Pos.system\n" + shell(c) + b"\x85R"),
    "persistent id outside a torch file": lambda c: ended(b"}" + text("w") + tensor() + b"s"),
    "numpy object array in .npy": lambda c: saved(object_array(c), np.save),
    "numpy object array in .npz": lambda c: saved(object_array(c), np.savez),
    "numpy object array in a pickle": lambda c: pickle.dumps({"w": object_array(c)}, protocol=2),
    "evil object beside tensors": lambda c: pickle.dumps({"w": np.ones(3), "x": Evil(c)}, protocol=4),
}
"""Files that try to run something; each makes the canary file if it succeeds."""

LIES: dict[str, Make] = {
    "key outside the archive": lambda c: archive(
        ended(b"}" + text("w") + tensor(storage_id(key=text("../../../etc/passwd"))) + b"s")
    ),
    "key that is no text": lambda c: archive(
        ended(b"}" + text("w") + tensor(storage_id(key=b"K\x00")) + b"s")
    ),
    "storage longer than its member": lambda c: archive(
        ended(b"}" + text("w") + tensor(storage_id(count=1 << 30)) + b"s")
    ),
    "tensor beyond its storage": lambda c: archive(
        ended(b"}" + text("w") + tensor(shape=b"K\x05\x85") + b"s")
    ),
    "tensor before its storage": lambda c: archive(
        ended(b"}" + text("w") + tensor(offset=b"J\xff\xff\xff\xff") + b"s")
    ),
    "negative stride": lambda c: archive(
        ended(b"}" + text("w") + tensor(stride=b"J\xff\xff\xff\xff\x85") + b"s")
    ),
    "one number repeated 2**40 times": lambda c: archive(
        ended(
            b"}"
            + text("w")
            + tensor(shape=b"\x8a\x06\x00\x00\x00\x00\x00\x01\x85", stride=b"K\x00\x85")
            + b"s"
        )
    ),
    "shape that is no tuple": lambda c: archive(ended(b"}" + text("w") + tensor(shape=b"}") + b"s")),
    "tensor of 100 dimensions": lambda c: archive(
        ended(
            b"}"
            + text("w")
            + tensor(shape=b"(" + b"K\x01" * 100 + b"t", stride=b"(" + b"K\x01" * 100 + b"t")
            + b"s"
        )
    ),
    "arguments missing": lambda c: archive(
        ended(b"}" + text("w") + call("torch._utils", "_rebuild_tensor_v2") + b"s")
    ),
    "two tensors of one name": lambda c: archive(
        ended(
            b"}"
            + text("a.b")
            + tensor()
            + b"s"
            + text("a")
            + b"}"
            + text("b")
            + tensor(shape=b"K\x02\x85")
            + b"ss"
        )
    ),
    "parameter of itself": lambda c: archive(
        ended(
            b"}" + text("w") + name("torch._utils", "_rebuild_parameter") + b"]q\x00Rq\x01h\x00h\x01a0" + b"s"
        )
    ),
    "parameters in parameters": lambda c: archive(
        ended(
            b"}"
            + text("w")
            + name("torch._utils", "_rebuild_parameter") * 5000
            + b"N"
            + b"\x85R" * 5000
            + b"s"
        )
    ),
    "old torch: storage cut short": lambda c: stream(
        ended(b"}" + text("w") + tensor() + b"s"), storages=struct.pack("<q", 4) + bytes(7)
    ),
    "old torch: storage length lies": lambda c: stream(
        ended(b"}" + text("w") + tensor() + b"s"), storages=struct.pack("<q", 1 << 60) + bytes(16)
    ),
    "old torch: unknown protocol": lambda c: pickle.dumps(0x1950A86A20F9469CFC6C, 2) + pickle.dumps(9, 2),
    "old torch: other keys": lambda c: stream(
        ended(b"}" + text("w") + tensor() + b"s"), b"]" + text("7") + b"a"
    ),
    "zip: bad checksum": bad_crc,
    "zip: cut short": lambda c: archive(ended(b"}"))[:-30],
    "zip: member outside": lambda c: archive(ended(b"}"), {"../../evil": b"x"}),
    "zip: absolute member": lambda c: archive(ended(b"}"), {"/etc/evil": b"x"}),
    "zip: drive letter": lambda c: archive(ended(b"}"), {"C:evil": b"x"}),
    "zip: symbolic link": lambda c: linked(),
    "zip: name twice": lambda c: doubled(),
    "zip: overlapping members": lambda c: overlapping(),
    "zip: encrypted": lambda c: encrypted(),
    "zip: two pickles": lambda c: archive(ended(b"}"), {"other/data.pkl": ended(b"}")}),
    "zip: no pickle": lambda c: archive(ended(b"}")).replace(b"data.pkl", b"data.txt"),
    "zip: bzip2": lambda c: archive(ended(b"}"), compression=zipfile.ZIP_BZIP2),
    "zip: unknown byte order": lambda c: archive(ended(b"}"), {"archive/byteorder": b"middle"}),
    "zip: empty": lambda c: b"PK\x05\x06" + bytes(18),
    "npy: shape lies": lambda c: npy(
        "{'descr': '<f4', 'fortran_order': False, 'shape': (1000000000000,), }\n"
    ),
    "npy: header is code": lambda c: npy(f"__import__('os').system('touch {c}')\n"),
    "npy: header longer than the file": lambda c: b"\x93NUMPY\x02\x00\xff\xff\xff\xff{}",
    "npy: named fields": lambda c: saved(np.zeros(2, dtype=[("a", "f4")]), np.save),
    "npy: text": lambda c: saved(np.array(["abc"]), np.save),
    "npz: not only arrays": lambda c: archive(b"x", {"w.npy": saved(np.ones(2), np.save)}),
    "numpy in a pickle: bytes missing": lambda c: pickle.dumps({"w": np.arange(100.0)}, 2).replace(
        b"K\x64\x85", b"K\xff\x85"
    ),
    "numpy in a pickle: longdouble": lambda c: pickle.dumps({"w": np.zeros(2, np.longdouble)}),
    "sparse tensor": lambda c: archive(
        ended(b"}" + text("w") + call("torch._utils", "_rebuild_sparse_tensor") + b"s")
    ),
    "no tensors": lambda c: pickle.dumps({"epoch": 3}),
    "protocol 9": lambda c: ended(b"N", 9),
    "unknown opcode": lambda c: b"\x80\x02\xff.",
    "no end": lambda c: b"\x80\x02}q\x00",
    "nothing before the end": lambda c: b"\x80\x02.",
    "mark as a value": lambda c: b"\x80\x02(.",
    "key without value": lambda c: b"\x80\x02}(K\x01u.",
    "group never opened": lambda c: b"\x80\x02K\x01t.",
    "append to a number": lambda c: ended(b"K\x01K\x02a"),
    "recall of nothing": lambda c: ended(b"h\x07"),
    "buffer outside the file": lambda c: ended(b"\x97", 5),
    "string without quotes": lambda c: b"(Sabc\nt.",
    "empty file": lambda c: b"",
    "text file": lambda c: b"Hello, this is no checkpoint.\n" * 20,
    "web page": lambda c: b"<!DOCTYPE html><html>404</html>" * 20,
    "HDF5": lambda c: b"\x89HDF\r\n\x1a\n" + bytes(600),
    "gzip": lambda c: b"\x1f\x8b\x08" + bytes(600),
    "tar": lambda c: bytes(257) + b"ustar" + bytes(300),
}
"""Files that are damaged or claim what is not so."""

BOMBS: dict[str, Make] = {
    "bytes of 2**62": lambda c: b"\x80\x04\x8e" + struct.pack("<Q", 1 << 62),
    "bytes of 4 GiB": lambda c: b"\x80\x03B\xff\xff\xff\xff",
    "text of 2**62": lambda c: b"\x80\x04\x8d" + struct.pack("<Q", 1 << 62),
    "bytearray of 2**62": lambda c: b"\x80\x05\x96" + struct.pack("<Q", 1 << 62),
    "frame of 2**62": lambda c: b"\x80\x04\x95" + struct.pack("<Q", 1 << 62),
    "integer of 2 GiB": lambda c: b"\x80\x02\x8b\xff\xff\xff\x7f",
    "integer of negative length": lambda c: b"\x80\x02\x8b\xff\xff\xff\xff",
    "integer of a million bytes": lambda c: (
        b"\x80\x02\x8b" + struct.pack("<i", 10**6) + b"\x7f" * 10**6 + b"."
    ),
    "integer of a million digits": lambda c: b"(L" + b"7" * 10**6 + b"L\nt.",
    "string of negative length": lambda c: b"\x80\x02T\xff\xff\xff\xff",
    "memo place 2**32": lambda c: ended(b"Nr\xff\xff\xff\xff"),
    "memo place negative": lambda c: b"(Np-1\nt.",
    "billion laughs of lists": lambda c: laughs(40),
    "billion laughs, deeper": lambda c: laughs(200),
    "billion laughs of dicts": lambda c: laughs(40, b"}"),
    "billion laughs of keys": lambda c: key_laughs(),
    "list that holds itself": lambda c: ended(b"}" + text("w") + b"]q\x00h\x00as"),
    "dict that holds itself": lambda c: ended(b"}q\x00" + text("w") + b"h\x00s"),
    "lists a million deep": lambda c: ended(b"}" + text("w") + b"]" * 10**6 + b"a" * (10**6 - 1) + b"s"),
    "tuples a million deep": lambda c: ended(b"}" + text("w") + b")" + b"\x85" * 10**6 + b"s"),
    "tuple a million deep as key": lambda c: ended(b"})" + b"\x85" * 10**6 + b"K\x01s"),
    "six million values": lambda c: b"\x80\x02" + b"N" * (6 * 10**6),
    "five million dicts": lambda c: b"\x80\x02" + b"}" * (5 * 10**6),
    "two million marks": lambda c: b"\x80\x02" + b"(" * (2 * 10**6) + b"N.",
    "calls of calls": lambda c: ended(call("collections", "OrderedDict") + b")R" * 10**5),
    "zip bomb": lambda c: archive(ended(b"}"), {"archive/data/0": bytes(200 * MIB)}, zipfile.ZIP_DEFLATED),
    "zip bomb in data.pkl": lambda c: archive(b"\x80\x02" + b"}" * (80 * MIB), None, zipfile.ZIP_DEFLATED),
    "npz bomb": lambda c: zipped_zeros(300 * MIB),
    "a thousand views of one storage": lambda c: many_views(),
}
"""Small files that ask for endless time or memory."""


def zipped_zeros(count: int) -> bytes:
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w", zipfile.ZIP_DEFLATED) as zipped, zipped.open("w.npy", "w") as member:
        member.write(npy(f"{{'descr': '|u1', 'fortran_order': False, 'shape': ({count},), }}\n"))
        for _ in range(count // MIB):
            member.write(bytes(MIB))
    return made.getvalue()


def many_views() -> bytes:
    """One storage of 1 MiB under a thousand names: 1 GiB of tensors from a file of 1 MiB."""
    count = MIB // 4
    shape, stride = b"J" + struct.pack("<i", count) + b"\x85", b"K\x01\x85"
    body = b"".join(
        text(f"w{index}") + tensor(storage_id(count=count), shape=shape, stride=stride) + b"s"
        for index in range(1000)
    )
    return archive(ended(b"}" + body), {"archive/data/0": bytes(MIB)})


MEASURED_START = """
import os, sys
sys.path.insert(0, sys.argv[1])
status = os.open("/proc/self/status", os.O_RDONLY) if os.path.exists("/proc/self/status") else None
from dreamplate.models.legacy import child
plain = child.answer
def answer(options):
    reply = plain(options)
    lines = os.pread(status, 1 << 16, 0).split(b"\\n") if status else []
    reply["peak_kb"] = next((int(line.split()[1]) for line in lines if line.startswith(b"VmHWM")), 0)
    return reply
child.answer = answer
child.main()
"""
"""Starts the child as ever, and lets it tell its peak memory; getrusage would tell that of the test process,
which a child inherits."""


@pytest.fixture
def spent(monkeypatch: pytest.MonkeyPatch) -> list[tuple[float, int]]:
    """Processor seconds and peak resident bytes of every child that the reader starts."""
    seen: list[tuple[float, int]] = []

    def run(command, *, timeout, check, **options):
        with subprocess.Popen(command, **options) as child:
            answer = child.stderr.read()
            _, status, usage = os.wait4(child.pid, 0)
            child.returncode = os.waitstatus_to_exitcode(status)
        peak = json.loads(answer or "{}").get("peak_kb", 0)
        seen.append((usage.ru_utime + usage.ru_stime, peak * 1024))
        return subprocess.CompletedProcess(command, child.returncode, None, answer)

    monkeypatch.setattr(load, "_START", MEASURED_START)
    monkeypatch.setattr(load.subprocess, "run", run)
    return seen


def refuse(path: Path, canary: Path, spent: list[tuple[float, int]], modules: bool) -> str:
    with pytest.raises(CheckpointError) as caught:
        load_legacy(path, modules=modules)
    assert not canary.exists(), "the file ran its payload"
    message = str(caught.value)
    assert message.startswith(str(path))
    assert "\n" not in message
    assert len(message) < 700
    ((seconds, resident),) = spent
    assert seconds < CPU_SECONDS
    assert resident < RESIDENT_BYTES
    if os.environ.get("DREAMPLATE_SHOW_COSTS"):
        print(f"{seconds:.2f} s  {resident / MIB:.0f} MiB  {message[len(str(path)) :]}")
    return message


@pytest.mark.parametrize("modules", [False, True], ids=["tensors", "modules"])
@pytest.mark.parametrize("case", NAMES)
def test_payloads_never_run(case: str, modules: bool, tmp_path: Path, spent: list[tuple[float, int]]) -> None:
    canary = tmp_path / "canary"
    path = tmp_path / "model.pt"
    path.write_bytes(NAMES[case](canary))
    message = refuse(path, canary, spent, modules)
    assert "no tensors" not in message, "refused for being empty, not for being hostile"


@pytest.mark.parametrize("case", LIES)
def test_lies_are_refused(case: str, tmp_path: Path, spent: list[tuple[float, int]]) -> None:
    path = tmp_path / "model.pt"
    path.write_bytes(LIES[case](tmp_path / "canary"))
    refuse(path, tmp_path / "canary", spent, modules=False)


@pytest.mark.parametrize("case", BOMBS)
def test_bombs_are_refused_cheaply(case: str, tmp_path: Path, spent: list[tuple[float, int]]) -> None:
    path = tmp_path / "model.pt"
    path.write_bytes(BOMBS[case](tmp_path / "canary"))
    refuse(path, tmp_path / "canary", spent, modules=False)


def test_the_canary_can_sing(tmp_path: Path) -> None:
    """The payload works against Python's own unpickler, so that a missing canary means something."""
    canary = tmp_path / "canary"
    pickle.loads(NAMES["reduce os.system, protocol 0"](canary))
    assert canary.exists()


def test_the_scaffold_is_sound(tmp_path: Path) -> None:
    """The hand-made archives differ from good ones only by what each case says."""
    good = ended(b"}" + text("w") + tensor() + b"s")
    for number, data in enumerate((archive(good), stream(good))):
        path = tmp_path / f"{number}.pt"
        path.write_bytes(data)
        assert torch.equal(load_legacy(path)["w"], torch.zeros(4))


@pytest.mark.parametrize(
    "case", ["reduce os.system, protocol 0", "reduce posix.system", "zip: hostile data.pkl"]
)
def test_pickle_named_safetensors(case: str, tmp_path: Path) -> None:
    canary = tmp_path / "canary"
    path = tmp_path / "model.safetensors"
    path.write_bytes(NAMES[case](canary))
    with pytest.raises(CheckpointError, match="not safetensors"):
        load_any(path)
    assert not canary.exists()


def test_pickled_tensors_named_safetensors_are_not_read(tmp_path: Path) -> None:
    path = tmp_path / "model.safetensors"
    torch.save({"w": torch.ones(2)}, path)
    with pytest.raises(CheckpointError, match=r"zip archive .* models import"):
        load_any(path)


def test_source_code_in_a_file_stays_text(tmp_path: Path) -> None:
    """NVIDIA's pickles and torch's old format carry source code; it is never compiled."""
    canary = tmp_path / "canary"
    source = text(f"open({str(canary)!r}, 'w').close()")
    state = b"}" + text("state") + b"}" + text("w") + tensor() + b"ss" + text("module_src") + source + b"s"
    persisted = ended(call("torch_utils.persistence", "_reconstruct_persistent_obj", state))
    module = b"(" + text("module") + name("nets", "Net") + text("nets.py") + source + b"tQ"
    pickled = ended(module + b")\x81}" + text("w") + tensor() + b"sb")
    for number, data in enumerate((archive(persisted), stream(persisted), stream(pickled))):
        path = tmp_path / f"{number}.pkl"
        path.write_bytes(data)
        assert torch.equal(load_legacy(path, modules=True)["w"], torch.zeros(4))
        with pytest.raises(CheckpointError, match="modules on"):
            load_legacy(path)
    assert not canary.exists()
