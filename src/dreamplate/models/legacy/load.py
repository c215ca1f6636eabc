"""Legacy weight files, from the caller's side: start the child, check its work, load the result."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

import dreamplate
from dreamplate.errors import CheckpointError, ModelError, ResourceError
from dreamplate.files import atomic_path, raise_os_error
from dreamplate.tensorheader import HeaderInfo, check_header, open_file

if TYPE_CHECKING:
    from torch import Tensor

__all__ = ["LegacyInfo", "LegacyLimits", "convert_legacy", "load_legacy"]

_START = (
    "import sys; sys.path.insert(0, sys.argv[1]); from dreamplate.models.legacy.child import main; main()"
)


@dataclass(frozen=True)
class LegacyLimits:
    """What reading a legacy file may cost.

    Attributes:
        total_bytes: Most bytes of tensors. An archive may also not unpack to more than 100 times its size
            (or 64 MiB).
        memory_bytes: Address space of the child; ``None`` allows 256 MiB and four times the file.
        cpu_seconds: Processor time of the child; ``None`` allows 20 s and 1 s for each 20 MB.
    """

    total_bytes: int = 16 << 30
    memory_bytes: int | None = None
    cpu_seconds: int | None = None


@dataclass(frozen=True)
class LegacyInfo:
    """What a legacy file was.

    Attributes:
        format: In words, such as ``torch file``.
        header: Tensors of the safetensors file made from it.
        notes: Plain numbers and strings that lay between the tensors, by dotted name.
    """

    format: str
    header: HeaderInfo
    notes: dict[str, str]


def load_legacy(
    path: str | os.PathLike[str], *, modules: bool = False, limits: LegacyLimits | None = None
) -> dict[str, Tensor]:
    """Read the tensors of a torch, pickle or numpy file without running anything in it.

    Reads torch files of both formats (``.pt .pth .bin .ckpt``), TorchScript archives, pickles with numpy
    arrays, ``.npy`` and ``.npz``, recognised by content and not by name. A child process with capped memory
    and processor time parses the file by a machine that can build tensors and nothing else. There is no
    other way round: what this cannot read is an error.

    Args:
        path: The file.
        modules: Also read pickled whole networks. Their classes are neither imported nor called; the tensors
            found in their state get the names that ``state_dict()`` would give.
        limits: What reading may cost.

    Returns:
        Tensors by dotted name, on the CPU.

    Raises:
        ModelError: The file is absent or cannot be opened.
        CheckpointError: It is damaged, hostile, too large or of an unknown format.
        ResourceError: There is no room for the temporary copy.
    """
    from dreamplate.tensorfile import read_tensors

    with tempfile.TemporaryDirectory(prefix="dreamplate-") as folder:
        converted = Path(folder) / "weights.safetensors"
        convert_legacy(path, converted, modules=modules, limits=limits)
        return read_tensors(converted)[0]


def convert_legacy(
    path: str | os.PathLike[str],
    output: str | os.PathLike[str],
    *,
    modules: bool = False,
    limits: LegacyLimits | None = None,
) -> LegacyInfo:
    """Resave a legacy file as safetensors, atomically; `load_legacy` says what can be read.

    Raises:
        ModelError: The file is absent or cannot be opened, or ``output`` cannot be written.
        CheckpointError: It is damaged, hostile, too large or of an unknown format.
        ResourceError: There is no room for the output.
    """
    path = Path(path)
    limits = limits or LegacyLimits()
    with open_file(path) as source, atomic_path(output, family=ModelError) as temporary:
        with temporary.open("r+b") as target:
            reply = _run_child(path, source, target, output=Path(output), modules=modules, limits=limits)
        header = check_header(temporary)
    if len(header.tensors) != reply["tensors"]:
        raise CheckpointError(
            f"{path}: {len(header.tensors)} of {reply['tensors']} tensors arrived; try again"
        )
    return LegacyInfo(reply["format"], header, reply["notes"])


def _run_child(
    path: Path, source: IO[bytes], target: IO[bytes], *, output: Path, modules: bool, limits: LegacyLimits
) -> dict[str, Any]:
    size = os.fstat(source.fileno()).st_size
    options = {
        "modules": modules,
        "total_bytes": limits.total_bytes,
        "memory_bytes": limits.memory_bytes or (256 << 20) + 4 * size,
        "cpu_seconds": limits.cpu_seconds or 20 + size // 20_000_000,
    }
    package_root = str(Path(dreamplate.__file__).parents[1])
    # Isolated, without site packages: the child is the standard library and this package's own files.
    command = [
        sys.executable,
        "-I",
        "-S",
        "-B",
        "-X",
        "utf8",
        "-c",
        _START,
        package_root,
        json.dumps(options),
    ]
    try:
        done = subprocess.run(
            command,
            stdin=source,
            stdout=target,
            stderr=subprocess.PIPE,
            env={name: os.environ[name] for name in ("SYSTEMROOT",) if name in os.environ},
            timeout=60 + 10 * options["cpu_seconds"],
            check=False,
        )
    except subprocess.TimeoutExpired:
        raise CheckpointError(f"{path}: it takes too long to read; it is damaged or hostile") from None
    except OSError as error:
        raise ResourceError(f"{path}: cannot start a process to read it ({error.strerror})") from error
    reply = _parse(done.stderr)
    if reply is None:
        raise CheckpointError(
            f"{path}: the process that read it was stopped (code {done.returncode}): too much memory or"
            " time; it is damaged or hostile"
        )
    if "errno" in reply:
        raise_os_error(OSError(reply["errno"], reply["error"]), output, ModelError)
    if "error" in reply:
        raise CheckpointError(f"{path}: {reply['error']}")
    return reply


def _parse(answer: bytes) -> dict[str, Any] | None:
    """Read the child's one line; ``None`` when it died without saying anything."""
    try:
        reply = json.loads(answer.strip().rpartition(b"\n")[2])
    except ValueError:
        return None
    return reply if isinstance(reply, dict) else None
