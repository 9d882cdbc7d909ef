# SPDX-License-Identifier: Apache-2.0
"""``batch``: many cases on several processors, safe to stop and to begin again."""

from __future__ import annotations

import argparse
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from radiomicnet_md.commands.call import Call
from radiomicnet_md.commands.segment import FORMATS
from radiomicnet_md.commands.stopping import asked_to_stop
from radiomicnet_md.errors import ExitCode, Problem

if TYPE_CHECKING:
    from radiomicnet_md.batching import Book, Dealer, Plan, Told
    from radiomicnet_md.config import Settings
    from radiomicnet_md.engine.record import Maker

_STOPPING = "stopping when the cases at hand are decided; go on later with --resume"
_EXAMPLE = """\
examples:
  radiomicnet-md batch images --out results --jobs 4
  radiomicnet-md batch cases.csv --out results --format png --json
  radiomicnet-md batch images --out results --resume          (after Ctrl-C, a crash, or an added disk)
  radiomicnet-md batch images --out results --scheduler tcp://127.0.0.1:8786

cases.csv has the column input (a path, from the folder of the CSV), and may have name (of the case's folder).
Each case ends in one signed record, whatever is killed and however often it is begun again. The answers are in
results/batch.jsonl as they come; at the end summary.html and cases.csv say what came of each, and values.csv (and
values.parquet, with pyarrow) holds every number. Exit code 3: some cases were refused or failed.
"""


def arguments(parser: argparse.ArgumentParser, shared: argparse.ArgumentParser) -> None:
    """Add what ``batch`` takes."""
    del shared
    parser.epilog = _EXAMPLE
    parser.add_argument("source", metavar="FOLDER|CSV", help="a folder of images, or a manifest")
    parser.add_argument("--out", required=True, metavar="DIR", help="where the files of the cases go")
    parser.add_argument("--format", choices=FORMATS, help="form of the mask beside PNG (DICOM for a DICOM input)")
    where = parser.add_mutually_exclusive_group()
    where.add_argument("--jobs", type=jobs, default=os.cpu_count() or 1, metavar="N", help="processes on this machine")
    where.add_argument("--scheduler", metavar="ADDRESS", help="of a cluster whose workers decide (see worker --help)")
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
        maker, serving = desk.maker, batching.serving(desk)
    if maker.stamps:
        call.console.note(f"stamped: {', '.join(maker.stamps)}")
    with (
        asked_to_stop(lambda: call.console.note(_STOPPING)) as (stop, asked),
        _dealer(call, settings, passphrase, serving) as dealer,
    ):
        release = (maker.release or {})["manifest_sha256"]
        plan = batching.plan(Path(given.source), Path(given.out), given.format, release, resume=given.resume)
        book = batching.Book(plan)
        failed = set[ExitCode]()
        try:
            for one in call.console.progress(batching.run(plan, book, dealer, stop), "deciding", len(plan.rows)):
                failed.add(one.exit_code)
                call.console.emit(one.line, _text(one))
        finally:
            _summarise(call, plan, book, maker, settings)
    if asked:
        raise KeyboardInterrupt
    for code in (ExitCode.INTEGRITY, ExitCode.NOT_QUALIFIED):
        if code in failed:
            return code
    return ExitCode.SOME_FAILED if failed - {ExitCode.OK} else ExitCode.OK


@contextmanager
def _dealer(call: Call, settings: Settings, passphrase: bytes, serving: str) -> Iterator[Dealer]:
    """Who gives the rows to processes: a pool here, or a cluster."""
    from radiomicnet_md import batching

    if call.given.scheduler is None:
        yield batching.Pool(settings, passphrase, call.given.jobs)
        return
    from radiomicnet_md.batching import cluster

    with cluster.connected(call.given.scheduler, settings.cluster, serving) as found:
        workers = found.about()
        hosts = sorted({one["host"] for one in workers})
        call.console.note(f"{len(workers)} processes on {', '.join(hosts)} decide; {found.dashboard}")
        yield found


def _text(one: Told) -> str:
    line = one.line
    reason = line["reason"]
    what = "no lesion found" if one.regions == 0 else f"{one.regions} region{'s' if one.regions != 1 else ''}"
    said = f"{reason['text']} [{reason['code']}]" if reason else what
    return f"{line['status']:<9} {line['input']}  {said}"


def _summarise(call: Call, plan: Plan, book: Book, maker: Maker, settings: Settings) -> None:
    """The tables and the page of all cases in the folder, and their number by state for the person who waits."""
    from radiomicnet_md.batching import summarising, tables
    from radiomicnet_md.home import open_home

    summary = summarising.Summary(plan)
    summary.write(book.answers(), maker.release or {}, maker.stamps)
    home = open_home(settings.home)
    with home.reading_ledger(settings.audit_db) as ledger:
        tables.write(plan.out, tables.lines(book.answers(), home, ledger))
    parts = ", ".join(f"{count} {status}" for status, count in sorted(summary.states.items()))
    left = f", {summary.left} not decided" if summary.left else ""
    page = plan.out / summarising.PAGE
    call.console.note(f"{len(plan.rows)} cases: {parts or 'none decided'}{left}; {page}")
