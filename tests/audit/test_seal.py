# SPDX-License-Identifier: Apache-2.0
"""What is sealed opens with its key in its context, and with nothing else."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from radiomicnet_md_audit import seal
from radiomicnet_md_audit.errors import ConfigurationError, IntegrityError

KEY = bytes(range(32))


@pytest.mark.verifies("SRS-INP-008")
@given(plain=st.binary(max_size=100), context=st.binary(max_size=30))
def test_what_is_closed_opens_and_never_looks_the_same_twice(plain: bytes, context: bytes) -> None:
    first, second = seal.close(KEY, plain, context), seal.close(KEY, plain, context)
    assert seal.open_(KEY, first, context) == seal.open_(KEY, second, context) == plain
    assert first != second


@pytest.mark.verifies("SRS-INP-008")
@given(plain=st.binary(max_size=40), data=st.data())
def test_a_changed_byte_another_context_and_another_key_do_not_open(plain: bytes, data: st.DataObject) -> None:
    sealed = seal.close(KEY, plain, b"record a")
    changed = bytearray(sealed)
    changed[data.draw(st.integers(0, len(sealed) - 1))] ^= data.draw(st.integers(1, 255))
    attempts = ((KEY, bytes(changed), b"record a"), (KEY, sealed, b"record b"), (bytes(32), sealed, b"record a"))
    for key, blob, context in attempts:
        with pytest.raises(IntegrityError):
            seal.open_(key, blob, context)


@pytest.mark.verifies("SRS-INP-008")
@pytest.mark.parametrize("length", [0, 11, 12, 27])
def test_a_blob_that_is_too_short_does_not_open(length: int) -> None:
    with pytest.raises(IntegrityError):
        seal.open_(KEY, bytes(length), b"")


@pytest.mark.verifies("SRS-KEY-002")
@settings(max_examples=3, deadline=None)
@given(passphrase=st.binary(max_size=20))
def test_a_sealing_key_is_unwrapped_by_its_passphrase_alone(passphrase: bytes) -> None:
    key = seal.new_key()
    wrapped = seal.wrap(key, passphrase)
    assert key not in wrapped
    assert seal.unwrap(wrapped, passphrase) == key
    with pytest.raises(ConfigurationError) as caught:
        seal.unwrap(wrapped, passphrase + b"x")
    assert caught.value.code == "E-KEY-PASSPHRASE"
    with pytest.raises(ConfigurationError):
        seal.unwrap(wrapped[:20], passphrase)
