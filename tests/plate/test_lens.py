"""Lenses: bending and straightening are inverse, and each kind is what its definition says."""

from __future__ import annotations

import math

import numpy as np
import pytest

from dreamplate.errors import MediaError
from dreamplate.plate.lens import LENS_COEFFICIENTS, Lens, direction_of, plane_of

LENSES = [
    Lens(),
    Lens("perspective", {"k1": 0.06, "k2": -0.08, "p1": -0.001, "p2": 0.0002}),
    Lens("perspective", {"k1": 0.3, "k2": -0.1, "k3": 0.02, "k4": 0.25, "k5": -0.03, "k6": 0.01}),
    Lens("fisheye"),
    Lens("fisheye", {"k1": 0.05, "k2": -0.01, "k3": 0.002, "k4": -0.0005}),
    Lens("fisheye", {"k1": 0.02, "p1": 0.001, "p2": -0.002, "sx1": 0.003, "sy1": -0.001}),
    Lens("fov", {"omega": 0.9}),
    Lens("fov"),
    Lens("equirectangular"),
]


def rays(lens: Lens, count: int = 500) -> np.ndarray:
    """Unit directions that the lens can see: half of the sphere, the whole, or a usual field of view."""
    generator = np.random.default_rng(1)
    reach = {"perspective": 0.7, "fisheye": 1.7, "fov": 1.3, "equirectangular": 3.1}[lens.kind]
    angle, turn = generator.uniform(0, reach, count), generator.uniform(0, math.tau, count)
    return np.stack([np.sin(angle) * np.cos(turn), np.sin(angle) * np.sin(turn), np.cos(angle)], axis=1)


@pytest.mark.parametrize("lens", LENSES, ids=lambda lens: f"{lens.kind}-{len(lens.coefficients)}")
def test_straightening_undoes_bending(lens: Lens) -> None:
    wanted = rays(lens)
    found = direction_of(lens, plane_of(lens, wanted * np.linspace(0.1, 9, len(wanted))[:, None]))
    np.testing.assert_allclose(found, wanted, atol=1e-9)


@pytest.mark.parametrize("lens", LENSES, ids=lambda lens: f"{lens.kind}-{len(lens.coefficients)}")
def test_the_axis_is_the_middle(lens: Lens) -> None:
    np.testing.assert_allclose(plane_of(lens, np.array([[0.0, 0.0, 2.0]])), [[0, 0]], atol=1e-15)
    np.testing.assert_allclose(direction_of(lens, np.zeros((1, 2))), [[0, 0, 1]], atol=1e-15)


def test_kinds_are_their_definitions() -> None:
    angle = np.linspace(0.05, 1.2, 9)
    seen = np.stack([np.sin(angle), np.zeros(9), np.cos(angle)], axis=1)
    np.testing.assert_allclose(plane_of(Lens(), seen)[:, 0], np.tan(angle))
    np.testing.assert_allclose(plane_of(Lens("fisheye"), seen)[:, 0], angle)
    theta2 = angle**2
    bent = angle * (1 + 0.1 * theta2 + 0.02 * theta2**2)
    np.testing.assert_allclose(plane_of(Lens("fisheye", {"k1": 0.1, "k2": 0.02}), seen)[:, 0], bent)
    omega = 0.8
    fov = np.arctan(2 * np.tan(angle) * math.tan(omega / 2)) / omega
    np.testing.assert_allclose(plane_of(Lens("fov", {"omega": omega}), seen)[:, 0], fov)
    np.testing.assert_allclose(plane_of(Lens("equirectangular"), seen)[:, 0], angle)
    r2 = np.tan(angle) ** 2
    rational = np.tan(angle) * (1 + 0.1 * r2) / (1 + 0.2 * r2)
    np.testing.assert_allclose(plane_of(Lens("perspective", {"k1": 0.1, "k4": 0.2}), seen)[:, 0], rational)


def test_tangential_terms_are_opencvs() -> None:
    x, y, p1, p2 = 0.3, -0.2, 0.01, 0.02
    r2 = x * x + y * y
    lens = Lens("perspective", {"p1": p1, "p2": p2})
    wanted = [x + 2 * p1 * x * y + p2 * (r2 + 2 * x * x), y + p1 * (r2 + 2 * y * y) + 2 * p2 * x * y]
    np.testing.assert_allclose(plane_of(lens, np.array([[x, y, 1.0]]))[0], wanted)


def test_a_perspective_lens_sees_nothing_behind_it() -> None:
    behind = np.array([[0.1, 0.2, -1.0], [1.0, 0.0, 0.0]])
    assert np.isnan(plane_of(Lens(), behind)).all()
    assert np.isfinite(plane_of(Lens("fisheye"), behind)).all()


def test_places_that_no_ray_reaches_are_nan() -> None:
    # This polynomial turns round at a radius of about 0.8 and never gets as far as 2.
    assert np.isnan(direction_of(Lens("perspective", {"k1": -0.5}), np.array([[2.0, 0.0]]))).all()


def test_lenses_that_cannot_be() -> None:
    with pytest.raises(MediaError, match="unknown; known: perspective"):
        Lens("anamorphic")  # type: ignore[arg-type]
    with pytest.raises(MediaError, match="no coefficient 'omega'"):
        Lens("fisheye", {"omega": 1.0})
    with pytest.raises(MediaError, match="k1 is nan"):
        Lens("perspective", {"k1": math.nan})


def test_zeros_are_no_distortion() -> None:
    assert Lens("perspective", dict.fromkeys(LENS_COEFFICIENTS["perspective"], 0.0)).ideal
    assert not Lens("fisheye").ideal
