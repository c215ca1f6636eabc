"""What a render is: every option of ``dreamplate render``, spelt here and nowhere else. No torch.

Fields become flags, YAML recipes and provenance; their docstrings become the help.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Literal

from tyro.conf import Positional

from dreamplate.errors import ConfigError
from dreamplate.take.config import replace_fields
from dreamplate.take.fields import Bounds
from dreamplate.take.machine import parse_memory

PassName = Literal[
    "beauty", "z", "range", "median", "variance", "position", "normal", "forward", "backward", "acc",
    "uncertainty",
]  # fmt: skip
ALL_PASSES: tuple[PassName, ...] = (
    "beauty", "z", "range", "median", "variance", "position", "normal", "forward", "backward", "acc",
    "uncertainty",
)  # fmt: skip
"""Every pass, in the order in which they are documented."""

Side = Annotated[int, Bounds(ge=1, le=65_536)]
Distance = Annotated[float, Bounds(ge=0, le=1e12)]


@dataclass(frozen=True)
class HoldoutConfig:
    """Something in front of which only the field may be seen."""

    file: Path | None = None
    """A depth EXR (a frame pattern for moving ones), or a deep EXR; rays stop there."""
    kind: Literal["z", "range", "deep"] = "z"
    """What the file holds: planar distance, distance along the ray, or deep samples."""
    channel: str = ""
    """Channel to read; Z for z, depth.range for range when not given."""
    mode: Literal["clip", "matte"] = "clip"
    """clip: the picture holds what is in front of the holdout. matte: the holdout is in it as solid black."""


@dataclass(frozen=True)
class StereoConfig:
    """Two eyes instead of one."""

    interaxial: Annotated[float, Bounds(ge=0, le=1e9)] = 0.0
    """Distance between the eyes in world units; 0 renders one view."""
    convergence: Distance = 0.0
    """Planar distance at which both eyes agree (zero parallax); 0 shifts nothing."""
    layout: Literal["parts", "files"] = "parts"
    """parts: one EXR with parts left and right; files: NAME_L and NAME_R."""


@dataclass(frozen=True)
class LensConfig:
    """Depth of field."""

    radius: Annotated[float, Bounds(ge=0, le=1e9)] = 0.0
    """Radius of the aperture in world units; 0 keeps everything sharp."""
    f_stop: Annotated[float, Bounds(ge=0, le=1000)] = 0.0
    """Instead of the radius: f-number; needs units_per_metre."""
    units_per_metre: Annotated[float, Bounds(ge=0, le=1e9)] = 0.0
    """How many world units make a metre, for the f-number."""
    focus: Distance = 0.0
    """Distance in focus along the viewing axis, world units."""


@dataclass(frozen=True)
class ShutterConfig:
    """Motion blur and rolling shutter. Times are in frames, 0 is the frame's own moment."""

    open: Annotated[float, Bounds(ge=-1, le=1)] = 0.0
    """When the shutter opens; -0.25 with close 0.25 is 180 degrees, centred."""
    close: Annotated[float, Bounds(ge=-1, le=1)] = 0.0
    """When it closes; equal to open for no blur."""
    readout: Annotated[float, Bounds(ge=-1, le=1)] = 0.0
    """Time from the top row to the bottom row (rolling shutter), the middle row at the frame's moment."""


@dataclass(frozen=True)
class RenderConfig:
    """Passes of a fitted space through any cameras, as multi-layer EXR."""

    take: Positional[Path] = Path()
    """The take of a fit."""
    cameras: Path | None = None
    """A camera file; without one, --path makes the cameras."""
    camera: str = ""
    """Which camera of the file, where it has several."""
    path: Literal["views", "orbit", "dolly", "spline"] = "views"
    """views: the cameras of the capture; orbit, dolly, spline: moves made from them."""
    size: tuple[Side, Side] | None = None
    """Width and height of the full-size frame, for camera files that do not say (.chan)."""
    path_frames: Annotated[int, Bounds(ge=1, le=1_000_000)] = 100
    """How many frames an orbit, dolly or spline has."""
    first_frame: Annotated[int, Bounds(ge=-10_000_000, le=10_000_000)] = 1001
    """Number of the first camera, where the cameras have no numbers of their own."""
    frames: str = ""
    """Frames to render, such as 1001-1100x2; all of the path when empty."""
    out: Path = Path("render.####.exr")
    """Where frames go: a pattern with # for the digits, .exr."""
    passes: tuple[PassName, ...] = ALL_PASSES
    """Which passes the EXR has."""
    deep: bool = False
    """Also write deep EXR beside each frame, NAME_deep; flattened it is the beauty."""
    deep_samples: Annotated[int, Bounds(ge=1, le=64)] = 8
    """Most deep samples in a pixel."""
    png: bool = False
    """Also write a display PNG beside each frame."""
    sheet: bool = False
    """Also write a contact sheet of the passes beside each frame, NAME_sheet, PNG."""
    scale: Annotated[float, Bounds(gt=0, le=16)] = 1.0
    """Proxy scale of the picture's sides."""
    crop: tuple[int, int, int, int] | None = None
    """Part to render: left, top, width, height in pixels of the full-size frame."""
    overscan: Annotated[int, Bounds(ge=0, le=16_384)] = 0
    """Pixels of the full-size frame to add on every side, outside the display window."""
    samples: Annotated[int, Bounds(ge=1, le=4096)] = 1
    """Rays in each pixel; 1 is one ray through its centre."""
    filter: Literal["box", "triangle", "gaussian"] = "triangle"
    """How samples spread over a pixel and its neighbours, with more than one."""
    seed: Annotated[int, Bounds(ge=0, lt=2**63)] = 0
    """Number that every jitter follows from."""
    holdout: HoldoutConfig = field(default_factory=HoldoutConfig)
    """What stops rays."""
    stereo: StereoConfig = field(default_factory=StereoConfig)
    """Two eyes."""
    lens: LensConfig = field(default_factory=LensConfig)
    """Depth of field."""
    shutter: ShutterConfig = field(default_factory=ShutterConfig)
    """Motion blur."""
    task_frames: Annotated[int, Bounds(ge=0, le=1_000_000)] = 0
    """Frames of one task when the work is shared out to processes or machines; 0 keeps all in one."""
    memory: str = "1GiB"
    """Memory for the rays at work; they are traced in chunks that fit."""
    device: str = "cpu"
    """Where to compute: cpu, cuda, cuda:1."""
    precision: Literal["half", "float"] = "half"
    """Sample type of colour, alpha and normals; depths, positions and motion are always float."""

    def __post_init__(self) -> None:
        parse_memory(self.memory)
        if not self.passes or len(set(self.passes)) != len(self.passes):
            raise ConfigError(f"passes is {self.passes}: name at least one pass, each once")
        if self.out.suffix.lower() != ".exr":
            raise ConfigError(f"out is {str(self.out)!r}: name an .exr pattern such as r.####.exr")
        if self.crop is not None and min(self.crop[2:]) < 1:
            raise ConfigError(f"crop is {self.crop}: width and height must be at least 1")
        _check_lens(self.lens)
        if self.shutter.close < self.shutter.open:
            raise ConfigError(
                f"shutter.close is {self.shutter.close}, before shutter.open ({self.shutter.open}): swap them"
            )
        if self.deep and "beauty" not in self.passes:
            raise ConfigError("deep is set, but passes has no beauty, which it must flatten to: add beauty")

    @property
    def blurred(self) -> bool:
        """Whether rays are spread over the shutter's time."""
        return self.shutter.close > self.shutter.open


def plan_render(config: RenderConfig) -> list[RenderConfig]:
    """Cut a render into runs of ``task_frames`` frames, in order; each is a task of its own.

    Raises:
        ConfigError: Tasks are asked for, but not which frames.
    """
    from dreamplate.plate.frames import format_frames, parse_frames

    if config.task_frames == 0:
        return [config]
    if not config.frames:
        raise ConfigError(
            f"task_frames is {config.task_frames}, but frames is empty: say which, e.g. 1001-1100"
        )
    frames, size = parse_frames(config.frames), config.task_frames
    return [
        replace_fields(config, {"frames": format_frames(frames[at : at + size]), "task_frames": 0})
        for at in range(0, len(frames), size)
    ]


def _check_lens(lens: LensConfig) -> None:
    if lens.radius and lens.f_stop:
        raise ConfigError(
            f"lens.radius ({lens.radius}) and lens.f_stop ({lens.f_stop}) are both set: give one"
        )
    if lens.f_stop and not lens.units_per_metre:
        raise ConfigError(
            f"lens.f_stop is {lens.f_stop}, which needs lens.units_per_metre: give it, or lens.radius"
        )
    if (lens.radius or lens.f_stop) and not lens.focus:
        raise ConfigError("lens.focus is 0: give the distance in focus, in world units")
