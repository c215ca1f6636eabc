"""Write and read one 8K frame (7680 x 4320, 4 channels, half): seconds and peak memory.

    python benchmarks/media_8k.py                        # prints a table, and the machine it ran on
    python benchmarks/media_8k.py --compression zip piz

Every measurement runs in a fresh process. "Plate" is the memory of the pixels alone.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import subprocess
import sys
import tempfile
import time
from pathlib import Path

WIDTH, HEIGHT = 7680, 4320


def peak_mb() -> float:
    """Return the peak resident memory of this process, in MB."""
    status = Path("/proc/self/status")
    if status.exists():
        return int(status.read_text().split("VmHWM:")[1].split()[0]) / 1024
    import resource

    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def work(what: str, path: Path, compression: str) -> dict[str, float]:
    """Do one thing and measure it."""
    import numpy as np

    from dreamplate.plate import Plate, info, open_plate, read, write

    if what == "write":
        rng = np.random.default_rng(1)
        pixels = np.empty((HEIGHT, WIDTH, 4), np.float32)
        x = np.linspace(0, 40, WIDTH, dtype=np.float32)
        for y in range(HEIGHT):  # smooth light with film grain in it, as rendered frames have
            grain = rng.standard_normal(WIDTH, dtype=np.float32) * np.float32(0.01)
            pixels[y] = (np.sin(x + y * 0.01) * np.float32(0.5) + 1 + grain)[:, None]
        pixels[:, :, 3] = 1
        plate = Plate(pixels)
    before, start, cpu = peak_mb(), time.perf_counter(), time.process_time()
    if what == "write":
        write(plate, path, depth="half", compression=compression)
    elif what == "read":
        read(path)
    elif what == "header":
        info(path)
    else:
        with open_plate(path) as reader:
            reader.read(rows=(2000, 2064), channels=("R", "G", "B"))
    return {
        "wall_s": time.perf_counter() - start,
        "cpu_s": time.process_time() - cpu,
        "peak_mb": peak_mb(),
        "before_mb": before,
        "file_mb": path.stat().st_size / 2**20,
    }


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--compression", nargs="*", default=["zip", "zips", "piz", "dwab", "none"])
    parser.add_argument("--child", nargs=3, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.child:
        what, path, compression = options.child
        print(json.dumps(work(what, Path(path), compression)))
        return
    model = platform.processor() or platform.machine()
    cpuinfo = Path("/proc/cpuinfo")
    if cpuinfo.exists():
        model = next(
            (s.split(":")[1].strip() for s in cpuinfo.read_text().splitlines() if "model name" in s), model
        )
    print(f"{model}, {os.cpu_count()} cores, {platform.system()}, Python {platform.python_version()}")
    print(f"{WIDTH} x {HEIGHT} x 4, half; plate {WIDTH * HEIGHT * 16 / 2**20:.0f} MB")
    print(
        f"{'compression':12}{'what':10}{'wall s':>8}{'CPU s':>8}{'peak MB':>9}{'before MB':>11}{'file MB':>9}"
    )
    with tempfile.TemporaryDirectory() as folder:
        for compression in options.compression:
            path = Path(folder) / f"{compression}.exr"
            for what in ("write", "header", "64 rows", "read"):
                command = [sys.executable, __file__, "--child", what, str(path), compression]
                row = json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout)
                print(
                    f"{compression:12}{what:10}{row['wall_s']:8.2f}{row['cpu_s']:8.2f}{row['peak_mb']:9.0f}"
                    f"{row['before_mb']:11.0f}{row['file_mb']:9.0f}",
                    flush=True,
                )


if __name__ == "__main__":
    main()
