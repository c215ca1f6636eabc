"""Laws of attention: kinds equal their plain definitions, and what is gathered is what the mask keeps."""

from __future__ import annotations

import pytest
import torch

from dreamplate.errors import ConfigError
from dreamplate.tokens.attention import KINDS, Kind, KvCache, Layout, attend, distances, kept, seen_from

LAYOUTS = [
    Layout(3, 4, 4, 3),
    Layout(1, 5, 3, 3),
    Layout(4, 2, 7, 5),
    Layout(2, 6, 5, 11),
    Layout(1, 1, 4, 3),
]


def plainly(kind: Kind, layout: Layout, query: int, key: int) -> bool:
    """Whether one input sees another, in words of rows and columns."""
    if key > query:
        return False
    if query < layout.prefix or key < layout.prefix or kind == "full":
        return True
    cell, other = query - layout.prefix, key - layout.prefix
    if kind == "row":
        return cell - other <= layout.columns
    if kind == "column":
        return cell % layout.columns == other % layout.columns
    reach = layout.kernel // 2
    window = [
        cell - down * layout.columns - across
        for down in range(reach + 1)
        for across in range(-reach, reach + 1)
    ]
    return other in window


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("kind", KINDS)
def test_masks_equal_their_plain_definition(kind: Kind, layout: Layout) -> None:
    mask, many = kept(kind, layout), layout.length
    assert mask.shape == (many, many)
    wanted = [[plainly(kind, layout, query, key) for key in range(many)] for query in range(many)]
    assert mask.tolist() == wanted


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("kind", KINDS)
def test_what_is_gathered_is_what_the_mask_keeps(kind: Kind, layout: Layout) -> None:
    mask, back, every = kept(kind, layout), distances(kind, layout), torch.arange(layout.length)
    for place in range(layout.length):
        seen = seen_from(place, back, layout)
        assert sorted(every[seen].tolist()) == mask[place].nonzero()[:, 0].tolist()


def test_the_papers_example_of_rows() -> None:
    # Figure 11: on a grid of 4 x 4 each cell sees five, itself and back to the one above.
    layout = Layout(6, 4, 4)
    mask = kept("row", layout)
    assert (mask[6 + 9, 6:].nonzero()[:, 0] - 9).tolist() == [-4, -3, -2, -1, 0]
    assert mask[6:, :6].all()


def test_a_sparse_kind_costs_what_it_keeps() -> None:
    layout = Layout(10, 32, 32)
    seen = {kind: len(distances(kind, layout)) for kind in KINDS}
    assert seen == {"full": 1024, "row": 33, "column": 32, "convolution": 5 * 11 + 6}


def test_a_cache_returns_what_was_written() -> None:
    cache = KvCache(2, 3, 2, 7, 4, torch.zeros(1))
    keys = torch.randn((3, 2, 5, 4), generator=torch.Generator().manual_seed(0))
    cache.write(1, 0, keys[:, :, :3], -keys[:, :, :3])
    cache.write(1, 3, keys[:, :, 3:], -keys[:, :, 3:])
    for places in (slice(0, 5), torch.tensor([4, 0, 2])):
        got, values = cache.read(1, places)
        assert torch.equal(got, keys[:, :, places]) and torch.equal(values, -keys[:, :, places])
    assert not cache.read(0, slice(0, 7))[0].any() and cache.length == 7


@pytest.mark.parametrize("kind", KINDS)
def test_the_short_way_equals_the_fused_one(kind: Kind) -> None:
    mask = kept(kind, Layout(3, 4, 5, 3))
    shape, draws = (3, 2, 2, len(mask), 8), torch.Generator().manual_seed(0)
    query, key, value = torch.randn(shape, generator=draws).requires_grad_().unbind(0)
    plain = attend(query, key, value, mask, causal=kind == "full")
    with torch.no_grad():
        fused = attend(query, key, value, mask, causal=kind == "full")
    torch.testing.assert_close(plain, fused)
    # And neither is anything but a mean by agreement, of what is seen.
    score = (query @ key.mT / 8**0.5).masked_fill(~mask, -torch.inf)
    torch.testing.assert_close(plain, score.softmax(-1) @ value)


def test_an_even_kernel_is_refused() -> None:
    with pytest.raises(ConfigError, match="odd kernel"):
        distances("convolution", Layout(1, 4, 4, 4))
