"""Files that lie, end early or are something else: one line each, and no memory spent on claims."""

from __future__ import annotations

import json
import os
import signal
import struct
import subprocess
import sys
import textwrap
import zlib
from pathlib import Path

import numpy as np
import pytest

from dreamplate.errors import ConfigError, MediaError, MediaLimitError, ResourceError
from dreamplate.plate import Limits, Plate, VideoReader, VideoWriter, info, open_plate, read, write

KINDS = ("exr", "png", "tif", "jpg", "dpx", "hdr")
VIDEOS = ("mp4", "mov", "mkv")


def plate(height: int = 40, width: int = 60) -> Plate:
    pixels = np.random.default_rng(1).random((height, width, 3), dtype=np.float32)
    return Plate(pixels, colourspace="srgb_display")


def sound(path: Path) -> None:
    if path.suffix[1:] in VIDEOS:
        with VideoWriter(path) as video:
            for _ in range(8):
                video.write(plate())
    else:
        write(plate(), path)


def read_any(path: Path) -> None:
    if path.suffix[1:] in VIDEOS:
        with VideoReader(path) as video:
            list(video)
    else:
        read(path)


def one_line(error: BaseException, path: Path) -> str:
    text = str(error)
    assert "\n" not in text
    assert str(path) in text
    return text


@pytest.mark.parametrize("kind", (*KINDS, *VIDEOS))
def test_missing_empty_folder_and_nonsense(tmp_path: Path, kind: str) -> None:
    cases = {
        "missing": "No such file",
        "empty": "0 bytes",
        "folder": "folder|not a regular",
        "nonsense": "not a|cannot read",
    }
    (tmp_path / f"empty.{kind}").write_bytes(b"")
    (tmp_path / f"folder.{kind}").mkdir()
    (tmp_path / f"nonsense.{kind}").write_bytes(b"this is only text " * 100)
    for name, words in cases.items():
        path = tmp_path / f"{name}.{kind}"
        for function in (read_any, info):
            with pytest.raises(MediaError, match=words) as caught:
                function(path)
            one_line(caught.value, path)


def test_a_pipe_is_not_waited_for(tmp_path: Path) -> None:
    for kind in ("png", "mp4"):
        os.mkfifo(tmp_path / f"a.{kind}")
        with pytest.raises(MediaError, match="regular"):
            read_any(tmp_path / f"a.{kind}")


@pytest.mark.parametrize("name", ["a.xyz", "a", "a\0.png", "a\0.mp4"])
def test_names_that_are_no_picture(tmp_path: Path, name: str) -> None:
    for function in (read, info, lambda p: write(plate(), p)):
        with pytest.raises(MediaError) as caught:
            function(tmp_path / name)
        assert "\n" not in str(caught.value)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("named", KINDS)
def test_a_wrong_extension_is_told_with_the_right_one(tmp_path: Path, kind: str, named: str) -> None:
    if kind == named:
        pytest.skip("the right one")
    sound(tmp_path / f"a.{kind}")
    path = (tmp_path / f"a.{kind}").rename(tmp_path / f"b.{named}")
    with pytest.raises(MediaError, match=rf"rename it to b\.{kind}"):
        read(path)


@pytest.mark.parametrize("kind", (*KINDS, *VIDEOS))
def test_cut_files_are_refused(tmp_path: Path, kind: str) -> None:
    path = tmp_path / f"a.{kind}"
    sound(path)
    data = path.read_bytes()
    # Our note is at the end of some formats; a file cut in the picture must not read as whole.
    for share in (0.02, 0.3, 0.6):
        path.write_bytes(data[: int(len(data) * share)])
        if kind in ("mkv", "hdr", "dpx") and share > 0.02:
            # These have neither table nor checksum: what is there may be read, but nothing else escapes.
            try:
                read_any(path)
            except MediaError as error:
                one_line(error, path)
            continue
        with pytest.raises(MediaError) as caught:
            read_any(path)
        one_line(caught.value, path)


def png_header(width: int, height: int) -> bytes:
    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    rows = zlib.compress(bytes(1 << 20), 9)
    head = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", rows) + chunk(b"IEND", b"")


def lying(folder: Path, kind: str, width: int, height: int) -> Path:
    """Write a small file whose header claims another size."""
    path = folder / f"{kind}.{kind}"
    if kind == "png":
        path.write_bytes(png_header(width, height))
        return path
    write(plate(), path)
    data = bytearray(path.read_bytes())
    if kind == "exr":
        for name in (b"dataWindow\0box2i\0", b"displayWindow\0box2i\0"):
            at = data.index(name) + len(name) + 4
            data[at : at + 16] = struct.pack("<iiii", 0, 0, width - 1, height - 1)
    elif kind == "tif":
        order = "<" if data[:2] == b"II" else ">"
        (ifd,) = struct.unpack_from(order + "I", data, 4)
        (count,) = struct.unpack_from(order + "H", data, ifd)
        for entry in range(ifd + 2, ifd + 2 + 12 * count, 12):
            (tag,) = struct.unpack_from(order + "H", data, entry)
            if tag in (256, 257):
                struct.pack_into(order + "HII", data, entry + 2, 4, 1, width if tag == 256 else height)
    elif kind == "jpg":
        at = data.index(b"\xff\xc0")
        struct.pack_into(">HH", data, at + 5, min(height, 65500), min(width, 65500))
    elif kind == "dpx":
        struct.pack_into(">II", data, 772, width, height) if data[:4] == b"SDPX" else struct.pack_into(
            "<II", data, 772, width, height
        )
    elif kind == "hdr":
        at = data.index(b"-Y 40 +X 60")
        data[at : at + 11] = f"-Y {height} +X {width}".encode()
    path.write_bytes(data)
    return path


MEASURE = """
    import json, sys, time
    from pathlib import Path
    from dreamplate.errors import MediaError
    from dreamplate.plate import Plate, info, read
    def peak():
        return int(Path("/proc/self/status").read_text().split("VmHWM:")[1].split()[0]) / 1024
    info(sys.argv[1])  # a sound file of the kind: loads the libraries
    read(sys.argv[1])
    rows = []
    for path in sys.argv[2:]:
        before, start = peak(), time.process_time()
        try:
            read(path)
            said = ""
        except MediaError as error:
            said = f"{type(error).__name__} {error}"
        rows.append([path, said, time.process_time() - start, peak() - before])
    print(json.dumps(rows))
"""


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="needs /proc to see peak memory")
@pytest.mark.parametrize("kind", KINDS)
def test_bombs_cost_nothing(tmp_path: Path, kind: str) -> None:
    good = tmp_path / f"good.{kind}"
    write(plate(), good)
    # 16,000 squared is below the limit, and not in the file either. 400 megapixels are above the limit; with
    # zeros behind it, the file is not suspiciously small for that.
    bombs = [lying(tmp_path, kind, 16_000, 16_000).rename(tmp_path / f"large.{kind}")]
    bombs.append(lying(tmp_path, kind, 20_000, 20_000).rename(tmp_path / f"huge.{kind}"))
    with bombs[1].open("ab") as file:
        file.write(bytes(1 << 23) + b"\xff\xd9")
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(MEASURE), str(good), *map(str, bombs)],
        capture_output=True,
        text=True,
        check=True,
    )
    for path, said, seconds, grown in json.loads(done.stdout):
        assert path in said, "it was read"
        if "huge" in path:
            assert said.startswith("MediaLimitError")
            assert "DREAMPLATE_MAX_PIXELS=400000000" in said
        assert seconds < 0.5, said
        assert grown < 100, (said, grown)
    assert done.stderr == ""


def test_limits() -> None:
    limits = Limits(pixels=100, channels=3, bytes=1000)
    limits.check("a", 10, 10, 2)
    for claim, words in (((101, 1, 1), "100 pixels"), ((1, 1, 4), "more than 3;"), ((10, 10, 3), "GiB")):
        with pytest.raises(MediaLimitError, match=words):
            limits.check("a", *claim)


@pytest.mark.parametrize("kind", KINDS)
def test_limits_apply_to_what_is_read(tmp_path: Path, kind: str) -> None:
    path = tmp_path / f"a.{kind}"
    sound(path)
    with pytest.raises(MediaLimitError, match="60x40"):
        read(path, limits=Limits(pixels=60 * 40 - 1))
    assert read(path, limits=Limits(pixels=60 * 40)).width == 60
    with pytest.raises(MediaLimitError, match="channels"):
        read(path, limits=Limits(channels=2))
    need = 60 * 40 * 3 * 4
    with pytest.raises(MediaLimitError, match="GiB"):
        read(path, limits=Limits(bytes=need - 1))
    with open_plate(path, limits=Limits(bytes=need - 1)) as reader:
        assert reader.read(rows=(0, 20)).height == 20


def test_the_limit_of_the_environment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    sound(tmp_path / "a.png")
    monkeypatch.setenv("DREAMPLATE_MAX_PIXELS", "2399")
    with pytest.raises(MediaLimitError, match="DREAMPLATE_MAX_PIXELS=2400"):
        read(tmp_path / "a.png")
    monkeypatch.setenv("DREAMPLATE_MAX_PIXELS", "2400")
    assert read(tmp_path / "a.png").height == 40
    for text in ("0", "-1", "many", "1e9", "²"):
        monkeypatch.setenv("DREAMPLATE_MAX_PIXELS", text)
        with pytest.raises(ConfigError, match="DREAMPLATE_MAX_PIXELS"):
            read(tmp_path / "a.png")


def test_mp4_tables_that_claim_more_than_they_hold(tmp_path: Path) -> None:
    path = tmp_path / "a.mp4"
    sound(path)
    data = path.read_bytes()
    for table, offset in ((b"stsz", 12), (b"stts", 8), (b"stco", 8), (b"stsc", 8)):
        at = data.index(table)
        bad = bytearray(data)
        bad[at + offset : at + offset + 4] = struct.pack(">I", 900_000)
        path.write_bytes(bad)
        with pytest.raises(MediaError, match=f"{table.decode()}.*900000 entries") as caught:
            VideoReader(path)
        one_line(caught.value, path)
    at = data.index(b"trak")
    path.write_bytes(data[: at - 4] + struct.pack(">I", 1 << 30) + data[at:])
    with pytest.raises(MediaError, match="trak"):
        VideoReader(path)
    path.write_bytes(data)
    with pytest.raises(MediaLimitError, match="claims 8 frames"):
        VideoReader(path, limits=Limits(frames=7))


@pytest.mark.parametrize(
    "note", ["[]", "{", "9" * 5000, '{"data_window":[0,0,1,1],"display_window":[0,0,0,0]}', "[" * 100_000]
)
def test_a_forged_note_is_left_out(tmp_path: Path, note: str) -> None:
    from dreamplate.plate.note import read_note

    assert read_note(note, 1, 1) == read_note(None, 1, 1)
    forged = '{"colourspace":7,"metadata":{"a":[],"b":null,"c":"x\\u0000","d":[true],"e":{},"f":1}}'
    found = read_note(forged, 1, 1)
    assert (found.colourspace, dict(found.metadata)) == (None, {"f": 1})


def write_any(path: Path, size: int) -> None:
    picture = plate(size, size)
    if path.suffix[1:] in VIDEOS:
        with VideoWriter(path, crf=0) as video:
            for _ in range(3):
                video.write(picture)
    else:
        write(picture, path)


@pytest.mark.parametrize("kind", (*KINDS, *VIDEOS))
def test_a_full_disk_keeps_the_old_picture(tmp_path: Path, kind: str) -> None:
    disk = tmp_path / "disk"
    disk.mkdir()
    command = ["mount", "-t", "tmpfs", "-o", "size=400k", "tmpfs", str(disk)]
    if subprocess.run(command, capture_output=True, check=False).returncode:
        pytest.skip("mounting a small disk needs root")
    try:
        path = disk / f"a.{kind}"
        write_any(path, 16)
        old = path.read_bytes()
        with pytest.raises(ResourceError) as caught:
            write_any(path, 720)
        one_line(caught.value, path)
        assert path.read_bytes() == old
        assert [p.name for p in disk.iterdir()] == [path.name]
        write_any(path, 32)
        read_any(path)
    finally:
        subprocess.run(["umount", str(disk)], check=True)


CHILD = """
    import os, resource, signal, sys
    import numpy as np
    from dreamplate.errors import ResourceError
    from dreamplate.plate import Plate, VideoWriter, write
    path, what = sys.argv[1:]
    pixels = np.random.default_rng(1).random((400, 400, 3), dtype=np.float32)
    plate = Plate(pixels, colourspace="srgb_display")
    if what == "limit":
        resource.setrlimit(resource.RLIMIT_FSIZE, (50_000, 50_000))
    else:
        # Killed at the last moment before the new file would take the old one's place.
        os.replace = lambda *a: os.kill(os.getpid(), signal.SIGKILL)
        os.fsync = lambda *a: os.kill(os.getpid(), signal.SIGKILL)
    try:
        if path.endswith(("mp4", "mov", "mkv")):
            with VideoWriter(path, crf=0) as video:
                for _ in range(3):
                    video.write(plate)
        else:
            write(plate, path)
    except ResourceError as error:
        print(error)
"""


@pytest.mark.parametrize("kind", (*KINDS, "mp4", "mkv"))
@pytest.mark.parametrize("what", ["limit", "kill"])
def test_a_limit_or_a_kill_keeps_the_old_picture(tmp_path: Path, kind: str, what: str) -> None:
    path = tmp_path / f"a.{kind}"
    sound(path)
    old = path.read_bytes()
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(CHILD), str(path), what],
        capture_output=True,
        text=True,
        check=False,
    )
    assert path.read_bytes() == old
    read_any(path)
    if what == "limit":
        assert (done.returncode, done.stderr) == (0, "")
        assert str(path) in done.stdout
        assert [p.name for p in tmp_path.iterdir()] == [path.name]
    else:
        assert done.returncode == -signal.SIGKILL
