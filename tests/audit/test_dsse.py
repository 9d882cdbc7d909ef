# SPDX-License-Identifier: Apache-2.0
"""An envelope has one form, and no byte of it can be changed."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from radiomicnet_md_audit import canonical, dsse, sign
from radiomicnet_md_audit.errors import IntegrityError

pytestmark = pytest.mark.verifies("SRS-REC-006")

KEY = sign.from_seed(bytes([1]) * 32)
KEYS = {KEY.public.keyid: KEY.public}


@given(st.binary(max_size=200), st.text(st.characters(min_codepoint=33, max_codepoint=126), max_size=30))
def test_what_is_sealed_opens(payload: bytes, payload_type: str) -> None:
    envelope = dsse.seal(payload, payload_type, KEY)
    assert dsse.open_(envelope, KEYS, payload_type) == dsse.Opened(payload, KEY.public.keyid)
    assert dsse.encode(dsse.parse_unverified(envelope)) == envelope


def test_every_change_of_one_byte_is_refused() -> None:
    envelope = dsse.seal(b'{"a":1}', dsse.STATEMENT_TYPE, KEY)
    for place in range(len(envelope)):
        for bit in (0x01, 0x20, 0x80):
            changed = bytearray(envelope)
            changed[place] ^= bit
            with pytest.raises(IntegrityError):
                dsse.open_(bytes(changed), KEYS, dsse.STATEMENT_TYPE)


def test_every_missing_or_added_byte_is_refused() -> None:
    envelope = dsse.seal(b'{"a":1}', dsse.STATEMENT_TYPE, KEY)
    for place in range(len(envelope)):
        for changed in (envelope[:place] + envelope[place + 1 :], envelope[:place] + b" " + envelope[place:]):
            with pytest.raises(IntegrityError):
                dsse.open_(changed, KEYS, dsse.STATEMENT_TYPE)


def slow(envelope: bytes) -> dsse.Unverified | None:
    """What the envelope is by its canonical bytes alone, without the short way."""
    try:
        return dsse._any_form(envelope)
    except IntegrityError:
        return None


@given(
    st.binary(max_size=60),
    st.text(max_size=12),
    st.text(max_size=12) | st.just(KEY.public.keyid),
    st.binary(min_size=64, max_size=64) | st.binary(max_size=70),
)
def test_the_short_way_takes_an_envelope_apart_as_the_long_one_does(
    payload: bytes, payload_type: str, keyid: str, signature: bytes
) -> None:
    envelope = dsse.encode(dsse.Unverified(payload, payload_type, keyid, signature))
    assert dsse._plain(envelope) in (None, slow(envelope))
    plain = (payload_type + keyid).isascii() and (payload_type + keyid).isprintable()
    if plain and not set(payload_type + keyid) & set('"\\') and len(signature) == sign.SIGNATURE_BYTES:
        assert dsse._plain(envelope) is not None


@given(st.binary(max_size=30), st.integers(0, 10**6), st.binary(max_size=2), st.integers(0, 2))
@settings(max_examples=1000)
def test_the_short_way_accepts_nothing_that_the_long_one_refuses(
    payload: bytes, place: int, added: bytes, dropped: int
) -> None:
    envelope = dsse.seal(payload, dsse.STATEMENT_TYPE, KEY)
    at = place % len(envelope)
    changed = envelope[:at] + added + envelope[at + dropped :]
    assert dsse._plain(changed) in (None, slow(changed))


def test_pae_is_the_one_of_the_dsse_specification() -> None:
    # The worked example of secure-systems-lab/dsse protocol.md.
    assert dsse.pae("http://example.com/HelloWorld", b"hello world") == (
        b"DSSEv1 29 http://example.com/HelloWorld 11 hello world"
    )


def test_pae_counts_bytes_not_characters() -> None:
    assert dsse.pae("é", b"") == b"DSSEv1 2 \xc3\xa9 0 "


@pytest.mark.parametrize("other", [None, 5, [], ["QUE="], {}])
@pytest.mark.parametrize("place", ["payload", "payloadType", "keyid", "sig", "signature", "signatures"])
def test_a_part_of_another_type_is_refused(place: str, other: object) -> None:
    envelope: Any = canonical.loads(dsse.seal(b"{}", dsse.STATEMENT_TYPE, KEY))
    match place:
        case "keyid" | "sig":
            envelope["signatures"][0][place] = other
        case "signature":
            envelope["signatures"][0] = other
        case _:
            envelope[place] = other
    with pytest.raises(IntegrityError) as caught:
        dsse.parse_unverified(canonical.dumps(envelope))
    assert caught.value.code == "E-ENVELOPE-FORM"


def test_no_key_opens_nothing() -> None:
    with pytest.raises(IntegrityError) as caught:
        dsse.open_(dsse.seal(b"", "t", KEY), {}, "t")
    assert caught.value.code == "E-KEY-UNKNOWN"


def test_a_key_filed_under_another_id_is_not_used() -> None:
    other = sign.from_seed(bytes([2]) * 32)
    with pytest.raises(IntegrityError) as caught:
        dsse.open_(dsse.seal(b"", "t", KEY), {KEY.public.keyid: other.public}, "t")
    assert caught.value.code == "E-KEY-UNKNOWN"


def test_vectors(vectors: Callable[[str], dict[str, Any]]) -> None:
    file = vectors("envelope")
    key = sign.VerifyingKey(bytes.fromhex(file["ed25519"]))
    for accepted in file["accept"]:
        opened = dsse.open_(accepted["envelope"].encode(), {key.keyid: key}, file["payload_type"])
        assert opened.payload == accepted["payload"].encode()
    for refused in file["reject"]:
        with pytest.raises(IntegrityError) as caught:
            dsse.open_(refused["envelope"].encode(), {key.keyid: key}, file["payload_type"])
        assert caught.value.code == refused["code"], refused["name"]
