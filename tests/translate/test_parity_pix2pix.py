"""pix2pix against reference numbers, through the importers: file → tensors by our names → network."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from torch import Tensor, nn

from dreamplate.models.importer import get_importer, import_state
from dreamplate.models.ingest import complete_report, recognise
from dreamplate.models.state import load_any
from dreamplate.nets.statistics import set_statistics
from dreamplate.train.losses import gan_term
from dreamplate.translate.model import load_model
from dreamplate.translate.patchgan import PatchGan
from parity import Fixture, fixture


def saved(found: Fixture, folder: Path, prefix: str = "") -> Path:
    """Write the reference weights as their authors' program does."""
    file = folder / "latest_net_G.pth"
    state = {prefix + k: v.float() if v.is_floating_point() else v for k, v in found.weights.items()}
    torch.save(state, file)
    return file


@pytest.mark.parametrize("name", ["unet_128", "unet_256", "resnet_6", "resnet_9"])
def test_generators(shared_dir: Path, tmp_path: Path, name: str) -> None:
    found = fixture(shared_dir, f"pix2pix_{name}")
    model = load_model(saved(found, tmp_path, "module." if name == "resnet_9" else ""))
    said, read = found.arguments, model.settings
    assert (read["given"], read["made"], read["width"]) == (said["input_nc"], said["output_nc"], said["ngf"])
    assert read["norm"] == said["norm"]
    if "num_downs" in said:
        assert read["depth"] == said["num_downs"]
    else:
        assert (read["blocks"], read["dropout"]) == (said["n_blocks"], int(said["use_dropout"]))
    x = found.given("x")
    with torch.no_grad():
        found.check("eval", set_statistics(model.network, "running")(x))
        made = set_statistics(model.network, "batch")(x)
    if "out.train_stats_strided" in found.tensors:
        found.check("train_stats_strided", made[..., ::2, ::2])
    if "out.train_stats" in found.tensors:
        found.check("train_stats", made)
    found.finish()


def test_photosketch(shared_dir: Path, tmp_path: Path) -> None:
    found = fixture(shared_dir, "photosketch")
    model = load_model(saved(found, tmp_path))
    assert model.settings["blocks"] == found.arguments["n_blocks"] and model.settings["dropout"] == 0
    x = found.given("x")
    with torch.no_grad():
        found.check("sketch", set_statistics(model.network, "running")(x))
        found.check("sketch_batch_stats", set_statistics(model.network, "batch")(x))


def discriminator(found: Fixture, folder: Path) -> nn.Module:
    file = saved(found, folder)
    state = load_any(file)
    table = recognise(file, state)
    made, report = import_state(table, state, file)
    complete_report(file, table, report)
    sizes = report.settings
    assert (sizes["channels"], sizes["width"]) == (found.arguments["input_nc"], found.arguments["ndf"])
    network = PatchGan(
        int(sizes["channels"]),
        int(sizes["width"]),
        int(sizes["layers"]),
        str(sizes["norm"]),
        bias=bool(sizes["bias"]),
    )
    network.load_state_dict(made)
    return network.eval()


@pytest.mark.parametrize("name", ["patchgan", "pixel_discriminator"])
def test_discriminators(shared_dir: Path, tmp_path: Path, name: str) -> None:
    found = fixture(shared_dir, f"pix2pix_{name}")
    network = discriminator(found, tmp_path)
    with torch.no_grad():
        found.check("eval", network(found.given("x")))
        found.check("train_stats", set_statistics(network, "batch")(found.given("x")))
    found.finish()


def test_losses(shared_dir: Path) -> None:
    found = fixture(shared_dir, "pix2pix_gan_loss")
    for mode in found.arguments["gan_mode"]:
        for scores in ("real", "fake"):
            for target in ("real", "fake"):
                given: Tensor = found.given(f"pred_{scores}")
                kind = "wgan" if mode == "wgangp" else mode
                found.check(f"{mode}_{scores}_target_{target}", gan_term(given, target == "real", kind))
    found.finish()


def test_old_files_with_unused_statistics(shared_dir: Path, tmp_path: Path) -> None:
    found = fixture(shared_dir, "pix2pix_resnet_9")
    state: dict[str, Tensor] = {k: v.float() for k, v in found.weights.items()}
    for key in list(state):
        stem, _, leaf = key.rpartition(".")
        if leaf == "weight" and "conv_block" not in stem and stem != "model.26":
            number = int(stem.rpartition(".")[2])
            width = state[f"{stem}.bias"].shape[0]
            state |= {
                f"model.{number + 1}.running_mean": torch.ones(width),
                f"model.{number + 1}.running_var": torch.ones(width),
            }
    old, report = import_state(get_importer("pix2pix-resnet"), state)
    new, plain = import_state(get_importer("pix2pix-resnet"), found.weights)
    assert report.dropped == len(state) - len(found.weights) > 0 and plain.dropped == 0
    assert old.keys() == new.keys() and not report.unexpected and report.complete
