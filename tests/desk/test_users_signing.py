# SPDX-License-Identifier: Apache-2.0
"""A person signs what they looked at, or nobody signs anything; and what cannot be valid is not written at all."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from radiomicnet_md import people
from radiomicnet_md.delivery import Target
from radiomicnet_md.desk import Answer, Desk, segment_file
from radiomicnet_md.errors import IntegrityError, Problem, UsageError
from radiomicnet_md.people import reading
from radiomicnet_md.privacy import people as patients_of
from radiomicnet_md.privacy.people import Keeper
from radiomicnet_md.review import proven, text
from radiomicnet_md_audit import canonical
from radiomicnet_md_audit.clock import Instant
from radiomicnet_md_audit.statement import SIGNATURE, build
from radiomicnet_md_audit.stored import verify_ledger
from tests import desks, patients
from tests.desks import FIRST, OTHER, OWN, Stretching
from tests.patients import Case

pytestmark = pytest.mark.verifies("SRS-SIG-003")
SHOWN = {"overlay.png": "5" * 64}


@pytest.fixture(autouse=True)
def stretching(monkeypatch: pytest.MonkeyPatch) -> Stretching:
    return desks.quick_stretching(monkeypatch)


@pytest.fixture
def admin(desk: Desk) -> people.Identity:
    desks.add_person(desk, "anna", "admin")
    identity = people.enter(desk, "anna", OWN)
    desks.add_person(desk, "rita", "reviewer", "qa", by=identity)
    return identity


@pytest.fixture
def rita(desk: Desk, admin: people.Identity) -> people.Identity:
    return people.enter(desk, "rita", OWN)


@pytest.fixture
def answer(case: Case) -> Answer:
    return case("quill", 1)


def _count(desk: Desk) -> int:
    return sum(1 for _ in desk.ledger.events(SIGNATURE))


def _refused(desk: Desk, code: str, who: Any, record_id: str, *rest: Any) -> Problem:  # noqa: ANN401
    """Signing ends with this code, and no signature is added."""
    before = _count(desk)
    meaning, reason, shown = (*rest, *("approve", None, SHOWN)[len(rest) :])
    with pytest.raises(Problem) as caught:
        people.sign(desk, who, record_id, meaning, reason, shown)
    assert caught.value.code == code
    assert _count(desk) == before
    return caught.value


@pytest.mark.verifies("SRS-SIG-001", "SRS-SIG-008")
@pytest.mark.parametrize(("meaning", "reason"), [("approve", None), ("reject", "a shadow"), ("override", "too small")])
def test_a_signature_says_who_when_and_what_of_which_decision(
    desk: Desk, rita: people.Identity, answer: Answer, meaning: str, reason: str | None
) -> None:
    shown = {"why.png": "6" * 64, **SHOWN}
    signature, receipt = people.sign(desk, rita, answer.record_id[:14], meaning, reason, shown)
    person = people.roster(desk.ledger)["rita"]
    _, proof = proven.prove(desk.ledger, desk.ledger.find(answer.record_id))
    assert signature.signed == (answer.record_id, answer.log_index, proof.envelope_sha256)
    assert (signature.user, signature.name, signature.roles) == ("rita", "Rita Example", ("reviewer", "qa"))
    assert (signature.meaning, signature.reason, signature.keyid) == (meaning, reason, person.key.keyid)
    assert signature.shown == (("overlay.png", "5" * 64), ("why.png", "6" * 64))
    assert people.signatures(desk.ledger, answer.record_id) == [signature]
    assert desk.ledger.read(desk.ledger.find(receipt.record_id)).predicate_type == SIGNATURE
    report = verify_ledger(desk.ledger, None)
    assert report.ok, report.findings


def test_id_and_passphrase_sign_at_once(desk: Desk, rita: people.Identity, answer: Answer) -> None:
    signature, _ = people.sign(desk, ("rita", OWN), answer.record_id, "approve", None, SHOWN)
    assert people.signatures(desk.ledger, answer.record_id) == [signature]
    _refused(desk, "E-SIGN-IN", ("rita", OTHER), answer.record_id)
    assert people.roster(desk.ledger)["rita"].failures == 1


def test_nobody_signs_without_the_right(desk: Desk, admin: people.Identity, answer: Answer) -> None:
    _refused(desk, "E-SIGN-RIGHT", admin, answer.record_id)
    desks.add_person(desk, "reed", "reader", by=admin)
    _refused(desk, "E-SIGN-RIGHT", ("reed", OWN), answer.record_id)


def test_nobody_signs_with_a_passphrase_that_somebody_else_has_set(
    desk: Desk, admin: people.Identity, answer: Answer
) -> None:
    people.add(desk, admin, "newt", "Newt Example", ["reviewer"], FIRST)
    _refused(desk, "E-SIGN-PASSPHRASE", ("newt", FIRST), answer.record_id)
    people.set_passphrase(desk, admin, "rita", OTHER)
    _refused(desk, "E-SIGN-PASSPHRASE", ("rita", OTHER), answer.record_id)


MEANWHILE: dict[str, Callable[[Desk, people.Identity], object]] = {
    "disabled": lambda desk, admin: people.disable(desk, admin, "rita"),
    "given another role": lambda desk, admin: people.set_roles(desk, admin, "rita", ["reader"]),
    "given another passphrase": lambda desk, admin: people.set_passphrase(desk, admin, "rita", OTHER),
    "locked": lambda desk, _: [_wrong(desk) for _ in range(5)],
}


def _wrong(desk: Desk) -> None:
    with pytest.raises(people.SignInError):
        people.enter(desk, "rita", "wrong and wrong again")


@pytest.mark.parametrize("change", MEANWHILE.values(), ids=MEANWHILE.keys())
def test_who_was_changed_since_they_entered_signs_nothing(
    desk: Desk,
    admin: people.Identity,
    rita: people.Identity,
    answer: Answer,
    change: Callable[[Desk, people.Identity], object],
) -> None:
    change(desk, admin)
    _refused(desk, "E-SIGN-RIGHT", rita, answer.record_id)
    assert verify_ledger(desk.ledger, None).ok


def test_a_change_at_the_same_moment_leaves_no_signature_that_does_not_hold(
    desk: Desk, admin: people.Identity, rita: people.Identity, case: Case
) -> None:
    record_id = case("quill", 1).record_id

    def sign(number: int) -> str:
        try:
            people.sign(desk, rita, record_id, "approve", None, {f"view-{number}": "5" * 64})
        except people.SigningError as error:
            return error.code
        else:
            return "signed"

    with ThreadPoolExecutor(4) as threads:
        signing = [threads.submit(sign, number) for number in range(12)]
        for _ in range(3):
            people.disable(desk, admin, "rita")
            people.enable(desk, admin, "rita")
        came = [one.result() for one in signing]
    assert set(came) <= {"signed", "E-SIGN-RIGHT"}
    assert len(people.signatures(desk.ledger, record_id)) == came.count("signed")
    report = verify_ledger(desk.ledger, None)
    assert report.ok, report.findings


def test_who_has_left_signs_nothing(desk: Desk, rita: people.Identity, answer: Answer) -> None:
    rita.close()
    _refused(desk, "E-SIGN-IN", rita, answer.record_id)


def test_an_administrator_signs_for_nobody(desk: Desk, admin: people.Identity, answer: Answer) -> None:
    """With every file of the home, and their own key in another's name."""
    forged = people.Identity(people.roster(desk.ledger)["rita"], admin.key)
    _refused(desk, "E-SIGN-RIGHT", forged, answer.record_id)


def test_the_author_neither_approves_nor_overrides(
    desk: Desk, rita: people.Identity, tmp_path: Path, out: Path
) -> None:
    mine = replace(desk, maker=replace(desk.maker, operator="Rita"))
    path = patients.write(tmp_path / "in" / "own.dcm", patients.PEOPLE["quill"], 9)
    own = segment_file(path, mine, Target(out, "own", "png"))
    for meaning in ("approve", "override"):
        _refused(desk, "E-SIGN-AUTHOR", rita, own.record_id, meaning, "mine")
    people.sign(desk, rita, own.record_id, "reject", "mine, and wrong", SHOWN)
    assert verify_ledger(desk.ledger, None).ok


def test_a_clock_behind_the_decision_signs_nothing(desk: Desk, rita: people.Identity, answer: Answer) -> None:
    moment = Instant(datetime(2020, 1, 1, tzinfo=UTC), 1)
    writer = desk.ledger.writer
    desk.ledger._writer = replace(writer, clock=lambda: moment)
    _refused(desk, "E-SIGN-TIME", rita, answer.record_id)
    desk.ledger._writer = writer
    people.sign(desk, rita, answer.record_id, "approve", None, SHOWN)


def test_only_a_result_or_a_refusal_is_signed(desk: Desk, rita: people.Identity, tmp_path: Path, out: Path) -> None:
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "x.png").write_bytes(b"no image")
    refused = segment_file(tmp_path / "in" / "x.png", desk, Target(out, "x", "png"))
    assert refused.status == "refused"
    people.sign(desk, rita, refused.record_id, "reject", "read it again", SHOWN)
    desk.engine.asked = "no number"  # type: ignore[union-attr,assignment]
    path = patients.write(tmp_path / "in" / "1.dcm", patients.PEOPLE["quill"], 1)
    failed = segment_file(path, desk, Target(out, "1", "png"))
    assert failed.status == "error"
    events = [desk.ledger.read(entry).record_id for entry in desk.ledger.events(SIGNATURE)]
    for other in (failed.record_id, *events, desk.ledger.read(next(desk.ledger.entries(0, 1))).record_id):
        _refused(desk, "E-SIGN-DECISION", rita, other)
    _refused(desk, "E-RECORD-UNKNOWN", rita, "7zzzz")


def test_meaning_reason_and_what_was_shown_are_asked_for(desk: Desk, rita: people.Identity, answer: Answer) -> None:
    for meaning in ("", "approved", "Approve"):
        _refused(desk, "E-SIGN-MEANING", rita, answer.record_id, meaning)
    for meaning in ("reject", "override"):
        _refused(desk, "E-SIGN-REASON", rita, answer.record_id, meaning)
        for reason in ("", "two\nlines", "x" * 1001):
            _refused(desk, "E-REASON", rita, answer.record_id, meaning, reason)
    for shown in ({}, {"overlay.png": "5"}, {"../overlay.png": "5" * 64}, {f"n{n}": "5" * 64 for n in range(65)}):
        _refused(desk, "E-SIGN-SHOWN", rita, answer.record_id, "approve", None, shown)


@pytest.mark.verifies("SRS-SIG-003", "SRS-PRV-001")
def test_a_reason_names_no_patient(desk: Desk, rita: people.Identity, answer: Answer) -> None:
    _refused(desk, "E-REASON-IDENTITY", rita, answer.record_id, "reject", "Quillfeather moved")


def test_what_was_erased_is_signed_no_more_and_its_signatures_stay(
    desk: Desk, keeper: Keeper, rita: people.Identity, answer: Answer
) -> None:
    signature, _ = people.sign(desk, rita, answer.record_id, "approve", None, SHOWN)
    patients.erase(keeper, answer.record_id)
    assert patients_of.artefacts(keeper, desk.ledger.read(desk.ledger.find(answer.record_id)).predicate) == set()
    _refused(desk, "E-SIGN-ERASED", rita, answer.record_id)
    assert people.signatures(desk.ledger, answer.record_id) == [signature]
    assert verify_ledger(desk.ledger, None).ok


@pytest.mark.verifies("SRS-SIG-001", "SRS-SIG-006")
def test_a_signature_that_does_not_hold_is_never_returned(desk: Desk, rita: people.Identity, case: Case) -> None:
    mine, other = case("quill", 1), case("umlaut", 2)
    people.sign(desk, rita, mine.record_id, "approve", None, SHOWN)
    (entry,) = desk.ledger.events(SIGNATURE)
    whole: Any = canonical.loads(canonical.dumps(desk.ledger.read(entry).document))
    predicate = whole["predicate"]
    del predicate["log"]
    about = reading.subject(desk.ledger, desk.ledger.find(other.record_id))
    assert about is not None
    predicate |= {"record_id": "7" * 26, "signed": about.signed._asdict()}
    desk.ledger.append(build(SIGNATURE, {"record": about.signed.envelope_sha256}, predicate))
    assert len(people.signatures(desk.ledger, mine.record_id)) == 1
    for _ in range(2):  # nor is it when it is asked for again
        with pytest.raises(IntegrityError) as caught:
            people.signatures(desk.ledger, other.record_id)
        assert caught.value.code == "E-SIG-SIGNATURE"


# -- what was looked at ------------------------------------------------------------------------------------------------


def _seen(desk: Desk, record_id: str, data: bytes) -> dict[str, str]:
    return people.viewed(desk.home.folder, desk.ledger, record_id, data)


def _picture(answer: Answer) -> bytes:
    (path,) = (path for path in answer.outputs if path.endswith("overlay.png"))
    return Path(path).read_bytes()


@pytest.mark.verifies("SRS-SIG-007")
@pytest.mark.usefixtures("real_pictures")
def test_a_result_is_seen_by_its_own_picture_alone(desk: Desk, case: Case, keeper: Keeper) -> None:
    mine, other = case("quill", 1), case("quill", 1)  # the same image, twice
    data = _picture(mine)
    assert list(_seen(desk, mine.record_id, data)) == ["overlay.png"]
    assert _seen(desk, other.record_id, _picture(other)) != _seen(desk, mine.record_id, data)
    statement, proof = proven.prove(desk.ledger, desk.ledger.find(mine.record_id))
    page = text.show(statement, proof).encode()
    for wrong in (_picture(other), data[:-1], data + b"\0", b"", page):
        with pytest.raises(UsageError) as caught:
            _seen(desk, mine.record_id, wrong)
        assert caught.value.code == "E-SIGN-VIEWED"
    patients.erase(keeper, mine.record_id)
    with pytest.raises(UsageError):
        _seen(desk, mine.record_id, data)


@pytest.mark.verifies("SRS-SIG-007")
def test_a_refusal_is_seen_by_its_page_however_the_log_has_grown(desk: Desk, tmp_path: Path, out: Path) -> None:
    ids = []
    for name in ("x", "y"):
        (tmp_path / f"{name}.png").write_bytes(name.encode())
        ids.append(segment_file(tmp_path / f"{name}.png", desk, Target(out, name, "png")).record_id)
    pages = [text.show(*proven.prove(desk.ledger, desk.ledger.find(one))).encode() for one in ids]
    segment_file(tmp_path / "x.png", desk, Target(out, "x", "png"))
    assert list(_seen(desk, ids[0], pages[0])) == ["record.txt"]
    for wrong in (pages[1], pages[0].replace(b"REFUSED", b"RESULT ", 1), pages[0][:200], b""):
        with pytest.raises(UsageError) as caught:
            _seen(desk, ids[0], wrong)
        assert caught.value.code == "E-SIGN-VIEWED"
    with pytest.raises(UsageError):
        _seen(desk, desk.ledger.read(next(desk.ledger.entries(0, 1))).record_id, pages[0])


@pytest.mark.verifies("SRS-SIG-008")
def test_the_page_prints_name_time_and_meaning(desk: Desk, rita: people.Identity, answer: Answer) -> None:
    signature, receipt = people.sign(desk, rita, answer.record_id, "reject", "the outline stops short", SHOWN)
    statement, proof = proven.prove(desk.ledger, desk.ledger.find(answer.record_id))
    page = text.show(statement, proof, people.signatures(desk.ledger, answer.record_id))
    for words in (
        "Electronic signatures: 1",
        "reject        Rita Example (rita, reviewer, qa)",
        f"{signature.time_utc[:19].replace('T', ' ')} UTC, record {receipt.record_id}",
        "reason        the outline stops short",
        "having seen   overlay.png, sha256",
    ):
        assert words in page
    assert max(map(len, page.splitlines())) <= text.WIDTH
