"""safetensors: round trips, equal bytes for equal contents, and headers that lie."""

from __future__ import annotations

import json
import os
import random
import stat
from pathlib import Path

import pytest
import safetensors.torch
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from dreamplate.errors import CheckpointError, ModelError, ResourceError
from dreamplate.models import load_state, save_state
from dreamplate.tensorfile import DTYPES, Limits, TensorFile, check_header, read_tensors, write_tensors


def same(left: torch.Tensor, right: torch.Tensor) -> bool:
    """Bit for bit, so that NaN equals itself and -0 does not equal 0."""
    raw = [tensor.contiguous().reshape(-1).view(torch.uint8) for tensor in (left, right)]
    return left.shape == right.shape and left.dtype == right.dtype and torch.equal(*raw)


def every_dtype() -> dict[str, torch.Tensor]:
    generator = torch.Generator().manual_seed(1)
    made = {}
    for code, (name, width) in DTYPES.items():
        raw = torch.randint(
            0, 2 if code == "BOOL" else 256, (6, width), generator=generator, dtype=torch.uint8
        )
        made[f"w.{code}"] = raw.view(getattr(torch, name)).reshape(2, 3)
    return made


STATES = {
    "dtypes": every_dtype(),
    "shapes": {"scalar": torch.tensor(2.5), "none": torch.empty(0, 3), "one": torch.ones(1, 1, 1)},
    "views": {
        "turned": torch.arange(20.0).reshape(4, 5).t(),
        "last": torch.arange(120.0).reshape(2, 3, 4, 5).contiguous(memory_format=torch.channels_last),
        "slice": torch.arange(20)[3:18:4],
        "wide": torch.arange(3.0).expand(4, 3),
        "conjugate": torch.tensor([1 + 2j, 3 - 4j]).conj(),
        "negative": torch.tensor([1 + 2j, 3 - 4j]).conj().imag,
    },
    "names": {"é": torch.ones(1), "a b": torch.zeros(1), "x" * 300: torch.ones(2), "日本": torch.ones(3)},
    "nothing": {},
}


@pytest.mark.parametrize("case", STATES)
def test_round_trip(case: str, tmp_path: Path) -> None:
    path = tmp_path / "w.safetensors"
    write_tensors(path, STATES[case], {"note": "ü", "empty": ""})
    read, notes = read_tensors(path)
    assert notes == {"note": "ü", "empty": ""}
    assert set(read) == set(STATES[case])
    for name, tensor in STATES[case].items():
        assert same(read[name], tensor.resolve_conj().resolve_neg()), name
        read[name].zero_()  # its memory is its own and writable


@pytest.mark.parametrize("case", ["dtypes", "shapes", "names"])
def test_the_common_library_agrees(case: str, tmp_path: Path) -> None:
    ours, theirs = tmp_path / "ours.safetensors", tmp_path / "theirs.safetensors"
    write_tensors(ours, STATES[case])
    safetensors.torch.save_file(STATES[case], theirs, {"format": "pt"})
    read_by_theirs, read_by_ours = safetensors.torch.load_file(ours), load_state(theirs)
    for name, tensor in STATES[case].items():
        assert same(read_by_theirs[name], tensor)
        assert same(read_by_ours[name], tensor)


@given(order=st.permutations(list(STATES["dtypes"])))
@settings(max_examples=20, deadline=None)
def test_equal_contents_give_equal_bytes(order: list[str], tmp_path_factory: pytest.TempPathFactory) -> None:
    folder = tmp_path_factory.mktemp("order")
    state, notes = STATES["dtypes"], {"b": "1", "a": "2"}
    save_state(folder / "a", state, notes)
    save_state(folder / "b", {name: state[name].clone() for name in order}, dict(reversed(notes.items())))
    assert (folder / "a").read_bytes() == (folder / "b").read_bytes()


def test_every_tensor_is_aligned(tmp_path: Path) -> None:
    path = tmp_path / "w.safetensors"
    save_state(path, STATES["dtypes"] | STATES["names"])
    header = check_header(path)
    for info in header.tensors.values():
        assert (header.data_start + info.start) % DTYPES[info.dtype][1] == 0


def test_reading_one_tensor_reads_no_other(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "w.safetensors"
    save_state(path, {"big": torch.zeros(1 << 20), "small": torch.ones(4)})
    with TensorFile(path) as file:
        assert list(file) == ["big", "small"]
        os.truncate(path, file.header.data_start + 16)  # "big" is gone, and nobody has noticed
        with pytest.raises(CheckpointError, match="'small' ends after"):
            file["small"]
        with pytest.raises(CheckpointError, match="'big' ends after 16"):
            file["big"]
        with pytest.raises(CheckpointError, match="no tensor 'other'; it holds big, small"):
            file["other"]


def test_header_alone_is_read(tmp_path: Path) -> None:
    path = tmp_path / "w.safetensors"
    save_state(path, {"w": torch.zeros(2, 3), "b": torch.zeros(5)}, {"note": "x"})
    header = check_header(path)
    assert header.parameters == 11
    assert header.total_bytes == 44
    assert header.tensors["w"].shape == (2, 3)
    assert header.metadata == {"note": "x"}


@pytest.mark.parametrize(
    ("tensor", "words"),
    [
        (torch.zeros(2, dtype=torch.complex128), "complex128"),
        (torch.zeros(2, 2).to_sparse(), "sparse"),
        (torch.zeros(2, device="meta"), "meta"),
    ],
)
def test_what_cannot_be_held_is_named(tensor: torch.Tensor, words: str, tmp_path: Path) -> None:
    with pytest.raises(ModelError, match=rf"tensor 'net\.w' is .*{words}"):
        save_state(tmp_path / "w", {"net.w": tensor})
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("name", ["", "__metadata__", "half\ud800"])
def test_names_that_cannot_be_written(name: str, tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="tensor name"):
        save_state(tmp_path / "w", {name: torch.ones(1)})


def test_a_failed_write_leaves_the_old_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "w.safetensors"
    save_state(path, {"w": torch.ones(3)})
    before = path.read_bytes()

    def full(descriptor: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(ResourceError, match=str(path)):
        save_state(path, {"w": torch.zeros(300)})
    assert path.read_bytes() == before
    assert list(tmp_path.iterdir()) == [path]


def made(header: object, data: bytes = b"", length: int | None = None) -> bytes:
    text = header if isinstance(header, bytes) else json.dumps(header).encode()
    return (len(text) if length is None else length).to_bytes(8, "little") + text + data


def entry(dtype: object = "F32", shape: object = (2,), offsets: object = (0, 8)) -> dict[str, object]:
    return {"dtype": dtype, "shape": shape, "data_offsets": offsets}


EIGHT = bytes(8)
LIES: dict[str, tuple[bytes, str]] = {
    "empty": (b"", "0 bytes"),
    "short": (b"\x00" * 7, "7 bytes"),
    "length 0": (made(b"", EIGHT), "header length 0"),
    "length beyond the file": (made(b"{}", length=100), "header length 100"),
    "length 2**63": (made(b"{}", length=2**63), "header length"),
    "not JSON": (made(b"{dtype}", EIGHT), "not valid JSON"),
    "not UTF-8": (made(b'{"\xff": 1}', EIGHT), "not valid JSON"),
    "half a surrogate": (made(b'{"\\ud800": 1}', EIGHT), "not valid JSON"),
    "not an object": (made([], EIGHT), "not a JSON object"),
    "NaN": (made(b'{"w": NaN}', EIGHT), "NaN"),
    "endless brackets": (made(b"[" * 100_000, EIGHT), "not valid JSON"),
    "endless digits": (made(b'{"w": ' + b"9" * 10_000 + b"}", EIGHT), "not valid JSON"),
    "name twice": (made(b'{"w": 1, "w": 2}', EIGHT), "occurs twice"),
    "notes that are numbers": (made({"__metadata__": {"a": 1}}), "notes"),
    "notes that are a list": (made({"__metadata__": []}), "notes"),
    "entry of another form": (made({"w": 3}, EIGHT), "'w'.*entry"),
    "entry with more fields": (made({"w": entry() | {"code": "x"}}, EIGHT), "'w'.*entry"),
    "name empty": (made({"": entry()}, EIGHT), "''.*entry"),
    "unknown dtype": (made({"w": entry("F128")}, EIGHT), "'w'.*F128"),
    "dtype that is a list": (made({"w": entry(["F32"])}, EIGHT), "'w'.*dtype"),
    "negative size": (made({"w": entry(shape=[-2])}, EIGHT), "'w'.*shape"),
    "fractional size": (made({"w": entry(shape=[2.0])}, EIGHT), "'w'.*shape"),
    "true as size": (made({"w": entry(shape=[True, 2])}, EIGHT), "'w'.*shape"),
    "size 2**63": (made({"w": entry(shape=[2**63])}, EIGHT), "'w'.*shape"),
    "a hundred axes": (made({"w": entry(shape=[1] * 100, offsets=[0, 4])}, EIGHT), "'w'.*shape"),
    "shape larger than range": (made({"w": entry(shape=[3])}, EIGHT), "'w'.*needs 12 bytes"),
    "shape that overflows": (made({"w": entry(shape=[2**40, 2**40])}, EIGHT), "'w'.*needs"),
    "shape smaller than range": (made({"w": entry(shape=[1])}, EIGHT), "'w'.*needs 4 bytes"),
    "one offset": (made({"w": entry(offsets=[0])}, EIGHT), "'w'.*data_offsets"),
    "offsets reversed": (made({"w": entry(offsets=[8, 0])}, EIGHT), "'w'.*data_offsets"),
    "offsets negative": (made({"w": entry(offsets=[-8, 0])}, EIGHT), "'w'.*data_offsets"),
    "data cut short": (made({"w": entry()}, EIGHT[:5]), "'w' ends at byte 8 of 5"),
    "data missing": (made({"w": entry(shape=[10**12], offsets=[0, 4 * 10**12])}), "cut short"),
    "data left over": (made({"w": entry()}, EIGHT + b"x"), "1 bytes follow"),
    "gap at the start": (made({"w": entry(offsets=[8, 16])}, EIGHT * 2), "'w'.*gap"),
    "overlap": (made({"v": entry(), "w": entry()}, EIGHT), "overlaps"),
    "overlap in part": (made({"v": entry(), "w": entry(offsets=[4, 12])}, EIGHT * 2), "overlaps"),
    "bool of 2": (made({"w": entry("BOOL", [1], [0, 1])}, b"\x02"), "'w' claims BOOL"),
    "pickle": (b"\x80\x02}q\x00." + EIGHT * 2, "pickle.*models import"),
    "zip": (b"PK\x03\x04" + EIGHT * 2, "zip archive.*models import"),
    "numpy": (b"\x93NUMPY" + EIGHT * 2, "numpy array"),
    "header above the limit": (made(b"{}" + b" " * (17 << 20)), "the limit is 16,777,216"),
}


@pytest.mark.parametrize("case", LIES)
def test_lies_are_refused(case: str, tmp_path: Path) -> None:
    data, words = LIES[case]
    path = tmp_path / "w.safetensors"
    path.write_bytes(data)
    with pytest.raises(CheckpointError, match=words) as caught:
        read_tensors(path)
    message = str(caught.value)
    assert message.startswith(str(path))
    assert "\n" not in message
    assert len(message) < len(str(path)) + 400


@pytest.mark.parametrize(
    ("limits", "words"),
    [
        (Limits(tensors=1), "2 tensors"),
        (Limits(total_bytes=31), "32 bytes"),
        (Limits(header_bytes=8), "takes"),
    ],
)
def test_limits(limits: Limits, words: str, tmp_path: Path) -> None:
    path = tmp_path / "w.safetensors"
    save_state(path, {"a": torch.zeros(4), "b": torch.zeros(4)})
    assert len(load_state(path, limits=Limits(tensors=2, total_bytes=32))) == 2
    with pytest.raises(CheckpointError, match=words):
        load_state(path, limits=limits)


def test_absent_folders_and_pipes(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="no such file"):
        check_header(tmp_path / "absent")
    with pytest.raises(ModelError, match="not a file"):
        check_header(tmp_path)
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    assert stat.S_ISFIFO(pipe.stat().st_mode)
    with pytest.raises(ModelError, match="not a file"):
        check_header(pipe)
    with pytest.raises(ModelError, match="cannot be opened"):
        check_header("w\0x")


def test_random_bytes_are_never_believed(tmp_path: Path) -> None:
    rng = random.Random(5)
    path = tmp_path / "w"
    for _ in range(200):
        path.write_bytes(rng.randbytes(rng.randrange(200)))
        with pytest.raises(CheckpointError):
            check_header(path)
