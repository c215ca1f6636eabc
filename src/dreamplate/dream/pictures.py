"""Pictures that a dream is given: to start from, to keep, to resemble, to be held to."""

from __future__ import annotations

from os import PathLike

import numpy as np
import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor

from dreamplate.dream.cutouts import full_view, take_cuts
from dreamplate.dream.edges import luma
from dreamplate.dream.scorers import Scorer
from dreamplate.errors import ConfigError, MediaError
from dreamplate.plate import Plate, convert, read, to_tensor
from dreamplate.plate.plate import Pixels

BRIGHT = 0.99
"""Share of a picture's pixels that must not be clipped when its exposure is chosen."""


def picture_tensor(path: str | PathLike[str], *, expose: bool = False) -> Float[Tensor, "1 3 height width"]:
    """Read a picture as ``(1, 3, height, width)``, display-encoded and clipped to [0, 1].

    Seen is the display window, over black where it is transparent.

    Args:
        path: The file.
        expose: Darken a picture that is brighter than a monitor until at most one pixel in a hundred
            is clipped (see `exposure`); others stay as they are. For pictures of which the content
            matters and not the brightness: an EXR with values of 1000 is not a white square then.

    Raises:
        MediaError: It cannot be read, or holds NaN or infinite values.
    """
    plate = read(path).check_finite(str(path)).to_display()
    plate = plate.with_(pixels=plate.rgb(), channels=("R", "G", "B"))
    if expose:
        light = convert(plate, "scene_linear")
        factor = exposure(light)
        if factor < 1:
            plate = light.with_(pixels=light.pixels * np.float32(factor))
    return to_tensor(plate).clamp(0, 1)


def exposure(plate: Plate) -> float:
    """Return the factor, at most 1, by which light must be dimmed so that 99 % of the pixels are within 1.

    Args:
        plate: Scene-linear ``R G B``.
    """
    brightest = np.quantile(plate.pixels.max(axis=2), BRIGHT)
    return float(1 / max(1.0, brightest))


def cover(image: Float[Tensor, "n c h w"], size: tuple[int, int]) -> Float[Tensor, "n c height width"]:
    """Scale pictures until they cover ``size`` (width, height), and cut off what hangs over at the centre."""
    height, width = image.shape[-2:]
    if (width, height) == tuple(size):
        return image
    scale = max(size[0] / width, size[1] / height)
    new = (max(size[1], round(height * scale)), max(size[0], round(width * scale)))
    image = F.interpolate(image, new, mode="bicubic", antialias=True)
    top, left = (new[0] - size[1]) // 2, (new[1] - size[0]) // 2
    return image[..., top : top + size[1], left : left + size[0]].contiguous()


def read_picture(
    path: str | PathLike[str], size: tuple[int, int], *, expose: bool = False
) -> Float[Tensor, "1 3 height width"]:
    """Read a picture and fill ``size`` (width, height) with it: scaled to cover, cropped at the centre.

    Raises:
        MediaError: As for `picture_tensor`.
    """
    return cover(picture_tensor(path, expose=expose), size).clamp(0, 1)


def read_kept(path: str | PathLike[str], size: tuple[int, int]) -> Plate:
    """Read the plate of which a mask keeps a part: every channel, no value changed where that is possible.

    It stays in its own colour space when that is linear light; otherwise it is converted to
    ``scene_linear``, once, here.

    Args:
        path: The init picture.
        size: Width and height of the dream in pixels. They must be the plate's: resized, nothing of
            it would be kept to the bit.

    Raises:
        ConfigError: The sizes differ, or its colour space is unknown.
        MediaError: It cannot be read, has no colour, or holds NaN or infinite values.
    """
    plate = read(path).check_finite(str(path)).to_display()
    plate.rgb()
    if (plate.width, plate.height) != tuple(size):
        raise ConfigError(
            f"init {path} is {plate.width}x{plate.height} but size is {size[0]}x{size[1]}: with a mask they"
            f" must be equal, so that what is kept stays as it is; set size {plate.width} {plate.height}"
        )
    return plate if is_linear(plate.colourspace) else convert(plate, "scene_linear")


def is_linear(colourspace: str) -> bool:
    """Return whether values of a colour space are proportional to light.

    Raises:
        ConfigError: The colour space is unknown.
    """
    ramp = np.array([0.125, 0.25, 0.5, 1.0, 8.0], np.float32)
    grey = Plate.from_rgb(np.repeat(ramp[None, :, None], 3, axis=2), colourspace)
    light = convert(grey, "scene_linear").pixels[0].mean(axis=1)
    return bool(np.allclose(light / light[3], ramp, rtol=1e-3))


def read_depth(path: str | PathLike[str], size: tuple[int, int]) -> Float[Tensor, "1 1 height width"]:
    """Read a depth plate and fill ``size`` (width, height) with it, cropped at the centre; 0 is near, 1 far.

    A channel ``Z`` or ``depth.Z``, or the only channel of an EXR named otherwise than ``Y``, is distance:
    its logarithm is taken, and zero, negative, infinite or above a billion counts as background, a
    half farther than the farthest thing. Any other picture is a grey map as depth estimators make
    them, in which lighter is nearer.

    Raises:
        MediaError: It cannot be read, or holds NaN.
        ConfigError: Everything is equally far.
    """
    plate = read(path).to_display()
    named = [name for name in plate.channels if name in ("Z", "depth.Z")]
    if not named and len(plate.channels) == 1 and plate.channels[0] != "Y":
        named = list(plate.channels)
    if not named:
        values = -luma(_tensor(plate.check_finite(str(path)).rgb())[None].permute(0, 3, 1, 2))
    else:
        name = named[0]
        distance = plate.channel(name)
        if np.isnan(distance).any():
            raise MediaError(f"{path}: channel {name} holds NaN; repair it or render the depth anew")
        thing = (distance > 0) & (distance < 1e9)
        if not thing.any():
            raise ConfigError(f"depth {path} has nothing between 0 and a billion in {name}: it locks nothing")
        far = 1.5 * float(distance[thing].max())
        values = _tensor(np.log(np.where(thing, distance, far), dtype=np.float32))[None, None]
    low, high = float(values.min()), float(values.max())
    if high - low < 1e-4:
        raise ConfigError(
            f"depth {path} is equally far everywhere, so it locks nothing: choose another plate"
        )
    return cover((values - low) / (high - low), size).clamp(0, 1)


def _tensor(array: Pixels) -> Tensor:
    return torch.from_numpy(np.array(array, np.float32, order="C", copy=True))


@torch.no_grad()
def encode_picture(
    scorer: Scorer, path: str | PathLike[str], device: torch.device | str = "cpu"
) -> Float[Tensor, " dim"]:
    """Return a picture in a scorer's space, judged whole: its largest centred square, well exposed.

    Raises:
        MediaError: As for `picture_tensor`.
    """
    image = picture_tensor(path, expose=True).to(device)
    embedding = scorer.encode_image(take_cuts(image, full_view(), scorer.size, colour=False))
    return F.normalize(embedding.float(), dim=-1)[0]


class Reference:
    """A picture that is looked at in whatever size the dream has just then; each size is made once.

    Args:
        image: ``(1, c, height, width)`` at the size of the finished picture.
    """

    def __init__(self, image: Float[Tensor, "1 c height width"]) -> None:
        self.image = image
        self._sized: dict[tuple[int, int], Tensor] = {}

    def like(self, other: Float[Tensor, "n k h w"]) -> Float[Tensor, "1 c h w"]:
        """Return it in the size, on the device and of the type of another picture."""
        size = (other.shape[-2], other.shape[-1])
        found = self._sized.get(size)
        if found is None or found.device != other.device or found.dtype != other.dtype:
            found = self._sized[size] = resize(self.image.to(other), size)
        return found


def resize(image: Float[Tensor, "n c height width"], size: tuple[int, int]) -> Float[Tensor, "n c h w"]:
    """Resample to ``size`` (height, width) without aliasing and without overshoot."""
    if tuple(image.shape[-2:]) == tuple(size):
        return image
    return F.interpolate(image, size, mode="bilinear", antialias=True)
