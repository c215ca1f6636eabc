"""Taking the lens out of a photograph, against the same place photographed without one."""

from __future__ import annotations

import numpy as np
import pytest
from corner import cameras, paintings, photograph

from dreamplate.plate import Plate
from dreamplate.scenes.undistort import pinhole_of, undistort, undistorted_pixels


@pytest.mark.parametrize("k1", [-0.2, 0.15])
def test_the_result_is_what_a_pinhole_sees(k1: float) -> None:
    bent = cameras(1, 120, 90, k1=k1)[0]
    flat = pinhole_of(bent)
    walls = paintings()
    # Soft paintings, so that what is compared is where things are and not how sharp the filter is.
    walls = np.cumsum(np.cumsum(walls - walls.mean(axis=(1, 2), keepdims=True), axis=1), axis=2)
    walls /= np.abs(walls).max()
    made = undistort(Plate.from_rgb(photograph(bent, walls) * np.float32(50), "scene_linear"), bent, flat)
    wanted = photograph(flat, walls) * np.float32(50)
    assert np.percentile(np.abs(made.pixels - wanted), 95) < 0.02 * np.abs(wanted).max()


def test_nothing_outside_the_photograph_is_seen() -> None:
    bent = cameras(1, 120, 90, k1=0.2)[0]
    flat = pinhole_of(bent)
    border = np.array([[0.5, 0.5], [119.5, 0.5], [0.5, 89.5], [119.5, 89.5], [60, 0.5], [0.5, 45]])
    rays = flat.directions(border)
    places = bent.placed(np.eye(4)).project(rays)[0]
    assert (places >= 0.49).all() and (places <= [119.51, 89.51]).all()
    assert np.abs(undistorted_pixels(bent, flat, places) - border).max() < 1e-6


def test_masks_stay_black_and_white() -> None:
    bent = cameras(1, 60, 45, k1=-0.2)[0]
    mask = np.zeros((45, 60), np.float32)
    mask[:, 20:] = 1
    made = undistort(Plate.from_rgb(mask, "raw"), bent, pinhole_of(bent), exact=True)
    assert set(np.unique(made.pixels)) == {0.0, 1.0}
