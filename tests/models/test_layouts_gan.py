"""BigGAN and StyleGAN2 checkpoints in the forms that people hold them, made small here."""

from __future__ import annotations

import dataclasses
import pickle
import sys
import types
from collections import OrderedDict
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from dreamplate.errors import CheckpointError, ModelError
from dreamplate.models import IMPORTERS, Store, detect, get_importer, import_file, import_state, save_state
from dreamplate.models.find import find_weights
from dreamplate.models.legacy.load import load_legacy
from dreamplate.models.store import Folder
from dreamplate.nets.biggan import Biggan, BigganShape
from dreamplate.nets.stylegan2 import Stylegan2, Stylegan2Shape
from dreamplate.nets.stylegan2_discriminator import DiscriminatorShape, Stylegan2Discriminator

BIGGAN = BigganShape(
    z_dim=6, embed_dim=5, classes=7, width=8, channels=(64, 64, 32, 32, 16, 16, 8), attention=4, stats=3
)
LABELLED = Stylegan2Shape(z_dim=6, c_dim=3, w_dim=5, mapping=2, channels=(8, 8, 6))
JUDGE = DiscriminatorShape(c_dim=3, channels=(8, 8, 6), mapping=2, map_dim=5)


def seeded(number: int) -> torch.Generator:
    return torch.Generator().manual_seed(number)


def port_state(net: Biggan) -> dict[str, Tensor]:
    """A checkpoint as the port saves it: unnormalised weights with vectors that have not converged."""
    state: dict[str, Tensor] = {}
    for name, tensor in net.state_dict().items():
        full = name if name.startswith("embeddings") else f"generator.{name}"
        matrix = name.endswith(".weight") and tensor.dim() > 1 and not name.startswith("embeddings")
        if not matrix:
            state[full] = tensor
            continue
        stem, flat = full.removesuffix(".weight"), tensor.flatten(1)
        v = torch.nn.functional.normalize(torch.randn(flat.shape[1], generator=seeded(len(state))), dim=0)
        u = torch.nn.functional.normalize(flat @ v, dim=0)
        # Whatever its size, what comes out is the weight over u W v.
        state |= {f"{stem}.weight_orig": tensor * 7, f"{stem}.weight_u": u, f"{stem}.weight_v": v}
    return state


def filters(state: dict[str, Tensor]) -> dict[str, Tensor]:
    """NVIDIA's checkpoints keep the resampling filter in every layer."""
    taps = torch.tensor([1.0, 3.0, 3.0, 1.0])
    square = torch.outer(taps, taps) / 64
    layers = {name.rpartition(".")[0] for name in state if ".conv" in name or ".skip" in name}
    return state | {f"{layer}.resample_filter": square for layer in layers if not layer.endswith("affine")}


@pytest.fixture(scope="module")
def biggan() -> Biggan:
    return Biggan(BIGGAN, seeded(0))


@pytest.fixture(scope="module")
def stylegan2() -> Stylegan2:
    return Stylegan2(LABELLED, seeded(0)).requires_grad_(False)


@pytest.fixture(scope="module")
def judge() -> Stylegan2Discriminator:
    return Stylegan2Discriminator(JUDGE, seeded(1)).requires_grad_(False)


def test_the_port_is_folded(biggan: Biggan, tmp_path: Path) -> None:
    state = port_state(biggan)
    path = tmp_path / "biggan.bin"
    torch.save(state, path)
    found, settings = find_weights(str(path), "biggan")
    assert BigganShape.from_settings(settings) == BIGGAN
    assert set(found) == set(biggan.state_dict())
    for name in ("gen_z.weight", "layers.3.conv_1.weight", "layers.4.snconv1x1_g.weight"):
        stem = f"generator.{name.removesuffix('.weight')}"
        flat = state[f"{stem}.weight_orig"].flatten(1)
        norm = state[f"{stem}.weight_u"] @ flat @ state[f"{stem}.weight_v"]
        torch.testing.assert_close(found[name], state[f"{stem}.weight_orig"] / norm)
    net = Biggan.from_state(found, settings)
    assert not any(p.requires_grad for p in net.parameters())
    assert net(net.condition(torch.zeros(1, 6), torch.zeros(1, 7))).shape == (1, 3, 32, 32)


def test_our_own_files_return(
    biggan: Biggan, stylegan2: Stylegan2, judge: Stylegan2Discriminator, tmp_path: Path
) -> None:
    store = Store([Folder(tmp_path / "store", "folder")])
    for name, net in (("biggan", biggan), ("stylegan2", stylegan2), ("stylegan2-discriminator", judge)):
        path = tmp_path / f"{name}.safetensors"
        save_state(path, dict(net.state_dict()))
        entry, report = import_file(store, path, name=name)
        assert entry.card is not None
        assert (report.importer, report.unexpected, report.missing) == (name, (), ())
        state, settings = find_weights(name, name, store=store)
        assert all(torch.equal(tensor, state[key]) for key, tensor in net.state_dict().items())
        known = net.shape.settings()
        assert {key: known[key] for key in settings} == dict(settings)
        with pytest.raises(ModelError, match=f"holds a {name} network, a clip is needed"):
            find_weights(str(path), "clip")


def test_every_kind_is_told_apart(
    biggan: Biggan, stylegan2: Stylegan2, judge: Stylegan2Discriminator
) -> None:
    for name, state in (
        ("biggan", dict(biggan.state_dict())),
        ("biggan-port", port_state(biggan)),
        ("stylegan2", filters(dict(stylegan2.state_dict()))),
        ("stylegan2-discriminator", filters(dict(judge.state_dict()))),
    ):
        shapes = {key: tuple(tensor.shape) for key, tensor in state.items()}
        fitting = [other for other in IMPORTERS if get_importer(other).matches(shapes)]
        assert fitting == [name]
        found = detect(shapes)
        assert found is not None and found.name == name


# NVIDIA's pickles.


class Persisted:
    """Pickles as NVIDIA's modules do: a call that would run the source code beside the state."""

    canary = ""

    def __init__(self, state: dict[str, Any]) -> None:
        self.state = state

    def __reduce__(self) -> tuple[Callable[..., Any], tuple[Any, ...]]:
        reconstruct = sys.modules["torch_utils.persistence"]._reconstruct_persistent_obj
        source = f"open({self.canary!r}, 'w').close()"
        meta = sys.modules["dnnlib.util"].EasyDict(
            type="class", version=6, module_src=source, class_name="Net", state=self.state
        )
        return reconstruct, (meta,)


def persisted(net: nn.Module, extra: dict[str, dict[str, Tensor]]) -> Persisted:
    """A module, and all below it, as NVIDIA's pickles hold them."""
    return tree(net, "", extra)


def tree(net: nn.Module, name: str, extra: dict[str, dict[str, Tensor]]) -> Persisted:
    return Persisted(
        {
            "training": False,
            "_parameters": OrderedDict(net.named_parameters(recurse=False)),
            "_buffers": OrderedDict(
                list(net.named_buffers(recurse=False)) + list(extra.get(name, {}).items())
            ),
            "_modules": OrderedDict(
                (key, tree(child, f"{name}.{key}" if name else key, extra))
                for key, child in net.named_children()
            ),
            "activation": "lrelu",
            "conv_clamp": 256,
            "_init_kwargs": {"z_dim": 6},
        }
    )


@pytest.fixture
def nvidia(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    package, persistence = types.ModuleType("torch_utils"), types.ModuleType("torch_utils.persistence")
    dnnlib, util = types.ModuleType("dnnlib"), types.ModuleType("dnnlib.util")

    def _reconstruct_persistent_obj(meta: dict[str, Any]) -> None:
        exec(meta["module_src"])  # what must never happen

    _reconstruct_persistent_obj.__module__ = "torch_utils.persistence"
    _reconstruct_persistent_obj.__qualname__ = "_reconstruct_persistent_obj"
    persistence._reconstruct_persistent_obj = _reconstruct_persistent_obj  # type: ignore[attr-defined]
    util.EasyDict = type("EasyDict", (dict,), {"__module__": "dnnlib.util"})  # type: ignore[attr-defined]
    modules = {
        "torch_utils": package,
        "torch_utils.persistence": persistence,
        "dnnlib": dnnlib,
        "dnnlib.util": util,
    }
    for name, module in modules.items():
        monkeypatch.setitem(sys.modules, name, module)
    yield


def test_nvidias_pickle(
    nvidia: None,
    stylegan2: Stylegan2,
    judge: Stylegan2Discriminator,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(Persisted, "canary", str(tmp_path / "canary"))
    newest = Stylegan2(LABELLED, seeded(9))
    square = filters({"b8.conv0.weight": torch.zeros(1)})["b8.conv0.resample_filter"]
    extra = {"synthesis.b8.conv0": {"resample_filter": square}, "b8.skip": {"resample_filter": square}}
    pickled = {
        "G": persisted(newest, extra),
        "D": persisted(judge, extra),
        "G_ema": persisted(stylegan2, extra),
        "training_set_kwargs": {"class_name": "Images", "path": "/data"},
    }
    path = tmp_path / "network-snapshot.pkl"
    path.write_bytes(pickle.dumps(pickled))
    state, settings = find_weights(str(path), "stylegan2")
    assert Stylegan2Shape.from_settings(settings) == LABELLED
    assert set(state) == set(stylegan2.state_dict())
    assert all(torch.equal(state[name], tensor) for name, tensor in stylegan2.state_dict().items())
    z, labels = torch.randn(2, 6, generator=seeded(2)), torch.eye(3)[:2]
    assert torch.equal(Stylegan2.from_state(state, settings)(z, labels), stylegan2(z, labels))
    state, settings = find_weights(str(path), "stylegan2-discriminator")
    assert DiscriminatorShape.from_settings(settings) == dataclasses.replace(JUDGE)
    images = torch.rand(2, 3, 16, 16, generator=seeded(3))
    assert torch.equal(
        Stylegan2Discriminator.from_state(state, settings)(images, labels), judge(images, labels)
    )
    assert not (tmp_path / "canary").exists()
    pickle.loads(path.read_bytes())  # the payload works, so a missing canary means something
    assert (tmp_path / "canary").exists()


# Bad input.


def test_missing_extra_and_misshapen_tensors_are_named(
    biggan: Biggan, stylegan2: Stylegan2, judge: Stylegan2Discriminator, tmp_path: Path
) -> None:
    for name, net, lost in (
        ("biggan", biggan, "layers.2.bn_1.scale.weight"),
        ("stylegan2", stylegan2, "synthesis.b16.torgb.bias"),
        ("stylegan2-discriminator", judge, "b16.skip.weight"),
    ):
        state = dict(net.state_dict())
        del state[lost]
        path = tmp_path / f"{name}.safetensors"
        save_state(path, state)
        with pytest.raises(CheckpointError, match=lost) as caught:
            find_weights(str(path), name)
        assert "\n" not in str(caught.value)
        full = dict(net.state_dict()) | {lost: torch.zeros(2), "stranger.weight": torch.zeros(1)}
        _, report = import_state(get_importer(name), full)
        assert report.mismatched == ((lost, (2,), tuple(net.state_dict()[lost].shape)),)
        assert report.unexpected == ("stranger.weight",)


def test_spectral_norms_that_cannot_be_folded(biggan: Biggan) -> None:
    table, stem = get_importer("biggan-port"), "generator.layers.0.conv_1"
    state = port_state(biggan)
    with pytest.raises(CheckpointError, match=r"layers\.0\.conv_1\.weight_v' is missing"):
        import_state(table, {name: t for name, t in state.items() if name != f"{stem}.weight_v"})
    with pytest.raises(CheckpointError, match=r"weight_u' has shape \(3,\), not \(16,\)"):
        import_state(table, state | {f"{stem}.weight_u": torch.zeros(3)})
    for bad in (0.0, float("nan")):
        with pytest.raises(CheckpointError, match=f"spectral norm of '{stem}' is {bad}"):
            import_state(table, state | {f"{stem}.weight_u": torch.full((16,), bad)})


def test_another_filter_is_refused(stylegan2: Stylegan2) -> None:
    state = filters(dict(stylegan2.state_dict()))
    import_state(get_importer("stylegan2"), state)
    for filter_ in (torch.full((4, 4), 1 / 16), torch.ones(1, 1)):
        changed = state | {"synthesis.b8.conv0.resample_filter": filter_}
        with pytest.raises(CheckpointError, match="1 3 3 1") as caught:
            import_state(get_importer("stylegan2"), changed)
        assert "synthesis.b8.conv0.resample_filter" in str(caught.value)


# Storages inside a pickle, as plain pickle.dump writes them.


def test_plain_pickles_of_tensors(tmp_path: Path) -> None:
    base = torch.arange(24.0).reshape(4, 6)
    state = {
        "base": base,
        "row": base[2],
        "turned": base.T[1:3],
        "half": base.half(),
        "counts": torch.arange(5),
        "empty": torch.zeros(0, 3),
        "flags": torch.tensor([True, False]),
        "parameter": nn.Parameter(base.clone()),
    }
    for protocol in (2, 4):
        path = tmp_path / f"{protocol}.pkl"
        path.write_bytes(pickle.dumps(state, protocol=protocol))
        found = load_legacy(path)
        assert set(found) == set(state)
        for name, tensor in state.items():
            assert torch.equal(found[name], tensor.detach()) and found[name].dtype == tensor.dtype


def test_damaged_storages_inside_a_pickle(tmp_path: Path) -> None:
    good = pickle.dumps({"w": torch.arange(1000.0)}, protocol=4)
    count = (1000).to_bytes(8, "little")
    assert good.count(count) == 1
    cases = {
        "claims 2,000": good.replace(count, (2000).to_bytes(8, "little")),
        "unknown format": good.replace((0x1950A86A20F9469CFC6C).to_bytes(10, "little"), bytes(10)),
        "storage": good.replace(b"FloatStorage", b"DoubleStorage"[:12]),
        "os.system": good.replace(b"ctorch\nFloatStorage", b"cos\nsystem".ljust(19, b" ")),
    }
    for what, data in cases.items():
        assert data != good, what
        path = tmp_path / "model.pkl"
        path.write_bytes(data)
        with pytest.raises(CheckpointError) as caught:
            load_legacy(path)
        assert what in str(caught.value) or "damaged" in str(caught.value)
        assert "\n" not in str(caught.value)
