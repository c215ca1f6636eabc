"""Locks: something of a reference picture that the dream should keep.

| kind        | what is kept                                        | what is free                          |
|-------------|-----------------------------------------------------|---------------------------------------|
| `edges`     | where things change, and in which direction         | which side is light, contrast, colour |
| `luminance` | the layout of light and dark, coarsely              | brightness and contrast as a whole    |
| `depth`     | outlines where depth jumps; calm where it does not  | all else; it infers no shading        |
| `features`  | what the scorer's middle layers see, place by place | whatever they do not see              |
| `palette`   | the distribution of colours                         | where the colours are                 |

Every loss is 0 for the reference itself. For an unrelated picture it is about 1 times the kind's `pull`,
which evens out how hard the kinds hold: at weight 1 each is plainly there, and the words still are too.
"""

from __future__ import annotations

import numpy as np
import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor

from dreamplate.dream.controls import Lock
from dreamplate.dream.edges import edge_field, edge_loss, luma
from dreamplate.dream.palettes import oklab
from dreamplate.dream.pictures import Reference, read_depth, read_picture, resize
from dreamplate.dream.scorers import Scorer
from dreamplate.errors import ConfigError
from dreamplate.nets.efficientnet_lite import Layer

Fields = list[Tensor]
"""What a lock looks at in a picture: a few tensors, the pictures along the first axis."""


class StructureLock:
    """Holds pictures to a reference. Kinds differ in what they see, and in how they compare it.

    Args:
        reference: ``(1, c, height, width)`` at the size of the finished picture.
    """

    pull = 1.0
    """Multiplies the loss."""

    def __init__(self, reference: Float[Tensor, "1 c height width"]) -> None:
        self.reference = Reference(reference)
        self._seen: dict[tuple[int, int, str], Fields] = {}

    def loss(self, image: Float[Tensor, "n 3 h w"]) -> Float[Tensor, " n"]:
        """Return how far each picture, display-encoded, of any size, is from the reference."""
        key = (image.shape[-2], image.shape[-1], str(image.device))
        if key not in self._seen:
            with torch.no_grad():
                self._seen[key] = self.see_reference(self.reference.like(image.detach()))
        return self.pull * self.compare(self.see(image), self._seen[key])

    def see(self, image: Float[Tensor, "n 3 h w"]) -> Fields:
        """Return what of pictures is compared."""
        raise NotImplementedError

    def see_reference(self, image: Float[Tensor, "1 c h w"]) -> Fields:
        """Return what of the reference it is compared with."""
        return self.see(image)

    def compare(self, seen: Fields, wanted: Fields) -> Float[Tensor, " n"]:
        """Return how far they are apart, for each picture."""
        raise NotImplementedError


class EdgeLock(StructureLock):
    """Keeps edges, at up to three scales: as the picture is, and at a half and a quarter of its size."""

    pull = 2.0
    LEAST = 24
    """Shorter side in pixels below which no further scale is taken."""

    def see(self, image: Float[Tensor, "n 3 h w"]) -> Fields:
        """Return the edge fields of all scales, fine first."""
        return self._fields(luma(image))

    def _fields(self, grey: Float[Tensor, "n 1 h w"]) -> Fields:
        fields = [edge_field(grey)]
        while len(fields) < 3 and min(grey.shape[-2:]) >= 2 * self.LEAST:
            grey = F.avg_pool2d(grey, 2)
            fields.append(edge_field(grey))
        return fields

    def compare(self, seen: Fields, wanted: Fields) -> Float[Tensor, " n"]:
        """Return the mean loss of all scales."""
        losses = [edge_loss(field, other) for field, other in zip(seen, wanted, strict=True)]
        return torch.stack(losses).mean(0)


class DepthLock(EdgeLock):
    """Keeps the outlines that a depth plate implies, and a little of what air does to distance.

    Edges are wanted where the logarithm of depth jumps, along the jump, and none where depth runs
    smoothly. Besides, nearer parts should have the stronger local contrast (aerial perspective). It
    neither infers normals nor shades anything: two depth plates with the same outlines and the same
    order of distances are nearly the same to it.
    """

    pull = 1.0
    AIR = 0.25
    """Weight of the falling of contrast with distance."""
    CELLS = 16
    """Cells across the shorter side in which contrast is measured."""

    def see(self, image: Float[Tensor, "n 3 h w"]) -> Fields:
        """Return the edge fields, and the local contrast in cells, standardised."""
        grey = luma(image)
        side = max(2, min(grey.shape[-2:]) // self.CELLS)
        mean, square = F.avg_pool2d(grey, side), F.avg_pool2d(grey * grey, side)
        contrast = torch.log((square - mean * mean).clamp(min=0) + 1e-3)
        return [*self._fields(grey), standardise(contrast)]

    def see_reference(self, image: Float[Tensor, "1 1 h w"]) -> Fields:
        """Return the edge fields of a depth map (larger is farther), and nearness in cells, standardised."""
        side = max(2, min(image.shape[-2:]) // self.CELLS)
        return [*self._fields(image), standardise(-F.avg_pool2d(image, side))]

    def compare(self, seen: Fields, wanted: Fields) -> Float[Tensor, " n"]:
        """Return the edges' loss, with the share of the air in it."""
        outlines = super().compare(seen[:-1], wanted[:-1])
        air = 0.5 * (1 - (seen[-1] * wanted[-1]).mean((1, 2, 3)))
        return (1 - self.AIR) * outlines + self.AIR * air


class LuminanceLock(StructureLock):
    """Keeps the layout of light and dark: one minus the correlation, at 32 and at 8 cells a side."""

    SIDES = (32, 8)

    def see(self, image: Float[Tensor, "n 3 h w"]) -> Fields:
        """Return the brightness in coarse cells, standardised, at both scales."""
        grey, fields = luma(image), []
        for side in self.SIDES:
            scale = min(1.0, side / min(grey.shape[-2:]))
            grey = resize(grey, (round(grey.shape[-2] * scale), round(grey.shape[-1] * scale)))
            fields.append(standardise(grey))
        return fields

    def compare(self, seen: Fields, wanted: Fields) -> Float[Tensor, " n"]:
        """Return one minus the mean correlation."""
        pairs = zip(seen, wanted, strict=True)
        return 1 - torch.stack([(one * other).mean((1, 2, 3)) for one, other in pairs]).mean(0)


class PaletteLock(StructureLock):
    """Keeps the distribution of colours: the sliced Wasserstein distance in Oklab.

    Rabin, Peyré, Delon and Bernot, "Wasserstein barycenter and its application to texture mixing",
    2011: clouds of points are projected onto lines, on each of which the best transport is sorting.
    Lines are the axes and fixed random ones; colour axes are stretched, as their spread is smaller.
    """

    LINES = 12
    SIDE = 64
    """Shorter side in pixels at which colours are taken: grain below it blends in the eye."""
    CHROMA = 2.0
    SCALE = 4.0
    """Brings the distance of unrelated photographs, about 0.2, to about 1."""

    def __init__(self, reference: Float[Tensor, "1 3 height width"]) -> None:
        super().__init__(reference)
        draws = torch.randn((self.LINES, 3), generator=torch.Generator().manual_seed(0))
        self.lines = F.normalize(torch.cat([torch.eye(3), draws]), dim=-1)

    def see(self, image: Float[Tensor, "n 3 h w"]) -> Fields:
        """Return the sorted places of all colours on all lines."""
        scale = min(1.0, self.SIDE / min(image.shape[-2:]))
        image = resize(image, (round(image.shape[-2] * scale), round(image.shape[-1] * scale)))
        stretch = image.new_tensor([1.0, self.CHROMA, self.CHROMA])[:, None, None]
        colours = (oklab(image) * stretch).flatten(2)
        return [(self.lines.to(image) @ colours).sort(-1).values]

    def compare(self, seen: Fields, wanted: Fields) -> Float[Tensor, " n"]:
        """Return the mean distance that colours are to be moved."""
        return self.SCALE * (seen[0] - wanted[0]).abs().mean((1, 2))


class FeatureLock(StructureLock):
    """Keeps what the scorer's middle layers see at each place; one minus the cosine, its mean over places.

    The whole picture is squeezed into the scorer's square, and the reference likewise. A scorer with
    layers (`encode_with_layers`) is asked for up to four with maps of 10 to 32 cells a side, measured
    against what photographs cause in them: coarser ones hold what things are rather than where their
    parts are, and would be at odds with the words. Failing that, its vectors of places (`encode_map`)
    are compared, and failing that its vector of the whole, which keeps content but not its place.
    """

    pull = 0.25
    LAYERS = 4
    MAPS = (10, 32)
    """Smallest and largest side of the maps that are compared."""

    def __init__(self, reference: Float[Tensor, "1 3 height width"], scorer: Scorer) -> None:
        super().__init__(reference)
        self.scorer = scorer

    def see(self, image: Float[Tensor, "n 3 h w"]) -> Fields:
        """Return unit vectors at each place of some layers, ``(n, c, h, w)``."""
        square = resize(image, (self.scorer.size, self.scorer.size))
        layered = getattr(self.scorer, "encode_with_layers", None)
        layers = [layer for layer in layered(square)[1] if self._middle(layer)] if layered else []
        if layers:
            chosen = np.unique(np.linspace(0, len(layers) - 1, self.LAYERS).round().astype(int))
            return [_directions(layers[index]) for index in chosen]
        mapped = getattr(self.scorer, "encode_map", None)
        return [mapped(square) if mapped else self.scorer.encode_image(square)[:, :, None, None]]

    def _middle(self, layer: Layer) -> bool:
        sides = layer.values.shape[-2:]
        return self.MAPS[0] <= min(sides) and max(sides) <= self.MAPS[1]

    def compare(self, seen: Fields, wanted: Fields) -> Float[Tensor, " n"]:
        """Return one minus the mean cosine."""
        pairs = zip(seen, wanted, strict=True)
        return 1 - torch.stack([(one * other).sum(1).mean((1, 2)) for one, other in pairs]).mean(0)


def _directions(layer: Layer) -> Float[Tensor, "n c h w"]:
    centred = layer.values.float() - layer.mean[:, None, None]
    return F.normalize(centred / (layer.std[:, None, None] + 1e-2), dim=1)


def standardise(values: Float[Tensor, "n 1 h w"]) -> Float[Tensor, "n 1 h w"]:
    """Shift and scale each map to mean 0 and mean square 1 (less for a map that is nearly flat)."""
    centred = values - values.mean((1, 2, 3), keepdim=True)
    return centred / (centred.square().mean((1, 2, 3), keepdim=True) + 1e-5).sqrt()


def make_lock(lock: Lock, size: tuple[int, int], scorer: Scorer) -> StructureLock:
    """Read a lock's reference and build what holds a dream to it.

    Args:
        lock: Kind and reference; its weight is for the caller.
        size: Width and height of the finished picture. A reference of another shape is cropped to it
            at the centre.
        scorer: Whose features a lock of that kind compares.

    Raises:
        MediaError: The reference cannot be read.
        ConfigError: There is nothing in it to keep.
    """
    if lock.kind == "depth":
        return DepthLock(read_depth(lock.reference, size))
    image = read_picture(lock.reference, size, expose=True)
    if lock.kind in ("edges", "luminance") and float(luma(image).std()) < 2e-3:
        raise ConfigError(
            f"lock {lock.kind}: {lock.reference} is one flat tone and locks nothing: choose another picture"
        )
    if lock.kind == "features":
        return FeatureLock(image, scorer)
    return {"edges": EdgeLock, "luminance": LuminanceLock, "palette": PaletteLock}[lock.kind](image)
