"""The hash grid: layout, kernel against torch twin, gradients, and what other programs compute."""

from __future__ import annotations

import json
from pathlib import Path

import numba
import pytest
import torch
from safetensors.torch import load_file
from torch import Tensor

from dreamplate.fields.hash_grid import HashGrid, hash_encode, hash_encode_twin
from dreamplate.fields.hash_levels import HashLevels, hash_corners, hash_levels, spatial_hash

SMALL = hash_levels(4, 2, 9, 4, finest=23)


def draws(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def some(levels: HashLevels, count: int = 300, dtype: torch.dtype = torch.float32) -> tuple[Tensor, Tensor]:
    points = torch.rand((count, levels.dims), generator=draws(1), dtype=dtype)
    table = torch.randn((levels.entries, levels.features), generator=draws(2), dtype=dtype)
    return points, table


@pytest.mark.parametrize(
    "levels",
    [
        SMALL,
        hash_levels(3, 4, 8, 5, finest=40, smooth=True),
        hash_levels(2, 1, 19, 3, growth=1.5),
        hash_levels(4, 2, 8, 4, finest=20, every_level_hashed=True),
        hash_levels(1, 3, 10, 6),
    ],
    ids=["hash", "smooth", "dense", "every", "one"],
)
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_kernel_equals_twin_with_all_gradients(levels: HashLevels, dtype: torch.dtype) -> None:
    close = 2e-4 if dtype == torch.float32 else 1e-9
    points, table = some(levels, dtype=dtype)
    pull = torch.randn((len(points), levels.width), generator=draws(3), dtype=dtype)
    found = []
    for encode in (hash_encode, hash_encode_twin):
        p, t = points.clone().requires_grad_(), table.clone().requires_grad_()
        features = encode(p, t, levels)
        features.backward(pull)
        found.append((features.detach(), p.grad, t.grad))
    for mine, theirs in zip(*found, strict=True):
        assert mine is not None and theirs is not None
        torch.testing.assert_close(mine, theirs, rtol=close, atol=close * float(theirs.abs().max()))


@pytest.mark.parametrize("smooth", [False, True])
@pytest.mark.parametrize("encode", [hash_encode, hash_encode_twin])
def test_gradients_are_those_of_finite_differences(encode, smooth: bool) -> None:
    levels = hash_levels(2, 2, 6, 3, finest=7, smooth=smooth)
    points, table = some(levels, 5, torch.float64)
    assert torch.autograd.gradcheck(
        lambda p, t: encode(p, t, levels), (points.requires_grad_(), table.requires_grad_()), fast_mode=False
    )


def test_operators_keep_the_rules_of_torch() -> None:
    from dreamplate.fields.hash_grid import _packed

    points, table = some(SMALL, 7)
    torch.library.opcheck(
        torch.ops.dreamplate.hash_encode.default,
        (points.requires_grad_(), table.requires_grad_(), *_packed(SMALL)),
        test_utils=("test_schema", "test_faketensor", "test_autograd_registration"),
    )


def test_one_thread_gives_the_bits_of_two() -> None:
    points, table = some(SMALL, 5000)
    found = []
    before = numba.get_num_threads()
    for threads in (1, before):
        numba.set_num_threads(threads)
        p, t = points.clone().requires_grad_(), table.clone().requires_grad_()
        features = hash_encode(p, t, SMALL)
        features.square().sum().backward()
        found.append((features.detach(), p.grad, t.grad))
    for one, two in zip(*found, strict=True):
        assert one is not None and two is not None
        assert torch.equal(one, two)


def test_places_outside_the_unit_cube_and_no_points_at_all() -> None:
    table = some(SMALL)[1]
    points = torch.tensor([[-0.3, 1.2, 0.5], [-1.0, -1.0, 2.0]])
    torch.testing.assert_close(
        hash_encode(points, table, SMALL), hash_encode_twin(points, table, SMALL), rtol=1e-4, atol=1e-4
    )
    assert hash_encode(points[:0], table, SMALL).shape == (0, SMALL.width)


def test_only_the_gradients_asked_for_are_made() -> None:
    points, table = some(SMALL)
    table.requires_grad_()
    hash_encode(points, table, SMALL).sum().backward()
    assert points.grad is None and table.grad is not None
    torch.testing.assert_close(float(table.grad.sum()), float(len(points) * SMALL.width), rtol=1e-4, atol=0)


def test_a_fresh_grid_is_small_and_follows_its_draws() -> None:
    grid = HashGrid(SMALL, draws(5))
    assert grid.table.abs().max() <= 1e-4
    assert torch.equal(grid.table, HashGrid(SMALL, draws(5)).table)
    assert grid(torch.rand((3, 3), generator=draws())).shape == (3, SMALL.width)


def fixture(shared_dir: Path, name: str) -> tuple[dict, dict[str, Tensor]]:
    folder = shared_dir / "parity" / name
    return json.loads((folder / "about.json").read_text()), load_file(folder / "io.safetensors")


def agree(mine: Tensor, theirs: Tensor, about: dict) -> None:
    rule = about["tolerance"]
    torch.testing.assert_close(mine, theirs, rtol=rule["relative_error"], atol=rule["max_abs_error"])


@pytest.mark.parametrize("dims", [2, 3, 4])
def test_parity_hash(shared_dir: Path, dims: int) -> None:
    _, io = fixture(shared_dir, "hash_grid")
    assert torch.equal(spatial_hash(io[f"in.coords_{dims}d"]), io[f"out.hash_{dims}d"])


def layout_of(given: dict, **more) -> HashLevels:
    return hash_levels(
        given["n_levels"],
        given.get("n_features_per_level", 2),
        given["log2_hashmap_size"],
        given["base_resolution"],
        growth=given["per_level_scale"],
        dims=given["dims"],
        **more,
    )


@pytest.mark.parametrize("number", [0, 1, 2])
def test_parity_layout(shared_dir: Path, number: int) -> None:
    about, io = fixture(shared_dir, "hash_grid")
    given = about["constructor_arguments"]["configurations"][number]
    levels, name = layout_of(given), given["name"]
    assert torch.equal(torch.tensor(levels.scales), io[f"out.{name}_scale"])
    assert list(levels.resolutions) == io[f"out.{name}_resolution"].tolist()
    assert list(levels.offsets) == io[f"out.{name}_offsets"].tolist()
    assert [int(value) for value in levels.hashed] == io[f"out.{name}_is_hashed"].tolist()
    for level in range(len(levels)):
        mine = hash_corners(levels, level, io[f"in.{name}_coords"][level])
        assert torch.equal(mine, io[f"out.{name}_index"][level]), level


@pytest.mark.parametrize("smooth", [False, True])
@pytest.mark.parametrize("encode", [hash_encode, hash_encode_twin])
def test_parity_small_grid(shared_dir: Path, encode, smooth: bool) -> None:
    about, io = fixture(shared_dir, "hash_grid")
    levels = layout_of(about["constructor_arguments"]["small_grid"], smooth=smooth)
    assert list(levels.offsets) == io["out.small_offsets"].tolist()
    features = encode(io["in.positions"], io["in.table"], levels)
    agree(features, io["out.encoded_smoothstep" if smooth else "out.encoded_linear"], about)


@pytest.mark.parametrize("encode", [hash_encode, hash_encode_twin])
def test_parity_nerfstudio_hash(shared_dir: Path, encode) -> None:
    about, io = fixture(shared_dir, "nerfstudio_encodings")
    given = about["constructor_arguments"]
    levels = hash_levels(
        given["num_levels"],
        given["features_per_level"],
        given["log2_hashmap_size"],
        given["min_res"],
        finest=given["max_res"],
        every_level_hashed=True,
    )
    assert list(levels.scales) == io["out.scalings"].tolist()
    agree(encode(io["in.positions"], io["in.hash_table"], levels), io["out.hash_features"], about)
