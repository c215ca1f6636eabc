"""Windows, samples, lenses, shutters, holdouts and deep pixels: the laws of one frame."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from analytic import THINGS, Analytic, Ball, Plane, path, space

from dreamplate.errors import ConfigError, MediaError, ResourceError
from dreamplate.fields.deep_exr import flatten, read_deep, write_deep
from dreamplate.fields.holdout import read_holdout
from dreamplate.fields.render_config import (
    HoldoutConfig,
    LensConfig,
    RenderConfig,
    ShutterConfig,
    StereoConfig,
)
from dreamplate.fields.render_frame import Field, render_shot
from dreamplate.fields.render_path import eye_paths
from dreamplate.fields.shot import shot_of
from dreamplate.plate import Box, Plate, write
from dreamplate.plate.camera import Camera, look_at
from dreamplate.scenes.camera_track import CameraTrack

VEILS = (*THINGS, Ball((0.0, 0.0, 0.0), 1.1, (0.2, 0.4, 0.9), alpha=0.3))


def picture(config: RenderConfig, field: Field | None = None, cameras: CameraTrack | None = None) -> Plate:
    return render_shot(field or space(), shot_of(cameras or path(), 1002, config), config).plate


BUSY = RenderConfig(
    samples=3,
    lens=LensConfig(radius=0.05, focus=2.5),
    shutter=ShutterConfig(open=-0.25, close=0.25, readout=0.1),
    passes=("beauty", "z", "normal", "forward"),
)


@pytest.mark.parametrize("config", [RenderConfig(), BUSY], ids=["plain", "busy"])
def test_chunks_do_not_change_the_bits(config: RenderConfig) -> None:
    shot = shot_of(path(), 1002, config)
    whole = render_shot(space(), shot, config, chunk=1200).plate.pixels
    for chunk in (61, 501):
        assert np.array_equal(render_shot(space(), shot, config, chunk=chunk).plate.pixels, whole)


@pytest.mark.parametrize("config", [RenderConfig(), BUSY], ids=["plain", "busy"])
def test_a_crop_is_a_part_of_the_frame_to_the_bit(config: RenderConfig) -> None:
    whole = picture(config)
    part = picture(replace(config, crop=(9, 5, 17, 11)))
    assert (part.data, part.display) == (Box(9, 5, 17, 11), Box(0, 0, 40, 30))
    assert np.array_equal(part.pixels, whole.pixels[5:16, 9:26])


@pytest.mark.parametrize("config", [RenderConfig(), BUSY], ids=["plain", "busy"])
def test_overscan_only_adds_to_the_frame(config: RenderConfig) -> None:
    whole = picture(config)
    more = picture(replace(config, overscan=4))
    assert (more.data, more.display) == (Box(-4, -4, 48, 38), Box(0, 0, 40, 30))
    assert np.array_equal(more.to_display().pixels, whole.pixels)
    # Beyond the frame is what a wider camera sees.
    camera = path().at(1002).cropped(Box(-4, -4, 48, 38))
    if config is not BUSY:
        wide = picture(config, cameras=CameraTrack({1002: camera})).pixels[:, :, :4]
        assert np.abs(more.pixels[:, :, :4] - wide).mean() < 1e-4


def test_proxy_scale_keeps_the_picture() -> None:
    half = picture(RenderConfig(scale=0.5, crop=(8, 8, 16, 12), overscan=2))
    assert (half.display, half.data) == (Box(0, 0, 20, 15), Box(3, 3, 10, 8))
    full = picture(RenderConfig(samples=1))
    small = picture(RenderConfig(scale=0.5))
    assert np.abs(small.pixels[:, :, :4].mean((0, 1)) - full.pixels[:, :, :4].mean((0, 1))).max() < 0.05
    # Motion is in pixels of the picture that is written.
    moved = [np.abs(plate.layer("motion.forward")).mean() for plate in (small, full)]
    assert moved[0] == pytest.approx(moved[1] / 2, rel=0.1)


def test_crops_outside_the_frame_are_refused() -> None:
    with pytest.raises(ConfigError, match=r"crop is 10x10\+35\+0, outside the frame of 40x30"):
        shot_of(path(), 1002, RenderConfig(crop=(35, 0, 10, 10)))


def test_blur_of_a_camera_at_rest_changes_nothing() -> None:
    cameras = CameraTrack(dict.fromkeys((1001, 1002, 1003), path().at(1001)))
    blurred = RenderConfig(shutter=ShutterConfig(-0.5, 0.5, 0.3))
    assert np.array_equal(
        picture(RenderConfig(), cameras=cameras).pixels, picture(blurred, cameras=cameras).pixels
    )


def test_blur_spreads_along_the_motion() -> None:
    sharp = picture(RenderConfig(samples=8, passes=("beauty", "z")))
    soft = picture(RenderConfig(samples=8, passes=("beauty", "z"), shutter=ShutterConfig(-0.5, 0.5)))
    ramp = [np.abs(np.diff(plate.channel("G"), axis=1)).max() for plate in (sharp, soft)]
    assert ramp[1] < 0.8 * ramp[0]
    # Data passes are those of the frame's own moment.
    assert np.array_equal(soft.channel("Z"), sharp.channel("Z"))


def test_rolling_shutter_exposes_rows_one_after_the_other() -> None:
    """With the whole frame time from top to bottom, the middle row is the frame's own."""
    rolled = picture(RenderConfig(shutter=ShutterConfig(readout=1.0)))
    still = picture(RenderConfig())
    move = np.abs(rolled.channel("P.x") - still.channel("P.x")).mean(axis=1)
    assert move[14:16].max() < 0.3 * move[24:].mean()


def test_camera_files_with_a_rolling_shutter_are_followed() -> None:
    """Rows of a camera with an end pose see what a resting camera at that share sees."""
    first, last = path().at(1001), path().at(1003)
    rolling = first.with_(end=last.camera_to_world, rolling_shutter=(0.0, 0.0, 1.0, 0.0))
    config = RenderConfig(passes=("z",))
    found = picture(config, cameras=CameraTrack({1002: rolling})).pixels
    for row in (0, 17, 29):
        at = CameraTrack({1002: rolling.at((row + 0.5) / 30).with_(rolling_shutter=None)})
        assert np.abs(found[row] - picture(config, cameras=at).pixels[row]).max() < 1e-4


def test_depth_of_field_is_sharp_in_focus_only() -> None:
    """A step from one wall to another: sharp where the walls are in focus."""
    pose = look_at((0, 0, 0), (0, 0, -1), (0, 1, 0))
    cameras = CameraTrack({1002: Camera.from_fov(48, 12, 60, pose)})
    disc = Analytic((Ball((0, 0, -100), 97.0, (1.0, 1.0, 1.0)), Ball((0.6, 0, -1.6), 0.6, (0.0, 0.0, 0.0))))
    field = Field(disc, "scene_linear", lambda rays: rays)
    near, far = (
        picture(
            RenderConfig(samples=32, lens=LensConfig(radius=0.15, focus=focus), passes=("beauty",)),
            field, cameras,
        ).pixels[6, :, 0]
        for focus in (1.6, 3.0)
    )  # fmt: skip
    assert ((near > 0.05) & (near < 0.95)).sum() <= 4
    assert ((far > 0.05) & (far < 0.95)).sum() >= 2 * ((near > 0.05) & (near < 0.95)).sum()


def test_f_numbers_are_radii() -> None:
    camera = path().at(1002)
    config = RenderConfig(lens=LensConfig(f_stop=2.8, units_per_metre=10, focus=2))
    radius = shot_of(path(), 1002, config).sampling.radius
    assert radius == pytest.approx(camera.focal_mm / 1000 * 10 / 5.6)
    with pytest.raises(ConfigError, match=r"needs lens\.units_per_metre"):
        RenderConfig(lens=LensConfig(f_stop=2.8, focus=2))


def test_seeds_draw_and_more_samples_settle() -> None:
    one, same, other = (picture(RenderConfig(samples=4, seed=seed)).pixels for seed in (1, 1, 2))
    assert np.array_equal(one, same)
    assert not np.array_equal(one, other)
    tiny, beauty = path(16, 12), RenderConfig(passes=("beauty",))
    truth, few, many = (
        picture(replace(beauty, samples=count), cameras=tiny).pixels for count in (128, 2, 24)
    )
    assert np.abs(many - truth).mean() < 0.4 * np.abs(few - truth).mean()


@pytest.mark.parametrize("name", ["triangle", "gaussian"])
def test_filters_keep_the_mean(name: str) -> None:
    tiny, beauty = path(16, 12), RenderConfig(samples=16, passes=("beauty",))
    light = picture(replace(beauty, filter=name), cameras=tiny).pixels.mean((0, 1))
    truth = picture(replace(beauty, filter="box"), cameras=tiny).pixels.mean((0, 1))
    assert np.abs(light - truth).max() < 0.02


def test_eyes_agree_at_the_convergence() -> None:
    wall = space(Plane((0.0, 1.0, 0.0), 2.0, (0.5, 0.5, 0.5)), encoding="scene_linear")
    cameras = CameraTrack({1002: Camera.from_fov(40, 30, 50, look_at((0, 0, 0), (0, 1, 0)))})
    config = RenderConfig(stereo=StereoConfig(interaxial=0.2, convergence=2.0))
    eyes = eye_paths(config, cameras)
    left, right = (picture(config, wall, eyes[name]) for name in ("left", "right"))
    assert np.abs(left.layer("P") - right.layer("P")).max() < 1e-5
    assert eyes["left"].at(1002).position[0] == pytest.approx(-0.1)
    behind = eye_paths(replace(config, stereo=StereoConfig(0.2, 1.0)), cameras)
    parallax = [eye.at(1002).project([[0, 2, 0]])[0][0, 0] for eye in behind.values()]
    assert parallax[1] > parallax[0]  # further than the convergence: uncrossed


# -- holdouts ---------------------------------------------------------------------------------------


def card(tmp_path: Path, depth: float = 2.6, **changes: object) -> Path:
    """Return a depth EXR with a card over the left half of the frame."""
    pixels = np.zeros((30, 40, 1), np.float32)
    pixels[:, :20] = depth
    write(Plate(pixels, ("Z",), "raw", **changes), tmp_path / "card.exr", depth="float")  # type: ignore[arg-type]
    return tmp_path / "card.exr"


@pytest.mark.parametrize("samples", [1, 4])
def test_a_holdout_hides_what_is_behind_it_and_nothing_else(tmp_path: Path, samples: int) -> None:
    config = RenderConfig(samples=samples, filter="box", holdout=HoldoutConfig(card(tmp_path)))
    shot = shot_of(path(), 1002, config)
    depths = read_holdout(tmp_path / "card.exr", config.holdout, shot.display, shot.camera)
    free = render_shot(space(), shot, config).plate
    held = render_shot(space(), shot, config, depths).plate
    assert np.array_equal(held.pixels[:, 20:], free.pixels[:, 20:])
    front = np.flatnonzero(free.channel("Z")[:, :20].ravel() < 2.59)
    behind = np.flatnonzero(free.channel("Z")[:, :20].ravel() > 2.61)
    alpha = held.channel("acc")[:, :20].ravel()
    assert len(front) and len(behind)
    assert (alpha[behind] == 0).all() and (alpha[front] == 1).all()
    # What is held out and the rest make the whole: light adds up.
    matte = replace(config, holdout=replace(config.holdout, mode="matte"))
    solid = render_shot(space(), shot, matte, depths).plate
    assert np.array_equal(solid.rgb(), held.rgb())
    assert (solid.channel("A")[:, :20] > 0.999).all()
    assert np.abs(solid.channel("Z")[:, :20].ravel()[behind] - 2.6).max() < 1e-3


def test_holdout_by_range_and_by_deep_agree_with_z(tmp_path: Path) -> None:
    config = RenderConfig(deep=True)
    shot = shot_of(path(), 1002, config)
    wall = space(*THINGS[:2])
    made = render_shot(wall, shot, config)
    assert made.deep is not None
    write(made.plate, tmp_path / "flat.exr", depth="float")
    write_deep(made.deep, tmp_path / "deep.exr")
    found = [
        read_holdout(tmp_path / file, HoldoutConfig(kind=kind), shot.display, shot.camera)
        for kind, file in (("z", "flat.exr"), ("range", "flat.exr"), ("deep", "deep.exr"))
    ]  # type: ignore[arg-type]
    assert np.isfinite(found[0]).any() and np.isinf(found[0]).any()
    for other in found[1:]:
        assert np.array_equal(np.isinf(found[0]), np.isinf(other))
        known = np.isfinite(other)
        assert np.abs(other[known] - found[0][known]).max() < 1e-3


def test_holdouts_of_another_size_or_without_depth_are_refused(tmp_path: Path) -> None:
    shot = shot_of(path(60, 30), 1002, RenderConfig())
    with pytest.raises(MediaError, match="holdout is 40x30, the frame is 60x30"):
        read_holdout(card(tmp_path), HoldoutConfig(), shot.display, shot.camera)
    with pytest.raises(MediaError, match=r"depth\.range"):
        read_holdout(card(tmp_path), HoldoutConfig(kind="range"), shot.display, shot.camera)
    with pytest.raises(MediaError, match="is not deep"):
        read_holdout(card(tmp_path), HoldoutConfig(kind="deep"), shot.display, shot.camera)
    with pytest.raises(MediaError, match="no such file"):
        read_holdout(tmp_path / "gone.exr", HoldoutConfig(kind="deep"), shot.display, shot.camera)


# -- deep -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("encoding", ["scene_linear", "srgb_display"])
@pytest.mark.parametrize("samples", [1, 5])
@pytest.mark.parametrize("most", [1, 3, 8])
def test_deep_flattens_to_the_beauty(tmp_path: Path, encoding: str, samples: int, most: int) -> None:
    config = RenderConfig(deep=True, samples=samples, deep_samples=most, passes=("beauty",))
    made = render_shot(space(*VEILS, encoding=encoding), shot_of(path(), 1002, config), config)
    assert made.deep is not None
    write_deep(made.deep, tmp_path / "deep.exr")
    deep = read_deep(tmp_path / "deep.exr")
    counts = np.diff(deep.offsets)
    assert counts.max() <= most and counts.min() == 0
    assert np.abs(flatten(deep) - made.plate.pixels).max() < 1e-4
    assert (deep.data, deep.display) == (made.plate.data, made.plate.display)
    inner = np.ones(len(deep.values), bool)
    inner[deep.offsets[1:-1][deep.offsets[1:-1] < len(inner)]] = False
    inner[0] = False
    assert (deep.values[:, 5] >= deep.values[:, 4]).all()
    assert (deep.values[1:, 4] >= deep.values[:-1, 5])[inner[1:]].all()  # they do not overlap


def test_deep_keeps_things_apart() -> None:
    """A veil in front of a wall stays two samples, at their own depths, with their own opacities."""
    pose = look_at((0, 0, 0), (0, 1, 0))
    cameras = CameraTrack({1002: Camera.from_fov(8, 6, 10, pose)})
    field = space(Plane((0, 1, 0), 2.0, (1, 0, 0), alpha=0.25), Plane((0, 1, 0), 5.0, (0, 1, 0)))
    config = RenderConfig(deep=True)
    deep = render_shot(field, shot_of(cameras, 1002, config), config).deep
    assert deep is not None
    assert (np.diff(deep.offsets) == 2).all()
    front, back = deep.values[0::2], deep.values[1::2]
    assert np.abs(front - [0.25, 0, 0, 0.25, 2.0, 2.0]).max() < 2e-4
    assert np.abs(back - [0, 1, 0, 1, 5.0, 5.0]).max() < 2e-4


def test_holding_out_deep_by_merging_is_holding_out_rays(tmp_path: Path) -> None:
    """Cutting the deep picture at a depth gives what rays that stop there give."""
    config = RenderConfig(deep=True, holdout=HoldoutConfig(card(tmp_path, 2.0)), passes=("beauty",))
    shot = shot_of(path(), 1002, config)
    depths = read_holdout(tmp_path / "card.exr", config.holdout, shot.display, shot.camera)
    whole = render_shot(space(*VEILS), shot, config).deep
    held = render_shot(space(*VEILS), shot, config, depths).plate
    assert whole is not None
    pixel = np.repeat(np.arange(1200), np.diff(whole.offsets))
    values = whole.values.copy()
    values[values[:, 4] >= depths.ravel()[pixel], :4] = 0
    assert np.abs(flatten(replace(whole, values=values)) - held.pixels).max() < 1e-4


# -- memory -----------------------------------------------------------------------------------------


def test_work_that_does_not_fit_is_cut_smaller() -> None:
    config, shot = RenderConfig(), shot_of(path(), 1002, RenderConfig())
    whole = render_shot(space(), shot, config).plate.pixels
    tight = Analytic(THINGS, largest=100)
    found = render_shot(Field(tight, "scene_linear", lambda rays: rays), shot, config).plate.pixels
    assert np.array_equal(found, whole)
    assert max(tight.calls) > 100 >= tight.calls[-1]


def test_too_little_memory_says_what_to_do() -> None:
    config, shot = RenderConfig(memory="1MiB"), shot_of(path(), 1002, RenderConfig())
    with pytest.raises(ResourceError, match=r"memory is 1MiB, too little .* raise --memory"):
        render_shot(space(), shot, config)
    never = Field(Analytic(THINGS, largest=1), "scene_linear", lambda rays: rays)
    with pytest.raises(ResourceError, match="too little"):
        render_shot(never, shot, RenderConfig())
