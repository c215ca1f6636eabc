"""Laws of drawing tokens from scores."""

from __future__ import annotations

import pytest
import torch

from dreamplate.errors import ConfigError
from dreamplate.tokens.sampling import choose, guided, uniforms


def _logits(rows: int = 1, tokens: int = 7) -> torch.Tensor:
    return torch.randn(rows, tokens, generator=torch.Generator().manual_seed(0))


@pytest.mark.parametrize(
    ("temperature", "top_k", "top_p"),
    [(1.0, 0, 1.0), (0.6, 0, 1.0), (1.0, 3, 1.0), (1.3, 0, 0.7), (1.0, 5, 0.6)],
)
def test_even_numbers_give_shares(temperature: float, top_k: int, top_p: float) -> None:
    count = 20_000
    row = _logits()[0].double()
    rank = row.argsort(descending=True)
    kept = rank[: top_k or len(row)]
    share = (row[kept] / temperature).softmax(0)
    enough = 1 + int((share.cumsum(0) < top_p).sum()) if top_p < 1 else len(kept)
    wanted = torch.zeros(len(row), dtype=torch.float64)
    wanted[kept[:enough]] = share[:enough] / share[:enough].sum()
    even = (torch.arange(count, dtype=torch.float64) + 0.5) / count
    got = choose(row.expand(count, -1), even, temperature, top_k, top_p).bincount(minlength=len(row)) / count
    assert torch.allclose(got.double(), wanted, atol=1.1 / count)


def test_rows_do_not_know_each_other() -> None:
    logits, uniform = _logits(9, 33), torch.rand(9, generator=torch.Generator().manual_seed(1))
    whole = choose(logits, uniform, 0.9, 12, 0.8)
    assert whole.tolist() == [
        int(choose(logits[i : i + 1], uniform[i : i + 1], 0.9, 12, 0.8)) for i in range(9)
    ]


def test_no_heat_is_the_best_token() -> None:
    logits, uniform = _logits(5), torch.tensor([0.0, 0.2, 0.5, 0.9, 0.999999])
    best = logits.argmax(1)
    assert torch.equal(choose(logits, uniform, 0), best)
    assert torch.equal(choose(logits, uniform, 1e-300), best)
    assert torch.equal(choose(logits, uniform, 1, 1), best)


def test_forbidden_tokens_are_never_chosen() -> None:
    logits = torch.full((3, 6), -torch.inf)
    logits[:, 2], logits[:, 4] = 0.0, 1.0
    assert choose(logits, torch.tensor([0.0, 0.5, 1.0 - 1e-7])).tolist() == [4, 4, 2]


def test_guidance_is_a_line_through_both() -> None:
    with_text, without = _logits(2), _logits(2).flip(1)
    assert torch.equal(guided(with_text, without, 0), without)
    assert torch.allclose(guided(with_text, without, 1), with_text)
    assert torch.allclose(guided(with_text, without, 3) - with_text, 2 * (with_text - without), atol=1e-5)


def test_numbers_of_a_picture_are_its_own() -> None:
    def draws(seed: int) -> torch.Generator:
        return torch.Generator().manual_seed(seed)

    both = uniforms([draws(3), draws(4)], 5)
    assert torch.equal(both[1], uniforms([draws(4)], 5)[0])
    assert 0 <= float(both.min()) <= float(both.max()) < 1


@pytest.mark.parametrize("numbers", [(-1.0, 0, 1.0), (1.0, -2, 1.0), (1.0, 0, 0.0), (1.0, 0, 1.5)])
def test_numbers_out_of_range_are_refused(numbers: tuple[float, int, float]) -> None:
    with pytest.raises(ConfigError, match="sampling"):
        choose(_logits(), torch.zeros(1), *numbers)
