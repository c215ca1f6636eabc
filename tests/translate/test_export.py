"""Exported models do what the network does, in other programs and at other sizes."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import jaxtyping
import numpy as np
import pytest
import torch
from torch import Tensor, nn

from dreamplate import cli
from dreamplate.errors import ConfigError, MissingExtraError, ModelError
from dreamplate.nets.statistics import InstanceNorm
from dreamplate.plate import LabelClass, Palette, Plate, write
from dreamplate.train import Port
from dreamplate.train.onehot import instance_edges, one_hot
from dreamplate.train.plates import decode_plate, encode_plate
from dreamplate.translate import export as exporting
from dreamplate.translate.export import export_model, exportable
from dreamplate.translate.export_graph import LabelDoor, PictureDoor
from dreamplate.translate.given import Given
from dreamplate.translate.model import Model, save_model
from dreamplate.translate.resnet import Resnet
from dreamplate.translate.spade import Spade, SpadeShape
from dreamplate.translate.unet import Unet

pytestmark = pytest.mark.filterwarnings("ignore:.torch.jit:DeprecationWarning")
PALETTE = Palette((LabelClass(3, "sky"), LabelClass(0, "wall"), LabelClass(200, "door")), unknown=(255,))
LABELS = Port("labels", ("Y",), palette=PALETTE, instances=True)


class Small(nn.Module):
    """The least that has a stride, a norm and a doubling."""

    z_dim, multiple, reach = 0, 2, 4

    def __init__(self) -> None:
        super().__init__()
        self.down, self.norm = nn.Conv2d(3, 4, 3, 2, 1), InstanceNorm(4)
        self.up = nn.ConvTranspose2d(4, 3, 4, 2, 1)

    def forward(self, x: Tensor) -> Tensor:
        return torch.tanh(self.up(torch.relu(self.norm(self.down(x)))))


def model(network: nn.Module, given: Port | None = None, made: Port | None = None) -> Model:
    torch.manual_seed(0)
    for value in network.parameters():
        if value.dim() > 1:
            nn.init.normal_(value, 0, 0.3)
    return Model(
        network.eval().requires_grad_(False), {"architecture": "toy"}, given or Port(), made or Port()
    )


# -- doors ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("encoding", ["srgb_display", "log", "scene_linear"])
@pytest.mark.parametrize("channels", [("R", "G", "B"), ("Y",)])
def test_the_door_is_what_a_port_does_to_plates(encoding: str, channels: tuple[str, ...]) -> None:
    light = np.random.default_rng(0).normal(0.1, 0.4, (40, 50, len(channels))).astype(np.float32)
    light[:5] = np.float32(2.0) ** np.linspace(-14, 12, 50, dtype=np.float32)[:, None]
    count = len(channels)
    port = Port(channels=channels, encoding=encoding, low=(0.1,) * count, high=(0.9,) * count)
    plate, door = Plate(light, channels), PictureDoor(port)
    seen = encode_plate(port, plate)
    given = torch.from_numpy(light.transpose(2, 0, 1)[None].copy())
    torch.testing.assert_close(door(given), seen, rtol=2e-5, atol=2e-5)
    back = decode_plate(port, seen, plate).pixels.transpose(2, 0, 1)[None]
    np.testing.assert_allclose(door.back(seen), back, rtol=2e-4, atol=2e-5)
    torch.testing.assert_close(door.back(door(given)), given, rtol=2e-4, atol=2e-5)


def test_the_door_of_labels_is_the_one_hot_map() -> None:
    draws = torch.Generator().manual_seed(0)
    index = torch.randint(4, (2, 20, 30), generator=draws)
    objects = (
        torch.randint(1 << 20, (2, 4, 6), generator=draws).repeat_interleave(5, 1).repeat_interleave(5, 2)
    )
    ids = torch.tensor([3, 0, 200, 255])[index]
    made = LabelDoor(LABELS)(torch.stack([ids, objects], 1).float())
    assert torch.equal(made, torch.cat([one_hot(index, 3, 4), instance_edges(objects)], 1))


# -- files ------------------------------------------------------------------------------------------

NETWORKS: dict[str, tuple[Callable[[], nn.Module], Port]] = {
    "unet": (lambda: Unet(depth=5, width=2), Port()),
    "resnet": (lambda: Resnet(width=2, blocks=1, norm="batch"), Port()),
    "spade-style": (
        lambda: Spade(SpadeShape(entry=5, edges=1, width=1, hidden=2, z_dim=3, noise="map")),
        LABELS,
    ),
    "spade-start": (
        lambda: Spade(SpadeShape(entry=5, edges=1, width=1, hidden=2, z_dim=3, noise="start")),
        LABELS,
    ),
}


@pytest.mark.parametrize("name", NETWORKS)
def test_torchscript_does_what_the_network_does(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(jaxtyping.config, "jaxtyping_disable", True)  # sizes are tensors while it is traced
    build, given = NETWORKS[name]
    made = model(build(), given)
    graph = exportable(made, encoding=True)
    assert export_model(made, graph, tmp_path / "m.pt", size=(64, 64)) <= 1e-4
    extra = {"dreamplate.json": ""}
    torch.jit.load(str(tmp_path / "m.pt"), _extra_files=extra)
    assert Port.from_json(json.loads(extra["dreamplate.json"])["given"]) == given


def test_onnx_does_what_the_network_does(tmp_path: Path) -> None:
    onnxruntime = pytest.importorskip("onnxruntime")
    pytest.importorskip("onnxscript")
    made = model(Small(), Port(encoding="log"), Port(encoding="log"))
    graph, path = exportable(made, encoding=True), tmp_path / "m.onnx"
    assert export_model(made, graph, path, size=(16, 16)) <= 1e-4
    assert [item.name for item in tmp_path.iterdir()] == ["m.onnx"]
    session = onnxruntime.InferenceSession(str(path))
    assert json.loads(session.get_modelmeta().custom_metadata_map["dreamplate"])["encoding"] == "scene_linear"
    for size in ((2, 40), (50, 24)):
        light = torch.rand(1, 3, *size) * 20
        found = session.run(None, {"input": light.numpy()})[0]
        wanted = graph(light).numpy()
        assert (np.abs(found - wanted) <= 2e-5 * np.abs(wanted).max(1, keepdims=True).clip(1)).all()


def test_statistics_are_written_into_the_graph(tmp_path: Path) -> None:
    made = model(Small())
    x = torch.rand(1, 3, 12, 20)
    own = exportable(made, statistics="picture")(x)
    frozen = exportable(made, reference=Given(picture=torch.rand(1, 3, 30, 30) * 0.2))
    export_model(made, frozen, tmp_path / "m.pt", size=(12, 12))
    loaded = torch.jit.load(str(tmp_path / "m.pt"))
    torch.testing.assert_close(loaded(x), frozen(x))
    assert not torch.allclose(loaded(x), own, atol=1e-2)
    torch.testing.assert_close(loaded(x)[..., 4:8, 4:8], loaded(x[..., :, :12])[..., 4:8, 4:8])
    with pytest.raises(ConfigError, match="--reference"):
        exportable(made, statistics="frozen")


def test_a_file_that_differs_is_not_left(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(exporting, "_difference", lambda *_: 0.5)
    made = model(Small())
    with pytest.raises(ModelError, match=r"differs from the network by 0\.5"):
        export_model(made, exportable(made), tmp_path / "m.pt", size=(8, 8))
    assert not list(tmp_path.iterdir())


def test_bad_input(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    made = model(Small())
    with pytest.raises(ConfigError, match=r"m\.h5.*name a file \.onnx"):
        export_model(made, exportable(made), tmp_path / "m.h5")
    with pytest.raises(ConfigError, match="export without"):
        exportable(model(Small(), Port(channels=("R", "G", "N.x"))), encoding=True)
    with pytest.raises(ModelError, match="noise alone"):
        exportable(Model(Small(), {}, None, Port()))
    monkeypatch.setattr(exporting, "find_spec", lambda name: None)
    with pytest.raises(MissingExtraError, match=r"onnx and onnxscript.*dreamplate\[export\]"):
        export_model(made, exportable(made), tmp_path / "m.onnx")


def test_the_command(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    network = Unet(depth=5, width=2).eval()
    save_model(Model(network, network.settings, Port(), Port()), tmp_path / "m.safetensors")
    write(Plate(np.random.default_rng(0).random((40, 40, 3), np.float32)), tmp_path / "r.exr")
    arguments = ["export", str(tmp_path / "m.safetensors"), str(tmp_path / "new" / "m.pt"), "--with-encoding"]
    assert cli.main([*arguments, "--reference", str(tmp_path / "r.exr")]) == 0
    assert "of the network" in capsys.readouterr().out and (tmp_path / "new" / "m.pt").is_file()
    assert cli.main(["export", str(tmp_path / "none"), str(tmp_path / "m.pt")]) == ModelError.exit_code
