"""Laws of the transformer: the cache changes nothing, nobody sees the future, rotations are relative."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from dreamplate.errors import ConfigError
from dreamplate.tokens.attention import KINDS, Layout
from dreamplate.tokens.transformer import Transformer, angles_of, kinds_of, turned

LAYOUT = Layout(4, 5, 6, 3)


def make(rotary: bool = True, normed: bool = True) -> Transformer:
    net = Transformer(LAYOUT, 24, 3, KINDS, normed=normed, rotary=rotary)
    draws = torch.Generator().manual_seed(0)
    net.draw_weights(draws)
    for part in net.modules():
        if isinstance(part, nn.Linear):
            part.weight.data.mul_(8)  # so that attention is far from even
    return net.eval()


def inputs(batch: int = 2) -> torch.Tensor:
    return torch.randn((batch, LAYOUT.length, 24), generator=torch.Generator().manual_seed(1))


@torch.no_grad()
@pytest.mark.parametrize(("rotary", "normed"), [(True, True), (False, True), (True, False)])
@pytest.mark.parametrize("begin", [1, 4, 11])
def test_cached_steps_equal_the_whole(begin: int, rotary: bool, normed: bool) -> None:
    net, x = make(rotary, normed), inputs()
    whole, cache = net(x), net.cache(2)
    parts = [net(x[:, :begin], cache)]
    parts += [net(x[:, place : place + 1], cache, place) for place in range(begin, LAYOUT.length)]
    torch.testing.assert_close(torch.cat(parts, 1), whole, rtol=1e-4, atol=1e-4)


@torch.no_grad()
def test_nobody_sees_what_comes_later() -> None:
    net, x = make(), inputs(1)
    before = net(x)
    for place in (2, 9, 20):
        changed = x.clone()
        changed[:, place:] *= -1
        after = net(changed)
        assert torch.equal(after[:, :place], before[:, :place])
        assert not torch.allclose(after[:, place], before[:, place])


def test_rotations_are_relative_by_row_and_by_column() -> None:
    angles = angles_of(LAYOUT, 8)
    draws = torch.Generator().manual_seed(2)
    query, key = torch.randn((2, 1, 1, 8), generator=draws).unbind(0)

    def agree(one: int, two: int) -> float:
        a = turned(query[None], angles[LAYOUT.prefix + one][None])
        b = turned(key[None], angles[LAYOUT.prefix + two][None])
        return float((a * b).sum())

    # Cells 8 and 1 are as far apart as 22 and 15: one row and one column.
    assert agree(8, 1) == pytest.approx(agree(22, 15), abs=1e-5)
    assert abs(agree(8, 1) - agree(8, 7)) > 1e-3
    with pytest.raises(ConfigError, match="multiple of 4"):
        angles_of(LAYOUT, 6)


def test_the_papers_kinds() -> None:
    kinds = kinds_of("paper", 64)
    assert kinds[63] == "convolution" and kinds.count("convolution") == 1
    assert [layer for layer, kind in enumerate(kinds, 1) if kind == "column"] == list(range(2, 64, 4))
    assert set(kinds_of("full", 3)) == {"full"}
    with pytest.raises(ConfigError, match="use full or paper"):
        kinds_of("sparse", 3)
