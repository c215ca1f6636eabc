"""NeRF networks: weight lists of the original program, checkpoints of its PyTorch twin, and our files.

The names inside a network are those of the PyTorch program (``pts_linears.0.weight``). In our files
``coarse.`` or ``fine.`` stands before them; ``network.`` where a file holds one network and does not say
which it is.

* PyTorch (``200000.tar``): ``network_fn_state_dict`` and ``network_fine_state_dict``, beside the optimiser;
  each may have been wrapped for several devices (``module.``).
* Original (``model_200000.npy``, ``model_fine_200000.npy``): a list of kernels ``(in, out)`` and biases:
  trunk, feature, view, colour, density. Only the form with viewing directions exists.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import TYPE_CHECKING

from dreamplate.errors import CheckpointError
from dreamplate.models.importer import Importer, Rule, Settings, Shape

if TYPE_CHECKING:
    from torch import Tensor

PARTS = ("coarse", "fine", "network")
_LAYERS = r"(?:pts_linears|views_linears)\.\d{1,3}|(?:feature|alpha|rgb|output)_linear"
_INNER = rf"((?:{_LAYERS})\.(?:weight|bias))"
_HEADS = ("feature_linear", "views_linears.0", "rgb_linear", "alpha_linear")
"""What follows the trunk in a weight list, in order."""


def infer_network(shapes: Mapping[str, Shape]) -> dict[str, int | float | str]:
    """Read what one network is from the shapes of its tensors.

    Returns:
        ``depth``, ``width``, ``point_width``; ``views``: 1 with viewing directions, else 0; ``view_width``;
        ``skips``: layers after which the position is seen again, joined by spaces; ``outputs``.
    """
    layers = {int(found[1]) for name in shapes if (found := re.match(r"pts_linears\.(\d{1,3})\.", name))}
    first = _shape(shapes, "pts_linears.0.weight")
    width, point = first[0], first[1]
    depth = len(layers)
    views = int("output_linear.weight" not in shapes)
    last = _shape(shapes, "alpha_linear.weight" if views else "output_linear.weight")
    inputs = [_shape(shapes, f"pts_linears.{index}.weight")[1] for index in range(1, depth)] + [last[1]]
    skips = [index for index, size in enumerate(inputs) if point and size == width + point]
    return {
        "depth": depth,
        "width": width,
        "point_width": point,
        "views": views,
        "view_width": max(0, _shape(shapes, "views_linears.0.weight")[1] - width) if views else 0,
        "skips": " ".join(map(str, skips)),
        "outputs": 4 if views else last[0],
    }


def expected_network(settings: Settings) -> dict[str, Shape]:
    """Return every tensor of one network of these settings."""
    depth, width, point = (int(settings[name]) for name in ("depth", "width", "point_width"))
    skips = {int(skip) for skip in str(settings["skips"]).split()}
    needed: dict[str, Shape] = {}
    inside = point
    for index in range(depth):
        needed |= _linear(f"pts_linears.{index}", width, inside)
        inside = width + (point if index in skips else 0)
    if not settings["views"]:
        return needed | _linear("output_linear", int(settings["outputs"]), inside)
    view = int(settings["view_width"])
    needed |= _linear("alpha_linear", 1, inside) | _linear("feature_linear", width, inside)
    needed |= _linear("views_linears.0", width // 2, width + view)
    return needed | _linear("rgb_linear", 3, width // 2)


def infer(shapes: Mapping[str, Shape]) -> Settings:
    """Read which networks there are, and what each is: ``parts``, and settings such as ``fine_depth``."""
    parts = [part for part in PARTS if any(name.startswith(f"{part}.") for name in shapes)]
    settings: dict[str, int | float | str] = {"parts": " ".join(parts)}
    for part in parts:
        own = {
            name.removeprefix(f"{part}."): shape
            for name, shape in shapes.items()
            if name.startswith(f"{part}.")
        }
        settings |= {f"{part}_{name}": value for name, value in infer_network(own).items()}
    return settings


def expected(settings: Settings) -> Mapping[str, Shape]:
    """Return every tensor of the networks that these settings describe."""
    needed: dict[str, Shape] = {}
    for part in str(settings["parts"]).split():
        own = {
            name.removeprefix(f"{part}_"): value
            for name, value in settings.items()
            if name.startswith(f"{part}_")
        }
        needed |= {f"{part}.{name}": shape for name, shape in expected_network(own).items()}
    return needed


def _linear(name: str, out: int, inside: int) -> dict[str, Shape]:
    return {f"{name}.weight": (out, inside), f"{name}.bias": (out,)}


def _shape(shapes: Mapping[str, Shape], name: str) -> Shape:
    """Return a shape, or zeros where the tensor is absent, which then shows as missing."""
    found = shapes.get(name, ())
    return found + (0,) * (2 - len(found))


def _unused_views(state: Mapping[str, Tensor]) -> Mapping[str, Tensor]:
    """Leave out the view layers of networks without directions; the PyTorch program saves them too."""
    without = {
        name.removesuffix("output_linear.weight") for name in state if name.endswith("output_linear.weight")
    }
    return {
        name: tensor
        for name, tensor in state.items()
        if not ("views_linears." in name and name.partition("views_linears.")[0] in without)
    }


def _name_list(state: Mapping[str, Tensor]) -> Mapping[str, Tensor]:
    """Give the arrays of a weight list their names, and turn kernels round."""
    arrays = [state[str(index)] for index in range(len(state)) if str(index) in state]
    depth = len(arrays) // 2 - len(_HEADS)
    if len(arrays) != len(state) or len(arrays) % 2 or depth < 1:
        raise CheckpointError(
            f"its weight list has {len(state)} arrays; at least five kernels, each with its bias, are needed"
        )
    made: dict[str, Tensor] = {}
    for index, layer in enumerate([f"pts_linears.{i}" for i in range(depth)] + list(_HEADS)):
        kernel, bias = arrays[2 * index], arrays[2 * index + 1]
        if kernel.dim() != 2:
            raise CheckpointError(
                f"array {2 * index} of its weight list (kernel of {layer}) has shape {tuple(kernel.shape)};"
                " it should have 2 axes"
            )
        made |= {f"{layer}.weight": kernel.T.contiguous(), f"{layer}.bias": bias}
    return made


def _torch(name: str, inner: str) -> Importer:
    coarse, fine = f"network_fn_state_dict.{inner}", f"network_fine_state_dict.{inner}"
    return Importer(
        name=name,
        title="NeRF, coarse and fine network (PyTorch program)",
        architecture="nerf",
        family="fields",
        signature={f"{coarse}pts_linears.0.weight": (None, None), f"{coarse}pts_linears.0.bias": (None,)},
        rules=(
            Rule(re.escape(coarse) + _INNER, (r"coarse.\1",)),
            Rule(re.escape(fine) + _INNER, (r"fine.\1",)),
            Rule(r"optimizer_state_dict\..*"),
        ),
        infer=infer,
        expected=expected,
        prepare=_unused_views,
    )


NERF_PYTORCH = _torch("nerf-pytorch", "")
NERF_PYTORCH_PARALLEL = _torch("nerf-pytorch-parallel", "module.")

NERF_LIST = Importer(
    name="nerf-list",
    title="NeRF, one network (weight list of the original program)",
    architecture="nerf",
    family="fields",
    signature={"0": (None, None), "1": (None,), "2": (None, None), "3": (None,)},
    rules=(Rule(_INNER, (r"network.\1",)),),
    infer=infer,
    expected=expected,
    prepare=_name_list,
)

NERF = Importer(
    name="nerf",
    title="NeRF, coarse and fine network",
    architecture="nerf",
    family="fields",
    signature={"coarse.pts_linears.0.weight": (None, None), "coarse.pts_linears.0.bias": (None,)},
    rules=(Rule(rf"((?:coarse|fine)\.){_INNER}", (r"\1\2",)),),
    infer=infer,
    expected=expected,
    prepare=_unused_views,
)

NERF_NETWORK = Importer(
    name="nerf-network",
    title="NeRF, one network",
    architecture="nerf",
    family="fields",
    signature={"pts_linears.0.weight": (None, None), "pts_linears.0.bias": (None,)},
    rules=(Rule(_INNER, (r"network.\1",)),),
    infer=infer,
    expected=expected,
    wrappers=("network.",),
    prepare=_unused_views,
)
