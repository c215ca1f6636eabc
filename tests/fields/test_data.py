"""Laws of decoded photographs and of the batches drawn from them."""

from __future__ import annotations

import math
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from toy_scene import FOV, ball, ring

from dreamplate.errors import ConfigError, SceneError
from dreamplate.fields import RayBatches, camera_rays, load_photographs
from dreamplate.fields.area import area_resize, fitted_size
from dreamplate.fields.data import pixel_rays_twin
from dreamplate.fields.limits import limited
from dreamplate.fields.photographs import choose_encoding
from dreamplate.fields.spaces import Extent
from dreamplate.plate import Camera, Lens, Plate, look_at, write
from dreamplate.scenes import Mask, View


def views(folder: Path, sizes: list[tuple[int, int]], lens: Lens | None = None) -> list[View]:
    found = []
    folder = folder / (lens.kind if lens else "plain")
    folder.mkdir(exist_ok=True)
    for number, size in enumerate(sizes):
        camera = ring(7, size)[number].with_(lens=lens or Lens())
        path = folder / f"{number}.png"
        write(Plate(ball(camera.with_(lens=Lens())), ("R", "G", "B", "A"), "srgb_display"), path)
        found.append(View(f"v{number}", camera, path))
    return found


def grey(folder: Path, name: str, values: np.ndarray, depth: str = "8") -> Path:
    write(Plate(values.astype(np.float32)[:, :, None], ("Y",), "srgb_display"), folder / name, depth=depth)
    return folder / name


def generator(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


# -- areas ------------------------------------------------------------------------------------------


def test_area_resize_is_the_block_mean_where_it_divides_and_keeps_the_mean_else() -> None:
    values = np.random.default_rng(0).random((12, 18, 3), np.float32)
    blocks = values.reshape(4, 3, 6, 3, 3).mean((1, 3))
    np.testing.assert_allclose(area_resize(values, 6, 4), blocks, atol=1e-6)
    np.testing.assert_allclose(area_resize(values, 7, 5).mean((0, 1)), values.mean((0, 1)), atol=1e-6)
    assert area_resize(values, 18, 12) is values


def test_a_ramp_stays_a_ramp_so_that_a_resized_camera_sees_the_same() -> None:
    ramp = np.repeat((np.arange(30) + 0.5)[None, :, None] / 30, 4, axis=0).astype(np.float32)
    small = area_resize(ramp, 10, 4)[0, :, 0]
    np.testing.assert_allclose(small, (np.arange(10) + 0.5) / 10, atol=1e-6)


def test_fitted_size() -> None:
    assert fitted_size(400, 300) == (400, 300)
    assert fitted_size(400, 300, 0.5, 100) == (100, 75)
    assert fitted_size(400, 3, 0.01) == (4, 1)
    assert fitted_size(40, 30, longest=1000) == (40, 30)


# -- photographs ------------------------------------------------------------------------------------


def test_mixed_sizes_and_alpha_are_kept(tmp_path: Path) -> None:
    scene = views(tmp_path, [(16, 12), (9, 14)])
    photographs = load_photographs(scene, "srgb_display")
    assert photographs.offsets.tolist() == [0, 16 * 12, 16 * 12 + 9 * 14]
    for number, view in enumerate(scene):
        expected = ball(view.camera)
        np.testing.assert_allclose(photographs.picture(number), expected, atol=0.004)
    assert photographs.has_alpha
    assert photographs.weights is None


def test_linear_encoding_premultiplies_in_light(tmp_path: Path) -> None:
    camera = ring(1, (4, 4))[0]
    rgba = np.full((4, 4, 4), 0.5, np.float32)  # straight display colour 1.0 at alpha 0.5
    write(Plate(rgba, ("R", "G", "B", "A"), "srgb_display"), tmp_path / "a.png")
    view = View("a", camera, tmp_path / "a.png")
    for encoding in ("srgb_display", "scene_linear"):
        found = load_photographs([view], encoding).picture(0)[0, 0]
        np.testing.assert_allclose(found, [0.5, 0.5, 0.5, 0.5], atol=0.005)
    rgba[:, :, :3] = 0.25  # straight display 0.5 is linear 0.214
    write(Plate(rgba, ("R", "G", "B", "A"), "srgb_display"), tmp_path / "a.png")
    assert load_photographs([view], "scene_linear").picture(0)[0, 0, 0] == pytest.approx(0.107, abs=0.002)


def test_a_small_memory_setting_gives_the_same_from_a_file_that_leaves_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    scene = views(tmp_path, [(16, 12)])
    scratch = tmp_path / "scratch"
    scratch.mkdir()
    monkeypatch.setattr("tempfile.tempdir", str(scratch))
    kept = load_photographs(scene, "srgb_display")
    mapped = load_photographs(scene, "srgb_display", memory="100B")
    assert isinstance(mapped.pixels, np.memmap)
    np.testing.assert_array_equal(kept.pixels, mapped.pixels)
    assert list(scratch.iterdir()) == []
    with pytest.raises(ConfigError, match="memory"):
        load_photographs(scene, "srgb_display", memory="lots")


def test_ignored_transparent_and_alpha_are_three_things(tmp_path: Path) -> None:
    scene = views(tmp_path, [(16, 16)])
    marks = np.ones((16, 16))
    marks[:, :8] = 0
    mask = grey(tmp_path, "mask.png", marks)
    plain = load_photographs(scene, "srgb_display")
    ignored = load_photographs([replace(scene[0], mask=Mask(mask))], "srgb_display")
    assert ignored.known(0)[:, :8].max() == 0 and ignored.known(0)[:, 8:].min() == 1
    np.testing.assert_array_equal(ignored.picture(0)[:, 8:], plain.picture(0)[:, 8:])
    clear = load_photographs([replace(scene[0], mask=Mask(mask, "light", "transparent"))], "srgb_display")
    assert clear.weights is None
    assert clear.picture(0)[:, 8:].max() == 0
    np.testing.assert_array_equal(clear.picture(0)[:, :8], plain.picture(0)[:, :8])


def test_the_known_part_of_a_pixel_gives_its_colour(tmp_path: Path) -> None:
    camera = ring(1, (4, 4))[0]
    values = np.zeros((4, 4))
    values[:, 2:] = 1
    path = grey(tmp_path, "a.png", np.tile([0.0, 1.0], (4, 2)))
    mask = grey(tmp_path, "m.png", np.tile([0.0, 1.0], (4, 2)))
    found = load_photographs([View("a", camera, path, mask=Mask(mask))], "srgb_display", scale=0.5)
    np.testing.assert_allclose(found.picture(0)[:, :, :3], 1.0)
    np.testing.assert_allclose(found.known(0), 0.5)


def test_pixels_that_are_not_finite_weigh_nothing_and_are_told_once(tmp_path: Path) -> None:
    camera = ring(1, (5, 4))[0]
    values = np.full((4, 5, 3), 2.0, np.float32)
    values[0, 0, 1], values[3, 4] = np.inf, np.nan
    write(Plate(values, ("R", "G", "B")), tmp_path / "a.exr")
    scene = [View("a", camera, tmp_path / "a.exr"), View("b", camera, tmp_path / "a.exr")]
    assert choose_encoding(scene) == "scene_linear"
    found = load_photographs(scene, "scene_linear")
    assert len(found.notices) == 1
    assert "a.exr: 2 pixels" in found.notices[0] and "1 more files" in found.notices[0]
    assert found.known(0)[0, 0] == found.known(0)[3, 4] == 0
    assert np.isfinite(found.pixels).all()
    np.testing.assert_allclose(found.picture(0)[1, 1], [2, 2, 2, 1])


def test_depth_becomes_range_in_world_units(tmp_path: Path) -> None:
    camera = ring(1, (6, 6))[0]
    image = grey(tmp_path, "a.png", np.ones((6, 6)))
    stored = np.full((6, 6), 2000 / 65535)
    stored[0, 0] = 0
    depth = grey(tmp_path, "d.png", stored, depth="16")
    other = View("b", camera, image)
    found = load_photographs([View("a", camera, image, depth=depth, depth_scale=1e-3), other], "srgb_display")
    assert found.depths is not None
    assert math.isnan(found.depths[0])
    cosines = camera_rays(camera).cosines.numpy()
    np.testing.assert_allclose(found.depths[1:36] * cosines[1:], 2.0, rtol=1e-4)
    assert np.isnan(found.depths[36:]).all()


def test_any_value_but_zero_marks_where_a_mask_says_so(tmp_path: Path) -> None:
    marks = np.zeros((12, 16))
    marks[:, :5] = 1 / 255
    view = replace(views(tmp_path, [(16, 12)])[0], mask=Mask(grey(tmp_path, "mask.png", marks), "nonzero"))
    found = load_photographs([view], "srgb_display").known(0)
    assert found[:, :5].max() == 0 and found[:, 5:].min() == 1


def test_wrong_sizes_and_no_views_are_told(tmp_path: Path) -> None:
    scene = views(tmp_path, [(16, 12)])
    mask = grey(tmp_path, "mask.png", np.ones((5, 4)))
    with pytest.raises(SceneError, match=r"mask.png: this mask is 4 x 5, .* 16 x 12"):
        load_photographs([replace(scene[0], mask=Mask(mask))], "srgb_display")
    with pytest.raises(SceneError, match="this photograph is 16 x 12"):
        load_photographs([replace(scene[0], camera=ring(1, (8, 8))[0])], "srgb_display")
    with pytest.raises(SceneError, match="no photographs"):
        load_photographs([], "srgb_display")


# -- batches ----------------------------------------------------------------------------------------


def test_every_pixel_gives_the_ray_of_its_camera(tmp_path: Path) -> None:
    lens = Lens("perspective", {"k1": 0.05, "p1": 0.01})
    scene = [
        *views(tmp_path, [(16, 12), (9, 14)]),
        replace(views(tmp_path, [(16, 12)], lens)[0], name="bent"),
    ]
    batches = RayBatches(load_photographs(scene, "srgb_display"), draws=generator())
    offsets = batches.photographs.offsets
    for number, view in enumerate(scene):
        rays = batches.rays(torch.arange(offsets[number], offsets[number + 1]))
        wanted = camera_rays(view.camera)
        torch.testing.assert_close(rays.directions, wanted.directions, atol=2e-6, rtol=0)
        torch.testing.assert_close(rays.origins, wanted.origins)
        torch.testing.assert_close(rays.cosines, wanted.cosines, atol=2e-6, rtol=0)
        assert rays.radii is not None and wanted.radii is not None
        torch.testing.assert_close(rays.radii, wanted.radii)
        assert rays.views is not None and (rays.views == number).all()


def test_the_kernel_agrees_with_its_twin(tmp_path: Path) -> None:
    lens = Lens("fisheye", {"k1": 0.02})
    scene = [*views(tmp_path, [(16, 12)]), replace(views(tmp_path, [(9, 14)], lens)[0], name="bent")]
    batches = RayBatches(load_photographs(scene, "srgb_display"), draws=generator())
    pixels = torch.randint(16 * 12 + 9 * 14, (500,), generator=generator(1))
    rays = batches.rays(pixels)
    twin = pixel_rays_twin(
        pixels,
        batches._offsets,
        batches._widths,
        batches._lenses,
        batches._tables,
        batches._table,
        batches._poses,
    )
    for found, wanted in zip((rays.views, rays.origins, rays.directions, rays.cosines), twin, strict=True):
        torch.testing.assert_close(found, wanted, atol=1e-6, rtol=0)


def test_a_batch_shows_what_the_photographs_show(tmp_path: Path) -> None:
    photographs = load_photographs(views(tmp_path, [(16, 12), (9, 14)]), "srgb_display")
    batch = RayBatches(photographs, draws=generator()).at(torch.arange(int(photographs.offsets[-1])))
    assert batch.alphas is not None and batch.weights is None and batch.depths is None
    found = torch.cat([batch.colours, batch.alphas[:, None]], dim=1).numpy()
    np.testing.assert_array_equal(found[:192].reshape(12, 16, 4), photographs.picture(0))


@pytest.mark.parametrize("patch", [1, 3])
def test_draws_are_uniform_follow_the_seed_and_go_on_from_a_state(tmp_path: Path, patch: int) -> None:
    photographs = load_photographs(views(tmp_path, [(10, 8), (6, 5)]), "srgb_display")
    first = RayBatches(photographs, draws=generator(3), patch=patch)
    second = RayBatches(photographs, draws=generator(3), patch=patch)
    counts = torch.bincount(first._draw_pixels(44_000, 1.0, False), minlength=110).double()
    assert torch.equal(counts, torch.bincount(second._draw_pixels(44_000, 1.0, False), minlength=110))
    share = counts / counts.mean()
    # With squares, pixels one or two from the border come up to (2 p - 1) / p times as often.
    assert float(share.min()) > (0.8 if patch == 1 else 0.4)
    assert float(share.max()) < (1.2 if patch == 1 else 2.6)
    kept = first.state_dict()
    ahead = first.draw(64).colours
    second.load_state_dict(kept)
    assert torch.equal(second.draw(64).colours, ahead)


def test_patches_are_squares(tmp_path: Path) -> None:
    photographs = load_photographs(views(tmp_path, [(10, 8)]), "srgb_display")
    pixels = RayBatches(photographs, draws=generator(), patch=4)._draw_pixels(100, 1.0, False)
    assert len(pixels) == 112
    squares = pixels.reshape(-1, 4, 4)
    assert (squares[:, 1:] - squares[:, :-1] == 10).all()
    assert (squares[:, :, 1:] - squares[:, :, :-1] == 1).all()
    tiny = load_photographs(views(tmp_path, [(2, 3)]), "srgb_display")
    assert int(RayBatches(tiny, draws=generator(), patch=4)._draw_pixels(99, 1.0, False).max()) < 6


def test_crop_and_one_view(tmp_path: Path) -> None:
    photographs = load_photographs(views(tmp_path, [(10, 8), (6, 4)]), "srgb_display")
    batches = RayBatches(photographs, draws=generator())
    pixels = batches._draw_pixels(3000, 0.5, False)
    inside = pixels[pixels < 80]
    assert set((inside % 10).tolist()) == {2, 3, 4, 5, 6} and set((inside // 10).tolist()) == {2, 3, 4, 5}
    seen = set()
    for _ in range(20):
        found = batches.draw(16, one_view=True).rays.views
        assert found is not None and bool((found == found[0]).all())
        seen.add(int(found[0]))
    assert seen == {0, 1}


def test_pixels_that_the_lens_cannot_see_weigh_nothing(tmp_path: Path) -> None:
    scene = views(tmp_path, [(16, 16)], Lens("perspective", {"k1": -0.9}))
    scene = [replace(scene[0], camera=scene[0].camera.with_(fx=6.0, fy=6.0))]
    batch = RayBatches(load_photographs(scene, "srgb_display"), draws=generator()).at(torch.arange(256))
    assert batch.weights is not None
    assert float(batch.weights.min()) == 0 and float(batch.weights.max()) == 1
    assert bool(batch.rays.directions.isfinite().all())


def test_rays_begin_and_end_in_the_extent() -> None:
    camera = Camera.from_fov(9, 9, FOV, look_at((0, -4, 0), (0, 0, 0)))
    box = Extent("box", np.array([[-1.0] * 3, [1.0] * 3]), 0.01, 9.0, np.eye(4))
    rays = limited(camera_rays(camera), box)
    assert float(rays.near[40]) == pytest.approx(3, abs=1e-5)
    assert float(rays.far[40]) == pytest.approx(5, abs=1e-5)
    hit = rays.far > rays.near
    middle = rays.origins + rays.directions * ((rays.near + rays.far) / 2)[:, None]
    assert bool((middle[hit].abs() <= 1 + 1e-5).all()) and bool(hit.any()) and not bool(hit.all())
    front = Extent("forward", box.box, 2.0, 6.0, look_at((0, -4, 0), (0, 0, 0)), (-1, 1, -1, 1))
    rays = limited(camera_rays(camera), front)
    torch.testing.assert_close(rays.near * rays.cosines, torch.full((81,), 2.0))
    torch.testing.assert_close(rays.far * rays.cosines, torch.full((81,), 6.0))
