"""Ports: what a model is given and what it makes, in terms of plates.

A network sees tensors of -1 to 1 or class indices. Its ports say which channels of a plate those are, in
which encoding, and which values -1 and 1 stand for. They are stored with the weights, so that whoever uses
the model need not know how it was trained.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from dreamplate.errors import ConfigError
from dreamplate.plate.labels import Palette
from dreamplate.plate.tensor import ENCODINGS

__all__ = ["Port"]


@dataclass(frozen=True)
class Port:
    """One side of a model.

    Attributes:
        kind: ``picture``, or ``labels``: class indices that the network sees one-hot.
        channels: Names in the plate, ``("R", "G", "B")``, ``("Y",)``, ``("N.x", "N.y", "N.z")``; for labels
            the one channel that holds ids.
        encoding: Of colour channels: a key of ``plate.ENCODINGS``; ``raw`` for data (normals, depth), which
            no colour conversion touches.
        low: Value, in the encoding, that -1 stands for, for each channel.
        high: Value that 1 stands for. Values beyond are not clipped on the way in.
        palette: The classes of labels.
        instances: Whether an instance map comes with the labels (its edges are one more channel).
    """

    kind: Literal["picture", "labels"] = "picture"
    channels: tuple[str, ...] = ("R", "G", "B")
    encoding: str = "srgb_display"
    low: tuple[float, ...] = ()
    high: tuple[float, ...] = ()
    palette: Palette | None = None
    instances: bool = False

    def __post_init__(self) -> None:
        if self.encoding not in (*ENCODINGS, "raw"):
            raise ConfigError(f"port: no encoding {self.encoding!r}; use {', '.join(ENCODINGS)} or raw")
        if (self.kind == "labels") != (self.palette is not None):
            raise ConfigError(f"port: a palette belongs to labels, and labels need one (kind {self.kind})")
        for name, default in (("low", 0.0), ("high", 1.0)):
            if not getattr(self, name):
                object.__setattr__(self, name, (default,) * len(self.channels))
            if len(getattr(self, name)) != len(self.channels):
                raise ConfigError(f"port: {name} needs a number for each of {' '.join(self.channels)}")
        if any(high <= low for low, high in zip(self.low, self.high, strict=True)):
            raise ConfigError(f"port: high {self.high} must be above low {self.low}")

    @property
    def width(self) -> int:
        """Channels that a network sees."""
        if self.palette is None:
            return len(self.channels)
        return self.palette.channels + self.instances

    def to_json(self) -> dict[str, Any]:
        """Return plain data."""
        return {
            "kind": self.kind,
            "channels": list(self.channels),
            "encoding": self.encoding,
            "low": list(self.low),
            "high": list(self.high),
            "palette": None if self.palette is None else self.palette.to_json(),
            "instances": self.instances,
        }

    @classmethod
    def from_json(cls, data: Mapping[str, Any], source: str = "port") -> Port:
        """Read what ``to_json`` wrote.

        Raises:
            ConfigError: It is not such data.
        """
        try:
            palette = None if data["palette"] is None else Palette.from_json(data["palette"], source)
            return cls(
                data["kind"],
                tuple(map(str, data["channels"])),
                str(data["encoding"]),
                tuple(map(float, data["low"])),
                tuple(map(float, data["high"])),
                palette,
                bool(data["instances"]),
            )
        except (KeyError, TypeError, ValueError) as error:
            raise ConfigError(f"{source}: is no port ({error!r}); the file is damaged") from error
