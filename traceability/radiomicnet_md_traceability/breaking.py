# SPDX-License-Identifier: Apache-2.0
"""Breaks the code of a risk control in this process, in the way that its item says, or raises.

Rules of this module:

- The product has no switch for it: a function is broken by giving it the code of its changed source. Whoever holds the
  function, by whatever import, holds the broken one.
- A constant is set in its module or class, and under the same name in every module that has taken it over.
- A break that does not fit the source as written is a :class:`BreakError`; nothing is then changed.
- In a changed source, ``noted(…)`` logs what it is given and is false: what is refused is noted, and goes on.

The operators, of which each break in ``traceability/risks/controls.yaml`` has one:

=========  =========================================================================================
return     an expression over the arguments, given back before anything else is done
swallow    a class of exceptions that the function no longer lets out; it gives ``give``, or None
log        a class of exceptions (or ``""``, for a bare ``raise``) that are logged where they were raised; the
           function goes on
replace    a text of the function's source that stands there once, and what stands there instead
value      an expression for a constant, over ``it``, its former value
=========  =========================================================================================
"""

from __future__ import annotations
import __future__

import ast
import importlib
import inspect
import logging
import sys
import textwrap
from collections.abc import Callable, Iterator, Mapping
from types import CodeType, FunctionType
from typing import Any

OPERATORS = ("return", "swallow", "log", "replace", "value")


class BreakError(Exception):
    """A break that cannot be applied as it is written."""


def apply(how: Mapping[str, Any]) -> None:
    """Break what ``how["symbol"]`` (``module:qualname``) names, by the one operator that ``how`` holds.

    Raises:
        BreakError: there is no such symbol, or the operator does not fit it.
    """
    module, owner, name, found = _resolved(str(how["symbol"]))
    (operator,) = (word for word in OPERATORS if word in how)
    if operator == "value":
        _set(module, owner, name, found, str(how["value"]))
        return
    function = _function(found)
    if function is None:
        raise BreakError(f"{how['symbol']} is no function of Python")
    source = textwrap.dedent(inspect.getsource(function))
    if operator == "replace":
        source = _replaced(source, *how["replace"])
    function.__globals__["noted"] = noted
    function.__code__ = _code(function, _OPERATIONS[operator](_definition(source), how))


def noted(*what: object) -> bool:
    """Log and be false: how a changed source says that it noticed and goes on."""
    logging.getLogger(__name__).error("noted, and continued: %r", what)
    return False


def _resolved(symbol: str) -> tuple[Any, Any, str, Any]:
    """Module, owner (the module or a class), name and value, classes' members as they are stored."""
    module_name, _, qualname = symbol.partition(":")
    try:
        module = importlib.import_module(module_name)
        *outer, name = qualname.split(".")
        owner: Any = module
        for part in outer:
            owner = getattr(owner, part)
        return module, owner, name, inspect.getattr_static(owner, name)
    except (ImportError, AttributeError) as error:
        raise BreakError(f"{symbol} is not there: {error}") from error


def _set(module: Any, owner: Any, name: str, former: object, expression: str) -> None:  # noqa: ANN401 - any module
    try:
        new = eval(expression, {**vars(module), "it": former})  # noqa: S307 - an item of this checkout, as its code is
    except Exception as error:
        raise BreakError(f"{name} cannot be set: {error!r}") from error
    setattr(owner, name, new)
    for other in list(sys.modules.values()):
        if owner is module and getattr(other, "__dict__", {}).get(name) is former:
            setattr(other, name, new)


def _function(found: object) -> FunctionType | None:
    """The function of Python inside methods, properties and wrappers."""
    if isinstance(found, property):
        found = found.fget
    if isinstance(found, classmethod | staticmethod):
        found = found.__func__
    inner = inspect.unwrap(found) if callable(found) else found
    return inner if isinstance(inner, FunctionType) else None


def _replaced(source: str, old: str, new: str) -> str:
    if source.count(old) != 1:
        raise BreakError(f"{old!r} stands {source.count(old)} times in the source")
    return source.replace(old, new)


def _definition(source: str) -> ast.FunctionDef | ast.AsyncFunctionDef:
    try:
        (node,) = ast.parse(source).body
    except SyntaxError as error:
        raise BreakError(f"what is changed is no Python: {error}") from error
    if not isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
        raise BreakError("only a function with a name of its own can be changed")
    node.decorator_list = []
    return node


_Definition = ast.FunctionDef | ast.AsyncFunctionDef


def _return(node: _Definition, how: Mapping[str, Any]) -> _Definition:
    # What follows is never reached, and keeps the function a generator, or a closure, where it is one.
    node.body = [*ast.parse(f"def f():\n return {how['return']}").body[0].body, *node.body]  # type: ignore[attr-defined]
    return node


def _swallow(node: _Definition, how: Mapping[str, Any]) -> _Definition:
    text = f"try: pass\nexcept {how['swallow']}: return {how.get('give', 'None')}"
    caught = ast.parse(f"def f():\n{textwrap.indent(text, ' ')}").body[0].body[0]  # type: ignore[attr-defined]
    caught.body = node.body
    node.body = [caught]
    return node


def _log(node: _Definition, how: Mapping[str, Any]) -> _Definition:
    wanted, changed = str(how["log"]), 0

    class Raises(ast.NodeTransformer):
        def visit_Raise(self, raised: ast.Raise) -> ast.stmt:
            nonlocal changed
            called = raised.exc.func if isinstance(raised.exc, ast.Call) else raised.exc
            if (ast.unparse(called) if called else "") != wanted:
                return raised
            changed += 1
            return ast.parse(f"noted({wanted!r})").body[0]

    made: _Definition = Raises().visit(node)
    if not changed:
        raise BreakError(f"it raises no {wanted}")
    return made


_OPERATIONS: Mapping[str, Callable[[_Definition, Mapping[str, Any]], _Definition]] = {
    "return": _return,
    "swallow": _swallow,
    "log": _log,
    "replace": lambda node, _: node,
}


def _code(function: FunctionType, node: _Definition) -> CodeType:
    """The code of the changed definition, compiled among the names that the function closes over."""
    free = function.__code__.co_freevars
    around = "".join(f" {name} = None\n" for name in free if name != "__class__")
    owner = function.__qualname__.rpartition(".")[0].rpartition(".")[2].strip("<>") or "Owner"
    whole = ast.parse(f"def around():\n{around} class {owner}:\n  pass\n")
    whole.body[0].body[-1].body = [node]  # type: ignore[attr-defined]
    flags = __future__.annotations.compiler_flag
    try:
        compiled = compile(ast.fix_missing_locations(whole), function.__code__.co_filename, "exec", flags, True)  # noqa: FBT003
    except (SyntaxError, ValueError) as error:
        raise BreakError(f"what is changed cannot be compiled: {error}") from error
    code = next(code for code in _codes(compiled) if code.co_name == node.name)
    if code.co_freevars != free:
        raise BreakError(f"what is changed closes over {code.co_freevars}, the function over {free}")
    return code.replace(co_qualname=function.__code__.co_qualname)


def _codes(code: CodeType) -> Iterator[CodeType]:
    for constant in code.co_consts:
        if isinstance(constant, CodeType):
            yield constant
            yield from _codes(constant)
