"""SPADE of the program imaginaire: the network, and its checkpoints by way of their importer."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional

from dreamplate.errors import CheckpointError, ModelError
from dreamplate.models import import_file
from dreamplate.models.importer import detect, get_importer, import_state
from dreamplate.models.store import Folder, Store
from dreamplate.translate.imaginaire_spade import ImaginaireSpade
from dreamplate.translate.model import load_model

ENTRY, Z = 4, 3


def network(pictures: int = 1, seed: int = 0, **more: int) -> ImaginaireSpade:
    net = ImaginaireSpade(ENTRY, width=2, hidden=3, z_dim=Z, pictures=pictures, multiplier=0.5, **more)
    draws = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for name, value in net.state_dict().items():
            if name.endswith("running_var"):
                value.copy_(0.5 + torch.rand(value.shape, generator=draws))
            elif value.is_floating_point():
                value.copy_(0.12 * torch.randn(value.shape, generator=draws))
    return net.eval()


def published(net: ImaginaireSpade, affine: bool, spectral: bool) -> dict[str, Tensor]:
    """Return the tensors under the names that the program gives them."""
    draws = torch.Generator().manual_seed(9)
    made: dict[str, Tensor] = {}
    for name, value in net.state_dict().items():
        room, *rest = name.split(".")
        last = rest[-1]
        if room == "dense":
            made[f"spade_generator.fc_{rest[0]}.layers.conv.{last}"] = value
        elif room == "first":
            made[f"spade_generator.head_0.layers.conv.{last}"] = value
        elif room == "pictures":
            made[f"spade_generator.conv_img{256 << int(rest[0])}.layers.conv.{last}"] = value
        elif room == "encoder":
            place = f"layer{int(rest[1]) + 1}.layers.conv" if rest[0] == "convs" else ""
            place = place or {"mean": "fc_mu", "spread": "fc_var"}[rest[0]]
            made[f"style_encoder.{place}.{last}"] = value
        else:
            made |= inner(room, rest, value, affine)
    if affine:  # scale and offset of a norm, with which the modulation means the same
        for name in [name for name in made if name.endswith("norm.norm.running_mean")]:
            stem = name.removesuffix(".norm.running_mean")
            unfold(made, stem, 0.5 + torch.rand(made[name].shape, generator=draws))
    if spectral:
        for name in [
            n for n in made if n.endswith("layers.conv.weight") and "conv_block" in n and "norm" not in n
        ]:
            weight = made.pop(name)
            matrix = weight.flatten(1)
            u = functional.normalize(torch.randn(len(matrix), generator=draws), dim=0)
            v = functional.normalize(matrix.T @ u, dim=0)
            made[f"{name}_orig"], made[f"{name}_u"], made[f"{name}_v"] = weight * (u @ matrix @ v), u, v
            made[f"{name}_orig"] = weight * 3
            made[f"{name}_v"] = v / (u @ matrix @ v)  # so that u W v is 3
    return made


def inner(room: str, rest: list[str], value: Tensor, affine: bool) -> dict[str, Tensor]:
    name, part, last = rest[0], rest[1], rest[-1]
    if room == "styled":
        stem = f"spade_generator.cbn_{name}.layers"
        if part == "modulation":
            gamma, beta = value.chunk(2)
            return {
                f"{stem}.norm.fc_gamma.layers.conv.{last}": gamma,
                f"{stem}.norm.fc_beta.layers.conv.{last}": beta,
            }
        return {f"{stem}.norm.norm.{last}" if part == "norm" else f"{stem}.conv.{last}": value}
    kind, number = part.split("_")
    stem = f"spade_generator.{name}.conv_block_{number}.layers"
    if kind == "conv":
        return {f"{stem}.conv.{last}": value}
    if rest[2] == "norm":
        return {f"{stem}.norm.norm.{last}": value}
    if rest[2] == "shared":
        return {f"{stem}.norm.mlps.0.0.layers.conv.{last}": value}
    if not affine:  # both halves in one convolution
        return {f"{stem}.norm.mlps.0.1.layers.conv.{last}": value}
    gamma, beta = value.chunk(2)
    return {
        f"{stem}.norm.gammas.0.layers.conv.{last}": gamma,
        f"{stem}.norm.betas.0.layers.conv.{last}": beta,
    }


def unfold(made: dict[str, Tensor], stem: str, scale: Tensor) -> None:
    names = [n for n in made if n.startswith(f"{stem}.") and ("gamma" in n or "beta" in n)]
    found = {("gamma" in n, n.rpartition(".")[2]): n for n in names}
    shift = 0.1 * scale
    made[f"{stem}.norm.weight"], made[f"{stem}.norm.bias"] = scale, shift
    for what in ("weight", "bias"):
        gamma, beta = made[found[True, what]], made[found[False, what]]
        each = scale.view(-1, *(1,) * (gamma.dim() - 1))
        plain = gamma / each if what == "weight" else (gamma + 1 - scale) / scale
        offset = shift.view(each.shape)
        made[found[True, what]] = plain
        made[found[False, what]] = beta - offset * plain - (offset if what == "bias" else 0)


@pytest.mark.parametrize(("affine", "spectral"), [(False, True), (True, False), (True, True)])
@pytest.mark.parametrize("pictures", [1, 2])
def test_a_checkpoint_becomes_the_same_network(pictures: int, affine: bool, spectral: bool) -> None:
    net = network(pictures, style_width=1)
    state = published(net, affine, spectral)
    table = detect({name: tuple(value.shape) for name, value in state.items()})
    assert table is not None and table.name == "imaginaire-spade"
    renamed, report = import_state(table, state)
    assert report.complete and not report.unexpected, str(report)
    again = ImaginaireSpade.from_settings(dict(report.settings) | {"multiplier": 0.5}).eval()
    again.load_state_dict(renamed)
    draws = torch.Generator().manual_seed(1)
    x, z = torch.rand(1, ENTRY, 64, 32, generator=draws), torch.randn(1, Z, generator=draws)
    with torch.no_grad():
        torch.testing.assert_close(again(x, z), net(x, z), rtol=1e-4, atol=1e-5)
        for ours, theirs in zip(again.style(x[:, :3]), net.style(x[:, :3]), strict=True):
            torch.testing.assert_close(ours, theirs)


def test_the_average_is_taken_and_the_rest_left_out(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    average, other = network(seed=1), network(seed=2)
    state: dict[str, object] = {
        "net_G": {f"module.module.{n}": v for n, v in published(other, False, True).items()}
        | {f"module.averaged_model.{n}": v for n, v in published(average, False, False).items()}
        | {"module.num_updates_tracked": torch.tensor(7)},
        "net_D": {"module.conv.weight": torch.zeros(1)},
        "current_epoch": 3,
    }
    file = tmp_path / "epoch_00003_iteration_000000007_checkpoint.pt"
    torch.save(state, file)
    model = load_model(file)
    assert model.given is not None and model.given.width == ENTRY
    assert [record.message for record in caplog.records if "does not allow commercial use" in record.message]
    x, z = torch.rand(1, ENTRY, 16, 16), torch.randn(1, Z)
    average.multiplier = 1.0  # what 256 pixels mean
    with torch.no_grad():
        torch.testing.assert_close(model.network(x, z), average(x, z), rtol=1e-4, atol=1e-5)


def test_what_is_missing_is_named() -> None:
    state = published(network(), False, False)
    gone = "spade_generator.up_1b.conv_block_1.layers.conv.bias"
    _, report = import_state(get_importer("imaginaire-spade"), {n: v for n, v in state.items() if n != gone})
    assert report.missing == ("blocks.up_1b.conv_1.bias",)
    halves = published(network(), True, False)
    name = "spade_generator.up_1b.conv_block_1.layers.norm.gammas.0.layers.conv.bias"
    with pytest.raises(CheckpointError, match="up_1b"):
        import_state(get_importer("imaginaire-spade"), halves | {name: torch.zeros(1)})


def test_labels_make_what_their_map_makes_and_z_matters() -> None:
    net = network(2)
    draws = torch.Generator().manual_seed(3)
    labels = (
        torch.randint(0, ENTRY, (2, 4, 2), generator=draws).repeat_interleave(16, 1).repeat_interleave(16, 2)
    )
    x = functional.one_hot(labels, ENTRY).permute(0, 3, 1, 2).float()
    z = torch.randn(2, Z, generator=draws)
    with torch.no_grad():
        made = net(x, z)
        assert made.shape == (2, 3, 64, 32)
        assert (
            float(made.std()) > 0.01 and float(made.abs().mean()) < 0.9
        )  # neither nothing nor all at the bound
        torch.testing.assert_close(net.from_labels(labels, None, z), made, rtol=1e-4, atol=1e-5)
        assert not torch.allclose(net(x, z + 1), made, atol=1e-3)


def test_pictures_of_all_sizes_are_added() -> None:
    net = network(2)
    x, z = torch.rand(1, ENTRY, 32, 32), torch.randn(1, Z)
    with torch.no_grad():
        whole = torch.atanh(net(x, z).double().clamp(-0.999999, 0.999999))
        parts = []
        for alone in range(2):
            one = network(2)
            for place, conv in enumerate(one.pictures):
                assert isinstance(conv, nn.Conv2d) and conv.bias is not None
                if place != alone:
                    conv.weight.zero_()
                    conv.bias.zero_()
            parts.append(torch.atanh(one(x, z).double().clamp(-0.999999, 0.999999)))
    inside = whole.abs() < 3
    assert float(inside.float().mean()) > 0.2
    torch.testing.assert_close(whole[inside], (parts[0] + parts[1])[inside], rtol=1e-2, atol=1e-2)


@pytest.mark.parametrize(
    ("shape", "words"), [((1, ENTRY, 24, 32), "multiples of 16"), ((1, 5, 16, 16), "channels")]
)
def test_what_does_not_fit_is_told(shape: tuple[int, ...], words: str) -> None:
    with pytest.raises(ModelError, match=words):
        network()(torch.zeros(shape), torch.zeros(1, Z))


def test_the_licence_of_what_was_published_is_on_the_card(tmp_path: Path) -> None:
    file = tmp_path / "checkpoint.pt"
    torch.save({"net_G": published(network(), False, True)}, file)
    store = Store([Folder(tmp_path / "store", "folder")])
    entry, report = import_file(store, file, name="street")
    assert report.complete and entry.card is not None and entry.card.commercial_use == "no"
    entry, _ = import_file(store, file, name="mine", licence="MIT")
    assert entry.card is not None and entry.card.commercial_use == "yes"
