# SPDX-License-Identifier: Apache-2.0
"""``batch``: many cases on several processors, safe to stop and to begin again."""

from __future__ import annotations

import argparse
import csv
import os
from collections import Counter
from io import StringIO
from pathlib import Path
from typing import TYPE_CHECKING, Any

from radiomicnet_md.commands.call import Call
from radiomicnet_md.commands.segment import FORMATS
from radiomicnet_md.commands.stopping import asked_to_stop
from radiomicnet_md.errors import ExitCode, Problem

if TYPE_CHECKING:
    from radiomicnet_md.batching import Told

SUMMARY = "cases.csv"
_STOPPING = "stopping when the cases at hand are decided; go on later with --resume"
_EXAMPLE = """\
examples:
  radiomicnet-md batch images --out results --jobs 4
  radiomicnet-md batch cases.csv --out results --format png --json
  radiomicnet-md batch images --out results --resume          (after Ctrl-C, a crash, or an added disk)

cases.csv has the column input (a path, from the folder of the CSV), and may have name (of the case's folder).
Each case ends in one signed record, whatever is killed and however often it is begun again. The answers are in
results/batch.jsonl as they come, and in results/cases.csv at the end. Exit code 3: some cases were refused or failed.
"""


def arguments(parser: argparse.ArgumentParser, shared: argparse.ArgumentParser) -> None:
    """Add what ``batch`` takes."""
    del shared
    parser.epilog = _EXAMPLE
    parser.add_argument("source", metavar="FOLDER|CSV", help="a folder of images, or a manifest")
    parser.add_argument("--out", required=True, metavar="DIR", help="where the files of the cases go")
    parser.add_argument("--format", choices=FORMATS, help="form of the mask beside PNG (DICOM for a DICOM input)")
    parser.add_argument("--jobs", type=jobs, default=os.cpu_count() or 1, metavar="N", help="processes")
    parser.add_argument("--resume", action="store_true", help="go on with the batch in DIR")


def jobs(text: str) -> int:
    """How many processes, 1 to 256."""
    try:
        number = int(text)
    except ValueError:
        number = 0
    if not 1 <= number <= 256:  # noqa: PLR2004
        message = "a number from 1 to 256"
        raise argparse.ArgumentTypeError(message)
    return number


def run(call: Call) -> int:
    """Decide every case that is not decided, and say what came of all."""
    from radiomicnet_md import batching, compiling
    from radiomicnet_md.home import open_home
    from radiomicnet_md.opening import open_desk

    compiling.announce(call.console.note)
    given, settings = call.given, call.settings()
    passphrase = open_home(settings.home).passphrase()
    with open_desk(settings, passphrase) as desk:  # what is wrong with the device is known before any work
        if isinstance(desk.engine, Problem):
            raise desk.engine
        release = (desk.maker.release or {})["manifest_sha256"]
        stamps = desk.maker.stamps
    if stamps:
        call.console.note(f"stamped: {', '.join(stamps)}")
    plan = batching.plan(Path(given.source), Path(given.out), given.format, release, resume=given.resume)
    answers: list[Told] = []
    with asked_to_stop(lambda: call.console.note(_STOPPING)) as (stop, _):
        told = batching.run(plan, settings, passphrase, given.jobs, stop)
        for one in call.console.progress(told, "deciding", len(plan.rows)):
            answers.append(one)
            call.console.emit(one.line, _text(one))
    _summarise(call, plan.out, answers, len(plan.rows))
    if stop.is_set():
        raise KeyboardInterrupt
    failed = {one.exit_code for one in answers} - {ExitCode.OK}
    for code in (ExitCode.INTEGRITY, ExitCode.NOT_QUALIFIED):
        if code in failed:
            return code
    return ExitCode.SOME_FAILED if failed else ExitCode.OK


def _text(one: Told) -> str:
    line = one.line
    reason = line["reason"]
    what = "no lesion found" if one.regions == 0 else f"{one.regions} region{'s' if one.regions != 1 else ''}"
    said = f"{reason['text']} [{reason['code']}]" if reason else what
    return f"{line['status']:<9} {line['input']}  {said}"


def _summarise(call: Call, out: Path, answers: list[Told], rows: int) -> None:
    """The table of all cases in the folder, and their number by state for the person who waits."""
    from radiomicnet_md.io.files import place

    columns = ("row", "input", "status", "record_id", "log_index", "regions", "code", "flags", "mask_sha256")
    text = StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(columns)
    for one in sorted(answers, key=lambda told: told.row):
        writer.writerow([_cell(one, column) for column in columns])
    place(out / SUMMARY, text.getvalue().encode())
    counts = Counter(one.line["status"] for one in answers)
    parts = ", ".join(f"{count} {status}" for status, count in sorted(counts.items()))
    left = f", {rows - len(answers)} not decided" if rows > len(answers) else ""
    call.console.note(f"{rows} cases: {parts or 'none decided'}{left}; {out / SUMMARY}")


def _cell(one: Told, column: str) -> Any:  # noqa: ANN401 -- a number or a text
    if column == "code":
        return (one.line["reason"] or {}).get("code", "")
    if column == "flags":
        return "; ".join(one.line["flags"])
    value = one.regions if column == "regions" else one.line[column]
    return "" if value is None else value
