# SPDX-License-Identifier: Apache-2.0
"""An installation is qualified by what its log says of it, and by nothing older, other, failed or unsigned."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
import yaml

from radiomicnet_md import checkup, opening, people, qualified
from radiomicnet_md import home as homes
from radiomicnet_md.config import Settings, load
from radiomicnet_md.delivery import Target
from radiomicnet_md.desk import Desk, segment_file
from radiomicnet_md.engine import installation, starting
from radiomicnet_md.engine.release import Release
from radiomicnet_md.engine.state import State
from radiomicnet_md.errors import NotQualifiedError, Problem
from radiomicnet_md.intent import new_id
from radiomicnet_md_audit.appending import Receipt
from radiomicnet_md_audit.qualification import Installation, Qualification
from radiomicnet_md_audit.statement import QUALIFICATION, build
from radiomicnet_md_audit.stored import verify_ledger
from tests import desks
from tests.desks import OWN

pytestmark = pytest.mark.verifies("SRS-QUA-002")

PAGE = b"<html>what was checked</html>"
FILES = (("report.html", "8f1f4a4e4ec1d4d28cd0df1fbb8b3b12ae3d2ab9e1e1b3e1c8a5f5b1b0b2a9d3"), ("report.json", "7" * 64))
RELEASE = Release(Path("fake"), {"id": "fake", "version": "1.2.3", "created": "2026", "files": {}}, "0" * 64, "", {})

Put = Callable[..., Receipt]


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing is stretched or compiled; the installation is one of this test."""
    desks.quick_stretching(monkeypatch)
    monkeypatch.setattr(installation, "code", lambda: {"version": "1", "sha256": "1" * 64})
    monkeypatch.setattr(installation, "environment", lambda: {"sha256": "2" * 64, "python": "3"})
    monkeypatch.setattr(installation, "record_digests", lambda: {"numpy": "4" * 64})
    monkeypatch.setattr(installation, "refuse_changed_files", lambda **_: None)
    monkeypatch.setattr(starting, "started", lambda _: desks.FakeEngine())
    monkeypatch.setattr(opening, "verified_release", lambda *_: RELEASE)


@pytest.fixture
def quinn(desk: Desk) -> people.Identity:
    """Who does quality assurance; Rita reviews decisions."""
    desks.add_person(desk, "anna", "admin")
    with people.enter(desk, "anna", OWN) as admin:
        desks.add_person(desk, "quinn", "qa", by=admin)
        desks.add_person(desk, "rita", "reviewer", by=admin)
    return people.enter(desk, "quinn", OWN)


@pytest.fixture
def put(desk: Desk) -> Put:
    """``put("iq")`` records a qualification that passed here; parts are changed by name."""

    def record(kind: str, now: Installation | None = None, **parts: object) -> Receipt:
        seen = now or qualified.present(RELEASE)
        time = desk.ledger.writer.clock().text()
        one = Qualification(kind, time, "PLT-001", "8" * 64, seen, 3, {"IQ-004": "NOT APPLICABLE"}, FILES)
        about = {"record_id": new_id(), "operator": "uid:0", "stamps": list(desk.home.stamps)}
        document = replace(one, **parts).predicate()  # type: ignore[arg-type]
        return desk.ledger.append(build(QUALIFICATION, {"report": "7" * 64}, {**document, **about}))

    return record


def _sign(desk: Desk, who: people.Identity, receipt: Receipt) -> Receipt:
    return people.sign(desk, who, receipt.record_id, "qualify", None, {"report.html": FILES[0][1]})[1]


def _stands(desk: Desk) -> qualified.Standing:
    return qualified.standing(desk.ledger, RELEASE)


def test_both_signed_qualify_and_each_alone_does_not(desk: Desk, quinn: people.Identity, put: Put) -> None:
    assert _stands(desk).lacks == (
        "installation (iq): there is no record of it",
        "operation (oq): there is no record of it",
    )
    iq, oq = put("iq"), put("oq")
    assert [lack[-13:] for lack in _stands(desk).lacks] == ["is not signed"] * 2
    _sign(desk, quinn, iq)
    assert len(_stands(desk).lacks) == 1
    _sign(desk, quinn, oq)
    stands = _stands(desk)
    assert stands.qualified
    assert stands.records == {"iq": iq.record_id, "oq": oq.record_id}
    assert stands.installed == {"numpy": "4" * 64}
    report = verify_ledger(desk.ledger, None)
    assert report.ok, report.findings
    assert "2 (2 qualify)" in next(claim.text for claim in report.claims if "qualify" in claim.text)


def test_performance_does_not_stand_for_installation_or_operation(desk: Desk, quinn: people.Identity, put: Put) -> None:
    for _ in range(2):
        _sign(desk, quinn, put("pq"))
    assert len(_stands(desk).lacks) == 2


@pytest.mark.verifies("SRS-QUA-003")
@pytest.mark.parametrize(
    ("part", "name", "other"),
    [
        ("code", "code", {"version": "1", "sha256": "9" * 64}),
        ("environment", "environment", {"sha256": "9" * 64}),
        ("release", "release", {"id": "fake", "version": "1.2.3", "manifest_sha256": "9" * 64}),
        ("installed", "installed packages", {"numpy": "9" * 64}),
    ],
)
def test_a_changed_installation_is_not_the_qualified_one(  # noqa: PLR0913 -- what is there, and what was changed
    desk: Desk, quinn: people.Identity, put: Put, part: str, name: str, other: dict[str, str]
) -> None:
    before = replace(qualified.present(RELEASE), **{part: other})
    for kind in ("iq", "oq"):
        _sign(desk, quinn, put(kind, before))
    lacks = _stands(desk).lacks
    assert len(lacks) == 2
    assert all(lack.endswith(f"changed: {name}") for lack in lacks)
    for kind in ("iq", "oq"):
        _sign(desk, quinn, put(kind))
    assert _stands(desk).qualified


@pytest.mark.parametrize(("verdict", "said"), [("FAIL", "says FAIL"), ("INCONCLUSIVE", "says INCONCLUSIVE")])
def test_a_newer_one_that_did_not_pass_stands_against_the_older(
    desk: Desk, quinn: people.Identity, put: Put, verdict: str, said: str
) -> None:
    for kind in ("iq", "oq"):
        _sign(desk, quinn, put(kind))
    put("oq")  # passed and not signed: it neither adds nor takes away
    assert _stands(desk).qualified
    put("oq", not_passed={"OQ-001": verdict})
    (lack,) = _stands(desk).lacks
    assert lack.startswith("operation (oq)")
    assert lack.endswith(said)


def _refused(desk: Desk, who: people.Identity, receipt: Receipt, meaning: str = "qualify") -> str:
    with pytest.raises(Problem) as caught:
        people.sign(desk, who, receipt.record_id, meaning, "why", {"report.html": FILES[0][1]})
    return caught.value.code


def test_only_quality_assurance_signs_only_what_passed_and_only_so(
    desk: Desk, quinn: people.Identity, put: Put, tmp_path: Path
) -> None:
    with people.enter(desk, "rita", OWN) as rita:
        assert _refused(desk, rita, put("iq")) == "E-SIGN-RIGHT"
    assert _refused(desk, quinn, put("iq", not_passed={"IQ-002": "FAIL"})) == "E-SIGN-DECISION"
    assert _refused(desk, quinn, put("iq"), "approve") == "E-SIGN-MEANING"
    (image,) = desks.write_images(tmp_path / "in", "a.png")
    answer = segment_file(image, desk, Target(tmp_path / "out", "a", "png"))
    decided = desk.ledger.receipt(desk.ledger.find(answer.record_id))
    assert _refused(desk, quinn, decided) == "E-SIGN-MEANING"


def test_what_was_looked_at_is_a_file_of_the_report(desk: Desk, put: Put) -> None:
    digest = hashlib.sha256(PAGE).hexdigest()
    receipt = put("iq", files=(("report.html", digest), FILES[1]))
    assert people.viewed(desk.home.folder, desk.ledger, receipt.record_id, PAGE) == {"report.html": digest}
    with pytest.raises(Problem) as caught:
        people.viewed(desk.home.folder, desk.ledger, receipt.record_id, PAGE + b" ")
    assert caught.value.code == "E-SIGN-VIEWED"


@pytest.fixture
def clinical(home: homes.Home, desk: Desk, quinn: people.Identity, put: Put) -> Settings:
    """The settings of a clinical home with signed qualifications, its log closed."""
    for kind in ("iq", "oq"):
        _sign(desk, quinn, put(kind))
    state = yaml.safe_load((home.folder / "home.yaml").read_text())
    (home.folder / "home.yaml").write_text(yaml.safe_dump({**state, "kind": "clinical"}))
    desk.ledger.close()
    return load({"home": str(home.folder)})


@pytest.mark.verifies("SRS-QUA-003", "SRS-HOM-002", rc=("RC-020",))
def test_a_clinical_home_decides_when_qualified_names_its_records_and_stops_when_changed(
    clinical: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (image,) = desks.write_images(tmp_path / "in", "a.png")
    with opening.open_desk(clinical) as desk:
        assert desk.state is State.READY
        answer = segment_file(image, desk, Target(tmp_path / "out", "a", "png"))
        named = desk.ledger.read(desk.ledger.find(answer.record_id)).predicate["qualification"]
        assert answer.status == "accepted"
        assert named == dict(_stands(desk).records)
    assert opening.refusal(clinical) is None
    monkeypatch.setattr(checkup, "_open_release", lambda _: RELEASE)
    assert checkup.look("qualification", clinical).seen.startswith("QUALIFIED here by the records iq ")
    monkeypatch.setattr(installation, "code", lambda: {"version": "2", "sha256": "9" * 64})
    with opening.open_desk(clinical) as desk:
        assert desk.state is State.UNQUALIFIED
        assert isinstance(desk.engine, NotQualifiedError)
        answer = segment_file(image, desk, Target(tmp_path / "out", "b", "png"))
        said = desk.ledger.read(desk.ledger.find(answer.record_id)).predicate
    assert (answer.status, answer.mask_sha256, said["qualification"]) == ("refused", None, None)
    assert answer.reason is not None
    assert answer.reason.code == "E-NOT-QUALIFIED"
    assert "changed: code" in answer.reason.text
    assert "qualify iq" in answer.reason.remedy


@pytest.mark.verifies("SRS-QUA-003")
def test_what_is_frozen_is_what_was_qualified(clinical: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    """A package that is replaced between the start of a device and its comparison is still found."""
    home = homes.open_home(clinical.home)
    with home.reading_ledger() as ledger:
        stands = qualified.standing(ledger, RELEASE)
    assert qualified.frozen(home, stands) == {"numpy": "4" * 64}
    monkeypatch.setattr(installation, "record_digests", lambda: {"numpy": "5" * 64})
    problem, state = opening._started(RELEASE, home, stands)
    assert isinstance(problem, NotQualifiedError)
    assert (problem.code, state) == ("E-INSTALLATION-CHANGED", State.DEGRADED)
