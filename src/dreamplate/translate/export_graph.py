"""A model as one graph that needs nothing of ours: colour in and out, classes and borders made inside.

Only old and simple operations are used, so that other programs can run it.
"""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from dreamplate.errors import ConfigError
from dreamplate.plate.colour import convert
from dreamplate.plate.plate import Plate
from dreamplate.train.port import Port

__all__ = ["Graph", "LabelDoor", "PictureDoor"]

SRGB_GAMMA, SRGB_OFFSET = 2.4, 0.055
"""IEC 61966-2-1; as in OpenColorIO, line and curve meet with one slope, which moves the break a little."""
_A = (SRGB_GAMMA - 1) / SRGB_OFFSET
SRGB_SLOPE = _A * (SRGB_OFFSET * SRGB_GAMMA / ((SRGB_GAMMA - 1) * (1 + SRGB_OFFSET))) ** SRGB_GAMMA
SRGB_BREAK = SRGB_OFFSET / (SRGB_GAMMA - 1)
CCT_BREAK, CCT_SLOPE, CCT_OFFSET = 0.0078125, 10.5402377416545, 0.0729055341958355
"""ACEScct, Academy S-2016-001, section 4.4."""
CCT_ZERO, CCT_STOPS = 9.72, 17.52
_TINY = 1e-10


class Graph(nn.Module):
    """A network with doors in and out.

    Args:
        network: Takes and gives -1 to 1 (or one-hot classes).
        enter: From what is given to what the network takes; None: nothing.
        leave: From what the network gives to what is wanted; None: nothing.
    """

    def __init__(self, network: nn.Module, enter: nn.Module | None, leave: PictureDoor | None) -> None:
        super().__init__()
        self.network, self.enter, self.leave = network, enter, leave

    def forward(self, input: Tensor, style: Tensor | None = None) -> Tensor:
        """Return the picture ``(n, c, h, w)``."""
        x = input if self.enter is None else self.enter(input)
        made: Tensor = self.network(x) if style is None else self.network(x, style)
        return made if self.leave is None else self.leave.back(made)


class PictureDoor(nn.Module):
    """Scene-linear light (Rec. 709, straight) to what a port's network sees, and back.

    Args:
        port: Of pictures.

    Raises:
        ConfigError: Its channels are coded and are neither ``R G B`` (of any layer) nor ``Y``.
    """

    low: Tensor
    high: Tensor
    there: Tensor
    home: Tensor

    def __init__(self, port: Port) -> None:
        super().__init__()
        self.coding = port.encoding if port.encoding in ("srgb_display", "log") else "none"
        names = [name.rpartition(".")[2] for name in port.channels]
        if self.coding != "none" and names not in (["R", "G", "B"], ["Y"]):
            raise ConfigError(
                f"with-encoding: channels {' '.join(port.channels)} are coded as {port.encoding}, which the"
                " graph can do for R G B or Y alone; export without"
            )
        for name, values in (("low", port.low), ("high", port.high)):
            self.register_buffer(name, torch.tensor(values, dtype=torch.float32).view(1, -1, 1, 1))
        grey = len(names) == 1
        for name, way in (("there", ("scene_linear", "acescg")), ("home", ("acescg", "scene_linear"))):
            matrix = np.eye(1, dtype=np.float32) if grey else _matrix(*way)
            self.register_buffer(name, torch.from_numpy(matrix)[:, :, None, None])

    def forward(self, light: Tensor) -> Tensor:
        """Return what the network sees, -1 to 1 and beyond."""
        if self.coding == "srgb_display":
            curve = (1 + SRGB_OFFSET) * light.clamp_min(_TINY) ** (1 / SRGB_GAMMA) - SRGB_OFFSET
            light = torch.where(light <= SRGB_BREAK * SRGB_SLOPE, light / SRGB_SLOPE, curve)
        elif self.coding == "log":
            light = functional.conv2d(light, self.there)
            curve = (torch.log2(light.clamp_min(_TINY)) + CCT_ZERO) / CCT_STOPS
            light = torch.where(light <= CCT_BREAK, CCT_SLOPE * light + CCT_OFFSET, curve)
        return (light - self.low) / (self.high - self.low) * 2 - 1

    def back(self, seen: Tensor) -> Tensor:
        """Return scene-linear light."""
        x = (seen + 1) / 2 * (self.high - self.low) + self.low
        if self.coding == "srgb_display":
            curve = ((x.clamp_min(0) + SRGB_OFFSET) / (1 + SRGB_OFFSET)) ** SRGB_GAMMA
            return torch.where(x <= SRGB_BREAK, x * SRGB_SLOPE, curve)
        if self.coding == "log":
            line = (x - CCT_OFFSET) / CCT_SLOPE
            edge = CCT_SLOPE * CCT_BREAK + CCT_OFFSET
            x = torch.where(x <= edge, line, 2.0 ** (x * CCT_STOPS - CCT_ZERO))
            return functional.conv2d(x, self.home)
        return x


class LabelDoor(nn.Module):
    """Ids of a palette as numbers ``(n, 1, h, w)``, with object ids as a second channel, to one-hot classes.

    Ids outside the palette become of no class: a graph cannot complain.

    Args:
        port: Of labels.
    """

    ids: Tensor

    def __init__(self, port: Port) -> None:
        super().__init__()
        assert port.palette is not None
        ids = [item.id for item in port.palette.classes]
        self.register_buffer("ids", torch.tensor(ids, dtype=torch.float32).view(1, -1, 1, 1))
        self.unknown, self.instances = bool(port.palette.unknown), port.instances

    def forward(self, given: Tensor) -> Tensor:
        """Return the one-hot map, and pixels of no class and borders of objects as the port has them."""
        classes = ((given[:, :1] - self.ids).abs() < 0.5).to(torch.float32)
        parts = [classes]
        if self.unknown:
            parts.append(1 - classes.sum(1, keepdim=True))
        if self.instances:
            objects = given[:, 1:2]
            padded = functional.pad(objects, (1, 1, 1, 1), mode="replicate")
            across = padded[:, :, 1:-1, 2:], padded[:, :, 1:-1, :-2]
            around = (*across, padded[:, :, 2:, 1:-1], padded[:, :, :-2, 1:-1])
            apart = [(objects - other).abs().clamp_max(1) for other in around]
            parts.append((torch.cat(apart, 1).amax(1, keepdim=True) > 0.5).to(torch.float32))
        return torch.cat(parts, 1)


def _matrix(start: str, stop: str) -> np.ndarray[tuple[int, int], np.dtype[np.float32]]:
    """Return the matrix between two linear spaces, to be applied to columns."""
    unit = Plate(np.eye(3, dtype=np.float32)[:, None], colourspace=start)
    return np.ascontiguousarray(convert(unit, stop).pixels[:, 0].T, np.float32)
