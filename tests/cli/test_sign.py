# SPDX-License-Identifier: Apache-2.0
"""``users`` and ``sign``: the whole way from the first person to a signature, and every way in which it ends early."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from radiomicnet_md import passphrases
from radiomicnet_md.errors import ExitCode
from radiomicnet_md.review import pictures
from radiomicnet_md_audit.stored import verify_ledger
from tests import desks
from tests.cli.conftest import Command, Said
from tests.desks import FIRST, OTHER, OWN

pytestmark = [pytest.mark.usefixtures("home", "engine"), pytest.mark.verifies("SRS-SIG-002", "SRS-CLI-002")]


class Door:
    """The command line, with passphrases in files."""

    def __init__(self, command: Command, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self.command, self.folder, self.monkeypatch = command, folder, monkeypatch

    def __call__(self, *arguments: str | Path, own: str | None = None, new: str | None = None) -> Said:
        """Run a command with these passphrases: of who acts, and the next one."""
        variables = {passphrases.PERSON_VARIABLE: own, passphrases.NEW_PERSON_VARIABLE: new}
        for variable, passphrase in variables.items():
            self.monkeypatch.delenv(variable, raising=False)
            if passphrase is not None:
                path = self.folder / variable
                path.write_text(passphrase + "\n", encoding="utf-8")
                self.monkeypatch.setenv(variable, str(path))
        return self.command(*arguments, "--json")

    def people(self) -> None:
        """Anna administrates; Rita reviews."""
        for user, role, by in (("anna", "admin", ()), ("rita", "reviewer", ("--by", "anna"))):
            name = f"{user.title()} Example"
            said = self("users", "add", user, "--name", name, "--role", role, *by, own=OWN, new=FIRST)
            assert said.code == ExitCode.OK
            assert f"users passphrase {user}" in said.err
            assert self("users", "passphrase", user, own=FIRST, new=OWN).code == ExitCode.OK


@pytest.fixture
def door(command: Command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Door:
    desks.quick_stretching(monkeypatch)
    return Door(command, tmp_path, monkeypatch)


@pytest.fixture
def line(door: Door, tmp_path: Path) -> dict[str, Any]:
    """What was said of one decision, whose picture tells it from others'."""
    door.monkeypatch.setattr(pictures, "overlay", lambda *parts: f"picture {parts[-1]}".encode())
    desks.write_images(tmp_path / "in", "x.png")
    (said,) = door("segment", tmp_path / "in" / "x.png", "--out", tmp_path / "out").lines
    return said


def _overlay(line: dict[str, Any]) -> str:
    return next(path for path in line["outputs"] if path.endswith("overlay.png"))


def _code(said: Said) -> tuple[int, str]:
    return said.code, said.lines[-1]["reason"]["code"]


@pytest.mark.verifies("SRS-SIG-001", "SRS-SIG-007", "SRS-SIG-008")
def test_from_the_first_person_to_a_signature(door: Door, line: dict[str, Any], tmp_path: Path) -> None:
    door.people()
    listed = door("users", "list").lines
    assert [(one["user"], one["roles"], one["enabled"], one["locked"], one["must_change"]) for one in listed] == [
        ("anna", ["admin"], True, False, False),
        ("rita", ["reviewer"], True, False, False),
    ]
    record = line["record_id"]
    given = ("sign", record[:12], "--meaning", "approve", "--user", "rita", "--viewed", _overlay(line))
    (signed,) = door(*given, own=OWN).lines
    assert signed["signed"]["record_id"] == record
    assert (signed["meaning"], signed["name"], signed["shown"][0]["name"]) == ("approve", "Rita Example", "overlay.png")
    shown = door("audit", "show", record).lines[0]["signatures"]
    assert shown == [{name: value for name, value in signed.items() if name != "log_index"}]
    page = door.command("audit", "show", record).out
    assert f"approve       Rita Example (rita, reviewer)\n                {signed['time_utc'][:10]}" in page
    (row,) = door("audit", "list").lines
    assert row["signatures"] == [{"meaning": "approve", "user": "rita", "time": signed["time_utc"]}]
    assert "approve by rita" in door.command("audit", "list").out
    report = door("audit", "verify").lines[0]
    assert report["ok"]
    assert next(c["text"] for c in report["claims"] if c["name"] == "electronic signatures").startswith("1 (1 approve)")
    assert door("audit", "export", tmp_path / "export").code == ExitCode.OK
    assert door.command("audit", "show", signed["record_id"]).out.count("Rita Example") == 1


@pytest.mark.verifies("SRS-SIG-007")
def test_a_refusal_is_signed_with_its_page(door: Door, tmp_path: Path) -> None:
    door.people()
    (tmp_path / "x.png").write_bytes(b"no image")
    (line,) = door("segment", tmp_path / "x.png", "--out", tmp_path / "out").lines
    page = tmp_path / "page.txt"
    page.write_text(door.command("audit", "show", line["record_id"]).out, encoding="utf-8")
    given = ("sign", line["record_id"], "--meaning", "reject", "--user", "rita", "--viewed", page)
    assert _code(door(*given, own=OWN)) == (ExitCode.USAGE, "E-SIGN-REASON")
    assert door(*given, "--reason", "take it again", own=OWN).lines[0]["shown"][0]["name"] == "record.txt"
    page.write_text("REFUSED", encoding="utf-8")
    assert _code(door(*given, "--reason", "take it again", own=OWN)) == (ExitCode.USAGE, "E-SIGN-VIEWED")


@pytest.mark.verifies("SRS-SIG-003", "SRS-SIG-007")
def test_every_early_end_has_its_code_and_adds_no_signature(door: Door, line: dict[str, Any], tmp_path: Path) -> None:
    door.people()
    record, overlay = line["record_id"], _overlay(line)

    def sign(*more: str, own: str | None = OWN, user: str = "rita", viewed: str = overlay) -> Said:
        meaning = more or ("--meaning", "approve")
        return door("sign", record, *meaning, "--user", user, "--viewed", viewed, own=own)

    assert _code(sign(own=OTHER)) == (ExitCode.CONFIGURATION, "E-SIGN-IN")
    assert _code(sign(own=None)) == (ExitCode.CONFIGURATION, "E-KEY-PASSPHRASE-ABSENT")
    assert _code(sign(user="anna")) == (ExitCode.USAGE, "E-SIGN-RIGHT")
    assert _code(sign(user="mike")) == (ExitCode.CONFIGURATION, "E-SIGN-IN")
    assert _code(sign(viewed=str(tmp_path / "nothing"))) == (ExitCode.USAGE, "E-SIGN-VIEWED")
    assert _code(sign(viewed=str(tmp_path / "in" / "x.png"))) == (ExitCode.USAGE, "E-SIGN-VIEWED")
    assert _code(sign("--meaning", "override")) == (ExitCode.USAGE, "E-SIGN-REASON")
    for incomplete in (("--meaning", "seen"), ("--reason", "no meaning")):
        assert sign(*incomplete).code == ExitCode.USAGE
    assert door("audit", "list").lines[0]["signatures"] == []
    assert sign().code == ExitCode.OK


def test_five_failures_lock_over_separate_calls_and_an_administrator_unlocks(door: Door, line: dict[str, Any]) -> None:
    door.people()
    given = ("sign", line["record_id"], "--meaning", "approve", "--user", "rita", "--viewed", _overlay(line))
    assert {_code(door(*given, own=OTHER)) for _ in range(5)} == {(ExitCode.CONFIGURATION, "E-SIGN-IN")}
    assert _code(door(*given, own=OWN)) == (ExitCode.CONFIGURATION, "E-SIGN-IN")
    assert [one["locked"] for one in door("users", "list").lines] == [False, True]
    assert "locked" in door.command("users", "list").out
    assert _code(door("users", "unlock", "rita", own=OWN)) == (ExitCode.USAGE, "E-USER-RIGHT")
    assert door("users", "unlock", "rita", "--by", "anna", own=OWN).code == ExitCode.OK
    assert door(*given, own=OWN).code == ExitCode.OK


@pytest.mark.verifies("SRS-SIG-004")
def test_people_are_changed_by_an_administrator_on_the_record(door: Door) -> None:
    door.people()
    for verb, state in (("disable", "disabled"), ("enable", "enabled")):
        assert door("users", verb, "rita", "--by", "anna", own=OWN).code == ExitCode.OK
        assert state in door.command("users", "list").out
    roles = ("users", "roles", "rita", "--role", "qa", "--role", "reviewer")
    assert _code(door(*roles, "--by", "rita", own=OWN)) == (ExitCode.USAGE, "E-USER-RIGHT")
    assert door(*roles, "--by", "anna", own=OWN).lines[0]["change"] == "roles"
    assert door("users", "list").lines[1]["roles"] == ["reviewer", "qa"]
    assert door("users", "passphrase", "rita", "--by", "anna", own=OWN, new=FIRST).code == ExitCode.OK
    assert "first passphrase" in door.command("users", "list").out
    assert _code(door("users", "passphrase", "mike", own=OWN, new=FIRST)) == (ExitCode.USAGE, "E-USER-UNKNOWN")
    rows = door.command("audit", "list", "--all").out.splitlines()
    told = [row.partition("  user ")[2].strip() for row in rows if "  user " in row]
    assert told == [
        "anna added",
        "anna passphrase",
        "rita added",
        "rita passphrase",
        "rita disabled",
        "rita enabled",
        "rita roles",
        "rita passphrase",
    ]


def test_a_passphrase_is_typed_where_there_is_no_file(door: Door, monkeypatch: pytest.MonkeyPatch) -> None:
    typed = iter([FIRST, FIRST, FIRST, OWN, OTHER, FIRST, OWN, OWN])
    monkeypatch.setattr("sys.stdin.isatty", lambda: True, raising=False)
    monkeypatch.setattr("getpass.getpass", lambda _: next(typed))
    assert door("users", "add", "anna", "--name", "Anna", "--role", "admin").code == ExitCode.OK
    assert _code(door("users", "passphrase", "anna")) == (ExitCode.CONFIGURATION, "E-KEY-PASSPHRASE")
    assert door("users", "passphrase", "anna").code == ExitCode.OK


def test_a_passphrase_file_is_utf_8(door: Door, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "binary").write_bytes(b"\xff\xfe\xff\xfe\xff\xfe\xff\xfe\n")
    monkeypatch.setenv(passphrases.NEW_PERSON_VARIABLE, str(tmp_path / "binary"))
    said = door.command("users", "add", "anna", "--name", "Anna", "--role", "admin", "--json")
    assert _code(said) == (ExitCode.CONFIGURATION, "E-KEY-PASSPHRASE-FILE")


@pytest.mark.verifies("SRS-SIG-006", "SRS-SIG-008")
def test_a_decision_whose_signature_does_not_hold_is_not_shown(door: Door, line: dict[str, Any], home: Path) -> None:
    from radiomicnet_md.config import Settings
    from radiomicnet_md.opening import open_keeper
    from radiomicnet_md_audit.statement import SIGNATURE, build

    door.people()
    record = line["record_id"]
    given = ("sign", record, "--meaning", "approve", "--user", "rita", "--viewed", _overlay(line))
    (signed,) = door(*given, own=OWN).lines
    with open_keeper(Settings(home=home)) as keeper:
        predicate: dict[str, Any] = keeper.ledger.read(keeper.ledger.find(signed["record_id"])).predicate
        forged = {name: value for name, value in predicate.items() if name != "log"}
        forged |= {"record_id": "7" * 26, "meaning": "reject", "reason": "other words"}
        keeper.ledger.append(build(SIGNATURE, {"record": signed["signed"]["envelope_sha256"]}, forged))
        assert not verify_ledger(keeper.ledger, None).ok
    for verb in (("audit", "show", record), ("audit", "list")):
        said = door(*verb)
        assert _code(said) == (ExitCode.INTEGRITY, "E-SIG-SIGNATURE")
        assert len(said.lines) == 1
    report = door("audit", "verify")
    assert (report.code, [one["code"] for one in report.lines[0]["findings"]]) == (4, ["E-SIG-SIGNATURE"])
    assert json.dumps(report.lines).count("electronic signatures") == 1
