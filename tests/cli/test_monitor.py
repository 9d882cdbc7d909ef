# SPDX-License-Identifier: Apache-2.0
"""``monitor`` reads what the log holds, tells a shift from none by its exit code, and writes nothing into the home."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from radiomicnet_md import home as homes
from radiomicnet_md.engine import record
from radiomicnet_md.engine.record import Case, Check, Outcome, Reason
from radiomicnet_md.engine.release import default_folder, open_release, trusted_keys
from radiomicnet_md.errors import ExitCode
from radiomicnet_md.intent import new_id
from radiomicnet_md.monitoring import watching
from radiomicnet_md_audit.ledger import Ledger
from tests import desks
from tests.cli.conftest import Command

pytestmark = pytest.mark.verifies("SRS-MON-002")
FILES = 150


def predicate(number: int, shift: float, *, refused: bool = False, release: str = "0.3.0") -> dict[str, Any]:
    """A record as the device would write it, its thirteen values like those of the training cases, or shifted."""
    random = np.random.default_rng(number)
    shipped = watching.known(open_release(default_folder(), keys=trusted_keys()))
    levels = np.full((64, 64), 150, dtype=np.uint8)
    levels[20:40, 20:44] = 20
    checks = (Check("familiar", f"distance {10 + random.random():.1f}; x 1", "distance 16.4", held=not refused),)
    made = Case(new_id(), new_id(), Outcome.REFUSED, f"{number:064x}", checks=checks, reason=Reason("E-X", "B.", "D."))
    if not refused:
        values = {}
        for name, one in shipped.items():
            away = random.standard_normal() / 1.645 + shift
            low, middle, high = one.quantiles
            values[name] = float(middle + away * (middle - low if away < 0 else high - middle))
        decision = replace(desks.decision(levels, 60), paper_values=values)
        made = replace(made, state=Outcome.RESULT, decision=decision, reason=None)
    named = {"id": "busi-locked", "version": release, "manifest_sha256": "0" * 64}
    return record.describe(made, replace(desks.MAKER, release=named))


def append(ledger: Ledger, *predicates: dict[str, Any]) -> None:
    for one in predicates:
        ledger.append(record.statement(one))


@pytest.fixture
def quiet(home: Path) -> Path:
    """A home with files like the training cases', an older release's, one seen twice, and an error."""
    opened = homes.open_home(home)
    with opened.writing_ledger(opened.passphrase(environ={})) as ledger:
        append(ledger, predicate(1, 9.0, release="0.2.0"))
        append(ledger, *(predicate(number, 0.0, refused=number % 40 == 0) for number in range(1, FILES + 1)))
        append(ledger, {**predicate(1, 0.0), "state": "ERROR"}, predicate(1, 0.0))
    return home


def test_a_quiet_home_ends_with_0_and_a_shift_with_3(quiet: Path, command: Command, tmp_path: Path) -> None:
    said = command("monitor", "--json")
    assert said.code == ExitCode.OK, said.err
    *rows, whole = said.lines
    assert (whole["files"], whole["errors"], whole["other_releases"], whole["again"]) == (FILES, 1, 1, 1)
    assert whole["alarms"] == []
    by = {row["name"]: row for row in rows}
    assert (by["glcm_Contrast"]["source"], by["glcm_Contrast"]["window"]) == ("release", 98)  # without two refused
    assert (by["region: area"]["source"], by["region: area"]["verdict"]) == ("home", "as the reference")
    assert whole["refusals"]["reference"] == [2, 100]

    opened = homes.open_home(quiet)
    with opened.writing_ledger(opened.passphrase(environ={})) as ledger:
        append(ledger, *(predicate(1000 + number, 1.0) for number in range(60)))
    before = desks.tree(quiet)
    page = tmp_path / "pages" / "drift.html"
    said = command("monitor", "--last", 60, "--html", page)
    assert said.code == ExitCode.SOME_FAILED
    assert "ALARM" in said.out.splitlines()[1]
    assert said.out.splitlines()[-1].startswith("ALARM: ")
    assert "firstorder_Mean" in said.out.splitlines()[-1]
    assert page.read_text(encoding="utf-8").startswith("<!DOCTYPE html>")
    assert desks.tree(quiet) == before


def test_an_empty_home_is_not_judged_and_says_so(home: Path, command: Command) -> None:
    del home
    said = command("monitor")
    assert (said.code, said.out) == (
        ExitCode.OK,
        "refusals: not judged, too few files\nno alarm: 0 of 0 values judged\n",
    )


def test_what_is_no_time_or_number_is_refused(home: Path, command: Command, tmp_path: Path) -> None:
    del home
    said = command("monitor", "--since", "yesterday")
    assert said.code == ExitCode.USAGE
    assert "E-LIST-TIME" in said.err
    assert command("monitor", "--last", "0").code == ExitCode.USAGE
    (tmp_path / "file").write_text("", encoding="utf-8")
    said = command("monitor", "--html", tmp_path / "file" / "page.html")
    assert said.code == ExitCode.CONFIGURATION
    assert "Traceback" not in said.err
