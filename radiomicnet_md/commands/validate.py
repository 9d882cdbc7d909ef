# SPDX-License-Identifier: Apache-2.0
"""``validate``: how good the answers are on a folder of images with masks, and whether that is what was demanded."""

from __future__ import annotations

import argparse
import os
from pathlib import Path
from typing import TYPE_CHECKING

from radiomicnet_md.commands.batch import jobs
from radiomicnet_md.commands.call import Call
from radiomicnet_md.commands.stopping import asked_to_stop
from radiomicnet_md.errors import ExitCode

if TYPE_CHECKING:
    from radiomicnet_md.batching import Told
    from radiomicnet_md_validation.validating import Measured

_STOPPING = "stopping when the cases at hand are decided; go on later with the same command"
_EXAMPLE = """\
examples:
  radiomicnet-md validate cases --split val --out performance
  radiomicnet-md validate our-cases --site --out performance --json

FOLDER holds images/, masks/ (PNG of the image's size, not 0 is lesion) and splits.csv with the columns id, split,
group (duplicates or a patient), class_label (normal for images without a lesion). labels.csv may add device to an id.
Each case is decided as by segment and has a record. Stopped or killed, the same command goes on. A split named test is
opened by a record in the log, and further openings are counted.

In performance/: report.html, report.pdf, report.json (signed), results.jsonl, and the cases.
exit codes: 0 every acceptance object is met; 3 one is missed, or there are too few cases to tell
"""


def arguments(parser: argparse.ArgumentParser, shared: argparse.ArgumentParser) -> None:
    """Add what ``validate`` takes."""
    del shared
    parser.epilog = _EXAMPLE
    cases(parser)
    parser.add_argument("--out", required=True, metavar="DIR", type=Path, help="where the reports go")


def cases(parser: argparse.ArgumentParser) -> None:
    """Add what says which cases are measured, here and by ``qualify pq``."""
    parser.add_argument("folder", metavar="FOLDER", type=Path, help="images/, masks/ and splits.csv")
    parser.add_argument("--split", metavar="NAME", help="which cases; not needed where the folder has one split")
    parser.add_argument("--site", action="store_true", help="the cases are this site's own, not public data")
    parser.add_argument("--jobs", type=jobs, default=os.cpu_count() or 1, metavar="N", help="processes")


def run(call: Call) -> int:
    """Decide, score and judge; say the verdict on each acceptance object."""
    found = measure(call, call.given.out)
    _say(call, found)
    return ExitCode.OK if found.report.verdict == "PASS" else ExitCode.SOME_FAILED


def measure(call: Call, out: Path) -> Measured:
    """Measure what the call's :func:`cases` name, with a line a case; raises as ``validating.measured``."""
    from radiomicnet_md import compiling
    from radiomicnet_md.home import open_home
    from radiomicnet_md_validation.validating import Asked, measured

    compiling.announce(call.console.note)
    given, settings = call.given, call.settings()
    asked = Asked(given.folder, given.split, out, given.jobs, given.site)
    passphrase = open_home(settings.home).passphrase()
    done = 0

    def tell(one: Told, total: int) -> None:
        nonlocal done
        done += 1
        call.console.note(f"{done} of {total}: {one.line['status']} {Path(one.line['input']).name}")

    with asked_to_stop(lambda: call.console.note(_STOPPING)) as (stop, _):
        return measured(settings, passphrase, asked, stop, tell)


def _say(call: Call, found: Measured) -> None:
    from radiomicnet_md_validation import performance_report
    from radiomicnet_md_validation.performance_page import number

    report = found.report
    opened = report.opening
    lines = [
        f"{one.verdict:<12}  {one.objective.id}  {one.objective.title}: {number(one.point)}, bound {number(one.bound)}"
        f" (demanded {one.objective.criterion}), n = {one.n} of {one.objective.n_required}; {one.why}"
        for one in report.judged
    ]
    counted = [] if opened is None else [f"opened by record {opened.record_id}; reuse_count {opened.reuse_count}"]
    text = [*lines, *counted, f"{report.verdict}  {call.given.out / performance_report.PAGE}  ({report.stamp})"]
    call.console.emit(found.summary, "\n".join(text))
