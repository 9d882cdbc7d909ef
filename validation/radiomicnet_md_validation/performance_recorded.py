# SPDX-License-Identifier: Apache-2.0
"""The one opening of the closed test split by this project, kept as it was signed, and the page that shows it.

``python -m radiomicnet_md_validation.performance_recorded OUT`` keeps what ``validate … --split test --out OUT`` found.

Rules of this module:

- ``validation/recorded/performance.json`` is ``report.json`` of that measurement in its signed envelope, byte for byte;
  ``acceptance.jsonl`` beside it is what the trace reads. The page follows from the first alone.
- Another measurement of the same images is another opening, and says so by its ``reuse_count``; it replaces this one
  only where somebody commits it.
"""

from __future__ import annotations

import base64
import json
import shutil
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from radiomicnet_md_validation import performance_report

RECORD = Path("validation/recorded/performance.json")
FOR_TRACE = Path("validation/recorded/acceptance.jsonl")
PAGE = Path("docs/reference/performance.md")
_WORST = 12  # cases that the page shows; the record has all


def read(record: Path = RECORD) -> dict[str, Any]:
    """What was signed, unpacked."""
    envelope = json.loads(record.read_text(encoding="utf-8"))
    found: dict[str, Any] = json.loads(base64.b64decode(envelope["payload"]))
    return found


def page(found: Mapping[str, Any]) -> str:
    """The page of a measurement."""
    return "\n".join(_lines(found)) + "\n"


def _lines(found: Mapping[str, Any]) -> Iterator[str]:
    release, opened, cases = found["release"], found["unsealing"], found["set"]
    yield "<!-- Made by `python -m radiomicnet_md_validation.performance_recorded OUT`. -->"
    yield "# Performance on the closed test split\n"
    yield f"> {found['stamp'].capitalize()}. Nobody has approved this page.\n"
    yield (
        f"Release {release['id']} {release['version']} (manifest `{release['manifest_sha256'][:16]}…`) decided the\n"
        f"{cases['cases']} images of BUSI's split `{cases['split']}` on {found['time_utc'][:10]}, each with a record,\n"
        f"by [`validate`](../how-to/validate-performance.md). Record `{opened['record_id']}` of log\n"
        f"`{found['log']['origin']}` says that the split was opened; that log had opened it\n"
        f"{opened['reuse_count']} times before.\n"
    )
    yield f"**{found['verdict']}**, by demands that were fixed and hashed before:\n"
    yield "| demand | criterion | value | bound | n (groups), required | verdict |"
    yield "|---|---|---|---|---|---|"
    for one in found["acceptance"]:
        counted = f"{one['n']} ({one['groups']}), {one['n_required']}"
        judged = f"bound {one['criterion']} | {_short(one['value'])} | {_short(one['bound'])}"
        yield f"| {one['id']} {one['title']} | {judged} | {counted} | **{one['verdict']}** |"
    yield ""
    for one in found["acceptance"]:
        yield f"- {one['id']}: {one['statistic']}; {one['estimator']}; {one['missing']}. {one['why'].capitalize()}."
    yield (
        "\nShares are over images, as the demands say, though images of one group are not independent: those bounds\n"
        "are somewhat too narrow. Masks of duplicates of one lesion agree among themselves at a mean Dice of 0.84 in\n"
        "this set.\n"
    )
    yield "## Figures\n"
    yield from _figures([("", one) for one in found["figures"]])
    yield "\n## Subgroups\n"
    yield from _figures([(one["group"], one[name]) for one in found["subgroups"] for name in ("dice", "missed")])
    yield "\n## Evidence of the pixel layer as a probability\n"
    yield "The release has no calibrated probability. As it stands:\n"
    yield from (f"- {name}: {value}" for name, value in found["pixel_probability"].items())
    yield f"\n## The {_WORST} worst cases\n"
    yield "| case | class | status | Dice | lesion, px | found, px |"
    yield "|---|---|---|---|---|---|"
    for one in found["cases"][:_WORST]:
        said = f"{one['class']} | {one['status']} {one['code']}".strip()
        yield f"| {one['id']} | {said} | {_short(one['dice'])} | {one['truth_px']} | {one['found_px']} |"
    yield f"\nAll {len(found['cases'])} stand in the signed report, `{RECORD}`."


def _figures(rows: list[tuple[str, Mapping[str, Any]]]) -> Iterator[str]:
    yield "| of | figure | value | 95 % interval | n | groups |"
    yield "|---|---|---|---|---|---|"
    for group, one in rows:
        between = one["note"] if one["low"] is None else f"{_short(one['low'])} to {_short(one['high'])}"
        value = f"{_short(one['point'])} {one['unit']}".strip()
        yield f"| {group or 'all'} | {one['name']} | {value} | {between} | {one['n']} | {one['groups']} |"


def _short(value: str | None) -> str:
    return "none" if value is None else f"{float(value):.3f}"


def main() -> None:
    """Keep a measurement and write its page."""
    out = Path(sys.argv[1])
    shutil.copyfile(out / performance_report.JSON, RECORD)
    shutil.copyfile(out / performance_report.FOR_TRACE, FOR_TRACE)
    PAGE.write_text(page(read()), encoding="utf-8")


if __name__ == "__main__":
    main()
