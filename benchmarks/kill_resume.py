"""Kill runs at random moments with SIGKILL, resume them, and compare with runs that were never killed.

    python benchmarks/kill_resume.py [--kills 50] [--pool-kills 10] [--seed 0]

Prints one JSON object: how many kills landed, how many steps and tasks had to be done again, how many files
were found damaged (the bar is none), and whether every outcome was byte for byte that of an unbroken run.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT / "tests" / "take"))

from toys import ToyConfig, contents, make, run_toy  # noqa: E402

from dreamplate.take import Take, plan, read_entries  # noqa: E402

STEPS = 100
TASKS = 100
EVERY_STEP = {"checkpoint_seconds": 0, "checkpoint_share": 1, "preview_frames": 10}


def in_child(work) -> int:
    """Fork a child that does ``work`` and return its process id; a traceback gives exit code 1."""
    child = os.fork()
    if child == 0:
        code = 1
        try:
            code = work() or 0
        except Exception as error:  # noqa: BLE001
            print(f"{type(error).__name__}: {error}", file=sys.stderr)
        finally:
            os._exit(code)
    return child


def wait(child: int) -> int:
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


def damaged_files(path: Path) -> int:
    """Count visible files of a take that cannot be read; temporary files are hidden, and none is visible."""
    from dreamplate.plate import VideoReader, read
    from dreamplate.take import read_state

    bad = 0
    for file in path.rglob("*"):
        if file.is_dir() or file.name.startswith("."):
            continue
        try:
            if file.name == "take.yaml":
                Take.open(path)
            elif file.suffix in (".png", ".exr"):
                read(file)
            elif file.suffix == ".safetensors":
                read_state(file)
            elif file.suffix == ".mp4":
                with VideoReader(file) as video:
                    assert len(list(video)) > 1
            elif file.name == "metrics.json":
                json.loads(file.read_text())
            elif file.name != "log.jsonl":
                bad += 1
        except Exception as error:  # noqa: BLE001
            print(f"damaged: {file}: {error}", file=sys.stderr)
            bad += 1
    return bad


def lost_steps(path: Path) -> int:
    """Return the most steps that one kill cost."""
    most = reached = 0
    for entry in read_entries(path / "log.jsonl"):
        if entry.get("event") == "start":
            most, reached = max(most, reached - entry["step"]), entry["step"]
        reached = max(reached, entry.get("step", 0))
    return most


def kill_runs(folder: Path, kills: int, chance: random.Random) -> dict:
    """Kill one run after another until enough kills have landed, each take until it is finished."""
    unbroken = folder / "unbroken"
    wait(in_child(lambda: make(unbroken, steps=STEPS) and 0))
    began = time.monotonic()
    assert wait(in_child(lambda: run_toy(unbroken, **EVERY_STEP) and 0)) == 0
    length = time.monotonic() - began
    wanted = contents(unbroken)
    landed, lost, damaged, different, takes = 0, 0, 0, 0, 0
    while landed < kills:
        takes += 1
        path = folder / f"take{takes}"
        wait(in_child(lambda path=path: make(path, steps=STEPS) and 0))
        while True:
            child = in_child(lambda path=path: run_toy(path, **EVERY_STEP) and 0)
            if landed < kills:
                time.sleep(chance.uniform(0, length * chance.choice((0.2, 0.5, 1))))
                os.kill(child, signal.SIGKILL)
            code = wait(child)
            if code == 0:
                break
            assert code == -signal.SIGKILL, code
            landed += 1
            damaged += wait(in_child(lambda path=path: damaged_files(path)))
        lost = max(lost, lost_steps(path))
        different += contents(path) != wanted
    return {
        "kills": landed,
        "takes": takes,
        "steps_per_take": STEPS,
        "unbroken_seconds": round(length, 2),
        "most_steps_lost_to_a_kill": lost,
        "damaged_files": damaged,
        "takes_that_differ": different,
    }


def prepare_pool(folder: Path, tasks: int) -> list[Path]:
    paths = []
    for task in plan("toy", ToyConfig(steps=20, count=tasks), folder):
        Take.create(task.path, task.kind, task.config)
        paths.append(task.path)
    return paths


POOL = """
import sys
from pathlib import Path
from dreamplate.take import run_pool
paths = sorted(Path(sys.argv[1]).glob("tasks/*"))
result = run_pool(paths, runner="toys:run_toy", workers=2, threads=1)
sys.exit(any(task.status != "finished" for task in result.tasks))
"""


def kill_pool(folder: Path, kills: int, tasks: int, chance: random.Random) -> dict:
    """Kill a pool of two workers, parent or worker, then run it to its end."""
    environment = os.environ | {"PYTHONPATH": str(ROOT / "tests" / "take")}
    prepare_pool(folder / "unbroken", tasks)
    prepare_pool(folder / "killed", tasks)

    def start(name: str) -> subprocess.Popen:
        return subprocess.Popen([sys.executable, "-c", POOL, str(folder / name)], env=environment)

    began = time.monotonic()
    assert start("unbroken").wait() == 0
    length = time.monotonic() - began
    landed = 0
    for _ in range(kills):
        pool = start("killed")
        time.sleep(0.3 + chance.uniform(0.3, 0.3 + length / kills))
        workers = []
        if pool.poll() is None:
            workers = children(pool.pid)
            victim = chance.choice([pool.pid, *workers])
            landed += 1
            os.kill(victim, signal.SIGKILL)
            if victim != pool.pid:
                time.sleep(0.3)
                pool.kill()
        pool.wait()
        settle(workers)
    assert start("killed").wait() == 0
    again = damaged = different = 0
    for path in sorted((folder / "killed" / "tasks").iterdir()):
        starts = [
            entry["step"] for entry in read_entries(path / "log.jsonl") if entry.get("event") == "start"
        ]
        again += len(starts) - 1
        damaged += wait(in_child(lambda path=path: damaged_files(path)))
        different += contents(path) != contents(folder / "unbroken" / "tasks" / path.name)
    return {
        "kills": landed,
        "tasks": tasks,
        "workers": 2,
        "unbroken_seconds": round(length, 2),
        "tasks_begun_again": again,
        "tasks_begun_again_at_most": 2 * landed,
        "damaged_files": damaged,
        "tasks_that_differ": different,
    }


def children(pid: int) -> list[int]:
    return [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


def settle(workers: list[int]) -> None:
    """Wait until orphaned workers have noticed that their parent is gone, and have left."""
    while any(is_alive(worker) for worker in workers):
        time.sleep(0.05)


def is_alive(pid: int) -> bool:
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except OSError:
        return False
    return state != "Z"


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--kills", type=int, default=50)
    parser.add_argument("--pool-kills", type=int, default=10)
    parser.add_argument("--tasks", type=int, default=TASKS)
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    chance = random.Random(options.seed)
    report = {}
    with tempfile.TemporaryDirectory() as name:
        if options.kills:
            report["runs"] = kill_runs(Path(name) / "runs", options.kills, chance)
        if options.pool_kills:
            report["pool"] = kill_pool(Path(name) / "pool", options.pool_kills, options.tasks, chance)
    times = os.times()
    report["cpu_seconds"] = round(times.user + times.system + times.children_user + times.children_system, 1)
    print(json.dumps(report, indent=2))
    good = all(
        part["damaged_files"] == 0
        and part.get("takes_that_differ", 0) + part.get("tasks_that_differ", 0) == 0
        and part.get("most_steps_lost_to_a_kill", 0) <= 1
        and part.get("tasks_begun_again", 0) <= part.get("tasks_begun_again_at_most", 0)
        for part in report.values()
        if isinstance(part, dict)
    )
    return 0 if good else 1


if __name__ == "__main__":
    sys.exit(main())
