"""Statistics of a picture: alone it takes another way, which is the same function and keeps the layout."""

from __future__ import annotations

import torch
from torch.nn import functional

from dreamplate.nets.statistics import BatchNorm, InstanceNorm, set_statistics


def test_one_picture_is_normalised_as_among_others() -> None:
    draws = torch.Generator().manual_seed(4)
    pictures = torch.randn(3, 5, 6, 7, generator=draws).contiguous(memory_format=torch.channels_last)
    batch, instance = BatchNorm(5).eval(), InstanceNorm(5, affine=True)
    with torch.no_grad():
        for norm in (batch, instance):
            norm.weight.copy_(torch.rand(5, generator=draws))
            norm.bias.copy_(torch.rand(5, generator=draws))
    set_statistics(batch, "picture")
    before = batch.running_mean.clone()
    for norm in (batch, instance):
        wanted = functional.instance_norm(pictures, None, None, norm.weight, norm.bias)
        torch.testing.assert_close(norm(pictures), wanted)
        alone = norm(pictures[:1])
        torch.testing.assert_close(alone, wanted[:1])
        assert alone.is_contiguous(memory_format=torch.channels_last)
    assert torch.equal(batch.running_mean, before)
