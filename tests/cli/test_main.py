# SPDX-License-Identifier: Apache-2.0
"""The door: verbs, global options, exit codes, and words for what went wrong."""

from __future__ import annotations

import io
import json
import os
import signal
import sqlite3
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import yaml

from radiomicnet_md import cli
from radiomicnet_md import home as homes
from radiomicnet_md.commands import call, segment
from radiomicnet_md.errors import ExitCode
from radiomicnet_md_audit import store
from tests import desks
from tests.cli.conftest import Command


@pytest.fixture
def scans(tmp_path: Path) -> list[Path]:
    return desks.write_images(tmp_path / "in", "a.png", "b.png")


@pytest.mark.verifies("SRS-CLI-003")
def test_help_imports_nothing_heavy(tmp_path: Path) -> None:
    program = (
        "import sys; from radiomicnet_md.cli import main; code = main(['--help']);"
        "heavy = {'torch', 'numpy', 'pydantic', 'yaml', 'cryptography'} & set(sys.modules);"
        "sys.exit(f'{code} {heavy}' if code or heavy else 0)"
    )
    subprocess.run([sys.executable, "-c", program], env=desks.environment(tmp_path), check=True, capture_output=True)


@pytest.mark.verifies("SRS-CLI-003")
@pytest.mark.parametrize("verb", list(cli.VERBS))
def test_each_verb_explains_itself_with_an_example(command: Command, verb: str) -> None:
    said = command(verb, "--help")
    assert said.code == ExitCode.OK
    assert f"radiomicnet-md {verb}" in said.out
    assert "example" in said.out
    assert said.err == ""


@pytest.mark.verifies("SRS-CLI-003", "SRS-LOG-005")
def test_an_audit_verification_works_where_torch_cannot_be_imported(home: Path, tmp_path: Path) -> None:
    program = (
        "import sys; sys.modules.update(torch=None, numba=None, SimpleITK=None, pydicom=None, matplotlib=None);"
        "from radiomicnet_md.cli import main; sys.exit(main(['audit', 'verify', '--json']))"
    )
    environment = desks.environment(tmp_path, RADIOMICNET_MD_HOME=str(home))
    done = subprocess.run([sys.executable, "-c", program], env=environment, capture_output=True, text=True, check=True)
    report = json.loads(done.stdout)
    assert report["ok"]
    assert set(report) == {"ok", "size", "root", "claims", "findings"}


@pytest.mark.verifies("SRS-CLI-001")
@pytest.mark.usefixtures("engine")
def test_global_options_are_taken_before_and_after_the_verb(
    home: Path, command: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("RADIOMICNET_MD_HOME")
    said = [
        command("--home", home, "--json", "audit", "list", "--all"),
        command("audit", "--home", home, "--json", "list", "--all"),
        command("audit", "list", "--home", home, "--json", "--all"),
        command("--json", "audit", "list", "--all", f"--home={home}"),
    ]
    assert len({line.out for line in said}) == 1
    assert [line.code for line in said] == [ExitCode.OK] * 4
    assert said[0].lines[0]["kind"] == "genesis"
    assert command("audit", "list").code == ExitCode.CONFIGURATION
    shown = command("--version")
    assert (shown.code, shown.out.split()[0]) == (ExitCode.OK, "radiomicnet-md")


@pytest.mark.verifies("SRS-CLI-001", "SRS-CLI-004")
@pytest.mark.parametrize(
    "arguments",
    [
        ["--json"],
        ["segmnt", "a.png"],
        ["segment", "a.png"],
        ["segment", "--out", "out"],
        ["segment", "a.png", "--out", "out", "--format", "tiff"],
        ["segment", "a.png", "--out", "out", "--threshold", "0.5"],
        ["audit"],
        ["audit", "shown"],
        ["audit", "show", "zzzz"],
        ["release", "build"],
        ["features", "a.png", "--bin-count", "3", "--bin-width", "2"],
    ],
    ids=" ".join,
)
def test_what_does_not_exist_or_go_together_is_a_matter_of_usage(
    home: Path, command: Command, arguments: list[str]
) -> None:
    said = command(*arguments)
    assert said.code == ExitCode.USAGE
    assert "Traceback" not in said.err
    assert arguments == ["--json"] or "→" in said.err


@pytest.mark.verifies("SRS-CLI-001", "SRS-CLI-002", "SRS-REC-004")
@pytest.mark.usefixtures("home", "engine")
def test_segment_list_show_verify_export_and_replay(command: Command, scans: list[Path], tmp_path: Path) -> None:
    said = command("segment", *scans, "--out", tmp_path / "out", "--json")
    assert said.code == ExitCode.OK
    assert [line["status"] for line in said.lines] == ["accepted", "accepted"]
    assert [line["log_index"] for line in said.lines] == [1, 2]
    assert "unqualified demonstration" in said.err
    listed = command("audit", "list", "--json").lines
    for line, answer in zip(listed, said.lines, strict=True):
        assert {"record_id", "log_index", "time", "state", "input_sha256", "mask_sha256"} <= set(line)
        assert line["state"] == "RESULT"
        assert {name: line[name] for name in ("record_id", "input_sha256", "mask_sha256")}.items() <= answer.items()
    record = listed[0]["record_id"]
    shown = command("audit", "show", record[:8], "--json").lines[0]
    assert shown["statement"]["predicate"]["stamps"] == ["unqualified demonstration", "untrusted-key"]
    assert record in command("audit", "show", record).out
    assert command("audit", "replay", record, "--json").lines[0]["verdict"] == "IDENTICAL"
    assert command("audit", "replay", record, "--input", scans[1]).code == ExitCode.INTENDED_USE
    report = command("audit", "verify", "--json").lines[0]
    assert (report["ok"], report["size"]) == (True, 5)
    assert len(command("audit", "list", "--all").out.splitlines()) == 5
    assert "byte for byte as recorded" in command("audit", "show", record).out.replace("\n", " ").replace("  ", "")
    exported = command("audit", "export", tmp_path / "bundle", "--json")
    assert (exported.code, exported.lines[0]["size"]) == (ExitCode.OK, 6)
    assert (tmp_path / "bundle" / "policy.json").is_file()
    assert command("audit", "list", "--all", "--json").lines[-1]["kind"] == "export"
    assert command("audit", "export", tmp_path / "bundle").code == ExitCode.CONFIGURATION
    assert len(command("audit", "list", "--all").out.splitlines()) == 6


@pytest.mark.verifies("SRS-CLI-001", "SRS-CLI-004", "SRS-HOM-001")
@pytest.mark.usefixtures("home", "engine")
def test_a_person_reads_lines(command: Command, scans: list[Path], tmp_path: Path) -> None:
    said = command("segment", scans[0], tmp_path / "missing.png", "--out", tmp_path / "out")
    assert said.code == ExitCode.SOME_FAILED
    assert "accepted" in said.out
    assert "refused" in said.out
    assert "→" in said.out
    assert command("segment", tmp_path / "missing.png", "--out", tmp_path / "out").code == ExitCode.INTENDED_USE
    assert command("--quiet", "segment", scans[0], "--out", tmp_path / "out").err == ""
    assert command("audit", "verify").out.startswith("OK")


@pytest.mark.verifies("SRS-LOG-004", "SRS-CLI-001")
@pytest.mark.parametrize("name", ["audit.db", "policy.json", "../home.anchor"])
def test_a_changed_byte_of_the_log_its_policy_or_its_anchor_ends_with_4(
    command: Command, home: Path, name: str
) -> None:
    path, random = home / name, np.random.default_rng(2)
    was = path.read_bytes()
    version = {60, 61, 62, 63} if name == "audit.db" else set()  # SQLite's user_version: "made by a newer program"
    for at in {0, len(was) - 2, *version, *random.integers(0, len(was) - 1, 20).tolist()}:
        changed = bytearray(was)
        changed[at] ^= 1 << int(random.integers(0, 8))
        path.write_bytes(changed)
        said = command("audit", "verify", "--json")
        assert (said.code, said.lines[0]["ok"]) == (ExitCode.INTEGRITY, False), at
        path.write_bytes(was)
    assert command("audit", "verify").code == ExitCode.OK


@pytest.mark.verifies("SRS-CLI-001", "SRS-HOM-001")
def test_init_makes_a_home_once(command: Command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(homes.PASSPHRASE_FILE, raising=False)
    said = command("init", "--home", tmp_path / "new", "--json")
    assert said.code == ExitCode.OK
    assert said.lines[0]["stamps"] == ["unqualified demonstration", "untrusted-key"]
    assert Path(said.lines[0]["anchor"]).is_file()
    again = command("init", "--home", tmp_path / "new", "--json")
    assert (again.code, again.lines[0]["reason"]["code"]) == (ExitCode.CONFIGURATION, "E-HOME-EXISTS")


@pytest.mark.verifies("SRS-HOM-002", "SRS-CLI-001", "SRS-REC-005")
@pytest.mark.usefixtures("home", "engine")
def test_a_clinical_home_refuses_and_records_it(
    command: Command, scans: list[Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "passphrase").write_text("correct horse")
    monkeypatch.setenv(homes.PASSPHRASE_FILE, str(tmp_path / "passphrase"))
    clinical = ("--home", tmp_path / "clinical", "--json")
    assert command("init", "--clinical", *clinical).code == ExitCode.OK
    said = command("segment", *scans, "--out", tmp_path / "out", *clinical)
    assert said.code == ExitCode.NOT_QUALIFIED
    assert [line["reason"]["code"] for line in said.lines] == ["E-NOT-QUALIFIED"] * 2
    listed = command("audit", "list", *clinical).lines
    assert [line["state"] for line in listed] == ["REFUSED", "REFUSED"]
    assert [line["input_sha256"] for line in listed] == [line["input_sha256"] for line in said.lines]
    assert not (tmp_path / "out").exists()


@pytest.mark.verifies("SRS-CLI-004", "SRS-CLI-001")
@pytest.mark.usefixtures("engine")
def test_a_missing_home_is_not_made_in_silence(command: Command, scans: list[Path], tmp_path: Path) -> None:
    said = command("segment", scans[0], "--out", tmp_path / "out", "--home", tmp_path / "nowhere")
    assert said.code == ExitCode.CONFIGURATION
    assert "radiomicnet-md init" in said.err
    assert not (tmp_path / "nowhere").exists()
    assert not (tmp_path / "out").exists()


@pytest.mark.verifies("SRS-CLI-006")
@pytest.mark.usefixtures("engine")
def test_a_newer_home_ends_with_7_and_is_left_alone(
    command: Command, home: Path, scans: list[Path], tmp_path: Path
) -> None:
    (home / "home.yaml").write_text(yaml.safe_dump({"format": 2}))
    before = desks.tree(home)
    for arguments in (["segment", scans[0], "--out", tmp_path / "out"], ["audit", "list"], ["audit", "verify"]):
        assert command(*arguments).code == ExitCode.CONFIGURATION
    assert desks.tree(home) == before


@pytest.mark.verifies("SRS-KEY-002", "SRS-CLI-001")
@pytest.mark.usefixtures("engine")
def test_a_wrong_passphrase_ends_with_7_and_no_record(
    command: Command, home: Path, scans: list[Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "passphrase").write_text("wrong")
    monkeypatch.setenv(homes.PASSPHRASE_FILE, str(tmp_path / "passphrase"))
    before = (home / "audit.db").read_bytes()
    said = command("segment", scans[0], "--out", tmp_path / "out", "--json")
    assert (said.code, said.lines[0]["reason"]["code"]) == (ExitCode.CONFIGURATION, "E-KEY-PASSPHRASE")
    assert "Traceback" not in said.err
    assert (home / "audit.db").read_bytes() == before


@pytest.mark.verifies("SRS-LOG-007", "SRS-CLI-001")
@pytest.mark.usefixtures("engine")
def test_a_log_that_stays_busy_ends_with_75_and_no_output(
    command: Command, home: Path, scans: list[Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(store, "WAIT_MS", 200)
    other = sqlite3.connect(home / "audit.db", isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    try:
        said = command("segment", scans[0], "--out", tmp_path / "out", "--json")
    finally:
        other.close()
    assert said.code == ExitCode.RETRY
    assert said.lines[-1]["status"] == "error"
    assert desks.tree(tmp_path / "out") == {}


@pytest.mark.verifies("SRS-CLI-001", "SRS-CLI-004")
@pytest.mark.parametrize(
    ("raised", "code"),
    [(KeyboardInterrupt(), ExitCode.INTERRUPTED), (ZeroDivisionError("Doe^Jane"), ExitCode.UNEXPECTED)],
    ids=["interrupted", "defect"],
)
def test_an_interruption_and_a_defect_have_their_codes_and_no_traceback(
    command: Command, home: Path, monkeypatch: pytest.MonkeyPatch, raised: BaseException, code: ExitCode
) -> None:
    def run(given: call.Call) -> int:
        raise raised

    monkeypatch.setattr(segment, "run", run)
    said = command("segment", "a.png", "--out", "out")
    assert said.code == code
    assert "Traceback" not in said.out + said.err
    assert "Doe" not in said.out + said.err
    if code == ExitCode.UNEXPECTED:
        assert "defect" in said.err
        assert "ZeroDivisionError" in (home / "logs" / "errors.jsonl").read_text()


@pytest.mark.verifies("SRS-CLI-004")
def test_an_optional_part_that_is_absent_is_named(command: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    def run(given: call.Call) -> int:
        raise ModuleNotFoundError(name="highdicom")

    monkeypatch.setattr(segment, "run", run)
    said = command("segment", "a.png", "--out", "out")
    assert said.code == ExitCode.CONFIGURATION
    assert "highdicom" in said.err


@pytest.mark.verifies("SRS-CLI-001")
def test_a_reader_that_goes_away_is_no_defect(home: Path, tmp_path: Path) -> None:
    environment = desks.environment(tmp_path, RADIOMICNET_MD_HOME=str(home))
    reading, writing = os.pipe()
    os.close(reading)
    done = subprocess.run(
        [sys.executable, "-m", "radiomicnet_md", "audit", "list", "--all"],
        env=environment,
        stdout=writing,
        stderr=subprocess.PIPE,
        text=True,
        check=False,
    )
    os.close(writing)
    assert done.returncode == ExitCode.INTERRUPTED
    assert done.stderr == ""


@pytest.mark.verifies("SRS-CLI-004", "SRS-CLI-001")
@pytest.mark.parametrize("as_json", [[], ["--json"]])
def test_a_full_disk_behind_stdout_is_said_without_a_traceback(home: Path, tmp_path: Path, as_json: list[str]) -> None:
    with Path("/dev/full").open("w") as full:
        done = subprocess.run(
            [sys.executable, "-m", "radiomicnet_md", "audit", "list", "--all", *as_json],
            env=desks.environment(tmp_path, RADIOMICNET_MD_HOME=str(home)),
            stdout=full,
            stderr=subprocess.PIPE,
            text=True,
            check=False,
        )
    assert done.returncode == ExitCode.CONFIGURATION
    assert "E-STDOUT" in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.verifies("SRS-CLI-001", "SRS-REC-001")
def test_ctrl_c_lets_the_case_at_hand_end_and_then_stops(
    command: Command, home: Path, engine: desks.FakeEngine, scans: list[Path], tmp_path: Path
) -> None:
    decide = engine.decide

    def interrupted(*given: object) -> object:
        signal.raise_signal(signal.SIGINT)
        return decide(*given)

    engine.decide = interrupted  # type: ignore[method-assign,assignment]
    said = command("segment", *scans, "--out", tmp_path / "out", "--json")
    assert said.code == ExitCode.INTERRUPTED
    assert [line["status"] for line in said.lines] == ["accepted"]
    assert Path(said.lines[0]["outputs"][0]).is_file()
    assert len(command("audit", "list", "--json").lines) == 1
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler


@pytest.mark.verifies("SRS-CLI-005", "SRS-CLI-001")
@pytest.mark.parametrize("text", ["threshold: 0.5", "home: [1]", "{"])
def test_a_configuration_that_is_not_known_ends_with_7(command: Command, home: Path, tmp_path: Path, text: str) -> None:
    folder = tmp_path / ".config" / "radiomicnet-md"
    folder.mkdir(parents=True)
    (folder / "config.yaml").write_text(text)
    said = command("audit", "list", "--json")
    assert said.code == ExitCode.CONFIGURATION
    assert said.lines[0]["reason"]["remedy"]


@pytest.mark.verifies("SRS-CLI-004")
def test_nothing_from_a_file_name_steers_the_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    stream = io.StringIO()
    monkeypatch.setattr(sys, "stdout", stream)
    call.Console(as_json=False, quiet=False).emit({}, "a\x1b[2Jb\u202ec\nd")
    assert stream.getvalue() == "a?[2Jb?c\nd\n"
