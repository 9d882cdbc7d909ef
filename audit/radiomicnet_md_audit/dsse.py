# SPDX-License-Identifier: Apache-2.0
"""A payload, its type and one signature over both, in exactly one byte form.

The signature is that of DSSE v1 (secure-systems-lab/dsse, ``protocol.md``): Ed25519 over the
pre-authentication encoding (PAE) of type and payload. DSSE itself leaves the JSON, the base64 variant and the
key id unsigned; whoever accepts several spellings lets a stranger make a second envelope, with another digest,
from the first. Rules of this module:

- An envelope is canonical JSON (RFC 8785) with the keys ``payload``, ``payloadType``, ``signatures`` and no other.
- There is exactly one signature, ``{"keyid": …, "sig": …}``; base64 is standard and padded.
- The key id is the SHA-256 of the raw 32-byte public key, in hex, and must be the key that verifies.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

from radiomicnet_md_audit import canonical
from radiomicnet_md_audit.encoding import b64decode, b64encode, decoded
from radiomicnet_md_audit.errors import IntegrityError
from radiomicnet_md_audit.sign import SIGNATURE_BYTES, Signer, VerifyingKey

STATEMENT_TYPE = "application/vnd.in-toto+json"
LARGEST_ENTRY = 65_535  # bytes of an envelope in a log: C2SP tlog-tiles gives an entry's length 16 bits

# Envelopes without an escape, and with it nearly all there are: the members in their order, in printable ASCII.
_START = b'{"payload":"'
_REST = re.compile(
    rb'","payloadType":"([ !#-\[\]-~]*)","signatures":\[\{"keyid":"([ !#-\[\]-~]*)","sig":"([A-Za-z0-9+/=]*)"\}\]\}'
)


@dataclass(frozen=True)
class Unverified:
    """The parts of a well-formed envelope whose signature nobody has checked."""

    payload: bytes
    payload_type: str
    keyid: str
    signature: bytes


@dataclass(frozen=True)
class Opened:
    """A payload and the id of the key that signed it."""

    payload: bytes
    keyid: str


def pae(payload_type: str, payload: bytes) -> bytes:
    """Return the bytes that are signed: ``DSSEv1 <len> <type> <len> <payload>``, lengths in decimal bytes."""
    kind = payload_type.encode("utf-8")
    return b"DSSEv1 %d %b %d %b" % (len(kind), kind, len(payload), payload)


def seal(payload: bytes, payload_type: str, key: Signer) -> bytes:
    """Sign ``payload`` and return the envelope's bytes."""
    return encode(Unverified(payload, payload_type, key.public.keyid, key.sign(pae(payload_type, payload))))


def encode(parts: Unverified) -> bytes:
    """Return the one byte form of these parts, whether the signature holds or not."""
    return canonical.dumps(
        {
            "payload": b64encode(parts.payload),
            "payloadType": parts.payload_type,
            "signatures": [{"keyid": parts.keyid, "sig": b64encode(parts.signature)}],
        }
    )


def parse_unverified(envelope: bytes) -> Unverified:
    """Take an envelope apart without checking its signature; raise :class:`IntegrityError` on any other form."""
    return _plain(envelope) or _any_form(envelope)


def _plain(envelope: bytes) -> Unverified | None:
    """Read an envelope whose bytes are canonical by their pattern alone; None leaves the judgement to others."""
    end = envelope.find(b'"', len(_START))
    rest = _REST.fullmatch(envelope, end) if envelope.startswith(_START) and end > 0 else None
    if rest is None:
        return None
    payload, signature = decoded(envelope[len(_START) : end]), decoded(rest[3])
    if payload is None or signature is None or len(signature) != SIGNATURE_BYTES:
        return None
    return Unverified(payload, rest[1].decode("ascii"), rest[2].decode("ascii"), signature)


def _any_form(envelope: bytes) -> Unverified:
    match canonical.loads(envelope):
        case {
            "payload": str(payload),
            "payloadType": str(payload_type),
            "signatures": [{"keyid": str(keyid), "sig": str(signature), **more_in_signature}],
            **more,
        } if not more and not more_in_signature:
            parts = Unverified(b64decode(payload), payload_type, keyid, b64decode(signature))
            if len(parts.signature) == SIGNATURE_BYTES:
                return parts
    raise IntegrityError(
        "E-ENVELOPE-FORM",
        "An envelope does not have the one accepted form (payload, payloadType, one signature).",
        remedy="Take the envelope again from the log or the export that it came from.",
    )


def open_(envelope: bytes, keys: Mapping[str, VerifyingKey], payload_type: str) -> Opened:
    """Return the payload of an envelope signed by one of ``keys``.

    ``keys`` maps key ids to keys. Raises :class:`IntegrityError` when the form, the type, the key or the
    signature is not the expected one.
    """
    return check(parse_unverified(envelope), keys, payload_type)


def check(parts: Unverified, keys: Mapping[str, VerifyingKey], payload_type: str) -> Opened:
    """Do what :func:`open_` does, for an envelope that is taken apart already."""
    if parts.payload_type != payload_type:
        raise IntegrityError(
            "E-ENVELOPE-TYPE",
            "An envelope holds another type of payload than expected here.",
            remedy="Check that the file is what its place says; an envelope was put in the place of another.",
        )
    key = keys.get(parts.keyid)
    if key is None or key.keyid != parts.keyid:
        raise IntegrityError(
            "E-KEY-UNKNOWN",
            f"An envelope is signed by a key that is not known here ({parts.keyid[:16]}…).",
            remedy="If the key is legitimate, add it to the policy; otherwise treat the record as forged.",
        )
    key.verify(parts.signature, pae(parts.payload_type, parts.payload))
    return Opened(parts.payload, parts.keyid)
