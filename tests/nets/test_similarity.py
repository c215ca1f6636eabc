"""Laws of PSNR, SSIM and LPIPS."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor

from dreamplate.errors import CheckpointError, ModelError
from dreamplate.models import save_state
from dreamplate.nets.lpips import CHANNELS, Lpips, Trunk, load_lpips
from dreamplate.nets.similarity import psnr, ssim


def picture(seed: int, height: int = 20, width: int = 17) -> Tensor:
    return torch.rand(height, width, 3, generator=torch.Generator().manual_seed(seed))


def naive_ssim(a: np.ndarray, b: np.ndarray) -> float:
    """Return SSIM by a loop over windows."""
    line = np.exp(-((np.arange(11) - 5.0) ** 2) / (2 * 1.5**2))
    weight = np.outer(line, line) / line.sum() ** 2
    found = []
    for channel in range(a.shape[2]):
        for y in range(a.shape[0] - 10):
            for x in range(a.shape[1] - 10):
                p, q = (part[y : y + 11, x : x + 11, channel] for part in (a, b))
                mp, mq = (weight * p).sum(), (weight * q).sum()
                vp, vq = (weight * (p - mp) ** 2).sum(), (weight * (q - mq) ** 2).sum()
                both = (weight * (p - mp) * (q - mq)).sum()
                top = (2 * mp * mq + 1e-4) * (2 * both + 9e-4)
                found.append(top / ((mp**2 + mq**2 + 1e-4) * (vp + vq + 9e-4)))
    return float(np.mean(found))


def test_psnr_of_a_known_error() -> None:
    a = torch.full((4, 5, 3), 0.5)
    assert psnr(a, a + 0.1) == pytest.approx(20.0, abs=1e-5)
    assert psnr(a, a + 0.01) == pytest.approx(40.0, abs=1e-4)
    assert psnr(a, a) == math.inf


def test_psnr_counts_weighted_pixels_only() -> None:
    a, weights = torch.zeros(2, 2, 3), torch.tensor([[1.0, 0.0], [0.0, 0.0]])
    b = torch.ones(2, 2, 3)
    b[0, 0] = 0.1
    assert psnr(a, b, weights) == pytest.approx(20.0, abs=1e-5)
    assert math.isnan(psnr(a, b, weights * 0))


def test_ssim_is_one_for_equals_symmetric_and_below_one_else() -> None:
    a, b = picture(1), picture(2)
    assert ssim(a, a) == pytest.approx(1.0, abs=1e-12)
    assert ssim(a, b) == pytest.approx(ssim(b, a), abs=1e-12)
    assert -1 <= ssim(a, b) < 1


def test_ssim_of_flat_pictures_is_the_luminance_term() -> None:
    a, b = torch.full((12, 12, 3), 0.25), torch.full((12, 12, 3), 0.75)
    expected = (2 * 0.25 * 0.75 + 1e-4) / (0.25**2 + 0.75**2 + 1e-4)
    assert ssim(a, b) == pytest.approx(expected, rel=1e-9)


def test_ssim_agrees_with_a_loop_over_windows() -> None:
    a = picture(3)
    b = (a + 0.2 * picture(4)).clamp(0, 1)
    assert ssim(a, b) == pytest.approx(naive_ssim(a.double().numpy(), b.double().numpy()), abs=1e-9)


def test_ssim_of_a_picture_smaller_than_the_window_is_unknown() -> None:
    assert math.isnan(ssim(picture(1, 8, 8), picture(2, 8, 8)))


# -- LPIPS ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", list(CHANNELS))
def test_lpips_features_have_the_channels_of_the_heads(name: Trunk) -> None:
    model = Lpips(name)
    found = model._look(torch.rand(1, 3, 64, 64, generator=torch.Generator().manual_seed(0)))
    assert tuple(f.shape[1] for f in found) == CHANNELS[name]


def test_lpips_is_a_distance() -> None:
    torch.manual_seed(0)
    model = Lpips("squeeze").eval()
    a, b = (picture(s, 33, 33).permute(2, 0, 1)[None] for s in (5, 6))
    with torch.no_grad():
        assert float(model(a, a)) == 0
        assert float(model(a, b)) == pytest.approx(float(model(b, a)), rel=1e-6)
        assert float(model(a, b)) > float(model(a, 0.5 * a + 0.5 * b)) > 0
        both = model(torch.cat([a, b]), torch.cat([b, b]))
        assert both[0] == pytest.approx(float(model(a, b)), rel=1e-5)


def trunk_file(folder: Path, name: Trunk) -> Path:
    torch.manual_seed(1)
    state = {f"features.{key}": value for key, value in Lpips(name).features.state_dict().items()}
    save_state(folder / "trunk.safetensors", state)
    return folder / "trunk.safetensors"


def test_published_heads_are_read_and_weigh_each_channel(shared_dir: Path, tmp_path: Path) -> None:
    heads = shared_dir / "weights/lpips_lin/squeeze.pth"
    if not heads.is_file():
        pytest.skip(f"needs {heads}")
    model = load_lpips(heads, trunk_file(tmp_path, "squeeze"), "squeeze")
    assert all(float(head.min()) >= 0 for head in model.heads)
    a, b = (picture(s, 40, 40).permute(2, 0, 1)[None] for s in (5, 6))
    total = 0.0
    for head, p, q in zip(model.heads, model._look(a), model._look(b), strict=True):
        apart = p / p.norm(dim=1, keepdim=True) - q / q.norm(dim=1, keepdim=True)
        total += float((head[None, :, None, None] * apart**2).sum(1).mean())
    assert float(model(a, b)) == pytest.approx(total, rel=1e-4)
    with pytest.raises(CheckpointError, match=r"lin\d.model.1.weight"):
        load_lpips(heads, tmp_path / "trunk.safetensors", "alex")


def test_lpips_without_a_trunk_says_what_to_give(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match=r"features\.0\.weight"):
        load_lpips(tmp_path / "heads.pth", None, "vgg")
