# SPDX-License-Identifier: Apache-2.0
"""One value, one byte string; every other byte string is refused."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest
import rfc8785
from hypothesis import given, settings
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


def test_a_refused_value_is_named_by_its_type() -> None:
    with pytest.raises(IntegrityError, match="is of type float"):
        canonical.dumps({"nested": [0.5]})


def test_a_number_with_a_point_ends_the_reading() -> None:
    with pytest.raises(ValueError, match=r"1\.5"):
        canonical._DECODER.decode("[1.5]")


def test_the_slow_library_is_asked_beyond_the_first_plane_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rfc8785, "dumps", lambda _: b"asked")
    assert canonical.dumps({"é": "\uffff", "a": 1}) == '{"a":1,"é":"\uffff"}'.encode()
    assert canonical.dumps("plain") == b'"plain"'
    assert canonical.dumps("\U00010000") == b"asked"


def test_keys_sort_by_utf16_units_as_rfc_8785_says() -> None:
    assert canonical.dumps({"\ufb33": 1, "😀": 2}) == '{"😀":2,"\ufb33":1}'.encode()


@pytest.mark.verifies("SRS-REC-006", rc=("RC-004",))
def test_vectors(vectors: Callable[[str], dict[str, Any]]) -> None:
    for accepted in vectors("canonical")["accept"]:
        assert canonical.dumps(canonical.loads(accepted.encode())) == accepted.encode()
    for refused in vectors("canonical")["reject"]:
        with pytest.raises(IntegrityError):
            canonical.loads(bytes.fromhex(refused["hex"]))


# Every plane, and the characters at which orders, escapes and encodings change.
any_text = st.text(
    st.characters(exclude_categories=["Cs"])
    | st.sampled_from('\0\x1f\x7f"\\/\b\n\r\t\u2028\ud7ff\ue000\uffff\U00010000\U0010ffff'),
    max_size=6,
)
# Keys of one or two characters, from both sides of the place where code points and UTF-16 units sort apart.
any_key = any_text | st.text(st.sampled_from("a\ud7ff\ue000\uffff\U00010000\U0010ffff"), max_size=2)
any_value = st.recursive(
    st.none() | st.booleans() | st.integers(-LARGEST, LARGEST) | any_text,
    lambda v: st.lists(v, max_size=4) | st.dictionaries(any_key, v, max_size=6),
    max_leaves=15,
)


@given(any_value)
@settings(max_examples=500)
def test_what_is_written_is_rfc_8785(value: object) -> None:
    assert canonical.dumps(value) == rfc8785.dumps(value)  # type: ignore[arg-type]


def by_definition(data: bytes) -> bool:
    """Whether RFC 8785, with what this project leaves out of JSON, is these bytes; slowly and by the library alone."""
    try:
        value = json.loads(data.decode("utf-8"), parse_float=refuse, parse_constant=refuse)
        return allowed(value, 0) and rfc8785.dumps(value) == data
    except (ValueError, RecursionError):
        return False


def refuse(text: str) -> None:
    raise ValueError(text)


def allowed(value: object, depth: int) -> bool:
    if isinstance(value, dict | list):
        below = value.values() if isinstance(value, dict) else value
        return depth <= canonical.DEEPEST and all(allowed(item, depth + 1) for item in below)
    return depth <= canonical.DEEPEST and (not isinstance(value, int) or abs(value) <= LARGEST)


def accepted(data: bytes) -> bool:
    try:
        canonical.loads(data)
    except IntegrityError:
        return False
    return True


NUMBERS = (
    "0",
    "-0",
    "1",
    "01",
    "-1",
    "1.0",
    "1e3",
    "NaN",
    "Infinity",
    "-Infinity",
    str(LARGEST),
    str(-LARGEST - 1),
    "9" * 20,
)
STRINGS = (
    "a",
    "\\u0041",
    "\\n",
    "\\u000a",
    "\\u000A",
    "\\/",
    "/",
    "\\ud83d",
    "\\ud83d\\ude00",
    "😀",
    "\ufb33",
    "\\u001f",
    "\x7f",
    "\t",
    "é",
    "e\u0301",
)
spaces = st.sampled_from(["", "", "", "", " ", "\n", "\ufeff"])


def joined(items: list[str], space: str) -> str:
    return ("," + space).join(items)


@st.composite
def any_json(draw: st.DrawFn) -> str:
    """JSON text in every spelling: keys repeated and out of order, needless escapes, spaces, numbers of all kinds."""
    text = st.sampled_from(STRINGS).map(lambda inner: f'"{inner}"') | any_text.map(json.dumps)
    leaf = text | st.sampled_from([*NUMBERS, "true", "null"])

    def containers(inner: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
        pairs = st.tuples(text, inner).map(":".join)
        sorted_or_not = st.lists(pairs, max_size=4) | st.lists(pairs, max_size=4).map(sorted)
        return st.builds("[{}]".format, st.builds(joined, st.lists(inner, max_size=4), spaces)) | st.builds(
            "{{{}}}".format, st.builds(joined, sorted_or_not, spaces)
        )

    return draw(spaces) + draw(st.recursive(leaf, containers, max_leaves=8)) + draw(spaces)


@given(any_json())
@settings(max_examples=600)
def test_what_is_read_is_what_rfc_8785_would_write(text: str) -> None:
    data = text.encode("utf-8", "surrogatepass")
    assert accepted(data) is by_definition(data)


@given(any_value, st.integers(0, 10**6), st.integers(0, 255), st.sampled_from(["put", "drop", "add"]))
@settings(max_examples=500)
def test_canonical_bytes_with_one_change_are_judged_as_rfc_8785_would(
    value: object, place: int, byte: int, change: str
) -> None:
    data = canonical.dumps(value)
    at = place % len(data)
    added = b"" if change == "drop" else bytes([byte])
    changed = data[:at] + added + data[at + (change != "add") :]
    assert accepted(changed) is by_definition(changed)


@pytest.mark.parametrize("depth", [canonical.DEEPEST - 1, canonical.DEEPEST, canonical.DEEPEST + 1, 5000])
@pytest.mark.parametrize("inner", ["", "1", '"a"', "{}"])
def test_depth_ends_where_it_says(depth: int, inner: str) -> None:
    data = b"[" * depth + inner.encode() + b"]" * depth
    assert accepted(data) is by_definition(data)
    assert accepted(data) is (depth + (inner in ("1", '"a"', "{}")) <= canonical.DEEPEST + 1)


def nested(depth: int, inner: object, *, as_dict: bool) -> object:
    for _ in range(depth):
        inner = {"k": inner} if as_dict else [inner]
    return inner


@pytest.mark.parametrize("as_dict", [True, False])
@pytest.mark.parametrize(
    ("inner", "deepest"), [(1, 32), ("a", 32), (None, 32), ([], 32), ({}, 32), ([1], 31), ({"a": "b"}, 31)]
)
def test_reading_and_writing_end_at_one_depth(inner: object, deepest: int, *, as_dict: bool) -> None:
    for beside in ([], [[]] * 40):  # many containers, and none of them deep
        good, bad = (nested(depth - 1, [inner, *beside], as_dict=as_dict) for depth in (deepest, deepest + 1))
        for value in ([good], {"k": good}):
            with pytest.raises(IntegrityError, match="nested deeper than 32"):
                canonical.dumps(value)
        assert canonical.loads(canonical.dumps(good)) == good
        with pytest.raises(IntegrityError, match="nested deeper than 32"):
            canonical.dumps(bad)
        with pytest.raises(IntegrityError, match="not canonical"):
            canonical.loads(json.dumps(bad, separators=(",", ":")).encode())


class Name(str):
    """A text of a type of its own."""

    __slots__ = ()


def test_a_text_of_another_type_is_a_text() -> None:
    assert canonical.dumps({Name("b"): Name("x"), "a": 1}) == b'{"a":1,"b":"x"}'
    for keys in ({Name("b"): 1, 2: 1}, {"b": 1, None: 1}, {Name("b"): 1, b"c": 1}):
        with pytest.raises(IntegrityError, match="a key that is no text"):
            canonical.dumps(keys)


def test_a_number_of_thousands_of_digits_is_refused() -> None:
    assert not accepted(b"9" * 5000)


def test_a_cycle_is_refused() -> None:
    around: list[object] = []
    around.append(around)
    with pytest.raises(IntegrityError) as caught:
        canonical.dumps(around)
    assert caught.value.code == "E-CANONICAL-VALUE"


@given(st.binary(max_size=40))
def test_base64_has_one_form(data: bytes) -> None:
    assert b64decode(b64encode(data)) == data


@pytest.mark.parametrize("other", ["AA", "AB==", "AA==\n", " AA==", "A-==", "AAA", "AA=", "ä", "AA==AA=="])
def test_other_forms_of_base64_are_refused(other: str) -> None:
    with pytest.raises(IntegrityError) as caught:
        b64decode(other)
    assert caught.value.code == "E-BASE64"
