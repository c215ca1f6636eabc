"""Laws of how the discrete VAE learns: the paper's schedules and loss, soft draws, exact going on."""

from __future__ import annotations

import math
from dataclasses import replace

import pytest
import torch

from dreamplate.errors import ConfigError, ModelError
from dreamplate.models.layouts.dvae import infer
from dreamplate.take.recipes import load_recipe
from dreamplate.tokens.decoder import Decoder
from dreamplate.tokens.dvae import Dvae
from dreamplate.tokens.dvae_config import DvaeOptions
from dreamplate.tokens.dvae_system import DvaeSystem, anneal, build, divergence, gumbel_softmax
from dreamplate.tokens.pixels import map_pixels, negative_log_likelihood
from dreamplate.train.batch import Batch
from dreamplate.train.draws import Draws
from dreamplate.train.options import LearnOptions
from dreamplate.train.port import Port
from dreamplate.train.system import Now
from dreamplate.translate.config import TrainConfig

STEPS = 200


def examples(seed: int, count: int = 4, side: int = 16, channels: int = 3) -> Batch:
    draws = torch.Generator().manual_seed(seed)
    colours = torch.rand((count, channels, side // 8, side // 8), generator=draws) * 1.6 - 0.8
    return Batch(colours.repeat_interleave(8, 2).repeat_interleave(8, 3), names=("x",) * count)


def config(**options: float) -> TrainConfig:
    learn = LearnOptions(rate=1e-2, betas=(0.9, 0.99), precision="float32", clip=1.0)
    small = {"codes": 24, "encoder_width": 16, "decoder_width": 16, "decoder_start": 16, "blocks": 1}
    made = DvaeOptions(**small | {"kl": 0.1, "kl_over": 0.5, "temperature_over": 1.0} | options)  # type: ignore[arg-type]
    return TrainConfig(system="dvae", learn=learn, dvae=made)


def now(step: int, of: int = STEPS) -> Now:
    return Now(step, step * 4, step / 10, step / of, Draws(0, step))


def taught(system: DvaeSystem, start: int, stop: int) -> DvaeSystem:
    for step in range(start, stop):
        figures = system.learn(examples(step, 8), now(step))
        assert all(math.isfinite(float(value)) and not value.requires_grad for value in figures.values())
    return system


def test_learns_what_pictures_look_like() -> None:
    system, unseen = build(config(), None, Port()), examples(999, 12)
    before = system.figures(system.measure(unseen, system.generator.eval()))
    after = taught(system, 0, STEPS)
    with torch.no_grad():
        found = after.figures(after.measure(unseen, after.generator.eval()))
    assert found["psnr"] > before["psnr"] + 1 and 1 <= found["perplexity"] <= 24
    assert {"ssim", "l1", "codes_used", "bits"} < set(found)


def test_resumes_exactly() -> None:
    whole = taught(build(config(), None, Port()), 0, 6)
    first = taught(build(config(), None, Port()), 0, 3)
    second = build(replace(config(), seed=7), None, Port())
    second.load_state_dict(first.state_dict())
    taught(second, 3, 6)
    for name, value in whole.generator.state_dict().items():
        assert torch.equal(value, second.generator.state_dict()[name]), name


def test_the_loss_is_the_bound_divided_by_the_number_of_values() -> None:
    """Sums over pixels and over cells, with beta before the second, over 3 H W (appendix A.2)."""
    system, batch = build(config(kl=6.6, kl_over=0.0), None, Port()), examples(3, 2)
    codec = Dvae.from_state({name: t.clone() for name, t in system.generator.state_dict().items()})
    figures = system.learn(batch, now(STEPS // 2))
    assert codec.encoder is not None and codec.decoder is not None
    pixels = map_pixels((batch.image + 1) / 2)
    with torch.no_grad():
        scores = codec.encoder(pixels).permute(0, 2, 3, 1)
        temperature = anneal(1.0, 1 / 16, 0.5, 1.0)
        soft = gumbel_softmax(scores, temperature, Draws(0, STEPS // 2).named("codes"))
        stats = codec.decoder(soft.permute(0, 3, 1, 2))
        fit = negative_log_likelihood(stats, pixels).sum((1, 2, 3))
        q = scores.softmax(-1)
        kl = (q * (q.log() - math.log(1 / 24))).sum((1, 2, 3))
    wanted = ((fit + 6.6 * kl) / (3 * 16 * 16)).mean()
    assert float(figures["loss"]) == pytest.approx(float(wanted), rel=1e-4)
    assert float(figures["beta"]) == pytest.approx(6.6)
    assert float(figures["temperature"]) == pytest.approx(temperature)


def test_schedules_are_the_papers() -> None:
    options, steps = DvaeOptions(), 3_000_000

    def at(update: int) -> tuple[float, float, float]:
        done = update / steps
        return (
            anneal(0.0, options.kl, done, options.kl_over),
            anneal(options.temperature, options.temperature_end, done, options.temperature_over),
            1e-4 * anneal(1.0, options.rate_end, done, options.rate_over),
        )

    assert at(0) == pytest.approx((0, 1, 1e-4))
    assert at(2_500)[0] == pytest.approx(3.3) and at(5_000)[0] == pytest.approx(6.6)
    assert at(75_000)[1] == pytest.approx((1 + 1 / 16) / 2) and at(150_000)[1] == pytest.approx(1 / 16)
    assert at(600_000)[2] == pytest.approx((1e-4 + 1.25e-6) / 2)
    assert at(1_200_000) == pytest.approx((6.6, 1 / 16, 1.25e-6))
    assert at(steps) == pytest.approx((6.6, 1 / 16, 1.25e-6))


def test_recipe_is_the_paper() -> None:
    found = load_recipe(TrainConfig, "dvae", kind="train")
    assert (found.learn.steps, found.learn.batch, found.learn.rate) == (3_000_000, 512, 1e-4)
    assert (found.learn.betas, found.learn.ema, found.dvae.weight_decay) == ((0.9, 0.999), 0.999, 1e-4)
    assert found.dvae == DvaeOptions() and found.dvae.codes == 8192 and found.source.crop == (256, 256)


def test_divergence_is_none_for_uniform_codes_and_most_for_one() -> None:
    flat = torch.zeros(1, 2, 3, 16)
    torch.testing.assert_close(divergence(flat), torch.zeros(1, 2, 3), atol=1e-6, rtol=0)
    sure = flat.index_fill(-1, torch.tensor([4]), 50.0)
    torch.testing.assert_close(divergence(sure), torch.full((1, 2, 3), math.log(16)))


def test_soft_draws_follow_the_probabilities_and_grow_hard() -> None:
    scores = torch.tensor([0.0, 1.0, -1.0, 2.0]).expand(1, 100, 200, 4)
    hard = gumbel_softmax(scores, 1 / 64, Draws(3))
    torch.testing.assert_close(hard.sum(-1), torch.ones(1, 100, 200))
    torch.testing.assert_close(hard.mean((0, 1, 2)), scores[0, 0, 0].softmax(0), atol=0.02, rtol=0)
    assert float(hard.amax(-1).mean()) > 0.97 > float(gumbel_softmax(scores, 1.0, Draws(3)).amax(-1).mean())


def test_pictures_of_any_channels_are_learnt() -> None:
    port = Port(channels=("R", "G", "B", "A"))
    system = build(config(), None, port)
    figures = system.learn(examples(0, channels=4), now(0))
    assert math.isfinite(float(figures["loss"])) and system.settings["channels"] == 4
    again = Dvae.from_settings(system.settings)
    assert {n: t.shape for n, t in again.state_dict().items()} == {
        n: t.shape for n, t in system.generator.state_dict().items()
    }


def test_settings_are_told_and_taken() -> None:
    decoder = Dvae(None, Decoder(9, 8, 5, blocks=1))
    shapes = {name: tuple(tensor.shape) for name, tensor in decoder.state_dict().items()}
    assert decoder.settings == {"architecture": "dvae", **infer(shapes)}
    assert Dvae.from_settings(decoder.settings).settings == decoder.settings
    with pytest.raises(ModelError, match="settings are incomplete"):
        Dvae.from_settings({"parts": "decoder", "codes": 3})


def test_label_maps_are_refused() -> None:
    from dreamplate.plate.labels import LabelClass, Palette

    port = Port("labels", ("id",), palette=Palette((LabelClass(0, "sky"),), ()))
    with pytest.raises(ConfigError, match="dvae: learns from pictures, the image here is labels"):
        build(config(), None, port)
