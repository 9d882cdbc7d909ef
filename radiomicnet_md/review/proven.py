# SPDX-License-Identifier: Apache-2.0
"""A record is shown only with a proof, and a proof is made only here: signature first, then inclusion.

Rules of this module:

- :func:`prove` raises; there is no way to get a :class:`Proof` for a record whose signature or inclusion fails.
- It asks the log for a proof and checks it as a stranger would, with public keys alone: those the reader
  trusts, or, where none were named, those of the log's genesis.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from radiomicnet_md_audit import checkpoint, dsse, merkle, proof

if TYPE_CHECKING:
    from radiomicnet_md_audit.ledger import Entry, Ledger


@dataclass(frozen=True, slots=True)
class Proof:
    """What was verified of one record before it is shown."""

    index: int  # place in the log, from 0
    size: int  # entries of the tree that the checkpoint signs
    root: str  # of that tree, hex
    origin: str  # of the log
    keyid: str  # of the key whose signature on the envelope was checked
    envelope_sha256: str
    leaf_sha256: str
    claims: Sequence[str] = ()  # further sentences that verification earned, such as the anchor's


def prove(ledger: Ledger, entry: Entry, claims: Sequence[str] = ()) -> tuple[Mapping[str, Any], Proof]:
    """The statement in an entry and the proof of it; ``claims`` are kept with the proof.

    Raises :class:`~radiomicnet_md_audit.errors.IntegrityError` when the signature, the proof or the signed
    checkpoint it ends in does not hold.
    """
    statement = ledger.read(entry)
    inclusion = proof.parse_inclusion(ledger.inclusion(entry.index))
    claimed, _ = checkpoint.parse_unverified(inclusion.note)
    keys = (ledger.trusted or ledger.declared).log_keys_at(claimed.size)
    head = inclusion.verify(entry.envelope, keys, ledger.origin)
    found = Proof(
        index=entry.index,
        size=head.size,
        root=head.root.hex(),
        origin=ledger.origin,
        keyid=dsse.parse_unverified(entry.envelope).keyid,
        envelope_sha256=hashlib.sha256(entry.envelope).hexdigest(),
        leaf_sha256=merkle.leaf_hash(entry.envelope).hex(),
        claims=tuple(claims),
    )
    return statement.document, found
