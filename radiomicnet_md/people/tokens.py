# SPDX-License-Identifier: Apache-2.0
"""A token lets another system read as a person, without their passphrase, until it expires or they are disabled.

Rules of this module:

- The token is 256 random bits, shown once. The home keeps its SHA-256, whose it is, and until when: who reads the home
  has no token.
- It opens the API only, and there what the person may do now: disabled, locked or without the role, it opens nothing.
- It signs nothing: a signature needs the person's passphrase.
"""

from __future__ import annotations

import hashlib
import json
import re
import secrets
from datetime import UTC, datetime, timedelta
from pathlib import Path

from radiomicnet_md.private import write_private
from radiomicnet_md.vault import typed

DAYS = 90
PREFIX = "rnmd_"
_FORM = re.compile(PREFIX + r"[A-Za-z0-9_-]{43}")


def make(home: Path, user: str, days: int = DAYS) -> tuple[str, datetime]:
    """A new token of a person and the time it ends.

    Raises :class:`ConfigurationError` ``E-HOME-WRITE``.
    """
    token = PREFIX + secrets.token_urlsafe(32)
    end = datetime.now(UTC).replace(microsecond=0) + timedelta(days=days)
    with typed():
        _folder(home).mkdir(mode=0o700, parents=True, exist_ok=True)
        write_private(_place(home, token), json.dumps({"user": user, "until": end.isoformat()}).encode())
    return token, end


def owner(home: Path, token: str) -> str | None:
    """The id of the person whose token this is; None where it is none, or has expired."""
    if not _FORM.fullmatch(token):
        return None
    try:
        said = json.loads(_place(home, token).read_bytes())
        until, user = datetime.fromisoformat(said["until"]), said["user"]
    except (OSError, ValueError, KeyError, TypeError):
        return None
    return user if isinstance(user, str) and datetime.now(UTC) < until else None


def withdraw(home: Path, user: str) -> int:
    """Remove every token of a person; the number of them."""
    gone = 0
    with typed():
        for path in sorted(_folder(home).glob("*")) if _folder(home).is_dir() else ():
            if json.loads(path.read_bytes()).get("user") == user:
                path.unlink()
                gone += 1
    return gone


def _folder(home: Path) -> Path:
    return home / "tokens"


def _place(home: Path, token: str) -> Path:
    return _folder(home) / hashlib.sha256(token.encode()).hexdigest()
