# SPDX-License-Identifier: Apache-2.0
"""Writes docs/reference/cli.md from the parsers: ``python -m deploy.site.commands``, part of ``make docs``.

Rules of this script:

- Every verb, argument and example of the page is the parser's; ``tests/house/test_references.py`` holds them equal.
- What argparse lays out differently from one Python to the next (usage, wrapped lines) is not taken from it.
"""

from __future__ import annotations

import argparse
import re
from collections.abc import Iterator
from pathlib import Path

from radiomicnet_md import cli

PAGE = Path(__file__).resolve().parents[2] / "docs" / "reference" / "cli.md"
_HEAD = """\
# Command line

Written from the parsers by `make docs`; change these, not this page. What a command prints, and how it ends:
[exit codes](exit-codes.md). What is set elsewhere: [configuration](configuration.md).

## Options of every verb

Before or after the verb.
"""
_Parser = argparse.ArgumentParser
_MARKS = re.compile(r"[^\s,;()]*[<*_][^\s,;()]*")  # words that Markdown would take for more than words
_OPEN: dict[int | str | None, str] = {None: "{0}", "?": "[{0}]", "*": "[{0} …]", "+": "{0} …", argparse.REMAINDER: "…"}


def page() -> str:
    """The whole page."""
    shared = cli.global_options(None)
    everywhere = {action.dest for action in _actions(shared)}
    lines = [_HEAD, *_table(_actions(shared))]
    for verb in cli.VERBS:
        parser = cli.parser_of(verb)
        lines += _section(parser, str(parser.description), 2, everywhere)
    return "\n".join(lines)


def _section(parser: _Parser, does: str, level: int, everywhere: set[str]) -> Iterator[str]:
    """A verb, and the verbs below it."""
    own = [action for action in _actions(parser) if action.dest not in everywhere]
    below = [action for action in own if isinstance(action, argparse._SubParsersAction)]  # noqa: SLF001
    rows = [action for action in own if action not in below]
    places = [_place(action) for action in rows if not action.option_strings]
    options = ["[options]"] if any(action.option_strings for action in rows) else []
    yield f"{'#' * level} {parser.prog.removeprefix(f'{cli.PROGRAM} ')}\n"
    yield f"{does[0].upper()}{does[1:].rstrip('.')}.\n"
    yield f"    {' '.join([parser.prog, *options, *places, *(['VERB …'] if below else [])])}\n"
    yield from _table(rows)
    if parser.epilog:
        yield "\n".join(f"    {line}".rstrip() for line in parser.epilog.strip().splitlines()) + "\n"
    for action in below:
        told = {one.dest: str(one.help) for one in action._choices_actions}  # noqa: SLF001 - no other way to the words
        for name, verb in action.choices.items():
            yield from _section(verb, told[name], level + 1, everywhere)


def _actions(parser: _Parser) -> list[argparse.Action]:
    """What the parser takes and tells of, but for ``--help``."""
    listed = parser._actions  # noqa: SLF001 - argparse tells of them in no other way
    return [action for action in listed if action.help != argparse.SUPPRESS and action.dest != "help"]


def _table(actions: list[argparse.Action]) -> Iterator[str]:
    if actions:
        yield "| argument | |"
        yield "|---|---|"
        yield from (f"| {_named(action)} | {_told(action)} |" for action in actions)
        yield ""


def _place(action: argparse.Action) -> str:
    """How an argument's value stands on the line."""
    metavar = action.metavar or ("|".join(map(str, action.choices)) if action.choices else action.dest.upper())
    return _OPEN[action.nargs].format(metavar)


def _named(action: argparse.Action) -> str:
    value = "" if action.nargs == 0 else f" {_place(action)}"
    words = [f"{option}{value}" for option in action.option_strings] or [_place(action)]
    return ", ".join(f"`{word}`".replace("|", "\\|") for word in words)


def _told(action: argparse.Action) -> str:
    told = (action.help or "") % vars(action)
    must = "; required" if action.option_strings and action.required else ""
    return _MARKS.sub(r"`\g<0>`", told + must).replace("|", "\\|")


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
