# SPDX-License-Identifier: Apache-2.0
"""``audit list`` shows the records that were asked for, all of them and no other."""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from radiomicnet_md import home as homes
from radiomicnet_md.commands import listing
from radiomicnet_md.engine import record
from radiomicnet_md.engine.record import Case, Outcome, Reason
from radiomicnet_md.errors import ExitCode
from radiomicnet_md.intent import new_id
from radiomicnet_md_audit import clock
from radiomicnet_md_audit.ledger import Ledger, Writer
from radiomicnet_md_audit.statement import REPLAY, build
from tests import desks
from tests.cli.conftest import Command

BEGIN = datetime(2026, 11, 26, 22, tzinfo=UTC)


@dataclass
class Log:
    """A log of records an hour apart, from 2026-11-26T22:00:00Z on, one of each kind in turn."""

    ids: list[str]
    origin: str


def at(hours: int) -> clock.Instant:
    return clock.Instant(BEGIN + timedelta(hours=hours), hours)


@pytest.fixture
def log(home: Path) -> Log:
    opened = homes.open_home(home)
    ids = []
    with opened.writing_ledger(opened.passphrase(environ={})) as ledger:
        for number, (state, version) in enumerate(
            [("RESULT", "1.0.0"), ("REFUSED", "1.0.0"), ("ERROR", None), ("REPLAY", "1.0.0"), ("RESULT", "1.1.0")]
        ):
            ids.append(append(ledger, number, state, version))
        return Log(ids, ledger.origin)


def append(ledger: Ledger, hours: int, state: str, version: str | None) -> str:
    ledger._writer = replace(ledger.writer, clock=lambda: at(hours))
    assert isinstance(ledger.writer, Writer)
    release = None if version is None else {"id": "fake", "version": version, "manifest_sha256": "0" * 64}
    maker = replace(desks.MAKER, release=release)
    if state == "REPLAY":
        about = {"record_id": new_id(), "verdict": "IDENTICAL", "release": release}
        return ledger.append(build(REPLAY, {"record": "0" * 64}, about)).record_id
    reason = None if state == "RESULT" else Reason("E-WHY", "Because.", "Do.")
    case = Case(new_id(), new_id(), Outcome(state), "1" * 64, reason=reason)
    return ledger.append(record.statement(record.describe(case, maker))).record_id


SELECTED: dict[str, tuple[list[str], list[int]]] = {
    "nothing asked": ([], [0, 1, 2, 4]),
    "every kind": (["--all"], [0, 1, 2, 3, 4]),
    "a state": (["--state", "RESULT"], [0, 4]),
    "a state in small letters": (["--state", "refused"], [1]),
    "from a day on": (["--since", "2026-11-27"], [2, 4]),
    "up to a day, which is whole": (["--until", "2026-11-26"], [0, 1]),
    "one day": (["--since", "2026-11-27", "--until", "2026-11-27"], [2, 4]),
    "from a moment on, and it too": (["--since", "2026-11-26T23:00:00"], [1, 2, 4]),
    "up to a moment, and it too": (["--until", "2026-11-27T00:00:00Z"], [0, 1, 2]),
    "up to just before": (["--until", "2026-11-26T23:59:59.999999"], [0, 1]),
    "a time of another zone": (["--since", "2026-11-27T03:00:00+02:00"], [4]),
    "a release": (["--by-release", "fake"], [0, 1, 4]),
    "a version of it": (["--by-release", "fake@1.1.0"], [4]),
    "another release": (["--by-release", "other"], []),
    "a release in every kind": (["--by-release", "fake@1.0.0", "--all"], [0, 1, 3]),
    "the newest": (["--last", "1"], [4]),
    "the newest of those": (["--last", "2", "--state", "RESULT"], [0, 4]),
    "more than there are": (["--last", "99", "--all", "--since", "2026-11-27"], [2, 3, 4]),
    "together": (["--state", "RESULT", "--until", "2026-11-26", "--by-release", "fake@1.0.0"], [0]),
}


@pytest.mark.verifies("SRS-CLI-007", "SRS-CLI-002")
@pytest.mark.parametrize("asked", SELECTED)
def test_a_filter_shows_what_it_asks_for(command: Command, log: Log, asked: str) -> None:
    arguments, expected = SELECTED[asked]
    lines = [line for line in command("audit", "list", "--json", *arguments).lines if line["kind"] != "genesis"]
    assert [line["record_id"] for line in lines] == [log.ids[number] for number in expected]
    assert [line["log_index"] for line in lines] == [number + 1 for number in expected]
    assert {line["origin"] for line in lines} <= {log.origin}


@pytest.mark.verifies("SRS-CLI-007")
def test_the_site_is_asked_for_and_another_is_refused(command: Command, log: Log) -> None:
    assert len(command("audit", "list", "--site", log.origin).out.splitlines()) == 4
    said = command("audit", "list", "--site", "radiomicnet-md/other", "--json")
    assert (said.code, said.lines[0]["reason"]["code"]) == (ExitCode.USAGE, "E-LIST-SITE")


@pytest.mark.verifies("SRS-CLI-007", "SRS-CLI-004")
@pytest.mark.usefixtures("log")
@pytest.mark.parametrize(
    "arguments",
    [
        ["--since", "yesterday"],
        ["--since", ""],
        ["--until", "2026-13-01"],
        ["--until", "2026-11-27T25:00:00"],
        ["--until", "9999-12-31"],
        ["--since", "0001-01-01T00:00:00+23:00"],
        ["--since", "2026-11-28", "--until", "2026-11-27"],
    ],
)
def test_a_time_that_is_none_is_a_matter_of_usage(command: Command, arguments: list[str]) -> None:
    said = command("audit", "list", "--json", *arguments)
    assert (said.code, said.lines[0]["reason"]["code"]) == (ExitCode.USAGE, "E-LIST-TIME")


@pytest.mark.verifies("SRS-CLI-007", "SRS-CLI-004")
@pytest.mark.usefixtures("home")
@pytest.mark.parametrize("arguments", [["--state", "DONE"], ["--last", "0"], ["--last", "-1"], ["--last", "x"]])
def test_a_word_that_is_none_is_a_matter_of_usage(command: Command, arguments: list[str]) -> None:
    said = command("audit", "list", *arguments)
    assert (said.code, said.out) == (ExitCode.USAGE, "")
    assert "Traceback" not in said.err


@pytest.mark.verifies("SRS-CLI-007")
def test_a_person_reads_a_line_a_record_and_how_many_there_were(command: Command, log: Log) -> None:
    said = command("audit", "list", "--state", "ERROR")
    assert said.out == f"    3  2026-11-27T00:00:00Z  {log.ids[2]}  ERROR     E-WHY\n"
    assert "1 of 6 entries" in said.err
    assert "0 of 6 entries" in command("audit", "list", "--by-release", "other").err


@pytest.mark.verifies("SRS-CLI-007")
def test_a_list_is_written_while_it_is_read(command: Command, log: Log, monkeypatch: pytest.MonkeyPatch) -> None:
    done: list[str] = []
    read, line = Ledger.read, listing._line
    monkeypatch.setattr(Ledger, "read", lambda *given: (done.append("read"), read(*given))[1])
    monkeypatch.setattr(listing, "_line", lambda *given: (done.append("line"), line(*given))[1])
    command("audit", "list", "--all")
    assert done == ["read", "line"] * 6
    done.clear()
    assert len(command("audit", "list", "--last", "1").out.splitlines()) == 1
    assert done == ["read", "line"]
    assert len(log.ids) == 5


@pytest.mark.verifies("SRS-CLI-007")
@settings(max_examples=30, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_two_filters_together_show_what_each_of_them_shows(command: Command, log: Log, data: st.DataObject) -> None:
    def shown(*arguments: str) -> list[str]:
        return [
            json.loads(line)["record_id"] for line in command("audit", "list", "--json", *arguments).out.splitlines()
        ]

    options: dict[str, Any] = {
        "--since": [f"2026-11-26T2{hour}:00:00" for hour in range(1, 4)],
        "--until": [f"2026-11-27T0{hour}:30:00" for hour in range(3)],
        "--state": ["RESULT", "REFUSED", "ERROR"],
        "--by-release": ["fake", "fake@1.0.0"],
    }
    one, other = (
        [name, data.draw(st.sampled_from(options[name]))] for name in data.draw(st.permutations(sorted(options)))[:2]
    )
    both = set(shown(*one)) & set(shown(*other))
    assert shown(*one, *other) == [identity for identity in log.ids if identity in both]
