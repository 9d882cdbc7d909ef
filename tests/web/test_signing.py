# SPDX-License-Identifier: Apache-2.0
"""Nothing is signed that was not displayed in this session, and nothing by habit: other ways leave no record."""

from __future__ import annotations

import hashlib
import json
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest

from radiomicnet_md import people, shelf
from radiomicnet_md_audit.clock import Instant
from radiomicnet_md_audit.statement import SIGNATURE
from radiomicnet_md_audit.stored import verify_ledger
from tests import desks
from tests.web.conftest import Site

pytestmark = pytest.mark.verifies("SRS-PAG-010")
NEEDED = ("image", "outline", "record.txt")


@pytest.fixture
def rita(site: Site) -> Site:
    assert site.sign_in("rita").status_code == 303
    return site


def _count(site: Site) -> int:
    return sum(1 for _ in site.desk.ledger.events(SIGNATURE))


def _see(site: Site, record_id: str, names: tuple[str, ...] = NEEDED, client: Any = None) -> dict[str, str]:  # noqa: ANN401
    """Load layers as a browser does and report them; what the server then has noted."""
    shown = {}
    for name in names:
        path = name if name == "record.txt" else f"layers/{name}.png"
        answer = (client or site.client).get(f"/records/{record_id}/{path}")
        assert answer.status_code == 200
        shown[name] = hashlib.sha256(answer.content).hexdigest()
    said = site.post(f"/records/{record_id}/displayed", client, shown=json.dumps(shown))
    assert said.status_code == 200
    return dict(said.json()["shown"])


def _form(shown: dict[str, str], meaning: str = "approve", **more: str) -> dict[str, str]:
    digests = "\n".join(f"{name}={digest}" for name, digest in shown.items())
    return {"meaning": meaning, "shown": digests, "passphrase": desks.OWN, **more}


def _sign(site: Site, record_id: str, form: dict[str, str]) -> Any:  # noqa: ANN401
    return site.post(f"/records/{record_id}/sign", **form)


@pytest.mark.parametrize("meaning", people.MEANINGS)
def test_a_signature_holds_what_was_displayed_and_is_on_page_print_and_list(rita: Site, meaning: str) -> None:
    shown = _see(rita, rita.cases.result)
    reason = {} if meaning == "approve" else {"reason": "the border is not there"}
    answer = _sign(rita, rita.cases.result, _form(shown, meaning, **reason))
    assert answer.status_code == 303
    (one,) = people.signatures(rita.desk.ledger, rita.cases.result)
    assert (one.user, one.meaning, dict(one.shown)) == ("rita", meaning, shown)
    assert set(NEEDED) <= set(shown)
    assert one.reason == reason.get("reason")
    assert verify_ledger(rita.desk.ledger, rita.desk.ledger.anchor_text()).ok
    for path in (f"/records/{rita.cases.result}", f"/records/{rita.cases.result}/print"):
        text = rita.client.get(path).text
        assert "Rita Example" in text
        assert f"{one.time_utc[:10]} {one.time_utc[11:19]} UTC" in text
        assert meaning.title() in text
    assert rita.client.get("/?signed=yes").text.count("/records/") == 1
    said = rita.client.get(f"/api/records/{rita.cases.result}/signatures").json()["signatures"]
    assert [each["meaning"] for each in said] == [meaning]


def test_a_refusal_is_signed_for_its_text(rita: Site) -> None:
    shown = _see(rita, rita.cases.refused, ("record.txt",))
    answer = _sign(rita, rita.cases.refused, _form(shown))
    assert answer.status_code == 303
    assert _count(rita) == 1


@pytest.mark.parametrize(
    "names", [(), ("image",), ("outline", "record.txt"), ("image", "record.txt"), ("image", "outline")]
)
def test_without_image_outline_and_text_nothing_is_signed(rita: Site, names: tuple[str, ...]) -> None:
    shown = _see(rita, rita.cases.result, names) if names else {}
    answer = _sign(rita, rita.cases.result, _form(shown))
    assert (answer.status_code, "E-WEB-UNSEEN" in answer.text) == (409, True)
    assert _count(rita) == 0


def test_a_browser_cannot_say_that_it_drew_what_it_was_not_sent(rita: Site) -> None:
    path = f"/records/{rita.cases.result}/displayed"
    image = hashlib.sha256(rita.client.get(f"/records/{rita.cases.result}/layers/image.png").content).hexdigest()
    for shown in (
        {"image": "0" * 64},
        {"image": image, "outline": image},
        {"outline": image},
        {},
        {"image": image, "x": "y"},
    ):
        assert rita.post(path, shown=json.dumps(shown)).status_code == 409
    for text in ("", "null", "[]", '{"image": 3}', "{", '{"image": {"a": "b"}}'):
        assert rita.post(path, shown=text).status_code in {400, 409}
    other = rita.post(f"/records/{rita.cases.again}/displayed", shown=json.dumps({"image": image}))
    assert other.status_code == 409


def test_what_another_session_saw_is_not_what_this_one_saw(rita: Site) -> None:
    other = rita.anew()
    rita.sign_in("rita", client=other)
    shown = _see(rita, rita.cases.result, client=other)
    assert _sign(rita, rita.cases.result, _form(shown)).status_code == 409
    assert _count(rita) == 0


@pytest.mark.verifies("SRS-PAG-010", rc=("RC-031",))
def test_what_was_seen_of_one_decision_signs_no_other(rita: Site) -> None:
    shown = _see(rita, rita.cases.result)
    assert _sign(rita, rita.cases.again, _form(shown)).status_code == 409
    assert _count(rita) == 0


def test_a_form_filled_in_for_other_digests_signs_nothing(rita: Site) -> None:
    shown = _see(rita, rita.cases.result)
    for changed in ({**shown, "image": "0" * 64}, {"image": shown["image"]}, {}, {**shown, "more": "0" * 64}):
        answer = _sign(rita, rita.cases.result, _form(changed))
        assert (answer.status_code, "E-WEB-SHOWN" in answer.text) == (409, True)
    assert _count(rita) == 0


@pytest.mark.parametrize("meaning", ["", "yes", "approve ", "APPROVE"])
def test_no_meaning_is_assumed(rita: Site, meaning: str) -> None:
    shown = _see(rita, rita.cases.result)
    answer = _sign(rita, rita.cases.result, _form(shown, meaning))
    assert (answer.status_code, "E-SIGN-MEANING" in answer.text) == (400, True)
    page = rita.client.get(f"/records/{rita.cases.result}").text
    assert "checked>" not in page.replace('id="second" checked>', "")
    assert _count(rita) == 0


@pytest.mark.parametrize("meaning", people.NEED_REASON)
def test_reject_and_override_need_a_reason(rita: Site, meaning: str) -> None:
    shown = _see(rita, rita.cases.result)
    assert "E-SIGN-REASON" in _sign(rita, rita.cases.result, _form(shown, meaning, reason="  ")).text
    assert _count(rita) == 0


def test_the_passphrase_is_asked_again_counted_and_locks(rita: Site) -> None:
    shown = _see(rita, rita.cases.result)
    for _ in range(people.MOST_FAILURES):
        answer = _sign(rita, rita.cases.result, _form(shown) | {"passphrase": "wrong words"})
        assert answer.status_code == 403
    assert _sign(rita, rita.cases.result, _form(shown)).status_code == 401  # the session has ended
    assert rita.house.person("rita").locked  # type: ignore[union-attr]
    assert _count(rita) == 0


def test_two_windows_sign_twice_only_with_what_each_shows(rita: Site) -> None:
    shown = _see(rita, rita.cases.result)
    assert _sign(rita, rita.cases.result, _form(shown)).status_code == 303
    shown_again = _see(rita, rita.cases.result, (*NEEDED, "runner-up"))
    assert _sign(rita, rita.cases.result, _form(shown)).status_code == 409  # the first window shows less than was drawn
    assert _sign(rita, rita.cases.result, _form(shown_again)).status_code == 303
    assert _count(rita) == 2


def test_a_cookie_after_sign_out_signs_nothing(rita: Site) -> None:
    shown = _see(rita, rita.cases.result)
    cookie = rita.client.cookies["radiomicnet-md"]
    session = rita.house.sessions.find(cookie)
    assert session is not None
    rita.post("/sign-out")
    replayed = rita.anew()
    replayed.cookies.set("radiomicnet-md", cookie)
    form = {"csrf": session.csrf, **_form(shown)}
    assert replayed.post(f"/records/{rita.cases.result}/sign", data=form, follow_redirects=False).status_code == 401
    assert _count(rita) == 0


def test_an_administrator_who_sets_a_passphrase_signs_nothing_in_that_name(rita: Site) -> None:
    with people.enter(rita.desk, "anna", desks.OWN) as anna:
        people.set_passphrase(rita.desk, anna, "rita", desks.OTHER)
    assert rita.sign_in("rita", desks.OTHER).status_code == 303
    answer = _sign(rita, rita.cases.result, _form({}) | {"passphrase": desks.OTHER})
    assert "E-WEB-PASSPHRASE" in answer.text
    assert _count(rita) == 0


def test_a_clock_set_back_signs_nothing(rita: Site) -> None:
    shown = _see(rita, rita.cases.result)
    past = Instant(datetime(2020, 1, 1, tzinfo=UTC), 1)
    assert rita.desk.ledger._writer is not None
    rita.desk.ledger._writer = replace(rita.desk.ledger._writer, clock=lambda: past)
    assert "E-SIGN-TIME" in _sign(rita, rita.cases.result, _form(shown)).text
    assert _count(rita) == 0


def test_what_was_changed_after_it_was_seen_is_not_signed(rita: Site) -> None:
    shown = _see(rita, rita.cases.result)
    digest = rita.house.open(rita.cases.result).predicate["outputs"]["mask_sha256"]
    shelf.artefact(rita.home, digest).write_bytes(b"\0")
    assert "E-WEB-UNSEEN" in _sign(rita, rita.cases.result, _form(shown)).text
    assert _count(rita) == 0


@pytest.mark.verifies("SRS-PAG-008", rc=("RC-032",))
def test_reader_and_administrator_have_no_form_and_no_route(site: Site) -> None:
    site.sign_in("reed")
    text = site.client.get(f"/records/{site.cases.result}").text
    assert 'id="sign"' not in text
    shown = _see(site, site.cases.result)
    assert "E-WEB-ROLE" in _sign(site, site.cases.result, _form(shown)).text
    assert _count(site) == 0
