"""Laws of CLIP's tokenizer: the reference's ids, and long texts cut where words end."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from clip_toys import MERGES, VOCABULARY, write_tokenizer
from hypothesis import given, settings
from hypothesis import strategies as st

from dreamplate.errors import CheckpointError, ConfigError, MissingExtraError
from dreamplate.nets import clip_tokens
from dreamplate.nets.clip_tokens import ClipTokenizer, split_evenly, split_markers

pytest.importorskip("ftfy")
pytest.importorskip("tokenizers")


@pytest.fixture(scope="module")
def standard() -> ClipTokenizer:
    try:
        return ClipTokenizer.standard()
    except MissingExtraError as error:
        pytest.skip(str(error))


@pytest.fixture(scope="module")
def small(tmp_path_factory: pytest.TempPathFactory) -> ClipTokenizer:
    folder = tmp_path_factory.mktemp("tokenizer")
    write_tokenizer(folder)
    found = ClipTokenizer.from_folder(folder)
    assert found is not None
    return found


def rows(shared_dir: Path) -> list[dict]:
    found = json.loads((shared_dir / "parity/clip_tokens/tokens.json").read_text(encoding="utf-8"))
    assert len(found) >= 300
    return found


def test_parity_ids_rows_and_decoding(shared_dir: Path, standard: ClipTokenizer) -> None:
    for row in rows(shared_dir):
        ids = standard.encode(row["text"])
        assert ids == row["ids"], row["text"]
        assert standard.decode(ids) == row["decoded"], row["text"]
        wanted = row["row_truncated"] + [0] * (77 - len(row["row_truncated"]))
        assert standard.tokenize([row["text"]], truncate=True)[0].tolist() == wanted
        if row["fits_77"]:
            assert standard.tokenize([row["text"]])[0].tolist() == wanted
        else:
            with pytest.raises(ConfigError, match="77 fit"):
                standard.tokenize([row["text"]])


def test_chunks_hold_every_id_once_and_fit(shared_dir: Path, standard: ClipTokenizer) -> None:
    for row in rows(shared_dir):
        chunks = standard.chunks(row["text"])
        assert [number for chunk in chunks for number in chunk[1:-1]] == row["ids"]
        assert all(chunk[0] == 49_406 and chunk[-1] == 49_407 and len(chunk) <= 77 for chunk in chunks)
        assert (len(chunks) == 1) == row["fits_77"]
        if row["fits_77"]:
            assert chunks[0] == row["row_truncated"]


def test_long_texts_are_cut_between_words(standard: ClipTokenizer) -> None:
    words = ["an", "extraordinarily", "supercalifragilistic", "Donaudampfschifffahrt,", "at", "dusk;"]
    text = " ".join(words * 30)
    chunks = standard.chunks(text)
    spelt = [standard.decode(chunk[1:-1]).strip() for chunk in chunks]
    assert len(chunks) == -(-len(standard.encode(text)) // 75)
    for piece in spelt:
        first = piece.split()[0]
        assert any(word.lower().startswith(first) for word in words), first
    lengths = [len(chunk) for chunk in chunks]
    assert max(lengths) - min(lengths) < 30


def test_extreme_texts(standard: ClipTokenizer) -> None:
    assert standard.chunks("") == [[49_406, 49_407]]
    assert standard.encode(" \n\t") == []
    long = "misty mountain " * 667
    assert len(long) > 10_000
    assert sum(len(chunk) - 2 for chunk in standard.chunks(long)) == 2 * 667
    assert sum(len(chunk) - 2 for chunk in standard.chunks("漢" * 500)) == len(standard.encode("漢" * 500))
    with pytest.raises(ConfigError, match=r"100,001 characters.*100,000 are allowed"):
        standard.encode("x" * 100_001)
    assert standard.decode(standard.encode("half \ud800 a character")).startswith("half ")


@pytest.mark.parametrize("ids", [[-1], [49_408], [5, 10**9]])
def test_unknown_ids_are_refused(standard: ClipTokenizer, ids: list[int]) -> None:
    with pytest.raises(ConfigError, match="ids go from 0 to 49407"):
        standard.decode(ids)


def test_markers_of_the_package_are_plain_text(standard: ClipTokenizer) -> None:
    spelt = standard.decode(standard.encode("a <start_of_text> b!<end_of_text>"))
    assert spelt == "a < start _ of _ text > b !< end _ of _ text > "


@pytest.mark.parametrize(
    ("text", "pieces"),
    [
        ("a<|endoftext|>b", ["a", "<|endoftext|>", "b"]),
        ("<|startoftext|><|endoftext|>", ["<|startoftext|>", "<|endoftext|>"]),
        ("!<|endoftext|>", ["!<|endoftext|>"]),
        ("1<|endoftext|><|", ["1", "<|endoftext|>", "<|"]),
        ("<<|endoftext|> <|startoftext|>", ["<<|endoftext|> ", "<|startoftext|>"]),
        ("", []),
    ],
)
def test_markers_inside_texts(text: str, pieces: list[str]) -> None:
    assert split_markers(text) == pieces


@given(st.integers(1, 200), st.integers(1, 30), st.sets(st.integers(1, 200)))
@settings(max_examples=100, deadline=None)
def test_even_cuts_cover_the_row(length: int, room: int, ends: set[int]) -> None:
    parts = split_evenly(length, room, ends)
    assert [begin for begin, _ in parts] == [0, *(end for _, end in parts[:-1])]
    assert parts[-1][1] == length
    assert all(0 < end - begin <= room for begin, end in parts)
    if len(ends.intersection(range(1, length + 1))) == length:
        assert len(parts) == -(-length // room)


# Tokenizers from folders.


def test_a_folder_gives_its_own_ids(small: ClipTokenizer) -> None:
    names = ["".join(pair) for pair in MERGES]
    assert small.size == VOCABULARY
    cat, dog, the = (512 + names.index(word) for word in ("cat</w>", "dog</w>", "the</w>"))
    assert small.encode("The CAT the dog") == [the, cat, the, dog]
    assert small.decode(small.encode("The cat’s &amp; the dog é")) == "the cat 's & the dog é "
    assert small.encode("<|endoftext|>") == [VOCABULARY - 1]


# Signs that no version of Unicode before 15 knew are cut by the table of each package.
@given(st.text(st.characters(exclude_categories=["Cs", "Cn"]), max_size=40))
@settings(max_examples=150, deadline=None)
def test_folder_and_package_cut_alike(standard: ClipTokenizer, small: ClipTokenizer, text: str) -> None:
    # The merges differ, the words and their spelling must not.
    assert small.decode(small.encode(text)) == standard.decode(standard.encode(text))


def test_both_kinds_of_folder_agree(tmp_path: Path, small: ClipTokenizer) -> None:
    write_tokenizer(tmp_path, whole=True)
    whole = ClipTokenizer.from_folder(tmp_path)
    assert whole is not None
    for text in ("the cat", "thecat the dogs", "", "été 12", "<|startoftext|> cat"):
        assert whole.encode(text) == small.encode(text)


def test_a_folder_without_a_tokenizer(tmp_path: Path) -> None:
    assert ClipTokenizer.from_folder(tmp_path) is None
    (tmp_path / "merges.txt").write_text("a b\n")
    assert ClipTokenizer.from_folder(tmp_path) is None


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda e: e.clear(), "not a byte-pair tokenizer"),
        (lambda e: e["model"].update(type="Unigram"), "not a byte-pair tokenizer"),
        (lambda e: e["model"].update(end_of_word_suffix=None), "words do not end in </w>"),
        (lambda e: e["model"].update(vocab={"a": "b"}), "not a table from words to ids"),
        (lambda e: e["model"].update(merges=[["a"]]), "not a merge of two parts"),
        (lambda e: e["model"].update(merges=None), "not a merge of two parts"),
        (lambda e: e["model"].update(merges=["qq zz"]), "do not fit its vocabulary"),
        (lambda e: e["model"]["vocab"].pop("<|endoftext|>"), "has no <|endoftext|>"),
        (lambda e: e["model"]["vocab"].update(more=9_999), "ids go up to 9999"),
    ],
)
def test_damaged_tokenizers_are_named(tmp_path: Path, change, words: str) -> None:
    write_tokenizer(tmp_path, whole=True)
    file = tmp_path / "tokenizer.json"
    entries = json.loads(file.read_text(encoding="utf-8"))
    change(entries)
    file.write_text(json.dumps(entries), encoding="utf-8")
    with pytest.raises(CheckpointError) as caught:
        ClipTokenizer.from_folder(tmp_path)
    assert words in str(caught.value) and "\n" not in str(caught.value)
    assert str(file) in str(caught.value)


@pytest.mark.parametrize("text", ["", "[]", "{", "\x00"])
def test_tokenizer_files_that_are_no_json(tmp_path: Path, text: str) -> None:
    (tmp_path / "tokenizer.json").write_text(text)
    with pytest.raises(CheckpointError, match=r"tokenizer\.json"):
        ClipTokenizer.from_folder(tmp_path)


@pytest.mark.parametrize("package", ["ftfy", "instant_clip_tokenizer"])
def test_missing_packages_name_the_remedy(monkeypatch: pytest.MonkeyPatch, package: str) -> None:
    import sys

    monkeypatch.setitem(sys.modules, package, None)
    with pytest.raises(MissingExtraError, match=r'pip install "dreamplate\[clip\]"'):
        clip_tokens.ClipTokenizer.standard()
