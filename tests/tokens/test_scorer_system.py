"""Laws of the scorer's system: it learns words, resumes exactly, and asks only what can be answered."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field, replace

import pytest
import torch
from torch import Tensor, nn

from dreamplate.errors import ConfigError
from dreamplate.tokens.scorer_config import ScorerOptions
from dreamplate.tokens.scorer_facts import Facts, fact_hits, fact_losses
from dreamplate.tokens.scorer_phrases import asked, phrases
from dreamplate.tokens.scorer_system import ScorerSystem, build
from dreamplate.tokens.scorer_teaching import Teaching
from dreamplate.train.batch import Batch
from dreamplate.train.draws import Draws
from dreamplate.train.options import LearnOptions
from dreamplate.train.port import Port
from dreamplate.train.system import Now

OPTIONS = ScorerOptions(
    side=32, width=8, dim=24, rows=128, word=16, text_width=32, text_layers=1, teacher="none", zoom=0.1
)
LEARN = LearnOptions(rate=4e-3, betas=(0.9, 0.98), precision="float32", decay_from=1.0)
COLOURS = {"dawn": (0.6, -0.2, 0.1), "day": (-0.4, 0.2, 0.9), "night": (-0.9, -0.9, -0.6)}
LAND = {"desert": (0.8, 0.5, -0.2), "hills": (-0.4, 0.4, -0.6)}


@dataclass(frozen=True)
class Config:
    scorer: ScorerOptions = OPTIONS
    learn: LearnOptions = LEARN
    seed: int = 0


@dataclass
class ToyTeacher:
    words: Sequence[str] = tuple(
        f"{a} {b}" for a in ("red", "blue", "old") for b in ("dog", "sea", "car", "sun")
    )
    asked: list[str] = field(default_factory=list)

    def sentences(self, texts: Sequence[str]) -> Tensor:
        self.asked += texts
        rows = [torch.randn(6, generator=torch.Generator().manual_seed(len(text))) for text in texts]
        return nn.functional.normalize(torch.stack(rows), dim=1)

    def meanings(self) -> Tensor:
        return self.sentences(self.words)

    def agreement(self, images: Tensor) -> Tensor:
        assert float(images.min()) >= 0 and float(images.max()) <= 1
        means = images.mean((2, 3))
        return torch.cat([means * factor for factor in (0.1, 0.2, -0.1, -0.2)], 1)


def examples(seed: int, count: int = 12, side: int = 40) -> Batch:
    """Skies of a time's colour over land of a country's, with captions that say both."""
    generator = torch.Generator().manual_seed(seed)
    image = torch.empty(count, 3, side, side)
    texts, facts = [], []
    for index in range(count):
        time = list(COLOURS)[int(torch.randint(3, (1,), generator=generator))]
        biome = list(LAND)[int(torch.randint(2, (1,), generator=generator))]
        image[index] = torch.tensor(COLOURS[time])[:, None, None]
        image[index, :, side // 2 :] = torch.tensor(LAND[biome])[:, None, None]
        noun, when = phrases("biome", biome)[0], phrases("time", time)[0]
        texts.append((f"{noun} {when}", f"{when} {noun}"))
        facts.append({"time": time, "biome": biome, "season": "winter", "season_seen": "no"})
    image = image + 0.05 * torch.randn(image.shape, generator=generator)
    return Batch(image.clamp(-1, 1), names=("x",) * count, texts=tuple(texts), facts=tuple(facts))


def system(seed: int = 0, teacher: ToyTeacher | None = None) -> ScorerSystem:
    made = build(Config(seed=seed), None, Port())
    if teacher is None:
        return made
    torch.manual_seed(0)
    return ScorerSystem(Config(seed=seed), Port(), made.towers, Teaching(teacher, nn.Linear(32, 6), 12))


def now(step: int) -> Now:
    return Now(step, step * 12, step / 10, step / 100, Draws(0, step))


def taught(made: ScorerSystem, start: int, stop: int) -> ScorerSystem:
    for step in range(start, stop):
        figures = made.learn(examples(step), now(step))
        assert all(math.isfinite(float(value)) and not value.requires_grad for value in figures.values())
    return made


def test_learns_what_pictures_are_called() -> None:
    made = taught(system(), 0, 40)
    unseen = examples(999, 32)
    network = made.generator.eval()
    with torch.no_grad():
        sums = made.measure(unseen, network)
    found = made.figures(sums)
    assert found["accuracy_time"] > 0.9 and found["accuracy_biome"] > 0.9
    assert {"desert", "night", "dawn"} <= made.towers.known_words()
    assert "winter" not in made.towers.known_words() and "accuracy_season" not in found
    assert made.make(unseen, network, Draws(0)).shape == unseen.image.shape


def test_figures_add_up_over_batches() -> None:
    made = taught(system(), 0, 2)
    network = made.generator.eval()
    whole = examples(5, 12)
    with torch.no_grad():
        sums = made.measure(whole, network)
        parts = [made.measure(whole.part(at, at + 6), network) for at in (0, 6)]
    for name, value in sums.items():
        assert value.dtype == torch.float64
        if not name.startswith("found"):
            assert value == parts[0][name] + parts[1][name], name


@pytest.mark.parametrize("with_teacher", [False, True])
def test_resumes_exactly(with_teacher: bool) -> None:
    def make(seed: int) -> ScorerSystem:
        return system(seed, ToyTeacher() if with_teacher else None)

    whole, first, second = taught(make(0), 0, 4), taught(make(0), 0, 2), make(7)
    second.load_state_dict(first.state_dict())
    taught(second, 2, 4)
    for name, network in whole.networks.items():
        for key, value in network.state_dict().items():
            assert torch.equal(value, second.networks[name].state_dict()[key]), (name, key)
    assert with_teacher == (whole.teaching is not None)
    assert whole.facts.values == second.facts.values
    if whole.teaching is not None and second.teaching is not None:
        assert torch.equal(whole.teaching.common, second.teaching.common)
        assert whole.teaching.looked == second.teaching.looked == 4 * 12


def test_a_teacher_is_followed() -> None:
    made = system(0, ToyTeacher())
    first = made.learn(examples(0), now(0))
    for step in range(1, 25):
        last = made.learn(examples(step), now(step))
    assert float(last["loss_sentences"]) < 0.7 * float(first["loss_sentences"])
    assert (
        made.teaching is not None and made.teaching.looked == 25 * 12 and "dog" in made.towers.known_words()
    )


def test_counts_are_told_apart_within_their_kind() -> None:
    facts = [
        {"landmark": "boat", "count": "1"},
        {"landmark": "rowing boat", "count": "many"},
        {"landmark": "castle", "count": "1"},
        {"landmark": "none", "count": "0"},
    ]  # a castle is always one: nothing to ask
    assert asked(facts[1]) == {"landmark": "boat", "count": "boat/many"} and asked(facts[3]) == {}
    questions = {question.name: question for question in Facts().ask(facts, Draws(0))}
    count = questions["count"]
    assert count.pictures.tolist() == [0, 1] and count.open.tolist() == [[True, True, False]] * 2
    seen = torch.eye(4)
    # A castle that agrees most is no answer to how many boats there are.
    for said, right in ((seen[[0, 1, 3]], True), (seen[[1, 0, 3]], False)):
        loss = float(fact_losses(seen, said, torch.tensor(50.0), [count]))
        assert loss < 1e-3 if right else loss > 10
    assert fact_losses(seen[[0, 1]] + seen[[2, 2]], seen[[0, 1, 2]], torch.tensor(50.0), [count]) < 1e-3


def test_facts_are_asked_among_all_values_known() -> None:
    facts = [{"time": "day"}, {"time": "night"}, {"time": "unheard of"}, {}]
    places = {text: n for n, value in enumerate(("dawn", "day", "night")) for text in phrases("time", value)}

    def encode(texts: Sequence[str]) -> Tensor:
        return torch.eye(3)[[places[text] for text in texts]]

    seen = torch.eye(3)[[1, 0, 2, 2]]
    sums = fact_hits(seen, facts, {"time": ["dawn", "day", "night"]}, encode)
    assert sums == {"right_time": torch.tensor(1.0), "asked_time": torch.tensor(2.0)}


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"texts": ()}, "no captions"),
        ({"texts": (("a",),) * 11 + ((),)}, "no captions"),
    ],
)
def test_pictures_without_captions_are_refused(change: dict[str, object], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        system().learn(replace(examples(0), **change), now(0))  # type: ignore[arg-type]


def test_other_ports_and_widths_are_refused() -> None:
    with pytest.raises(ConfigError, match="colour pictures"):
        build(Config(), None, Port(channels=("Y",)))
    with pytest.raises(ConfigError, match="colour pictures"):
        build(Config(), None, Port(encoding="raw"))
    with pytest.raises(ConfigError, match="text_width is 40"):
        build(Config(replace(OPTIONS, text_width=40)), None, Port())
