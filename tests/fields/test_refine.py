"""Corrections of views: rotations are rotations, a moved camera is found, exposures keep the mean."""

from __future__ import annotations

from copy import deepcopy

import numpy as np
import torch

from dreamplate.fields.rays import Rays, camera_rays
from dreamplate.fields.refine import Refinement, rotations
from dreamplate.plate.camera import Camera, look_at


def test_rotations_are_rotations() -> None:
    vectors = torch.randn(10, 3, generator=torch.Generator().manual_seed(1)).double()
    turns = rotations(vectors)
    torch.testing.assert_close(turns @ turns.mT, torch.eye(3).double().expand(10, 3, 3))
    torch.testing.assert_close(torch.linalg.det(turns), torch.ones(10).double())
    torch.testing.assert_close((turns @ vectors[:, :, None])[:, :, 0], vectors)  # the axis stays
    angle = torch.arccos(((turns.diagonal(dim1=1, dim2=2).sum(1) - 1) / 2).clamp(-1, 1))
    wanted = vectors.norm(dim=1) % (2 * torch.pi)
    torch.testing.assert_close(angle, torch.minimum(wanted, 2 * torch.pi - wanted))
    torch.testing.assert_close(rotations(torch.zeros(1, 3)), torch.eye(3)[None])


def cameras() -> tuple[Camera, ...]:
    places = [(3, 0, 0), (0, 3, 1), (-2, -2, 0.5)]
    return tuple(Camera.from_fov(16, 12, 50, look_at(place, (0, 0, 0))) for place in places)


def test_nothing_is_corrected_at_first() -> None:
    given = cameras()
    refinement = Refinement(3, exposure=True, poses=True, unit=2.0)
    for camera, corrected in zip(given, refinement.corrected(given), strict=True):
        np.testing.assert_allclose(corrected.camera_to_world, camera.camera_to_world, atol=1e-12)
    rays = camera_rays(given[0]).with_(views=torch.zeros(16 * 12, dtype=torch.int64))
    assert torch.allclose(refinement.place(rays).directions, rays.directions, atol=1e-6)


def test_rays_follow_the_corrected_cameras() -> None:
    given = cameras()
    refinement = Refinement(3, exposure=False, poses=True, unit=2.0)
    with torch.no_grad():
        refinement.moves.copy_(torch.randn(3, 6, generator=torch.Generator().manual_seed(2)) * 0.05)
    for number, (camera, corrected) in enumerate(zip(given, refinement.corrected(given), strict=True)):
        rays = camera_rays(camera).with_(views=torch.full((16 * 12,), number))
        moved, wanted = refinement.place(rays), camera_rays(corrected)
        torch.testing.assert_close(moved.origins, wanted.origins, atol=1e-5, rtol=1e-5)
        torch.testing.assert_close(moved.directions, wanted.directions, atol=1e-5, rtol=1e-5)


def test_a_moved_camera_is_found_again() -> None:
    truth = cameras()[0]
    wrong = truth.placed(truth.camera_to_world @ _small_turn(0.03, [0.2, 1.0, 0.1], (0.02, -0.03, 0.01)))
    refinement = Refinement(1, exposure=False, poses=True, unit=1.0)
    goal, views = camera_rays(truth), torch.zeros(16 * 12, dtype=torch.int64)
    rays = camera_rays(wrong).with_(views=views)

    def error(placed: Rays) -> torch.Tensor:
        ends = [ray.origins + 3 * ray.directions for ray in (placed, goal)]
        near = (placed.origins - goal.origins).square().sum(1)
        return ((ends[0] - ends[1]).square().sum(1) + near).mean()

    before = float(error(refinement.place(rays)).detach())
    for step in range(300):
        loss = error(refinement.place(rays)) + 0 * refinement.penalty()
        loss.backward()
        refinement.update(step / 300)
    assert float(error(refinement.place(rays)).detach()) < 0.01 * before
    assert refinement.figures()["pose_degrees"] > 1


def test_exposures_keep_the_mean() -> None:
    refinement = Refinement(4, exposure=True, poses=False, unit=1.0)
    with torch.no_grad():
        refinement.gains.copy_(torch.randn(4, 3, generator=torch.Generator().manual_seed(3)))
    shown = refinement.expose(torch.ones(4, 3), torch.arange(4))
    torch.testing.assert_close(shown.log2().mean(0), torch.zeros(3), atol=1e-6, rtol=0)


def test_corrections_come_back_from_their_state() -> None:
    first, second = (Refinement(2, exposure=True, poses=True, unit=1.0) for _ in range(2))
    for step in range(3):
        (first.moves.sum() + first.gains.square().sum() + first.gains[0].sum()).backward()
        first.update(step / 3)
    second.load_all(deepcopy(first.all_state()))
    for refinement in (first, second):
        (refinement.moves.square().sum() + refinement.gains.sum()).backward()
        refinement.update(0.5)
    assert torch.equal(first.moves, second.moves) and torch.equal(first.gains, second.gains)


def _small_turn(angle: float, axis: list[float], shift: tuple[float, float, float]) -> np.ndarray:
    vector = torch.tensor([axis]).double()
    matrix = np.eye(4)
    matrix[:3, :3] = rotations(vector / vector.norm() * angle)[0].numpy()
    matrix[:3, 3] = shift
    return matrix


def test_what_holds_a_view_back_does_not_grow_with_their_number() -> None:
    for exposure, poses in ((True, False), (False, True), (True, True)):
        penalties = []
        for views in (1, 100):
            refinement = Refinement(views, exposure=exposure, poses=poses, unit=1.0)
            with torch.no_grad():
                refinement.gains.fill_(0.5)
                refinement.moves.fill_(0.5)
            penalties.append(float(refinement.penalty().detach()))
        assert penalties[0] > 0
        assert abs(penalties[1] / penalties[0] - 1) < 1e-5
