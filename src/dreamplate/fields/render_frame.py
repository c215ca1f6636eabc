"""Rendering one frame: rays in chunks that fit the memory, samples to passes, passes to a plate."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from dreamplate.errors import ResourceError
from dreamplate.fields.camera_sampling import sample_rays
from dreamplate.fields.compositing import composite
from dreamplate.fields.deep import DeepPixels, Pieces, merge_pieces
from dreamplate.fields.deep_exr import Deep
from dreamplate.fields.holdout import cut_samples, stops_of, with_backing
from dreamplate.fields.method import Method
from dreamplate.fields.passes import (
    Surface,
    beauty_of,
    camera_motion,
    channels_of,
    normals_at,
    surface_of,
)
from dreamplate.fields.rays import Rays, Samples
from dreamplate.fields.render_config import RenderConfig
from dreamplate.fields.shot import Shot
from dreamplate.plate.plate import Plate
from dreamplate.take.failures import is_out_of_memory
from dreamplate.take.machine import parse_memory

__all__ = ["Field", "Rendered", "render_shot"]

_BYTES_PER_SAMPLE = 2048
"""What a sample costs while a field is looked up: a few layers of its widest network."""
_SAMPLES_PER_RAY = 128
_FEWEST, _MOST = 16, 1 << 16


@dataclass(frozen=True)
class Field:
    """What a renderer has to know of a fitted space.

    Attributes:
        method: Traces rays.
        encoding: Of its colours: ``srgb_display`` or ``scene_linear``.
        bound: Gives rays their near and far.
        device: Where the method computes.
    """

    method: Method
    encoding: str
    bound: Callable[[Rays], Rays]
    device: str = "cpu"


@dataclass(frozen=True, eq=False)
class Rendered:
    """One frame.

    Attributes:
        plate: All passes asked for.
        deep: Its deep picture, or None.
        samples: Samples looked up, all rays together.
    """

    plate: Plate
    deep: Deep | None
    samples: int


def render_shot(
    field: Field,
    shot: Shot,
    config: RenderConfig,
    holdout: npt.NDArray[np.float64] | None = None,
    chunk: int | None = None,
) -> Rendered:
    """Render a frame.

    The result does not depend on the chunk size, as far as the method's own arithmetic does not.

    Args:
        field: What to look at.
        shot: From where.
        config: Which passes; how rays are spread is in the shot.
        holdout: Planar depth of the display window, or None.
        chunk: Rays traced at once; follows from the memory setting when None.

    Raises:
        ResourceError: Memory does not suffice for a few rays.
    """
    data = shot.data
    rows, columns = np.mgrid[data.y : data.bottom, data.x : data.right]
    pixels = np.stack([columns.ravel(), rows.ravel()], axis=1).astype(np.int64)
    names = channels_of(config.passes)
    values = np.empty((len(pixels), len(names)), np.float32)
    worker = _Worker(field, shot, config, holdout)
    deep: list[DeepPixels] = []
    chunks = _Chunks(len(pixels), config, chunk)
    for part, (found, merged) in chunks.run(lambda part: worker.render(pixels[part])):
        values[part] = found
        deep += [] if merged is None else [merged]
    plate = Plate(
        values.reshape(data.height, data.width, len(names)),
        names,
        data_window=data,
        display_window=shot.display,
    )
    return Rendered(plate, _joined(deep, shot) if config.deep else None, worker.samples)


Piece = tuple[npt.NDArray[np.float32], DeepPixels | None]
"""The channels of some pixels, and their deep samples where wanted."""


class _Worker:
    """Renders pixels of one frame."""

    def __init__(
        self, field: Field, shot: Shot, config: RenderConfig, holdout: npt.NDArray[np.float64] | None
    ) -> None:
        self.field, self.shot, self.config, self.holdout = field, shot, config, holdout
        box = field.method.box()
        self.normal_step = float((box[1] - box[0]).max()) / 512
        self.samples = 0

    @torch.no_grad()
    def render(self, pixels: npt.NDArray[np.int64]) -> Piece:
        """Return the channels ``(n, c)`` of pixels, and their deep samples where wanted."""
        config, sampling = self.config, self.shot.sampling
        beauty = torch.zeros(len(pixels), 4, device=self.field.device)
        made: dict[str, npt.NDArray[np.float32]] = {}
        deep: list[Pieces] = []
        if sampling.plain or set(config.passes) != {"beauty"}:
            rays, samples = self._trace(pixels, None)
            summed = composite(samples)
            if set(config.passes) != {"beauty"}:
                made = self._passes(rays, surface_of(rays, samples, summed))
            if sampling.plain:
                beauty = beauty_of(summed, self.field.encoding)
                deep += self._pieces(rays, samples, summed.weights)
        if not sampling.plain and "beauty" in config.passes:
            for number in range(sampling.samples):
                rays, samples = self._trace(pixels, number)
                summed = composite(samples)
                beauty += beauty_of(summed, self.field.encoding) / sampling.samples
                deep += self._pieces(rays, samples, summed.weights / sampling.samples)
        made["beauty"] = _columns(beauty)
        values = np.concatenate([made[name] for name in config.passes], axis=1)
        if not config.deep:
            return values, None
        pieces = Pieces(*(torch.cat([getattr(piece, name) for piece in deep]).cpu() for name in _PIECES))
        return values, merge_pieces(pieces, beauty.cpu(), config.deep_samples, self.field.encoding)

    def _trace(self, pixels: npt.NDArray[np.int64], number: int | None) -> tuple[Rays, Samples]:
        shot = self.shot
        rays, seen = sample_rays(shot.camera, shot.track, pixels, shot.sampling, number, shot.frame)
        hold = None if self.holdout is None else stops_of(self.holdout, pixels, rays)
        stop = hold
        if not bool(seen.all()):
            stop = torch.where(seen, torch.inf if hold is None else hold, 0.0)
        device = self.field.device
        rays = self.field.bound(rays.to(device))
        stop = None if stop is None else stop.to(device)
        samples = self.field.method.trace(rays, stop=stop).samples
        self.samples += len(samples.starts)
        if stop is not None:
            samples = cut_samples(samples, stop)
        if hold is not None and self.config.holdout.mode == "matte":
            samples = with_backing(samples, torch.where(seen, hold, torch.inf).to(device))
        return rays, samples

    def _pieces(self, rays: Rays, samples: Samples, weights: Tensor) -> list[Pieces]:
        if not self.config.deep:
            return []
        pixel = samples.ray_indices
        planar = rays.cosines[pixel]
        return [Pieces(pixel, samples.starts * planar, samples.ends * planar, weights, samples.colours)]

    def _passes(self, rays: Rays, surface: Surface) -> dict[str, npt.NDArray[np.float32]]:
        shot, wanted = self.shot, set[str](self.config.passes)
        planar_median = torch.where(surface.met, surface.median * rays.cosines, surface.median)
        spread = surface.variance.clamp_min(0).sqrt() / surface.planar.clamp_min(1e-12)
        tensors: dict[str, Callable[[], Tensor]] = {
            "z": lambda: surface.planar,
            "range": lambda: surface.distance,
            "median": lambda: planar_median,
            "variance": lambda: surface.variance,
            "position": lambda: surface.points,
            "normal": lambda: normals_at(self.field.method.density, surface, rays, self.normal_step),
            "acc": lambda: surface.opacity,
            "uncertainty": lambda: torch.where(surface.met, spread, 0),
        }
        made: dict[str, npt.NDArray[np.float32]] = {
            name: _columns(make()) for name, make in tensors.items() if name in wanted
        }
        for name, there in (("forward", shot.after), ("backward", shot.before)):
            if name in wanted:
                points, met = surface.points.cpu().numpy(), surface.met.cpu().numpy()
                made[name] = camera_motion(points, shot.camera, there, met)
        return made


_PIECES = ("pixel", "fronts", "backs", "weights", "colours")


class _Chunks:
    """Cuts work on many rays into runs that fit the memory, and into smaller ones where they did not."""

    def __init__(self, count: int, config: RenderConfig, fixed: int | None) -> None:
        self.count, self.config, self.fixed = count, config, fixed
        per_ray = _BYTES_PER_SAMPLE * _SAMPLES_PER_RAY * (config.samples if config.deep else 1)
        self.size = fixed or min(_MOST, parse_memory(config.memory) // per_ray)

    def run(self, work: Callable[[slice], Piece]) -> Iterator[tuple[slice, Piece]]:
        """Yield which rays were worked on and what came out, in order."""
        self._check()
        at = 0
        while at < self.count:
            part = slice(at, min(at + self.size, self.count))
            try:
                found = work(part)
            except Exception as error:
                if self.fixed or not is_out_of_memory(error):
                    raise
                self.size //= 2
                self._check()
                continue
            yield part, found
            at = part.stop

    def _check(self) -> None:
        if not self.fixed and self.size < _FEWEST:
            need = _BYTES_PER_SAMPLE * _SAMPLES_PER_RAY * _FEWEST
            need *= self.config.samples if self.config.deep else 1
            raise ResourceError(
                f"memory is {self.config.memory}, too little for {_FEWEST} rays at a time (about"
                f" {need >> 20} MiB); raise --memory, or lower --samples or --scale"
            )


def _columns(values: Tensor) -> npt.NDArray[np.float32]:
    found = values.float().cpu().numpy()
    return found[:, None] if found.ndim == 1 else found


def _joined(parts: list[DeepPixels], shot: Shot) -> Deep:
    counts = torch.cat([part.offsets[1:] - part.offsets[:-1] for part in parts])
    offsets = torch.cat([counts.new_zeros(1), counts.cumsum(0)]).numpy()
    values = torch.cat(
        [torch.cat([part.colours, part.fronts[:, None], part.backs[:, None]], dim=1) for part in parts]
    )
    return Deep(offsets, values.numpy(), shot.data, shot.display)
