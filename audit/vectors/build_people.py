# SPDX-License-Identifier: Apache-2.0
# ruff: noqa: INP001 -- a script beside its data, not a module
"""Rebuild the vectors of people, sign-ins and signatures: ``python audit/vectors/build_people.py``.

``people.json`` has the first entries of a log (``log``) and, case by case, the entries that come after them. A verifier
takes the first ones without a finding and then accepts, or refuses, the last entry of the case for the reason it names.
Keys come from published seeds; a second run changes nothing.
"""

from __future__ import annotations

import hashlib
import json
import runpy
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

from radiomicnet_md_audit import canonical, dsse, policy, sign, statement
from radiomicnet_md_audit.checkpoint import LogKeys
from radiomicnet_md_audit.clock import Instant
from radiomicnet_md_audit.esignature import Signature, Signed
from radiomicnet_md_audit.persons import Change, Person
from radiomicnet_md_audit.qualification import Installation, Qualification

HERE = Path(__file__).resolve().parent
_BUILD = runpy.run_path(str(HERE / "build.py"))
ENGINE_SEED, LOG_SEED, ORIGIN, START = (_BUILD[name] for name in ("ENGINE_SEED", "LOG_SEED", "ORIGIN", "START"))
ENGINE = sign.from_seed(ENGINE_SEED)
ABOUT = {"operator": "uid:0", "stamps": []}
LATER = Instant(START + timedelta(hours=1), 1).text()
SHOWN = (("overlay.png", "5" * 64),)

Document = dict[str, Any]
Refused = dict[str, tuple[list[Document], str]]


def key(number: int) -> sign.SigningKey:
    """The person's key of this number: its seed is 32 times the byte 100 + number."""
    return sign.from_seed(bytes([100 + number]) * 32)


def _identity(number: int) -> str:
    return statement.record_id(bytes([number]) * 16)


class Log:
    """Entries one after the other, each signed by the engine."""

    def __init__(self, envelopes: tuple[str, ...] = ()) -> None:
        """Begin with these entries."""
        self.envelopes = list(envelopes)

    def add(self, document: Document) -> None:
        """Add a record as the log completes it."""
        index = len(self.envelopes)
        moment = Instant(START + timedelta(seconds=index), index)
        part = {"origin": ORIGIN, "producer": ENGINE.public.keyid, "counter": index}
        part |= {"time_utc": moment.text(), "monotonic_ns": moment.monotonic_ns}
        whole = {**document, "predicate": {**document["predicate"], "log": part}}
        self.envelopes.append(dsse.seal(canonical.dumps(whole), dsse.STATEMENT_TYPE, ENGINE).decode())

    def named(self, index: int) -> Signed:
        """The entry at a place, as a signature names it."""
        envelope = self.envelopes[index].encode()
        said = statement.parse(dsse.parse_unverified(envelope).payload)
        return Signed(said.record_id, index, hashlib.sha256(envelope).hexdigest())


def _changed(  # noqa: PLR0913 -- the parts of a change
    number: int, what: str, after: Person, by: str | None, by_key: int | None, new: int | None
) -> Document:
    keys = [None if one is None else key(one) for one in (by_key, new)]
    said = Change(what, after, by).predicate(ORIGIN, _identity(number), *keys)
    return statement.build(statement.USER, {"key": after.key.keyid}, {**said, **ABOUT})


def _attempt(number: int, user: str | None, outcome: str) -> Document:
    said = {"record_id": _identity(number), "user": user, "outcome": outcome, **ABOUT}
    return statement.build(statement.SIGN_IN, {"user": hashlib.sha256(str(user).encode()).hexdigest()}, said)


def _signature(said: Signature, by: int, origin: str = ORIGIN, **changes: object) -> Document:
    predicate = {**said.predicate(origin, key(by)), **ABOUT, **changes}
    return statement.build(statement.SIGNATURE, {"record": said.signed.envelope_sha256}, predicate)


ANNA = Person("anna", "Anna Berg", ("admin",), enabled=True, must_change=False, key=key(2).public)
RITA = Person("rita", "Rita Sol", ("reviewer", "qa"), enabled=True, must_change=False, key=key(4).public)
FIRST_ANNA = replace(ANNA, must_change=True, key=key(1).public)
FIRST_RITA = replace(RITA, must_change=True, key=key(3).public)


def _beginning() -> Log:
    """The genesis, a decision, another by the reviewer to come, an administrator, and that reviewer."""
    log, keys = Log(), LogKeys(sign.from_seed(LOG_SEED)).public(ORIGIN)
    genesis = {"record_id": _identity(0), **policy.genesis_predicate(ORIGIN, keys, ENGINE.public)}
    log.add(statement.build(statement.GENESIS, {ORIGIN: hashlib.sha256(keys[0].vkey().encode()).hexdigest()}, genesis))
    for number, operator in ((1, "uid:0"), (2, "rita")):
        said = {"record_id": _identity(number), "state": "RESULT", "request_id": f"r{number}", "operator": operator}
        log.add(statement.build(statement.DECISION, {"input": f"{number:064x}"}, said))
    log.add(_changed(3, "added", FIRST_ANNA, None, None, 1))
    log.add(_changed(4, "passphrase", ANNA, "anna", 1, 2))
    log.add(_changed(5, "added", FIRST_RITA, "anna", 2, 3))
    log.add(_changed(6, "passphrase", RITA, "rita", 3, 4))
    return log


def _qualified(**changes: object) -> Document:
    seen = Installation(
        {"version": "1.2.3", "sha256": "1" * 64},
        {"sha256": "2" * 64, "python": "3.11.2"},
        {"id": "example", "version": "1.0.0", "manifest_sha256": "3" * 64},
        {"numpy": "4" * 64},
    )
    files = (("report.html", "6" * 64), ("report.json", "7" * 64))
    one = Qualification("iq", LATER, "PLT-001", "8" * 64, seen, 3, {"IQ-004": "NOT APPLICABLE"}, files)
    said = {**one.predicate(), "record_id": _identity(40), **ABOUT, **changes}
    return statement.build(statement.QUALIFICATION, {"report": "7" * 64}, said)


def _qualifications(log: Log, said: Signature) -> tuple[dict[str, list[Document]], Refused]:
    """Qualifications and signatures on them that hold, and that do not; ``said`` is a signature on a decision."""

    def signed(document: Document, **changes: Any) -> Document:  # noqa: ANN401 -- the parts of a signature
        longer = Log(tuple(log.envelopes))
        longer.add(document)
        about = longer.named(len(log.envelopes))
        return _signature(replace(said, **{"signed": about, "meaning": "qualify", **changes}), 4)

    passed, failed = _qualified(), _qualified(verdict="FAIL", not_passed={"IQ-002": "FAIL"})
    reviewer = replace(RITA, roles=("reviewer",))
    accept = {"a qualification, signed": [passed, signed(passed)], "a qualification that failed": [failed]}
    less = _changed(8, "roles", reviewer, "anna", 2, None)
    return accept, {
        "a failed qualification, signed": ([failed, signed(failed)], "E-SIG-SUBJECT"),
        "a qualification approved like a decision": ([passed, signed(passed, meaning="approve")], "E-SIG-SUBJECT"),
        "a decision signed like a qualification": (
            [_signature(replace(said, meaning="qualify"), 4)],
            "E-SIG-SUBJECT",
        ),
        "a qualification signed by a reviewer": ([passed, less, signed(passed, roles=("reviewer",))], "E-SIG-PERSON"),
        "a verdict that the counts deny": ([_qualified(not_passed={"IQ-002": "FAIL"})], "E-QUALIFICATION-FORM"),
        "a pass of nothing": ([_qualified(passed=0)], "E-QUALIFICATION-FORM"),
        "a qualification that says more": ([_qualified(more=1)], "E-QUALIFICATION-FORM"),
    }


def people_vectors() -> dict[str, object]:
    """Honest records after that beginning, and those that do not hold."""
    log = _beginning()
    said = Signature(
        _identity(9), log.named(1), "rita", RITA.name, RITA.roles, RITA.key.keyid, "approve", None, LATER, SHOWN
    )
    off = _changed(7, "disabled", replace(RITA, enabled=False), "anna", 2, None)
    locked = [_attempt(20 + n, "rita", "locked" if n == 4 else "failed") for n in range(5)]  # noqa: PLR2004 -- the fifth
    other = _signature(said, 4)
    lifted = {**other, "predicate": {**other["predicate"], "signed": log.named(2)._asdict()}}
    lifted["subject"] = [{"name": "record", "digest": {"sha256": log.named(2).envelope_sha256}}]
    reject = replace(said, meaning="reject", reason="the outline stops short")
    accept = {
        "an approval": [_signature(said, 4)],
        "a rejection with a reason": [_signature(reject, 4)],
        "a rejection by the author": [_signature(replace(reject, signed=log.named(2)), 4)],
        "four failures and a success": [*locked[:4], _attempt(30, "rita", "succeeded"), _signature(said, 4)],
        "a failure of somebody unknown": [_attempt(30, None, "failed")],
        "locked and unlocked": [*locked, _changed(8, "unlocked", RITA, "anna", 2, None), _signature(said, 4)],
        "signed, then disabled": [_signature(said, 4), off],
        "a change by nobody where no administrator is left": [
            _changed(7, "disabled", replace(ANNA, enabled=False), "anna", 2, None),
            _changed(8, "enabled", ANNA, None, None, None),
        ],
    }
    refuse: Refused = {
        "lifted to another decision": ([lifted], "E-SIG-SIGNATURE"),
        "another meaning": ([_signature(said, 4, meaning="override", reason="x")], "E-SIG-SIGNATURE"),
        "another picture": ([_signature(said, 4, shown=[{"name": "a", "sha256": "4" * 64}])], "E-SIG-SIGNATURE"),
        "made for another log": ([_signature(said, 4, "example.org/other")], "E-SIG-SIGNATURE"),
        "by another's key": ([_signature(said, 2)], "E-SIG-SIGNATURE"),
        "with a key of before": ([_signature(replace(said, keyid=FIRST_RITA.key.keyid), 3)], "E-SIG-PERSON"),
        "another printed name": ([_signature(replace(said, name="Rita Other"), 4)], "E-SIG-PERSON"),
        "a role that the person has not": ([_signature(replace(said, roles=("qa",)), 4)], "E-SIG-PERSON"),
        "by a disabled person": ([off, _signature(said, 4)], "E-SIG-PERSON"),
        "by a locked person": ([*locked, _signature(said, 4)], "E-SIG-PERSON"),
        "by somebody who was not added": ([_signature(replace(said, user="mike"), 4)], "E-SIG-PERSON"),
        "an approval by the author": ([_signature(replace(said, signed=log.named(2)), 4)], "E-SIG-AUTHOR"),
        "older than its decision": ([_signature(replace(said, time_utc="2020" + LATER[4:]), 4)], "E-SIG-TIME"),
        "about no decision": ([_signature(replace(said, signed=log.named(4)), 4)], "E-SIG-SUBJECT"),
        "about an entry to come": (
            [_signature(replace(said, signed=said.signed._replace(log_index=7)), 4)],
            "E-SIG-SUBJECT",
        ),
        "a meaning that is not in the list": ([_signature(replace(said, meaning="seen"), 4)], "E-SIG-MEANING"),
        "a rejection without a reason": ([_signature(replace(said, meaning="reject"), 4)], "E-SIG-MEANING"),
        "nothing shown": ([_signature(replace(said, shown=()), 4)], "E-SIG-FORM"),
        "an unknown member": ([_signature(said, 4, more=1)], "E-SIG-FORM"),
        "a role given by the person": (
            [_changed(7, "roles", replace(RITA, roles=("admin",)), "rita", 4, None)],
            "E-USER-CHANGE",
        ),
        "a change by nobody beside an administrator": (
            [_changed(7, "disabled", replace(RITA, enabled=False), None, None, None)],
            "E-USER-CHANGE",
        ),
        "a change with another's key": (
            [_changed(7, "disabled", replace(RITA, enabled=False), "anna", 4, None)],
            "E-USER-CHANGE",
        ),
        "a key that comes back": (
            [_changed(7, "passphrase", replace(RITA, key=key(3).public), "rita", 4, 3)],
            "E-USER-CHANGE",
        ),
        "a new key without its own word": (
            [_changed(7, "passphrase", replace(RITA, key=key(5).public), "rita", 4, None)],
            "E-USER-CHANGE",
        ),
        "a passphrase by another that need not be changed": (
            [_changed(7, "passphrase", replace(RITA, key=key(5).public), "anna", 2, 5)],
            "E-USER-CHANGE",
        ),
        "locked at the third failure": (
            [*locked[:2], _attempt(30, "rita", "locked")],
            "E-SIGN-IN-RECORD",
        ),
        "a locked person who succeeds": ([*locked, _attempt(30, "rita", "succeeded")], "E-SIGN-IN-RECORD"),
        "a success without a failure": ([_attempt(30, "rita", "succeeded")], "E-SIGN-IN-RECORD"),
    }
    qualified, unqualified = _qualifications(log, said)
    accept |= qualified
    refuse |= unqualified
    return {
        "origin": ORIGIN,
        "ed25519": ENGINE.public.raw.hex(),
        "log": log.envelopes,
        "accept": [{"name": name, "then": _after(log, records)} for name, records in accept.items()],
        "reject": [
            {"name": name, "then": _after(log, records), "code": code} for name, (records, code) in refuse.items()
        ],
    }


def _after(log: Log, records: list[Document]) -> list[str]:
    made = Log(tuple(log.envelopes))
    for document in records:
        made.add(document)
    return made.envelopes[len(log.envelopes) :]


def main() -> None:
    """Write the file."""
    text = json.dumps(people_vectors(), indent=1, ensure_ascii=True)
    (HERE / "people.json").write_text(text + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
