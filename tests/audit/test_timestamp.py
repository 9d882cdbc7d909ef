# SPDX-License-Identifier: Apache-2.0
"""A time stamp counts for one checkpoint, one request and one pinned authority; OpenSSL gives the stamps."""

from __future__ import annotations

import random
import subprocess
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.x509.oid import ExtendedKeyUsageOID
from hypothesis import given
from hypothesis import strategies as st

from radiomicnet_md_audit import der
from radiomicnet_md_audit.errors import ConfigurationError, IntegrityError
from tests.audit.authorities import DAY, NOTE, NOW, OTHER, Made, Maker, certificate, pem, refused, timestamp

pytestmark = pytest.mark.verifies("SRS-LOG-012")


@pytest.fixture(scope="module")
def make(tmp_path_factory: pytest.TempPathFactory, require: Callable[[str], Path]) -> Maker:
    require("openssl")
    return Maker(tmp_path_factory)


@pytest.fixture(scope="module")
def authority(make: Maker) -> Made:
    return make()


@pytest.fixture(scope="module")
def stamped(authority: Made) -> tuple[bytes, int]:
    """A response for NOTE and its nonce."""
    return authority.stamp()


# ------------------------------------------------------------------------------------------------ what holds


def test_a_stamp_says_when_to_within_what(authority: Made, stamped: tuple[bytes, int]) -> None:
    stamp = timestamp.verify(stamped[0], NOTE, stamped[1], authority.pinned)
    assert abs(stamp.time - datetime.now(UTC)) < timedelta(minutes=5)
    assert stamp.accuracy == timedelta(seconds=1, milliseconds=500, microseconds=100)
    assert stamp.policy == "1.2.3.4.1"
    assert stamp.serial >= 2


def test_openssl_reads_the_request_and_verifies_the_response(authority: Made, stamped: tuple[bytes, int]) -> None:
    asked = timestamp.request(NOTE)
    (authority.folder / "asked").write_bytes(asked.der)
    shown = subprocess.run(
        ["openssl", "ts", "-query", "-in", "asked", "-text"],
        cwd=authority.folder,
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    assert "Hash Algorithm: sha256" in shown
    assert "Certificate required: yes" in shown
    assert f"Nonce: 0x{asked.nonce:016X}" in shown
    for name, text in (("response", stamped[0]), ("checkpoint", NOTE.encode()), ("other", OTHER.encode())):
        (authority.folder / name).write_bytes(text)
    command = ["openssl", "ts", "-verify", "-in", "response", "-CAfile", "root.pem", "-data"]
    for data, code in (("checkpoint", 0), ("other", 1)):
        done = subprocess.run([*command, data], cwd=authority.folder, capture_output=True, check=False)
        assert done.returncode == code


def test_no_two_requests_share_a_nonce() -> None:
    nonces = {timestamp.request(NOTE).nonce for _ in range(100)}
    assert len(nonces) == 100
    assert max(nonces) > 2**48


@pytest.mark.parametrize("ess", ["sha1", "sha256", "sha384", "sha512"])
def test_each_way_to_name_the_certificate(ess: str, authority: Made) -> None:
    response, nonce = authority.stamp(ess=ess)
    assert timestamp.verify(response, NOTE, nonce, authority.pinned).policy == "1.2.3.4.1"


def test_the_whole_chain_may_come_along_in_any_order(make: Maker) -> None:
    for _ in range(4):  # which certificate sorts first is chance
        one = make()
        response, nonce = one.stamp(NOTE, "-chain", "root.pem")
        timestamp.verify(response, NOTE, nonce, one.pinned)
        assert refused(response, NOTE, nonce, timestamp.Authority(one.own, ())) == "E-TIMESTAMP-CERTIFICATE"


def test_an_rsa_authority(make: Maker) -> None:
    one = make(rsa.generate_private_key(65537, 2048))
    response, nonce = one.stamp()
    timestamp.verify(response, NOTE, nonce, timestamp.Authority.from_pem(pem(one.own, one.root)))


# ------------------------------------------------------------------------------------------------ what does not


def test_another_checkpoint_nonce_or_authority(authority: Made, stamped: tuple[bytes, int], make: Maker) -> None:
    response, nonce = stamped
    assert refused(response, OTHER, nonce, authority.pinned) == "E-TIMESTAMP-IMPRINT"
    assert refused(response, NOTE, nonce + 1, authority.pinned) == "E-TIMESTAMP-NONCE"
    assert refused(response, NOTE, 0, authority.pinned) == "E-TIMESTAMP-NONCE"
    assert refused(response, NOTE, nonce, make().pinned) == "E-TIMESTAMP-CERTIFICATE"


def test_another_root_of_the_same_name(authority: Made, stamped: tuple[bytes, int]) -> None:
    impostor = certificate("root", ec.generate_private_key(ec.SECP256R1()))
    pinned = timestamp.Authority(authority.own, (impostor,))
    assert refused(stamped[0], NOTE, stamped[1], pinned) == "E-TIMESTAMP-SIGNATURE"


def test_another_digest_or_no_nonce(authority: Made) -> None:
    (authority.folder / "data").write_text(NOTE, "utf-8")

    def query(*arguments: str) -> bytes:
        command = ["openssl", "ts", "-query", "-data", "data", "-cert", "-out", "q", *arguments]
        subprocess.run(command, cwd=authority.folder, check=True, capture_output=True)
        return authority.answer((authority.folder / "q").read_bytes())

    assert refused(query("-sha256", "-no_nonce"), NOTE, 1, authority.pinned) == "E-TIMESTAMP-NONCE"
    response = query("-sha512")
    from rfc3161_client import decode_timestamp_response

    nonce = decode_timestamp_response(response).tst_info.nonce
    assert refused(response, NOTE, nonce, authority.pinned) == "E-TIMESTAMP-IMPRINT"
    assert refused(query("-sha1"), NOTE, 1, authority.pinned) == "E-TIMESTAMP-REFUSED"


@pytest.mark.parametrize("span", [(-10, -5), (5, 10)])
def test_a_certificate_that_was_not_valid_then(span: tuple[int, int], make: Maker) -> None:
    one = make(start=NOW + span[0] * DAY, stop=NOW + span[1] * DAY)
    response, nonce = one.stamp()
    assert refused(response, NOTE, nonce, one.pinned) == "E-TIMESTAMP-SIGNATURE"


def test_the_same_key_in_another_certificate(make: Maker) -> None:
    """Issuer, number and key agree and the signature holds: only the hash in the signed attributes tells them apart."""
    key = ec.generate_private_key(ec.SECP256R1())
    one = make(key, serial=0x1234)
    response, nonce = one.stamp()
    old = one.own.public_bytes(serialization.Encoding.DER)
    while True:  # an ECDSA signature's length varies, and no length in the response shall change
        twin = certificate("authority", key, (make.root, make.root_key), NOW - 2 * DAY, serial=0x1234)
        new = twin.public_bytes(serialization.Encoding.DER)
        if len(new) == len(old):
            break
    pinned = timestamp.Authority(twin, (one.root,))
    assert refused(response.replace(old, new), NOTE, nonce, pinned) == "E-TIMESTAMP-CERTIFICATE"
    assert timestamp.verify(response, NOTE, nonce, one.pinned).serial >= 2


@pytest.mark.parametrize(
    "more",
    [
        {"purposes": ()},
        {"critical": False},
        {"purposes": (ExtendedKeyUsageOID.SERVER_AUTH,)},
        {"purposes": (ExtendedKeyUsageOID.TIME_STAMPING, ExtendedKeyUsageOID.SERVER_AUTH)},
    ],
)
def test_a_certificate_for_another_purpose_is_never_pinned(more: dict[str, Any], make: Maker) -> None:
    one = make(**more)
    with pytest.raises(ConfigurationError) as caught:
        timestamp.Authority.from_pem(pem(one.own, one.root))
    assert caught.value.code == "E-TIMESTAMP-PIN"


@pytest.mark.parametrize("text", [b"", b"x", b"-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"])
def test_what_is_no_certificate_is_never_pinned(text: bytes) -> None:
    with pytest.raises(ConfigurationError):
        timestamp.Authority.from_pem(text)


def test_bytes_that_are_no_response(authority: Made, stamped: tuple[bytes, int]) -> None:
    response, nonce = stamped
    cut = [response[:length] for length in range(0, len(response), 37)]
    for other in (*cut, response + b"\0", response * 2, bytes(70_000), b"\x30\x00", b"\x30\x80\x00\x00", response[4:]):
        assert refused(other, NOTE, nonce, authority.pinned) == "E-DER"


@pytest.mark.parametrize("status", [1, 2, 5, 9])
def test_a_status_other_than_granted(status: int, authority: Made, stamped: tuple[bytes, int]) -> None:
    changed = stamped[0].replace(bytes([2, 1, 0]), bytes([2, 1, status]), 1)
    assert refused(changed, NOTE, stamped[1], authority.pinned) == "E-TIMESTAMP-REFUSED"


def test_no_changed_byte_gives_another_stamp(authority: Made, stamped: tuple[bytes, int]) -> None:
    """Changes are refused; the few bytes that nothing signs (versions, a name of an algorithm) change no stamp.

    Every byte of what is stamped, of the signed attributes, of the certificate and of the signature is refused.
    """
    response, nonce = stamped
    good = timestamp.verify(response, NOTE, nonce, authority.pinned)
    draw = random.Random(1)  # noqa: S311 -- which places, not which keys
    harmless = []
    for place in range(len(response)):
        changed = bytearray(response)
        changed[place] ^= 1 << draw.randrange(8)
        try:
            stamp = timestamp.verify(bytes(changed), NOTE, nonce, authority.pinned)
        except IntegrityError:
            continue
        assert stamp == good
        harmless.append(place)
    content = response.index(bytes.fromhex("0609608648016503040201"), 60)  # the imprint's algorithm
    certificate_at = response.index(authority.own.public_bytes(serialization.Encoding.DER))
    attributes = response.index(bytes.fromhex("06092a864886f70d010903"))
    protected = {*range(content, certificate_at - 4), *range(certificate_at, certificate_at + 300)}
    protected |= {*range(attributes, attributes + 160), *range(len(response) - 64, len(response))}
    assert not protected & set(harmless), harmless
    assert len(harmless) <= 20


# -------------------------------------------------------------------------------------------------------- DER


@given(st.binary(max_size=300))
def test_der_is_read_in_one_spelling(data: bytes) -> None:
    try:
        element = der.read(data)
    except IntegrityError:
        return
    length = len(element.content)
    size = b"" if length < 128 else length.to_bytes((length.bit_length() + 7) // 8, "big")
    head = bytes([length]) if length < 128 else bytes([128 + len(size)]) + size
    assert bytes([element.tag]) + head + element.content == data == element.raw


@pytest.mark.parametrize(
    "data", ["", "30", "3001", "308100", "30817f" + "00" * 127, "3082007f" + "00" * 127, "3080", "1f0100", "3084000000"]
)
def test_other_spellings_of_der_are_refused(data: str) -> None:
    with pytest.raises(IntegrityError) as caught:
        der.read(bytes.fromhex(data))
    assert caught.value.code == "E-DER"
    assert der.read(bytes.fromhex("308180" + "00" * 128)).content == bytes(128)
