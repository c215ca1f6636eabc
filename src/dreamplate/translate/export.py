"""Taking a model elsewhere: ONNX and TorchScript, proved against the network before the file is there."""

from __future__ import annotations

import json
import logging
import warnings
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from importlib.util import find_spec
from pathlib import Path
from typing import Any, cast

import torch
from torch import Tensor

from dreamplate.errors import ConfigError, MissingExtraError, ModelError
from dreamplate.files import atomic_path, raise_os_error
from dreamplate.nets.dropout import set_dropout
from dreamplate.nets.statistics import Statistics, freeze, set_statistics
from dreamplate.train.onehot import one_hot
from dreamplate.translate.export_graph import Graph, LabelDoor, PictureDoor
from dreamplate.translate.given import Given
from dreamplate.translate.model import Model, usual_statistics

__all__ = ["export_model", "exportable"]

TOLERANCE = 1e-3
"""How far outputs may be from the network's: other programs add in another order, and tanh ends at 1."""
_SIDE = 4096
"""Largest side, in units of the network's multiple, that the graph is declared for."""


def exportable(
    model: Model,
    *,
    encoding: bool = False,
    statistics: Statistics | None = None,
    reference: Given | None = None,
) -> Graph:
    """Return a model as one module: ``(input) -> output``, or ``(input, style) -> output``.

    Args:
        model: Its switches are set (in place): no dropout, and these statistics.
        encoding: Scene-linear light (or ids of the palette) in and scene-linear light out, instead of what
            the network sees.
        statistics: Of its norms; `usual_statistics` when None.
        reference: A frame whose statistics are frozen into the graph.

    Raises:
        ModelError: The model takes no condition.
        ConfigError: The encoding cannot be put into a graph.
    """
    if model.given is None:
        raise ModelError(f"{model.path}: makes pictures of noise alone; there is nothing to translate")
    network = set_dropout(model.network.cpu().eval(), None)
    chosen = statistics or usual_statistics(model)
    # For one picture the two are the same, and a batch's cannot be written into every format.
    set_statistics(network, "picture" if chosen == "batch" else chosen)
    if reference is not None:
        freeze(network, *_inputs(model, reference))
    elif chosen == "frozen":
        raise ConfigError("statistics is frozen: name the frame whose statistics are kept (--reference)")
    if not encoding:
        return Graph(network, None, None).eval()
    enter = PictureDoor(model.given) if model.given.palette is None else LabelDoor(model.given)
    return Graph(network, enter, PictureDoor(model.made)).eval()


def export_model(
    model: Model, graph: Graph, path: Path, *, size: tuple[int, int] = (256, 256), opset: int = 18
) -> float:
    """Write a graph as ``.onnx`` or TorchScript (``.pt``), and prove it at two sizes.

    Height and width are free, in multiples of the network's ``multiple``. TorchScript is traced, with one
    tensor in (two with a style) and one out, and nothing in it but plain operations.

    Args:
        model: Whose ports are written into the file.
        graph: As `exportable` returns it.
        path: Where; the extension chooses the format.
        size: Height and width of the example it is traced with, rounded up to multiples.
        opset: Version of ONNX's operators.

    Returns:
        The largest difference to the network's own output; NaN where nothing here can run ONNX.

    Raises:
        ConfigError: The extension is unknown.
        MissingExtraError: The packages that write ONNX are not installed.
        ModelError: The exported file does not do what the network does; nothing is written.
        ResourceError: The disk is full.
    """
    suffix = path.suffix.lower()
    if suffix not in (".onnx", ".pt"):
        raise ConfigError(f"target is {path}: name a file .onnx, or .pt for TorchScript")
    if suffix == ".onnx":
        _need("onnx", "onnxscript")
    multiple = int(model.network.multiple)  # type: ignore[arg-type]
    height, width = (max(2, -(-side // multiple)) for side in size)
    examples = [
        _example(model, graph, (height * multiple, width * multiple)),
        _example(model, graph, ((height + 1) * multiple, width * multiple)),
    ]
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise_os_error(error, path.parent, ModelError)
    with atomic_path(path, family=ModelError, suffix=suffix) as temporary, _hushed():
        if suffix == ".onnx":
            _write_onnx(graph, examples[0], temporary, multiple, opset, _about(model, graph))
        else:
            _write_script(graph, examples[0], temporary, _about(model, graph))
        worst = max(_difference(graph, temporary, example) for example in examples)
        if worst > TOLERANCE:
            raise ModelError(
                f"{path}: what was exported differs from the network by {worst:g}, more than {TOLERANCE:g};"
                " export another format, or report it"
            )
    return worst


def _write_onnx(
    graph: Graph, example: tuple[Tensor, ...], path: Path, multiple: int, opset: int, about: str
) -> None:
    rows, columns = (torch.export.Dim(name, min=1, max=_SIDE) for name in ("rows", "columns"))
    names = ["input", "style"][: len(example)]
    shapes = {"input": {2: multiple * rows, 3: multiple * columns}, "style": None}
    made = torch.onnx.export(
        graph,
        example,
        input_names=names,
        output_names=["output"],
        opset_version=opset,
        dynamic_shapes={name: shapes[name] for name in ("input", "style")[: len(example)]},
        dynamo=True,
        verbose=False,
    )
    assert made is not None
    made.model.metadata_props["dreamplate"] = about
    made.save(path)


def _write_script(graph: Graph, example: tuple[Tensor, ...], path: Path, about: str) -> None:
    with torch.no_grad():
        traced = torch.jit.trace(graph, example, check_trace=False)  # type: ignore[no-untyped-call]
    torch.jit.save(traced, str(path), _extra_files={"dreamplate.json": about})


def _difference(graph: Graph, path: Path, example: tuple[Tensor, ...]) -> float:
    """Return the largest difference between what a file does and what the network does."""
    with torch.no_grad():
        wanted = graph(*example)
    if path.suffix == ".pt":
        with torch.no_grad(), _slowly():
            found = torch.jit.load(str(path))(*example)  # type: ignore[no-untyped-call]
    elif find_spec("onnxruntime") is None:
        return float("nan")
    else:
        import onnxruntime

        session = onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
        names = [entry.name for entry in session.get_inputs()]
        given = dict(zip(names, (x.numpy() for x in example), strict=True))
        found = torch.from_numpy(session.run(None, given)[0])
    # Of light above 1 it is relative to the pixel: exponentials enlarge it with the value, matrices mix it.
    return float(((found - wanted).abs() / wanted.abs().amax(1, keepdim=True).clamp_min(1)).max())


def _example(model: Model, graph: Graph, size: tuple[int, int]) -> tuple[Tensor, ...]:
    """Return inputs of a size: random, but such as the graph is made for."""
    draws, port = torch.Generator().manual_seed(0), model.given
    assert port is not None
    if port.palette is None:
        x = torch.rand(1, len(port.channels), *size, generator=draws)
        x = x if graph.enter is not None else x * 2 - 1
    else:
        index = torch.randint(len(port.palette), (1, *size), generator=draws)
        if graph.enter is not None:
            ids = torch.tensor([item.id for item in port.palette.classes])
            x = torch.stack([ids[index], index], 1)[:, : 1 + port.instances].float()
        else:
            x = one_hot(index, len(port.palette), port.palette.channels)
            x = torch.cat([x, (x[:, :1] > 0).float()], 1) if port.instances else x
    z_dim = int(getattr(model.network, "z_dim", 0) or 0)
    return (x, torch.randn(1, z_dim, generator=draws)) if z_dim else (x,)


def _inputs(model: Model, frame: Given) -> tuple[Tensor, ...]:
    """Return what the network takes for a frame, as `_example` does; the style is a drawn one."""
    padded, port = frame.padded(int(model.network.multiple)), model.given  # type: ignore[arg-type]
    assert port is not None
    if padded.labels is None:
        assert padded.picture is not None
        x = padded.picture
    else:
        assert port.palette is not None
        x = one_hot(padded.labels, len(port.palette), port.palette.channels)
        x = x if padded.edges is None else torch.cat([x, padded.edges], 1)
    z_dim = int(getattr(model.network, "z_dim", 0) or 0)
    style = torch.randn(1, z_dim, generator=torch.Generator().manual_seed(0))
    return (x, style) if z_dim else (x,)


def _about(model: Model, graph: Graph) -> str:
    """Return what whoever finds the file should know."""
    assert model.given is not None
    return json.dumps(
        {
            "given": model.given.to_json(),
            "made": model.made.to_json(),
            "settings": dict(model.settings),
            "multiple": int(model.network.multiple),  # type: ignore[arg-type]
            "encoding": "scene_linear" if graph.leave is not None else "network",
            "licence": str(model.notes.get("licence", "")),
        },
        sort_keys=True,
    )


def _need(*packages: str) -> None:
    missing = [name for name in packages if find_spec(name) is None]
    if missing:
        raise MissingExtraError(
            f'export needs {" and ".join(missing)}: pip install "dreamplate[export]", or export .pt'
        )


def _slowly() -> AbstractContextManager[Any]:
    """Return what keeps TorchScript from optimising first, which takes longer than two runs."""
    return cast(Any, torch.jit).optimized_execution(False)  # type: ignore[no-any-return]


@contextmanager
def _hushed() -> Iterator[None]:
    """Keep exporters from talking of their own insides, of packages that are absent and of tracing."""
    log = logging.getLogger("torch.onnx")
    before = log.level
    log.setLevel(logging.ERROR)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        log.setLevel(before)
