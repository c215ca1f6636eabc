"""Laws of the `dvae` generator on our own codec: sizes, tiling, starting from a picture, what it refuses."""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F

from dreamplate.dream.dvae import DvaePainting
from dreamplate.dream.options import DvaeConfig
from dreamplate.errors import ConfigError, ModelError
from dreamplate.tokens.decoder import Decoder
from dreamplate.tokens.dvae import Dvae
from dreamplate.tokens.vq import Vq

CODES = 12


def net() -> Vq:
    draws = torch.Generator().manual_seed(0)
    made = Vq(
        {"codes": CODES, "latent": 6, "encoder_width": 8, "encoder_blocks": 1, "decoder_width": 16}, draws
    )
    made.book.copy_(F.normalize(torch.randn((CODES, 6), generator=draws), dim=1))
    made.spread.fill_(0.05)
    return made


def make(size: tuple[int, int] = (48, 32), wrap: tuple[bool, bool] = (False, False), **options: object):
    draws = [torch.Generator().manual_seed(seed) for seed in (0, 1)]
    return DvaePainting(DvaeConfig(**options), size, wrap, draws, net=net())  # type: ignore[arg-type]


@torch.no_grad()
@pytest.mark.parametrize("relaxation", ["softmax", "gumbel", "straight-through"])
def test_renders_any_size_in_range(relaxation: str) -> None:
    painting = make((45, 30), (False, True), relaxation=relaxation)
    painting.refresh(0.5, torch.Generator().manual_seed(0))
    for width, height in ((45, 30), (20, 13)):
        image = painting(width, height)
        assert image.shape == (2, 3, height, width)
        assert image.min() >= 0 and image.max() <= 1 and image.isfinite().all()


@torch.no_grad()
def test_what_is_shown_of_sure_scores_is_what_the_codec_decodes() -> None:
    painting = make(relaxation="straight-through")
    torch.testing.assert_close(painting(48, 32), net().decode(painting.logits.argmax(1)))


@torch.no_grad()
def test_a_start_from_a_picture_has_its_codes() -> None:
    painting, image = make(relaxation="straight-through"), torch.rand((2, 3, 32, 48))
    painting.paint(image)
    assert torch.equal(painting.logits.argmax(1), net().encode(image))
    torch.testing.assert_close(painting(48, 32), net().decode(net().encode(image)))


def test_only_scores_learn() -> None:
    painting = make()
    painting.refresh(0.0, torch.Generator().manual_seed(0))
    painting(24, 16).mean().backward()
    assert list(painting.state_dict()) == ["logits"] and painting.logits.grad is not None
    assert float(painting.logits.grad.abs().max()) > 0


@pytest.mark.parametrize("name", ["clamp", "laplace"])
def test_pixels_that_are_no_distributions_cannot_be_drawn(name: str) -> None:
    with pytest.raises(ConfigError, match=f"dvae.{name} needs a discrete VAE"):
        make(**{name: True})


def test_pictures_of_other_channels_are_no_dreams() -> None:
    grey = Dvae(None, Decoder(CODES, 8, 6, blocks=1, channels=1, draws=torch.Generator().manual_seed(0)))
    draws = [torch.Generator().manual_seed(0)]
    with pytest.raises(ModelError, match="makes pictures of 1 channels"):
        DvaePainting(DvaeConfig(), (16, 16), (False, False), draws, net=grey)
