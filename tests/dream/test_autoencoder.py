"""Laws of the `autoencoder` generator, on a tiny network of random weights and on real ones."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
import torch.nn.functional as F

from dreamplate.dream.autoencoder import AutoencoderPainting, amplitudes
from dreamplate.dream.frozen import clamp, fit
from dreamplate.dream.options import AutoencoderConfig
from dreamplate.dream.painting import Genes
from dreamplate.errors import CheckpointError, ModelError
from dreamplate.models.layouts.tiny_autoencoder import expected, infer
from dreamplate.nets.tiny_autoencoder import TinyAutoencoder
from dreamplate.plate import read, to_tensor

LAYERS = {
    "encoder": "0:conv:3:8:0 1:block:8:8:0 2:step:8:8:0 3:block:8:8:0 4:step:8:8:0 5:block:8:8:0"
    " 6:step:8:8:0 7:block:8:8:8 8:conv:8:4:0",
    "decoder": "1:conv:4:8:0 3:block:8:8:8 5:step:8:8:0 6:block:8:8:0 8:step:8:8:0 9:block:8:8:0"
    " 11:step:8:8:0 12:block:8:8:0 13:conv:8:3:0",
}


def net(*parts: str) -> TinyAutoencoder:
    draws = torch.Generator().manual_seed(0)
    wanted = expected({part: LAYERS[part] for part in (parts or ("encoder", "decoder"))})
    state = {
        name: torch.randn(shape, generator=draws) * torch.Size(shape[1:]).numel() ** -0.5
        for name, shape in wanted.items()
    }
    return TinyAutoencoder.from_state(state, infer(wanted))


def make(
    seeds: tuple[int, ...] = (0,),
    size: tuple[int, int] = (64, 48),
    wrap: tuple[bool, bool] = (False, False),
    made: TinyAutoencoder | None = None,
    **options: object,
) -> AutoencoderPainting:
    draws = [torch.Generator().manual_seed(seed) for seed in seeds]
    config = AutoencoderConfig(**options)  # type: ignore[arg-type]
    return AutoencoderPainting(config, size, wrap, draws, net=made or net())


@torch.no_grad()
@pytest.mark.parametrize("size", [(64, 48), (33, 57), (16, 130)])
@pytest.mark.parametrize("wrap", [(False, False), (True, False), (True, True)])
def test_renders_any_size_in_range(size: tuple[int, int], wrap: tuple[bool, bool]) -> None:
    painting = make((0, 1), size, wrap)
    for width, height in (size, (size[0] // 2 + 1, size[1] // 2 + 1), (8, 8), (2 * size[0], 2 * size[1])):
        image = painting(width, height)
        assert image.shape == (2, 3, height, width)
        assert image.min() >= 0 and image.max() <= 1 and image.isfinite().all()


@torch.no_grad()
def test_small_is_the_large_picture_reduced() -> None:
    painting = make((1,), (64, 64), start=1.0)
    reduced = F.interpolate(painting(64, 64), (32, 32), mode="bilinear", antialias=True)
    torch.testing.assert_close(painting(32, 32), reduced)


@torch.no_grad()
def test_each_picture_of_a_batch_is_the_picture_of_its_seed() -> None:
    batch = make((3, 4))(64, 48)
    for index, seed in enumerate((3, 4)):
        torch.testing.assert_close(batch[index : index + 1], make((seed,))(64, 48))
    assert (batch[0] - batch[1]).abs().mean() > 1e-2


def test_only_the_spectrum_learns_and_is_kept() -> None:
    painting = make()
    assert [name for name, _ in painting.named_parameters()] == ["spectrum"]
    assert list(painting.state_dict()) == ["spectrum"]
    painting(32, 24).mean().backward()
    assert painting.spectrum.grad is not None and painting.spectrum.grad.abs().max() > 0
    assert all(p.grad is None and not p.requires_grad for p in painting.net[0].parameters())


@torch.no_grad()
def test_the_network_moves_along() -> None:
    painting = make().double()
    assert painting(64, 48).dtype == torch.float64


@torch.no_grad()
@pytest.mark.parametrize("decay", [0.0, 1.0, 2.0])
def test_standard_spectra_are_latents_of_about_unit_variance(decay: float) -> None:
    spectrum = torch.view_as_complex(torch.randn((64, 32, 17, 2), generator=torch.Generator().manual_seed(0)))
    planes = torch.fft.irfft2(spectrum * amplitudes(32, 32, decay), s=(32, 32), norm="forward")
    assert 0.7 < float(planes.square().mean().sqrt()) < 1.2


@torch.no_grad()
@pytest.mark.parametrize("wrap", [(True, False), (False, True), (True, True)])
def test_wrapped_axes_meet(wrap: tuple[bool, bool]) -> None:
    """Latents rolled by whole cells give the rolled picture exactly: there is no seam to be seen."""
    painting = make((2,), (64, 64), wrap, start=1.0)
    z = painting.latents()
    shift = (3 if wrap[1] else 0, 2 if wrap[0] else 0)
    moved = painting.net[0].decode(z.roll(shift, (2, 3)), wrap)
    pixels = tuple(8 * amount for amount in shift)
    torch.testing.assert_close(clamp(moved), painting(64, 64).roll(pixels, (2, 3)))
    assert painting.canvas == tuple(8 if wraps else 10 for wraps in wrap)


@torch.no_grad()
@pytest.mark.parametrize("wrap", [(False, False), (True, True)])
@pytest.mark.parametrize("size", [(64, 48), (40, 24)])
def test_painting_takes_over_the_latents_of_the_encoder(
    size: tuple[int, int], wrap: tuple[bool, bool]
) -> None:
    painting = make((0, 1), size, wrap)
    image = torch.rand((2, 3, size[1], size[0]), generator=torch.Generator().manual_seed(1))
    painting.paint(image)
    torch.testing.assert_close(painting.latents(), painting.net[0].encode(image, wrap), atol=1e-4, rtol=1e-4)
    painting.paint(image[:1])
    torch.testing.assert_close(painting(*size)[0], painting(*size)[1])


@torch.no_grad()
def test_a_genome_is_the_coarse_part() -> None:
    painting = make((0, 1), (128, 96))
    genome = painting.genome()
    assert 0 < genome.reals <= 1024 and not genome.bits and not genome.integers
    reals = torch.randn((3, genome.reals), generator=torch.Generator().manual_seed(0))
    empty = torch.zeros((3, 0), dtype=torch.long)
    painting.adopt(Genes(reals, empty, empty))
    images = painting(128, 96)
    assert painting.count == 3 and images.shape[0] == 3 and (images[0] - images[1]).abs().mean() > 1e-3
    assert int((painting.spectrum != 0).sum()) == reals.numel()


def test_clipping_lets_gradients_lead_back_inside() -> None:
    values = torch.tensor([[[[-1.0, -1.0, 0.5, 2.0, 2.0]]]], requires_grad=True)
    weights = torch.tensor([1.0, -1.0, 1.0, 1.0, -1.0])
    clipped = clamp(values)
    assert clipped.detach().flatten().tolist() == [0, 0, 0.5, 1, 1]
    (clipped * weights).sum().backward()
    assert values.grad is not None
    # Descent moves against the gradient: below zero only upwards, above one only downwards.
    assert values.grad.flatten().tolist() == [0, -1, 1, 1, 0]


@torch.no_grad()
@pytest.mark.parametrize("size", [(16, 12), (20, 30)])
def test_fitting_keeps_a_ramp(size: tuple[int, int]) -> None:
    ramp = ((torch.arange(24) + 0.5) / 24).view(1, 1, 1, 24).expand(1, 1, 20, 24)
    fitted = fit(ramp, *size, (False, False))
    wanted = (torch.arange(size[0]) + 0.5) / size[0]
    assert (fitted - wanted).abs()[..., 2:-2].max() < 0.01


def test_what_is_missing_is_named(tmp_path: Path) -> None:
    image = torch.rand(1, 3, 48, 64)
    with pytest.raises(ModelError, match=r"autoencoder\.encoder is not given"):
        make(made=net("decoder")).paint(image)
    with pytest.raises(ModelError, match="holds no decoder"):
        make(made=net("encoder"), weights="encoder.pth")
    draws = [torch.Generator()]
    with pytest.raises(ModelError, match=r"autoencoder\.weights is not given"):
        AutoencoderPainting(AutoencoderConfig(), (64, 48), (False, False), draws)
    with pytest.raises(ModelError, match=r"nothing\.pth"):
        AutoencoderPainting(AutoencoderConfig(weights="/nothing.pth"), (64, 48), (False, False), draws)
    (tmp_path / "bad.pth").write_bytes(b"PK\x03\x04 this is no archive")
    with pytest.raises(CheckpointError, match=r"bad\.pth"):
        AutoencoderPainting(
            AutoencoderConfig(weights=str(tmp_path / "bad.pth")), (64, 48), (False, False), draws
        )


def test_encoder_and_decoder_must_belong_together(tmp_path: Path) -> None:
    draws = torch.Generator().manual_seed(0)
    other = LAYERS["encoder"].replace("8:conv:8:4:0", "8:conv:8:5:0")
    for part, layers in (("encoder", other), ("decoder", LAYERS["decoder"])):
        shapes = expected({part: layers})
        state = {
            name.removeprefix(f"{part}."): torch.randn(shape, generator=draws)
            for name, shape in shapes.items()
        }
        torch.save(state, tmp_path / f"{part}.pth")
    paths = {part: str(tmp_path / f"{part}.pth") for part in ("encoder", "decoder")}
    with pytest.raises(ModelError, match="makes 5 channels"):
        AutoencoderPainting(
            AutoencoderConfig(weights=paths["decoder"], encoder=paths["encoder"]),
            (64, 48),
            (False, False),
            [draws],
        )
    with pytest.raises(ModelError, match="holds no encoder"):
        AutoencoderPainting(
            AutoencoderConfig(weights=paths["decoder"], encoder=paths["decoder"]),
            (64, 48),
            (False, False),
            [draws],
        )


@torch.no_grad()
def test_real_weights_take_over_a_picture_at_any_size(shared_dir: Path) -> None:
    folder = shared_dir / "weights" / "taef2"
    config = AutoencoderConfig(
        weights=str(folder / "taef2_decoder.pth"), encoder=str(folder / "taef2_encoder.pth")
    )
    image = to_tensor(read(shared_dir / "data/dyn_nonrigid/images/image000001.jpg").to_display())
    image = F.interpolate(image, (180, 250), mode="bilinear", antialias=True)
    painting = AutoencoderPainting(config, (250, 180), (False, False), [torch.Generator()])
    painting.paint(image)

    def psnr(a: torch.Tensor, b: torch.Tensor) -> float:
        return -10 * float(torch.log10((a - b).square().mean()))

    assert psnr(painting(250, 180), image) > 29
    half = F.interpolate(image, (90, 125), mode="bilinear", antialias=True)
    assert psnr(painting(125, 90), half) > 32
