# SPDX-License-Identifier: Apache-2.0
"""What an attacker sends: from other hosts and pages, too much, too slow, and markup or paths in every field."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Coroutine, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from radiomicnet_md.web import guard
from radiomicnet_md.web.access import ROUTES
from radiomicnet_md.web.guard import Guard
from tests import desks
from tests.web.conftest import HOST, Site

pytestmark = pytest.mark.verifies("SRS-PAG-008")
MARKUP = "<script>alert(1)</script>\"'><img src=x onerror=alert(1)>{{7*7}}"
NASTY = [
    MARKUP,
    "' OR 1=1 --",
    "../../../../etc/passwd",
    "..%2f..%2fetc%2fpasswd",
    "%00",
    "\x00",
    "\u202eabc",
    "a" * 5000,
    "${7*7}",
    "-1",
    "1e309",
    "[]",
    "\r\nX-Injected: yes",
]


@pytest.mark.parametrize(
    "path", ["/sign-in", "/", "/static/style.css", "/nowhere", "/api/records", "/static/../app.py"]
)
def test_every_answer_forbids_frames_foreign_content_and_copies(site: Site, path: str) -> None:
    headers = site.client.get(path, follow_redirects=False).headers
    policy = headers["content-security-policy"]
    assert "default-src 'none'" in policy
    assert "frame-ancestors 'none'" in policy
    assert "unsafe" not in policy
    assert "http" not in policy
    assert headers["x-content-type-options"] == "nosniff"
    assert headers["referrer-policy"] == "same-origin"
    assert headers["cache-control"] == "no-store"
    assert headers["x-frame-options"] == "DENY"
    assert "server" not in headers


def test_a_page_has_no_script_or_style_without_its_nonce_and_each_answer_another_one(site: Site) -> None:
    site.sign_in("rita")
    nonces = set()
    for path in ("/", f"/records/{site.cases.result}", f"/records/{site.cases.refused}", "/log", "/api", "/compare"):
        answer = site.client.get(path)
        found = re.search(r"script-src 'nonce-([^']+)'", answer.headers["content-security-policy"])
        assert found is not None
        nonces.add(found.group(1))
        assert not re.search(r"\sstyle=|\son\w+=|javascript:|data:", answer.text)
        for tag in re.findall(r"<(?:script|style|link rel=.stylesheet)[^>]*>", answer.text):
            assert f'nonce="{found.group(1)}"' in tag
        for address in re.findall(r'(?:src|href|action)="([^"]*)"', answer.text):
            assert address.startswith(("/", "#"))
            assert not address.startswith("//")
    assert len(nonces) == 6


@pytest.mark.parametrize(
    "host", ["evil.example", "127.0.0.1", "127.0.0.1:1", f"{HOST}.evil.example", "", f"evil.example@{HOST}"]
)
def test_another_host_name_is_not_answered(site: Site, host: str) -> None:
    answer = site.client.get("/sign-in", headers={"host": host})
    assert answer.status_code == 421
    assert "passphrase" not in answer.text


@pytest.mark.parametrize(
    "headers",
    [
        {"origin": "http://evil.example"},
        {"origin": "null"},
        {"origin": f"https://{HOST}"},
        {"sec-fetch-site": "cross-site"},
        {"sec-fetch-site": "same-site"},
    ],
)
def test_what_comes_from_another_page_changes_nothing(site: Site, headers: dict[str, str]) -> None:
    size = site.desk.ledger.size
    form = {"user": "rita", "passphrase": "wrong words"}
    assert site.client.post("/sign-in", data=form, headers=headers).status_code == 403
    assert site.desk.ledger.size == size


def test_a_large_body_a_file_and_a_form_of_another_kind_are_refused(site: Site) -> None:
    site.sign_in("rita")
    path = f"/records/{site.cases.result}/displayed"
    assert site.client.post(path, content=b"x" * (guard.LARGEST + 1)).status_code == 413
    chunks: Iterator[bytes] = (b"x" * 9999 for _ in range(9))
    assert site.client.post(path, content=chunks).status_code == 413
    assert site.client.post(path, headers={"content-length": "x"}, content=b"x").status_code == 413
    assert site.client.post(path, files={"file": b"bytes"}).status_code == 415
    assert site.client.post(path, json={"shown": {}}).status_code == 415
    assert site.client.post("/sign-in", content=b"user=a&user=b", headers=_form()).status_code == 400
    assert site.client.post("/sign-in", content=b"\xff\xfe=1", headers=_form()).status_code == 400
    many = "&".join(f"f{n}=1" for n in range(99)).encode()
    assert site.client.post("/sign-in", content=many, headers=_form()).status_code == 400


def _form() -> dict[str, str]:
    return {"content-type": "application/x-www-form-urlencoded"}


def _run(work: Coroutine[Any, Any, None]) -> None:
    """In a thread of its own: a browser of another test may have a loop in this one."""
    with ThreadPoolExecutor(1) as pool:
        pool.submit(asyncio.run, work).result()


def test_a_slow_body_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(guard, "BODY_S", 0.05)
    said: list[Any] = []

    async def asked(*_: object) -> None:
        raise AssertionError("it was looked at")

    async def slow() -> dict[str, Any]:
        await asyncio.sleep(0.03)
        return {"type": "http.request", "body": b"x", "more_body": True}

    async def send(message: Any) -> None:  # noqa: ANN401
        said.append(message)

    scope = {"type": "http", "method": "POST", "headers": [(b"host", HOST.encode())]}
    _run(Guard(asked, [HOST], tls=False)(scope, slow, send))
    assert said[0]["status"] == 408


def test_a_body_that_breaks_off_and_a_web_socket_are_not_looked_at() -> None:
    said: list[Any] = []

    async def asked(*_: object) -> None:
        raise AssertionError("it was looked at")

    async def gone() -> dict[str, Any]:
        return {"type": "http.disconnect"}

    async def send(message: Any) -> None:  # noqa: ANN401
        said.append(message)

    made = Guard(asked, [HOST], tls=False)
    scope = {"type": "http", "method": "POST", "headers": [(b"host", HOST.encode())]}
    _run(made(scope, gone, send))
    _run(made({"type": "websocket"}, gone, send))
    assert said[0]["status"] == 400
    assert said[-1] == {"type": "websocket.close"}


def test_markup_paths_and_statements_in_every_field_do_nothing(site: Site) -> None:
    site.sign_in("rita")
    size, before = site.desk.ledger.size, desks.tree(site.home / "artefacts")
    answers = []
    for nasty in NASTY:
        for name in ("state", "release", "flagged", "signed", "since", "until", "sort", "after", "size", "x"):
            answers.append(site.client.get("/", params={name: nasty}))
            answers.append(site.client.get("/api/records", params={name: nasty}))
        answers.append(site.client.get("/compare", params={"one": nasty, "other": site.cases.result}))
        for method, route in ROUTES:
            if method == "GET" and "{" in route:
                for field in re.findall(r"\{(\w+)\}", route):
                    filled = route.replace("{" + field + "}", nasty).replace("{record_id}", site.cases.result)
                    filled = re.sub(r"\{(row|column)\}", "1", re.sub(r"\{(name|digest|one|other)\}", "image", filled))
                    try:
                        answers.append(site.client.get(filled))
                    except Exception as error:  # noqa: BLE001 -- the client itself refuses some addresses
                        assert "URL" in type(error).__name__  # noqa: PT017
        for name in ("shown", "reason", "meaning", "passphrase"):
            answers.append(site.post(f"/records/{site.cases.result}/sign", **{name: nasty}))
            answers.append(site.post(f"/records/{site.cases.result}/displayed", **{name: nasty}))
        site.house.requests._times.clear()
        site.house.failures._times.clear()
    for answer in answers:
        assert answer.status_code < 500, answer.request.url
        assert "Traceback" not in answer.text
        assert "<script>alert" not in answer.text
        assert "onerror=alert(1)>{{" not in answer.text
        assert "root:" not in answer.text
        assert "x-injected" not in answer.headers
    assert site.desk.ledger.size == size
    assert desks.tree(site.home / "artefacts") == before
    assert not (site.home / "logs" / "errors.jsonl").exists()


@given(text=st.text(max_size=60))
@settings(max_examples=60)
def test_no_text_in_the_sign_in_form_is_a_defect_or_comes_back_as_markup(sign_in_page: Site, text: str) -> None:
    sign_in_page.house.failures._times.clear()
    answer = sign_in_page.sign_in(text, text)
    assert answer.status_code in {400, 403}
    if len(text) > 3 and "<" in text:
        assert text not in answer.text


@pytest.fixture(scope="module")
def sign_in_page(made_site: Any, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:  # noqa: ANN401
    from tests.web import conftest

    with pytest.MonkeyPatch.context() as patch:
        made = conftest.site.__wrapped__(made_site, tmp_path_factory.mktemp("page"), patch)  # type: ignore[attr-defined]
        yield from made


def test_a_defect_is_noted_in_the_home_and_shown_as_such(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    site.sign_in("rita")
    monkeypatch.setattr(type(site.house.books), "page", lambda *_: 1 / 0)
    for path in ("/", "/api/records"):
        answer = site.client.get(path)
        assert answer.status_code == 500
        assert "E-UNEXPECTED" in answer.text
        assert "Traceback" not in answer.text
        assert "division" not in answer.text
        assert answer.headers["x-content-type-options"] == "nosniff"
    noted = (site.home / "logs" / "errors.jsonl").read_text()
    assert noted.count("ZeroDivisionError") == 2
    assert site.cases.result not in noted
