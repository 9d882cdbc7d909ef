# SPDX-License-Identifier: Apache-2.0
"""``audit report`` gives the log's records to other systems, from a log that the device itself has written."""

from __future__ import annotations

import csv
import hashlib
import json
import re
from base64 import b64decode
from pathlib import Path
from xml.etree.ElementTree import fromstring

import pytest

from radiomicnet_md.errors import ConfigurationError, ExitCode
from radiomicnet_md_audit.ledger import Ledger
from radiomicnet_md_audit.outside import Form
from radiomicnet_md_audit.outside.rows import FROM_PREDICATE
from tests import desks
from tests.cli.conftest import Command

Place = tuple[int, str, str]


@pytest.fixture
def log(command: Command, home: Path, engine: desks.FakeEngine, tmp_path: Path) -> list[dict[str, object]]:
    """A home whose log holds a genesis, a result, a refusal and an export; what ``audit list`` says of it."""
    scan = desks.write_images(tmp_path, "scan.png")[0]
    (tmp_path / "text.png").write_bytes(b"not an image")
    assert command("segment", scan, "--out", tmp_path / "results").code == ExitCode.OK
    assert command("segment", tmp_path / "text.png", "--out", tmp_path / "results").code == ExitCode.INTENDED_USE
    assert command("audit", "export", tmp_path / "bundle").code == ExitCode.OK
    return command("audit", "list", "--all", "--json").lines


def places(form: str, path: Path) -> list[Place]:
    """Log index, record id and digest of every record in a report."""
    if form == "csv":
        with path.open(encoding="utf-8", newline="") as file:
            lines = list(csv.DictReader(file))
        return [(int(one["log_index"]), one["record_id"], one["envelope_sha256"]) for one in lines]
    if form == "jsonl":
        rows = [json.loads(line) for line in path.read_text("utf-8").splitlines()]
        return [(one["log_index"], one["record_id"], one["envelope_sha256"]) for one in rows]
    if form == "fhir":
        found = [entry["resource"] for entry in json.loads(path.read_text("utf-8"))["entry"]]
        codes = [[tag["code"] for tag in one["meta"]["tag"]] for one in found if one["resourceType"] == "AuditEvent"]
        return [(int(index), identity, digest) for index, identity, digest in codes]
    said = []
    for line in path.read_text("ascii").splitlines():
        message = fromstring(line)  # noqa: S314 -- what the device has just written
        pairs = {one.attrib["type"]: one.attrib["value"] for one in message.iter("ParticipantObjectDetail")}
        index, identity, digest = (
            b64decode(pairs[name]).decode() for name in ("log_index", "record_id", "envelope_sha256")
        )
        said.append((int(index), identity, digest))
    return said


@pytest.mark.verifies("SRS-OUT-010", "SRS-OUT-011", "SRS-OUT-012")
@pytest.mark.parametrize("form", Form)
def test_every_record_is_in_every_form(
    command: Command, log: list[dict[str, object]], tmp_path: Path, form: str
) -> None:
    said = command("audit", "report", "--form", form, "--out", tmp_path / "report", "--json")
    assert said.code == ExitCode.OK
    assert said.lines == [{"form": form, "out": str(tmp_path / "report"), "records": 4}]
    assert "audit verify" in said.err
    listed = [(line["log_index"], line["record_id"]) for line in log]
    found = places(form, tmp_path / "report")
    assert [(index, identity) for index, identity, _ in found] == listed
    stored = (tmp_path / "bundle" / "entries.jsonl").read_bytes().splitlines()
    assert [digest for _, _, digest in found] == [hashlib.sha256(envelope).hexdigest() for envelope in stored]


@pytest.mark.verifies("SRS-OUT-010")
def test_columns_are_those_that_the_device_writes(
    command: Command, log: list[dict[str, object]], tmp_path: Path
) -> None:
    """The table of columns names places that the device's own records have."""
    assert [line["kind"] for line in log] == ["genesis", "decision", "decision", "export"]
    command("audit", "report", "--form", "jsonl", "--out", tmp_path / "report")
    result, refusal = [json.loads(line) for line in (tmp_path / "report").read_text("utf-8").splitlines()][1:3]
    never = {"reason_code", "reason_text", "input_modality"} | {name for name in FROM_PREDICATE if "replay" in name}
    assert {name for name in FROM_PREDICATE if result[name] is None} == never
    assert (refusal["state"], refusal["mask_sha256"]) == ("REFUSED", None)
    assert refusal["reason_code"].startswith("E-")


@pytest.mark.verifies("SRS-OUT-010")
def test_a_report_replaces_nothing_and_needs_a_log_that_holds(
    command: Command, log: list[dict[str, object]], home: Path, tmp_path: Path
) -> None:
    before = (home / "audit.db").read_bytes()
    call = ("audit", "report", "--form", "csv", "--out", tmp_path / "report")
    assert command(*call).code == ExitCode.OK
    assert command(*call).code == ExitCode.CONFIGURATION
    assert len(command("audit", "list", "--all").out.splitlines()) == len(log) + 1
    assert command("audit", "report", "--form", "csv").code == ExitCode.USAGE
    assert command("audit", "report", "--form", "pdf", "--out", tmp_path / "other").code == ExitCode.USAGE
    (home / "audit.db").write_bytes(re.sub(rb'"sig":"..', b'"sig":"AA', before))
    assert command("audit", "report", "--form", "csv", "--out", tmp_path / "other").code == ExitCode.INTEGRITY
    assert not (tmp_path / "other").exists()


@pytest.mark.verifies("SRS-OUT-013")
@pytest.mark.parametrize("form", Form)
def test_a_report_is_recorded_with_the_digest_of_its_file(
    command: Command, log: list[dict[str, object]], tmp_path: Path, form: str
) -> None:
    assert command("audit", "report", "--form", form, "--out", tmp_path / "report").code == ExitCode.OK
    newest = command("audit", "list", "--all", "--last", "1", "--json").lines[0]
    assert (newest["kind"], newest["log_index"]) == ("report", len(log))
    said = command("audit", "show", newest["record_id"], "--json").lines[0]["statement"]
    digest = hashlib.sha256((tmp_path / "report").read_bytes()).hexdigest()
    about = {name: said["predicate"][name] for name in ("form", "records", "file_sha256")}
    assert about == {"form": form, "records": len(log), "file_sha256": digest}
    assert said["predicate"]["operator"]
    assert said["subject"] == [{"name": "report", "digest": {"sha256": digest}}]
    assert command("audit", "verify").code == ExitCode.OK


@pytest.mark.verifies("SRS-OUT-013")
@pytest.mark.usefixtures("log")
def test_where_the_log_takes_no_record_no_report_is_given_out(
    command: Command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object) -> None:
        raise ConfigurationError("E-STORE-WRITE", "The log cannot be written.", remedy="Free space.")

    monkeypatch.setattr(Ledger, "append", full)
    (tmp_path / "reports").mkdir()
    said = command("audit", "report", "--form", "csv", "--out", tmp_path / "reports" / "report")
    assert said.code == ExitCode.CONFIGURATION
    assert list((tmp_path / "reports").iterdir()) == []
