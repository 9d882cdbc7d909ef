# SPDX-License-Identifier: Apache-2.0
"""A window as one page: what alarms first, then the charts, then every row; it needs nothing but a browser.

Rules of this module:

- As the report's page: style and pictures lie inside, nothing is fetched, no script runs, every text is escaped.
- No patient, file or operator is named: the page knows numbers and times alone.
"""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Mapping
from html import escape

import numpy as np

from radiomicnet_md.monitoring.watching import ALARM, GROUP, LARGE, NOT_JUDGED, RATE, Chart, Report, Row
from radiomicnet_md.review import canvas, palette
from radiomicnet_md.review.style import CSS

_SHOWN = 24  # rows in the picture
_BADGES = {ALARM: "bad", NOT_JUDGED: "held"}
_HEAD = ("Verdict", "Value", "Reference", "Was", "Now", "PSI", "KS", "p, adjusted")


def page(report: Report, release: Mapping[str, str], version: str) -> str:
    """The whole HTML document; ``release`` has id and version."""
    pin = base64.b64encode(hashlib.sha256(CSS.encode()).digest()).decode()
    policy = f"default-src 'none'; img-src data:; style-src 'sha256-{pin}'; base-uri 'none'; form-action 'none'"
    span = "no file" if report.span is None else " to ".join(time[:19] + "Z" for time in report.span)
    alarms = "".join(f"<li>{escape(name)}</li>" for name in report.alarms) or "<li>none</li>"
    with canvas.plain_settings():
        pictures = _figure(_values(report), "PSI of the values that moved most") if _moved(report) else ""
        if report.chart is not None:
            pictures = _figure(_refusals(report.chart), "Refusals: Shewhart and CUSUM charts") + pictures
    rows = "".join(map(_row, report.rows))
    head = "".join(f'<th scope="col">{word}</th>' for word in _HEAD)
    return f"""<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="{policy}">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>RadiomicNet-MD: drift</title>
<style>{CSS}</style>
</head>
<body>
<p class="banner" role="note"><strong>Not a cleared medical device.</strong> An alarm says that numbers moved, not why;
no alarm does not say that answers are right. Nothing is changed by this page or by what made it.</p>
<main>
<h1>What the device is given and answers, against its reference</h1>
<p class="small">Release {escape(release["id"])} {escape(release["version"])}; window {escape(span)};
{report.files} files in the log; program version {escape(version)}.</p>
<h2>Alarms</h2>
<ul>{alarms}</ul>
<h2>Charts</h2>
{pictures or "<p>Too few files.</p>"}
<h2>Values</h2>
<table><thead><tr>{head}</tr></thead><tbody>{rows}</tbody></table>
</main>
</body>
</html>
"""


def _row(row: Row) -> str:
    badge = f'<span class="badge {_BADGES.get(row.verdict, "good")}">{escape(row.verdict)}</span>'
    numbers = [_number(row.was, ".4g"), _number(row.now, ".4g"), _number(row.psi, ".3f"), _number(row.gap, ".3f")]
    cells = "".join(f'<td class="number">{one}</td>' for one in (*numbers, _number(row.rate, ".2g")))
    source = f"{row.source}, n = {row.reference}; window n = {row.window}"
    return f'<tr><td>{badge}</td><th scope="row">{escape(row.name)}</th><td>{source}</td>{cells}</tr>'


def _number(value: float | None, form: str) -> str:
    return "" if value is None else format(value, form)


def _figure(png: bytes, caption: str) -> str:
    data = base64.b64encode(png).decode()
    return (
        f'<figure><img src="data:image/png;base64,{data}" alt="{caption}; the numbers stand in the table">'
        f"<figcaption>{caption}</figcaption></figure>"
    )


def _moved(report: Report) -> list[tuple[str, float, str]]:
    """Name, PSI and verdict of the rows with the largest PSI, largest first."""
    judged = [(row.name, row.psi, row.verdict) for row in report.rows if row.psi is not None]
    return sorted(judged, key=lambda one: -one[1])[:_SHOWN]


def _values(report: Report) -> bytes:
    moved = _moved(report)[::-1]
    figure = canvas.new_figure(1000, 90 + 22 * len(moved))
    axes = figure.add_subplot()
    colours = [palette.POSITIVE if verdict == ALARM else palette.MUTED for _, _, verdict in moved]
    axes.barh(range(len(moved)), [psi for _, psi, _ in moved], color=colours)
    names = [f"{name}{' (alarm)' if verdict == ALARM else ''}" for name, _, verdict in moved]
    axes.set_yticks(range(len(moved)), names)
    axes.axvline(LARGE, color=palette.INK, linestyle="--", linewidth=1)
    axes.set_xlabel(f"PSI; an alarm needs {LARGE:g} and a false discovery rate of at most {RATE:g}")
    figure.tight_layout()
    return canvas.png(figure)


def _refusals(chart: Chart) -> bytes:
    figure = canvas.new_figure(1000, 340)
    groups, sums = figure.add_subplot(1, 2, 1), figure.add_subplot(1, 2, 2)
    places = np.arange(1, len(chart.groups) + 1) * GROUP
    groups.plot(places, chart.groups, color=palette.NEGATIVE, marker="o", label=f"refusals in {GROUP} files")
    groups.axhline(GROUP * chart.share, color=palette.MUTED, linewidth=1, label="no change")
    groups.axhline(chart.most, color=palette.POSITIVE, linestyle="--", label="most without alarm")
    groups.set_ylim(-0.5, max(*chart.groups, chart.most) + 1.5)
    groups.set_title("Shewhart", loc="left")
    sums.plot(np.arange(1, len(chart.sums) + 1), chart.sums, color=palette.NEGATIVE, label="cumulative sum")
    sums.axhline(chart.limit, color=palette.POSITIVE, linestyle="--", label="alarm")
    sums.set_title("CUSUM", loc="left")
    for axes in (groups, sums):
        axes.set_xlabel("file of the window")
        axes.legend(framealpha=1.0, edgecolor="none", fontsize=8, loc="upper left")
        axes.grid(color=palette.RULE)
    figure.tight_layout()
    return canvas.png(figure)
