"""Laws of words: texts come back, vocabularies travel as bytes, what is not known is said."""

from __future__ import annotations

import pytest
import torch

from dreamplate.errors import CheckpointError, ConfigError
from dreamplate.tokens.words import Vocabulary, by_meaning, by_spelling, collect, read_text

KNOWN = Vocabulary(("a", "boat", "castle", "mountains", "on", "sea", "the"), 6)


def test_texts_come_back_in_known_words() -> None:
    assert KNOWN.decode(KNOWN.encode("A castle, on THE sea!")) == "a castle on the sea"
    assert KNOWN.decode(KNOWN.encode("the purple castle")) == "the castle"
    assert KNOWN.decode(KNOWN.encode("a " * 9)) == "a a a a a a"


def test_each_place_has_its_own_pad() -> None:
    tokens = KNOWN.encode("a boat")
    assert tokens.tolist() == [0, 1, 7 + 2, 7 + 3, 7 + 4, 7 + 5] and KNOWN.size == 13
    assert torch.equal(KNOWN.empty(), KNOWN.encode("")) and KNOWN.empty().tolist() == list(range(7, 13))
    assert len(KNOWN.encode("a boat on the sea a boat")) == 6


def test_a_vocabulary_travels_as_bytes() -> None:
    other = Vocabulary.unpack(KNOWN.pack(), 6)
    assert other == KNOWN
    umlaut = Vocabulary(("bär", "see"), 3)
    assert Vocabulary.unpack(umlaut.pack(), 3) == umlaut
    for broken in (
        torch.tensor([255, 255], dtype=torch.uint8),
        torch.tensor([97, 10, 97], dtype=torch.uint8),
    ):
        with pytest.raises(CheckpointError, match="vocabulary is damaged"):
            Vocabulary.unpack(broken, 6)


def test_words_of_captions_are_collected() -> None:
    assert collect(["A red boat.", "the boat"]) == ("a", "boat", "red", "the")
    assert collect(["b a", "a c", "c a"], most=2) == ("a", "c")


def test_what_is_spelt_alike_is_read_and_said() -> None:
    reading = read_text("boats by the mountain", KNOWN.words, by_spelling(KNOWN.words))
    assert reading.text == "boat the mountains"
    assert reading.notices == (
        "'boats' is not known; read as 'boat'",
        "'mountain' is not known; read as 'mountains'",
        "'by' is not known, nor like any known word; left out",
    )
    assert read_text("the sea", KNOWN.words, by_spelling(KNOWN.words)).notices == ()


def test_what_means_the_same_is_read_and_said() -> None:
    places = {"ocean": (1.0, 0.1), "sea": (1.0, 0.0), "castles": (0.9, 0.1), "zebra": (0.0, -1.0)}

    def encode(texts: list[str]) -> torch.Tensor:
        rows = torch.tensor([places.get(text, (0.0, 1.0)) for text in texts])
        return rows / rows.norm(dim=1, keepdim=True)

    reading = read_text("ocean castles zebra", KNOWN.words, by_meaning(KNOWN.words, encode))
    assert reading.text == "sea castle"
    assert reading.notices[0] == "'ocean' is not known; read as 'sea'"
    assert reading.notices[2] == "'zebra' is not known, nor like any known word; left out"


def test_nothing_left_is_an_error_that_lists_what_is_known() -> None:
    with pytest.raises(ConfigError, match=r"'xylophone': no word of it is known; the model knows a, boat"):
        read_text("xylophone", KNOWN.words, by_spelling(KNOWN.words))
    with pytest.raises(ConfigError, match="no word of it is known"):
        read_text("a xylophone on the", KNOWN.words, by_spelling(KNOWN.words))


def test_a_vocabulary_has_each_word_once() -> None:
    with pytest.raises(ConfigError, match="each once"):
        Vocabulary(("a", "a"), 3)
