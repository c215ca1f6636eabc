"""Laws of DALL-E: the cache changes nothing, completions keep what is given, pictures are their own."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from toy_codec import WORDS, ToyCodec

from dreamplate.errors import ModelError
from dreamplate.tokens.dalle import Dalle, standard_book
from dreamplate.tokens.dalle_sample import FREE, Leaning, Manner, sample
from dreamplate.tokens.dalle_shape import DalleShape
from dreamplate.tokens.words import Vocabulary

VOCABULARY = Vocabulary(WORDS, 5)
SHAPE = DalleShape(
    text=5,
    words=len(WORDS),
    bytes=len(VOCABULARY.pack()),
    rows=4,
    columns=5,
    codes=27,
    book=3,
    fingerprint=ToyCodec().fingerprint,
    codec="toy",
    factor=4,
    width=24,
    layers=4,
    heads=2,
    kernel=3,
)
VARIANTS = {
    "ours": SHAPE,
    "paper": replace(
        SHAPE, attention="paper", rotary=False, normed=False, around=False, kinship=False, gist=False
    ),
}


def make(shape: DalleShape = SHAPE) -> Dalle:
    net = Dalle(shape)
    net.draw_weights(torch.Generator().manual_seed(0))
    net.vocabulary.copy_(VOCABULARY.pack())
    net.book.copy_(standard_book(ToyCodec().book))
    for parameter in net.parameters():
        parameter.data.mul_(6)  # so that the scores are far from even
    return net.eval()


def texts(*captions: str) -> torch.Tensor:
    return torch.stack([VOCABULARY.encode(caption) for caption in captions])


def numbers(many: int, seed: int = 1) -> torch.Tensor:
    return torch.rand(many, SHAPE.cells, generator=torch.Generator().manual_seed(seed))


def plainly(net: Dalle, text: torch.Tensor, uniform: torch.Tensor, manner: Manner) -> torch.Tensor:
    """Draw by running the whole network again for every cell."""
    codes = torch.zeros(len(text), SHAPE.cells, dtype=torch.long)
    silence = VOCABULARY.empty().expand(len(text), -1)
    for cell in range(SHAPE.cells):
        scores, without = (net(one, codes)[1][:, cell] for one in (text, silence))
        scores = without + manner.guidance * (scores - without)
        share = (scores.double() / manner.temperature).sort(1, descending=True)
        total = share.values.softmax(1).cumsum(1)
        place = (total <= uniform[:, cell : cell + 1].double() * total[:, -1:]).sum(1, keepdim=True)
        codes[:, cell] = share.indices.gather(1, place)[:, 0]
    return codes


@torch.no_grad()
@pytest.mark.parametrize("variant", VARIANTS)
@pytest.mark.parametrize("guidance", [1.0, 2.5])
def test_drawing_with_the_cache_equals_running_the_whole_again(variant: str, guidance: float) -> None:
    net, text, uniform = make(VARIANTS[variant]), texts("a red square", "blue"), numbers(2)
    manner = Manner(guidance, 0.8, 0, 1.0)
    assert torch.equal(sample(net, text, uniform, manner), plainly(net, text, uniform, manner))


@torch.no_grad()
@pytest.mark.parametrize("variant", VARIANTS)
def test_no_score_knows_what_it_shall_say(variant: str) -> None:
    net, text = make(VARIANTS[variant]), texts("a red square")
    codes = torch.randint(27, (1, SHAPE.cells), generator=torch.Generator().manual_seed(2))
    words, cells = net(text, codes)
    for cell in (0, 6, 19):
        other = codes.clone()
        other[:, cell:] = (other[:, cell:] + 1) % 27
        assert torch.equal(net(text, other)[1][:, : cell + 1], cells[:, : cell + 1])
        if cell + 1 < SHAPE.cells:
            assert not torch.equal(net(text, other)[1][:, cell + 1], cells[:, cell + 1])
    said = text.clone()
    said[:, 2:] = 0
    assert torch.equal(net(said, codes)[0][:, :3], words[:, :3])
    assert not torch.equal(net(said, codes)[1][:, 0], cells[:, 0])


def test_a_picture_is_the_same_in_any_batch() -> None:
    net, text, uniform = make(), texts("a red square", "blue", "on the left"), numbers(3)
    together = sample(net, text, uniform)
    for row in range(3):
        assert torch.equal(sample(net, text[row : row + 1], uniform[row : row + 1]), together[row : row + 1])
    assert len(together.unique(dim=0)) == 3


def test_what_is_given_stays() -> None:
    net, text, uniform = make(), texts("a red square"), numbers(1)
    free = sample(net, text, uniform)
    upper = torch.full((1, SHAPE.cells), FREE)
    upper[:, :10] = free[:, :10]
    assert torch.equal(sample(net, text, uniform, given=upper), free)  # the same draws go on the same way
    scattered = torch.full((1, SHAPE.cells), FREE)
    scattered[:, [0, 3, 12, 19]] = torch.tensor([5, 6, 7, 8])
    kept = sample(net, text, uniform, given=scattered)
    assert kept[0, [0, 3, 12, 19]].tolist() == [5, 6, 7, 8]
    whole = torch.arange(SHAPE.cells)[None] % 27
    assert torch.equal(sample(net, text, uniform, given=whole), whole)


def test_leaning_goes_from_free_to_the_picture_itself() -> None:
    net, text, uniform = make(), texts("a red square"), numbers(1)
    own = torch.randint(27, (1, SHAPE.cells), generator=torch.Generator().manual_seed(5))
    free = sample(net, text, uniform)
    assert torch.equal(sample(net, text, uniform, leaning=Leaning(own, 0.0)), free)
    same = [int((sample(net, text, uniform, leaning=Leaning(own, w)) == own).sum()) for w in (1, 10, 1e6)]
    assert same[-1] == SHAPE.cells and same == sorted(same)


def test_words_lead_only_where_they_are_heard() -> None:
    net, uniform = make(), numbers(1)
    silent = Manner(guidance=0.0)
    one, two = (sample(net, texts(text), uniform, silent) for text in ("a red square", "blue"))
    assert torch.equal(one, two)
    away = sample(net, texts("blue"), uniform, Manner(3.0), without=VOCABULARY.encode("red"))
    assert not torch.equal(away, sample(net, texts("blue"), uniform, Manner(3.0)))


def test_settings_build_the_same_network() -> None:
    net = make()
    other = Dalle.from_settings(net.settings)
    assert other.shape == SHAPE and set(other.state_dict()) == set(net.state_dict())
    other.load_state_dict(net.state_dict())
    assert other.known() == VOCABULARY
    assert not any("near" in name or "angles" in name for name in net.state_dict())
    settings = dict(net.settings)
    del settings["rows"]
    with pytest.raises(ModelError, match="lack 'rows'"):
        DalleShape.of(settings)
    with pytest.raises(ModelError, match="'width' is 'wide'"):
        DalleShape.of(net.settings | {"width": "wide"})
