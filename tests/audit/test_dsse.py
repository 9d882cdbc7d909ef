# SPDX-License-Identifier: Apache-2.0
"""An envelope has one form, and no byte of it can be changed."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from radiomicnet_md_audit import dsse, sign
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


def test_pae_is_the_one_of_the_dsse_specification() -> None:
    # The worked example of secure-systems-lab/dsse protocol.md.
    assert dsse.pae("http://example.com/HelloWorld", b"hello world") == (
        b"DSSEv1 29 http://example.com/HelloWorld 11 hello world"
    )


def test_pae_counts_bytes_not_characters() -> None:
    assert dsse.pae("é", b"") == b"DSSEv1 2 \xc3\xa9 0 "


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
