"""What cameras see: pyramids against the projection of the cameras themselves."""

from __future__ import annotations

import numpy as np
import torch

from dreamplate.fields.seen import any_sees, pyramids
from dreamplate.plate.camera import Camera, look_at
from dreamplate.plate.lens import Lens

STRAIGHT = Camera.from_fov(40, 30, 50, look_at((0, -3, 1), (0, 0, 0)))


def points(count: int = 2000) -> torch.Tensor:
    return torch.rand((count, 3), generator=torch.Generator().manual_seed(0)) * 8 - 4


def inside(camera: Camera, places: torch.Tensor) -> torch.Tensor:
    pixels, depth = camera.project(places.double().numpy())
    size = np.array([camera.width, camera.height])
    return torch.from_numpy((depth > 0) & (pixels >= 0).all(1) & (pixels <= size).all(1))


def test_a_point_is_seen_where_it_projects_into_the_picture() -> None:
    other = STRAIGHT.placed(look_at((3, 1, -1), (0, 0, 0)))
    found = any_sees(pyramids([STRAIGHT, other]), points())
    wanted = inside(STRAIGHT, points()) | inside(other, points())
    assert 50 < int(wanted.sum()) < 1950
    assert int((found != wanted).sum()) <= 2  # float32 at the border


def test_a_bent_lens_sees_no_less_than_its_picture() -> None:
    bent = STRAIGHT.with_(lens=Lens("perspective", {"k1": 0.1}))
    found = any_sees(pyramids([bent]), points())
    assert bool(found[inside(bent, points())].all())
    assert not bool(found.all())


def test_balls_are_seen_by_their_nearest_part() -> None:
    behind = torch.tensor([[0.0, -3.2, 1.07]])
    assert not bool(any_sees(pyramids([STRAIGHT]), behind))
    assert bool(any_sees(pyramids([STRAIGHT]), behind, 0.3))


def test_a_camera_of_the_whole_sphere_sees_all() -> None:
    focal = STRAIGHT.width / (2 * np.pi)
    sphere = STRAIGHT.with_(lens=Lens("equirectangular"), fx=focal, fy=focal)
    assert bool(any_sees(pyramids([sphere]), points()).all())
