"""Using a model on frames of any size: padding, statistics, tiles, and going on when memory runs out."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Literal, TypeVar, cast

import torch
from torch import Tensor, nn

from dreamplate.errors import ConfigError, ModelError, ResourceError
from dreamplate.nets.dropout import Dropout, set_dropout
from dreamplate.nets.statistics import BatchNorm, InstanceNorm, Statistics, capture, set_statistics
from dreamplate.take.failures import is_out_of_memory
from dreamplate.train.optimise import autocast
from dreamplate.train.precision import find_device
from dreamplate.translate.given import Given, Window, run_network
from dreamplate.translate.memory import peak_bytes
from dreamplate.translate.model import Model, usual_statistics
from dreamplate.translate.noise import PlacedNoise
from dreamplate.translate.tiles import Cutting, blend, cut_up, largest_window, smallest_window

__all__ = ["Translator", "uses_dropout", "usual_statistics"]

T = TypeVar("T")

SMALL = 512 * 512
"""Frames of fewer pixels are not worth measuring memory for."""
PROBE = 128
"""Side of the part that memory is measured on, rounded up to the network's multiple."""


class Translator:
    """A model on a device, with its statistics and its dropout decided.

    Statistics of a frame are those of the whole frame, also where it is cut into tiles: they are taken from
    the frame made small enough for memory, and frozen. After `hold` they are those of one frame for all.

    Args:
        model: Which; its network is changed (moved, and its switches set).
        statistics: ``batch`` and ``picture`` (one frame at a time, these are the same), ``running``, or
            ``frozen`` (call `hold` first); ``auto``: `usual_statistics`.
        dropout: Whether dropout stays on; None: `uses_dropout`.
        seed: Of the dropout's noise.
        device: Where to compute.
        precision: Of convolutions.
        memory: Bytes that work may take besides the weights.
        tile: Largest side of what the network sees at once; 0: as memory allows.
        say: Told what the user should know.

    Raises:
        ModelError: The model takes no condition.
    """

    def __init__(
        self,
        model: Model,
        *,
        statistics: Statistics | Literal["auto"] = "auto",
        dropout: bool | None = None,
        seed: int = 0,
        device: str = "cpu",
        precision: Literal["float32", "bfloat16"] = "float32",
        memory: int = 2 << 30,
        tile: int = 0,
        say: Callable[[str], None] = lambda text: None,
    ) -> None:
        if model.given is None:
            raise ModelError(f"{model.path}: makes pictures of noise alone; there is nothing to translate")
        self.model, self.given, self.made = model, model.given, model.made
        self.statistics = usual_statistics(model) if statistics == "auto" else statistics
        self.device, self.precision, self.say = find_device(device), precision, say
        network = model.network.to(self.device)
        self.network: nn.Module = network.eval()
        self.multiple, self.reach = _number(network, "multiple"), _number(network, "reach")
        self.z_dim = int(getattr(network, "z_dim", 0) or 0)
        self.noise = PlacedNoise(seed, self.multiple)
        self.dropping = uses_dropout(model) if dropout is None else dropout
        self.cutting = Cutting.of(self.multiple, self.reach)
        self.memory, self.tile = memory, tile
        self.cost: float | None = None
        self.most, self._seen = 1 << 62, 0
        self._whole = (0, 0)
        self.held = self._halved = False
        if 0 < tile < smallest_window(self.cutting):
            raise ConfigError(
                f"tile is {tile}: this network sees {self.cutting.context} pixels around each tile; choose"
                f" {smallest_window(self.cutting)} or more, or 0 to let memory decide"
            )

    def hold(self, frame: Given, z: Tensor | None = None) -> None:
        """Take the statistics of this frame, and use them for all frames from now on."""
        self._persist(lambda: self._capture(frame.padded(self.multiple), z))
        self.held = True

    def __call__(self, frame: Given, z: Tensor | None = None) -> Tensor:
        """Return what the model makes of a frame: ``(1, c, h, w)`` float32 on the CPU, -1 to 1, or scores.

        Args:
            frame: Of any size.
            z: ``(1, z_dim)`` where the network has a style or noise.

        Raises:
            ResourceError: Memory does not suffice for the smallest tile.
        """
        height, width = frame.size
        padded = frame.padded(self.multiple)
        return self._persist(lambda: self._make(padded, z))[..., :height, :width]

    def _make(self, frame: Given, z: Tensor | None) -> Tensor:
        window = self._window(frame, z)
        self._whole = frame.size
        if window == frame.size:
            self._set_statistics(tiled=False)
            return self._run(frame, Window(0, window[0], 0, window[1]), z).float().cpu()
        if not self.held and self._depends_on_the_whole():
            self._capture(frame, z)
            self._whole = frame.size
        self._set_statistics(tiled=True)
        out: Tensor | None = None
        for tile in cut_up(frame.size, window, self.cutting):
            made = self._run(frame.cut(tile.window), tile.window, z)
            out = torch.zeros(1, made.shape[1], *frame.size) if out is None else out
            blend(out, made, tile, self.cutting.fade)
        assert out is not None
        return out

    def _capture(self, frame: Given, z: Tensor | None) -> None:
        """Let the norms keep the statistics of a frame, made smaller where memory asks for it."""
        share = min(1.0, self._pixels(frame, z) / (frame.size[0] * frame.size[1])) ** 0.5
        sides = [max(1, int(side * share) // self.multiple) * self.multiple for side in frame.size]
        small = frame if share >= 1 else frame.shrunk((sides[0], sides[1]))
        set_statistics(self.network, "batch" if self.statistics == "frozen" else self.statistics)
        self._whole = small.size
        with capture(self.network):
            self._run(small, Window(0, small.size[0], 0, small.size[1]), z)

    def _run(self, frame: Given, window: Window, z: Tensor | None) -> Tensor:
        self._seen = window.height * window.width
        set_dropout(self.network, self.noise.at(window) if self.dropping else None)
        placed = cast(Any, self.network) if hasattr(self.network, "place") else None
        if placed is not None:  # what such a network begins with is laid out over the whole frame
            placed.place = (window.top, window.left, *self._whole)
        palette = self.given.palette
        classes, channels = (0, 0) if palette is None else (len(palette), palette.channels)
        style = None if z is None else z.to(self.device)
        try:
            with torch.no_grad(), autocast(self.device, self.precision):
                return run_network(self.network, frame.to(self.device), classes, channels, style)
        finally:
            if placed is not None:
                placed.place = None

    def _set_statistics(self, tiled: bool) -> None:
        if self.held:
            set_statistics(self.network, "frozen")
            return
        if self.statistics == "frozen":
            raise ConfigError("statistics is frozen: name the frame whose statistics are kept (--reference)")
        set_statistics(self.network, self.statistics)
        for part in self.network.modules() if tiled else ():
            if isinstance(part, InstanceNorm) or (
                isinstance(part, BatchNorm) and self.statistics != "running"
            ):
                part.chosen = "frozen"

    def _depends_on_the_whole(self) -> bool:
        """Whether any norm looks at the frame itself."""
        return any(
            isinstance(part, InstanceNorm) or (isinstance(part, BatchNorm) and self.statistics != "running")
            for part in self.network.modules()
        )

    def _window(self, frame: Given, z: Tensor | None) -> tuple[int, int]:
        """Return the sides of what the network may see of this frame at once."""
        if self.tile:
            side = self.tile // self.multiple * self.multiple
            allowed = min(side * side, self.most)
            if max(frame.size) <= side and frame.size[0] * frame.size[1] <= allowed:
                return frame.size
            height, width = largest_window(frame.size, allowed, self.cutting)
            return min(height, side), min(width, side)
        pixels = self._pixels(frame, z)
        if frame.size[0] * frame.size[1] <= pixels:
            return frame.size
        return largest_window(frame.size, pixels, self.cutting)

    def _pixels(self, frame: Given, z: Tensor | None) -> int:
        """Return how many pixels the network may see at once."""
        if self.cost is None and frame.size[0] * frame.size[1] > SMALL:
            side = -(-PROBE // self.multiple) * self.multiple
            height, width = (min(side, length) for length in frame.size)
            part = Window(0, height, 0, width)
            self._set_probe()
            self._whole = (height, width)
            self.cost = peak_bytes(lambda: self._run(frame.cut(part), part, z)) / (height * width)
        return self.most if self.cost is None else min(self.most, int(self.memory / self.cost))

    def _set_probe(self) -> None:
        # Frozen statistics that were captured must be left alone, and those that were not cannot be used.
        set_statistics(self.network, "frozen" if self.held else "batch")

    def _persist(self, work: Callable[[], T]) -> T:
        """Do work again with half the pixels whenever memory runs out."""
        while True:
            try:
                return work()
            except (RuntimeError, MemoryError) as error:
                if not is_out_of_memory(error):
                    raise
                failed = error
            self._halve(failed)

    def _halve(self, error: BaseException) -> None:
        least = smallest_window(self.cutting) ** 2
        if self._seen <= least:
            raise ResourceError(
                f"{self.model.path}: not enough memory for a tile of {smallest_window(self.cutting)} pixels a"
                " side, the least this network needs; close other programs, or use another device"
            ) from error
        self.most = max(least, self._seen // 2)
        if self.device.type == "cuda":
            torch.cuda.empty_cache()
        if not self._halved:
            self._halved = True
            self.say(f"memory ran out: tiles are halved to {self.most:,} pixels, and work goes on")


def uses_dropout(model: Model) -> bool:
    """Return whether dropout stays on: only where the notes say so, because it makes results grainy."""
    return model.notes.get("dropout") is True


def has_dropout(network: nn.Module) -> bool:
    """Whether a network has any dropout to leave on."""
    return any(isinstance(part, Dropout) for part in network.modules())


def _number(network: nn.Module, name: str) -> int:
    value = getattr(network, name)
    return int(value)
