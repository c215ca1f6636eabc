"""Several scorers as one: the cosine of the whole is the weighted mean of theirs."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from dreamplate.dream.scorers import Scorer
from dreamplate.errors import ConfigError
from dreamplate.nets.efficientnet_lite import Layer


class EnsembleScorer(nn.Module):
    """The members' unit vectors side by side, each scaled by the root of its share of the weight.

    Such a vector has unit length, and the product of two is the sum over the members of share times cosine.

    When every member is flexible, so is the whole, and each sees pictures as they come. Otherwise ``size`` is
    the largest side among the members that are not flexible, and each member sees the picture at its own.

    Args:
        members: Scorers.
        weights: One for each, above 0; equal when not given.

    Raises:
        ConfigError: There are no members, or the weights are not one positive number for each.
    """

    encode_with_layers: Callable[[Tensor], tuple[Tensor, list[Layer]]]
    """Only there when a member has it: like :meth:`encode_image`, with those members' layers in a row."""

    def __init__(self, members: Sequence[Scorer], weights: Sequence[float] | None = None) -> None:
        super().__init__()
        weights = [1.0] * len(members) if weights is None else list(weights)
        if not members or len(weights) != len(members):
            raise ConfigError(f"an ensemble of {len(members)} scorers has {len(weights)} weights; one each")
        if not all(0 < weight < math.inf for weight in weights):
            raise ConfigError(f"scorer weights are {weights}; use numbers above 0")
        encodings = {member.encoding for member in members}
        if len(encodings) > 1:
            raise ConfigError(
                f"scorers want pictures coded as {' and '.join(sorted(encodings))}; use one kind"
            )
        self.members = tuple(members)
        # Those that are networks are registered, so that they move to a device together.
        self.networks = nn.ModuleList(member for member in members if isinstance(member, nn.Module))
        self.shares = tuple(weight / sum(weights) for weight in weights)
        self.name = " + ".join(
            member.name if weight == 1 else f"{weight:g}*{member.name}"
            for member, weight in zip(members, weights, strict=True)
        )
        self.encoding = members[0].encoding
        self.dim = sum(member.dim for member in members)
        self.flexible = all(_flexible(member) for member in members)
        fixed = [member.size for member in members if not _flexible(member)]
        self.size = max(fixed or [member.size for member in members])
        if any(hasattr(member, "encode_with_layers") for member in members):
            self.encode_with_layers = self._with_layers

    @property
    def notices(self) -> list[str]:
        """What members have to say and have not said; taken from them when it is read."""
        found: list[str] = []
        for member in self.members:
            own = getattr(member, "notices", [])
            found += own
            own.clear()
        return found

    @property
    def device(self) -> torch.device:
        """Where the first member computes."""
        weight = next(self.parameters(), torch.empty(0))
        return torch.device(getattr(self.members[0], "device", weight.device))

    def encode_image(self, images: Tensor) -> Tensor:
        """Pictures ``(n, 3, h, w)``, display-encoded in [0, 1], to unit vectors ``(n, dim)``."""
        return self._join([member.encode_image(self._seen(member, images)) for member in self.members])

    @torch.no_grad()
    def encode_text(self, texts: Sequence[str]) -> Tensor:
        """``n`` texts to unit vectors ``(n, dim)``."""
        return self._join([member.encode_text(texts) for member in self.members])

    def split(self, vectors: Tensor) -> list[Tensor]:
        """Cut vectors ``(n, dim)`` into the members' own, ``(n, member.dim)`` of unit length each."""
        parts = torch.split(vectors, [member.dim for member in self.members], dim=-1)
        return [F.normalize(part, dim=-1) for part in parts]

    def _with_layers(self, images: Tensor) -> tuple[Tensor, list[Layer]]:
        vectors: list[Tensor] = []
        layers: list[Layer] = []
        for member in self.members:
            seen = self._seen(member, images)
            layered = getattr(member, "encode_with_layers", None)
            if layered is None:
                vectors.append(member.encode_image(seen))
            else:
                vector, found = layered(seen)
                vectors.append(vector)
                layers += found
        return self._join(vectors), layers

    def _seen(self, member: Scorer, images: Tensor) -> Tensor:
        if self.flexible or tuple(images.shape[-2:]) == (member.size, member.size):
            return images
        sides = (member.size, member.size)
        return F.interpolate(images, size=sides, mode="bicubic", antialias=True).clamp(0, 1)

    def _join(self, vectors: Sequence[Tensor]) -> Tensor:
        scaled = [vector * share**0.5 for vector, share in zip(vectors, self.shares, strict=True)]
        return torch.cat(scaled, dim=-1)


def _flexible(member: Scorer) -> bool:
    return bool(getattr(member, "flexible", False))
