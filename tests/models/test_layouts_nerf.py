"""Public NeRF checkpoints are recognised and renamed; what is wrong with one is named; none runs code."""

from __future__ import annotations

import os
import pickle
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor

from dreamplate.errors import CheckpointError
from dreamplate.models import load_legacy
from dreamplate.models.find import find_weights
from dreamplate.models.importer import detect
from dreamplate.models.layouts.nerf import expected, expected_network, infer, infer_network
from dreamplate.models.state import save_state

SETTINGS: dict[str, int | float | str] = {
    "depth": 5, "width": 12, "point_width": 15, "views": 1, "view_width": 9, "skips": "2", "outputs": 4,
}  # fmt: skip
NO_VIEWS = SETTINGS | {"views": 0, "view_width": 0, "outputs": 5}


def network(seed: int = 0, settings: dict[str, int | float | str] = SETTINGS) -> dict[str, Tensor]:
    draws = torch.Generator().manual_seed(seed)
    return {name: torch.randn(s, generator=draws) for name, s in expected_network(settings).items()}


def tar(path: Path, coarse: dict[str, Tensor], fine: dict[str, Tensor], inner: str = "", **how: bool) -> None:
    """What the PyTorch program saves, optimiser and all."""
    first = next(iter(coarse.values()))
    step = {"step": torch.tensor(7.0), "exp_avg": first * 0.1, "exp_avg_sq": first**2}
    torch.save(
        {
            "global_step": 200_000,
            "network_fn_state_dict": {inner + name: tensor for name, tensor in coarse.items()},
            "network_fine_state_dict": {inner + name: tensor for name, tensor in fine.items()},
            "optimizer_state_dict": {"state": {0: step}, "param_groups": [{"lr": 5e-4, "params": [0]}]},
        },
        path,
        **how,
    )


def as_list(state: dict[str, Tensor]) -> list[np.ndarray]:
    """The arrays that the original program keeps, in its order: kernels the other way round."""
    depth = int(SETTINGS["depth"])
    layers = [f"pts_linears.{i}" for i in range(depth)]
    layers += ["feature_linear", "views_linears.0", "rgb_linear", "alpha_linear"]
    made = []
    for layer in layers:
        made += [state[f"{layer}.weight"].T.numpy(), state[f"{layer}.bias"].numpy()]
    return made


def save_list(path: Path, arrays: list[object]) -> None:
    held = np.empty(len(arrays), dtype=object)
    held[:] = arrays
    np.save(path, held)


@pytest.mark.parametrize("inner", ["", "module."])
@pytest.mark.parametrize("zipped", [True, False])
def test_checkpoints_of_the_pytorch_program(inner: str, zipped: bool, tmp_path: Path) -> None:
    coarse, fine = network(0), network(1)
    tar(tmp_path / "200000.tar", coarse, fine, inner, _use_new_zipfile_serialization=zipped)
    found, settings = find_weights(str(tmp_path / "200000.tar"), "nerf")
    wanted = {f"coarse.{n}": t for n, t in coarse.items()} | {f"fine.{n}": t for n, t in fine.items()}
    assert found.keys() == wanted.keys()
    assert all(torch.equal(found[name], tensor) for name, tensor in wanted.items())
    assert settings["parts"] == "coarse fine"
    assert {name: settings[f"fine_{name}"] for name in SETTINGS} == SETTINGS


def test_without_directions_the_unused_layers_are_left_out(tmp_path: Path) -> None:
    plain = network(0, NO_VIEWS)
    saved = plain | {"views_linears.0.weight": torch.zeros(6, 12), "views_linears.0.bias": torch.zeros(6)}
    tar(tmp_path / "a.tar", saved, saved)
    found, settings = find_weights(str(tmp_path / "a.tar"), "nerf")
    assert found.keys() == {f"{part}.{name}" for part in ("coarse", "fine") for name in plain}
    assert settings["coarse_views"] == 0 and settings["coarse_outputs"] == 5


def test_weight_lists_of_the_original_program(tmp_path: Path) -> None:
    state = network(3)
    save_list(tmp_path / "model_200000.npy", as_list(state))
    found, settings = find_weights(str(tmp_path / "model_200000.npy"), "nerf")
    assert found.keys() == {f"network.{name}" for name in state}
    assert all(torch.equal(found[f"network.{name}"], tensor) for name, tensor in state.items())
    assert settings["network_skips"] == "2" and settings["network_depth"] == 5


@pytest.mark.parametrize("protocol", [2, 3])
def test_lists_that_older_programs_wrote(protocol: int, tmp_path: Path) -> None:
    """numpy 1 called its module otherwise, and wrote older pickles."""
    save_list(tmp_path / "new.npy", as_list(network(3)))
    header = (tmp_path / "new.npy").read_bytes()
    header = header[: header.index(b"\n") + 1]
    held = np.empty(18, dtype=object)
    held[:] = as_list(network(3))
    pickled = pickle.dumps(held, protocol=protocol).replace(b"numpy._core.", b"numpy.core.")
    (tmp_path / "old.npy").write_bytes(header + pickled)
    first, second = load_legacy(tmp_path / "new.npy"), load_legacy(tmp_path / "old.npy")
    assert first.keys() == second.keys()
    assert all(torch.equal(first[name], second[name]) for name in first)


def test_our_own_file_is_read_back(tmp_path: Path) -> None:
    state = {f"coarse.{n}": t for n, t in network(0).items()} | {
        f"fine.{n}": t for n, t in network(1).items()
    }
    save_state(tmp_path / "ours.safetensors", state)
    found, _ = find_weights(str(tmp_path / "ours.safetensors"), "nerf")
    assert found.keys() == state.keys()


@pytest.mark.parametrize(
    "settings", [SETTINGS, NO_VIEWS, SETTINGS | {"skips": "0 3"}, SETTINGS | {"skips": ""}]
)
def test_settings_follow_from_shapes_and_back(settings: dict[str, int | float | str]) -> None:
    shapes = expected_network(settings)
    assert infer_network(shapes) == settings
    both = {f"{part}.{name}": shape for part in ("coarse", "fine") for name, shape in shapes.items()}
    assert dict(expected(infer(both))) == both


def test_layouts_are_told_apart() -> None:
    shapes = expected_network(SETTINGS)
    for prefix, name in (
        ("coarse.", "nerf"),
        ("", "nerf-network"),
        ("network_fn_state_dict.", "nerf-pytorch"),
        ("network_fn_state_dict.module.", "nerf-pytorch-parallel"),
    ):
        found = detect({prefix + key: shape for key, shape in shapes.items()})
        assert found is not None and found.name == name
    listed = detect({str(i): shape for i, shape in enumerate([(15, 12), (12,)] * 9)})
    assert listed is not None and listed.name == "nerf-list"


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda s: s.pop("pts_linears.3.bias"), "missing.*fine.pts_linears.3.bias"),
        (lambda s: s.update({"rgb_linear.weight": torch.zeros(3, 5)}), r"fine.rgb_linear.weight.*\(3, 5\)"),
        (lambda s: s.update({"feature_linear.bias": torch.zeros(7)}), r"\(7,\), should be \(12,\)"),
    ],
)
def test_damage_is_named(change, words: str, tmp_path: Path) -> None:
    fine = network(1)
    change(fine)
    tar(tmp_path / "x.tar", network(0), fine)
    with pytest.raises(CheckpointError, match=words):
        find_weights(str(tmp_path / "x.tar"), "nerf")


@pytest.mark.parametrize(
    ("arrays", "words"),
    [
        (as_list(network(0))[:-1], "17 arrays"),
        (as_list(network(0))[:6], "6 arrays"),
        ([*as_list(network(0))[:4], np.zeros(3), *as_list(network(0))[5:]], "array 4 .* 2 axes"),
        ([*as_list(network(0))[:4], np.zeros((9, 12)), *as_list(network(0))[5:]], "pts_linears.2.weight"),
    ],
)
def test_damaged_lists_are_named(arrays: list[object], words: str, tmp_path: Path) -> None:
    save_list(tmp_path / "model_1.npy", arrays)
    with pytest.raises(CheckpointError, match=words):
        find_weights(str(tmp_path / "model_1.npy"), "nerf")


class Evil:
    def __init__(self, canary: Path) -> None:
        self.canary = canary

    def __reduce__(self) -> tuple[object, ...]:
        return os.system, (f"touch {self.canary}",)


def test_code_in_a_checkpoint_is_not_run(tmp_path: Path) -> None:
    canary = tmp_path / "ran"
    save_list(tmp_path / "model_2.npy", [*as_list(network(0)), Evil(canary)])
    torch.save({"network_fn_state_dict": network(0), "extra": Evil(canary)}, tmp_path / "b.tar")
    (tmp_path / "c.tar").write_bytes(pickle.dumps({"network_fn_state_dict": Evil(canary)}))
    for name in ("model_2.npy", "b.tar", "c.tar"):
        with pytest.raises(CheckpointError, match="system"):
            find_weights(str(tmp_path / name), "nerf")
    assert not canary.exists()


def test_a_list_cut_short_is_refused(tmp_path: Path) -> None:
    save_list(tmp_path / "model_3.npy", as_list(network(0)))
    raw = (tmp_path / "model_3.npy").read_bytes()
    for length in (len(raw) // 2, len(raw) - 1, 140):
        (tmp_path / "cut.npy").write_bytes(raw[:length])
        with pytest.raises(CheckpointError):
            find_weights(str(tmp_path / "cut.npy"), "nerf")
