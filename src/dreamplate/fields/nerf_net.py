"""NeRF's network: encoded position and direction to raw colour and density.

Mildenhall et al., "NeRF", 2020, figure 7; layers, their order and names as in the published PyTorch program:

    position ─ pts_linears (8 × 256, ReLU; position again after layer 4) ─┬─ alpha_linear ── density
                                                                          └─ feature_linear ┐
    direction ──────────────────────────────────────── views_linears.0 (128, ReLU) ─ rgb_linear ── colour

Without a direction, ``output_linear`` gives both. The paper's text says that the colour branch has four
layers; its program and figure have one.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn

from dreamplate.errors import CheckpointError
from dreamplate.models.layouts.nerf import expected_network, infer_network

__all__ = ["NerfNet"]


class NerfNet(nn.Module):
    """A radiance field in one network.

    Args:
        depth: Layers of the trunk.
        width: Their channels.
        point_width: Numbers in an encoded position.
        view_width: Numbers in an encoded direction; None, colour does not depend on it.
        skips: After these layers the position is put in front of the features again.
        outputs: Raw channels without direction (the published program has 5 there and reads 4).
        draws: Weights are drawn from it (Glorot uniform, biases 0, as in the original program); without it
            all weights are zero.
    """

    def __init__(
        self,
        depth: int = 8,
        width: int = 256,
        *,
        point_width: int = 63,
        view_width: int | None = 27,
        skips: Sequence[int] = (4,),
        outputs: int = 4,
        draws: torch.Generator | None = None,
    ) -> None:
        super().__init__()
        self.point_width, self.view_width = point_width, view_width
        self.skips = frozenset(skips)
        widths = [point_width] + [width + point_width * (i in self.skips) for i in range(depth - 1)]
        self.pts_linears = nn.ModuleList(nn.Linear(inside, width) for inside in widths)
        joined = width + point_width * (depth - 1 in self.skips)
        if view_width is None:
            self.output_linear = nn.Linear(joined, outputs)
        else:
            self.alpha_linear = nn.Linear(joined, 1)
            self.feature_linear = nn.Linear(joined, width)
            self.views_linears = nn.ModuleList([nn.Linear(width + view_width, width // 2)])
            self.rgb_linear = nn.Linear(width // 2, 3)
        for name, values in self.named_parameters():
            if draws is not None and name.endswith("weight"):
                bound = (6 / sum(values.shape)) ** 0.5
                values.data = (torch.rand(values.shape, generator=draws) * 2 - 1) * bound
            else:
                nn.init.zeros_(values)

    @classmethod
    def from_state(cls, state: Mapping[str, Tensor]) -> NerfNet:
        """Build the network that tensors of the published names describe.

        Raises:
            CheckpointError: A tensor is missing, is of another shape, or is no part of the network.
        """
        shapes = {name: tuple(tensor.shape) for name, tensor in state.items()}
        settings = infer_network(shapes)
        needed = expected_network(settings)
        for name, shape in needed.items():
            if shapes.get(name) != shape:
                found = shapes.get(name, "missing")
                raise CheckpointError(f"nerf network: tensor {name!r} is {found}, should be {shape}")
        extra = sorted(set(shapes) - set(needed))
        if extra:
            raise CheckpointError(
                f"nerf network: tensor {extra[0]!r} is no part of it; use a plain checkpoint"
            )
        views = int(settings["view_width"])
        net = cls(
            int(settings["depth"]),
            int(settings["width"]),
            point_width=int(settings["point_width"]),
            view_width=views if settings["views"] else None,
            skips=[int(skip) for skip in str(settings["skips"]).split()],
            outputs=int(settings["outputs"]),
        )
        net.load_state_dict({name: tensor.float() for name, tensor in state.items()})
        return net

    def forward(
        self, points: Float[Tensor, "n p"], views: Float[Tensor, "n v"] | None = None
    ) -> Float[Tensor, "n c"]:
        """Return raw red, green, blue and density (before sigmoid and rectifier).

        Args:
            points: Encoded positions.
            views: Encoded unit directions; not looked at by a network without directions.
        """
        features = self.trunk(points)
        if self.view_width is None:
            raw: Tensor = self.output_linear(features)
            return raw
        assert views is not None
        return torch.cat([self.colour(features, views), self.alpha_linear(features)], dim=-1)

    def trunk(self, points: Float[Tensor, "n p"]) -> Float[Tensor, "n w"]:
        """Return what density and colour are made from."""
        features = points
        for index, layer in enumerate(self.pts_linears):
            features = F.relu(layer(features))
            if index in self.skips:
                features = torch.cat([points, features], dim=-1)
        return features

    def density(self, features: Float[Tensor, "n w"]) -> Float[Tensor, " n"]:
        """Return raw density from the trunk's features."""
        if self.view_width is None:
            raw: Tensor = self.output_linear(features)[:, 3]
            return raw
        alone: Tensor = self.alpha_linear(features)[:, 0]
        return alone

    def colour(
        self, features: Float[Tensor, "n w"], views: Float[Tensor, "n v"] | None
    ) -> Float[Tensor, "n 3"]:
        """Return raw colour from the trunk's features."""
        if self.view_width is None:
            raw: Tensor = self.output_linear(features)[:, :3]
            return raw
        assert views is not None
        joined = torch.cat([self.feature_linear(features), views], dim=-1)
        shown: Tensor = self.rgb_linear(F.relu(self.views_linears[0](joined)))
        return shown
