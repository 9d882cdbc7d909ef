# SPDX-License-Identifier: Apache-2.0
"""Notes and checkpoints have one form, and only the log's keys make them."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from radiomicnet_md_audit import checkpoint, note, sign
from radiomicnet_md_audit.checkpoint import Checkpoint, LogKeys
from radiomicnet_md_audit.encoding import b64encode
from radiomicnet_md_audit.errors import IntegrityError
from radiomicnet_md_audit.note import Note, NoteKey, Signature

pytestmark = pytest.mark.verifies("SRS-LOG-003")

ORIGIN = "example.org/log"
KEYS = LogKeys(sign.from_seed(bytes([1]) * 32), sign.cosigner_from_seed(bytes([2]) * 32))
PUBLIC = KEYS.public(ORIGIN)
HEAD = Checkpoint(ORIGIN, 7, bytes(range(32)))
NOTE = checkpoint.issue(HEAD, LogKeys(KEYS.signer), 0)


def test_the_text_is_origin_size_and_root() -> None:
    assert str(HEAD) == "example.org/log\n7\nAAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=\n"


@pytest.mark.verifies("SRS-LOG-003", rc=("RC-004",))
def test_both_keys_sign_and_both_are_demanded() -> None:
    signed = checkpoint.issue(HEAD, KEYS, 1_700_000_000)
    assert checkpoint.open_(signed, PUBLIC, ORIGIN) == HEAD
    for keys in (PUBLIC[:1], PUBLIC[1:]):
        assert checkpoint.open_(signed, keys, ORIGIN) == HEAD
    with pytest.raises(IntegrityError) as caught:
        checkpoint.open_(NOTE, PUBLIC, ORIGIN)
    assert caught.value.code == "E-CHECKPOINT-UNSIGNED"


def test_nobody_is_not_enough() -> None:
    with pytest.raises(IntegrityError) as caught:
        checkpoint.open_(NOTE, (), ORIGIN)
    assert caught.value.code == "E-CHECKPOINT-UNSIGNED"


def test_each_line_is_told_whose_it_is() -> None:
    parsed = note.parse(checkpoint.issue(HEAD, KEYS, 5))
    witness = Signature("witness.example", b"1234", bytes(72))
    text = str(Note(parsed.text, (witness, *parsed.signatures, parsed.signatures[0])))
    assert checkpoint.opened(text, PUBLIC, ORIGIN) == (HEAD, (None, *PUBLIC, PUBLIC[0]))
    assert checkpoint.opened(text, PUBLIC[1:], ORIGIN) == (HEAD, (None, None, PUBLIC[1], None))


def test_one_of_several_keys_may_be_enough() -> None:
    assert checkpoint.open_any(NOTE, PUBLIC, ORIGIN) == HEAD
    for keys in (PUBLIC[1:], ()):
        with pytest.raises(IntegrityError) as caught:
            checkpoint.open_any(NOTE, keys, ORIGIN)
        assert caught.value.code == "E-CHECKPOINT-UNSIGNED"
    with pytest.raises(IntegrityError) as caught:
        checkpoint.open_any(NOTE, PUBLIC, "example.org/other")
    assert caught.value.code == "E-ORIGIN"


def test_every_change_of_one_byte_is_refused() -> None:
    data = NOTE.encode()
    for place in range(len(data)):
        for bit in (0x01, 0x20, 0x80):
            changed = bytearray(data)
            changed[place] ^= bit
            with pytest.raises((IntegrityError, UnicodeDecodeError)):
                checkpoint.open_(changed.decode(), PUBLIC[:1], ORIGIN)


def cosigned(stamp: int) -> str:
    """A note whose cosignature says that time, truly signed."""
    return checkpoint.issue(HEAD, LogKeys(KEYS.signer, KEYS.cosigner), stamp)


def test_a_time_beyond_63_bits_is_refused_although_it_is_signed() -> None:
    assert checkpoint.open_(cosigned(2**63 - 1), PUBLIC, ORIGIN) == HEAD
    with pytest.raises(IntegrityError) as caught:
        checkpoint.open_(cosigned(2**63), PUBLIC, ORIGIN)
    assert caught.value.code == "E-COSIGNATURE-FORM"


def test_a_cosignature_has_one_length() -> None:
    parsed = note.parse(cosigned(5))
    line = parsed.signatures[1]
    for cut in (line.signature[1:], line.signature + b"x", line.signature[:8]):
        other = Signature(line.name, line.id, cut)
        with pytest.raises(IntegrityError) as caught:
            checkpoint.open_(str(Note(parsed.text, (parsed.signatures[0], other))), PUBLIC, ORIGIN)
        assert caught.value.code == "E-COSIGNATURE-FORM"


@pytest.mark.parametrize("text", ["a b\n7\n", "\n7\n", "a\n07\n", "a\n-7\n", "a\n\n"])
def test_origin_and_size_have_one_form(text: str) -> None:
    root = str(HEAD).split("\n")[2]
    with pytest.raises(IntegrityError) as caught:
        checkpoint.parse_unverified(str(Note(f"{text}{root}\n", (Signature("a", b"1234", b"x"),))))
    assert caught.value.code == "E-CHECKPOINT-FORM"


def test_the_time_of_a_cosignature_is_signed() -> None:
    parsed = note.parse(checkpoint.issue(HEAD, KEYS, 1_700_000_000))
    line = parsed.signatures[1]
    for stamp in (b"\0" * 8, b"\xff" * 8, line.signature[1:8]):
        moved = Signature(line.name, line.id, stamp + line.signature[8:])
        with pytest.raises(IntegrityError):
            checkpoint.open_(str(Note(parsed.text, (parsed.signatures[0], moved))), PUBLIC, ORIGIN)


def test_a_witness_may_add_its_line() -> None:
    parsed = note.parse(NOTE)
    witness = Signature("witness.example", b"1234", bytes(72))
    assert checkpoint.open_(str(Note(parsed.text, (witness, *parsed.signatures))), PUBLIC[:1], ORIGIN) == HEAD


def test_a_bad_line_by_a_known_key_refuses_the_note() -> None:
    parsed = note.parse(NOTE)
    bad = Signature(parsed.signatures[0].name, parsed.signatures[0].id, bytes(64))
    with pytest.raises(IntegrityError) as caught:
        checkpoint.open_(str(Note(parsed.text, (*parsed.signatures, bad))), PUBLIC[:1], ORIGIN)
    assert caught.value.code == "E-SIGNATURE"


@given(st.text(st.characters(exclude_categories=["Cs", "Cc"]), min_size=1, max_size=60))
def test_what_parses_writes_the_same_note(text: str) -> None:
    written = str(Note(f"{text}\n", (Signature("a", b"1234", b"x"),)))
    assert str(note.parse(written)) == written


@pytest.mark.parametrize(
    "broken",
    [
        "",
        "text\n",
        "— a MTIzNHg=\n",
        "text\n\n",
        "\n\n— a MTIzNHg=",
        "text\n\n— a MTIzNHg=\n\n",
        "text\n\n- a MTIzNHg=\n",
        "text\n\n— a b MTIzNHg=\n",
        "text\n\n— a+b MTIzNHg=\n",
        "text\n\n—  MTIzNHg=\n",
        "text\n\n— a MTIzNA==\n",
        "text\n\n— a MTIzNHh=\n",
        "te\txt\n\n— a MTIzNHg=\n",
        "te\rxt\n\n— a MTIzNHg=\n",
        "x" * (note.LARGEST_NOTE + 1) + "\n\n— a MTIzNHg=\n",
        "text\n\n" + "— a MTIzNHg=\n" * (note.MOST_SIGNATURES + 1),
    ],
)
def test_another_form_of_note_is_refused(broken: str) -> None:
    with pytest.raises(IntegrityError) as caught:
        note.parse(broken)
    assert caught.value.code == ("E-BASE64" if "MTIzNHh=" in broken else "E-NOTE-FORM")


def test_a_text_may_hold_blank_lines() -> None:
    assert note.parse("a\n\nb\n\n— a MTIzNHg=\n").text == "a\n\nb\n"


def test_a_note_of_the_largest_size_is_accepted() -> None:
    end = "\n\n— a MTIzNHg=\n"
    largest = "x" * (note.LARGEST_NOTE - len(end)) + end
    assert str(note.parse(largest)) == largest


def test_sixteen_signatures_are_accepted() -> None:
    assert len(note.parse("text\n\n" + "— a MTIzNHg=\n" * 16).signatures) == 16


def test_verifier_keys_have_one_form() -> None:
    for key in PUBLIC:
        assert NoteKey.from_vkey(key.vkey()) == key
        name, identity, material = key.vkey().split("+", 2)
        for broken in (
            f"{name}+00000000+{material}",
            f"{name}+{identity.upper()}+{material}" if identity.upper() != identity else f"{name}+{identity}+",
            f"other+{identity}+{material}",
            f"{name}+{identity}+{material[:-4]}",
            f"{name}+{identity}",
            f"na me+{identity}+{material}",
            "",
        ):
            with pytest.raises(IntegrityError):
                NoteKey.from_vkey(broken)


def vkey(kind: int, material: bytes) -> str:
    """A verifier key text whose id is right, whatever it holds."""
    data = bytes([kind]) + material
    return f"a+{hashlib.sha256(b'a' + bytes([10]) + data).hexdigest()[:8]}+{b64encode(data)}"


@pytest.mark.parametrize(
    ("kind", "length"),
    [(1, 0), (1, 31), (1, 33), (1, 1312), (2, 32), (4, 32), (6, 32), (6, 1311), (6, 1313), (7, 1312)],
)
def test_a_key_of_another_type_or_length_is_refused(kind: int, length: int) -> None:
    assert NoteKey.from_vkey(vkey(1, bytes(32))).key == sign.VerifyingKey(bytes(32))
    with pytest.raises(IntegrityError) as caught:
        NoteKey.from_vkey(vkey(kind, bytes(length)))
    assert caught.value.code == "E-NOTE-VKEY"


def test_the_id_of_another_key_is_refused() -> None:
    mine, other = (NoteKey(ORIGIN, sign.from_seed(bytes([n]) * 32).public).vkey().split("+", 2) for n in (1, 3))
    with pytest.raises(IntegrityError) as caught:
        NoteKey.from_vkey("+".join((mine[0], other[1], mine[2])))
    assert caught.value.code == "E-NOTE-VKEY"


@pytest.mark.parametrize("name", ["", "a b", "a+b", "a\nb", "ä", "x" * 201])
def test_a_name_that_could_not_stand_in_a_line_is_refused(name: str) -> None:
    with pytest.raises(IntegrityError) as caught:
        NoteKey(name, KEYS.signer.public)
    assert caught.value.code == "E-NOTE-NAME"


def test_the_largest_values_fit_into_the_cosigned_message() -> None:
    message = checkpoint.cosigned_message("w" * 200, 2**64 - 1, Checkpoint("l" * 200, 2**64 - 1, bytes(32)))
    times = b"\xff" * 8 + b"\xc8" + b"l" * 200 + bytes(8) + b"\xff" * 8
    assert message == b"subtree/v1\n\0" + b"\xc8" + b"w" * 200 + times + bytes(32)


def test_the_cosigned_message_is_that_of_tlog_cosignature() -> None:
    message = checkpoint.cosigned_message("witness", 5, Checkpoint("log", 9, bytes(32)))
    expected = b"subtree/v1\n\0" + b"\x07witness" + bytes(7) + b"\x05" + b"\x03log" + bytes(15) + b"\x09" + bytes(32)
    assert message == expected


def test_vectors(vectors: Callable[[str], dict[str, Any]]) -> None:
    file = vectors("checkpoint")
    keys = [NoteKey.from_vkey(text) for text in file["vkeys"]]
    for accepted in file["accept"]:
        assert checkpoint.open_(accepted["note"], keys, file["origin"]).size == accepted["size"]
    for refused in file["reject"]:
        with pytest.raises(IntegrityError) as caught:
            checkpoint.open_(refused["note"], keys, file["origin"])
        assert caught.value.code == refused["code"], refused["name"]
