"""Laws of the discrete VAE: agreement with the reference, tiling, damage is named."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch
import torch.nn.functional as F
from safetensors.torch import load_file
from torch import Tensor

from dreamplate.errors import CheckpointError
from dreamplate.models.find import find_weights
from dreamplate.tokens import Decoder, Dvae, Encoder, map_pixels, unmap_pixels
from dreamplate.tokens.pixels import centre, draw, negative_log_likelihood


def tiny(codes: int = 12, seed: int = 0) -> dict[str, Tensor]:
    """A complete state of random weights."""
    draws = torch.Generator().manual_seed(seed)
    nets = {"encoder": Encoder(codes, 8, draws=draws), "decoder": Decoder(codes, 8, 6, blocks=1, draws=draws)}
    return {
        f"{part}.{name}": t.detach() for part, net in nets.items() for name, t in net.state_dict().items()
    }


def picture(n: int = 2, height: int = 24, width: int = 32, seed: int = 1) -> Tensor:
    return torch.rand((n, 3, height, width), generator=torch.Generator().manual_seed(seed))


@pytest.fixture(scope="module")
def fixture(shared_dir: Path):
    folder = shared_dir / "parity" / "dall_e_dvae"
    about = json.loads((folder / "about.json").read_text())
    net = Dvae.from_state(load_file(folder / "weights.safetensors")).requires_grad_(False)
    rule = about["tolerance"]
    tolerance = {"atol": rule["max_abs_error"], "rtol": rule["relative_error"]}
    return net, load_file(folder / "io.safetensors"), about["constructor_arguments"], tolerance


def test_parity_settings_follow_from_shapes(fixture) -> None:
    net, _, arguments, _ = fixture
    assert net.codes == net.encoder.codes == net.decoder.codes == arguments["Encoder"]["vocab_size"]
    assert net.encoder.blocks["input"].w.shape[0] == arguments["Encoder"]["n_hid"]
    assert net.decoder.book.shape == (arguments["Decoder"]["vocab_size"], arguments["Decoder"]["n_init"])
    assert net.decoder.channels == arguments["Decoder"]["output_channels"]
    assert len(net.encoder.blocks["group_3"]) == arguments["Encoder"]["n_blk_per_group"]


def test_parity_encoder(fixture) -> None:
    net, io, _, tolerance = fixture
    torch.testing.assert_close(map_pixels(io["in.pixels"]), io["out.mapped"], **tolerance)
    torch.testing.assert_close(net.logits(io["in.pixels"]), io["out.logits"], **tolerance)
    assert torch.equal(net.encode(io["in.pixels"]), io["out.codes"])


def test_parity_decoder(fixture) -> None:
    net, io, _, tolerance = fixture
    hot = F.one_hot(io["out.codes"], net.codes).permute(0, 3, 1, 2).float()
    torch.testing.assert_close(net.decoder(hot), io["out.stats"], **tolerance)
    torch.testing.assert_close(net.decode(io["out.codes"]), io["out.reconstruction"], **tolerance)
    soft = net.decoder(io["out.logits"].softmax(1))
    torch.testing.assert_close(soft, io["out.stats_from_soft_codes"], **tolerance)


@torch.no_grad()
def test_looking_up_codes_equals_the_convolution_of_one_hot_codes() -> None:
    net = Dvae.from_state(tiny())
    codes = torch.randint(0, 12, (2, 3, 4), generator=torch.Generator().manual_seed(0))
    hot = F.one_hot(codes, 12).permute(0, 3, 1, 2).float()
    torch.testing.assert_close(net.decoder.from_features(net.decoder.embed(codes)), net.decoder(hot))


@torch.no_grad()
@pytest.mark.parametrize("wrap", [(True, False), (False, True), (True, True)])
def test_a_tile_that_is_rolled_gives_codes_and_pictures_that_are_rolled(wrap: tuple[bool, bool]) -> None:
    net = Dvae.from_state(tiny())
    image = picture()
    shift = (1 if wrap[1] else 0, 2 if wrap[0] else 0)
    moved = image.roll((8 * shift[0], 8 * shift[1]), (2, 3))
    scores = net.logits(image, wrap)
    torch.testing.assert_close(net.logits(moved, wrap), scores.roll(shift, (2, 3)))
    codes = scores.argmax(1)
    rolled = net.decode(codes, wrap).roll((8 * shift[0], 8 * shift[1]), (2, 3))
    torch.testing.assert_close(net.decode(codes.roll(shift, (1, 2)), wrap), rolled)
    assert not torch.allclose(net.logits(moved), net.logits(image).roll(shift, (2, 3)))


@torch.no_grad()
def test_pictures_of_a_batch_do_not_touch() -> None:
    net = Dvae.from_state(tiny())
    image = picture(3)
    torch.testing.assert_close(net.logits(image)[1:2], net.logits(image[1:2]))


def test_pixels_round_trip() -> None:
    image = picture()
    torch.testing.assert_close(unmap_pixels(map_pixels(image)), image)
    assert unmap_pixels(torch.tensor([[[[0.0, 1.0]]]])).tolist() == [[[[0.0, 1.0]]]]


def test_drawn_pixels_have_the_distribution_that_the_likelihood_scores() -> None:
    stats = torch.tensor([0.3, -0.7]).view(1, 2, 1, 1).double()
    n = 200_001
    uniform = (torch.arange(n).double() / n).view(1, 1, 1, n)
    logits = draw(stats.expand(1, 2, 1, n), uniform)[0, 0, 0]
    assert logits[n // 2] == pytest.approx(0.3, abs=1e-4)
    assert (logits - 0.3).abs().mean() == pytest.approx(float(torch.exp(torch.tensor(-0.7))), rel=1e-3)
    # The density of mapped pixels adds up to 1.
    x = (torch.arange(n).double() + 0.5) / n
    density = torch.exp(-negative_log_likelihood(stats.expand(1, 2, 1, n), x.view(1, 1, 1, n)))
    assert density.mean() == pytest.approx(1.0, abs=2e-3)
    both = torch.cat([map_pixels(torch.full((1, 3, 1, 1), 0.4)).logit(), torch.zeros(1, 3, 1, 1)], 1)
    torch.testing.assert_close(centre(both), torch.full((1, 3, 1, 1), 0.4))


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda s: s.pop("encoder.blocks.group_2.block_1.res_path.conv_3.b"), "conv_3.b' is missing"),
        (lambda s: s.update({"decoder.blocks.extra.w": torch.zeros(1)}), "blocks.extra.w' is not part"),
        (
            lambda s: s.update({"decoder.blocks.input.w": torch.zeros(6, 12, 3, 3)}),
            "(6, 12, 3, 3), (6, 12, 1, 1)",
        ),
        (lambda s: s.update({"encoder.blocks.input.w": torch.zeros(8)}), "blocks.input.w has shape (8,)"),
        (lambda s: s.clear(), "no decoder"),
    ],
)
def test_damaged_checkpoints_are_named(change, words: str) -> None:
    state = tiny()
    change(state)
    with pytest.raises(CheckpointError) as caught:
        Dvae.from_state(state)
    assert words in str(caught.value) and "\n" not in str(caught.value)


@torch.no_grad()
def test_the_built_in_weights_keep_what_a_picture_shows() -> None:
    state, settings = find_weights("dvae-small", "dvae")
    assert settings["parts"] == "encoder decoder"
    assert {tensor.dtype for tensor in state.values()} == {torch.float16}
    net = Dvae.from_state(state)
    y, x = torch.meshgrid(torch.linspace(-1, 1, 96), torch.linspace(-1, 1, 96), indexing="ij")
    disc = (0.6 - (x * x + y * y).sqrt()).mul(48).clamp(0, 1)
    sky, ball = torch.tensor([0.35, 0.6, 0.85]), torch.tensor([0.8, 0.35, 0.2])
    image = (sky[:, None, None] * (0.8 + 0.2 * y)).lerp(ball[:, None, None] * (0.8 - 0.2 * x), disc)[None]
    made = net.decode(net.encode(image))
    assert -10 * float(torch.log10((made - image).square().mean())) > 22
    # The colours stay apart: orange inside, blue outside.
    warmth = made[0, 0] - made[0, 2]
    assert float(warmth[disc == 1].mean()) > 0.3 and float(warmth[disc == 0].mean()) < -0.3
    # A mixture of codes lies between their pictures rather than anywhere.
    a, b = (torch.full((1, 4, 4), code) for code in net.encode(image)[0, 6, [1, 6]].tolist())
    between = centre(net.decoder.from_features((net.decoder.embed(a) + net.decoder.embed(b)) / 2))
    ends = torch.stack([net.decode(a).mean((0, 2, 3)), net.decode(b).mean((0, 2, 3))])
    low, high = ends.amin(0) - 0.1, ends.amax(0) + 0.1
    assert bool(((between.mean((0, 2, 3)) > low) & (between.mean((0, 2, 3)) < high)).all())


def test_what_a_half_cannot_do_is_named() -> None:
    state = tiny()
    decoder = Dvae.from_state({name: t for name, t in state.items() if name.startswith("decoder.")})
    encoder = Dvae.from_state({name: t for name, t in state.items() if name.startswith("encoder.")})
    with pytest.raises(CheckpointError, match="no encoder"):
        decoder.encode(picture())
    with pytest.raises(CheckpointError, match="no decoder"):
        encoder.decode(torch.zeros(1, 1, 1, dtype=torch.long))
    with pytest.raises(CheckpointError, match="12 codes and the decoder 14"):
        Dvae(encoder.encoder, Dvae.from_state(tiny(14)).decoder)
    with pytest.raises(CheckpointError, match="from 0 to 12, there are 12"):
        decoder.decode(torch.tensor([[[0, 12]]]))
