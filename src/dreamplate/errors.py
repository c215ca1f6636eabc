"""Every error that Dreamplate raises on purpose.

    DreamplateError
    ├── ConfigError            an option, a prompt or a recipe is wrong
    ├── MediaError             a picture, sequence or video cannot be read or written
    │   └── MediaLimitError    its header claims more than the size limit allows
    ├── SceneError             a capture, a camera file or a mesh cannot be used
    ├── TakeError              a take folder cannot be used
    │   └── StateError         its saved state is damaged or of another job
    ├── ModelError             weights are missing or do not fit the network
    │   └── CheckpointError    a weight file is damaged, hostile or of an unknown format
    ├── ResourceError          not enough memory or disk
    └── MissingExtraError      an optional package is not installed

Each message is one line: the file or field, the value found, and what to do about it.
The command line prints that line and ends with the class's ``exit_code``.
"""

from __future__ import annotations


class DreamplateError(Exception):
    """Base of every error that Dreamplate raises on purpose."""

    exit_code = 1


class ConfigError(DreamplateError):
    """An option, a prompt or a recipe is wrong."""

    exit_code = 2


class MediaError(DreamplateError):
    """A picture, sequence or video cannot be read or written."""

    exit_code = 3


class MediaLimitError(MediaError):
    """A media header claims more pixels, channels or frames than the limit allows."""


class SceneError(DreamplateError):
    """A capture, a camera file or a mesh cannot be used."""

    exit_code = 8


class TakeError(DreamplateError):
    """A take folder cannot be used."""

    exit_code = 4


class StateError(TakeError):
    """The saved state of a take is damaged or belongs to another job."""


class ModelError(DreamplateError):
    """Weights are missing or do not fit the network."""

    exit_code = 5


class CheckpointError(ModelError):
    """A weight file is damaged, hostile or of an unknown format."""


class ResourceError(DreamplateError):
    """There is not enough memory or disk for the work."""

    exit_code = 6


class MissingExtraError(DreamplateError):
    """An optional package is needed and not installed."""

    exit_code = 7
