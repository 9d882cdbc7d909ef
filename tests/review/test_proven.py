# SPDX-License-Identifier: Apache-2.0
"""There is no proof for a record whose signature or place in the log does not hold."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from radiomicnet_md.decision import Decision
from radiomicnet_md.errors import IntegrityError
from radiomicnet_md.review.proven import prove
from radiomicnet_md_audit import sign
from radiomicnet_md_audit.ledger import Ledger
from tests.review.conftest import Pages

pytestmark = pytest.mark.verifies("SRS-LOG-002", "SRS-LOG-004")


@pytest.fixture
def ledger(tmp_path: Path, pages: Pages, found: Decision) -> Iterator[Ledger]:
    """A log with a decision and a refusal after its genesis."""
    url = f"sqlite:///{tmp_path / 'audit.db'}"
    with Ledger.create(url, "radiomicnet-md/test", sign.generate(), sign.generate(), None) as made:
        for number, statement in enumerate((pages.result(found), pages.refused())):
            del statement["predicate"]["log"]
            statement["predicate"]["record_id"] = f"{number}" * 26
            statement["predicate"]["request_id"] = f"{number + 2}" * 26
            made.append(statement)
        yield made


def test_what_is_proven_is_what_was_signed_and_where_it_lies(ledger: Ledger) -> None:
    statement, proof = prove(ledger, ledger.find("0000"), ["a claim"])
    assert statement["predicate"]["record_id"] == "0" * 26
    assert (proof.index, proof.size, proof.origin) == (1, 3, "radiomicnet-md/test")
    assert proof.keyid == statement["predicate"]["log"]["producer"]
    assert proof.claims == ("a claim",)


def test_a_changed_envelope_has_no_proof(ledger: Ledger) -> None:
    entry = ledger.find("0000")
    changed = entry.envelope.replace(b'"sig":"', b'"sig":"A', 1)
    with pytest.raises(IntegrityError):
        prove(ledger, replace(entry, envelope=changed))


def test_an_envelope_in_another_place_has_no_proof(ledger: Ledger) -> None:
    with pytest.raises(IntegrityError):
        prove(ledger, replace(ledger.find("0000"), index=2))


def test_a_proof_that_the_log_made_up_is_refused(ledger: Ledger, monkeypatch: pytest.MonkeyPatch) -> None:
    of_another = ledger.inclusion(2)
    monkeypatch.setattr(ledger, "inclusion", lambda _index: of_another)
    with pytest.raises(IntegrityError):
        prove(ledger, ledger.find("0000"))
