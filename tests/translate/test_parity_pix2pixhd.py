"""pix2pixHD against reference numbers, through the importers."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from dreamplate.models.importer import import_state
from dreamplate.models.ingest import complete_report, recognise
from dreamplate.models.state import load_any
from dreamplate.plate.labels import Palette
from dreamplate.train import Batch, Port
from dreamplate.train.losses import feature_matching, gan_d, gan_g, gan_term
from dreamplate.train.onehot import condition_tensor
from dreamplate.translate.model import load_model
from dreamplate.translate.pix2pixhd import Pix2pixhd
from dreamplate.translate.pix2pixhd_discriminator import MultiScale, halved
from dreamplate.translate.pix2pixhd_encoder import Encoder, instance_means
from parity import Fixture, fixture


def imported(found: Fixture, folder: Path) -> tuple[dict[str, Tensor], Any, Path]:
    file = folder / "latest_net.pth"
    torch.save({k: v.float() for k, v in found.weights.items()}, file)
    state = load_any(file)
    table = recognise(file, state)
    made, report = import_state(table, state, file)
    complete_report(file, table, report)
    assert not report.unexpected
    return made, report.settings, file


def test_global_generator(shared_dir: Path, tmp_path: Path) -> None:
    found = fixture(shared_dir, "pix2pixhd_global_generator")
    model = load_model(imported(found, tmp_path)[2])
    assert model.settings["downs"] == found.arguments["n_downsampling"]
    with torch.no_grad():
        found.check("image", model.network(found.given("x")))
    found.finish()


def test_local_enhancer(shared_dir: Path, tmp_path: Path) -> None:
    found = fixture(shared_dir, "pix2pixhd_local_enhancer")
    model = load_model(imported(found, tmp_path)[2])
    said, x = found.arguments, found.given("x")
    assert isinstance(model.network, Pix2pixhd)
    read = [model.settings[n] for n in ("width", "downs", "blocks", "enhancers", "local_blocks")]
    names = ("ngf", "n_downsample_global", "n_blocks_global", "n_local_enhancers", "n_blocks_local")
    assert read == [said[name] for name in names]
    with torch.no_grad():
        found.check("image", model.network(x))
        coarsest = x
        for _ in range(said["n_local_enhancers"]):
            coarsest = halved(coarsest)
        found.check("pooled", coarsest)
        found.check("coarse_features", model.network.coarse_features(x))
    found.finish()


def test_encoder(shared_dir: Path, tmp_path: Path) -> None:
    found = fixture(shared_dir, "pix2pixhd_encoder")
    state, settings, _ = imported(found, tmp_path)
    network = Encoder.from_settings(settings).eval()
    network.load_state_dict(state)
    assert settings["downs"] == found.arguments["n_downsampling"]
    with torch.no_grad():
        features = network(found.given("x"))
        found.check("features", features)
        found.check("pooled_features", instance_means(features, found.given("instance")[:, 0])[0])
    found.finish()


def test_discriminators_and_their_losses(shared_dir: Path, tmp_path: Path) -> None:
    found = fixture(shared_dir, "pix2pixhd_discriminator")
    state, sizes, _ = imported(found, tmp_path)
    said = found.arguments
    assert (sizes["scales"], sizes["layers"]) == (said["num_D"], said["n_layers"])
    network = MultiScale(
        *(int(sizes[n]) for n in ("channels", "width", "layers", "scales")), str(sizes["norm"])
    )
    network.load_state_dict(state)
    x, y = found.given("x"), found.given("y")
    with torch.no_grad():
        results = {"x": network(x), "y": network(y)}
        for name in [key.removeprefix("out.") for key in found.tensors if "_scale" in key]:
            which, scale, layer = name.split("_")
            found.check(name, results[which][int(scale[5:])][int(layer[5:])])
        for which, result in results.items():
            scores = [scale[-1] for scale in result]
            for verdict in ("real", "fake"):
                found.check(f"lsgan_{which}_{verdict}", gan_term(scores, verdict == "real", "lsgan", "sum"))
        # x: labels and what was generated; the real picture is the end of y.
        real = network(torch.cat([x[:, :-3], y[:, -3:]], 1))
    fake, true = ([scale[-1] for scale in result] for result in (results["x"], real))
    found.check("loss_G_GAN", gan_g(fake, "lsgan", "sum"))
    found.check("loss_D_fake", gan_term(fake, False, "lsgan", "sum"))
    found.check("loss_D_real", gan_term(true, True, "lsgan", "sum"))
    torch.testing.assert_close(
        gan_d(true, fake, "lsgan", "sum"), found.tensors["out.loss_D_real"] + found.tensors["out.loss_D_fake"]
    )
    weight = 10 * 4 / (said["n_layers"] + 1) / said["num_D"]
    inner = [[scale[:-1] for scale in result] for result in (results["x"], real)]
    found.check("loss_G_GAN_Feat", feature_matching(*inner, weight))
    found.finish()


def test_inputs(shared_dir: Path) -> None:
    found = fixture(shared_dir, "pix2pixhd_inputs")
    classes = found.arguments["label_nc"]
    palette = Palette.from_json([{"id": i, "name": f"c{i}", "colour": [i, i, i]} for i in range(classes)])
    port = Port("labels", ("id",), "raw", palette=palette, instances=True)
    labels, instances = (found.given(name)[:, 0].long() for name in ("label", "instance"))
    made = condition_tensor(
        Batch(torch.zeros(2, 3, *labels.shape[1:]), labels=labels, instances=instances), port
    )
    assert torch.equal(made, found.tensors["out.input"])
    assert torch.equal(made[:, -1:], found.tensors["out.edges"])
