"""Laws of CLIP and of transformers models as scorers, and of the words that choose them."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch
import torch.nn.functional as F
from clip_toys import VOCABULARY, resnet_state, to_hugging_face, vit_state, write_tokenizer

from dreamplate.dream.chunks import bytes_per_cut
from dreamplate.dream.clip_scorer import ClipScorer, load_clip
from dreamplate.dream.natural import NaturalStatistics
from dreamplate.dream.scorers import SCORERS, Part, Scorer, load_scorer, parse_spec
from dreamplate.dream.transformers_scorer import load_transformers
from dreamplate.errors import CheckpointError, ConfigError, MissingExtraError, ModelError
from dreamplate.models import save_state

pytest.importorskip("tokenizers")
pytest.importorskip("ftfy")


def folder_of(root: Path, state: dict, **config: object) -> Path:
    """A folder as open_clip leaves it, with a tokenizer of its own."""
    root.mkdir(parents=True, exist_ok=True)
    save_state(root / "open_clip_model.safetensors", state)
    (root / "open_clip_config.json").write_text(json.dumps({"model_cfg": config}))
    write_tokenizer(root)
    return root


@pytest.fixture(scope="module")
def vit(tmp_path_factory: pytest.TempPathFactory) -> ClipScorer:
    return load_clip(str(folder_of(tmp_path_factory.mktemp("vit"), vit_state(), quick_gelu=True)))


@pytest.fixture(scope="module")
def resnet(tmp_path_factory: pytest.TempPathFactory) -> ClipScorer:
    return load_clip(str(folder_of(tmp_path_factory.mktemp("resnet"), resnet_state(), quick_gelu=True)))


def pictures(count: int, side: int, seed: int = 0) -> torch.Tensor:
    return torch.rand(count, 3, side, side, generator=torch.Generator().manual_seed(seed))


# What every scorer promises.


@pytest.mark.parametrize("name", ["vit", "resnet"])
def test_it_is_a_scorer(name: str, request: pytest.FixtureRequest) -> None:
    scorer = request.getfixturevalue(name)
    assert isinstance(scorer, Scorer)
    images = pictures(2, scorer.size).requires_grad_()
    vectors = scorer.encode_image(images)
    assert vectors.shape == (2, scorer.dim) and vectors.dtype == torch.float32
    torch.testing.assert_close(vectors.norm(dim=-1), torch.ones(2))
    vectors[:, 0].sum().backward()
    assert images.grad is not None and images.grad.abs().sum() > 0
    texts = scorer.encode_text(["the cat", "", "a dog"])
    assert texts.shape == (3, scorer.dim) and not texts.requires_grad
    torch.testing.assert_close(texts.norm(dim=-1), torch.ones(3))
    assert not any(weight.requires_grad for weight in scorer.parameters())
    assert bytes_per_cut(scorer, scorer.size) > 0


def test_pictures_are_normalised_inside(vit: ClipScorer) -> None:
    images = pictures(2, vit.size)
    wanted = vit.net.image((images - vit.mean) / vit.std)
    torch.testing.assert_close(vit.encode_image(images), F.normalize(wanted, dim=-1))


@pytest.mark.parametrize("shape", [(3, 24, 24), (1, 3, 32, 32), (1, 4, 24, 24), (1, 3, 24, 32)])
def test_pictures_of_other_shapes_are_refused(vit: ClipScorer, shape: tuple[int, ...]) -> None:
    with pytest.raises(ModelError, match=r"clip:.*pictures have shape"):
        vit.encode_image(torch.zeros(shape))
    with pytest.raises(ModelError, match=r"multiples of 8"):
        vit.encode_map(torch.zeros(1, 3, 20, 24))


def test_only_batch_normalisation_knows_photographs(vit: ClipScorer, resnet: ClipScorer) -> None:
    assert not hasattr(vit, "encode_with_layers")
    images = pictures(2, resnet.size).requires_grad_()
    vectors, layers = resnet.encode_with_layers(images)
    torch.testing.assert_close(vectors, resnet.encode_image(images))
    natural = NaturalStatistics()
    for _ in range(2):
        penalty = natural.penalty(layers, 1.0)
        natural.close_step()
    penalty.backward()
    assert images.grad is not None and images.grad.abs().sum() > 0


def test_bfloat16_agrees(tmp_path: Path, vit: ClipScorer) -> None:
    folder = str(folder_of(tmp_path, vit_state(), quick_gelu=True))
    other = load_clip(folder, dtype=torch.bfloat16)
    images = pictures(2, vit.size)
    found = other.encode_image(images)
    assert found.dtype == torch.float32
    assert F.cosine_similarity(found, vit.encode_image(images)).min() > 0.99
    assert F.cosine_similarity(other.encode_text(["the cat"]), vit.encode_text(["the cat"])).min() > 0.99


# Texts.


def test_texts_do_not_depend_on_each_other(vit: ClipScorer) -> None:
    texts = ["the cat", "a much longer text about the dog and the cat " * 3, "", "dog " * 200, "the cat"]
    together = vit.encode_text(texts)
    alone = torch.cat([vit.encode_text([text]) for text in texts])
    torch.testing.assert_close(together, alone, atol=1e-5, rtol=0)
    torch.testing.assert_close(together[0], together[4])


def test_a_text_that_fits_is_encoded_whole(vit: ClipScorer) -> None:
    for length in (1, 20, 75):
        text = "dog " * length
        wanted = F.normalize(vit.net.text(vit.tokenizer.tokenize([text])).float(), dim=-1)
        torch.testing.assert_close(vit.encode_text([text]), wanted, atol=1e-5, rtol=0)


def test_a_long_text_is_the_mean_of_its_parts(vit: ClipScorer) -> None:
    words = ["dog", "cat", "the"] * 50
    halves = [" ".join(words[:75]), " ".join(words[75:])]
    wanted = F.normalize(vit.encode_text(halves).mean(0, keepdim=True), dim=-1)
    torch.testing.assert_close(vit.encode_text([" ".join(words)]), wanted, atol=1e-5, rtol=0)
    assert vit.encode_text(["misty " * 2000]).isfinite().all()
    assert vit.encode_text([]).shape == (0, vit.dim)


# Dense maps.


@pytest.mark.parametrize("name", ["vit", "resnet"])
def test_maps_hold_unit_vectors(name: str, request: pytest.FixtureRequest) -> None:
    scorer = request.getfixturevalue(name)
    found = scorer.encode_map(torch.rand(1, 3, 3 * scorer.stride, 4 * scorer.stride))
    assert found.shape == (1, scorer.dim, 3, 4)
    torch.testing.assert_close(found.norm(dim=1), torch.ones(1, 3, 4))


# Loading.


def test_folder_file_and_settings_agree(tmp_path: Path, vit: ClipScorer) -> None:
    folder = folder_of(tmp_path / "a", vit_state(), quick_gelu=True)
    by_file = load_clip(str(folder / "open_clip_model.safetensors"))
    images = pictures(1, vit.size)
    torch.testing.assert_close(by_file.encode_image(images), vit.encode_image(images))
    (folder / "open_clip_config.json").unlink()
    said = load_clip(f"{folder}?activation=quick_gelu&heads=1&text_heads=1")
    torch.testing.assert_close(said.encode_image(images), vit.encode_image(images))
    exact = load_clip(f"{folder}?activation=gelu")
    assert not torch.allclose(exact.encode_image(images), vit.encode_image(images), atol=1e-4)


def test_hugging_face_folder_is_the_same_scorer(tmp_path: Path, vit: ClipScorer) -> None:
    save_state(tmp_path / "model.safetensors", to_hugging_face(vit_state()))
    heads = {"num_attention_heads": 1}
    (tmp_path / "config.json").write_text(json.dumps({"vision_config": heads, "text_config": heads}))
    colours = {"image_mean": [0.5, 0.4, 0.3], "image_std": [0.2, 0.2, 0.2]}
    (tmp_path / "preprocessor_config.json").write_text(json.dumps(colours))
    write_tokenizer(tmp_path, whole=True)
    found = load_scorer(f"clip:{tmp_path}")
    torch.testing.assert_close(found.encode_text(["the cat"]), vit.encode_text(["the cat"]))
    assert isinstance(found, ClipScorer)
    assert found.mean.flatten().tolist() == pytest.approx([0.5, 0.4, 0.3])


def test_an_untold_activation_says_how_to_tell_it(tmp_path: Path) -> None:
    folder = folder_of(tmp_path, vit_state())
    (folder / "open_clip_config.json").unlink()
    with pytest.raises(ConfigError) as caught:
        load_scorer(f"clip:{folder}")
    assert f"clip:{folder}?activation=gelu" in str(caught.value) and "\n" not in str(caught.value)


@pytest.mark.parametrize("said", ["activation=relu", "heads=0", "heads=x", "speed=9", "activation"])
def test_what_is_said_wrongly_is_named(tmp_path: Path, said: str) -> None:
    with pytest.raises(ConfigError, match=r"is not known; say activation="):
        load_clip(f"{tmp_path}/m.safetensors?{said}")
    with pytest.raises(ConfigError, match="nothing is said"):
        load_clip(f"{tmp_path}/m.safetensors?")


def test_tokenizer_of_another_vocabulary(tmp_path: Path) -> None:
    folder = folder_of(tmp_path, vit_state(), quick_gelu=True)
    (folder / "vocab.json").unlink()
    with pytest.raises(ModelError, match=rf"knows {VOCABULARY} ids, the standard tokenizer 49,408"):
        load_clip(str(folder))
    state = vit_state()
    state["token_embedding.weight"] = torch.zeros(VOCABULARY + 1, 64)
    with pytest.raises(ModelError, match=f"its tokenizer {VOCABULARY}"):
        load_clip(str(folder_of(tmp_path / "b", state)))


def test_folders_without_weights(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match=r"holds neither model\.safetensors nor pytorch_model\.bin"):
        load_clip(str(tmp_path))
    for name in ("a", "b"):
        save_state(tmp_path / f"{name}.safetensors", vit_state())
    with pytest.raises(ModelError, match="holds 2 safetensors files; name the weight file itself"):
        load_clip(str(tmp_path))
    with pytest.raises(ModelError, match="nowhere"):
        load_clip(str(tmp_path / "nowhere"))


def test_extra_tensors_name_the_file(tmp_path: Path) -> None:
    folder = folder_of(tmp_path, vit_state() | {"adapter": torch.zeros(1)})
    with pytest.raises(CheckpointError, match=r"open_clip_model\.safetensors.*'adapter' is not part"):
        load_clip(str(folder))


# Specs.


def test_specs() -> None:
    assert parse_spec("bridge") == [Part(1, "bridge", "")]
    assert parse_spec(" 2*clip:a/b.pt + bridge+0.5 * transformers:/c d/e+f ") == [
        Part(2, "clip", "a/b.pt"),
        Part(1, "bridge", ""),
        Part(0.5, "transformers", "/c d/e+f"),
    ]
    assert parse_spec("clip:a+b.pt+2*bridge") == [Part(1, "clip", "a+b.pt"), Part(2, "bridge", "")]
    assert all(home.count(":") == 1 for home in SCORERS.values())


@pytest.mark.parametrize(
    ("spec", "words"),
    [
        ("", "a part is empty"),
        ("2*", "a part is empty"),
        ("+clip:", "a part is empty"),
        ("bridge +", "a part is empty"),
        ("bridge + + bridge", "a part is empty"),
        ("clip:", "clip lacks its MODEL; write clip:MODEL"),
        ("bridge + transformers: ", "transformers lacks its FOLDER"),
        ("clop", "scorer is 'clop': choose from auto, bridge, clip:MODEL, own, transformers:FOLDER"),
        ("bridge + clop", "'clop': choose from"),
        ("-1*bridge", "weight is '-1'"),
        ("0*bridge", "weight is '0'"),
        ("inf*bridge", "weight is 'inf'"),
        ("two*bridge", "weight is 'two'"),
        ("*bridge", "weight is ''"),
        ("bridge:lite2", "bridge takes nothing behind a colon"),
    ],
)
def test_wrong_specs_are_named(spec: str, words: str) -> None:
    with pytest.raises(ConfigError) as caught:
        load_scorer(spec)
    assert words in str(caught.value) and "\n" not in str(caught.value)


# Models of the transformers package.


@pytest.fixture(scope="module")
def siglip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    transformers = pytest.importorskip("transformers")
    folder = tmp_path_factory.mktemp("siglip")
    sizes = {"hidden_size": 16, "intermediate_size": 32, "num_hidden_layers": 2, "num_attention_heads": 2}
    torch.manual_seed(0)
    config = transformers.SiglipConfig(
        text_config=sizes | {"vocab_size": VOCABULARY, "max_position_embeddings": 12},
        vision_config=sizes | {"image_size": 32, "patch_size": 8},
    )
    transformers.SiglipModel(config).save_pretrained(folder)
    write_transformers_tokenizer(folder)
    colours = {"image_mean": [0.5, 0.5, 0.5], "image_std": [0.5, 0.5, 0.5]}
    (folder / "preprocessor_config.json").write_text(json.dumps(colours))
    return folder


def write_transformers_tokenizer(folder: Path) -> None:
    from tokenizers import Tokenizer, models, pre_tokenizers
    from transformers import PreTrainedTokenizerFast

    words = ["<pad>", "<unk>", "the", "cat", "dog", "misty"]
    inner = Tokenizer(models.WordLevel({word: at for at, word in enumerate(words)}, unk_token="<unk>"))
    inner.pre_tokenizer = pre_tokenizers.Whitespace()
    PreTrainedTokenizerFast(tokenizer_object=inner, pad_token="<pad>", unk_token="<unk>").save_pretrained(
        folder
    )


def test_siglip_gives_the_vectors_of_the_package(siglip: Path) -> None:
    import transformers

    scorer = load_scorer(f"transformers:{siglip}")
    assert isinstance(scorer, Scorer) and (scorer.size, scorer.dim) == (32, 16)
    images = pictures(2, 32).requires_grad_()
    found = scorer.encode_image(images)
    found[:, 0].sum().backward()
    assert images.grad is not None and images.grad.abs().sum() > 0
    model = transformers.SiglipModel.from_pretrained(siglip).eval()
    ids = torch.tensor([[2, 3] + [0] * 10])
    with torch.no_grad():
        wanted = model(input_ids=ids, pixel_values=(images - 0.5) / 0.5)
    torch.testing.assert_close(found, wanted.image_embeds)
    torch.testing.assert_close(scorer.encode_text(["The Cat"]), wanted.text_embeds)


def test_long_texts_of_siglip_are_averaged(siglip: Path) -> None:
    scorer = load_transformers(str(siglip))
    halves = ["the cat " * 5, "the dog " * 5]
    wanted = F.normalize(scorer.encode_text(halves).mean(0, keepdim=True), dim=-1)
    torch.testing.assert_close(scorer.encode_text(["".join(halves)]), wanted)
    assert scorer.encode_text(["misty " * 1700, "", "x" * 9_000]).isfinite().all()


def test_siglip_for_any_aspect_takes_patches_in_its_order(tmp_path: Path) -> None:
    transformers = pytest.importorskip("transformers")
    sizes = {"hidden_size": 16, "intermediate_size": 32, "num_hidden_layers": 1, "num_attention_heads": 2}
    config = transformers.Siglip2Config(
        text_config=sizes | {"vocab_size": 8, "max_position_embeddings": 6},
        vision_config=sizes | {"num_patches": 16, "patch_size": 8},
    )
    torch.manual_seed(1)
    transformers.Siglip2Model(config).save_pretrained(tmp_path)
    write_transformers_tokenizer(tmp_path)
    colours = {"image_mean": [0.5, 0.5, 0.5], "image_std": [1.0, 1.0, 1.0]}
    (tmp_path / "preprocessor_config.json").write_text(json.dumps(colours))
    scorer = load_transformers(str(tmp_path))
    assert scorer.size == 32
    images = pictures(1, 32)
    rows = []
    for top in range(0, 32, 8):
        for left in range(0, 32, 8):
            rows.append((images - 0.5)[0, :, top : top + 8, left : left + 8].permute(1, 2, 0).flatten())
    with torch.no_grad():
        wanted = scorer.model.get_image_features(
            pixel_values=torch.stack(rows)[None],
            pixel_attention_mask=torch.ones(1, 16, dtype=torch.int32),
            spatial_shapes=torch.tensor([[4, 4]]),
        )
    torch.testing.assert_close(scorer.encode_image(images), F.normalize(wanted.pooler_output, dim=-1))


def test_our_clip_gives_the_vectors_of_the_package(tmp_path: Path) -> None:
    transformers = pytest.importorskip("transformers")
    sizes = {"hidden_size": 64, "intermediate_size": 96, "num_hidden_layers": 2, "num_attention_heads": 4}
    config = transformers.CLIPConfig(
        text_config=sizes | {"vocab_size": VOCABULARY, "hidden_act": "gelu", "eos_token_id": VOCABULARY - 1},
        vision_config=sizes | {"image_size": 32, "patch_size": 8, "hidden_act": "gelu"},
        projection_dim=24,
    )
    torch.manual_seed(2)
    model = transformers.CLIPModel(config).eval()
    model.save_pretrained(tmp_path)
    write_tokenizer(tmp_path)
    scorer = load_clip(str(tmp_path))
    images = pictures(2, 32)
    ids = scorer.tokenizer.tokenize(["the cat", "dog"])
    with torch.no_grad():
        wanted = model(input_ids=ids, pixel_values=(images - scorer.mean) / scorer.std)
    torch.testing.assert_close(scorer.encode_image(images), wanted.image_embeds, atol=1e-5, rtol=0)
    torch.testing.assert_close(scorer.encode_text(["the cat", "dog"]), wanted.text_embeds, atol=1e-5, rtol=0)


def test_folders_that_transformers_cannot_use(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(ModelError, match="there is no such folder"):
        load_scorer(f"transformers:{tmp_path / 'nowhere'}")
    with pytest.raises(ModelError, match=r"config\.json or \*\.safetensors is not there"):
        load_scorer(f"transformers:{tmp_path}")
    (tmp_path / "config.json").write_text('{"model_type": "bert"}')
    save_state(tmp_path / "model.safetensors", {"x": torch.zeros(1)})
    with pytest.raises(ModelError, match=r"has no preprocessor_config\.json"):
        load_scorer(f"transformers:{tmp_path}")
    (tmp_path / "preprocessor_config.json").write_text('{"image_mean": [1, 2], "image_std": 3}')
    with pytest.raises(ModelError, match="image_mean or image_std"):
        load_scorer(f"transformers:{tmp_path}")
    (tmp_path / "preprocessor_config.json").write_text('{"image_mean": [1, 2, 3], "image_std": [1, 1, 1]}')
    (tmp_path / "config.json").write_text('{"model_type": "nonesuch"}')
    with pytest.raises(ModelError, match="cannot be loaded") as caught:
        load_scorer(f"transformers:{tmp_path}")
    assert "\n" not in str(caught.value)
    monkeypatch.setitem(__import__("sys").modules, "transformers", None)
    with pytest.raises(MissingExtraError, match=r'pip install "dreamplate\[transformers\]"'):
        load_scorer(f"transformers:{tmp_path}")


def test_missing_tensors_of_siglip_are_named(siglip: Path, tmp_path: Path) -> None:
    import shutil

    from dreamplate.models import load_state

    folder = tmp_path / "damaged"
    shutil.copytree(siglip, folder)
    state = load_state(folder / "model.safetensors")
    del state["logit_scale"]
    save_state(folder / "model.safetensors", state, {"format": "pt"})
    with pytest.raises(CheckpointError, match="missing keys, first 'logit_scale'"):
        load_transformers(str(folder))
