"""``RenderJob``: each step renders one frame and writes it where it belongs."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from dreamplate.errors import ConfigError
from dreamplate.fields.holdout import read_holdout
from dreamplate.fields.limits import limited
from dreamplate.fields.load import load_fit
from dreamplate.fields.render_config import RenderConfig, plan_render
from dreamplate.fields.render_files import (
    BESIDE,
    FIELD_KEY,
    display_of,
    frame_files,
    is_done,
    write_frame,
)
from dreamplate.fields.render_frame import Field, Rendered, render_shot
from dreamplate.fields.render_path import eye_paths, frames_of, make_path
from dreamplate.fields.shot import Shot, shot_of
from dreamplate.files import sha256
from dreamplate.plate.box import MetaValue
from dreamplate.plate.io import read
from dreamplate.plate.plate import Plate
from dreamplate.plate.sequence import Sequence
from dreamplate.scenes.camera_track import CameraTrack
from dreamplate.take.config import canonical_json, to_dict
from dreamplate.take.job import Outcome, Step
from dreamplate.take.provenance import KEY
from dreamplate.take.record import new_record

__all__ = ["RenderJob"]


class RenderJob:
    """Renders the frames of a camera path, one a step, to files of their own.

    A frame that is on disk already, made by the same options from the same field, is not rendered again.
    """

    kind = "render"
    plan = staticmethod(plan_render)

    def __init__(
        self, config: RenderConfig, field: Field | None = None, path: CameraTrack | None = None
    ) -> None:
        """Open what is to be rendered.

        Args:
            config: The whole work.
            field: What to render; the fit of ``config.take`` when None.
            path: Cameras by frame; as the config says when None.

        Raises:
            DreamplateError: The take, the cameras or the frames cannot be used.
        """
        self.config, self.position = config, 0
        self.stamp = ""
        if field is None:
            fitted = load_fit(config.take, config.device)
            field = Field(
                fitted.method, fitted.encoding, lambda rays: limited(rays, fitted.extent), config.device
            )
            path = path or make_path(config, fitted.cameras, fitted.about.up)
            self.stamp = sha256(config.take / "state.safetensors")
        self.field = field
        path = path or make_path(config, ())
        self.frames = frames_of(config, path)
        self.paths = eye_paths(config, path)
        for frame in self.frames[:1]:  # what is wrong with every frame is said before the first
            frame_files(config, frame)
            for eye, cameras in self.paths.items():
                self._holdout(eye, shot_of(cameras, frame, config))
        self.header: dict[str, MetaValue] = {KEY: _recipe(config), FIELD_KEY: self.stamp or "given"}
        self._last: Plate | None = None

    def __len__(self) -> int:
        return len(self.frames)

    def step(self) -> Step:
        """Render one frame, or find it done."""
        frame = self.frames[self.position]
        files = frame_files(self.config, frame)
        scalars = {"frame": float(frame)}
        if is_done(files, self.header):
            self._last = None
        else:
            made = {eye: self._render(eye, cameras, frame) for eye, cameras in self.paths.items()}
            write_frame(made, files, self.config, self.header)
            first = next(iter(made.values()))[1]
            self._last = first.plate
            rays = first.plate.width * first.plate.height * len(made)
            scalars["samples_per_pixel"] = sum(one.samples for _, one in made.values()) / rays
        self.position += 1
        return Step(self.position, scalars, {"frame": lambda: display_of(self._plate(frame))})

    def state_dict(self) -> dict[str, Any]:
        """Return how many frames are done; the frames themselves are files."""
        return {"position": self.position}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Restore what ``state_dict`` returned."""
        self.position = state["position"]

    def outcome(self) -> Outcome:
        """Return the last frame's beauty and how many frames there are."""
        plate = self._plate(self.frames[-1])
        beauty = [name for name in "RGBA" if name in plate.channels] or [plate.channels[0]]
        return Outcome({"final": plate.select(*beauty)}, {"frames": float(len(self))}, depth="float")

    def _render(self, eye: str, cameras: CameraTrack, frame: int) -> tuple[Shot, Rendered]:
        shot = shot_of(cameras, frame, self.config)
        return shot, render_shot(self.field, shot, self.config, self._holdout(eye, shot))

    def _holdout(self, eye: str, shot: Shot) -> Any:
        file = self.config.holdout.file
        if file is None:
            return None
        if eye and "%V" not in file.name:
            raise ConfigError(
                f"holdout.file is {file}: each eye needs its own; write %V where left and right differ"
            )
        file = file.with_name(file.name.replace("%V", eye))
        if any(sign in file.name for sign in "#@%") and not file.is_file():
            file = Sequence.parse(file, (shot.frame,)).path(shot.frame)
        return read_holdout(file, self.config.holdout, shot.display, shot.camera)

    def _plate(self, frame: int) -> Plate:
        """Return a frame that was rendered, from memory or disk."""
        if self._last is not None:
            return self._last
        files = frame_files(self.config, frame)
        return read(next(path for name, path in files.items() if not name.endswith(BESIDE)))


def _recipe(config: RenderConfig) -> str:
    """Return the recipe of a frame, as takes write it."""
    named: list[Path | None] = [config.cameras, config.holdout.file]
    sources = sorted({path for path in named if path is not None and path.is_file()})
    record = to_dict(new_record(RenderJob.kind, config, sources))
    keep = ("schema", "kind", "id", "seed", "versions", "sources")
    return canonical_json({name: record[name] for name in keep} | {"config": to_dict(config)})
