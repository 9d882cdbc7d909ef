# SPDX-License-Identifier: Apache-2.0
"""What a verb is given: its parsed arguments, and a console that keeps data and talk apart.

Rules of this module:

- Data goes to stdout: a JSON object a line with ``--json``, readable lines without. Notes, progress and
  problems go to stderr.
- Whatever comes from a file name or a file is shown without control characters.
- Colour and progress bars appear on a terminal only, and ``NO_COLOR`` turns colour off.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol, TypeVar

from radiomicnet_md.errors import ConfigurationError, ExitCode, Problem

if TYPE_CHECKING:
    from radiomicnet_md.config import Settings

_T = TypeVar("_T")


class DefectError(Problem):
    """Something this program did not expect: a defect of its own."""

    exit_code = ExitCode.UNEXPECTED


def close_stdout() -> None:
    """Let what is still in the buffer go nowhere: Python would complain about it again at its end."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


@dataclass(frozen=True, slots=True)
class Console:
    """Where a verb speaks."""

    as_json: bool
    quiet: bool

    @property
    def colour(self) -> bool:
        """Whether stdout may carry colour."""
        return not self.as_json and sys.stdout.isatty() and not os.environ.get("NO_COLOR")

    def emit(self, line: Mapping[str, Any], text: str) -> None:
        """One datum: the object with ``--json``, the text without."""
        self.page((json.dumps(line) if self.as_json else printable(text)) + "\n")

    def page(self, text: str) -> None:
        """Text that is already fit for a terminal, colour included; at once, so that no line waits in a buffer.

        Raises :class:`ConfigurationError` where stdout takes nothing more (a full disk behind it).
        """
        try:
            sys.stdout.write(text)
            sys.stdout.flush()
        except BrokenPipeError:
            raise
        except OSError as error:
            close_stdout()
            raise ConfigurationError(
                "E-STDOUT",
                f"The standard output cannot be written ({error.strerror}).",
                remedy="Send it to a place with room; what was decided until then is in the log.",
            ) from error

    def note(self, text: str) -> None:
        """Something a person may want to know while waiting."""
        if not self.quiet:
            sys.stderr.write(printable(text) + "\n")

    def problem(self, problem: Problem) -> None:
        """The fact, its code and the next step; for a program also as the last object on stdout."""
        sys.stderr.write(printable(f"radiomicnet-md: {problem} [{problem.code}]\n  → {problem.remedy}") + "\n")
        if self.as_json:
            reason = {"code": problem.code, "text": str(problem), "remedy": problem.remedy}
            with contextlib.suppress(OSError, Problem):  # it was said on stderr, and there may be nobody to read this
                self.page(json.dumps({"status": "error", "reason": reason}) + "\n")

    def progress(self, items: Iterable[_T], what: str, total: int) -> Iterator[_T]:
        """The items, with a progress bar on stderr where a person watches and there is more than one."""
        if self.quiet or total <= 1 or not sys.stderr.isatty():
            yield from items
            return
        from rich.console import Console as Screen
        from rich.progress import track

        yield from track(items, description=what, total=total, console=Screen(stderr=True), transient=True)


@dataclass(frozen=True, slots=True)
class Call:
    """One call of a verb."""

    given: argparse.Namespace
    console: Console

    def settings(self) -> Settings:
        """The settings in force for this call."""
        from radiomicnet_md import config

        return config.load({name: getattr(self.given, name) for name in ("home", "audit_db", "release")})

    def defect(self, error: Exception) -> DefectError:
        """What to say of an unexpected error; its traceback is put into the home, where there is one."""
        from radiomicnet_md.faults import note_fault

        noted = False
        with contextlib.suppress(Problem):
            noted = note_fault(self.settings().home, error)
        where = "logs/errors.jsonl in the home" if noted else "the command line that led here"
        return DefectError(
            "E-UNEXPECTED",
            f"An unexpected {type(error).__name__} stopped this command. This is a defect of RadiomicNet-MD.",
            remedy=f"Report it with {where}; nothing was decided that is not in the log.",
        )


Run = Callable[[Call], int]


class Verb(Protocol):
    """What a module in this folder provides."""

    def arguments(self, parser: argparse.ArgumentParser, shared: argparse.ArgumentParser) -> None:
        """Add the verb's arguments; ``shared`` is the parent for parsers of sub-verbs."""

    def run(self, call: Call) -> int:
        """Do it and return the exit code."""


def printable(text: str) -> str:
    """The text with everything that could steer a terminal as ``?``."""
    return "".join(sign if sign.isprintable() or sign == "\n" else "?" for sign in text)
