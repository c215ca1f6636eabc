"""``dreamplate world flight`` and ``rig``: one world, over frames or through many cameras."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

from tyro.conf import UseAppendAction

from dreamplate.cli_world import (
    Layers,
    Seed,
    cores,
    fixed_of,
    key_of,
    one_spec,
    passes_of,
    ready,
    recipe_of,
    report,
    size_of,
    ticker,
)
from dreamplate.errors import ConfigError
from dreamplate.take import check
from dreamplate.take.fields import Bounds

if TYPE_CHECKING:
    from dreamplate.scenes import CameraTrack
    from dreamplate.scenes.world.making import View
    from dreamplate.scenes.world.spec import WorldSpec


@dataclass(frozen=True)
class FlightCommand:
    """Render a sequence of one world: a flight over it, a drive along its road, or the viewpoint at rest."""

    out: Path
    """Folder to write; one that was begun with the same options is continued."""
    seed: Seed = 0
    """Of the world."""
    frames: str = "1001-1100"
    """Frame numbers."""
    path: Literal["flight", "drive", "still"] = "flight"
    """How the camera moves."""
    size: str = "256"
    """Side of the pictures in pixels, or width and height: 256x144."""
    passes: str = "rgb,depth,forward,backward"
    """Names with commas; forward and backward are motion vectors."""
    layers: Layers = "auto"
    """OpenEXR files: auto, one with all passes where one needs it; one, always; separate, a file a pass."""
    fps: Annotated[float, Bounds(gt=0, le=1000)] = 24.0
    """Frames a second."""
    speed: Annotated[float, Bounds(gt=0, le=1000)] | None = None
    """Of the camera, metres a second; what suits the path when not given."""
    spec: Path | None = None
    """The world, as a YAML file, instead of a drawn one."""
    set: UseAppendAction[tuple[str, ...]] = ()
    """Fix a field of the spec: --set biome=coast."""
    samples: Annotated[int, Bounds(ge=1, le=64)] = 5
    """Rays through a pixel on an edge."""
    workers: Annotated[int, Bounds(ge=1, le=4096)] | None = None
    """Processes; as many as cores when not given."""
    overwrite: bool = False
    """Write into the folder whatever is in it."""
    quiet: bool = False
    """Print nothing but errors."""

    def run(self) -> int:
        """Render; returns the exit code."""
        asked = check(self, source="world flight")
        size, passes = size_of(asked.size), passes_of(asked.passes)
        begin = ready()
        from dreamplate.plate import parse_frames
        from dreamplate.scenes.world import cameras
        from dreamplate.scenes.world.build import build
        from dreamplate.scenes.world.files import pass_files
        from dreamplate.scenes.world.making import View, claim
        from dreamplate.scenes.world.passes import checked_passes
        from dreamplate.scenes.world.source import check_size

        check_size(size)
        names, numbers = checked_passes(passes), parse_frames(asked.frames)
        pass_files(names, asked.layers)
        given = {"road": True} if asked.path == "drive" and asked.spec is None else {}
        spec = one_spec(asked.spec, {**given, **fixed_of(asked.set)}, asked.seed)
        make: Callable[..., CameraTrack] = getattr(cameras, asked.path)
        more = {"speed": asked.speed} if asked.speed is not None and asked.path != "still" else {}
        # One more at each end: the first and the last frame have motion as well.
        wide = (numbers[0] - 1, *numbers, numbers[-1] + 1)
        track = make(build(spec), wide, *size, fps=asked.fps, **more)
        views = []
        for place, number in enumerate(numbers, 1):
            before, after = track.at(wide[place - 1]), track.at(wide[place + 1])
            others: dict[str, Any] = {}
            if "forward" in names:
                others |= {"next_camera": after, "next_time": after.time}
            if "backward" in names:
                others |= {"previous_camera": before, "previous_time": before.time}
            views.append(View(f"frame.{number:04d}", track.at(number), others))
        recipe = recipe_of("world flight", asked, asked.spec)
        claim(asked.out, recipe, overwrite=asked.overwrite)
        _save_track(track.slice(numbers), asked.out, asked.path)
        return _rendered(asked, spec, views, names, recipe, begin)


@dataclass(frozen=True)
class RigCommand:
    """Render one world, at one moment or over time, through cameras all around its main thing.

    Each frame's folder has a transforms.json, which `dreamplate fit` reads.
    """

    out: Path
    """Folder to write; one that was begun with the same options is continued."""
    seed: Seed = 0
    """Of the world."""
    cameras: Annotated[int, Bounds(ge=1, le=1000)] = 24
    """How many."""
    frames: str = "1001"
    """Frame numbers; with several, things move between them."""
    fps: Annotated[float, Bounds(gt=0, le=1000)] = 24.0
    """Frames a second."""
    arc: Annotated[float, Bounds(ge=0, le=360)] = 360.0
    """Degrees around the thing that they are spread over."""
    elevation: tuple[float, float] = (12.0, 38.0)
    """Degrees above the thing at which they stand in turn."""
    fov: Annotated[float, Bounds(ge=5, le=150)] = 50.0
    """Horizontal field of view in degrees."""
    size: str = "256"
    """Side of the pictures in pixels, or width and height: 256x144."""
    passes: str = "rgb"
    """Names with commas: rgb depth range position normal albedo label instance line."""
    layers: Layers = "auto"
    """OpenEXR files: auto, one with all passes where one needs it; one, always; separate, a file a pass."""
    spec: Path | None = None
    """The world, as a YAML file, instead of a drawn one."""
    set: UseAppendAction[tuple[str, ...]] = ()
    """Fix a field of the spec: --set things=castle."""
    samples: Annotated[int, Bounds(ge=1, le=64)] = 5
    """Rays through a pixel on an edge."""
    workers: Annotated[int, Bounds(ge=1, le=4096)] | None = None
    """Processes; as many as cores when not given."""
    overwrite: bool = False
    """Write into the folder whatever is in it."""
    quiet: bool = False
    """Print nothing but errors."""

    def run(self) -> int:
        """Render; returns the exit code."""
        asked = check(self, source="world rig")
        size, passes = size_of(asked.size), passes_of(asked.passes)
        begin = ready()
        from dreamplate.plate import parse_frames
        from dreamplate.scenes.world.build import build
        from dreamplate.scenes.world.cameras import rig
        from dreamplate.scenes.world.files import pass_files
        from dreamplate.scenes.world.making import View, claim
        from dreamplate.scenes.world.passes import checked_passes
        from dreamplate.scenes.world.source import check_size

        check_size(size)
        names, numbers = checked_passes(passes), parse_frames(asked.frames)
        if {"forward", "backward"} & {*names}:
            raise ConfigError(
                "passes: a rig has no motion vectors; use world flight for forward and backward"
            )
        pass_files(names, asked.layers)
        spec = one_spec(asked.spec, fixed_of(asked.set), asked.seed)
        found = rig(
            build(spec), asked.cameras, *size, arc=asked.arc, elevation=asked.elevation, fov=asked.fov
        )
        recipe = recipe_of("world rig", asked, asked.spec)
        claim(asked.out, recipe, overwrite=asked.overwrite)
        views = [
            View(f"{number:04d}/{camera.name}", camera.with_(time=place / asked.fps))
            for place, number in enumerate(numbers)
            for camera in found
        ]
        _save_rig(views, asked.out, numbers, asked.fps)
        return _rendered(asked, spec, views, names, recipe, begin)


def _rendered(
    asked: FlightCommand | RigCommand,
    spec: WorldSpec,
    views: Sequence[View],
    names: Sequence[str],
    recipe: str,
    begin: float,
) -> int:
    """Render views of one world into the folder that was asked for; returns the exit code."""
    from dreamplate.scenes.world.making import make_views

    made = make_views(
        spec,
        views,
        asked.out,
        passes=tuple(name for name in names if name != "rgb"),
        samples=asked.samples,
        layers=asked.layers,
        header={key_of(): recipe},
        workers=asked.workers or cores(),
        tell=ticker(asked.quiet),
    )
    report(asked.out, made, len(views), begin, asked.quiet)
    return 0


def _save_track(track: CameraTrack, out: Path, name: str) -> None:
    from dreamplate.scenes import write_cameras

    named = track.with_(
        cameras={
            frame: camera.with_(name=f"rgb/frame.{frame:04d}.png") for frame, camera in track.cameras.items()
        }
    )
    write_cameras(track.with_(name=name), out / "cameras.json", kind="cameras")
    write_cameras(named.with_(name=name), out / "transforms.json", kind="transforms")


def _save_rig(views: Sequence[View], out: Path, numbers: tuple[int, ...], fps: float) -> None:
    """Write a transforms.json for every frame, and one for all of them together."""
    from dreamplate.scenes import CameraTrack, write_cameras

    about: dict[str, Any] = {"fps": fps, "name": "rig", "metres_per_unit": 1.0, "up": "y"}
    named = [view.camera.with_(name=f"rgb/{view.name}.png") for view in views]
    write_cameras(CameraTrack.of(named, **about), out / "transforms.json", kind="transforms")
    each = len(views) // len(numbers)
    if len(numbers) == 1:
        return
    for place, number in enumerate(numbers):
        cameras = [camera.with_(time=None) for camera in named[place * each : (place + 1) * each]]
        file = out / f"transforms_{number:04d}.json"
        write_cameras(CameraTrack.of(cameras, **about), file, kind="transforms")
