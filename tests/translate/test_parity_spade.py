"""SPADE against reference numbers, through the importer where a whole network is stored."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from torch import nn

from dreamplate.models.importer import get_importer, import_state
from dreamplate.models.layouts.spade import DOUBLINGS
from dreamplate.nets.statistics import set_statistics
from dreamplate.train.losses import feature_matching, gan_g, gan_term, kl
from dreamplate.train.onehot import instance_edges, one_hot
from dreamplate.translate.spade import Spade
from dreamplate.translate.spade_discriminator import SpadeDiscriminator
from dreamplate.translate.spade_encoder import SpadeEncoder
from dreamplate.translate.spade_layers import MapCondition, SpadeBlock, SpadeNorm
from parity import Fixture, fixture

KINDS = {"hinge": "hinge", "ls": "lsgan", "original": "vanilla", "w": "wgan"}
GENERATORS = ("normal", "normal_vae", "more", "most")


def rebuilt(found: Fixture, importer: str) -> tuple[dict[str, torch.Tensor], dict[str, int | float | str]]:
    weights = {
        name: value.float() if value.is_floating_point() else value for name, value in found.weights.items()
    }
    state, report = import_state(get_importer(importer), weights)
    return state, dict(report.settings)


@pytest.mark.parametrize("name", GENERATORS)
def test_the_generator_is_the_reference(shared_dir: Path, name: str) -> None:
    found = fixture(shared_dir, f"spade_generator_{name}")
    state, settings = rebuilt(found, "spade")
    arguments = found.arguments
    settings["doublings"] = DOUBLINGS[arguments["num_upsampling_layers"]]
    settings["edges"] = int(not arguments["no_instance"])
    net = Spade.from_settings(settings)
    net.load_state_dict(state)
    net.eval()
    semantics, z = found.given("semantics"), found.tensors.get("in.z")
    labels = semantics[:, :-1].argmax(1)
    assert torch.equal(semantics[:, :-1].sum(1), torch.ones_like(semantics[:, 0])), "the map is one-hot"
    edges = semantics[:, -1:].float()
    with torch.no_grad():
        found.check("image", net(semantics.float(), z))
        found.check("image", net.from_labels(labels, edges, z))
        if "out.image_batch_stats" in found.tensors:
            set_statistics(net, "batch")
            found.check("image_batch_stats", net(semantics.float(), z))
            found.check("image_batch_stats", net.from_labels(labels, edges, z))
    found.finish()


def test_the_block_is_the_reference(shared_dir: Path) -> None:
    found = fixture(shared_dir, "spade_block")
    place = "up_0."
    weights = {place + name: value.float() for name, value in found.weights.items()}
    state, _ = import_state(get_importer("spade"), weights)
    arguments = found.arguments

    def spade(width: int) -> SpadeNorm:
        hidden, entry, kernel, _ = state["blocks.up_0.norm_0.shared.weight"].shape
        return SpadeNorm(width, entry, hidden, kernel)

    net = SpadeBlock(arguments["fin"], arguments["fout"], spade, spectral=False)
    net.load_state_dict({name.removeprefix("blocks.up_0."): value for name, value in state.items()})
    net.eval()
    x, condition = found.given("x"), MapCondition(found.given("segmap"))
    with torch.no_grad():
        found.check("block", net(x, condition))
        found.check("norm_0", net.norm_0(x, condition))
        found.check("shortcut", net.shortcut(x, condition))
        found.check("block_batch_stats", set_statistics(net, "batch")(x, condition))
    found.finish()


def test_the_encoder_is_the_reference(shared_dir: Path) -> None:
    found = fixture(shared_dir, "spade_encoder")
    state, settings = rebuilt(found, "spade-encoder")
    net = SpadeEncoder(int(settings["width"]), int(settings["z_dim"]), int(settings["channels"]), False)
    net.load_state_dict(state)
    with torch.no_grad():
        mean, spread = net(found.given("image"))
    found.check("mu", mean)
    found.check("logvar", spread)
    # Ours is a mean over pictures.
    wanted = found.tensors["out.kld"]
    close = found.about["tolerance"]["kld_relative_error"]
    torch.testing.assert_close(kl(mean, spread) * len(mean), wanted, rtol=close, atol=0)
    found.seen.add("kld")
    found.finish()


def test_the_discriminator_and_its_losses_are_the_reference(shared_dir: Path) -> None:
    found = fixture(shared_dir, "spade_discriminator")
    state, settings = rebuilt(found, "spade-discriminator")
    semantics = found.given("semantics")
    channels = int(settings["entry"]) - semantics.shape[1]
    sizes = [int(settings[name]) for name in ("width", "layers", "scales")]
    net: nn.Module = SpadeDiscriminator(semantics.shape[1], channels, *sizes, spectral=False)
    net.load_state_dict(state)
    with torch.no_grad():
        fake, real = net(semantics, found.given("fake")), net(semantics, found.given("real"))
    for side, features in (("fake", fake), ("real", real)):
        for scale, layers in enumerate(features):
            for layer, feature in enumerate(layers):
                if f"out.{side}_scale{scale}_layer{layer}" in found.tensors:
                    found.check(f"{side}_scale{scale}_layer{layer}", feature)
    scores = [layers[-1] for layers in fake], [layers[-1] for layers in real]
    for name, kind in KINDS.items():
        found.check(f"{name}_G_GAN", gan_g(scores[0], kind)[None])
        found.check(f"{name}_D_fake", gan_term(scores[0], False, kind)[None])
        found.check(f"{name}_D_real", gan_term(scores[1], True, kind)[None])
    inner = [layers[:-1] for layers in fake], [layers[:-1] for layers in real]
    found.check("G_GAN_Feat", 10 / len(fake) * feature_matching(*inner)[None])
    found.finish()


def test_the_input_is_the_reference(shared_dir: Path) -> None:
    found = fixture(shared_dir, "spade_inputs")
    classes = found.arguments["label_nc"] + found.arguments["contain_dontcare_label"]
    edges = instance_edges(found.given("instance")[:, 0])
    made = torch.cat([one_hot(found.given("label")[:, 0], classes, classes), edges], 1)
    assert torch.equal(made, found.tensors["out.semantics"])
    assert torch.equal(edges, found.tensors["out.edges"])
