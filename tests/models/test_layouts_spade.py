"""SPADE checkpoints: what shapes and the text file beside them say."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from torch import Tensor

from dreamplate.errors import CheckpointError
from dreamplate.models.importer import detect, get_importer, import_state
from dreamplate.models.layouts.spade import read_options
from dreamplate.translate.spade import Spade, SpadeShape, initialise


def checkpoint(net: Spade, prefix: str = "") -> dict[str, Tensor]:
    """The tensors of a generator under the names that its authors' program gives them."""
    made = {}
    for name, value in net.state_dict().items():
        source = (
            name.removeprefix("blocks.").replace("middle_", "G_middle_").replace("shared", "mlp_shared.0")
        )
        source = source.replace(".norm.", ".param_free_norm.")
        if source.startswith(("first.", "last.")):
            source = {"first": "fc", "last": "conv_img"}[source.split(".")[0]] + "." + source.split(".")[1]
        if ".modulation." in source:
            for part, half in zip(("mlp_gamma", "mlp_beta"), value.chunk(2), strict=True):
                made[prefix + source.replace("modulation", part)] = half
        else:
            made[prefix + source] = value
    return made


@pytest.mark.parametrize("prefix", ["", "module."])
@pytest.mark.parametrize("doublings", [5, 7])
def test_a_generator_comes_back(prefix: str, doublings: int) -> None:
    net = Spade(SpadeShape(entry=36, edges=1, width=2, hidden=4, doublings=doublings, spectral=1))
    initialise(net, torch.Generator().manual_seed(0), 1.0).eval()
    state = checkpoint(net, prefix)
    table = detect({name: tuple(value.shape) for name, value in state.items()})
    assert table is not None and table.name == "spade"
    renamed, report = import_state(table, state | {"extra": torch.zeros(1)})
    assert report.complete and report.unexpected == ("extra",)
    again = Spade.from_settings(report.settings).eval()
    again.load_state_dict(renamed)
    x = torch.rand(1, 36, 128, 128, generator=torch.Generator().manual_seed(1))
    with torch.no_grad():
        torch.testing.assert_close(again(x), net(x))


def test_what_is_missing_or_damaged_is_told() -> None:
    net = Spade(SpadeShape(entry=3, width=1, hidden=2, spectral=1))
    initialise(net, torch.Generator().manual_seed(0), 1.0)
    state = checkpoint(net)
    short = {name: value for name, value in state.items() if name != "up_3.norm_1.mlp_shared.0.bias"}
    _, report = import_state(get_importer("spade"), short)
    assert report.missing == ("blocks.up_3.norm_1.shared.bias",)
    with pytest.raises(CheckpointError, match="weight_u"):
        import_state(get_importer("spade"), {n: v for n, v in state.items() if n != "up_0.conv_0.weight_u"})


def test_the_text_file_beside_tells_what_shapes_do_not(tmp_path: Path) -> None:
    file = tmp_path / "latest_net_G.pth"
    assert read_options(file, ()) == {}
    text = "      no_instance: True      [default: False]\n num_upsampling_layers: more   [default: normal]\n"
    (tmp_path / "opt.txt").write_text("----- Options -----\n" + text)
    assert read_options(file, ()) == {"doublings": 6, "edges": 0}
    (tmp_path / "opt.txt").write_text(text.replace("more", "lots"))
    with pytest.raises(CheckpointError, match="'lots'"):
        read_options(file, ())
