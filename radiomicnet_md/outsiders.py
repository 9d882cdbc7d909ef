# SPDX-License-Identifier: Apache-2.0
"""Gets the log's newest checkpoint out of the house, and keeps what others say of it only where it verifies.

Rules of this module:

- What a witness or a time-stamping authority says is verified, appended beside the anchor and synced, and only then
  reported. What does not verify is refused, and nothing is kept of it.
- A request for a time stamp that is carried as a file leaves the checkpoint in the home, in a file named by the nonce,
  until the answer comes. An answer to no open request counts for nothing.
- Whom the home believes outside stands in its ``policy.json``, and there only because its owner said so.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING

from radiomicnet_md import keyring
from radiomicnet_md.errors import ConfigurationError, IntegrityError
from radiomicnet_md.home import Home
from radiomicnet_md.private import replace_private, write_private
from radiomicnet_md_audit.evidence import INSTALL
from radiomicnet_md_audit.testimony import OutsideFile, Stamping, Vouched, beside

if TYPE_CHECKING:
    from radiomicnet_md_audit.cosignature import Cosigner
    from radiomicnet_md_audit.ledger import Ledger
    from radiomicnet_md_audit.policy import Policy
    from radiomicnet_md_audit.timestamp import Stamp

_NONCE = re.compile(r"[0-9a-f]{1,40}")


def cosigned(home: Home, ledger: Ledger, url: str, cosigner: Cosigner) -> str:
    """Have the newest checkpoint cosigned by the witness at ``url``; return the note, which is kept.

    Raises as :func:`radiomicnet_md_audit.witness_client.cosigned` does, and :class:`ConfigurationError` where the note
    cannot be kept.
    """
    from radiomicnet_md_audit import witness_client

    note = witness_client.cosigned(witness_client.Remote(url, cosigner), ledger.consistency)
    outside(home).append(Vouched(note))
    return note


def stamped(home: Home, ledger: Ledger, url: str) -> tuple[str, Stamp]:
    """Have the newest checkpoint stamped by the authority at ``url``; return the note and the stamp, which are kept."""
    from radiomicnet_md_audit import timestamp_client

    timestamp = _library()
    authorities = _authorities(home)
    note = ledger.latest_checkpoint()
    request = timestamp.request(note)
    response = timestamp_client.ask(url, request.der)
    stamp = timestamp.verify_any(response, note, request.nonce, authorities)
    if stamp is None:
        raise _not_pinned()
    outside(home).append(Vouched(note, Stamping(request.nonce, response)))
    return note, stamp


def request(home: Home, ledger: Ledger) -> bytes:
    """Return a request (DER) for a time stamp of the newest checkpoint, and keep what its answer is checked by."""
    timestamp = _library()
    note = ledger.latest_checkpoint()
    made = timestamp.request(note)
    try:
        _requests(home).mkdir(mode=0o700, exist_ok=True)
        write_private(_requests(home) / f"{made.nonce:x}", note.encode())
    except OSError as error:
        raise _unusable(error) from None
    der: bytes = made.der
    return der


def answered(home: Home, response: bytes) -> tuple[str, Stamp]:
    """Take an authority's answer (DER) to one of the home's open requests; return note and stamp, which are kept.

    Raises :class:`IntegrityError` ``E-TIMESTAMP-NONCE`` for an answer to no open request, and as
    :func:`radiomicnet_md_audit.timestamp.verify` does for one that does not count.
    """
    timestamp = _library()
    authorities = _authorities(home)
    try:
        for path in sorted(_requests(home).glob("*")):
            if not _NONCE.fullmatch(path.name):
                continue
            note, nonce = path.read_text("utf-8"), int(path.name, 16)
            try:
                stamp = timestamp.verify_any(response, note, nonce, authorities)
            except IntegrityError as problem:
                if problem.code != "E-TIMESTAMP-NONCE":
                    raise
                continue
            if stamp is None:
                raise _not_pinned()
            outside(home).append(Vouched(note, Stamping(nonce, response)))
            path.unlink()
            return note, stamp
    except OSError as error:
        raise _unusable(error) from None
    raise IntegrityError(
        "E-TIMESTAMP-NONCE",
        "The time stamp answers no request of this home that is still open.",
        remedy="Give the answer to a request of this home, once; or make a new request.",
    )


def trust_witness(home: Home, cosigner: Cosigner) -> None:
    """Believe this witness from now on."""
    with _policy(home) as (place, policy):
        if cosigner not in policy.witnesses:
            replace_private(place, replace(policy, witnesses=(*policy.witnesses, cosigner)).to_json())


def trust_authority(home: Home, pem: bytes) -> None:
    """Believe this time-stamping authority from now on: its own certificate, then its issuers'.

    Raises :class:`ConfigurationError` ``E-TIMESTAMP-PIN`` for a file that pins no authority.
    """
    text = _library().Authority.from_pem(pem).to_pem()
    with _policy(home) as (place, policy):
        if text not in policy.timestamp_authorities:
            added = (*policy.timestamp_authorities, text)
            replace_private(place, replace(policy, timestamp_authorities=added).to_json())


@contextmanager
def _policy(home: Home) -> Iterator[tuple[Path, Policy]]:
    """Give the home's policy and its place, while nobody else changes it."""
    try:
        with keyring.alone(home.folder / "keys"):
            yield home.folder / "policy.json", home.policy()
    except OSError as error:
        raise ConfigurationError(
            "E-HOME-POLICY",
            f"The home's policy.json cannot be written ({error.strerror}).",
            remedy="Check the home's permissions and the free space; the old policy stands.",
        ) from None


def outside(home: Home) -> OutsideFile:
    """Return the file of what others said of this home's log."""
    return OutsideFile(beside(home.anchor))


def _requests(home: Home) -> Path:
    return home.folder / "timestamp-requests"


def _authorities(home: Home) -> tuple[str, ...]:
    authorities = home.policy().timestamp_authorities
    if not authorities:
        raise ConfigurationError(
            "E-TIMESTAMP-AUTHORITY",
            "The home's policy pins no time-stamping authority, so no stamp can be verified.",
            remedy="Get the authority's certificates by a way you trust, then: audit anchor --trust-authority FILE",
        )
    return authorities


def _library() -> ModuleType:
    try:
        from radiomicnet_md_audit import timestamp
    except ImportError:
        raise ConfigurationError(
            "E-TIMESTAMP-EXTRA", "The library that reads time stamps is not installed.", remedy=f"Install it: {INSTALL}"
        ) from None
    return timestamp


def _not_pinned() -> IntegrityError:
    return IntegrityError(
        "E-TIMESTAMP-CERTIFICATE",
        "The time stamp is by none of the authorities that the home's policy pins.",
        remedy="Ask the authority that is pinned, or pin this one: audit anchor --trust-authority FILE",
    )


def _unusable(error: OSError) -> ConfigurationError:
    return ConfigurationError(
        "E-TIMESTAMP-REQUEST",
        f"The home's open time-stamp requests cannot be read or written ({error.strerror}).",
        remedy="Check the home's folder timestamp-requests, its permissions and the free space.",
    )
