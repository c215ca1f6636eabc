"""Quaternions and angles mean the rotations that they came from."""

from __future__ import annotations

import numpy as np
import pytest

from dreamplate.scenes.rotations import angles_zxy, matrix_of, matrix_of_angles, quaternion_of


def rotations(count: int = 200) -> list[np.ndarray]:
    generator = np.random.default_rng(6)
    found = [matrix_of(generator.normal(size=4)) for _ in range(count)]
    return [*found, np.eye(3), np.diag([1.0, -1, -1]), np.diag([-1.0, 1, -1]), np.diag([-1.0, -1, 1])]


def test_quaternions_and_back() -> None:
    for turn in rotations():
        found = quaternion_of(turn)
        assert found[0] >= 0
        assert np.linalg.norm(found) == pytest.approx(1)
        np.testing.assert_allclose(matrix_of(found * 7), turn, atol=1e-12)


def test_a_quaternion_without_direction() -> None:
    with pytest.raises(ValueError, match="no direction"):
        matrix_of([0, 0, 0, 0])
    np.testing.assert_allclose(matrix_of([1e300, 0, 0, 0]), np.eye(3))


def test_angles_and_back() -> None:
    for turn in rotations():
        np.testing.assert_allclose(matrix_of_angles(angles_zxy(turn)), turn, atol=1e-12)
        np.testing.assert_allclose(matrix_of_angles(angles_zxy(turn, (400, -700, 90))), turn, atol=1e-12)


@pytest.mark.parametrize("tilt", [90.0, -90.0, 89.9999999])
def test_straight_up_and_down(tilt: float) -> None:
    turn = matrix_of_angles((tilt, 25, 40))
    np.testing.assert_allclose(matrix_of_angles(angles_zxy(turn)), turn, atol=1e-8)


def test_the_order_says_what_turns_first() -> None:
    about = [matrix_of_angles(np.eye(3)[axis] * angle) for axis, angle in enumerate((20, 30, 40))]
    np.testing.assert_allclose(matrix_of_angles((20, 30, 40), "ZXY"), about[1] @ about[0] @ about[2])
    np.testing.assert_allclose(matrix_of_angles((20, 30, 40), "XYZ"), about[2] @ about[1] @ about[0])


def test_angles_make_no_jumps() -> None:
    angles, last = [], None
    for number in range(200):
        last = angles_zxy(matrix_of_angles((30 * np.sin(number / 9), number * 5.0, 3)), last)
        angles.append(last)
    assert np.abs(np.diff(angles, axis=0)).max() < 6
    assert angles[-1][1] == pytest.approx(199 * 5)
