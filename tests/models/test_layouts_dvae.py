"""The public files of DALL-E's discrete VAE are recognised and renamed; what is wrong with one is named."""

from __future__ import annotations

import pickle
import sys
import types
from pathlib import Path

import pytest
import torch
from torch import Tensor, nn

from dreamplate.errors import CheckpointError, ModelError
from dreamplate.models.find import find_weights
from dreamplate.models.importer import detect
from dreamplate.models.layouts.dvae import expected, infer
from dreamplate.models.state import save_state

CODES, HIDDEN, START = 12, 8, 6


def state(part: str, seed: int = 0) -> dict[str, Tensor]:
    """Random tensors of one network, with its prefix."""
    settings = {
        "parts": part, "codes": CODES, "channels": 3, "encoder_hidden": HIDDEN, "encoder_blocks": 2,
        "decoder_hidden": HIDDEN, "decoder_blocks": 2, "decoder_start": START,
    }  # fmt: skip
    draws = torch.Generator().manual_seed(seed)
    return {name: torch.randn(shape, generator=draws) for name, shape in expected(settings).items()}


def bare(part: str) -> dict[str, Tensor]:
    return {name.removeprefix(f"{part}."): tensor for name, tensor in state(part).items()}


class Conv2d(nn.Module):
    """Stands for the reference's own convolution, which keeps ``w`` and ``b``, and numbers beside them."""

    def __init__(self, w: Tensor, b: Tensor) -> None:
        super().__init__()
        self.n_in, self.use_float16, self.device = w.shape[1], True, torch.device("cpu")
        self.w, self.b = nn.Parameter(w), nn.Parameter(b)


class Whole(nn.Module):
    """Stands for the reference's Encoder, Decoder and blocks."""


def as_modules(tensors: dict[str, Tensor]) -> Whole:
    """Nest tensors as the pickled networks do, with the layers without tensors that they have."""
    root = Whole()
    root.n_hid, root.group_count = HIDDEN, 4
    for name, tensor in tensors.items():
        if not name.endswith(".w"):
            continue
        *path, leaf, _ = name.split(".")
        place: nn.Module = root
        for step in path:
            if step not in place._modules:
                place.add_module(step, Whole() if step.startswith("block_") else nn.Sequential())
            place = place._modules[step]
        place.add_module(leaf, Conv2d(tensor, tensors[f"{name[:-1]}b"]))
        place.add_module(f"relu_{leaf}", nn.ReLU())
    for group in ("group_1", "group_2"):
        root.blocks._modules[group].add_module("upsample", nn.Upsample(scale_factor=2, mode="nearest"))
        root.blocks._modules[group]._modules["block_2"].add_module("id_path", nn.Identity())
        root.blocks._modules[group]._modules["block_2"].post_gain = 1 / 64
    return root


@pytest.fixture
def reference(monkeypatch: pytest.MonkeyPatch) -> None:
    """Lets the stand-ins be pickled under the reference's names, which then do not exist when reading."""
    for name, classes in (("dall_e", ()), ("dall_e.utils", (Conv2d,)), ("dall_e.decoder", (Whole,))):
        module = types.ModuleType(name)
        for made in classes:
            monkeypatch.setattr(made, "__module__", name)
            setattr(module, made.__name__, made)
        monkeypatch.setitem(sys.modules, name, module)


@pytest.mark.filterwarnings("ignore:Couldn't retrieve source code")
@pytest.mark.parametrize("part", ["encoder", "decoder"])
@pytest.mark.parametrize("zipped", [True, False])
def test_pickled_modules_are_read(part: str, zipped: bool, reference: None, tmp_path: Path) -> None:
    file = tmp_path / f"{part}.pkl"
    torch.save(as_modules(bare(part)), file, _use_new_zipfile_serialization=zipped)
    for name in ("dall_e", "dall_e.utils", "dall_e.decoder"):
        del sys.modules[name]
    found, settings = find_weights(str(file), "dvae")
    wanted = state(part)
    assert found.keys() == wanted.keys()
    assert all(torch.equal(found[name], tensor) for name, tensor in wanted.items())
    assert settings["parts"] == part and settings["codes"] == CODES
    assert settings[f"{part}_hidden"] == HIDDEN and settings[f"{part}_blocks"] == 2


def test_both_in_one_file(tmp_path: Path) -> None:
    both = state("encoder") | state("decoder")
    save_state(tmp_path / "both.safetensors", both)
    found, settings = find_weights(str(tmp_path / "both.safetensors"), "dvae")
    assert found.keys() == both.keys()
    assert settings["parts"] == "encoder decoder" and settings["decoder_start"] == START


@pytest.mark.parametrize("part", ["encoder", "decoder", "encoder decoder"])
def test_settings_follow_from_shapes_and_back(part: str) -> None:
    shapes = {name: tuple(t.shape) for p in part.split() for name, t in state(p).items()}
    assert dict(expected(infer(shapes))) == shapes


def test_the_two_networks_are_told_apart() -> None:
    for part in ("encoder", "decoder"):
        found = detect({name: tuple(t.shape) for name, t in bare(part).items()})
        assert found is not None and found.name == f"dalle-{part}"


def test_code_in_a_pickle_is_not_run(tmp_path: Path) -> None:
    class Harm:
        def __reduce__(self) -> tuple[object, ...]:
            return (exec, (f"open({str(tmp_path / 'ran')!r}, 'w')",))

    file = tmp_path / "decoder.pkl"
    file.write_bytes(pickle.dumps({"blocks": Harm()}))
    with pytest.raises(CheckpointError):
        find_weights(str(file), "dvae")
    assert not (tmp_path / "ran").exists()


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda s: s.pop("blocks.group_3.block_2.res_path.conv_2.w"), "group_3.block_2.res_path.conv_2.w"),
        (
            lambda s: s.update({"blocks.group_4.block_1.id_path.b": torch.zeros(5)}),
            r"\(5,\), should be \(8,\)",
        ),
    ],
)
def test_damage_is_named(change, words: str, tmp_path: Path) -> None:
    tensors = bare("decoder")
    change(tensors)
    torch.save(tensors, tmp_path / "decoder.pt")
    with pytest.raises(CheckpointError, match=words):
        find_weights(str(tmp_path / "decoder.pt"), "dvae")


def test_another_family_is_refused(tmp_path: Path) -> None:
    torch.save({"conv.weight": torch.zeros(3, 3)}, tmp_path / "other.pt")
    with pytest.raises(ModelError, match="no known network"):
        find_weights(str(tmp_path / "other.pt"), "dvae")
    torch.save(bare("decoder"), tmp_path / "decoder.pt")
    with pytest.raises(ModelError, match="a tiny-autoencoder is needed"):
        find_weights(str(tmp_path / "decoder.pt"), "tiny-autoencoder")
