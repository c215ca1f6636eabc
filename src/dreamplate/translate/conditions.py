"""What a model is given of each frame, read and checked."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch

from dreamplate.errors import ConfigError, MediaError
from dreamplate.plate.plate import Plate
from dreamplate.plate.summary import info
from dreamplate.train.onehot import instance_edges
from dreamplate.train.plates import check_channels, encode_plate, hold_data
from dreamplate.train.port import Port
from dreamplate.translate.frames import Source, pattern_file, read_ids
from dreamplate.translate.given import Given
from dreamplate.translate.translate_config import TranslateConfig, is_pattern

__all__ = ["check_frames", "files_beside", "matte_is_file", "read_given"]


def read_given(
    source: Source, frame: int, port: Port, instances: str = "", plate: Plate | None = None
) -> Given:
    """Return what a model is given of a frame.

    Args:
        source: Of frames.
        frame: Its number.
        port: Of the condition.
        instances: Object ids, where the port has them.
        plate: The frame, where it has been read already.

    Raises:
        MediaError: A file cannot be read, lacks a channel, or holds labels outside the palette.
    """
    if port.palette is None:
        plate = source.read(frame).plate if plate is None else plate
        # As in training: depth where nothing was hit is as far as the model knows.
        return Given(picture=encode_plate(port, hold_data(plate, port), source.name(frame)))
    labels = source.labels(frame, port.palette, port.channels[0])
    edges = None
    if port.instances:
        path = pattern_file(instances, frame)
        ids = read_ids(path)
        if ids.shape != labels.shape:
            raise MediaError(
                f"{path}: is {ids.shape[1]}x{ids.shape[0]}, the labels {labels.shape[1]}x{labels.shape[0]};"
                " save both at one size"
            )
        edges = instance_edges(torch.from_numpy(ids)[None])
    return Given(labels=torch.from_numpy(labels)[None], edges=edges)


def check_frames(config: TranslateConfig, source: Source, port: Port, frames: tuple[int, ...]) -> None:
    """Find whatever is wrong with any frame, before the first is made.

    Pictures are judged by their headers. Label maps are read whole, because one wrong value is enough.

    Args:
        config: Of the translation.
        source: Of frames.
        port: Of the condition.
        frames: Those that are to be made.

    Raises:
        ConfigError: Instances or the matte do not fit the model or the source.
        MediaError: A file is missing, lacks a channel, or holds labels outside the palette; names the first.
    """
    if port.instances and not config.instances:
        raise ConfigError(f"instances is empty: {config.model} needs object ids; name their picture")
    if config.instances and not port.instances:
        raise ConfigError(f"instances is {config.instances!r}: {config.model} takes none; leave it out")
    if config.matte and frames and not matte_is_file(config.matte):
        channels = source.channels(frames[0])
        if config.matte not in channels:
            raise ConfigError(
                f"matte is {config.matte!r}: there is no such file, and {source.name(frames[0])} has channels"
                f" {' '.join(channels)}"
            )
    for frame in frames[:1] if source.still else frames:
        if port.palette is None:
            channels = source.channels(frame)
            check_channels(
                port, Plate(np.zeros((1, 1, len(channels)), np.float32), channels), source.name(frame)
            )
        else:
            source.labels(frame, port.palette, port.channels[0])
        for path in files_beside(config, frame):
            info(path)


def files_beside(config: TranslateConfig, frame: int) -> list[Path]:
    """Return the files that belong to a frame besides its own: object ids, the matte."""
    named = [config.instances, config.matte if matte_is_file(config.matte) else ""]
    return [pattern_file(text, frame) for text in named if text]


def matte_is_file(matte: str) -> bool:
    """Say whether a matte is a file (or a pattern of files), not a channel: it has an extension."""
    return is_pattern(matte) or (bool(Path(matte).suffix) and Path(matte).is_file()) or "/" in matte
