"""OpenEXR: sample types, compressions, layers, parts, rows, tiles, colour spaces."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from dreamplate.errors import ConfigError, MediaError
from dreamplate.plate import Box, Limits, Plate, info, open_plate, read, read_parts, write, write_parts
from dreamplate.plate.formats import FORMATS

LOSSLESS = ("zip", "zips", "rle", "piz", "none")


def noise(height: int, width: int, channels: int) -> np.ndarray[Any, Any]:
    """Values that half floats hold exactly."""
    values = np.random.default_rng(height * width).standard_normal((height, width, channels))
    return values.astype(np.float16).astype(np.float32)


def tiled(
    path: Path, pixels: np.ndarray[Any, Any], tile: tuple[int, int], origin: tuple[int, int] = (0, 0)
) -> None:
    import OpenImageIO as oiio

    spec = oiio.ImageSpec(pixels.shape[1], pixels.shape[0], pixels.shape[2], "half")
    spec.tile_width, spec.tile_height = tile
    spec.x, spec.y = origin
    output = oiio.ImageOutput.create(str(path))
    assert output.open(str(path), spec), output.geterror()
    assert output.write_image(pixels)
    output.close()


@pytest.mark.parametrize("compression", FORMATS["openexr"].compressions)
def test_compressions(tmp_path: Path, compression: str) -> None:
    plate = Plate(np.abs(noise(37, 53, 4)))
    write(plate, tmp_path / "a.exr", compression=compression, depth="half")
    back = read(tmp_path / "a.exr").pixels
    if compression in (*LOSSLESS, "pxr24"):
        assert np.array_equal(back, plate.pixels)
    else:
        # Four by four blocks of white noise are the worst case for these.
        assert 0 < np.abs(back - plate.pixels).mean() < 0.1
    assert info(tmp_path / "a.exr").parts[0].compression.startswith(compression)


@pytest.mark.parametrize("depth", [None, "half", "float"])
def test_types_in_the_header(tmp_path: Path, depth: str | None) -> None:
    write(Plate(noise(2, 3, 4), ("R", "G", "B", "Z")), tmp_path / "a.exr", depth=depth)
    part = info(tmp_path / "a.exr").parts[0]
    expected = {None: ["half"] * 3 + ["float"], "half": ["half"] * 4, "float": ["float"] * 4}[depth]
    assert list(part.types) == expected
    assert part.channels == ("R", "G", "B", "Z")


def test_types_by_channel_and_whole_numbers(tmp_path: Path) -> None:
    pixels = np.zeros((3, 4, 4), np.float32)
    pixels[:, :, 0] = np.pi
    pixels[:, :, 1] = 4097  # no half
    pixels[:, :, 2] = np.arange(12).reshape(3, 4) + 1_000_000
    plate = Plate(pixels, ("N.x", "N.y", "id", "R"))
    write(plate, tmp_path / "a.exr", depth={"N.x": "float", "N.y": "float", "id": "uint"})
    part = info(tmp_path / "a.exr").parts[0]
    assert dict(zip(part.channels, part.types, strict=True)) == {
        "N.x": "float",
        "N.y": "float",
        "id": "uint",
        "R": "half",
    }
    back = read(tmp_path / "a.exr")
    for name in plate.channels:
        assert np.array_equal(back.channel(name), plate.channel(name)), name


def test_what_half_cannot_hold_is_kept_or_refused(tmp_path: Path) -> None:
    pixels = noise(3, 4, 3)
    pixels[1, 2, 1] = 1e6
    write(Plate(pixels), tmp_path / "a.exr")
    assert np.array_equal(read(tmp_path / "a.exr").pixels, pixels)
    part = info(tmp_path / "a.exr").parts[0]
    assert part.types == ("half", "float", "half")
    with pytest.raises(MediaError, match=r"channel G holds 1e\+06"):
        write(Plate(pixels), tmp_path / "b.exr", depth="half")
    with pytest.raises(MediaError, match="whole numbers"):
        write(Plate(pixels), tmp_path / "b.exr", depth="uint")
    assert not (tmp_path / "b.exr").exists()


@pytest.mark.parametrize(
    ("options", "words"),
    [({"depth": "8"}, "half float uint"), ({"depth": {"R": "x"}}, "'x'"), ({"compression": "lzw"}, "piz")],
)
def test_unknown_options(tmp_path: Path, options: dict[str, Any], words: str) -> None:
    with pytest.raises(ConfigError, match=words):
        write(Plate(noise(2, 2, 3)), tmp_path / "a.exr", **options)


def test_layers_in_one_part(tmp_path: Path) -> None:
    names = ("R", "G", "B", "A", "Z", "N.x", "N.y", "N.z", "diffuse.R", "diffuse.G", "diffuse.B", "id")
    plate = Plate(noise(5, 7, len(names)), names)
    write(plate, tmp_path / "a.exr")
    back = read(tmp_path / "a.exr")
    assert sorted(back.channels) == sorted(names)
    for name in names:
        assert np.array_equal(back.channel(name), plate.channel(name)), name
    assert np.array_equal(back.layer("N"), plate.layer("N"))


def test_parts(tmp_path: Path) -> None:
    display = Box(0, 0, 40, 30)
    parts = {
        "beauty": Plate(noise(30, 40, 4), display_window=display, metadata={"take": 1}),
        "depth": Plate(noise(5, 6, 1), ("Z",), data_window=Box(-3, 7, 6, 5), display_window=display),
        "motion": Plate(noise(30, 1, 2), ("forward.u", "forward.v"), "raw", display_window=display),
    }
    path = tmp_path / "a.exr"
    write_parts(parts, path)
    back = read_parts(path)
    assert list(back) == list(parts)
    for name, plate in parts.items():
        assert np.array_equal(back[name].pixels, plate.pixels)
        assert back[name].channels == plate.channels
        assert back[name].data_window == plate.data_window
        assert back[name].display_window == display
        assert back[name].colourspace == plate.colourspace
        assert np.array_equal(read(path, part=name).pixels, plate.pixels)
    assert [p.name for p in info(path).parts] == list(parts)
    assert np.array_equal(read(path).pixels, parts["beauty"].pixels)
    for part, words in (("albedo", "'beauty' 'depth' 'motion'"), (3, "it has 3"), (-1, "it has 3")):
        with pytest.raises(MediaError, match=words):
            read(path, part=part)
    with pytest.raises(MediaError, match="read them one by one"):
        read_parts(path, limits=Limits(bytes=40 * 30 * 4 * 4))


def test_parts_that_do_not_fit_together(tmp_path: Path) -> None:
    one, other = Plate(noise(2, 2, 3)), Plate(noise(3, 3, 3))
    cases: list[tuple[dict[str, Plate], str, str]] = [
        ({}, "a.exr", "at least one"),
        ({"": one, "b": one}, "a.exr", "each with a name"),
        ({"a": one, "b": other}, "a.exr", "display window"),
        ({"a": one}, "a.png", "only OpenEXR"),
    ]
    for parts, name, words in cases:
        with pytest.raises(MediaError, match=words):
            write_parts(parts, tmp_path / name)
    assert list(tmp_path.iterdir()) == []


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> list[tuple[Path, Plate]]:
    """Files of several kinds with their whole pictures."""
    folder = tmp_path_factory.mktemp("rows")
    display = Box(0, 0, 100, 100)
    plate = Plate(
        noise(70, 23, 5),
        ("R", "G", "B", "N.x", "id"),
        data_window=Box(-5, 11, 23, 70),
        display_window=display,
    )
    kinds: dict[str, dict[str, Any]] = {
        "zip.exr": {"compression": "zip"},
        "piz.exr": {"compression": "piz"},
        "none.exr": {"depth": {"R": "float"}},
    }
    for name, options in kinds.items():
        write(plate, folder / name, **options)
    whole = plate.with_(pixels=np.floor(np.abs(plate.pixels) * 9))
    write(whole, folder / "uint.exr", depth={"id": "uint", "G": "uint"})
    tiled(folder / "tiled.exr", plate.pixels[:, :, :3], (8, 16), (-5, 11))
    rgb = Plate(np.abs(noise(70, 23, 4)) % 1, colourspace="srgb_display")
    for name in ("a.png", "a.tif"):
        write(rgb, folder / name)
    return [(path, read(path)) for path in sorted(folder.iterdir())]


@settings(max_examples=80, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_reading_rows_and_channels_is_cutting_the_whole(
    files: list[tuple[Path, Plate]], data: st.DataObject
) -> None:
    path, whole = data.draw(st.sampled_from(files))
    first = data.draw(st.integers(0, whole.height - 1))
    last = data.draw(st.integers(first + 1, whole.height))
    names = data.draw(
        st.permutations(whole.channels).flatmap(lambda n: st.integers(1, len(n)).map(lambda k: tuple(n[:k])))
    )
    if path.suffix != ".exr":
        names = whole.channels
    with open_plate(path) as reader:
        cut = reader.read(rows=(first, last), channels=names)
    assert cut.channels == names
    assert np.array_equal(cut.pixels, whole.select(*names).pixels[first:last])
    assert cut.data == Box(whole.data.x, whole.data.y + first, whole.width, last - first)
    assert cut.display == whole.display


def test_several_bands_are_one_picture(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    plate = Plate(noise(100, 9, 3))
    write(plate, tmp_path / "a.exr")
    tiled(tmp_path / "b.exr", plate.pixels, (4, 8))
    monkeypatch.setattr("dreamplate.plate.bands._BAND", 9 * 12 * 17)
    for name in ("a.exr", "b.exr"):
        assert np.array_equal(read(tmp_path / name).pixels, plate.pixels)
        with open_plate(tmp_path / name) as reader:
            assert np.array_equal(reader.read(rows=(13, 97)).pixels, plate.pixels[13:97])


@pytest.mark.parametrize("rows", [(0, 0), (-1, 2), (2, 1), (0, 71), (70, 71)])
def test_rows_outside_are_refused(files: list[tuple[Path, Plate]], rows: tuple[int, int]) -> None:
    with open_plate(files[0][0]) as reader, pytest.raises(MediaError, match="rows"):
        reader.read(rows=rows)


def test_a_closed_reader_says_so(files: list[tuple[Path, Plate]]) -> None:
    with open_plate(files[0][0]) as reader:
        pass
    with pytest.raises(MediaError, match="closed"):
        reader.read()
    with open_plate(files[0][0]) as reader, pytest.raises(MediaError, match="no channel 'Q'"):
        reader.read(channels=("Q",))


@pytest.mark.parametrize("space", ["scene_linear", "acescg", "aces2065_1", "lin_rec2020", "lin_p3d65"])
def test_other_programs_find_the_colour_space(tmp_path: Path, space: str) -> None:
    """Without our note, chromaticities or the interchange identifier must tell."""
    import OpenEXR

    write(Plate(noise(2, 2, 3), colourspace=space), tmp_path / "a.exr")
    header = OpenEXR.File(str(tmp_path / "a.exr"), header_only=True).parts[0].header
    assert header["colorInteropID"].startswith("lin_")
    for keep in (("chromaticities",), ("colorInteropID",)):
        kept = {k: header[k] for k in keep} | {"type": OpenEXR.scanlineimage}
        OpenEXR.File(kept, {"R": np.zeros((2, 2), np.float16)}).write(str(tmp_path / "b.exr"))
        found = read(tmp_path / "b.exr").colourspace
        assert found in (space, header["colorInteropID"])


def test_files_of_others_default_to_scene_linear(tmp_path: Path) -> None:
    tiled(tmp_path / "a.exr", noise(4, 4, 3), (16, 16))
    assert read(tmp_path / "a.exr").colourspace == "scene_linear"


def test_deep_files_are_named_and_refused(tmp_path: Path) -> None:
    import OpenImageIO as oiio

    spec = oiio.ImageSpec(2, 2, 2, "float")
    spec.channelnames = ("A", "Z")
    spec.deep = True
    samples = oiio.DeepData()
    samples.init(4, 2, ["float", "float"], ["A", "Z"])
    output = oiio.ImageOutput.create(str(tmp_path / "a.exr"))
    assert output.open(str(tmp_path / "a.exr"), spec)
    assert output.write_deep_image(samples)
    output.close()
    assert info(tmp_path / "a.exr").parts[0].deep
    with pytest.raises(MediaError, match="deep"):
        read(tmp_path / "a.exr")


def test_camera_matrices_are_matrices_for_other_programs(tmp_path: Path) -> None:
    import OpenEXR as openexr

    values = tuple(float(np.float32(value)) for value in np.linspace(-2, 3, 16))
    plate = Plate(np.zeros((2, 3, 3), np.float32)).with_metadata(worldToCamera=values, worldToNDC=values)
    write(plate, tmp_path / "a.exr")
    stored = openexr.File(str(tmp_path / "a.exr")).header()
    for name in ("worldToCamera", "worldToNDC"):
        assert np.array_equal(np.asarray(stored[name]), np.reshape(values, (4, 4)).astype(np.float32))
        assert read(tmp_path / "a.exr").metadata[name] == values
