# SPDX-License-Identifier: Apache-2.0
"""``monitor``: whether images and answers are still like the reference; an alarm, and nothing is changed.

Rules of this module:

- The log is read; no record is written, no limit and no decision changed.
- Rows go to stdout with what alarms first; with ``--json`` an object a row, then one of the whole window.
- Exit code 3 where something alarms. Too few files to judge is no alarm, and is said.
"""

from __future__ import annotations

import argparse
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

from radiomicnet_md import __version__
from radiomicnet_md.commands import listing
from radiomicnet_md.commands.call import Call
from radiomicnet_md.errors import ExitCode

if TYPE_CHECKING:
    from radiomicnet_md.monitoring.watching import Chart, Report, Row

_EXAMPLE = """\
examples:
  radiomicnet-md monitor
  radiomicnet-md monitor --last 300 --html drift.html
  radiomicnet-md monitor --since 2026-11-01 --json

Compares the newest files with a reference: of the thirteen values of the image the release's training cases, of all
else the first 100 files that this home decided with the release. Alarms where a difference is sure and large, or where
refusals pile up; about 1 run in 50 would alarm without any change. Exit code 3 when something alarms.
"""


def arguments(parser: argparse.ArgumentParser, shared: argparse.ArgumentParser) -> None:
    """Add what ``monitor`` takes."""
    del shared
    parser.epilog = _EXAMPLE
    parser.add_argument("--last", metavar="N", type=listing.count, help="the newest N files (100)")
    parser.add_argument(
        "--since", metavar="TIME", help="files from this time on: 2026-11-27 or 2026-11-27T06:05:00, UTC"
    )
    parser.add_argument("--html", metavar="FILE", help="also write a page with charts")


def run(call: Call) -> int:
    """Judge the window, show it, and write its page where one is asked for."""
    from radiomicnet_md.home import open_home
    from radiomicnet_md.io.files import place
    from radiomicnet_md.monitoring import page, reading, watching
    from radiomicnet_md.opening import verified_release

    given, settings = call.given, call.settings()
    since = None if given.since is None else listing.span(given.since)[0].strftime("%Y-%m-%dT%H:%M:%S.%fZ")
    with open_home(settings.home).reading_ledger(settings.audit_db) as ledger:
        release = verified_release(settings, ledger)
        seen = reading.observed(ledger, (release.id, release.version))
    report = watching.watch(seen.observations, watching.known(release), given.last, since)
    if given.html is not None:
        named = {"id": release.id, "version": release.version}
        place(Path(given.html), page.page(report, named, __version__).encode())
    _show(call, report)
    left_out = {"errors": seen.errors, "other_releases": seen.others, "again": seen.again}
    call.console.emit({**watching.as_line(report), **left_out}, _told(report, left_out))
    return ExitCode.SOME_FAILED if report.alarms else ExitCode.OK


def _show(call: Call, report: Report) -> None:
    """A line a row, alarms first, then by how far a value moved."""
    from radiomicnet_md.monitoring.watching import ALARM

    width = max((len(row.name) for row in report.rows), default=0)
    if report.rows and not call.console.as_json:
        head = f"{'was':>10} {'now':>10} {'PSI':>6} {'KS':>6} {'p, adj.':>8}  reference"
        call.console.page(f"{'verdict':<16} {'value':<{width}} {head}\n")
    for row in sorted(report.rows, key=lambda one: (one.verdict != ALARM, -(one.psi or 0.0))):
        call.console.emit(asdict(row), _line(row, width))


def _line(row: Row, width: int) -> str:
    numbers = [
        "" if value is None else format(value, form)
        for value, form in ((row.was, ".4g"), (row.now, ".4g"), (row.psi, ".3f"), (row.gap, ".3f"), (row.rate, ".2g"))
    ]
    was, now, psi, gap, rate = numbers
    source = f"{row.source}, n {row.reference} and {row.window}{f': {row.why}' if row.why else ''}"
    return f"{row.verdict:<16} {row.name:<{width}} {was:>10} {now:>10} {psi:>6} {gap:>6} {rate:>8}  {source}"


def _told(report: Report, left_out: dict[str, int]) -> str:
    """The last lines: the charts, what was left out, and the verdict."""
    chart = report.chart
    lines = ["refusals: not judged, too few files" if chart is None else _refusals(chart)]
    if any(left_out.values()):
        lines.append(
            f"left out: {left_out['errors']} errors, {left_out['other_releases']} decisions by other releases,"
            f" {left_out['again']} of files seen before"
        )
    if report.alarms:
        lines.append(f"ALARM: {', '.join(report.alarms)}")
    else:
        judged = sum(row.p is not None for row in report.rows)
        lines.append(f"no alarm: {judged} of {len(report.rows)} values judged")
    return "\n".join(lines)


def _refusals(chart: Chart) -> str:
    held = f"{chart.seen[0]} of {chart.seen[1]} in the reference, so that up to {chart.share:.1%} is no change"
    groups = f"most in a group {max(chart.groups)} (alarm above {chart.most})"
    return f"refusals: {held}; {groups}, CUSUM {max(chart.sums)} (alarm at {chart.limit})"
