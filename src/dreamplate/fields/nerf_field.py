"""A NeRF network together with the encodings that it takes."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor

from dreamplate.errors import CheckpointError
from dreamplate.fields.frequency import encode_frequencies, encoded_width
from dreamplate.fields.nerf_config import NerfConfig
from dreamplate.fields.nerf_net import NerfNet

__all__ = ["NerfField"]


class NerfField:
    """Positions and directions to raw outputs.

    Args:
        net: The network; how many octaves it takes follows from its widths.
        device: Where to.
        source: Where it comes from, for messages.

    Raises:
        CheckpointError: It takes an encoding that is not NeRF's.
    """

    def __init__(self, net: NerfNet, device: torch.device, source: str = "nerf network") -> None:
        self.net = net.to(device)
        counts = []
        for what, wide in (("position", net.point_width), ("direction", net.view_width)):
            if wide is not None and (wide < 3 or (wide - 3) % 6):
                raise CheckpointError(
                    f"{source}: takes a {what} of {wide} numbers; 3, and 6 more for each octave, are known"
                )
            counts.append(0 if wide is None else (wide - 3) // 6)
        self.octaves = (counts[0], counts[1])

    @classmethod
    def drawn(cls, config: NerfConfig, device: torch.device, draws: torch.Generator) -> NerfField:
        """Return a fresh field of the configured size."""
        net = NerfNet(
            config.depth,
            config.width,
            point_width=encoded_width(3, config.position_frequencies),
            view_width=encoded_width(3, config.view_frequencies) if config.view_dependent else None,
            skips=config.skips,
            draws=draws,
        )
        return cls(net, device)

    def views(self, directions: Tensor) -> Tensor | None:
        """Return encoded directions ``(n, v)``, or None where the network takes none."""
        return None if self.net.view_width is None else encode_frequencies(directions, self.octaves[1])

    def raw(self, points: Tensor, views: Tensor | None, rows: Tensor) -> Tensor:
        """Return raw colour and density ``(m, 4)``.

        Args:
            points: ``(m, 3)``.
            views: Encoded directions ``(n, v)``.
            rows: ``(m,)`` which of them each point is seen along.
        """
        seen = None if views is None else views[rows]
        found: Tensor = self.net(encode_frequencies(points, self.octaves[0]), seen)
        return found[:, :4].float()

    def density(self, points: Tensor) -> tuple[Tensor, Tensor]:
        """Return features ``(m, w)``, from which colour follows, and density ``(m,)``, at least 0."""
        features = self.net.trunk(encode_frequencies(points, self.octaves[0]))
        return features, torch.relu(self.net.density(features).float())

    def colour(self, features: Tensor, views: Tensor | None, rows: Tensor) -> Tensor:
        """Return raw colour ``(m, 3)`` for features and the rows of encoded directions."""
        return self.net.colour(features, None if views is None else views[rows]).float()

    def fill(self, state: Mapping[str, Tensor], part: str) -> None:
        """Take weights over.

        Raises:
            CheckpointError: A tensor is missing or of another shape; the message names it.
        """
        for name, tensor in self.net.state_dict().items():
            found = state.get(name)
            if found is None or found.shape != tensor.shape:
                what = "missing" if found is None else tuple(found.shape)
                raise CheckpointError(
                    f"state of nerf: tensor '{part}.{name}' is {what}, should be {tuple(tensor.shape)}"
                )
        self.net.load_state_dict(state)
