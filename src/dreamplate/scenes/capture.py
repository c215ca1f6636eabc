"""From photographs or a video to a scene: structure from motion, and what it says of its work.

Everything is made in a folder beside the one that is asked for, and moved there when all is done; an error or
Ctrl-C leaves nothing behind. The world is structure from motion's own, turned so that +Z is up, or
placed by GPS or by a distance; what was done is in the notes of ``scene.json``.
"""

from __future__ import annotations

import json
import secrets
import shutil
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from dreamplate.errors import SceneError
from dreamplate.files import raise_os_error, write_bytes_atomic
from dreamplate.plate.formats import is_video
from dreamplate.scenes.capture_config import CaptureConfig
from dreamplate.scenes.capture_inputs import Photograph, find_photographs, lens_groups, prepare
from dreamplate.scenes.capture_output import cameras_of, write_capture
from dreamplate.scenes.capture_report import check_matched, reasons
from dreamplate.scenes.capture_world import Similarity, place_world
from dreamplate.scenes.scene import Scene
from dreamplate.scenes.sfm import Matched, find_features, map_cameras, match_features, pycolmap_library
from dreamplate.scenes.sharp_frames import choose_frames, score_frames, write_frames

__all__ = ["Captured", "capture"]

Say = Callable[[str], None]


@dataclass(frozen=True, eq=False)
class Captured:
    """What came of a capture.

    Attributes:
        scene: As it was written.
        report: What is in ``report.json``.
    """

    scene: Scene
    report: dict[str, Any]


def capture(config: CaptureConfig, say: Say = lambda text: None) -> Captured:
    """Find the cameras of photographs or of a video, and write the scene.

    Args:
        config: What is asked for.
        say: Told what is being done, in a few words.

    Raises:
        SceneError: The photographs do not match each other, or the folder cannot be used.
        MediaError: The video is damaged.
        MissingExtraError: pycolmap is not installed.
        ResourceError: The disk is full.
    """
    began = time.process_time()
    _check(config)
    pycolmap_library()
    with _workplace(config) as work:
        photographs, notices = _inputs(config, work, say)
        matched, model = _solve(config, work, photographs, notices, say)
        by_name = {photograph.name: photograph for photograph in photographs}
        world = _place(model, by_name, config)
        made = work / "scene"
        made.mkdir()
        placed = [image.name for image in model.images.values() if image.has_pose]
        why = reasons(list(by_name), placed, matched, config.min_matches)
        report = _report(config, model, photographs, why, world, notices)
        notes = {**world.notes, "photographs": f"{len(placed)} of {len(photographs)} were placed"}
        scene = write_capture(made, config.out, model, by_name, notes, config, say)
        report["cpu_seconds"] = round(time.process_time() - began, 2)
        text = json.dumps(report, indent=1, ensure_ascii=False) + "\n"
        write_bytes_atomic(made / "report.json", text.encode(), family=SceneError)
        _move(made, config.out)
    return Captured(scene, report)


def _check(config: CaptureConfig) -> None:
    source, out = config.source, config.out
    if not source.exists():
        raise SceneError(f"{source}: there is no such file or folder; check the path")
    if source.is_file() and not is_video(source):
        raise SceneError(f"{source}: is one file and no video; name the folder of the photographs")
    if out.exists() and not out.is_dir():
        raise SceneError(f"{out}: is a file; name a folder")
    if out.is_dir() and any(out.iterdir()) and not config.overwrite:
        raise SceneError(f"{out}: is not empty; name another folder, or add --overwrite to replace it")
    inner, outer = source.resolve(), out.resolve()
    if inner.is_relative_to(outer) or outer.is_relative_to(inner):
        raise SceneError(f"{out}: scene and photographs must not be inside each other; name another folder")
    if config.masks is not None and config.masks.resolve().is_relative_to(outer):
        raise SceneError(f"{out}: holds the masks, which would be replaced; name another folder")


@contextmanager
def _workplace(config: CaptureConfig) -> Iterator[Path]:
    """Yield a folder beside the one asked for; it is gone afterwards."""
    out = config.out.absolute()
    work = out.with_name(f".{out.name}.{secrets.token_hex(4)}.tmp")
    try:
        work.mkdir(parents=True)
    except OSError as error:
        raise_os_error(error, config.out, SceneError)
    try:
        yield work
    finally:
        shutil.rmtree(work, ignore_errors=True)


def _inputs(config: CaptureConfig, work: Path, say: Say) -> tuple[tuple[Photograph, ...], list[str]]:
    """Return the photographs, or the sharp frames of the video, and notices."""
    if not is_video(config.source):
        photographs, left_out = find_photographs(config.source, config.masks)
        return photographs, left_out
    scores = score_frames(config.source, say)
    numbers = choose_frames(scores, config.frames, config.min_motion)
    if len(numbers) < 2:
        raise SceneError(
            f"{config.source}: nothing moves in it (--min-motion {config.min_motion}); "
            f"a capture needs a camera that moves"
        )
    write_frames(config.source, numbers, work / "frames", say)
    photographs, left_out = find_photographs(work / "frames", config.masks)
    kept = f"{len(numbers)} of {len(scores)} frames were kept, the sharpest of each stretch"
    return photographs, [kept, *left_out]


def _solve(
    config: CaptureConfig, work: Path, photographs: tuple[Photograph, ...], notices: list[str], say: Say
) -> tuple[Matched, Any]:
    """Return what matched, and the largest model.

    Raises:
        SceneError: Nothing matches, or no two photographs could be placed.
    """
    pictures, masks, database = work / "pictures", work / "masks", work / "database.db"
    groups = lens_groups(photographs, config)
    masked, said = prepare(photographs, pictures, masks, config.mask_marks, say)
    notices += said
    find_features(database, pictures, masks if masked else None, groups, config, say)
    matched = match_features(
        database, config, ordered=is_video(config.source), count=len(photographs), say=say
    )
    names = {photograph.shown: photograph.name for photograph in photographs}
    matched = Matched(
        {names[name]: number for name, number in matched.features.items()},
        {(names[first], names[second]): number for (first, second), number in matched.inliers.items()},
    )
    check_matched(str(config.source), list(names.values()), matched, config.min_matches)
    model = map_cameras(database, pictures, work / "models", config, len(photographs), say)
    if model is None:
        pair, number = max(matched.inliers.items(), key=lambda item: item[1])
        raise SceneError(
            f"{config.source}: photographs match ({number} times between {pair[0]} and {pair[1]}), "
            f"but no camera could be placed; move the camera sideways between photographs, not only turn it"
        )
    for image in model.images.values():
        image.name = names[image.name]
    return matched, model


def _place(model: Any, photographs: dict[str, Photograph], config: CaptureConfig) -> Similarity:
    """Bring the model into the world that is asked for."""
    cameras = cameras_of(model)
    poses = np.stack([camera.camera_to_world for camera in cameras.values()])
    world = place_world(list(cameras), poses, photographs, config)
    matrix = np.concatenate([world.scale * world.rotation, world.shift[:, None]], axis=1)
    model.transform(pycolmap_library().Sim3d(matrix))
    table = [[float(value) for value in row] for row in matrix]
    return Similarity(world.scale, world.rotation, world.shift, {**world.notes, "world": f"moved by {table}"})


def _report(
    config: CaptureConfig,
    model: Any,
    photographs: tuple[Photograph, ...],
    why: Mapping[str, str],
    world: Similarity,
    notices: list[str],
) -> dict[str, Any]:
    from dreamplate import __version__
    from dreamplate.take.config import to_dict

    lenses = []
    for key in sorted(model.cameras):
        camera = model.cameras[key]
        users = [image.name for image in model.images.values() if image.camera_id == key and image.has_pose]
        if users:
            lenses.append(
                {
                    "model": camera.model_name,
                    "width": camera.width,
                    "height": camera.height,
                    "focal_pixels": round(float(camera.mean_focal_length()), 3),
                    "focal_35mm": round(
                        float(camera.mean_focal_length()) * 36 / max(camera.width, camera.height), 2
                    ),
                    "params": [float(value) for value in camera.params],
                    "photographs": len(users),
                }
            )
    return {
        "photographs": len(photographs),
        "placed": sum(1 for image in model.images.values() if image.has_pose),
        "left_out": dict(why),
        "reprojection_error_pixels": round(float(model.compute_mean_reprojection_error()), 4),
        "points": int(model.num_points3D()),
        "views_per_point": round(float(model.compute_mean_track_length()), 2),
        "cameras": lenses,
        "world": dict(world.notes),
        "notices": notices,
        "config": to_dict(config),
        "versions": {"dreamplate": __version__, "pycolmap": pycolmap_library().__version__},
    }


def _move(made: Path, out: Path) -> None:
    """Put the finished folder where it was asked for; what was there before goes last."""
    old = out.absolute().with_name(f".{out.name}.{secrets.token_hex(4)}.old")
    try:
        if out.is_dir():
            out.resolve().replace(old)
        made.replace(out.absolute())
    except OSError as error:
        if old.is_dir() and not out.exists():
            old.replace(out.absolute())
        raise_os_error(error, out, SceneError)
    shutil.rmtree(old, ignore_errors=True)
