from __future__ import annotations

from functools import cache

import numpy as np
import pytest

pytest.importorskip("numba")

from dreamplate.errors import SceneError
from dreamplate.scenes.world.build import World, build
from dreamplate.scenes.world.cameras import drive, flight, rig, still
from dreamplate.scenes.world.draw import draw_spec
from dreamplate.scenes.world.placing_road import WIDTH, beside
from dreamplate.scenes.world.render import render

FRAMES = range(1001, 1061)


@cache
def world() -> World:
    return build(
        draw_spec(4, biome="hills", things=["castle"], road=True, trees="conifer", forest=0.5, water="none")
    )


def test_a_flight_keeps_clear_of_ground_and_things() -> None:
    made = world()
    track = flight(made, FRAMES, 64, 64, speed=40.0, clearance=6.0)
    assert track.frames == tuple(FRAMES)
    places = np.array([track.at(frame).position for frame in FRAMES])
    floor = np.maximum(made.ground.height(places[:, 0], places[:, 2]), made.ground.water)
    assert (places[:, 1] - floor > 5.9).all()
    foot, reach = made.things.place.astype(float), made.things.reach.astype(float)
    away = np.hypot(places[:, :1] - foot[:, 0], places[:, 2:] - foot[:, 2])
    over = places[:, 1:2] - (foot[:, 1] + reach[:, 2])
    assert ((away > reach[:, 0]) | (over > 0)).all()


def test_a_flight_is_smooth_and_looks_ahead() -> None:
    track = flight(world(), FRAMES, 64, 64, fps=24, speed=24.0)
    cameras = [track.at(frame) for frame in FRAMES]
    steps = np.diff([camera.position for camera in cameras], axis=0)
    flat = np.hypot(steps[:, 0], steps[:, 2])
    assert np.abs(flat - 1.0).max() < 0.05  # 24 m/s at 24 frames a second
    assert np.abs(np.diff(steps, axis=0)).max() < 0.15
    for camera, step in zip(cameras, steps, strict=False):
        ahead = step / np.linalg.norm(step)
        assert ahead @ camera.forward > 0.85
    assert [camera.time for camera in cameras] == pytest.approx([k / 24 for k in range(len(cameras))])


def test_a_drive_stays_on_the_road_at_the_height_of_eyes() -> None:
    made = world()
    assert made.road is not None
    track = drive(made, range(1, 41), 64, 64)
    places = np.array([track.at(frame).position for frame in range(1, 41)])
    assert (beside(made.road, places[:, 0], places[:, 2]) < WIDTH / 2).all()
    ground = made.ground.height(places[:, 0], places[:, 2])
    assert ((places[:, 1] - ground > 1.1) & (places[:, 1] - ground < 2.2)).all()
    with pytest.raises(SceneError, match="fewer frames"):
        drive(made, range(1, 100_000), 64, 64)
    with pytest.raises(SceneError, match="no road"):
        drive(build(draw_spec(4, road=False, things=[], biome="plains")), range(4), 64, 64)


def test_every_camera_of_a_rig_sees_the_main_thing() -> None:
    made = world()
    cameras = rig(made, 6, 32, 32)
    own = [number for number, each in made.standings.items() if each.group == 0]
    for camera in cameras:
        frame = render(made, camera, passes=("instance",))
        assert np.isin(frame["instance"], own).mean() > 0.02
        floor = float(made.ground.height(camera.position[0], camera.position[2]))
        assert camera.position[1] > floor + 1
    names = [camera.name for camera in cameras]
    assert len(set(names)) == 6


def test_a_rig_goes_all_around_or_over_an_arc() -> None:
    made = world()
    middle = np.mean([each.place for each in made.standings.values() if each.group == 0], axis=0)

    def turns(arc: float) -> np.ndarray:
        offsets = np.array([camera.position - middle for camera in rig(made, 8, 32, 32, arc=arc)])
        return np.unwrap(np.arctan2(offsets[:, 0], offsets[:, 2]))

    assert np.ptp(turns(90)) == pytest.approx(np.pi / 2, abs=0.02)
    assert np.diff(turns(360)) == pytest.approx(np.pi / 4, abs=0.02)
    with pytest.raises(SceneError, match="cameras"):
        rig(made, 0, 32, 32)


def test_the_viewpoint_rests_while_time_goes_on() -> None:
    track = still(world(), range(1, 4), 32, 32, fps=10)
    assert [track.at(frame).time for frame in (1, 2, 3)] == pytest.approx([0, 0.1, 0.2])
    assert np.array_equal(track.at(1).camera_to_world, track.at(3).camera_to_world)
