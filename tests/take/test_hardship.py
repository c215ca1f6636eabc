"""Full disks, little memory and kill -9, each in a child process: one line, nothing lost, and on it goes."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from toys import contents, make, run_toy

from dreamplate.errors import ResourceError
from dreamplate.take import Take, run

HERE = Path(__file__).resolve().parent
ROOT = HERE.parents[1]

CHILD = """
import resource, sys
from pathlib import Path
import dreamplate.plate as plate
from dreamplate.errors import DreamplateError
from toys import run_toy
plate.write, plate.VideoWriter  # loaded before the limit is set
import OpenImageIO, OpenEXR, av, PyOpenColorIO
kind, amount = sys.argv[2], int(sys.argv[3])
if kind == "file":
    resource.setrlimit(resource.RLIMIT_FSIZE, (amount, amount))
if kind == "memory":
    held = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
    resource.setrlimit(resource.RLIMIT_AS, (held + amount, held + amount))
try:
    run_toy(sys.argv[1], checkpoint_seconds=0, checkpoint_share=1, preview_frames=0)
except DreamplateError as error:
    print(error)
    sys.exit(error.exit_code)
"""


def in_child(path: Path, kind: str, amount: int) -> tuple[int, str]:
    environment = os.environ | {"PYTHONPATH": str(HERE), "OPENBLAS_NUM_THREADS": "1"}
    done = subprocess.run(
        [sys.executable, "-c", CHILD, str(path), kind, str(amount)],
        check=False, env=environment, capture_output=True, text=True, timeout=60,
    )  # fmt: skip
    assert "Traceback" not in done.stderr, done.stderr
    return done.returncode, done.stdout.strip()


@pytest.fixture(scope="module")
def unbroken(tmp_path_factory: pytest.TempPathFactory) -> dict[str, bytes]:
    """Outcome of the large job when nothing goes wrong."""
    path = tmp_path_factory.mktemp("unbroken") / "take"
    run(*make(path, steps=6, weight=20_000), preview_frames=0)
    return outcome(path)


def outcome(path: Path) -> dict[str, bytes]:
    return {name: (path / name).read_bytes() for name in ("final.png", "final.exr", "state.safetensors")}


def test_a_file_size_limit(tmp_path: Path, unbroken: dict[str, bytes]) -> None:
    """A checkpoint that does not fit ends the run, and the one before it stays."""
    job, take = make(tmp_path / "t", steps=6, weight=20_000)
    run(job, take, stop_after=2, preview_frames=0)
    kept = take.state_path.read_bytes()
    code, message = in_child(take.path, "file", 100_000)
    assert code == ResourceError.exit_code
    assert str(take.state_path) in message
    assert "no space left" in message
    assert "\n" not in message
    assert take.state_path.read_bytes() == kept
    assert Take.open(take.path).status == "failed"
    assert run_toy(take.path).status == "finished"
    assert outcome(take.path) == unbroken


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of 4 MiB."""
    folder = tmp_path / "disk"
    folder.mkdir()
    done = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=4m", "tmpfs", str(folder)],
        check=False,
        capture_output=True,
    )
    if done.returncode:
        pytest.skip("mounting a small file system needs root")
    yield folder
    subprocess.run(["umount", "-l", str(folder)], check=True)


def test_a_full_disk(small_disk: Path, unbroken: dict[str, bytes]) -> None:
    job, take = make(small_disk / "t", steps=6, weight=20_000)
    run(job, take, stop_after=2, preview_frames=0)
    kept = take.state_path.read_bytes()
    ballast = small_disk / "ballast"

    # Predicted: there is room for the log, not for a checkpoint.
    ballast.write_bytes(b"x" * (os.statvfs(small_disk).f_bavail * os.statvfs(small_disk).f_frsize - 900_000))
    with pytest.raises(ResourceError) as caught:
        run_toy(take.path, checkpoint_seconds=0, checkpoint_share=1)
    assert f"{take.state_path}: a checkpoint needs" in str(caught.value)
    assert f"then `dreamplate resume {take.path}`" in str(caught.value)
    assert take.state_path.read_bytes() == kept

    # Not a byte left: even the log cannot be written.
    with ballast.open("ab") as file, pytest.raises(OSError, match="No space left"):
        while True:
            os.write(file.fileno(), b"x" * 4096)
    with pytest.raises(ResourceError, match="no space left"):
        run_toy(take.path)
    assert take.state_path.read_bytes() == kept
    assert Take.open(take.path).kind == "toy"

    ballast.unlink()
    assert run_toy(take.path).status == "finished"
    assert outcome(take.path) == unbroken


def test_outputs_on_a_full_disk(small_disk: Path, unbroken: dict[str, bytes]) -> None:
    """The last step is saved, the pictures do not fit: resuming writes them."""
    job, take = make(small_disk / "t", steps=6, weight=20_000)
    ballast = small_disk / "ballast"
    inner = job.outcome

    def fill() -> object:
        with ballast.open("wb") as file, pytest.raises(OSError, match="No space left"):
            while True:
                os.write(file.fileno(), b"x" * 4096)
        return inner()

    job.outcome = fill
    with pytest.raises(ResourceError, match=r"final\.exr"):
        run(job, take, preview_frames=0)
    assert not (take.path / "final.exr").exists()
    ballast.unlink()
    assert run_toy(take.path).status == "finished"
    assert outcome(take.path) == unbroken


def test_a_memory_limit(tmp_path: Path) -> None:
    """Half the memory a step needs: an error that names the setting. One and a half times as much: fine."""
    need = 256 << 20
    _, take = make(tmp_path / "t", steps=3, scratch=need >> 20)
    code, message = in_child(take.path, "memory", need // 2)
    assert code == ResourceError.exit_code
    assert "not enough memory" in message
    assert "cuts.memory (now 1GiB)" in message
    assert {item.name for item in take.path.iterdir()} == {".lock", "take.yaml", "log.jsonl"}
    code, message = in_child(take.path, "memory", need * 3 // 2)
    assert (code, message) == (0, "")
    assert (take.path / "final.exr").is_file()


def test_kill_minus_nine() -> None:
    """A small round of the benchmark: every kill is survived, and the outcome does not show it."""
    command = [sys.executable, str(ROOT / "benchmarks" / "kill_resume.py")]
    done = subprocess.run(
        [*command, "--kills", "12", "--pool-kills", "2", "--tasks", "10", "--seed", "1"],
        check=False, capture_output=True, text=True, timeout=300,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    report = json.loads(done.stdout)
    assert report["runs"]["kills"] == 12
    assert report["runs"]["damaged_files"] == report["runs"]["takes_that_differ"] == 0
    assert report["runs"]["most_steps_lost_to_a_kill"] <= 1
    assert report["pool"]["damaged_files"] == report["pool"]["tasks_that_differ"] == 0


def test_the_toy_is_deterministic(tmp_path: Path) -> None:
    for name in "ab":
        run(*make(tmp_path / name, steps=5))
    assert contents(tmp_path / "a") == contents(tmp_path / "b")
    run(*make(tmp_path / "c", steps=5, seed=1))
    assert contents(tmp_path / "a") != contents(tmp_path / "c")
