"""The package as a whole: exact public surfaces, cheap imports, and imports that run one way."""

from __future__ import annotations

import ast
import importlib
import re
import subprocess
import sys
from pathlib import Path

import pytest

import dreamplate

SOURCE = Path(dreamplate.__file__).parent
PACKAGES = [
    "dreamplate",
    *(
        f"dreamplate.{room}"
        for room in (
            "dream",
            "fields",
            "models",
            "plate",
            "scenes",
            "scenes.world",
            "take",
            "tokens",
            "train",
            "translate",
        )
    ),
]
HEAVY = {"torch", "OpenImageIO", "OpenEXR", "PyOpenColorIO", "av", "pydantic", "tyro", "rich", "transformers"}

RANK = {
    "errors": 0,
    "compiled": 0.4,
    "lazy": 0,
    "files": 0.5,
    "tensorheader": 0.6,
    "tensorfile": 0.7,
    "plate": 1,
    "take": 2,
    "models": 3,
    "nets": 3.5,
    "scenes": 3,
    "train": 4,
    "tokens": 4.5,
    "fields": 5,
    "translate": 5,
    "dream": 5,
    "jobs": 6,
    "cli": 7,
}
"""A module may import from its own room and from rooms of a lower rank. Lazy imports count too."""


@pytest.mark.parametrize("name", PACKAGES)
def test_all_is_exactly_what_can_be_used(name: str) -> None:
    package = importlib.import_module(name)
    names = list(package.__all__)
    assert len(names) == len(set(names))
    for item in names:
        assert getattr(package, item) is not None
    home = getattr(package, "_HOME", None)
    if home is not None:
        assert set(home) == set(names)
        assert dir(package) == sorted(names)
    with pytest.raises(AttributeError):
        _ = package.no_such_name


@pytest.mark.parametrize("name", PACKAGES)
def test_importing_a_room_loads_nothing_heavy(name: str) -> None:
    code = f"import {name}, sys; print(sorted({HEAVY!r} & set(sys.modules)))"
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert found.stdout.strip() == "[]"


def room(module: str) -> str:
    parts = module.split(".")
    name = parts[1] if len(parts) > 1 else "dreamplate"
    return "cli" if name.startswith("cli") else name


def imports(path: Path) -> set[str]:
    found = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.ImportFrom) and node.module:
            found |= {node.module} | {f"{node.module}.{alias.name}" for alias in node.names}
        elif isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
    return {name for name in found if name.startswith("dreamplate.")}


def test_imports_run_one_way() -> None:
    wrong = []
    for path in sorted(SOURCE.rglob("*.py")):
        relative = path.relative_to(SOURCE)
        own = room("dreamplate." + ".".join(relative.with_suffix("").parts))
        if own == "__init__":
            continue
        for name in imports(path):
            other = room(name)
            if other != own and other != "__version__" and RANK[other] >= RANK[own]:
                wrong.append(f"{relative} imports {name}")
    assert wrong == []


def test_no_module_is_left_out_of_the_ranking() -> None:
    names = {
        room(f"dreamplate.{p.stem}")
        for p in SOURCE.iterdir()
        if p.suffix == ".py" or (p / "__init__.py").exists()
    }
    assert names - {"__init__", "dreamplate"} == set(RANK)


def test_version_is_the_one_in_the_metadata() -> None:
    text = (SOURCE.parents[1] / "pyproject.toml").read_text()
    assert f'version = "{dreamplate.__version__}"' in text


def test_docs_name_only_commands_that_exist() -> None:
    from dreamplate.cli import COMMANDS

    root = SOURCE.parents[1]
    for page in [root / "README.md", *sorted((root / "docs").rglob("*.md"))]:
        for command in re.findall(r"^(?:\.venv/bin/)?dreamplate ([a-z]+)", page.read_text(), re.MULTILINE):
            assert command in COMMANDS, f"{page}: dreamplate {command}"


def test_pictures_in_docs_exist_and_say_how_they_were_made() -> None:
    from dreamplate.take import read_provenance

    root = SOURCE.parents[1]
    for page in [root / "README.md", *sorted((root / "docs").rglob("*.md"))]:
        for target in re.findall(r"!\[[^\]]*\]\(([^)]+)\)", page.read_text()):
            picture = page.parent / target
            assert picture.is_file(), f"{page} shows {target}, which is missing"
            assert read_provenance(picture)["kind"]
