"""Frame ranges and patterns: parse, format, find, read, write."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dreamplate.errors import ConfigError, MediaError
from dreamplate.plate import Plate, Sequence, VideoReader, VideoWriter, open_sequence, parse_frames
from dreamplate.plate.frames import format_frames


def flat(value: float) -> Plate:
    return Plate(np.full((3, 5, 3), value, np.float32))


@pytest.mark.parametrize(
    ("text", "frames"),
    [
        ("7", (7,)),
        ("1-3", (1, 2, 3)),
        ("1001-1010x3", (1001, 1004, 1007, 1010)),
        ("1-10x4", (1, 5, 9)),
        ("3-1", (3, 2, 1)),
        ("9-1x-4", (9, 5, 1)),
        ("-5--3", (-5, -4, -3)),
        ("-1-1", (-1, 0, 1)),
        ("1,5,9", (1, 5, 9)),
        ("1-3,2-5", (1, 2, 3, 4, 5)),
        ("10, 1-2", (10, 1, 2)),
        ("4-4", (4,)),
    ],
)
def test_ranges(text: str, frames: tuple[int, ...]) -> None:
    assert parse_frames(text) == frames


@pytest.mark.parametrize(
    "text", ["", "a", "1-", "-", "1-5x0", "1-5x-1", "5-1x1", "1,,2", "1..5", "1-2-3", "9" * 100, "1x2"]
)
def test_ranges_that_say_nothing(text: str) -> None:
    with pytest.raises(ConfigError, match="frames") as caught:
        parse_frames(text)
    assert "\n" not in str(caught.value)


def test_a_range_without_end_is_refused() -> None:
    with pytest.raises(MediaError, match="1000000 frames"):
        parse_frames("1-999999999999999999")
    with pytest.raises(MediaError, match="more than 5"):
        parse_frames("1-3,11-13", limit=5)


@given(st.lists(st.integers(-50, 2000), min_size=1, max_size=40, unique=True))
def test_format_is_the_inverse_of_parse(frames: list[int]) -> None:
    assert parse_frames(format_frames(tuple(frames))) == tuple(frames)


@given(st.integers(-500, 500), st.integers(1, 30), st.integers(-9, 9).filter(bool))
def test_regular_ranges_format_short(first: int, count: int, step: int) -> None:
    frames = tuple(range(first, first + step * count, step))
    assert parse_frames(format_frames(frames)) == frames
    if count > 2 or (count == 2 and abs(step) == 1):
        assert "," not in format_frames(frames)


@pytest.mark.parametrize(
    ("pattern", "frame", "name"),
    [
        ("shot.####.exr", 7, "shot.0007.exr"),
        ("shot.####.exr", 12345, "shot.12345.exr"),
        ("shot.####.exr", -7, "shot.-0007.exr"),
        ("shot.@@@.exr", 7, "shot.007.exr"),
        ("shot.%04d.exr", 7, "shot.0007.exr"),
        ("shot.%d.exr", 7, "shot.7.exr"),
        ("shot#.png", 7, "shot7.png"),
        ("a b.##.png", 7, "a b.07.png"),
        ("100%_##.png", 7, "100%_07.png"),
    ],
)
def test_patterns(pattern: str, frame: int, name: str) -> None:
    sequence = Sequence.parse(f"dir/{pattern}", (frame,))
    assert sequence.path(frame) == Path("dir") / name
    assert Sequence.parse(f"dir/{pattern} {frame}").path(frame) == sequence.path(frame)
    assert Sequence.parse(str(sequence)) == sequence


@pytest.mark.parametrize(
    "pattern", ["shot.exr", "shot.####.v##.exr", "####/shot.exr", "shot.%030d.exr", "shot.%s.exr"]
)
def test_patterns_that_say_nothing(pattern: str) -> None:
    with pytest.raises(ConfigError, match="sequence"):
        Sequence.parse(pattern, "1-2")
    with pytest.raises(ConfigError, match="hold"):
        Sequence.parse("a.##.exr", "1-2", missing="skip")


def test_writing_finding_and_reading(tmp_path: Path) -> None:
    pattern = f"{tmp_path}/new folder/shot.####.exr"
    written = Sequence.parse(pattern, "-2-6x2", offset=1000)
    for frame in written.frames:
        assert written.write(frame, flat(frame)).name == f"shot.{frame + 1000:04d}.exr"
    # Neighbours that are no frames of it.
    for name in ("shot.7.exr", "shot.01000.exr", "shot.1000.png", "shot.1000.exr.bak", "xshot.1000.exr"):
        (tmp_path / "new folder" / name).write_bytes(b"")
    found = Sequence.parse(pattern, offset=1000)
    assert found.frames == written.frames == (-2, 0, 2, 4, 6)
    assert len(found) == 5
    assert [(frame, plate.pixels.max()) for frame, plate in found] == [(f, f) for f in found.frames]
    backwards = Sequence.parse(pattern, "1006-998x-2")
    assert [frame for frame, _ in backwards] == [1006, 1004, 1002, 1000, 998]
    with pytest.raises(MediaError, match="no such files"):
        Sequence.parse(f"{tmp_path}/none.####.exr")
    with pytest.raises(MediaError, match="nowhere"):
        Sequence.parse(f"{tmp_path}/nowhere/none.####.exr")
    with pytest.raises(MediaError, match="frame 1 is not in"):
        found.read(1)


def test_missing_frames(tmp_path: Path) -> None:
    pattern = f"{tmp_path}/a.##.exr"
    for frame in (2, 3, 6):
        Sequence.parse(pattern, (frame,)).write(frame, flat(frame))
    strict = Sequence.parse(pattern, "1-7")
    assert strict.absent() == (1, 4, 5, 7)
    assert strict.read(3).pixels.max() == 3
    with pytest.raises(MediaError, match=r"a\.04\.exr: frame 4 .*missing") as caught:
        strict.read(4)
    assert "\n" not in str(caught.value)
    hold = Sequence.parse(pattern, "2-7", missing="hold")
    assert [plate.pixels.max() for _, plate in hold] == [2, 3, 3, 3, 6, 6]
    with pytest.raises(MediaError, match="frame 1"):
        Sequence.parse(pattern, "1-7", missing="hold").read(1)
    # Backwards, "before" is the frame that was shown before.
    reverse = Sequence.parse(pattern, "6-4", missing="hold")
    assert [plate.pixels.max() for _, plate in reverse] == [6, 6, 6]
    black = Sequence.parse(pattern, "1-7", missing="black")
    assert [plate.pixels.max() for _, plate in black] == [0, 2, 3, 0, 0, 6, 0]
    assert black.read(1).pixels.shape == (3, 5, 3)
    with pytest.raises(MediaError, match="missing"):
        Sequence.parse(f"{tmp_path}/b.##.exr", "1-2", missing="black").read(1)


def test_one_door_for_files_and_video(tmp_path: Path) -> None:
    pattern, video = f"{tmp_path}/a.##.png", tmp_path / "a.mkv"
    plates = [flat(i / 8).with_(colourspace="srgb_display") for i in range(4)]
    with VideoWriter(video, depth="16") as writer:
        for frame, plate in enumerate(plates):
            Sequence.parse(pattern, (frame,)).write(frame, plate, depth="16")
            writer.write(plate)
    files, film = open_sequence(pattern), open_sequence(video)
    assert isinstance(files, Sequence)
    assert isinstance(film, VideoReader)
    with film:
        assert list(files.frames) == list(film.frames) == [0, 1, 2, 3]
        for (i, a), (j, b) in zip(files, film, strict=True):
            assert i == j
            assert np.array_equal(a.pixels, b.pixels)
            assert np.array_equal(files.read(i).pixels, film.read(i).pixels)
    with pytest.raises(ConfigError, match="has its own"):
        open_sequence(video, "1-2")
