# SPDX-License-Identifier: Apache-2.0
"""People are changed on the page by an administrator who gives their passphrase again, and by nobody else."""

from __future__ import annotations

import pytest

from radiomicnet_md import people
from tests import desks
from tests.web.conftest import Site

pytestmark = pytest.mark.verifies("SRS-PAG-012")
WRONG = "wrong words"
NEW = {"user": "vera", "name": "Vera Example", "role-reviewer": "1", "first": desks.FIRST, "again": desks.FIRST}


def change(site: Site, what: str, **fields: str) -> tuple[int, str]:
    answer = site.post("/people", None, **{"change": what, "passphrase": desks.OWN, **fields})
    return answer.status_code, answer.text


def test_each_change_is_a_record_that_the_administrators_key_signs(site: Site) -> None:
    site.sign_in("anna")
    size = site.desk.ledger.size
    assert change(site, "add", **NEW)[0] == 303
    assert change(site, "roles", user="vera", **{"role-qa": "1", "role-reader": "1"})[0] == 303
    assert change(site, "disable", user="rita")[0] == 303
    assert change(site, "enable", user="rita")[0] == 303
    assert change(site, "passphrase", user="rita", first=desks.OTHER, again=desks.OTHER)[0] == 303
    for _ in range(people.MOST_FAILURES):
        site.sign_in("quin", "wrong words", site.anew())
    assert change(site, "unlock", user="quin")[0] == 303
    now = people.roster(site.desk.ledger)
    assert (now["vera"].roles, now["vera"].must_change) == (("reader", "qa"), True)
    assert now["rita"].must_change
    assert not now["quin"].locked
    said = [site.desk.ledger.read(one).predicate for one in site.desk.ledger.entries(size)]
    changes = [(one["change"], one["by"]) for one in said if "change" in one and one["change"] != "sign-in"]
    assert [what for what, by in changes if by == "anna"] == [
        "added",
        "roles",
        "disabled",
        "enabled",
        "passphrase",
        "unlocked",
    ]


@pytest.mark.parametrize(
    ("what", "fields", "status", "code"),
    [
        ("add", {**NEW, "passphrase": WRONG}, 403, "E-SIGN-IN"),
        ("add", {**NEW, "again": desks.OTHER}, 400, "E-WEB-VALUE"),
        ("add", {**NEW, "user": "rita"}, 400, "E-USER-EXISTS"),
        ("add", {**NEW, "user": "<b>"}, 400, "E-USER-ID"),
        ("add", {**NEW, "role-reviewer": ""}, 400, "E-USER-ROLES"),
        ("add", {**NEW, "first": "short", "again": "short"}, 400, "E-USER-PASSPHRASE"),
        ("disable", {"user": "nobody"}, 400, "E-USER-UNKNOWN"),
        ("enable", {"user": "rita"}, 400, "E-USER-SAME"),
        ("promote", {"user": "rita"}, 400, "E-WEB-VALUE"),
    ],
)
def test_what_is_no_change_is_said_and_changes_nobody(
    site: Site, what: str, fields: dict[str, str], status: int, code: str
) -> None:
    site.sign_in("anna")
    before = people.roster(site.desk.ledger)
    got, text = change(site, what, **fields)
    assert (got, code in text) == (status, True), text
    after = people.roster(site.desk.ledger)
    assert {user: (one.roles, one.enabled, one.key) for user, one in after.items()} == {
        user: (one.roles, one.enabled, one.key) for user, one in before.items()
    }


def test_who_is_disabled_here_leaves_at_the_next_request(site: Site) -> None:
    rita = site.anew()
    site.sign_in("rita", desks.OWN, rita)
    assert rita.get("/", follow_redirects=False).status_code == 200
    site.sign_in("anna")
    assert change(site, "disable", user="rita")[0] == 303
    assert rita.get("/", follow_redirects=False).status_code == 303


def test_five_wrong_passphrases_lock_the_administrator_too(site: Site) -> None:
    site.sign_in("anna")
    for _ in range(people.MOST_FAILURES):
        change(site, "disable", user="rita", passphrase=WRONG)
    assert people.roster(site.desk.ledger)["anna"].locked
    assert people.roster(site.desk.ledger)["rita"].enabled
