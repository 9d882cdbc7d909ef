# SPDX-License-Identifier: Apache-2.0
"""Sixty-four bytes at a time: a vector as a value of numba's, for the loops that its compiler leaves scalar.

Rules of this module:

- ``load(array, index)`` is a vector of the array's element type: 8 doubles, 16 floats or uint32, 32 uint16 or 64 uint8;
  ``store`` writes it back. No index is checked; it counts elements of the whole array, whatever its axes.
- Whole numbers have ``+ - * & |``, ``equal``, ``smaller``, ``any_set``; floats and doubles ``+ - * /``, ``root``,
  ``nearest``, ``choose``, ``any_above``.
- Each lane of a vector of floats is one IEEE 754 operation, nothing is fused, but for ``multiply_add``, which may be:
  it is for sums that are exact either way. A processor with shorter registers takes several steps to the same bits.
"""

from __future__ import annotations

import operator
from collections.abc import Callable
from typing import Any, cast

from llvmlite import ir
from numba import types
from numba.core.cgutils import get_or_insert_function
from numba.extending import intrinsic, models, overload, register_model

BYTES = 64


def _instruction(function: Callable[..., Any]) -> Callable[..., Any]:
    """A function of numba's types that returns a signature and what writes the LLVM code for it."""
    return cast("Callable[..., Any]", intrinsic(function))


class Vector(types.Type):
    """The type of a vector of one element type."""

    def __init__(self, element: Any) -> None:
        """``element`` is numba's uint8, uint16, uint32, float32 or float64."""
        self.element = element
        self.count = BYTES * 8 // element.bitwidth
        super().__init__(f"Vector({element} x {self.count})")


@register_model(Vector)
class _Model(models.PrimitiveModel):
    def __init__(self, manager: Any, kind: Any) -> None:
        real = {types.float64: ir.DoubleType(), types.float32: ir.FloatType()}
        element = real.get(kind.element) or ir.IntType(kind.element.bitwidth)
        super().__init__(manager, kind, ir.VectorType(element, kind.count))  # type: ignore[no-untyped-call]


def _place(context: Any, builder: Any, kind: Any, array: Any, index: Any) -> Any:
    """The address of a vector in an array."""
    data = context.make_array(kind)(context, builder, array).data
    vector = context.get_value_type(Vector(kind.dtype))
    return builder.bitcast(builder.gep(data, [index]), ir.PointerType(vector))


@_instruction
def load(_: Any, array: Any, index: Any) -> Any:  # noqa: ARG001 - numba types a call by its parameters
    """The vector that begins at an index of a contiguous array."""

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        place = _place(context, builder, signature.args[0], *arguments)
        return builder.load(place, align=array.dtype.bitwidth // 8)

    return Vector(array.dtype)(array, types.intp), generate


@_instruction
def doubles(_: Any, array: Any, index: Any) -> Any:  # noqa: ARG001 - as above
    """Eight whole numbers of an array as doubles."""
    kind = Vector(types.float64)

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        numbers, start = arguments
        data = context.make_array(signature.args[0])(context, builder, numbers).data
        short = ir.VectorType(ir.IntType(array.dtype.bitwidth), kind.count)
        place = builder.bitcast(builder.gep(data, [start]), ir.PointerType(short))
        vector = builder.load(place, align=array.dtype.bitwidth // 8)
        return builder.uitofp(vector, context.get_value_type(kind))

    return kind(array, types.intp), generate


@_instruction
def store(_: Any, array: Any, index: Any, vector: Any) -> Any:  # noqa: ARG001 - as above
    """Write a vector to an index of a contiguous array."""

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        place = _place(context, builder, signature.args[0], *arguments[:2])
        builder.store(arguments[2], place, align=array.dtype.bitwidth // 8)
        return context.get_dummy_value()

    return types.void(array, types.intp, vector), generate


@_instruction
def equal(_: Any, x: Any, y: Any) -> Any:
    """All bits set in the lanes where two vectors of whole numbers agree, none in the others."""

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:  # noqa: ARG001 - numba's form
        return builder.sext(builder.icmp_unsigned("==", *arguments), arguments[0].type)

    return x(x, y), generate


@_instruction
def splat(_: Any, x: Any) -> Any:
    """The vector of one float or double in every lane; any other number as a double."""
    kind = Vector(x if x == types.float32 else types.float64)

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        return _everywhere(builder, context.get_value_type(signature.return_type), arguments[0])

    return kind(kind.element), generate


@_instruction
def repeat(_: Any, array: Any, index: Any) -> Any:  # noqa: ARG001 - as above
    """The vector of one element of a contiguous array in every lane."""

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        data = context.make_array(signature.args[0])(context, builder, arguments[0]).data
        value = builder.load(builder.gep(data, [arguments[1]]))
        return _everywhere(builder, context.get_value_type(signature.return_type), value)

    return Vector(array.dtype)(array, types.intp), generate


def _everywhere(builder: Any, kind: Any, value: Any) -> Any:
    """A vector of a value in every lane."""
    none = ir.Constant(kind, ir.Undefined)
    first = builder.insert_element(none, value, ir.Constant(ir.IntType(32), 0))
    return builder.shuffle_vector(first, none, ir.Constant(ir.VectorType(ir.IntType(32), kind.count), [0] * kind.count))


def _function(builder: Any, name: str, arguments: Any) -> Any:
    """What a function of LLVM on vectors of one type gives."""
    kind = arguments[0].type
    full = f"llvm.{name}.v{kind.count}f{BYTES * 8 // kind.count}"
    form = ir.FunctionType(kind, [kind] * len(arguments))
    return builder.call(get_or_insert_function(builder.module, form, full), arguments)  # type: ignore[no-untyped-call]


@_instruction
def root(_: Any, x: Any) -> Any:
    """Square roots, correctly rounded."""

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:  # noqa: ARG001 - numba's form
        return _function(builder, "sqrt", arguments)

    return x(x), generate


@_instruction
def nearest(_: Any, x: Any) -> Any:
    """The nearest whole numbers, halves to even."""

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:  # noqa: ARG001 - numba's form
        return _function(builder, "nearbyint", arguments)

    return x(x), generate


@_instruction
def multiply_add(_: Any, x: Any, y: Any, total: Any) -> Any:
    """``x · y + total``, with one rounding or two as the processor likes: for numbers that are exact either way."""

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:  # noqa: ARG001 - numba's form
        return _function(builder, "fmuladd", arguments)

    return x(x, y, total), generate


@_instruction
def choose(_: Any, x: Any, y: Any, above: Any, otherwise: Any) -> Any:
    """``above`` in the lanes where x > y, ``otherwise`` in the others."""

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:  # noqa: ARG001 - numba's form
        left, right, yes, no = arguments
        return builder.select(builder.fcmp_ordered(">", left, right), yes, no)

    return x(x, y, above, otherwise), generate


@_instruction
def any_above(_: Any, x: Any, y: Any) -> Any:
    """Whether x > y in some lane."""

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:  # noqa: ARG001 - numba's form
        lanes = builder.bitcast(builder.fcmp_ordered(">", *arguments), ir.IntType(signature.args[0].count))
        return builder.icmp_unsigned("!=", lanes, ir.Constant(lanes.type, 0))

    return types.boolean(x, y), generate


@_instruction
def smaller(_: Any, x: Any, y: Any) -> Any:
    """The smaller of two vectors of whole numbers in each lane."""

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:  # noqa: ARG001 - numba's form
        return builder.select(builder.icmp_unsigned("<", *arguments), *arguments)

    return x(x, y), generate


@_instruction
def any_set(_: Any, x: Any) -> Any:
    """Whether some bit of a vector of whole numbers is set."""

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:  # noqa: ARG001 - numba's form
        bits = builder.bitcast(arguments[0], ir.IntType(BYTES * 8))
        return builder.icmp_unsigned("!=", bits, ir.Constant(bits.type, 0))

    return types.boolean(x), generate


def _define(whole: str, real: str, *signs: Any) -> None:
    """Let the signs mean an instruction on each lane."""

    @_instruction
    def operation(_: Any, x: Any, y: Any) -> Any:
        def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:  # noqa: ARG001 - as above
            return getattr(builder, real if x.element in {types.float32, types.float64} else whole)(*arguments)

        return x(x, y), generate

    def meaning(x: Any, y: Any) -> Any:
        def apply(x: Any, y: Any) -> Any:
            return operation(x, y)

        return apply if isinstance(x, Vector) and x == y else None

    for sign in signs:
        overload(sign, strict=False)(meaning)  # strict would compare annotations too


_define("add", "fadd", operator.add, operator.iadd)
_define("sub", "fsub", operator.sub, operator.isub)
_define("mul", "fmul", operator.mul, operator.imul)
_define("and_", "", operator.and_)
_define("or_", "", operator.or_)
_define("", "fdiv", operator.truediv)
