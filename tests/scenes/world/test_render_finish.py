"""Laws of what is done to whole pictures: contours, glow, rain and snow, and the picture for a display."""

from __future__ import annotations

import numpy as np
import pytest

from dreamplate.plate.camera import Camera
from dreamplate.scenes.world.kernels.finish import average, bloom, fall_rain, fall_snow, find_edges
from dreamplate.scenes.world.lines import contours
from dreamplate.scenes.world.passes import display


def plane(tilt: float, size: int = 40) -> dict[str, np.ndarray]:
    """What rays of a camera meet of a tilted plane ahead."""
    camera = Camera.from_fov(size, size, 50, np.eye(4))
    rays = camera.rays(camera.pixel_centres())[1].reshape(size, size, 3)
    normal = np.array([0.0, np.sin(tilt), np.cos(tilt)])
    reach = (normal @ [0, 0, -10.0]) / (rays @ normal)
    return {
        "reach": reach,
        "normals": np.broadcast_to(normal, rays.shape).astype(np.float32),
        "instances": np.zeros((size, size), np.int32),
        "labels": np.full((size, size), 3, np.uint8),
        "rays": rays,
    }


@pytest.mark.parametrize("tilt", [0.0, 0.6, 1.1])
def test_a_plane_has_no_contour(tilt: float) -> None:
    assert (contours(**plane(tilt)) == 1).all()


def test_things_are_outlined() -> None:
    met = plane(0.3)
    met["instances"][10:30, 12:28] = 7
    drawing = contours(**met)
    assert drawing[10, 12:28].max() < 0.5 and drawing[10:30, 12].max() < 0.5
    assert (drawing[14:26, 16:24] == 1).all() and (drawing[:7] == 1).all()
    assert ((drawing > 0) & (drawing < 1)).any()


def test_jumps_and_folds_are_drawn_and_colours_are_not() -> None:
    met = plane(0.0)
    met["labels"][:, 20:] = 4  # grass beside rock
    assert (contours(**met) == 1).all()
    met["reach"][:, 20:] *= 1.3
    assert contours(**met)[:, 20].max() < 0.5
    met = plane(0.0)
    met["normals"] = met["normals"].copy()
    met["normals"][:, 20:] = [1, 0, 0]
    assert contours(**met)[:, 20].max() < 0.9
    met = plane(0.0)
    met["labels"][:20] = 0
    assert contours(**met)[19:21].min(axis=0).max() < 0.5


def test_contours_turn_with_the_picture() -> None:
    rng = np.random.default_rng(0)
    met = plane(0.4)
    met["instances"] = np.kron(rng.integers(0, 3, (8, 8)), np.ones((5, 5))).astype(np.int32)
    met["reach"] = met["reach"] * rng.uniform(0.9, 1.1, met["reach"].shape)
    flipped = {name: np.ascontiguousarray(array[:, ::-1]) for name, array in met.items()}
    assert np.allclose(contours(**flipped), contours(**met)[:, ::-1], atol=1e-6)


def glow(image: np.ndarray) -> np.ndarray:
    """The picture with its glow."""
    made = image.astype(np.float32).copy()
    height, width, _ = made.shape
    bloom(made, np.empty_like(made), np.empty((width, height, 3), np.float32), 1.0, 0.1)
    return made


def test_only_what_is_brighter_than_white_glows() -> None:
    dim = np.random.default_rng(1).uniform(0, 1, (24, 32, 3))
    assert np.array_equal(glow(dim), dim.astype(np.float32))
    image = np.zeros((65, 65, 3))
    image[32, 32] = 20
    made = glow(image)
    assert made[32, 33, 0] > made[32, 37, 0] > 0
    assert np.allclose(made, made[::-1], atol=1e-6) and np.allclose(made, made.transpose(1, 0, 2), atol=1e-6)
    spilled = made.sum() - image.sum()
    assert spilled == pytest.approx(3 * 3 * 0.1 * 19 / (1 + 0.12 * 19), rel=1e-3)


@pytest.mark.parametrize("fall", [fall_rain, fall_snow])
def test_what_falls_follows_seed_and_time(fall: object) -> None:
    def sky(seed: int = 3, time: float = 0.0, strength: float = 0.8) -> np.ndarray:
        image = np.full((64, 48, 3), 0.2, np.float32)
        fall(image, strength, 0.2, time, 0.9, 0.9, 0.9, seed)  # type: ignore[operator]
        return image

    assert np.array_equal(sky(), sky())
    assert not np.array_equal(sky(), sky(seed=4))
    assert not np.array_equal(sky(), sky(time=0.1))
    assert sky().min() >= 0.2 - 1e-3 and sky().max() <= 0.95 and sky().max() > 0.25
    assert sky(strength=0.1).mean() < sky().mean()


@pytest.mark.parametrize("fall", [fall_rain, fall_snow])
def test_what_falls_is_as_dense_at_every_size(fall: object) -> None:
    means = []
    for size in (96, 192, 384):
        image = np.zeros((size, size, 3), np.float32)
        fall(image, 0.8, 0.1, 0.0, 1.0, 1.0, 1.0, 5)  # type: ignore[operator]
        means.append(float(image.mean()))
    assert max(means) < 1.8 * min(means)


def test_edges_are_where_neighbours_differ() -> None:
    rng = np.random.default_rng(2)
    height, width = 12, 15
    colour = rng.uniform(0, 1, (height, width, 3)).round(1).astype(np.float32)
    rows = rng.integers(-1, 1, (height, width)).astype(np.int32)
    labels = rng.integers(0, 2, (height, width)).astype(np.uint8)
    marks = np.zeros(height * width, np.uint8)
    find_edges(height, width, colour.reshape(-1, 3), np.zeros(1), rows.ravel(), labels.ravel(), 0.35, marks)
    tone = np.sqrt(colour)
    expected = np.zeros((height, width), bool)
    for axis in (0, 1):
        differs = (np.diff(rows, axis=axis) != 0) | (np.diff(labels, axis=axis) != 0)
        differs |= (np.abs(np.diff(tone.astype(float), axis=axis)) > 0.35).any(axis=2)
        if axis == 0:
            expected[1:] |= differs
            expected[:-1] |= differs
        else:
            expected[:, 1:] |= differs
            expected[:, :-1] |= differs
    assert np.array_equal(marks.reshape(height, width).astype(bool), expected)


def test_rays_of_a_pixel_are_averaged() -> None:
    rng = np.random.default_rng(3)
    colour, more = (rng.uniform(0, 2, shape).astype(np.float32) for shape in ((6, 3), (8, 3)))
    chosen = np.array([1, 4])
    before = colour.copy()
    average(chosen, 4, more, 1.5, colour)
    for place, pixel in enumerate(chosen):
        rays = np.vstack([before[pixel : pixel + 1], more[place::2]])
        assert np.allclose(colour[pixel], np.minimum(rays, 1.5).mean(axis=0))
    assert np.array_equal(np.delete(colour, chosen, 0), np.delete(before, chosen, 0))


def test_displays_keep_order_and_round_white_softly() -> None:
    light = np.linspace(0, 8, 4000)
    shown = display(light)
    assert (np.diff(shown.astype(int)) >= 0).all()
    assert shown[0] == 0 and 235 <= display(1.0) < display(2.0) <= display(50.0) == 255
    below = np.linspace(0, 0.6, 50)
    encoded = np.where(
        below <= 0.0031308, 12.92 * below, 1.055 * np.maximum(below, 1e-9) ** (1 / 2.4) - 0.055
    )
    assert np.abs(display(below) - encoded * 255).max() < 0.6
