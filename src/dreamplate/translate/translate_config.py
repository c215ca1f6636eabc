"""What a translation is: every option of ``dreamplate translate``, spelt here and nowhere else. No torch.

Fields become flags, YAML recipes and provenance; their docstrings become the help.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal

from tyro.conf import Positional

from dreamplate.errors import ConfigError
from dreamplate.take.config import replace_fields
from dreamplate.take.fields import Bounds
from dreamplate.take.machine import parse_memory

__all__ = ["TranslateConfig", "is_pattern", "plan_translate"]

Share = Annotated[float, Bounds(ge=0, le=1)]


@dataclass(frozen=True)
class TranslateConfig:
    """Pictures, sequences and video through a model: sketches, label maps or any passes in, plates out."""

    model: Positional[str] = ""
    """A training take, a model file, or the name of an imported checkpoint in the store."""
    source: Positional[Path] = Path()
    """A picture, a frame pattern such as in.####.exr, or a video."""
    target: Positional[str] = ""
    """Where it goes: a picture, a frame pattern, or a video (its frames are kept beside it)."""
    frames: str = ""
    """Frames to make, such as 1001-1100x2; all there are when empty. With one picture as the source: frames
    of that picture, for a change of style."""
    palette: Path | None = None
    """Palette of the label maps (JSON) instead of the model's, with as many classes."""
    encoding: Literal["auto", "display", "log", "linear"] = "auto"
    """What the network sees of colour, where a checkpoint does not say; auto: what it says, else display."""
    instances: str = ""
    """Object ids that come with label maps: a picture, or a frame pattern."""
    statistics: Literal["auto", "batch", "picture", "running", "frozen"] = "auto"
    """Which mean and spread the norms use: of each frame (batch and picture are the same), those seen in
    training (running), or those of one frame for all (frozen); auto: as the model was trained."""
    reference: str = ""
    """The frame whose statistics are frozen: a number or a picture; the first frame when empty. Naming one
    freezes."""
    dropout: Literal["auto", "on", "off"] = "auto"
    """Keep dropout on, the only noise of pix2pix; the same in every frame. auto: as the model says."""
    seed: Annotated[int, Bounds(ge=0, lt=2**63)] = 0
    """Number that dropout and style follow from."""
    style_image: Path | None = None
    """Picture whose style is taken, for models with a style encoder."""
    style_seed: Annotated[int, Bounds(ge=0, lt=2**63)] | None = None
    """Number that the style is drawn from; by default the seed."""
    style_from: str = ""
    """Style of the first frame, a number or a picture, changing evenly to that of style-to."""
    style_to: str = ""
    """Style of the last frame."""
    style_span: tuple[int, int] | None = None
    """First and last frame of that change; by default those of frames."""
    matte: str = ""
    """Where the model works: a picture, a frame pattern, or a channel of the source. Outside, the source
    stays to the bit."""
    mix: Share = 1.0
    """How much of the result there is over the source."""
    depth: str = ""
    """Sample type of what is made (half, float, 8, 16); that of the source when empty."""
    colourspace: str = ""
    """Colour space of the target; by default the source's, scene-linear in OpenEXR, display elsewhere."""
    fps: Annotated[float, Bounds(ge=0, le=1000)] = 0.0
    """Frames a second of a video; 0: the source's, or 24."""
    tile: Annotated[int, Bounds(ge=0, le=65_536)] = 0
    """Largest side of what the network sees at once, in pixels; 0: as memory allows."""
    memory: str = "2GiB"
    """Memory for the network's work, besides its weights; larger frames are cut into tiles that fit."""
    device: str = "auto"
    """cpu, cuda or cuda:N; auto: a card where there is one."""
    precision: Literal["float32", "bfloat16"] = "float32"
    """Arithmetic of convolutions."""
    task_frames: Annotated[int, Bounds(ge=0, le=1_000_000)] = 0
    """Frames of one task when the work is shared out to processes or machines; 0 keeps all in one."""

    def __post_init__(self) -> None:
        parse_memory(self.memory)
        if self.reference and self.statistics not in ("auto", "frozen"):
            raise ConfigError(
                f"reference is {self.reference!r}, which freezes, and statistics is {self.statistics!r}:"
                " leave one out"
            )
        if bool(self.style_from) != bool(self.style_to):
            raise ConfigError("style-from and style-to belong together: give both")
        given = [
            name
            for name in ("style_image", "style_seed", "style_from")
            if getattr(self, name) not in (None, "")
        ]
        if len(given) > 1:
            raise ConfigError(f"{' and '.join(given)} are both given: a frame has one style, choose one")

    @property
    def freezes(self) -> bool:
        """Whether one frame's statistics serve all."""
        return bool(self.reference) or self.statistics == "frozen"


def is_pattern(name: str) -> bool:
    """Say whether a name has a place for a frame number, and is no file itself."""
    if not any(sign in Path(name).name for sign in "#@%"):
        return False
    try:
        return not Path(name).is_file()
    except (OSError, ValueError):
        return True


def plan_translate(config: TranslateConfig) -> list[TranslateConfig]:
    """Cut a translation into runs of ``task_frames`` frames, in order; each is a task of its own.

    What depends on the whole sequence (whose statistics are frozen, where a change of style begins and ends)
    is written into each.

    Raises:
        ConfigError: Tasks are asked for, but not which frames, or a video is to be made.
    """
    from dreamplate.plate.formats import is_video
    from dreamplate.plate.frames import format_frames, parse_frames

    if config.task_frames == 0:
        return [config]
    if not config.frames:
        raise ConfigError(
            f"task_frames is {config.task_frames}, but frames is empty: say which, e.g. 1001-1100"
        )
    if is_video(config.target):
        raise ConfigError(f"target is {config.target}: a video is one task; make frames (out.####.exr)")
    frames, size = parse_frames(config.frames), config.task_frames
    changes = whole(config, frames) | {"task_frames": 0}
    return [
        replace_fields(config, changes | {"frames": format_frames(frames[at : at + size])})
        for at in range(0, len(frames), size)
    ]


def whole(config: TranslateConfig, frames: tuple[int, ...]) -> dict[str, object]:
    """Return what a part of the frames must know of them all, as changes of the config."""
    changes: dict[str, object] = {}
    if config.freezes and not config.reference:
        changes["reference"] = str(frames[0])
    if config.style_from and config.style_span is None:
        changes["style_span"] = [frames[0], frames[-1]]
    return changes
