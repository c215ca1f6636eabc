"""Laws of the `dvae` generator: soft codes against their plain form, starts, noise, tiling, search."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from dreamplate.dream import softcodes
from dreamplate.dream.dvae import DvaePainting
from dreamplate.dream.options import DvaeConfig
from dreamplate.dream.painting import Genes
from dreamplate.dream.softcodes import hard_codes, soft_codes
from dreamplate.errors import ConfigError, ModelError
from dreamplate.tokens import Decoder, Dvae, Encoder
from dreamplate.tokens.pixels import centre

CODES = 16


def net(encoder: bool = True, codes: int = CODES) -> Dvae:
    draws = torch.Generator().manual_seed(0)
    decoder = Decoder(codes, 8, 6, blocks=1, draws=draws)
    return Dvae(Encoder(codes, 8, blocks=1, draws=draws) if encoder else None, decoder)


def make(
    seeds: tuple[int, ...] = (0,),
    size: tuple[int, int] = (64, 48),
    wrap: tuple[bool, bool] = (False, False),
    made: Dvae | None = None,
    **options: object,
) -> DvaePainting:
    draws = [torch.Generator().manual_seed(seed) for seed in seeds]
    config = DvaeConfig(**options)  # type: ignore[arg-type]
    return DvaePainting(config, size, wrap, draws, net=made or net())


def naive(
    scores: Tensor, book: Tensor, factor: float, noise: Tensor | None, uniform: Tensor | None, pairs: bool
) -> Tensor:
    """The same by plain operations: one-hot codes plus a softmax that only lends its gradient."""
    groups = 2 if pairs else 1
    scaled = scores * factor + (0 if noise is None else noise)
    mixed = []
    for group in range(groups):
        soft = scaled[:, group::groups].softmax(1)
        if uniform is not None:
            total = soft.detach().cumsum(1)
            drawn = (total <= uniform[:, group : group + 1] * total[:, -1:]).sum(1)
            hard = F.one_hot(drawn, soft.shape[1]).to(soft)
            soft = hard + soft - soft.detach()
        mixed.append(soft @ book[group::groups])
    return torch.stack(mixed).sum(0)


@pytest.mark.parametrize("pairs", [False, True])
@pytest.mark.parametrize("kind", ["softmax", "gumbel", "drawn"])
@pytest.mark.parametrize("chunk", [7 * 12, 1 << 20])
def test_soft_codes_equal_their_plain_form(
    kind: str, pairs: bool, chunk: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(softcodes, "CHUNK", chunk)
    draws = torch.Generator().manual_seed(1)
    scores = torch.randn((40, 12), generator=draws, dtype=torch.double)
    book, weight = (torch.randn(shape, generator=draws, dtype=torch.double) for shape in ((12, 5), (40, 5)))
    noise = torch.randn((40, 12), generator=draws, dtype=torch.double) if kind == "gumbel" else None
    uniform = (
        torch.rand((40, 2 if pairs else 1), generator=draws, dtype=torch.double) if kind == "drawn" else None
    )
    one, two = scores.clone().requires_grad_(), scores.clone().requires_grad_()
    made = soft_codes(one, book, factor=1.7, noise=noise, uniform=uniform, pairs=pairs)
    wanted = naive(two, book, 1.7, noise, uniform, pairs)
    torch.testing.assert_close(made, wanted)
    (made * weight).sum().backward()
    (wanted * weight).sum().backward()
    torch.testing.assert_close(one.grad, two.grad)


def test_drawn_codes_follow_the_probabilities() -> None:
    scores = torch.tensor([[0.0, 1.0, -1.0, 2.0]]).expand(40_000, 4)
    uniform = torch.rand((40_000, 1), generator=torch.Generator().manual_seed(0))
    drawn = soft_codes(scores, torch.eye(4), uniform=uniform)
    torch.testing.assert_close(drawn.mean(0), scores[0].softmax(0), atol=0.01, rtol=0)
    assert set(drawn.sum(1).tolist()) == {1.0}
    assert torch.equal(hard_codes(scores[:1], torch.eye(4)), torch.eye(4)[3:])
    # Pairs: the best of 0, -1 and the best of 1, 2, so that the mass is two.
    assert hard_codes(scores[:1], torch.eye(4), pairs=True).tolist() == [[1, 0, 0, 1]]


@torch.no_grad()
@pytest.mark.parametrize("relaxation", ["softmax", "gumbel", "straight-through"])
@pytest.mark.parametrize("size", [(64, 48), (33, 57)])
def test_renders_any_size_in_range(relaxation: str, size: tuple[int, int]) -> None:
    painting = make((0, 1), size, (True, False), relaxation=relaxation, laplace=True)
    painting.refresh(0.5, torch.Generator().manual_seed(0))
    for width, height in (size, (size[0] // 2 + 1, size[1] // 2 + 1), (8, 8)):
        image = painting(width, height)
        assert image.shape == (2, 3, height, width)
        assert image.min() >= 0 and image.max() <= 1 and image.isfinite().all()


@torch.no_grad()
@pytest.mark.parametrize("relaxation", ["softmax", "straight-through"])
def test_small_is_the_large_picture_reduced(relaxation: str) -> None:
    painting = make((1,), (64, 64), relaxation=relaxation)
    painting.refresh(0.0, torch.Generator().manual_seed(0))
    reduced = F.interpolate(painting(64, 64), (32, 32), mode="bilinear", antialias=True)
    torch.testing.assert_close(painting(32, 32), reduced)


@torch.no_grad()
@pytest.mark.parametrize("start", ["normal", "one-hot", "few-codes"])
def test_each_picture_of_a_batch_is_the_picture_of_its_seed(start: str) -> None:
    batch = make((3, 4), start=start)(64, 48)
    for index, seed in enumerate((3, 4)):
        torch.testing.assert_close(batch[index : index + 1], make((seed,), start=start)(64, 48))
    assert not torch.equal(batch[0], batch[1])


@torch.no_grad()
def test_starts_are_what_they_say() -> None:
    assert 1.8 < float(make(start_scale=2.0).logits.std()) < 2.2
    for start, most in (("one-hot", CODES), ("few-codes", 8)):
        logits = make(start=start, start_scale=3.0).logits
        assert torch.equal(logits.sum(1), torch.full((1, 6, 8), 3.0)) and int((logits != 0).sum()) == 48
        assert len(logits.argmax(1).unique()) <= most


def test_only_scores_learn_and_are_kept() -> None:
    painting = make((0, 1))
    assert list(painting.state_dict()) == ["logits"] and painting.logits.shape == (2, CODES, 6, 8)
    painting.refresh(0.0, torch.Generator().manual_seed(0))
    painting(32, 24).mean().backward()
    assert painting.logits.grad is not None and painting.logits.grad.abs().max() > 0
    assert all(p.grad is None and not p.requires_grad for p in painting.frozen[0].parameters())
    assert painting.double()(64, 48).dtype == torch.float64


@torch.no_grad()
@pytest.mark.parametrize("relaxation", ["softmax", "gumbel", "straight-through"])
def test_noise_follows_from_the_step_and_is_gone_when_shown(relaxation: str) -> None:
    painting = make(relaxation=relaxation, laplace=True)

    def at(seed: int) -> Tensor:
        painting.refresh(0.5, torch.Generator().manual_seed(seed))
        return painting(64, 48)

    assert torch.equal(at(1), at(1)) and not torch.equal(at(1), at(2))
    painting.settle(0.5)
    shown = painting(64, 48)
    at(3)
    painting.settle(0.5)
    assert torch.equal(painting(64, 48), shown)
    if relaxation == "straight-through":
        torch.testing.assert_close(shown, net().decode(painting.logits.argmax(1)))
    else:
        stats = net().decoder(painting.logits.softmax(1))
        torch.testing.assert_close(shown, centre(stats))


@torch.no_grad()
def test_it_cools_geometrically() -> None:
    painting = make(relaxation="softmax", temperature=16.0, temperature_end=1.0, logit_scale=2.0)
    for progress, temperature in ((0.0, 16.0), (0.5, 4.0), (1.0, 1.0)):
        painting.refresh(progress, torch.Generator())
        assert painting.temperature == pytest.approx(temperature)
        wanted = centre(net().decoder((painting.logits * 2 / temperature).softmax(1)))
        torch.testing.assert_close(painting(64, 48), wanted)


@torch.no_grad()
def test_pairs_give_each_cell_two_distributions() -> None:
    painting = make(relaxation="softmax", pairs=True)
    soft = torch.empty_like(painting.logits)
    for parity in (0, 1):
        soft[:, parity::2] = painting.logits[:, parity::2].softmax(1)
    assert soft.sum(1).mean() == pytest.approx(2.0)
    torch.testing.assert_close(painting(64, 48), centre(net().decoder(soft)))


@torch.no_grad()
def test_clipping_takes_the_decoders_raw_values() -> None:
    painting = make(relaxation="softmax", clamp=True)
    stats = net().decoder(painting.logits.softmax(1))
    torch.testing.assert_close(painting(64, 48), stats[:, :3].clamp(0, 1))


@torch.no_grad()
@pytest.mark.parametrize("wrap", [(True, False), (False, True), (True, True)])
def test_wrapped_axes_meet(wrap: tuple[bool, bool]) -> None:
    """Codes rolled by whole cells give the rolled picture exactly: there is no seam to be seen."""
    painting = make((2,), (64, 64), wrap, relaxation="softmax")
    before = painting(64, 64)
    shift = (3 if wrap[1] else 0, 2 if wrap[0] else 0)
    painting.logits.copy_(painting.logits.roll(shift, (2, 3)))
    torch.testing.assert_close(painting(64, 64), before.roll(tuple(8 * s for s in shift), (2, 3)))


@torch.no_grad()
@pytest.mark.parametrize(
    "options",
    [{"relaxation": "straight-through"}, {"relaxation": "softmax", "temperature": 3.0, "logit_scale": 4.0}],
)
def test_painting_takes_over_the_scores_of_the_encoder(options: dict[str, object]) -> None:
    painting = make((0, 1), **options)
    image = torch.rand((2, 3, 48, 64), generator=torch.Generator().manual_seed(1))
    painting.paint(image)
    scores = net().logits(image)
    if options["relaxation"] == "softmax":
        torch.testing.assert_close(painting(64, 48), centre(net().decoder(scores.softmax(1))))
    else:
        torch.testing.assert_close(painting(64, 48), net().decode(scores.argmax(1)))


@torch.no_grad()
def test_a_genome_is_a_coarse_grid_of_codes() -> None:
    painting = make((0,), (128, 64), relaxation="straight-through", temperature=2.0)
    genome = painting.genome()
    assert genome.integers == (CODES,) * (8 * 4) and not genome.reals and not genome.bits
    integers = torch.randint(0, CODES, (3, 32), generator=torch.Generator().manual_seed(0))
    painting.adopt(Genes(torch.zeros(3, 0), torch.zeros((3, 0), dtype=torch.long), integers))
    codes = integers.view(3, 4, 8).repeat_interleave(2, 1).repeat_interleave(2, 2)
    assert painting.count == 3
    torch.testing.assert_close(painting(128, 64), net().decode(codes))
    painting.refresh(0.0, torch.Generator())
    shares = (painting.logits / painting.temperature).softmax(1)
    torch.testing.assert_close(shares.amax(1), torch.full((3, 8, 16), 0.95))


def test_learning_lowers_the_error_of_what_is_shown() -> None:
    painting = make(relaxation="softmax")
    goal = net().decode(torch.full((1, 6, 8), 5)).detach()
    optimiser, draws = torch.optim.Adam(painting.parameters(), lr=0.3), torch.Generator().manual_seed(0)

    def shown() -> float:
        painting.settle(0.0)
        with torch.no_grad():
            return float((painting(64, 48) - goal).square().mean())

    before = shown()
    for _ in range(40):
        painting.refresh(0.0, draws)
        optimiser.zero_grad()
        (painting(64, 48) - goal).square().mean().backward()
        optimiser.step()
    assert shown() < 0.2 * before


def test_the_encoder_beside_the_decoder_is_used_when_needed(tmp_path: Path) -> None:
    whole, image = net(), torch.rand((1, 3, 48, 64), generator=torch.Generator().manual_seed(1))
    assert whole.encoder is not None and whole.decoder is not None
    torch.save(whole.decoder.state_dict(), tmp_path / "decoder.pkl")
    config = DvaeConfig(weights=str(tmp_path / "decoder.pkl"), relaxation="straight-through")
    painting = DvaePainting(config, (64, 48), (False, False), [torch.Generator()])
    with pytest.raises(ModelError, match="holds no encoder"):
        painting.paint(image)
    torch.save(net(codes=CODES + 2).encoder.state_dict(), tmp_path / "encoder.pkl")
    with pytest.raises(ModelError, match=f"no encoder of {CODES} codes"):
        painting.paint(image)
    torch.save(whole.encoder.state_dict(), tmp_path / "encoder.pkl")
    painting.paint(image)
    with torch.no_grad():
        torch.testing.assert_close(painting(64, 48), whole.decode(whole.encode(image)))


def test_what_cannot_be_is_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"dvae\.pairs needs an even number"):
        make(made=net(codes=15), pairs=True)
    with pytest.raises(ModelError, match="holds no decoder"):
        make(made=Dvae(net().encoder, None))
    with pytest.raises(ModelError, match=r"missing\.pkl"):
        DvaePainting(
            DvaeConfig(weights=str(tmp_path / "missing.pkl")), (64, 48), (False, False), [torch.Generator()]
        )
