# SPDX-License-Identifier: Apache-2.0
"""While a hold stands nothing it covers is erased; and what is said in the log names nobody."""

from __future__ import annotations

import threading

import pytest

from radiomicnet_md import vault
from radiomicnet_md.desk import Desk
from radiomicnet_md.errors import UsageError
from radiomicnet_md.privacy import erasure, history, holds, people
from radiomicnet_md.privacy.people import Keeper
from radiomicnet_md_audit.stored import verify_ledger
from tests import patients
from tests.patients import PEOPLE, Case, erase, rest


@pytest.mark.verifies("SRS-PRV-005")
@pytest.mark.verifies("SRS-PRV-005", rc=("RC-028",))
def test_a_hold_forbids_and_its_release_allows(desk: Desk, keeper: Keeper, case: Case) -> None:
    mine, other = case("quill", 1), case("umlaut", 2)
    subject = people.of_record(keeper, mine.record_id)
    on_person = holds.place(keeper, subject, "case 7 of the district court")
    on_all = [holds.place(keeper, None, f"inquiry {number}") for number in range(2)]
    assert [(hold.id, hold.subject) for hold in history.standing(desk.ledger)] == [
        (on_person.record_id, subject.id),
        *((receipt.record_id, None) for receipt in on_all),
    ]
    before = rest(desk.home.folder)
    for answer in (mine, other):
        with pytest.raises(holds.HeldError) as caught:
            erase(keeper, answer.record_id)
        assert (caught.value.code, caught.value.exit_code) == ("E-HOLD", 2)
    assert rest(desk.home.folder) == before
    for receipt in on_all:
        holds.release(keeper, receipt.record_id[:12], "the inquiry has ended")
    erase(keeper, other.record_id)
    for words in (on_all[0].record_id, mine.record_id):
        with pytest.raises(UsageError) as unknown:
            holds.release(keeper, words, "again")
        assert unknown.value.code == "E-HOLD-UNKNOWN"
    again = case("quill", 3)  # who is held and comes again is held with the new record too
    with pytest.raises(holds.HeldError):
        erase(keeper, again.record_id)
    holds.release(keeper, on_person.record_id, "judgment is final")
    assert history.standing(desk.ledger) == []
    assert len(erase(keeper, mine.record_id)[0].records) == 2
    with pytest.raises(UsageError) as late:
        holds.place(keeper, subject, "too late")
    assert late.value.code == "E-SUBJECT-UNKNOWN"
    assert verify_ledger(desk.ledger, desk.ledger.anchor_text()).ok


@pytest.mark.verifies("SRS-PRV-005", "SRS-INP-008")
def test_a_hold_on_a_person_names_nobody(desk: Desk, keeper: Keeper, case: Case) -> None:
    answer = case("quill", 1)
    subject = people.of_record(keeper, answer.record_id)
    receipt = holds.place(keeper, subject, "case 7")
    said = desk.ledger.find(receipt.record_id).envelope
    assert subject.folder is not None
    assert not patients.found({**PEOPLE["quill"], "folder": subject.folder}, {"hold": said})


@pytest.mark.verifies("SRS-PRV-005", "SRS-PRV-002")
@pytest.mark.parametrize("why", ["", "  ", "x" * 1001, "two\nlines", "\x1b[31mred"])
def test_a_reason_is_said_in_one_line(keeper: Keeper, case: Case, why: str) -> None:
    answer = case("quill", 1)
    subject = people.of_record(keeper, answer.record_id)
    for use in (lambda: erasure.erase(keeper, subject, why), lambda: holds.place(keeper, None, why)):
        with pytest.raises(UsageError) as caught:
            use()
        assert caught.value.code == "E-REASON"


@pytest.mark.verifies("SRS-PRV-001", "SRS-INP-008")
@pytest.mark.parametrize("word", ["Quillfeather", "OTTOLINE", "QX-7731-KAPPA", "born 19310417", "(acc-55190-qq)"])
def test_a_reason_that_names_the_person_is_refused(desk: Desk, keeper: Keeper, case: Case, word: str) -> None:
    answer = case("quill", 1)
    subject = people.of_record(keeper, answer.record_id)
    size = desk.ledger.size
    for use in (erasure.erase, holds.place):
        with pytest.raises(UsageError) as caught:
            use(keeper, subject, f"wish of {word}, by letter")
        assert caught.value.code == "E-REASON-IDENTITY"
    assert desk.ledger.size == size
    erasure.erase(keeper, subject, "a wish by letter, on 1931-04-17; Saint Wilfreda Infirmary")


@pytest.mark.verifies("SRS-PRV-005", "SRS-PRV-003")
def test_no_hold_is_placed_while_an_erasure_is_under_way(desk: Desk, keeper: Keeper) -> None:
    with vault.alone(desk.home.folder):
        thread = threading.Thread(target=holds.place, args=(keeper, None, "inquiry"))
        thread.start()
        thread.join(timeout=0.2)
        assert history.standing(desk.ledger) == []
    thread.join()
    assert len(history.standing(desk.ledger)) == 1
