# SPDX-License-Identifier: Apache-2.0
"""Where people sign in and sign: a home and its log; what is counted there is counted by one process at a time."""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from radiomicnet_md.vault import cannot_take

if TYPE_CHECKING:
    from radiomicnet_md.home import Home
    from radiomicnet_md_audit.ledger import Ledger


class Place(Protocol):
    """A home, its log open for writing, the key of its vault and the account this runs as: a desk, or a keeper."""

    @property
    def home(self) -> Home:
        """The home."""

    @property
    def ledger(self) -> Ledger:
        """Its log."""

    @property
    def vault_key(self) -> bytes:
        """The key of its vault."""

    @property
    def operator(self) -> str:
        """The account that records name."""


def folder(home: Path) -> Path:
    """The folder of people's sealed keys."""
    return home / "people"


@contextmanager
def alone(home: Path) -> Iterator[None]:
    """Nobody else signs in, signs or changes people in this home meanwhile; others wait.

    Two guesses at the same moment would else be counted as one, and what is checked could change before it is signed.
    Raises :class:`ConfigurationError` ``E-HOME-WRITE``.
    """
    try:
        folder(home).mkdir(mode=0o700, exist_ok=True)
        lock = os.open(folder(home), os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)
        fcntl.flock(lock, fcntl.LOCK_EX)
    except OSError as error:
        raise cannot_take(error) from error
    try:
        yield
    finally:
        os.close(lock)
