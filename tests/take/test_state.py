"""A saved state comes back bit for bit, and no damaged one comes back at all."""

from __future__ import annotations

import math
import random
import struct
from collections import OrderedDict
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import safetensors
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from dreamplate.errors import StateError
from dreamplate.take import read_state, write_state
from dreamplate.take.state import pack

DTYPES = [
    torch.float32, torch.float64, torch.float16, torch.bfloat16, torch.complex64, torch.complex128,
    torch.bool, torch.uint8, torch.int8, torch.int16, torch.int32, torch.int64,
    torch.uint16, torch.uint32, torch.uint64,
    torch.float8_e4m3fn,
]  # fmt: skip


def same(one: Any, other: Any) -> bool:
    """Whether two states are equal in type, bits and layout."""
    if type(one) is not type(other):
        return False
    if isinstance(one, dict):
        return list(one) == list(other) and all(same(one[key], other[key]) for key in one)
    if isinstance(one, list | tuple):
        return len(one) == len(other) and all(map(same, one, other))
    if isinstance(one, torch.Tensor):
        alike = (one.dtype, one.shape) == (other.dtype, other.shape)
        return alike and bits(one) == bits(other)
    if isinstance(one, np.ndarray | np.generic):
        return (one.dtype, one.shape) == (other.dtype, other.shape) and one.tobytes() == other.tobytes()
    if isinstance(one, float):
        return struct.pack("d", one) == struct.pack("d", other)
    return bool(one == other)


def bits(tensor: torch.Tensor) -> bytes:
    flat = tensor.detach().resolve_conj().contiguous().reshape(-1)
    return flat.view(torch.uint8).numpy().tobytes()


def again(state: Any, tmp_path: Path) -> Any:
    path = tmp_path / "s.safetensors"
    assert write_state(path, state) == path.stat().st_size == pack(state).size
    with safetensors.safe_open(path, "np") as file:  # it is what others call safetensors
        assert len(list(file.keys())) >= 1
    return read_state(path)


@pytest.mark.parametrize("dtype", DTYPES, ids=str)
@pytest.mark.parametrize("shape", [(), (0,), (3, 0, 2), (1,), (5,), (2, 3, 4, 5)])
def test_tensors(tmp_path: Path, dtype: torch.dtype, shape: tuple[int, ...]) -> None:
    count = math.prod(shape) * torch.empty((), dtype=dtype).element_size()
    raw = torch.randint(0, 256, (count,), dtype=torch.uint8)  # NaN payloads, denormals, infinities and all
    raw = raw & 1 if dtype == torch.bool else raw
    tensor = raw.view(dtype).reshape(shape)
    state = {"x": tensor}
    found = again(state, tmp_path)
    assert same(found, state)
    assert found["x"].stride() == tensor.stride()


LAYOUTS = {
    "transposed": lambda x: x.permute(1, 3, 0, 2),
    "channels last": lambda x: x.contiguous(memory_format=torch.channels_last),
    "one channel last": lambda x: x[:, :1].contiguous(memory_format=torch.channels_last),
    "strided": lambda x: x[:, ::2, 1:],
    "expanded": lambda x: x[:1, :1].expand(4, 3, -1, -1),
    "conjugated": lambda x: torch.complex(x, x + 1).conj(),
    "leaf": lambda x: x.requires_grad_(),
    "parameter": torch.nn.Parameter,
}


@pytest.mark.parametrize("make", LAYOUTS.values(), ids=LAYOUTS)
def test_layouts(tmp_path: Path, make: Any) -> None:
    tensor = make(torch.randn(4, 6, 5, 3))
    found = again([tensor], tmp_path)[0]
    assert torch.equal(found, tensor)
    assert not found.requires_grad
    dense = tensor.is_contiguous() or tensor.is_contiguous(memory_format=torch.channels_last)
    assert not dense or found.stride() == tensor.stride()
    last = torch.channels_last
    assert found.is_contiguous(memory_format=last) == tensor.is_contiguous(memory_format=last)
    found.add_(1)  # owns its memory


@given(
    hnp.arrays(
        st.sampled_from("?bBhHiIlLefdFD").map(np.dtype) | st.sampled_from([">i4", ">f8"]).map(np.dtype),
        hnp.array_shapes(min_dims=0, max_dims=4, min_side=0, max_side=4),
    ),
    st.randoms(),
)
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=60)
def test_arrays(tmp_path: Path, array: np.ndarray, chance: random.Random) -> None:
    axes = list(range(array.ndim))
    chance.shuffle(axes)
    array = array.transpose(axes)
    found = again(
        {"a": array, "f": np.asfortranarray(array), "s": array[..., ::-1] if array.ndim else array}, tmp_path
    )
    native = array.astype(array.dtype.newbyteorder("="))
    assert same(found["a"], native)
    assert same(found["f"], np.asfortranarray(native))
    assert same(found["s"], native[..., ::-1] if array.ndim else native)
    assert found["f"].flags.f_contiguous == np.asfortranarray(array).flags.f_contiguous


scalars = (
    st.none() | st.booleans() | st.integers() | st.floats() | st.text() | st.binary(max_size=9)
    | st.builds(np.float32, st.floats(width=32)) | st.builds(np.int64, st.integers(-9, 9))
    | st.just(np.bool_(True)) | st.just(np.float64("nan"))
)  # fmt: skip
keys = st.text(max_size=5) | st.integers() | st.booleans() | st.none()
trees = st.recursive(
    scalars,
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.lists(inner, max_size=3).map(tuple)
        | st.dictionaries(keys, inner, max_size=3)
    ),
    max_leaves=10,
)


@given(trees)
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=150)
def test_trees(tmp_path: Path, tree: Any) -> None:
    found = again(tree, tmp_path)
    assert same(found, tree)


def test_keys_that_look_alike(tmp_path: Path) -> None:
    state = {1: torch.ones(2), "1": torch.zeros(3), "a/b": torch.ones(1), "a": {"b": torch.zeros(1)}}
    assert same(again(state, tmp_path), state)


def test_shared_tensors_stay_shared(tmp_path: Path) -> None:
    x, n = torch.randn(1000), np.arange(1000.0)
    found = again({"a": x, "b": [x, x[:500]], "n": (n, n)}, tmp_path)
    assert found["a"] is found["b"][0]
    assert found["n"][0] is found["n"][1]
    assert torch.equal(found["b"][1], x[:500])
    assert (tmp_path / "s.safetensors").stat().st_size < 16_000  # 4,000 + 2,000 + 8,000 bytes of numbers


@pytest.mark.parametrize("name", ["SGD", "Adam", "AdamW", "Adagrad", "RMSprop"])
def test_optimisers_continue_bit_for_bit(tmp_path: Path, name: str) -> None:
    def make() -> tuple[torch.nn.Module, torch.optim.Optimizer, torch.Generator]:
        torch.manual_seed(1)
        net = torch.nn.Sequential(torch.nn.Conv2d(2, 3, 3), torch.nn.BatchNorm2d(3), torch.nn.Conv2d(3, 1, 3))
        groups = [{"params": net[0].parameters(), "lr": 0.01}, {"params": net[2].parameters()}]
        return net, getattr(torch.optim, name)(groups, lr=0.02), torch.Generator().manual_seed(3)

    def advance(net: torch.nn.Module, optimiser: torch.optim.Optimizer, chance: torch.Generator) -> None:
        for _ in range(3):
            optimiser.zero_grad()
            net(torch.randn(2, 2, 8, 8, generator=chance)).square().mean().backward()
            optimiser.step()

    one = make()
    advance(*one)
    parts = [part.get_state() if isinstance(part, torch.Generator) else part.state_dict() for part in one]
    net, optimiser, chance = make()
    saved = again(parts, tmp_path)
    net.load_state_dict(saved[0])
    optimiser.load_state_dict(saved[1])
    chance.set_state(saved[2])
    advance(*one)
    advance(net, optimiser, chance)
    assert same(dict(net.state_dict()), dict(one[0].state_dict()))
    assert same(optimiser.state_dict(), one[1].state_dict())


def test_equal_states_give_equal_files(tmp_path: Path) -> None:
    for name in "ab":
        write_state(tmp_path / name, OrderedDict(x=torch.arange(9), y=np.ones(3), z=1))
    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()


def test_numpy_generators(tmp_path: Path) -> None:
    for kind in (np.random.PCG64, np.random.MT19937, np.random.Philox, np.random.SFC64):
        one, other = np.random.Generator(kind(5)), np.random.Generator(kind(6))
        one.standard_normal(7)
        other.bit_generator.state = again(one.bit_generator.state, tmp_path)
        assert one.bytes(64) == other.bytes(64)


@pytest.mark.parametrize(
    ("state", "part"),
    [
        ({"a": {"b": object()}}, "state/a/b: a object cannot be saved"),
        ({"a": {1, 2}}, "state/a: a set cannot"),
        ({("t",): 1}, "key ('t',) cannot be saved"),
        ({"a": torch.ones(2).to_sparse()}, "state/a: a torch.sparse_coo tensor"),
        ({"a": np.array(["x"])}, "state/a: dtype str"),
        ({"a": np.array([object()])}, "state/a: dtype object"),
        ({"a": torch.Size([1])}, "state/a: a Size cannot be saved"),
    ],
)
def test_refuses_what_it_cannot_keep(tmp_path: Path, state: Any, part: str) -> None:
    with pytest.raises(StateError) as caught:
        write_state(tmp_path / "s", state)
    assert part in str(caught.value)
    assert list(tmp_path.iterdir()) == []


def test_every_damaged_byte_is_noticed(tmp_path: Path) -> None:
    path = tmp_path / "s"
    write_state(path, {"x": torch.arange(20), "n": [1, 2.5, "text"], "y": np.ones(7, np.float16)})
    good = path.read_bytes()
    chance = random.Random(0)
    for place in range(len(good)):
        bad = bytearray(good)
        bad[place] ^= 1 << chance.randrange(8)
        path.write_bytes(bad)
        with pytest.raises(StateError) as caught:
            read_state(path)
        assert str(path) in str(caught.value)
        assert "\n" not in str(caught.value)


def test_every_cut_is_noticed(tmp_path: Path) -> None:
    path = tmp_path / "s"
    write_state(path, {"x": torch.arange(20)})
    good = path.read_bytes()
    for bad in [*(good[:length] for length in range(len(good))), good + b"\0", good * 2]:
        path.write_bytes(bad)
        with pytest.raises(StateError):
            read_state(path)


def test_other_files_are_not_states(tmp_path: Path) -> None:
    from safetensors.torch import save_file

    save_file({"x": torch.ones(2)}, tmp_path / "other")
    torch.save({"x": torch.ones(2)}, tmp_path / "legacy")
    (tmp_path / "empty").touch()
    for name in ("other", "legacy", "empty", "missing", "."):
        with pytest.raises(StateError):
            read_state(tmp_path / name)
