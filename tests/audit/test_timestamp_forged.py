# SPDX-License-Identifier: Apache-2.0
"""Tokens that no honest authority makes are refused, even when the pinned authority's own key signed them."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from radiomicnet_md_audit import der
from tests.audit.authorities import NOTE, Made, Maker, refused, timestamp

pytestmark = pytest.mark.verifies("SRS-LOG-012")

SHA256 = bytes.fromhex("300d06096086480165030402010500")
ECDSA_SHA256 = bytes.fromhex("300a06082a8648ce3d040302")
SIGNED_DATA = bytes.fromhex("06092a864886f70d010702")
DATA = bytes.fromhex("06092a864886f70d010701")
CONTENT_TYPE = bytes.fromhex("06092a864886f70d010903")
DIGEST = bytes.fromhex("06092a864886f70d010904")
ESS_1 = bytes.fromhex("060b2a864886f70d010910020c")
ESS_2 = bytes.fromhex("060b2a864886f70d010910022f")
VERSION_1, VERSION_3, GRANTED = (bytes.fromhex(text) for text in ("020101", "020103", "3003020100"))


def put(tag: int, *parts: bytes) -> bytes:
    content = b"".join(parts)
    size = len(content)
    length = bytes([size]) if size < 128 else bytes([0x83]) + size.to_bytes(3, "big")
    if 128 <= size < 1 << 16:
        length = bytes([0x81, size]) if size < 256 else bytes([0x82]) + size.to_bytes(2, "big")
    return bytes([tag]) + length + content


def attribute(name: bytes, value: bytes) -> bytes:
    return put(0x30, name, put(0x31, value))


@dataclass(frozen=True)
class Forge:
    """Makes responses of any form, with the authority's own key."""

    made: Made
    info: bytes  # the stamped contents, of an honest response

    def names(self, kind: bytes = ESS_2, digest: str = "sha256", changed: bytes = b"") -> bytes:
        """The attribute that names the certificate by its hash."""
        encoded = self.made.own.public_bytes(serialization.Encoding.DER) + changed
        return attribute(kind, put(0x30, put(0x30, put(0x30, put(4, hashlib.new(digest, encoded).digest())))))

    def usual(self, kind: bytes = timestamp._TST_INFO) -> list[bytes]:
        return [attribute(CONTENT_TYPE, kind), attribute(DIGEST, put(4, hashlib.sha256(self.info).digest()))]

    def response(
        self, *attributes: bytes, kind: bytes = timestamp._TST_INFO, signers: int = 1, status: bytes = GRANTED
    ) -> bytes:
        own, chosen = self.made.own, sorted(attributes)
        number = own.serial_number.to_bytes(own.serial_number.bit_length() // 8 + 1, "big")
        named = put(0x30, own.issuer.public_bytes(), put(2, number))
        several = []
        for _ in range(signers):
            signature = self.made.key.sign(put(0x31, *chosen), ec.ECDSA(hashes.SHA256()))
            several.append(put(0x30, VERSION_1, named, SHA256, put(0xA0, *chosen), ECDSA_SHA256, put(4, signature)))
        content = put(0x30, kind, put(0xA0, put(4, self.info)))
        brought = put(0xA0, own.public_bytes(serialization.Encoding.DER))
        data = put(0x30, VERSION_3, put(0x31, SHA256), content, brought, put(0x31, *sorted(several)))
        return put(0x30, status, put(0x30, SIGNED_DATA, put(0xA0, data)))


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory, require: Callable[[str], Path]) -> Made:
    require("openssl")
    return Maker(tmp_path_factory)()


@pytest.fixture(scope="module")
def stamped(authority: Made) -> tuple[bytes, int]:
    """A response for NOTE and its nonce."""
    return authority.stamp()


@pytest.fixture(scope="module")
def forge(authority: Made, stamped: tuple[bytes, int]) -> Forge:
    token = der.read(stamped[0]).parts()[1]
    data = token.parts()[1].parts()[0]
    return Forge(authority, data.parts()[2].parts()[1].parts()[0].content)


def test_a_forged_token_in_the_usual_form_would_do(forge: Forge, stamped: tuple[bytes, int]) -> None:
    """The reference for the next test: it differs from the refused ones in one thing each."""
    good = timestamp.verify(stamped[0], NOTE, stamped[1], forge.made.pinned)
    for names in ([forge.names()], [forge.names(ESS_1, "sha1")], [forge.names(), forge.names(ESS_1, "sha1")]):
        response = forge.response(*forge.usual(), *names)
        assert timestamp.verify(response, NOTE, stamped[1], forge.made.pinned) == good


def test_forged_tokens_are_refused(forge: Forge, stamped: tuple[bytes, int]) -> None:
    usual, names = forge.usual(), forge.names()
    long = put(0x30, bytes.fromhex("020100"), put(0x30, put(0x0C, b"x" * 70_000)))
    data = forge.usual(DATA)
    unknown = put(0x30, put(0x30, put(0x30, put(0x30, put(6, b"\x2a\x03")), put(4, bytes(32)))))
    cases = [
        ("E-TIMESTAMP-CERTIFICATE", forge.response(*usual)),
        ("E-TIMESTAMP-CERTIFICATE", forge.response(*usual, forge.names(changed=b"x"))),
        ("E-TIMESTAMP-CERTIFICATE", forge.response(*usual, forge.names(ESS_1, "sha1", b"x"))),
        ("E-TIMESTAMP-CERTIFICATE", forge.response(*usual, names, forge.names(ESS_1, "sha1", b"x"))),
        ("E-DER", forge.response(*usual, names, forge.names(changed=b"x"))),
        ("E-DER", forge.response(*usual, attribute(ESS_2, unknown))),
        ("E-DER", forge.response(*usual, attribute(ESS_2, put(0x30, put(0x30, put(0x30)))))),
        ("E-DER", forge.response(*usual, put(0x30, ESS_2, put(0x31)))),
        ("E-DER", forge.response(usual[1], names)),
        ("E-DER", forge.response(*data, names)),
        ("E-DER", forge.response(*data, names, kind=DATA)),
        ("E-DER", forge.response(*usual, names, kind=DATA)),
        ("E-DER", forge.response(*usual, names, signers=2)),
        ("E-DER", forge.response(*usual, names, status=long)),
        ("E-TIMESTAMP-SIGNATURE", forge.response(usual[0], names)),
        ("E-TIMESTAMP-SIGNATURE", forge.response(usual[0], attribute(DIGEST, put(4, bytes(32))), names)),
    ]
    for number, (code, response) in enumerate(cases):
        assert (number, refused(response, NOTE, stamped[1], forge.made.pinned)) == (number, code)
