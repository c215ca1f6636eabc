"""Laws of palettes: clusters are found, the nearest colour is the nearest, tokens and pictures go round."""

from __future__ import annotations

import pytest
import torch

from dreamplate.errors import ConfigError
from dreamplate.tokens import palette as module
from dreamplate.tokens.palette import find_palette, nearest, pictures_of, tokens_of


def draws(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def test_clusters_that_are_far_apart_are_all_found() -> None:
    centres = torch.cartesian_prod(*[torch.tensor([-0.7, 0.0, 0.7])] * 3)
    noise = torch.randn((27, 60, 3), generator=draws()) * 0.01
    pixels = (centres[:, None] + noise).reshape(-1, 3)
    found = find_palette(pixels, 27, draws(1))
    means = (centres + noise.mean(1))[nearest(centres, found).argsort()]
    assert sorted(nearest(centres, found).tolist()) == list(range(27))
    torch.testing.assert_close(found, means, atol=1e-5, rtol=0)


def test_a_palette_loses_little_and_follows_from_its_seed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "SMALL", 500)
    pixels = torch.randn((4000, 3), generator=draws()).tanh()
    found = find_palette(pixels, 64, draws(1))
    lost = (found[nearest(pixels, found)] - pixels).square().sum(1).mean()
    chosen = pixels[:64]
    assert lost < 0.7 * (chosen[nearest(pixels, chosen)] - pixels).square().sum(1).mean()
    # A whole round of means can hardly better it.
    owner = nearest(pixels, found)
    means = torch.stack([pixels[owner == k].mean(0) for k in range(64)])
    better = (means[nearest(pixels, means)] - pixels).square().sum(1).mean()
    assert better > 0.97 * lost
    assert torch.equal(found, find_palette(pixels, 64, draws(1)))
    assert not torch.equal(found, find_palette(pixels, 64, draws(2)))
    assert bool((found.sum(1).diff() >= 0).all())


def test_fewer_colours_than_asked_for_are_all_there() -> None:
    pixels = torch.tensor([[-1.0, 0.0, 1.0], [0.5, 0.5, 0.5]]).repeat(5, 1)
    found = find_palette(pixels, 7, draws())
    assert found.shape == (7, 3)
    torch.testing.assert_close(found[nearest(pixels, found)], pixels, atol=1e-6, rtol=0)


def test_no_pixels_make_no_palette() -> None:
    with pytest.raises(ConfigError, match="no pixels"):
        find_palette(torch.zeros((0, 3)), 4, draws())


def test_the_nearest_colour_is_nearest_in_any_chunk(monkeypatch: pytest.MonkeyPatch) -> None:
    pixels = torch.rand((300, 3), generator=draws()) * 2 - 1
    colours = torch.rand((20, 3), generator=draws(1)) * 2 - 1
    wanted = (pixels[:, None] - colours).square().sum(2).argmin(1)
    assert torch.equal(nearest(pixels, colours), wanted)
    monkeypatch.setattr(module, "CHUNK", 140)
    assert torch.equal(nearest(pixels, colours), wanted)
    assert nearest(pixels[:0], colours).shape == (0,)


def test_pictures_of_a_palette_go_round() -> None:
    colours = torch.rand((16, 3), generator=draws()) * 2 - 1
    tokens = torch.randint(16, (2, 12), generator=draws(1))
    pictures = pictures_of(tokens, colours, 4)
    assert pictures.shape == (2, 3, 3, 4)
    assert torch.equal(tokens_of(pictures, colours), tokens)
    assert torch.equal(pictures[1, :, 2, 1], colours[tokens[1, 9]])
