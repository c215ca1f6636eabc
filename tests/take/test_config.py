"""Configs go to plain data and YAML and back unchanged; anything else is one line that says where."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any, Literal

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dreamplate.errors import ConfigError
from dreamplate.take import (
    Bounds,
    absolute_paths,
    check,
    config_id,
    from_dict,
    from_yaml,
    replace_fields,
    to_dict,
    to_yaml,
)


@dataclass(frozen=True)
class Fourier:
    decay: float = 1.0


@dataclass(frozen=True)
class Siren:
    layers: Annotated[int, Bounds(ge=1, le=64)] = 5


@dataclass(frozen=True)
class Cuts:
    number: Annotated[int, Bounds(ge=1)] = 8
    sides: tuple[float, float] = (0.2, 1.0)

    def __post_init__(self) -> None:
        if self.sides[0] > self.sides[1]:
            raise ConfigError(f"cuts.sides is {self.sides}: the first is the smaller")


@dataclass(frozen=True)
class Everything:
    prompt: Annotated[str, Bounds(max_length=200)]
    seed: Annotated[int, Bounds(ge=0, lt=2**63)] = 0
    rate: Annotated[float, Bounds(gt=0)] = 0.1
    side: Annotated[int, Bounds(multiple_of=8)] = 64
    on: bool = True
    mode: Literal["fast", "fine", 3] = "fast"
    image: Path | None = None
    sizes: tuple[int, ...] = ()
    mixed: int | float | str | None = None
    weights: dict[str, float] = field(default_factory=dict)
    cuts: Cuts = field(default_factory=Cuts)
    model: Fourier | Siren = field(default_factory=Fourier)
    models: tuple[Fourier | Siren, ...] = ()


text = st.text(st.characters(exclude_categories=["Cs"]), max_size=30)
number = st.floats(allow_nan=False, allow_infinity=False)
model = st.builds(Fourier, number) | st.builds(Siren, st.integers(1, 64))
configs = st.builds(
    Everything,
    prompt=text,
    seed=st.integers(0, 2**63 - 1),
    rate=st.floats(0, exclude_min=True, allow_infinity=False),
    side=st.integers(-100, 100).map(lambda n: n * 8),
    on=st.booleans(),
    mode=st.sampled_from(["fast", "fine", 3]),
    image=st.none() | text.filter(lambda t: "\0" not in t).map(Path),
    sizes=st.lists(st.integers(), max_size=4).map(tuple),
    mixed=st.none() | st.integers() | number | text,
    weights=st.dictionaries(text, number, max_size=3),
    cuts=st.builds(Cuts, number=st.integers(1, 99)),
    model=model,
    models=st.lists(model, max_size=3).map(tuple),
)


@given(configs)
def test_round_trips(config: Everything) -> None:
    assert from_dict(Everything, to_dict(config)) == config
    again = from_yaml(Everything, to_yaml(config))
    assert again == config
    assert repr(again) == repr(config)  # == alone would let 1 pass for 1.0
    assert config_id(again) == config_id(config)
    assert check(config) == config


@given(configs, configs)
def test_ids_tell_configs_apart(one: Everything, other: Everything) -> None:
    assert (config_id(one) == config_id(other)) == (to_dict(one) == to_dict(other))


def test_id_is_stable() -> None:
    # This value is part of the file format: takes made by earlier versions carry such ids.
    assert config_id(Cuts()) == "ffb7b35f8f3701a968aebe44b58787bdf3b3829fb74b44ffa62524829a37e393"
    assert config_id(Cuts(sides=(0, 1))) == config_id(Cuts(sides=(0.0, 1.0)))


GOOD: list[tuple[dict[str, Any], str, Any]] = [
    ({"rate": 1}, "rate", 1.0),
    ({"rate": np.float32(0.5)}, "rate", 0.5),
    ({"seed": np.int64(7)}, "seed", 7),
    ({"sizes": [1, 2]}, "sizes", (1, 2)),
    ({"image": "a/b.png"}, "image", Path("a/b.png")),
    ({"mixed": 1}, "mixed", 1),
    ({"mixed": 1.0}, "mixed", 1.0),
    ({"mode": 3}, "mode", 3),
    ({"cuts": {"number": 9}}, "cuts", Cuts(number=9)),
    ({"cuts": Cuts(number=9)}, "cuts", Cuts(number=9)),
    ({"model": {"type": "Siren", "layers": 2}}, "model", Siren(2)),
    ({"model": Siren(2)}, "model", Siren(2)),
]


@pytest.mark.parametrize(("data", "name", "value"), GOOD)
def test_accepts(data: dict[str, Any], name: str, value: Any) -> None:
    found = getattr(from_dict(Everything, {"prompt": "x", **data}), name)
    assert (found, type(found)) == (value, type(value))


BAD: list[tuple[dict[str, Any], list[str]]] = [
    ({"sed": 1}, ["unknown field 'sed'", "did you mean 'seed'"]),
    ({"zzzzzz": 1}, ["unknown field", "known: cuts, image"]),
    ({"seed": 1.0}, ["seed", "1.0", "whole number"]),
    ({"seed": True}, ["seed", "True", "whole number"]),
    ({"seed": "7"}, ["seed", "'7'", "whole number"]),
    ({"seed": -1}, ["seed", "-1", "at least 0"]),
    ({"seed": 2**63}, ["seed", "less than"]),
    ({"rate": 0}, ["rate", "more than 0"]),
    ({"rate": math.nan}, ["rate", "nan", "finite"]),
    ({"rate": math.inf}, ["rate", "inf", "finite"]),
    ({"rate": 10**400}, ["rate", "finite"]),
    ({"side": 63}, ["side", "63", "multiple of 8"]),
    ({"on": 1}, ["on", "true or false"]),
    ({"mode": "fin"}, ["mode", "'fin'", "fast, fine, 3", "did you mean 'fine'"]),
    ({"mode": "3"}, ["mode", "'3'"]),
    ({"image": 3}, ["image", "file path"]),
    ({"image": "a\0b"}, ["image", "file path"]),
    ({"prompt": 3}, ["prompt", "text"]),
    ({"prompt": "x" * 10_000}, ["prompt", "10000 long", "at most 200 long"]),
    ({"prompt": "\ud800"}, ["prompt", "Unicode"]),
    ({"sizes": 3}, ["sizes", "a list"]),
    ({"sizes": "12"}, ["sizes", "a list"]),
    ({"sizes": [1, "2"]}, ["sizes[1]", "'2'"]),
    ({"cuts": 3}, ["cuts", "number, sides"]),
    ({"cuts": {"number": 0}}, ["cuts.number", "at least 1"]),
    ({"cuts": {"sides": [1, 2, 3]}}, ["cuts.sides", "3 values", "expected 2"]),
    ({"cuts": {"sides": [1, 0]}}, ["cuts.sides", "the first is the smaller"]),
    ({"weights": {"a": "b"}}, ["weights[a]", "a number"]),
    ({"weights": [1]}, ["weights", "names with values"]),
    ({"mixed": [1]}, ["mixed", "a whole number or a number or text"]),
    ({"model": {"decay": 1.0}}, ["model.type", "Fourier, Siren"]),
    ({"model": {"type": "Siren", "decay": 1}}, ["model", "unknown field 'decay'"]),
    ({"model": Siren(0)}, ["model.layers", "at least 1"]),
    ({3: 4}, ["unknown field 3"]),
]


@pytest.mark.parametrize(("data", "parts"), BAD)
def test_refuses(data: dict[str, Any], parts: list[str]) -> None:
    with pytest.raises(ConfigError) as caught:
        from_dict(Everything, {"prompt": "x", **data}, source="look.yaml")
    message = str(caught.value)
    assert "\n" not in message
    assert len(message) < 400
    for part in ["look.yaml: ", *parts]:
        assert part in message


def test_names_a_missing_field() -> None:
    with pytest.raises(ConfigError, match=r"look.yaml: prompt: is missing"):
        from_dict(Everything, {}, source="look.yaml")
    with pytest.raises(ConfigError, match=r"expected fields"):
        from_dict(Everything, [1], source="look.yaml")  # type: ignore[arg-type]


def test_checks_configs_made_in_code() -> None:
    with pytest.raises(ConfigError, match=r"seed: found 'x', expected a whole number"):
        check(Everything("p", seed="x"))  # type: ignore[arg-type]


def test_replaces_fields() -> None:
    config = Everything("p", model=Siren(3))
    changed = replace_fields(config, {"seed": 3, "cuts.number": 9, "model.layers": 4, "models": (Siren(1),)})
    assert changed == Everything("p", seed=3, cuts=Cuts(9), model=Siren(4), models=(Siren(1),))
    assert replace_fields(config, {"model": {"type": "Fourier"}}).model == Fourier()
    for name in ("nope", "cuts.nope", "seed.nope", "nope.nope"):
        with pytest.raises(ConfigError, match=r"nope|seed"):
            replace_fields(config, {name: 1})


def test_makes_paths_absolute(tmp_path: Path) -> None:
    config = absolute_paths(Everything("a/b", image=Path("../x.png")), tmp_path / "in")
    assert (config.prompt, config.image) == ("a/b", tmp_path / "x.png")
    assert absolute_paths(config, "/elsewhere") == config
