# SPDX-License-Identifier: Apache-2.0
"""A home's key is replaced: the new one is safe on the disk before the log names it, and in force when it does.

Rules of this module:

- The new key is made first, then the record is written, then the key takes its place. Whatever a crash leaves between
  is settled by whoever opens the home next.
- A key that somebody else may have had is revoked since a time; the record tells the first tree size at or after it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from radiomicnet_md import keyring
from radiomicnet_md_audit import dsse, statement
from radiomicnet_md_audit.keychange import Role

if TYPE_CHECKING:
    from radiomicnet_md.home import Home
    from radiomicnet_md_audit.ledger import Ledger


@dataclass(frozen=True, slots=True)
class Rekeyed:
    """A change that is in the log; ids are SHA-256 of the public keys.

    ``since`` is the tree size from which the retired key may have been in other hands, or None.
    """

    role: Role
    retired: str
    introduced: str
    record_id: str
    log_index: int
    since: int | None


def replace_key(
    home: Home, role: Role, passphrase: bytes, audit_db: str | None = None, stolen: str | None = None
) -> Rekeyed:
    """Replace the key of a role; ``stolen`` is the time (as ``time_utc`` in records) since which others may have it.

    Raises what the ledger raises, and :class:`ConfigurationError` for a wrong passphrase or a home that cannot be
    written.
    """
    with home.changing_keys(passphrase, audit_db), home.writing_ledger(passphrase, audit_db) as ledger:
        since = None if stolen is None else _size_at(ledger, stolen)
        retired = _keyid(ledger, role)
        key = keyring.make_next(home.folder / "keys", role, passphrase, home.origin)
        receipt = ledger.change_key(role, key, since)
        doubted = {stop: start for start, stop in ledger.declared.compromised()}
    return Rekeyed(role, retired, key.public.keyid, receipt.record_id, receipt.index, doubted.get(receipt.size + 1))


def _keyid(ledger: Ledger, role: Role) -> str:
    return ledger.writer.key(role).public.keyid


def _size_at(ledger: Ledger, time: str) -> int:
    """The size that the first entry of this time or later made; that of the next entry where there is none."""
    for entry in ledger.entries():
        said = statement.parse(dsse.parse_unverified(entry.envelope).payload)
        if said.log.time_utc >= time:
            return entry.index + 1
    return ledger.size + 1
