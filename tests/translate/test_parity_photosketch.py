"""PhotoSketch's loss against reference numbers; its generator is held against them with the ResNets."""

from __future__ import annotations

from pathlib import Path

from dreamplate.translate.photosketch_config import PhotosketchOptions
from dreamplate.translate.photosketch_system import nearest_l1
from parity import fixture


def test_the_loss_is_that_of_the_nearest_drawing(shared_dir: Path) -> None:
    found = fixture(shared_dir, "photosketch")
    drawings = found.given("references").float()
    # Stored as (n, k, h, w): drawings have one channel.
    targets = drawings[:, :, None] if drawings.dim() == 4 else drawings
    values, index = nearest_l1(found.tensors["out.sketch"], targets)
    loss = PhotosketchOptions().l1 * values.mean()
    wanted = found.tensors["out.min_l1_loss"]
    assert abs(loss - wanted) <= found.about["tolerance"]["min_l1_loss_relative_error"] * wanted
    assert (index == found.tensors["out.min_index"]).all()
