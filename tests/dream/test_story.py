"""Laws of stories: prompts are met evenly, one at a time, and flow into each other."""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F

from dreamplate.dream.losses import agreement, want
from dreamplate.dream.story import blend, story_weights
from dreamplate.errors import ConfigError


@pytest.mark.parametrize("count", [1, 2, 5])
def test_prompts_are_met_evenly(count: int) -> None:
    for index in range(count):
        weights = story_weights(count, index / max(1, count - 1))
        assert torch.allclose(weights, F.one_hot(torch.tensor(index), count).float(), atol=1e-6)
    every = torch.stack([story_weights(count, t) for t in torch.linspace(0, 1, 401).tolist()])
    assert torch.allclose(every.sum(1), torch.ones(401)) and (every >= 0).all()
    assert ((every > 0).sum(1) <= 2).all()  # never more than two neighbours
    assert every.diff(dim=0).abs().max() < 0.01 * count  # and no jumps
    if count > 2:
        assert torch.allclose(every[:, 1:-1].mean(0), torch.full((count - 2,), 1 / (count - 1)), atol=0.01)


def test_times_outside_are_the_ends() -> None:
    assert torch.equal(story_weights(3, -1), story_weights(3, 0))
    assert torch.equal(story_weights(3, 2), story_weights(3, 1))
    with pytest.raises(ConfigError, match="no prompts"):
        story_weights(0, 0)


def test_the_agreement_with_a_blend_is_the_blend_of_agreements() -> None:
    generator = torch.Generator().manual_seed(0)
    vectors = F.normalize(torch.randn((5, 8), generator=generator), dim=-1)
    parts = [want(vectors[:2], [2.0, 1.0], [False, True]), want(vectors[2:4], [1.0, 3.0], [False, False])]
    parts.append(want(vectors[4:], [1.0], [False]))
    views = F.normalize(torch.randn((6, 8), generator=generator), dim=-1)
    weights = torch.tensor([0.3, 0.7, 0.0])
    blended = blend(parts, weights)
    assert len(blended.weights) == 4 and (blended.weights > 0).all()
    expected = sum(w * agreement(views, part) for w, part in zip(weights, parts, strict=True))
    assert torch.allclose(agreement(views, blended), expected, atol=1e-6)
    assert blend(parts, torch.tensor([0.0, 1.0, 0.0])) is parts[1]
