# SPDX-License-Identifier: Apache-2.0
"""One value, one byte string; every other byte string is refused."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from radiomicnet_md_audit import canonical
from radiomicnet_md_audit.encoding import b64decode, b64encode
from radiomicnet_md_audit.errors import IntegrityError

pytestmark = pytest.mark.verifies("SRS-REC-006")

LARGEST = canonical.LARGEST_INTEGER
text = st.text(st.characters(exclude_categories=["Cs"]), max_size=20)
scalars = st.none() | st.booleans() | st.integers(-LARGEST, LARGEST) | text
values = st.recursive(scalars, lambda v: st.lists(v, max_size=4) | st.dictionaries(text, v, max_size=4), max_leaves=12)


@given(values)
def test_what_is_written_reads_back_and_writes_the_same_bytes(value: object) -> None:
    data = canonical.dumps(value)
    assert canonical.loads(data) == value
    assert canonical.dumps(canonical.loads(data)) == data


@given(values, st.integers(0, 10**6), st.integers(1, 255))
def test_a_changed_byte_is_refused_or_is_another_value(value: object, place: int, change: int) -> None:
    data = bytearray(canonical.dumps(value))
    data[place % len(data)] ^= change
    try:
        read = canonical.loads(bytes(data))
    except IntegrityError:
        return
    assert canonical.dumps(read) == bytes(data)
    assert canonical.dumps(read) != canonical.dumps(value)


@given(values)
def test_an_indented_writing_of_the_same_value_is_refused(value: object) -> None:
    data = json.dumps(value, indent=1).encode() + b"\n"
    with pytest.raises(IntegrityError, match="canonical") as caught:
        canonical.loads(data)
    assert caught.value.code == "E-CANONICAL-BYTES"


@pytest.mark.parametrize(
    "value",
    [0.5, float("nan"), LARGEST + 1, -LARGEST - 1, "\ud800", {"\udfff": 1}, {1: 2}, b"bytes", {1, 2}, object()],
)
def test_a_value_without_canonical_bytes_is_refused(value: object) -> None:
    with pytest.raises(IntegrityError) as caught:
        canonical.dumps({"nested": [value]})
    assert caught.value.code == "E-CANONICAL-VALUE"


def test_keys_sort_by_utf16_units_as_rfc_8785_says() -> None:
    assert canonical.dumps({"\ufb33": 1, "😀": 2}) == '{"😀":2,"\ufb33":1}'.encode()


def test_vectors(vectors: Callable[[str], dict[str, Any]]) -> None:
    for accepted in vectors("canonical")["accept"]:
        assert canonical.dumps(canonical.loads(accepted.encode())) == accepted.encode()
    for refused in vectors("canonical")["reject"]:
        with pytest.raises(IntegrityError):
            canonical.loads(bytes.fromhex(refused["hex"]))


@given(st.binary(max_size=40))
def test_base64_has_one_form(data: bytes) -> None:
    assert b64decode(b64encode(data)) == data


@pytest.mark.parametrize("other", ["AA", "AB==", "AA==\n", " AA==", "A-==", "AAA", "AA=", "ä", "AA==AA=="])
def test_other_forms_of_base64_are_refused(other: str) -> None:
    with pytest.raises(IntegrityError) as caught:
        b64decode(other)
    assert caught.value.code == "E-BASE64"
