"""The process and the machine it runs on: memory settings, counters, and a description for the record."""

from __future__ import annotations

import ctypes
import os
import platform
import re
import sys
import time
from contextlib import suppress
from importlib import metadata
from pathlib import Path
from typing import Any

from dreamplate.errors import ConfigError

_UNITS = {"": 1, "b": 1}
for _power, _letter in enumerate("kmgt", start=1):
    _UNITS |= {_letter: 1024**_power, f"{_letter}ib": 1024**_power, f"{_letter}b": 1000**_power}

_M_MMAP_MAX, _M_TRIM_THRESHOLD, _M_TOP_PAD = -4, -1, -2


def prepare_process(threads: int | None = None) -> bool:
    """Set this process up for numerical work; entry points call it once, before importing torch.

    On Linux with glibc the allocator is told to keep freed memory: without that each large tensor is handed
    back to the kernel and faulted in again, which makes large CPU work two to three times slower. Threads
    that have nothing to do sleep instead of spinning.

    Args:
        threads: How many threads numerical libraries may use; ``None`` leaves them alone.

    Returns:
        Whether the allocator was set.
    """
    if threads is not None:
        for name in ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS"):
            os.environ[name] = str(threads)
        numba = sys.modules.get("numba")
        if numba is None:
            os.environ["NUMBA_NUM_THREADS"] = str(threads)
        else:  # it reads the variable again before it compiles, and refuses one changed under its threads
            numba.set_num_threads(min(threads, numba.config.NUMBA_NUM_THREADS))
        torch = sys.modules.get("torch")
        if torch is not None:
            torch.set_num_threads(threads)
    # Threads that wait for work by spinning burn processor time that others, or a budget, could have had.
    os.environ.setdefault("OMP_WAIT_POLICY", "passive")
    if not sys.platform.startswith("linux") or platform.libc_ver()[0] != "glibc":
        return False
    try:
        mallopt = ctypes.CDLL(None).mallopt
    except (OSError, AttributeError):
        return False
    settings = ((_M_MMAP_MAX, 0), (_M_TRIM_THRESHOLD, 2**31 - 1), (_M_TOP_PAD, 256 << 20))
    accepted = [mallopt(name, value) == 1 for name, value in settings]
    return all(accepted)


def trim_memory() -> None:
    """Give freed memory back to the system, where the allocator can.

    Long work whose tensors differ in size from step to step leaves holes that nothing fits into; now and
    then they should go, since ``prepare_process`` has the allocator keep everything.
    """
    if sys.platform.startswith("linux") and platform.libc_ver()[0] == "glibc":
        with suppress(OSError, AttributeError):
            ctypes.CDLL(None).malloc_trim(0)


def peak_rss() -> int:
    """Return the most memory this process has held so far, in bytes."""
    # getrusage keeps the parent's peak across fork and exec, so the kernel's own counter comes first.
    peak = _proc_kib("/proc/self/status", "VmHWM")
    if peak is not None:
        return peak
    import resource

    unit = 1 if sys.platform == "darwin" else 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit


def cpu_seconds() -> float:
    """Return the CPU time of this process and its finished children, user and system, in seconds."""
    times = os.times()
    return time.process_time() + times.children_user + times.children_system


def memory_available() -> int | None:
    """Return how many bytes of memory new work may take, or ``None`` where the system does not say.

    Inside a container the container's limit counts, not the machine's.
    """
    free = _proc_kib("/proc/meminfo", "MemAvailable")
    group = Path("/sys/fs/cgroup")
    try:
        limit = int((group / "memory.max").read_text())
        used = int((group / "memory.current").read_text())
    except (OSError, ValueError):  # no such file, or no limit ("max")
        return free
    return max(0, limit - used) if free is None else max(0, min(free, limit - used))


def parse_memory(text: str | int) -> int:
    """Return a memory size in bytes.

    Args:
        text: A number with a unit: ``2GiB``, ``512M`` (powers of 1024), ``500MB`` (powers of 1000).

    Raises:
        ConfigError: It is not a size above zero.
    """
    match = re.fullmatch(r"\s*([0-9]+(?:\.[0-9]+)?)\s*([A-Za-z]*)\s*", str(text))
    if match and match[2].lower() in _UNITS and len(match[1]) < 20:
        size = int(float(match[1]) * _UNITS[match[2].lower()])
        if size > 0:
            return size
    raise ConfigError(f"memory is {str(text)[:40]!r}: write a size such as 2GiB or 500MB")


def versions() -> dict[str, str]:
    """Return the versions that results depend on, without importing the packages."""
    found = {"dreamplate": _version("dreamplate"), "python": platform.python_version()}
    return found | {name: _version(name) for name in ("numpy", "torch")}


def describe_machine() -> dict[str, Any]:
    """Return what the machine is: processor, cores usable, memory, system and versions."""
    return {
        "processor": _processor(),
        "cores": len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count(),
        "memory_bytes": _proc_kib("/proc/meminfo", "MemTotal"),
        "system": platform.platform(),
        "versions": versions(),
    }


def _version(name: str) -> str:
    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:
        return "unknown"


def _processor() -> str:
    try:
        for line in Path("/proc/cpuinfo").read_text().splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    except OSError:
        pass
    return platform.processor() or platform.machine()


def _proc_kib(path: str, name: str) -> int | None:
    """Return one ``NAME: N kB`` line of a file under /proc, in bytes."""
    try:
        match = re.search(rf"^{name}:\s+(\d+) kB", Path(path).read_text(), re.MULTILINE)
    except OSError:
        return None
    return int(match[1]) * 1024 if match else None
