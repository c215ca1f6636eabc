"""Video: lossless is exact, lossy is close, every frame is the one asked for, tags are set."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from dreamplate.errors import ConfigError, MediaError, MediaLimitError
from dreamplate.plate import Limits, Plate, VideoReader, VideoWriter, convert, info

KINDS: dict[str, tuple[str, dict[str, Any], float]] = {
    "h264": ("a.mp4", {}, 0.02),
    "h264 in mkv": ("a.mkv", {"codec": "h264"}, 0.02),
    "prores": ("a.mov", {}, 0.01),
    "prores4444": ("a.mov", {"codec": "prores4444"}, 0.002),
    "prores4444 alpha": ("a.mov", {"codec": "prores4444", "alpha": True}, 0.002),
    "ffv1": ("a.mkv", {}, 0.51 / 255),
    "ffv1 alpha": ("a.mkv", {"alpha": True}, 1.01 / 255),
    "ffv1 16": ("a.mkv", {"depth": "16"}, 0.51 / 65535),
    "ffv1 16 alpha": ("a.mkv", {"depth": "16", "alpha": True}, 1.01 / 65535),
}
EXACT = [k for k in KINDS if k.startswith("ffv1")]


def frames(height: int, width: int, count: int, *, alpha: bool = False) -> list[Plate]:
    y, x = np.mgrid[0:height, 0:width].astype(np.float32)
    made = []
    for i in range(count):
        planes = [0.5 + 0.4 * np.sin(x * 0.08 + i * 0.5 + c) * np.cos(y * 0.08) for c in range(3)]
        pixels = np.stack(planes, axis=2).astype(np.float32)
        if alpha:
            cover = np.broadcast_to((x / width * 0.8 + 0.2)[:, :, None], (height, width, 1)).astype(
                np.float32
            )
            pixels = np.concatenate([pixels * cover, cover], axis=2)
        made.append(Plate(pixels, colourspace="srgb_display"))
    return made


def save(path: Path, plates: list[Plate], **options: Any) -> None:
    with VideoWriter(path, **options) as video:
        for plate in plates:
            video.write(plate)


@pytest.mark.parametrize("size", [(32, 48), (31, 47), (1, 1), (2, 130)], ids=str)
@pytest.mark.parametrize("kind", list(KINDS))
def test_round_trip(tmp_path: Path, kind: str, size: tuple[int, int]) -> None:
    name, options, mean = KINDS[kind]
    plates = frames(*size, 5, alpha=options.get("alpha", False))
    save(tmp_path / name, plates, **options)
    with VideoReader(tmp_path / name) as video:
        back = list(video)
    assert [number for number, _ in back] == [0, 1, 2, 3, 4]
    even = 2 if kind.split(maxsplit=1)[0] in ("h264", "prores") else 1
    for (_, found), plate in zip(back, plates, strict=True):
        assert found.colourspace == "srgb_display"
        assert found.channels == plate.channels
        assert found.height == -(-size[0] // even) * even
        assert found.width == -(-size[1] // even) * even
        cut = found.pixels[: size[0], : size[1]]
        error = np.abs(cut - plate.pixels)
        assert (error.max() if kind in EXACT else error.mean()) <= mean


@pytest.mark.parametrize("kind", EXACT)
def test_lossless_is_exact_after_the_first_rounding(tmp_path: Path, kind: str) -> None:
    name, options, _ = KINDS[kind]
    rng = np.random.default_rng(2)
    channels = 4 if options.get("alpha") else 3
    plates = []
    for _ in range(3):
        pixels = rng.random((7, 9, channels), dtype=np.float32)
        pixels[:, :, :3] *= pixels[:, :, 3:] if channels == 4 else 1
        plates.append(Plate(pixels, colourspace="srgb_display"))
    save(tmp_path / name, plates, **options)
    with VideoReader(tmp_path / name) as video:
        once = [plate for _, plate in video]
    save(tmp_path / f"again-{name}", once, **options)
    with VideoReader(tmp_path / f"again-{name}") as video:
        for (_, plate), before in zip(video, once, strict=True):
            assert np.array_equal(plate.pixels, before.pixels)


@pytest.mark.parametrize("name", ["a.mp4", "a.mov", "a.mkv"])
def test_every_frame_is_the_one_asked_for(tmp_path: Path, name: str) -> None:
    # Flat frames of rising grey, long enough for several groups of pictures with B-frames.
    values = np.linspace(0.05, 0.95, 40)
    plates = [Plate.from_rgb(np.full((16, 16, 3), v), "srgb_display") for v in values]
    save(tmp_path / name, plates, fps=25)
    with VideoReader(tmp_path / name) as video:
        assert len(video) == 40
        assert video.frames == range(40)
        for frame in (39, 0, 1, 2, 17, 16, 38, 5, 39):
            assert abs(video.read(frame).pixels.mean() - values[frame]) < 0.008, frame
        assert [n for n, _ in video] == list(range(40))  # and again from the start
        for frame in (40, -1):
            with pytest.raises(MediaError, match="it has 40"):
                video.read(frame)


@pytest.mark.parametrize("name", ["a.mp4", "a.mov"])
def test_tags_and_rate(tmp_path: Path, name: str) -> None:
    import av

    save(
        tmp_path / name,
        frames(16, 16, 3),
        fps=24000 / 1001,
        metadata={"dreamplate": '{"p":"' + "x" * 100_000 + '"}'},
    )
    with av.open(str(tmp_path / name)) as container:
        context = container.streams.video[0].codec_context
        assert (context.color_primaries, context.color_trc, context.colorspace, context.color_range) == (
            1,
            1,
            1,
            1,
        )
    about = info(tmp_path / name)
    assert about.video is not None
    assert abs(about.video.fps - 24000 / 1001) < 1e-9
    assert (about.video.frames, about.width, about.height) == (3, 16, 16)
    assert about.provenance is not None
    assert len(about.provenance) > 100_000


def test_matroska_keeps_the_provenance(tmp_path: Path) -> None:
    save(tmp_path / "a.mkv", frames(4, 4, 2), metadata={"dreamplate": "{}"})
    assert info(tmp_path / "a.mkv").provenance == "{}"


@pytest.mark.parametrize("kind", ["h264", "ffv1", "prores"])
def test_the_same_frames_make_the_same_bytes(tmp_path: Path, kind: str) -> None:
    name, options, _ = KINDS[kind]
    for folder in ("one", "two"):
        (tmp_path / folder).mkdir()
        save(tmp_path / folder / name, frames(32, 32, 4), **options)
    assert (tmp_path / "one" / name).read_bytes() == (tmp_path / "two" / name).read_bytes()


def test_primary_colours_come_back(tmp_path: Path) -> None:
    for colour in np.eye(3):
        plate = Plate.from_rgb(np.broadcast_to(colour, (16, 16, 3)), "srgb_display")
        save(tmp_path / "a.mp4", [plate], crf=1)
        with VideoReader(tmp_path / "a.mp4") as video:
            assert np.abs(video.read(0).pixels - plate.pixels).max() < 0.02


def test_plates_of_other_spaces_are_converted(tmp_path: Path) -> None:
    light = Plate(np.full((4, 4, 3), 0.18, np.float32))
    save(tmp_path / "a.mkv", [light], depth="16")
    with VideoReader(tmp_path / "a.mkv") as video:
        assert np.allclose(video.read(0).pixels, convert(light, "srgb_display").pixels, atol=1e-5)


def test_alpha_is_flattened_where_there_is_none(tmp_path: Path) -> None:
    plate = frames(8, 8, 1, alpha=True)[0]
    save(tmp_path / "a.mkv", [plate], depth="16")
    with VideoReader(tmp_path / "a.mkv") as video:
        assert np.allclose(video.read(0).pixels, plate.flatten().pixels, atol=1e-5)


@pytest.mark.parametrize(
    ("name", "options", "words"),
    [
        ("a.mp4", {"codec": "vp9"}, "h264"),
        ("a.mp4", {"codec": "ffv1"}, "mkv"),
        ("a.mp4", {"alpha": True}, "alpha"),
        ("a.mp4", {"depth": "16"}, "depth"),
        ("a.mp4", {"fps": 0}, "fps"),
        ("a.mp4", {"fps": float("nan")}, "fps"),
        ("a.mp4", {"crf": 52}, "crf"),
    ],
)
def test_options_that_do_not_fit(tmp_path: Path, name: str, options: dict[str, Any], words: str) -> None:
    with pytest.raises(ConfigError, match=words):
        VideoWriter(tmp_path / name, **options)


def test_a_failed_block_leaves_the_old_video(tmp_path: Path) -> None:
    path = tmp_path / "a.mp4"
    save(path, frames(16, 16, 2))
    old = path.read_bytes()
    bad = Plate(np.full((16, 16, 3), np.nan, np.float32), colourspace="srgb_display")
    for second, words in ((frames(8, 8, 1)[0], "all one size"), (bad, "NaN")):
        with pytest.raises(MediaError, match=words), VideoWriter(path) as video:
            video.write(frames(16, 16, 1)[0])
            video.write(second)
    with pytest.raises(KeyboardInterrupt), VideoWriter(path) as video:
        video.write(frames(16, 16, 1)[0])
        raise KeyboardInterrupt
    with pytest.raises(MediaError, match="no frames"), VideoWriter(path):
        pass
    with pytest.raises(MediaError, match="not open"):
        VideoWriter(path).write(frames(16, 16, 1)[0])
    with pytest.raises(MediaError, match="none"), VideoWriter(tmp_path / "none" / "a.mp4"):
        pass
    assert path.read_bytes() == old
    assert [p.name for p in tmp_path.iterdir()] == ["a.mp4"]


def test_limits(tmp_path: Path) -> None:
    save(tmp_path / "a.mkv", frames(8, 8, 5))
    with pytest.raises(MediaLimitError, match="8x8"):
        VideoReader(tmp_path / "a.mkv", limits=Limits(pixels=63))
    with VideoReader(tmp_path / "a.mkv", limits=Limits(frames=4)) as video:
        with pytest.raises(MediaLimitError, match="4 frames"):
            len(video)
        with pytest.raises(MediaLimitError, match="4 frames"):
            list(video)


def test_a_playlist_in_disguise_is_not_followed(tmp_path: Path) -> None:
    """FFmpeg would open a list of other files or addresses under any name."""
    save(tmp_path / "secret.mp4", frames(16, 16, 1))
    lists = {
        "hls": f"#EXTM3U\n#EXTINF:1,\nfile://{tmp_path}/secret.mp4\n#EXT-X-ENDLIST\n",
        "concat": f"ffconcat version 1.0\nfile '{tmp_path}/secret.mp4'\n",
    }
    for text in lists.values():
        for name in ("a.mp4", "a.mkv", "a.avi", "a.mov"):
            (tmp_path / name).write_text(text)
            with pytest.raises(MediaError):
                VideoReader(tmp_path / name)


@pytest.mark.parametrize("degrees", [90, -90, 180])
@pytest.mark.parametrize("name", ["a.mp4", "a.mov"])
def test_frames_come_upright(tmp_path: Path, name: str, degrees: int) -> None:
    import av

    picture = np.zeros((32, 48, 3), np.uint8)
    picture[:16, :24] = 255  # white above on the left
    with av.open(str(tmp_path / name), "w") as container:
        stream = container.add_stream("libx264", rate=24)
        stream.width, stream.height, stream.pix_fmt = 48, 32, "yuv420p"
        stream.set_display_rotation(degrees)
        for _ in range(3):
            container.mux(stream.encode(av.VideoFrame.from_ndarray(picture, "rgb24")))
        container.mux(stream.encode())
    upright = np.rot90(picture, degrees // 90 % 4) / 255
    about = info(tmp_path / name)
    with VideoReader(tmp_path / name) as video:
        assert (video.height, video.width) == upright.shape[:2] == (about.height, about.width)
        for plate in (video.read(2), next(iter(video))[1]):
            assert plate.pixels.shape == upright.shape
            assert np.abs(plate.pixels - upright).mean() < 0.02


def test_only_quarter_turns_are_followed() -> None:
    from dreamplate.plate.video_reader import quarter_turns

    assert [quarter_turns(angle) for angle in (0, 90, -90, 180, -180, 89.9, 45)] == [0, 1, 3, 2, 2, 1, 0]
