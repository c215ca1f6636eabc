"""What headers say: size once upright, focal length, exposure, place."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import numpy as np
import OpenImageIO as oiio
import pytest

from dreamplate.errors import SceneError
from dreamplate.plate import Camera
from dreamplate.scenes.photographs import find_picture, picture_header, pictures_in
from dreamplate.scenes.views import fit_camera


def jpeg(path: Path, width: int = 12, height: int = 8, **entries: Any) -> Path:
    """Write a JPEG with Exif entries; a double underscore stands for a colon."""
    spec = oiio.ImageSpec(width, height, 3, "uint8")
    for name, value in entries.items():
        kind = oiio.TypeDesc("float[3]") if isinstance(value, tuple) else None
        key = name.replace("__", ":")
        if kind is None:
            spec.attribute(key, value)
        else:
            spec.attribute(key, kind, value)
    out = oiio.ImageOutput.create(str(path))
    assert out.open(str(path), spec)
    out.write_image(np.zeros((height, width, 3), np.uint8))
    out.close()
    return path


@pytest.mark.parametrize("orientation", range(1, 9))
def test_sizes_are_those_of_upright_pictures(tmp_path: Path, orientation: int) -> None:
    header = picture_header(jpeg(tmp_path / "a.jpg", Orientation=orientation))
    assert (header.width, header.height) == ((12, 8) if orientation < 5 else (8, 12))


def test_a_camera_for_pixels_not_turned_is_an_error_that_says_so(tmp_path: Path) -> None:
    header = picture_header(jpeg(tmp_path / "a.jpg", Orientation=6))
    camera = Camera(12, 8, 10, 10, 6, 4, np.eye(4))
    with pytest.raises(SceneError, match=r"12 x 8, the photograph is 8 x 12 \(Exif orientation 6"):
        fit_camera(camera, header, "view")


def test_focal_length_in_pixels(tmp_path: Path) -> None:
    header = picture_header(jpeg(tmp_path / "a.jpg", 360, 240, Exif__FocalLengthIn35mmFilm=36))
    assert header.focal == pytest.approx(360)
    # 5000 pixels across 36 mm, 50 mm lens.
    about = {"Exif__FocalLength": 50.0, "Exif__FocalPlaneXResolution": 50 / 0.36 * 25.4 / 10.0}
    header = picture_header(jpeg(tmp_path / "b.jpg", 500, 300, Exif__FocalPlaneResolutionUnit=2, **about))
    assert header.focal is None or header.focal == pytest.approx(50 / 36 * 500, rel=1e-3)
    # Made smaller since: the density would mean a sensor of 9 mm, so nothing is claimed.
    header = picture_header(jpeg(tmp_path / "c.jpg", 125, 75, Exif__FocalPlaneResolutionUnit=2, **about))
    assert header.focal is None


def test_exposure_in_stops(tmp_path: Path) -> None:
    header = picture_header(jpeg(tmp_path / "a.jpg", ExposureTime=0.01, FNumber=4.0))
    assert header.exposure == pytest.approx(math.log2(0.01 / 16), abs=1e-3)
    assert picture_header(jpeg(tmp_path / "b.jpg")).exposure is None


def test_places_have_signs(tmp_path: Path) -> None:
    path = jpeg(
        tmp_path / "a.jpg",
        GPS__Latitude=(46.0, 30.0, 36.0),
        GPS__LatitudeRef="S",
        GPS__Longitude=(9.0, 15.0, 0.0),
        GPS__LongitudeRef="E",
        GPS__Altitude=120.5,
    )
    assert picture_header(path).place == pytest.approx((-46.51, 9.25, 120.5), abs=1e-4)


def test_pictures_are_found_below_and_in_order(tmp_path: Path) -> None:
    (tmp_path / "b").mkdir()
    (tmp_path / ".hidden").mkdir()
    for name in ("z.jpg", "b/a.jpg", "a.JPG", ".hidden/x.jpg", ".y.jpg", "note.txt"):
        (tmp_path / name).write_bytes(b"")
    assert [path.relative_to(tmp_path).as_posix() for path in pictures_in(tmp_path)] == [
        "a.JPG",
        "b/a.jpg",
        "z.jpg",
    ]
    assert find_picture(tmp_path / "a") == tmp_path / "a.JPG"
    assert find_picture(tmp_path / "z.png") is None
    assert find_picture(tmp_path / "bad\0name") is None
    with pytest.raises(SceneError, match="is no folder"):
        pictures_in(tmp_path / "none")
