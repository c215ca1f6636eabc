"""Compositing and sampling compute what nerfacc computes: the twin, the references and the kernel."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from torch import Tensor

from dreamplate.fields import volume
from dreamplate.fields.compositing import composite_packed, composite_twin
from dreamplate.fields.sampling import ray_boxes, resample
from parity import fixture

Composite = Callable[[Tensor, Tensor, Tensor, Tensor], tuple[Tensor, Tensor, Tensor, Tensor]]


@pytest.mark.parametrize("composite", [composite_packed, composite_twin])
def test_parity_nerfacc_rendering(composite: Composite, shared_dir: Path) -> None:
    f = fixture(shared_dir, "nerfacc_rendering")
    background, rays = f.given("background"), f.arguments["n_rays"]
    limits = {"early_stop": f.arguments["early_stop_eps"], "threshold": f.arguments["alpha_thre"]}
    eps = torch.finfo(torch.float32).eps

    # Batched.
    starts, ends = f.given("t_starts"), f.given("t_ends")
    alphas = volume.alphas_from_density(f.given("sigmas"), ends - starts)
    weights, light = volume.batched_weights(alphas)
    f.check("alphas", alphas)
    f.check("weights", weights)
    f.check("trans", light)
    f.check("weights_from_alpha", volume.batched_weights(f.tensors["out.alphas"])[0])
    even = torch.arange(rays + 1) * f.arguments["n_samples"]
    mids = ((starts + ends) / 2).flatten()
    _, colour, opacity, depth = composite(even, alphas.flatten(), f.given("rgbs").flatten(0, 1), mids)
    f.check("colors", volume.over(colour, opacity[:, None], background))
    f.check("opacities", opacity[:, None])
    f.check("depths", (depth / opacity.clamp_min(eps))[:, None])
    f.check("depths_accumulated", depth[:, None])
    mean, _, _ = volume.ray_depths(weights, starts, ends)
    f.check("depths", mean[:, None])

    # Flattened.
    starts, ends = f.given("packed_t_starts"), f.given("packed_t_ends")
    offsets = volume.offsets_of(f.given("packed_ray_indices"), rays)
    f.check("packed_info", torch.stack([offsets[:-1], offsets[1:] - offsets[:-1]], dim=1))
    alphas = volume.alphas_from_density(f.given("packed_sigmas"), ends - starts)
    f.check("packed_alphas", alphas)
    weights, light = volume.packed_weights(alphas, offsets)
    f.check("packed_weights", weights)
    f.check("packed_trans", light)
    f.check("packed_opacities", volume.accumulate(weights, offsets))
    mids = (starts + ends) / 2
    weights, colour, opacity, depth = composite(offsets, alphas, f.given("packed_rgbs"), mids)
    f.check("packed_weights", weights)
    f.check("packed_colors", volume.over(colour, opacity[:, None], background))
    f.check("packed_opacities", opacity[:, None])
    f.check("packed_depths", (depth / opacity.clamp_min(eps))[:, None])
    f.check("packed_visible", volume.visible(light, alphas, **limits))
    given = f.given("packed_alphas")
    weights, light = volume.packed_weights(given, offsets)
    f.check("packed_weights_from_alpha", weights)
    f.check("packed_trans_from_alpha", light)
    f.check("packed_weights_from_alpha", composite(offsets, given, f.given("packed_rgbs"), mids)[0])
    f.check("packed_visible_from_alpha", volume.visible(light, given, **limits))
    spread = volume.packed_distortion(f.tensors["out.packed_weights"], starts, ends, offsets)
    f.check("distortion", spread[:, None])
    f.finish()


def test_parity_nerfacc_sampling(shared_dir: Path) -> None:
    f = fixture(shared_dir, "nerfacc_sampling")
    a = f.arguments
    edges, centres = resample(
        f.given("bins"), f.given("weights"), a["num_samples"], low=a["vmin"], high=a["vmax"]
    )
    f.check("samples", edges)
    f.check("centers", centres)
    enter, leave, hit = ray_boxes(
        f.given("rays_o"),
        f.given("rays_d"),
        f.given("aabbs"),
        near=a["near_plane"],
        far=a["far_plane"],
        missed=a["miss_value"],
    )
    f.check("t_min", enter)
    f.check("t_max", leave)
    f.check("hits", hit)
    f.finish()
