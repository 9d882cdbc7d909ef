# SPDX-License-Identifier: Apache-2.0
"""``qualify``: from a new clinical home to one that decides, and each way in which it does not get there."""

from __future__ import annotations

import hashlib
import json
import re
from html.parser import HTMLParser
from pathlib import Path

import pytest

from radiomicnet_md import checkup, opening
from radiomicnet_md.commands import qualify
from radiomicnet_md.engine import starting
from radiomicnet_md.errors import ExitCode
from radiomicnet_md.home import anchor_beside, open_home
from radiomicnet_md_audit import dsse
from radiomicnet_md_audit.errors import IntegrityError
from radiomicnet_md_audit.statement import QUALIFICATION
from radiomicnet_md_validation.qualification import reports, site
from tests import desks
from tests.cli.conftest import Command, Said
from tests.cli.test_sign import Door
from tests.desks import FIRST, OWN

pytestmark = [pytest.mark.usefixtures("home"), pytest.mark.verifies("SRS-QUA-007", "SRS-CLI-001", "SRS-CLI-002")]


@pytest.fixture(autouse=True)
def quick(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What takes minutes is tested where it is at home; a copy of an anchor is as private as the anchor."""
    anchor_beside(home).chmod(0o600)
    desks.quick_stretching(monkeypatch)
    for name in ("installed files", "known answers"):
        monkeypatch.setitem(checkup.CHECKS, name, lambda _: (True, "as it should be", ""))
    monkeypatch.setattr(site, "listed_platform", lambda: "PLT-001")
    monkeypatch.setattr(starting, "started", lambda _: desks.FakeEngine())


@pytest.fixture
def door(command: Command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Door:
    """The command line, with Quinn of quality assurance."""
    made = Door(command, tmp_path, monkeypatch)
    made("users", "add", "quinn", "--name", "Quinn Example", "--role", "qa", own=OWN, new=FIRST)
    assert made("users", "passphrase", "quinn", own=FIRST, new=OWN).code == ExitCode.OK
    return made


def _sign(door: Door, line: Said, page: Path) -> Said:
    named = ("--meaning", "qualify", "--user", "quinn", "--viewed", page)
    return door("sign", line.lines[-1]["record_id"], *named, own=OWN)


def test_a_qualification_leaves_three_files_and_a_record_of_their_digests(
    door: Door, home: Path, tmp_path: Path
) -> None:
    said = door("qualify", "iq", "--out", tmp_path / "iq")
    assert said.code == ExitCode.OK, said.err
    (line,) = said.lines
    assert (line["kind"], line["verdict"], line["platform"]) == ("iq", "PASS", "PLT-001")
    assert f"sign {line['record_id'][:8]} --meaning qualify" in said.err
    with open_home(home).reading_ledger() as ledger:
        predicate = ledger.read(ledger.find(line["record_id"])).predicate
        keys = ledger.declared.engine_keys_at(ledger.size)
    found = {Path(path).name: Path(path).read_bytes() for path in line["files"]}
    digests = {name: hashlib.sha256(data).hexdigest() for name, data in found.items()}
    assert predicate["files"] == [{"name": name, "sha256": digest} for name, digest in sorted(digests.items())]
    payload = json.loads(dsse.open_(found["report.json"], keys, reports.TYPE).payload)
    assert payload["verdict"] == predicate["verdict"]
    assert payload["counts"]["PASS"] == line["passed"]
    assert {one["id"] for one in payload["results"] if one["verdict"] != "PASS"} == set(line["not_passed"])
    assert payload["machine"]["kernel"]
    assert payload["operator"] == predicate["operator"]
    with pytest.raises(IntegrityError):
        dsse.open_(found["report.json"].replace(b'"payload":"e', b'"payload":"f'), keys, reports.TYPE)
    assert found["report.pdf"].startswith(b"%PDF-")
    assert reports.files(payload, _Signer())["report.pdf"] == found["report.pdf"]
    again = door("qualify", "iq", "--out", tmp_path / "iq")
    assert (again.code, again.lines[-1]["reason"]["code"]) == (ExitCode.USAGE, "E-QUALIFY-OUT")


def test_what_does_not_apply_here_is_not_told_as_a_failure(door: Door, tmp_path: Path) -> None:
    said = door.command("qualify", "iq", "--out", tmp_path / "iq")
    assert re.match(r"IQ PASS: \d+ passed, 1 not applicable\n", said.out)


class _Signer:
    """Signs nothing: page and PDF do not depend on a key."""

    def __init__(self) -> None:
        from radiomicnet_md_audit import sign

        key = sign.from_seed(bytes(32))
        self.public, self.sign = key.public, key.sign


class _Links(HTMLParser):
    """Whatever a page would fetch or lead to."""

    def __init__(self) -> None:
        super().__init__()
        self.found: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found += [f"{tag} {name}={value}" for name, value in attrs if name in ("src", "href", "action", "data")]


def test_the_page_needs_nothing_else_and_shows_what_comes_from_outside_as_text(door: Door, tmp_path: Path) -> None:
    said = door("qualify", "iq", "--out", tmp_path / "iq")
    page = (tmp_path / "iq" / "report.html").read_text()
    links = _Links()
    links.feed(page)
    assert links.found == []
    assert not re.search(r"url\(|@import|https?://", page)
    payload = json.loads(dsse.parse_unverified((tmp_path / "iq" / "report.json").read_bytes()).payload)
    payload["results"][0]["actual"] = "<script>alert(1)</script>"
    assert "<script>" not in reports.files(payload, _Signer())["report.html"].decode()
    assert all(one["id"] in page for one in payload["results"])
    assert said.code == ExitCode.OK


@pytest.mark.verifies("SRS-QUA-004")
def test_what_fails_ends_with_three_is_recorded_and_cannot_be_signed(
    door: Door, home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(site, "listed_platform", lambda: None)
    said = door("qualify", "iq", "--out", tmp_path / "iq")
    assert said.code == ExitCode.SOME_FAILED
    assert said.lines[-1]["verdict"] == "FAIL"
    assert said.lines[-1]["not_passed"]["IQ-003"] == "FAIL"
    assert "--meaning" not in said.err
    signing = _sign(door, said, tmp_path / "iq" / "report.html")
    assert (signing.code, signing.lines[-1]["reason"]["code"]) == (ExitCode.USAGE, "E-SIGN-DECISION")
    with open_home(home).reading_ledger() as ledger:
        assert len(list(ledger.events(QUALIFICATION))) == 1


def test_only_the_report_itself_is_signed(door: Door, tmp_path: Path) -> None:
    said = door("qualify", "iq", "--out", tmp_path / "iq")
    other = tmp_path / "other.html"
    other.write_bytes((tmp_path / "iq" / "report.html").read_bytes() + b" ")
    signing = _sign(door, said, other)
    assert (signing.code, signing.lines[-1]["reason"]["code"]) == (ExitCode.USAGE, "E-SIGN-VIEWED")
    assert _sign(door, said, tmp_path / "iq" / "report.pdf").code == ExitCode.OK
    shown = door("audit", "show", said.lines[-1]["record_id"])
    assert shown.lines[-1]["signatures"][0]["meaning"] == "qualify"
    assert door("audit", "verify").code == ExitCode.OK


def test_without_the_optional_parts_nothing_begins(
    door: Door, home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(qualify, "find_spec", lambda name: None if name in ("pytest", "reportlab") else object())
    before = desks.tree(home)
    said = door("qualify", "iq", "--out", tmp_path / "iq")
    assert (said.code, said.lines[-1]["reason"]["code"]) == (ExitCode.CONFIGURATION, "E-PART-ABSENT")
    assert "radiomicnet-md[report,validation]" in said.lines[-1]["reason"]["remedy"]
    assert desks.tree(home) == before


def test_a_report_that_cannot_be_written_leaves_no_record(door: Door, home: Path, tmp_path: Path) -> None:
    (tmp_path / "taken" / "report.pdf").mkdir(parents=True)
    said = door("qualify", "iq", "--out", tmp_path / "taken")
    assert (said.code, said.lines[-1]["reason"]["code"]) == (ExitCode.CONFIGURATION, "E-QUALIFY-WRITE")
    assert [path.name for path in (tmp_path / "taken").iterdir()] == ["report.pdf"]
    with open_home(home).reading_ledger() as ledger:
        assert list(ledger.events(QUALIFICATION)) == []


@pytest.mark.usefixtures("home")
def test_the_verb_is_closed_where_the_release_is_another(
    door: Door, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def other(*_: object) -> None:
        raise IntegrityError("E-RELEASE-OTHER", "another", remedy="none")

    monkeypatch.setattr(opening, "verified_release", other)
    assert door("qualify", "iq", "--out", tmp_path / "iq").code == ExitCode.INTEGRITY
