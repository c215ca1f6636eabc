"""Pictures: plates, sequences, video, colour; reading and writing their files."""

from __future__ import annotations

from typing import TYPE_CHECKING

from dreamplate.lazy import lazy

if TYPE_CHECKING:
    from dreamplate.plate.camera import Camera, interpolate_poses, look_at
    from dreamplate.plate.colour import colourspaces, convert, resolve_colourspace, tone_map
    from dreamplate.plate.frames import parse_frames
    from dreamplate.plate.io import open_plate, read, read_parts, write, write_parts
    from dreamplate.plate.labels import LabelClass, Palette, read_palette
    from dreamplate.plate.lens import Lens
    from dreamplate.plate.limits import Limits
    from dreamplate.plate.plate import Box, Plate
    from dreamplate.plate.reader import PlateReader
    from dreamplate.plate.sequence import Sequence, open_sequence
    from dreamplate.plate.summary import Info, PartInfo, VideoInfo, info
    from dreamplate.plate.tensor import ENCODINGS, from_tensor, to_tensor
    from dreamplate.plate.video_reader import VideoReader
    from dreamplate.plate.video_writer import VideoWriter

_HOME = {
    "Box": "plate",
    "Camera": "camera",
    "ENCODINGS": "tensor",
    "Info": "summary",
    "LabelClass": "labels",
    "Lens": "lens",
    "Limits": "limits",
    "Palette": "labels",
    "PartInfo": "summary",
    "Plate": "plate",
    "PlateReader": "reader",
    "Sequence": "sequence",
    "VideoInfo": "summary",
    "VideoReader": "video_reader",
    "VideoWriter": "video_writer",
    "colourspaces": "colour",
    "convert": "colour",
    "from_tensor": "tensor",
    "info": "summary",
    "interpolate_poses": "camera",
    "look_at": "camera",
    "open_plate": "io",
    "open_sequence": "sequence",
    "parse_frames": "frames",
    "read": "io",
    "read_palette": "labels",
    "read_parts": "io",
    "resolve_colourspace": "colour",
    "to_tensor": "tensor",
    "tone_map": "colour",
    "write": "io",
    "write_parts": "io",
}

__all__ = [
    "ENCODINGS",
    "Box",
    "Camera",
    "Info",
    "LabelClass",
    "Lens",
    "Limits",
    "Palette",
    "PartInfo",
    "Plate",
    "PlateReader",
    "Sequence",
    "VideoInfo",
    "VideoReader",
    "VideoWriter",
    "colourspaces",
    "convert",
    "from_tensor",
    "info",
    "interpolate_poses",
    "look_at",
    "open_plate",
    "open_sequence",
    "parse_frames",
    "read",
    "read_palette",
    "read_parts",
    "resolve_colourspace",
    "to_tensor",
    "tone_map",
    "write",
    "write_parts",
]

__getattr__, __dir__ = lazy(__name__, _HOME)
