# SPDX-License-Identifier: Apache-2.0
"""The form of a person's record, member by member, each change signed anew by those who may sign it."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from radiomicnet_md_audit import persons
from radiomicnet_md_audit.encoding import b64encode
from radiomicnet_md_audit.errors import IntegrityError
from radiomicnet_md_audit.persons import People, is_named, is_roles, outcome
from tests.audit import signers
from tests.audit.signers import key, person
from tests.audit.test_persons import ORIGIN, change, said

pytestmark = pytest.mark.verifies("SRS-SIG-004")

Document = dict[str, Any]
ANNA = person("anna", 2, "admin", must_change=False)
RITA = person("rita", 4, must_change=False)
MIKE = person("mike", 6)
ADDED = change("added", MIKE, "anna", 2, 6)


@pytest.fixture
def people() -> People:
    """An administrator (key 2) and a reviewer (key 4)."""
    made = People()
    for document in (
        change("added", person("anna", 1, "admin"), None, None, 1),
        change("passphrase", ANNA, "anna", 1, 2),
        change("added", person("rita", 3), "anna", 2, 3),
        change("passphrase", RITA, "rita", 3, 4),
    ):
        made.take(said(document), 1, ORIGIN)
    return made


def resigned(seeds: tuple[int, int] = (2, 6), **changes: object) -> Document:
    """The adding of a person with other members, signed by these keys as it then stands."""
    predicate = {**ADDED["predicate"], **changes}
    message = persons._message(ORIGIN, predicate)
    approvals = dict(zip(("by", "key"), seeds, strict=True))
    signed = {name: b64encode(key(seed).sign(message)) for name, seed in approvals.items()}
    return {**ADDED, "predicate": {**predicate, "approvals": changes.get("approvals", signed)}}


def _refused(people: People, document: Document, **more: object) -> None:
    before = dict(people.roster)
    with pytest.raises(IntegrityError) as caught:
        people.take(said(document, **more), 8, ORIGIN)
    assert caught.value.code == "E-USER-CHANGE"
    assert people.roster == before


def test_what_is_signed_anew_unchanged_is_taken(people: People) -> None:
    people.take(said(resigned()), 8, ORIGIN)
    assert people.roster["mike"] == MIKE


@pytest.mark.parametrize(
    "changes",
    [
        {"change": 1},
        {"change": "promoted"},
        {"change": ["added"]},
        {"user": 1},
        {"user": "m"},
        {"user": "m" * 33},
        {"user": "-mike"},
        {"user": "Mike"},
        {"user": "mike\n"},
        {"name": 1},
        {"name": ""},
        {"name": " Mike"},
        {"name": "Mike "},
        {"name": "Mi\nke"},
        {"name": "M" * 101},
        {"roles": "reviewer"},
        {"roles": {"reviewer": 1}},
        {"roles": []},
        {"roles": ["reviewer", 1]},
        {"roles": ["qa", "reviewer"]},
        {"enabled": 1},
        {"enabled": None},
        {"enabled": False},
        {"must_change": 1},
        {"must_change": False},
        {"ed25519": 1},
        {"ed25519": "xy" * 32},
        {"ed25519": MIKE.key.raw.hex().upper()},
        {"ed25519": " " + MIKE.key.raw.hex()},
        {"ed25519": MIKE.key.raw.hex()[:-2]},
        {"ed25519": MIKE.key.raw.hex() + "00"},
        {"ed25519": ""},
        {"by": 1},
        {"by": ["anna"]},
        {"by": "mike"},
        {"operator": None},
        {"stamps": None},
        {"more": None},
        {"approvals": None},
        {"approvals": []},
        {"approvals": {"by": None, "key": None}},
        {"approvals": {"by": 1, "key": 1}},
    ],
)
def test_another_form_is_refused_whoever_signed_it(people: People, changes: Document) -> None:
    _refused(people, resigned(**changes))


@pytest.mark.verifies("SRS-SIG-004", rc=("RC-029",))
def test_each_approval_is_of_its_own_key(people: People) -> None:
    good = ADDED["predicate"]["approvals"]
    for approvals in (
        {**good, "by": good["key"]},
        {**good, "key": good["by"]},
        {**good, "by": None},
        {**good, "key": None},
        {**good, "by": 1},
        {**good, "key": 1},
        {"by": good["by"]},
        {**good, "third": None},
    ):
        _refused(people, resigned(approvals=approvals))
    _refused(people, resigned((4, 6)))
    _refused(people, resigned((2, 5)))


def test_bounds_of_ids_and_names() -> None:
    for user in ("ab", "a" * 32, "9z", "a.b_c-d"):
        assert is_named(user, "N")
    for name in ("N", "N" * 100, "Nä 名"):
        assert is_named("ab", name)
    for user, name in (("a", "N"), ("a" * 33, "N"), (".a", "N"), ("ab", "N" * 101), ("ab", "N "), ("ab", "")):
        assert not is_named(user, name)


def test_roles_are_a_list_in_the_order_of_the_table() -> None:
    assert is_roles(["reader", "reviewer", "qa", "admin"])
    assert is_roles(("qa",))
    for other in ([], (), None, "reader", {"reader": 1}, ["reader", "reader"], ["admin", "qa"], ["owner"]):
        assert not is_roles(other)


@pytest.mark.verifies("SRS-SIG-002")
@pytest.mark.verifies("SRS-SIG-002", rc=("RC-030",))
def test_the_fifth_failure_is_the_one_that_locks() -> None:
    assert [outcome(replace(RITA, failures=count)) for count in range(7)] == [
        *["failed"] * 4,
        "locked",
        "failed",
        "failed",
    ]


@pytest.mark.verifies("SRS-SIG-002")
@pytest.mark.parametrize(
    "more",
    [
        {"user": 1},
        {"user": ["rita"]},
        {"outcome": None},
        {"operator": None},
        {"stamps": None},
        {"more": 1},
    ],
)
def test_an_attempt_of_another_form_is_refused(people: People, more: Document) -> None:
    with pytest.raises(IntegrityError) as caught:
        people.take(said(signers.attempted(1, "rita", "failed"), **more), 8, ORIGIN)
    assert caught.value.code == "E-SIGN-IN-RECORD"
    assert people.roster["rita"].failures == 0


@pytest.mark.verifies("SRS-SIG-002")
def test_a_failure_of_nobody_counts_for_nobody(people: People) -> None:
    before = dict(people.roster)
    people.take(said(signers.attempted(1, None, "failed")), 8, ORIGIN)
    assert people.roster == before


def test_what_a_person_may_takes_all_of_it() -> None:
    assert RITA.may("sign")
    assert not RITA.may("users")
    for other in (replace(RITA, enabled=False), replace(RITA, failures=5), replace(RITA, must_change=True)):
        assert not other.may("sign")
    assert replace(RITA, failures=4).may("sign")


def test_a_locked_administrator_could_change_nobody(people: People) -> None:
    assert people.could()
    for number in range(5):
        people.take(said(signers.attempted(1, "anna", "locked" if number == 4 else "failed")), 8, ORIGIN)
    assert not people.could()
    _refused(people, ADDED)
    people.take(said(change("added", MIKE, None, None, 6)), 9, ORIGIN)
    assert people.unsigned == [1, 9]


def test_a_disabled_person_does_not_even_change_their_passphrase(people: People) -> None:
    people.take(said(change("disabled", replace(RITA, enabled=False), "anna", 2)), 8, ORIGIN)
    _refused(people, change("passphrase", replace(RITA, enabled=False, key=key(7).public), "rita", 4, 7))
    _refused(people, change("disabled", replace(RITA, enabled=False), "anna", 2))


def test_a_copy_goes_its_own_way(people: People) -> None:
    copy = people.copy()
    copy.take(said(ADDED), 8, ORIGIN)
    assert ("mike" in copy.roster, "mike" in people.roster) == (True, False)
    assert copy.unsigned == people.unsigned == [1]
    people.take(said(change("added", person("lena", 9), "anna", 2, 9)), 8, ORIGIN)
    assert "lena" not in copy.roster
    for one in (people, copy):  # and knows the keys of before
        _refused(one, change("passphrase", replace(RITA, key=key(3).public), "rita", 4, 3))


def test_other_records_change_nobody(people: People) -> None:
    before = dict(people.roster)
    document = signers.put_down(ORIGIN, signers.signature(9, RITA, signers.Signed("2" * 26, 3, "e" * 64)), 4)
    people.take(said(document), 8, ORIGIN)
    assert people.roster == before
