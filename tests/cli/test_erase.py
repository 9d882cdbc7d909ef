# SPDX-License-Identifier: Apache-2.0
"""``audit erase``, ``audit hold`` and ``audit list --patient-id``: what they say, and with which exit code."""

from __future__ import annotations

from pathlib import Path

import pytest

from radiomicnet_md import home as homes
from radiomicnet_md.errors import ExitCode
from tests import patients
from tests.cli.conftest import Command
from tests.patients import PEOPLE, WHY

pytestmark = pytest.mark.usefixtures("home", "engine")
QUILL = PEOPLE["quill"]["PatientID"]


@pytest.fixture
def records(command: Command, tmp_path: Path) -> list[str]:
    """Ids of four decisions: two about one patient, two about others."""
    people = ("quill", "quill", "umlaut", "nameless")
    scans = [patients.write(tmp_path / f"{seed}.dcm", PEOPLE[who], seed) for seed, who in enumerate(people)]
    said = command("segment", *scans, "--out", tmp_path / "out", "--format", "png", "--json")
    assert said.code == ExitCode.OK
    return [line["record_id"] for line in said.lines]


@pytest.mark.verifies("SRS-PRV-002", "SRS-PRV-004", "SRS-CLI-002")
def test_an_erased_patient_is_said_to_be_erased_everywhere(command: Command, records: list[str]) -> None:
    said = command("audit", "erase", records[0][:10], "--reason", WHY, "--json")
    assert said.code == ExitCode.OK
    (line,) = said.lines
    assert line["records"] == sorted(records[:2])
    assert (line["removed"], line["kept"]) == (8, 0)
    assert "were not touched" in said.err
    listed = command("audit", "list", "--json").lines
    assert [one["erased"] for one in listed] == [line["record_id"]] * 2 + [None] * 2
    rows = command("audit", "list").out.splitlines()
    assert ["erased" in row for row in rows] == [True, True, False, False]
    assert command("audit", "show", records[1], "--json").lines[0]["erased"] == line["record_id"]
    assert f"by record {line['record_id']}" in command("audit", "show", records[1]).out.replace("\n", " ").replace(
        "  ", ""
    )
    assert "byte for byte as recorded" in command("audit", "show", records[2]).out.replace("\n", " ").replace("  ", "")
    replayed = command("audit", "replay", records[1], "--json")
    assert (replayed.code, replayed.lines[0]["verdict"]) == (ExitCode.INTENDED_USE, "INPUT MISSING")
    assert WHY in command("audit", "show", line["record_id"]).out
    assert command("audit", "verify").code == ExitCode.OK
    again = command("audit", "erase", records[0], "--reason", WHY, "--json")
    assert (again.code, again.lines[0]["reason"]["code"]) == (ExitCode.USAGE, "E-ERASE-NOTHING")


@pytest.mark.verifies("SRS-PRV-005", "SRS-CLI-002")
def test_a_held_patient_is_not_erased_until_the_hold_is_released(command: Command, records: list[str]) -> None:
    held = command("audit", "hold", "place", "--patient-id", QUILL, "--reason", "case 7", "--json").lines[0]
    everything = command("audit", "hold", "place", "--all", "--reason", "inquiry", "--json").lines[0]
    listed = command("audit", "hold", "list", "--json").lines
    assert [(one["hold"], one["subject"], one["reason"]) for one in listed] == [
        (held["hold"], held["subject"], "case 7"),
        (everything["hold"], None, "inquiry"),
    ]
    assert "everything" in command("audit", "hold", "list").out
    refused = command("audit", "erase", records[2], "--reason", WHY, "--json")
    assert (refused.code, refused.lines[0]["reason"]["code"]) == (ExitCode.USAGE, "E-HOLD")
    assert everything["hold"] in refused.err
    assert command("audit", "hold", "release", everything["hold"], "--reason", "over").code == ExitCode.OK
    assert command("audit", "erase", records[2], "--reason", WHY).code == ExitCode.OK
    assert command("audit", "erase", "--patient-id", QUILL, "--reason", WHY).code == ExitCode.USAGE
    old = command("audit", "erase", "--older-than", "1", "--reason", WHY, "--json")
    assert (old.code, old.lines) == (ExitCode.OK, [{"erased": 0, "held": 0}])
    assert command("audit", "hold", "release", held["hold"][:9], "--reason", "over").code == ExitCode.OK
    assert command("audit", "hold", "list").out == ""
    assert command("audit", "erase", "--patient-id", QUILL, "--reason", WHY).code == ExitCode.OK


@pytest.mark.verifies("SRS-PRV-006")
def test_retention_says_how_many_went_and_how_many_were_held(
    command: Command, records: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    from radiomicnet_md_audit import clock

    command("audit", "hold", "place", records[0], "--reason", "case 7")
    now = clock.now().utc
    monkeypatch.setattr("radiomicnet_md.privacy.people.timedelta", lambda days: now - now.replace(year=now.year - days))
    assert command("audit", "erase", "--older-than", "1", "--reason", WHY, "--json").lines == [{"erased": 0, "held": 0}]
    monkeypatch.setattr("radiomicnet_md.privacy.people.timedelta", lambda days: now - now.replace(year=now.year + days))
    said = command("audit", "erase", "--older-than", "1", "--reason", WHY)
    assert said.code == ExitCode.OK
    assert said.out.splitlines()[-1] == "2 erased, 1 passed over by a legal hold"


@pytest.mark.verifies("SRS-PRV-007", "SRS-INP-008")
def test_a_patient_s_records_are_listed_with_the_passphrase_alone(
    command: Command, records: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for whom in (["--patient-id", QUILL], ["--patient-id", QUILL, "--issuer", "Hospital-Zeta-Nine"]):
        said = command("audit", "list", *whom, "--json")
        assert [line["record_id"] for line in said.lines] == records[:2]
    unknown = command("audit", "list", "--patient-id", QUILL, "--issuer", "", "--json")
    assert (unknown.code, unknown.lines[0]["reason"]["code"]) == (ExitCode.USAGE, "E-SUBJECT-UNKNOWN")
    (tmp_path / "wrong").write_text("wrong\n")
    monkeypatch.setenv(homes.PASSPHRASE_FILE, str(tmp_path / "wrong"))
    refused = command("audit", "list", "--patient-id", QUILL)
    assert (refused.code, refused.out) == (ExitCode.CONFIGURATION, "")
    assert command("audit", "erase", records[0], "--reason", WHY).code == ExitCode.CONFIGURATION
    assert len(command("audit", "list").out.splitlines()) == 4
    for said in (unknown, refused):
        assert not patients.found(PEOPLE["quill"], {"said": (said.out + said.err).encode()})


@pytest.mark.verifies("SRS-CLI-001", "SRS-CLI-002")
@pytest.mark.parametrize(
    "arguments",
    [
        ["erase", "--reason", WHY],
        ["erase", "0123", "--patient-id", "4711", "--reason", WHY],
        ["erase", "0123", "--older-than", "3", "--reason", WHY],
        ["erase", "0123", "--issuer", "A", "--reason", WHY],
        ["erase", "--older-than", "0", "--reason", WHY],
        ["erase", "--older-than", "soon", "--reason", WHY],
        ["erase", "--older-than", "9" * 4000, "--reason", WHY],
        ["erase", "--patient-id", "4711"],
        ["erase", "zzzz", "--reason", WHY],
        ["hold", "place", "--reason", WHY],
        ["hold", "place", "0123", "--all", "--reason", WHY],
        ["hold", "release", "zzzz", "--reason", WHY],
        ["hold"],
        ["list", "--issuer", "A"],
    ],
    ids=lambda arguments: " ".join(arguments)[:40],
)
def test_what_does_not_go_together_is_said_and_changes_nothing(
    command: Command, home: Path, arguments: list[str]
) -> None:
    before = (home / "audit.db").read_bytes()
    said = command("audit", *arguments)
    assert said.code == ExitCode.USAGE
    assert said.out == ""
    assert "→" in said.err
    assert (home / "audit.db").read_bytes() == before


@pytest.mark.verifies("SRS-CLI-003")
@pytest.mark.parametrize("verb", [["erase"], ["hold"], ["hold", "place"], ["hold", "release"], ["hold", "list"]])
def test_each_verb_explains_itself(command: Command, verb: list[str]) -> None:
    assert command("audit", *verb, "--help").code == ExitCode.OK
