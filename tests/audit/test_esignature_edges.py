# SPDX-License-Identifier: Apache-2.0
"""What a signature says, against a person and a decision, without a log; and what a walk keeps of earlier entries."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from radiomicnet_md_audit import canonical, dsse, esignature, statement
from radiomicnet_md_audit.attested import Attested
from radiomicnet_md_audit.errors import IntegrityError
from radiomicnet_md_audit.esignature import Signature, Signed, Subject
from radiomicnet_md_audit.policy import Policy
from radiomicnet_md_audit.statement import Statement
from radiomicnet_md_audit.verify import SIGNED, Walk
from tests.audit import signers, small_logs
from tests.audit.signers import key, person
from tests.audit.small_logs import ORIGIN
from tests.audit.test_persons import said

pytestmark = pytest.mark.verifies("SRS-SIG-001", "SRS-SIG-006")

RITA = person("rita", 4, "reviewer", "qa", must_change=False)
ABOUT = Subject(Signed("2" * 26, 3, "e" * 64), "uid:0", "2026-01-01T00:00:00.000000Z")
GOOD = signers.signature(9, RITA, ABOUT.signed)
Document = dict[str, Any]


def put(one: Signature = GOOD, seed: int = 4, origin: str = ORIGIN, **changes: object) -> Statement:
    """The record of a signature, with members that are changed after it was signed."""
    return said(signers.put_down(origin, one, seed), **changes)


def test_an_honest_signature_is_read_as_it_was_made() -> None:
    for one in (
        GOOD,
        replace(GOOD, meaning="reject", reason="x" * 1000),
        replace(GOOD, meaning="override", reason="ä"),
        replace(GOOD, reason="fine", shown=tuple((f"n{n:02d}", "0" * 64) for n in range(64))),
        replace(GOOD, time_utc=ABOUT.time_utc),
    ):
        record = put(one)
        assert esignature.parse(record) == one
        assert esignature.check(record, RITA, ABOUT, ORIGIN) == one
        assert {name: record.predicate[name] for name in one.document()} == one.document()


def _code(record: Statement, who: Any = RITA, about: Subject | None = ABOUT) -> str:  # noqa: ANN401
    with pytest.raises(IntegrityError) as caught:
        esignature.check(record, who, about, ORIGIN)
    assert caught.value.remedy == "Count this signature as none, and compare the log with earlier exports."
    return caught.value.code


@pytest.mark.parametrize(
    "changes",
    [
        {"record_id": 1},
        {"operator": None},
        {"stamps": None},
        {"signed": None},
        {"signed": {**ABOUT.signed._asdict(), "more": 1}},
        {"signed": {**ABOUT.signed._asdict(), "log_index": True}},
        {"signed": {**ABOUT.signed._asdict(), "log_index": "3"}},
        {"signed": {**ABOUT.signed._asdict(), "record_id": 2}},
        {"signed": {**ABOUT.signed._asdict(), "envelope_sha256": 1}},
        {"signed": {**ABOUT.signed._asdict(), "log_index": 0}},
        {"signed": {**ABOUT.signed._asdict(), "log_index": -1}},
        {"signed": {**ABOUT.signed._asdict(), "record_id": "u" * 26}},
        {"signed": {**ABOUT.signed._asdict(), "envelope_sha256": "f" * 64}},  # not the subject
        {"user": None},
        {"name": None},
        {"roles": None},
        {"roles": ["reviewer", 1]},
        {"keyid": None},
        {"meaning": None},
        {"reason": 1},
        {"time_utc": None},
        {"time_utc": "2099-01-01T00:00:00Z"},
        {"time_utc": GOOD.time_utc + " "},
        {"shown": None},
        {"shown": [1]},
        {"shown": [{"name": 1, "sha256": "0" * 64}]},
        {"shown": [{"name": "a"}]},
        {"shown": [{"name": "a", "sha256": 1}]},
        {"shown": [{"name": "a", "sha256": "0" * 64, "size": 1}]},
        {"shown": [{"name": "a", "sha256": "0" * 64}] * 2},
        {"shown": [{"name": "b", "sha256": "0" * 64}, {"name": "a", "sha256": "0" * 64}]},
        {"shown": [{"name": "-a", "sha256": "0" * 64}]},
        {"shown": [{"name": "a" * 65, "sha256": "0" * 64}]},
        {"shown": [{"name": "a", "sha256": "A" * 64}]},
        {"shown": [{"name": "a", "sha256": "0" * 65}]},
        {"shown": [{"name": f"n{n:02d}", "sha256": "0" * 64} for n in range(65)]},
        {"shown": []},
        {"signature": None},
        {"more": 1},
    ],
)
def test_another_form_is_refused(changes: Document) -> None:
    if "record_id" in changes:  # not even a record
        with pytest.raises(IntegrityError):
            put(**changes)
        return
    assert _code(put(**changes)) == "E-SIG-FORM"


@pytest.mark.parametrize(
    ("meaning", "reason"),
    [
        ("seen", None),
        ("", None),
        ("reject", None),
        ("override", None),
        ("approve", ""),
        ("reject", " x"),
        ("reject", ""),
    ],
)
def test_a_meaning_is_of_the_list_and_has_its_reason(meaning: str, reason: str | None) -> None:
    assert _code(put(replace(GOOD, meaning=meaning, reason=reason))) == "E-SIG-MEANING"
    assert _code(put(replace(GOOD, meaning="reject", reason="x" * 1001))) == "E-SIG-MEANING"
    assert _code(put(replace(GOOD, meaning="reject", reason="a\tb"))) == "E-SIG-MEANING"


@pytest.mark.parametrize(
    "who",
    [
        None,
        replace(RITA, enabled=False),
        replace(RITA, failures=5),
        replace(RITA, must_change=True),
        replace(RITA, roles=("reader", "admin")),
        replace(RITA, roles=("reviewer",)),
        replace(RITA, name="Rita Other"),
        replace(RITA, key=key(5).public),
    ],
)
@pytest.mark.verifies("SRS-SIG-001", rc=("RC-029",))
def test_the_person_is_of_that_state_name_roles_and_key(who: object) -> None:
    assert _code(put(), who) == "E-SIG-PERSON"


def test_four_failures_do_not_void_a_signature() -> None:
    assert esignature.check(put(), replace(RITA, failures=4), ABOUT, ORIGIN) == GOOD


@pytest.mark.parametrize(
    "changes",
    [
        {"meaning": "reject", "reason": "x"},
        {"reason": "x"},
        {"time_utc": "2099-01-01T00:00:00.000001Z"},
        {"shown": [{"name": "overlay.png", "sha256": "4" * 64}]},
        {"signature": "AAAA"},
        {"signature": "?"},
        {"signature": ""},
    ],
)
@pytest.mark.verifies("SRS-SIG-001", rc=("RC-029",))
def test_each_member_is_under_the_signature(changes: Document) -> None:
    assert _code(put(**changes)) == "E-SIG-SIGNATURE"


def test_log_record_and_key_are_under_the_signature() -> None:
    assert _code(put(origin="example.org/other")) == "E-SIG-SIGNATURE"
    assert _code(put(record_id="7" * 26)) == "E-SIG-SIGNATURE"
    assert _code(put(seed=5)) == "E-SIG-SIGNATURE"


@pytest.mark.parametrize(
    "about",
    [
        None,
        ABOUT._replace(signed=ABOUT.signed._replace(record_id="3" * 26)),
        ABOUT._replace(signed=ABOUT.signed._replace(log_index=4)),
        ABOUT._replace(signed=ABOUT.signed._replace(envelope_sha256="f" * 64)),
    ],
)
def test_the_decision_is_the_one_at_its_place(about: Subject | None) -> None:
    assert _code(put(), about=about) == "E-SIG-SUBJECT"


def test_an_author_rejects_and_does_nothing_else() -> None:
    for operator in ("rita", "Rita"):
        mine = ABOUT._replace(operator=operator)
        for meaning in ("approve", "override"):
            assert _code(put(replace(GOOD, meaning=meaning, reason="x")), about=mine) == "E-SIG-AUTHOR"
        assert esignature.check(put(replace(GOOD, meaning="reject", reason="x")), RITA, mine, ORIGIN)
    for operator in ("rit", "rita2", ""):
        assert esignature.check(put(), RITA, ABOUT._replace(operator=operator), ORIGIN) == GOOD


@pytest.mark.verifies("SRS-SIG-001", rc=("RC-029",))
def test_a_signature_is_not_older() -> None:
    younger = ABOUT._replace(time_utc="2099-01-01T00:00:00.000001Z")
    assert _code(put(), about=younger) == "E-SIG-TIME"


def test_the_in_toto_subject_is_the_decision_alone() -> None:
    document = signers.put_down(ORIGIN, GOOD, 4)
    digest = {"sha256": ABOUT.signed.envelope_sha256}
    for subjects in (
        [{"name": "other", "digest": digest}],
        [{"name": "record", "digest": {"sha256": "0" * 64}}],
        [{"name": "record", "digest": digest}] * 2,
    ):
        assert _code(said({**document, "subject": subjects})) == "E-SIG-FORM"


def _entry(state: object, kind: str = statement.DECISION, operator: object = "uid:0") -> Statement:
    payload = dsse.parse_unverified(small_logs.entry(3, kind=kind, state=state, operator=operator)).payload
    return statement.parse(payload)


def test_what_can_be_signed() -> None:
    for state in ("RESULT", "REFUSED"):
        entry = _entry(state)
        assert esignature.subject(3, "e" * 64, entry) == Subject(
            Signed(entry.record_id, 3, "e" * 64), "uid:0", entry.log.time_utc
        )
    nameless = [esignature.subject(3, "", _entry("RESULT", operator=operator)) for operator in (None, 7)]
    assert [one and one.operator for one in nameless] == ["", ""]
    for other in (_entry("ERROR"), _entry(None), _entry("RESULT", statement.REPLAY)):
        assert esignature.subject(3, "", other) is None


# -- the walk ----------------------------------------------------------------------------------------------------------


class Walked:
    """A walk over small entries that the engine has signed."""

    def __init__(self) -> None:
        self.walk, self.count = Attested(), 0
        self.envelopes: list[bytes] = []

    def add(self, record: Statement | bytes | None) -> str | None:
        """Take an entry; return the code of what does not hold."""
        envelope = record if isinstance(record, bytes) else b"%d" % self.count
        parsed = statement.parse(dsse.parse_unverified(record).payload) if isinstance(record, bytes) else record
        self.count += 1
        self.envelopes.append(envelope)
        problem = self.walk.take(envelope, parsed, ORIGIN)
        return None if problem is None else problem.code

    def signed(self, index: int) -> Signed:
        """A decision as a signature names it."""
        envelope = self.envelopes[index]
        identity = statement.parse(dsse.parse_unverified(envelope).payload).record_id
        return Signed(identity, index, hashlib.sha256(envelope).hexdigest())


@pytest.fixture
def walked() -> Walked:
    """The genesis, decisions by several operators, an entry that says nothing, and Rita, added by nobody."""
    made = Walked()
    for index, operator in enumerate(("", "uid:0", "rita", "uid:7", "uid:0")):
        made.add(small_logs.entry(index, operator=operator))
    made.add(None)
    for change in (
        signers.changed(ORIGIN, 1, "added", person("rita", 3, "reviewer", "qa"), None, None, 3),
        signers.changed(ORIGIN, 2, "passphrase", RITA, "rita", 3, 4),
    ):
        assert made.add(said(change)) is None
    return made


def test_each_decision_is_found_again_with_its_operator(walked: Walked) -> None:
    assert walked.walk.claim() == (
        True,
        "None. People were changed with the keys of the log alone by entries 6.",
    )
    for index, code in ((1, None), (2, "E-SIG-AUTHOR"), (3, None), (4, None)):
        assert walked.add(put(replace(GOOD, signed=walked.signed(index)))) == code
    assert walked.walk.claim() == (
        False,
        "1 findings in records of people and signatures; 3 signatures hold.",
    )


def test_the_entry_right_before_it_can_be_signed(walked: Walked) -> None:
    walked.add(small_logs.entry(8))
    assert walked.add(put(replace(GOOD, signed=walked.signed(8)))) is None


ELSEWHERE: dict[str, Callable[[Signed], Signed]] = {
    "the genesis": lambda signed: signed._replace(log_index=0),
    "another decision": lambda signed: signed._replace(log_index=2),
    "what says nothing": lambda signed: signed._replace(log_index=5),
    "a change of a person": lambda signed: signed._replace(log_index=6),
    "what says nothing, as it is kept": lambda _: Signed("0" * 26, 5, "0" * 64),
    "a change of a person, as it is kept": lambda _: Signed("0" * 26, 6, "0" * 64),
    "itself": lambda signed: signed._replace(log_index=8),
    "the entry after it": lambda signed: signed._replace(log_index=9),
    "far away": lambda signed: signed._replace(log_index=2**53 - 1),
}


@pytest.mark.parametrize("other", ELSEWHERE.values(), ids=ELSEWHERE.keys())
def test_no_other_place_is_the_decision(walked: Walked, other: Callable[[Signed], Signed]) -> None:
    signed = other(walked.signed(1))
    code = "E-SIG-FORM" if signed.log_index == 0 else "E-SIG-SUBJECT"
    assert walked.add(put(replace(GOOD, signed=signed))) == code


def test_the_claim_counts_meanings_and_people(walked: Walked) -> None:
    signed = walked.signed(1)
    for meaning in ("approve", "override", "override"):
        assert walked.add(put(replace(GOOD, signed=signed, meaning=meaning, reason="x"))) is None
    held, text = walked.walk.claim() or (None, "")
    assert held
    assert text.startswith("3 (1 approve, 2 override), each by an enabled person's own key with a right to sign then, ")
    assert text.endswith(" people who signed: 1. People were changed with the keys of the log alone by entries 6.")
    lena = person("lena", 31, must_change=False)
    for change in (
        signers.changed(ORIGIN, 4, "added", person("lena", 30), None, None, 30),
        signers.changed(ORIGIN, 5, "passphrase", lena, "lena", 30, 31),
    ):
        assert walked.add(said(change)) is None
    assert walked.add(put(signers.signature(9, lena, signed), 31)) is None
    assert " people who signed: 2. " in (walked.walk.claim() or (None, ""))[1]
    anna = person("anna", 20, "admin")
    assert walked.add(said(signers.changed(ORIGIN, 3, "added", anna, None, None, 20))) is None
    assert (walked.walk.claim() or (None, ""))[1].endswith("by entries 6, 11, 14.")


def test_a_log_without_people_makes_no_claim() -> None:
    made = Walked()
    assert made.add(small_logs.entry(0)) is None
    assert made.walk.claim() is None
    assert made.add(put()) == "E-SIG-PERSON"
    assert (made.walk.claim() or (True, ""))[0] is False


def test_a_record_of_a_person_that_does_not_hold_is_one_finding(walked: Walked) -> None:
    thief = person("anna", 20, "admin")
    assert walked.add(said(signers.changed(ORIGIN, 3, "added", thief, "rita", 4, 20))) == "E-USER-CHANGE"
    assert walked.add(said(signers.attempted(4, "mike", "failed"))) == "E-SIGN-IN-RECORD"
    assert walked.add(said(signers.attempted(5, None, "failed"))) is None
    assert walked.walk.wrong == 2
    assert canonical.dumps(list(walked.walk.people.roster)) == b'["rita"]'


# -- the walk that every verification makes ----------------------------------------------------------------------------


def _sealed(document: Document, index: int) -> bytes:
    part = statement.parse(dsse.parse_unverified(small_logs.entry(index)).payload).log
    whole = {**document, "predicate": {**document["predicate"], "log": vars(part)}}
    return dsse.seal(canonical.dumps(whole), dsse.STATEMENT_TYPE, small_logs.ENGINE)


def _log(signed_origin: str = ORIGIN) -> list[small_logs.Pair]:
    """A genesis, a decision, Rita, and her signature."""
    entries = [small_logs.entry(0), small_logs.entry(1)]
    decision = statement.parse(dsse.parse_unverified(entries[1]).payload).record_id
    about = Signed(decision, 1, hashlib.sha256(entries[1]).hexdigest())
    for document in (
        signers.changed(ORIGIN, 1, "added", person("rita", 3, "reviewer", "qa"), None, None, 3),
        signers.changed(ORIGIN, 2, "passphrase", RITA, "rita", 3, 4),
        signers.put_down(signed_origin, replace(GOOD, signed=about), 4),
    ):
        entries.append(_sealed(document, len(entries)))
    return small_logs.log(entries)


def _walk(pairs: list[small_logs.Pair], *, signatures: bool = True, policy: Policy | None = None) -> Walk:
    walk = Walk(policy, None, signatures=signatures)
    for envelope, note in pairs:
        walk.feed(envelope, note)
    return walk


def test_the_walk_makes_the_claim_after_the_others() -> None:
    walk = _walk(_log())
    assert [claim.name for claim in walk.claims()][3:] == [SIGNED]
    assert walk.claims()[3].ok
    assert walk.findings() == ()


def test_what_does_not_hold_is_a_finding_of_its_own_and_no_other_claim_fails() -> None:
    walk = _walk(_log("example.org/other"))
    assert [claim.ok for claim in walk.claims()] == [True, None, None, False]
    assert [(found.index, found.code) for found in walk.findings()] == [(4, "E-SIG-SIGNATURE")]


def test_the_policy_names_the_log_where_the_genesis_does_not() -> None:
    walk = _walk([(b"no entry", ""), *_log()[1:]], policy=small_logs.POLICY)
    assert "E-SIG-SIGNATURE" not in {found.code for found in walk.findings()}
    assert "E-USER-CHANGE" not in {found.code for found in walk.findings()}


def test_structure_alone_looks_at_no_signature() -> None:
    walk = _walk(_log("example.org/other"), signatures=False)
    assert walk.findings() == ()
    assert SIGNED not in [claim.name for claim in walk.claims()]
