"""NeRF computes what the published PyTorch program computes."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from dreamplate.fields.compositing import composite
from dreamplate.fields.frequency import encode_frequencies
from dreamplate.fields.ndc import distance_to_ndc, ndc_points, ndc_rays, ndc_to_distance, pinhole_sides
from dreamplate.fields.nerf import NerfMethod
from dreamplate.fields.nerf_config import NerfConfig
from dreamplate.fields.nerf_net import NerfNet
from dreamplate.fields.raw_outputs import LIGHT_FLOOR, raw_to_outputs
from dreamplate.fields.rays import Rays, Samples, camera_rays
from dreamplate.fields.sampling import inverse_cdf, midpoints
from dreamplate.fields.spaces import Extent
from dreamplate.fields.volume import batched_weights
from dreamplate.models.find import find_weights
from dreamplate.plate.camera import Camera, look_at
from parity import fixture

EVERYWHERE = Extent("box", np.array([[-100.0] * 3, [100.0] * 3]), 0.1, 400.0, np.eye(4))


def test_parity_nerf_embedding(shared_dir: Path) -> None:
    f = fixture(shared_dir, "nerf_embedding")
    f.check("points", encode_frequencies(f.given("x"), f.arguments["multires"]))
    f.check("views", encode_frequencies(f.given("x"), f.arguments["multires_views"]))
    f.finish()


def test_parity_nerf_mlp(shared_dir: Path) -> None:
    f = fixture(shared_dir, "nerf_mlp")
    net = NerfNet.from_state(f.weights)
    arguments = f.arguments
    assert (net.point_width, net.view_width) == (arguments["input_ch"], arguments["input_ch_views"])
    assert sorted(net.skips) == arguments["skips"] and len(net.pts_linears) == arguments["D"]
    points, views = f.given("x").split([arguments["input_ch"], arguments["input_ch_views"]], dim=1)
    with torch.no_grad():
        f.check("raw", net(points, views))
    f.finish()


def test_parity_nerf_mlp_no_views(shared_dir: Path) -> None:
    f = fixture(shared_dir, "nerf_mlp_no_views")
    state, settings = find_weights(
        str(shared_dir / "parity" / "nerf_mlp_no_views" / "weights.safetensors"), "nerf"
    )
    assert settings["network_depth"] == f.arguments["D"] and settings["network_width"] == f.arguments["W"]
    net = NerfNet.from_state({name.removeprefix("network."): tensor for name, tensor in state.items()})
    with torch.no_grad():
        f.check("raw", net(f.given("x")))
    f.finish()


def test_parity_nerf_rays(shared_dir: Path) -> None:
    f = fixture(shared_dir, "nerf_rays")
    height, width, focal, near = (f.arguments[name] for name in ("H", "W", "focal", "near"))
    theta, phi = np.radians([f.arguments["theta"], f.arguments["phi"]])
    place = np.array([np.sin(theta) * np.cos(phi), np.cos(theta) * np.cos(phi), -np.sin(phi)])
    orbit = look_at(f.arguments["radius"] * place, (0, 0, 0))
    f.check("c2w_spherical", torch.from_numpy(orbit).float())
    k = f.given("K").double().numpy()
    for pose, prefix in ((orbit, ""), (f.given("c2w_forward").double().numpy(), "forward_")):
        camera = Camera(width, height, k[0, 0], k[1, 1], k[0, 2], k[1, 2], pose)
        # The program's pixel (i, j) looks through our continuous position (i, j): it has no half-pixel shift.
        rays = camera_rays(camera, torch.from_numpy(camera.pixel_centres() - 0.5))
        directions = rays.directions / rays.cosines[:, None]
        f.check(f"{prefix}rays_o", rays.origins.reshape(height, width, 3))
        f.check(f"{prefix}rays_d", directions.reshape(height, width, 3))
    sides = pinhole_sides(width, height, focal)
    start, along = ndc_rays(rays.origins, directions, near, sides)
    f.check("ndc_o", start.reshape(height, width, 3))
    f.check("ndc_d", along.reshape(height, width, 3))
    f.finish()
    # Places along both rays are the same points.
    places = torch.linspace(0, 0.9, 7).expand(len(rays), 7)
    distances = ndc_to_distance(places, rays.origins, directions, near)
    points = rays.origins[:, None] + distances[..., None] * directions[:, None]
    torch.testing.assert_close(
        ndc_points(points, near, sides),
        start[:, None] + places[..., None] * along[:, None],
        atol=2e-5,
        rtol=0,
    )
    back = distance_to_ndc(distances, rays.origins, directions, near)
    torch.testing.assert_close(back, places, atol=1e-5, rtol=0)


def test_parity_nerf_raw2outputs(shared_dir: Path) -> None:
    f = fixture(shared_dir, "nerf_raw2outputs")
    lengths = f.given("rays_d").norm(dim=1)
    found = raw_to_outputs(f.given("raw"), f.given("z_vals"), lengths)
    f.check("rgb", found.colour)
    f.check("disp", found.disparity)
    f.check("acc", found.opacity)
    f.check("weights", found.weights)
    f.check("depth", found.depth)
    f.check("rgb_white", raw_to_outputs(f.given("raw"), f.given("z_vals"), lengths, white=True).colour)
    f.finish()


def test_parity_nerf_sample_pdf(shared_dir: Path) -> None:
    f = fixture(shared_dir, "nerf_sample_pdf")
    assert f.arguments["det"]
    f.check("samples", inverse_cdf(f.given("bins"), f.given("weights"), f.arguments["N_samples"]))
    f.finish()


def shown(samples: Samples) -> tuple[Tensor, Tensor, Tensor]:
    """Colour, the program's disparity and opacity of what a method traced."""
    found = composite(samples)
    count = len(samples)
    places = samples.starts.reshape(count, -1)
    depth = (found.weights.reshape(count, -1) * places).sum(1)
    return found.colour, 1 / (depth / found.opacity).clamp_min(1e-10), found.opacity


def test_parity_nerf_render_rays(shared_dir: Path) -> None:
    f = fixture(shared_dir, "nerf_render_rays")
    a = f.arguments
    origins, directions, near, far, views = f.given("rays").split([3, 3, 1, 1, 3], dim=1)
    lengths = directions.norm(dim=1)
    torch.testing.assert_close(directions / lengths[:, None], views)
    # As the program has them, since importance samples in nearly empty space follow the last bits.
    rays = Rays(origins, directions, near[:, 0], far[:, 0], 1 / lengths)
    config = NerfConfig(
        weights=str(shared_dir / "parity" / "nerf_render_rays" / "weights.safetensors"),
        coarse_samples=a["N_samples"],
        fine_samples=a["N_importance"],
        disparity=a["lindisp"],
        chunk=7 * (a["N_samples"] + a["N_importance"]),  # several chunks, the last one smaller
    )
    draws = torch.Generator()
    method = NerfMethod(config, EVERYWHERE, 1, draws)
    assert method.coarse.octaves == method.fine.octaves == (a["multires"], a["multires_views"])
    traced = method.trace(rays)
    for name, values in zip(("rgb_map", "disp_map", "acc_map"), shown(traced.samples), strict=True):
        f.check(name, values)
    places = traced.samples.starts.reshape(len(rays), -1)
    points = origins[:, None] + places[..., None] * directions[:, None]
    with torch.no_grad():
        encoded = encode_frequencies(views, a["multires_views"])[:, None].expand(-1, places.shape[1], -1)
        raw = method.fine.net(encode_frequencies(points, a["multires"]).flatten(0, 1), encoded.flatten(0, 1))
    f.check("raw", raw.reshape(*places.shape, 4))

    only = NerfConfig(**{**config.__dict__, "fine_samples": 0})
    coarse = NerfMethod(only, EVERYWHERE, 1, draws).trace(rays).samples
    for name, values in zip(("rgb0", "disp0", "acc0"), shown(coarse), strict=True):
        f.check(name, values)
    first = coarse.starts.reshape(len(rays), -1)
    weights, _ = batched_weights(coarse.alphas.reshape(len(rays), -1), LIGHT_FLOOR)
    second = inverse_cdf(midpoints(first), weights[:, 1:-1], a["N_importance"])
    spread = f.about["tolerance"]["z_std_max_abs_error"]
    f.check("z_std", second.std(dim=1, unbiased=False), spread)
    f.finish()
