"""Checkpoints of line drawers: a twin of their network, written here, and ours with the imported weights."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from dreamplate.errors import CheckpointError
from dreamplate.models.importer import detect, get_importer, import_state
from dreamplate.translate.model import build_network


class TwinBlock(nn.Module):
    def __init__(self, width: int) -> None:
        super().__init__()
        self.conv_block = nn.Sequential(
            nn.ReflectionPad2d(1),
            nn.Conv2d(width, width, 3),
            nn.InstanceNorm2d(width),
            nn.ReLU(),
            nn.ReflectionPad2d(1),
            nn.Conv2d(width, width, 3),
            nn.InstanceNorm2d(width),
        )

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x + self.conv_block(x)


class Twin(nn.Module):
    """Takes and gives 0 to 1; the names are those of published files."""

    def __init__(self, given: int, made: int, width: int, blocks: int) -> None:
        super().__init__()
        w = width

        def norm(n: int) -> nn.Module:
            return nn.Sequential(nn.InstanceNorm2d(n), nn.ReLU())

        self.model0 = nn.Sequential(nn.ReflectionPad2d(3), nn.Conv2d(given, w, 7), norm(w))
        self.model1 = nn.Sequential(
            nn.Conv2d(w, 2 * w, 3, 2, 1),
            nn.InstanceNorm2d(2 * w),
            nn.ReLU(),
            nn.Conv2d(2 * w, 4 * w, 3, 2, 1),
            norm(4 * w),
        )
        self.model2 = nn.Sequential(*(TwinBlock(4 * w) for _ in range(blocks)))
        self.model3 = nn.Sequential(
            nn.ConvTranspose2d(4 * w, 2 * w, 3, 2, 1, 1),
            nn.InstanceNorm2d(2 * w),
            nn.ReLU(),
            nn.ConvTranspose2d(2 * w, w, 3, 2, 1, 1),
            norm(w),
        )
        self.model4 = nn.Sequential(nn.ReflectionPad2d(3), nn.Conv2d(w, made, 7), nn.Sigmoid())

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        for part in (self.model0, self.model1, self.model2, self.model3, self.model4):
            x = part(x)
        return x


@pytest.mark.parametrize(("given", "made", "blocks"), [(3, 1, 3), (1, 2, 1)])
def test_the_imported_network_draws_the_same(given: int, made: int, blocks: int) -> None:
    torch.manual_seed(4)
    twin = Twin(given, made, 4, blocks).eval()
    state = {f"module.{name}": value for name, value in twin.state_dict().items()}
    found = detect({name: tuple(value.shape) for name, value in state.items()})
    assert found is not None and found.name == "line-drawer"
    renamed, report = import_state(found, state)
    assert report.complete and not report.unexpected
    ours = build_network(report.settings).eval()
    ours.load_state_dict(renamed)
    x = torch.rand(2, given, 20, 28)
    with torch.no_grad():
        torch.testing.assert_close((ours(2 * x - 1) + 1) / 2, twin(x), atol=2e-5, rtol=1e-5)


def test_a_lost_tensor_is_named() -> None:
    state = Twin(3, 1, 4, 2).state_dict()
    importer = get_importer("line-drawer")
    _, report = import_state(importer, {k: v for k, v in state.items() if k != "model2.1.conv_block.5.bias"})
    assert report.missing == ("blocks.1.conv1.bias",)
    with pytest.raises(CheckpointError, match=r"model4\.1"):
        import_state(importer, {k: v for k, v in state.items() if k != "model4.1.bias"})
