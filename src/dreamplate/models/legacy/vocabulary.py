"""What a legacy pickle may mean: literal tables from the names it mentions to inert tensors.

Nothing here imports or calls what a pickle names. A name is looked up in a table of this file; what is not
in a table is refused, or, where the caller reads whole pickled networks for their state, kept as an inert
stand-in. A name from Python's own library that is not in a table is refused in either case: no network
needs it and every known attack does.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping
from typing import Any

from dreamplate.errors import CheckpointError
from dreamplate.models.legacy.leaves import (
    Inline,
    Leaf,
    Storage,
    View,
    check_view,
    dense_strides,
    numpy_code,
    swap,
)
from dreamplate.models.legacy.machine import Call, Global, Persistent
from dreamplate.models.legacy.nested import read_storage
from dreamplate.tensorheader import DTYPES

__all__ = ["MAPPINGS", "Reader", "allow_states", "allow_tensors", "objects_of"]

STORAGES: dict[str, str] = {
    "ByteStorage": "U8",
    "CharStorage": "I8",
    "BoolStorage": "BOOL",
    "ShortStorage": "I16",
    "HalfStorage": "F16",
    "BFloat16Storage": "BF16",
    "IntStorage": "I32",
    "FloatStorage": "F32",
    "LongStorage": "I64",
    "DoubleStorage": "F64",
    "ComplexFloatStorage": "C64",
    "UntypedStorage": "U8",
}
"""Torch storage class → code of `DTYPES`."""

MAPPINGS = frozenset(
    {
        "collections.OrderedDict",
        "collections.defaultdict",
        "collections.Counter",
        "builtins.dict",
        "types.SimpleNamespace",
        "argparse.Namespace",
    }
)
"""Containers whose pairs and state are walked like a dictionary's."""

_INERT = frozenset(
    {
        *MAPPINGS,
        *(f"builtins.{name}" for name in ("set", "frozenset", "slice", "complex", "bytearray", "range")),
        *(f"builtins.{name}" for name in ("int", "float", "str", "bool", "bytes", "list", "tuple", "object")),
        *(
            f"pathlib.{name}"
            for name in ("Path", "PosixPath", "WindowsPath", "PurePosixPath", "PureWindowsPath")
        ),
        "torch.Size",
        "torch.device",
        "torch.Tensor",
        "torch.nn.parameter.Parameter",
        "torch.nn.parameter.Buffer",
        "torch.nn.Parameter",
        "torch.serialization._get_layout",
        "numpy.ndarray",
        "numpy.dtype",
        "_codecs.encode",
    }
)
"""Names that mean nothing to us, or are handled where they occur, and that honest files mention."""

_INERT_IN_NETWORKS = frozenset(
    {
        "copyreg._reconstructor",
        "functools.partial",
        "typing.Any",
        "enum.Enum",
        "uuid.UUID",
        "torch._C._nn.gelu",
    }
)

_OLD_NAMES = {"__builtin__": "builtins", "copy_reg": "copyreg"}
"""Modules of Python 2."""

_NOT_NETWORKS = frozenset(sys.stdlib_module_names) | {"nt", "posix", "commands"}
_LIBRARIES = ("torch", "numpy", "scipy", "pip", "setuptools", "pkg_resources", "IPython", "distutils")
_NETWORK_PARTS = ("torch.nn.", "torch.optim.", "torch.utils.hooks.")


def allow_tensors(name: Global) -> None:
    """Accept only names that a state dictionary needs.

    Raises:
        CheckpointError: The name is any other.
    """
    if not _known(name) and not str(name).startswith("__torch__."):
        network = not _is_library(name) or str(name).startswith(_NETWORK_PARTS)
        hint = "if it is a whole pickled network, read it with modules on" if network else "it is refused"
        raise CheckpointError(f"its pickle names {_show(name)}, which makes no tensor; {hint}")


def allow_states(name: Global) -> None:
    """Accept also classes of networks, which become inert stand-ins.

    Raises:
        CheckpointError: The name is from Python's own library, or a function of torch or numpy that builds no
            tensor.
    """
    if _known(name) or str(name) in _INERT_IN_NETWORKS:
        return
    if _is_library(name) and not str(name).startswith(_NETWORK_PARTS):
        raise CheckpointError(f"its pickle names {_show(name)}, which no network needs; it is refused")


class Reader:
    """Turns what `machine` built into leaves; one per file.

    Args:
        big_endian: The file's storages are big-endian.
        folder: Put before the key of each storage.
    """

    def __init__(self, big_endian: bool = False, folder: str = "") -> None:
        self.big_endian = big_endian
        self.folder = folder
        self._made: dict[int, Any] = {}

    def resolve(self, value: Any) -> Any:
        """Return a `Leaf` for a call that makes a tensor, and any other value unchanged.

        Raises:
            CheckpointError: The call's arguments do not make a tensor.
        """
        if not isinstance(value, Call):
            return value
        known = self._made.get(id(value))
        if known is None:
            make = _MAKERS.get(_path(value.function))
            known = value if make is None else self._make(make, value)
            # Keyed by identity: shared parts are made once. The tree outlives this table.
            self._made[id(value)] = known
        return known

    def _make(self, make: Callable[[Reader, Call], Any], value: Call) -> Any:
        try:
            return make(self, value)
        except (TypeError, ValueError, IndexError, KeyError, AttributeError, OverflowError) as error:
            raise CheckpointError(
                f"its pickle calls {_show(value.function)} with wrong arguments; it is damaged"
            ) from error

    def storage(self, reference: Any) -> tuple[Storage, int]:
        """Read a persistent id such as ``("storage", FloatStorage, "0", "cpu", 12)``.

        Returns:
            The storage, and the first element of the view that old files may put on it.
        """
        if not isinstance(reference, Persistent) or not isinstance(reference.id, (tuple, list)):
            raise CheckpointError("its pickle has a tensor without a storage; it is damaged")
        fields = list(reference.id)
        if len(fields) < 5 or fields[0] != "storage" or not isinstance(fields[1], Global):
            raise CheckpointError("its pickle has a storage of an unknown form; it is damaged")
        _, kind, key, _, elements, *view = fields
        code = STORAGES.get(kind.name)
        if code is None or kind.module not in ("torch", "torch.storage", "torch.cuda"):
            raise CheckpointError(f"its pickle has storage type {_show(kind)}, which cannot be read")
        if not isinstance(key, str) or type(elements) is not int or not 0 <= elements < 2**60:
            raise CheckpointError("its pickle has a storage without key or size; it is damaged")
        offset = 0
        if view and view[0] is not None:
            offset = view[0][1]
        return Storage(self.folder + key, code, elements, self.big_endian), offset


def objects_of(value: Any) -> list[Any]:
    """Return what a pickled numpy array of objects holds, in order, still inert.

    Raises:
        CheckpointError: The value is no such array.
    """
    if isinstance(value, Call) and _path(value.function) == "numpy.core.multiarray._reconstruct":
        state = value.states[-1] if value.states else None
        if isinstance(state, tuple) and len(state) == 5 and isinstance(state[4], list):
            return state[4]
    raise CheckpointError("it has an array of Python objects that are no list of arrays; it is damaged")


def _known(name: Global) -> bool:
    path = _path(name)
    return path in _MAKERS or path in _INERT or _is_torch_constant(name)


def _is_torch_constant(name: Global) -> bool:
    if name.module in ("torch", "torch.storage", "torch.cuda") and name.name.endswith("Storage"):
        return name.name.isidentifier()
    return name.module == "torch" and name.name in _TORCH_DTYPES


def _is_library(name: Global) -> bool:
    root = _OLD_NAMES.get(name.module, name.module).partition(".")[0]
    return root in _NOT_NETWORKS or root in _LIBRARIES or not root.replace("_", "a").isalnum()


def _path(function: Any) -> str:
    if not isinstance(function, Global):
        return ""
    module = _OLD_NAMES.get(function.module, function.module)
    return f"{module.replace('numpy._core.', 'numpy.core.')}.{function.name}"


def _show(value: Any) -> str:
    return repr(str(value)[:100]) if isinstance(value, Global) else "the result of another call"


# Makers: what each known call means. They raise TypeError, ValueError… on wrong arguments.


def _tensor_v1(reader: Reader, call: Call) -> Leaf:
    reference, offset, shape, strides = call.args[:4]
    nested = reader.resolve(reference)
    if isinstance(nested, Inline):
        return _view_inline(nested, nested.dtype, offset, shape, strides)
    storage, base = reader.storage(reference)
    return _view(storage, storage.dtype, base + offset, shape, strides)


def _tensor_v3(reader: Reader, call: Call) -> Leaf:
    reference, offset, shape, strides, _, _, dtype = call.args[:7]
    nested = reader.resolve(reference)
    if isinstance(nested, Inline):
        return _view_inline(nested, _TORCH_DTYPES[dtype.name], offset, shape, strides)
    storage, base = reader.storage(reference)
    return _view(storage, _TORCH_DTYPES[dtype.name], base + offset, shape, strides)


def _view(storage: Storage, dtype: str, offset: int, shape: Any, strides: Any) -> Leaf:
    shape, strides = _sizes(shape), _sizes(strides)
    check_view(storage.nbytes // DTYPES[dtype][1], offset, shape, strides)
    return View(storage, dtype, offset, tuple(shape), tuple(strides))


def _view_inline(nested: Inline, dtype: str, offset: Any, shape: Any, strides: Any) -> Leaf:
    shape, strides, width = _sizes(shape), _sizes(strides), DTYPES[dtype][1]
    check_view(len(nested.data) // width, offset, shape, strides)
    return Inline(nested.data[offset * width :], dtype, tuple(shape), tuple(strides))


def _nested_storage(reader: Reader, call: Call) -> Leaf:
    """``_load_from_bytes(…)``: a torch file of one storage, inside the pickle."""
    (data,) = call.args
    storage, numbers = read_storage(_bytes(reader.resolve(data)), allow_tensors, Reader().storage)
    return Inline(numbers, storage.dtype, (storage.elements,), (1,))


def _sizes(value: Any) -> Any:
    """Unwrap ``torch.Size((…))``."""
    if isinstance(value, Call) and _path(value.function) == "torch.Size":
        return value.args[0]
    return value


def _first(reader: Reader, call: Call) -> Any:
    return reader.resolve(call.args[0])


def _from_type(reader: Reader, call: Call) -> Any:
    function, _, args, _ = call.args
    return reader.resolve(Call(function, args))


def _from_numpy(reader: Reader, call: Call) -> Any:
    return reader.resolve(call.args[0])


def _reconstruct(reader: Reader, call: Call) -> Leaf:
    """Make a numpy array: ``_reconstruct(ndarray, (0,), b"b")`` and a state of five."""
    _, shape, dtype, fortran, data = call.states[-1]
    if isinstance(data, list):
        raise CheckpointError("it has an array of Python objects; only plain numbers can be read")
    return _inline(reader, data, dtype, shape, bool(fortran))


def _scalar(reader: Reader, call: Call) -> Leaf:
    return _inline(reader, call.args[1], call.args[0], (), False)


def _frombuffer(reader: Reader, call: Call) -> Leaf:
    data, dtype, shape, order = call.args
    return _inline(reader, data, dtype, shape, order == "F")


def _inline(reader: Reader, data: Any, dtype: Any, shape: Any, fortran: bool) -> Leaf:
    code, big = _numpy_dtype(dtype)
    raw = _bytes(reader.resolve(data))
    width = DTYPES[code][1]
    strides = dense_strides(shape, fortran)
    check_view(len(raw) // width, 0, shape, strides)
    return Inline(swap(raw, code) if big else raw, code, tuple(shape), strides)


def _numpy_dtype(dtype: Any) -> tuple[str, bool]:
    """Read ``dtype("f4", False, True)`` with its state ``(3, "<", None, …)``."""
    if not isinstance(dtype, Call) or _path(dtype.function) != "numpy.dtype":
        raise CheckpointError("it has a numpy array without a type; it is damaged")
    kind = dtype.args[0]
    order = dtype.states[-1][1] if dtype.states else "="
    if not isinstance(kind, str) or order not in ("<", ">", "|", "="):
        raise CheckpointError("it has a numpy array of an unknown type; it is damaged")
    return numpy_code(order + kind)


def _bytes(data: Any) -> bytes:
    if isinstance(data, str):  # bytes that Python 2 wrote
        return data.encode("latin-1")
    if isinstance(data, (bytes, bytearray)):
        return bytes(data)
    raise TypeError


def _encode(reader: Reader, call: Call) -> bytes:
    """``_codecs.encode("…", "latin1")`` is how protocol 2 writes bytes."""
    text, codec = call.args
    if codec not in ("latin1", "latin-1"):
        raise ValueError
    return str(text).encode("latin-1") if isinstance(text, str) else _bytes(text)


def _bytearray(reader: Reader, call: Call) -> Any:
    if not call.args:
        return b""
    text, *codec = call.args
    return _encode(reader, Call(None, (text, codec[0]))) if codec else _bytes(reader.resolve(text))


def _unreadable(what: str) -> Callable[[Reader, Call], Any]:
    def make(reader: Reader, call: Call) -> Any:
        raise CheckpointError(f"it has a {what} tensor, which cannot be read; resave it dense in torch")

    return make


_TORCH_DTYPES: Mapping[str, str] = {
    **{name: code for code, (name, _) in DTYPES.items()},
    "float": "F32",
    "double": "F64",
    "half": "F16",
    "long": "I64",
    "int": "I32",
    "short": "I16",
}

_MAKERS: dict[str, Callable[[Reader, Call], Any]] = {
    "torch._utils._rebuild_tensor": _tensor_v1,
    "torch._utils._rebuild_tensor_v2": _tensor_v1,
    "torch._utils._rebuild_tensor_v3": _tensor_v3,
    "torch._utils._rebuild_parameter": _first,
    "torch._utils._rebuild_parameter_with_state": _first,
    "torch._utils._rebuild_device_tensor_from_numpy": _from_numpy,
    "torch.storage._load_from_bytes": _nested_storage,
    "torch._tensor._rebuild_from_type_v2": _from_type,
    "torch._tensor._rebuild_from_type": _from_type,
    "torch._utils._rebuild_sparse_tensor": _unreadable("sparse"),
    "torch._utils._rebuild_qtensor": _unreadable("quantised"),
    "torch._utils._rebuild_nested_tensor": _unreadable("nested"),
    "torch._utils._rebuild_meta_tensor_no_storage": _unreadable("data-less (meta)"),
    "torch._utils._rebuild_wrapper_subclass": _unreadable("wrapped"),
    "torch.jit._pickle.restore_type_tag": _first,
    "torch.jit._pickle.build_intlist": _first,
    "torch.jit._pickle.build_doublelist": _first,
    "torch.jit._pickle.build_boollist": _first,
    "torch.jit._pickle.build_tensorlist": _first,
    "numpy.core.multiarray._reconstruct": _reconstruct,
    "numpy.core.multiarray.scalar": _scalar,
    "numpy.core.numeric._frombuffer": _frombuffer,
    "_codecs.encode": _encode,
    "builtins.bytearray": _bytearray,
    "builtins.bytes": _bytearray,
}
"""Name → what the call means."""
