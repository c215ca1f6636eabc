"""Adding to neighbouring numbers with one load and one store, and asking for memory ahead of its use.

The compiler leaves pairs of float32 alone, and nothing else can say what will be needed. In plain Python
(numba switched off) the functions below are what runs.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from llvmlite import ir
from numba import extending, types

__all__ = ["add_run", "fetch"]

_intrinsic: Callable[..., Any] = extending.intrinsic
_overload: Callable[..., Any] = extending.overload


def add_run(flat: Any, at: Any, weight: Any, values: Any) -> None:
    """Add ``weight * values`` to ``flat[at:]``; values are a tuple, flat is ``(n,)`` and contiguous."""
    for k, value in enumerate(values):
        flat[int(at) + k] += weight * value


def fetch(flat: Any, at: Any) -> None:
    """Say that ``flat[at]`` will be read and written soon; at may be anywhere."""


@_intrinsic
def _add_run(typing: Any, flat: Any, at: Any, weight: Any, values: Any) -> Any:
    def generate(context: Any, builder: Any, signature: Any, given: Any) -> Any:
        kind = ir.VectorType(context.get_data_type(flat.dtype), len(values))
        data = context.make_array(flat)(context, builder, given[0]).data
        place = builder.bitcast(builder.gep(data, [given[1]]), kind.as_pointer())
        weights = shares = ir.Constant(kind, ir.Undefined)
        for k in range(len(values)):
            number = ir.Constant(ir.IntType(32), k)
            weights = builder.insert_element(weights, given[2], number)
            shares = builder.insert_element(shares, builder.extract_value(given[3], k), number)
        old = builder.load(place)
        old.align = flat.dtype.bitwidth // 8
        more = builder.fmul(weights, shares, flags=("contract",))
        builder.store(builder.fadd(old, more, flags=("contract",)), place).align = flat.dtype.bitwidth // 8
        return context.get_dummy_value()

    return types.void(flat, at, weight, values), generate


@_intrinsic
def _fetch(typing: Any, flat: Any, at: Any) -> Any:
    def generate(context: Any, builder: Any, signature: Any, given: Any) -> Any:
        data = context.make_array(flat)(context, builder, given[0]).data
        byte, word = ir.IntType(8).as_pointer(), ir.IntType(32)
        ask = builder.module.declare_intrinsic(
            "llvm.prefetch", (byte,), ir.FunctionType(ir.VoidType(), [byte, word, word, word])
        )
        place = builder.bitcast(builder.gep(data, [given[1]]), byte)
        builder.call(ask, [place, *(ir.Constant(word, value) for value in (1, 3, 1))])
        return context.get_dummy_value()

    return types.void(flat, at), generate


@_overload(add_run, strict=False)  # type: ignore[untyped-decorator]
def _(flat: Any, at: Any, weight: Any, values: Any) -> Any:
    def compiled(flat, at, weight, values):  # type: ignore[no-untyped-def]
        _add_run(flat, at, weight, values)

    return compiled


@_overload(fetch, strict=False)  # type: ignore[untyped-decorator]
def _(flat: Any, at: Any) -> Any:
    def compiled(flat, at):  # type: ignore[no-untyped-def]
        _fetch(flat, at)

    return compiled
