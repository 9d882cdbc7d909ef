# SPDX-License-Identifier: Apache-2.0
"""Notes and checkpoints have one form, and only the log's keys make them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from radiomicnet_md_audit import checkpoint, note, proof, sign
from radiomicnet_md_audit.checkpoint import Checkpoint, LogKeys
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


def test_every_change_of_one_byte_is_refused() -> None:
    data = NOTE.encode()
    for place in range(len(data)):
        for bit in (0x01, 0x20, 0x80):
            changed = bytearray(data)
            changed[place] ^= bit
            with pytest.raises((IntegrityError, UnicodeDecodeError)):
                checkpoint.open_(changed.decode(), PUBLIC[:1], ORIGIN)


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
    with pytest.raises(IntegrityError):
        note.parse(broken)


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


@pytest.mark.parametrize("name", ["", "a b", "a+b", "a\nb", "ä", "x" * 201])
def test_a_name_that_could_not_stand_in_a_line_is_refused(name: str) -> None:
    with pytest.raises(IntegrityError):
        NoteKey(name, KEYS.signer.public)


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


@pytest.mark.verifies("SRS-LOG-002")
def test_proofs_of_the_worked_log(vectors: Callable[[str], dict[str, Any]]) -> None:
    log = vectors("log")
    file = vectors("checkpoint")
    keys = [NoteKey.from_vkey(text) for text in file["vkeys"]]
    inclusion = proof.parse_inclusion(log["inclusion_of_1"])
    assert inclusion.verify(log["entries"][1].encode(), keys, file["origin"]).size == 3
    with pytest.raises(IntegrityError):
        inclusion.verify(log["entries"][2].encode(), keys, file["origin"])
    consistency = proof.parse_consistency(log["consistency_from_2"])
    assert consistency.verify(log["checkpoints"][1], keys, file["origin"]).size == 3
    with pytest.raises(IntegrityError):
        consistency.verify(log["checkpoints"][0], keys, file["origin"])


@pytest.mark.verifies("SRS-LOG-002")
@pytest.mark.parametrize(
    "change",
    [
        ("c2sp.org/tlog-proof@v1", "c2sp.org/tlog-proof@v2"),
        ("index 1", "index 01"),
        ("index 1", "extra AAAA\nindex 1"),
        ("index 1", "index -1"),
        ("index 1\n", "index 1\nAAAA\n"),
        ("index 1\n", "index 1\n\n"),
        ("index 1\n", "index 1\r\n"),
        ("index 1\n", "index 1\n" + "A" * 43 + "=\n" * 64),
    ],
)
def test_another_form_of_proof_is_refused(change: tuple[str, str], vectors: Callable[[str], dict[str, Any]]) -> None:
    text = str(vectors("log")["inclusion_of_1"])
    assert str(proof.parse_inclusion(text)) == text
    with pytest.raises(IntegrityError):
        proof.parse_inclusion(text.replace(*change)).verify(b"", PUBLIC, ORIGIN)
