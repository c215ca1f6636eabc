"""Honest legacy files: what torch and numpy write is read bit for bit."""

from __future__ import annotations

import argparse
import collections
import io
import pickle
import sys
import zipfile
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from dreamplate.errors import CheckpointError, ModelError
from dreamplate.models import LegacyLimits, convert_legacy, load_any, load_legacy, load_state, save_state
from dreamplate.models.legacy import child, load
from dreamplate.models.legacy.leaves import dense_strides, take_strided
from dreamplate.models.legacy.machine import Call, Global, read_pickle


def same(left: torch.Tensor, right: torch.Tensor) -> bool:
    raw = [tensor.detach().contiguous().reshape(-1).view(torch.uint8) for tensor in (left, right)]
    return left.shape == right.shape and left.dtype == right.dtype and torch.equal(*raw)


def network() -> nn.Module:
    torch.manual_seed(3)
    net = nn.Sequential(nn.Conv2d(3, 8, 3), nn.BatchNorm2d(8), nn.Sequential(nn.Linear(4, 4), nn.ReLU()))
    net[2].tied = net[2][0]
    return net


TENSORS = {
    "turned": torch.arange(30.0).reshape(5, 6).t(),
    "last": torch.randn(2, 3, 4, 5).contiguous(memory_format=torch.channels_last),
    "permuted": torch.randn(3, 4, 5).permute(2, 0, 1),
    "slice": torch.arange(20)[3:18:4],
    "one column": torch.arange(12, dtype=torch.int16).reshape(3, 4)[:, 1],
    "scalar": torch.tensor(2.5),
    "none": torch.empty(0, 3),
    "brain": torch.randn(3).bfloat16(),
    "half": torch.randn(3).half(),
    "double": torch.randn(3).double(),
    "complex": torch.randn(2, dtype=torch.complex64),
    "bytes": torch.arange(5, dtype=torch.uint8),
    "mask": torch.tensor([True, False, True]),
    "parameter": nn.Parameter(torch.randn(2, 2)),
}
NEW_TENSORS = {
    "unsigned": torch.arange(4).to(torch.uint16),
    "eight bits": torch.randn(4).to(torch.float8_e4m3fn),
}


@pytest.mark.parametrize("new", [True, False], ids=["zip", "before 1.6"])
def test_torch_files(new: bool, tmp_path: Path) -> None:
    path = tmp_path / "w.ckpt"
    state = TENSORS | (NEW_TENSORS if new else {})
    extra = {
        "epoch": 7,
        "args": argparse.Namespace(lr=0.1, name="run"),
        "list": [torch.ones(2), torch.zeros(1)],
    }
    torch.save(
        {"state_dict": collections.OrderedDict(state)} | extra, path, _use_new_zipfile_serialization=new
    )
    read = load_legacy(path)
    assert set(read) == {f"state_dict.{name}" for name in state} | {"list.0", "list.1"}
    for name, tensor in state.items():
        assert same(read[f"state_dict.{name}"], tensor), name
    info = convert_legacy(path, tmp_path / "w.safetensors")
    assert info.notes == {"epoch": "7", "args.lr": "0.1", "args.name": "run"}
    assert info.format == ("torch file" if new else "torch file (before 1.6)")


@pytest.mark.parametrize("protocol", [2, 3, 4, 5])
def test_pickle_protocols_of_torch(protocol: int, tmp_path: Path) -> None:
    path = tmp_path / "w.pt"
    torch.save(TENSORS, path, pickle_protocol=protocol)
    read = load_legacy(path)
    assert all(same(read[name], tensor) for name, tensor in TENSORS.items())


def test_tensors_that_share_a_storage(tmp_path: Path) -> None:
    base = torch.arange(24.0)
    state = {"a": base[:6], "b": base[6:].reshape(3, 6), "c": base.reshape(4, 6).t(), "again": base[:6]}
    for new in (True, False):
        path = tmp_path / f"{new}.pt"
        torch.save(state, path, _use_new_zipfile_serialization=new)
        read = load_legacy(path)
        assert all(same(read[name], tensor) for name, tensor in state.items())


@pytest.mark.parametrize("new", [True, False], ids=["zip", "before 1.6"])
def test_pickled_networks_give_their_state(new: bool, tmp_path: Path) -> None:
    path = tmp_path / "net.pt"
    net = network()
    torch.save(net, path, _use_new_zipfile_serialization=new)
    with pytest.raises(CheckpointError, match=r"torch\.nn\.modules.*modules on"):
        load_legacy(path)
    read = load_legacy(path, modules=True)
    assert set(read) == set(net.state_dict())
    assert all(same(read[name], tensor) for name, tensor in net.state_dict().items())


@pytest.mark.filterwarnings("ignore:Couldn't retrieve source code")
@pytest.mark.parametrize("new", [True, False], ids=["zip", "before 1.6"])
def test_classes_that_cannot_be_imported(new: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A network of somebody's own module, which is not there when the file is read."""
    source = """
import functools
from torch import nn

class Config:
    def __init__(self):
        self.width = 5

class Block(nn.Module):
    def __init__(self, width):
        super().__init__()
        self.linear = nn.Linear(width, width)
        self.act = functools.partial(nn.functional.leaky_relu, negative_slope=0.1)
        self.register_buffer("table", nn.init.zeros_(self.linear.weight.data.clone()), persistent=True)

class Net(nn.Module):
    def __init__(self, config):
        super().__init__()
        self.config = config
        self.blocks = nn.ModuleList(Block(config.width) for _ in range(2))
        self.scale = nn.Parameter(self.blocks[0].linear.bias.data.clone())
"""
    home = tmp_path / "elsewhere"
    home.mkdir()
    (home / "somebodys_net.py").write_text(source)
    monkeypatch.syspath_prepend(home)
    import somebodys_net  # type: ignore[import-not-found]

    net = somebodys_net.Net(somebodys_net.Config())
    path = tmp_path / "net.pkl"
    torch.save({"G_ema": net, "config": net.config}, path, _use_new_zipfile_serialization=new)
    (home / "somebodys_net.py").write_text("raise SystemExit('imported')")
    monkeypatch.delitem(sys.modules, "somebodys_net")
    with pytest.raises(CheckpointError, match=r"somebodys_net\.Net.*modules on"):
        load_legacy(path)
    read = load_legacy(path, modules=True)
    assert set(read) == {f"G_ema.{name}" for name in net.state_dict()}
    assert all(same(read[f"G_ema.{name}"], tensor) for name, tensor in net.state_dict().items())
    info = convert_legacy(path, tmp_path / "w.safetensors", modules=True)
    assert info.notes["config.width"] == "5"
    assert "somebodys_net" not in sys.modules


def test_torchscript(tmp_path: Path, recwarn: pytest.WarningsRecorder) -> None:
    path = tmp_path / "net.pt"
    net = network().eval()
    torch.jit.save(torch.jit.script(net), path)
    read = load_legacy(path)
    assert all(same(read[name], tensor) for name, tensor in net.state_dict().items())
    assert convert_legacy(path, tmp_path / "w").format == "TorchScript archive"


ARRAYS = {
    "floats": np.arange(6, dtype=np.float32).reshape(2, 3),
    "column-major": np.asfortranarray(np.arange(12.0).reshape(3, 4)),
    "big-endian": np.arange(5, dtype=">i4"),
    "big-endian complex": np.array([1 + 2j], dtype=">c8"),
    "scalar": np.float64(2.5) * np.ones(()),
    "none": np.empty((0, 2), np.float16),
    "mask": np.array([True, False]),
    "slices": np.arange(10)[::3],
}


def as_tensor(array: np.ndarray) -> torch.Tensor:
    native = np.array(array, dtype=array.dtype.newbyteorder("="), order="C", copy=True)
    return torch.from_numpy(native)


@pytest.mark.parametrize("protocol", [0, 1, 2, 3, 4, 5])
def test_numpy_pickles(protocol: int, tmp_path: Path) -> None:
    path = tmp_path / "w.pkl"
    path.write_bytes(
        pickle.dumps({"params": ARRAYS, "score": np.float32(0.5), "x": {1, 2}}, protocol=protocol)
    )
    read = load_legacy(path)
    assert all(same(read[f"params.{name}"], as_tensor(array)) for name, array in ARRAYS.items())
    assert read["score"] == 0.5


@pytest.mark.parametrize("save", [np.savez, np.savez_compressed], ids=["plain", "packed"])
def test_npz(save: object, tmp_path: Path) -> None:
    path = tmp_path / "w.npz"
    save(path, **ARRAYS, **{"layer/kernel:0": np.ones(3)})
    read = load_legacy(path)
    assert set(read) == {*ARRAYS, "layer/kernel:0"}
    assert all(same(read[name], as_tensor(array)) for name, array in ARRAYS.items())


@pytest.mark.parametrize("name", ARRAYS)
def test_npy(name: str, tmp_path: Path) -> None:
    path = tmp_path / "w.npy"
    np.save(path, ARRAYS[name])
    assert same(load_legacy(path)["array"], as_tensor(ARRAYS[name]))


def test_python_2_strings(tmp_path: Path) -> None:
    """Python 2 wrote arrays' bytes as strings."""
    body = pickle.dumps({"w": np.arange(3, dtype=np.int16)}, protocol=2)
    raw = np.arange(3, dtype=np.int16).tobytes()
    start = body.index(b"h\x05X")
    stop = body.index(b"R", start) + 1
    path = tmp_path / "w.pkl"
    path.write_bytes(body[:start] + b"U" + bytes([len(raw)]) + raw + body[stop:])
    assert load_legacy(path)["w"].tolist() == [0, 1, 2]


def test_big_endian_torch_file(tmp_path: Path) -> None:
    numbers = torch.arange(4, dtype=torch.int32)
    made, path = io.BytesIO(), tmp_path / "w.pt"
    torch.save({"w": numbers}, made)
    with zipfile.ZipFile(made) as source, zipfile.ZipFile(path, "w") as target:
        for member in source.namelist():
            data = source.read(member)
            if member.endswith("byteorder"):
                data = b"big"
            elif member.endswith("/data/0"):
                data = numbers.numpy().astype(">i4").tobytes()
            target.writestr(member, data)
    assert torch.equal(load_legacy(path)["w"], numbers)


def test_shared_weights_are_read(shared_dir: Path) -> None:
    for path in sorted((shared_dir / "weights").glob("*/*.pth")):
        trusted = torch.load(path, weights_only=True, map_location="cpu")
        read = load_legacy(path)
        assert set(read) == set(trusted)
        assert all(same(read[name], tensor) for name, tensor in trusted.items())


def test_format_is_told_by_content_not_by_name(tmp_path: Path) -> None:
    state = {"w": torch.arange(3.0)}
    for index, suffix in enumerate((".pt", ".npz", ".bin", "")):
        path = tmp_path / f"{index}{suffix}"
        save_state(path, state)
        assert torch.equal(load_any(path)["w"], state["w"])
        with pytest.raises(CheckpointError, match="safetensors already"):
            load_legacy(path)
        torch.save(state, path)
        assert torch.equal(load_any(path)["w"], state["w"])


def test_absent_file(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="no such file"):
        load_legacy(tmp_path / "absent.pt")
    with pytest.raises(ModelError, match="not a file"):
        load_legacy(tmp_path)


@pytest.mark.parametrize(
    ("limits", "words"),
    [
        (LegacyLimits(total_bytes=1000), r"unpacks to|would take"),
        (LegacyLimits(memory_bytes=30 << 20), r"more than 30 MiB|stopped"),
    ],
)
def test_limits(limits: LegacyLimits, words: str, tmp_path: Path) -> None:
    path = tmp_path / "w.pt"
    torch.save({"w": torch.zeros(8 << 20)}, path)
    output = tmp_path / "out.safetensors"
    with pytest.raises(CheckpointError, match=words):
        convert_legacy(path, output, limits=limits)
    assert not output.exists()
    convert_legacy(path, output)
    assert load_state(output)["w"].shape == (8 << 20,)


def test_processor_time_is_capped(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "w.pt"
    torch.save({"w": torch.zeros(2)}, path)
    endless = load._START.replace(
        "main()", "child = __import__('dreamplate.models.legacy.child').models.legacy.child;"
    )
    monkeypatch.setattr(
        load, "_START", endless + "child.answer = lambda o: [0 for _ in iter(int, 1)]; child.main()"
    )
    with pytest.raises(CheckpointError, match="stopped"):
        load_legacy(path, limits=LegacyLimits(cpu_seconds=1))


FORBIDDEN = {
    "open": "open('/etc/passwd')",
    "write": "open(CANARY, 'w')",
    "os.open": "__import__('os').open('/etc/passwd', 0)",
    "system": "__import__('os').system('true')",
    "fork": "__import__('os').fork()",
    "remove": "__import__('os').remove(CANARY)",
    "eval": "eval('1')",
    "import": "__import__('antigravity')",
    "socket": "__import__('_socket').socket()",
}


@pytest.mark.parametrize("deed", FORBIDDEN)
def test_the_child_is_locked(deed: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Even code that did run in the child could not open, start or import anything."""
    path = tmp_path / "w.pt"
    torch.save({"w": torch.zeros(2)}, path)
    action = FORBIDDEN[deed].replace("CANARY", repr(str(tmp_path / "canary")))
    start = f"""
import sys, os, _socket
sys.path.insert(0, sys.argv[1])
from dreamplate.models.legacy import child
def answer(options):
    try:
        {action}
    except RuntimeError as error:
        return {{"error": f"locked: {{error}}"}}
    return {{"error": "free"}}
child.answer = answer
child.main()
"""
    monkeypatch.setattr(load, "_START", start)
    with pytest.raises(CheckpointError, match="locked: the reader tried"):
        load_legacy(path)
    assert child._FORBIDDEN


plain = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**80), 2**80)
    | st.floats(allow_nan=False)
    | st.text()
    | st.binary(),
    lambda inner: (
        st.lists(inner) | st.tuples(inner, inner) | st.dictionaries(st.text() | st.integers(), inner)
    ),
    max_leaves=20,
)


@given(value=plain, protocol=st.integers(0, 5))
@settings(max_examples=150, deadline=None)
def test_the_machine_agrees_with_pickle_on_plain_values(value: object, protocol: int) -> None:
    data = pickle.dumps(value, protocol=protocol)
    file = io.BytesIO(data + b"rest")
    names: list[Global] = []
    read = read_pickle(file, len(data) + 4, names.append)
    assert file.read() == b"rest"
    # Protocols 0 to 2 write bytes as a call, which the machine keeps as a call.
    if protocol > 2:
        assert not names
        assert read == value
    elif not names:
        assert read == value
    else:
        assert {str(name) for name in names} <= {"_codecs.encode", "__builtin__.bytes"}


def test_the_machine_calls_nothing() -> None:
    names: list[Global] = []
    data = pickle.dumps(collections.OrderedDict(a=print), protocol=2)
    read = read_pickle(io.BytesIO(data), len(data), names.append)
    assert isinstance(read, Call)
    assert read.function == Global("collections", "OrderedDict")
    assert read.pairs == [("a", Global("__builtin__", "print"))]


@given(shape=st.lists(st.integers(0, 5), max_size=4), width=st.sampled_from([1, 2, 4, 8]), data=st.data())
@settings(max_examples=150, deadline=None)
def test_strided_copies_agree_with_numpy(shape: list[int], width: int, data: st.DataObject) -> None:
    order = data.draw(st.permutations(range(len(shape))))
    steps = [data.draw(st.integers(1, 2)) for _ in shape]
    base = np.arange(int(np.prod([n * s for n, s in zip(shape, steps, strict=True)])), dtype=f"<u{width}")
    full = base.reshape([n * s for n, s in zip(shape, steps, strict=True)])
    view = full[tuple(slice(None, None, s) for s in steps)].transpose(order)
    strides = [stride // width for stride in view.strides]
    assert bytes(take_strided(base.tobytes(), width, 0, view.shape, strides)) == view.tobytes()


@given(shape=st.lists(st.integers(1, 5), max_size=4), fortran=st.booleans())
def test_dense_strides_agree_with_numpy(shape: list[int], fortran: bool) -> None:
    array = np.empty(shape, np.uint8, order="F" if fortran else "C")
    ours = dense_strides(shape, fortran)
    # numpy may report any stride for an axis of one element.
    assert all(mine == stride for n, mine, stride in zip(shape, ours, array.strides, strict=True) if n > 1)
