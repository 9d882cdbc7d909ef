# SPDX-License-Identifier: Apache-2.0
"""The log: what was changed, cut or set back is found, here and by a stranger."""

from __future__ import annotations

import shutil
import sys
from pathlib import Path

import pytest

from radiomicnet_md.home import anchor_beside
from radiomicnet_md_validation.oq.bench import PHANTOM, Decided, Program, run
from radiomicnet_md_validation.oq.catalogue import about
from radiomicnet_md_validation.oq.plugin import Seen

_BEHIND = (
    "import sys, runpy; from datetime import timedelta; from radiomicnet_md_audit import clock; now = clock.now; "
    "back = lambda: clock.Instant(now().utc - timedelta(hours=1), now().monotonic_ns); clock.now = back; "
    "from radiomicnet_md_audit import appending; appending.Writer.clock = staticmethod(back); "
    "from radiomicnet_md import cli; sys.exit(cli.main(sys.argv[1:]))"
)


@about(
    "OQ-030",
    "SRS-LOG-004",
    objective="A changed byte of a record in the log is found",
    expected="verified before, exit code 4 with a finding after",
)
def test_a_changed_byte_is_found(decided: Decided, tmp_path: Path, seen: Seen) -> None:
    home = decided.program.copied(tmp_path)
    assert home("audit", "verify").code == 0
    database = home.home / "audit.db"
    data = bytearray(database.read_bytes())
    at = data.index(b'"payloadType"') - 40  # inside the payload of an envelope
    data[at] ^= 1
    database.write_bytes(bytes(data))
    said = home("audit", "verify")
    seen(f"exit code {said.code}, findings {[one['code'] for one in said.lines[0]['findings']][:3]}")
    assert said.code == 4
    assert said.lines[0]["findings"]


@about(
    "OQ-031",
    "SRS-LOG-006",
    objective="A log that was set back as a whole is found by its anchor",
    expected="exit code 4 against the anchor that goes on",
)
def test_a_log_set_back_is_found(program: Program, tmp_path: Path, seen: Seen) -> None:
    home = program.copied(tmp_path)
    shutil.copytree(home.home, tmp_path / "before")
    assert home("audit", "export", tmp_path / "export").code == 0  # one record more
    for name in ("audit.db", "audit.db-wal", "audit.db-shm", "audit.db.settled"):
        (home.home / name).unlink(missing_ok=True)
        if (tmp_path / "before" / name).exists():
            shutil.copy2(tmp_path / "before" / name, home.home / name)
    said = home("audit", "verify")
    seen(f"exit code {said.code}, {said.out.strip()[:300]}")
    assert said.code == 4
    assert "ANCHOR" in said.out


@about(
    "OQ-032",
    "SRS-LOG-005",
    "SRS-LOG-009",
    objective="A stranger verifies an export without the device, and finds a changed byte",
    expected="exit code 0 for the export, 4 after one byte of an entry was changed",
)
def test_an_export_is_verified_offline(decided: Decided, tmp_path: Path, seen: Seen) -> None:
    home = decided.program.copied(tmp_path)
    bundle = tmp_path / "export"
    assert home("audit", "export", bundle).code == 0
    stranger = [sys.executable, "-m", "radiomicnet_md_audit", "verify", str(bundle), "--policy"]
    whole = run([*stranger, str(bundle / "policy.json")])
    entries = bundle / "entries.jsonl"
    data = bytearray(entries.read_bytes())
    data[len(data) // 2] ^= 1
    entries.write_bytes(bytes(data))
    changed = run([*stranger, str(bundle / "policy.json")])
    seen(f"exit codes {whole.code} and {changed.code}")
    assert (whole.code, changed.code) == (0, 4)


@about(
    "OQ-033",
    "SRS-LOG-018",
    "SRS-REC-003",
    objective="A clock that was set back is told, and is no failure",
    expected="the verification says that the clock was set back, and holds",
)
def test_a_clock_set_back_is_told(program: Program, tmp_path: Path, seen: Seen) -> None:
    home = program.copied(tmp_path)
    late = Program((program.command[0], "-c", _BEHIND), home.home)
    assert home("audit", "export", tmp_path / "first").code == 0
    assert late("audit", "export", tmp_path / "second").code == 0
    said = home("audit", "verify")
    told = [one["text"] for one in said.lines[0]["claims"] if "set back" in one["text"]]
    seen(f"exit code {said.code}, {told}")
    assert said.code == 0
    assert told


@about(
    "OQ-034",
    "SRS-PRV-002",
    "SRS-PRV-004",
    objective="A patient is erased: the identity is gone and the log verifies as before",
    expected="the patient's id is found before and not after; exit code 0 of the verification",
)
def test_a_patient_is_erased(decided: Decided, tmp_path: Path, seen: Seen) -> None:
    home = decided.program.copied(tmp_path)
    patient = PHANTOM.decode().strip()
    found = home("audit", "list", "--patient-id", patient)
    said = home("audit", "erase", "--patient-id", patient, "--reason", "request 1 of this test")
    again = home("audit", "erase", "--patient-id", patient, "--reason", "request 2 of this test")
    verified = home("audit", "verify")
    seen(f"found {len(found.lines)}, erased {said.code}, again {again.reasons()}, verified {verified.code}")
    assert (found.code, len(found.lines) > 0) == (0, True)
    assert said.code == 0
    assert again.reasons()[0] in ("E-SUBJECT-UNKNOWN", "E-ERASE-NOTHING")
    assert verified.code == 0
    replayed = home("audit", "replay", decided.lines["scan"]["record_id"])
    assert replayed.code == 5, "the samples are still there"
    assert not [path for path in home.home.rglob("*") if path.is_file() and PHANTOM.strip() in path.read_bytes()]


@about(
    "OQ-035",
    "SRS-LOG-013",
    objective="A log on the site's database server takes records and verifies",
    expected="exit code 0 of init, export and verification on the server that the site names",
)
def test_a_log_on_the_server(
    command: tuple[str, ...], request: pytest.FixtureRequest, tmp_path: Path, seen: Seen
) -> None:
    url = request.config.getoption("--oq-database")
    if not url:
        pytest.skip("the site names no database server (qualify oq --test-db URL): its logs are in files")
    home = Program(command, tmp_path / "home")
    codes = {
        "init": home("init", "--audit-db", url).code,
        "export": home("audit", "export", tmp_path / "export", "--audit-db", url).code,
        "verify": home("audit", "verify", "--audit-db", url).code,
    }
    seen(f"exit codes {codes}")
    assert set(codes.values()) == {0}
    assert anchor_beside(home.home).is_file()
