"""Laws of locks: nothing to change in the reference, what is free is free, and descending obeys."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from toy import ToyScorer

from dreamplate.dream.controls import Lock
from dreamplate.dream.edges import edge_field, edge_loss, edge_overlap, gradients, luma, thin_edges
from dreamplate.dream.fft import Fft
from dreamplate.dream.locks import (
    DepthLock,
    EdgeLock,
    FeatureLock,
    LuminanceLock,
    PaletteLock,
    StructureLock,
    make_lock,
)
from dreamplate.dream.options import FftConfig
from dreamplate.errors import ConfigError, MediaError
from dreamplate.plate import Plate, write


def scene(height: int = 64, width: int = 80) -> torch.Tensor:
    """A tower, a disc and a ground, in colours: what has edges, tones and a palette."""
    y, x = torch.meshgrid(torch.arange(height) / height, torch.arange(width) / width, indexing="ij")
    image = torch.stack([0.5 + 0.2 * y, 0.6 + 0 * y, 0.8 - 0.2 * y])
    image[:, y > 0.7] = torch.tensor([0.3, 0.35, 0.2])[:, None]
    image[:, (x > 0.2) & (x < 0.35) & (y > 0.2)] = torch.tensor([0.7, 0.2, 0.1])[:, None]
    image[:, (x - 0.7) ** 2 + (y - 0.4) ** 2 < 0.03] = torch.tensor([0.95, 0.9, 0.5])[:, None]
    return image[None]


def other(height: int = 64, width: int = 80, count: int = 1) -> torch.Tensor:
    coarse = torch.rand((count, 3, 9, 9), generator=torch.Generator().manual_seed(5))
    return F.interpolate(coarse, (height, width), mode="bicubic").clamp(0, 1)


MAKERS: dict[str, Callable[[torch.Tensor], StructureLock]] = {
    "edges": EdgeLock,
    "luminance": LuminanceLock,
    "palette": PaletteLock,
    "features": lambda image: FeatureLock(image, ToyScorer()),
}


@pytest.mark.parametrize("kind", sorted(MAKERS))
@pytest.mark.parametrize("size", [(64, 80), (32, 40), (17, 22), (96, 120)])
def test_the_reference_costs_nearly_nothing_at_any_size(kind: str, size: tuple[int, int]) -> None:
    lock = MAKERS[kind](scene())
    there = F.interpolate(scene(), size, mode="bilinear", antialias=True)
    near, far = lock.loss(there).item(), lock.loss(other(*size)).item()
    assert near < 0.3 * far
    assert far > 0.2 * lock.pull


@pytest.mark.parametrize("kind", [*sorted(MAKERS), "depth"])
def test_pictures_are_judged_alone_and_gradients_are_finite(kind: str) -> None:
    lock = DepthLock(luma(scene())) if kind == "depth" else MAKERS[kind](scene())
    both = torch.cat([other(), torch.full((1, 3, 64, 80), 0.5)]).requires_grad_()
    losses = lock.loss(both)
    assert losses.shape == (2,)
    assert torch.allclose(losses[:1], lock.loss(other()), atol=1e-5)
    losses.sum().backward()
    assert both.grad is not None and torch.isfinite(both.grad).all()
    assert both.grad[0].abs().sum() > 0


@pytest.mark.parametrize("kind", ["edges", "luminance"])
def test_contrast_and_brightness_as_a_whole_are_free(kind: str) -> None:
    lock = MAKERS[kind](scene())
    assert lock.loss(0.2 + 0.6 * scene()).item() == pytest.approx(lock.loss(scene()).item(), abs=0.03)


def test_edges_leave_light_and_dark_free_and_luminance_does_not() -> None:
    negative = 1 - scene()
    edges, tones = EdgeLock(scene()), LuminanceLock(scene())
    assert edges.loss(negative).item() == pytest.approx(edges.loss(scene()).item(), abs=1e-4)
    assert tones.loss(negative).item() == pytest.approx(2, abs=0.01)


def test_a_missing_edge_costs_more_than_an_extra_one() -> None:
    one, two = torch.full((1, 1, 40, 40), 0.3), torch.full((1, 1, 40, 40), 0.3)
    one[..., 12:] = 0.6
    two[..., 12:] = 0.6
    two[..., 28:] = 0.3
    few, many = edge_field(one), edge_field(two)
    right, less, more = edge_loss(many, many), edge_loss(few, many), edge_loss(many, few)
    assert right < more < less


def test_palettes_do_not_care_where_colours_are() -> None:
    lock, generator = PaletteLock(scene()), torch.Generator().manual_seed(0)
    order = torch.randperm(64 * 80, generator=generator)
    shuffled = scene().flatten(2)[..., order].view(1, 3, 64, 80)
    assert lock.loss(shuffled).item() < 1e-5
    assert EdgeLock(scene()).loss(shuffled) > 1


def test_depth_wants_edges_where_depth_jumps_and_calm_elsewhere() -> None:
    y, x = torch.meshgrid(torch.arange(64.0), torch.arange(80.0), indexing="ij")
    disc = (x - 40) ** 2 + (y - 32) ** 2 < 300
    depth = torch.where(disc, 0.2, 0.7 + 0.003 * y)[None, None]  # a ball before a receding ground
    lock = DepthLock(depth)
    drawn = torch.where(disc, 0.7, 0.3).expand(1, 3, 64, 80)
    elsewhere = drawn.roll(25, -1)
    striped = (drawn + 0.15 * torch.sin(x * 1.2)).clamp(0, 1)
    assert lock.loss(drawn) < lock.loss(striped) < lock.loss(elsewhere)
    texture = 0.2 * torch.sin(x * 2.1) * torch.sin(y * 1.9)
    near = drawn + texture * disc
    assert lock.loss(near) < lock.loss(drawn + texture * ~disc)  # contrast belongs to what is near


@pytest.mark.parametrize("kind", sorted(MAKERS))
def test_descending_obeys_the_lock(kind: str) -> None:
    lock = MAKERS[kind](scene())
    paint = Fft(FftConfig(), (80, 64), (False, False), [torch.Generator().manual_seed(0)])
    optimiser = torch.optim.Adam(paint.parameters(), lr=0.1)
    with torch.no_grad():
        before, overlap = lock.loss(paint(80, 64)).item(), edge_overlap(paint(80, 64), scene())
    for step in range(50):
        optimiser.zero_grad()
        lock.loss(paint(40, 32) if step < 25 else paint(80, 64)).sum().backward()
        optimiser.step()
    with torch.no_grad():
        after = paint(80, 64)
        assert lock.loss(after).item() < 0.6 * before
        if kind == "edges":
            assert edge_overlap(after, scene()) > max(0.6, 3 * overlap)


def test_scorers_without_layers_lock_their_places_or_their_whole() -> None:
    class Plain:
        name, encoding, size, dim = "plain", "srgb_display", 32, 6

        def encode_text(self, texts: object) -> torch.Tensor:
            raise NotImplementedError

        def encode_image(self, images: torch.Tensor) -> torch.Tensor:
            return F.normalize(images.mean((2, 3)).repeat(1, 2), dim=-1)

    class Placed(Plain):
        def encode_map(self, images: torch.Tensor) -> torch.Tensor:
            return F.normalize(F.avg_pool2d(images, 8), dim=1)

    flipped = scene().flip(-1)
    whole, placed = FeatureLock(scene(), Plain()), FeatureLock(scene(), Placed())
    assert whole.loss(scene()).item() < 1e-5 and placed.loss(scene()).item() < 1e-5
    assert whole.loss(flipped).item() < 1e-5 < 1e-3 < placed.loss(flipped).item()


def test_slopes_are_per_pixel_and_thin_edges_one_pixel_wide() -> None:
    ramp = torch.arange(12.0).expand(1, 1, 9, 12) / 12
    right, down = gradients(ramp)
    assert torch.allclose(right[..., 1:-1], torch.tensor(1 / 12)) and down.abs().max() < 1e-7
    step = torch.zeros(1, 1, 20, 24)
    step[..., 10:] = 1
    lines = thin_edges(step)
    assert lines.shape == (4, 20, 24) and (lines[0].sum(1) == 1).all() and not lines[1:].any()
    assert not thin_edges(torch.full((1, 1, 8, 8), 0.4)).any()


def test_overlap_is_one_for_the_same_a_pixel_apart_and_low_by_chance() -> None:
    image = scene()
    assert edge_overlap(image, image) == 1
    assert edge_overlap(0.3 + 0.5 * image, image) > 0.95
    assert edge_overlap(image.roll(1, -1), image) > 0.9
    assert edge_overlap(image.roll(7, -1), image) < 0.6
    assert edge_overlap(other(), image) < 0.3
    assert edge_overlap(torch.zeros(1, 3, 64, 80), image) == 0


def test_locks_are_made_from_files(tmp_path: Path) -> None:
    def save(image: torch.Tensor, name: str) -> Path:
        write(Plate.from_rgb(image[0].permute(1, 2, 0).numpy(), "srgb_display"), tmp_path / name)
        return tmp_path / name

    reference = save(scene(), "ref.png")
    for kind in ("edges", "luminance", "palette", "features"):
        lock = make_lock(Lock(kind, reference), (40, 32), ToyScorer())  # type: ignore[arg-type]
        there = F.interpolate(scene(), (32, 40), mode="bilinear", antialias=True)
        assert lock.loss(there) < 0.3 * lock.loss(other(32, 40)), kind
        assert lock.loss(other(24, 30)).shape == (1,)
    square = make_lock(Lock("luminance", reference), (64, 64), ToyScorer())
    assert square.loss(scene()[..., 8:72]).item() < 0.01  # another shape: its middle
    z = np.where(scene()[0, :1].numpy() > 0.65, 3.0, 9.0).astype(np.float32).transpose(1, 2, 0)
    write(Plate(z, ("Z",)), tmp_path / "z.exr")
    assert isinstance(make_lock(Lock("depth", tmp_path / "z.exr"), (80, 64), ToyScorer()), DepthLock)

    flat = save(torch.full((1, 3, 8, 8), 0.5), "flat.png")
    for kind in ("edges", "luminance"):
        with pytest.raises(ConfigError, match=r"flat\.png is one flat tone") as caught:
            make_lock(Lock(kind, flat), (40, 32), ToyScorer())  # type: ignore[arg-type]
        assert "\n" not in str(caught.value)
    with pytest.raises(MediaError, match=r"gone\.png"):
        make_lock(Lock("edges", tmp_path / "gone.png"), (40, 32), ToyScorer())
