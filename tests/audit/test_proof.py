# SPDX-License-Identifier: Apache-2.0
"""A proof has one form, and proves nothing that its hashes and its checkpoint do not."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from radiomicnet_md_audit import proof
from radiomicnet_md_audit.checkpoint import LogKeys
from radiomicnet_md_audit.errors import IntegrityError
from radiomicnet_md_audit.note import NoteKey
from tests.audit.trees import LOG, ORIGIN, Tree, leaves

pytestmark = pytest.mark.verifies("SRS-LOG-002")

KEYS = LogKeys(LOG).public(ORIGIN)


@contextmanager
def refused(code: str) -> Iterator[None]:
    with pytest.raises(IntegrityError) as caught:
        yield
    assert caught.value.code == code


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


@pytest.mark.parametrize(
    "change",
    [
        ("c2sp.org/tlog-proof@v1", "c2sp.org/tlog-proof@v2"),
        ("index 1", "index 01"),
        ("index 1", "extra AAAA\nindex 1"),
        ("index 1", "old 1"),
        ("index 1", "index -1"),
        ("index 1\n", "index 1\nAAAA\n"),
        ("index 1\n", "index 1\r\n"),
        ("index 1\n", "index 1\n" + "A" * 43 + "=\n" * 64),
    ],
)
def test_another_form_of_proof_is_refused(change: tuple[str, str], vectors: Callable[[str], dict[str, Any]]) -> None:
    text = str(vectors("log")["inclusion_of_1"])
    assert str(proof.parse_inclusion(text)) == text
    assert change[0] in text
    with refused("E-PROOF-FORM"):
        proof.parse_inclusion(text.replace(*change))


def test_a_blank_line_more_leaves_no_checkpoint(vectors: Callable[[str], dict[str, Any]]) -> None:
    text = str(vectors("log")["inclusion_of_1"]).replace("index 1\n", "index 1\n\n")
    with refused("E-CHECKPOINT-FORM"):
        proof.parse_inclusion(text).verify(b"", KEYS, ORIGIN)


def test_a_proof_holds_at_most_63_hashes() -> None:
    assert len(proof.parse_consistency(str(proof.Consistency(1, (bytes(32),) * 63, "note"))).path) == 63
    with refused("E-PROOF-FORM"):
        proof.parse_consistency(str(proof.Consistency(1, (bytes(32),) * 64, "note")))


@pytest.mark.parametrize("length", [1, 31, 33])
def test_a_hash_of_another_length_is_refused(length: int) -> None:
    with refused("E-PROOF-FORM"):
        proof.parse_consistency(str(proof.Consistency(1, (bytes(32), bytes(length)), "note")))


@pytest.mark.parametrize("text", ["", "old 1", "old 01\n\nnote", "index 1\n\nnote", "old 1\n", "old  1\n\nnote"])
def test_another_form_of_consistency_proof_is_refused(text: str) -> None:
    with refused("E-PROOF-FORM"):
        proof.parse_consistency(text)


def test_a_log_with_another_beginning_is_not_the_same_log() -> None:
    honest, forked, grown = Tree(leaves(3)), Tree(leaves(3, fork_at=1)), Tree(leaves(7))
    good = proof.Consistency(3, tuple(grown.path(3)), grown.note())
    assert good.verify(honest.note(), KEYS, ORIGIN).size == 7
    with refused("E-PROOF-CONSISTENCY"):
        good.verify(forked.note(), KEYS, ORIGIN)


def test_a_consistency_proof_is_about_the_size_that_it_names() -> None:
    honest, grown = Tree(leaves(3)), Tree(leaves(7))
    with refused("E-PROOF-FORM"):
        proof.Consistency(4, tuple(grown.path(3)), grown.note()).verify(honest.note(), KEYS, ORIGIN)
