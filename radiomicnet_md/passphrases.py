# SPDX-License-Identifier: Apache-2.0
"""A passphrase comes from a file or from a person at a terminal, never from a setting.

Rules of this module:

- The file that the environment names goes before everything else; its first line is the passphrase.
- Who names a file answers for its mode: it is read as it is.
- Where there is neither a file nor a terminal, nothing is assumed.
"""

from __future__ import annotations

import getpass
import os
import sys
from collections.abc import Mapping
from pathlib import Path

from radiomicnet_md.errors import ConfigurationError

FILE_VARIABLE = "RADIOMICNET_MD_KEY_PASSPHRASE_FILE"


def existing(generated: Path, environ: Mapping[str, str] = os.environ, *, of: str = "this home") -> bytes:
    """From the file the environment names, else the ``generated`` one, else the person at the terminal.

    ``of`` tells that person which keys they are.
    Raises :class:`ConfigurationError` when there is none of the three.
    """
    found = _from_environment(environ)
    if found is not None:
        return found
    if generated.exists():
        return _first_line(generated)
    if sys.stdin.isatty():
        return getpass.getpass(f"Passphrase of {of}: ").encode()
    raise _absent(f"The keys of {of} need a passphrase, and there is no terminal to ask at.")


def new(*, clinical: bool) -> bytes | None:
    """For the keys of a new home; None where a demonstration home may make one up.

    Raises :class:`ConfigurationError` when there is none, or the two that were typed differ.
    """
    return chosen("this home") if clinical else _from_environment(os.environ)


def chosen(of: str) -> bytes:
    """For new keys, from the file that the environment names or twice from the person at the terminal.

    ``of`` tells that person which keys they are.
    Raises :class:`ConfigurationError` when there is none, or the two that were typed differ.
    """
    found = _from_environment(os.environ)
    if found is not None:
        return found
    if not sys.stdin.isatty():
        raise _absent(f"The keys of {of} need a passphrase, and there is no terminal to ask at.")
    first = getpass.getpass(f"New passphrase of {of}: ")
    if not first or getpass.getpass("The same again: ") != first:
        raise ConfigurationError(
            "E-KEY-PASSPHRASE", "The two passphrases differ, or were empty.", remedy="Give the command again."
        )
    return first.encode()


def _from_environment(environ: Mapping[str, str]) -> bytes | None:
    named = environ.get(FILE_VARIABLE)
    return _first_line(Path(named)) if named else None


def _first_line(path: Path) -> bytes:
    try:
        lines = path.read_bytes().splitlines()
    except OSError as error:
        raise ConfigurationError(
            "E-KEY-PASSPHRASE-FILE",
            f"The passphrase file cannot be read: {error.strerror}.",
            remedy=f"Check the file that {FILE_VARIABLE} names.",
        ) from None
    if not lines or not lines[0]:
        raise ConfigurationError(
            "E-KEY-PASSPHRASE-FILE",
            "The passphrase file is empty.",
            remedy=f"Write the passphrase as the first line of the file that {FILE_VARIABLE} names.",
        )
    return lines[0]


def _absent(message: str) -> ConfigurationError:
    remedy = f"Write it to a file that only you can read and name that file in {FILE_VARIABLE}."
    return ConfigurationError("E-KEY-PASSPHRASE-ABSENT", message, remedy=remedy)
