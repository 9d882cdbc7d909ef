# SPDX-License-Identifier: Apache-2.0
"""Every failure says what happened, what to do about it, and which exit code it has.

Rules of this module:

- A :class:`Problem` speaks twice: ``str(problem)`` is the fact, ``problem.remedy`` the next step.
- ``code`` is a stable word for machines and records; it never changes its meaning.
- The exit codes are one table. Nothing else in the project calls ``sys.exit`` with a number.
"""

from __future__ import annotations

from enum import IntEnum
from typing import Any, ClassVar


class ExitCode(IntEnum):
    """What a process says when it ends; documented in ``docs/reference/exit-codes.md``."""

    OK = 0
    UNEXPECTED = 1
    USAGE = 2
    SOME_FAILED = 3
    INTEGRITY = 4
    INTENDED_USE = 5
    NOT_QUALIFIED = 6
    CONFIGURATION = 7
    DIVERGED = 8
    RETRY = 75
    INTERRUPTED = 130


class Problem(Exception):
    """A failure with a stable code, a remedy and an exit code.

    ``code`` is a short upper-case word such as ``E-INPUT-EMPTY``; it may be written into records, so
    the message must not carry identities (patient names, full paths).
    """

    exit_code: ClassVar[ExitCode] = ExitCode.UNEXPECTED

    def __init__(self, code: str, message: str, *, remedy: str) -> None:
        """Keep the three parts; the message alone is the text of the exception."""
        super().__init__(message)
        self.code = code
        self.remedy = remedy

    def __reduce__(self) -> tuple[Any, ...]:
        """So that it goes whole from one process to another."""
        return _again, (type(self), str(self), dict(vars(self)))


def _again(kind: type[Problem], message: str, parts: dict[str, Any]) -> Problem:
    made = kind.__new__(kind, message)
    made.args = (message,)
    vars(made).update(parts)
    return made


class IntegrityError(Problem):
    """A hash, signature or proof does not hold."""

    exit_code = ExitCode.INTEGRITY


class ConfigurationError(Problem):
    """A setting, key, passphrase, folder or database is wrong or cannot be used."""

    exit_code = ExitCode.CONFIGURATION


class BusyError(Problem):
    """Somebody else holds what is needed; the same call may succeed later."""

    exit_code = ExitCode.RETRY


class RecordError(Problem):
    """A record is asked for that is not there, or given that must not be there a second time."""

    exit_code = ExitCode.USAGE
