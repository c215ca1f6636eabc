"""Laws of the generators: any size, tiling, painting, independence of frame."""

from __future__ import annotations

import functools
from itertools import pairwise

import pytest
import torch
import torch.nn.functional as F

from dreamplate.dream.colour_basis import OPPONENT, from_display, to_display
from dreamplate.dream.config import DreamConfig
from dreamplate.dream.fft import frequencies, resize_spectrum
from dreamplate.dream.generators import GENERATORS, make_generator
from dreamplate.dream.options import SirenConfig

NAMES = sorted(set(GENERATORS) - {"autoencoder"})
"""All but the one that needs weights which do not come with the package; it has tests of its own."""


@functools.cache
def network(name: str):
    """Return a generator whose network is read from disk once for all tests."""
    return make_generator(DreamConfig(size=(32, 32), generator=name), [0])  # type: ignore[arg-type]


def make(name: str, size: tuple[int, int] = (64, 48), seamless: str = "none", seed: int = 0):
    small = SirenConfig(hidden=48, layers=3, gain=4.0)  # the laws hold at any width, and tests stay quick
    config = DreamConfig(size=size, generator=name, seamless=seamless, siren=small)  # type: ignore[arg-type]
    return make_generator(config, [seed], network(name))


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("size", [(64, 48), (33, 57), (128, 16)])
def test_renders_any_size_in_range(name: str, size: tuple[int, int]) -> None:
    generator = make(name, size)
    for width, height in (size, (size[0] // 2 + 1, size[1] // 2 + 1)):
        image = generator(width, height)
        assert image.shape == (1, 3, height, width)
        assert image.min() >= 0 and image.max() <= 1 and image.isfinite().all()


@pytest.mark.parametrize("name", NAMES)
def test_small_and_large_are_the_same_picture(name: str) -> None:
    generator = make(name, (96, 96), seed=5)
    with torch.no_grad():
        smooth = torch.rand((1, 3, 6, 6), generator=torch.Generator().manual_seed(2)) * 0.6 + 0.2
        generator.paint(F.interpolate(smooth, (96, 96), mode="bicubic", align_corners=False).clamp(0.1, 0.9))
        whole, half = generator(96, 96), generator(48, 48)
    shrunk = F.interpolate(whole, (48, 48), mode="area")
    assert (shrunk - half).abs().mean() < 0.02


@pytest.mark.parametrize("name", [name for name in NAMES if name != "dalle"])  # which says that it cannot
@pytest.mark.parametrize("seamless", ["x", "y", "both"])
def test_opposite_edges_meet_where_the_picture_tiles(name: str, seamless: str) -> None:
    """The step across the seam must look like any other step between neighbouring columns or rows."""
    generator = make(name, (64, 64), seamless, seed=3)
    with torch.no_grad():
        for parameter in generator.parameters():
            parameter.add_(torch.randn(parameter.shape, generator=torch.Generator().manual_seed(9)) * 0.1)
        image = generator(64, 64)
    for axis, dim in (("x", -1), ("y", -2)):
        if seamless not in (axis, "both"):
            continue
        steps = (image - image.roll(1, dim)).abs().mean(dim=[0, 1, -2 if dim == -1 else -1])
        assert steps[0] < steps[1:].max() * 1.5


@pytest.mark.parametrize("name", ["fft", "pixels"])
def test_without_tiling_opposite_edges_are_free(name: str) -> None:
    ramp = torch.linspace(0.1, 0.9, 64).expand(1, 3, 64, 64)
    generator = make(name, (64, 64))
    generator.paint(ramp.contiguous())
    with torch.no_grad():
        assert (generator(64, 64) - ramp).abs().max() < 0.02


@pytest.mark.parametrize(("name", "error"), [("fft", 2e-3), ("pixels", 2e-3), ("siren", 0.06)])
def test_painting_takes_over_a_picture(name: str, error: float) -> None:
    smooth = torch.rand((1, 3, 5, 5), generator=torch.Generator().manual_seed(1))
    image = F.interpolate(smooth, (48, 64), mode="bicubic", align_corners=False).clamp(0.05, 0.95)
    generator = make(name)
    generator.paint(image)
    with torch.no_grad():
        assert (generator(64, 48) - image).abs().mean() < error


@pytest.mark.parametrize("name", NAMES)
def test_start_follows_from_the_seed(name: str) -> None:
    first, again, other = (make(name, seed=seed)(64, 48) for seed in (1, 1, 2))
    assert torch.equal(first, again) and not torch.equal(first, other)


def test_the_spectrum_starts_with_the_amplitudes_of_natural_pictures() -> None:
    generator = make("fft", (256, 256), "both")
    planes = from_display(generator(256, 256), generator.config.chroma)[0, 0].detach()
    power = torch.fft.rfft2(planes).abs().square()
    f = frequencies(256, 256)
    bands = [power[(f >= low) & (f < 2 * low)].mean() for low in (1 / 64, 1 / 32, 1 / 16, 1 / 8)]
    slopes = [float(torch.log2(a / b)) / 2 for a, b in pairwise(bands)]
    assert all(abs(slope - generator.config.decay) < 0.2 for slope in slopes)
    assert 0.5 < float(planes.std()) / generator.config.start < 2


@pytest.mark.parametrize(
    ("full", "small"), [((32, 32), (16, 16)), ((30, 21), (14, 11)), ((16, 16), (32, 32))]
)
def test_resizing_a_spectrum_keeps_a_band_limited_picture(
    full: tuple[int, int], small: tuple[int, int]
) -> None:
    (h, w), (sh, sw) = full, small

    def sample(height: int, width: int) -> torch.Tensor:
        y = torch.arange(height)[:, None] / height
        x = torch.arange(width)[None] / width
        wave = torch.cos(2 * torch.pi * (2 * x + y)) + 0.5 * torch.sin(2 * torch.pi * (x - 3 * y))
        return (wave + 0.3)[None]

    spectrum = torch.fft.rfft2(sample(h, w)[None], norm="forward")
    resized = torch.fft.irfft2(resize_spectrum(spectrum, sh, sw, h), s=(sh, sw), norm="forward")
    assert torch.allclose(resized, sample(sh, sw)[None], atol=1e-5)


def test_colour_basis_is_orthonormal_and_inverts() -> None:
    matrix = torch.tensor(OPPONENT)
    assert torch.allclose(matrix.T @ matrix, torch.eye(3), atol=1e-3)
    image = torch.rand((1, 3, 8, 8), generator=torch.Generator().manual_seed(0)) * 0.98 + 0.01
    assert torch.allclose(to_display(from_display(image, 1.7), 1.7), image, atol=1e-5)
    grey = to_display(torch.randn((1, 3, 8, 8)), chroma=0.0)
    assert torch.allclose(grey[:, 0], grey[:, 1], atol=1e-3)
