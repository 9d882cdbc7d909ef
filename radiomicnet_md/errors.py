# SPDX-License-Identifier: Apache-2.0
"""The device's own failures, added to those of the audit log; one base class, one table of exit codes."""

from __future__ import annotations

from radiomicnet_md_audit.errors import (
    BusyError,
    ConfigurationError,
    ExitCode,
    IntegrityError,
    Problem,
)

__all__ = [
    "BusyError",
    "ConfigurationError",
    "DivergedError",
    "ExitCode",
    "InputError",
    "IntegrityError",
    "NotQualifiedError",
    "Problem",
    "UsageError",
]


class UsageError(Problem):
    """The command line asks for something that does not exist or does not go together."""

    exit_code = ExitCode.USAGE


class InputError(Problem):
    """The input cannot be read, or lies outside the intended use."""

    exit_code = ExitCode.INTENDED_USE


class NotQualifiedError(Problem):
    """This installation may not decide: not qualified, degraded, or changed since qualification."""

    exit_code = ExitCode.NOT_QUALIFIED


class DivergedError(Problem):
    """A replay did not give the recorded bytes."""

    exit_code = ExitCode.DIVERGED
