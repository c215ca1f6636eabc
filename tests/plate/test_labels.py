"""Label maps: every value exactly, and none that the palette does not know."""

from __future__ import annotations

import struct
import zlib
from pathlib import Path

import numpy as np
import pytest

from dreamplate.errors import ConfigError, MediaError
from dreamplate.plate import LabelClass, Palette, Plate, read_palette, write
from dreamplate.plate.label_files import LabelMap, labels_to_plate, map_labels, read_label_map, read_labels

PALETTE = Palette(
    (
        LabelClass(7, "sky", (70, 130, 180)),
        LabelClass(2, "road", (128, 64, 128)),
        LabelClass(300, "tree", (107, 142, 35)),
    ),
    unknown=(255,),
)


def png(path: Path, kind: int, bits: int, rows: list[bytes], width: int, table: bytes = b"") -> Path:
    """Write a PNG byte by byte, as no writer of ours does."""

    def chunk(name: bytes, body: bytes) -> bytes:
        return struct.pack(">I", len(body)) + name + body + struct.pack(">I", zlib.crc32(name + body))

    header = struct.pack(">IIBBBBB", width, len(rows), bits, kind, 0, 0, 0)
    parts = [chunk(b"IHDR", header), *([chunk(b"PLTE", table)] if table else [])]
    parts += [chunk(b"IDAT", zlib.compress(b"".join(b"\0" + row for row in rows))), chunk(b"IEND", b"")]
    path.write_bytes(b"\x89PNG\r\n\x1a\n" + b"".join(parts))
    return path


def indexed(path: Path, values: np.ndarray, bits: int, table: list[tuple[int, int, int]]) -> Path:
    rows = []
    for row in values:
        text = "".join(f"{value:0{bits}b}" for value in row)
        text += "0" * (-len(text) % 8)
        rows.append(int(text, 2).to_bytes(len(text) // 8, "big"))
    return png(path, 3, bits, rows, values.shape[1], bytes(v for colour in table for v in colour))


def grey(path: Path, values: np.ndarray, bits: int = 8) -> Path:
    plate = Plate((values / ((1 << bits) - 1)).astype(np.float32)[:, :, None], colourspace="raw")
    write(plate, path, depth=str(bits))
    return path


@pytest.mark.parametrize("bits", [1, 2, 4, 8])
def test_indexed_png_gives_its_indices(tmp_path: Path, bits: int) -> None:
    values = np.random.default_rng(bits).integers(0, 1 << bits, (5, 7))
    table = [(n * 37 % 256, 255 - n, 3) for n in range(1 << bits)]
    found = read_label_map(indexed(tmp_path / "map.png", values, bits, table))
    assert np.array_equal(found.values, values) and found.values.dtype == np.int64
    assert list(found.table) == table


@pytest.mark.parametrize("bits", [8, 16])
def test_grey_png_gives_every_id(tmp_path: Path, bits: int) -> None:
    values = np.arange(1 << bits, dtype=np.float64).reshape(-1, 1 << bits // 2)
    assert np.array_equal(read_label_map(grey(tmp_path / "map.png", values, bits)).values, values)


@pytest.mark.parametrize("depth", ["half", "float", "uint"])
def test_exr_channel_gives_ids(tmp_path: Path, depth: str) -> None:
    values = np.array([[7, 2], [300, 7]], np.float32)
    pixels = np.stack([values, values / 3], axis=2)
    write(Plate(pixels, ("ID", "Z"), "raw"), tmp_path / "map.exr", depth={"ID": depth, "Z": "float"})
    assert read_labels(tmp_path / "map.exr", PALETTE, "ID").tolist() == [[0, 1], [2, 0]]
    with pytest.raises(MediaError, match="say which one"):
        read_label_map(tmp_path / "map.exr")
    with pytest.raises(MediaError, match="whole"):
        read_label_map(tmp_path / "map.exr", "Z")


def test_ids_become_places_in_the_palette(tmp_path: Path) -> None:
    path = grey(tmp_path / "map.png", np.array([[7, 2, 255], [300, 300, 2]]), 16)
    assert read_labels(path, PALETTE).tolist() == [[0, 1, 3], [2, 2, 1]]


def test_large_ids_are_told_apart() -> None:
    palette = Palette((LabelClass(2**24 - 1, "far"), LabelClass(2**24 - 2, "near")))
    stored = LabelMap(np.array([[2**24 - 2, 2**24 - 1]]))
    assert map_labels(stored, palette, "map").tolist() == [[1, 0]]


def test_coloured_picture_and_back(tmp_path: Path) -> None:
    labels = np.array([[0, 1, 2], [3, 2, 0]])
    write(labels_to_plate(labels, PALETTE), tmp_path / "colours.png")
    assert np.array_equal(read_labels(tmp_path / "colours.png", PALETTE), labels)


def test_indexed_png_of_the_palettes_colours_in_another_order(tmp_path: Path) -> None:
    table = [PALETTE.classes[k].colour for k in (2, 0, 1)]
    path = indexed(tmp_path / "map.png", np.array([[0, 1, 2, 2]]), 4, table)
    assert read_labels(path, PALETTE).tolist() == [[2, 0, 1, 1]]
    # Colours that are not the palette's say nothing: then ids count.
    path = indexed(tmp_path / "map.png", np.array([[7, 2]]), 4, [(n, n, n) for n in range(16)])
    assert read_labels(path, PALETTE).tolist() == [[0, 1]]


@pytest.mark.parametrize("values", [[[7, 9], [9, 2]], [[7, 70000], [70000, 2]]])
def test_value_outside_the_palette_is_named(values: list[list[int]]) -> None:
    wrong = values[0][1]
    with pytest.raises(
        MediaError, match=rf"^shot: label value {wrong} \(2 pixels\).*column 1, row 0.*unknown"
    ):
        map_labels(LabelMap(np.array(values)), PALETTE, "shot")


def test_unknown_id_of_a_palette_without_unknown_is_an_error() -> None:
    with pytest.raises(MediaError, match="255"):
        map_labels(LabelMap(np.array([[7, 255]])), Palette(PALETTE.classes), "shot")


def test_colour_outside_the_palette_is_named(tmp_path: Path) -> None:
    pixels = np.full((2, 3, 3), (70, 130, 180), np.uint8)
    pixels[1, 2] = (70, 130, 181)
    write(Plate.from_rgb(pixels, "srgb_display"), tmp_path / "map.png")
    with pytest.raises(MediaError, match=r"\(70, 130, 181\) \(1 pixels\)"):
        read_labels(tmp_path / "map.png", PALETTE)


def test_two_classes_of_one_colour_cannot_be_told_apart_by_it(tmp_path: Path) -> None:
    write(Plate.from_rgb(np.full((1, 1, 3), 128, np.uint8), "srgb_display"), tmp_path / "map.png")
    with pytest.raises(MediaError, match="'a' and 'b' have one colour"):
        read_labels(tmp_path / "map.png", Palette((LabelClass(0, "a"), LabelClass(1, "b"))))


def test_jpeg_is_refused(tmp_path: Path) -> None:
    write(Plate.from_rgb(np.zeros((8, 8, 3), np.uint8), "srgb_display"), tmp_path / "map.jpg")
    with pytest.raises(MediaError, match="JPEG"):
        read_labels(tmp_path / "map.jpg", PALETTE)


def test_damaged_indexed_png_is_refused(tmp_path: Path) -> None:
    path = indexed(tmp_path / "map.png", np.zeros((64, 64), int), 8, [(0, 0, 0)])
    whole = path.read_bytes()
    for wrong in (whole[:-14], whole[:60] + b"!" + whole[61:], whole[:40]):
        path.write_bytes(wrong)
        with pytest.raises(MediaError, match=r"map\.png"):
            read_label_map(path)


def test_missing_file_and_wrong_labels() -> None:
    with pytest.raises(MediaError, match="nowhere"):
        read_label_map("/nowhere/map.png")
    for labels in (np.full((2, 2), 4), np.zeros((2, 2)), np.zeros((1, 2, 2), int)):
        with pytest.raises(MediaError, match="labels"):
            labels_to_plate(labels, PALETTE)


def test_palette_file_goes_round(tmp_path: Path) -> None:
    import json

    path = tmp_path / "palette.json"
    path.write_text(json.dumps(PALETTE.to_json()))
    assert read_palette(path) == PALETTE
    assert PALETTE.channels == 4 and Palette(PALETTE.classes).channels == 3


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("{", "JSON"),
        ('{"classes": 3}', "classes"),
        ('[{"id": 1}]', r"classes\[0\]"),
        ('[{"id": 1, "name": "a"}, {"id": 1, "name": "b"}]', "twice"),
        ('[{"id": 1, "name": "a"}, {"id": 2, "name": "a"}]', "twice"),
        ('[{"id": -1, "name": "a"}]', "0 <= id"),
        ('{"classes": [{"id": 1, "name": "a"}], "unknown": [1]}', "unknown"),
        ('{"classes": [{"id": 1, "name": "a"}], "unknown": "x"}', "unknown"),
        ("[]", "no class"),
    ],
)
def test_palette_file_that_is_none(tmp_path: Path, text: str, says: str) -> None:
    path = tmp_path / "palette.json"
    path.write_text(text)
    with pytest.raises(ConfigError, match=says):
        read_palette(path)
