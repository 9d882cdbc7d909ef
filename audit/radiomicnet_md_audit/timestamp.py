# SPDX-License-Identifier: Apache-2.0
"""A time-stamping authority, known by its certificate, says that this checkpoint existed at this time.

Sources: RFC 3161, RFC 5816 (ESSCertIDv2), RFC 5652 (CMS). Needs the extra ``timestamp``. Rules of this module:

- What is stamped is the checkpoint note as the log signed it, by its SHA-256, so that
  ``openssl ts -verify -data checkpoint`` checks the same response.
- The authority is pinned: a PEM file of its certificate and then of its issuers up to a root. A response may bring
  these certificates along and no others, and its signed attributes must name the authority's by hash (ESSCertID,
  version 1 or 2).
- Signature, chain, validity at the stamped time, critical EKU ``timeStamping``, nonce and imprint are checked by
  rfc3161-client; the certificate hash, the signed content type and the certificates brought along are checked here.
- What no file can show: whether the authority's certificate was revoked, and whether its clock was right.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import ExtendedKeyUsageOID
from rfc3161_client import (
    HashAlgorithm,
    TimestampRequestBuilder,
    TimeStampResponse,
    TimeStampTokenInfo,
    VerificationError,
    VerifierBuilder,
    decode_timestamp_response,
)

from radiomicnet_md_audit import der
from radiomicnet_md_audit.der import CONTEXT_0, INTEGER, OCTETS, OID, SEQUENCE, SET, Element
from radiomicnet_md_audit.errors import ConfigurationError, IntegrityError

LARGEST_RESPONSE = 64 * 1024

_SHA256 = "2.16.840.1.101.3.4.2.1"

_GRANTED = b"\0"  # RFC 3161 2.4.2: granted, and nothing of the request changed

# Object identifiers: RFC 3161 2.4.2 (a whole element); as contents, RFC 5652 11.1, RFC 2634 5.4, RFC 5035 3.
_TST_INFO = bytes.fromhex("060b2a864886f70d0109100104")
_CONTENT_TYPE = bytes.fromhex("2a864886f70d010903")
_SIGNING_CERTIFICATE = bytes.fromhex("2a864886f70d010910020c")
_SIGNING_CERTIFICATE_V2 = bytes.fromhex("2a864886f70d010910022f")
# NIST CSOR: SHA-256, SHA-384, SHA-512.
_HASHES = {bytes.fromhex(f"60864801650304020{n}"): name for n, name in ((1, "sha256"), (2, "sha384"), (3, "sha512"))}


@dataclass(frozen=True)
class Request:
    """What goes to the authority (``application/timestamp-query``); ``nonce`` has to be kept for :func:`verify`."""

    der: bytes
    nonce: int


@dataclass(frozen=True)
class Stamp:
    """What a verified response says: when (UTC, give or take ``accuracy``), under which number and policy."""

    time: datetime
    accuracy: timedelta
    serial: int
    policy: str


@dataclass(frozen=True)
class Authority:
    """A pinned authority: its own certificate, and those of its issuers up to a self-signed root."""

    certificate: x509.Certificate
    issuers: tuple[x509.Certificate, ...]

    @classmethod
    def from_pem(cls, pem: bytes) -> Authority:
        """Read the pinned certificates, the authority's own first.

        Raises :class:`ConfigurationError` ``E-TIMESTAMP-PIN`` when there is none, or when the first does not have time
        stamping as its only, critical purpose (RFC 3161 2.3).
        """
        try:
            own, *issuers = x509.load_pem_x509_certificates(pem)
            purpose = own.extensions.get_extension_for_class(x509.ExtendedKeyUsage)
        except (ValueError, x509.ExtensionNotFound, x509.DuplicateExtension):
            raise _bad_pin() from None
        if not purpose.critical or list(purpose.value) != [ExtendedKeyUsageOID.TIME_STAMPING]:
            raise _bad_pin()
        return cls(own, tuple(issuers))

    def to_pem(self) -> str:
        """Return the certificates in the same order and nothing else, as a policy holds them."""
        return "".join(one.public_bytes(Encoding.PEM).decode() for one in (self.certificate, *self.issuers))


def request(note: str) -> Request:
    """Return a new request for a checkpoint note: SHA-256, a fresh nonce, and the wish for the certificate."""
    builder = TimestampRequestBuilder().data(note.encode()).hash_algorithm(HashAlgorithm.SHA256)
    made = builder.nonce(nonce=True).cert_request(cert_request=True).build()
    if made.nonce is None:
        raise RuntimeError  # the builder was told to make one
    return Request(made.as_bytes(), made.nonce)


def verify(response: bytes, note: str, nonce: int, authority: Authority) -> Stamp:
    """Return what ``authority`` says about this checkpoint note, or raise :class:`IntegrityError`.

    Codes: ``E-DER`` for another form, ``E-TIMESTAMP-REFUSED`` where the authority gave no token,
    ``E-TIMESTAMP-CERTIFICATE`` for a certificate that is not pinned, ``E-TIMESTAMP-NONCE``, ``E-TIMESTAMP-IMPRINT`` (a
    token for something else), ``E-TIMESTAMP-SIGNATURE`` (signature, chain, purpose or validity at the stamped time).
    """
    if len(response) > LARGEST_RESPONSE:
        raise der.broken()
    said = _decoded(response, authority)
    if said.nonce != nonce:
        raise _fail("NONCE", "A time stamp answers another request than the one that was made.")
    if said.imprint != (_SHA256, hashlib.sha256(note.encode()).digest()):
        raise _fail("IMPRINT", "A time stamp was made for something else than this checkpoint.")
    roots = list(authority.issuers) or [authority.certificate]
    verifier = VerifierBuilder(tsa_certificate=authority.certificate, roots=roots, nonce=nonce).build()
    try:
        verifier.verify_message(said.response, note.encode())
    except (VerificationError, ValueError):
        text = "A time stamp is not signed by the pinned authority with a certificate that was valid then."
        raise _fail("SIGNATURE", text) from None
    return said.stamp


def verify_any(response: bytes, note: str, nonce: int, authorities: Sequence[str]) -> Stamp | None:
    """Return what one of the pinned authorities (PEM texts) says, or None where the token is by none of them.

    Raises as :func:`verify` does for every other reason that a token does not count, and
    :class:`ConfigurationError` ``E-TIMESTAMP-PIN`` for a text that pins no authority.
    """
    for pem in authorities:
        try:
            return verify(response, note, nonce, Authority.from_pem(pem.encode()))
        except IntegrityError as problem:
            if problem.code != "E-TIMESTAMP-CERTIFICATE":
                raise
    return None


@dataclass(frozen=True)
class _Said:
    """What a response says; nothing of it is proven yet."""

    response: TimeStampResponse
    nonce: int | None
    imprint: tuple[str, bytes]
    stamp: Stamp


def _decoded(response: bytes, authority: Authority) -> _Said:
    """Take a response apart, hold its certificates against the pinned ones, and hand it to the library."""
    status, *token = _parts(der.read(response), SEQUENCE, SEQUENCE)
    if _parts(status, SEQUENCE, INTEGER)[0].content != _GRANTED:
        raise _fail("REFUSED", "The authority refused to give a time stamp.")
    if len(token) != 1:
        raise der.broken()
    brought, attributes = _signed_data(token[0])
    pinned = [one.public_bytes(Encoding.DER) for one in (authority.certificate, *authority.issuers)]
    if not {one.raw for one in brought} <= set(pinned) or not _names(attributes, pinned[0]):
        raise _fail("CERTIFICATE", "A time stamp was made with another certificate than the pinned one.")
    # Some authorities send certificates in the order of their chain; in DER, a set has an order of its own.
    sent = [one.raw for one in brought]
    try:
        return _said(decode_timestamp_response(response.replace(b"".join(sent), b"".join(sorted(sent)), 1)))
    except ValueError:
        raise der.broken() from None


def _said(response: TimeStampResponse) -> _Said:
    """Read all that is used of a response; the library decodes it only now, and raises ValueError."""
    info = response.tst_info
    imprint = info.message_imprint
    stamp = Stamp(info.gen_time, _accuracy(info), info.serial_number, info.policy.dotted_string)
    return _Said(response, info.nonce, (imprint.hash_algorithm.dotted_string, imprint.message), stamp)


def _signed_data(token: Element) -> tuple[list[Element], dict[bytes, Element]]:
    """Return the certificates that a token brings along, and the value of each signed attribute by its identifier."""
    content = _parts(token, SEQUENCE, OID, CONTEXT_0)[1]
    fields = _parts(_parts(content, CONTEXT_0, SEQUENCE)[0], SEQUENCE, INTEGER, SET, SEQUENCE)
    brought, signers = fields[3:-1], _parts(fields[-1], SET, SEQUENCE)
    if len(signers) != 1 or [one.tag for one in brought] not in ([], [CONTEXT_0]):
        raise der.broken()
    attributes: dict[bytes, Element] = {}
    for one in _parts(signers[0], SEQUENCE, INTEGER, SEQUENCE, SEQUENCE, CONTEXT_0)[3].parts():
        name, values = _parts(one, SEQUENCE, OID, SET)[:2]
        value = values.parts()
        if len(value) != 1 or name.content in attributes:
            raise der.broken()
        attributes[name.content] = value[0]
    if _CONTENT_TYPE not in attributes or attributes[_CONTENT_TYPE].raw != _TST_INFO:
        raise der.broken()
    return [part for one in brought for part in one.parts()], attributes


def _names(attributes: dict[bytes, Element], certificate: bytes) -> bool:
    """Say whether the signed attributes name this certificate by its hash, in each way that they name one at all."""
    found = [
        _first_hash(attributes[name], by_default)
        for name, by_default in ((_SIGNING_CERTIFICATE, "sha1"), (_SIGNING_CERTIFICATE_V2, "sha256"))
        if name in attributes
    ]
    return bool(found) and all(hashlib.new(name, certificate).digest() == value for name, value in found)


def _first_hash(attribute: Element, by_default: str) -> tuple[str, bytes]:
    """Return algorithm and hash of the first certificate, the signer's, of a SigningCertificate (version 1 or 2)."""
    first = _parts(_parts(attribute, SEQUENCE, SEQUENCE)[0], SEQUENCE, SEQUENCE)[0]
    fields = first.parts()
    if by_default == "sha256" and fields and fields[0].tag == SEQUENCE:
        by_default = _HASHES.get(_parts(fields.pop(0), SEQUENCE, OID)[0].content, "")
    if not by_default or not fields or fields[0].tag != OCTETS:
        raise der.broken()
    return by_default, fields[0].content


def _parts(element: Element, tag: int, *tags: int) -> list[Element]:
    """Return the parts of an element with this tag whose first parts have those tags."""
    if element.tag != tag:
        raise der.broken()
    parts = element.parts()
    if [part.tag for part in parts[: len(tags)]] != list(tags):
        raise der.broken()
    return parts


def _accuracy(info: TimeStampTokenInfo) -> timedelta:
    if info.accuracy is None:
        return timedelta(0)
    seconds, millis, micros = info.accuracy.seconds, info.accuracy.millis, info.accuracy.micros
    return timedelta(seconds=seconds or 0, milliseconds=millis or 0, microseconds=micros or 0)


def _fail(what: str, message: str) -> IntegrityError:
    return IntegrityError(
        f"E-TIMESTAMP-{what}",
        message,
        remedy="Check that checkpoint, nonce, response and pinned file belong together, or ask for a new stamp.",
    )


def _bad_pin() -> ConfigurationError:
    return ConfigurationError(
        "E-TIMESTAMP-PIN",
        "The pinned file is no PEM certificate with time stamping as its only, critical purpose, and then its issuers.",
        remedy="Ask the time-stamping authority for its certificate and those of its issuers up to the root.",
    )
