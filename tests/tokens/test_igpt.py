"""Laws of Image GPT: what is published is computed as published, what is kept is what is recomputed."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch
from torch import Tensor

from dreamplate.errors import CheckpointError, ModelError
from dreamplate.models.find import find_weights
from dreamplate.models.importer import detect
from dreamplate.models.layouts.image_gpt import COLOUR_FEATURES, expected
from dreamplate.models.state import save_state
from dreamplate.tokens.igpt import ImageGpt, Keys, draw_weights
from dreamplate.tokens.igpt_sample import Chances, go_on
from dreamplate.tokens.igpt_shape import IgptShape

PLAIN = IgptShape(4, 10, 16, 2, 2, 64)
OURS = IgptShape(4, 10, 16, 2, 2, 64, "axes", 1, 1)


def network(shape: IgptShape = PLAIN, seed: int = 0) -> ImageGpt:
    """Weights are drawn larger than training begins with, so that everything counts."""
    net = ImageGpt(shape)
    draws = torch.Generator().manual_seed(seed)
    draw_weights(net, draws)
    with torch.no_grad():
        net.palette.copy_(torch.rand(net.palette.shape, generator=draws) * 2 - 1)
        for name, value in net.named_parameters():
            if "ln_" not in name:
                value.copy_(torch.randn(value.shape, generator=draws) * 0.3)
    return net.eval()


def draw(shape: IgptShape, count: int = 2, seed: int = 1) -> Tensor:
    return torch.randint(shape.codes, (count, shape.length), generator=torch.Generator().manual_seed(seed))


def uniform(shape: IgptShape, count: int, seed: int = 2) -> Tensor:
    draws = torch.Generator().manual_seed(seed)
    return torch.rand((count, shape.length), generator=draws, dtype=torch.float64)


def published(folder: Path) -> torch.nn.Module:
    transformers = pytest.importorskip("transformers")
    if not hasattr(transformers, "ImageGPTForCausalImageModeling"):
        pytest.skip("this transformers has no ImageGPT")
    config = transformers.ImageGPTConfig(
        vocab_size=11, n_positions=16, n_embd=16, n_layer=2, n_head=4,
        resid_pdrop=0.0, embd_pdrop=0.0, attn_pdrop=0.0, tie_word_embeddings=False,
    )  # fmt: skip
    torch.manual_seed(3)
    net = transformers.ImageGPTForCausalImageModeling(config).eval()
    with torch.no_grad():
        for name, value in net.named_parameters():
            value.copy_(torch.rand_like(value) + 0.5 if "ln_" in name else torch.randn_like(value) * 0.3)
    net.save_pretrained(folder)
    palette = torch.rand((10, 3)) * 2 - 1
    (folder / "preprocessor_config.json").write_text(json.dumps({"clusters": palette.tolist()}))
    return net


def test_published_weights_score_as_the_published_network_does(tmp_path: Path) -> None:
    theirs = published(tmp_path)
    state, settings = find_weights(str(tmp_path / "model.safetensors"), "image-gpt")
    assert settings["heads"] == 4
    ours = ImageGpt.from_settings(settings)
    ours.load_state_dict(state)
    tokens = draw(ours.shape)
    begun = torch.cat([torch.full((2, 1), 10), tokens[:, :-1]], 1)
    with torch.no_grad():
        wanted = theirs(input_ids=begun).logits
        torch.testing.assert_close(ours.eval()(tokens), wanted, atol=1e-5, rtol=0)
    listed = json.loads((tmp_path / "preprocessor_config.json").read_text())["clusters"]
    torch.testing.assert_close(ours.palette, torch.tensor(listed), atol=0, rtol=0)


def test_published_weights_without_their_palette_are_refused(tmp_path: Path) -> None:
    published(tmp_path)
    (tmp_path / "preprocessor_config.json").unlink()
    with pytest.raises(CheckpointError, match="palette is in preprocessor_config"):
        find_weights(str(tmp_path / "model.safetensors"), "image-gpt")
    (tmp_path / "preprocessor_config.json").write_text('{"clusters": [[0, 0, 3]]}')
    with pytest.raises(CheckpointError, match="no colours of -1 to 1"):
        find_weights(str(tmp_path / "model.safetensors"), "image-gpt")


def test_weights_of_another_activation_are_refused(tmp_path: Path) -> None:
    published(tmp_path)
    config = json.loads((tmp_path / "config.json").read_text())
    (tmp_path / "config.json").write_text(json.dumps(config | {"activation_function": "gelu_new"}))
    with pytest.raises(CheckpointError, match="gelu_new"):
        find_weights(str(tmp_path / "model.safetensors"), "image-gpt")


@pytest.mark.parametrize("shape", [PLAIN, OURS])
def test_our_own_file_comes_back(shape: IgptShape, tmp_path: Path) -> None:
    net = network(shape)
    settings = net.settings
    assert {name: tuple(t.shape) for name, t in net.state_dict().items()} == expected(settings)
    assert not shape.kinship or net.kin_in.in_features == COLOUR_FEATURES
    save_state(tmp_path / "own.safetensors", net.state_dict())
    state, found = find_weights(str(tmp_path / "own.safetensors"), "image-gpt")
    again = ImageGpt.from_settings({**found, "heads": shape.heads})
    again.load_state_dict(state)
    assert again.shape == shape
    tokens = draw(shape)
    assert torch.equal(again.eval()(tokens), net(tokens))


def test_a_language_model_is_not_taken_for_one() -> None:
    shapes = {
        "transformer.wte.weight": (11, 8), "transformer.wpe.weight": (4, 8),
        "transformer.h.0.attn.c_attn.weight": (8, 24), "lm_head.weight": (11, 8),
    }  # fmt: skip
    found = detect(shapes)
    assert found is None or found.architecture != "image-gpt"
    found = detect(shapes | {"lm_head.weight": (10, 8)})
    assert found is not None and found.architecture == "image-gpt"


@pytest.mark.parametrize("shape", [PLAIN, OURS])
def test_no_place_sees_what_comes_later(shape: IgptShape) -> None:
    net, tokens = network(shape), draw(shape, 1)
    before = net(tokens)
    for place in (0, 5, 15):
        changed = tokens.clone()
        changed[0, place] = (changed[0, place] + 1) % shape.codes
        after = net(changed)
        torch.testing.assert_close(after[:, : place + 1], before[:, : place + 1], atol=1e-6, rtol=1e-6)
        if place < 15:
            assert (after[:, place + 1] - before[:, place + 1]).abs().max() > 1e-3


def test_a_place_is_shown_what_lies_above_it() -> None:
    # Without blocks only what is shown directly counts: the one before, and three above where there are any.
    shape = IgptShape(4, 10, 16, 1, 2, 64, "axes", 1, 1)
    net = network(shape)
    seen = {int(place) for place in net.near[6]}
    assert seen == {5, 1, 2, 3}
    assert net.near[7].tolist() == [6, 3, 2, -1]
    assert net.near[0].tolist() == [-1, -1, -1, -1]
    assert net.near[4].tolist() == [3, 0, -1, 1]


@pytest.mark.parametrize("shape", [PLAIN, OURS])
def test_keys_that_are_kept_change_nothing(shape: IgptShape) -> None:
    net, tokens = network(shape), draw(shape, 3)
    whole = net(tokens)
    keys = Keys(shape, 3, whole)
    for stop in (1, 2, 5, 6, 7, 12, 16):  # one place, or several at once
        scores = net.extend(tokens, stop, keys)
        torch.testing.assert_close(scores, whole[:, stop - 1], atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize("shape", [PLAIN, OURS])
def test_drawing_with_kept_keys_is_drawing_from_the_whole(shape: IgptShape) -> None:
    net, tokens, numbers = network(shape), draw(shape, 2), uniform(shape, 2)
    known = torch.tensor([True] * 5 + [False, True, True] + [False] * 8)
    tokens[1, :5] = tokens[0, :5]
    made, bits = go_on(net, tokens, known, numbers, Chances(0.9, 6, 0.95))
    from dreamplate.tokens.sampling import choose

    slow, cost = tokens.clone(), torch.zeros(2, dtype=torch.float64)
    for place in torch.nonzero(~known)[:, 0].tolist():
        scores = net(slow)[:, place]
        slow[:, place] = choose(scores, numbers[:, place], 0.9, 6, 0.95)
        cost -= scores.double().log_softmax(1).gather(1, slow[:, place, None])[:, 0] / torch.log(
            torch.tensor(2.0)
        )
    assert torch.equal(made, slow)
    torch.testing.assert_close(bits, cost, atol=1e-3, rtol=1e-3)
    assert torch.equal(made[:, known], tokens[:, known])


def test_pictures_do_not_depend_on_those_beside_them() -> None:
    net, numbers = network(OURS), uniform(OURS, 4)
    tokens, known = draw(OURS, 1).expand(4, -1), torch.arange(16) < 6
    together, _ = go_on(net, tokens, known, numbers, Chances())
    other = numbers.clone()
    other[[0, 1, 3]] = uniform(OURS, 3, 9)
    again, _ = go_on(net, tokens, known, other, Chances())
    assert torch.equal(again[2], together[2])
    assert not torch.equal(again[1], together[1])


def test_a_picture_that_is_known_stays() -> None:
    net, tokens = network(), draw(PLAIN)
    made, bits = go_on(net, tokens, torch.ones(16, dtype=torch.bool), uniform(PLAIN, 2), Chances())
    assert torch.equal(made, tokens) and not bits.any()


@pytest.mark.parametrize(
    "wrong", [{"heads": 3}, {"side": 0}, {"positions": "spiral"}, {"width": -4}, {"side": 9000}]
)
def test_settings_that_do_not_fit_are_refused(wrong: dict[str, object]) -> None:
    with pytest.raises(ModelError, match="Image GPT"):
        ImageGpt.from_settings({**PLAIN.settings, **wrong})  # type: ignore[dict-item]
