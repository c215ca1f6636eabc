"""Laws of atomic writing: the old file or the whole new one, whatever goes wrong."""

from __future__ import annotations

import errno
import hashlib
import os
import signal
import stat
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

from dreamplate.errors import MediaError, ResourceError, TakeError
from dreamplate.files import atomic_path, atomic_write, free_space, raise_os_error, sha256, write_bytes_atomic


def names(folder: Path) -> list[str]:
    return [p.name for p in folder.iterdir()]


def leftovers(folder: Path) -> list[str]:
    return [p.name for p in folder.iterdir() if p.name.endswith(".tmp")]


@pytest.mark.parametrize("data", [b"", b"x", b"new" * 100_000])
def test_writes_what_it_was_given(tmp_path: Path, data: bytes) -> None:
    path = tmp_path / "a.bin"
    for _ in range(2):  # new, then replacing
        write_bytes_atomic(path, data)
        assert path.read_bytes() == data
        assert sha256(path) == hashlib.sha256(data).hexdigest()
        assert names(tmp_path) == ["a.bin"]


@pytest.mark.parametrize("error", [ValueError("no"), KeyboardInterrupt(), OSError(errno.EIO, "broken")])
def test_an_error_in_the_block_keeps_the_old_file(tmp_path: Path, error: BaseException) -> None:
    path = tmp_path / "a.bin"
    path.write_bytes(b"old")
    expected = MediaError if isinstance(error, OSError) else type(error)
    with pytest.raises(expected), atomic_write(path) as file:
        file.write(b"half of the new")
        raise error
    assert path.read_bytes() == b"old"
    assert names(tmp_path) == ["a.bin"]


def test_nothing_is_visible_before_the_end(tmp_path: Path) -> None:
    path = tmp_path / "a.bin"
    with atomic_write(path) as file:
        file.write(b"x")
        assert not path.exists()
        assert [n[:7] for n in leftovers(tmp_path)] == [".a.bin."]
    assert path.read_bytes() == b"x"


def test_keeps_permissions_and_links(tmp_path: Path) -> None:
    path, link = tmp_path / "a.bin", tmp_path / "link"
    path.write_bytes(b"old")
    path.chmod(0o640)
    link.symlink_to(path)
    write_bytes_atomic(link, b"new")
    assert link.is_symlink()
    assert path.read_bytes() == b"new"
    assert stat.S_IMODE(path.stat().st_mode) == 0o640


def test_new_files_obey_the_umask(tmp_path: Path) -> None:
    old = os.umask(0o027)
    try:
        write_bytes_atomic(tmp_path / "a", b"")
    finally:
        os.umask(old)
    assert stat.S_IMODE((tmp_path / "a").stat().st_mode) == 0o640


def test_the_suffix_is_for_the_temporary_file_only(tmp_path: Path) -> None:
    with atomic_path(tmp_path / "a.mp4", suffix=".mp4") as temporary:
        assert temporary.suffix == ".mp4"
        assert temporary.parent == tmp_path
        temporary.write_bytes(b"x")
    assert names(tmp_path) == ["a.mp4"]


@pytest.mark.parametrize("place", ["missing/a.bin", ".", "file/a.bin", "n" * 300])
def test_unwritable_places_are_one_line_of_the_callers_family(tmp_path: Path, place: str) -> None:
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(TakeError) as caught:
        write_bytes_atomic(tmp_path / place, b"x", family=TakeError)
    assert str(tmp_path / place) in str(caught.value)
    assert "\n" not in str(caught.value)
    assert leftovers(tmp_path) == []


def test_a_name_of_the_longest_length_works(tmp_path: Path) -> None:
    path = tmp_path / ("n" * 255)
    write_bytes_atomic(path, b"x")
    assert path.read_bytes() == b"x"


@pytest.mark.parametrize("code", [errno.ENOSPC, errno.EDQUOT, errno.EFBIG])
def test_a_full_disk_is_a_resource_error_in_any_family(tmp_path: Path, code: int) -> None:
    with pytest.raises(ResourceError, match=r"a\.bin"):
        raise_os_error(OSError(code, os.strerror(code)), tmp_path / "a.bin", TakeError)


def test_missing_files_are_named(tmp_path: Path) -> None:
    with pytest.raises(MediaError, match=r"none\.bin"):
        sha256(tmp_path / "none.bin")
    with pytest.raises(TakeError, match=r"none\.bin"):
        sha256(tmp_path / "none.bin", family=TakeError)


def test_free_space_of_a_file_that_is_not_there_yet(tmp_path: Path) -> None:
    assert free_space(tmp_path / "no" / "such" / "file") > 0


def run(code: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", textwrap.dedent(code), *arguments], capture_output=True, text=True, check=False
    )


@pytest.mark.parametrize("size", [10, 100_000])
def test_a_size_limit_is_reported_and_the_old_file_stays(tmp_path: Path, size: int) -> None:
    # A small write sits in Python's buffer until the flush, a large one fails at once.
    path = tmp_path / "a.bin"
    path.write_bytes(b"old")
    code = """
        import resource, sys
        from dreamplate.errors import ResourceError
        from dreamplate.files import write_bytes_atomic
        resource.setrlimit(resource.RLIMIT_FSIZE, (5, 5))
        try:
            write_bytes_atomic(sys.argv[1], b"x" * int(sys.argv[2]))
        except ResourceError as error:
            print(error)
    """
    done = run(code, str(path), str(size))
    assert str(path) in done.stdout, done.stderr
    assert path.read_bytes() == b"old"
    assert names(tmp_path) == ["a.bin"]


def test_a_full_disk_keeps_the_old_file(tmp_path: Path) -> None:
    disk = tmp_path / "disk"
    disk.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=64k", "tmpfs", str(disk)], capture_output=True, check=False
    )
    if mounted.returncode:
        pytest.skip("mounting a small disk needs root")
    try:
        path = disk / "a.bin"
        write_bytes_atomic(path, b"old")
        with pytest.raises(ResourceError, match=r"a\.bin"):
            write_bytes_atomic(path, b"x" * 200_000)
        assert path.read_bytes() == b"old"
        assert names(disk) == ["a.bin"]
        write_bytes_atomic(path, b"room again")
        assert path.read_bytes() == b"room again"
    finally:
        subprocess.run(["umount", str(disk)], check=True)


def test_a_kill_in_the_middle_keeps_the_old_file(tmp_path: Path) -> None:
    path = tmp_path / "a.bin"
    path.write_bytes(b"old")
    code = """
        import os, signal, sys
        from dreamplate.files import atomic_write
        with atomic_write(sys.argv[1]) as file:
            file.write(b"x" * 1_000_000)
            os.kill(os.getpid(), signal.SIGKILL)
    """
    assert run(code, str(path)).returncode == -signal.SIGKILL
    assert path.read_bytes() == b"old"
