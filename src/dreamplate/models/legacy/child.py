"""The child process that touches untrusted files: capped, locked, and told everything at its start.

The parent passes the source as standard input and the output as standard output, both open, so that the
child never opens anything; it answers with one line of JSON on standard error.
"""

from __future__ import annotations

import contextlib
import json
import os
import sys
from typing import Any

from dreamplate.errors import DreamplateError
from dreamplate.models.legacy.reader import convert

__all__ = ["answer", "main"]

_FORBIDDEN = (
    "open",
    "import",
    "exec",
    "compile",
    "code.__new__",
    "function.__new__",
    "marshal.",
    "pickle.",
    "os.",
    "shutil.",
    "subprocess.",
    "pty.",
    "socket.",
    "ctypes.",
    "mmap.",
    "fcntl.",
    "signal.",
    "tempfile.",
    "urllib.",
    "webbrowser.",
)
"""Beginnings of the audit events that nothing in the child may raise once it is locked."""


def main() -> None:
    """Convert standard input to standard output under the options of the command line's last word."""
    options = json.loads(sys.argv[-1])
    _cap(options)
    # What reading may import lazily is imported before the lock.
    "name".encode("cp437")
    _lock()
    reply = answer(options)
    sys.stderr.write(json.dumps(reply) + "\n")
    sys.stderr.flush()
    # No destructors: taking a huge or deep tree apart would only cost time.
    os._exit(0)


def answer(options: dict[str, Any]) -> dict[str, Any]:
    """Run `convert` on the standard streams and put its result, or its error, into plain words."""
    try:
        return convert(
            sys.stdin.buffer,
            sys.stdout.buffer,
            modules=options["modules"],
            total_bytes=options["total_bytes"],
        )
    except DreamplateError as error:
        return {"error": " ".join(str(error).split())[:600]}
    except OSError as error:
        return {"error": error.strerror or type(error).__name__, "errno": error.errno}
    except MemoryError:
        pass
    # Out here the traceback is gone, and with it what filled the memory.
    return {
        "error": f"it needs more than {options['memory_bytes'] >> 20:,} MiB to read; it is damaged or hostile"
    }


def _cap(options: dict[str, Any]) -> None:
    try:
        import resource
    except ImportError:  # Windows has no such limits; the machine itself still cannot act
        return
    caps = {
        resource.RLIMIT_AS: options["memory_bytes"],
        resource.RLIMIT_CPU: options["cpu_seconds"],
        resource.RLIMIT_FSIZE: options["total_bytes"] + (64 << 20),
        resource.RLIMIT_CORE: 0,
        resource.RLIMIT_NPROC: 0,
        resource.RLIMIT_NOFILE: 16,
    }
    for which, cap in caps.items():
        _, hard = resource.getrlimit(which)
        value = cap if hard == resource.RLIM_INFINITY else min(cap, hard)
        # macOS refuses some of these; each is a second wall, not the first.
        with contextlib.suppress(ValueError, OSError):
            resource.setrlimit(which, (value, value))


def _lock() -> None:
    def refuse(event: str, args: tuple[Any, ...]) -> None:
        if event.startswith(_FORBIDDEN):
            raise RuntimeError(f"the reader tried {event}")

    sys.addaudithook(refuse)
