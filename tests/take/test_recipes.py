"""Recipes are found by name or path, may start from each other, and complain in one line."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

import pytest

from dreamplate.errors import ConfigError
from dreamplate.take import load_recipe, recipe_names, recipes


@dataclass(frozen=True)
class Inner:
    a: int = 1
    b: int = 2


@dataclass(frozen=True)
class Outer:
    steps: int = 10
    image: Path | None = None
    inner: Inner = field(default_factory=Inner)


@pytest.fixture
def shelf(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A package folder with recipes of the kind ``toy``."""
    folder = tmp_path / "recipes" / "toy"
    folder.mkdir(parents=True)
    (folder / "plain.yaml").write_text("steps: 20\ninner: {a: 5}\n")
    (folder / "child.yaml").write_text("base: plain\ninner: {b: 6}\n")
    (folder / "loop.yaml").write_text("base: pool\n")
    (folder / "pool.yaml").write_text("base: loop\n")
    (folder / "empty.yaml").write_text("# only defaults\n")
    monkeypatch.setattr(recipes, "recipes_folder", lambda: tmp_path / "recipes")
    return folder


def test_finds_by_name_and_path(shelf: Path, tmp_path: Path) -> None:
    assert recipe_names("toy") == ("child", "empty", "loop", "plain", "pool")
    assert load_recipe(Outer, "plain", kind="toy") == Outer(20, inner=Inner(a=5))
    assert load_recipe(Outer, "child", kind="toy") == Outer(20, inner=Inner(5, 6))
    assert load_recipe(Outer, "empty", kind="toy") == Outer()
    mine = tmp_path / "mine.yaml"
    mine.write_text("base: child\nimage: pictures/me.png\n")
    assert load_recipe(Outer, mine, kind="toy") == Outer(20, tmp_path / "pictures/me.png", Inner(5, 6))
    other = tmp_path / "other.yaml"
    other.write_text("base: mine.yaml\nsteps: 3\n")
    assert load_recipe(Outer, str(other), kind="toy").steps == 3


@pytest.mark.parametrize(
    ("contents", "part"),
    [
        ("step: 3", "unknown field 'step'; did you mean 'steps'"),
        ("steps: many", "steps: found 'many', expected a whole number"),
        ("inner: {c: 1}", "inner: unknown field 'c'"),
        ("- 1", "found list, expected fields"),
        ("base: 3", "base: found 3"),
        ("base: nope", "recipe 'nope' is unknown"),
        ("base: nope.yaml", "no such recipe file"),
        ("base: bad.yaml", "start from each other"),
        ("a: [", "correct the YAML"),
        (b"\xff\xfe", "not UTF-8"),
    ],
)
def test_refuses_contents(shelf: Path, tmp_path: Path, contents: str | bytes, part: str) -> None:
    bad = tmp_path / "bad.yaml"
    bad.write_bytes(contents if isinstance(contents, bytes) else contents.encode())
    with pytest.raises(ConfigError) as caught:
        load_recipe(Outer, bad, kind="toy")
    assert part in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("name", "part"),
    [
        ("plane", "did you mean 'plain'? (recipes of toy: child, empty, loop, plain, pool)"),
        ("loop", "loop.yaml → pool.yaml → loop.yaml"),
        ("missing.yaml", "no such recipe file; recipes of toy: child"),
        ("../toy/plain", "no such recipe file"),
    ],
)
def test_refuses_names(shelf: Path, name: str, part: str) -> None:
    with pytest.raises(ConfigError) as caught:
        load_recipe(Outer, name, kind="toy")
    assert part in str(caught.value)


def test_package_recipes_are_sound() -> None:
    from dreamplate.jobs import JOBS, load_config_class

    for kind in JOBS:
        for name in recipe_names(kind):
            load_recipe(load_config_class(kind), name, kind=kind)


@dataclass(frozen=True)
class Shelf:
    file: Path = Path()


@dataclass(frozen=True)
class Located:
    seed: int = 0
    data: Path = Path()
    shelf: Shelf = field(default_factory=Shelf)


def test_paths_that_a_recipe_does_not_name_keep_their_defaults(tmp_path: Path) -> None:
    recipe = tmp_path / "r.yaml"
    recipe.write_text("seed: 3\n")
    assert load_recipe(Located, recipe, kind="toy").data == Path()
    recipe.write_text("data: here\nshelf: {file: b.png}\n")
    found = load_recipe(Located, recipe, kind="toy")
    assert (found.data, found.shelf.file) == (tmp_path / "here", tmp_path / "b.png")
