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
PERSON_VARIABLE = "RADIOMICNET_MD_USER_PASSPHRASE_FILE"
NEW_PERSON_VARIABLE = "RADIOMICNET_MD_NEW_PASSPHRASE_FILE"


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
    return _typed_twice(of).encode()


def of_person(user_id: str, environ: Mapping[str, str] = os.environ) -> str:
    """A person's own, from the file that ``RADIOMICNET_MD_USER_PASSPHRASE_FILE`` names, else from the terminal.

    Raises :class:`ConfigurationError` when there is neither.
    """
    found = _from_environment(environ, PERSON_VARIABLE)
    if found is not None:
        return _as_text(found, PERSON_VARIABLE)
    if sys.stdin.isatty():
        return getpass.getpass(f"Passphrase of {user_id}: ")
    raise _absent(f"{user_id} has to give a passphrase, and there is no terminal to ask at.", PERSON_VARIABLE)


def new_of_person(user_id: str, environ: Mapping[str, str] = os.environ) -> str:
    """A person's next one, from the file that ``RADIOMICNET_MD_NEW_PASSPHRASE_FILE`` names, else typed twice.

    Raises :class:`ConfigurationError` when there is neither, or the two that were typed differ.
    """
    found = _from_environment(environ, NEW_PERSON_VARIABLE)
    if found is not None:
        return _as_text(found, NEW_PERSON_VARIABLE)
    if sys.stdin.isatty():
        return _typed_twice(user_id)
    raise _absent(f"{user_id} needs a new passphrase, and there is no terminal to ask at.", NEW_PERSON_VARIABLE)


def _typed_twice(of: str) -> str:
    first = getpass.getpass(f"New passphrase of {of}: ")
    if not first or getpass.getpass("The same again: ") != first:
        raise ConfigurationError(
            "E-KEY-PASSPHRASE", "The two passphrases differ, or were empty.", remedy="Give the command again."
        )
    return first


def _from_environment(environ: Mapping[str, str], variable: str = FILE_VARIABLE) -> bytes | None:
    named = environ.get(variable)
    return _first_line(Path(named), variable) if named else None


def _as_text(passphrase: bytes, variable: str) -> str:
    try:
        return passphrase.decode("utf-8")
    except UnicodeDecodeError:
        raise ConfigurationError(
            "E-KEY-PASSPHRASE-FILE",
            "The passphrase file is not UTF-8.",
            remedy=f"Write the file that {variable} names again, in UTF-8.",
        ) from None


def _first_line(path: Path, variable: str = FILE_VARIABLE) -> bytes:
    try:
        lines = path.read_bytes().splitlines()
    except OSError as error:
        raise ConfigurationError(
            "E-KEY-PASSPHRASE-FILE",
            f"The passphrase file cannot be read: {error.strerror}.",
            remedy=f"Check the file that {variable} names.",
        ) from None
    if not lines or not lines[0]:
        raise ConfigurationError(
            "E-KEY-PASSPHRASE-FILE",
            "The passphrase file is empty.",
            remedy=f"Write the passphrase as the first line of the file that {variable} names.",
        )
    return lines[0]


def _absent(message: str, variable: str = FILE_VARIABLE) -> ConfigurationError:
    remedy = f"Write it to a file that only you can read and name that file in {variable}."
    return ConfigurationError("E-KEY-PASSPHRASE-ABSENT", message, remedy=remedy)
