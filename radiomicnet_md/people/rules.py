# SPDX-License-Identifier: Apache-2.0
"""What a person's passphrase has to be: long, and not their own name; of which signs it is made is theirs to choose.

Source: NIST SP 800-63B section 3.1.1.2: a least length, no rules of composition, no change by the calendar, Unicode
normalised before it is used.
"""

from __future__ import annotations

import unicodedata

from radiomicnet_md.errors import UsageError

SHORTEST, LONGEST = 12, 1024  # characters


def secret(passphrase: str) -> bytes:
    """The bytes that a passphrase stands for, however the keyboard composed its characters (NFKC)."""
    return unicodedata.normalize("NFKC", passphrase).encode("utf-8", "surrogatepass")


def check(passphrase: str, user_id: str, name: str) -> None:
    """Raise :class:`UsageError` ``E-USER-PASSPHRASE`` for one that is too short, too long, or the id or name."""
    length = len(unicodedata.normalize("NFKC", passphrase))
    if not SHORTEST <= length <= LONGEST:
        _refuse(f"A passphrase has {SHORTEST} to {LONGEST} characters.")
    plain = "".join(passphrase.casefold().split())
    if plain in {"".join(text.casefold().split()) for text in (user_id, name, user_id * 2, name * 2)}:
        _refuse("A passphrase is neither the id nor the name.")
    if len(set(plain)) == 1:
        _refuse("A passphrase is more than one character again and again.")


def _refuse(message: str) -> None:
    raise UsageError("E-USER-PASSPHRASE", message, remedy="Take a few words that have nothing to do with each other.")
