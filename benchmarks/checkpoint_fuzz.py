"""Damage weight files in thousands of ways and count what the readers do.

Every mutated file must be read or be refused with a `CheckpointError`; anything else is a leak.

    python benchmarks/checkpoint_fuzz.py --count 10000            # all formats
    python benchmarks/checkpoint_fuzz.py --count 600 --formats torch pickle --json

Runs in one process with a capped address space: safetensors through `load_state`, the legacy formats through
the same `convert` that the child process of `load_legacy` calls.
"""

from __future__ import annotations

import argparse
import io
import json
import pickle
import random
import resource
import tempfile
import time
import zipfile
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch

from dreamplate.errors import CheckpointError
from dreamplate.models import load_state, save_state
from dreamplate.models.legacy.reader import convert

ADDRESS_SPACE = 4 << 30
INTERESTING = (0, 1, 0x7F, 0x80, 0xFF, 0xFFFF, 0x7FFFFFFF, 0xFFFFFFFF, 2**63 - 1, 2**64 - 1)


def seed_state() -> dict[str, torch.Tensor]:
    generator = torch.Generator().manual_seed(0)
    return {
        "conv.weight": torch.randn(8, 3, 3, 3, generator=generator),
        "conv.bias": torch.randn(8, generator=generator).half(),
        "steps": torch.tensor(7),
        "mask": torch.tensor([True, False]),
        "turned": torch.randn(5, 4, generator=generator).t(),
    }


def safetensors_file() -> bytes:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "seed.safetensors"
        save_state(path, seed_state(), {"note": "seed"})
        return path.read_bytes()


def torch_file(new: bool = True) -> bytes:
    made = io.BytesIO()
    checkpoint = {"state_dict": seed_state(), "epoch": 3, "name": "seed"}
    torch.save(checkpoint, made, _use_new_zipfile_serialization=new)
    return made.getvalue()


def pickle_file() -> bytes:
    arrays = {name: tensor.numpy() for name, tensor in seed_state().items()}
    return pickle.dumps({"params": arrays, "step": np.float32(3)}, protocol=4)


def npz_file() -> bytes:
    made = io.BytesIO()
    np.savez_compressed(made, **{name: tensor.numpy() for name, tensor in seed_state().items()})
    return made.getvalue()


def mutate(data: bytes, rng: random.Random) -> bytes:
    """Damage a file in one to four places; the first bytes, where headers are, are hit most."""
    damaged = bytearray(data)
    for _ in range(rng.randint(1, 4)):
        if not damaged:
            break
        reach = rng.choice((64, 512, len(damaged)))
        place = rng.randrange(min(reach, len(damaged)))
        match rng.randrange(8):
            case 0:
                damaged[place] ^= 1 << rng.randrange(8)
            case 1:
                damaged[place] = rng.randrange(256)
            case 2:
                width = rng.choice((1, 2, 4, 8))
                number = rng.choice(INTERESTING) % 256**width
                damaged[place : place + width] = number.to_bytes(width, rng.choice(("little", "big")))
            case 3:
                del damaged[place:]
            case 4:
                del damaged[place : place + rng.randint(1, 16)]
            case 5:
                damaged[place:place] = rng.randbytes(rng.randint(1, 16))
            case 6:
                other = rng.randrange(len(damaged))
                damaged[place : place + 8] = damaged[other : other + 8]
            case 7:
                # A pickle opcode anywhere: far likelier to be reached than a random byte.
                damaged[place] = rng.choice(
                    b"()]}.0123abcdeghijlopqrstuBCFGIJKLMNPQRSTUVX\x80\x81\x85\x8a\x8b\x93\x94"
                )
    return bytes(damaged)


def mutate_inside(data: bytes, rng: random.Random) -> bytes:
    """Damage the pickle inside a torch archive and close the archive again, checksums and all."""
    made = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(data)) as source, zipfile.ZipFile(made, "w") as target:
        for name in source.namelist():
            member = source.read(name)
            target.writestr(name, mutate(member, rng) if name.endswith("data.pkl") else member)
    return made.getvalue()


def read_safetensors(path: Path, output: Path) -> None:
    load_state(path)


def read_legacy(path: Path, output: Path) -> None:
    with path.open("rb") as source, output.open("w+b") as target:
        convert(source, target, modules=False, total_bytes=1 << 30)
    load_state(output)


def read_modules(path: Path, output: Path) -> None:
    with path.open("rb") as source, output.open("w+b") as target:
        convert(source, target, modules=True, total_bytes=1 << 30)
    load_state(output)


def peak_resident(reset: bool = False) -> int:
    """Peak resident set in KiB; Linux lets a process start counting anew, others only ever grow."""
    status, refs = Path("/proc/self/status"), Path("/proc/self/clear_refs")
    if not status.exists():
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    if reset:
        refs.write_text("5")
    return next(int(line.split()[1]) for line in status.read_text().splitlines() if line.startswith("VmHWM"))


Read = Callable[[Path, Path], None]
FORMATS: dict[str, tuple[Callable[[], bytes], Callable[[bytes, random.Random], bytes], Read]] = {
    "safetensors": (safetensors_file, mutate, read_safetensors),
    "torch": (torch_file, mutate, read_legacy),
    "torch-pickle": (torch_file, mutate_inside, read_legacy),
    "torch-modules": (torch_file, mutate_inside, read_modules),
    "torch-old": (lambda: torch_file(new=False), mutate, read_legacy),
    "pickle": (pickle_file, mutate, read_legacy),
    "npz": (npz_file, mutate, read_legacy),
}


def fuzz(form: str, count: int, seed: int = 0) -> dict[str, object]:
    """Read ``count`` mutated files of one format.

    Returns:
        Counts of files, of those read and refused, leaked exceptions by type, the worst processor time of one
        file in seconds, and the growth of the peak resident set in MiB.
    """
    make, damage, read = FORMATS[form]
    rng = random.Random(f"{form} {seed}")
    original = make()
    counts: Counter[str] = Counter()
    leaks: Counter[str] = Counter()
    worst = 0.0
    with tempfile.TemporaryDirectory() as folder:
        path, output = Path(folder) / "file.safetensors", Path(folder) / "output.safetensors"
        path.write_bytes(original)
        read(path, output)  # the undamaged file must pass, and imports must not count
        before = peak_resident(reset=True)
        for _ in range(count):
            path.write_bytes(damage(original, rng))
            start = time.process_time()
            try:
                read(path, output)
                counts["read"] += 1
            except CheckpointError as error:
                counts["refused"] += 1
                if "\n" in str(error):
                    leaks["message of several lines"] += 1
            except Exception as error:  # noqa: BLE001 - every other kind is what we look for
                leaks[type(error).__name__] += 1
            worst = max(worst, time.process_time() - start)
    growth = (peak_resident() - before) / 1024
    return {
        "format": form,
        "files": count,
        "read": counts["read"],
        "refused": counts["refused"],
        "leaks": dict(leaks),
        "worst_cpu_s": round(worst, 4),
        "rss_growth_mib": round(growth, 1),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--count", type=int, default=2000, help="files per format")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--formats", nargs="+", default=list(FORMATS), choices=list(FORMATS))
    parser.add_argument("--json", action="store_true", help="one line of JSON per format")
    options = parser.parse_args()
    torch.set_num_threads(1)
    resource.setrlimit(resource.RLIMIT_AS, (ADDRESS_SPACE, ADDRESS_SPACE))
    leaked = False
    for form in options.formats:
        report = fuzz(form, options.count, options.seed)
        leaked |= bool(report["leaks"])
        print(
            json.dumps(report)
            if options.json
            else "  ".join(f"{key} {value}" for key, value in report.items())
        )
    raise SystemExit(leaked)


if __name__ == "__main__":
    main()
