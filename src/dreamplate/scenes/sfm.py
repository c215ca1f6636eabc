"""Structure from motion by pycolmap, in this process: features, matches, mapping.

The library's own chatter is silenced; what it says in exceptions is passed on. Ctrl-C stops each stage.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from dreamplate.errors import MissingExtraError, SceneError
from dreamplate.scenes.capture_config import CaptureConfig
from dreamplate.scenes.capture_inputs import Photograph

__all__ = ["Matched", "find_features", "map_cameras", "match_features", "pycolmap_library"]

Say = Callable[[str], None]
_QUIET = 3
_LEAST_MODEL = 2
_DEFAULT_FOCAL = 1.2
"""Times the longer side, where nothing is known: the usual guess of such programs (45 degrees)."""


@dataclass(frozen=True)
class Matched:
    """What was found in photographs and between them, by the names that the finder saw.

    Attributes:
        features: How many in each.
        inliers: Agreeing matches of each pair of photographs that was compared and has any.
    """

    features: Mapping[str, int]
    inliers: Mapping[tuple[str, str], int]


def pycolmap_library() -> Any:
    """Return pycolmap.

    Raises:
        MissingExtraError: It is not installed.
    """
    try:
        import pycolmap
    except ImportError as error:
        raise MissingExtraError('captures need pycolmap: pip install "dreamplate[capture]"') from error
    return pycolmap


@contextmanager
def _hushed() -> Iterator[Any]:
    """Yield pycolmap without its log; what it raises becomes one line."""
    library = pycolmap_library()
    before = library.logging.minloglevel
    library.logging.minloglevel = _QUIET
    try:
        yield library
    except (RuntimeError, ValueError, IndexError) as error:
        reason = " ".join(str(error).split())[:300]
        raise SceneError(
            f"structure from motion failed ({reason}); try other photographs or --mapper"
        ) from error
    finally:
        library.logging.minloglevel = before


def find_features(
    database: Path,
    pictures: Path,
    masks: Path | None,
    groups: Sequence[Sequence[Photograph]],
    config: CaptureConfig,
    say: Say,
) -> None:
    """Find the features of all photographs; each group gets a camera of its own.

    Raises:
        SceneError: The library failed.
    """
    with _hushed() as library:
        library.set_random_seed(config.seed)
        options = library.FeatureExtractionOptions()
        options.num_threads = config.threads or -1
        options.max_image_size = config.max_size
        options.use_gpu = False
        options.sift.max_num_features = config.max_features
        done, total = 0, sum(map(len, groups))
        for group in groups:
            reader = library.ImageReaderOptions()
            reader.camera_model = config.camera_model.upper()
            if masks is not None:
                reader.mask_path = str(masks)
            focal = config.focal or group[0].header.focal
            if focal:
                reader.camera_params = _parameters(library, config.camera_model, focal, group[0])
            reader.default_focal_length_factor = _DEFAULT_FOCAL
            say(f"features of photographs {done + 1} to {done + len(group)} of {total}")
            library.extract_features(
                database,
                pictures,
                image_names=[photograph.shown for photograph in group],
                camera_mode=library.CameraMode.SINGLE,
                reader_options=reader,
                extraction_options=options,
                device=library.Device.cpu,
            )
            done += len(group)


def match_features(database: Path, config: CaptureConfig, *, ordered: bool, count: int, say: Say) -> Matched:
    """Compare photographs with each other and return what was found.

    Args:
        database: Where the features are and the matches go.
        config: How.
        ordered: Whether the photographs are frames in order of time.
        count: How many there are.
        say: Told what is being done.

    Raises:
        SceneError: The library failed.
    """
    sequential = config.matching == "sequential" or (
        config.matching == "auto" and (ordered or count > config.exhaustive_up_to)
    )
    # Few frames are compared with all others even so: that closes loops.
    if config.matching == "auto" and ordered and count <= min(60, config.exhaustive_up_to):
        sequential = False
    with _hushed() as library:
        matching = library.FeatureMatchingOptions()
        matching.num_threads = config.threads or -1
        matching.use_gpu = False
        geometry = library.TwoViewGeometryOptions()
        geometry.min_num_inliers = config.min_matches
        geometry.ransac.random_seed = config.seed
        common = {
            "matching_options": matching,
            "verification_options": geometry,
            "device": library.Device.cpu,
        }
        if sequential:
            say(f"matches of {count} photographs, each with those after it")
            pairing = library.SequentialPairingOptions()
            pairing.overlap = config.overlap
            pairing.loop_detection = False
            library.match_sequential(database, pairing_options=pairing, **common)
        else:
            say(f"matches of {count} photographs, {count * (count - 1) // 2} pairs")
            library.match_exhaustive(database, **common)
        return _matched(library, database)


def map_cameras(
    database: Path, pictures: Path, folder: Path, config: CaptureConfig, count: int, say: Say
) -> Any | None:
    """Find cameras and points; returns the model with the most photographs, or None.

    Args:
        database: Features and matches.
        pictures: Where the colours of points are taken from.
        folder: An empty folder for the library's own files.
        config: How.
        count: How many photographs there are.
        say: Told what is being done.

    Returns:
        A ``pycolmap.Reconstruction``.

    Raises:
        SceneError: The library failed.
    """
    folder.mkdir(parents=True, exist_ok=True)
    with _hushed() as library:
        library.set_random_seed(config.seed)
        if config.mapper == "global":
            say("cameras and points, all at once")
            models = library.global_mapping(database, pictures, folder, options=_global(library, config))
        else:
            placed = iter(range(3, 10**9))
            models = library.incremental_mapping(
                database,
                pictures,
                folder,
                options=_incremental(library, config),
                initial_image_pair_callback=lambda: say("cameras and points: a first pair"),
                next_image_callback=lambda: say(f"cameras and points: {next(placed)} of {count} photographs"),
            )
    found = [
        model for model in models.values() if model.num_reg_images() >= _LEAST_MODEL and model.num_points3D()
    ]
    return max(found, key=lambda model: (model.num_reg_images(), model.num_points3D()), default=None)


def _parameters(library: Any, model: str, focal: float, photograph: Photograph) -> str:
    header = photograph.header
    camera = library.Camera.create_from_model_name(0, model.upper(), focal, header.width, header.height)
    return ",".join(repr(float(value)) for value in camera.params)


def _matched(library: Any, database: Path) -> Matched:
    with library.Database.open(database) as open_database:
        images = {image.image_id: image.name for image in open_database.read_all_images()}
        features = {name: open_database.num_keypoints_for_image(key) for key, name in images.items()}
        inliers = {}
        for pair, number in zip(*open_database.read_two_view_geometry_num_inliers(), strict=True):
            first, second = library.pair_id_to_image_pair(pair)
            inliers[images[first], images[second]] = int(number)
    return Matched(features, inliers)


def _incremental(library: Any, config: CaptureConfig) -> Any:
    options = library.IncrementalPipelineOptions()
    options.min_num_matches = config.min_matches
    options.min_model_size = _LEAST_MODEL
    options.num_threads = config.threads or -1
    options.ba_refine_focal_length = not config.fix_focal
    options.ba_refine_principal_point = config.refine_centre
    options.mapper.abs_pose_refine_focal_length = not config.fix_focal
    for part in (options, options.mapper, options.triangulation):
        part.random_seed = config.seed
    return options


def _global(library: Any, config: CaptureConfig) -> Any:
    options = library.GlobalPipelineOptions()
    options.min_num_matches = config.min_matches
    options.min_model_size = _LEAST_MODEL
    options.num_threads = config.threads or -1
    options.random_seed = config.seed
    mapper = options.mapper
    for part in (mapper, mapper.rotation_averaging, mapper.global_positioning, mapper.retriangulation):
        part.random_seed = config.seed
    mapper.num_threads = config.threads or -1
    mapper.bundle_adjustment.refine_focal_length = not config.fix_focal
    mapper.bundle_adjustment.refine_principal_point = config.refine_centre
    return options
