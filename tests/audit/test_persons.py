# SPDX-License-Identifier: Apache-2.0
"""People are what the records say, each of which follows from those before it and is signed by who may make it."""

from __future__ import annotations

from dataclasses import replace
from typing import Any, cast

import pytest
from hypothesis import given
from hypothesis import strategies as st

from radiomicnet_md_audit import canonical, roles, statement
from radiomicnet_md_audit.errors import IntegrityError
from radiomicnet_md_audit.persons import CHANGES, MOST_FAILURES, People, Person, is_named, is_roles
from radiomicnet_md_audit.statement import LogPart, Statement
from tests.audit import signers
from tests.audit.signers import key, person

pytestmark = pytest.mark.verifies("SRS-SIG-004")

ORIGIN = "example.org/tests/log"
LOG = {"origin": ORIGIN, "producer": "0" * 64, "counter": 1, "time_utc": "2026-01-01T00:00:00.000000Z"}
Document = dict[str, Any]


def said(document: Document, **more: object) -> Statement:
    """A statement as the log completes it."""
    whole: Any = canonical.loads(canonical.dumps(document))
    whole["predicate"] |= {"log": {**LOG, "monotonic_ns": 1}, **more}
    return statement.parse(canonical.dumps(whole))


def change(what: str, after: Person, by: str | None, by_key: int | None, new_key: int | None = None) -> Document:
    return signers.changed(ORIGIN, 1, what, after, by, by_key, new_key)


@pytest.fixture
def people() -> People:
    """An administrator (key 2), a reviewer (key 4), and somebody new (key 5)."""
    made = People()
    for document in (
        change("added", person("anna", 1, "admin"), None, None, 1),
        change("passphrase", person("anna", 2, "admin", must_change=False), "anna", 1, 2),
        change("added", person("rita", 3), "anna", 2, 3),
        change("passphrase", person("rita", 4, must_change=False), "rita", 3, 4),
        change("added", person("newt", 5), "anna", 2, 5),
    ):
        made.take(said(document), 7, ORIGIN)
    return made


RITA, NEWT = person("rita", 4, must_change=False), person("newt", 5)
OFF, ANNA = replace(RITA, enabled=False), person("anna", 2, "admin", must_change=False)
GOOD: dict[str, Document] = {
    "disabled": change("disabled", OFF, "anna", 2),
    "roles": change("roles", replace(RITA, roles=("reviewer", "qa")), "anna", 2),
    "an own passphrase": change("passphrase", replace(RITA, key=key(6).public), "rita", 4, 6),
    "a passphrase for another": change("passphrase", replace(RITA, key=key(6).public, must_change=True), "anna", 2, 6),
    "a first passphrase": change("passphrase", replace(NEWT, key=key(6).public, must_change=False), "newt", 5, 6),
    "an administrator of herself": change("roles", replace(ANNA, roles=("reviewer", "admin")), "anna", 2),
}


@pytest.mark.parametrize("document", GOOD.values(), ids=GOOD.keys())
def test_what_an_administrator_or_the_person_may_do_is_taken(people: People, document: Document) -> None:
    people.take(said(document), 8, ORIGIN)
    user = cast("str", said(document).predicate["user"])
    after = people.roster[user]
    stated = {name: said(document).predicate[name] for name in ("name", "roles", "enabled", "must_change")}
    assert stated == {
        "name": after.name,
        "roles": list(after.roles),
        "enabled": after.enabled,
        "must_change": after.must_change,
    }
    assert after.key.raw.hex() == said(document).predicate["ed25519"]


def _with(document: Document, **more: object) -> Document:
    return {**document, "predicate": {**document["predicate"], **more}}


def _approved(document: Document, **more: object) -> Document:
    return _with(document, approvals={**document["predicate"]["approvals"], **more})


DISABLED = GOOD["disabled"]
BAD: dict[str, Document] = {
    "by a reviewer": change("roles", replace(RITA, roles=("admin",)), "rita", 4),
    "by nobody": change("disabled", OFF, None, None),
    "by nobody, signed": change("disabled", OFF, None, 2),
    "by somebody unknown": change("disabled", OFF, "mike", 9),
    "with another's key": change("disabled", OFF, "anna", 4),
    "with the administrator's former key": change("disabled", OFF, "anna", 1),
    "unsigned": change("disabled", OFF, "anna", None),
    "by a first passphrase": change("disabled", OFF, "newt", 5),
    "a passphrase by another reviewer": change("passphrase", replace(NEWT, key=key(6).public), "rita", 4, 6),
    "a passphrase without the new key's word": change("passphrase", replace(RITA, key=key(6).public), "rita", 4, None),
    "a passphrase with another key's word": change("passphrase", replace(RITA, key=key(6).public), "rita", 4, 7),
    "the same key again": change("passphrase", RITA, "rita", 4, 4),
    "a key of before": change("passphrase", replace(RITA, key=key(3).public), "rita", 4, 3),
    "another's key": change("passphrase", replace(RITA, key=key(2).public), "rita", 4, 2),
    "a foreign passphrase that need not be changed": change(
        "passphrase", replace(RITA, key=key(6).public), "anna", 2, 6
    ),
    "an own passphrase that must be changed": change(
        "passphrase", replace(RITA, key=key(6).public, must_change=True), "rita", 4, 6
    ),
    "added twice": change("added", replace(RITA, key=key(6).public, must_change=True), "anna", 2, 6),
    "added with a passphrase that need not be changed": change(
        "added", person("mike", 6, must_change=False), "anna", 2, 6
    ),
    "added disabled": change("added", person("mike", 6, enabled=False), "anna", 2, 6),
    "nobody is changed": change("disabled", replace(OFF, id="mike"), "anna", 2),
    "nothing is changed": change("enabled", RITA, "anna", 2),
    "the same roles": change("roles", RITA, "anna", 2),
    "unlocked who was not locked": change("unlocked", RITA, "anna", 2),
    "roles by the way": change("disabled", replace(OFF, roles=("admin",)), "anna", 2),
    "a name by the way": change("disabled", replace(OFF, name="Somebody Else"), "anna", 2),
    "a key by the way": change("disabled", replace(OFF, key=key(6).public), "anna", 2),
    "a key with a word by the way": change("disabled", replace(OFF, key=key(6).public), "anna", 2, 6),
    "a change of no list": change("promoted", RITA, "anna", 2),
    "a role of no list": change("roles", replace(RITA, roles=("owner",)), "anna", 2),
    "a role twice": change("roles", replace(RITA, roles=("reviewer", "reviewer")), "anna", 2),
    "roles out of order": change("roles", replace(RITA, roles=("qa", "reviewer")), "anna", 2),
    "no role": change("roles", replace(RITA, roles=()), "anna", 2),
    "an id of another form": change("added", person("Mike", 6), "anna", 2, 6),
    "an empty name": change("added", replace(person("mike", 6), name=""), "anna", 2, 6),
    "another record": _with(DISABLED, record_id="7" * 26),
    "another person": _with(DISABLED, user="newt"),
    "something more": _with(DISABLED, note="x"),
    "one approval more": _approved(DISABLED, key=DISABLED["predicate"]["approvals"]["by"]),
    "a third approval": _approved(DISABLED, other=None),
    "no approvals": _with(DISABLED, approvals={}),
    "an approval that is no base64": _approved(DISABLED, by="?"),
    "a key of no form": _with(DISABLED, ed25519="xy"),
    "a key in capitals": _with(DISABLED, ed25519=RITA.key.raw.hex().upper()),
    "a short key": _with(DISABLED, ed25519="00"),
    "a number for a truth value": _with(DISABLED, enabled=0),
}


@pytest.mark.parametrize("document", BAD.values(), ids=BAD.keys())
def test_any_other_change_is_refused_and_leaves_everybody_as_they_were(people: People, document: Document) -> None:
    before = dict(people.roster)
    with pytest.raises(IntegrityError) as caught:
        people.take(said(document), 8, ORIGIN)
    assert caught.value.code == "E-USER-CHANGE"
    assert people.roster == before


def test_a_change_of_another_log_is_none_here(people: People) -> None:
    with pytest.raises(IntegrityError):
        people.take(said(DISABLED), 8, "example.org/other")


def test_a_disabled_administrator_does_nothing_and_the_home_takes_over(people: People) -> None:
    people.take(said(change("disabled", replace(ANNA, enabled=False), "anna", 2)), 8, ORIGIN)
    with pytest.raises(IntegrityError):
        people.take(said(DISABLED), 9, ORIGIN)
    people.take(said(change("enabled", ANNA, None, None)), 9, ORIGIN)  # nobody could, so the keys of the log may
    assert people.unsigned == [7, 9]
    people.take(said(DISABLED), 10, ORIGIN)
    assert not people.roster["rita"].enabled


def _attempts(people: People, user: str | None, *outcomes: str) -> None:
    for outcome in outcomes:
        people.take(said(signers.attempted(1, user, outcome)), 8, ORIGIN)


@pytest.mark.verifies("SRS-SIG-002")
@pytest.mark.verifies("SRS-SIG-002", rc=("RC-030",))
def test_five_failures_in_a_row_lock_and_an_administrator_unlocks(people: People) -> None:
    _attempts(people, "rita", *["failed"] * 4, "succeeded", *["failed"] * 4)
    assert people.roster["rita"].may("sign")
    _attempts(people, "rita", "locked", "failed")
    locked = people.roster["rita"]
    assert (locked.locked, locked.may("sign"), locked.failures) == (True, False, 6)
    with pytest.raises(IntegrityError):  # nor does a locked person change anything
        people.take(said(GOOD["an own passphrase"]), 8, ORIGIN)
    people.take(said(change("unlocked", RITA, "anna", 2)), 8, ORIGIN)
    assert people.roster["rita"] == RITA


@pytest.mark.verifies("SRS-SIG-002")
@pytest.mark.parametrize(
    ("before", "user", "outcome"),
    [
        (0, "rita", "locked"),
        (3, "rita", "locked"),
        (4, "rita", "failed"),
        (0, "rita", "succeeded"),
        (5, "rita", "succeeded"),
        (5, "rita", "locked"),
        (0, "mike", "failed"),
        (0, None, "locked"),
        (0, None, "succeeded"),
        (0, "rita", "guessed"),
    ],
)
@pytest.mark.verifies("SRS-SIG-002", rc=("RC-030",))
def test_an_attempt_that_does_not_follow_is_refused(
    people: People, before: int, user: str | None, outcome: str
) -> None:
    _attempts(people, "rita", *["failed"] * min(before, 4), *["locked"] * (before - 4))
    held = dict(people.roster)
    with pytest.raises(IntegrityError) as caught:
        _attempts(people, user, outcome)
    assert caught.value.code == "E-SIGN-IN-RECORD"
    assert people.roster == held


@pytest.mark.verifies("SRS-SIG-002")
@pytest.mark.verifies("SRS-SIG-002", rc=("RC-030",))
def test_a_disabled_person_does_not_succeed(people: People) -> None:
    _attempts(people, "rita", "failed")
    people.take(said(DISABLED), 8, ORIGIN)
    with pytest.raises(IntegrityError):
        _attempts(people, "rita", "succeeded")


_USERS = ("anna", "rita", "mike")
_STEP = st.tuples(
    st.sampled_from((*CHANGES, "failed", "succeeded")),
    st.sampled_from(_USERS),
    st.sampled_from((None, *_USERS)),
    st.sampled_from([("admin",), ("reviewer",), ("reviewer", "admin")]),
)


@given(st.lists(_STEP, max_size=25))
def test_any_history_is_the_same_people_for_a_model_that_knows_no_record(
    steps: list[tuple[str, str, str | None, tuple[str, ...]]],
) -> None:
    """What is taken is what the rules of the module say, and every state is one that the rules allow."""
    people, seeds = People(), dict.fromkeys(_USERS, 0)
    model: dict[str, dict[str, Any]] = {}
    for number, (what, user, by, held) in enumerate(steps, 10):
        document = _step(people, seeds, number, (what, user, by, held))
        taken = True
        try:
            people.take(said(document), number, ORIGIN)
        except IntegrityError:
            taken = False
        assert taken == _follow(model, what, user, by, held), (what, user, by)
        if taken and what in ("added", "passphrase"):
            seeds[user] = number
        assert {
            one.id: {
                "roles": one.roles,
                "on": one.enabled,
                "first": one.must_change,
                "failures": one.failures,
            }
            for one in people.roster.values()
        } == model


def _step(
    people: People, seeds: dict[str, int], number: int, step: tuple[str, str, str | None, tuple[str, ...]]
) -> Document:
    """A record as an honest device would make it if everything were allowed."""
    what, user, by, held = step
    before = people.roster.get(user)
    if what in ("failed", "succeeded"):
        locks = what == "failed" and before is not None and before.failures + 1 == MOST_FAILURES
        return signers.attempted(number, user, "locked" if locks else what)
    whole = before or person(user, number, *held)
    after = {
        "added": lambda: person(user, number, *held),
        "disabled": lambda: replace(whole, enabled=False),
        "enabled": lambda: replace(whole, enabled=True),
        "roles": lambda: replace(whole, roles=held),
        "passphrase": lambda: replace(whole, key=key(number).public, must_change=by != user),
        "unlocked": lambda: whole,
    }[what]()
    new = number if what in ("added", "passphrase") else None
    return change(what, after, by, None if by is None else seeds[by], new)


def _follow(  # noqa: C901, PLR0911 -- the rules, one after the other, as a person would read them out
    model: dict[str, dict[str, Any]], what: str, user: str, by: str | None, held: tuple[str, ...]
) -> bool:
    one = model.get(user)
    if what in ("failed", "succeeded"):
        if one is None or (what == "succeeded" and not (one["on"] and 0 < one["failures"] < MOST_FAILURES)):
            return False
        one["failures"] = 0 if what == "succeeded" else one["failures"] + 1
        return True
    here = {name for name, other in model.items() if other["on"] and other["failures"] < MOST_FAILURES}
    if by is None and any("admin" in model[name]["roles"] for name in here):
        return False
    own = what == "passphrase" and by == user
    if by is not None and (by not in here or not (own or ("admin" in model[by]["roles"] and not model[by]["first"]))):
        return False
    if (one is None) is not (what == "added"):
        return False
    if one is None:
        model[user] = {"roles": held, "on": True, "first": True, "failures": 0}
        return True
    match what:
        case "disabled" | "enabled" if one["on"] == (what == "disabled"):
            one["on"] = not one["on"]
        case "roles" if one["roles"] != held:
            one["roles"] = held
        case "unlocked" if one["failures"] >= MOST_FAILURES:
            one["failures"] = 0
        case "passphrase":
            one["first"] = by != user
        case _:
            return False
    return True


def test_the_table_of_rights() -> None:
    table = {role: {action for action in roles.ACTIONS if roles.may([role], action)} for role in roles.ROLES}
    assert table == {
        "reader": {"read"},
        "reviewer": {"read", "sign", "replay"},
        "qa": {"read", "sign", "replay", "report", "hold", "qualify"},
        "admin": {"users", "keys"},
    }
    assert not roles.may(["owner"], "sign")
    assert roles.may(["admin", "reader"], "read")
    with pytest.raises(ValueError, match="signs"):
        roles.may(["qa"], "signs")


@given(st.text(max_size=40), st.text(max_size=110))
def test_an_id_can_be_a_file_name_and_a_name_can_be_printed(user: str, name: str) -> None:
    if is_named(user, name):
        assert user.isascii()
        assert "/" not in user
        assert not user.startswith(".")
        assert name.isprintable()


def test_a_log_part_is_needed() -> None:
    bare = Statement({}, statement.USER, {}, "0" * 26, LogPart(ORIGIN, "", 0, "", 0))
    with pytest.raises(IntegrityError):
        People().take(bare, 1, ORIGIN)
    assert not is_roles([])
