"""Check an installed Dreamplate from outside the source tree: what a user gets from ``pip install .``.

Run by ``.ci/run`` with the Python of a fresh environment; the argument is a scratch folder.
"""

from __future__ import annotations

import os
import resource
import subprocess
import sys
from importlib import metadata
from pathlib import Path

HELP_CPU_SECONDS = 0.5


def dreamplate(*arguments: str, folder: Path) -> subprocess.CompletedProcess[str]:
    program = Path(sys.executable).with_name("dreamplate")
    environment = {**os.environ, "DREAMPLATE_CACHE": str(folder / "cache")}
    return subprocess.run(
        [str(program), *arguments], cwd=folder, env=environment, capture_output=True, text=True, check=False
    )


def children_cpu() -> float:
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def main(folder: Path) -> None:
    dreamplate("--help", folder=folder)  # the first start compiles bytecode
    before = children_cpu()
    shown = dreamplate("--help", folder=folder)
    spent = children_cpu() - before
    assert shown.returncode == 0 and "dream" in shown.stdout, shown
    assert spent < HELP_CPU_SECONDS, f"--help took {spent:.2f} s of CPU"

    heavy = (
        "import dreamplate, sys; print(sorted({'torch', 'numpy', 'av', 'OpenImageIO'} & set(sys.modules)))"
    )
    loaded = subprocess.run(
        [sys.executable, "-c", heavy], cwd=folder, capture_output=True, text=True, check=True
    )
    assert loaded.stdout.strip() == "[]", f"import dreamplate loads {loaded.stdout}"

    if metadata.version("torch").endswith("+cpu"):
        extra = [d.name for d in metadata.distributions() if d.name.lower().startswith("nvidia-")]
        assert not extra, f"a CPU-only torch came with {extra}"

    # Without the scorer's packages the program must say what to install, in one line.
    failed = dreamplate("dream", "a castle", "--scorer", "bridge", "--take", "castle", folder=folder)
    assert failed.returncode == 7, failed
    assert "dreamplate[scorer]" in failed.stderr and failed.stderr.count("\n") == 1, failed.stderr

    listed = dreamplate("models", "list", folder=folder)
    assert listed.returncode == 0, listed
    for name in ("models/builtin", "recipes/dream"):
        package = Path(metadata.distribution("dreamplate").locate_file("dreamplate"))
        assert any((package / name).iterdir()), f"{name} is missing from the installed package"
    print(f"installed Dreamplate works: --help in {spent:.2f} s of CPU")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
