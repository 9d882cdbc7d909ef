# SPDX-License-Identifier: Apache-2.0
"""``qualify``: tests of this installation where it runs, with a report and a record that somebody of QA signs.

How to, from a new home to a signed report: ``docs/how-to/qualify-an-installation.md``.
"""

from __future__ import annotations

import argparse
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Final

from radiomicnet_md.commands import validate
from radiomicnet_md.commands.call import Call
from radiomicnet_md.errors import ConfigurationError, ExitCode, UsageError

if TYPE_CHECKING:
    from radiomicnet_md.engine.release import Release
    from radiomicnet_md.privacy.people import Keeper
    from radiomicnet_md_validation.qualification.checks import Result

_EXAMPLE = """\
examples:
  radiomicnet-md qualify iq --out iq
  radiomicnet-md qualify oq --out oq       (a second call goes on where it was stopped)
  radiomicnet-md qualify pq our-cases --site --out pq
  radiomicnet-md sign ID --meaning qualify --user quinn --viewed iq/report.html

A qualification counts for this very installation once somebody of the role qa has signed its record. A clinical home
decides when installation (iq) and operation (oq) count. Exit code 3 where a check did not pass.
"""
_KINDS: Final = {
    "iq": "the installation: is this what was released, and is this computer fit for it?",
    "oq": "the operation: the tests that travel with the program, through its own commands",
    "pq": "the performance: images with masks against the demands that were fixed beforehand, as validate does",
}
_NEEDED: Final = {"reportlab": "report", "matplotlib": "report", "pytest": "validation"}


def arguments(parser: argparse.ArgumentParser, shared: argparse.ArgumentParser) -> None:
    """Add the kinds of qualification."""
    parser.epilog = _EXAMPLE
    verbs = parser.add_subparsers(dest="kind", required=True, metavar="KIND")
    for kind, help_ in _KINDS.items():
        one = verbs.add_parser(kind, help=help_, parents=[shared], allow_abbrev=False)
        one.add_argument("--out", required=True, type=Path, metavar="DIR", help="a folder for the report")
        if kind == "oq":
            one.add_argument("--test-db", metavar="URL", help="an empty, prepared database of the site's server")
        if kind == "pq":
            validate.cases(one)


def run(call: Call) -> int:
    """Qualify, and say where the report and its record are."""
    _refuse_absent()
    from radiomicnet_md.opening import open_keeper, verified_release
    from radiomicnet_md_audit import clock
    from radiomicnet_md_validation.qualification import checks, pq, recording

    kind, out, settings = call.given.kind, call.given.out, call.settings()
    recording.check_folder(out)
    began = clock.now().text()
    measured = validate.measure(call, out / pq.FOLDER) if kind == "pq" else None
    with open_keeper(settings) as keeper:
        release = verified_release(settings, keeper.ledger)
        if measured is None:
            results, sources = _checked(call, keeper, release)
        else:
            results, sources = list(_told(call, pq.results(measured), len(pq.protocol()))), pq.sources()
        protocol = checks.protocol(sources)
        done = recording.record(keeper, release, kind, began, protocol, results, out)
    said, receipt = done.said, done.receipt
    text = (
        f"{kind.upper()} {said.verdict}: {', '.join([f'{said.passed} passed', *_left(said.not_passed)])}\n"
        f"  report  {out / 'report.html'}, report.pdf, report.json\n"
        f"  record  {receipt.record_id} at {receipt.index} in the log"
    )
    call.console.emit(done.line(), text)
    if said.verdict != "PASS":
        call.console.note("Nothing is qualified by this; see what did not pass in the report.")
        return ExitCode.SOME_FAILED
    page = out / "report.html"
    short = receipt.record_id[:8]
    call.console.note(f"Read it, then: radiomicnet-md sign {short} --meaning qualify --user ID --viewed {page}")
    return ExitCode.OK


def _checked(call: Call, keeper: Keeper, release: Release) -> tuple[list[Result], list[Path]]:
    """Every result, and the files that the checks are written in."""
    from radiomicnet_md import qualified
    from radiomicnet_md_validation.qualification import iq, oq

    if call.given.kind == "iq":
        return list(_told(call, iq.examine(call.settings()), len(iq.protocol()))), iq.sources()
    database = call.given.test_db
    if database is None and call.settings().audit_db is not None:
        raise UsageError(
            "E-QUALIFY-DATABASE",
            "This home's log is not in the home, and no database of that kind is named to test with.",
            remedy="Name an empty one that was prepared in the same way with --test-db URL.",
        )
    results = oq.kept(call.given.out, keeper.ledger.writer.engine_key, qualified.present(release), database)
    found = sorted(_told(call, oq.run(results, database), len(oq.protocol())), key=lambda one: one.id)
    return found, oq.sources()


def _left(not_passed: Mapping[str, str]) -> Iterator[str]:
    """How many had each other verdict: what does not apply here has not failed."""
    for verdict, number in Counter(not_passed.values()).items():
        yield f"{number} {verdict.lower()}"


def _told(call: Call, results: Iterable[Result], total: int) -> Iterable[Result]:
    """The results, each told as it ends."""
    for number, one in enumerate(results, 1):
        more = "" if one.verdict == "PASS" else f"\n      {one.actual}"
        call.console.note(f"{number:>3}/{total} {one.id} {one.verdict:<14} {one.objective}{more}")
        yield one


def _refuse_absent() -> None:
    absent = sorted({extra for package, extra in _NEEDED.items() if find_spec(package) is None})
    if absent:
        raise ConfigurationError(
            "E-PART-ABSENT",
            f"A qualification needs the optional parts {' and '.join(absent)}, which are not installed.",
            remedy=f"Install them: pip install 'radiomicnet-md[{','.join(absent)}]'",
        )
