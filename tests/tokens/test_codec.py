"""Laws that both codecs keep: any size, tiling, fingerprints, and what each says of what it cannot do."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
import torch.nn.functional as F
from safetensors.torch import save_file
from torch import Tensor

from dreamplate.errors import CheckpointError, ModelError
from dreamplate.models.layouts.vq import expected, infer
from dreamplate.tokens.codec import Codec, check_codec, fingerprint_of, load_codec, padded, reconstruct
from dreamplate.tokens.codec_system import book_figures
from dreamplate.tokens.decoder import Decoder
from dreamplate.tokens.dvae import Dvae
from dreamplate.tokens.encoder import Encoder
from dreamplate.tokens.vq import DEFAULTS, Vq
from dreamplate.train.port import Port
from dreamplate.translate.model import Model, save_model

CODES = 20


def make(kind: str, seed: int = 0) -> Codec:
    draws = torch.Generator().manual_seed(seed)
    if kind == "dvae":
        parts = Encoder(CODES, 8, blocks=1, draws=draws), Decoder(CODES, 8, 6, blocks=1, draws=draws)
        return Dvae(*parts).requires_grad_(False)
    settings = {"codes": CODES, "latent": 6, "encoder_width": 8, "encoder_blocks": 1, "decoder_width": 16}
    net = Vq(settings | {"decoder_blocks": 1, "decoder_blocks_4": 1}, draws).requires_grad_(False)
    net.book.copy_(F.normalize(torch.randn((CODES, 6), generator=draws), dim=1))
    net.spread.fill_(0.2)
    return net


def picture(height: int, width: int, n: int = 2, seed: int = 1) -> Tensor:
    return torch.rand((n, 3, height, width), generator=torch.Generator().manual_seed(seed))


both = pytest.mark.parametrize("kind", ["dvae", "vq"])


@both
@pytest.mark.parametrize("size", [(24, 32), (21, 30), (3, 5), (1, 1), (8, 57)])
def test_any_size_has_a_code_for_every_cell_and_comes_back_in_its_size(
    kind: str, size: tuple[int, int]
) -> None:
    codec, image = make(kind), picture(*size)
    made, codes = reconstruct(codec, image)
    assert made.shape == image.shape and float(made.min()) >= 0 and float(made.max()) <= 1
    assert codes.dtype == torch.int64 and codes.shape == (2, -(-size[0] // 8), -(-size[1] // 8))
    # What is added is the picture's own reflection, and whole cells do not know of what was cut away.
    whole = padded(image, 8)
    assert torch.equal(codes, codec.encode(whole))
    assert torch.equal(whole[..., : size[0], : size[1]], image)


@pytest.mark.parametrize("side", [1, 2, 3, 5, 8])
def test_continued_pictures_are_mirrored_about_their_last_pixel(side: int) -> None:
    image = picture(side, 8, 1)
    found = padded(image, 8)
    swinging = [*range(side), *range(side - 2, 0, -1)] or [0]
    wanted = [swinging[place % len(swinging)] for place in range(8)]
    assert torch.equal(found, image[:, :, wanted])
    if side == 5:
        assert torch.equal(found, F.pad(image, (0, 0, 0, 3), mode="reflect"))


@both
@pytest.mark.parametrize("wrap", [(True, False), (False, True), (True, True)])
def test_a_tile_that_is_rolled_gives_codes_and_pictures_that_are_rolled(
    kind: str, wrap: tuple[bool, bool]
) -> None:
    codec, image = make(kind), picture(24, 40)
    shift = (1 if wrap[1] else 0, 2 if wrap[0] else 0)
    far = (8 * shift[0], 8 * shift[1])
    scores = codec.logits(image, wrap)
    moved = codec.logits(image.roll(far, (2, 3)), wrap)
    torch.testing.assert_close(moved, scores.roll(shift, (2, 3)), atol=1e-4, rtol=1e-4)
    codes = scores.argmax(1)
    rolled = codec.decode(codes, wrap).roll(far, (2, 3))
    torch.testing.assert_close(codec.decode(codes.roll(shift, (1, 2)), wrap), rolled)
    assert not torch.allclose(codec.logits(image.roll(far, (2, 3))), codec.logits(image).roll(shift, (2, 3)))


@both
def test_a_tile_whose_cells_would_not_meet_is_refused(kind: str) -> None:
    codec = make(kind)
    with pytest.raises(ModelError, match="width is 30, no multiple of 8; make it 32"):
        codec.encode(picture(24, 30), (True, False))
    assert codec.encode(picture(24, 30), (False, True)).shape == (2, 3, 4)


@both
def test_codes_decode_as_what_they_stand_for(kind: str) -> None:
    codec = make(kind)
    codes = torch.randint(0, CODES, (2, 3, 4), generator=torch.Generator().manual_seed(0))
    features = (codec.book[codes] + codec.offset).permute(0, 3, 1, 2)
    torch.testing.assert_close(codec.decode(codes), codec.from_features(features).clamp(0, 1))
    hot = F.one_hot(codes, CODES).float()
    mixed = (hot @ codec.book + codec.offset).permute(0, 3, 1, 2)
    torch.testing.assert_close(codec.from_features(mixed), codec.from_features(features))


@both
def test_the_best_code_has_the_highest_score_and_batches_do_not_mix(kind: str) -> None:
    codec, image = make(kind), picture(16, 24, 3)
    scores = codec.logits(image)
    assert torch.equal(codec.encode(image), scores.argmax(1))
    torch.testing.assert_close(codec.logits(image[1:2]), scores[1:2], atol=1e-4, rtol=1e-4)


@both
def test_fingerprints_know_the_codebook_and_not_its_rounding(kind: str) -> None:
    codec, other = make(kind), make(kind, 1)
    assert codec.fingerprint == make(kind).fingerprint != other.fingerprint
    assert codec.fingerprint == fingerprint_of(codec.book.half().float())
    assert fingerprint_of(codec.book[:-1]) != codec.fingerprint
    check_codec(codec, codec.fingerprint, "dalle")
    words = f"world-dalle: codebook mismatch.*{other.fingerprint}.*{codec.fingerprint}"
    with pytest.raises(ModelError, match=words):
        check_codec(codec, other.fingerprint, "world-dalle")


@both
def test_codes_of_another_vocabulary_are_refused(kind: str) -> None:
    for bad in (-1, CODES):
        with pytest.raises(CheckpointError, match=f"there are {CODES}"):
            make(kind).decode(torch.full((1, 2, 2), bad))


@both
def test_a_saved_model_is_found_again_whatever_it_is(kind: str, tmp_path: Path) -> None:
    codec, image = make(kind), picture(16, 24)
    assert isinstance(codec, (Dvae, Vq))
    save_model(Model(codec, codec.settings, None, Port()), tmp_path / "model.safetensors")
    for name in (str(tmp_path), str(tmp_path / "model.safetensors")):
        found = load_codec(name)
        assert type(found) is type(codec) and found.fingerprint == codec.fingerprint
        torch.testing.assert_close(found.logits(image), codec.logits(image), atol=1e-4, rtol=1e-4)
        codes = codec.encode(image)
        torch.testing.assert_close(found.decode(codes), codec.decode(codes))


@pytest.mark.parametrize("settings", [DEFAULTS, {"codes": 6, "latent": 3, "decoder_blocks_2": 0}])
def test_bare_weights_tell_their_settings(settings: dict[str, int], tmp_path: Path) -> None:
    net = Vq(settings)
    shapes = {name: tuple(tensor.shape) for name, tensor in net.state_dict().items()}
    assert dict(expected(infer(shapes))) == shapes
    assert {"architecture": "vq", **infer(shapes)} == net.settings
    file = tmp_path / "weights.safetensors"
    save_file({name: tensor.half() for name, tensor in net.state_dict().items()}, file)
    assert load_codec(str(file)).codes == net.codes


def test_what_is_no_codec_is_named(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="no model is named 'no-such-codec'"):
        load_codec("no-such-codec")
    with pytest.raises(ModelError, match="holds a stylegan2 network, a vq or a dvae is needed"):
        load_codec("stylegan2-small")
    codec = make("vq")
    assert isinstance(codec, Vq)
    settings = codec.settings | {"latent": 5}
    save_model(Model(codec, settings, None, Port()), tmp_path / "model.safetensors")
    with pytest.raises(CheckpointError, match=r"'book' is \(20, 6\), \(20, 5\) expected"):
        load_codec(str(tmp_path))


def test_built_in_discrete_vae_is_a_codec() -> None:
    codec = load_codec("dvae-small")
    made, codes = reconstruct(codec, torch.full((1, 3, 20, 20), 0.5))
    assert codec.codes == 1024 and int(codes.max()) < 1024
    assert float((made - 0.5).abs().mean()) < 0.1


def test_use_of_a_codebook_is_told_in_codes() -> None:
    even = book_figures(torch.tensor([3.0, 3.0, 0.0, 3.0, 3.0]))
    assert even["perplexity"] == pytest.approx(4) and even["bits"] == pytest.approx(2)
    assert even["codes_used"] == pytest.approx(0.8)
    one = book_figures(torch.tensor([0.0, 7.0]))
    assert one["perplexity"] == pytest.approx(1) and one["codes_used"] == 0.5
