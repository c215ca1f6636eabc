"""What a fit may learn about its photographs besides the scene: exposures, and corrected cameras."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from dreamplate.fields.rays import Rays
from dreamplate.plate.camera import Camera

__all__ = ["Refinement", "rotations"]

EXPOSURE_RATE = 2e-3
POSE_RATES = (1e-3, 1e-4)
"""At the beginning and at the end (nerfstudio's camera optimiser)."""
STILL = 1e-2
"""Weight that keeps corrections small."""


class Refinement(nn.Module):
    """Corrections of each view, nought at first.

    Args:
        views: How many.
        exposure: Learn a factor for each colour channel.
        poses: Learn a small rotation and shift of each camera.
        unit: Size of the scene; shifts are learnt in it.
    """

    def __init__(self, views: int, *, exposure: bool, poses: bool, unit: float) -> None:
        super().__init__()
        self.unit = unit
        self.gains = nn.Parameter(torch.zeros(views if exposure else 0, 3))
        self.moves = nn.Parameter(torch.zeros(views if poses else 0, 6))
        self.optimiser = torch.optim.Adam(
            [
                {"params": [self.gains], "lr": EXPOSURE_RATE, "betas": (0.9, 0.99)},
                {"params": [self.moves], "lr": POSE_RATES[0], "betas": (0.9, 0.99), "eps": 1e-15},
            ]
        )

    @property
    def idle(self) -> bool:
        """Whether there is nothing to learn."""
        return not (len(self.gains) or len(self.moves))

    def place(self, rays: Rays) -> Rays:
        """Return rays from where their cameras are believed to be; connected to the graph."""
        if not len(self.moves):
            return rays
        assert rays.views is not None
        move = self.moves[rays.views]
        turned = torch.einsum("nij,nj->ni", rotations(move[:, :3]), rays.directions)
        return rays.with_(origins=rays.origins + move[:, 3:] * self.unit, directions=turned)

    def expose(self, colour: Tensor, views: Tensor | None) -> Tensor:
        """Return colour ``(n, 3)`` as each photograph's exposure would show it, in the fit's encoding."""
        if not len(self.gains):
            return colour
        assert views is not None
        # Factors around their mean, so that brightness itself stays with the scene.
        return colour * torch.exp2(self.gains - self.gains.mean(0))[views]

    def penalty(self) -> Tensor:
        """Return what keeps corrections small."""
        views = max(1, len(self.moves), len(self.gains))
        return STILL * (self.moves.square().sum() + 0.1 * self.gains.square().sum()) / views

    def update(self, progress: float) -> None:
        """Take one step."""
        first, last = POSE_RATES
        self.optimiser.param_groups[1]["lr"] = first * (last / first) ** progress
        self.optimiser.step()
        self.optimiser.zero_grad(set_to_none=True)

    def corrected(self, cameras: tuple[Camera, ...]) -> tuple[Camera, ...]:
        """Return the cameras of the views where they are believed to be."""
        if not len(self.moves):
            return cameras
        moves = self.moves.detach().cpu().double()
        turns = rotations(moves[:, :3]).numpy()
        found = []
        for camera, turn, move in zip(cameras, turns, moves.numpy(), strict=True):
            pose = camera.camera_to_world.copy()
            pose[:3, :3] = turn @ pose[:3, :3]
            pose[:3, 3] += move[3:] * self.unit
            found.append(camera.placed(pose, camera.end))
        return tuple(found)

    def figures(self) -> dict[str, float]:
        """Return how much was corrected: degrees, world units, stops; means over views."""
        found = {}
        if len(self.moves):
            moves = self.moves.detach()
            found["pose_degrees"] = float(np.rad2deg(float(moves[:, :3].norm(dim=1).mean())))
            found["pose_shift"] = float(moves[:, 3:].norm(dim=1).mean()) * self.unit
        if len(self.gains):
            found["exposure_stops"] = float((self.gains - self.gains.mean(0)).detach().abs().mean())
        return found

    def all_state(self) -> dict[str, Any]:
        """Return parameters and what the optimiser remembers."""
        return {
            "gains": self.gains.detach(),
            "moves": self.moves.detach(),
            "optimiser": self.optimiser.state_dict(),
        }

    def load_all(self, state: Mapping[str, Any]) -> None:
        """Restore what ``all_state`` returned."""
        with torch.no_grad():
            self.gains.copy_(state["gains"])
            self.moves.copy_(state["moves"])
        self.optimiser.load_state_dict(state["optimiser"])


def rotations(vectors: Tensor) -> Tensor:
    """Return rotation matrices ``(n, 3, 3)`` of rotation vectors ``(n, 3)`` in radians (exponential map)."""
    x, y, z = vectors.unbind(1)
    o = torch.zeros_like(x)
    cross = torch.stack([o, -z, y, z, o, -x, -y, x, o], dim=1).view(-1, 3, 3)
    found: Tensor = torch.linalg.matrix_exp(cross)
    return found
