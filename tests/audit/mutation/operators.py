# SPDX-License-Identifier: Apache-2.0
"""Which mistakes are made on purpose: those of mutmut, and every check that can be left out.

Rules of this module:

- mutmut turns values, operators and arguments into others, but leaves no check out. The operators here do: a condition
  that is never met, a failure that is not raised, a call that is not made, one side of ``and`` and ``or``, a guard or a
  type in a ``case`` pattern.
- A sentence for people is no check: what would change nothing but one is not made, and is counted.
- mutmut passes over a function with a decorator. A property is therefore split in two, so that its body has none.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from pathlib import Path

import libcst as cst
from libcst import matchers as m
from mutmut.mutation.file_mutation import NEVER_MUTATE_FUNCTION_CALLS, create_mutations
from mutmut.mutation.mutators import mutation_operators

PLAIN = "__plain"  # the end of the name of a function that was freed from its decorator

# Letters on both sides of a space: part of a sentence, and of nothing else in the verifier's texts.
_SENTENCE = re.compile(r"[\w,;.`)] [\w`(]")
# Calls that take a sentence, and the names under which one is handed to them.
_SPEAKERS = {"add", "Claim", "IntegrityError", "Wrong", "_fail", "_refuse"}
_SPOKEN = {"message", "remedy", "text", "why"}
_CODECS = {"ascii", "utf-8"}

Operator = Callable[[cst.CSTNode], Iterable[cst.CSTNode]]


def install() -> None:
    """Make mutmut use its own operators without those of sentences, and ours."""
    NEVER_MUTATE_FUNCTION_CALLS.add("cast")  # speaks to the type checker alone
    mutation_operators[:] = [*((kind, _quiet(operator)) for kind, operator in _MUTMUTS), *_OURS]


def sentences(path: Path, source: str) -> int:
    """Count the mutants of mutmut that are not made because they change a sentence alone."""
    try:
        mutation_operators[:] = _MUTMUTS
        every = len(create_mutations(str(path), source)[1])
        mutation_operators[:] = [(kind, _quiet(operator)) for kind, operator in _MUTMUTS]
        return every - len(create_mutations(str(path), source)[1])
    finally:
        install()


def undecorated(source: str) -> str:
    """Return the same module with every property and context manager split into a door and a plain function."""
    return cst.parse_module(source).visit(_Undecorate()).code


class _Undecorate(cst.CSTTransformer):
    def leave_FunctionDef(  # noqa: N802 -- the name that libcst calls
        self,
        original_node: cst.FunctionDef,  # noqa: ARG002 -- the call that libcst makes
        updated_node: cst.FunctionDef,
    ) -> cst.FunctionDef | cst.FlattenSentinel[cst.BaseStatement]:
        decorators = [one.decorator.value for one in updated_node.decorators if isinstance(one.decorator, cst.Name)]
        if decorators not in (["property"], ["contextmanager"]):
            return updated_node
        name = updated_node.name.value + PLAIN
        handed = ", ".join(param.name.value for param in updated_node.params.params[1:])
        call = cst.parse_statement(f"return self.{name}({handed})").body[0]
        door = updated_node.with_changes(body=cst.SimpleStatementSuite([call]))
        return cst.FlattenSentinel([door, updated_node.with_changes(name=cst.Name(name), decorators=[])])


# ------------------------------------------------------------------------------------------- what is left out


def never(node: cst.If) -> Iterable[cst.If]:
    """A condition that is never met. Where all it guards is one call or failure, :func:`undone` leaves that out."""
    if not _is_one_call(node.body):
        yield node.with_changes(test=cst.Name("False"))


def undone(node: cst.SimpleStatementLine) -> Iterable[cst.SimpleStatementLine]:
    """A failure that is not raised, a call that is not made."""
    if len(node.body) == 1 and (m.matches(node.body[0], m.Raise() | m.Expr(m.Call()))):
        yield node.with_changes(body=[cst.Pass()])


def one_side(node: cst.BooleanOperation) -> Iterable[cst.BaseExpression]:
    """Of two conditions, one."""
    yield node.left
    yield node.right


def unguarded(node: cst.MatchCase) -> Iterable[cst.MatchCase]:
    """A pattern without its guard."""
    if node.guard is not None:
        yield node.with_changes(guard=None)


def untyped(node: cst.MatchClass) -> Iterable[cst.MatchPattern]:
    """A pattern that takes a value of any type."""
    if len(node.patterns) == 1:
        yield node.patterns[0].value
    elif not node.patterns:
        yield node.with_changes(cls=cst.Name("object"))


def empty(node: cst.MatchList) -> Iterable[cst.MatchList]:
    """A pattern of at least one item that takes none."""
    if len(node.patterns) > 1 and isinstance(node.patterns[-1], cst.MatchStar):
        yield node.with_changes(patterns=node.patterns[1:])


_OURS: list[tuple[type[cst.CSTNode], Operator]] = [
    (cst.If, never),
    (cst.SimpleStatementLine, undone),
    (cst.BooleanOperation, one_side),
    (cst.MatchCase, unguarded),
    (cst.MatchClass, untyped),
    (cst.MatchList, empty),
]
_MUTMUTS = list(mutation_operators)


def _is_one_call(body: cst.BaseSuite) -> bool:
    return len(body.body) == 1 and isinstance(body.body[0], cst.SimpleStatementLine) and any(undone(body.body[0]))


# ------------------------------------------------------------------------------------------- what is no check


def _quiet(operator: Operator) -> Operator:
    """The operator without the mutants that change a sentence alone."""

    def quiet(node: cst.CSTNode) -> Iterable[cst.CSTNode]:
        if not _is_sentence(node):
            yield from (mutated for mutated in operator(node) if not _silenced(node, mutated))

    return quiet


def _is_sentence(node: cst.CSTNode) -> bool:
    if isinstance(node, cst.Assign | cst.AnnAssign):
        return node.value is not None and _is_sentence(node.value)
    if isinstance(node, cst.SimpleString):
        return "b" not in node.prefix and _SENTENCE.search(node.raw_value) is not None
    if isinstance(node, cst.ConcatenatedString):
        return _is_sentence(node.left) or _is_sentence(node.right)
    return isinstance(node, cst.FormattedString) and any(
        isinstance(part, cst.FormattedStringText) and _SENTENCE.search(part.value) for part in node.parts
    )


def _silenced(node: cst.CSTNode, mutated: cst.CSTNode) -> bool:
    """Whether the mutant is a call whose sentence is None now, or a codec by the same name in capitals."""
    if isinstance(node, cst.SimpleString) and isinstance(mutated, cst.SimpleString):
        return node.raw_value in _CODECS and mutated.raw_value.lower() == node.raw_value
    if not isinstance(node, cst.Call) or not isinstance(mutated, cst.Call) or len(node.args) != len(mutated.args):
        return False
    changed = [old for old, new in zip(node.args, mutated.args, strict=True) if old is not new]
    return bool(changed) and all(_is_spoken(node, arg) for arg in changed)


def _is_spoken(call: cst.Call, arg: cst.Arg) -> bool:
    if _is_sentence(arg.value) or (arg.keyword is not None and arg.keyword.value in _SPOKEN):
        return True
    speaker = call.func.attr if isinstance(call.func, cst.Attribute) else call.func
    return m.matches(speaker, m.Name(m.MatchIfTrue(_SPEAKERS.__contains__))) and m.matches(
        arg.value, m.Name(m.MatchIfTrue(_SPOKEN.__contains__))
    )
