# SPDX-License-Identifier: Apache-2.0
"""A signature holds for one decision, one person and one meaning; verification finds every other in log and export."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from radiomicnet_md_audit import __main__ as door
from radiomicnet_md_audit import crew, export, statement
from radiomicnet_md_audit.appending import Receipt
from radiomicnet_md_audit.bundle import verify_bundle
from radiomicnet_md_audit.esignature import MEANINGS, Signed, is_reason, is_shown
from radiomicnet_md_audit.ledger import Ledger
from radiomicnet_md_audit.stored import verify_ledger
from radiomicnet_md_audit.verify import SIGNED, Claim, Report
from tests.audit import signers
from tests.audit.signers import ABOUT, Signers, signed
from tests.audit.sites import Site

pytestmark = pytest.mark.verifies("SRS-SIG-001", "SRS-SIG-006")

Document = dict[str, Any]


class Scene:
    """A log with an administrator, a reviewer and two decisions."""

    def __init__(self, site: Site) -> None:
        self.site = site
        self.ledger = site.open()
        self.signers = Signers(self.ledger)
        self.signers.add("anna", "admin")
        self.rita = self.signers.add("rita", "reviewer", "qa", by="anna")
        self.one, self.other = (self.ledger.append(site.draft(operator=who)) for who in ("uid:0", "rita"))

    def put(self, document: Document) -> Receipt:
        return self.ledger.append(document)

    def signature(self, **more: Any) -> Document:  # noqa: ANN401
        """An honest signature on the first decision, but for what is changed before it is signed."""
        said = signers.signature(self.signers.next(), self.rita, signed(self.one), **more)
        return signers.put_down(self.ledger.origin, said, self.signers.seeds["rita"])

    def verify(self, folder: Path) -> list[Report]:
        """What the log's verification says, and that of an export."""
        reports = [verify_ledger(self.ledger, self.ledger.anchor_text())]
        export.write(self.ledger, folder / "export")
        return [*reports, verify_bundle(folder / "export", self.site.policy)]


@pytest.fixture
def scene(site: Site) -> Iterator[Scene]:
    made = Scene(site)
    yield made
    made.ledger.close()


def _claim(report: Report) -> Claim:
    (claim,) = (claim for claim in report.claims if claim.name == SIGNED)
    return claim


def test_honest_signatures_hold_and_are_counted(scene: Scene, tmp_path: Path) -> None:
    scene.signers.sign("rita", scene.one)
    scene.signers.sign("rita", scene.one, meaning="override", reason="the outline stops short")
    scene.signers.sign("rita", scene.other, meaning="reject", reason="a shadow")  # its author may reject it
    for report in scene.verify(tmp_path):
        assert report.ok
        claim = _claim(report)
        assert claim.ok
        assert claim.text.startswith("3 (1 approve, 1 reject, 1 override), each by an enabled person's own key")
        assert "people who signed: 1." in claim.text
        assert claim.text.endswith("changed with the keys of the log alone by entries 6.")


def test_a_log_without_people_says_nothing_of_signatures(site: Site) -> None:
    assert SIGNED not in [claim.name for claim in site.verify().claims]


def test_people_without_signatures_are_told(scene: Scene, tmp_path: Path) -> None:
    for report in scene.verify(tmp_path):
        assert report.ok
        assert _claim(report).text.startswith("None.")


def _said(document: Document, **more: object) -> Document:
    return {**document, "predicate": {**document["predicate"], **more}}


def _pair(name: object = "overlay.png", digest: object = "5" * 64, **more: object) -> Document:
    return {"name": name, "sha256": digest, **more}


# What is changed in an honest signature's record, which the engine then signs.
CHANGED: dict[str, tuple[dict[str, object], str]] = {
    "another meaning": ({"meaning": "reject", "reason": "x"}, "E-SIG-SIGNATURE"),
    "a meaning of no list": ({"meaning": "seen"}, "E-SIG-MEANING"),
    "a rejection without a reason": ({"meaning": "reject"}, "E-SIG-MEANING"),
    "an empty reason": ({"reason": ""}, "E-SIG-MEANING"),
    "a reason of two lines": ({"reason": "a\nb"}, "E-SIG-MEANING"),
    "a reason added": ({"reason": "looks good"}, "E-SIG-SIGNATURE"),
    "another time": ({"time_utc": "2099-01-01T00:00:00.000001Z"}, "E-SIG-SIGNATURE"),
    "a time of no form": ({"time_utc": "2099-01-01"}, "E-SIG-FORM"),
    "another name": ({"name": "Rita Other"}, "E-SIG-PERSON"),
    "another person": ({"user": "anna"}, "E-SIG-PERSON"),
    "somebody unknown": ({"user": "mike"}, "E-SIG-PERSON"),
    "other roles": ({"roles": ["reviewer"]}, "E-SIG-PERSON"),
    "roles that are no text": ({"roles": [1]}, "E-SIG-FORM"),
    "another key": ({"keyid": "0" * 64}, "E-SIG-PERSON"),
    "another picture": ({"shown": [_pair(digest="4" * 64)]}, "E-SIG-SIGNATURE"),
    "one more picture": ({"shown": [_pair(), _pair("why.png")]}, "E-SIG-SIGNATURE"),
    "nothing shown": ({"shown": []}, "E-SIG-FORM"),
    "shown twice": ({"shown": [_pair(), _pair()]}, "E-SIG-FORM"),
    "shown out of order": ({"shown": [_pair("why.png"), _pair()]}, "E-SIG-FORM"),
    "shown without a digest": ({"shown": [_pair(digest="x")]}, "E-SIG-FORM"),
    "shown with more": ({"shown": [_pair(more=1)]}, "E-SIG-FORM"),
    "shown under a path": ({"shown": [_pair("../x")]}, "E-SIG-FORM"),
    "a signature that is none": ({"signature": "AAAA"}, "E-SIG-SIGNATURE"),
    "a signature that is no base64": ({"signature": "?"}, "E-SIG-SIGNATURE"),
    "something more": ({"note": "x"}, "E-SIG-FORM"),
    "another record": ({"record_id": "7" * 26}, "E-SIG-SIGNATURE"),
}


@pytest.mark.parametrize(("change", "code"), CHANGED.values(), ids=CHANGED.keys())
def test_nothing_in_a_signature_can_be_changed(
    scene: Scene, tmp_path: Path, change: dict[str, object], code: str
) -> None:
    scene.signers.sign("rita", scene.one)
    receipt = scene.put(_said(scene.signature(), **change))
    for report in scene.verify(tmp_path):
        assert not report.ok
        assert [(finding.index, finding.code) for finding in report.findings] == [(receipt.index, code)]
        assert (_claim(report).ok, _claim(report).text) == (
            False,
            "1 findings in records of people and signatures; 1 signatures hold.",
        )


def _lifted(scene: Scene, about: Signed, subject: str | None = None) -> Document:
    """An honest signature's record, made to name another decision."""
    document = _said(scene.signature(), signed=about._asdict())
    digest = {"sha256": about.envelope_sha256 if subject is None else subject}
    return {**document, "subject": [{"name": "record", "digest": digest}]}


@pytest.mark.verifies("SRS-SIG-001", rc=("RC-029",))
def test_a_signature_is_not_lifted_to_another_decision(scene: Scene, tmp_path: Path) -> None:
    receipt = scene.put(_lifted(scene, signed(scene.other)))
    for report in scene.verify(tmp_path):
        assert [(one.index, one.code) for one in report.findings] == [(receipt.index, "E-SIG-SIGNATURE")]


ABOUT_NOTHING: dict[str, Callable[[Scene, Signed], Signed]] = {
    "another place": lambda scene, about: about._replace(log_index=scene.other.index),
    "another id": lambda scene, about: about._replace(record_id=scene.other.record_id),
    "another envelope": lambda scene, about: about._replace(envelope_sha256=scene.other.envelope_sha256),
    "a place after it": lambda scene, about: about._replace(log_index=scene.ledger.size + 7),
    "its own place": lambda scene, about: about._replace(log_index=scene.ledger.size),
    "no decision": lambda scene, _: signed(scene.signers.attempt("rita", "failed")),
    "an error": lambda scene, _: signed(scene.put(scene.site.draft(state="ERROR"))),
}


@pytest.mark.parametrize("other", ABOUT_NOTHING.values(), ids=ABOUT_NOTHING.keys())
def test_a_signature_is_about_a_decision_before_it(
    scene: Scene, tmp_path: Path, other: Callable[[Scene, Signed], Signed]
) -> None:
    """The person signs it with their own key, and there is no such decision."""
    about = other(scene, signed(scene.one))
    said = signers.signature(scene.signers.next(), scene.rita, about)
    receipt = scene.put(signers.put_down(scene.ledger.origin, said, scene.signers.seeds["rita"]))
    for report in scene.verify(tmp_path):
        assert [(one.index, one.code) for one in report.findings] == [(receipt.index, "E-SIG-SUBJECT")]


def test_the_subject_is_what_is_signed(scene: Scene, tmp_path: Path) -> None:
    receipt = scene.put(_lifted(scene, signed(scene.one), subject="3" * 64))
    for report in scene.verify(tmp_path):
        assert [(one.index, one.code) for one in report.findings] == [(receipt.index, "E-SIG-FORM")]


def test_a_signature_of_another_log_holds_nowhere(scene: Scene, tmp_path: Path) -> None:
    said = signers.signature(scene.signers.next(), scene.rita, signed(scene.one))
    scene.put(signers.put_down("example.org/other", said, scene.signers.seeds["rita"]))
    assert [one.code for report in scene.verify(tmp_path) for one in report.findings] == ["E-SIG-SIGNATURE"] * 2


def test_a_repeated_signature_is_a_repeated_record(scene: Scene) -> None:
    document = scene.signature()
    scene.put(document)
    with pytest.raises(Exception, match="already in the log"):
        scene.put(document)


@pytest.mark.verifies("SRS-SIG-003")
@pytest.mark.parametrize("meaning", ["approve", "override"])
def test_the_author_neither_approves_nor_overrides(scene: Scene, tmp_path: Path, meaning: str) -> None:
    receipt = scene.signers.sign("rita", scene.other, meaning=meaning, reason="mine")
    for report in scene.verify(tmp_path):
        assert [(one.index, one.code) for one in report.findings] == [(receipt.index, "E-SIG-AUTHOR")]


@pytest.mark.verifies("SRS-SIG-003")
def test_a_signature_is_not_older_than_its_decision(scene: Scene, tmp_path: Path) -> None:
    receipt = scene.signers.sign("rita", scene.one, time_utc="2020-01-01T00:00:00.000000Z")
    scene.signers.sign("rita", scene.one, time_utc=scene.one.time_utc)  # the same moment will do
    for report in scene.verify(tmp_path):
        assert [(one.index, one.code) for one in report.findings] == [(receipt.index, "E-SIG-TIME")]


NOT_THEN: dict[str, Callable[[Signers], object]] = {
    "disabled": lambda made: made.change("disabled", replace(made.people["rita"], enabled=False), "anna"),
    "locked": lambda made: [made.attempt("rita", "locked" if n == 4 else "failed") for n in range(5)],
    "without the role": lambda made: made.change("roles", replace(made.people["rita"], roles=("reader",)), "anna"),
    "with a foreign passphrase": lambda made: made.change(
        "passphrase", replace(made.people["rita"], must_change=True), "anna"
    ),
}


@pytest.mark.verifies("SRS-SIG-003")
@pytest.mark.parametrize("state", NOT_THEN.values(), ids=NOT_THEN.keys())
def test_who_may_not_sign_then_has_not_signed(scene: Scene, tmp_path: Path, state: Callable[[Signers], object]) -> None:
    """What was signed before stays signed, and what was signed by then is void."""
    scene.signers.sign("rita", scene.one)
    state(scene.signers)
    receipt = scene.signers.sign("rita", scene.one)
    for report in scene.verify(tmp_path):
        assert [(one.index, one.code) for one in report.findings] == [(receipt.index, "E-SIG-PERSON")]
        assert "1 signatures hold" in _claim(report).text


@pytest.mark.verifies("SRS-SIG-003")
def test_a_person_signs_nothing_before_they_were_added(site: Site, tmp_path: Path) -> None:
    with site.open() as ledger:
        made = Signers(ledger)
        made.add("anna", "admin")
        (decision,) = site.append(ledger)
        made.people["rita"], made.seeds["rita"] = signers.person("rita", 500, must_change=False), 500
        early = made.sign("rita", decision)
        made.add("rita", "reviewer", by="anna")
        made.sign("rita", decision)
        report = verify_ledger(ledger, ledger.anchor_text())
    assert [(one.index, one.code) for one in report.findings] == [(early.index, "E-SIG-PERSON")]


@pytest.mark.verifies("SRS-SIG-005")
def test_a_former_key_signs_nothing_more_and_what_it_signed_stays(scene: Scene, tmp_path: Path) -> None:
    former = scene.signers.seeds["rita"]
    scene.signers.sign("rita", scene.one)
    scene.signers.change("passphrase", scene.rita, "rita")
    scene.signers.sign("rita", scene.one)
    said = signers.signature(scene.signers.next(), scene.rita, signed(scene.one))
    receipt = scene.put(signers.put_down(scene.ledger.origin, said, former))
    for report in scene.verify(tmp_path):
        assert [(one.index, one.code) for one in report.findings] == [(receipt.index, "E-SIG-PERSON")]
        assert "2 signatures hold" in _claim(report).text


def test_who_has_the_engine_key_alone_signs_for_nobody(scene: Scene, tmp_path: Path) -> None:
    said = signers.signature(scene.signers.next(), scene.rita, signed(scene.one))
    predicate = {**said.predicate(scene.ledger.origin, scene.site.engine), **ABOUT}
    subject = {"record": scene.one.envelope_sha256}
    scene.put(statement.build(statement.SIGNATURE, subject, predicate))
    assert {one.code for report in scene.verify(tmp_path) for one in report.findings} == {"E-SIG-SIGNATURE"}


@pytest.mark.verifies("SRS-SIG-004")
def test_who_has_the_engine_key_alone_changes_nobody(scene: Scene, tmp_path: Path) -> None:
    thief = signers.person("rita", 600, "reviewer", "qa", must_change=False)
    document = signers.changed(scene.ledger.origin, scene.signers.next(), "passphrase", thief, "rita", 600, 600)
    forged = scene.put(document)
    said = signers.signature(scene.signers.next(), thief, signed(scene.one))
    signature = scene.put(signers.put_down(scene.ledger.origin, said, 600))
    for report in scene.verify(tmp_path):
        assert [(one.index, one.code) for one in report.findings] == [
            (forged.index, "E-USER-CHANGE"),
            (signature.index, "E-SIG-PERSON"),
        ]


def test_the_offline_door_ends_with_4_and_says_it(
    scene: Scene, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    scene.put(_said(scene.signature(), meaning="reject", reason="x"))
    export.write(scene.ledger, tmp_path / "export")
    (tmp_path / "policy").write_bytes(scene.site.policy.to_json())
    code = door.main(["verify", str(tmp_path / "export"), "--policy", str(tmp_path / "policy"), "--json"])
    said = json.loads(capsys.readouterr().out)
    assert code == 4
    assert [one["code"] for one in said["findings"]] == ["E-SIG-SIGNATURE"]
    assert [claim["ok"] for claim in said["claims"] if claim["name"] == SIGNED] == [False]


def test_structure_alone_makes_no_claim_of_signatures(scene: Scene) -> None:
    scene.put(_said(scene.signature(), meaning="reject", reason="x"))
    report = verify_ledger(scene.ledger, None, signatures=False)
    assert report.sound
    assert SIGNED not in [claim.name for claim in report.claims]


def test_other_processes_look_at_signatures_too(scene: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
    """What comes back from another process has everything that a signature is held against."""
    monkeypatch.setattr(crew, "AT_HOME", 0)
    monkeypatch.setattr(crew, "_cores", lambda: 2)
    scene.signers.sign("rita", scene.one)
    bad = [scene.signers.sign("rita", scene.other).index, scene.put(_said(scene.signature(), name="Rita")).index]
    report = verify_ledger(scene.ledger, scene.ledger.anchor_text())
    assert [(one.index, one.code) for one in report.findings] == list(
        zip(bad, ["E-SIG-AUTHOR", "E-SIG-PERSON"], strict=True)
    )
    assert "1 signatures hold" in _claim(report).text


_ACTS = st.lists(
    st.tuples(st.sampled_from(["decide", "sign", "passphrase", "disable", "enable"]), st.integers(0, 9)), max_size=12
)


@settings(max_examples=20, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(acts=_ACTS)
def test_any_honest_history_verifies_and_counts_its_signatures(
    tmp_path_factory: pytest.TempPathFactory, acts: list[tuple[str, int]]
) -> None:
    site = Site(tmp_path_factory.mktemp("signed"))
    with site.create() as ledger:
        made, decisions, count = Signers(ledger), site.append(ledger), 0
        made.add("anna", "admin")
        made.add("rita", "reviewer", by="anna")
        for act, number in acts:
            on = made.people["rita"].enabled
            if act == "decide":
                decisions += site.append(ledger)
            elif act == "sign" and on:
                meaning = MEANINGS[number % 3]
                made.sign("rita", decisions[number % len(decisions)], meaning=meaning, reason="a reason")
                count += 1
            elif act == "passphrase" and on:
                made.change("passphrase", made.people["rita"], "rita")
            elif act in ("disable", "enable") and on == (act == "disable"):
                made.change(f"{act}d", replace(made.people["rita"], enabled=not on), "anna")
        report = verify_ledger(ledger, ledger.anchor_text())
    assert report.findings == ()
    assert _claim(report).text.startswith(f"{count} (" if count else "None.")


@given(st.sampled_from(MEANINGS), st.none() | st.text(max_size=20))
def test_a_reason_is_one_printable_line(meaning: str, reason: str | None) -> None:
    if is_reason(meaning, reason):
        assert meaning == "approve" or reason
        assert reason is None or (reason.isprintable() and reason == reason.strip())


def test_what_is_shown_has_its_bounds() -> None:
    pairs = tuple((f"layer-{number:02d}", "0" * 64) for number in range(65))
    assert is_shown(pairs[:64])
    assert not is_shown(pairs)
    assert not is_shown(())


def test_a_reader_of_the_log_alone_comes_to_the_same(scene: Scene) -> None:
    scene.signers.sign("rita", scene.one)
    with Ledger.open(scene.site.url, None, None, None) as reader:
        assert _claim(verify_ledger(reader, None)).ok
