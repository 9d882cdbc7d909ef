# SPDX-License-Identifier: Apache-2.0
"""Every route with every role is what the table says; no cookie, token or form of another time or place opens one."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import pytest
from fastapi.routing import APIRoute

from radiomicnet_md import home as homes
from radiomicnet_md import people
from radiomicnet_md.people import tokens
from radiomicnet_md.web import access, api, comparing, entrance, pages, printing, signing, staff
from radiomicnet_md.web.sessions import IDLE_S, LONGEST_S, Rate, Session, Sessions
from radiomicnet_md_audit import sign
from radiomicnet_md_audit.keychange import Role
from tests import desks
from tests.web.conftest import ROLES, Site

pytestmark = pytest.mark.verifies("SRS-PAG-008")
COOKIE = "radiomicnet-md"


def _concrete(site: Site, route: str) -> str:
    digest = site.house.open(site.cases.result).predicate["outputs"]["mask_sha256"]
    values = {"record_id": site.cases.result, "one": site.cases.result, "other": site.cases.again, "digest": digest}
    values |= {"row": "1", "column": "1", "name": "style.css" if route.startswith("/static") else "image"}
    return re.sub(r"\{(\w+)\}", lambda found: values[found.group(1)], route)


def _routes() -> Iterator[tuple[str, str]]:
    for module in (entrance, staff, pages, printing, comparing, signing, api):
        for route in module.router.routes:
            assert isinstance(route, APIRoute)
            yield from ((method, route.path) for method in route.methods)


def test_the_table_has_every_route_of_the_application_and_no_other() -> None:
    assert sorted(_routes()) == sorted(access.ROUTES)
    assert set(access.ROUTES.values()) <= {access.OPEN, access.SIGNED_IN, *people.ACTIONS}


@pytest.mark.parametrize("user", ROLES)
def test_every_route_answers_a_role_as_the_table_of_roles_says(site: Site, user: str) -> None:
    for (method, route), action in access.ROUTES.items():
        assert site.sign_in(user).status_code == 303
        path = _concrete(site, route)
        answer = site.post(path) if method == "POST" else site.client.get(path, follow_redirects=False)
        allowed = action in {access.OPEN, access.SIGNED_IN} or people.may([ROLES[user]], action)
        assert ("E-WEB-ROLE" in answer.text) is not allowed, (user, method, route)
        assert (answer.status_code == 403 and "E-WEB-ROLE" in answer.text) or allowed, (user, method, route)


def test_without_a_session_only_open_routes_answer(site: Site) -> None:
    for (method, route), action in access.ROUTES.items():
        answer = site.client.request(method, _concrete(site, route), follow_redirects=False)
        if action == access.OPEN:
            assert answer.status_code in {200, 403}
        elif method == "GET" and not route.startswith("/api/"):
            assert (answer.status_code, answer.headers["location"]) == (303, "/sign-in")
        else:
            assert answer.status_code == 401


def _may_read(site: Site, cookie: str) -> bool:
    client = site.anew()
    client.cookies.set(COOKIE, cookie)
    return client.get("/", follow_redirects=False).status_code == 200


def test_a_cookie_opens_nothing_after_sign_out_idleness_or_a_day(site: Site) -> None:
    now = 0.0
    site.house.sessions.clock = lambda: now
    site.sign_in("rita")
    cookie = site.client.cookies[COOKIE]
    assert _may_read(site, cookie)
    now += IDLE_S - 1
    assert _may_read(site, cookie)
    now += IDLE_S
    assert not _may_read(site, cookie)
    site.sign_in("rita")
    cookie = site.client.cookies[COOKIE]
    while now < LONGEST_S:
        now += IDLE_S - 1
        _may_read(site, cookie)
    now += IDLE_S
    assert not _may_read(site, cookie)
    site.sign_in("rita")
    cookie = site.client.cookies[COOKIE]
    assert site.post("/sign-out").status_code == 303
    assert not _may_read(site, cookie)


def test_a_cookie_is_what_the_server_made_and_is_out_of_reach_of_scripts_and_other_sites(site: Site) -> None:
    answer = site.sign_in("rita")
    said = answer.headers["set-cookie"].lower()
    assert "httponly" in said
    assert "samesite=strict" in said
    assert "path=/" in said
    assert not _may_read(site, "A" * 43)
    assert not _may_read(site, site.client.cookies[COOKIE][:-1])
    assert site.client.cookies[COOKIE] not in str(vars(site.house.sessions))


def test_who_signs_in_has_a_new_cookie_each_time_and_never_one_that_came_with_the_request(site: Site) -> None:
    made = []
    for _ in range(2):
        client = site.anew()
        form = {"user": "rita", "passphrase": desks.OWN}
        client.post("/sign-in", data=form, headers={"cookie": f"{COOKIE}=chosen"}, follow_redirects=False)
        made.append(client.cookies[COOKIE])
    assert len({"chosen", *made}) == 3
    assert not _may_read(site, "chosen")


@pytest.mark.parametrize("change", ["disable", "roles", "passphrase", "lock"])
def test_a_changed_person_leaves_or_may_less_at_the_next_request(site: Site, change: str) -> None:
    site.sign_in("rita")
    desk = site.desk
    with people.enter(desk, "anna", desks.OWN) as anna:
        if change == "disable":
            people.disable(desk, anna, "rita")
        elif change == "roles":
            people.set_roles(desk, anna, "rita", ["admin"])
        elif change == "passphrase":
            people.set_passphrase(desk, anna, "rita", desks.OTHER)
    if change == "lock":
        for _ in range(people.MOST_FAILURES):
            site.sign_in("rita", "wrong words", site.anew())
    answer = site.client.get("/", follow_redirects=False)
    assert answer.status_code == (403 if change == "roles" else 303)


def test_the_fifth_failure_locks_and_the_right_passphrase_gets_the_same_answer(site: Site) -> None:
    answers = [site.sign_in("rita", "wrong words").text for _ in range(people.MOST_FAILURES)]
    answers.append(site.sign_in("rita").text)
    answers.append(site.sign_in("nobody").text)
    plain = {re.sub(r'nonce="[^"]+"', "", text) for text in answers}
    assert len(plain) == 1
    assert site.house.person("rita").locked  # type: ignore[union-attr]


def test_a_first_passphrase_opens_one_form_and_the_new_one_everything(site: Site) -> None:
    with people.enter(site.desk, "anna", desks.OWN) as anna:
        people.add(site.desk, anna, "nora", "Nora Example", ("reviewer",), desks.FIRST)
    site.sign_in("nora", desks.FIRST)
    assert site.client.get("/", follow_redirects=False).headers["location"] == "/passphrase"
    assert site.client.get("/passphrase").status_code == 200
    differs = site.post("/passphrase", old=desks.FIRST, new=desks.OWN, again=desks.OTHER)
    assert differs.status_code == 400
    weak = site.post("/passphrase", old=desks.FIRST, new="short", again="short")
    assert weak.status_code == 400
    assert site.post("/passphrase", old=desks.FIRST, new=desks.OWN, again=desks.OWN).status_code == 303
    assert site.client.get("/", follow_redirects=False).headers["location"] == "/sign-in"
    assert site.sign_in("nora").status_code == 303
    assert site.client.get("/").status_code == 200


def test_after_some_failures_in_a_minute_an_address_waits_and_that_is_not_counted_against_the_person(
    site: Site,
) -> None:
    now = 0.0
    site.house.failures = Rate(2, 60.0, lambda: now)
    assert [site.sign_in("rita").status_code for _ in range(4)] == [303] * 4
    site.sign_in("rita", "wrong words")
    site.sign_in("quin", "wrong words")
    size = site.desk.ledger.size
    assert site.sign_in("rita").status_code == 429
    assert site.desk.ledger.size == size
    now = 61.0
    assert site.sign_in("rita").status_code == 303


@pytest.mark.verifies("SRS-PAG-008", rc=("RC-032",))
def test_a_post_without_its_sessions_secret_changes_nothing(site: Site) -> None:
    other = site.anew()
    site.sign_in("quin", client=other)
    foreign = site.house.sessions.find(other.cookies[COOKIE])
    assert isinstance(foreign, Session)
    site.sign_in("rita")
    size = site.desk.ledger.size
    for csrf in ("", "x", foreign.csrf):
        for route in ("replay", "sign", "displayed"):
            answer = site.client.post(f"/records/{site.cases.result}/{route}", data={"csrf": csrf})
            assert (answer.status_code, "E-WEB-CSRF" in answer.text) == (403, True)
        assert site.client.post("/sign-out", data={"csrf": csrf}).status_code == 403
    assert site.desk.ledger.size == size
    assert site.client.get("/", follow_redirects=False).status_code == 200


@pytest.mark.verifies("SRS-PAG-009")
def test_a_token_opens_the_api_for_who_may_read_and_nothing_else(site: Site) -> None:
    token, _ = tokens.make(site.home, "reed")
    client = site.anew()
    client.headers["authorization"] = f"Bearer {token}"
    for method, route in access.ROUTES:
        answer = client.request(method, _concrete(site, route), follow_redirects=False)
        opened = route.startswith(access.API) or access.ROUTES[method, route] == access.OPEN
        assert (answer.status_code in {401, 303}) is not opened, route
    assert token not in "".join(map(str, desks.tree(site.home)))
    assert token.encode() not in b"".join(desks.tree(site.home).values())


@pytest.mark.verifies("SRS-PAG-009")
def test_a_token_that_is_misspelt_expired_withdrawn_or_of_somebody_disabled_opens_nothing(site: Site) -> None:
    client = site.anew()

    def opens(token: str, scheme: str = "Bearer") -> bool:
        return client.get("/api/records", headers={"authorization": f"{scheme} {token}"}).status_code == 200

    token, until = tokens.make(site.home, "reed")
    assert opens(token)
    assert until - datetime.now(UTC) <= timedelta(days=tokens.DAYS)
    for wrong in (token[:-1], token + "A", token.upper(), "", "../keys/passphrase", tokens.PREFIX + "A" * 43):
        assert not opens(wrong)
    assert not opens(token, "Basic")
    old, _ = tokens.make(site.home, "reed", days=-1)
    assert not opens(old)
    admin, _ = tokens.make(site.home, "anna")
    assert not opens(admin)
    tokens.withdraw(site.home, "anna")
    assert tokens.withdraw(site.home, "reed") == 2
    assert not opens(token)
    again, _ = tokens.make(site.home, "reed")
    with people.enter(site.desk, "anna", desks.OWN) as anna:
        people.disable(site.desk, anna, "reed")
    assert not opens(again)


def test_requests_beyond_the_rate_are_refused_for_that_person_alone(site: Site) -> None:
    site.house.requests = Rate(3, 60.0)
    site.sign_in("rita")
    other = site.anew()
    site.sign_in("quin", client=other)
    answers = [site.client.get("/log").status_code for _ in range(5)]
    assert answers == [200, 200, 200, 429, 429]
    assert other.get("/log").status_code == 200


def test_after_a_key_of_the_log_was_replaced_the_page_asks_for_a_restart_and_raises_no_false_alarm(site: Site) -> None:
    site.sign_in("rita")
    home = homes.open_home(site.home)
    with home.writing_ledger(home.passphrase(environ={})) as other:
        other.change_key(Role.ENGINE, sign.generate())
    for path in ("/", f"/records/{site.cases.result}", "/api/records"):
        answer = site.client.get(path)
        assert (answer.status_code, "E-WEB-KEYS" in answer.text) == (503, True)


def test_a_session_of_one_of_many_is_found_and_the_idlest_goes_first() -> None:
    now = 0.0
    sessions = Sessions(lambda: now)
    cookies = []
    for number in range(502):
        now = number / 10
        cookies.append(sessions.begin("rita", "k")[0])
    assert [sessions.find(cookie) is not None for cookie in cookies] == [False, False] + [True] * 500
    assert sessions.find(None) is None
    sessions.end_of("rita")
    assert sessions.find(cookies[-1]) is None


def test_a_session_forgets_the_display_of_the_oldest_of_many_records() -> None:
    session = Session("rita", "k", "c", 0.0, 0.0)
    digest = session.serve("first", "image", b"1")
    assert session.display("first", {"image": digest})
    for number in range(200):
        session.serve(f"record {number}", "image", b"2")
    assert "first" not in session.displayed
    assert not session.display("first", {"image": digest})
