"""Damage media files in thousands of ways and see that reading them never does worse than ``MediaError``.

    python benchmarks/media_fuzz.py                      # 2,000 mutations of every format
    python benchmarks/media_fuzz.py --count 300 png exr  # fewer, of these formats
    python benchmarks/media_fuzz.py --json out.json

Each file is damaged by a seeded recipe (bits, bytes, numbers, cuts, repeats, splices; PNG checksums are
repaired half of the time, or nothing would get past them), then asked for its header and its pixels in a
child process that handles many files and is started again after a crash. Measured: signals, CPU seconds
of the slowest file, growth of peak memory over a warmed-up child, errors other than Dreamplate's own, and
whatever the C libraries print.
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import os
import random
import resource
import struct
import sys
import tempfile
import time
import zlib
from collections import Counter
from multiprocessing.connection import Connection
from pathlib import Path

import numpy as np

from dreamplate.errors import MediaError, ResourceError
from dreamplate.plate import Box, Plate, VideoReader, VideoWriter, info, read_parts, write, write_parts

FORMATS = ("exr", "png", "tif", "jpg", "dpx", "hdr", "mp4", "mov", "mkv")
VIDEO = ("mp4", "mov", "mkv")
HANG_S = 30.0


def picture(channels: str, width: int = 24, height: int = 17) -> Plate:
    """Return a small smooth plate."""
    y, x = np.mgrid[0:height, 0:width].astype(np.float32)
    planes = [0.5 + 0.4 * np.sin(x * (0.2 + 0.1 * i) + y * 0.3) for i in range(len(channels))]
    pixels = np.stack(planes, axis=2).astype(np.float32)
    return Plate(pixels, tuple(channels), "srgb_display", metadata={"dreamplate": '{"seed": 1}', "take": 7})


def seeds(kind: str, folder: Path) -> list[bytes]:
    """Write a few sound files of one format and return their bytes."""
    made: list[Path] = []

    def place() -> Path:
        made.append(folder / f"seed{len(made)}.{kind}")
        return made[-1]

    rgb, rgba = picture("RGB"), picture("RGBA")
    if kind == "exr":
        for packing in ("zip", "zips", "rle", "piz", "pxr24", "b44", "b44a", "dwaa", "dwab", "none"):
            write(rgba, place(), compression=packing)
        write(rgb, place(), depth={"R": "float", "G": "half"})
        whole = np.floor(rgb.pixels * 9)
        write(rgb.with_(pixels=whole, channels=("id", "mask.R", "Z")), place(), depth={"id": "uint"})
        shifted = rgb.with_(data_window=Box(-3, 5, 24, 17), display_window=Box(0, 0, 40, 30))
        write_parts({"a": shifted, "b": shifted.with_(channels=("N.x", "N.y", "N.z"))}, place())
        tiled_exr(rgb, place())
    elif kind == "png":
        for channels in ("Y", "YA", "RGB", "RGBA"):
            for depth in ("8", "16"):
                write(picture(channels), place(), depth=depth)
    elif kind == "tif":
        for depth in ("8", "16", "half", "float"):
            for packing in ("zip", "lzw", "packbits", "none"):
                write(rgba if depth == "8" else rgb, place(), depth=depth, compression=packing)
    elif kind == "dpx":
        for depth in ("8", "10", "12", "16"):
            write(rgb, place(), depth=depth)
    elif kind == "jpg":
        write(rgb, place())
        write(picture("Y"), place(), quality=60)
    elif kind == "hdr":
        write(rgb, place())
        write(picture("RGB", 7, 5), place())
    else:
        codecs = {"mp4": ("h264",), "mov": ("prores", "prores4444"), "mkv": ("ffv1", "h264")}[kind]
        for codec in codecs:
            with VideoWriter(place(), codec=codec) as video:
                for _ in range(6):
                    video.write(rgb)
    return [path.read_bytes() for path in made]


def tiled_exr(plate: Plate, path: Path) -> None:
    """Write a tiled file, which our own writer does not make."""
    import OpenImageIO as oiio  # noqa: N813

    spec = oiio.ImageSpec(plate.width, plate.height, len(plate.channels), "half")
    spec.tile_width, spec.tile_height = 8, 8
    output = oiio.ImageOutput.create(str(path))
    output.open(str(path), spec)
    output.write_image(plate.pixels)
    output.close()


def mutate(data: bytes, seed: int) -> bytes:
    """Return a damaged copy; the same seed gives the same damage."""
    rng = random.Random(seed)
    out = bytearray(data)
    # Headers are small and matter most: half of the damage goes to the first 512 bytes.
    reach = min(len(out), 512) if rng.random() < 0.5 else len(out)
    for _ in range(rng.choice((1, 1, 1, 2, 4, 8, 32))):
        kind = rng.randrange(8)
        at = rng.randrange(max(1, min(reach, len(out))))
        size = rng.choice((1, 2, 4, 8, 16, 64, 256))
        if not out:
            break
        if kind == 0:
            out[at] ^= 1 << rng.randrange(8)
        elif kind == 1:
            out[at] = rng.choice((0, 1, 0x7F, 0x80, 0xFF, rng.randrange(256)))
        elif kind == 2:
            number = rng.choice((0, 1, 0x7FFFFFFF, 0x80000000, 0xFFFFFFFF, 0x10000, rng.getrandbits(32)))
            out[at : at + 4] = struct.pack(rng.choice("<>") + "I", number)
        elif kind == 3:
            del out[at : at + size]
        elif kind == 4:
            out[at:at] = out[at : at + size]
        elif kind == 5:
            out[at:at] = rng.randbytes(size)
        elif kind == 6:
            other = rng.randrange(len(out))
            out[at : at + size] = out[other : other + size]
        elif rng.random() < 0.3:
            del out[at:]
    if out.startswith(b"\x89PNG") and rng.random() < 0.5:
        repair_png(out)
    return bytes(out)


def repair_png(out: bytearray) -> None:
    """Recompute the checksums of a PNG in place, as far as its chunks can be followed."""
    at = 8
    while at + 12 <= len(out):
        length = int.from_bytes(out[at : at + 4], "big")
        if at + 12 + length > len(out):
            return
        out[at + 8 + length : at + 12 + length] = struct.pack(">I", zlib.crc32(out[at + 4 : at + 8 + length]))
        at += 12 + length


def read_all(path: Path) -> None:
    """Ask a file for everything: header, pixels of every part, every frame."""
    info(path)
    if path.suffix[1:] in VIDEO:
        with VideoReader(path) as video:
            for _ in video:
                pass
            if len(video):
                video.read(len(video) - 1)
    else:
        read_parts(path)


def peak_kb() -> int:
    """Return the peak memory of this process (getrusage would count the parent's before the start)."""
    status = Path("/proc/self/status")
    if status.exists():
        return int(status.read_text().split("VmHWM:")[1].split()[0])
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss


def child(pipe: Connection, kind: str, folder: str, sound: list[bytes]) -> None:
    """Serve seeds until None comes: damage, read, report."""
    noise = Path(folder) / "stderr"
    descriptor = os.open(noise, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    os.dup2(descriptor, 2)
    path = Path(folder) / f"fuzz.{kind}"
    for data in sound:  # warm up: load the libraries, fill their caches
        path.write_bytes(data)
        read_all(path)
    before = peak_kb()
    while (seed := pipe.recv()) is not None:
        path.write_bytes(mutate(sound[seed % len(sound)], seed))
        start = time.process_time()
        try:
            read_all(path)
            verdict = "read"
        except (MediaError, ResourceError) as error:
            verdict = "refused" if "\n" not in str(error) and str(path) in str(error) else f"MESSAGE {error}"
        except BaseException as error:  # noqa: BLE001 (this is what we are looking for)
            verdict = f"ESCAPED {type(error).__name__}: {error}"
        seconds = time.process_time() - start
        growth = peak_kb() - before
        pipe.send((verdict, seconds, growth / 1024))


def fuzz(kind: str, count: int, folder: Path) -> dict[str, object]:
    """Run one format; return its figures."""
    sound = seeds(kind, folder)
    context = multiprocessing.get_context("spawn")
    verdicts: Counter[str] = Counter()
    signals, hangs, slowest, slow_seed, growth = [], [], 0.0, -1, 0.0
    worker: multiprocessing.process.BaseProcess | None = None
    ours: Connection | None = None
    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    for seed in range(count):
        if worker is None or ours is None:
            ours, theirs = context.Pipe()
            worker = context.Process(target=child, args=(theirs, kind, str(folder), sound))
            worker.start()
            theirs.close()
        ours.send(seed)
        try:
            if not ours.poll(HANG_S):
                hangs.append(seed)
                worker.kill()
                raise EOFError
            verdict, seconds, grown = ours.recv()
        except EOFError:
            worker.join()
            if seed not in hangs:
                signals.append((seed, worker.exitcode))
            worker = ours = None
            continue
        verdicts[verdict if verdict in ("read", "refused") else f"{verdict} (seed {seed})"] += 1
        growth = max(growth, grown)
        if seconds > slowest:
            slowest, slow_seed = seconds, seed
    if worker is not None and ours is not None:
        ours.send(None)
        worker.join()
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    noise = folder / "stderr"
    return {
        "format": kind,
        "files": count,
        "read": verdicts.pop("read", 0),
        "refused": verdicts.pop("refused", 0),
        "signals": signals,
        "hangs": hangs,
        "slowest_cpu_s": round(slowest, 3),
        "slowest_seed": slow_seed,
        "rss_growth_mb": round(growth, 1),
        "escaped": dict(verdicts),
        "stderr_bytes": noise.stat().st_size if noise.exists() else 0,
        "stderr": noise.read_text(errors="replace")[:300] if noise.exists() else "",
        "cpu_s": round(after.ru_utime + after.ru_stime - usage.ru_utime - usage.ru_stime, 1),
    }


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument(
        "formats", nargs="*", default=[], help=f"among {' '.join(FORMATS)}; all when left out"
    )
    parser.add_argument("--count", type=int, default=2000, help="mutations of every format")
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    rows = []
    columns = ("format", "files", "read", "refused", "signals", "hangs", "slowest s")
    columns += ("RSS +MB", "escaped", "stderr")
    print(*(f"{name:>9}" for name in (*columns, "CPU s")))
    for kind in options.formats or FORMATS:
        with tempfile.TemporaryDirectory() as folder:
            row = fuzz(kind, options.count, Path(folder))
        rows.append(row)
        counts = [len(row[name]) for name in ("signals", "hangs")]
        figures = [row["format"], row["files"], row["read"], row["refused"], *counts, row["slowest_cpu_s"]]
        figures += [row["rss_growth_mb"], len(row["escaped"]), row["stderr_bytes"], row["cpu_s"]]
        print(*(f"{figure:>9}" for figure in figures), flush=True)
        for what in (*row["escaped"], *(f"signal {s}" for s in row["signals"]), row["stderr"]):
            if what:
                print("   ", what)
    if options.json:
        options.json.write_text(json.dumps(rows, indent=1))
    bad = sum(len(r["signals"]) + len(r["hangs"]) + len(r["escaped"]) for r in rows)
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main())
