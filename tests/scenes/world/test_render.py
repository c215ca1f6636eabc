"""Laws of rendered passes: they agree with each other and with the camera, alone and together."""

from __future__ import annotations

from functools import cache

import numba
import numpy as np
import pytest
from small_world import SmallWorld, camera, small_world

from dreamplate.errors import SceneError
from dreamplate.plate.lens import Lens
from dreamplate.scenes.world.classes import CLASSES
from dreamplate.scenes.world.passes import CHANNELS, NOTHING, PASSES, Frame
from dreamplate.scenes.world.render import render
from dreamplate.scenes.world.things import SHAPES


@cache
def world() -> SmallWorld:
    return small_world()


@cache
def frame() -> Frame:
    there = camera(world(), aside=0.2)
    return render(
        world(), camera(world()), 1.0, passes=PASSES, next_camera=there, next_time=1.1, previous_time=0.9
    )


def met() -> np.ndarray:
    return frame()["depth"] < NOTHING


def test_the_small_world_shows_what_the_laws_need() -> None:
    labels = set(np.unique(frame()["label"]))
    assert {
        CLASSES[name] for name in ("sky", "water", "grass", "house", "windmill", "tree", "fire", "car")
    } <= labels


def test_positions_project_to_the_centres_of_their_pixels() -> None:
    made = frame()
    pixels = made.camera.project(made["position"][met()])[0]
    centres = made.camera.pixel_centres().reshape(40, 48, 2)[met()]
    assert np.abs(pixels - centres).max() < 1e-3


def test_depth_and_range_are_those_of_positions() -> None:
    made = frame()
    points = made["position"][met()].astype(float)
    depth = made.camera.project(points)[1]
    assert np.allclose(made["depth"][met()], depth, rtol=1e-5)
    away = np.linalg.norm(points - made.camera.position, axis=1)
    assert np.allclose(made["range"][met()], away, rtol=1e-5)
    assert (made["range"][~met()] == NOTHING).all() and (made["position"][~met()] == 0).all()


def test_normals_are_units_that_face_the_camera() -> None:
    made = frame()
    normals = made["normal"].astype(float)
    assert np.abs(np.linalg.norm(normals[met()], axis=1) - 1).max() < 1e-5
    rays = made.camera.rays(made.camera.pixel_centres())[1].reshape(40, 48, 3)
    assert ((normals * rays).sum(axis=2)[met()] < 0).all()
    assert (normals[~met()] == 0).all()


def test_labels_match_instances() -> None:
    """Forests too far for single trees are ground that is labelled as trees."""
    made = frame()
    classes = {shape.number: shape.label for shape in SHAPES.values()}
    for identity in np.unique(made["instance"][made["instance"] > 0]).tolist():
        row = int(np.flatnonzero(world().things.identity == identity)[0])
        assert (made["label"][made["instance"] == identity] == classes[int(world().things.kind[row])]).all()
    bare = made["label"][made["instance"] == 0]
    things = {shape.label for shape in SHAPES.values()} - {CLASSES["tree"], CLASSES["rock"], CLASSES["plant"]}
    assert not np.isin(bare, list(things)).any()
    assert (met() == (made["label"] != CLASSES["sky"])).all()


def test_water_is_level() -> None:
    made = frame()
    wet = made["label"] == CLASSES["water"]
    assert np.allclose(made["position"][wet][:, 1], world().ground.water, atol=1e-3)


def test_what_stands_moves_as_the_camera_does() -> None:
    """Forward motion is the projection into the next camera, for ground, water and what stands."""
    made, there = frame(), camera(world(), aside=0.2)
    still = met() & ~np.isin(
        made["label"], [CLASSES[name] for name in ("car", "boat", "windmill", "fire", "smoke")]
    )
    pixels = there.project(made["position"][still])[0] - made.camera.pixel_centres().reshape(40, 48, 2)[still]
    assert np.abs(pixels - made["forward"][still]).max() < 2e-3
    assert np.abs(made["backward"][still]).max() < 1e-6
    assert (made["forward"][~met()] == 0).all()


def test_a_driving_car_moves_by_its_speed() -> None:
    made = frame()
    car = made["label"] == CLASSES["car"]
    row = int(np.flatnonzero(world().things.speed[:, 0] == 6)[0])
    points = made["position"][car].astype(float) - 0.1 * world().things.speed[row].astype(float)
    pixels = made.camera.project(points)[0] - made.camera.pixel_centres().reshape(40, 48, 2)[car]
    assert np.abs(pixels - made["backward"][car]).max() < 5e-3
    assert np.abs(made["backward"][car]).max() > 0.5


def test_motion_leads_to_the_same_thing_in_the_next_frame() -> None:
    made, there = frame(), camera(world(), aside=0.2)
    after = render(world(), there, 1.1, passes=("instance",))["instance"]
    inner = made["instance"] > 0
    where = made.camera.pixel_centres().reshape(40, 48, 2)[inner] + made["forward"][inner]
    column, row = np.clip(where.astype(int), 0, [47, 39]).T
    assert (after[row, column] == made["instance"][inner]).mean() > 0.85


@pytest.mark.parametrize("name", [name for name in PASSES if name not in ("forward", "backward")])
def test_a_pass_is_the_same_alone(name: str) -> None:
    alone = render(world(), camera(world()), 1.0, passes=(name,))
    assert list(alone.passes) == [name]
    assert np.array_equal(alone[name], frame()[name])


def test_pictures_do_not_depend_on_threads() -> None:
    if numba.config.NUMBA_NUM_THREADS < 2:
        pytest.skip("numba has one thread here")
    before = numba.get_num_threads()
    try:
        made = []
        for threads in (1, 2):
            numba.set_num_threads(threads)
            made.append(
                render(world(), camera(world()), 1.0, passes=("rgb", "range", "forward"), next_time=1.2)
            )
    finally:
        numba.set_num_threads(before)
    assert all(np.array_equal(made[0][name], made[1][name]) for name in made[0].passes)


def test_more_rays_change_edges_alone() -> None:
    one, many = (render(world(), camera(world()), 1.0, samples=n)["rgb"] for n in (1, 8))
    changed = np.abs(one - many).max(axis=2) > 1e-3
    instances = frame()["instance"]
    edges = np.zeros_like(changed)
    down, across = np.diff(instances, axis=0) != 0, np.diff(instances, axis=1) != 0
    edges[1:] |= down
    edges[:, 1:] |= across
    assert changed[edges].mean() > 0.5
    assert changed.mean() < 0.75


def test_more_rays_come_nearer_to_very_many() -> None:
    view = camera(world(), 24, 20)
    truth = render(world(), view, samples=64)["rgb"]
    errors = [float(np.square(render(world(), view, samples=n)["rgb"] - truth).mean()) for n in (1, 4, 16)]
    assert errors[0] > 1.5 * errors[1] > errors[2]


def test_a_lens_is_followed() -> None:
    bent = camera(world()).with_(lens=Lens("perspective", {"k1": -0.08}))
    made = render(world(), bent, passes=("position", "depth"))
    found = made["depth"] < NOTHING
    pixels = bent.project(made["position"][found])[0]
    assert np.abs(pixels - bent.pixel_centres().reshape(40, 48, 2)[found]).max() < 1e-3


@pytest.mark.parametrize("weather", ["rain", "snowfall", "storm", "fog"])
@pytest.mark.parametrize("hour", [5.8, 18.7, 23.0])
def test_every_picture_is_finite(weather: str, hour: float) -> None:
    made = render(small_world(hour=hour, weather=weather, moon=0.6), camera(world(), 24, 20), passes=("rgb",))
    assert np.isfinite(made["rgb"]).all() and made["rgb"].min() >= 0


def test_fire_lights_its_surroundings_at_night() -> None:
    dark = small_world(hour=23.0)
    made = render(dark, camera(dark), passes=("rgb", "position", "label"))
    fire = dark.things.place[3].astype(float)
    ground = made["label"] == CLASSES["grass"]
    away = np.linalg.norm(made["position"] - fire, axis=2)
    near, far = (
        made["rgb"][ground & (away > low) & (away < high)][:, 0].mean() for low, high in ((1, 3), (7, 10))
    )
    assert near > 1.5 * far


def test_a_plate_holds_all_channels() -> None:
    plate = frame().plate()
    assert plate.channels == tuple(channel for name in PASSES for channel in CHANNELS[name])
    assert (plate.channel("A") == 1).all()
    assert np.array_equal(plate.channel("instance"), frame()["instance"])
    assert np.array_equal(plate.layer("P"), frame()["position"])


def test_bad_requests_are_refused() -> None:
    view = camera(world(), 4, 4)
    with pytest.raises(SceneError, match="nornal"):
        render(world(), view, passes=("nornal",))
    with pytest.raises(SceneError, match="none"):
        render(world(), view, passes=())
    with pytest.raises(SceneError, match="forward"):
        render(world(), view, passes=("forward",))
    with pytest.raises(SceneError, match="samples"):
        render(world(), view, samples=0)
    with pytest.raises(SceneError, match="pixels"):
        render(world(), view.resized(20_000, 20_000))
    with pytest.raises(SceneError, match="time"):
        render(world(), view, float("nan"))
    with pytest.raises(SceneError, match="no pass 'depth'"):
        render(world(), view)["depth"]
