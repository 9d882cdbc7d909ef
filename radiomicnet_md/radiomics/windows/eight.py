# SPDX-License-Identifier: Apache-2.0
"""Operations on eight doubles that lie side by side: what numba's compiler does not find by itself.

Rules of this module:

- An operand is an array of float64 and the index of its first double. Nothing is checked.
- Each product, sum and difference is one rounded IEEE 754 operation on each lane; a processor without registers of
  eight doubles does the same in several steps. Nothing may be fused or reordered.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from llvmlite import ir
from numba import types
from numba.extending import intrinsic

WIDTH = 8
_LANES = ir.VectorType(ir.DoubleType(), WIDTH)
_ALIGNED = 8  # bytes: a double's own


def _place(context: Any, builder: Any, kind: Any, array: Any, index: Any) -> Any:
    """The address of eight doubles of an array."""
    data = context.make_array(kind)(context, builder, array).data
    return builder.bitcast(builder.gep(data, [index]), ir.PointerType(_LANES))


def _load(builder: Any, place: Any) -> Any:
    return builder.load(place, align=_ALIGNED)


def _store(builder: Any, value: Any, place: Any) -> None:
    builder.store(value, place, align=_ALIGNED)


def _in_place(formula: Callable[[Any, Any, Any, Any], Any]) -> Any:
    """An operation whose result goes to its first operand's place."""

    @intrinsic
    def operation(_: Any, x: Any, i: Any, y: Any, j: Any, z: Any, k: Any) -> Any:  # noqa: PLR0913, PLR0917
        def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
            kinds = signature.args[::2]
            pairs = zip(kinds, arguments[::2], arguments[1::2], strict=True)
            places = [_place(context, builder, kind, array, index) for kind, array, index in pairs]
            _store(builder, formula(builder, *(_load(builder, place) for place in places)), places[0])
            return context.get_dummy_value()

        return types.void(x, types.intp, y, types.intp, z, types.intp), generate

    return operation


add_product = _in_place(lambda build, x, y, z: build.fadd(x, build.fmul(y, z)))  # x += y · z
scale = _in_place(lambda build, x, y, z: build.fmul(x, build.fmul(y, z)))  # x *= y · z


@intrinsic
def subtract_products(_: Any, a: Any, k: Any, u: Any, i: Any, p: Any, j: Any) -> Any:  # noqa: PLR0913, PLR0917
    """``a[k] -= u[i] · p[j] + p[i] · u[j]``, eight at a time."""

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        a_kind, _, u_kind, _, p_kind, _ = signature.args
        a, k, u, i, p, j = arguments

        def product(one: Any, other: Any) -> Any:
            left = _load(builder, _place(context, builder, u_kind, u, one))
            return builder.fmul(left, _load(builder, _place(context, builder, p_kind, p, other)))

        target = _place(context, builder, a_kind, a, k)
        _store(builder, builder.fsub(_load(builder, target), builder.fadd(product(i, j), product(j, i))), target)
        return context.get_dummy_value()

    return types.void(a, types.intp, u, types.intp, p, types.intp), generate


@intrinsic
def next_minor(_: Any, minors: Any, k: Any, diagonal: Any, i: Any, off: Any, j: Any) -> Any:  # noqa: PLR0913, PLR0917
    """From the minors at k − 24 and k (value, slope, half bend, eight each) those at k + 24.

    ``value ← d · value − e · older``; its derivatives by d likewise, with d = ``diagonal[i]`` and e = ``off[j]``.
    """

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        kind, _, d_kind, _, e_kind, _ = signature.args
        minors, k, diagonal, i, off, j = arguments

        def place(step: int) -> Any:
            return _place(context, builder, kind, minors, builder.add(k, ir.Constant(k.type, step * WIDTH)))

        d = _load(builder, _place(context, builder, d_kind, diagonal, i))
        e = _load(builder, _place(context, builder, e_kind, off, j))
        before = None
        for order in range(3):
            now = _load(builder, place(order))
            value = builder.fsub(builder.fmul(d, now), builder.fmul(e, _load(builder, place(order - 3))))
            _store(builder, value if before is None else builder.fadd(value, before), place(order + 3))
            before = now
        return context.get_dummy_value()

    return types.void(minors, types.intp, diagonal, types.intp, off, types.intp), generate
