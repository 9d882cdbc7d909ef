# SPDX-License-Identifier: Apache-2.0
"""A window of the log against its reference: a row a value, a chart of refusals, and whether there is an alarm.

Rules of this module:

- A value alarms where its difference is both sure (false discovery rate at most :data:`RATE` over all rows) and large
  (PSI at least :data:`LARGE`). Of a value that does not vary, or is there too seldom, nothing is said.
- A chart alarms with a probability of at most :data:`CHART` each in a window without change; the share that counts as
  no change is the upper 95 % limit of the reference's share, so that a lucky reference does not cry wolf.
- The release knows 5 %, 50 % and 95 % quantiles of the thirteen values over its training cases. Everything else has
  this home's first :data:`REFERENCE` files as its reference, and those are in no window.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from radiomicnet_md.engine import familiar
from radiomicnet_md.engine.acceptance import Limits
from radiomicnet_md.engine.release import Release
from radiomicnet_md.monitoring import statistics
from radiomicnet_md.monitoring.reading import REFUSED, SHARES, Observation
from radiomicnet_md.radiomics.definitions import PAPER

REFERENCE = 100  # files of this home
WINDOW = 100  # files, where nobody says
FEWEST = 30  # files that must have a value, in reference and window
RATE = 0.01  # false discovery rate over all rows
LARGE = 0.25  # PSI that counts as a shift (below 0.1: none; between: small)
CHART = 0.005  # probability that a chart alarms by chance within the window
GROUP = 20  # files in a point of the Shewhart chart
TIMES = 3.0  # odds of a refusal that the CUSUM is tuned to
_SURE = 0.95  # confidence of the reference's largest share of refusals
_LEVELS = np.array([0.05, 0.5, 0.95])  # of the release's quantiles
_DECILES = np.arange(1, 10) / 10

SAME, LITTLE, ALARM, NOT_JUDGED = "as the reference", "differs a little", "ALARM", "not judged"
Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Known:
    """What the release says of a value's distribution: its quantiles at 5, 50 and 95 %, of so many cases."""

    quantiles: Floats
    cases: int


@dataclass(frozen=True, slots=True)
class Row:
    """One value: where it stood and stands, how far apart that is, and how sure."""

    name: str
    source: str  # "release" or "home"
    reference: int  # files, or training cases
    window: int
    was: float | None  # median; of 0 and 1 the share
    now: float | None
    psi: float | None
    gap: float | None  # of the distribution functions
    p: float | None
    rate: float | None  # p adjusted for the number of rows
    verdict: str
    why: str = ""  # not judged


@dataclass(frozen=True, slots=True)
class Chart:
    """The refusals of a window, one file after the other."""

    share: float  # that counts as no change
    seen: tuple[int, int]  # refusals and files of the reference
    groups: tuple[int, ...]  # refusals in each group of GROUP files
    most: int  # that a group may hold
    sums: tuple[int, ...]  # the CUSUM after each file
    limit: int  # at which it alarms

    @property
    def verdicts(self) -> dict[str, str]:
        """Of the two charts."""
        high, reached = any(one > self.most for one in self.groups), max(self.sums) >= self.limit
        return {"Shewhart": ALARM if high else SAME, "CUSUM": ALARM if reached else SAME}


@dataclass(frozen=True, slots=True)
class Report:
    """All that is said of a window."""

    rows: tuple[Row, ...]
    chart: Chart | None  # None: too few files
    files: int  # in the log, of this release
    span: tuple[str, str] | None  # times of the window's first and last file

    @property
    def alarms(self) -> list[str]:
        """What alarms, by name."""
        charts = {} if self.chart is None else self.chart.verdicts
        found = [row.name for row in self.rows if row.verdict == ALARM]
        return found + [f"refusals, {name}" for name, verdict in charts.items() if verdict == ALARM]


def known(release: Release) -> dict[str, Known]:
    """What a release says of the distribution of values; nothing where it is too old to."""
    reference = Limits.from_json(release.files["acceptance.json"]).reference
    if reference is None:
        return {}
    cases = len(json.loads(release.files["training_record.json"])["training_cases"])
    ends = zip(familiar.NAMES, reference.low, reference.middle, reference.high, strict=True)
    return {name: Known(np.array(three), cases) for name, *three in ends if name in PAPER}


def watch(
    observations: Sequence[Observation], of_release: Mapping[str, Known], last: int | None, since: str | None = None
) -> Report:
    """Judge the last files (:data:`WINDOW` where neither is said), or all since a time (UTC, as the log writes it)."""
    chosen = [one for one in observations if since is None or one.time_utc >= since]
    if since is None or last is not None:
        chosen = chosen[-(last or WINDOW) :]
    first = observations[:REFERENCE]
    ends = {one.index for one in first}
    later = [one for one in chosen if one.index not in ends]
    names = list(dict.fromkeys(name for one in observations for name in one.values))
    rows = [
        _against_release(name, of_release[name], _column(chosen, name))
        if name in of_release
        else _against_home(name, _column(first, name), _column(later, name))
        for name in names
    ]
    span = (chosen[0].time_utc, chosen[-1].time_utc) if chosen else None
    return Report(
        tuple(_adjusted(rows)), _chart(_column(first, REFUSED), _column(later, REFUSED)), len(observations), span
    )


def _column(observations: Sequence[Observation], name: str) -> Floats:
    return np.array([one.values[name] for one in observations if name in one.values], dtype=np.float64)


def _against_release(name: str, said: Known, now: Floats) -> Row:
    row = Row(name, "release", said.cases, len(now), float(said.quantiles[1]), _middle(name, now), *(None,) * 4, SAME)
    if len(now) < FEWEST:
        return _not_judged(row)
    expected = np.diff(np.concatenate([[0.0], _LEVELS, [1.0]]))
    observed = statistics.shares(statistics.binned(now, said.quantiles))
    gap = statistics.gap_at(now, said.quantiles, _LEVELS)
    p = statistics.p_of_gap(gap, said.cases, len(now))
    return replace(row, psi=statistics.psi(expected, observed), gap=gap, p=p)


def _against_home(name: str, was: Floats, now: Floats) -> Row:
    row = Row(name, "home", len(was), len(now), _middle(name, was), _middle(name, now), *(None,) * 4, SAME)
    if min(len(was), len(now)) < FEWEST:
        return _not_judged(row)
    if name in SHARES:
        edges = np.array([0.5])
        pair = [(int(part.sum()), len(part) - int(part.sum())) for part in (was, now)]
        p = statistics.p_of_shares(*pair)
        gap = abs(float(was.mean() - now.mean()))
    else:
        edges = np.unique(np.quantile(was, _DECILES))
        gap = statistics.largest_gap(was, now)
        p = statistics.p_of_gap(gap, len(was), len(now))
    expected, observed = (statistics.shares(statistics.binned(part, edges)) for part in (was, now))
    return replace(row, psi=statistics.psi(expected, observed), gap=gap, p=p)


def _middle(name: str, values: Floats) -> float | None:
    if not len(values):
        return None
    return float(values.mean() if name in SHARES else np.median(values))


def _not_judged(row: Row) -> Row:
    return replace(row, verdict=NOT_JUDGED, why=f"fewer than {FEWEST} files")


def _adjusted(rows: Sequence[Row]) -> list[Row]:
    """The rows with their rate and verdict."""
    rates = iter(statistics.benjamini_hochberg([row.p for row in rows if row.p is not None]))
    return [row if row.p is None else _judged(replace(row, rate=next(rates))) for row in rows]


def _judged(row: Row) -> Row:
    sure = row.rate is not None and row.rate <= RATE
    large = row.psi is not None and row.psi >= LARGE
    return replace(row, verdict=(ALARM if large else LITTLE) if sure else SAME)


def _chart(was: Floats, now: Floats) -> Chart | None:
    if min(len(was), len(now)) < FEWEST:
        return None
    seen = (int(was.sum()), len(was))
    share = min(statistics.upper_limit(*seen, _SURE), 1 - 1 / REFERENCE)
    groups = tuple(int(now[at : at + GROUP].sum()) for at in range(0, len(now) - GROUP + 1, GROUP))
    heavy = statistics.weight(share, TIMES)
    return Chart(
        share=share,
        seen=seen,
        groups=groups,
        most=statistics.most_expected(GROUP, share, CHART / len(groups)),
        sums=tuple(statistics.cusum([bool(one) for one in now], heavy)),
        limit=statistics.decision_limit(share, heavy, len(now), CHART),
    )


def as_line(report: Report) -> dict[str, Any]:
    """The report without its rows, in plain values."""
    chart = report.chart
    return {
        "files": report.files,
        "window": None if report.span is None else list(report.span),
        "alarms": report.alarms,
        "judged": sum(row.verdict != NOT_JUDGED for row in report.rows),
        "not_judged": sum(row.verdict == NOT_JUDGED for row in report.rows),
        "refusals": None
        if chart is None
        else {
            "reference": list(chart.seen),
            "share": chart.share,
            "groups": list(chart.groups),
            "most": chart.most,
            "cusum": max(chart.sums),
            "limit": chart.limit,
            "verdicts": chart.verdicts,
        },
    }
