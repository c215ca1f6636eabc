"""``TranslateJob``: each step takes one frame through a model and writes it where it belongs."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from torch import Tensor

from dreamplate.errors import ConfigError
from dreamplate.plate.io import read
from dreamplate.plate.labels import read_palette
from dreamplate.plate.plate import Pixels, Plate
from dreamplate.plate.video_writer import VideoWriter
from dreamplate.take.job import Outcome, Step
from dreamplate.take.machine import parse_memory
from dreamplate.take.previews import displayable
from dreamplate.take.provenance import KEY
from dreamplate.train.plates import decode_plate
from dreamplate.translate.apply import Translator, has_dropout
from dreamplate.translate.conditions import check_frames, matte_is_file, read_given
from dreamplate.translate.frames import Frame, Source, Target, pattern_file
from dreamplate.translate.given import Given
from dreamplate.translate.matte import matte_of, mixed
from dreamplate.translate.model import Model, load_model
from dreamplate.translate.ports import with_encoding, with_palette
from dreamplate.translate.style import Style
from dreamplate.translate.translate_config import TranslateConfig, plan_translate
from dreamplate.translate.translate_recipe import Recipe

__all__ = ["TranslateJob", "prepare_model"]


class TranslateJob:
    """Takes the frames of a source through a model, one a step, to files of their own.

    A frame that is on disk already, made by the same options of the same files, is not made again. Everything
    that can be wrong with any frame (missing files and channels, labels outside the palette) is found before
    the first is made.
    """

    kind = "translate"
    plan = staticmethod(plan_translate)

    def __init__(self, config: TranslateConfig, model: Model | None = None) -> None:
        """Open everything and check all frames.

        Args:
            config: The whole work.
            model: Instead of the one that the config names.

        Raises:
            DreamplateError: The model, the frames or the options cannot be used.
        """
        self.config, self.position = config, 0
        self.source = Source(config)
        self.target = Target(config, self.source)
        self.model = prepare_model(config, model)
        self.notices: list[str] = []
        self.style = Style(config, self.model, (self.source.frames[0], self.source.frames[-1]))
        self.translator = Translator(
            self.model,
            statistics="frozen" if config.freezes else config.statistics,
            dropout={"auto": None, "on": True, "off": False}[config.dropout],
            seed=config.seed,
            device=config.device,
            precision=config.precision,
            memory=parse_memory(config.memory),
            tile=config.tile,
            say=self.notices.append,
        )
        if config.dropout == "on" and not has_dropout(self.model.network):
            raise ConfigError(f"dropout is on: {config.model} has none; leave it out")
        self.recipe = Recipe(config, self.model.path, self.source)
        frames = self.source.frames
        left = tuple(f for f in frames if not self.recipe.is_done(self.target.path(f), f))
        if len(left) < len(frames):
            self.notices.append(f"{len(frames) - len(left)} of {len(frames)} frames are there and are kept")
        check_frames(config, self.source, self.translator.given, left)
        self._last: Plate | None = None
        self._made: tuple[Given, Tensor] | None = None

    def __len__(self) -> int:
        return len(self.source.frames)

    def step(self) -> Step:
        """Make one frame, or find it done."""
        frame = self.source.frames[self.position]
        self._last = None
        if not self.recipe.is_done(self.target.path(frame), frame):
            self._make(frame)
        self.position += 1
        return Step(self.position, {"frame": float(frame)}, {"frame": lambda: displayable(self.plate(frame))})

    def state_dict(self) -> dict[str, Any]:
        """Return how many frames are done; the frames themselves are files."""
        return {"position": self.position}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Restore what ``state_dict`` returned."""
        self.position = state["position"]

    def outcome(self) -> Outcome:
        """Join the frames to a video, where one is asked for; otherwise all is delivered already."""
        if self.target.video is not None:
            fps = self.config.fps or self.source.fps
            notes = {KEY: self.recipe.text(None)}
            with VideoWriter(self.target.video, fps=fps, metadata=notes) as video:
                for frame in self.source.frames:
                    video.write(read(self.target.path(frame)))
        return Outcome({}, {"frames": float(len(self))})

    def take_notices(self) -> tuple[str, ...]:
        """Return what the user should know and has not been told."""
        told = tuple(self.notices)
        self.notices.clear()
        return told

    def plate(self, frame: int) -> Plate:
        """Return a frame that was made, from memory or disk."""
        return self._last if self._last is not None else read(self.target.path(frame))

    def _make(self, number: int) -> None:
        frame, port = self.source.read(number), self.translator.given
        given = read_given(self.source, number, port, self.config.instances, frame.plate)
        z = self.style.at(number)
        if self.config.freezes and not self.translator.held:
            self.translator.hold(self._reference(), z)
        if not self.style.changes and self._made is not None and given.same(self._made[0]):
            made = self._made[1]  # a held frame, or frames of one picture
        else:
            made = self.translator(given, z)
            self._made = given, made
        plate = self._plate(made, frame.plate)
        amount = self._amount(number, frame)
        if amount is not None:
            plate = mixed(plate, frame.plate, amount, frame.name)
        header = self.recipe.header(number)
        if self.model.made.palette is None:
            self.target.write(frame, number, plate, self.model.made.channels, header)
        else:
            self.target.write_ids(number, plate, header)
        self._last = plate

    def _plate(self, made: Tensor, like: Plate) -> Plate:
        """Return a frame of what the network made: a picture, or the ids of the likeliest classes."""
        palette = self.model.made.palette
        if palette is None:
            return decode_plate(self.model.made, made, like)
        ids = np.array([item.id for item in palette.classes], np.float32)
        found = ids[made[0].argmax(0).numpy()][:, :, None]
        return like.with_(pixels=found, channels=("Y",), colourspace="raw")

    def _reference(self) -> Given:
        """Return the frame whose statistics serve all."""
        text, config = self.config.reference or str(self.source.frames[0]), self.config
        if not text.lstrip("-").isdecimal():
            source = Source(replace(config, source=Path(text), frames=""))
        elif self.source.still:
            source = self.source
        else:
            source = Source(replace(config, frames=text))
        return read_given(source, source.frames[0], self.translator.given, config.instances)

    def _amount(self, number: int, frame: Frame) -> Pixels | None:
        """Return how much of the result is mixed in, ``(height, width)``; None for all of it everywhere."""
        plate, text, mix = frame.plate, self.config.matte, np.float32(self.config.mix)
        if not text:
            return None if mix == 1 else np.full(plate.pixels.shape[:2], mix, np.float32)
        if matte_is_file(text):
            path = pattern_file(text, number)
            return matte_of(read(path), plate, str(path)) * mix
        return matte_of(plate, plate, frame.name, text) * mix


def prepare_model(config: TranslateConfig, model: Model | None = None) -> Model:
    """Return the model that a config names, with the palette and the encoding that it asks for.

    Raises:
        ConfigError: They do not fit the model.
        ModelError: There is no such model.
    """
    if model is None:
        if not config.model:
            raise ConfigError("model is empty: name a training take, a model file, or a model of the store")
        model = load_model(config.model)
    given, made = model.given, model.made
    if config.palette is not None:
        given = with_palette(given, read_palette(config.palette), config.model)
    if config.encoding != "auto":
        given = None if given is None else with_encoding(given, config.encoding)
        made = with_encoding(made, config.encoding)
    return replace(model, given=given, made=made)
