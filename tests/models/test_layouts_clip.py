"""CLIP checkpoints of every layout give one network; what no shape tells is read, or asked for."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch
from clip_toys import resnet_state, to_hugging_face, vit_state
from torch import Tensor, nn

from dreamplate.errors import CheckpointError, ConfigError, ModelError
from dreamplate.models import Store, detect, find_weights, import_file, save_state
from dreamplate.models.store import Folder
from dreamplate.nets.clip import CLIP

HUGGING_FACE = {
    "model_type": "clip",
    "text_config": {"hidden_act": "gelu", "num_attention_heads": 1},
    "vision_config": {"hidden_act": "gelu", "num_attention_heads": 4},
}


def features(state: dict[str, Tensor], settings: dict) -> Tensor:
    net = CLIP.from_state(state, settings)
    images = torch.randn(1, 3, net.size, net.size, generator=torch.Generator().manual_seed(1))
    ids = torch.tensor([[net.vocabulary - 2, 5, 9, net.vocabulary - 1]])
    return torch.cat([net.image(images), net.text(ids)])


def equal(found: dict[str, Tensor], wanted: dict[str, Tensor]) -> bool:
    return found.keys() == wanted.keys() and all(torch.equal(found[name], wanted[name]) for name in found)


def names(state: dict[str, Tensor]) -> dict[str, tuple[int, ...]]:
    return {name: tuple(tensor.shape) for name, tensor in state.items()}


@pytest.mark.parametrize("dtype", [torch.float32, torch.float16])
def test_hugging_face_layout_is_the_same_network(tmp_path: Path, dtype: torch.dtype) -> None:
    state = {name: tensor.to(dtype) for name, tensor in vit_state().items()}
    file = tmp_path / "model.safetensors"
    save_state(file, to_hugging_face(state))
    (tmp_path / "config.json").write_text(json.dumps(HUGGING_FACE))
    found, settings = find_weights(str(file), "clip")
    assert equal(found, state)
    assert (settings["activation"], settings["heads"], settings["text_heads"]) == ("gelu", 4, 1)
    assert (settings["vision"], settings["size"], settings["patch"], settings["dim"]) == ("vit", 24, 8, 32)
    own = features(state, {"activation": "gelu", "heads": 4})
    torch.testing.assert_close(features(found, dict(settings)), own)


def test_pickled_hugging_face_weights(tmp_path: Path) -> None:
    torch.save(to_hugging_face(vit_state()), tmp_path / "pytorch_model.bin")
    (tmp_path / "config.json").write_text(json.dumps({"text_config": {}, "vision_config": {}}))
    found, settings = find_weights(str(tmp_path / "pytorch_model.bin"), "clip")
    assert equal(found, vit_state())
    assert (settings["activation"], settings["heads"], settings["text_heads"]) == ("quick_gelu", 12, 8)


@pytest.mark.filterwarnings("ignore:.*torch.jit:DeprecationWarning")
@pytest.mark.parametrize("make", [vit_state, resnet_state])
def test_torchscript_archives_are_read_without_running_them(tmp_path: Path, make) -> None:
    state = make()
    archive = script(state | counters())
    file = tmp_path / "renamed.pt"
    torch.jit.save(archive, str(file))
    found, settings = find_weights(str(file), "clip")
    wanted = {key: value for key, value in state.items() if "num_batches" not in key}
    assert equal(found, wanted)
    assert settings["activation"] == "quick_gelu"
    torch.testing.assert_close(features(found, dict(settings)), features(state, {"activation": "quick_gelu"}))


def counters() -> dict[str, Tensor]:
    numbers = {"input_resolution": 24, "context_length": 77, "vocab_size": 520}
    return {name: torch.tensor(number) for name, number in numbers.items()}


def script(state: dict[str, Tensor]) -> torch.jit.ScriptModule:
    """Put a state into nested modules of those names, and script them."""

    class Holder(nn.Module):
        def forward(self, x: Tensor) -> Tensor:
            return x

    whole = Holder()
    for name, tensor in state.items():
        *path, last = name.split(".")
        place = whole
        for part in path:
            if part not in dict(place.named_children()):
                place.add_module(part, Holder())
            place = place.get_submodule(part)
        place.register_buffer(last, tensor)
    return torch.jit.script(whole)


def test_training_checkpoints_are_unwrapped(tmp_path: Path) -> None:
    wrapped = {f"module.{name}": tensor for name, tensor in vit_state().items()}
    torch.save({"epoch": 3, "state_dict": wrapped}, tmp_path / "epoch_3.pt")
    found, settings = find_weights(str(tmp_path / "epoch_3.pt"), "clip")
    assert equal(found, vit_state())
    assert "activation" not in settings


@pytest.mark.parametrize(
    ("config", "expected"),
    [
        ({"model_cfg": {"quick_gelu": True, "vision_cfg": {}, "text_cfg": {}}}, "quick_gelu"),
        ({"model_cfg": {"vision_cfg": {}, "text_cfg": {}}}, "gelu"),
        ({"vision_cfg": {}, "quick_gelu": True}, "quick_gelu"),
    ],
)
def test_open_clip_says_its_activation(tmp_path: Path, config: dict, expected: str) -> None:
    save_state(tmp_path / "open_clip_model.safetensors", vit_state())
    (tmp_path / "open_clip_config.json").write_text(json.dumps(config))
    _, settings = find_weights(str(tmp_path / "open_clip_model.safetensors"), "clip")
    assert settings["activation"] == expected


def test_open_clip_says_heads_and_colours(tmp_path: Path) -> None:
    save_state(tmp_path / "m.safetensors", vit_state())
    model = {"vision_cfg": {"layers": 2, "width": 64, "head_width": 16}, "text_cfg": {"heads": 2}}
    colours = {"mean": [0.5, 0.5, 0.5], "std": [0.25, 0.25, 0.25]}
    (tmp_path / "open_clip_config.json").write_text(
        json.dumps({"model_cfg": model, "preprocess_cfg": colours})
    )
    _, settings = find_weights(str(tmp_path / "m.safetensors"), "clip")
    assert (settings["heads"], settings["text_heads"]) == (4, 2)
    assert (settings["mean"], settings["std"]) == ("0.5 0.5 0.5", "0.25 0.25 0.25")


@pytest.mark.parametrize(
    ("place", "told"),
    [
        ("vit_base_patch32_clip_224.openai/model.safetensors", True),
        ("models--timm--vit_b.openai/snapshots/1234/model.safetensors", True),
        ("plain/ViT-B-32-quickgelu.safetensors", True),
        ("plain/vit_b_32-openai.safetensors", True),
        ("openai/deeper/model.safetensors", False),
        ("plain/notopenaiatall.safetensors", False),
        ("laion/vit_b_32-laion2b.safetensors", False),
    ],
)
def test_names_tell_only_where_they_are_tags(tmp_path: Path, place: str, told: bool) -> None:
    file = tmp_path / place
    file.parent.mkdir(parents=True)
    save_state(file, vit_state())
    _, settings = find_weights(str(file), "clip")
    assert settings.get("activation") == ("quick_gelu" if told else None)


def test_import_keeps_the_activation_in_the_card(tmp_path: Path) -> None:
    store = Store([Folder(tmp_path / "store", "folder")])
    folder = tmp_path / "hub"
    folder.mkdir()
    save_state(folder / "model.safetensors", to_hugging_face(vit_state()))
    (folder / "config.json").write_text(json.dumps(HUGGING_FACE))
    _, report = import_file(store, folder / "model.safetensors", name="small", licence="MIT")
    assert report.complete and report.unexpected == () and report.dropped == 1
    state, settings = find_weights("small", "clip", store=store)
    assert settings["activation"] == "gelu" and settings["heads"] == 4
    assert equal(state, vit_state())


@pytest.mark.parametrize("make", [vit_state, resnet_state])
def test_all_tensors_are_expected(make) -> None:
    state = make()
    found = detect(names(state))
    assert found is not None and found.name == "clip" and found.infer and found.expected
    wanted = {key: shape for key, shape in names(state).items() if "num_batches" not in key}
    assert dict(found.expected(found.infer(names(state)))) == wanted


# Bad input.


def test_other_families_are_refused(tmp_path: Path) -> None:
    save_state(tmp_path / "other.safetensors", {"conv.weight": torch.zeros(3, 3)})
    with pytest.raises(ModelError, match="of no known network"):
        find_weights(str(tmp_path / "other.safetensors"), "clip")
    save_state(tmp_path / "clip.safetensors", vit_state())
    with pytest.raises(ModelError, match="holds a clip network, a biggan is needed"):
        find_weights(str(tmp_path / "clip.safetensors"), "biggan")


@pytest.mark.parametrize(
    ("lost", "words"),
    [
        ("visual.ln_pre.weight", r"1 tensors are missing \(first 'visual.ln_pre.weight'\)"),
        ("transformer.resblocks.1.ln_2.bias", r"first 'transformer.resblocks.1.ln_2.bias'"),
        ("logit_scale", "first 'logit_scale'"),
    ],
)
def test_missing_tensors_are_named(tmp_path: Path, lost: str, words: str) -> None:
    state = vit_state()
    del state[lost]
    save_state(tmp_path / "a.safetensors", state)
    with pytest.raises(CheckpointError, match=words):
        find_weights(str(tmp_path / "a.safetensors"), "clip")


def test_a_lost_part_of_attention_is_named(tmp_path: Path) -> None:
    state = to_hugging_face(vit_state())
    del state["text_model.encoder.layers.0.self_attn.k_proj.weight"]
    save_state(tmp_path / "a.safetensors", state)
    with pytest.raises(CheckpointError, match=r"transformer\.resblocks\.0\.attn\.in_proj_weight"):
        find_weights(str(tmp_path / "a.safetensors"), "clip")


@pytest.mark.parametrize("layout", [dict, to_hugging_face])
def test_extra_tensors_are_named_by_the_network(tmp_path: Path, layout) -> None:
    state = layout(vit_state()) | {"adapter.weight": torch.zeros(2)}
    save_state(tmp_path / "a.safetensors", state)
    found, _ = find_weights(str(tmp_path / "a.safetensors"), "clip")
    with pytest.raises(CheckpointError, match=r"'adapter\.weight' is not part of the network"):
        CLIP.from_state(found, {"activation": "gelu"})


@pytest.mark.parametrize(
    ("file", "text", "words"),
    [
        ("config.json", "{", "not valid JSON"),
        ("config.json", "[1]", "holds no table"),
        ("config.json", json.dumps({"text_config": 3, "vision_config": {}}), "text_config holds no table"),
        (
            "config.json",
            json.dumps({"text_config": {"hidden_act": "gelu"}, "vision_config": {}}),
            "two activations, ['gelu', 'quick_gelu']",
        ),
        (
            "config.json",
            json.dumps({"text_config": {}, "vision_config": {"num_attention_heads": "many"}}),
            "num_attention_heads is 'many'",
        ),
        (
            "config.json",
            json.dumps({"text_config": {"layer_norm_eps": 1e-3}, "vision_config": {}}),
            "layer_norm_eps is 0.001",
        ),
        ("open_clip_config.json", "nonsense", "not valid JSON"),
        ("open_clip_config.json", json.dumps({"model_cfg": [1]}), "model_cfg holds no table"),
    ],
)
def test_damaged_configurations_are_named(tmp_path: Path, file: str, text: str, words: str) -> None:
    save_state(tmp_path / "model.safetensors", vit_state())
    (tmp_path / file).write_text(text)
    with pytest.raises(CheckpointError) as caught:
        find_weights(str(tmp_path / "model.safetensors"), "clip")
    assert words in str(caught.value) and file in str(caught.value)


def test_an_unknown_activation_is_named(tmp_path: Path) -> None:
    save_state(tmp_path / "model.safetensors", to_hugging_face(vit_state()))
    config = {"text_config": {"hidden_act": "swish"}, "vision_config": {"hidden_act": "swish"}}
    (tmp_path / "config.json").write_text(json.dumps(config))
    state, settings = find_weights(str(tmp_path / "model.safetensors"), "clip")
    with pytest.raises(ConfigError, match="activation is 'swish'"):
        CLIP.from_state(state, settings)
