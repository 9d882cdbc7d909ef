# SPDX-License-Identifier: Apache-2.0
"""Which mistakes are made on purpose: another value, operator or argument, and every check that can be left out.

Rules of this module:

- A mutant is one edit of the text of one function: a span of the source and what stands there instead. The rest of the
  file keeps its lines, so a mutant is named by the lines that it changes.
- What a function is declared with (annotations, defaults, decorators) stays as it is, and so does what stands outside
  functions; a lambda in a table is a function.
- A sentence for people is no check: what would change nothing but one is told apart and counted, not made.
- ``len``, ``isinstance`` and ``cast`` keep their arguments: the first two cannot do without, the last does nothing.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from types import CodeType
from typing import Any

from tests.mutation.text import Edit, Text

# Letters on both sides of a space: part of a sentence, and of nothing else in the texts of the code.
_SENTENCE = re.compile(r"[\w,;.`)] [\w`(]")
# Calls that take a sentence, and the names under which one is handed to them.
_SPEAKERS = re.compile(r"add|Claim|Finding|Wrong|_fail|_refuse|_wrong|\w+Error")
_SPOKEN = {"message", "remedy", "text", "why"}
_KEPT = {"len", "isinstance", "cast"}
_FOUND_TEXT = re.compile(r"([bBrRuU]*)(\"|')(.*)\2", re.DOTALL)

_SWAPPED: dict[type[ast.AST], tuple[str, str]] = {
    ast.Add: ("+", "-"),
    ast.Sub: ("-", "+"),
    ast.Mult: ("*", "/"),
    ast.Div: ("/", "*"),
    ast.FloorDiv: ("//", "/"),
    ast.Mod: ("%", "/"),
    ast.Pow: ("**", "*"),
    ast.MatMult: ("@", "*"),
    ast.LShift: ("<<", ">>"),
    ast.RShift: (">>", "<<"),
    ast.BitAnd: ("&", "|"),
    ast.BitOr: ("|", "&"),
    ast.BitXor: ("^", "&"),
    ast.Lt: ("<", "<="),
    ast.LtE: ("<=", "<"),
    ast.Gt: (">", ">="),
    ast.GtE: (">=", ">"),
    ast.Eq: ("==", "!="),
    ast.NotEq: ("!=", "=="),
    ast.Is: ("is", "is not"),
    ast.IsNot: ("is not", "is"),
    ast.In: ("in", "not in"),
    ast.NotIn: ("not in", "in"),
    ast.And: ("and", "or"),
    ast.Or: ("or", "and"),
}
_METHODS = [
    ("lower", "upper"),
    ("lstrip", "rstrip"),
    ("find", "rfind"),
    ("ljust", "rjust"),
    ("index", "rindex"),
    ("removeprefix", "removesuffix"),
    ("partition", "rpartition"),
]
_OTHER_METHOD = {one: other for pair in _METHODS for one, other in (pair, pair[::-1])}


@dataclass(frozen=True, slots=True)
class Mutant:
    """One edit: the function it is in (``Class.method``), the lines it changes, the code of every changed function."""

    function: str
    change: str
    codes: tuple[tuple[CodeType, CodeType], ...]  # as written, as changed


def mutants(source: str) -> tuple[list[Mutant], int]:
    """The mutants of a module, in the order of its lines, and how many were not made for changing a sentence alone."""
    text = Text(source)
    original = _outermost(compile(source, "<original>", "exec", dont_inherit=True))
    made: dict[str, Mutant] = {}
    sentences = 0
    for function, node in _functions(ast.parse(source)):
        for edit in _edits(text, node):
            if edit.told:
                sentences += 1
                continue
            changed = text.changed(edit)
            codes = _codes(original, changed)
            if codes:
                made.setdefault(changed, Mutant(function, _change(source, changed), codes))
    return list(made.values()), sentences


def _codes(original: list[CodeType], changed: str) -> tuple[tuple[CodeType, CodeType], ...]:
    """The functions whose code the edit changes; none where it changes nothing, or is no Python."""
    try:
        found = _outermost(compile(changed, "<changed>", "exec", dont_inherit=True))
    except SyntaxError:
        return ()
    pairs = [(one, other) for one, other in zip(original, found, strict=True) if one != other]
    return tuple(pairs) if all(one.co_freevars == other.co_freevars for one, other in pairs) else ()


def _outermost(code: CodeType) -> list[CodeType]:
    """The code of each function that stands in the module or in a class."""
    found = []
    for constant in code.co_consts:
        if isinstance(constant, CodeType):
            found += [constant] if constant.co_flags & 0x1 else _outermost(constant)  # CO_OPTIMIZED: a class has it not
    return found


def _change(source: str, changed: str) -> str:
    """The lines that an edit takes away and puts in, in one line."""
    old, new = source.splitlines(), changed.splitlines()
    first = next(number for number, (one, other) in enumerate(zip(old, new, strict=False)) if one != other)
    last = next(number for number, (one, other) in enumerate(zip(old[::-1], new[::-1], strict=False)) if one != other)
    return " → ".join(" ".join(line.strip() for line in lines[first : len(lines) - last]) for lines in (old, new))


# ------------------------------------------------------------------------------------------- where edits are made


def _functions(tree: ast.AST, outer: str = "") -> Iterator[tuple[str, ast.AST]]:
    """The functions of a module and of its classes, and lambdas outside functions under the name they are given to."""
    for node in getattr(tree, "body", []):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            yield outer + node.name, node
        elif isinstance(node, ast.ClassDef):
            yield from _functions(node, f"{outer}{node.name}.")
        elif isinstance(node, ast.Assign | ast.AnnAssign) and node.value is not None:
            target = node.targets[0] if isinstance(node, ast.Assign) else node.target
            lambdas = (inner for inner in ast.walk(node.value) if isinstance(inner, ast.Lambda))
            yield from ((outer + ast.unparse(target), inner) for inner in lambdas)


def _edits(text: Text, node: ast.AST) -> Iterator[Edit]:
    """The edits of a node and of everything below it."""
    if type(node) in _OPERATORS:
        yield from _OPERATORS[type(node)](text, node)
    for child in _below(node):
        yield from _edits(text, child)


def _below(node: ast.AST) -> Iterator[ast.AST]:
    """The children that are looked at."""
    match node:
        case ast.FunctionDef(body=body) | ast.AsyncFunctionDef(body=body):
            yield from body[1:] if ast.get_docstring(node) is not None else body
        case ast.Lambda(body=body):
            yield body
        case ast.Call(func=ast.Name(id=name)) if name in _KEPT:
            return
        case ast.AnnAssign(target=target, value=value):
            yield target
            yield from [value] if value is not None else []
        case ast.JoinedStr():
            return  # a text in braces has no reliable place
        case _:
            yield from ast.iter_child_nodes(node)


# ------------------------------------------------------------------------------------------- values and operators


def _constant(text: Text, node: ast.Constant) -> Iterator[Edit]:
    start, end = text.span(node)
    match node.value:
        case bool(value):
            yield Edit(start, end, str(not value))
        case int(value) | float(value):
            yield Edit(start, end, repr(value + 1))
        case str() | bytes():
            found = _FOUND_TEXT.fullmatch(text.of(start, end))
            if found is None or found[2] in found[3]:
                return  # written in parts, or in three quotes
            prefix, quote, inner = found.groups()
            for other in dict.fromkeys((f"XX{inner}XX", inner.lower(), inner.upper())):
                if other != inner:
                    told = _is_sentence(node) or (inner in {"ascii", "utf-8"} and other.lower() == inner)
                    yield Edit(start, end, f"{prefix}{quote}{other}{quote}", told)


def _unary(text: Text, node: ast.UnaryOp) -> Iterator[Edit]:
    start, end = text.span(node)
    found = re.match(r"(not\b|-|~)\s*", text.of(start, end))
    if found is not None:
        yield Edit(start, start + found.end(), "")


def _binary(text: Text, node: ast.BinOp) -> Iterator[Edit]:
    yield from text.between(node.left, node.right, *_SWAPPED[type(node.op)])


def _augmented(text: Text, node: ast.AugAssign) -> Iterator[Edit]:
    old, new = _SWAPPED[type(node.op)]
    yield from text.between(node.target, node.value, f"{old}=", f"{new}=")
    yield from text.between(node.target, node.value, f"{old}=", "=")


def _compare(text: Text, node: ast.Compare) -> Iterator[Edit]:
    operands = [node.left, *node.comparators]
    for left, operator, right in zip(operands, node.ops, node.comparators, strict=False):
        yield from text.between(left, right, *_SWAPPED[type(operator)])


def _boolean(text: Text, node: ast.BoolOp) -> Iterator[Edit]:
    """The other word between two conditions; and of several conditions, one left out."""
    spans = [text.wrapped(value) for value in node.values]
    for left, right in zip(node.values, node.values[1:], strict=False):
        yield from text.between(left, right, *_SWAPPED[type(node.op)])
    for number, (start, end) in enumerate(spans):
        following = spans[number + 1 :]
        yield Edit(start, following[0][0], "") if following else Edit(spans[number - 1][1], end, "")


def _one_branch(text: Text, node: ast.IfExp) -> Iterator[Edit]:
    """Of two values, always the one."""
    for value in (node.body, node.orelse):
        yield Edit(*text.span(node), text.of(*text.wrapped(value)), _is_sentence(value))


def _lambda(text: Text, node: ast.Lambda) -> Iterator[Edit]:
    yield Edit(*text.span(node.body), "0" if _is_none(node.body) else "None")


def _assignment(text: Text, node: ast.Assign | ast.AnnAssign) -> Iterator[Edit]:
    if node.value is not None:
        nothing = '""' if _is_none(node.value) else "None"
        yield Edit(*text.wrapped(node.value), nothing, _is_sentence(node.value))


def _arguments(text: Text, node: ast.Call) -> Iterator[Edit]:
    """An argument that is None, or left out; another method of texts."""
    if isinstance(node.func, ast.Name) and node.func.id in _KEPT:
        return
    given: list[ast.expr | ast.keyword] = sorted((*node.args, *node.keywords), key=text.span)
    for number, arg in enumerate(given):
        told, value = _is_spoken(node, arg), arg.value if isinstance(arg, ast.keyword) else arg
        if not _is_starred(arg) and not _is_none(value):
            yield Edit(*text.argument(value, alone=len(given) == 1), "None", told)
        if number + 1 < len(given):
            yield Edit(text.argument(arg)[0], text.argument(given[number + 1])[0], "", told)
        elif number:
            start, end = text.argument(arg)
            yield Edit(start, end + text.comma(end), "", told)
    if isinstance(node.func, ast.Attribute) and node.func.attr in _OTHER_METHOD:
        end = text.span(node.func)[1]
        yield Edit(end - len(node.func.attr), end, _OTHER_METHOD[node.func.attr])


# ------------------------------------------------------------------------------------------- what is left out


def _never(text: Text, node: ast.If) -> Iterator[Edit]:
    """A condition that is never met. Where all it guards is one call or failure, ``_undone`` leaves that out."""
    if len(node.body) > 1 or not any(_undone(text, node.body[0])):
        yield Edit(*text.span(node.test), "False")


def _undone(text: Text, node: ast.stmt) -> Iterator[Edit]:
    """A failure that is not raised, a call that is not made, a finding that is not told."""
    match node:
        case ast.Raise() | ast.Expr(value=ast.Call()):
            yield Edit(*text.span(node), "pass")
        case ast.Expr(value=ast.Yield() | ast.YieldFrom()):
            yield Edit(*text.span(node), "yield from ()")


def _stopped(text: Text, node: ast.Break | ast.Continue) -> Iterator[Edit]:
    """A loop that ends too much, or too early."""
    yield Edit(*text.span(node), "return" if isinstance(node, ast.Break) else "break")


def _all(text: Text, node: ast.comprehension) -> Iterator[Edit]:
    """A filter that lets everything through."""
    for condition in node.ifs:
        yield Edit(*text.span(condition), "True")


def _cases(text: Text, node: ast.Match) -> Iterator[Edit]:
    """A case that is not there, a pattern without its guard."""
    for case in node.cases:
        start, end = text.span(case.pattern)
        if case.guard is not None:
            end = text.span(case.guard)[1]
            yield Edit(*text.span(case.guard), "True")
        if len(node.cases) > 1:
            yield Edit(start, end, "_ if False")


def _untyped(text: Text, node: ast.MatchClass) -> Iterator[Edit]:
    """A pattern that takes a value of any type."""
    if len(node.patterns) == 1 and not node.kwd_patterns:
        yield Edit(*text.span(node), text.of(*text.span(node.patterns[0])))
    elif not node.patterns:
        yield Edit(*text.span(node.cls), "object")


def _empty(text: Text, node: ast.MatchSequence) -> Iterator[Edit]:
    """A pattern of at least one item that takes none."""
    if len(node.patterns) > 1 and isinstance(node.patterns[-1], ast.MatchStar):
        yield Edit(text.span(node.patterns[0])[0], text.span(node.patterns[1])[0], "")


# ------------------------------------------------------------------------------------------- what is no check


def _is_none(node: ast.AST | None) -> bool:
    return isinstance(node, ast.Constant) and node.value is None


def _is_starred(arg: ast.expr | ast.keyword) -> bool:
    return isinstance(arg, ast.Starred) or (isinstance(arg, ast.keyword) and arg.arg is None)


def _is_sentence(node: ast.AST | None) -> bool:
    match node:
        case ast.Constant(value=str(text)):
            return _SENTENCE.search(text) is not None
        case ast.JoinedStr(values=parts):
            return any(isinstance(part, ast.Constant) and _is_sentence(part) for part in parts)
    return False


def _is_spoken(call: ast.Call, arg: ast.expr | ast.keyword) -> bool:
    """Whether an argument is a sentence, by what it says or by its name."""
    if isinstance(arg, ast.keyword):
        return arg.arg in _SPOKEN or _is_sentence(arg.value)
    speaker = call.func.attr if isinstance(call.func, ast.Attribute) else getattr(call.func, "id", "")
    spoken = isinstance(arg, ast.Name) and arg.id in _SPOKEN and _SPEAKERS.fullmatch(speaker)
    return bool(spoken) or _is_sentence(arg)


_OPERATORS: dict[type[ast.AST], Callable[[Text, Any], Iterator[Edit]]] = {
    ast.AnnAssign: _assignment,
    ast.Assign: _assignment,
    ast.AugAssign: _augmented,
    ast.BinOp: _binary,
    ast.BoolOp: _boolean,
    ast.Break: _stopped,
    ast.Call: _arguments,
    ast.Compare: _compare,
    ast.Constant: _constant,
    ast.Continue: _stopped,
    ast.Expr: _undone,
    ast.If: _never,
    ast.IfExp: _one_branch,
    ast.Lambda: _lambda,
    ast.Match: _cases,
    ast.MatchClass: _untyped,
    ast.MatchSequence: _empty,
    ast.Raise: _undone,
    ast.UnaryOp: _unary,
    ast.While: _never,
    ast.comprehension: _all,
}
