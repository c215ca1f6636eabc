"""Planes, contraction and proposal samplers compute what K-Planes computes."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import torch

from dreamplate.fields.activations import truncated_exp
from dreamplate.fields.contraction import contract, normalise
from dreamplate.fields.planes import (
    draw_planes,
    plane_features,
    second_difference,
    time_smoothness,
    total_variation,
    variation,
)
from dreamplate.fields.proposals import (
    SPACINGS,
    density_weights,
    interlevel_loss,
    redraw,
    spaced,
    to_distance,
)
from dreamplate.fields.volume import over
from parity import fixture


def numbers(text: str) -> torch.Tensor:
    return torch.tensor([float(number) for number in re.findall(r"-?\d*\.?\d+", text)])


@pytest.mark.parametrize("name", ["k_planes_3d", "k_planes_4d"])
def test_parity_k_planes(name: str, shared_dir: Path) -> None:
    f = fixture(shared_dir, name)
    a = f.arguments
    drawn = draw_planes(
        a["resolution"], a["output_coordinate_dim"], a["multiscale_res"], torch.Generator().manual_seed(0)
    )
    levels = [
        [f.weights[f"grids.{level}.{plane}"] for plane in range(len(planes))]
        for level, planes in enumerate(drawn)
    ]
    assert [[p.shape for p in planes] for planes in levels] == [[p.shape for p in planes] for planes in drawn]
    assert sum(map(len, levels)) == len(f.weights)
    joined = a["concat_features"]
    f.check("features", plane_features(f.given("points"), levels, concatenate=joined))
    f.check("features_first_level", plane_features(f.given("points"), levels[:1], concatenate=joined))
    f.check("plane_tv", torch.stack([variation(plane) for plane in levels[0]]))
    f.check("plane_smoothness", torch.stack([second_difference(plane) for plane in levels[0]]))
    f.check("regulariser_plane_tv", total_variation(levels))
    f.check("regulariser_time_smoothness", time_smoothness(levels))
    world = f.given("world_points")
    outputs = f.about["outputs"]
    low, high = numbers(outputs["out.normalized_points"]["meaning"].split(" to ")[0]).split(3)
    f.check("normalized_points", normalise(world, torch.stack([low, high])))
    scale, shift = numbers(outputs["out.contracted_inf"]["meaning"]).split(3)
    f.check("contracted_inf", contract(world * scale + shift, "max"))
    f.check("contracted_l2", contract(world, "euclidean"))
    f.check("density", truncated_exp(4 * world[:, 0] - 1))
    f.finish()


def test_parity_k_planes_samplers(shared_dir: Path) -> None:
    f = fixture(shared_dir, "k_planes_samplers")
    a = f.arguments
    near, far, count = f.given("near"), f.given("far"), a["num_samples"]
    for name, spacing in SPACINGS.items():
        edges, share = spaced(near, far, count, spacing)
        f.check(f"{name}_edges", edges)
    assert name == "piecewise"
    middles = (edges[:, 1:] + edges[:, :-1]) / 2
    f.check("positions", f.given("rays_o")[:, None] + middles[..., None] * f.given("rays_d")[:, None])
    weights, _ = density_weights(f.given("densities")[..., 0], edges)
    f.check("weights", weights[..., None])
    finer = redraw(share, weights, a["num_fine"], padding=a["histogram_padding"])
    f.check("pdf_spacing", finer)
    fine_edges = to_distance(finer, near, far, spacing)
    f.check("pdf_edges", fine_edges)
    fine, _ = density_weights(f.given("densities_fine")[..., 0], fine_edges)
    f.check("interlevel_loss", interlevel_loss(finer, fine, [(share, weights)]))
    opacity = fine.sum(1, keepdim=True)
    grey = numbers(f.about["outputs"]["out.rgb"]["meaning"])
    f.check("rgb", over((fine[..., None] * f.given("rgb_fine")).sum(1), opacity, grey))
    # The reference adds the direction's z to the depth of what is seen; we do not, outside this test.
    depth = (fine * (fine_edges[:, 1:] + fine_edges[:, :-1]) / 2).sum(1, keepdim=True)
    f.check("depth", depth + opacity * f.given("rays_d")[:, 2:])
    f.finish()
