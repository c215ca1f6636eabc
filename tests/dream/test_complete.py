"""Laws of completion: what is kept stays to the bit, nothing of what is replaced is seen, seeds replay."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor
from toy import ToyScorer

from dreamplate.dream.complete_config import CompleteConfig, Keep, parse_keep
from dreamplate.dream.complete_enlarge import enlarge, held_to, lead_in
from dreamplate.dream.complete_grid import fill_grid, plan_grid
from dreamplate.dream.complete_job import CompleteJob
from dreamplate.errors import ConfigError, MediaError
from dreamplate.plate import Plate, convert, read, write

SIDE = 8


class Echo:
    """Fills a cell with the mean of the known cells that come before it, moved a little by its draw."""

    def __init__(self, side: int = SIDE, cell: int = 1) -> None:
        self.side, self.cell = side, cell
        self.seen: list[tuple[Tensor, Tensor]] = []

    def __call__(self, image: Tensor, known: Tensor, uniform: Tensor) -> Tensor:
        self.seen.append((image.clone(), known.clone()))
        fresh = known.repeat_interleave(self.cell, 0).repeat_interleave(self.cell, 1)
        mean = image[..., fresh].mean(-1)[..., None, None]
        draws = uniform.repeat_interleave(self.cell, -2).repeat_interleave(self.cell, -1)
        moved = (mean + (draws[:, None].float() - 0.5) * 0.3).clamp(0, 1)
        return torch.where(fresh, image, moved)


def picture(path: Path, size: tuple[int, int] = (24, 40), seed: int = 0, top: float = 4.0) -> Plate:
    """Write a scene-linear EXR with values above 1."""
    values = np.random.default_rng(seed).random((*size, 3), np.float32) ** 3 * np.float32(top)
    write(Plate(values), path, depth="float")
    return read(path)


def job(path: Path, completer: Echo | None = None, **changes: object) -> CompleteJob:
    config = CompleteConfig(path, **{"count": 3, "seed": 5, **changes})  # type: ignore[arg-type]
    return CompleteJob(config, completer or Echo(), ToyScorer())


def candidates(made: CompleteJob) -> list[np.ndarray]:
    found = []
    for _ in range(len(made)):
        step = made.step()
        found += [render().pixels for render in step.finished.values()]
    return found


@pytest.mark.parametrize("keep", ["top:0.5", "left:0.4", "right:30%"])
@pytest.mark.parametrize("size", [(24, 40), (40, 24), (17, 17)])
def test_what_is_kept_stays_to_the_bit(keep: str, size: tuple[int, int], tmp_path: Path) -> None:
    plate = picture(tmp_path / "in.exr", size)
    made = job(tmp_path / "in.exr", keep=keep)
    new = made.grid.new().numpy()
    share = parse_keep(keep).share
    assert 1 - new.mean() == pytest.approx(share, abs=0.51 / min(size))
    for pixels in candidates(made):
        assert pixels.shape == plate.pixels.shape
        assert np.array_equal(pixels[~new], plate.pixels[~new])
        assert (pixels[new] != plate.pixels[new]).any(axis=1).mean() > 0.99
        assert pixels[new].min() >= 0 and pixels[new].max() <= 1


def test_the_edge_that_is_named_is_the_one_that_is_kept(tmp_path: Path) -> None:
    picture(tmp_path / "in.exr")
    kept = {
        keep: ~job(tmp_path / "in.exr", keep=f"{keep}:0.25").grid.new() for keep in ("top", "left", "right")
    }
    assert kept["top"][:6].all() and not kept["top"][6:].any()
    assert kept["left"][:, :10].all() and not kept["left"][:, 10:].any()
    assert kept["right"][:, 30:].all() and not kept["right"][:, :30].any()


@pytest.mark.parametrize("keep", ["top:0.5", "left:0.5", "right:0.5"])
def test_nothing_of_what_is_replaced_is_seen(keep: str, tmp_path: Path) -> None:
    plate = picture(tmp_path / "one.exr")
    new = job(tmp_path / "one.exr", keep=keep).grid.new().numpy()
    values = plate.pixels.copy()
    values[new] = np.random.default_rng(9).random((int(new.sum()), 3), np.float32)
    write(Plate(values), tmp_path / "two.exr", depth="float")
    first, second = (candidates(job(tmp_path / f"{name}.exr", keep=keep)) for name in ("one", "two"))
    for one, other in zip(first, second, strict=True):
        assert np.array_equal(one, other)


def test_a_mirrored_picture_kept_at_the_right_is_completed_as_at_the_left(tmp_path: Path) -> None:
    plate = picture(tmp_path / "in.exr")
    write(Plate(np.ascontiguousarray(plate.pixels[:, ::-1])), tmp_path / "mirror.exr", depth="float")
    right = candidates(job(tmp_path / "in.exr", keep="right:0.4"))
    left = candidates(job(tmp_path / "mirror.exr", keep="left:0.4"))
    for one, other in zip(right, left, strict=True):
        assert np.array_equal(one, other[:, ::-1])


def test_a_candidate_follows_from_its_seed_alone(tmp_path: Path) -> None:
    picture(tmp_path / "in.exr")
    many = candidates(job(tmp_path / "in.exr", count=6))
    few = candidates(job(tmp_path / "in.exr", count=2))
    later = candidates(job(tmp_path / "in.exr", count=1, seed=6))
    assert np.array_equal(many[0], few[0]) and np.array_equal(many[1], few[1])
    assert np.array_equal(many[1], later[0])
    assert not np.array_equal(many[0], many[1])


@pytest.mark.parametrize("prompt", ["", "a red sun"])
def test_a_stopped_completion_goes_on_exactly(prompt: str, tmp_path: Path) -> None:
    picture(tmp_path / "in.exr")
    whole, first, second = (job(tmp_path / "in.exr", count=6, prompt=prompt) for _ in range(3))
    wanted = candidates(whole)
    made = [render().pixels for _ in range(2) for render in first.step().finished.values()]
    second.load_state_dict(first.state_dict())
    while second.position < len(second):
        made += [render().pixels for render in second.step().finished.values()]
    for one, other in zip(made, wanted, strict=True):
        assert np.array_equal(one, other)
    ends = second.outcome(), whole.outcome()
    assert ends[0].scalars == ends[1].scalars
    assert np.array_equal(ends[0].plates["sheet"].pixels, ends[1].plates["sheet"].pixels)
    assert np.array_equal(ends[0].plates["final"].pixels, wanted[whole.ranking[0]])


def test_a_prompt_ranks_the_candidates(tmp_path: Path) -> None:
    picture(tmp_path / "in.exr")
    made = job(tmp_path / "in.exr", count=5, prompt="a red sun")
    candidates(made)
    outcome = made.outcome()
    scores = [outcome.scalars[f"score_{number:02d}"] for number in range(1, 6)]
    assert len(set(scores)) == 5
    assert outcome.scalars["score"] == max(scores)
    assert outcome.scalars["best"] == 1 + scores.index(max(scores))
    assert [scores[index] for index in made.ranking] == sorted(scores, reverse=True)


def test_long_pictures_are_completed_in_squares_that_lead_on(tmp_path: Path) -> None:
    picture(tmp_path / "in.exr", (24, 72))
    echo = Echo()
    made = job(tmp_path / "in.exr", echo, count=1)
    made.step()
    assert made.grid.known.shape == (8, 24)
    assert len(echo.seen) == 5  # squares of 8 at 0, 4, 8, 12, 16
    for number, (image, known) in enumerate(echo.seen):
        assert bool(known[:4].all())
        assert bool(known[4:, :4].all()) == (number > 0)  # the left half was made by the square before
        assert not known[4:, 4:].any()
        assert image.shape == (4, 3, 8, 8)
    # Every square sees what the others made, and leaves it.
    assert torch.equal(echo.seen[1][0][..., 4:, :4], made.small[:4, :, 4:, 4:8])


def test_cells_of_several_pixels_are_kept_or_made_whole(tmp_path: Path) -> None:
    picture(tmp_path / "in.exr", (32, 32))
    made = job(tmp_path / "in.exr", Echo(16, 4), keep="top:0.4", count=1)
    assert made.grid.known.shape == (4, 4)
    assert made.grid.known.sum(0).tolist() == [
        1,
        1,
        1,
        1,
    ]  # 13 rows: a cell, and part of another
    made.step()
    assert torch.equal(made.small[0, :, :4], made.grid.small[0, :, :4])


def test_a_cell_is_the_mean_of_what_it_covers() -> None:
    image = torch.rand((3, 32, 32), generator=torch.Generator().manual_seed(0))
    grid = plan_grid(image, Keep("top", 0.5), 8, 1, "picture")
    means = image.view(3, 8, 4, 8, 4).mean((2, 4))
    torch.testing.assert_close(grid.small[0, :, :4], means[:, :4])
    assert bool((fill_grid(grid, Echo(), torch.zeros(1, 8, 8))[:, :, :4] == grid.small[:, :, :4]).all())


@pytest.mark.parametrize("edge", ["top", "left"])
def test_new_colours_begin_with_the_old_ones(edge: str) -> None:
    image = torch.rand((3, 24, 24), generator=torch.Generator().manual_seed(0)) * 0.2 + 0.6
    grid = plan_grid(image, Keep(edge, 0.5), 8, 1, "picture")  # type: ignore[arg-type]
    made = torch.full((1, 3, 24, 24), 0.4)
    led, unled = lead_in(made, grid, 0.25), lead_in(made, grid, 0.0)
    assert torch.equal(unled, made)
    lines = led[0].mT if edge == "left" else led[0]
    kept = image.mT if edge == "left" else image
    assert (lines[:, 12] - kept[:, 11]).abs().max() < 0.02
    assert torch.equal(lines[:, 18:], torch.full((3, 6, 24), 0.4))
    assert torch.equal(lines[:, :12], torch.full((3, 12, 24), 0.4))
    # What is further from the line is smoother along it.
    rough = [
        (lines[:, row].diff(dim=-1).abs().mean() / (lines[:, row] - 0.4).abs().mean()) for row in (12, 15)
    ]
    assert rough[1] < 0.7 * rough[0]


def test_a_picture_held_to_a_small_one_has_its_colours() -> None:
    draws = torch.Generator().manual_seed(0)
    image, small = (torch.rand((1, 3, side, side), generator=draws) * 0.4 + 0.3 for side in (32, 8))
    smoothed = enlarge(enlarge(image, (8, 8)), (32, 32))
    before = (torch.nn.functional.avg_pool2d(smoothed, 4) - small).abs().mean()
    after = (torch.nn.functional.avg_pool2d(held_to(smoothed, small), 4) - small).abs().mean()
    assert after < 0.35 * before


def test_a_scorer_adds_detail_and_leaves_the_colours(tmp_path: Path) -> None:
    picture(tmp_path / "in.exr", (48, 48), top=0.8)
    smooth, scored = (
        job(tmp_path / "in.exr", count=1, seam=0.0, enlarge=way, prompt="a red sun", refine=8)
        for way in ("smooth", "scorer")
    )
    smooth.step(), scored.step()
    assert scored.scores[0] > smooth.scores[0]
    one, other = smooth._large(0), scored._large(0)
    assert torch.equal(one[..., :24, :], other[..., :24, :])
    cells = [torch.nn.functional.avg_pool2d(image[..., 24:, :], 6) for image in (one, other)]
    assert (cells[0] - cells[1]).abs().mean() < 0.05
    assert not torch.allclose(one[..., 24:, :], other[..., 24:, :], atol=1e-3)


def test_a_grey_picture_and_one_with_alpha_are_completed(tmp_path: Path) -> None:
    grey = np.random.default_rng(0).random((16, 16, 1), np.float32)
    write(Plate(grey, ("Y",)), tmp_path / "grey.exr", depth="float")
    (made,) = candidates(job(tmp_path / "grey.exr", count=1))
    assert np.array_equal(made[:8], grey[:8].repeat(3, 2))
    alpha = np.random.default_rng(1).random((16, 16, 4), np.float32)
    write(Plate(alpha), tmp_path / "alpha.exr", depth="float")
    (made,) = candidates(job(tmp_path / "alpha.exr", count=1))
    assert np.array_equal(made[:8], alpha[:8])
    assert (made[8:, :, 3] == 1).all()


def test_eight_bits_come_back_as_they_were(tmp_path: Path) -> None:
    values = np.random.default_rng(0).integers(0, 256, (20, 20, 3), np.uint8)
    write(Plate.from_rgb(values, "srgb_display"), tmp_path / "in.png", depth="8")
    made = job(tmp_path / "in.png", count=1)
    step = made.step()
    (plate,) = (render() for render in step.finished.values())
    write(convert(plate, "srgb_display"), tmp_path / "out.png", depth="8")
    assert np.array_equal(read(tmp_path / "out.png").pixels[:10], read(tmp_path / "in.png").pixels[:10])


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("half", "such as top:0.5"),
        ("top", "such as top:0.5"),
        ("top:", "such as top:0.5"),
        ("top:.", "such as top:0.5"),
        ("top:0.5.1", "such as top:0.5"),
        ("top:-1", "such as top:0.5"),
        ("top:nan", "such as top:0.5"),
        ("middle:0.5", "top, left or right"),
        ("bottom:0.5", "from the top down"),
        ("top:0", "above 0 and below 1"),
        ("top:1", "above 0 and below 1"),
        ("left:100%", "above 0 and below 1"),
    ],
)
def test_what_cannot_be_kept_is_said(text: str, says: str) -> None:
    with pytest.raises(ConfigError, match=says):
        CompleteConfig(keep=text)


def test_shares_are_read() -> None:
    assert parse_keep(" left : 25% ") == Keep("left", 0.25)
    assert parse_keep("top:.5") == Keep("top", 0.5)


def test_pictures_that_do_not_fit_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "in.exr"
    picture(path, (7, 40))
    with pytest.raises(MediaError, match=r"40 x 7.*8 x 8"):
        job(path)
    picture(path, (8, 80))
    with pytest.raises(ConfigError, match="crop it first"):
        job(path)
    picture(path, (40, 40))
    with pytest.raises(ConfigError, match="8 cells along that side, of which 0"):
        job(path, keep="top:0.1")
    with pytest.raises(ConfigError, match="at least 1 of them, and not all"):
        job(path, keep="top:0.999")
    depth = np.ones((16, 16, 1), np.float32)
    write(Plate(depth, ("Z",)), path)
    with pytest.raises(MediaError, match="R G B or Y"):
        job(path)


def test_damaged_pictures_are_refused(tmp_path: Path) -> None:
    picture(tmp_path / "in.exr")
    data = (tmp_path / "in.exr").read_bytes()
    (tmp_path / "cut.exr").write_bytes(data[: len(data) // 2])
    with pytest.raises(MediaError, match=r"cut\.exr"):
        job(tmp_path / "cut.exr")
    with pytest.raises(MediaError, match=r"none\.exr"):
        job(tmp_path / "none.exr")


def test_options_are_checked() -> None:
    for wrong in ({"prompt": "a:b:c:0"}, {"memory": "much"}):
        with pytest.raises(ConfigError):
            replace(CompleteConfig(), **wrong)  # type: ignore[arg-type]
