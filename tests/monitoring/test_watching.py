# SPDX-License-Identifier: Apache-2.0
"""A window without change is quiet as often as declared, a changed one is not, and every row says what it rests on."""

from __future__ import annotations

from dataclasses import replace
from functools import cache

import numpy as np
import pytest

from radiomicnet_md.engine import record
from radiomicnet_md.engine.record import Case, Outcome, Reason
from radiomicnet_md.engine.release import default_folder, open_release, trusted_keys
from radiomicnet_md.monitoring import page, reading, statistics, watching
from radiomicnet_md.monitoring.reading import NO_LESION, REFUSED, Observation
from radiomicnet_md.monitoring.watching import ALARM, NOT_JUDGED, SAME, Known, Report, watch
from radiomicnet_md.radiomics.definitions import PAPER
from tests import desks

pytestmark = pytest.mark.verifies("SRS-MON-001")
VALUES = 30
QUANTILES = np.array([-1.6448536, 0.0, 1.6448536])  # 5, 50 and 95 % of the normal distribution


def home(seed: int, files: int, *, moved: int = 0, shift: float = 0.0, refused: float = 0.03) -> list[Observation]:
    """Files with normal values, the last ``moved`` of them shifted, and refusals of a share."""
    random = np.random.default_rng(seed)
    values = random.standard_normal((files, VALUES))
    values[files - moved :] += shift
    made = []
    for number, row in enumerate(values):
        numbers = {f"value {i}": float(one) for i, one in enumerate(row)} | {"known": float(row[0])}
        numbers[REFUSED] = float(random.random() < refused)
        numbers[NO_LESION] = float(random.random() < 0.2)
        made.append(Observation(number, f"2026-11-{1 + number // 24:02}T{number % 24:02}:00:00.000000Z", numbers))
    return made


KNOWN = {"known": Known(QUANTILES, 500)}


def report(observations: list[Observation], last: int | None = None, since: str | None = None) -> Report:
    return watch(observations, KNOWN, last, since)


# ------------------------------------------------------------------------------------------ alarms


def test_without_change_at_most_one_run_in_fifty_alarms(monkeypatch: pytest.MonkeyPatch) -> None:
    """By declaration at most 2 %: 1 % of the rows, 0.5 % a chart; 9 of 120 homes would be one chance in 2,000."""
    for slow in (statistics.p_of_gap, statistics.decision_limit):  # of a few arguments, again and again
        monkeypatch.setattr(statistics, slow.__name__, cache(slow))
    alarms = [report(home(seed, 200, refused=(0.0, 0.03, 0.2)[seed % 3])).alarms for seed in range(120)]
    assert sum(map(bool, alarms)) < 9, [one for one in alarms if one]


@pytest.mark.verifies("SRS-MON-001", rc=("RC-037",))
def test_a_shift_of_one_standard_deviation_alarms() -> None:
    for seed in range(10):
        found = report(home(seed, 200, moved=100, shift=1.0))
        assert {row.name for row in found.rows if row.verdict == ALARM} >= {"value 7", "known"}, seed


@pytest.mark.verifies("SRS-MON-001", rc=("RC-037",))
def test_refusals_that_pile_up_alarm_and_their_absence_does_not() -> None:
    found = report([*home(1, 150, refused=0.02), *renumbered(home(2, 50, refused=0.4), 150)])
    assert "refusals, CUSUM" in found.alarms
    assert "refusals, Shewhart" in found.alarms
    fewer = report([*home(1, 100, refused=0.3), *renumbered(home(2, 100, refused=0.0), 100)])
    assert not [name for name in fewer.alarms if name.startswith("refusals,")]


def renumbered(observations: list[Observation], start: int) -> list[Observation]:
    return [replace(one, index=start + number) for number, one in enumerate(observations)]


def test_a_large_log_tells_a_difference_too_small_to_alarm() -> None:
    found = report(home(3, 6000, moved=5000, shift=0.25), last=5000)
    row = next(row for row in found.rows if row.name == "known")
    assert (row.verdict, row.source) == (watching.LITTLE, "release")
    assert row.psi is not None
    assert row.psi < watching.LARGE


# ------------------------------------------------------------------------------------------ windows and sources


def test_the_reference_of_this_home_is_in_no_window() -> None:
    found = report(home(1, 120))
    by = {row.name: row for row in found.rows}
    assert (by["value 0"].reference, by["value 0"].window) == (100, 20)
    assert (by["value 0"].verdict, by["value 0"].why) == (NOT_JUDGED, "fewer than 30 files")
    assert (by["known"].reference, by["known"].window, by["known"].verdict) == (500, 100, SAME)
    assert found.chart is None


def test_windows_are_the_newest_files_or_those_since_a_time() -> None:
    made = home(1, 240)
    assert report(made).span == (made[140].time_utc, made[-1].time_utc)
    assert report(made, last=40).span == (made[200].time_utc, made[-1].time_utc)
    since = made[170].time_utc
    assert report(made, since=since).span == (since, made[-1].time_utc)
    assert report(made, last=10, since=since).span == (made[230].time_utc, made[-1].time_utc)
    assert report(made, since="2027").span is None


def test_an_empty_log_alarms_nothing_and_judges_nothing() -> None:
    found = report([])
    assert (found.alarms, found.rows, found.chart, found.span) == ([], (), None, None)
    assert "Too few files" in page.page(found, {"id": "a", "version": "1"}, "1")


def test_a_value_that_never_varies_is_like_its_reference() -> None:
    made = [replace(one, values={**one.values, "flat": 3.0}) for one in home(1, 200)]
    row = next(row for row in report(made).rows if row.name == "flat")
    assert (row.gap, row.p, row.verdict) == (0, 1, SAME)


def test_the_shipped_release_knows_the_thirteen_values() -> None:
    known = watching.known(open_release(default_folder(), keys=trusted_keys()))
    assert set(known) == set(PAPER)
    assert {one.cases for one in known.values()} == {560}
    assert all((np.diff(one.quantiles) > 0).all() for one in known.values())


# ------------------------------------------------------------------------------------------ from records


def case(state: Outcome = Outcome.RESULT, level: int = 60) -> dict[str, object]:
    levels = np.full((96, 128), 150, dtype=np.uint8)
    levels[30:60, 40:80] = 20
    decision = None if state is not Outcome.RESULT else desks.decision(levels, level)
    if decision is not None:
        decision = replace(decision, paper_values=dict.fromkeys(PAPER, 0.1))
    checks = (watching_check("familiar", "distance 12.3; glcm_Contrast 4.5"),)
    reason = None if decision is not None else Reason("E-GATE-UNFAMILIAR", "Because.", "Do.")
    return record.describe(
        Case("a", "b", state, "1" * 64, checks=checks, decision=decision, reason=reason), desks.MAKER
    )


def watching_check(name: str, value: str) -> record.Check:
    return record.Check(name, value, "distance 16.4", held=True)


def test_a_result_gives_every_named_value_in_its_unit() -> None:
    found = reading.values(case())
    assert found[REFUSED] == found[NO_LESION] == found[reading.FLAGGED] == 0
    assert found[reading.DISTANCE] == 12.3
    assert {name: found[name] for name in PAPER} == dict.fromkeys(PAPER, 0.1)
    assert found["region: area"] == 7 / 65536
    assert found["region: intensity inside"] == 7 / 16
    assert found[reading.SCORE] == pytest.approx(2 + 5 / 65536)
    assert found[reading.CANDIDATES] == 2
    assert 0 <= found[reading.CERTIFIED] <= 1


def test_no_lesion_and_a_refusal_have_the_values_that_they_have() -> None:
    none = reading.values(case(level=0))
    assert none[NO_LESION] == 1
    assert reading.SCORE not in none
    refused = reading.values(case(Outcome.REFUSED))
    assert refused == {REFUSED: 1.0, reading.DISTANCE: 12.3}


# ------------------------------------------------------------------------------------------ the page


def test_the_page_names_alarms_first_loads_nothing_and_is_the_same_again() -> None:
    found = report(home(1, 200, moved=100, shift=1.5))
    made = page.page(found, {"id": "a<b", "version": "1"}, "1")
    assert made == page.page(found, {"id": "a<b", "version": "1"}, "1")
    assert made.index("<li>value 0</li>") < made.index("<table>")
    assert made.count("data:image/png;base64,") == 2
    assert "a<b" not in made
    assert "<script" not in made
    assert "http" not in made.replace("http-equiv", "")
