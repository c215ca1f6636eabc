"""NeRF as a method: spaces, samples, learning, and what is kept."""

from __future__ import annotations

import importlib.util
import math
import sys
from dataclasses import replace
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest
import torch
from torch import Tensor

from dreamplate.errors import CheckpointError, ConfigError, ModelError
from dreamplate.fields.compositing import Composite, composite_twin
from dreamplate.fields.limits import ray_limits
from dreamplate.fields.nerf import NerfMethod
from dreamplate.fields.nerf_config import NerfConfig
from dreamplate.fields.nerf_space import NerfSpace
from dreamplate.fields.nerf_weights import load_networks
from dreamplate.fields.rays import Rays, Samples
from dreamplate.fields.spaces import Extent
from dreamplate.models.layouts.nerf import expected_network
from dreamplate.models.state import save_state

BENCHMARK = Path(__file__).resolve().parents[2] / "benchmarks" / "nerf_twin.py"
SMALL = NerfConfig(
    depth=3,
    width=16,
    skips=(1,),
    position_frequencies=3,
    view_frequencies=2,
    coarse_samples=8,
    fine_samples=12,
)
BOX = Extent("box", np.array([[-2.0, -1, -1], [2, 1, 1]]), 1.0, 6.0, np.eye(4))
FORWARD = Extent(
    "forward", np.array([[-4.0, -4, -8], [4, 4, -1]]), 1.0, 8.0, np.eye(4), (-0.6, 0.5, -0.4, 0.4)
)
OPEN = Extent("open", np.array([[-1.0] * 3, [1.0] * 3]), 0.05, math.inf, np.eye(4))


def composite(samples: Samples) -> Composite:
    """Composite in plain torch; the kernel has tests of its own."""
    mids = (samples.starts + samples.ends) / 2
    return Composite(*composite_twin(samples.offsets, samples.alphas, samples.colours, mids))


def seeded(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def rays_for(extent: Extent, count: int = 40) -> Rays:
    draws = seeded(5)
    if extent.kind == "forward":
        origins = torch.rand(count, 3, generator=draws) * torch.tensor([0.4, 0.4, 0.3])
        aim = torch.rand(count, 3, generator=draws) - 0.5
        directions = torch.nn.functional.normalize(
            torch.cat([aim[:, :2], torch.full((count, 1), -1.0)], 1), dim=1
        )
    else:
        away = torch.nn.functional.normalize(torch.randn(count, 3, generator=draws), dim=1)
        origins = away * (4 if extent.kind == "box" else 0.5)
        directions = torch.nn.functional.normalize(
            torch.rand(count, 3, generator=draws) - 0.5 - origins, dim=1
        )
    near, far = ray_limits(extent, origins, directions)
    return Rays(origins, directions, near, far, torch.ones(count))


def method_for(extent: Extent, config: NerfConfig = SMALL, *, dense: bool = True) -> NerfMethod:
    made = NerfMethod(config, extent, 100, seeded(1))
    if dense:
        with torch.no_grad():
            for field in (made.coarse, made.fine):
                field.net.alpha_linear.bias += 1.0
    return made


@pytest.mark.parametrize("extent", [BOX, FORWARD, OPEN], ids=lambda e: e.kind)
def test_samples_are_sorted_finite_and_between_near_and_far(extent: Extent) -> None:
    rays = rays_for(extent)
    method = method_for(extent)
    for training in (False, True):
        traced = method.trace(rays, training=training, draws=seeded(2) if training else None)
        for samples in (traced.samples, *([traced.coarse] if traced.coarse is not None else [])):
            starts, ends = samples.starts.reshape(len(rays), -1), samples.ends.reshape(len(rays), -1)
            assert starts.isfinite().all() and ends.isfinite().all()
            assert (ends >= starts).all() and (starts[:, 1:] >= starts[:, :-1] - 1e-4).all()
            assert (starts >= rays.near[:, None] * (1 - 1e-4) - 1e-4).all()
            if extent.kind == "box":
                assert (ends <= torch.maximum(rays.far, rays.near)[:, None] + 1e-4).all()
            assert ((samples.alphas >= 0) & (samples.alphas <= 1)).all()
            assert composite(samples).opacity.isfinite().all()


@pytest.mark.parametrize("extent", [BOX, FORWARD, OPEN], ids=lambda e: e.kind)
def test_the_network_is_asked_at_the_points_that_the_samples_name(extent: Extent) -> None:
    """Colour looked up at a sample's place in the world is the sample's colour."""
    rays = rays_for(extent)
    method = method_for(extent)
    samples = method.trace(rays).samples
    which = samples.ray_indices
    seen = composite(samples).weights > 1e-4
    # Far places of NDC are told only roughly as distances.
    seen &= samples.starts < 200 * extent.near if extent.kind == "forward" else True
    points = rays.origins[which] + samples.starts[:, None] * rays.directions[which]
    found = method.colour(points, rays.directions[which])
    torch.testing.assert_close(found[seen], samples.colours[seen], atol=2e-3, rtol=0)
    assert seen.sum() > 50


@pytest.mark.parametrize("extent", [BOX, OPEN], ids=lambda e: e.kind)
def test_density_is_per_world_unit(extent: Extent) -> None:
    rays = rays_for(extent)
    method = method_for(extent)
    samples = method.trace(rays).samples
    lengths = samples.ends - samples.starts
    points = (
        rays.origins[samples.ray_indices] + samples.starts[:, None] * rays.directions[samples.ray_indices]
    )
    wanted = 1 - torch.exp(-method.density(points) * lengths)
    inner = lengths > 0
    alive = (rays.far > rays.near)[samples.ray_indices]
    torch.testing.assert_close(samples.alphas[inner & alive], wanted[inner & alive], atol=2e-4, rtol=2e-3)


def test_density_in_front_of_the_reference_camera() -> None:
    method = method_for(FORWARD)
    directions = torch.nn.functional.normalize(torch.tensor([[0.1, 0.2, -1.0], [-0.3, 0.1, -1.0]]), dim=1)
    rays = Rays(torch.zeros(2, 3), directions, torch.zeros(2), torch.full((2,), math.inf), torch.ones(2))
    config = replace(SMALL, coarse_samples=4000, fine_samples=0, chunk=4000)
    fine = NerfMethod(config, FORWARD, 1, seeded(1))
    fine.coarse.net.load_state_dict(method.fine.net.state_dict())
    samples = fine.trace(rays).samples
    near = samples.starts < 5
    points = directions[samples.ray_indices] * samples.starts[:, None]
    wanted = 1 - torch.exp(-method.density(points) * (samples.ends - samples.starts))
    torch.testing.assert_close(samples.alphas[near], wanted[near], atol=1e-5, rtol=0.01)
    assert (method.density(torch.tensor([[0.0, 0.0, 3.0]])) == 0).all()


def test_chunks_do_not_change_a_picture() -> None:
    rays = rays_for(BOX)
    whole = method_for(BOX).trace(rays).samples
    parts = method_for(BOX, replace(SMALL, chunk=150)).trace(rays).samples
    for name in ("offsets", "starts", "ends", "alphas", "colours"):
        torch.testing.assert_close(getattr(whole, name), getattr(parts, name), atol=1e-5, rtol=1e-5)


def test_pictures_leave_out_only_what_is_not_seen() -> None:
    """Colours behind walls are not looked up; with all of them the picture is the same."""
    rays, method = rays_for(BOX), method_for(BOX)
    with torch.no_grad():
        method.fine.net.alpha_linear.weight *= 30
    samples = method.trace(rays).samples
    assert (samples.colours == 0).all(1).float().mean() > 0.2
    which = samples.ray_indices
    points = rays.origins[which] + samples.starts[:, None] * rays.directions[which]
    whole = replace(samples, colours=method.colour(points, rays.directions[which]))
    torch.testing.assert_close(composite(samples).colour, composite(whole).colour, atol=1e-4, rtol=0)


def test_one_network_alone() -> None:
    rays = rays_for(BOX)
    traced = NerfMethod(replace(SMALL, fine_samples=0), BOX, 1, seeded(1)).trace(rays)
    assert traced.coarse is None and len(traced.samples.alphas) == len(rays) * SMALL.coarse_samples


def test_nothing_is_seen_behind_a_stop() -> None:
    rays, method = rays_for(BOX), method_for(BOX)
    stop = (rays.near + rays.far) / 2
    found, whole = method.trace(rays, stop=stop).samples, method.trace(rays).samples
    limit = stop[found.ray_indices]
    assert (found.ends <= limit + 1e-6).all()
    behind = whole.starts >= limit
    assert (found.alphas[behind] == 0).all()
    before = whole.ends <= limit
    torch.testing.assert_close(found.alphas[before], whole.alphas[before], atol=1e-6, rtol=1e-5)
    everything = method.trace(rays, stop=torch.full((len(rays),), math.inf)).samples
    torch.testing.assert_close(everything.alphas, whole.alphas, atol=1e-6, rtol=1e-5)
    torch.testing.assert_close(everything.ends, whole.ends)


def test_rays_that_miss_see_nothing() -> None:
    origins = torch.tensor([[0.0, 0, 5], [0, 0, 5]])
    directions = torch.tensor([[0.0, 0, 1], [0, 0, -1]])
    rays = Rays(origins, directions, torch.zeros(2), torch.full((2,), math.inf), torch.ones(2))
    opacity = composite(method_for(BOX).trace(rays).samples).opacity
    assert opacity[0] == 0 and opacity[1] > 0
    backwards = composite(method_for(FORWARD).trace(rays.with_(origins=torch.zeros(2, 3))).samples).opacity
    assert backwards[0] == 0 and backwards[1] > 0


def test_steps_too_large_to_keep_are_recomputed_with_the_same_gradient() -> None:
    rays = rays_for(BOX)
    grads = []
    for config in (SMALL, replace(SMALL, graph=1, chunk=100)):
        method = method_for(BOX, config)
        traced = method.trace(rays, training=True, draws=seeded(4))
        assert traced.coarse is not None
        (composite(traced.samples).colour.sum() + composite(traced.coarse).colour.sum()).backward()
        grads.append(
            [value.grad for field in (method.coarse, method.fine) for value in field.net.parameters()]
        )
    for one, other in zip(*grads, strict=True):
        torch.testing.assert_close(one, other, atol=1e-4, rtol=1e-4)


def test_gradients_reach_the_cameras() -> None:
    rays = rays_for(BOX)
    moved = rays.origins.clone().requires_grad_()
    traced = method_for(BOX).trace(rays.with_(origins=moved), training=True, draws=seeded(4))
    composite(traced.samples).colour.sum().backward()
    assert moved.grad is not None and moved.grad.isfinite().all() and moved.grad.abs().sum() > 0


def test_learning_needs_draws() -> None:
    with pytest.raises(ConfigError, match="draws"):
        method_for(BOX).trace(rays_for(BOX), training=True)


def learn(method: NerfMethod, steps: int, first: int = 0) -> list[float]:
    losses = []
    for step in range(first, first + steps):
        rays = rays_for(BOX)
        traced = method.trace(rays, training=True, draws=seeded(100 + step))
        assert traced.coarse is not None
        target = torch.sigmoid(rays.directions * 3)
        loss = sum(((composite(s).colour - target) ** 2).mean() for s in (traced.samples, traced.coarse))
        assert isinstance(loss, Tensor)
        loss.backward()
        method.update(step / 20)
        losses.append(float(loss.detach()))
    return losses


def test_it_learns_and_goes_on_exactly() -> None:
    straight = method_for(BOX, replace(SMALL, rate=5e-3, noise=0.1))
    losses = learn(straight, 10)
    assert losses[-1] < 0.9 * losses[0]
    stopped = method_for(BOX, replace(SMALL, rate=5e-3, noise=0.1))
    first = learn(stopped, 6)
    again = NerfMethod(replace(SMALL, rate=5e-3, noise=0.1), BOX, 100, seeded(9))
    again.load_state_dict(stopped.state_dict())
    assert first + learn(again, 4, first=6) == losses


@pytest.fixture(scope="module")
def benchmark() -> ModuleType:
    spec = importlib.util.spec_from_file_location("nerf_twin", BENCHMARK)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules["nerf_twin"] = module  # its dataclass looks there
    spec.loader.exec_module(module)
    return module


@pytest.mark.parametrize("views", [True, False])
def test_steps_follow_an_independent_twin(views: bool, benchmark: ModuleType) -> None:
    """Same settings, same draws: losses and weights stay together."""
    config = replace(SMALL, noise=0.5, view_dependent=views)
    method = NerfMethod(config, BOX, 20, seeded(1))
    twin = benchmark.Twin(benchmark.twin_settings(config, BOX), method.state_dict())
    rays = rays_for(BOX)
    rays = rays[rays.far > rays.near]
    rays = rays.with_(cosines=torch.rand(len(rays), generator=seeded(3)) / 2 + 0.5)
    target = torch.rand(len(rays), 3, generator=seeded(8))
    ours, theirs = [], []
    for step in range(4):
        traced = method.trace(rays, training=True, draws=seeded(step))
        assert traced.coarse is not None
        white = torch.ones(3)
        loss = sum(((composite(s).over(white) - target) ** 2).mean() for s in (traced.samples, traced.coarse))
        assert isinstance(loss, Tensor)
        loss.backward()
        method.update(step / 20)
        ours.append(float(loss.detach()))
        theirs.append(twin.learn(rays, target, step / 20, seeded(step)))
    assert ours == pytest.approx(theirs, rel=2e-4)
    for name, value in twin.fine.items():
        torch.testing.assert_close(method.fine.net.state_dict()[name], value.detach(), atol=5e-4, rtol=1e-2)


def test_half_precision_is_close() -> None:
    rays = rays_for(BOX)
    full = composite(method_for(BOX).trace(rays).samples)
    half = composite(method_for(BOX, replace(SMALL, precision="bfloat16")).trace(rays).samples)
    assert (full.colour - half.colour).abs().max() < 0.05


def test_linear_light_has_no_upper_limit() -> None:
    method = NerfMethod(SMALL, BOX, 1, seeded(1), linear=True)
    with torch.no_grad():
        method.fine.net.rgb_linear.bias += 3.0
    assert method.colour(torch.zeros(1, 3), torch.tensor([[0.0, 0, 1]])).min() > 2


def test_a_state_that_does_not_fit_names_the_tensor() -> None:
    state = method_for(BOX).state_dict()
    wider = NerfMethod(replace(SMALL, width=20), BOX, 1, seeded(1))
    with pytest.raises(
        CheckpointError, match=r"coarse\.pts_linears\.0\.weight.*\(16, 21\), should be \(20, 21\)"
    ):
        wider.load_state_dict(state)


def test_published_checkpoints_see_the_world_as_it_is() -> None:
    space = NerfSpace(BOX, plain=True)
    points = torch.tensor([[1.0, 2, 3]])
    assert torch.equal(space.points(points)[0], points)
    scaled = NerfSpace(BOX, plain=False).points(torch.tensor([[2.0, 1, -1]]))
    assert torch.equal(scaled[0], torch.tensor([[1.0, 0.5, -0.5]])) and scaled[1].item() == 0.5


def test_both_files_of_the_original_program_are_found(tmp_path: Path) -> None:
    settings: dict[str, int | float | str] = {
        "depth": 3, "width": 8, "point_width": 21, "views": 1, "view_width": 15, "skips": "1", "outputs": 4,
    }  # fmt: skip
    states = {}
    for name, seed in (("model_7.npy", 0), ("model_fine_7.npy", 1)):
        state = {
            key: torch.randn(shape, generator=seeded(seed))
            for key, shape in expected_network(settings).items()
        }
        layers = [f"pts_linears.{i}" for i in range(3)]
        layers += ["feature_linear", "views_linears.0", "rgb_linear", "alpha_linear"]
        arrays = np.empty(14, dtype=object)
        arrays[:] = [x for n in layers for x in (state[f"{n}.weight"].T.numpy(), state[f"{n}.bias"].numpy())]
        np.save(tmp_path / name, arrays)
        states[name] = state
    for name in states:
        coarse, fine = load_networks(str(tmp_path / name))
        assert fine is not None
        assert torch.equal(coarse.state_dict()["rgb_linear.bias"], states["model_7.npy"]["rgb_linear.bias"])
        assert torch.equal(
            fine.state_dict()["rgb_linear.bias"], states["model_fine_7.npy"]["rgb_linear.bias"]
        )
    config = replace(SMALL, weights=str(tmp_path / "model_7.npy"))
    method = NerfMethod(config, BOX, 1, seeded())
    assert (method.coarse.octaves, method.fine.octaves) == ((3, 2),) * 2 and len(
        method.coarse.net.pts_linears
    ) == 3
    (tmp_path / "model_7.npy").unlink()
    with pytest.raises(ModelError, match=r"model_7\.npy, is not beside it"):
        load_networks(str(tmp_path / "model_fine_7.npy"))


def test_one_network_serves_for_both(tmp_path: Path) -> None:
    one = method_for(BOX).coarse.net.state_dict()
    save_state(tmp_path / "one.safetensors", dict(one))
    method = NerfMethod(replace(SMALL, weights=str(tmp_path / "one.safetensors")), BOX, 1, seeded())
    assert method.fine is method.coarse and "fine" not in method.state_dict()
    assert len(method.trace(rays_for(BOX)).samples.alphas) == 40 * 20


def test_what_was_learnt_from_a_checkpoint_needs_it_no_more(tmp_path: Path) -> None:
    save_state(tmp_path / "one.safetensors", dict(method_for(BOX).coarse.net.state_dict()))
    config = replace(SMALL, width=24, weights=str(tmp_path / "one.safetensors"))
    method = NerfMethod(config, BOX, 1, seeded())
    state, rays = method.state_dict(), rays_for(BOX)
    wanted = method.trace(rays).samples
    (tmp_path / "one.safetensors").unlink()
    again = NerfMethod(config, BOX, 1, seeded())
    for use in (lambda: again.trace(rays), again.state_dict, lambda: again.density(rays.origins)):
        with pytest.raises(ModelError, match=r"one\.safetensors"):
            use()
    again.load_state_dict(state)
    assert torch.equal(again.trace(rays).samples.alphas, wanted.alphas)


def test_odd_encodings_are_refused(tmp_path: Path) -> None:
    shapes = expected_network(
        {"depth": 2, "width": 8, "point_width": 20, "views": 0, "view_width": 0, "skips": "", "outputs": 4}
    )
    save_state(tmp_path / "odd.safetensors", {name: torch.zeros(shape) for name, shape in shapes.items()})
    with pytest.raises(CheckpointError, match="position of 20 numbers"):
        NerfMethod(replace(SMALL, weights=str(tmp_path / "odd.safetensors")), BOX, 1, seeded())
