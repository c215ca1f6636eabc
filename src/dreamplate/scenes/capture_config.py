"""What a capture is: every option of ``dreamplate capture``, spelt here and nowhere else."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal

from tyro.conf import Positional

from dreamplate.take.fields import Bounds

__all__ = ["CaptureConfig"]


@dataclass(frozen=True)
class CaptureConfig:
    """Cameras, points and a scene from photographs of one place, or from a video that moves through it."""

    source: Positional[Path]
    """A folder of photographs, or a video."""
    out: Path
    """Folder of the scene; it appears when all is done."""
    camera_model: Literal["pinhole", "simple_radial", "radial", "opencv", "opencv_fisheye"] = "simple_radial"
    """Lens: simple_radial suits most; opencv is for wide lenses, opencv_fisheye for fisheyes."""
    cameras: Literal["auto", "one", "each"] = "auto"
    """Which photographs share a lens: auto, those of one size, device and focal; one, all; each, none."""
    focal: Annotated[float, Bounds(ge=0)] = 0.0
    """Focal length in pixels of the photographs, where it is known; 0 for what their Exif entries say."""
    fix_focal: bool = False
    """Keep that focal length as it is."""
    refine_centre: bool = False
    """Also find the principal point; needs many photographs, some of them turned."""
    mapper: Literal["incremental", "global"] = "incremental"
    """incremental adds photographs one by one and is safest; global solves all at once, faster for many."""
    matching: Literal["auto", "exhaustive", "sequential"] = "auto"
    """Which photographs are compared: exhaustive, all pairs; sequential, neighbours in order; auto,
    neighbours for videos and for more photographs than --exhaustive-up-to."""
    exhaustive_up_to: Annotated[int, Bounds(ge=2)] = 150
    """Most photographs of which auto compares all pairs."""
    overlap: Annotated[int, Bounds(ge=1, le=1000)] = 10
    """How many following photographs sequential compares each with, some more at growing distances."""
    max_features: Annotated[int, Bounds(ge=64, le=100_000)] = 8192
    """Most features found in a photograph."""
    max_size: Annotated[int, Bounds(ge=64, le=20_000)] = 3200
    """Longest side, in pixels, at which features are looked for."""
    min_matches: Annotated[int, Bounds(ge=8, le=10_000)] = 15
    """Fewest agreeing matches that connect two photographs."""
    frames: Annotated[int, Bounds(ge=2, le=100_000)] = 100
    """How many frames of a video to keep: the sharpest of as many equal stretches of time."""
    min_motion: Annotated[float, Bounds(ge=0, le=1)] = 0.004
    """Mean change of display value below which a video frame shows nothing new and is not kept."""
    masks: Path | None = None
    """Folder of masks named as the photographs; marked pixels are used neither here nor by fit."""
    mask_marks: Literal["dark", "light"] = "dark"
    """Which pixels of the masks are the ones to leave out."""
    holdout: Annotated[int, Bounds(ge=0)] = 8
    """Every n-th view is kept for testing; 0 for none."""
    up: Literal["cameras", "none"] = "cameras"
    """cameras turns the world so that +Z is up as the cameras were held; none leaves it as it was found."""
    gps: str = ""
    """exif, or a file {"name.jpg": {"lat": .., "lon": .., "alt": ..}}: metres, +X east, +Y north, +Z up."""
    scale: tuple[str, str, float] | None = None
    """Two photographs and the distance between their cameras, in the unit that the world shall have."""
    undistort: bool = False
    """Also remove the lens: photographs are resampled, and cameras become pinholes."""
    link: bool = False
    """Link to the photographs instead of copying them."""
    overwrite: bool = False
    """Replace what is in the folder."""
    seed: Annotated[int, Bounds(ge=0, lt=2**31)] = 0
    """Number that every random draw follows from."""
    threads: Annotated[int, Bounds(ge=0, le=1024)] = 0
    """Processor threads; 0 for all cores. With 1 the same photographs give the same bits."""
