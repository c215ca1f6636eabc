"""Geometry, colour and filters of adaptive discriminator augmentation against naive twins."""

from __future__ import annotations

import math

import pytest
import torch
import torch.nn.functional as F

from dreamplate.nets.upfirdn import upfirdn
from dreamplate.train.ada_colour import colour_matrix, recolour
from dreamplate.train.ada_filter import band_gains, cut_out, filter_bands, filter_bank
from dreamplate.train.ada_geometry import inverse_of, linear, shift
from dreamplate.train.ada_resample import (
    Sampling,
    doubling,
    halving,
    low_pass,
    move,
    move_whole,
    reflected,
    resample,
)
from dreamplate.train.ada_steps import Ranges

DRAWS = torch.Generator().manual_seed(7)
RANGES = Ranges()


def normal(*shape: int) -> torch.Tensor:
    return torch.randn(shape, generator=DRAWS)


def drawn(**values: float) -> dict[str, torch.Tensor]:
    return {name: torch.tensor([value]).reshape(1, -1).float() for name, value in values.items()}


# -- resampling -----------------------------------------------------------------------------------------


def test_the_wavelet_is_orthogonal() -> None:
    taps = low_pass() * math.sqrt(2)
    for lag in range(0, 12, 2):
        assert float((taps[: 12 - lag] * taps[lag:]).sum()) == pytest.approx(float(lag == 0), abs=1e-9)


def test_mirrors_are_those_of_reflect_padding() -> None:
    line = normal(1, 1, 7)
    padded = F.pad(line, (6, 6), mode="reflect")[0, 0]
    assert torch.equal(line[0, 0, reflected(torch.arange(-6, 13), 7)], padded)
    assert reflected(torch.arange(-30, 30), 1).abs().max() == 0


def test_matrices_are_zero_insertion_and_filtering() -> None:
    x = normal(1, 1, 9, 11)
    taps = low_pass().float()[None]
    padded = F.pad(x, (3, 5, 0, 0), mode="reflect")
    up = upfirdn(padded, taps * 2, up=(2, 1), padding=(6, 5, 0, 0))
    torch.testing.assert_close(x @ doubling(11, 3, 5).T, up, rtol=0, atol=1e-6)
    fine = normal(1, 1, 4, 2 * (11 + 6))
    down = upfirdn(fine, taps, down=(2, 1), padding=(-1, -1, 0, 0), flip=True)
    torch.testing.assert_close(fine @ halving(11).T, down, rtol=0, atol=1e-6)


@pytest.mark.parametrize("size", [(12, 12), (11, 15), (16, 9)])
def test_moves_by_whole_pixels_need_no_filter(size: tuple[int, int]) -> None:
    image = normal(4, 2, *size)
    mirrors = torch.tensor([[1.0, -1.0, 1.0, -1.0], [1.0, 1.0, -1.0, -1.0]], dtype=torch.float64)
    zero = torch.zeros(4, dtype=torch.float64)
    by = torch.tensor([[2.0, -1.0, 0.0, 3.0], [0.0, 2.0, -2.0, 1.0]], dtype=torch.float64)
    inverse = linear(mirrors[0], zero, zero, mirrors[1]) @ shift(*by)
    moved = shift(*by)
    torch.testing.assert_close(move_whole(image, moved), resample(image, moved), rtol=0, atol=1e-5)
    assert (resample(image, inverse) - move(image, inverse))[3].abs().max() > 0.01  # mirrors, and soft
    for number in range(4):
        flips = [axis + 1 for axis in (1, 0) if mirrors[1 - axis, number] < 0]
        x, y = (int(v) for v in (mirrors * by)[:, number])
        padded = F.pad(image[number], (4, 4, 4, 4), mode="reflect")
        padded = padded[:, 4 + y : 4 + y + size[0], 4 + x : 4 + x + size[1]]
        assert torch.equal(move(image, inverse)[number], padded.flip(flips) if flips else padded)


def test_quarter_turns_are_exact() -> None:
    image = normal(1, 3, 10, 10)
    for turns in range(4):
        inverse = inverse_of(drawn(rotate90=turns / 4 + 0.1), (10, 10), RANGES)
        assert torch.equal(move(image, inverse), image.rot90(turns, (2, 3)))


def test_a_smooth_picture_turns_into_the_turned_picture() -> None:
    y, x = torch.meshgrid(torch.arange(48.0) - 23.5, torch.arange(48.0) - 23.5, indexing="ij")
    wave = lambda u, v: torch.sin(u / 5) + torch.cos(v / 7 + u / 9)  # noqa: E731
    inverse = inverse_of(drawn(rotate_before=0.57, scale=0.8, xfrac=[0.05, -0.1]), (48, 48), RANGES)
    place = inverse[0, :2] @ torch.stack([x, y, torch.ones_like(x)]).view(3, -1).double()
    wanted = wave(*place.float()).view(48, 48)
    found = resample(wave(x, y)[None, None], inverse)[0, 0]
    inside = (place.abs() < 18).all(0).view(48, 48)
    assert inside.float().mean() > 0.4
    assert (found - wanted)[inside].abs().max() < 0.02


def test_each_picture_is_moved_alone() -> None:
    image = normal(5, 2, 12, 14)
    inverse = torch.cat(
        [
            torch.eye(3, dtype=torch.float64)[None],
            inverse_of(drawn(scale=-2.0), (12, 14), RANGES),
            inverse_of(drawn(xint=[0.9, 0.2]), (12, 14), RANGES),
            inverse_of(drawn(rotate_after=0.3), (12, 14), RANGES),
            torch.eye(3, dtype=torch.float64)[None],
        ]
    )
    together = move(image, inverse)
    alone = torch.cat([move(image[k : k + 1], inverse[k : k + 1]) for k in range(5)])
    torch.testing.assert_close(together, alone, rtol=0, atol=1e-5)
    assert torch.equal(together[[0, 4]], image[[0, 4]])


def test_sampling_has_its_gradients() -> None:
    grid = F.affine_grid(torch.tensor([[[0.8, 0.3, 0.1], [-0.2, 1.1, 0.0]]]).double(), [1, 2, 5, 6], False)
    image = torch.randn(1, 2, 4, 5, generator=DRAWS, dtype=torch.float64).requires_grad_()
    assert torch.autograd.gradcheck(lambda x: Sampling.apply(x, grid), image)
    assert torch.autograd.gradgradcheck(lambda x: Sampling.apply(x, grid).square(), image)


# -- colour ---------------------------------------------------------------------------------------------


def test_colour_steps_are_what_they_are_called() -> None:
    image = normal(1, 3, 4, 5)
    grey = image.mean(1, keepdim=True)
    apply = lambda **d: recolour(image, colour_matrix(drawn(**d), RANGES))  # noqa: E731
    close = lambda one, other: torch.testing.assert_close(one, other, rtol=0, atol=1e-6)  # noqa: E731
    close(apply(brightness=2.0), image + 0.4)
    close(apply(contrast=2.0), image * 2)
    close(apply(lumaflip=0.7), image - 2 * grey)
    close(apply(lumaflip=0.3), image)
    close(apply(saturation=1.0), grey + (image - grey) * 2)
    close(apply(hue=0.5), image)
    # A third of a whole turn makes red green.
    third = apply(hue=(2 / 3 + 1) / 2)
    close(third, image.roll(1, 1))
    both = apply(brightness=1.0, saturation=-1.0, contrast=1.0)
    brighter = (image + 0.2) * 2**0.5
    close(both, torch.lerp(brighter.mean(1, keepdim=True).expand_as(image), brighter, 0.5))


def test_one_channel_is_a_grey_picture() -> None:
    image = normal(2, 1, 4, 5)
    values = {name: normal(2, 1) for name in ("brightness", "contrast", "saturation")}
    values |= {name: torch.rand((2, 1), generator=DRAWS) for name in ("hue", "lumaflip")}
    matrix = colour_matrix(values, RANGES)
    wanted = recolour(image.expand(-1, 3, -1, -1), matrix).mean(1, keepdim=True)
    torch.testing.assert_close(recolour(image, matrix), wanted, rtol=0, atol=1e-6)
    with pytest.raises(ValueError, match="2 channels"):
        recolour(normal(2, 2, 4, 4), matrix)


# -- corruptions ----------------------------------------------------------------------------------------


def test_bands_add_up_to_the_picture() -> None:
    bank = filter_bank()
    delta = torch.zeros(bank.shape[1])
    delta[bank.shape[1] // 2] = 1
    torch.testing.assert_close(bank.sum(0), delta, rtol=0, atol=1e-6)
    torch.testing.assert_close(bank, bank.flip(1), rtol=0, atol=1e-6)
    image = normal(2, 3, 30, 26)
    torch.testing.assert_close(filter_bands(image, torch.ones(2, 4)), image, rtol=0, atol=1e-5)


def test_band_filter_is_a_convolution_of_the_mirrored_picture() -> None:
    image, gains = normal(2, 3, 30, 26), torch.rand((2, 4), generator=DRAWS) * 2
    found = filter_bands(image, gains)
    padded = F.pad(image, (21, 21, 21, 21), mode="reflect")
    for number in range(2):
        taps = gains[number] @ filter_bank()
        wanted = F.conv2d(padded[number][:, None], torch.outer(taps, taps)[None, None])[:, 0]
        torch.testing.assert_close(found[number], wanted, rtol=0, atol=1e-4)


def test_a_band_is_scaled_without_a_change_of_power() -> None:
    power = torch.tensor([10, 1, 1, 1]).double() / 13
    for band in range(4):
        draw = torch.zeros(3, 4)
        draw[:, band] = torch.tensor([-1.0, 0.0, 2.0])
        gains = band_gains(draw, 1.0)
        torch.testing.assert_close((power * gains.square()).sum(1), torch.ones(3).double())
        others = [k for k in range(4) if k != band]
        torch.testing.assert_close(gains[:, band] / gains[:, others[0]], torch.tensor([0.5, 1, 4]).double())


def test_cut_outs_are_shares_of_both_sides() -> None:
    found = cut_out(torch.ones(3, 1, 8, 12), torch.tensor([[0.5, 0.5], [0.0, 1.0], [-2.0, -2.0]]), 0.5)
    assert (found == 0).sum((1, 2, 3)).tolist() == [4 * 6, 2 * 3, 0]
    assert (found[1, 0, 6:, :3] == 0).all()
